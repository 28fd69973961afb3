/* kernels/gemm.c -- products through OpenBLAS, one serial call per panel. */
#include "kernels/gemm.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "kernels/rows.h"

/* A panel is worth some 4 million operations and no narrower than this: BLAS packs both operands
 * at every call. */
enum { MOST_PANELS = 32, MIN_ROWS = 256, MIN_COLS = 128, MIN_SUMS = 64 };
#define PANEL_WORK  2097152.0
#define VECTOR_WORK 262144.0

rg_gemm_shape rg_gemm_dense(rg_dtype real, bool transpose_a, bool transpose_b, int64_t m, int64_t n,
                            int64_t k)
{
    return (rg_gemm_shape){ .real = real, .transpose_a = transpose_a, .transpose_b = transpose_b,
                            .isa = rg_cpu_isa(), .m = m, .n = n, .k = k,
                            .lda = transpose_a ? m : k, .ldb = transpose_b ? k : n, .ldc = n };
}

rg_status rg_gemm_check(const rg_gemm_shape *s, rg_err *err)
{
    const int64_t extent[] = { s->m, s->n, s->k, s->lda, s->ldb, s->ldc };
    for (size_t i = 0; i < sizeof extent / sizeof *extent; i++)
        if (extent[i] < 0 || extent[i] > INT_MAX)
            return rg_fail(err, RG_ELIMIT,
                           "product [%lld,%lld] x [%lld,%lld]: an extent or leading dimension is "
                           "beyond %d", (long long)s->m, (long long)s->k, (long long)s->k,
                           (long long)s->n, INT_MAX);
    RG_INVARIANT(s->real == RG_F32 || s->real == RG_F64, err);
    RG_INVARIANT(s->lda >= (s->transpose_a ? s->m : s->k), err);
    RG_INVARIANT(s->ldb >= (s->transpose_b ? s->k : s->n), err);
    RG_INVARIANT(s->ldc >= s->n, err);
    return RG_OK;
}

/* ---- Panels ---------------------------------------------------------------------------------- */

static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* With one row or one column, and operands that lie as our own loops want them. */
static bool is_row(const rg_gemm_shape *s) { return s->m == 1 && (!s->transpose_a || s->lda == 1); }
static bool is_column(const rg_gemm_shape *s)
{
    return s->n == 1 && s->ldc == 1 && (s->transpose_b || s->ldb == 1);
}

static double work(const rg_gemm_shape *s) { return (double)s->m * (double)s->n * (double)s->k; }

/* Into about so many parts of at least `least`, each a multiple of `unit`. */
static int64_t part_of(int64_t extent, int64_t parts, int64_t least, int64_t unit)
{
    parts = larger(1, smaller(parts, div_up(extent, least)));
    return larger(1, div_up(div_up(extent, parts), unit) * unit);
}

/* Rows and columns of a panel. Of the grids with enough panels, the one that packs least: each of
 * gn columns of panels packs A again, each of gm rows B. */
static void panel_size(const rg_gemm_shape *s, int64_t *rows, int64_t *cols)
{
    if (is_row(s) || is_column(s)) {
        const int64_t sums = s->m * s->n;
        const int64_t parts = (int64_t)smaller(64, (int64_t)(work(s) / VECTOR_WORK));
        *rows = is_row(s) ? 1 : part_of(sums, parts, MIN_SUMS, MIN_SUMS);
        *cols = is_row(s) ? part_of(sums, parts, MIN_SUMS, MIN_SUMS) : 1;
        return;
    }
    const double parts = work(s) / PANEL_WORK;
    const int64_t want = parts < MOST_PANELS ? larger(1, (int64_t)parts) : MOST_PANELS;
    int64_t best_n = 0, best_cost = 0;
    for (int64_t gm = 1; gm <= want; gm++) {
        const int64_t pm = part_of(s->m, gm, MIN_ROWS, 16);
        const int64_t pn = part_of(s->n, div_up(want, div_up(s->m, pm)), MIN_COLS, 32);
        const int64_t n = smaller(want, div_up(s->m, pm) * div_up(s->n, pn));
        const int64_t cost = s->m * div_up(s->n, pn) + s->n * div_up(s->m, pm);
        if (n < best_n || (n == best_n && cost >= best_cost))
            continue;
        best_n = n, best_cost = cost;
        *rows = pm, *cols = pn;
    }
}

