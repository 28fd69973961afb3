/* layers/gru.c -- the gated recurrent unit; x [B,I], h [B,H]:
 *
 *     r = σ(x·Ur + h·Wr + br)      u = σ(x·Uu + h·Wu + bu)
 *     ĥ = tanh(x·Ug + (r∘h)·Wg + bg)                 reset before the product, the default
 *     ĥ = tanh(x·Ug + bg + r∘(h·Wg + bhg))           reset after it
 *     h' = u∘h + (1-u)∘ĥ                             u keeps, the default
 *     h' = (1-u)∘h + u∘ĥ                             u takes
 *
 * Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014: its third version
 * resets before, its first after. The two are different functions of the same weights. */
#include "layers/cell.h"

struct gru {
    int64_t width[1];
    rg_gate gate[3]; /* r, u, g */
    rg_val  bh;      /* of g, inside the reset product; none without one */
    bool    reset_after, take;
    double  drop;    /* of the candidate */
};

static rg_val candidate(const struct gru *p, rg_val x, rg_val h, rg_val r)
{
    const rg_gate *g = &p->gate[2];
    if (!p->reset_after)
        return rg_tanh(rg_gate_sum(g, x, rg_mul(r, h)));
    rg_val a = rg_affine(x, g->U, g->b);
    rg_val m = rg_affine(rg_gate_state(g, h), g->W, p->bh);
    return rg_tanh(rg_add(a, rg_mul(r, m)));
}

static void gru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gru *p = weights;
    rg_val h = s[0];
    rg_val r = rg_sigmoid(rg_gate_sum(&p->gate[0], x, h));
    rg_val u = rg_sigmoid(rg_gate_sum(&p->gate[1], x, h));
    rg_val c = rg_dropout(candidate(p, x, h, r), p->drop, "candidate");
    rg_val old = rg_mul(p->take ? rg_one_minus(u) : u, h);
    rg_val new = rg_mul(p->take ? u : rg_one_minus(u), c);
    next[0] = rg_add(old, new);
}

rg_cell rg_gru(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    rg_gate_kind kind[3] = { { "r", 0, 0, 0 }, { "u", 0, 1, 0 }, { "g", 0, 0, 0 } };
    rg_cell_site site;
    struct gru *p = NULL;
    if (rg_cell_site_init(&site, graph, "gru", group, I, H, opts,
                          RG_KNOWS_RESET | RG_KNOWS_CHRONO | RG_KNOWS_DROP_H | RG_KNOWS_DROP_G) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (struct gru){ .width = { H }, .reset_after = site.opts.reset_after,
                           .take = site.opts.update_take, .drop = site.opts.drop_candidate };
        kind[1].chrono = p->take ? -1 : 1; /* ln τ on whatever keeps the old state */
        rg_gates_declare(p->gate, p->reset_after ? &p->bh : NULL, &site, kind, 3);
    }
    return rg_cell_of("gru", 1, p ? p->width : NULL, gru_step, p);
}
