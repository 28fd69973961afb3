/* layers/mingru.c -- a GRU whose gate and candidate see the input only; x [B,I], h [B,H]:
 *
 *     u  = σ(x·Uu + bu)               h' = (1 - u)∘h + u∘(x·Ug + bg)
 *
 * All products of all steps are one. Feng, Tung, Ahmed, Bengio, Hajimirsadeghi, "Were RNNs all we
 * needed?", 2024. u takes, so chrono starts its bias at -ln τ. */
#include "layers/cell.h"

static void mingru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const rg_gated *)weights)->gate;
    rg_val u = rg_sigmoid(rg_affine(x, gate[0].U, gate[0].b));
    rg_val g = rg_affine(x, gate[1].U, gate[1].b);
    rg_val kept = rg_mul(rg_one_minus(u), s[0]);
    next[0] = rg_add(kept, rg_mul(u, g));
}

rg_cell rg_mingru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                  const rg_cell_opts *opts)
{
    static const rg_gated_kind kind = {
        "mingru", mingru_step, RG_KNOWS_CHRONO, 2,
        { { "u", 0, -1, RG_NO_W }, { "g", 0, 0, RG_NO_W } }
    };
    return rg_gated_cell(&kind, graph, group, I, H, opts);
}
