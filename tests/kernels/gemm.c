/* tests/kernels/gemm.c -- products against double loops: forms, zero extents, NaN in C, panels. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"

#include "kernels/gemm.h"
#include "kernels/team.h"

#include <limits.h>
#include <stdlib.h>

static size_t item(rg_dtype real) { return real == RG_F32 ? sizeof(float) : sizeof(double); }

static double get(rg_dtype real, const void *x, int64_t i)
{
    return real == RG_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void *array(rg_dtype real, int64_t n, uint64_t seed)
{
    void *x = malloc((size_t)(n + 1) * item(real));
    RGT_CHECK(x);
    for (int64_t i = 0; i < n; i++) {
        double v = draw(seed, (uint64_t)i, -1, 1);
        if (real == RG_F32)
            ((float *)x)[i] = (float)v;
        else
            ((double *)x)[i] = v;
    }
    return x;
}

static void fill_nan(rg_dtype real, void *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (real == RG_F32)
            ((float *)x)[i] = NAN;
        else
            ((double *)x)[i] = NAN;
}

/* Σ_k of the element, and what rounding may do to it. */
static double element(const rg_gemm_shape *s, const void *a, const void *b, int64_t m, int64_t n,
                      double *size)
{
    double sum = 0;
    *size = 1;
    for (int64_t k = 0; k < s->k; k++) {
        double v = get(s->real, a, s->transpose_a ? k * s->lda + m : m * s->lda + k) *
                   get(s->real, b, s->transpose_b ? n * s->ldb + k : k * s->ldb + n);
        sum += v;
        *size += fabs(v);
    }
    return sum;
}

/* The whole product, and again panel by panel from the last; C holds NaN unless it is read. */
static void try_product(rg_gemm_shape s, int64_t pad)
{
    rg_err err = { 0 };
    s.lda += pad, s.ldb += 2 * pad, s.ldc += 3 * pad;
    RGT_CHECK_MSG(rg_gemm_check(&s, &err) == RG_OK, "%s", err.text);
    const int64_t n_c = s.m * s.ldc;
    void *a = array(s.real, (s.transpose_a ? s.k : s.m) * s.lda, 1);
    void *b = array(s.real, (s.transpose_b ? s.n : s.k) * s.ldb, 2);
    void *start = array(s.real, n_c, 3), *c = array(s.real, n_c, 3), *again = array(s.real, n_c, 3);
    if (!s.accumulate)
        fill_nan(s.real, c, n_c), fill_nan(s.real, again, n_c);
    rg_gemm(&s, a, b, c);
    for (int64_t p = rg_gemm_panels(&s); p-- > 0;)
        rg_gemm_panel(&s, p, a, b, again);
    RGT_CHECK(memcmp(c, again, (size_t)n_c * item(s.real)) == 0);
    const double eps = s.real == RG_F32 ? 6e-8 : 1.2e-16;
    for (int64_t m = 0; m < s.m; m++)
        for (int64_t n = 0; n < s.ldc; n++) {
            double got = get(s.real, c, m * s.ldc + n), old = get(s.real, start, m * s.ldc + n);
            double size, want = n < s.n ? element(&s, a, b, m, n, &size) : 0;
            if (n >= s.n)
                RGT_CHECK(s.accumulate ? got == old : isnan(got)); /* beyond the row: untouched */
            else
                RGT_CHECK_MSG(fabs(got - (want + (s.accumulate ? old : 0))) <=
                                  (4 + (double)s.k) * eps * size,
                              "f%d %d x %d x %d, %d%d%d: C[%d,%d] = %g, not %g",
                              s.real == RG_F32 ? 32 : 64, (int)s.m, (int)s.n, (int)s.k,
                              s.transpose_a, s.transpose_b, s.accumulate, (int)m, (int)n, got,
                              want);
        }
    free(a), free(b), free(c), free(again), free(start);
}

static void try_forms(int64_t m, int64_t n, int64_t k)
{
    for (int form = 0; form < 16; form++)
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
            rg_gemm_shape s = rg_gemm_dense(form & 1 ? RG_F64 : RG_F32, form & 2, form & 4, m, n,
                                            k);
            s.accumulate = form & 8;
            s.isa = isa;
            try_product(s, 0);
            try_product(s, 3);
        }
}

RGT_TEST(gemm, every_form_equals_a_double_loop)
{
    static const int64_t extent[] = { 1, 2, 5, 17, 66 };
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++)
            for (int k = 0; k < 5; k++)
                try_forms(extent[i], extent[j], extent[k]);
    try_forms(1, 300, 129);
    try_forms(300, 1, 129);
}

