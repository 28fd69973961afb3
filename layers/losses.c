/* layers/losses.c -- one number per position; one of many, over the positions that count. */
#include "layers/cell.h"

#include <retrograd/losses.h>

#include "base/text.h"

#include <math.h>

/* Prediction and target must agree in every extent: a loss that broadcasts hides a wrong target. */
static bool same_shape(rg_val a, rg_val b, const char *loss, const char *first, const char *second)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_shape sa = rg_shape_of(a), sb = rg_shape_of(b);
    if (!a.graph || a.graph->status)
        return false;
    if (a.id && b.id && !rg_shape_equal(sa, sb))
        rg_poison(a.graph, RG_ESHAPE, "%s: %s is %s, %s is %s; they must be equal", loss, first,
                  rg_shape_text(have, &sa), second, rg_shape_text(want, &sb));
    return a.graph->status == RG_OK;
}

/* y - target, both [...,D] */
static rg_val residual(rg_val y, rg_val target, const char *loss)
{
    if (!same_shape(y, target, loss, "prediction", "target"))
        return (rg_val){ .graph = y.graph };
    if (rg_shape_of(y).rank < 1)
        return rg_poison(y.graph, RG_ESHAPE, "%s: a scalar has no axis to take a mean over", loss);
    return rg_sub(y, target);
}

rg_val rg_mse(rg_val y, rg_val target)
{
    rg_val e = residual(y, target, "mse");
    return rg_mean_over(rg_square(e), -1, false);
}

rg_val rg_mae(rg_val y, rg_val target)
{
    rg_val e = residual(y, target, "mae");
    return rg_mean_over(rg_abs(e), -1, false);
}

/* With c = clip(e, -δ, δ):  c·(e - c/2)  is  e²/2  inside and  δ·(|e| - δ/2)  outside. */
rg_val rg_huber(rg_val y, rg_val target, double delta)
{
    char text[RG_NUMBER_TEXT];
    rg_val e = residual(y, target, "huber");
    if (e.graph && !(delta > 0))
        return rg_poison(e.graph, RG_EARG, "huber: delta must be positive, got %s",
                         rg_number(text, delta, 9));
    rg_val c = rg_clip(e, -delta, delta);
    rg_val l = rg_mul(c, rg_sub(e, rg_scale(c, 0.5)));
    return rg_mean_over(l, -1, false);
}

rg_val rg_masked_mean(rg_val l, rg_val mask)
{
    if (!same_shape(l, mask, "masked_mean", "the loss", "the mask"))
        return (rg_val){ .graph = l.graph };
    rg_val sum = rg_sum(rg_where(mask, l, rg_const(l.graph, 0)));
    rg_val count = rg_sum(rg_real(mask));
    return rg_safe_div(sum, count);
}

/* ---- Classes --------------------------------------------------------------------------------- */

/* a where q is not 0, else 0: 0·ln 0 counts nothing. */
static rg_val unless_zero(rg_val q, rg_val a)
{
    rg_val zero = rg_const(q.graph, 0);
    return rg_where(rg_equal(q, zero), zero, a);
}

/* With L = ln Σ_k exp z_k:  mean over k of -ln p_k = L - mean z. */
rg_val rg_smoothed_cross_entropy(rg_val z, rg_val y, double epsilon)
{
    char text[RG_NUMBER_TEXT];
    if (z.graph && !(epsilon >= 0 && epsilon < 1))
        return rg_poison(z.graph, RG_EARG, "smoothed_cross_entropy: epsilon must be in [0, 1), got "
                         "%s", rg_number(text, epsilon, 9));
    rg_val l = rg_softmax_cross_entropy(z, y);
    if (epsilon == 0)
        return l;
    rg_val even = rg_sub(rg_logsumexp_over(z, -1, false), rg_mean_over(z, -1, false));
    return rg_add(rg_scale(l, 1 - epsilon), rg_scale(even, epsilon));
}

rg_val rg_dense_cross_entropy(rg_val z, rg_val q)
{
    if (!same_shape(z, q, "dense_cross_entropy", "the prediction", "the target"))
        return (rg_val){ .graph = z.graph };
    rg_val part = unless_zero(q, rg_mul(q, rg_log_softmax(z, -1)));
    return rg_neg(rg_sum_over(part, -1, false));
}

rg_val rg_kl(rg_val lp, rg_val q)
{
    if (!same_shape(lp, q, "kl", "the prediction", "the target"))
        return (rg_val){ .graph = lp.graph };
    rg_val part = unless_zero(q, rg_mul(q, rg_sub(rg_safe_log(q), lp)));
    return rg_sum_over(part, -1, false);
}

/* (1-y)·z + (1 + (w-1)·y)·softplus(-z), which is w·y·softplus(-z) + (1-y)·softplus(z). */
rg_val rg_bce_logits(rg_val z, rg_val y, rg_val positive)
{
    if (!same_shape(z, y, "bce_logits", "the prediction", "the target"))
        return (rg_val){ .graph = z.graph };
    if (!positive.graph)
        return rg_binary_cross_entropy(z, y);
    rg_val w = rg_shift(rg_mul(rg_shift(positive, -1), y), 1);
    rg_val l = rg_mul(w, rg_softplus(rg_neg(z)));
    rg_val sum = rg_add(rg_mul(rg_one_minus(y), z), l);
    return same_shape(sum, z, "bce_logits", "the result", "the prediction")
         ? sum : (rg_val){ .graph = z.graph };
}

