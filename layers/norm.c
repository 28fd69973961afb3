/* layers/norm.c -- layer normalisation: γ∘(x - mean)/√(var + eps) + β over the last axis; of single
 * gates, and of gates side by side. */
#include "layers/cell.h"

#include "base/text.h"

#include <math.h>

/* Is it absent, or a vector of the last axis? */
static bool fits(rg_val x, rg_val v, const char *what)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_shape is = rg_shape_of(v), of = rg_shape_of(x), n = RG_SHAPE(rg_dim(x, -1));
    if (!v.graph || rg_shape_equal(is, n))
        return true;
    rg_poison(x.graph, RG_ESHAPE, "layer_norm: %s is %s, for %s it must be %s", what,
              rg_shape_text(have, &is), rg_shape_text(want, &of),
              rg_shape_text((char[RG_SHAPE_TEXT]){ 0 }, &n));
    return false;
}

static bool all_fit(rg_val x, rg_val gamma, rg_val beta, double eps)
{
    char text[RG_NUMBER_TEXT];
    if (!x.graph || x.graph->status)
        return false;
    if (rg_dim(x, -1) < 1)
        rg_poison(x.graph, RG_ESHAPE, "layer_norm: there is no last axis to take a mean over");
    else if (!(eps > 0) || isinf(eps))
        rg_poison(x.graph, RG_EARG, "layer_norm: eps must be positive, got %s",
                  rg_number(text, eps, 9));
    return !x.graph->status && fits(x, gamma, "gamma") && fits(x, beta, "beta");
}

rg_val rg_layer_norm(rg_val x, rg_val gamma, rg_val beta, double eps)
{
    if (!all_fit(x, gamma, beta, eps))
        return (rg_val){ .graph = x.graph };
    rg_scope_push(x.graph, "LN", RG_NO_STEP);
    /* The result does not change if a number is taken from all elements, so neither does its
     * gradient. With the first one, equal elements are exact zeros, and a large mean costs no
     * digits. */
    rg_val v = rg_sub(x, rg_detach(rg_slice(x, -1, 0, 1)));
    rg_val d = rg_sub(v, rg_mean_over(v, -1, true));
    rg_val var = rg_mean_over(rg_square(d), -1, true);
    rg_val y = rg_div(d, rg_sqrt(rg_shift(var, eps)));
    if (gamma.graph)
        y = rg_mul(gamma, y);
    if (beta.graph)
        y = rg_add(y, beta);
    rg_scope_pop(x.graph);
    return y;
}

/* ---- Of gates ------------------------------------------------------------------------------- */

rg_layernorm rg_layernorm_declare(const rg_cell_site *s, const char *what, int64_t n, bool beta,
                                  double start)
{
    rg_layernorm norm = { .eps = s->opts.norm_eps > 0 ? s->opts.norm_eps : 1e-5 };
    norm.gamma = rg_gate_param(s->graph, s->group, "gamma_", what, RG_SHAPE(n), rg_init_const(1));
    if (beta)
        norm.beta = rg_gate_param(s->graph, s->group, "beta_", what, RG_SHAPE(n),
                                  rg_init_const(start));
    return norm;
}

rg_val rg_normalise(const rg_layernorm *norm, rg_val v)
{
    return rg_layer_norm(v, norm->gamma, norm->beta, norm->eps);
}

rg_joint rg_joint_declare(const rg_cell_site *s, const rg_gate *gate, size_t n, bool beta)
{
    rg_val U[RG_JOINT], W[RG_JOINT];
    rg_joint j = { .H = s->H };
    for (size_t k = 0; k < n; k++) {
        U[k] = gate[k].U;
        W[k] = gate[k].W;
    }
    j.x = rg_layernorm_declare(s, "x", (int64_t)n * s->H, beta, 0);
    j.h = rg_layernorm_declare(s, "h", (int64_t)n * s->H, beta, 0);
    j.U = rg_concat(U, n, 1);
    j.W = rg_concat(W, n, 1);
    return j;
}

rg_joint_now rg_joint_products(const rg_joint *j, rg_val x, rg_val h)
{
    rg_joint_now now;
    now.x = rg_normalise(&j->x, rg_matmul(x, j->U));
    now.h = rg_normalise(&j->h, rg_matmul(h, j->W));
    return now;
}

rg_val rg_joint_sum(const rg_joint *j, const rg_joint_now *now, size_t at, rg_val b)
{
    int64_t begin = (int64_t)at * j->H, end = begin + j->H;
    rg_val x = rg_slice(now->x, -1, begin, end);
    rg_val a = rg_add(x, rg_slice(now->h, -1, begin, end));
    return b.graph ? rg_add(a, b) : a;
}
