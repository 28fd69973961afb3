/* plan/passes/fusible.h -- which nodes cost nothing, and which may join a tile program. */
#ifndef RG_PLAN_PASSES_FUSIBLE_H
#define RG_PLAN_PASSES_FUSIBLE_H

#include "kernels/tile.h"
#include "ops/ops.h"
#include "plan/prog.h"

/* The same elements in another order or shape: no work, if the place of the operand allows it. */
static inline bool rg_node_is_view(const rg_node *n)
{
    return n->op == &rg_op_reshape || n->op == &rg_op_slice || n->op == &rg_op_transpose ||
           n->op == &rg_op_broadcast || n->op == &rg_op_reverse || n->op == &rg_op_detach;
}

/* Works along its operand's last axis, the rows of a tile program, which must be short. */
enum { RG_LONGEST_ROW = 1024 };
static inline bool rg_node_is_along_rows(const rg_prog *p, const rg_node *n)
{
    if (n->op != &rg_op_sum_over && n->op != &rg_op_max_over && n->op != &rg_op_logsumexp_over &&
        n->op != &rg_op_softmax && n->op != &rg_op_log_softmax)
        return false;
    const rg_shape *x = p->node[n->in[0]].shape;
    const int axis = ((const rg_attr_axis *)n->attr)->axis, last = x->rank - 1;
    return axis == last && x->dim[last] > 1 && x->dim[last] <= RG_LONGEST_ROW;
}

static inline bool rg_node_is_fusible(const rg_node *n)
{
    return n->op->flags & RG_OP_ELEMENTWISE && !rg_node_is_view(n) && n->n_in > 0 &&
           n->n_in <= RG_TILE_MAX_IN;
}

#endif
