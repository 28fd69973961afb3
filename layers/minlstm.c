/* layers/minlstm.c -- an LSTM whose gates and candidate see the input only; x [B,I], h [B,H]:
 *
 *     f = σ(af)    i = σ(ai)    g = ag             a = x·U + b of each
 *     h' = f/(f+i)∘h + i/(f+i)∘g
 *
 * f and i may both underflow, so the share is computed from logarithms: with
 *
 *     k = σ(softplus(-ai) - softplus(-af))         = f/(f+i), since ln σ(a) = -softplus(-a)
 *     h' = k∘h + (1 - k)∘g
 *
 * Feng, Tung, Ahmed, Bengio, Hajimirsadeghi, "Were RNNs all we needed?", 2024. */
#include "layers/cell.h"

/* -ln σ(x·U + b) */
static rg_val log_of(const rg_gate *gate, rg_val x)
{
    return rg_softplus(rg_neg(rg_affine(x, gate->U, gate->b)));
}

static void minlstm_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const rg_gated *)weights)->gate;
    rg_val f = log_of(&gate[0], x);
    rg_val i = log_of(&gate[1], x);
    rg_val g = rg_affine(x, gate[2].U, gate[2].b);
    rg_val k = rg_sigmoid(rg_sub(i, f));
    rg_val kept = rg_mul(k, s[0]);
    next[0] = rg_add(kept, rg_mul(rg_one_minus(k), g));
}

rg_cell rg_minlstm(rg_graph *graph, const char *group, int64_t I, int64_t H,
                   const rg_cell_opts *opts)
{
    static const rg_gated_kind kind = {
        "minlstm", minlstm_step, RG_KNOWS_CHRONO, 3,
        { { "f", 0, 1, RG_NO_W }, { "i", 0, -1, RG_NO_W }, { "g", 0, 0, RG_NO_W } }
    };
    return rg_gated_cell(&kind, graph, group, I, H, opts);
}
