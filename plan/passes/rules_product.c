/* plan/passes/rules_product.c -- products of transposed and of one-hot operands. */
#include "plan/passes/rules.h"

/* Does it swap the last two axes and nothing else? */
static bool swaps_last_two(const rg_node *x)
{
    const int rank = x->shape->rank;
    const rg_attr_axes *at = x->attr;
    if (x->op != &rg_op_transpose || rank < 2)
        return false;
    for (int i = 0; i < rank; i++)
        if (at->axis[i] != (i < rank - 2 ? i : 2 * rank - 3 - i))
            return false;
    return true;
}

uint32_t rg_fold_matmul_transpose(rg_builder *b, rg_node *n)
{
    rg_attr_matmul t = *(const rg_attr_matmul *)n->attr;
    uint32_t in[2] = { n->in[0], n->in[1] };
    bool changed = false;
    for (int k = 0; k < 2; k++) {
        const rg_node *x = rg_built(b, in[k]);
        if (!swaps_last_two(x))
            continue;
        in[k] = x->in[0];
        *(k ? &t.transpose_b : &t.transpose_a) ^= true;
        changed = true;
    }
    return changed ? rg_rewrite(b, n, &rg_op_matmul, &t, 2, in[0], in[1], 0) : 0;
}

uint32_t rg_fold_matmul_one_hot(rg_builder *b, rg_node *n)
{
    const rg_attr_matmul *t = n->attr;
    const rg_node *hot = rg_operand(b, n, 0), *other = rg_operand(b, n, 1);
    if (hot->op != &rg_op_one_hot || other->shape->rank != 2 || t->transpose_b)
        return 0;
    if (!t->transpose_a)
        return rg_rewrite(b, n, &rg_op_gather, NULL, 2, n->in[1], hot->in[0], 0);
    return hot->shape->rank == 2 ? rg_rewrite(b, n, &rg_op_scatter_add, hot->attr, 2, n->in[1],
                                              hot->in[0], 0) : 0;
}
