/* layers/losses.c -- one number per position; the mean over those that count. */
#include "layers/cell.h"

#include "base/text.h"

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
