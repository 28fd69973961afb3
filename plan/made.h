/* plan/made.h -- operations that only passes make; users cannot. */
#ifndef RG_PLAN_MADE_H
#define RG_PLAN_MADE_H

#include "ops/ops.h"

/* c + a·b, the product rounded before it is added: attr as of rg_op_matmul. From `accumulate`. */
extern const rg_op rg_op_matmul_add;

/* A product, or one on top of what it is added to. */
static inline bool rg_is_matmul(const rg_node *node)
{
    return node->op == &rg_op_matmul || node->op == &rg_op_matmul_add;
}

#endif
