/* plan/builder.h -- the one way in which a pass makes a program: a smart constructor.
 *
 * A pass walks the old nodes in order and says what becomes of each. Whatever is made goes through
 * the same door: first the rules (plan/passes/fold.h), then the table of what exists already. So
 * every pass leaves a folded program in which equal nodes are one, and rg_builder_end() drops what
 * no root needs.
 *
 *     rg_builder b;
 *     if ((st = rg_builder_begin(&b, p, err)))
 *         return st;
 *     for (uint32_t id = 1; id < b.n_old; id++)
 *         b.map[id] = ... rg_builder_copy(&b, id);
 *     return rg_builder_end(&b);                                                              */
#ifndef RG_PLAN_BUILDER_H
#define RG_PLAN_BUILDER_H

#include "plan/twins.h"

enum { RG_BUILDER_FEW = 8 };

/* A node that is what it was: of which old node, and how many levels of operands are, too, itself
 * counted. of = 0: made anew. */
typedef struct rg_copied {
    uint32_t of, levels;
} rg_copied;

typedef struct rg_builder {
    rg_prog   *p;        /* its nodes are the new program */
    rg_node   *old;      /* the old one; [0] unused */
    uint32_t   n_old;
    size_t     old_cap;
    uint32_t  *map;      /* old id -> new id */
    rg_copied *copied;   /* by new id */
    size_t     copied_cap;
    bool       was_folded; /* no rule has an opinion on what stays as it is, */
    bool       but_stacks; /* stacks excepted: their rules have become more since */
    size_t     any_op;   /* the first rule that is for all ops */
    rg_twins   twins;    /* of new nodes */
    rg_index   rules;    /* address of an op -> number of its first rule + 1 */
    int64_t  **offset;   /* new id of a concat -> where its parts begin; NULL = not yet asked */
    size_t     offset_cap;
    uint32_t   few[RG_BUILDER_FEW], *many; /* operands of a node on its way */
    size_t     many_cap;
    bool       failed;   /* no memory: all later results are 0 */
    rg_err    *err;
} rg_builder;

rg_status rg_builder_begin(rg_builder *b, rg_prog *p, rg_err *err);
/* Maps roots, drops the old nodes, sweeps; the status of the whole. */
rg_status rg_builder_end(rg_builder *b);
/* Every node through the constructor once, which is all that simplifying a program takes. */
rg_status rg_builder_sweep(rg_prog *p, rg_err *err);

/* The node made of old node @p id with its operands mapped. */
uint32_t rg_builder_copy(rg_builder *b, uint32_t id);
/* The node @p n (attr and shape permanent, operands new ids) or what a rule or the table knows as
 * equal. Returns its id, 0 without memory. */
uint32_t rg_builder_add(rg_builder *b, const rg_node *n);
/* The same without rules: for parts that a rule makes on its way. */
uint32_t rg_builder_plain(rg_builder *b, const rg_node *n);
/* A node of its own, though an equal one may exist. */
uint32_t rg_builder_anew(rg_builder *b, const rg_node *n);

/* ---- For passes and rules ------------------------------------------------------------------- */

static inline const rg_node *rg_built(const rg_builder *b, uint32_t id)
{
    return &b->p->node[id];
}

/* Permanent copies; NULL (and b->failed) without memory. */
const void *rg_builder_attr(rg_builder *b, const void *attr, size_t bytes);
const rg_shape *rg_builder_shape(rg_builder *b, const rg_shape *shape);
/* A node of another op and shape, everything else (scope, origin, kind) as in @p like. */
rg_node rg_builder_like(rg_builder *b, const rg_node *like, const rg_op *op, const void *attr,
                        const rg_shape *shape, const uint32_t *in, uint32_t n_in);
/* Where the parts of a concat (new id) begin, n_in + 1 numbers; computed once. */
const int64_t *rg_builder_offsets(rg_builder *b, uint32_t id);

#endif
