/* layers/lstm.c -- the long short-term memory; x [B,I], h and c [B,H]:
 *
 *     i,f,o = σ(x·U + h·W + b)     g = tanh(x·Uc + h·Wc + bc)      one U, W, b per gate
 *     c' = f∘c + i∘g               h' = o∘tanh(c')
 *
 * Hochreiter & Schmidhuber, "Long short-term memory", 1997; forget gate, and its bias of 1: Gers,
 * Schmidhuber, Cummins, "Learning to forget", 2000. */
#include "layers/cell.h"

struct lstm {
    int64_t width[2];
    rg_gate gate[4]; /* i, f, c, o */
};

static void lstm_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = ((const struct lstm *)weights)->gate;
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(rg_gate_sum(&gate[0], x, h));
    rg_val f = rg_sigmoid(rg_gate_sum(&gate[1], x, h));
    rg_val g = rg_tanh(rg_gate_sum(&gate[2], x, h));
    rg_val o = rg_sigmoid(rg_gate_sum(&gate[3], x, h));
    rg_val kept = rg_mul(f, c);
    rg_val new = rg_mul(i, g);
    next[1] = rg_add(kept, new);
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

rg_cell rg_lstm(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    rg_gate_kind kind[4] = { { "i", 0, -1 }, { "f", 1, 1 }, { "c", 0, 0 }, { "o", 0, 0 } };
    rg_cell_site site;
    struct lstm *p = NULL;
    if (rg_cell_site_init(&site, graph, "lstm", group, I, H, opts,
                          RG_KNOWS_FORGET | RG_KNOWS_CHRONO) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (struct lstm){ .width = { H, H } };
        kind[1].bias = site.opts.forget_bias_0 ? 0 : 1;
        rg_gates_declare(p->gate, NULL, &site, kind, 4);
    }
    return rg_cell_of("lstm", 2, p ? p->width : NULL, lstm_step, p);
}
