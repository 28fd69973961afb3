/* bench/cells.c -- recurrent layers: train steps and forward runs of the built-in cells. */
#include "bench/bench.h"

#include "base/philox.h"

#include <stdlib.h>

/* What runs, how large. */
struct shape {
    const char *cell;
    int64_t     T, B, I, H;
    int         layers;
    bool        forward;
};

struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;
    float     *x;
};

static rg_cell make_cell(rg_graph *g, const struct shape *s, const char *group, int64_t I)
{
    if (s->cell[0] == 'l')
        return rg_lstm(g, group, I, s->H, NULL);
    if (s->cell[0] == 'r')
        return rg_rnn(g, group, I, s->H, NULL);
    return rg_gru(g, group, I, s->H,
                  &(rg_cell_opts){ .reset_after = s->cell[3] == '-' });
}

/* All gradients, that of the input too; the loss is a sum of squares. */
static void make_plan(struct net *n, const struct shape *s, const rgb_opts *opts)
{
    static const char *const group[] = { "a", "b", "c", "d" };
    rg_cell cell[4];
    rg_val x[64], root[65];
    rg_graph *g = n->graph;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(s->T, s->B, s->I));
    for (int k = 0; k < s->layers; k++)
        cell[k] = make_cell(g, s, group[k], k ? s->H : s->I);
    rg_cell whole = s->layers == 1 ? cell[0] : rg_stacked(g, cell, (size_t)s->layers, 0);
    rg_val hs = rg_unroll(NULL, &whole, X, NULL, NULL);
    const rg_plan_opts o = { .threads = opts->threads };
    size_t n_root = 1;
    root[0] = hs;
    if (!s->forward) {
        root[0] = rg_mean(rg_square(hs));
        n_root += rg_graph_params(x, 63, g);
        x[n_root - 1] = X;
        rg_grad(root + 1, root[0], x, n_root++);
    }
    rgb_check(rg_plan_create(&n->plan, root, n_root, &o), rg_graph_message(g));
    const size_t count = (size_t)(s->T * s->B * s->I);
    n->x = malloc(count * sizeof *n->x);
    for (size_t i = 0; i < count; i++)
        n->x[i] = (float)(2 * rg_draw_uniform(1, RG_DOMAIN_USER, 1, i) - 1);
    rgb_check(rg_plan_bind(n->plan, X, n->x, count * sizeof *n->x), rg_plan_message(n->plan));
}

static void run_plan(void *arg)
{
    struct net *n = arg;
    rgb_check(rg_plan_run(n->plan), rg_plan_message(n->plan));
}

/* Products only: 2·T·B·G·H·(I + H) forward, three times that with both gradients. */
static double flop_of(const struct shape *s)
{
    const double gates = s->cell[0] == 'l' ? 4 : s->cell[0] == 'g' ? 3 : 1;
    double sum = 0;
    for (int k = 0; k < s->layers; k++)
        sum += 2.0 * (double)(s->T * s->B) * gates * (double)(s->H * ((k ? s->H : s->I) + s->H));
    return s->forward ? sum : 3 * sum;
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const struct shape *s = row->arg;
    struct net n = { .params = NULL };
    rgb_check(rg_params_create(&n.params, 1, NULL), "store");
    rgb_check(rg_graph_create(&n.graph, n.params, NULL), "graph");
    make_plan(&n, s, opts);
    const rgb_flops f = rgb_measure_flops(run_plan, &n, opts);
    const double flop = flop_of(s);
    rgb_begin(row);
    rgb_text("what", s->forward ? "forward" : "train");
    rgb_text("cell", s->cell);
    rgb_number("T", (double)s->T);
    rgb_number("B", (double)s->B);
    rgb_number("I", (double)s->I);
    rgb_number("H", (double)s->H);
    rgb_number("layers", s->layers);
    rgb_text("dtype", "f32");
    rgb_number("threads", opts->threads);
    rgb_times(f.time);
    rgb_number("gflops", flop * 1e-9 / f.time.min);
    rgb_number("peak", f.peak);
    rgb_share(f.time, flop * 1e-9 / f.peak, flop * 1e-9 / f.peak, opts->threads);
    rgb_number("arena_mb", 1e-6 * (double)rg_plan_facts(n.plan).arena_bytes);
    rgb_end();
    free(n.x);
    rg_plan_destroy(&n.plan);
    rg_graph_destroy(&n.graph);
    rg_params_destroy(&n.params);
}

#define ROW(name, about, cell, ...) \
    { name, about, run, &(const struct shape){ cell, __VA_ARGS__ } }
static const rgb_row rows[] = {
    ROW("A1", "train lstm T64 B64 I128 H256", "lstm", 64, 64, 128, 256, 1, false),
    ROW("A2", "train lstm T35 B20 I200 H200", "lstm", 35, 20, 200, 200, 1, false),
    ROW("A3", "train lstm T100 B32 I512 H512", "lstm", 100, 32, 512, 512, 1, false),
    ROW("A4", "train lstm T50 B64 I256 H256", "lstm", 50, 64, 256, 256, 1, false),
    ROW("A5", "train lstm T50 B128 I256 H1024", "lstm", 50, 128, 256, 1024, 1, false),
    ROW("A6", "train lstm T35 B20 I650 H650", "lstm", 35, 20, 650, 650, 1, false),
    ROW("A7", "train lstm T28 B128 I28 H128", "lstm", 28, 128, 28, 128, 1, false),
    ROW("A8", "train lstm T784 B64 I1 H128", "lstm", 784, 64, 1, 128, 1, false),
    ROW("A9", "train lstm T50 B64 I64 H64", "lstm", 50, 64, 64, 64, 1, false),
    ROW("A11", "train lstm T64 B8 I64 H64", "lstm", 64, 8, 64, 64, 1, false),
    ROW("B1-before", "train gru T64 B64 I128 H256", "gru", 64, 64, 128, 256, 1, false),
    ROW("B1-after", "train gru, reset after, same", "gru-after", 64, 64, 128, 256, 1, false),
    ROW("B2", "train rnn T64 B64 I128 H256", "rnn", 64, 64, 128, 256, 1, false),
    ROW("B4", "train two layers of lstm T35 B20 I650 H650", "lstm", 35, 20, 650, 650, 2, false),
    ROW("D1-256", "forward lstm T64 B1 I256 H256", "lstm", 64, 1, 256, 256, 1, true),
    ROW("D1-64", "forward lstm T64 B1 I64 H64", "lstm", 64, 1, 64, 64, 1, true),
    ROW("D3-16", "forward lstm T50 B16 I256 H256", "lstm", 50, 16, 256, 256, 1, true),
    ROW("D3-128", "forward lstm T50 B128 I256 H256", "lstm", 50, 128, 256, 256, 1, true),
    ROW("D4-gru", "forward gru T50 B128 I256 H256", "gru", 50, 128, 256, 256, 1, true),
    ROW("D4-rnn", "forward rnn T50 B128 I256 H256", "rnn", 50, 128, 256, 256, 1, true),
};

const rgb_rows rgb_cells = { rows, sizeof rows / sizeof *rows };
