/* layers/mingru.c -- a GRU whose gate and candidate see the input only; x [B,I], h [B,H]:
 *
 *     u  = σ(x·Uu + bu)               h' = (1 - u)∘h + u∘ĥ
 *     ĥ  = x·Ug + bg                  the default
 *     ĥ  = ψ(x·Ug + bg)               log_form: ψ(a) = a + 1/2 where a ≥ 0, σ(a) where not
 *
 * All products of all steps are one. ψ is continuous and positive, so the states of the second form
 * have logarithms, in which its authors scan them; they start at ψ(0) = 1/2. Feng, Tung, Ahmed,
 * Bengio, Hajimirsadeghi, "Were RNNs all we needed?", 2024. u takes, so chrono starts its bias at
 * -ln τ. */
#include "layers/cell.h"

static void update(const rg_gate *gate, rg_val x, rg_val h, rg_val g, rg_val *next)
{
    rg_val u = rg_sigmoid(rg_affine(x, gate->U, gate->b));
    rg_val kept = rg_mul(rg_one_minus(u), h);
    *next = rg_add(kept, rg_mul(u, g));
}

static void mingru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const rg_gated *)weights)->gate;
    update(&gate[0], x, s[0], rg_affine(x, gate[1].U, gate[1].b), next);
}

static void log_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const rg_gated *)weights)->gate;
    rg_val a = rg_affine(x, gate[1].U, gate[1].b);
    rg_val below = rg_less(a, rg_const(x.graph, 0));
    update(&gate[0], x, s[0], rg_where(below, rg_sigmoid(a), rg_shift(a, 0.5)), next);
}

double rg_mingru_start(const rg_cell *cell)
{
    return cell->step == log_step ? 0.5 : 0;
}

rg_cell rg_mingru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                  const rg_cell_opts *opts)
{
    const rg_gated_kind kind = {
        "mingru", opts && opts->log_form ? log_step : mingru_step, RG_KNOWS_LOG | RG_KNOWS_CHRONO,
        2, { { "u", 0, -1, RG_NO_W }, { "g", 0, 0, RG_NO_W } }
    };
    return rg_gated_cell(&kind, graph, group, I, H, opts);
}
