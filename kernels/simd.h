/* kernels/simd.h -- vectors of real numbers, one width per instruction set.
 *
 * Sources that include this are compiled once per set, with RG_SIMD_AVX512, RG_SIMD_AVX2 or
 * RG_SIMD_PORTABLE defined. f32_v holds RG_F32_LANES floats, f64_v RG_F64_LANES doubles; f32_m and
 * f64_m are masks of comparisons. Every operation rounds as IEEE 754 says, so that the same lanes
 * give the same bits on every set. */
#ifndef RG_KERNELS_SIMD_H
#define RG_KERNELS_SIMD_H

#include <stdint.h>
#include <string.h>

#include "kernels/isa.h"

#if defined(RG_SIMD_AVX512) || defined(RG_SIMD_AVX2)
#include <immintrin.h>
#endif

#if defined(RG_SIMD_AVX512)
enum { RG_VECTOR = 64 };
#elif defined(RG_SIMD_AVX2)
enum { RG_VECTOR = 32 };
#else
enum { RG_VECTOR = 16 };
#endif
enum { RG_F32_LANES = RG_VECTOR / 4, RG_F64_LANES = RG_VECTOR / 8 };

#define RG_INLINE static inline __attribute__((always_inline, unused))

typedef float   f32_v __attribute__((vector_size(RG_VECTOR)));
typedef int32_t i32_v __attribute__((vector_size(RG_VECTOR)));
typedef uint32_t u32_v __attribute__((vector_size(RG_VECTOR)));
typedef double  f64_v __attribute__((vector_size(RG_VECTOR)));
typedef int64_t i64_v __attribute__((vector_size(RG_VECTOR)));
/* The same in memory: any alignment, any type. */
typedef float  f32_u __attribute__((vector_size(RG_VECTOR), aligned(1), may_alias));
typedef double f64_u __attribute__((vector_size(RG_VECTOR), aligned(1), may_alias));
/* As many bytes, and as many int32_t, as f32_v or f64_v have lanes. */
typedef uint8_t f32_b __attribute__((vector_size(RG_F32_LANES)));
typedef uint8_t f64_b __attribute__((vector_size(RG_F64_LANES)));
typedef int32_t f64_i __attribute__((vector_size(RG_F64_LANES * 4)));

RG_INLINE f32_v f32_load(const float *p) { return *(const f32_u *)p; }
RG_INLINE f64_v f64_load(const double *p) { return *(const f64_u *)p; }
/* As many elements as f64_v has lanes, as double. */
RG_INLINE f64_v f64_wide(const double *p) { return f64_load(p); }
RG_INLINE f64_v f32_wide(const float *p)
{
#if defined(RG_SIMD_AVX512)
    return (f64_v)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#else
    typedef float few __attribute__((vector_size(RG_VECTOR / 2), aligned(1), may_alias));
    return __builtin_convertvector(*(const few *)p, f64_v);
#endif
}
RG_INLINE void f32_store(float *p, f32_v v) { *(f32_u *)p = v; }
RG_INLINE void f64_store(double *p, f64_v v) { *(f64_u *)p = v; }
RG_INLINE f32_v f32_set(double c) { return (float)c - (f32_v){ 0 }; }
RG_INLINE f64_v f64_set(double c) { return c - (f64_v){ 0 }; }
RG_INLINE f32_v f32_abs(f32_v a) { return (f32_v)((i32_v)a & INT32_MAX); }
RG_INLINE f64_v f64_abs(f64_v a) { return (f64_v)((i64_v)a & INT64_MAX); }

RG_INLINE f32_v f32_neg_abs(f32_v a) { return (f32_v)((i32_v)a | INT32_MIN); }

/* |a| with the sign of b. */
RG_INLINE f32_v f32_copysign(f32_v a, f32_v b)
{
    return (f32_v)(((i32_v)a & INT32_MAX) | ((i32_v)b & INT32_MIN));
}

/* ---- Comparison, choice, square root, tails ------------------------------------------------- */

#if defined(RG_SIMD_AVX512)

