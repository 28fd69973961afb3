/* plan/made.h -- operations that only passes make; users cannot. */
#ifndef RG_PLAN_MADE_H
#define RG_PLAN_MADE_H

#include "ops/ops.h"
#include "plan/prog.h"

/* c + a·b, the product rounded before it is added: attr as of rg_op_matmul. From `accumulate`. */
extern const rg_op rg_op_matmul_add;

/* A stretch of a long sum over rows, that goes on where the stretch before it ended, so that no cut
 * changes a bit. From `recompute`.
 *
 * matmul_stretch(a, b, c): c + aᵀ·b, each element one sum that starts from c's; without c from 0.
 * sum_stretch(x, s): sums of the columns of x [K,N] in f64 that start from s; without s from 0. The
 * last is [N] or [1,N]; those before it have the f64 numbers themselves in place of 2·N reals. */
typedef struct rg_attr_stretch {
    rg_attr_matmul product;   /* of matmul_stretch: { true, false } */
    bool           backwards; /* from the last row to the first */
    bool           last;      /* of sum_stretch, as are the following */
    int32_t        keep;
} rg_attr_stretch;
extern const rg_op rg_op_matmul_stretch, rg_op_sum_stretch;

/* A product, one on top of what it is added to, or a stretch of one. */
static inline bool rg_is_matmul(const rg_node *node)
{
    return node->op == &rg_op_matmul || node->op == &rg_op_matmul_add ||
           node->op == &rg_op_matmul_stretch;
}

/* A product that is given a value to start from or to be added to. */
static inline bool rg_is_onto(const rg_node *node)
{
    return rg_is_matmul(node) && node->n_in == 3;
}

/* Does a sum over rows run from the last to the first? Where these are steps of time stacked the
 * other way round, as gradients are, it takes them in the order in which they come to be. */
bool rg_sums_backwards(const rg_prog *p, const rg_node *sum);

#endif
