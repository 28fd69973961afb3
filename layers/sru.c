/* layers/sru.c -- the simple recurrent unit; x [B,I], c [B,H]:
 *
 *     f  = σ(x·Uf + bf + vf∘c)        c' = f∘c + (1 - f)∘(x·U)
 *     r  = σ(x·Ur + br + vr∘c)        y  = r∘c' + (1 - r)∘x             both gates see the old c
 *
 * with x·Ures in place of x where I != H. Every product of every step is one. Lei, Zhang, Wang,
 * Dai, Artzi, "Simple recurrent units for highly parallelizable recurrence", 2018, without its
 * scale α. Its first version, sru_v1, has no v, and y = r∘tanh(c') + (1 - r)∘x: Lei, Zhang,
 * "Training RNNs as fast as CNNs", 2017. */
#include "layers/cell.h"

struct sru {
    int64_t width[2];
    rg_gate gate[4]; /* U, f, r, res; no W, res only where I != H */
    rg_val  vf, vr;  /* none in the first version */
};

static rg_val gate(const rg_gate *p, rg_val x, rg_val v, rg_val c)
{
    rg_val a = rg_affine(x, p->U, p->b);
    return rg_sigmoid(v.graph ? rg_add(a, rg_mul(v, c)) : a);
}

/* s[0] is the output of the step before, which nobody needs. */
static void sru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct sru *p = weights;
    rg_val c = s[1];
    rg_val new = rg_matmul(x, p->gate[0].U);
    rg_val f = gate(&p->gate[1], x, p->vf, c);
    rg_val r = gate(&p->gate[2], x, p->vr, c);
    rg_val past = p->gate[3].U.graph ? rg_matmul(x, p->gate[3].U) : x;
    rg_val kept = rg_mul(f, c);
    next[1] = rg_add(kept, rg_mul(rg_one_minus(f), new));
    rg_val out = rg_mul(r, p->vf.graph ? next[1] : rg_tanh(next[1]));
    next[0] = rg_add(out, rg_mul(rg_one_minus(r), past));
}

rg_cell rg_sru(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    static const rg_gate_kind kind[4] = {
        { "", 0, 0, RG_NO_W | RG_NO_B }, { "f", 0, 1, RG_NO_W }, { "r", 0, 0, RG_NO_W },
        { "res", 0, 0, RG_NO_W | RG_NO_B },
    };
    rg_cell_site site;
    struct sru *p = NULL;
    if (rg_cell_site_init(&site, graph, "sru", group, I, H, opts, RG_KNOWS_SRU | RG_KNOWS_CHRONO) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        p->width[0] = p->width[1] = H;
        rg_gates_declare(p->gate, NULL, &site, kind, I == H ? 3 : 4);
        if (!site.opts.sru_v1) {
            p->vf = rg_param(graph, group, "vf", RG_SHAPE(H), rg_init_zeros());
            p->vr = rg_param(graph, group, "vr", RG_SHAPE(H), rg_init_zeros());
        }
    }
    return rg_cell_of("sru", 2, p ? p->width : NULL, sru_step, p);
}
