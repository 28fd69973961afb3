/* bench/nets.c -- networks to measure. */
#include "bench/nets.h"

#include "base/philox.h"

#include <stdlib.h>
#include <string.h>

static const rgb_cell cells[] = {
    { "lstm", rg_lstm, { .nonlinearity = 0 }, 4, 6 },
    { "gru", rg_gru, { .nonlinearity = 0 }, 3, 5 },
    { "gru-after", rg_gru, { .reset_after = true }, 3, 5 },
    { "rnn", rg_rnn, { .nonlinearity = 0 }, 1, 2 },
    { "peephole", rgb_peephole, { .nonlinearity = 0 }, 4, 6 },
    { "coupled", rgb_coupled, { .nonlinearity = 0 }, 3, 5 },
    { "layer-norm", rgb_layer_norm, { .nonlinearity = 0 }, 4, 11 },
    { "minimal", rgb_minimal, { .nonlinearity = 0 }, 2, 4 },
};

const rgb_cell *rgb_cell_of(const char *name)
{
    size_t k = 0;
    while (strcmp(cells[k].name, name) != 0)
        k++;
    return &cells[k];
}

float rgb_value(int64_t k, int64_t i, double scale)
{
    return (float)(scale * ((double)((31 * k + i) * 7919 % 1009) / 504.5 - 1));
}

static rg_val outputs(rg_graph *g, const rgb_shape *s, rg_val X, rg_val mask)
{
    static const char *const group[] = { "a", "b", "c", "d" };
    const rgb_cell *c = rgb_cell_of(s->cell);
    rg_cell cell[4];
    for (int k = 0; k < s->layers; k++)
        cell[k] = c->make(g, group[k], k ? s->H : s->I, s->H, &c->opts);
    if (s->both) {
        cell[1] = c->make(g, group[1], s->I, s->H, &c->opts);
        return rg_bidirectional(NULL, NULL, cell, X, NULL, RG_MERGE_CONCAT, NULL);
    }
    rg_cell whole = s->layers == 1 ? cell[0] : rg_stacked(g, cell, (size_t)s->layers, 0);
    return rg_unroll(NULL, &whole, X, NULL, &(rg_unroll_opts){ .mask = mask });
}

/* What the time depends on is that there is a mask, not what it holds. */
static void bind_lengths(rgb_net *n, const rgb_shape *s, rg_val lengths)
{
    const size_t bytes = (size_t)s->B * sizeof *n->length;
    if (!(n->length = malloc(bytes)))
        rgb_check(RG_ENOMEM, "lengths");
    for (int64_t b = 0; b < s->B; b++)
        n->length[b] = (int32_t)(s->T - b * 7 % (s->T / 2));
    rgb_check(rg_plan_bind(n->plan, lengths, n->length, bytes), rg_plan_message(n->plan));
}

static void open_net(rgb_net *n, const rgb_shape *s, const rg_plan_opts *opts, bool masked)
{
    rg_val x[128], root[129];
    size_t n_root = 1;
    rg_plan_opts own = *opts;
    own.steady = s->forward; /* as others keep the weights of inference packed */
    *n = (rgb_net){ .params = NULL };
    const double begin = rg_seconds();
    rgb_check(rg_params_create(&n->params, 1, NULL), "store");
    rgb_check(rg_graph_create(&n->graph, n->params, NULL), "graph");
    rg_graph *g = n->graph;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(s->T, s->B, s->I));
    rg_val lengths = masked ? rg_input(g, "lengths", RG_INT, RG_SHAPE(s->B)) : RG_NONE;
    root[0] = outputs(g, s, X, masked ? rg_length_mask(lengths, s->T) : RG_NONE);
    if (!s->forward) {
        root[0] = rg_mean(rg_square(root[0]));
        n_root += rg_graph_params(x, 127, g);
        x[n_root - 1] = X;
        rg_grad(root + 1, root[0], x, n_root++);
    }
    n->loss = root[0];
    rg_status st = rg_plan_create(&n->plan, root, n_root, &own);
    n->compile = rg_seconds() - begin;
    if (!(opts->budget_bytes && st == RG_ELIMIT))
        rgb_check(st, rg_graph_message(g));
    if (!n->plan)
        return;
    const size_t count = (size_t)(s->T * s->B * s->I);
    if (!(n->x = malloc(count * sizeof *n->x)))
        rgb_check(RG_ENOMEM, "input");
    for (size_t i = 0; i < count; i++)
        n->x[i] = (float)(2 * rg_draw_uniform(1, RG_DOMAIN_USER, 1, i) - 1);
    rgb_check(rg_plan_bind(n->plan, X, n->x, count * sizeof *n->x), rg_plan_message(n->plan));
    if (masked)
        bind_lengths(n, s, lengths);
}

void rgb_net_open(rgb_net *n, const rgb_shape *s, const rg_plan_opts *opts)
{
    open_net(n, s, opts, false);
}

void rgb_net_open_masked(rgb_net *n, const rgb_shape *s, const rg_plan_opts *opts)
{
    open_net(n, s, opts, true);
}

void rgb_net_close(rgb_net *n)
{
    free(n->x);
    free(n->length);
    rg_plan_destroy(&n->plan);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

void rgb_net_run(void *net)
{
    const rgb_net *n = net;
    rgb_check(rg_plan_run(n->plan), rg_plan_message(n->plan));
}

/* Weights of all products. */
static double weights(const rgb_shape *s)
{
    const double gates = rgb_cell_of(s->cell)->gates;
    double sum = 0;
    for (int k = 0; k < s->layers; k++)
        sum += gates * (double)(s->H * ((k ? s->H : s->I) + s->H));
    return s->both ? 2 * sum : sum;
}

double rgb_flop(const rgb_shape *s)
{
    return (s->forward ? 2 : 6) * (double)(s->T * s->B) * weights(s);
}

double rgb_bytes_bound(const rgb_shape *s)
{
    const rgb_cell *c = rgb_cell_of(s->cell);
    const double TB = (double)(s->T * s->B), H = (double)s->H, I = (double)s->I;
    return sizeof(float) * (TB * (2 * I + c->states * H) + 2 * weights(s) + 2 * c->gates * H * H);
}

double rgb_bytes(const rgb_net *n, const rgb_shape *s)
{
    double sum = (double)rg_plan_facts(n->plan).arena_bytes
               + sizeof(float) * (double)(s->T * s->B * s->I);
    for (size_t i = 0; i < rg_params_count(n->params); i++)
        sum += sizeof(float) * (double)rg_shape_count(rg_params_at(n->params, i).shape);
    return sum;
}

void rgb_speed(const rgb_shape *s, double seconds, double peak)
{
    const double gflops = rgb_flop(s) * 1e-9 / seconds;
    rgb_number("gflops", gflops);
    rgb_number("p_fma", peak);
    rgb_number("f_peak", gflops / peak);
}

void rgb_shape_line(const rgb_shape *s, int threads)
{
    rgb_text("what", s->forward ? "forward" : "train");
    rgb_text("cell", s->cell);
    rgb_number("T", (double)s->T);
    rgb_number("B", (double)s->B);
    rgb_number("I", (double)s->I);
    rgb_number("H", (double)s->H);
    rgb_number("layers", s->layers);
    rgb_number("directions", s->both ? 2 : 1);
    rgb_text("dtype", "f32");
    rgb_number("threads", threads);
}
