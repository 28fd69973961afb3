/* ops/reduce.c -- sums, largest elements, norms along an axis. Sums are in f64 and in order. */
#include "ops/family.h"

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

/* Rows along the axis: element i of row r lies at x[i·step]. */
#define ROW_KERNEL(name, row)                                                                     \
    static int K(name)(const rg_kernel_args *k)                                                   \
    {                                                                                             \
        const rows at = rows_of(k);                                                             \
        const REAL *x = k->in[0];                                                                 \
        REAL *y = k->out;                                                                         \
        for (int64_t r = 0; r < k->n; r++)                                                        \
            y[r] = (REAL)row(x + row_at(&at, r), at.n, at.step);                            \
        return 0;                                                                                 \
    }

static WIDE K(row_sum)(const REAL *x, int64_t n, int64_t step)
{
    WIDE sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i * step];
    return sum;
}

static WIDE K(row_norm)(const REAL *x, int64_t n, int64_t step)
{
    WIDE sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (WIDE)x[i * step] * x[i * step];
    return RE(sum) == 0 ? 0 : sqrt(sum);
}

/* Of the largest element the lowest index; a NaN counts as larger than any number. */
static int64_t K(row_argmax)(const REAL *x, int64_t n, int64_t step)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n && RE(x[best * step]) == RE(x[best * step]); i++)
        if (!(RE(x[i * step]) <= RE(x[best * step])))
            best = i;
    return best;
}

static WIDE K(row_max)(const REAL *x, int64_t n, int64_t step)
{
    return x[K(row_argmax)(x, n, step) * step];
}

/* m + ln Σ e^(x-m), m the largest; -∞ if all are. */
static WIDE K(row_logsumexp)(const REAL *x, int64_t n, int64_t step)
{
    const WIDE m = K(row_max)(x, n, step);
    WIDE sum = 0;
    if (RE(m) == -INFINITY)
        return m;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i * step] - m);
    return m + log(sum);
}

ROW_KERNEL(sum_over, K(row_sum))
ROW_KERNEL(norm_over, K(row_norm))
ROW_KERNEL(max_over, K(row_max))
ROW_KERNEL(logsumexp_over, K(row_logsumexp))

static int K(argmax)(const rg_kernel_args *k)
{
    const rows at = rows_of(k);
    const REAL *x = k->in[0];
    int32_t *y = k->out;
    for (int64_t r = 0; r < k->n; r++)
        y[r] = (int32_t)K(row_argmax)(x + row_at(&at, r), at.n, at.step);
    return 0;
}

static int K(cumsum)(const rg_kernel_args *k)
{
    const rows at = rows_of(k);
    const int64_t n_rows = at.n ? k->n / at.n : 0;
    for (int64_t r = 0; r < n_rows; r++) {
        const REAL *x = (const REAL *)k->in[0] + row_at(&at, r);
        REAL *y = (REAL *)k->out + row_at(&at, r);
        WIDE sum = 0;
        for (int64_t i = 0; i < at.n; i++)
            y[i * at.step] = (REAL)(sum += x[i * at.step]);
    }
    return 0;
}

#else /* ---- Inference, rules, descriptors ----------------------------------------------------- */

/* The operand as rows along the axis: n elements, `step` apart. */
typedef struct rows {
    int64_t n, step;
} rows;

static rows rows_of(const rg_kernel_args *k)
{
    const int axis = ((const rg_attr_axis *)k->attr)->axis;
    return (rows){ k->in_shape[0].dim[axis], rg_shape_inner(&k->in_shape[0], axis) };
}

/* Where row r starts: rows are numbered by the axes before, then those after the axis. */
static int64_t row_at(const rows *of, int64_t r)
{
    return r / of->step * of->n * of->step + r % of->step;
}

#define RG_KERNELS "ops/reduce.c"
#include "ops/reals.h"

/* The axis goes, or stays as 1. */
static rg_status reduce_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    const rg_attr_axis *at = attr;
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n;
    if (st || (st = rg_want_axis(at->axis, &in[0].shape, err)))
        return st;
    *out = in[0];
    out->shape = at->keep ? rg_shape_with(in[0].shape, at->axis, 1)
                          : rg_shape_drop(in[0].shape, at->axis);
    return RG_OK;
}

/* The same, and there must be something to take the largest of. */
static rg_status choose_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    rg_status st = reduce_infer(out, in, n, attr, err);
    return st ? st : rg_want_some(((const rg_attr_axis *)attr)->axis, &in[0].shape, err);
}

