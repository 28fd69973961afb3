/* kernels/gemm.h -- matrix products, cut into panels by shape only, so that any number of threads
 * gives the same bits. Alone includes cblas.h.
 *
 * C[m,n] = op(A)·op(B), or C += with `accumulate`; op transposes where asked; all row-major with
 * leading dimensions. op(A) is [m,k], op(B) is [k,n]. A panel is one serial BLAS call from inside a
 * team (kernels/team.h), or, where m or n is 1, a loop of our own. Without `accumulate` C is never
 * read; k = 0 gives zeros, or leaves C as it is. */
#ifndef RG_KERNELS_GEMM_H
#define RG_KERNELS_GEMM_H

#include "base/cpu.h"
#include "base/error.h"

typedef struct rg_gemm_shape {
    rg_dtype real;       /* RG_F32 or RG_F64 */
    bool     transpose_a, transpose_b, accumulate;
    rg_isa   isa;        /* of our own loops: rg_cpu_isa() */
    int64_t  m, n, k;
    int64_t  lda, ldb, ldc;
} rg_gemm_shape;

/* Leading dimensions of dense operands. */
rg_gemm_shape rg_gemm_dense(rg_dtype real, bool transpose_a, bool transpose_b, int64_t m, int64_t n,
                            int64_t k);
/* RG_ELIMIT: an extent or leading dimension beyond INT_MAX; RG_EINTERNAL: a leading dimension that
 * is too small. Asked when a plan is made; what follows relies on it. */
rg_status rg_gemm_check(const rg_gemm_shape *shape, rg_err *err);

/* Into how many panels it is cut; 0 if C has no element. */
int64_t rg_gemm_panels(const rg_gemm_shape *shape);
/* Compute panel p of C; a, b, c point at the whole operands. Panels are computed in any order, by
 * any member of a team. */
void rg_gemm_panel(const rg_gemm_shape *shape, int64_t p, const void *a, const void *b, void *c);
/* All panels: the whole product, by one thread of a team. */
void rg_gemm(const rg_gemm_shape *shape, const void *a, const void *b, void *c);

/* What OpenBLAS says about itself. */
const char *rg_blas_config(void);
const char *rg_blas_core(void);
/* 0 serial, 1 pthread, 2 OpenMP. */
int rg_blas_threading(void);

#endif
