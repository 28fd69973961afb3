/* kernels/update.h -- optimizer loops over flat arrays: one fused pass over weights, gradient and
 * state. Elementwise, so bits do not depend on how the arrays are cut among threads. */
#ifndef RG_KERNELS_UPDATE_H
#define RG_KERNELS_UPDATE_H

#include <retrograd/base.h>

#include "kernels/isa.h"

typedef enum rg_update_rule {
    RG_UPDATE_SGD = 0, RG_UPDATE_MOMENTUM, RG_UPDATE_ADAGRAD, RG_UPDATE_ADADELTA, RG_UPDATE_RMSPROP,
    RG_UPDATE_ADAM
} rg_update_rule;

enum { RG_UPDATE_STATES = 3, RG_UPDATE_LANES = 16 };

/* The numbers of one update of one parameter. Gradients are first divided by `runs`, then cut to
 * ±clip, then scaled; decay is added to the gradient, shrink multiplies the weight. */
typedef struct rg_update {
    rg_update_rule rule;
    double runs, clip, scale;         /* clip: INFINITY = none */
    double lr, decay, shrink;         /* shrink 1 = none */
    double beta1, beta2, eps, momentum;
    double root_bias2;                /* adam: √(1 - β₂ᵗ); lr holds η/(1 - β₁ᵗ) */
    bool   first, nesterov, amsgrad, centered;
} rg_update;

/* The loops of one instruction set and precision.
 *
 * update       w -= what the rule says; state[k] as the rule needs them: momentum v · adagrad s ·
 *              adadelta s, e · rmsprop s, v, mean · adam m, v, max v; NULL where it needs none
 * sum_squares  Σ (min(max(g, -clip), clip)·scale)² in f64, in a fixed order of 16 lanes; not finite
 *              if some f32 element is not
 * largest      largest |g|; NaN if some element is infinite or NaN */
typedef struct rg_update_kernels {
    struct {
        void   (*update)(const rg_update *u, int64_t n, float *w, const float *g,
                         float *const state[RG_UPDATE_STATES]);
        double (*sum_squares)(const float *g, int64_t n, double clip, double scale);
        double (*largest)(const float *g, int64_t n);
    } f32;
    struct {
        void   (*update)(const rg_update *u, int64_t n, double *w, const double *g,
                         double *const state[RG_UPDATE_STATES]);
        double (*sum_squares)(const double *g, int64_t n, double clip, double scale);
        double (*largest)(const double *g, int64_t n);
    } f64;
} rg_update_kernels;
RG_ISA_TABLES(rg_update_kernels, rg_update_kernels);

/* Those for an instruction set; the next narrower one where the build has it not. */
const rg_update_kernels *rg_update_table(rg_isa isa);

#endif
