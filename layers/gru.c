/* layers/gru.c -- the gated recurrent unit; x [B,I], h [B,H]:
 *
 *     r = σ(x·Ur + h·Wr + br)      u = σ(x·Uu + h·Wu + bu)
 *     ĥ = tanh(x·Ug + (r∘h)·Wg + bg)                 reset before the product, the default
 *     ĥ = tanh(x·Ug + bg + r∘(h·Wg + bhg))           reset after it
 *     h' = u∘h + (1-u)∘ĥ                             u keeps, the default
 *     h' = (1-u)∘h + u∘ĥ                             u takes
 *
 * With norm, which resets after, every product has a layer norm before it is added: that of r and u
 * together, LN(x·[Ur Uu]) + LN(h·[Wr Wu]), and ĥ = tanh(LN(x·Ug) + r∘LN(h·Wg) + bg).
 *
 * Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014: its third version
 * resets before, its first after. The two are different functions of the same weights. Layer norm:
 * Ba, Kiros, Hinton 2016. */
#include "layers/cell.h"

enum { R, U, G, GATES };

struct gru {
    int64_t      width[1];
    rg_gate      gate[GATES];
    rg_val       bh;           /* of g, inside the reset product; none without one */
    bool         reset_after, take;
    double       drop, clip;   /* of the candidate; of what each σ and tanh is taken of */
    rg_joint     joint;        /* norm: of r and u, */
    rg_layernorm of_x, of_h;   /* and of both products of g */
};

/* What r or u is the σ of. */
static rg_val gate_sum(const struct gru *p, const rg_joint_now *now, size_t k, rg_val x, rg_val h)
{
    rg_val a = p->joint.U.graph ? rg_joint_sum(&p->joint, now, k, p->gate[k].b)
                                : rg_gate_sum(&p->gate[k], x, h);
    return rg_within(a, p->clip);
}

/* What ĥ is the tanh of. */
static rg_val candidate_sum(const struct gru *p, rg_val x, rg_val h, rg_val r)
{
    const rg_gate *g = &p->gate[G];
    if (!p->reset_after)
        return rg_gate_sum(g, x, rg_mul(r, h));
    if (p->joint.U.graph) {
        rg_val a = rg_normalise(&p->of_x, rg_matmul(x, g->U));
        rg_val m = rg_normalise(&p->of_h, rg_matmul(rg_gate_state(g, h), g->W));
        a = rg_add(a, rg_mul(r, m));
        return g->b.graph ? rg_add(a, g->b) : a;
    }
    rg_val a = rg_affine(x, g->U, g->b);
    rg_val m = rg_affine(rg_gate_state(g, h), g->W, p->bh);
    return rg_add(a, rg_mul(r, m));
}

static void gru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gru *p = weights;
    rg_joint_now now = { .x = { .graph = NULL } };
    rg_val h = s[0];
    if (p->joint.U.graph)
        now = rg_joint_products(&p->joint, x, rg_gate_state(&p->gate[R], h));
    rg_val r = rg_sigmoid(gate_sum(p, &now, R, x, h));
    rg_val u = rg_sigmoid(gate_sum(p, &now, U, x, h));
    rg_val c = rg_tanh(rg_within(candidate_sum(p, x, h, r), p->clip));
    c = rg_dropout(c, p->drop, "candidate");
    rg_val old = rg_mul(p->take ? rg_one_minus(u) : u, h);
    rg_val new = rg_mul(p->take ? u : rg_one_minus(u), c);
    next[0] = rg_add(old, new);
}

static void declare(struct gru *p, const rg_cell_site *s)
{
    rg_gate_kind kind[GATES] = { { "r", 0, 0, 0 }, { "u", 0, 1, 0 }, { "g", 0, 0, 0 } };
    kind[U].chrono = p->take ? -1 : 1; /* ln τ on whatever keeps the old state */
    rg_gates_declare(p->gate, p->reset_after ? &p->bh : NULL, s, kind, GATES);
    if (!s->opts.norm)
        return;
    p->joint = rg_joint_declare(s, p->gate, 2, true);
    p->of_x = rg_layernorm_declare(s, "xg", s->H, true, 0);
    p->of_h = rg_layernorm_declare(s, "hg", s->H, true, 0);
}

rg_cell rg_gru(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    rg_cell_site site;
    struct gru *p = NULL;
    if (rg_cell_site_init(&site, graph, "gru", group, I, H, opts,
                          RG_KNOWS_RESET | RG_KNOWS_CHRONO | RG_KNOWS_DROP_H | RG_KNOWS_DROP_G) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (struct gru){ .width = { H }, .reset_after = site.opts.reset_after,
                           .take = site.opts.update_take, .drop = site.opts.drop_candidate,
                           .clip = site.opts.preact_clip };
        declare(p, &site);
    }
    return rg_cell_of("gru", 1, p ? p->width : NULL, gru_step, p);
}
