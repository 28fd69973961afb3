/* kernels/tile_simd.c -- the loops of tile programs, compiled once per instruction set. */
#include <stddef.h>

#include "kernels/simd_math.h"
#include "kernels/tile.h"

static void and_loop(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    const uint8_t *a = in[0], *b = in[1];
    uint8_t *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)((a[i] != 0) & (b[i] != 0));
}

static void not_loop(int64_t n, void *out, const void *const *in, const double *c)
{
    (void)c;
    const uint8_t *a = in[0];
    uint8_t *y = out;
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] == 0;
}

#define f32_and_loop and_loop
#define f64_and_loop and_loop
#define f32_not_loop not_loop
#define f64_not_loop not_loop

/* These have no loop for many rows. */
#define f32_fill_many NULL
#define f32_less_many NULL
#define f32_less_equal_many NULL
#define f32_equal_many NULL
#define f32_and_many NULL
#define f32_not_many NULL
#define f32_bool_to_real_many NULL
#define f32_int_to_real_many NULL
#define f64_fill_many NULL
#define f64_less_many NULL
#define f64_less_equal_many NULL
#define f64_equal_many NULL
#define f64_and_many NULL
#define f64_not_many NULL
#define f64_bool_to_real_many NULL
#define f64_int_to_real_many NULL

#define REAL float
#define LANES RG_F32_LANES
#define F(name) f32_##name
#include "kernels/tile_loops.h"
#undef REAL
#undef LANES
#undef F

#define REAL double
#define LANES RG_F64_LANES
#define F(name) f64_##name
#include "kernels/tile_loops.h"

#define ROW_F32(CODE, name, signature) [RG_TILE_##CODE] = f32_##name##_loop,
#define ROW_F64(CODE, name, signature) [RG_TILE_##CODE] = f64_##name##_loop,
#define MANY_F32(CODE, name, signature) [RG_TILE_##CODE] = f32_##name##_many,
#define MANY_F64(CODE, name, signature) [RG_TILE_##CODE] = f64_##name##_many,
#define EACH(real)                                                                               \
    { [RG_TILE_ADD] = real##_add_each, [RG_TILE_SUB] = real##_sub_each,                          \
      [RG_TILE_MUL] = real##_mul_each, [RG_TILE_DIV] = real##_div_each,                          \
      [RG_TILE_MUL_ADD] = real##_mul_add_each, [RG_TILE_WHERE] = real##_where_each }
const rg_tile_kernels RG_SIMD_NAME(rg_tile_kernels) = {
    RG_SIMD_ISA, { { RG_TILE_CODES(ROW_F32) }, { RG_TILE_CODES(ROW_F64) } },
    { EACH(f32), EACH(f64) },
    { { RG_TILE_CODES(MANY_F32) }, { RG_TILE_CODES(MANY_F64) } },
    { { [RG_TILE_WHERE] = f32_where_each_many }, { [RG_TILE_WHERE] = f64_where_each_many } }
};
