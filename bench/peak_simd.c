/* bench/peak_simd.c -- fused multiply-adds in registers; compiled once per instruction set. */
#include "kernels/simd.h"

#define CHAINS 12 /* independent ones: more than latency times units, fewer than registers */

float RG_SIMD_NAME(rgb_fma_loop)(int64_t n);

/* 2·CHAINS·lanes operations a turn; the result keeps the compiler from leaving them out. */
float RG_SIMD_NAME(rgb_fma_loop)(int64_t n)
{
    f32_v x[CHAINS], factor = f32_set(0.999999), term = f32_set(1e-6), sum = f32_set(0);
    for (int i = 0; i < CHAINS; i++)
        x[i] = f32_set(i);
    for (int64_t k = 0; k < n; k++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            x[i] = f32_fma(x[i], factor, term);
    for (int i = 0; i < CHAINS; i++)
        sum += x[i];
    return sum[0];
}

int64_t RG_SIMD_NAME(rgb_fma_flops)(void);

int64_t RG_SIMD_NAME(rgb_fma_flops)(void)
{
    return 2 * (int64_t)CHAINS * RG_F32_LANES;
}
