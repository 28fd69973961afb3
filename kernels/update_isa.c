/* kernels/update_isa.c -- both precisions of kernels/update_loops.h for the instruction set that
 * this file is compiled for; RG_ISA_SUFFIX names it. */
#include "kernels/update.h"

#include <math.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

#define REAL        float
#define SQRT        sqrtf
#define NAME(rule)  JOIN(rule, f32)
#include "kernels/update_loops.h"
#undef REAL
#undef SQRT
#undef NAME

#define REAL        double
#define SQRT        sqrt
#define NAME(rule)  JOIN(rule, f64)
#include "kernels/update_loops.h"
#undef REAL
#undef SQRT
#undef NAME

const rg_update_kernels JOIN(rg_update_kernels, RG_ISA_SUFFIX);
const rg_update_kernels JOIN(rg_update_kernels, RG_ISA_SUFFIX) = {
    .f32 = { update_f32, sum_squares_f32, largest_f32 },
    .f64 = { update_f64, sum_squares_f64, largest_f64 },
};
