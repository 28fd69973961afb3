/* layers/mgu.c -- minimal gated unit: a GRU whose one gate resets and updates; x [B,I], h [B,H]:
 *
 *     f  = σ(x·Uf + h·Wf + bf)        g = tanh(x·Ug + (f∘h)·Wg + bg)
 *     h' = (1 - f)∘h + f∘g
 *
 * Zhou, Wu, Zhang, Zhou, "Minimal gated unit for recurrent neural networks", 2016. f takes, so a
 * long memory is a low f: chrono starts its bias at -ln τ. */
#include "layers/cell.h"

static void mgu_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gated *p = weights;
    rg_val h = s[0];
    rg_val f = rg_sigmoid(rg_gate_sum(&p->gate[0], x, h));
    rg_val g = rg_tanh(rg_gate_sum(&p->gate[1], x, rg_mul(f, h)));
    g = rg_dropout(g, p->drop, "candidate");
    rg_val kept = rg_mul(rg_one_minus(f), h);
    next[0] = rg_add(kept, rg_mul(f, g));
}

rg_cell rg_mgu(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    static const rg_gated_kind kind = {
        "mgu", mgu_step, RG_KNOWS_FORGET | RG_KNOWS_CHRONO | RG_KNOWS_DROP_H | RG_KNOWS_DROP_G, 2,
        { { "f", 1, -1, 0 }, { "g", 0, 0, 0 } }
    };
    return rg_gated_cell(&kind, graph, group, I, H, opts);
}
