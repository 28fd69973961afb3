/* bench/planning.c -- what it costs to build, differentiate and plan, and how that grows with T. */
#include "bench/bench.h"
#include "graph/graph.h"

#include <math.h>

struct times {
    double build, gradient, plan, total, cpu;
    size_t nodes, steps;
};

/* Once, in parts. */
static struct times once(int64_t T, const rgb_opts *opts)
{
    struct times t;
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_val x[16], root[17];
    const double begin = rg_seconds(), cpu = rgb_cpu();
    rgb_check(rg_params_create(&ps, 1, NULL), "store");
    rgb_check(rg_graph_create(&g, ps, NULL), "graph");
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, 16, 64));
    rg_cell cell = rg_lstm(g, "lstm", 64, 128, NULL);
    root[0] = rg_mean(rg_square(rg_unroll(NULL, &cell, X, NULL, NULL)));
    const double built = rg_seconds();
    const size_t n = rg_graph_params(x, 16, g);
    rg_grad(root + 1, root[0], x, n);
    const double derived = rg_seconds();
    rgb_check(rg_plan_create(&plan, root, 1 + n, &(rg_plan_opts){ .threads = opts->threads }),
              rg_graph_message(g));
    const double planned = rg_seconds();
    const double used = rgb_cpu() - cpu;
    const rg_plan_report r = rg_plan_facts(plan);
    t = (struct times){ built - begin, derived - built, planned - derived, planned - begin,
                        used, r.nodes, r.steps };
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return t;
}

enum { N_T = 6 };
static const int64_t length[N_T] = { 125, 250, 500, 1000, 2000, 4000 };

/* The exponent of T in the total, by least squares over logarithms. */
static double exponent(const struct times *best)
{
    double x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < N_T; i++) {
        const double u = log((double)length[i]), v = log(best[i].total);
        x += u;
        y += v;
        xx += u * u;
        xy += u * v;
    }
    return (N_T * xy - x * y) / (N_T * xx - x * x);
}

static void show(const rgb_row *row, const rgb_opts *opts, const struct times *best, size_t i,
                 int rounds)
{
    rgb_begin(row);
    rgb_text("what", "planning");
    rgb_text("cell", "lstm");
    rgb_number("T", (double)length[i]);
    rgb_number("threads", opts->threads);
    rgb_number("nodes", (double)best[i].nodes);
    rgb_number("steps", (double)best[i].steps);
    rgb_number("build_ms", 1e3 * best[i].build);
    rgb_number("gradient_ms", 1e3 * best[i].gradient);
    rgb_number("plan_ms", 1e3 * best[i].plan);
    rgb_number("ms_min", 1e3 * best[i].total);
    rgb_number("cpu_ms", 1e3 * best[i].cpu);
    rgb_number("rounds", rounds);
    if (i)
        rgb_number("growth", best[i].total / best[i - 1].total);
    if (i + 1 == N_T)
        rgb_number("exponent", exponent(best));
    rgb_end();
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    struct times best[N_T];
    const int rounds = opts->quick ? RGB_QUICK : RGB_ROUNDS;
    for (size_t i = 0; i < N_T; i++)
        best[i].total = INFINITY;
    for (int k = 0; k < rounds; k++) /* taking turns, so that a slow moment meets all */
        for (size_t i = 0; i < N_T; i++) {
            struct times t = once(length[i], opts);
            if (t.total < best[i].total)
                best[i] = t;
        }
    for (size_t i = 0; i < N_T; i++)
        show(row, opts, best, i, rounds);
}

/* ---- G2: building alone ---------------------------------------------------------------------- */

/* Nodes of a forward graph, weights being there already, and of its gradient: how many a second. */
static void run_build(const rgb_row *row, const rgb_opts *opts)
{
    enum { T = 1000 };
    const int rounds = opts->quick ? RGB_QUICK : RGB_ROUNDS;
    double build = INFINITY, gradient = INFINITY, nodes = 0, more = 0;
    for (int k = 0; k < rounds; k++) {
        rg_params *ps;
        rg_graph *g;
        rg_val x[16], dx[16];
        rgb_check(rg_params_create(&ps, 1, NULL), "store");
        rgb_check(rg_graph_create(&g, ps, NULL), "graph");
        rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, 16, 64));
        const rg_cell cell = rg_lstm(g, "lstm", 64, 128, NULL);
        const double begin = rg_seconds(), before = g->n_node;
        rg_val loss = rg_mean(rg_square(rg_unroll(NULL, &cell, X, NULL, NULL)));
        const double built = rg_seconds(), there = g->n_node;
        const size_t n = rg_graph_params(x, 16, g);
        rg_grad(dx, loss, x, n);
        const double derived = rg_seconds();
        rgb_check(rg_graph_status(g), rg_graph_message(g));
        build = fmin(build, built - begin);
        gradient = fmin(gradient, derived - built);
        nodes = there - before;
        more = g->n_node - there;
        rg_graph_destroy(&g);
        rg_params_destroy(&ps);
    }
    rgb_begin(row);
    rgb_text("what", "building");
    rgb_text("cell", "lstm");
    rgb_number("T", T);
    rgb_number("nodes", nodes);
    rgb_number("build_ms", 1e3 * build);
    rgb_number("nodes_per_second", nodes / build);
    rgb_number("gradient_nodes", more);
    rgb_number("gradient_ms", 1e3 * gradient);
    rgb_number("gradient_nodes_per_second", more / gradient);
    rgb_number("rounds", rounds);
    rgb_end();
}

static const rgb_row rows[] = {
    { "G1", "build, gradient and plan of an lstm, T 125 to 4000", run, NULL },
    { "G2", "building an lstm of 1000 steps and its gradient, nodes a second", run_build, NULL },
};

const rgb_rows rgb_planning = { rows, sizeof rows / sizeof *rows };
