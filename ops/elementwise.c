/* ops/elementwise.c -- functions of one or two real numbers, element by element.
 *
 * A row of the three tables is an operation: its value, its derivative as nodes, and two ranges, on
 * either side of a kink where there is one, from which tests draw operands. In a value, x (or a and
 * b) is an element and c the constant; in a derivative they are values of the graph, y is the
 * result and gy its gradient. */
#include "ops/family.h"

/* Φ'(x) = exp(-x²/2)/√(2π) */
#define INV_SQRT_2PI 0.39894228040143267793994605993438
#define SQRT_HALF    0.70710678118654752440084436210485

/*    name        value                    dL/dx                             ranges           */
#define UNARY(_)                                                                                  \
    _(neg,        -x,                      rg_neg(gy),                       -3, 3, -3, 3)        \
    _(one_minus,  1 - x,                   rg_neg(gy),                       -3, 3, -3, 3)        \
    _(square,     x * x,                   rg_mul(rg_scale(gy, 2), x),       -3, 3, -3, 3)       \
    _(sqrt,       sqrt(x),                 rg_div(gy, rg_scale(y, 2)),       .4, 3, 2, 9)         \
    _(exp,        exp(x),                  rg_mul(gy, y),                    -3, 3, -9, 2)        \
    _(log,        log(x),                  rg_div(gy, x),                    .4, 3, 2, 9)         \
    _(sin,        sin(x),                  rg_mul(gy, rg_cos(x)),            -3, 3, -9, 9)        \
    _(cos,        cos(x),                  rg_neg(rg_mul(gy, rg_sin(x))),    -3, 3, -9, 9)        \
    _(abs,        K(absolute)(x),          signed_like(gy, x),               .2, 3, -3, -.2)      \
    _(sigmoid,    K(logistic)(x),          rg_mul(gy, slope_of_sigmoid(y)),  -3, 3, -9, 9)        \
    _(tanh,       tanh(x),                 rg_mul(gy, slope_of_tanh(y)),     -3, 3, -5, 5)        \
    _(relu,       K(positive_part)(x),     rg_where(positive(x), gy, zero(x)), .2, 3, -3, -.2)    \
    _(softplus,   K(log_1_exp)(x),         rg_mul(gy, rg_sigmoid(x)),        -3, 3, -9, 9)        \
    _(normal_cdf, K(phi)(x),               rg_mul(gy, normal_density(x)),    -3, 3, -5, 2)

/*    name        value                    dL/dx                             ranges, c        */
#define UNARY_C(_)                                                                                \
    _(scale,      c * x,                   rg_scale(gy, c),                  -3, 3, -3, 3, -1.5)  \
    _(shift,      x + c,                   gy,                               -3, 3, -3, 3, .75)   \
    _(power,      K(raised)(x, c),         power_slope(gy, x, c),            .4, 3, 1, 4, 2.5)    \
    _(leaky_relu, RE(x) <= 0 ? c * x : x,  leaky_slope(gy, x, c),            .2, 3, -3, -.2, .3)  \
    _(elu,        RE(x) <= 0 ? c * K(exp_1)(x) : x,                                               \
                                           elu_slope(gy, x, y, c),           .2, 3, -3, -.2, .7)

/*    name        value        dL/da                               dL/db           flags, range   */
#define BINARY(_)                                                                                 \
    _(add,        a + b,       gy,                                 gy,                            \
                                                                           RG_OP_COMMUTES, -3, 3) \
    _(sub,        a - b,       gy,                                 rg_neg(gy),          0, -3, 3) \
    _(mul,        a * b,       rg_mul(gy, b),                      rg_mul(gy, a),                 \
                                                                           RG_OP_COMMUTES, -3, 3) \
    _(div,        a / b,       rg_div(gy, b),                                                     \
                               rg_neg(rg_div(rg_mul(gy, y), b)),                        0, .4, 3) \
    _(minimum,    RE(a) <= RE(b) || a != a ? a : b,                                               \
                               rg_where(rg_less_equal(a, b), gy, zero(a)),                        \
                               rg_where(rg_less_equal(a, b), zero(a), gy),              0, -3, 3) \
    _(maximum,    RE(a) >= RE(b) || a != a ? a : b,                                               \
                               rg_where(rg_less_equal(b, a), gy, zero(a)),                        \
                               rg_where(rg_less_equal(b, a), zero(a), gy),              0, -3, 3) \
    _(binary_cross_entropy,                                                                       \
                  K(positive_part)(a) - a * b + K(log_1_exp)(K(minus_absolute)(a)),                \
                               rg_mul(gy, rg_sub(rg_sigmoid(a), b)),                              \
                               rg_neg(rg_mul(gy, a)),                                   0, .2, 3)

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