typedef __mmask16 f32_m;
typedef __mmask8  f64_m;
RG_INLINE f32_m f32_lt(f32_v a, f32_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
RG_INLINE f64_m f64_lt(f64_v a, f64_v b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ); }
RG_INLINE f32_m f32_le(f32_v a, f32_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
RG_INLINE f64_m f64_le(f64_v a, f64_v b) { return _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ); }
RG_INLINE f32_m f32_eq(f32_v a, f32_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
RG_INLINE f64_m f64_eq(f64_v a, f64_v b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
RG_INLINE f32_v f32_pick(f32_m m, f32_v a, f32_v b) { return _mm512_mask_blend_ps(m, b, a); }
RG_INLINE f64_v f64_pick(f64_m m, f64_v a, f64_v b) { return _mm512_mask_blend_pd(m, b, a); }
RG_INLINE f32_v f32_sqrt(f32_v a) { return _mm512_sqrt_ps(a); }
RG_INLINE f64_v f64_sqrt(f64_v a) { return _mm512_sqrt_pd(a); }
RG_INLINE f32_m f32_of_bytes(f32_b b)
{
    __m128i v;
    memcpy(&v, &b, sizeof v);
    return _mm_test_epi8_mask(v, v);
}
RG_INLINE f64_m f64_of_bytes(f64_b b)
{
    uint64_t w;
    memcpy(&w, &b, sizeof w);
    __m128i v = _mm_cvtsi64_si128((long long)w);
    return (__mmask8)_mm_test_epi8_mask(v, v);
}
RG_INLINE f32_b f32_to_bytes(f32_m m)
{
    __m128i v = _mm_maskz_set1_epi8(m, 1);
    f32_b b;
    memcpy(&b, &v, sizeof b);
    return b;
}
RG_INLINE f64_b f64_to_bytes(f64_m m)
{
    __m128i v = _mm_maskz_set1_epi8(m, 1);
    f64_b b;
    memcpy(&b, &v, sizeof b);
    return b;
}
RG_INLINE f32_v f32_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
RG_INLINE f64_v f64_load_n(const double *p, int64_t n)
{
    return _mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
RG_INLINE void f32_store_n(float *p, f32_v v, int64_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
RG_INLINE void f64_store_n(double *p, f64_v v, int64_t n)
{
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), v);
}

#else /* masks are vectors of 0 and -1 */

typedef i32_v f32_m;
typedef i64_v f64_m;
RG_INLINE f32_m f32_lt(f32_v a, f32_v b) { return a < b; }
RG_INLINE f64_m f64_lt(f64_v a, f64_v b) { return a < b; }
RG_INLINE f32_m f32_le(f32_v a, f32_v b) { return a <= b; }
RG_INLINE f64_m f64_le(f64_v a, f64_v b) { return a <= b; }
RG_INLINE f32_m f32_eq(f32_v a, f32_v b) { return a == b; }
RG_INLINE f64_m f64_eq(f64_v a, f64_v b) { return a == b; }

#if defined(RG_SIMD_AVX2)

RG_INLINE f32_m f32_of_bytes(f32_b b)
{
    long long w;
    memcpy(&w, &b, sizeof w);
    return (f32_m)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(w)) != 0;
}
RG_INLINE f64_m f64_of_bytes(f64_b b)
{
    int w;
    memcpy(&w, &b, sizeof w);
    return (f64_m)_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(w)) != 0;
}
RG_INLINE f32_b f32_to_bytes(f32_m m)
{
    __m128i h = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)m),
                                _mm256_extracti128_si256((__m256i)m, 1));
    long long w = _mm_cvtsi128_si64(_mm_packs_epi16(h, h)) & 0x0101010101010101;
    f32_b b;
    memcpy(&b, &w, sizeof b);
    return b;
}
RG_INLINE f64_b f64_to_bytes(f64_m m)
{
    __m128i h = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)m),
                                _mm256_extracti128_si256((__m256i)m, 1));
    int w = _mm_cvtsi128_si32(_mm_packs_epi16(_mm_packs_epi32(h, h), h)) & 0x01010101;
    f64_b b;
    memcpy(&b, &w, sizeof b);
    return b;
}
RG_INLINE f32_v f32_pick(f32_m m, f32_v a, f32_v b) { return _mm256_blendv_ps(b, a, (f32_v)m); }
RG_INLINE f64_v f64_pick(f64_m m, f64_v a, f64_v b) { return _mm256_blendv_pd(b, a, (f64_v)m); }
RG_INLINE f32_v f32_sqrt(f32_v a) { return _mm256_sqrt_ps(a); }
RG_INLINE f64_v f64_sqrt(f64_v a) { return _mm256_sqrt_pd(a); }
/* Which of the lanes 0, 1, ... are below n. */
RG_INLINE __m256i f32_below(int64_t n)
{
    return (__m256i)((i32_v){ 0, 1, 2, 3, 4, 5, 6, 7 } < (int32_t)n);
}
RG_INLINE __m256i f64_below(int64_t n) { return (__m256i)((i64_v){ 0, 1, 2, 3 } < n); }
RG_INLINE f32_v f32_load_n(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, f32_below(n));
}
RG_INLINE f64_v f64_load_n(const double *p, int64_t n)
{
    return _mm256_maskload_pd(p, f64_below(n));
}
RG_INLINE void f32_store_n(float *p, f32_v v, int64_t n)
{
    _mm256_maskstore_ps(p, f32_below(n), v);
}
RG_INLINE void f64_store_n(double *p, f64_v v, int64_t n)
{
    _mm256_maskstore_pd(p, f64_below(n), v);
}

