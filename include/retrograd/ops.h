/* retrograd/ops.h -- the primitive operations.
 *
 * All are expressions: operands of one graph in, a value of that graph out, errors stick to the
 * graph. Shapes of elementwise operations broadcast from the right; nothing else is implicit
 * (docs/MATH.md 1.4). Derivatives at kinks: docs/MATH.md 2.3. Every operation has a derivative of
 * any order unless marked "no gradient". */
#ifndef RETROGRAD_OPS_H
#define RETROGRAD_OPS_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Products ------------------------------------------------------------------------------ */

/**
 * Matrix product over the last two axes:  y[…,m,n] = Σ_k a[…,m,k] · b[k,n]  (or b[…,k,n])
 *
 * @param a   [..., M, K]; leading axes are batch axes
 * @param b   [K, N], shared by the batch, or [..., K, N] with the leading axes of a
 * @return    [..., M, N]
 *
 * Gradient   da = gy·bᵀ,  db = aᵀ·gy, summed over the batch where b is shared
 * Cost       2·M·K·N flop per batch element
 * Errors     RG_ESHAPE inner extents or leading axes differ; RG_EDTYPE not real; RG_EARG two
 *            graphs. Sticky.
 * Source     M. B. Giles, "Collected matrix derivative results for forward and reverse mode
 *            algorithmic differentiation", 2008
 * See also   rg_affine(), rg_matmul_t()
 */
RG_API rg_val rg_matmul(rg_val a, rg_val b);
/* The same with the last two axes of an operand swapped. */
RG_API rg_val rg_matmul_t(rg_val a, rg_val b, bool transpose_a, bool transpose_b);

/**
 * x·W + b, over the last axis of x.
 *
 * @param x   [..., I]
 * @param W   [I, O]
 * @param b   [O], or RG_NONE for no bias
 * @return    [..., O]
 *
 * A composition of rg_matmul and rg_add; rg_dense() declares W and b as well. Errors as rg_matmul.
 */
RG_API rg_val rg_affine(rg_val x, rg_val W, rg_val b);
/* (x·U + h·W) + b; b optional. */
RG_API rg_val rg_affine2(rg_val x, rg_val U, rg_val h, rg_val W, rg_val b);

/* ---- Elementwise, broadcasting ------------------------------------------------------------- */

RG_API rg_val rg_add(rg_val a, rg_val b);
RG_API rg_val rg_sub(rg_val a, rg_val b);
RG_API rg_val rg_mul(rg_val a, rg_val b);
RG_API rg_val rg_div(rg_val a, rg_val b);
RG_API rg_val rg_minimum(rg_val a, rg_val b);
RG_API rg_val rg_maximum(rg_val a, rg_val b);
RG_API rg_val rg_scale(rg_val x, double c);  /* c·x */
RG_API rg_val rg_shift(rg_val x, double c);  /* x + c */
RG_API rg_val rg_power(rg_val x, double n);  /* xⁿ */
RG_API rg_val rg_clip(rg_val x, double lo, double hi);
RG_API rg_val rg_neg(rg_val x);
RG_API rg_val rg_one_minus(rg_val x);  /* 1 - x */
RG_API rg_val rg_square(rg_val x);
RG_API rg_val rg_sqrt(rg_val x);
RG_API rg_val rg_exp(rg_val x);
RG_API rg_val rg_log(rg_val x);
RG_API rg_val rg_sin(rg_val x);
RG_API rg_val rg_cos(rg_val x);
RG_API rg_val rg_abs(rg_val x);
RG_API rg_val rg_sigmoid(rg_val x);
RG_API rg_val rg_tanh(rg_val x);
RG_API rg_val rg_relu(rg_val x);
RG_API rg_val rg_leaky_relu(rg_val x, double slope);  /* x > 0 ? x : slope·x */
RG_API rg_val rg_elu(rg_val x, double alpha);         /* x > 0 ? x : alpha·(eˣ - 1) */
RG_API rg_val rg_softplus(rg_val x);                  /* ln(1 + eˣ) */
RG_API rg_val rg_gelu(rg_val x);                      /* x·Φ(x), exact */
RG_API rg_val rg_silu(rg_val x);                      /* x·σ(x) */
RG_API rg_val rg_hard_sigmoid_5(rg_val x);            /* clip(x/5 + 1/2, 0, 1): ONNX, old Keras */
RG_API rg_val rg_hard_sigmoid_6(rg_val x);            /* clip(x/6 + 1/2, 0, 1): PyTorch, Keras 3 */

RG_API rg_val rg_safe_div(rg_val a, rg_val b);  /* 0 where b = 0; gradients finite there */
RG_API rg_val rg_safe_log(rg_val x);            /* 0 where x <= 0 */
RG_API rg_val rg_safe_sqrt(rg_val x);           /* 0 where x <= 0 */

/* ---- Comparison and choice; results are RG_BOOL, no gradient ------------------------------- */

RG_API rg_val rg_less(rg_val a, rg_val b);
RG_API rg_val rg_less_equal(rg_val a, rg_val b);
RG_API rg_val rg_equal(rg_val a, rg_val b);
RG_API rg_val rg_and(rg_val a, rg_val b);
RG_API rg_val rg_not(rg_val m);
/* m ? a : b, by selection: what is not chosen is never multiplied, so its NaN cannot leak. */
RG_API rg_val rg_where(rg_val m, rg_val a, rg_val b);
RG_API rg_val rg_real(rg_val v);  /* RG_INT or RG_BOOL as real number */

