/* layers/janet.c -- an LSTM with nothing but its forget gate; x [B,I], h [B,H]:
 *
 *     s  = x·Uf + h·Wf + bf           g = tanh(x·Ug + h·Wg + bg)
 *     h' = σ(s)∘h + (1 - σ(s - 1))∘g
 *
 * The second gate opens a little wider than the first closes. Van der Westhuizen & Lasenby, "The
 * unreasonable effectiveness of the forget gate", 2018, with their β = 1. */
#include "layers/cell.h"

struct janet {
    int64_t width[1];
    rg_gate gate[2]; /* f, g */
    double  drop;    /* of g */
};

static void janet_step(const void *weights, rg_val x, const rg_val *state, rg_val *next)
{
    const struct janet *p = weights;
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
    rg_gate_kind kind[2] = { { "f", 1, 1, 0 }, { "g", 0, 0, 0 } };
    rg_cell_site site;
    struct janet *p = NULL;
    if (rg_cell_site_init(&site, graph, "janet", group, I, H, opts,
                          RG_KNOWS_FORGET | RG_KNOWS_CHRONO | RG_KNOWS_DROP_H | RG_KNOWS_DROP_G) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        p->width[0] = H;
        p->drop = site.opts.drop_candidate;
        kind[0].bias = site.opts.forget_bias_0 ? 0 : 1;
        rg_gates_declare(p->gate, NULL, &site, kind, 2);
    }
    return rg_cell_of("janet", 1, p ? p->width : NULL, janet_step, p);
}
