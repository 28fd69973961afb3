/* ops/shape.c -- form: the same elements in another order or shape. Kernels move bytes, so one
 * serves every kind and precision. */
#include "ops/family.h"

/* ---- Reshape ------------------------------------------------------------------------------- */

static int copy(const rg_kernel_args *k)
{
    if (k->n)
        memcpy(k->out, k->in[0], (size_t)k->n * k->item);
    return 0;
}

/* Put what is left of n elements for the one extent -1; unchanged if that is impossible. */
static void resolve(rg_shape *want, int64_t n)
{
    int unknown = -1;
    int64_t known = 1;
    for (int i = 0; i < want->rank && i < RG_MAX_RANK; i++) {
        if (want->dim[i] == -1 && unknown < 0)
            unknown = i;
        else if (want->dim[i] <= 0 || __builtin_mul_overflow(known, want->dim[i], &known))
            return;
    }
    if (unknown >= 0 && n >= 0 && n % known == 0)
        want->dim[unknown] = n / known;
}

static rg_status reshape_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    const rg_shape *want = &((const rg_attr_shape *)attr)->shape;
    char from[RG_SHAPE_TEXT], to[RG_SHAPE_TEXT];
    int64_t count = rg_shape_count(in[0].shape), wanted;
    (void)n;
    *out = (rg_sig){ in[0].kind, *want };
    resolve(&out->shape, count);
    rg_status st = rg_numel(&out->shape, &wanted);
    if (st == RG_ELIMIT)
        return rg_fail(err, st, "%s is too large", rg_shape_text(to, want));
    if (st || wanted != count)
        return rg_fail(err, RG_ESHAPE, "%s has %lld elements, which %s cannot hold",
                       rg_shape_text(from, &in[0].shape), (long long)count,
                       rg_shape_text(to, want));
    return RG_OK;
}

static void reshape_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_reshape(v->gy, rg_shape_of(v->in[0])));
}

static const rg_attr_shape to_12 = { { 1, { 12 } } }, to_2_6 = { { 2, { 2, 6 } } },
                           to_scalar = { { 0, { 0 } } }, to_1_1 = { { 2, { 1, 1 } } },
                           to_0_5 = { { 2, { 0, 5 } } }, to_any_4 = { { 2, { -1, 4 } } },
                           to_any_any = { { 2, { -1, -1 } } }, to_0_any = { { 2, { 0, -1 } } },
                           to_minus = { { 2, { -2, -6 } } },
                           to_huge = { { 2, { INT64_C(1) << 40, INT64_C(1) << 40 } } };
static const rg_op_sample reshape_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &to_12 },
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &to_2_6 },
    { .in = { RG_REALS(2, 6) }, .lo = -2, .hi = 2, .attr = &to_any_4 },
    { .in = { RG_REALS(1, 1) }, .lo = -2, .hi = 2, .attr = &to_scalar },
    { .in = { RG_REAL_SCALAR }, .lo = -2, .hi = 2, .attr = &to_1_1 },
    { .in = { RG_REALS(3, 0) }, .lo = -2, .hi = 2, .attr = &to_0_5 },
    { .in = { RG_INTS(3, 4) }, .bound = 9, .attr = &to_12 },
    { .in = { RG_BOOLS(3, 4) }, .attr = &to_12 },
};
static const rg_op_error reshape_error[] = {
    { .in = { RG_REALS(3, 5) }, .attr = &to_2_6, .status = RG_ESHAPE,
      .says = "[3,5] has 15 elements, which [2,6] cannot hold" },
    { .in = { RG_REALS(3, 5) }, .attr = &to_any_4, .status = RG_ESHAPE,
      .says = "which [-1,4] cannot hold" },
    { .in = { RG_REALS(3, 4) }, .attr = &to_any_any, .status = RG_ESHAPE, .says = "[-1,-1]" },
    { .in = { RG_REALS(3, 0) }, .attr = &to_0_any, .status = RG_ESHAPE, .says = "[0,-1]" },
    { .in = { RG_REALS(3, 4) }, .attr = &to_minus, .status = RG_ESHAPE, .says = "[-2,-6]" },
    { .in = { RG_REALS(3, 4) }, .attr = &to_huge, .status = RG_ELIMIT, .says = "is too large" },
};
const rg_op rg_op_reshape = {
    .name = "reshape", .arity = 1, .attr_bytes = sizeof(rg_attr_shape), .infer = reshape_infer,
    .vjp = reshape_vjp, RG_KERNEL_ANY(copy), RG_SAMPLES(reshape_sample), RG_ERRORS(reshape_error),
};

