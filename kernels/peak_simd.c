/* kernels/peak_simd.c -- multiply-adds in registers; compiled once per instruction set. */
#include "kernels/peak.h"
#include "kernels/simd.h"

#if defined(RG_SIMD_AVX512)
#define F64_FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#elif defined(RG_SIMD_AVX2)
#define F64_FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#else
#define F64_FMA(a, b, c) ((a) * (b) + (c))
#endif
#if RG_SIMD_FMA
#define F32_FMA(a, b, c) f32_fma(a, b, c)
#else
#define F32_FMA(a, b, c) ((a) * (b) + (c)) /* what a product does there: it rounds twice */
#endif

#define CHAINS 12 /* independent ones: more than latency times units, fewer than registers */

/* 2·CHAINS·lanes operations a turn; the result keeps the compiler from leaving them out. */
#define LOOP(type, REAL_FMA)                                                                     \
    static double type##_loop(int64_t turns)                                                     \
    {                                                                                            \
        type##_v x[CHAINS], sum = type##_set(0);                                                 \
        const type##_v factor = type##_set(0.999999), term = type##_set(1e-6);                   \
        for (int i = 0; i < CHAINS; i++)                                                         \
            x[i] = type##_set(i);                                                                \
        for (int64_t k = 0; k < turns; k++)                                                      \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)                            \
                x[i] = REAL_FMA(x[i], factor, term);                                             \
        for (int i = 0; i < CHAINS; i++)                                                         \
            sum += x[i];                                                                         \
        return (double)sum[0];                                                                   \
    }
LOOP(f32, F32_FMA)
LOOP(f64, F64_FMA)

const rg_peak_kernels RG_SIMD_NAME(rg_peak_kernels) = {
    .loop = { f32_loop, f64_loop },
    .flop = { 2 * CHAINS * RG_F32_LANES, 2 * CHAINS * RG_F64_LANES },
};