static rg_status argmax_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    char text[RG_SHAPE_TEXT];
    const int axis = ((const rg_attr_axis *)attr)->axis;
    rg_status st = choose_infer(out, in, n, attr, err);
    out->kind = RG_INT;
    if (!st && in[0].shape.dim[axis] > INT32_MAX)
        return rg_fail(err, RG_ELIMIT, "axis %d of %s is longer than an index", axis,
                       rg_shape_text(text, &in[0].shape));
    return st;
}

static rg_status cumsum_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    rg_status st = reduce_infer(out, in, n, attr, err);
    *out = in[0];
    return st;
}

/* A value of the result's form, with the axis as extent 1, to broadcast against the operand. */
static rg_val kept(const rg_vjp_ctx *v, rg_val y)
{
    const rg_attr_axis *at = v->attr;
    return at->keep ? y : rg_unsqueeze(y, at->axis);
}

static void sum_over_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_broadcast(kept(v, v->gy), rg_shape_of(v->in[0])));
}

/* All of gy goes to the one that was chosen. */
static void max_over_vjp(const rg_vjp_ctx *v)
{
    const rg_attr_axis *at = v->attr;
    rg_val x = v->in[0], gy = at->keep ? rg_squeeze(v->gy, at->axis) : v->gy;
    rg_vjp_add(v, 0, rg_place(gy, rg_argmax(x, at->axis), at->axis, rg_dim(x, at->axis)));
}

/* x·gy/y; 0 where the norm is 0 */
static void norm_over_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->in[0], kept(v, rg_safe_div(v->gy, v->out))));
}

static void logsumexp_over_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_axis *)v->attr)->axis;
    rg_vjp_add(v, 0, rg_mul(kept(v, v->gy), rg_softmax_or_zero(v->in[0], axis)));
}

static void cumsum_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_axis *)v->attr)->axis;
    rg_vjp_add(v, 0, rg_reverse(rg_cumsum(rg_reverse(v->gy, axis), axis), axis));
}

static const rg_attr_axis axis_0 = { 0, 0 }, axis_1 = { 1, 0 }, keep_0 = { 0, 1 },
                          keep_1 = { 1, 1 }, axis_3 = { 3, 0 };
#define FULL_SAMPLES                                                                              \
    { .in = { RG_REALS(3, 4) }, .lo = -3, .hi = 3, .attr = &axis_0 },                             \
    { .in = { RG_REALS(3, 4) }, .lo = -3, .hi = 3, .attr = &keep_1 },                             \
    { .in = { RG_REALS(2, 3, 5) }, .lo = -3, .hi = 3, .attr = &axis_1 },                          \
    { .in = { RG_REALS(2, 3, 5) }, .lo = -3, .hi = 3, .attr = &keep_0 },                          \
    { .in = { RG_REALS(7) }, .lo = -3, .hi = 3, .attr = &axis_0 },                                \
    { .in = { RG_REALS(1) }, .lo = 1, .hi = 3, .attr = &keep_0 },                                 \
    { .in = { RG_REALS(3, 0) }, .lo = -3, .hi = 3, .attr = &axis_0 }
static const rg_op_sample full_sample[] = { FULL_SAMPLES };
static const rg_op_sample sum_sample[] = {
    FULL_SAMPLES, { .in = { RG_REALS(3, 0) }, .lo = -3, .hi = 3, .attr = &axis_1 },
};
#define AXIS_ERRORS                                                                               \
    { .in = { RG_REALS(3, 4) }, .attr = &axis_3, .status = RG_EINDEX,                             \
      .says = "axis 3 is out of range for [3,4]" },                                               \
    { .in = { RG_REAL_SCALAR }, .attr = &axis_0, .status = RG_EINDEX, .says = "range for []" },   \
    { .in = { RG_INTS(3, 4) }, .attr = &axis_0, .status = RG_EDTYPE,                              \
      .says = "operand 0 is int, real is needed" }
static const rg_op_error axis_error[] = { AXIS_ERRORS };
static const rg_op_error choose_error[] = {
    AXIS_ERRORS,
    { .in = { RG_REALS(3, 0) }, .attr = &axis_1, .status = RG_ESHAPE,
      .says = "axis 1 of [3,0] is empty" },
};

#define REDUCTION(name_, infer_, sample_, error_)                                                 \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .arity = 1, .attr_bytes = sizeof(rg_attr_axis), .infer = infer_,          \
        .vjp = name_##_vjp, RG_KERNELS_OF(name_), RG_SAMPLES(sample_), RG_ERRORS(error_),         \
    }
