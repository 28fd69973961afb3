/* layers/norm.c -- layer normalisation: γ∘(x - mean)/√(var + eps) + β over the last axis. */
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
