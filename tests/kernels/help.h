/* tests/kernels/help.h -- numbers to try kernels on, and comparison of bits. */
#ifndef RGT_KERNELS_HELP_H
#define RGT_KERNELS_HELP_H

#include "base/cpu.h"
#include "base/philox.h"

#include <math.h>
#include <string.h>

/* Number i of stream s, in lo .. hi. */
static inline double draw(uint64_t s, uint64_t i, double lo, double hi)
{
    return lo + (hi - lo) * rg_draw_uniform(7, RG_DOMAIN_USER, s, i);
}

static inline int64_t draw_below(uint64_t s, uint64_t i, uint64_t n)
{
    return (int64_t)rg_draw_below(11, RG_DOMAIN_USER, s, i, n);
}

static inline uint32_t bits_f32(float x)
{
    uint32_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static inline float f32_of_bits(uint32_t b)
{
    float x;
    memcpy(&x, &b, sizeof x);
    return x;
}

/* Equal bits, all NaN being one. */
static inline bool same_f32(float a, float b)
{
    return bits_f32(a) == bits_f32(b) || (isnan(a) && isnan(b));
}

static inline bool same_f64(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* How far @p got is from the true value, in units of the last place of f32 there. */
static inline double ulp_f32(float got, double want)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want) ? 0 : INFINITY;
    if (isinf(got) || isinf((float)want))
        return got == (float)want ? 0 : INFINITY;
    int e;
    (void)frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* Values where functions turn: zeros, infinities, NaN, subnormals, thresholds. */
static const double special[] = {
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 0x1p-149, -0x1p-149, 0x1p-140, -0x1p-127, 0x1p-126,
    -0x1p-126, 3.4028234663852886e38, -3.4028234663852886e38, INFINITY, -INFINITY, NAN, 88.72283,
    88.72284, -87.33654, -87.4, -103.97, -104.5, 9.01, 9.02, -9.02, 16.64, -16.64, 0.55, -0.55,
    0.6931472, 0.34657359, 1.4142135, 0.70710678, 1.0000001, 0.99999994, 1e-8, -1e-8, 1e10, -1e10
};
enum { N_SPECIAL = sizeof special / sizeof *special };

#endif
