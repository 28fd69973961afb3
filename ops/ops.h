/* ops/ops.h -- the table of all operations, and the few that passes know by name. */
#ifndef RG_OPS_OPS_H
#define RG_OPS_OPS_H

#include <retrograd/ops.h>

#include "graph/graph.h"

/* Every operation of the library, for sweeps: tests name none of them. */
size_t       rg_op_count(void);
const rg_op *rg_op_at(size_t i);

/* A family: the array at the foot of its file. */
typedef struct rg_op_family {
    const rg_op *const *op;
    size_t              n;
} rg_op_family;

extern const rg_op_family rg_ops_elementwise, rg_ops_compare, rg_ops_matmul, rg_ops_reduce,
    rg_ops_softmax, rg_ops_shape, rg_ops_slice, rg_ops_index, rg_ops_random, rg_ops_control;

/* Sum over every axis along which @p shape was expanded, then reshape to it: undoes broadcasting.
 * A composition of rg_sum_over and rg_reshape. */
rg_val rg_sum_to(rg_val x, rg_shape shape);

/* Φ(x), the distribution of N(0,1). */
rg_val rg_normal_cdf(rg_val x);
/* y[o,i] = x[o, index[o,i], i], the middle axis being @p axis, which @p index lacks. */
rg_val rg_pick(rg_val x, rg_val index, int axis);
/* Its transpose: x where @p index says along a new axis of so many elements, zeros elsewhere. */
rg_val rg_place(rg_val x, rg_val index, int axis, int64_t extent);

/* ---- Attributes: compared by bytes, so none has holes but rg_shape (see rg_attr_of_shape) --- */

typedef struct rg_attr_matmul { bool transpose_a, transpose_b; } rg_attr_matmul;
typedef struct rg_attr_real { double c; } rg_attr_real;         /* scale, shift, power, … */
typedef struct rg_attr_range { double lo, hi; } rg_attr_range;  /* clip */
/* Reductions, softmax, concat, reverse: the axis counts from the left. `keep`: of reductions, the
 * axis stays with extent 1. */
typedef struct rg_attr_axis { int32_t axis, keep; } rg_attr_axis;
/* softmax, log_softmax. `or_zero`: a row of nothing but -∞ gives 0, not NaN. */
typedef struct rg_attr_softmax { int32_t axis, or_zero; } rg_attr_softmax;
typedef struct rg_attr_slice { int64_t axis, begin, end; } rg_attr_slice;
typedef struct rg_attr_shape { rg_shape shape; } rg_attr_shape; /* reshape, broadcast: the result */
typedef struct rg_attr_axes { int32_t axis[RG_MAX_RANK]; } rg_attr_axes;      /* transpose */
/* scatter_add, one_hot: rows, classes; length_mask: steps */
typedef struct rg_attr_extent { int64_t extent; } rg_attr_extent;
typedef struct rg_attr_place { int64_t axis, extent; } rg_attr_place;
/* Random numbers: dropout has p and no shape, the others a shape and no p. */
typedef struct rg_attr_stream { uint64_t hash; double p; rg_shape shape; } rg_attr_stream;

/* ---- Descriptors that passes and lowering compare with ------------------------------------- */

/* Elementwise, reals to reals. */
extern const rg_op rg_op_add, rg_op_sub, rg_op_mul, rg_op_div, rg_op_minimum, rg_op_maximum,
    rg_op_binary_cross_entropy;
extern const rg_op rg_op_neg, rg_op_one_minus, rg_op_square, rg_op_sqrt, rg_op_exp, rg_op_log,
    rg_op_sin, rg_op_cos, rg_op_abs, rg_op_sigmoid, rg_op_tanh, rg_op_relu, rg_op_softplus,
    rg_op_normal_cdf;
extern const rg_op rg_op_scale, rg_op_shift, rg_op_power, rg_op_leaky_relu, rg_op_elu, rg_op_clip;
/* Elementwise, with masks or indices. `where` is a selection between operands of any one kind. */
extern const rg_op rg_op_less, rg_op_less_equal, rg_op_equal, rg_op_less_int, rg_op_less_equal_int,
    rg_op_equal_int, rg_op_and, rg_op_not, rg_op_where, rg_op_int_to_real, rg_op_bool_to_real;
/* Elementwise copies: of the operand as broadcast, of the operand. */
extern const rg_op rg_op_broadcast, rg_op_detach;
extern const rg_op rg_op_matmul;
extern const rg_op rg_op_sum_over, rg_op_max_over, rg_op_norm_over, rg_op_logsumexp_over,
    rg_op_cumsum, rg_op_argmax;
extern const rg_op rg_op_softmax, rg_op_log_softmax, rg_op_softmax_cross_entropy;
extern const rg_op rg_op_reshape, rg_op_transpose, rg_op_slice, rg_op_concat, rg_op_reverse;
extern const rg_op rg_op_gather, rg_op_scatter_add, rg_op_one_hot, rg_op_length_mask, rg_op_pick,
    rg_op_place;
extern const rg_op rg_op_dropout, rg_op_uniform, rg_op_normal;

#endif
