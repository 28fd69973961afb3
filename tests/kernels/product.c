/* tests/kernels/product.c -- our own product: the very bits of one accumulator per element, k
 * ascending, fused multiply-adds, on every instruction set, for any cut and any number of rows. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/gemm.h"
#include "kernels/product.h"

#include <stdlib.h>

static float *numbers(int64_t n, uint64_t stream)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    RGT_CHECK(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)draw(stream, (uint64_t)i, -1, 1);
    return x;
}

/* What element (i,j) must be, to the bit. */
static float element(const rg_gemm_shape *s, const float *a, const float *b, float c, int64_t i,
                     int64_t j)
{
    float sum = 0;
    for (int64_t k = 0; k < s->k; k++)
        sum = fmaf(a[s->transpose_a ? k * s->lda + i : i * s->lda + k],
                   b[s->transpose_b ? j * s->ldb + k : k * s->ldb + j], sum);
    return s->accumulate ? c + sum : sum;
}

static void try_shape(rg_gemm_shape s)
{
    rg_err err = { 0 };
    float *a = numbers((s.transpose_a ? s.k : s.m) * s.lda, 1);
    float *b = numbers((s.transpose_b ? s.n : s.k) * s.ldb, 2), *packed = NULL;
    float *start = numbers(s.m * s.ldc, 3), *c = numbers(s.m * s.ldc, 3);
    RGT_CHECK_MSG(!rg_gemm_check(&s, &err), "%s", err.text);
    if (s.packed) {
        packed = malloc((size_t)rg_gemm_packed(&s) * sizeof *packed + 1);
        for (int64_t p = rg_gemm_pack_panels(&s); p-- > 0;)
            rg_gemm_pack_panel(&s, p, b, packed);
    }
    for (int64_t p = rg_gemm_panels(&s); p-- > 0;)
        rg_gemm_panel(&s, p, a, packed ? packed : b, c);
    for (int64_t i = 0; i < s.m; i++)
        for (int64_t j = 0; j < s.ldc; j++) {
            const float old = start[i * s.ldc + j], got = c[i * s.ldc + j];
            const float want = j < s.n ? element(&s, a, b, old, i, j) : old;
            RGT_CHECK_MSG(bits_f32(got) == bits_f32(want), "%s %d x %d x %d, %d%d%d%d: C[%d,%d] = %a, "
                          "not %a", rg_isa_text(s.isa), (int)s.m, (int)s.n, (int)s.k, s.transpose_a,
                          s.transpose_b, s.packed, s.accumulate, (int)i, (int)j, (double)got,
                          (double)want);
        }
    free(a), free(b), free(packed), free(start), free(c);
}

static void try_forms(int64_t m, int64_t n, int64_t k)
{
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int form = 0; form < 16; form++) {
            rg_gemm_shape s = rg_gemm_dense(RG_F32, form & 1, form & 2, m, n, k);
            s.isa = isa;
            s.packed = form & 4;
            s.accumulate = form & 8;
            s.no_blas = true;
            s.lda += form % 3, s.ldb += form % 5, s.ldc += form % 4;
            if ((s.transpose_b && !s.packed) || (!s.packed && (m == 1 || n == 1)))
                continue; /* not ours */
            try_shape(s);
        }
}

RGT_TEST(product, every_number_of_rows_has_the_bits_of_one_accumulator)
{
    for (int64_t m = 1; m <= 30; m++)
        try_forms(m, 35, 9);
}

RGT_TEST(product, every_width_and_depth_has_the_bits_of_one_accumulator)
{
    static const int64_t width[] = { 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130 };
    static const int64_t depth[] = { 1, 2, 15, 16, 17, 40 };
    for (size_t i = 0; i < sizeof width / sizeof *width; i++)
        for (size_t j = 0; j < sizeof depth / sizeof *depth; j++)
            try_forms(5, width[i], depth[j]);
}

RGT_TEST(product, large_products_are_cut_and_the_cuts_leave_no_trace)
{
    rg_gemm_shape s = rg_gemm_dense(RG_F32, false, false, 300, 200, 70);
    s.packed = true;
    RGT_CHECK(rg_gemm_panels(&s) > 1 && rg_gemm_panels(&s) <= 64);
    try_shape(s);
    s = rg_gemm_dense(RG_F32, true, false, 270, 150, 210);
    RGT_CHECK(rg_gemm_panels(&s) > 1);
    try_shape(s);
    s = rg_gemm_dense(RG_F32, false, true, 20, 520, 200);
    s.packed = true;
    RGT_CHECK(rg_gemm_panels(&s) > 1 && rg_gemm_pack_panels(&s) > 1);
    try_shape(s);
}

RGT_TEST(product, subnormals_infinities_and_nan_follow_the_same_order)
{
    enum { N = 40, K = 6 };
    float a[K] = { 1e-38f, -0.0f, 3e38f, 1, 2, -1 }, b[K * N], c[3][N];
    for (int i = 0; i < K * N; i++)
        b[i] = i % 11 == 5 ? 1e-3f : i % 13 == 7 ? 3e38f : i % 17 == 3 ? -INFINITY : (float)(i % 7) - 3;
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
        const rg_product_kernels *kernels = rg_product_table(isa);
        const rg_product p = { .m = 1, .n = N, .k = K, .a_row = K, .a_k = 1, .b_k = N, .ldc = N };
        kernels->run(&p, a, b, c[isa], 0, 1, 0, N);
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < K; k++)
                sum = fmaf(a[k], b[k * N + j], sum);
            RGT_CHECK(isnan(sum) ? isnan(c[isa][j]) : bits_f32(sum) == bits_f32(c[isa][j]));
        }
    }
}

RGT_TEST(product, a_wrong_order_of_the_sum_would_be_seen)
{
    float a[64], b[64], up = 0, down = 0;
    for (int k = 0; k < 64; k++) {
        a[k] = (float)draw(5, (uint64_t)k, -1, 1);
        b[k] = (float)draw(6, (uint64_t)k, -1, 1);
    }
    for (int k = 0; k < 64; k++) {
        up = fmaf(a[k], b[k], up);
        down = fmaf(a[63 - k], b[63 - k], down);
    }
    RGT_CHECK(bits_f32(up) != bits_f32(down));
}
