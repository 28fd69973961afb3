/* kernels/simd_math.h -- exp, log, tanh and their relatives for vectors: f32 our own, f64 libm's.
 *
 * Coefficients are minimax fits of our own (Remez exchange in 50 digits, relative error), rounded
 * to f32. Worst errors of all 2³² inputs, in ulp: exp 0.99, log 0.87, tanh 2.31, sigmoid 2.41,
 * softplus 1.7, expm1 0.91 (tests/kernels/ulp.c). */
#ifndef RG_KERNELS_SIMD_MATH_H
#define RG_KERNELS_SIMD_MATH_H

#include <math.h>

#include "kernels/simd.h"

/* k·ln 2 in two parts, the first with zeros at its end: k·HI is exact. */
#define RG_LN2_HI 0x1.62ep-1
#define RG_LN2_LO 0x1.0bfbe8e7bcd5fp-15

/* eʳ - 1 - r = r²·q(r) for |r| <= ln(2)/2 */
RG_INLINE f32_v f32_exp_tail(f32_v r)
{
    f32_v q = f32_fma(r, f32_set(0.00138160155104), f32_set(0.00836844020597));
    q = f32_fma(r, q, f32_set(0.0416683350605));
    q = f32_fma(r, q, f32_set(0.166665236017));
    q = f32_fma(r, q, f32_set(0.49999993839));
    return q * (r * r);
}

/* x = k·ln 2 + r, |r| <= ln(2)/2; |x| <= 105 */
RG_INLINE f32_v f32_reduce(f32_v x, f32_v *k)
{
    const f32_v big = f32_set(0x1.8p23); /* adding it rounds to an integer */
    *k = f32_fma(x, f32_set(1.44269504088896341), big) - big;
    f32_v r = f32_fma(*k, f32_set(-RG_LN2_HI), x);
    return f32_fma(*k, f32_set(-RG_LN2_LO), r);
}

/* For |x| <= 105 */
RG_INLINE f32_v f32_exp_within(f32_v x)
{
    f32_v k, r = f32_reduce(x, &k);
    return f32_scale((f32_exp_tail(r) + r) + f32_set(1), k);
}

RG_INLINE f32_v f32_exp(f32_v x)
{
    return f32_exp_within(f32_clamp(x, f32_set(-104), f32_set(89)));
}

/* e^-|x| */
RG_INLINE f32_v f32_exp_neg_abs(f32_v x)
{
    return f32_exp_within(f32_at_least(f32_neg_abs(x), f32_set(-104)));
}

/* eˣ - 1 = 2ᵏ·(eʳ - 1) + (2ᵏ - 1), for -104 <= x <= 0 */
RG_INLINE f32_v f32_expm1_within(f32_v x)
{
    f32_v k, r = f32_reduce(x, &k);
    f32_v two_k = f32_scale(f32_set(1), k);
    return f32_fma(two_k, f32_exp_tail(r) + r, two_k - f32_set(1));
}

/* The same for any x <= 0; of others it is some number. */
RG_INLINE f32_v f32_expm1_neg(f32_v x)
{
    return f32_expm1_within(f32_clamp(x, f32_set(-104), f32_set(0)));
}

/* k·ln 2 + ln(1 + r) for 1 + r in [1/√2, √2] */
RG_INLINE f32_v f32_log_sum(f32_v r, f32_v k)
{
    f32_v s = r * r;
    f32_v p = f32_fma(r, f32_set(-0.0764141096772), f32_set(0.127604531515));
    p = f32_fma(r, p, f32_set(-0.131566654698));
    p = f32_fma(r, p, f32_set(0.142016773011));
    p = f32_fma(r, p, f32_set(-0.166237640604));
    p = f32_fma(r, p, f32_set(0.200012474812));
    p = f32_fma(r, p, f32_set(-0.250008077043));
    p = f32_fma(r, p, f32_set(0.333333311544));
    p = f32_fma(k, f32_set(RG_LN2_LO), p * (s * r));
    p = f32_fma(s, f32_set(-0.5), p);
    return f32_fma(k, f32_set(RG_LN2_HI), p + r);
}