/* σ(x) without overflow: 1/(1+e⁻ˣ), for x < 0 eˣ/(1+eˣ). */
static WIDE K(logistic)(WIDE x)
{
    const WIDE e = exp(RE(x) < 0 ? x : -x);
    return (RE(x) < 0 ? e : 1) / (1 + e);
}

static WIDE K(absolute)(WIDE x)
{
    return RE(x) < 0 ? -x : 0 + x; /* 0 + -0 = 0 */
}

static WIDE K(positive_part)(WIDE x)
{
    return RE(x) <= 0 ? 0 : x;
}

/* -|x|, at 0 on the side on which max(x, 0) is constant: their sum is smooth there. */
static WIDE K(minus_absolute)(WIDE x)
{
    return RE(x) <= 0 ? x : -x;
}

/* ln(1 + eˣ) = max(x, 0) + log1p(e^-|x|) */
static WIDE K(log_1_exp)(WIDE x)
{
    const WIDE e = exp(K(minus_absolute)(x));
    return K(positive_part)(x) + ALONG(e, log1p(RE(e)), 1 / (1 + RE(e)));
}

static WIDE K(exp_1)(WIDE x)
{
    return ALONG(x, expm1(RE(x)), exp(RE(x)));
}

/* Φ(x) = erfc(-x/√2)/2, the distribution of N(0,1); no cancellation on the left. */
static WIDE K(phi)(WIDE x)
{
    return ALONG(x, 0.5 * erfc(-RE(x) * SQRT_HALF), INV_SQRT_2PI * exp(-0.5 * RE(x) * RE(x)));
}

static WIDE K(raised)(WIDE x, double n)
{
    return ALONG(x, pow(RE(x), n), n * pow(RE(x), n - 1));
}

#define UNARY_KERNEL(name, value, ...)                                                            \
    static int K(name)(const rg_kernel_args *k)                                                   \
    {                                                                                             \
        const REAL *in = k->in[0];                                                                \
        REAL *out = k->out;                                                                       \
        for (int64_t i = 0; i < k->n; i++) {                                                      \
            const WIDE x = in[i];                                                                 \
            out[i] = (REAL)(value);                                                               \
        }                                                                                         \
        return 0;                                                                                 \
    }
#define UNARY_C_KERNEL(name, value, ...)                                                          \
    static int K(name)(const rg_kernel_args *k)                                                   \
    {                                                                                             \
        const double c = (CONST)((const rg_attr_real *)k->attr)->c;                               \
        const REAL *in = k->in[0];                                                                \
        REAL *out = k->out;                                                                       \
        for (int64_t i = 0; i < k->n; i++) {                                                      \
            const WIDE x = in[i];                                                                 \
            out[i] = (REAL)(value);                                                               \
        }                                                                                         \
        return 0;                                                                                 \
    }
#define BINARY_KERNEL(name, value, ...)                                                           \
    static int K(name)(const rg_kernel_args *k)                                                   \
    {                                                                                             \
        const REAL *left = k->in[0], *right = k->in[1];                                           \
        REAL *out = k->out;                                                                       \
        for (int64_t i = 0; i < k->n; i++) {                                                      \
            const WIDE a = left[i], b = right[i];                                                 \
            out[i] = (REAL)(value);                                                               \
        }                                                                                         \
        return 0;                                                                                 \
    }

UNARY(UNARY_KERNEL)
UNARY_C(UNARY_C_KERNEL)
BINARY(BINARY_KERNEL)

static int K(clip)(const rg_kernel_args *k)
{
    const rg_attr_range *at = k->attr;
    const CONST lo = (CONST)at->lo, hi = (CONST)at->hi;
    const REAL *in = k->in[0];
    REAL *out = k->out;
    for (int64_t i = 0; i < k->n; i++) {
        const WIDE x = in[i];
        out[i] = (REAL)(RE(x) < lo ? lo : RE(x) > hi ? hi : x); /* NaN stays */
    }
    return 0;
}

#else /* ---- Rules and descriptors ------------------------------------------------------------- */

#define RG_KERNELS "ops/elementwise.c"
#include "ops/reals.h"