rg_val rg_reshape(rg_val x, rg_shape shape)
{
    rg_attr_shape attr;
    resolve(&shape, rg_shape_count(rg_shape_of(x)));
    rg_attr_of_shape(&attr.shape, shape);
    return rg_emit1(&rg_op_reshape, &attr, x);
}

rg_val rg_unsqueeze(rg_val x, int axis)
{
    const rg_shape s = rg_shape_of(x);
    char text[RG_SHAPE_TEXT];
    int k = rg_axis(axis, s.rank + 1);
    if (!x.id)
        return rg_reshape(x, s);
    if (k < 0)
        return rg_poison(x.graph, RG_EINDEX, "unsqueeze: axis %d is out of range for %s", axis,
                         rg_shape_text(text, &s));
    if (s.rank == RG_MAX_RANK)
        return rg_poison(x.graph, RG_ELIMIT, "unsqueeze: %s has all %d axes",
                         rg_shape_text(text, &s), RG_MAX_RANK);
    return rg_reshape(x, rg_shape_insert(s, k, 1));
}

rg_val rg_squeeze(rg_val x, int axis)
{
    const rg_shape s = rg_shape_of(x);
    char text[RG_SHAPE_TEXT];
    int k = rg_axis(axis, s.rank);
    if (!x.id)
        return rg_reshape(x, s);
    if (k < 0)
        return rg_poison(x.graph, RG_EINDEX, "squeeze: axis %d is out of range for %s", axis,
                         rg_shape_text(text, &s));
    if (s.dim[k] != 1)
        return rg_poison(x.graph, RG_ESHAPE, "squeeze: axis %d of %s is not 1", k,
                         rg_shape_text(text, &s));
    return rg_reshape(x, rg_shape_drop(s, k));
}

/* ---- Broadcast: elementwise, since its operand arrives broadcast --------------------------- */

static rg_status broadcast_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                 rg_err *err)
{
    const rg_shape *want = &((const rg_attr_shape *)attr)->shape;
    char from[RG_SHAPE_TEXT], to[RG_SHAPE_TEXT];
    int64_t numel;
    (void)n;
    rg_status st = rg_numel(want, &numel);
    if (st || !rg_shape_expands(&in[0].shape, want))
        return rg_fail(err, st ? st : RG_ESHAPE, "%s does not expand to %s",
                       rg_shape_text(from, &in[0].shape), rg_shape_text(to, want));
    *out = (rg_sig){ in[0].kind, *want };
    return RG_OK;
}

/* rg_vjp_add() sums over what was expanded. */
static void broadcast_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, v->gy);
}

static const rg_attr_shape to_3_4 = { { 2, { 3, 4 } } }, to_2_3_4 = { { 3, { 2, 3, 4 } } },
                           to_0_4 = { { 2, { 0, 4 } } };