RG_INLINE f32_v f32_log(f32_v x)
{
    const f32_v zero = f32_set(0), inf = f32_set(HUGE_VAL), tiny = f32_set(0x1p-126);
    f32_m small = f32_lt(x, tiny);
    f32_v y = f32_pick(small, x * f32_set(0x1p23), x);
    i32_v e = (i32_v)((u32_v)y - 0x3f3504f3) >> 23; /* y = m·2ᵉ, m in [1/√2, √2) */
    f32_v m = (f32_v)((u32_v)y - ((u32_v)e << 23));
    f32_v k = __builtin_convertvector(e, f32_v) - f32_pick(small, f32_set(23), zero);
    f32_v special = f32_pick(f32_eq(x, zero), -inf, f32_pick(f32_lt(x, zero), x - x, x));
    special = f32_pick(f32_lt(x, zero), f32_set((double)NAN), special);
    f32_v result = f32_log_sum(m - f32_set(1), k);
    return f32_pick(f32_lt(x, inf), f32_pick(f32_lt(zero, x), result, special), special);
}

/* ln(1 + u) for u in [0, 1] */
RG_INLINE f32_v f32_log1p_unit(f32_v u)
{
    const f32_v one = f32_set(1);
    f32_m big = f32_lt(f32_set(0.41421356237), u);
    f32_v r = f32_pick(big, (u - one) * f32_set(0.5), u); /* 1 + u = 2·(1 + r) */
    return f32_log_sum(r, f32_pick(big, one, f32_set(0)));
}

/* With t = e^-2|x| - 1: tanh |x| = -t/(2 + t), without cancellation near 0; above 1/2 better
 * 1 - 2(1 + t)/(2 + t), whose error is that of a small correction. Never above 1. */
RG_INLINE f32_v f32_tanh(f32_v x)
{
    const f32_v one = f32_set(1), two = f32_set(2), a = f32_abs(x);
    f32_m far = f32_lt(f32_set(0.55), a);
    f32_v t = f32_expm1_within(f32_at_least(a * -two, f32_set(-104)));
    f32_v q = f32_pick(far, one + t, -t) / (two + t);
    return f32_copysign(f32_pick(far, f32_fma(-two, q, one), q), x);
}

/* 1/(1 + e⁻ˣ) for x >= 0, eˣ/(1 + eˣ) for x < 0: full relative accuracy on both sides. */
RG_INLINE f32_v f32_sigmoid(f32_v x)
{
    const f32_v one = f32_set(1);
    f32_v e = f32_exp_neg_abs(x);
    return f32_pick(f32_lt(x, f32_set(0)), e, one) / (one + e);
}

/* ln(1 + eˣ) = max(x, 0) + ln(1 + e^-|x|) */
RG_INLINE f32_v f32_softplus(f32_v x)
{
    f32_v tail = f32_log1p_unit(f32_exp_neg_abs(x));
    return f32_pick(f32_lt(x, f32_set(0)), tail, x + tail);
}

/* ---- f64: libm, lane by lane ----------------------------------------------------------------- */

#define RG_LANES_F64(name, expression)                                                           \
    RG_INLINE f64_v f64_##name(f64_v v)                                                            \
    {                                                                                            \
        for (int l = 0; l < RG_F64_LANES; l++) {                                                 \
            double x = v[l];                                                                     \
            v[l] = (expression);                                                                 \
        }                                                                                        \
        return v;                                                                                \
    }
RG_LANES_F64(exp, exp(x))
RG_LANES_F64(log, log(x))
RG_LANES_F64(tanh, tanh(x))
RG_LANES_F64(expm1_neg, expm1(x > 0 ? 0 : x))
RG_LANES_F64(sigmoid, x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)))
RG_LANES_F64(softplus, (x < 0 ? 0 : x) + log1p(exp(-fabs(x))))
#undef RG_LANES_F64

#endif
