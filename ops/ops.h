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
    rg_ops_softmax, rg_ops_shape, rg_ops_index, rg_ops_random, rg_ops_control;

/* Sum over every axis along which @p shape was expanded, then reshape to it: undoes broadcasting.
 * A composition of rg_sum_over and rg_reshape. */
rg_val rg_sum_to(rg_val x, rg_shape shape);

/* ---- Attributes and descriptors that passes and lowering read ------------------------------ */

extern const rg_op rg_op_add, rg_op_sub, rg_op_mul, rg_op_div, rg_op_neg, rg_op_scale, rg_op_shift,
    rg_op_one_minus, rg_op_matmul, rg_op_reshape, rg_op_transpose, rg_op_slice, rg_op_concat,
    rg_op_broadcast, rg_op_sum_over, rg_op_gather, rg_op_scatter_add, rg_op_one_hot, rg_op_dropout,
    rg_op_where;

typedef struct rg_attr_matmul { bool transpose_a, transpose_b; } rg_attr_matmul;
typedef struct rg_attr_real { double c; } rg_attr_real;            /* scale, shift, power, leaky relu, elu */
typedef struct rg_attr_range { double lo, hi; } rg_attr_range;     /* clip */
typedef struct rg_attr_axis { int32_t axis; bool keep; } rg_attr_axis; /* reductions, softmax, concat … */
typedef struct rg_attr_slice { int64_t begin, end; int32_t axis; } rg_attr_slice;
typedef struct rg_attr_shape { rg_shape shape; } rg_attr_shape;    /* reshape, broadcast */
typedef struct rg_attr_axes { int32_t axis[RG_MAX_RANK]; } rg_attr_axes; /* transpose */
typedef struct rg_attr_stream { uint64_t hash; double p; rg_shape shape; } rg_attr_stream; /* random */

#endif