RGT_TEST(gemm, nothing_inside_gives_zeros_and_nothing_outside_gives_nothing)
{
    static const int64_t extent[] = { 0, 1, 7 };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++)
                if (i * j * k == 0)
                    try_forms(extent[i], extent[j], extent[k]);
}

RGT_TEST(gemm, large_products_are_cut_and_panels_cover_them)
{
    static const int64_t shape[][3] = { { 600, 300, 64 }, { 64, 1024, 64 }, { 2000, 70, 33 },
                                        { 130, 520, 300 }, { 1, 5000, 300 }, { 3000, 1, 400 } };
    for (int i = 0; i < 6; i++)
        for (int form = 0; form < 8; form++) {
            rg_gemm_shape s = rg_gemm_dense(RG_F32, form & 1, form & 2, shape[i][0], shape[i][1],
                                            shape[i][2]);
            s.accumulate = form & 4;
            RGT_CHECK(rg_gemm_panels(&s) > 1 && rg_gemm_panels(&s) <= 64);
            if (form % 3 == 0)
                try_product(s, 1);
        }
}

RGT_TEST(gemm, extents_beyond_int_are_refused_by_name)
{
    rg_err err = { 0 };
    rg_gemm_shape s = rg_gemm_dense(RG_F32, false, false, 10, 10, 10);
    RGT_CHECK(rg_gemm_check(&s, &err) == RG_OK);
    s = rg_gemm_dense(RG_F32, false, false, (int64_t)INT_MAX + 1, 10, 10);
    RGT_CHECK(rg_gemm_check(&s, &err) == RG_ELIMIT);
    RGT_CHECK(rgt_has(err.text, "[2147483648,10] x [10,10]"));
    s = rg_gemm_dense(RG_F32, false, false, 10, 10, 10);
    s.ldc = (int64_t)INT_MAX + 1;
    RGT_CHECK(rg_gemm_check(&s, &err) == RG_ELIMIT);
    s = rg_gemm_dense(RG_F32, false, false, -1, 10, 10);
    RGT_CHECK(rg_gemm_check(&s, &err) == RG_ELIMIT);
#if !defined(RG_TRAP_INVARIANTS)
    s = rg_gemm_dense(RG_F32, false, false, 10, 10, 10);
    s.lda = 9;
    RGT_CHECK(rg_gemm_check(&s, &err) == RG_EINTERNAL);
#endif
}

/* ---- Teams ----------------------------------------------------------------------------------- */

struct job {
    rg_gemm_shape s;
    const void   *a, *b;
    void         *c;
};

static void share(void *arg, int rank, int size)
{
    struct job *job = arg;
    const int64_t n = rg_gemm_panels(&job->s);
    for (int64_t p = n * rank / size; p < n * (rank + 1) / size; p++)
        rg_gemm_panel(&job->s, p, job->a, job->b, job->c);
}

RGT_TEST(gemm, any_number_of_threads_gives_the_same_bits)
{
    static const int64_t shape[][3] = { { 64, 1024, 256 }, { 700, 300, 100 }, { 1, 4096, 256 },
                                        { 256, 512, 700 } };
    for (int i = 0; i < 4; i++)
        for (int form = 0; form < 4; form++) {
            rg_gemm_shape s = rg_gemm_dense(RG_F32, form & 1, form & 2, shape[i][0], shape[i][1],
                                            shape[i][2]);
            void *a = array(RG_F32, s.m * s.k, 5), *b = array(RG_F32, s.k * s.n, 6);
            float *want = array(RG_F32, s.m * s.n, 7), *c = array(RG_F32, s.m * s.n, 8);
            rg_team_run(1, true, share, &(struct job){ s, a, b, want });
            for (int threads = 2; threads <= 4; threads++) {
                rg_team_run(threads, true, share, &(struct job){ s, a, b, c });
                RGT_CHECK(memcmp(c, want, (size_t)(s.m * s.n) * sizeof *c) == 0);
            }
            free(a), free(b), free(c), free(want);
        }
}

RGT_TEST(gemm, blas_says_what_it_is)
{
    RGT_CHECK(rgt_has(rg_blas_config(), "OpenBLAS") && rg_blas_core()[0] != 0);
    RGT_CHECK(rg_blas_threading() >= 0 && rg_blas_threading() <= 2);
}
