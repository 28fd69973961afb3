/* tests/ops/canary.c -- broken operations, which the checks of the sweeps must catch: a check that
 * cannot fail does not count. */
#include "tests/ops/trial.h"
#include "tests/rgt.h"

#include <complex.h>
#include <math.h>
#include <string.h>

/* y = a²·b, done right; and what can go wrong with it. */
static int good_f64(const rg_kernel_args *k)
{
    const double *a = k->in[0], *b = k->in[1];
    double *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = a[i] * a[i] * b[i];
    return 0;
}

static int good_f32(const rg_kernel_args *k)
{
    const float *a = k->in[0], *b = k->in[1];
    float *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = a[i] * a[i] * b[i];
    return 0;
}

static int good_complex(const rg_kernel_args *k)
{
    const double _Complex *a = k->in[0], *b = k->in[1];
    double _Complex *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = a[i] * a[i] * b[i];
    return 0;
}

static void good_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_scale(rg_mul(v->in[0], v->in[1]), 2)));
    rg_vjp_add(v, 1, rg_mul(v->gy, rg_square(v->in[0])));
}

static void wrong_sign_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_scale(rg_mul(v->in[0], v->in[1]), 2)));
    rg_vjp_add(v, 1, rg_neg(rg_mul(v->gy, rg_square(v->in[0]))));
}

static void no_factor_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_mul(v->in[0], v->in[1])));
    rg_vjp_add(v, 1, rg_mul(v->gy, rg_square(v->in[0])));
}

static void forgotten_operand_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_scale(rg_mul(v->in[0], v->in[1]), 2)));
}

/* The value is right, what it depends on is not said: differentiating again loses a part. */
static void detached_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_scale(rg_mul(v->in[0], rg_detach(v->in[1])), 2)));
    rg_vjp_add(v, 1, rg_mul(v->gy, rg_square(v->in[0])));
}

/* Right in value, but not linear in gy to the eye of the next derivative. */
static void detached_gy_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(rg_detach(v->gy), rg_scale(rg_mul(v->in[0], v->in[1]), 2)));
    rg_vjp_add(v, 1, rg_mul(v->gy, rg_square(v->in[0])));
}

static int inexact_f32(const rg_kernel_args *k)
{
    int code = good_f32(k);
    for (int64_t i = 0; i < k->n; i++)
        ((float *)k->out)[i] *= 1.0001f;
    return code;
}

/* Reads its operands as if it were called for the whole. */
static int whole_only_f64(const rg_kernel_args *k)
{
    int code = good_f64(k);
    for (int64_t i = 0; i < k->n; i++)
        ((double *)k->out)[i] += k->n > 3;
    return code;
}

static int conjugate_complex(const rg_kernel_args *k)
{
    int code = good_complex(k);
    for (int64_t i = 0; i < k->n; i++)
        ((double _Complex *)k->out)[i] = conj(((double _Complex *)k->out)[i]);
    return code;
}

static rg_status too_kind_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                rg_err *err)
{
    (void)n, (void)attr, (void)err;
    *out = in[0];
    return RG_OK;
}

static const rg_op_sample sample[] = {
    { .in = { { RG_F, { 2, { 3, 4 } } }, { RG_F, { 1, { 4 } } } }, .lo = 1, .hi = 3 },
    { .in = { { RG_F, { 1, { 5 } } }, { RG_F, { 0, { 0 } } } }, .lo = 1, .hi = 3 },
    { .in = { { RG_F, { 1, { 7 } } }, { RG_F, { 1, { 7 } } } }, .lo = -3, .hi = -1 },
};
static const rg_op_error error[] = {
    { .in = { { RG_F, { 1, { 3 } } }, { RG_F, { 1, { 4 } } } }, .status = RG_ESHAPE,
      .says = "do not broadcast" },
};
static const rg_op good = {
    .name = "a2b", .arity = 2, .flags = RG_OP_ELEMENTWISE, .vjp = good_vjp, .kernel_f32 = good_f32,
    .kernel_f64 = good_f64, .kernel_complex = good_complex, .sample = sample, .n_sample = 3,
    .error = error, .n_error = 1,
};

static rg_op with_rule(void (*rule)(const rg_vjp_ctx *v))
{
    rg_op op = good;
    op.vjp = rule;
    return op;
}

RGT_TEST(canary, what_is_right_passes)
{
    for (size_t k = 0; k < 3; k++) {
        for (int order = 1; order <= 3; order++)
            RGT_CHECK(error_of_gradient(&good, &sample[k], order, 0, 5) <= 1e-8);
        RGT_CHECK(error_of_adjoint(&good, &sample[k], 5) <= 1e-12);
        RGT_CHECK(error_of_symmetry(&good, &sample[k], 5) <= 1e-10);
        RGT_CHECK(error_of_complex_step(&good, &sample[k], 5) <= 1e-12);
        RGT_CHECK(error_of_precision(&good, &sample[k], 5) <= 1e-5);
        RGT_CHECK(parts_make_the_whole(&good, &sample[k], 5));
    }
    RGT_CHECK(gradients_are_not_all_zero(&good, 5));
    RGT_CHECK(what_is_missing(&good) == NULL);
    RGT_CHECK(how_refusal_fails(&good, &error[0]) == NULL);
}