int64_t rg_gemm_panels(const rg_gemm_shape *s)
{
    int64_t rows = 1, cols = 1;
    if (s->m == 0 || s->n == 0)
        return 0;
    panel_size(s, &rows, &cols);
    return div_up(s->m, rows) * div_up(s->n, cols);
}

/* ---- One panel ------------------------------------------------------------------------------- */

/* A part of the product: rows m of C from m0 on, columns n from n0 on. */
struct part {
    int64_t     m0, m, n0, n;
    const void *a, *b;
    void       *c;
};

static void clear(const rg_gemm_shape *s, const struct part *p, size_t item)
{
    for (int64_t r = 0; r < p->m; r++)
        memset((char *)p->c + (size_t)(r * s->ldc) * item, 0, (size_t)p->n * item);
}

static void blas(const rg_gemm_shape *s, const struct part *p)
{
    const CBLAS_TRANSPOSE ta = s->transpose_a ? CblasTrans : CblasNoTrans;
    const CBLAS_TRANSPOSE tb = s->transpose_b ? CblasTrans : CblasNoTrans;
    const blasint m = (blasint)p->m, n = (blasint)p->n, k = (blasint)s->k;
    const blasint lda = (blasint)s->lda, ldb = (blasint)s->ldb, ldc = (blasint)s->ldc;
    if (s->real == RG_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, p->a, lda, p->b, ldb,
                    s->accumulate ? 1 : 0, p->c, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, p->a, lda, p->b, ldb,
                    s->accumulate ? 1 : 0, p->c, ldc);
}

/* C's only row, or column, as sums of a matrix along its columns or rows with a vector. */
static void vector(const rg_gemm_shape *s, const struct part *p)
{
    const rg_row_kernels *rows = rg_row_table(s->isa);
    const bool row = is_row(s);
    const void *x = row ? p->a : p->b, *matrix = row ? p->b : p->a;
    const int64_t sums = p->m * p->n, ld = row ? s->ldb : s->lda;
    if (row ? s->transpose_b : !s->transpose_a)
        rows->matrix_vector[s->real](sums, s->k, matrix, ld, x, p->c, s->accumulate);
    else
        rows->vector_matrix[s->real](s->k, sums, x, matrix, ld, p->c, s->accumulate);
}

void rg_gemm_panel(const rg_gemm_shape *s, int64_t panel, const void *a, const void *b, void *c)
{
    const size_t item = s->real == RG_F32 ? sizeof(float) : sizeof(double);
    int64_t rows = 1, cols = 1;
    panel_size(s, &rows, &cols);
    const int64_t across = div_up(s->n, cols);
    struct part p = { .m0 = panel / across * rows, .n0 = panel % across * cols };
    p.m = smaller(rows, s->m - p.m0);
    p.n = smaller(cols, s->n - p.n0);
    p.a = (const char *)a + (size_t)(p.m0 * (s->transpose_a ? 1 : s->lda)) * item;
    p.b = (const char *)b + (size_t)(p.n0 * (s->transpose_b ? s->ldb : 1)) * item;
    p.c = (char *)c + (size_t)(p.m0 * s->ldc + p.n0) * item;
    if (s->k == 0) {
        if (!s->accumulate)
            clear(s, &p, item);
    } else if (is_row(s) || is_column(s)) {
        vector(s, &p);
    } else {
        blas(s, &p);
    }
}

void rg_gemm(const rg_gemm_shape *s, const void *a, const void *b, void *c)
{
    const int64_t n = rg_gemm_panels(s);
    for (int64_t p = 0; p < n; p++)
        rg_gemm_panel(s, p, a, b, c);
}

/* ---- What BLAS this is ----------------------------------------------------------------------- */

const char *rg_blas_config(void) { return openblas_get_config(); }
const char *rg_blas_core(void) { return openblas_get_corename(); }
int rg_blas_threading(void) { return openblas_get_parallel(); }