static const rg_op_sample broadcast_sample[] = {
    { .in = { RG_REALS(4) }, .lo = -2, .hi = 2, .attr = &to_3_4 },
    { .in = { RG_REALS(3, 1) }, .lo = -2, .hi = 2, .attr = &to_2_3_4 },
    { .in = { RG_REAL_SCALAR }, .lo = -2, .hi = 2, .attr = &to_3_4 },
    { .in = { RG_REALS(1, 4) }, .lo = -2, .hi = 2, .attr = &to_0_4 },
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &to_3_4 },
    { .in = { RG_INTS(4) }, .bound = 9, .attr = &to_3_4 },
    { .in = { RG_BOOLS(3, 1) }, .attr = &to_3_4 },
};
static const rg_op_error broadcast_error[] = {
    { .in = { RG_REALS(3) }, .attr = &to_3_4, .status = RG_ESHAPE,
      .says = "[3] does not expand to [3,4]" },
    { .in = { RG_REALS(2, 3, 4) }, .attr = &to_3_4, .status = RG_ESHAPE,
      .says = "[2,3,4] does not expand to [3,4]" },
};
const rg_op rg_op_broadcast = {
    .name = "broadcast", .arity = 1, .flags = RG_OP_ELEMENTWISE,
    .attr_bytes = sizeof(rg_attr_shape), .infer = broadcast_infer, .vjp = broadcast_vjp,
    RG_KERNEL_ANY(copy), RG_SAMPLES(broadcast_sample), RG_ERRORS(broadcast_error),
};

rg_val rg_broadcast(rg_val x, rg_shape shape)
{
    rg_attr_shape attr;
    if (x.id && rg_shape_equal(rg_shape_of(x), shape))
        return x;
    rg_attr_of_shape(&attr.shape, shape);
    return rg_emit1(&rg_op_broadcast, &attr, x);
}

/* ---- Transpose ----------------------------------------------------------------------------- */

/* Walk the result in order; the operand is read with the steps of the axes that came here. */
static int transpose_any(const rg_kernel_args *k)
{
    const rg_attr_axes *at = k->attr;
    const rg_shape *y = k->out_shape;
    int64_t step[RG_MAX_RANK], index[RG_MAX_RANK] = { 0 }, from = 0;
    const char *in = k->in[0];
    char *out = k->out;
    for (int i = 0; i < y->rank; i++)
        step[i] = rg_shape_inner(&k->in_shape[0], at->axis[i]);
    for (int64_t n = 0; n < k->n; n++) {
        memcpy(out + (size_t)n * k->item, in + (size_t)from * k->item, k->item);
        for (int i = y->rank - 1; i >= 0; i--) {
            from += step[i];
            if (++index[i] < y->dim[i])
                break;
            from -= step[i] * y->dim[i];
            index[i] = 0;
        }
    }
    return 0;
}

static rg_status transpose_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                 rg_err *err)
{
    const rg_attr_axes *at = attr;
    const rg_shape *x = &in[0].shape;
    unsigned seen = 0;
    (void)n;
    *out = in[0];
    for (int i = 0; i < x->rank; i++) {
        rg_status st = rg_want_axis(at->axis[i], x, err);
        if (st)
            return st;
        if (seen & 1u << at->axis[i])
            return rg_fail(err, RG_EARG, "axis %d is named twice", at->axis[i]);
        seen |= 1u << at->axis[i];
        out->shape.dim[i] = x->dim[at->axis[i]];
    }
    return RG_OK;
}

/* The inverse permutation: axis axes[k] goes back to k. */
static void transpose_vjp(const rg_vjp_ctx *v)
{
    const rg_attr_axes *at = v->attr;
    int back[RG_MAX_RANK], rank = rg_shape_of(v->out).rank;
    for (int i = 0; i < rank; i++)
        back[at->axis[i]] = i;
    rg_vjp_add(v, 0, rg_transpose(v->gy, back, (size_t)rank));
}

static const rg_attr_axes turned = { { 1, 0 } }, rotated = { { 2, 0, 1 } }, same = { { 0, 1, 2 } },
                          twice = { { 1, 1 } }, outside = { { 0, 2 } };