#else

RG_INLINE f32_m f32_of_bytes(f32_b b) { return __builtin_convertvector(b, i32_v) != 0; }
RG_INLINE f64_m f64_of_bytes(f64_b b) { return __builtin_convertvector(b, i64_v) != 0; }
RG_INLINE f32_b f32_to_bytes(f32_m m) { return __builtin_convertvector(-m, f32_b); }
RG_INLINE f64_b f64_to_bytes(f64_m m) { return __builtin_convertvector(-m, f64_b); }
RG_INLINE f32_v f32_pick(f32_m m, f32_v a, f32_v b)
{
    return (f32_v)((m & (i32_v)a) | (~m & (i32_v)b));
}
RG_INLINE f64_v f64_pick(f64_m m, f64_v a, f64_v b)
{
    return (f64_v)((m & (i64_v)a) | (~m & (i64_v)b));
}
RG_INLINE f32_v f32_sqrt(f32_v a)
{
    for (int l = 0; l < RG_F32_LANES; l++)
        a[l] = __builtin_sqrtf(a[l]);
    return a;
}
RG_INLINE f64_v f64_sqrt(f64_v a)
{
    for (int l = 0; l < RG_F64_LANES; l++)
        a[l] = __builtin_sqrt(a[l]);
    return a;
}
RG_INLINE f32_v f32_load_n(const float *p, int64_t n)
{
    f32_v v = { 0 };
    for (int64_t l = 0; l < n; l++)
        v[l] = p[l];
    return v;
}
RG_INLINE f64_v f64_load_n(const double *p, int64_t n)
{
    f64_v v = { 0 };
    for (int64_t l = 0; l < n; l++)
        v[l] = p[l];
    return v;
}
RG_INLINE void f32_store_n(float *p, f32_v v, int64_t n)
{
    for (int64_t l = 0; l < n; l++)
        p[l] = v[l];
}
RG_INLINE void f64_store_n(double *p, f64_v v, int64_t n)
{
    for (int64_t l = 0; l < n; l++)
        p[l] = v[l];
}

#endif
#endif

/* Masks in memory are bytes, 0 or 1. */
RG_INLINE f32_b f32_bytes_n(const uint8_t *p, int64_t n)
{
    f32_b b = { 0 };
    memcpy(&b, p, (size_t)n);
    return b;
}
RG_INLINE f64_b f64_bytes_n(const uint8_t *p, int64_t n)
{
    f64_b b = { 0 };
    memcpy(&b, p, (size_t)n);
    return b;
}

/* ---- Fused multiply-add: a·b + c, rounded once; RG_SIMD_FMA: the processor has it ----------- */

#if defined(RG_SIMD_AVX512) || defined(RG_SIMD_AVX2) || defined(__FP_FAST_FMAF)
#define RG_SIMD_FMA 1
#else
#define RG_SIMD_FMA 0
#endif

