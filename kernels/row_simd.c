/* kernels/row_simd.c -- loops over rows, compiled once per instruction set. */
#include "kernels/rows.h"
#include "kernels/simd_math.h"

/* Element i of a sum goes to lane i mod 16. */
enum { PARTS = 16 / RG_F64_LANES };
struct lanes {
    f64_v part[PARTS];
};

/* Lane l of the first half and of the second, until one is left. */
static double add_lanes(const struct lanes *s)
{
    typedef double two __attribute__((vector_size(16)));
    typedef double four __attribute__((vector_size(32)));
    typedef double eight __attribute__((vector_size(64)));
    eight a[2];
    four b[2];
    two c[2];
    memcpy(a, s, sizeof a);
    a[0] += a[1];
    memcpy(b, a, sizeof b);
    b[0] += b[1];
    memcpy(c, b, sizeof c);
    c[0] += c[1];
    return c[0][0] + c[0][1];
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
    BOTH(sum), BOTH(mean), BOTH(sum_squares), BOTH(max), BOTH(logsumexp), BOTH(softmax),
    BOTH(softmax_or_zero), BOTH(log_softmax), { spread_uint8_t, spread_uint32_t, spread_uint64_t },
    BOTH(cross_entropy), BOTH(column_sum), BOTH(vector_matrix), BOTH(matrix_vector)
};
