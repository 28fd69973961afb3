/* layers/qrnn.c -- the quasi-recurrent network, window 2: gates of this input and the one before,
 * pooled over time; x, p [B,I], c and h [B,H]. With a = x·U + p·V + b of each gate:
 *
 *     z = tanh(az)     f = σ(af)     o = σ(ao)     i = σ(ai)             p' = x
 *     fo   c' = f∘c + (1 - f)∘z      y = o∘c'                            the default
 *     f    h' = f∘h + (1 - f)∘z
 *     ifo  c' = f∘c + i∘z            y = o∘c'
 *
 * Bradbury, Merity, Xiong, Socher, "Quasi-recurrent neural networks", 2016. */
#include "layers/cell.h"

enum { Z, F, O, I_, GATES };

struct qrnn {
    int64_t    width[3];
    rg_gate    gate[GATES]; /* of the input; no W */
    rg_val     V[GATES];    /* of the input before */
    rg_pooling pool;
};

static rg_val sum(const struct qrnn *w, int k, rg_val x, rg_val before)
{
    return rg_affine2(x, w->gate[k].U, before, w->V[k], w->gate[k].b);
}

/* States: y, c, p, of which y is not read; or h, p. */
static void qrnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct qrnn *w = weights;
    size_t at = w->pool == RG_POOL_F ? 0 : 1;
    rg_val c = s[at], before = s[at + 1];
    rg_val z = rg_tanh(sum(w, Z, x, before));
    rg_val f = rg_sigmoid(sum(w, F, x, before));
    rg_val take = w->pool == RG_POOL_IFO ? rg_sigmoid(sum(w, I_, x, before)) : rg_one_minus(f);
    rg_val kept = rg_mul(f, c);
    next[at] = rg_add(kept, rg_mul(take, z));
    next[at + 1] = x;
    if (at > 0)
        next[0] = rg_mul(rg_sigmoid(sum(w, O, x, before)), next[at]);
}

rg_cell rg_qrnn(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    static const rg_gate_kind kind[GATES] = {
        { "z", 0, 0, RG_NO_W }, { "f", 0, 1, RG_NO_W }, { "o", 0, 0, RG_NO_W },
        { "i", 0, -1, RG_NO_W },
    };
    rg_cell_site site;
    struct qrnn *p = NULL;
    size_t n_state = opts && opts->pool == RG_POOL_F ? 2 : 3;
    if (rg_cell_site_init(&site, graph, "qrnn", group, I, H, opts,
                          RG_KNOWS_POOL | RG_KNOWS_CHRONO) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        size_t n = site.opts.pool == RG_POOL_F ? 2 : site.opts.pool == RG_POOL_FO ? 3 : 4;
        *p = (struct qrnn){ .width = { H, n == 2 ? I : H, I }, .pool = site.opts.pool };
        rg_gates_declare(p->gate, NULL, &site, kind, n);
        for (size_t k = 0; k < n; k++)
            p->V[k] = rg_gate_param(graph, group, "V", kind[k].suffix, RG_SHAPE(I, H),
                                    rg_cell_init_U(&site, n));
    }
    return rg_cell_of("qrnn", n_state, p ? p->width : NULL, qrnn_step, p);
}
