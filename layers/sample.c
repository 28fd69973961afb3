/* layers/sample.c -- drawing from a softmax: one uniform number per position, inverse CDF in order
 * of the index. */
#include "layers/cell.h"

#include "base/text.h"

#include <math.h>

/* The least k whose cumulated probability exceeds u. A class of probability 0 is never drawn, since
 * it does not raise the sum; u stays below 1, in f32 too, so one always exceeds it. */
rg_val rg_sample(rg_val z, double temperature, const char *stream)
{
    rg_graph *g = z.graph;
    rg_shape one = rg_shape_of(z);
    char text[RG_NUMBER_TEXT];
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (temperature == 0)
        return rg_argmax(z, -1);
    if (!(temperature > 0 && isfinite(temperature) && isfinite(1 / temperature)))
        return rg_poison(g, RG_EARG, "sample: the temperature must be finite and not negative, "
                         "got %s", rg_number(text, temperature, 9));
    if (one.rank < 1)
        return rg_poison(g, RG_ESHAPE, "sample: logits are [...,V], these are a scalar");
    one.dim[one.rank - 1] = 1;
    rg_val p = rg_softmax(rg_scale(z, 1 / temperature), -1);
    rg_val sum = rg_cumsum(p, -1);
    rg_val total = rg_slice(sum, -1, rg_dim(z, -1) - 1, rg_dim(z, -1));
    rg_val u = rg_clip(rg_uniform(g, stream, one), 0, 1 - 0x1p-24);
    return rg_argmax(rg_real(rg_less(rg_mul(u, total), sum)), -1);
}
