/* tests/kernels/product.c -- our own product: the very bits of one accumulator per element, k
 * ascending, fused multiply-adds, on every instruction set, for any cut and any number of rows. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/product.h"

#include <math.h>
#include <stdlib.h>

static float *numbers(int64_t n, uint64_t stream)
{
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    RGT_CHECK(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)draw(stream, (uint64_t)i, -1, 1);
    return x;
}

/* A form of a product: which operands lie across, whether B is packed, whether C is added to. */
struct form {
    int64_t m, n, k;
    bool    across_a, across_b, packed, accumulate;
    int64_t pad;
    bool    descending;
};

/* Strides of op(A), op(B) and C. */
struct strides {
    int64_t a_row, a_k, b_k, b_n, c_row;
};

static struct strides strides_of(const struct form *f)
{
    return (struct strides){
        .a_row = f->across_a ? 1 : f->k + f->pad, .a_k = f->across_a ? f->m + f->pad : 1,
        .b_k = f->across_b ? 1 : f->n + 2 * f->pad, .b_n = f->across_b ? f->k + 2 * f->pad : 1,
        .c_row = f->n + 3 * f->pad,
    };
}

/* What element (i,j) must be, to the bit. */
static float element(const struct form *f, const float *a, const float *b, float c, int64_t i,
                     int64_t j)
{
    const struct strides s = strides_of(f);
    float sum = 0;
    for (int64_t k = 0; k < f->k; k++)
        sum = fmaf(a[i * s.a_row + k * s.a_k], b[k * s.b_k + j * s.b_n], sum);
    return f->accumulate ? c + sum : sum;
}

/* C in four parts, cut where a panel ends and anywhere between rows. */
static void in_parts(const rg_product_kernels *kernels, const rg_product *p, const float *a,
                     const float *b, float *c)
{
    const int64_t row = p->m / 3, col = p->n / 2 / kernels->panel * kernels->panel;
    kernels->run(p, a, b, c, 0, row, 0, col);
    kernels->run(p, a, b, c, row, p->m, col, p->n);
    kernels->run(p, a, b, c, row, p->m, 0, col);
    kernels->run(p, a, b, c, 0, row, col, p->n);
}

/* B in four parts, cut anywhere, panel by panel. */
static void pack_parts(const rg_product_kernels *kernels, const struct form *f, float *out,
                       const float *b)
{
    const struct strides s = strides_of(f);
    const int64_t row[] = { 0, f->k / 3, f->k }, col[] = { 0, f->n * 2 / 3, f->n };
    for (int i = 0; i < 4; i++) {
        const int r = i % 2, c = i / 2;
        const rg_pack part = { .k = f->k, .n = f->n, .k0 = row[r], .n0 = col[c],
                               .rows = row[r + 1] - row[r], .cols = col[c + 1] - col[c],
                               .b_k = s.b_k, .b_n = s.b_n };
        for (int64_t n = 0; n < f->n; n += kernels->panel)
            rg_product_pack(kernels, &part, out, b + row[r] * s.b_k + col[c] * s.b_n, n,
                            n + kernels->panel);
    }
}

static void try_form(const struct form *f, rg_isa isa)
{
    const rg_product_kernels *kernels = rg_product_table(isa);
    const struct strides s = strides_of(f);
    float *a = numbers(f->across_a ? f->k * s.a_k : f->m * s.a_row, 1);
    float *b = numbers(f->across_b ? f->n * s.b_n : f->k * s.b_k, 2);
    float *start = numbers(f->m * s.c_row, 3), *c = numbers(f->m * s.c_row, 3);
    float *packed = malloc((size_t)rg_product_packed(kernels, f->k, f->n) * sizeof *packed + 1);
    /* fetched meanwhile: long rows, high columns, one line; no product is too small for them */
    const rg_soon soon[] = { { (char *)start, 1, 64, 1000 }, { (char *)b, 90, 128, 70 },
                             { (char *)a, 1, 4, 4 } };
    rg_product p = { .m = f->m, .n = f->n, .k = f->k, .a_row = s.a_row, .a_k = s.a_k,
                           .b_k = f->packed ? 0 : s.b_k, .ldc = s.c_row,
                           .accumulate = f->accumulate, .descending = f->descending,
                           .soon = soon, .n_soon = f->n % 2 ? 3 : 0 };
    const int64_t most = rg_product_room(kernels, &p);
    float *room = p.room = malloc(((size_t)most + 1) * sizeof *room);
    RGT_CHECK(packed && room);
    for (int64_t i = 0; i <= most; i++)
        room[i] = NAN;
    pack_parts(kernels, f, packed, b);
    in_parts(kernels, &p, a, f->packed ? packed : b, c);
    for (int64_t i = 0; i < f->m; i++)
        for (int64_t j = 0; j < s.c_row; j++) {
            const float old = start[i * s.c_row + j], got = c[i * s.c_row + j];
            const float want = j < f->n ? element(f, a, b, old, i, j) : old;
            RGT_CHECK_MSG(bits_f32(got) == bits_f32(want),
                          "%s %d x %d x %d, %d%d%d%d: C[%d,%d] = %a, "
                          "not %a", rg_isa_text(isa), (int)f->m, (int)f->n, (int)f->k, f->across_a,
                          f->across_b, f->packed, f->accumulate, (int)i, (int)j, (double)got,
                          (double)want);
        }
    RGT_CHECK(isnan(room[most]));
    free(a), free(b), free(packed), free(room), free(start), free(c);
}

