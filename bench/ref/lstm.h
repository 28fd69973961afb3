/* bench/ref/lstm.h -- a training step of an LSTM as one would write it by hand, for one cell only:
 * what plans of compositions are held against.
 *
 *   i, f, o = σ(z), g = tanh(z), z = x·U + h·W + b    c' = f∘c + i∘g    h' = o∘tanh(c')
 *
 * The loss is the mean of the squares of all h'. All gradients: of U, W, b, of x, of the state
 * before the first step. Columns of U, W, b: i, f, g, o. Rows are split over threads, gradients of
 * weights by columns; sums run in one order, whatever the number of threads. */
#ifndef RG_BENCH_REF_LSTM_H
#define RG_BENCH_REF_LSTM_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ref_products {
    REF_BLAS,   /* OpenBLAS for every product */
    REF_OWN     /* our kernel, weights packed within the step */
} ref_products;

typedef struct ref_lstm ref_lstm;

/* NULL without memory. Weights and inputs are zero at first. */
ref_lstm *ref_lstm_create(int64_t T, int64_t B, int64_t I, int64_t H, ref_products products,
                          int threads);
void ref_lstm_destroy(ref_lstm *r);

typedef enum ref_array {
    REF_X, REF_U, REF_W, REF_BIAS,                    /* to be filled: [T·B,I] [I,4H] [H,4H] [4H] */
    REF_HS,                                           /* h', [T·B,H] */
    REF_DX, REF_DU, REF_DW, REF_DBIAS, REF_DH, REF_DC, /* gradients, the last two [B,H] */
    REF_ARRAYS
} ref_array;

/* Rows of @p *ld elements. */
float *ref_lstm_array(ref_lstm *r, ref_array which, int64_t *ld);

void ref_lstm_train(ref_lstm *r);
/* Its products alone: what is left for a plan that takes everything else for free. */
void ref_lstm_products(ref_lstm *r);
/* Its elementwise part alone, over one step of B rows. */
void ref_lstm_cell_forward(ref_lstm *r);
void ref_lstm_cell_backward(ref_lstm *r);

#endif