static rg_val zero(rg_val x)
{
    return rg_const(x.graph, 0);
}

static rg_val positive(rg_val x)
{
    return rg_less(zero(x), x);
}

/* gy · sign x, by selection; 0 at 0 */
static rg_val signed_like(rg_val gy, rg_val x)
{
    return rg_where(positive(x), gy, rg_where(rg_less(x, zero(x)), rg_neg(gy), zero(x)));
}

static rg_val slope_of_sigmoid(rg_val y)
{
    return rg_mul(y, rg_one_minus(y));
}

/* 1 - y² without cancellation */
static rg_val slope_of_tanh(rg_val y)
{
    return rg_mul(rg_one_minus(y), rg_shift(y, 1));
}

static rg_val normal_density(rg_val x)
{
    return rg_scale(rg_exp(rg_scale(rg_square(x), -0.5)), INV_SQRT_2PI);
}

static rg_val leaky_slope(rg_val gy, rg_val x, double slope)
{
    return rg_where(positive(x), gy, rg_scale(gy, slope));
}

/* For x <= 0 the slope is α·eˣ = y + α. */
static rg_val elu_slope(rg_val gy, rg_val x, rg_val y, double alpha)
{
    return rg_where(positive(x), gy, rg_mul(gy, rg_shift(y, alpha)));
}

/* gy · n·xⁿ⁻¹; 0 for n = 0 also at x = 0 */
static rg_val power_slope(rg_val gy, rg_val x, double n)
{
    if (n == 0)
        return rg_zeros(x.graph, rg_shape_of(x));
    return n == 1 ? gy : rg_mul(gy, rg_scale(rg_power(x, n - 1), n));
}

#define UNARY_RULE(name, value, slope, ...)                                                       \
    static void name##_vjp(const rg_vjp_ctx *v)                                                   \
    {                                                                                             \
        const rg_val x = v->in[0], y = v->out, gy = v->gy;                                        \
        (void)x, (void)y;                                                                         \
        rg_vjp_add(v, 0, slope);                                                                  \
    }
#define UNARY_C_RULE(name, value, slope, ...)                                                     \
    static void name##_vjp(const rg_vjp_ctx *v)                                                   \
    {                                                                                             \
        const double c = ((const rg_attr_real *)v->attr)->c;                                      \
        const rg_val x = v->in[0], y = v->out, gy = v->gy;                                        \
        (void)c, (void)x, (void)y;                                                                \
        rg_vjp_add(v, 0, slope);                                                                  \
    }
#define BINARY_RULE(name, value, slope_a, slope_b, ...)                                           \
    static void name##_vjp(const rg_vjp_ctx *v)                                                   \
    {                                                                                             \
        const rg_val a = v->in[0], b = v->in[1], y = v->out, gy = v->gy;                          \
        (void)a, (void)b, (void)y;                                                                \
        if (rg_vjp_wants(v, 0))                                                                   \
            rg_vjp_add(v, 0, slope_a);                                                            \
        if (rg_vjp_wants(v, 1))                                                                   \
            rg_vjp_add(v, 1, slope_b);                                                            \
    }

UNARY(UNARY_RULE)
UNARY_C(UNARY_C_RULE)
BINARY(BINARY_RULE)

/* Edges count as inside. */
static void clip_vjp(const rg_vjp_ctx *v)
{
    const rg_attr_range *at = v->attr;
    rg_val x = v->in[0];
    rg_val inside = rg_and(rg_less_equal(rg_const(x.graph, at->lo), x),
                           rg_less_equal(x, rg_const(x.graph, at->hi)));
    rg_vjp_add(v, 0, rg_where(inside, v->gy, zero(x)));
}

static rg_status clip_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    const rg_attr_range *at = attr;
    char lo[RG_NUMBER_TEXT], hi[RG_NUMBER_TEXT];
    if (!(at->lo <= at->hi))
        return rg_fail(err, RG_EARG, "bounds %s and %s are no interval",
                       rg_number(lo, at->lo, 9), rg_number(hi, at->hi, 9));
    return rg_infer_real(out, in, n, NULL, err);
}

