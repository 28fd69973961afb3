/* ops/softmax.c -- softmax and the losses that need its insides. Sums are in f64 and in order. */
#include "ops/family.h"

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

/* A row's largest element m; and Σ e^(x-m). NaN where a row has +∞ or NaN, or nothing but -∞. */
static WIDE K(row_sum_exp)(WIDE *m, const REAL *x, int64_t n, int64_t step)
{
    WIDE sum = 0;
    *m = x[0];
    for (int64_t i = 1; i < n; i++)
        if (RE(x[i * step]) > RE(*m))
            *m = x[i * step];
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i * step] - *m);
    return sum;
}

/* y = e^(x-m) / Σ */
static int K(softmax)(const rg_kernel_args *k)
{
    const rows at = rows_of(k);
    const bool or_zero = ((const rg_attr_softmax *)k->attr)->or_zero;
    for (int64_t r = 0; r < at.count; r++) {
        const REAL *x = (const REAL *)k->in[0] + row_at(&at, r);
        REAL *y = (REAL *)k->out + row_at(&at, r);
        WIDE m, sum = K(row_sum_exp)(&m, x, at.n, at.step);
        const bool empty = or_zero && RE(m) == -INFINITY;
        for (int64_t i = 0; i < at.n; i++)
            y[i * at.step] = (REAL)(empty ? 0 : exp(x[i * at.step] - m) / sum);
    }
    return 0;
}

/* y = (x - m) - ln Σ */
static int K(log_softmax)(const rg_kernel_args *k)
{
    const rows at = rows_of(k);
    for (int64_t r = 0; r < at.count; r++) {
        const REAL *x = (const REAL *)k->in[0] + row_at(&at, r);
        REAL *y = (REAL *)k->out + row_at(&at, r);
        WIDE m, log_sum = log(K(row_sum_exp)(&m, x, at.n, at.step));
        for (int64_t i = 0; i < at.n; i++)
            y[i * at.step] = (REAL)(x[i * at.step] - m - log_sum);
    }
    return 0;
}

/* l = ln Σ - (z_y - m), over the last axis. 1: a computed class is out of range. */
static int K(softmax_cross_entropy)(const rg_kernel_args *k)
{
    const rg_shape *z_shape = &k->in_shape[0];
    const int64_t V = z_shape->dim[z_shape->rank - 1];
    const int32_t *y = k->in[1];
    REAL *l = k->out;
    for (int64_t i = 0; i < k->n; i++) {
        const REAL *z = (const REAL *)k->in[0] + i * V;
        if (y[i] < 0 || y[i] >= V)
            return 1;
        WIDE m, sum = K(row_sum_exp)(&m, z, V, 1);
        l[i] = (REAL)(log(sum) - (z[y[i]] - m));
    }
    return 0;
}

#else /* ---- Inference, rules, descriptors ----------------------------------------------------- */

/* The operand as `count` rows along the axis, of n elements, `step` apart. */
typedef struct rows {
    int64_t count, n, step;
} rows;

static rows rows_of(const rg_kernel_args *k)
{
    const int axis = ((const rg_attr_softmax *)k->attr)->axis;
    const rg_shape *x = &k->in_shape[0];
    return (rows){ k->n / x->dim[axis], x->dim[axis], rg_shape_inner(x, axis) };
}

static int64_t row_at(const rows *of, int64_t r)
{
    return r / of->step * of->n * of->step + r % of->step;
}

#define RG_KERNELS "ops/softmax.c"
#include "ops/reals.h"

static rg_status softmax_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    const int axis = ((const rg_attr_softmax *)attr)->axis;
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n;
    *out = in[0];
    if (!st)
        st = rg_want_axis(axis, &in[0].shape, err);
    return st ? st : rg_want_some(axis, &in[0].shape, err);
}

static rg_status cross_entropy_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                     rg_err *err)
{
    char z[RG_SHAPE_TEXT], y[RG_SHAPE_TEXT];
    const rg_shape *of_z = &in[0].shape;
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n, (void)attr;
    if (st || (st = rg_want_kind(in, 1, RG_INT, err)) || (st = rg_want_axis(0, of_z, err)) ||
        (st = rg_want_some(of_z->rank - 1, of_z, err)))
        return st;
    *out = (rg_sig){ RG_F, rg_shape_drop(*of_z, of_z->rank - 1) };
    if (!rg_shape_equal(out->shape, in[1].shape))
        return rg_fail(err, RG_ESHAPE, "classes %s do not fit logits %s: all axes but the last",
                       rg_shape_text(y, &in[1].shape), rg_shape_text(z, of_z));
    return RG_OK;
}

static rg_status class_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    (void)attr, (void)i;
    *bound = in[0].shape.dim[in[0].shape.rank - 1];
    return RG_OK;
}

/* y∘(gy - ⟨gy, y⟩) */
static void softmax_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_softmax *)v->attr)->axis;
    rg_val y = v->out, gy = v->gy;
    rg_vjp_add(v, 0, rg_mul(y, rg_sub(gy, rg_sum_over(rg_mul(gy, y), axis, true))));
}

/* gy - softmax(x)·Σ gy, the softmax being e^y */
static void log_softmax_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_softmax *)v->attr)->axis;
    rg_val sum = rg_sum_over(v->gy, axis, true);
    rg_vjp_add(v, 0, rg_sub(v->gy, rg_mul(rg_exp(v->out), sum)));
}

