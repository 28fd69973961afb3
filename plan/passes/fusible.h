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

static inline bool rg_node_is_fusible(const rg_node *n)
{
    return n->op->flags & RG_OP_ELEMENTWISE && !rg_node_is_view(n) && n->n_in > 0 &&
           n->n_in <= RG_TILE_MAX_IN;
}

#endif