#define UNARY_SAMPLES(lo1, hi1, lo2, hi2, at)                                                     \
    {                                                                                             \
        { .in = { RG_REALS(3, 4) }, .lo = lo1, .hi = hi1, .attr = at },                           \
        { .in = { RG_REALS(7) }, .lo = lo2, .hi = hi2, .attr = at },                              \
        { .in = { RG_REALS(2, 1, 5) }, .lo = lo2, .hi = hi2, .attr = at },                        \
        { .in = { RG_REALS(1) }, .lo = lo2, .hi = hi2, .attr = at },                              \
        { .in = { RG_REAL_SCALAR }, .lo = lo1, .hi = hi1, .attr = at },                           \
        { .in = { RG_REALS(0, 3) }, .lo = lo1, .hi = hi1, .attr = at },                           \
    }
#define BINARY_SAMPLES(low, high)                                                                 \
    {                                                                                             \
        { .in = { RG_REALS(3, 4), RG_REALS(3, 4) }, .lo = low, .hi = high },                      \
        { .in = { RG_REALS(7), RG_REALS(7) }, .lo = low, .hi = high },                            \
        { .in = { RG_REALS(3, 4), RG_REALS(4) }, .lo = low, .hi = high },                         \
        { .in = { RG_REALS(4), RG_REALS(2, 3, 4) }, .lo = low, .hi = high },                      \
        { .in = { RG_REALS(3, 1), RG_REALS(1, 4) }, .lo = low, .hi = high },                      \
        { .in = { RG_REALS(2, 1, 3), RG_REALS(4, 1) }, .lo = low, .hi = high },                   \
        { .in = { RG_REAL_SCALAR, RG_REALS(2, 3) }, .lo = low, .hi = high },                      \
        { .in = { RG_REALS(5), RG_REAL_SCALAR }, .lo = low, .hi = high },                         \
        { .in = { RG_REAL_SCALAR, RG_REAL_SCALAR }, .lo = low, .hi = high },                      \
        { .in = { RG_REALS(0, 3), RG_REALS(3) }, .lo = low, .hi = high },                         \
        { .in = { RG_REALS(2, 1), RG_REALS(0) }, .lo = low, .hi = high },                         \
    }

static const rg_op_error unary_error[] = {
    { .in = { RG_INTS(3) }, .status = RG_EDTYPE, .says = "operand 0 is int, real is needed" },
    { .in = { RG_BOOLS(3) }, .status = RG_EDTYPE, .says = "operand 0 is bool, real is needed" },
};
static const rg_attr_real some_constant = { 0.5 };
static const rg_op_error unary_c_error[] = {
    { .in = { RG_INTS(3) }, .attr = &some_constant, .status = RG_EDTYPE,
      .says = "operand 0 is int, real is needed" },
};
static const rg_op_error binary_error[] = {
    { .in = { RG_REALS(2, 3), RG_REALS(4) }, .status = RG_ESHAPE,
      .says = "shapes do not broadcast: [2,3] and [4]" },
    { .in = { RG_REALS(2, 3), RG_REALS(3, 3) }, .status = RG_ESHAPE, .says = "[2,3] and [3,3]" },
    { .in = { RG_REALS(3), RG_INTS(3) }, .status = RG_EDTYPE,
      .says = "operand 1 is int, real is needed" },
};

#define UNARY_OP(name_, value, slope, ...)                                                        \
    static const rg_op_sample name_##_sample[] = UNARY_SAMPLES(__VA_ARGS__, NULL);                \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .arity = 1, .flags = RG_OP_ELEMENTWISE, .infer = rg_infer_real,           \
        .vjp = name_##_vjp, RG_KERNELS_OF(name_),                                                 \
        RG_SAMPLES(name_##_sample), RG_ERRORS(unary_error),                                       \
    };