static const rg_op_sample transpose_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &turned },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -2, .hi = 2, .attr = &rotated },
    { .in = { RG_REALS(2, 1, 5) }, .lo = -2, .hi = 2, .attr = &rotated },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -2, .hi = 2, .attr = &same },
    { .in = { RG_REAL_SCALAR }, .lo = -2, .hi = 2, .attr = &turned },
    { .in = { RG_REALS(0, 4) }, .lo = -2, .hi = 2, .attr = &turned },
    { .in = { RG_INTS(3, 4) }, .bound = 9, .attr = &turned },
    { .in = { RG_BOOLS(3, 4) }, .attr = &turned },
};
static const rg_op_error transpose_error[] = {
    { .in = { RG_REALS(3, 4) }, .attr = &twice, .status = RG_EARG,
      .says = "axis 1 is named twice" },
    { .in = { RG_REALS(3, 4) }, .attr = &outside, .status = RG_EINDEX,
      .says = "axis 2 is out of range for [3,4]" },
};
const rg_op rg_op_transpose = {
    .name = "transpose", .arity = 1, .attr_bytes = sizeof(rg_attr_axes), .infer = transpose_infer,
    .vjp = transpose_vjp, RG_KERNEL_ANY(transpose_any), RG_SAMPLES(transpose_sample),
    RG_ERRORS(transpose_error),
};

rg_val rg_transpose(rg_val x, const int *axes, size_t n)
{
    rg_attr_axes attr = { { 0 } };
    const rg_shape s = rg_shape_of(x);
    char text[RG_SHAPE_TEXT];
    if (x.id && n != (size_t)s.rank)
        return rg_poison(x.graph, RG_EARG, "transpose: %zu axes are given for %s", n,
                         rg_shape_text(text, &s));
    for (size_t i = 0; x.id && i < n; i++)
        attr.axis[i] = rg_axis_in(x, axes[i]);
    return rg_emit1(&rg_op_transpose, &attr, x);
}

/* ---- Reverse ------------------------------------------------------------------------------- */

static int reverse_any(const rg_kernel_args *k)
{
    const int axis = ((const rg_attr_axis *)k->attr)->axis;
    const int64_t outer = rg_shape_outer(k->out_shape, axis), n = k->out_shape->dim[axis];
    const size_t inner = (size_t)rg_shape_inner(k->out_shape, axis) * k->item;
    const char *in = k->in[0];
    char *out = k->out;
    if (k->n == 0)
        return 0;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++)
            memcpy(out + (size_t)(o * n + i) * inner, in + (size_t)(o * n + n - 1 - i) * inner,
                   inner);
    return 0;
}

static rg_status reverse_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    (void)n;
    *out = in[0];
    return rg_want_axis(((const rg_attr_axis *)attr)->axis, &in[0].shape, err);
}

static void reverse_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_reverse(v->gy, ((const rg_attr_axis *)v->attr)->axis));
}

static const rg_attr_axis axis_0 = { 0, 0 }, axis_1 = { 1, 0 }, axis_3 = { 3, 0 };
static const rg_op_sample reverse_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &axis_0 },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -2, .hi = 2, .attr = &axis_1 },
    { .in = { RG_REALS(1) }, .lo = -2, .hi = 2, .attr = &axis_0 },
    { .in = { RG_REALS(3, 0) }, .lo = -2, .hi = 2, .attr = &axis_0 },
    { .in = { RG_INTS(3, 4) }, .bound = 9, .attr = &axis_1 },
    { .in = { RG_BOOLS(3, 4) }, .attr = &axis_0 },
};
static const rg_op_error reverse_error[] = {
    { .in = { RG_REALS(3, 4) }, .attr = &axis_3, .status = RG_EINDEX,
      .says = "axis 3 is out of range for [3,4]" },
};
const rg_op rg_op_reverse = {
    .name = "reverse", .arity = 1, .attr_bytes = sizeof(rg_attr_axis), .infer = reverse_infer,
    .vjp = reverse_vjp, RG_KERNEL_ANY(reverse_any), RG_SAMPLES(reverse_sample),
    RG_ERRORS(reverse_error),
};

rg_val rg_reverse(rg_val x, int axis)
{
    return rg_emit1(&rg_op_reverse, &(rg_attr_axis){ rg_axis_in(x, axis), 0 }, x);
}

static const rg_op *const family[] = {
    &rg_op_reshape, &rg_op_broadcast, &rg_op_transpose, &rg_op_reverse,
};
const rg_op_family rg_ops_shape = { family, RG_LENGTH(family) };
