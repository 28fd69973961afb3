/* layers/formula.h -- a cell's step on paper: its nodes as terms, written from the leaves up. */
#ifndef RG_LAYERS_FORMULA_H
#define RG_LAYERS_FORMULA_H

#include "layers/cell.h"

#include "base/text.h"

/* How strongly a term holds together: what is weaker than its surroundings gets parentheses. */
typedef enum rg_binding {
    RG_RELATION, RG_SUM, RG_PRODUCT, RG_MATMUL, RG_POWER, RG_ATOM
} rg_binding;

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

/* One equation; @p id is the node of the left side, 0 if it has none of its own. */
typedef struct rg_line {
    const char *name, *text;
    uint32_t    id;
} rg_line;

/* Equations being written, of a cell or of a function in it. */
typedef struct rg_page {
    rg_sheet     sheet;
    const char **taken;    /* names */
    size_t       n_taken, taken_cap;
    rg_line     *line;
    size_t       n_line, line_cap;
    const rg_cell *cell;
    rg_val       x;
    rg_val      *s, *next; /* n_state each */
    uint32_t     step;     /* scope of the step */
    uint32_t     first;    /* its nodes: first .. last-1 */
    uint32_t     last;
    uint32_t    *part;     /* by node: the first of the function that it is part of, or 0 */
} rg_page;

/* ---- formula_text.c ------------------------------------------------------------------------- */

/* Text in the sheet's arena; "" without memory. */
const char *rg_sheet_say(rg_sheet *f, const char *format, ...) RG_PRINTF(2, 3);
/* Write the term of a node from those of its operands. */
void rg_term_write(rg_sheet *f, uint32_t id);
/* What the term reads: the node's operands, or the arguments of its function. */
const uint32_t *rg_term_reads(const rg_sheet *f, uint32_t id, uint32_t *n);
/* A parameter's name without the group and in Greek where it is spelt: "gamma_x" is γx. */
const char *rg_param_text(rg_sheet *f, const rg_node *node);

/* ---- formula_lines.c ------------------------------------------------------------------------ */

bool rg_page_taken(const rg_page *p, const char *name);
/* Start anew: no marks, no texts, no names, no lines. */
void rg_page_clear(rg_page *p);
/* A node that is read by this name and no further. */
void rg_page_leaf(rg_page *p, uint32_t id, const char *name);
/* Count what the wanted terms read, and how often, down to the leaves. */
void rg_page_count(rg_page *p);
/* Write every wanted term and the lines. root[id]: what a term is called whose line is due anyway,
 * "" for the text alone. */
void rg_page_write(rg_page *p, const char *const *root);
void rg_page_line(rg_page *p, const char *name, const char *text, uint32_t id);
void rg_page_print(const rg_page *p, const rg_out *out, const char *indent);

/* ---- formula_calls.c ------------------------------------------------------------------------ */

/* What lies in a scope of its own inside the step and has one result becomes a call. false: no
 * memory. */
bool rg_page_find_calls(rg_page *p);
/* The function behind each call, once. */
bool rg_page_print_calls(rg_page *p, const rg_out *out);

#endif
