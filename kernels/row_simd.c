/* kernels/row_simd.c -- loops over rows, compiled once per instruction set. */
#include "kernels/rows.h"
#include "kernels/simd_math.h"

/* Element i of a sum goes to lane i mod 16. */
enum { PARTS = 16 / RG_F64_LANES };
struct lanes {
    f64_v part[PARTS];
};

static double add_lanes(const struct lanes *s)
{
    double lane[16];
    memcpy(lane, s, sizeof lane);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

#define SPREAD(type)                                                                             \
    static void spread_##type(const rg_rows *a)                                                  \
    {                                                                                            \
        type *y = a->y;                                                                          \
        for (int64_t r = 0; r < a->rows; r++, y += a->y_row) {                                   \
            const type x = ((const type *)a->x)[r];                                              \
            for (int64_t i = 0; i < a->cols; i++)                                                \
                y[i] = x;                                                                        \
        }                                                                                        \
    }
SPREAD(uint8_t)
SPREAD(uint32_t)
SPREAD(uint64_t)

#define REAL float
#define LANES RG_F32_LANES
#define F(name) f32_##name
#include "kernels/row_loops.h"
#undef REAL
#undef LANES
#undef F

#define REAL double
#define LANES RG_F64_LANES
#define F(name) f64_##name
#include "kernels/row_loops.h"

#define BOTH(name) { f32_##name, f64_##name }
const rg_row_kernels RG_SIMD_NAME(rg_row_kernels) = {
    BOTH(sum), BOTH(sum_squares), BOTH(max), BOTH(logsumexp), BOTH(softmax), BOTH(softmax_or_zero),
    BOTH(log_softmax), { spread_uint8_t, spread_uint32_t, spread_uint64_t },
    BOTH(cross_entropy), BOTH(column_sum), BOTH(vector_matrix), BOTH(matrix_vector)
};
