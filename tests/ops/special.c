/* tests/ops/special.c -- zeros, infinities, NaN, subnormals, thresholds, through every elementwise
 * operation: f32 is f64 rounded, and a fused program says what the interpreter says. */
#include "ops/ops.h"
#include "tests/ops/lab.h"
#include "tests/rgt.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Thresholds: where σ and tanh become 1 and eˣ leaves the range, in both precisions. */
static const double special[] = {
    0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, 0.5, -2, 3, 1e-10, -1e-10,
    0x1p-149, -0x1p-149, 0x1.8p-130, FLT_MIN, -FLT_MIN, FLT_MAX, -FLT_MAX, FLT_EPSILON,
    0x1p24, 0x1.000002p24, 9.02, -9.02, 9.0625, 16.64, 17.5, 19.0625, -19.0625, 36.75, 37.5,
    87.3, -87.4, 88.7, 88.75, -88.75, -103.9, -104.5, 709.75, -709.75, -745.25, 745.25, 1e30, -1e30,
};
enum { MANY = sizeof special / sizeof *special };

/* Every special value for one operand, every pair for two; for masks and indices, 0 and 1. */
static rg_val operand(lab *l, rg_kind kind, size_t which, size_t n_in)
{
    const int64_t n = n_in == 1 ? MANY : (int64_t)MANY * MANY;
    double *x = malloc((size_t)n * sizeof *x);
    RGT_CHECK(x != NULL);
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = which == n_in - 1 ? i % MANY : i / MANY % MANY;
        x[i] = kind == RG_F ? (float)special[k] : (double)(i % 2);
    }
    rg_val v = lab_input(l, kind, RG_SHAPE(n), x);
    free(x);
    return v;
}

/* @p least: what is below may have been flushed, also on the way. */
static bool same_number(double have, double want, int ulps, double least)
{
    const double unit = fmax(fabs(want) * FLT_EPSILON, least);
    if (!isfinite(want))
        return isnan(want) ? isnan(have) : have == want;
    return fabs(have - want) <= ulps * unit;
}

/* Elements of op where one precision or effort disagrees with the other. */
static size_t disagreements(const rg_op *op, bool fused)
{
    const rg_op_sample *s = &op->sample[0];
    lab l;
    rg_val in[3];
    size_t bad = 0;
    lab_begin(&l);
    l.keep_subnormals = !fused;
    for (size_t k = 0; k < op->arity; k++)
        in[k] = operand(&l, s->in[k].kind, k, op->arity);
    rg_val y = rg_emit(op, s->attr, in, op->arity);
    double *have = lab_values(&l, y, RG_F32, fused ? RG_OPTIMIZE : RG_INTERPRET);
    double *want = lab_values(&l, y, fused ? RG_F32 : RG_F64, RG_INTERPRET);
    for (int64_t i = 0; i < rg_shape_count(rg_shape_of(y)); i++) {
        const double rounded = (float)want[i];
        if (same_number(have[i], rounded, 4, fused ? FLT_MIN : 0x1p-149))
            continue;
        if (bad++ < 5)
            rgt_note("%s, element %d: %.9g, not %.9g\n", op->name, (int)i, have[i], rounded);
    }
    free(have);
    free(want);
    lab_end(&l);
    return bad;
}

static bool takes_part(const rg_op *op)
{
    return op->flags & RG_OP_ELEMENTWISE && op->arity && !(op->flags & RG_OP_RANDOM) &&
           op->attr_bytes != sizeof(rg_attr_shape) /* broadcast has one shape only */;
}

RGT_TEST(special, f32_is_f64_rounded)
{
    size_t bad = 0, count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        if (takes_part(rg_op_at(o))) {
            bad += disagreements(rg_op_at(o), false);
            count++;
        }
    RGT_CHECK_MSG(!bad && count > 30, "%zu elements of %zu ops", bad, count);
}

RGT_TEST(special, fused_is_interpreted)
{
    size_t bad = 0, count = 0;
    for (size_t o = 0; o < rg_op_count(); o++)
        if (takes_part(rg_op_at(o))) {
            bad += disagreements(rg_op_at(o), true);
            count++;
        }
    RGT_CHECK_MSG(!bad && count > 30, "%zu elements of %zu ops", bad, count);
}

/* The canary: an op whose f32 kernel forgets what NaN is. */
static int sieve_f32(const rg_kernel_args *k)
{
    for (int64_t i = 0; i < k->n; i++)
        ((float *)k->out)[i] = fmaxf(((const float *)k->in[0])[i], 0);
    return 0;
}

static int sieve_f64(const rg_kernel_args *k)
{
    for (int64_t i = 0; i < k->n; i++) {
        const double x = ((const double *)k->in[0])[i];
        ((double *)k->out)[i] = x <= 0 ? 0 : x;
    }
    return 0;
}

RGT_TEST(special, a_kernel_that_loses_nan_is_caught)
{
    static const rg_op_sample sample[] = { { .in = { { RG_F, { 1, { 3 } } } }, .lo = 1, .hi = 2 } };
    const rg_op op = { .name = "sieve", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_NODIFF,
                       .kernel_f32 = sieve_f32, .kernel_f64 = sieve_f64, .sample = sample,
                       .n_sample = 1 };
    RGT_CHECK(disagreements(&op, false) == 1);
}
