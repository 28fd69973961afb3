/* kernels/rows.h -- loops over rows of a matrix: sums, maxima, softmax, products with one vector.
 *
 * A sum over a row runs in 16 lanes of f64, element i in lane i mod 16, which a tree of fixed shape
 * adds: its bits depend neither on the instruction set nor on threads. Rows are independent: give
 * each thread some of them. Pointers may have any alignment. */
#ifndef RG_KERNELS_ROWS_H
#define RG_KERNELS_ROWS_H

#include <retrograd/base.h>

#include "kernels/isa.h"

/* rows x cols elements; row r of x begins at x + r·x_row, element c lies beside element c-1; of y
 * likewise. Results with one element per row lie at y + r. */
typedef struct rg_rows {
    int64_t     rows, cols;
    const void *x;
    int64_t     x_row;
    void       *y;
    int64_t     y_row;
    double      c;       /* for mean */
} rg_rows;

typedef void rg_rows_fn(const rg_rows *a);

/* One instruction set; [RG_F32] and [RG_F64]. In f32 exp is our own (2 ulp), in f64 libm's. */
typedef struct rg_row_kernels {
    rg_rows_fn *sum[2];          /* y[r] = Σ x */
    rg_rows_fn *mean[2];         /* y[r] = c·Σ x, rounded after each */
    rg_rows_fn *sum_squares[2];  /* y[r] = Σ x² */
    rg_rows_fn *max[2];          /* y[r] = max x; NaN if one is; cols > 0 */
    rg_rows_fn *logsumexp[2];    /* y[r] = m + ln Σ e^(x-m); -∞ if all are */
    rg_rows_fn *softmax[2];      /* y = e^(x-m)/Σ */
    rg_rows_fn *softmax_or_zero[2]; /* the same; a row of nothing but -∞ gives 0 */
    rg_rows_fn *log_softmax[2];  /* y = (x-m) - ln Σ */
    rg_rows_fn *spread[3];       /* y[r,c] = x[r], elements of 1, 4, 8 bytes */
    /* y[r] = ln Σ e^(x-m) - (x[label[r]] - m); labels are in range. */
    void (*cross_entropy[2])(const rg_rows *a, const int32_t *label);
    /* y[c] = Σ_r x[r,c] in f64 and in order of r, for columns c0 .. c1: some for each thread. Of a
     * stretch of longer sums: from[c] is where they stand (NULL = nowhere), to[c] where they are
     * left in y's stead (NULL = this is the end). x_row may be negative. */
    void (*column_sum[2])(const rg_rows *a, int64_t c0, int64_t c1, const double *from,
                          double *to);
    /* y[n] (+)= Σ_k x[k]·b[k,n], k ascending, one sum per element. */
    void (*vector_matrix[2])(int64_t k, int64_t n, const void *x, const void *b, int64_t ldb,
                             void *y, bool accumulate);
    /* y[m] (+)= Σ_k a[m,k]·x[k], in 16 lanes as other sums, but of f32 in f32. */
    void (*matrix_vector[2])(int64_t m, int64_t k, const void *a, int64_t lda, const void *x,
                             void *y, bool accumulate);
} rg_row_kernels;
RG_ISA_TABLES(rg_row_kernels, rg_row_kernels);

/* Those for an instruction set; the next narrower one where the build has it not. */
const rg_row_kernels *rg_row_table(rg_isa isa);

/* ---- Moving elements of 1, 4 or 8 bytes; no arithmetic, so one version --------------------- */

/* dst[r·dst_row + c·dst_col] = src[r·src_row + c·src_col] for rows r0 .. r1; strides in elements, 0
 * broadcasts the source. Transposes block by block. */
typedef struct rg_copy {
    size_t  item;
    int64_t cols;
    int64_t dst_row, dst_col, src_row, src_col;
} rg_copy;
void rg_copy_rows(const rg_copy *copy, void *dst, const void *src, int64_t r0, int64_t r1);

/* dst[i] = table[row[i]] for i in i0 .. i1, rows of `bytes`. Rows are in range. */
void rg_gather_rows(void *dst, const void *table, const int32_t *row, size_t bytes, int64_t i0,
                    int64_t i1);
/* y[row[i], c] += x[i, c] for all n rows in order, columns c0 .. c1 of `cols`; y holds something
 * already. Threads take columns. */
void rg_scatter_add_rows(rg_dtype real, void *y, const void *x, const int32_t *row, int64_t n,
                         int64_t cols, int64_t c0, int64_t c1);

#endif
