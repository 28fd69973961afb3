/* tests/kernels/broken.c -- the library's test of itself finds what is wrong: a BLAS that reads
 * C where it must not, and a tanh that is not one. Both stand in for the real ones in this program
 * only. */
#include "tests/rgt.h"

#include <cblas.h>
#include <math.h>

/* C = beta·C with beta = 0, the way that keeps a NaN. */
void cblas_sgemm(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE ta,
                 const enum CBLAS_TRANSPOSE tb, const blasint m, const blasint n, const blasint k,
                 const float alpha, const float *a, const blasint lda, const float *b,
                 const blasint ldb, const float beta, float *c, const blasint ldc)
{
    (void)order, (void)ta, (void)tb, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb;
    for (blasint i = 0; i < m; i++)
        for (blasint j = 0; j < n; j++)
            c[i * ldc + j] *= beta;
}

double tanh(double x)
{
    return x;
}

RGT_TEST(broken, a_blas_that_reads_c_is_named_with_a_remedy)
{
    rgt_text text = { 0 };
    RGT_CHECK(rg_selftest(rgt_write, &text) == RG_EINTERNAL);
    RGT_CHECK(rgt_has(text.data, "WRONG products f32, "));
    RGT_CHECK(rgt_has(text.data, "OPENBLAS_CORETYPE"));
    RGT_CHECK(rgt_has(text.data, "ok    products f64, "));
    rgt_text_free(&text);
}

RGT_TEST(broken, a_loop_that_differs_from_its_formula_is_named)
{
    rgt_text text = { 0 };
    RGT_CHECK(rg_selftest(rgt_write, &text) == RG_EINTERNAL);
    RGT_CHECK(rgt_has(text.data, "tanh, portable: ") && rgt_has(text.data, "ok    rows, portable"));
    rgt_text_free(&text);
}
