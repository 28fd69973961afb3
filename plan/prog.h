/* plan/prog.h -- a program: what the roots of a plan need, in topological order, free to
 * rewrite.
 *
 * Nodes are those of the graph (graph/graph.h) with operands renumbered. Ids are dense, operands
 * precede uses, id 0 is unused. Attributes, shapes and operand arrays lie in the graph's arena
 * where the node came from there, else in the program's. */
#ifndef RG_PLAN_PROG_H
#define RG_PLAN_PROG_H

#include <retrograd/plan.h>

#include "graph/graph.h"

/* What `recompute` is to do: chunks of about so many rows, over so many 1024ths of the steps. */
typedef struct rg_again {
    int64_t  rows;             /* 0 = nothing */
    uint32_t share;
} rg_again;

typedef struct rg_prog {
    rg_alloc        alloc;     /* what passes work in */
    rg_arena        arena;     /* attributes, shapes; in the end everything */
    rg_shapes       shapes;    /* of the nodes that passes make */
    bool            settled;   /* this is the end */
    rg_arena        in[2];     /* operand arrays: of this program, and of the one it is made from */
    int             side;
    const rg_graph *graph;     /* read while planning only */
    rg_mode         mode;
    rg_dtype        real;
    rg_node        *node;      /* [0] unused */
    size_t          node_cap;
    uint32_t        n_node;    /* ids 1 .. n_node-1 */
    uint32_t       *root;      /* ids, as the plan's roots */
    size_t          n_root;
    uint32_t       *of_graph;  /* graph id -> id here, 0 = gone; for what was asked to be kept */
    uint32_t        n_of_graph;

    bool            flush;     /* runs flush subnormal numbers */
    bool            keep;      /* every node of the graph is a root */
    bool            fold, cse, dce; /* what each pass ends in (plan/builder.h) */
    bool            folded, consed; /* what holds now; folded by the rules that hold then: */
    bool            folded_joined;  /* `joined` as it was */
    bool            lift;      /* while `split` runs */
    bool            regroup;   /* while `fold` runs: sums may be taken in another order */
    bool            joined;    /* sums over gates are: stacks of slices may be slices of stacks */
    int64_t         chunk;     /* rows of a chunk; 0 = what the pass thinks best */
    rg_again        recompute;
    bool            copies;    /* equal nodes may be meant to be two: from `recompute` on */
    uint64_t        visits;    /* nodes and operands touched by passes so far */
    uint32_t       *fired;     /* by rule of plan/passes/fold.h, for tests; may be NULL */

    uint32_t       *cluster;   /* by id: which tile program computes it; 0 = none. From `fuse` */
    uint32_t        n_cluster; /* 1 .. n_cluster-1 */
} rg_prog;

/* Copy what the roots reach; in RG_EVALUATE nodes that only training has become their operand.
 * Passes work in memory from @p work; attributes and shapes come from @p alloc. */
rg_status rg_prog_create(rg_prog *p, const rg_graph *g, const rg_val *roots, size_t n, rg_mode mode,
                         rg_dtype real, const rg_alloc *work, const rg_alloc *alloc, rg_err *err);
/* Passes are done: everything moves to the arena. */
rg_status rg_prog_settle(rg_prog *p, rg_err *err);
void rg_prog_destroy(rg_prog *p);
/* Append a node (operands by id in this program; attr and shape already permanent); 0 = no
 * memory. */
uint32_t rg_prog_add(rg_prog *p, const rg_node *like, const uint32_t *in, uint32_t n_in);
/* Drop what neither roots nor, with `keep`, the graph's nodes reach: passes/dce.c. */
rg_status rg_prog_sweep(rg_prog *p, rg_err *err);
/* Operands precede uses, shapes and kinds are what inference says, roots exist. */
rg_status rg_prog_verify(const rg_prog *p, rg_err *err);

/* An input, a parameter, a constant or a number: no step computes it. */
bool rg_node_is_leaf(const rg_node *node);
/* Neither input nor parameter: the same in every run. */
bool rg_node_is_constant(const rg_node *node);

#endif