static void try_forms(int64_t m, int64_t n, int64_t k)
{
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int i = 0; i < 16; i++) {
            const struct form f = { m, n, k, i & 1, i & 2, i & 4, i & 8, i % 3, i & 1 };
            if (f.packed || !f.across_b)
                try_form(&f, isa);
        }
}

RGT_TEST(product, every_number_of_rows_has_the_bits_of_one_accumulator)
{
    for (int64_t m = 1; m <= 30; m++)
        try_forms(m, 35, 17);
}

RGT_TEST(product, every_width_and_depth_has_the_bits_of_one_accumulator)
{
    static const int64_t width[] = { 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130 };
    static const int64_t depth[] = { 1, 2, 15, 16, 17, 40 };
    for (size_t i = 0; i < sizeof width / sizeof *width; i++)
        for (size_t j = 0; j < sizeof depth / sizeof *depth; j++)
            try_forms(5, width[i], depth[j]);
}

RGT_TEST(product, many_rows_and_long_sums_leave_no_trace_of_their_cuts)
{
    try_form(&(struct form){ 300, 70, 200, false, false, true, false, 1, false }, rg_cpu_isa());
    try_form(&(struct form){ 270, 40, 210, true, false, false, true, 0, false }, rg_cpu_isa());
    try_form(&(struct form){ 20, 120, 300, false, true, true, true, 2, false }, rg_cpu_isa());
}

RGT_TEST(product, sums_of_several_stretches_go_on_where_they_stopped)
{
    static const int64_t depth[] = { 383, 384, 385, 511, 512, 513, 800 };
    for (size_t j = 0; j < sizeof depth / sizeof *depth; j++)
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
            for (int i = 0; i < 8; i++)
                try_form(&(struct form){ 3 + 4 * i, 29 + 7 * i, depth[j], i & 1, false, false,
                                         i & 4, i % 3, false }, isa);
}

RGT_TEST(product, one_row_has_the_same_bits_forth_and_back)
{
    static const int64_t width[] = { 31, 32, 127, 128, 129, 300, 512, 545 };
    for (size_t i = 0; i < sizeof width / sizeof *width; i++)
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
            for (int k = 0; k < 8; k++)
                try_form(&(struct form){ 1, width[i], 19 + k, false, false, k & 1, k & 2, k % 3,
                                         k & 4 }, isa);
}

/* aᵀ·b over rows from the last to the first, in two products of which the second resumes. */
static void try_backwards(rg_isa isa, int64_t m, int64_t n, int64_t k, int64_t cut)
{
    const rg_product_kernels *kernels = rg_product_table(isa);
    float *a = numbers(k * m, 1), *b = numbers(k * n, 2), *c = numbers(m * n, 3);
    rg_product p = { .m = m, .n = n, .k = k - cut, .a_row = 1, .a_k = -m, .b_k = -n, .ldc = n };
    in_parts(kernels, &p, a + (k - 1) * m, b + (k - 1) * n, c);
    p.k = cut;
    p.resume = true;
    in_parts(kernels, &p, a + (cut - 1) * m, b + (cut - 1) * n, c);
    for (int64_t i = 0; i < m * n; i++) {
        float sum = 0;
        for (int64_t r = k; r-- > 0;)
            sum = fmaf(a[r * m + i / n], b[r * n + i % n], sum);
        RGT_CHECK_MSG(bits_f32(sum) == bits_f32(c[i]), "%s %d x %d x %d cut at %d: C[%d]",
                      rg_isa_text(isa), (int)m, (int)n, (int)k, (int)cut, (int)i);
    }
    free(a), free(b), free(c);
}

RGT_TEST(product, rows_from_the_last_to_the_first_in_stretches_leave_no_trace_of_their_cuts)
{
    static const int64_t rows[] = { 1, 3, 14, 31 };
    for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
            try_backwards(isa, rows[j], 35, 40, 7);
            try_backwards(isa, rows[j], 270, 700, 100);
            try_backwards(isa, rows[j], 29, 500, 450);
        }
}

RGT_TEST(product, rows_a_multiple_of_a_page_apart_have_the_same_bits)
{
    for (int64_t m = 1; m <= 30; m += 1 + m / 8)
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
            for (int packed = 0; packed < 2; packed++)
                try_form(&(struct form){ m, 40, 40, false, false, packed, false, 1024 - 40,
                                         true }, isa);
}

RGT_TEST(product, subnormals_infinities_and_nan_follow_the_same_order)
{
    enum { N = 40, K = 6 };
    float a[K] = { 1e-38f, -0.0f, 3e38f, 1, 2, -1 }, b[K * N], c[3][N];
    for (int i = 0; i < K * N; i++)
        b[i] = i % 11 == 5 ? 1e-3f : i % 13 == 7 ? 3e38f : i % 17 == 3 ? -INFINITY
                                                                       : (float)(i % 7) - 3;
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