rg_val rg_bce_prob(rg_val p, rg_val y)
{
    const double eps = 1e-7;
    if (!same_shape(p, y, "bce_prob", "the prediction", "the target"))
        return (rg_val){ .graph = p.graph };
    rg_val safe = rg_clip(p, eps, 1 - eps);
    rg_val yes = rg_mul(y, rg_log(safe)), no = rg_mul(rg_one_minus(y), rg_log(rg_one_minus(safe)));
    return rg_neg(rg_add(yes, no));
}

rg_val rg_hinge(rg_val z, rg_val t)
{
    if (!same_shape(z, t, "hinge", "the prediction", "the target"))
        return (rg_val){ .graph = z.graph };
    return rg_relu(rg_one_minus(rg_mul(t, z)));
}

rg_val rg_ignore(rg_val *y, int32_t id, rg_val mask)
{
    rg_graph *g = y ? y->graph : NULL;
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (mask.graph && !same_shape(*y, mask, "ignore", "the target", "the mask"))
        return (rg_val){ .graph = g };
    rg_val none = rg_equal(*y, rg_constant(g, RG_INT, RG_SCALAR, &id, 1));
    *y = rg_where(none, rg_zero_of(g, RG_INT), *y);
    rg_val counts = rg_not(none);
    return mask.graph ? rg_and(mask, counts) : counts;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* ln cosh e = ln(1 + e^2e) - e - ln 2, smooth where |e| is not. */
rg_val rg_logcosh(rg_val y, rg_val target)
{
    rg_val e = residual(y, target, "logcosh");
    rg_val l = rg_shift(rg_sub(rg_softplus(rg_scale(e, 2)), e), -log(2));
    return rg_mean_over(l, -1, false);
}

rg_val rg_nll_gauss(rg_val mean, rg_val s, rg_val t)
{
    if (!same_shape(mean, t, "nll_gauss", "the mean", "the target") ||
        !same_shape(mean, s, "nll_gauss", "the mean", "the spread"))
        return (rg_val){ .graph = mean.graph };
    rg_val v = rg_shift(rg_softplus(s), 1e-6);
    rg_val e = rg_div(rg_square(rg_sub(t, mean)), v);
    return rg_scale(rg_add(rg_log(v), e), 0.5);
}

rg_val rg_poisson(rg_val z, rg_val t)
{
    if (!same_shape(z, t, "poisson", "the prediction", "the target"))
        return (rg_val){ .graph = z.graph };
    return rg_sub(rg_exp(z), rg_mul(t, z));
}

rg_val rg_cosine_distance(rg_val a, rg_val b)
{
    if (!same_shape(a, b, "cosine_distance", "one vector", "the other") ||
        (rg_shape_of(a).rank < 1 && rg_poison(a.graph, RG_ESHAPE, "cosine_distance: a scalar has "
                                              "no axis").graph))
        return (rg_val){ .graph = a.graph };
    rg_val dot = rg_sum_over(rg_mul(a, b), -1, false);
    rg_val norms = rg_mul(rg_norm_over(a, -1, false), rg_norm_over(b, -1, false));
    return rg_one_minus(rg_safe_div(dot, norms));
}

/* ---- Reductions ------------------------------------------------------------------------------ */

/* Where, and how much, positions of l count; false: the graph is poisoned. */
static bool weigh(rg_val *counts, rg_val *weight, rg_val l, rg_val w)
{
    rg_graph *g = l.graph;
    const uint8_t one = 1;
    if (!g || g->status)
        return false;
    if (rg_shape_of(l).rank < 1 || rg_shape_of(l).rank > 2)
        rg_poison(g, RG_ESHAPE, "reduce: losses are [T,B] or [B], these are of rank %d",
                  (int)rg_shape_of(l).rank);
    else if (!w.graph)
        w = rg_broadcast(rg_constant(g, RG_BOOL, RG_SCALAR, &one, 1), rg_shape_of(l));
    else if (same_shape(l, w, "reduce", "the loss", "the weight") && rg_kind_of(w) == RG_INT)
        rg_poison(g, RG_EDTYPE, "reduce: a weight is a mask or a real number, this is an index");
    if (g->status)
        return false;
    *counts = rg_kind_of(w) == RG_BOOL ? w : rg_not(rg_equal(w, rg_const(g, 0)));
    *weight = rg_kind_of(w) == RG_BOOL ? rg_real(w) : w;
    return true;
}

rg_val rg_reduce(rg_val l, rg_val w, rg_reduction how)
{
    rg_val counts, weight, none = { .graph = l.graph };
    if (!weigh(&counts, &weight, l, w))
        return none;
    if (how < RG_MEAN_TOKENS || how > RG_EACH)
        return rg_poison(l.graph, RG_EARG, "reduce: there is no reduction %d", (int)how);
    rg_val wl = rg_mul(rg_where(counts, l, rg_const(l.graph, 0)), weight);
    if (how == RG_EACH)
        return wl;
    if (how == RG_SUM)
        return rg_sum(wl);
    if (how == RG_MEAN_TOKENS)
        return rg_safe_div(rg_sum(wl), rg_sum(weight));
    bool time = rg_shape_of(l).rank == 2;
    rg_val row = time ? rg_sum_over(wl, 0, false) : wl; /* [B] */
    rg_val of = time ? rg_sum_over(weight, 0, false) : weight;
    rg_val steps = time ? rg_sum_over(rg_real(counts), 0, false) : rg_real(counts);
    rg_val rows = rg_sum(rg_real(rg_less(rg_const(l.graph, 0), steps)));
    return rg_safe_div(rg_sum(how == RG_MEAN_BATCH_SUM_TIME ? row : rg_safe_div(row, of)), rows);
}