#if defined(RG_SIMD_AVX512)
RG_INLINE f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return _mm512_fmadd_ps(a, b, c); }
#elif defined(RG_SIMD_AVX2)
RG_INLINE f32_v f32_fma(f32_v a, f32_v b, f32_v c) { return _mm256_fmadd_ps(a, b, c); }
#elif defined(__FP_FAST_FMAF)
RG_INLINE f32_v f32_fma(f32_v a, f32_v b, f32_v c)
{
    for (int l = 0; l < RG_F32_LANES; l++)
        a[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return a;
}
#else
/* Without the instruction: in f64 the product is exact; p + d rounded to odd can be rounded again
 * (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
 * rounding to odd", 2008). */
static __attribute__((noinline, unused)) f64_v f64_add_to_odd(f64_v p, f64_v d)
{
    f64_v s = p + d, t = s - p, e = (p - (s - t)) + (d - t); /* p + d = s + e exactly (2Sum) */
    i64_v inexact = (e < 0) | (e > 0);                       /* false for NaN, too */
    i64_v even = ((i64_v)s & 1) - 1;
    i64_v toward = (i64_v)((e < 0) ^ (s < 0)) | 1;           /* one ulp toward the exact sum */
    return (f64_v)((i64_v)s + (inexact & even & toward));
}

/* Rounding twice matters only where the first result is a tie of f32, or below its least normal. */
typedef float f32_half __attribute__((vector_size(RG_VECTOR / 2)));
RG_INLINE f32_half f32_fma_half(f32_half a, f32_half b, f32_half c)
{
    const i64_v low = { 0x1fffffff, 0x1fffffff }, tie = { 0x10000000, 0x10000000 };
    const i64_v least = { INT64_C(897) << 52, INT64_C(897) << 52 }; /* 2^-126 */
    f64_v p = __builtin_convertvector(a, f64_v) * __builtin_convertvector(b, f64_v);
    f64_v d = __builtin_convertvector(c, f64_v), s = p + d;
    i64_v odd = (((i64_v)s & low) == tie) | ((f64_abs(s) < (f64_v)least) & (s != 0));
    if (odd[0] | odd[1])
        s = f64_add_to_odd(p, d);
    return __builtin_convertvector(s, f32_half);
}
RG_INLINE f32_v f32_fma(f32_v a, f32_v b, f32_v c)
{
#define RG_LOW(v)  __builtin_shufflevector(v, v, 0, 1)
#define RG_HIGH(v) __builtin_shufflevector(v, v, 2, 3)
    return __builtin_shufflevector(f32_fma_half(RG_LOW(a), RG_LOW(b), RG_LOW(c)),
                                   f32_fma_half(RG_HIGH(a), RG_HIGH(b), RG_HIGH(c)), 0, 1, 2, 3);
#undef RG_LOW
#undef RG_HIGH
}
#endif

/* f64 has no promise across sets to keep: product and sum round, the same everywhere. */
RG_INLINE f64_v f64_fma(f64_v a, f64_v b, f64_v c) { return a * b + c; }

/* p·2ᵏ for integral k in -200 .. 200, rounded once. */
RG_INLINE f32_v f32_scale(f32_v p, f32_v k)
{
#if defined(RG_SIMD_AVX512)
    return _mm512_scalef_ps(p, k);
#else
    i32_v e = __builtin_convertvector(k, i32_v), half = e >> 1; /* of NaN: any */
    return p * (f32_v)(((u32_v)half + 127) << 23) * (f32_v)(((u32_v)e - (u32_v)half + 127) << 23);
#endif
}

/* x, or lo where it is below; NaN stays. */
RG_INLINE f32_v f32_at_least(f32_v x, f32_v lo)
{
#if defined(RG_SIMD_AVX512)
    return _mm512_max_ps(lo, x); /* the second operand where one is NaN */
#elif defined(RG_SIMD_AVX2)
    return _mm256_max_ps(lo, x);
#else
    return f32_pick(f32_lt(x, lo), lo, x);
#endif
}

/* x brought into lo .. hi; NaN stays. */
RG_INLINE f64_v f64_clamp(f64_v x, f64_v lo, f64_v hi)
{
    x = f64_pick(f64_lt(x, lo), lo, x);
    return f64_pick(f64_lt(hi, x), hi, x);
}
RG_INLINE f32_v f32_clamp(f32_v x, f32_v lo, f32_v hi)
{
    x = f32_at_least(x, lo);
#if defined(RG_SIMD_AVX512)
    return _mm512_min_ps(hi, x);
#elif defined(RG_SIMD_AVX2)
    return _mm256_min_ps(hi, x);
#else
    return f32_pick(f32_lt(hi, x), hi, x);
#endif
}

#endif
