/* layers/rnn.c -- the simple recurrent network; x [B,I], h [B,H]:
 *
 *     h' = φ(x·U + h·W + b)        φ: tanh, relu or the identity
 *
 * Elman, "Finding structure in time", 1990. */
#include "layers/cell.h"

struct rnn {
    int64_t         width[1];
    rg_gate         gate;
    rg_nonlinearity phi;
    double          clip; /* of what φ is taken of */
};

static void rnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct rnn *p = weights;
    rg_val a = rg_within(rg_gate_sum(&p->gate, x, s[0]), p->clip);
    next[0] = p->phi == RG_TANH ? rg_tanh(a) : p->phi == RG_RELU ? rg_relu(a) : a;
}

rg_cell rg_rnn(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    static const rg_gate_kind kind[1] = { { .suffix = "" } };
    rg_cell_site site;
    struct rnn *p = NULL;
    if (rg_cell_site_init(&site, graph, "rnn", group, I, H, opts,
                          RG_KNOWS_RNN | RG_KNOWS_DROP_H) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (struct rnn){ .width = { H }, .phi = site.opts.nonlinearity,
                           .clip = site.opts.preact_clip };
        rg_gates_declare(&p->gate, NULL, &site, kind, 1);
    }
    return rg_cell_of("rnn", 1, p ? p->width : NULL, rnn_step, p);
}
