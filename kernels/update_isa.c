/* kernels/update_isa.c -- both precisions of kernels/update_loops.h for the instruction set that
 * this file is compiled for. */
#include "kernels/update.h"

#include <math.h>

#define REAL        float
#define SQRT        sqrtf
#define NAME(rule)  rule##_f32
#include "kernels/update_loops.h"
#undef REAL
#undef SQRT
#undef NAME

#define REAL        double
#define SQRT        sqrt
#define NAME(rule)  rule##_f64
#include "kernels/update_loops.h"
#undef REAL
#undef SQRT
#undef NAME

const rg_update_kernels RG_SIMD_NAME(rg_update_kernels) = {
    .f32 = { update_f32, sum_squares_f32, largest_f32 },
    .f64 = { update_f64, sum_squares_f64, largest_f64 },
};
