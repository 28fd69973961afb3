/* plan/lower_product.h -- what lower_product.c and lower_pack.c share. */
#ifndef RG_PLAN_LOWER_PRODUCT_H
#define RG_PLAN_LOWER_PRODUCT_H

#include "plan/lower.h"

/* Extents and strides of a product, one for each index of the batch. */
struct rg_extents {
    int64_t m, n, k;
    int64_t a_m, a_k, b_k, b_n, c_m, c_n;
    int     batch;                                   /* leading axes that remain */
    int64_t dim[RG_MAX_RANK], stride[3][RG_MAX_RANK]; /* of a, b, c */
};
struct rg_extents rg_extents_of(const rg_code *c, const rg_node *node, uint32_t id);

/* Our own kernel is for f32, and for processors with fused multiply-add unless a user insists. */
bool rg_own_kernel(const rg_code *c);
/* How the right operand of a product is packed, or would be; NULL: not counted. */
rg_packed *rg_find_packed(const rg_code *c, const rg_node *node);
/* The packing steps, in the interval before the first use. */
rg_status rg_lower_pack(rg_code *c, rg_packed *p, const struct rg_extents *e, uint32_t interval);
/* Of a step that packs: where its part begins along the axis of parts; of another: -1. */
int64_t rg_packed_from(const rg_task *s);

#endif