#define UNARY_C_OP(name_, value, slope, lo1, hi1, lo2, hi2, c)                                    \
    static const rg_attr_real name_##_constant = { c };                                           \
    static const rg_op_sample name_##_sample[] =                                                  \
        UNARY_SAMPLES(lo1, hi1, lo2, hi2, &name_##_constant);                                     \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .arity = 1, .flags = RG_OP_ELEMENTWISE,                                   \
        .attr_bytes = sizeof(rg_attr_real), .infer = rg_infer_real,                               \
        .vjp = name_##_vjp, RG_KERNELS_OF(name_),                                                 \
        RG_SAMPLES(name_##_sample), RG_ERRORS(unary_c_error),                                     \
    };
#define BINARY_OP(name_, value, slope_a, slope_b, flags_, low, high)                              \
    static const rg_op_sample name_##_sample[] = BINARY_SAMPLES(low, high);                       \
    const rg_op rg_op_##name_ = {                                                                 \
        .name = #name_, .arity = 2, .flags = RG_OP_ELEMENTWISE | (flags_),                        \
        .infer = rg_infer_real, .vjp = name_##_vjp, RG_KERNELS_OF(name_),                         \
        RG_SAMPLES(name_##_sample), RG_ERRORS(binary_error),                                      \
    };

UNARY(UNARY_OP)
UNARY_C(UNARY_C_OP)
BINARY(BINARY_OP)

static const rg_attr_range unit = { -1, 1 }, backwards = { 1, -1 };
static const rg_op_sample clip_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -.9, .hi = .9, .attr = &unit },
    { .in = { RG_REALS(2, 1, 5) }, .lo = 1.1, .hi = 3, .attr = &unit },
    { .in = { RG_REALS(7) }, .lo = -3, .hi = -1.1, .attr = &unit },
    { .in = { RG_REAL_SCALAR }, .lo = -.9, .hi = .9, .attr = &unit },
    { .in = { RG_REALS(0, 3) }, .lo = -.9, .hi = .9, .attr = &unit },
};
static const rg_op_error clip_error[] = {
    { .in = { RG_REALS(3) }, .attr = &backwards, .status = RG_EARG,
      .says = "bounds 1 and -1 are no interval" },
    { .in = { RG_INTS(3) }, .attr = &unit, .status = RG_EDTYPE,
      .says = "operand 0 is int, real is needed" },
};
const rg_op rg_op_clip = {
    .name = "clip", .arity = 1, .flags = RG_OP_ELEMENTWISE, .attr_bytes = sizeof(rg_attr_range),
    .infer = clip_infer, .vjp = clip_vjp, RG_KERNELS_OF(clip), RG_SAMPLES(clip_sample),
    RG_ERRORS(clip_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

#define UNARY_FUNCTION(name, ...)                                                                 \
    rg_val rg_##name(rg_val x)                                                                    \
    {                                                                                             \
        return rg_emit1(&rg_op_##name, NULL, x);                                                  \
    }
#define UNARY_C_FUNCTION(name, ...)                                                               \
    rg_val rg_##name(rg_val x, double c)                                                          \
    {                                                                                             \
        return rg_emit1(&rg_op_##name, &(rg_attr_real){ c }, x);                                  \
    }
#define BINARY_FUNCTION(name, ...)                                                                \
    rg_val rg_##name(rg_val a, rg_val b)                                                          \
    {                                                                                             \
        return rg_emit2(&rg_op_##name, NULL, a, b);                                               \
    }

UNARY(UNARY_FUNCTION)
UNARY_C(UNARY_C_FUNCTION)
BINARY(BINARY_FUNCTION)

rg_val rg_clip(rg_val x, double lo, double hi)
{
    return rg_emit1(&rg_op_clip, &(rg_attr_range){ lo, hi }, x);
}

rg_val rg_gelu(rg_val x)
{
    return rg_mul(x, rg_normal_cdf(x));
}

rg_val rg_silu(rg_val x)
{
    return rg_mul(x, rg_sigmoid(x));
}

rg_val rg_hard_sigmoid_5(rg_val x)
{
    return rg_clip(rg_shift(rg_scale(x, 0.2), 0.5), 0, 1);
}

rg_val rg_hard_sigmoid_6(rg_val x)
{
    return rg_clip(rg_shift(rg_scale(x, 1.0 / 6), 0.5), 0, 1);
}

/* The safe ones select before and after: what is refused never enters f, so neither value nor
 * gradient there is touched by its infinity. NaN is not refused and stays. */

rg_val rg_safe_div(rg_val a, rg_val b)
{
    rg_val none = rg_equal(b, zero(b));
    return rg_where(none, zero(b), rg_div(a, rg_where(none, rg_const(b.graph, 1), b)));
}

rg_val rg_safe_log(rg_val x)
{
    rg_val none = rg_less_equal(x, zero(x));
    return rg_where(none, zero(x), rg_log(rg_where(none, rg_const(x.graph, 1), x)));
}

rg_val rg_safe_sqrt(rg_val x)
{
    rg_val none = rg_less_equal(x, zero(x));
    return rg_where(none, zero(x), rg_sqrt(rg_where(none, rg_const(x.graph, 1), x)));
}

#define ROW(name, ...) &rg_op_##name,
static const rg_op *const family[] = { UNARY(ROW) UNARY_C(ROW) BINARY(ROW) &rg_op_clip };
const rg_op_family rg_ops_elementwise = { family, RG_LENGTH(family) };

#endif