/* gy·(softmax(z) - onehot(y)) */
static void softmax_cross_entropy_vjp(const rg_vjp_ctx *v)
{
    rg_val z = v->in[0], y = v->in[1], gy = v->gy;
    rg_val all = rg_mul(rg_unsqueeze(gy, -1), rg_softmax(z, -1));
    rg_vjp_add(v, 0, rg_sub(all, rg_place(gy, y, -1, rg_dim(z, -1))));
}

static const rg_attr_softmax over_0 = { 0, 0 }, over_1 = { 1, 0 }, over_3 = { 3, 0 },
                             zero_1 = { 1, 1 };
static const rg_op_sample softmax_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -3, .hi = 3, .attr = &over_1 },
    { .in = { RG_REALS(3, 4) }, .lo = -3, .hi = 3, .attr = &zero_1 },
    { .in = { RG_REALS(3, 4) }, .lo = -9, .hi = 9, .attr = &over_0 },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -3, .hi = 3, .attr = &over_1 },
    { .in = { RG_REALS(7) }, .lo = -3, .hi = 3, .attr = &over_0 },
    { .in = { RG_REALS(0, 3) }, .lo = -3, .hi = 3, .attr = &over_1 },
};
static const rg_op_error softmax_error[] = {
    { .in = { RG_REALS(3, 0) }, .attr = &over_1, .status = RG_ESHAPE,
      .says = "axis 1 of [3,0] is empty" },
    { .in = { RG_REALS(3, 4) }, .attr = &over_3, .status = RG_EINDEX,
      .says = "axis 3 is out of range for [3,4]" },
    { .in = { RG_INTS(3, 4) }, .attr = &over_1, .status = RG_EDTYPE,
      .says = "operand 0 is int, real is needed" },
};
const rg_op rg_op_softmax = {
    .name = "softmax", .arity = 1, .attr_bytes = sizeof(rg_attr_softmax), .infer = softmax_infer,
    .vjp = softmax_vjp, RG_KERNELS_OF(softmax), RG_SAMPLES(softmax_sample),
    RG_ERRORS(softmax_error),
};
const rg_op rg_op_log_softmax = {
    .name = "log_softmax", .arity = 1, .attr_bytes = sizeof(rg_attr_softmax),
    .infer = softmax_infer, .vjp = log_softmax_vjp, RG_KERNELS_OF(log_softmax),
    RG_SAMPLES(softmax_sample), RG_ERRORS(softmax_error),
};

static const rg_op_sample cross_entropy_sample[] = {
    { .in = { RG_REALS(3, 4), RG_INTS(3) }, .lo = -3, .hi = 3, .bound = 4 },
    { .in = { RG_REALS(2, 3, 5), RG_INTS(2, 3) }, .lo = -3, .hi = 3, .bound = 5 },
    { .in = { RG_REALS(7), RG_INT_SCALAR }, .lo = -9, .hi = 9, .bound = 7 },
    { .in = { RG_REALS(0, 5), RG_INTS(0) }, .lo = -3, .hi = 3, .bound = 5 },
};
static const rg_op_error cross_entropy_error[] = {
    { .in = { RG_REALS(3, 4), RG_INTS(4) }, .status = RG_ESHAPE,
      .says = "classes [4] do not fit logits [3,4]" },
    { .in = { RG_REALS(3, 4), RG_REALS(3) }, .status = RG_EDTYPE,
      .says = "operand 1 is real, int is needed" },
    { .in = { RG_REALS(3, 0), RG_INTS(3) }, .status = RG_ESHAPE,
      .says = "axis 1 of [3,0] is empty" },
    { .in = { RG_REAL_SCALAR, RG_INT_SCALAR }, .status = RG_EINDEX, .says = "out of range for []" },
};
const rg_op rg_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy", .arity = 2, .infer = cross_entropy_infer,
    .vjp = softmax_cross_entropy_vjp, RG_KERNELS_OF(softmax_cross_entropy), .index = class_bound,
    RG_SAMPLES(cross_entropy_sample), RG_ERRORS(cross_entropy_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

rg_val rg_softmax(rg_val x, int axis)
{
    return rg_emit1(&rg_op_softmax, &(rg_attr_softmax){ rg_axis_in(x, axis), 0 }, x);
}

rg_val rg_softmax_or_zero(rg_val x, int axis)
{
    return rg_emit1(&rg_op_softmax, &(rg_attr_softmax){ rg_axis_in(x, axis), 1 }, x);
}

rg_val rg_masked_softmax(rg_val x, rg_val mask, int axis)
{
    return rg_softmax_or_zero(rg_where(mask, x, rg_const(x.graph, -INFINITY)), axis);
}

rg_val rg_log_softmax(rg_val x, int axis)
{
    return rg_emit1(&rg_op_log_softmax, &(rg_attr_softmax){ rg_axis_in(x, axis), 0 }, x);
}

rg_val rg_softmax_cross_entropy(rg_val z, rg_val y)
{
    return rg_emit2(&rg_op_softmax_cross_entropy, NULL, z, y);
}

static const rg_op *const family[] = {
    &rg_op_softmax, &rg_op_log_softmax, &rg_op_softmax_cross_entropy,
};
const rg_op_family rg_ops_softmax = { family, RG_LENGTH(family) };

#endif