RGT_TEST(canary, a_wrong_sign_is_caught)
{
    const rg_op op = with_rule(wrong_sign_vjp);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 0, 5) > 1);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 2, 5) > 1);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 1, 5) <= 1e-8); /* a's is right */
    RGT_CHECK(error_of_complex_step(&op, &sample[0], 5) > 1);
}

RGT_TEST(canary, a_dropped_factor_is_caught)
{
    const rg_op op = with_rule(no_factor_vjp);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 0, 5) > 0.1);
    RGT_CHECK(error_of_complex_step(&op, &sample[1], 5) > 0.1);
    RGT_CHECK(error_of_symmetry(&op, &sample[0], 5) > 1e-3);
}

RGT_TEST(canary, a_forgotten_operand_is_caught)
{
    const rg_op op = with_rule(forgotten_operand_vjp);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 0, 5) > 0.1);
    RGT_CHECK(!gradients_are_not_all_zero(&op, 5));
}

RGT_TEST(canary, a_rule_that_hides_a_dependence_is_caught_at_second_order)
{
    const rg_op op = with_rule(detached_vjp);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 0, 5) <= 1e-8);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 2, 0, 5) > 1e-2);
    RGT_CHECK(error_of_symmetry(&op, &sample[0], 5) > 1e-3);
}

RGT_TEST(canary, a_rule_that_is_not_linear_in_gy_is_caught_by_the_adjoint)
{
    const rg_op op = with_rule(detached_gy_vjp);
    RGT_CHECK(error_of_gradient(&op, &sample[0], 1, 0, 5) <= 1e-8);
    RGT_CHECK(error_of_adjoint(&op, &sample[0], 5) > 1e-3);
}

RGT_TEST(canary, bad_kernels_are_caught)
{
    rg_op op = good;
    op.kernel_f32 = inexact_f32;
    RGT_CHECK(error_of_precision(&op, &sample[0], 5) > 1e-5);
    op.kernel_f64 = whole_only_f64;
    RGT_CHECK(!parts_make_the_whole(&op, &sample[0], 5));
    op.kernel_complex = conjugate_complex;
    RGT_CHECK(error_of_complex_step(&op, &sample[0], 5) > 1);
    RGT_CHECK(!order_does_not_matter(&op, &sample[2], 5)); /* a²·b is not b²·a */
}

RGT_TEST(canary, holes_in_a_descriptor_are_caught)
{
    rg_op op;
#define LACKS(change, what)                                                                    \
    do {                                                                                       \
        op = good;                                                                             \
        change;                                                                                \
        RGT_CHECK_MSG(what_is_missing(&op) != NULL && rgt_has(what_is_missing(&op), what),     \
                      "%s is not missed", what);                                               \
    } while (0)
    LACKS(op.name = "", "a name");
    LACKS(op.vjp = NULL, "a rule");
    LACKS(op.flags |= RG_OP_NODIFF, "contradiction");
    LACKS(op.kernel_f32 = NULL, "a reference kernel");
    LACKS(op.kernel_complex = NULL, "a complex kernel");
    LACKS(op.n_sample = 2, "samples");
    LACKS((op.infer = too_kind_infer, op.n_error = 0), "error samples");
    LACKS(op.attr_bytes = 8, "attributes");
    LACKS((op.flags |= RG_OP_COMMUTES, op.arity = 3), "two operands");
}

RGT_TEST(canary, an_error_sample_that_is_not_refused_so_is_caught)
{
    rg_op op = good;
    rg_op_error e = error[0];
    op.infer = too_kind_infer;
    RGT_CHECK(strcmp(how_refusal_fails(&op, &e), "accepted") == 0);
    e.status = RG_EINDEX;
    RGT_CHECK(strcmp(how_refusal_fails(&good, &e), "another code") == 0);
    e = error[0];
    e.says = "no such words";
    RGT_CHECK(strcmp(how_refusal_fails(&good, &e), "other words") == 0);
}

RGT_TEST(canary, errors_are_measured_against_their_scale_and_nan_is_infinite)
{
    const double a[] = { 100, 1, NAN, INFINITY }, b[] = { 100, 2, NAN, INFINITY };
    RGT_CHECK(worst_error(a, b, 4, 0) == 0.01);
    RGT_CHECK(worst_error(a, (const double[]){ 100, 1, 3, INFINITY }, 4, 0) == INFINITY);
    RGT_CHECK(worst_error(a, (const double[]){ 100, 1, NAN, -INFINITY }, 4, 0) == INFINITY);
    RGT_CHECK(worst_error(a, (const double[]){ 100, 1, NAN, 5 }, 4, 0) == INFINITY);
    RGT_CHECK(worst_error(a, a, 4, 0) == 0);
}
