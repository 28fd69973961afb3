/* layers/formula.h -- a cell's step on paper: its nodes as terms, written from the leaves up. */
#ifndef RG_LAYERS_FORMULA_H
#define RG_LAYERS_FORMULA_H

#include "layers/cell.h"

/* How strongly a term holds together: what is weaker than its surroundings gets parentheses. */
typedef enum rg_binding { RG_RELATION, RG_SUM, RG_PRODUCT, RG_MATMUL, RG_POWER, RG_ATOM } rg_binding;

/* One node. */
typedef struct rg_term {
    const char *text;     /* how other terms show it: an expression, or its name; NULL = not yet */
    rg_binding  binding;
    bool        wanted, leaf;
    uint32_t    uses;
    const char *matrix;   /* what the names of the matrices in it end in: "i" of Ui, Wi */
    const char *bias;     /* likewise of the biases */
    int64_t     blocks;   /* it is seen in so many equal slices */
    const uint32_t *arg;  /* of a function that it is the result of, with its name */
    uint32_t    n_arg;
    const char *call;
} rg_term;

typedef struct rg_sheet {
    rg_graph *g;
    rg_arena  arena;
    rg_term  *term;    /* by node id */
    size_t    prefix;  /* bytes that the names of all parameters begin with */
    bool      failed;  /* no memory */
} rg_sheet;

/* Text in the sheet's arena; "" without memory. */
const char *rg_sheet_say(rg_sheet *f, const char *format, ...) RG_PRINTF(2, 3);
/* Write the term of a node from those of its operands. */
void rg_term_write(rg_sheet *f, uint32_t id);
/* What the term reads: the node's operands, or the arguments of its function. */
const uint32_t *rg_term_reads(const rg_sheet *f, uint32_t id, uint32_t *n);
/* A parameter's name without the group and in Greek where it is spelt: "gamma_x" is γx. */
const char *rg_param_text(rg_sheet *f, const rg_node *node);

#endif
