/* layers/mingru.c -- a GRU whose gate and candidate see the input only; x [B,I], h [B,H]:
 *
 *     u  = σ(x·Uu + bu)               h' = (1 - u)∘h + u∘(x·Ug + bg)
 *
 * All products of all steps are one. Feng, Tung, Ahmed, Bengio, Hajimirsadeghi, "Were RNNs all we
 * needed?", 2024. u takes, so chrono starts its bias at -ln τ. */
#include "layers/cell.h"

struct mingru {
    int64_t width[1];
    rg_gate gate[2]; /* u, g; no W */
};

static void mingru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const struct mingru *)weights)->gate;
    rg_val u = rg_sigmoid(rg_affine(x, gate[0].U, gate[0].b));
    rg_val g = rg_affine(x, gate[1].U, gate[1].b);
    rg_val kept = rg_mul(rg_one_minus(u), s[0]);
    next[0] = rg_add(kept, rg_mul(u, g));
}

rg_cell rg_mingru(rg_graph *graph, const char *group, int64_t I, int64_t H,
                  const rg_cell_opts *opts)
{
    static const rg_gate_kind kind[2] = { { "u", 0, -1, RG_NO_W }, { "g", 0, 0, RG_NO_W } };
    rg_cell_site site;
    struct mingru *p = NULL;
    if (rg_cell_site_init(&site, graph, "mingru", group, I, H, opts, RG_KNOWS_CHRONO) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        p->width[0] = H;
        rg_gates_declare(p->gate, NULL, &site, kind, 2);
    }
    return rg_cell_of("mingru", 1, p ? p->width : NULL, mingru_step, p);
}
