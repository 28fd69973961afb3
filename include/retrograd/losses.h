/* retrograd/losses.h -- more losses, one number per position, and the ways to make one of many:
 * compositions of ops.h. The first few are in layers.h, cross-entropies from class ids in ops.h.
 *
 * Logits, not probabilities, wherever there is a choice. Prediction and target have equal shapes:
 * losses never broadcast. Formulas and gradients: docs/MATH.md 10. Errors of all: RG_ESHAPE unequal
 * shapes, RG_EARG a number out of its range; sticky. */
#ifndef RETROGRAD_LOSSES_H
#define RETROGRAD_LOSSES_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Classes ------------------------------------------------------------------------------- */

/* (1-ε)·l + ε·(mean over all classes of -ln p), l being rg_softmax_cross_entropy(z, y); ε in [0,1).
 * z [...,V], y [...] RG_INT. Szegedy et al. 2016 */
RG_API rg_val rg_smoothed_cross_entropy(rg_val z, rg_val y, double epsilon);
/* -Σ_k q_k·ln softmax(z)_k: targets are weights q [...,V], whose sum need not be 1. */
RG_API rg_val rg_dense_cross_entropy(rg_val z, rg_val q);
/* Σ_k q_k·(ln q_k - lp_k), [...,V] -> [...]: q probabilities, lp log-probabilities, as
 * rg_log_softmax() makes them; where q is 0 nothing is added. Kullback & Leibler 1951 */
RG_API rg_val rg_kl(rg_val lp, rg_val q);
/* Elementwise, y in [0,1]: max(z,0) - z·y + ln(1 + e^-|z|), the part of y times @p positive, which
 * broadcasts to z; RG_NONE = 1. */
RG_API rg_val rg_bce_logits(rg_val z, rg_val y, rg_val positive);
/* Elementwise -y·ln p - (1-y)·ln(1-p) of probabilities, cut to 1e-7 .. 1 - 1e-7: for models that
 * come without logits. */
RG_API rg_val rg_bce_prob(rg_val p, rg_val y);
/* Elementwise max(0, 1 - t·z), t being -1 or 1. */
RG_API rg_val rg_hinge(rg_val z, rg_val t);

/**
 * Positions of one class do not count: an "ignore id" such as -100.
 *
 * @param[in,out] y  [...] RG_INT; the id becomes class 0, which is a class
 * @param mask       RG_BOOL of y's shape, or RG_NONE
 * @return           RG_BOOL: the mask, and 0 where y was @p id
 */
RG_API rg_val rg_ignore(rg_val *y, int32_t id, rg_val mask);

/* ---- Labels without places ------------------------------------------------------------------ */

typedef struct rg_ctc_opts {
    int64_t blank;          /* the class that says nothing */
    bool    zero_infinity;  /* a row whose labels cannot be said counts 0, not +∞ */
} rg_ctc_opts;

/**
 * Connectionist temporal classification: -ln of the summed probabilities of all ways to say the
 * labels y_0 … y_{n-1} in order, each over one step or several, with blanks anywhere between, and
 * one at least between two equal labels.
 *
 * @param z      [T,B,V] logits
 * @param mask   [T,B] RG_BOOL, 1 = real step: rg_length_mask(). RG_NONE = all real. What z holds
 *               elsewhere, NaN included, changes no bit of anything
 * @param y      [U,B] RG_INT classes other than the blank. Those from n on change nothing
 * @param n      [B] RG_INT labels of each row, 0 … U (else RG_EINDEX at run time); RG_NONE = U
 * @param opts   NULL = blank 0, +∞
 * @return       [B] nats per row: rg_reduce(l, RG_NONE, RG_MEAN_TOKENS) is the mean of the rows
 *
 * Gradient   of any order; 0 for rows whose labels cannot be said: fewer steps than labels and
 *            equal neighbours, or classes that the logits exclude (-∞)
 * Cost       some 25 nodes a step; 2·T·B·V·U flop to choose what is read of z
 * Errors     RG_ESHAPE, RG_EDTYPE, RG_EARG the blank is no class. Sticky. A label out of range
 *            as rg_softmax_cross_entropy()
 * Source     Graves, Fernández, Gomez, Schmidhuber, "Connectionist temporal classification", 2006
 * See also   rg_decode_ctc_greedy(), rg_decode_ctc_beam()
 */
RG_API rg_val rg_ctc(rg_val z, rg_val mask, rg_val y, rg_val n, const rg_ctc_opts *opts);

/* ---- Numbers ------------------------------------------------------------------------------- */

/* As rg_mse(), rg_mae() and rg_huber() in layers.h, [...,D] -> [...]: mean of ln cosh(y - t). */
RG_API rg_val rg_logcosh(rg_val y, rg_val target);
/* Elementwise ½·(ln v + (t - mean)²/v), v = softplus(s) + 1e-6: a Gaussian of predicted mean and
 * spread, without its constant. */
RG_API rg_val rg_nll_gauss(rg_val mean, rg_val s, rg_val t);
/* Elementwise e^z - t·z: counts t of rate e^z, without the constant. */
RG_API rg_val rg_poisson(rg_val z, rg_val t);
/* [...,D] -> [...]: 1 - cos(a, b); 1, with gradient 0, where a vector is 0. */
RG_API rg_val rg_cosine_distance(rg_val a, rg_val b);

/* ---- Reductions ---------------------------------------------------------------------------- */

typedef enum rg_reduction {
    RG_MEAN_TOKENS = 0,       /* Σ w·l / Σ w: independent of padding */
    RG_SUM,                   /* Σ w·l */
    RG_MEAN_BATCH_SUM_TIME,   /* Σ w·l / rows: the gradient grows with the length */
    RG_MEAN_BATCH_MEAN_TIME,  /* mean over the rows of Σ_t w·l / Σ_t w: each row counts alike */
    RG_EACH                   /* w·l where it stands, 0 where w = 0: no reduction */
} rg_reduction;

/**
 * One number of l [T,B] (or [B], as one step), or with RG_EACH all of them.
 *
 * @param w   RG_BOOL mask or real weights of l's shape; RG_NONE = all 1. Where w is 0, l may be
 *            NaN. Class weights: rg_gather(weights, y)
 *
 * Rows count that have a position with w != 0. If nothing counts the value is 0, and its gradient.
 * A clip threshold or a learning rate means nothing without its reduction.
 */
RG_API rg_val rg_reduce(rg_val l, rg_val w, rg_reduction how);

#ifdef __cplusplus
}
#endif
#endif
