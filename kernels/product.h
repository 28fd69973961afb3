/* kernels/product.h -- our own f32 products: the right operand packed once for many steps, or as it
 * lies in rows.
 *
 * Every element of C has one accumulator that starts at zero and runs over ascending k with
 * fused multiply-adds; C is added at the end where asked. So the bits of a row depend on that row
 * alone: not on the number of rows, on threads, or on the instruction set. Strides may be negative:
 * then k runs over rows that lie from the last to the first. */
#ifndef RG_KERNELS_PRODUCT_H
#define RG_KERNELS_PRODUCT_H

#include <retrograd/base.h>

#include "kernels/isa.h"

/* What will be read soon after a product: rows of `width` bytes, `pitch` bytes apart. Computing
 * fetches it into the second-level cache; results do not depend on it. */
typedef struct rg_soon {
    const char *at;
    int64_t     rows, pitch, width;
} rg_soon;

/* C[m,n] (+)= A[m,k]·B[k,n]. Element (i,k) of A lies at a[i·a_row + k·a_k]: rows and columns are
 * alike, so a transposed A needs no copy. */
typedef struct rg_product {
    int64_t m, n, k;
    int64_t a_row, a_k;
    int64_t b_k;          /* row k of B begins at b + k·b_k; 0 = B lies in panels */
    int64_t ldc;
    bool    accumulate;
    float  *room;         /* of this thread, as much as kernels want; without, they are slower */
    const rg_soon *soon;  /* n_soon of them */
    int64_t n_soon;
    bool    descending;   /* one row: from the last columns to the first; changes no bits */
    bool    resume;       /* a stretch of longer sums: go on from those that lie in C */
} rg_product;

typedef struct rg_product_kernels {
    rg_isa  isa;
    int64_t panel;        /* columns of a panel of packed B */
    int64_t rows;         /* rows of the largest register block */
    int64_t room_b, room_a; /* elements that they copy of a B in rows, and of a transposed A */
    bool    fused;        /* the processor has the instruction; without it BLAS is far faster */
    /* Rows m0 .. m1, columns n0 .. n1 of C; n0 is a multiple of `panel`. Pointers are to whole
     * operands. */
    void (*run)(const rg_product *p, const float *a, const float *b, float *c, int64_t m0,
                int64_t m1, int64_t n0, int64_t n1);
} rg_product_kernels;
RG_ISA_TABLES(rg_product_kernels, rg_product);

/* Those for an instruction set; the next narrower one where the build has it not. */
const rg_product_kernels *rg_product_table(rg_isa isa);

/* Elements that a product uses while it runs. */
int64_t rg_product_room(const rg_product_kernels *kernels, const rg_product *p);
/* Elements of packed B [k,n]. */
int64_t rg_product_packed(const rg_product_kernels *kernels, int64_t k, int64_t n);
/* A part of B [k,n] that is packed: rows k0 .., columns n0 .., of which element (i,j) lies at
 * b[i·b_k + j·b_n]. */
typedef struct rg_pack {
    int64_t k, n;
    int64_t k0, n0, rows, cols;
    int64_t b_k, b_n;
} rg_pack;

/* Pack what of a part lies in columns c0 .. c1 of B; c0 is a multiple of `panel`. @p out: all of
 * packed B. */
void rg_product_pack(const rg_product_kernels *kernels, const rg_pack *part, float *out,
                     const float *b, int64_t c0, int64_t c1);

#endif
