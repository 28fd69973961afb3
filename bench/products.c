/* bench/products.c -- products at the sizes of recurrent steps: our own with packed weights, and
 * OpenBLAS's. */
#include "bench/bench.h"

#include "kernels/gemm.h"
#include "kernels/product.h"
#include "kernels/team.h"

#include <stdlib.h>

struct product {
    rg_gemm_shape             blas;
    rg_product                own;
    const rg_product_kernels *kernels;  /* NULL: by BLAS */
    float                    *a, *b, *c;
};

static void member(void *arg, int rank, int size)
{
    const struct product *p = arg;
    (void)rank, (void)size;
    if (p->kernels)
        p->kernels->run(&p->own, p->a, p->b, p->c, 0, p->own.m, 0, p->own.n);
    else
        rg_gemm(&p->blas, p->a, p->b, p->c);
}

static void body(void *arg)
{
    rg_team_run(1, true, member, arg);
}

static float *array(int64_t n)
{
    float *x = aligned_alloc(64, ((size_t)n * sizeof *x + 63) / 64 * 64);
    for (int64_t i = 0; i < n && x; i++)
        x[i] = (float)(i % 7) - 3;
    if (!x)
        rgb_check(RG_ENOMEM, "operands");
    return x;
}

static void one(const rgb_row *row, const rgb_opts *opts, bool packed, int64_t m, int64_t n,
                int64_t k)
{
    rgb_opts alone = *opts;
    struct product p = {
        .blas = rg_gemm_dense(RG_F32, false, false, m, n, k),
        .own = { .m = m, .n = n, .k = k, .a_row = k, .a_k = 1, .ldc = n },
        .kernels = packed ? rg_product_table(rg_cpu_isa()) : NULL,
    };
    const rg_pack all = { .k = k, .n = n, .rows = k, .cols = n, .b_k = n, .b_n = 1 };
    float *b = array(k * n);
    p.blas.isa = rg_cpu_isa();
    p.a = array(m * k);
    p.c = array(m * n);
    p.b = packed ? array(rg_product_packed(p.kernels, k, n)) : b;
    if (packed)
        rg_product_pack(p.kernels, &all, p.b, b, 0, n);
    alone.threads = 1;
    const rgb_flops f = rgb_measure_flops(body, &p, &alone);
    const double flop = 2 * (double)(m * n * k);
    rgb_begin(row);
    rgb_text("what", packed ? "product, packed" : "product, blas");
    rgb_number("M", (double)m);
    rgb_number("N", (double)n);
    rgb_number("K", (double)k);
    rgb_text("dtype", "f32");
    rgb_number("threads", 1);
    rgb_times(f.time);
    rgb_number("gflops", flop * 1e-9 / f.time.min);
    rgb_number("peak", f.peak);
    rgb_share(f.time, flop * 1e-9 / f.peak, flop * 1e-9 / f.peak, 1);
    rgb_end();
    if (packed)
        free(p.b);
    free(p.a);
    free(p.c);
    free(b);
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    static const int64_t rows[] = { 1, 4, 8, 16, 32, 64, 128 }, inner[] = { 128, 256, 512 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t k = 0; k < sizeof inner / sizeof *inner; k++)
            for (int packed = 0; packed < 2; packed++)
                one(row, opts, packed, rows[i], 4 * inner[k], inner[k]);
}

static const rgb_row rows[] = {
    { "F4", "products [M,K]x[K,4K], M 1 .. 128, K 128, 256, 512, packed weights and OpenBLAS",
      run, NULL },
};

const rgb_rows rgb_products = { rows, 1 };
