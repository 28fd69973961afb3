/* bench/ref/cell_simd.c -- gates and states by hand; compiled once per instruction set. */
#include "bench/ref/cell.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

static f32_v get(const float *p, int64_t n)
{
    return n < RG_F32_LANES ? f32_load_n(p, n) : f32_load(p);
}

static void put(float *p, f32_v v, int64_t n)
{
    if (n < RG_F32_LANES)
        f32_store_n(p, v, n);
    else
        f32_store(p, v);
}

/* Vector by vector, the last one partial. */
#define EACH(j, n, H) \
    for (int64_t j = 0, n = (H); j < (H); j += RG_F32_LANES, n = (H) - j)

static void forward(int64_t H, float *z, const float *bias, const float *c, float *c1, float *h1)
{
    EACH(j, n, H) {
        const f32_v i = f32_sigmoid(get(z + j, n) + get(bias + j, n));
        const f32_v f = f32_sigmoid(get(z + H + j, n) + get(bias + H + j, n));
        const f32_v g = f32_tanh(get(z + 2 * H + j, n) + get(bias + 2 * H + j, n));
        const f32_v o = f32_sigmoid(get(z + 3 * H + j, n) + get(bias + 3 * H + j, n));
        const f32_v next = f * get(c + j, n) + i * g;
        put(z + j, i, n);
        put(z + H + j, f, n);
        put(z + 2 * H + j, g, n);
        put(z + 3 * H + j, o, n);
        put(c1 + j, next, n);
        put(h1 + j, o * f32_tanh(next), n);
    }
}

static void backward(int64_t H, float *z, const float *c, const float *c1, const float *h1,
                     const float *dh, float *dc, float slope)
{
    EACH(j, n, H) {
        const f32_v i = get(z + j, n), f = get(z + H + j, n), g = get(z + 2 * H + j, n);
        const f32_v o = get(z + 3 * H + j, n), t = f32_tanh(get(c1 + j, n));
        f32_v d = slope * get(h1 + j, n);
        if (dh)
            d += get(dh + j, n);
        const f32_v e = get(dc + j, n) + d * o * (1 - t * t);
        put(z + j, e * g * i * (1 - i), n);
        put(z + H + j, e * get(c + j, n) * f * (1 - f), n);
        put(z + 2 * H + j, e * i * (1 - g * g), n);
        put(z + 3 * H + j, d * t * o * (1 - o), n);
        put(dc + j, e * f, n);
    }
}

static void add_rows(int64_t rows, int64_t ld, const float *z, int64_t n0, int64_t n1, float *sum)
{
    EACH(j, n, n1 - n0) {
        f32_v s = get(sum + n0 + j, n);
        for (int64_t r = 0; r < rows; r++)
            s += get(z + r * ld + n0 + j, n);
        put(sum + n0 + j, s, n);
    }
}

static float read_all(int64_t n, const float *x)
{
    enum { WAYS = 8 };
    f32_v s[WAYS] = { { 0 } };
    for (int64_t i = 0; i + WAYS * RG_F32_LANES <= n; i += WAYS * RG_F32_LANES)
        for (int k = 0; k < WAYS; k++)
            s[k] += f32_load(x + i + k * RG_F32_LANES);
    for (int k = 1; k < WAYS; k++)
        s[0] += s[k];
    return s[0][0];
}

extern const ref_cell RG_SIMD_NAME(ref_cell);
const ref_cell RG_SIMD_NAME(ref_cell) = { forward, backward, add_rows, read_all };