REDUCTION(sum_over, reduce_infer, sum_sample, axis_error);
REDUCTION(norm_over, reduce_infer, sum_sample, axis_error);
REDUCTION(max_over, choose_infer, full_sample, choose_error);
REDUCTION(logsumexp_over, choose_infer, full_sample, choose_error);
REDUCTION(cumsum, cumsum_infer, sum_sample, axis_error);

const rg_op rg_op_argmax = {
    .name = "argmax", .arity = 1, .flags = RG_OP_BLOCK, .attr_bytes = sizeof(rg_attr_axis),
    .infer = argmax_infer, RG_KERNELS_OF(argmax), RG_SAMPLES(full_sample), RG_ERRORS(choose_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

static rg_val reduction(const rg_op *op, rg_val x, int axis, bool keep)
{
    return rg_emit1(op, &(rg_attr_axis){ rg_axis_in(x, axis), keep }, x);
}

/* All elements in one row. */
static rg_val flat(rg_val x)
{
    return rg_shape_of(x).rank == 1 ? x : rg_reshape(x, RG_SHAPE(rg_shape_count(rg_shape_of(x))));
}

rg_val rg_sum_over(rg_val x, int axis, bool keep)
{
    return reduction(&rg_op_sum_over, x, axis, keep);
}

rg_val rg_max_over(rg_val x, int axis, bool keep)
{
    return reduction(&rg_op_max_over, x, axis, keep);
}

rg_val rg_norm_over(rg_val x, int axis, bool keep)
{
    return reduction(&rg_op_norm_over, x, axis, keep);
}

rg_val rg_logsumexp_over(rg_val x, int axis, bool keep)
{
    return reduction(&rg_op_logsumexp_over, x, axis, keep);
}

rg_val rg_mean_over(rg_val x, int axis, bool keep)
{
    const rg_shape s = rg_shape_of(x);
    const int64_t n = rg_dim(x, axis);
    char text[RG_SHAPE_TEXT];
    if (x.id && n == 0)
        return rg_poison(x.graph, RG_ESHAPE, "mean_over: axis %d of %s is empty",
                         rg_axis(axis, s.rank), rg_shape_text(text, &s));
    return rg_scale(rg_sum_over(x, axis, keep), 1.0 / (double)n);
}

rg_val rg_sum(rg_val x)
{
    return rg_sum_over(flat(x), 0, false);
}

rg_val rg_mean(rg_val x)
{
    return rg_mean_over(flat(x), 0, false);
}

rg_val rg_max(rg_val x)
{
    return rg_max_over(flat(x), 0, false);
}

rg_val rg_norm(rg_val x)
{
    return rg_norm_over(flat(x), 0, false);
}

rg_val rg_argmax(rg_val x, int axis)
{
    return reduction(&rg_op_argmax, x, axis, false);
}

rg_val rg_cumsum(rg_val x, int axis)
{
    return reduction(&rg_op_cumsum, x, axis, false);
}

rg_val rg_sum_to(rg_val x, rg_shape shape)
{
    const rg_shape s = rg_shape_of(x);
    rg_shape merged = { .rank = 0 };
    bool sums[RG_MAX_RANK];
    if (!x.id || rg_shape_equal(s, shape))
        return x;
    /* neighbouring axes that are summed, or are not, become one */
    for (int i = 0; i < s.rank; i++) {
        const int there = i - (s.rank - shape.rank);
        const bool sum = there < 0 || (shape.dim[there] == 1 && s.dim[i] != 1);
        if (i == 0 || sum != sums[merged.rank - 1]) {
            sums[merged.rank] = sum;
            merged.dim[merged.rank++] = 1;
        }
        merged.dim[merged.rank - 1] *= s.dim[i];
    }
    if (!rg_shape_equal(s, merged))
        x = rg_reshape(x, merged);
    for (int i = merged.rank - 1; i >= 0; i--)
        if (sums[i])
            x = rg_sum_over(x, i, false);
    return rg_shape_equal(rg_shape_of(x), shape) ? x : rg_reshape(x, shape);
}

static const rg_op *const family[] = {
    &rg_op_sum_over, &rg_op_max_over, &rg_op_norm_over, &rg_op_logsumexp_over, &rg_op_argmax,
    &rg_op_cumsum,
};
const rg_op_family rg_ops_reduce = { family, RG_LENGTH(family) };

#endif
