/* plan/passes/rules.h -- the rules by family, and what they share. */
#ifndef RG_PLAN_PASSES_RULES_H
#define RG_PLAN_PASSES_RULES_H

#include "ops/ops.h"
#include "plan/passes/fold.h"

/* rules_number.c */
rg_rule_fn rg_fold_mul_number, rg_fold_mul_negs, rg_fold_add_number, rg_fold_add_neg,
    rg_fold_sub_number, rg_fold_sub_neg, rg_fold_div_number, rg_fold_neg, rg_fold_scale,
    rg_fold_shift_zero, rg_fold_where, rg_fold_not, rg_fold_same_twice;
/* rules_form.c */
rg_rule_fn rg_fold_copy, rg_fold_reshape, rg_fold_form_of_number, rg_fold_reshape_one_hot,
    rg_fold_reshape_sum, rg_fold_sum_neg,
    rg_fold_broadcast, rg_fold_transpose, rg_fold_sum_one, rg_fold_sum_zero, rg_fold_sum_all,
    rg_fold_elementwise_broadcast;
/* rules_parts.c */
rg_rule_fn rg_fold_slice_whole, rg_fold_slice_slice, rg_fold_slice_concat, rg_fold_slice_one_hot,
    rg_fold_concat;
/* rules_stacks.c */
rg_rule_fn rg_fold_slice_reshape, rg_fold_concat_reshape, rg_fold_concat_columns,
    rg_fold_concat_slices, rg_fold_matmul_rows, rg_fold_gather_rows, rg_fold_scatter_rows,
    rg_fold_add_concats, rg_fold_add_reshapes;
/* rules_product.c */
rg_rule_fn rg_fold_matmul_transpose, rg_fold_matmul_one_hot;
/* rules_constant.c */
rg_rule_fn rg_fold_constants;

/* ---- Shared --------------------------------------------------------------------------------- */

static inline const rg_node *rg_operand(const rg_builder *b, const rg_node *n, uint32_t k)
{
    return rg_built(b, n->in[k]);
}

/* Is operand k the same number everywhere? */
static inline bool rg_operand_number(const rg_builder *b, const rg_node *n, uint32_t k, double *c)
{
    return rg_node_is_number(rg_operand(b, n, k), c);
}

/* Make *n another op over operands of its own choice; shape, kind, scope stay. -> RG_AGAIN */
uint32_t rg_rewrite(rg_builder *b, rg_node *n, const rg_op *op, const void *attr, uint32_t n_in,
                    uint32_t in0, uint32_t in1, uint32_t in2);
/* *n equals @p id, which may be smaller and is then broadcast. */
uint32_t rg_rewrite_value(rg_builder *b, rg_node *n, uint32_t id);
/* Every element of *n is @p c. */
uint32_t rg_rewrite_number(rg_builder *b, rg_node *n, double c);
/* *n is the reshape of @p id to the shape that it has. */
uint32_t rg_rewrite_reshape(rg_builder *b, rg_node *n, uint32_t id);

/* x, in the part begin .. end of an axis; x itself where that is all. Its slices are slices of what
 * it is a slice of. */
uint32_t rg_make_slice(rg_builder *b, const rg_node *like, uint32_t x, int64_t axis, int64_t begin,
                       int64_t end);
/* x in another shape; x itself where that is its own. */
uint32_t rg_make_reshape(rg_builder *b, const rg_node *like, uint32_t x, const rg_shape *shape);

#endif
