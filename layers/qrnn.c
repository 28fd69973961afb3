/* layers/qrnn.c -- the quasi-recurrent network: gates of this input and those before it, pooled
 * over time; x [B,I], c and h [B,H], p the last window-1 inputs side by side, the latest first,
 * zeros before the beginning. With a = x·U + p·V + b of each gate:
 *
 *     z = tanh(az)     f = σ(af)     o = σ(ao)     i = σ(ai)             p' = [x, p but its last]
 *     fo   c' = f∘c + (1 - f)∘z      y = o∘c'                            the default
 *     f    h' = f∘h + (1 - f)∘z
 *     ifo  c' = f∘c + i∘z            y = o∘c'
 *
 * Bradbury, Merity, Xiong, Socher, "Quasi-recurrent neural networks", 2016. */
#include "layers/cell.h"

enum { Z, F, O, I_, GATES };

struct qrnn {
    int64_t    width[3];
    int64_t    I, past;     /* widths of x and p; without p 0 */
    rg_gate    gate[GATES]; /* of the input; no W */
    rg_val     V[GATES];    /* [past,H], of the inputs before */
    rg_pooling pool;
};

static rg_val sum(const struct qrnn *w, int k, rg_val x, rg_val before)
{
    const rg_gate *gate = &w->gate[k];
    return w->past ? rg_affine2(x, gate->U, before, w->V[k], gate->b)
                   : rg_affine(x, gate->U, gate->b);
}

/* States: y, c, p, of which y is not read; or h, p. */
static void qrnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct qrnn *w = weights;
    size_t at = w->pool == RG_POOL_F ? 0 : 1;
    rg_val c = s[at], before = w->past ? s[at + 1] : RG_NONE;
    rg_val z = rg_tanh(sum(w, Z, x, before));
    rg_val f = rg_sigmoid(sum(w, F, x, before));
    rg_val take = w->pool == RG_POOL_IFO ? rg_sigmoid(sum(w, I_, x, before)) : rg_one_minus(f);
    rg_val kept = rg_mul(f, c);
    next[at] = rg_add(kept, rg_mul(take, z));
    if (w->past > w->I)
        next[at + 1] = rg_concat((const rg_val[]){ x, rg_slice(before, -1, 0, w->past - w->I) }, 2,
                                 -1);
    else if (w->past)
        next[at + 1] = x;
    if (at > 0)
        next[0] = rg_mul(rg_sigmoid(sum(w, O, x, before)), next[at]);
}

static void declare(struct qrnn *p, const rg_cell_site *s)
{
    static const rg_gate_kind kind[GATES] = {
        { "z", 0, 0, RG_NO_W }, { "f", 0, 1, RG_NO_W }, { "o", 0, 0, RG_NO_W },
        { "i", 0, -1, RG_NO_W },
    };
    size_t n = p->pool == RG_POOL_F ? 2 : p->pool == RG_POOL_FO ? 3 : 4;
    p->width[0] = p->width[1] = s->H;
    p->width[n == 2 ? 1 : 2] = p->past;
    rg_gates_declare(p->gate, NULL, s, kind, n);
    for (size_t k = 0; k < n && p->past; k++)
        p->V[k] = rg_gate_param(s->graph, s->group, "V", kind[k].suffix, RG_SHAPE(p->past, s->H),
                                rg_cell_init_U(s, n));
}

rg_cell rg_qrnn(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    rg_cell_site site;
    struct qrnn *p = NULL;
    size_t n_state = opts && opts->pool == RG_POOL_F ? 1 : 2;
    if (!opts || opts->window != 1)
        n_state++; /* p */
    if (rg_cell_site_init(&site, graph, "qrnn", group, I, H, opts,
                          RG_KNOWS_QRNN | RG_KNOWS_CHRONO) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        int64_t window = site.opts.window ? site.opts.window : 2;
        *p = (struct qrnn){ .I = I, .past = (window - 1) * I, .pool = site.opts.pool };
        declare(p, &site);
    }
    return rg_cell_of("qrnn", n_state, p ? p->width : NULL, qrnn_step, p);
}
