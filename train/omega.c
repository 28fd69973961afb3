/* train/omega.c -- the regulariser that keeps the gradient's length from step to step:
 *
 *     Ω = mean over rows  Σₜ ( ‖δₜ₊₁ · ∂hₜ₊₁/∂hₜ‖ / ‖δₜ₊₁‖ - 1 )²        δₜ = ∂L/∂hₜ
 *
 * R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
 * ICML 2013, equations 9 and 10. */
#include <retrograd/experiments.h>
#include <retrograd/grad.h>
#include <retrograd/ops.h>

#include "graph/graph.h"

/* ‖v‖ of every row, [B]. */
static rg_val length(rg_val v)
{
    return rg_norm_over(v, 1, false);
}

/* The same direction in every row, its largest element ±1: Ω is one of directions, and squares of
 * δ leave the range of f32 where δ has vanished. */
static rg_val direction(rg_val delta)
{
    return rg_safe_div(delta, rg_detach(rg_max_over(rg_abs(delta), 1, true)));
}

/* δ'·∂h'/∂h of h' = tanh(x·U + h·W + b), all but W constant: (δ'∘(1 - h'²))·Wᵀ. */
static rg_val through(rg_val h_next, rg_val delta, rg_val W)
{
    rg_val d = rg_detach(rg_mul(delta, rg_one_minus(rg_square(h_next))));
    return rg_matmul_t(d, W, false, true);
}

rg_val rg_omega(rg_val L, const rg_val *h, int64_t T, rg_val W)
{
    if (!L.graph)
        return RG_NONE;
    if (!h || T < 2)
        return rg_poison(L.graph, RG_EARG, "omega: needs the states of two steps");
    rg_val sum = RG_NONE, *delta = rg_graph_alloc(L.graph, (size_t)T * sizeof *delta);
    if (!delta)
        return RG_NONE;
    rg_grad(delta, L, h, (size_t)T);
    for (int64_t t = 1; t < T; t++) {
        rg_val back, after = direction(W.graph ? rg_detach(delta[t]) : delta[t]);
        if (W.graph)
            back = through(h[t], after, W);
        else
            rg_vjp(&back, &h[t], &after, 1, &h[t - 1], 1);
        rg_val ratio = rg_safe_div(length(back), length(after));
        rg_val change = rg_square(rg_shift(ratio, -1)); /* [B] */
        sum = t > 1 ? rg_add(sum, change) : change;
    }
    return rg_mean(sum);
}
