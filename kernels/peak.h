/* kernels/peak.h -- the loops that rg_measure_peak() times. */
#ifndef RG_KERNELS_PEAK_H
#define RG_KERNELS_PEAK_H

#include <retrograd/base.h>

#include "kernels/isa.h"

/* Multiply-adds in registers, [RG_F32] and [RG_F64], and how many operations a turn has. */
typedef struct rg_peak_kernels {
    double (*loop[2])(int64_t turns);
    int64_t  flop[2];
} rg_peak_kernels;
RG_ISA_TABLES(rg_peak_kernels, rg_peak_kernels);

#endif
