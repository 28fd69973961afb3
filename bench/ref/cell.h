/* bench/ref/cell.h -- the elementwise part of bench/ref/lstm.c, one table per instruction set. */
#ifndef RG_BENCH_REF_CELL_H
#define RG_BENCH_REF_CELL_H

#include <stdint.h>

/* One row of a step, H units: z [4H] holds pre-activations, then gates, then their gradients. */
typedef struct ref_cell {
    /* z, bias, c -> gates in z, c', h' */
    void (*forward)(int64_t H, float *z, const float *bias, const float *c, float *c1, float *h1);
    /* gates in z, c, c', h', dh (of the step behind; NULL = none), dc -> dz in z, dc of the step
     * before; h' weighs @p slope in the loss */
    void (*backward)(int64_t H, float *z, const float *c, const float *c1, const float *h1,
                     const float *dh, float *dc, float slope);
    /* sum += rows of z, N columns from n0 on */
    void (*add_rows)(int64_t rows, int64_t ld, const float *z, int64_t n0, int64_t n1, float *sum);
    /* the sum of n numbers, as fast as memory gives them */
    float (*read)(int64_t n, const float *x);
} ref_cell;

const ref_cell *ref_cell_table(void);

#endif
