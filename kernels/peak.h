/* kernels/peak.h -- the loops that rg_measure_peak() times. */
#ifndef RG_KERNELS_PEAK_H
#define RG_KERNELS_PEAK_H

#include <retrograd/base.h>

/* Multiply-adds in registers, [RG_F32] and [RG_F64], and how many operations a turn has. */
typedef struct rg_peak_kernels {
    double (*loop[2])(int64_t turns);
    int64_t  flop[2];
} rg_peak_kernels;

extern const rg_peak_kernels rg_peak_kernels_portable, rg_peak_kernels_avx2,
    rg_peak_kernels_avx512;

#endif