/* ---- Reductions: of everything to a scalar, or over one axis ------------------------------- */

RG_API rg_val rg_sum(rg_val x);
RG_API rg_val rg_mean(rg_val x);
RG_API rg_val rg_max(rg_val x);
RG_API rg_val rg_norm(rg_val x);                           /* √Σx²; gradient 0 at 0 */
RG_API rg_val rg_sum_over(rg_val x, int axis, bool keep);  /* keep: the axis stays, with extent 1 */
RG_API rg_val rg_mean_over(rg_val x, int axis, bool keep);
RG_API rg_val rg_max_over(rg_val x, int axis, bool keep);
RG_API rg_val rg_norm_over(rg_val x, int axis, bool keep);
RG_API rg_val rg_logsumexp_over(rg_val x, int axis, bool keep);
RG_API rg_val rg_cumsum(rg_val x, int axis);
RG_API rg_val rg_argmax(rg_val x, int axis);  /* RG_INT; lowest index on a tie; no gradient */

/* ---- Softmax and the losses that need its insides ------------------------------------------ */

RG_API rg_val rg_softmax(rg_val x, int axis);
RG_API rg_val rg_masked_softmax(rg_val x, rg_val mask, int axis);  /* an empty row gives 0 */
RG_API rg_val rg_log_softmax(rg_val x, int axis);

/**
 * Cross-entropy of a softmax, from logits:  l = ln Σ_k exp z_k - z_y
 *
 * @param z   [..., V] logits
 * @param y   [...] RG_INT class in 0 .. V-1
 * @return    [...] nats per position; reduce with rg_mean() or rg_masked_mean()
 *
 * Gradient   softmax(z) - onehot(y) times gy
 * Errors     RG_ESHAPE leading axes differ; RG_EDTYPE y is not RG_INT (sticky). A class out of
 *            range is found when the plan runs, before anything is computed: RG_EINDEX with input,
 *            position, value and V.
 */
RG_API rg_val rg_softmax_cross_entropy(rg_val z, rg_val y);
RG_API rg_val rg_binary_cross_entropy(rg_val z, rg_val y);  /* z logits, y in [0,1]; elementwise */

/* ---- Form ---------------------------------------------------------------------------------- */

RG_API rg_val rg_reshape(rg_val x, rg_shape shape);               /* one extent may be -1 */
RG_API rg_val rg_unsqueeze(rg_val x, int axis);                   /* a new axis of extent 1 */
RG_API rg_val rg_squeeze(rg_val x, int axis);                     /* drops an axis of extent 1 */
RG_API rg_val rg_transpose(rg_val x, const int *axes, size_t n);  /* axis k comes from axes[k] */
RG_API rg_val rg_slice(rg_val x, int axis, int64_t begin, int64_t end);
RG_API rg_val rg_select(rg_val x, int axis, int64_t i); /* one slice, the axis gone; i may be < 0 */
RG_API rg_val rg_concat(const rg_val *parts, size_t n, int axis);
RG_API rg_val rg_stack(const rg_val *parts, size_t n, int axis);      /* along a new axis */
RG_API void   rg_split(rg_val *parts, size_t n, rg_val x, int axis);  /* into n equal slices */
RG_API rg_val rg_broadcast(rg_val x, rg_shape shape);
RG_API rg_val rg_pad(rg_val x, int axis, int64_t before, int64_t after, double c);
RG_API rg_val rg_reverse(rg_val x, int axis);

/* ---- Indices ------------------------------------------------------------------------------- */

RG_API rg_val rg_gather(rg_val table, rg_val rows); /* [V,...], RG_INT [...] -> [..., ...] */
RG_API rg_val rg_scatter_add(rg_val x, rg_val rows, int64_t V); /* transpose of gather */
RG_API rg_val rg_one_hot(rg_val ids, int64_t V); /* [...] -> [..., V] real; no gradient */

/* ---- Chance: a function of (seed, stream name, run number, element), see docs/MATH.md 18 --- */

/* Zeroes with probability p, scales the rest by 1/(1-p); the identity in an evaluation plan. A mask
 * belongs to the scope and @p stream: inside a step it is fresh at every step. A second draw of one
 * name in one scope is an error (RG_EARG). */
RG_API rg_val rg_dropout(rg_val x, double p, const char *stream);
/* A locked mask, to be multiplied with: 0 with probability p, else 1/(1-p); ones in an evaluation
 * plan. It belongs to @p stream alone: asked for at every step, it is one mask a run. */
RG_API rg_val rg_dropout_mask(rg_graph *graph, rg_shape shape, double p, const char *stream);
RG_API rg_val rg_uniform(rg_graph *graph, const char *stream, rg_shape shape);  /* [0, 1) */
RG_API rg_val rg_normal(rg_graph *graph, const char *stream, rg_shape shape);   /* N(0, 1) */

/* ---- Gradient control ---------------------------------------------------------------------- */

RG_API rg_val rg_detach(rg_val x);  /* x; no gradient passes (outcome: blocked) */

#ifdef __cplusplus
}
#endif
#endif
