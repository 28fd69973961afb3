/* bench/user_cells.c -- cells that the library has not, written as a user would: one weight per
 * gate, one product per use, nothing merged by hand. */
#include "bench/nets.h"

/* Up to four gates, and whatever else a cell has by unit. */
struct weights {
    int64_t width[2];
    rg_gate i, f, g, o;
    rg_val  more[8];
};

static struct weights *declare(rg_graph *g, const char *group, int64_t I, int64_t H,
                               const char *gates)
{
    struct weights *w = rg_graph_alloc(g, sizeof *w);
    if (!w)
        return NULL;
    rg_gate *to[] = { &w->i, &w->f, &w->g, &w->o };
    w->width[0] = w->width[1] = H;
    for (int k = 0; gates[k]; k++)
        *to[k] = rg_gate_declare(g, group, (char[]){ gates[k], 0 }, I, H, gates[k] == 'f');
    return w;
}

/* c' = f∘c + i∘tanh(..), gates see the cell: i, f by c, o by c' (Gers, Schraudolph 2000). */
static void peephole_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct weights *w = weights;
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(rg_add(rg_gate_sum(&w->i, x, h), rg_mul(w->more[0], c)));
    rg_val f = rg_sigmoid(rg_add(rg_gate_sum(&w->f, x, h), rg_mul(w->more[1], c)));
    rg_val g = rg_tanh(rg_gate_sum(&w->g, x, h));
    next[1] = rg_add(rg_mul(f, c), rg_mul(i, g));
    rg_val o = rg_sigmoid(rg_add(rg_gate_sum(&w->o, x, h), rg_mul(w->more[2], next[1])));
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

rg_cell rgb_peephole(rg_graph *g, const char *group, int64_t I, int64_t H,
                     const rg_cell_opts *opts)
{
    static const char *const name[] = { "pi", "pf", "po" };
    struct weights *w = declare(g, group, I, H, "ifgo");
    (void)opts;
    for (int k = 0; w && k < 3; k++)
        w->more[k] = rg_param(g, group, name[k], RG_SHAPE(H), rg_init_uniform(0.1));
    return (rg_cell){ "peephole", 2, w ? w->width : NULL, peephole_step, w };
}

/* c' = f∘c + (1-f)∘g: what is forgotten makes room (Greff et al. 2017, CIFG). */
static void coupled_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct weights *w = weights;
    rg_val h = s[0], c = s[1];
    rg_val f = rg_sigmoid(rg_gate_sum(&w->f, x, h));
    rg_val g = rg_tanh(rg_gate_sum(&w->g, x, h));
    rg_val o = rg_sigmoid(rg_gate_sum(&w->o, x, h));
    next[1] = rg_add(rg_mul(f, c), rg_mul(rg_one_minus(f), g));
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

rg_cell rgb_coupled(rg_graph *g, const char *group, int64_t I, int64_t H,
                    const rg_cell_opts *opts)
{
    struct weights *w = rg_graph_alloc(g, sizeof *w);
    (void)opts;
    if (w) {
        w->width[0] = w->width[1] = H;
        w->f = rg_gate_declare(g, group, "f", I, H, 1);
        w->g = rg_gate_declare(g, group, "g", I, H, 0);
        w->o = rg_gate_declare(g, group, "o", I, H, 0);
    }
    return (rg_cell){ "coupled", 2, w ? w->width : NULL, coupled_step, w };
}

/* (x - mean)/√(variance + ε) over units, times γ. */
static rg_val normalized(rg_val x, rg_val gain)
{
    rg_val d = rg_sub(x, rg_mean_over(x, -1, true));
    rg_val variance = rg_mean_over(rg_square(d), -1, true);
    return rg_mul(gain, rg_div(d, rg_sqrt(rg_shift(variance, 1e-5))));
}

/* An LSTM whose gates and cell are normalized (Ba, Kiros, Hinton 2016). */
static void layer_norm_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct weights *w = weights;
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(normalized(rg_gate_sum(&w->i, x, h), w->more[0]));
    rg_val f = rg_sigmoid(normalized(rg_gate_sum(&w->f, x, h), w->more[1]));
    rg_val g = rg_tanh(normalized(rg_gate_sum(&w->g, x, h), w->more[2]));
    rg_val o = rg_sigmoid(normalized(rg_gate_sum(&w->o, x, h), w->more[3]));
    next[1] = rg_add(rg_mul(f, c), rg_mul(i, g));
    next[0] = rg_mul(o, rg_tanh(normalized(next[1], w->more[4])));
}

rg_cell rgb_layer_norm(rg_graph *g, const char *group, int64_t I, int64_t H,
                       const rg_cell_opts *opts)
{
    static const char *const name[] = { "gi", "gf", "gg", "go", "gc" };
    struct weights *w = declare(g, group, I, H, "ifgo");
    (void)opts;
    for (int k = 0; w && k < 5; k++)
        w->more[k] = rg_param(g, group, name[k], RG_SHAPE(H), rg_init_const(1));
    return (rg_cell){ "layer-norm", 2, w ? w->width : NULL, layer_norm_step, w };
}

/* h' = (1-f)∘h + f∘tanh(x·U + (f∘h)·W + b): one gate (Zhou et al. 2016, MGU). */
static void minimal_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct weights *w = weights;
    rg_val h = s[0], f = rg_sigmoid(rg_gate_sum(&w->f, x, h));
    rg_val c = rg_tanh(rg_gate_sum(&w->g, x, rg_mul(f, h)));
    next[0] = rg_add(rg_mul(rg_one_minus(f), h), rg_mul(f, c));
}

rg_cell rgb_minimal(rg_graph *g, const char *group, int64_t I, int64_t H,
                    const rg_cell_opts *opts)
{
    struct weights *w = rg_graph_alloc(g, sizeof *w);
    (void)opts;
    if (w) {
        w->width[0] = H;
        w->f = rg_gate_declare(g, group, "f", I, H, 1);
        w->g = rg_gate_declare(g, group, "g", I, H, 0);
    }
    return (rg_cell){ "minimal", 1, w ? w->width : NULL, minimal_step, w };
}
