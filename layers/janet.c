/* layers/janet.c -- an LSTM with nothing but its forget gate; x [B,I], h [B,H]:
 *
 *     s  = x·Uf + h·Wf + bf           g = tanh(x·Ug + h·Wg + bg)
 *     h' = σ(s)∘h + (1 - σ(s - 1))∘g
 *
 * The second gate opens a little wider than the first closes. Van der Westhuizen & Lasenby, "The
 * unreasonable effectiveness of the forget gate", 2018, with their β = 1. */
#include "layers/cell.h"

static void janet_step(const void *weights, rg_val x, const rg_val *state, rg_val *next)
{
    const rg_gated *p = weights;
    rg_val h = state[0];
    rg_val s = rg_gate_sum(&p->gate[0], x, h);
    rg_val g = rg_tanh(rg_gate_sum(&p->gate[1], x, h));
    g = rg_dropout(g, p->drop, "candidate");
    rg_val kept = rg_mul(rg_sigmoid(s), h);
    rg_val take = rg_one_minus(rg_sigmoid(rg_shift(s, -1)));
    next[0] = rg_add(kept, rg_mul(take, g));
}

rg_cell rg_janet(rg_graph *graph, const char *group, int64_t I, int64_t H,
                 const rg_cell_opts *opts)
{
    static const rg_gated_kind kind = {
        "janet", janet_step,
        RG_KNOWS_FORGET | RG_KNOWS_CHRONO | RG_KNOWS_DROP_H | RG_KNOWS_DROP_G, 2,
        { { "f", 1, 1, 0 }, { "g", 0, 0, 0 } }
    };
    return rg_gated_cell(&kind, graph, group, I, H, opts);
}
