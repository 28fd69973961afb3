/* graph/graph.h -- the graph's insides, for ops/, grad/, plan/, check/ and layers/.
 *
 * Nodes are appended and never change or move. Operands of node i have ids below i, so every walk
 * over a graph is a loop over ids. Id 0 is the inert value. */
#ifndef RG_GRAPH_GRAPH_H
#define RG_GRAPH_GRAPH_H

#include <retrograd/graph.h>
#include <retrograd/grad.h>

#include "base/error.h"
#include "base/index.h"
#include "base/memory.h"
#include "base/shape.h"
#include "graph/params.h"

typedef struct rg_node {
    const rg_op    *op;
    const void     *attr;     /* op->attr_bytes, in the graph's arena */
    const rg_shape *shape;    /* in the graph's arena; most equal shapes are one */
    const uint32_t *in;       /* n_in ids, all below this node's own */
    uint32_t        n_in;
    uint32_t        scope;    /* index into rg_graph.scope; 0 = none */
    uint32_t        origin;   /* the forward node whose rule emitted this one; 0 = none */
    uint8_t         kind;     /* rg_kind */
    uint8_t         outcome;  /* rg_outcome of a value that rg_grad returned */
} rg_node;

typedef struct rg_scope {
    const char *name;
    int64_t     step;    /* time step or RG_NO_STEP */
    uint32_t    parent;  /* 0 = none */
} rg_scope;

/* rg_grad's note: node `gradient` is ∂(node `objective`)/∂(parameter node `param`). */
typedef struct rg_gradient_note {
    uint32_t gradient, param, objective;
} rg_gradient_note;

enum { RG_CHUNK = 4096 };  /* nodes a chunk; a power of two */

struct rg_graph {
    rg_alloc   alloc;
    rg_arena   arena;     /* attributes, operands, shapes, names */
    rg_params *params;    /* may be NULL */
    rg_node  **chunk;
    size_t     n_chunk_cap;
    uint32_t   n_node;    /* ids 1 .. n_node-1 exist */
    uint32_t   max_nodes;

    rg_scope  *scope;     /* [0] is "no scope" */
    size_t     n_scope, scope_cap;
    rg_index   scope_index;      /* (parent, name, step) -> index into scope */
    rg_index   stream_index;     /* low half of a random stream's hash -> 1 */
    uint32_t   in_scope;         /* where new nodes go */
    uint32_t   origin;           /* set while a derivative rule runs */

    uint32_t  *param_node;       /* slot index -> node id, 0 = not in this graph */
    size_t     param_node_cap;
    uint32_t  *input;            /* ids of the inputs */
    size_t     n_input, input_cap;
    rg_index   input_index;      /* name -> id */
    rg_shapes  shapes;    /* of nodes */

    rg_gradient_note *note;
    size_t     n_note, note_cap;

    rg_status  status;           /* the first building error: poisoned if not RG_OK */
    rg_err     err;              /* what rg_graph_message() shows */
};

static inline const rg_node *rg_node_at(const rg_graph *g, uint32_t id)
{
    return &g->chunk[id / RG_CHUNK][id % RG_CHUNK];
}

/* The node behind a value, or NULL if it is none or inert. */
const rg_node *rg_node_of(rg_val v);
/* The graph of the operands: the first that has one; NULL if none has. */
rg_graph *rg_graph_of(const rg_val *in, size_t n);

/* The one place where building errors are born: the first one sticks, with the scope before it.
 * Returns an inert value of the graph. */
rg_val rg_poison(rg_graph *g, rg_status status, const char *format, ...) RG_PRINTF(3, 4);
/* Record why a gradient or a plan of a sound graph could not be made (a poisoned one keeps its
 * first message). Returns @p status. */
rg_status rg_graph_fail(rg_graph *g, rg_status status, const char *format, ...) RG_PRINTF(3, 4);

/* rg_emit() for ops without operands, which cannot tell their graph. */
rg_val rg_emit_in(rg_graph *g, const rg_op *op, const void *attr, const rg_val *in, size_t n);
/* rg_emit() with one and two operands. */
rg_val rg_emit1(const rg_op *op, const void *attr, rg_val a);
rg_val rg_emit2(const rg_op *op, const void *attr, rg_val a, rg_val b);
/* What rg_emit() asks: infer the result's kind and shape; broadcast where op->infer is NULL. Used
 * by verification too. */
rg_status rg_infer(rg_sig *out, const rg_op *op, const rg_sig *in, size_t n, const void *attr,
                   rg_err *err);
/* Operands broadcast, the result is of their kind: what a NULL infer means. */
rg_status rg_infer_broadcast(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                             rg_err *err);

/* "enc/lstm step 3", cut to fit; "" for scope 0. Returns text. */
enum { RG_SCOPE_TEXT = 160 };
const char *rg_scope_text(char text[RG_SCOPE_TEXT], const rg_graph *g, uint32_t scope);
/* The innermost time step of a scope, or RG_NO_STEP. */
int64_t rg_scope_step(const rg_graph *g, uint32_t scope);
/* FNV-1a-64 of "scope/stream": the stream of a random op made here and now. No other may have it:
 * then, or without memory, the graph is poisoned. */
uint64_t rg_draw_stream(rg_graph *g, const char *stream);
/* FNV-1a-64 of the name alone, whatever the scope, however often it is asked for: a mask that is
 * the same at every step. Poisons as well where another draw has it. */
uint64_t rg_lock_stream(rg_graph *g, const char *stream);

/* ---- Leaves: the descriptors that graph/ itself owns --------------------------------------- */

extern const rg_op rg_op_input, rg_op_param, rg_op_constant, rg_op_full;

typedef struct rg_attr_input {
    const char *name;  /* in the arena */
    rg_sig      sig;
} rg_attr_input;

typedef struct rg_attr_param {
    rg_slot *slot;     /* of the graph's store; stable */
} rg_attr_param;

/* Data in the graph's arena: double, int32_t or uint8_t as the kind says. */
typedef struct rg_attr_constant {
    rg_sig      sig;
    const void *data;
    size_t      bytes;
} rg_attr_constant;

typedef struct rg_attr_full {
    rg_sig sig;
    double value;
} rg_attr_full;

/* What the user calls an input or a parameter; NULL for other nodes. */
const char *rg_leaf_name(const rg_node *node);
/* Is every element this number? (rg_full, rg_const, and constants of one element.) */
bool rg_node_is_number(const rg_node *node, double *out);

#endif
