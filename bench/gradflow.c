/* bench/gradflow.c -- what a training step costs that looks at the gradients of its states, against
 * the same step without; and the slopes of gradient against lag with which cells start. */
#include "bench/nets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- A sampled step -------------------------------------------------------------------------- */

typedef struct step {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;
    float     *x;
} step;

static void open_step(step *n, const rgb_shape *s, bool observed, int threads)
{
    const rgb_cell *kind = rgb_cell_of(s->cell);
    rg_val *norm;
    rgb_check(rg_params_create(&n->params, 1, NULL), "store");
    rgb_check(rg_graph_create(&n->graph, n->params, NULL), "graph");
    rg_graph *g = n->graph;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(s->T, s->B, s->I));
    rg_cell cell[2] = { kind->make(g, "l0", s->I, s->H, &kind->opts) };
    if (s->layers == 2) {
        cell[1] = kind->make(g, "l1", s->H, s->H, &kind->opts);
        cell[0] = rg_stacked(g, cell, 2, 0);
    }
    const size_t S = cell[0].n_state;
    rg_val *state = rg_graph_alloc(g, (size_t)s->T * S * sizeof *state);
    rg_val Y = rg_unroll(NULL, cell, X, NULL, &(rg_unroll_opts){ .states = state });
    rg_val loss = rg_mean(rg_square(rg_dense(Y, "out", s->H)));
    const rg_gradflow_opts look = { .states = state, .n_state = S, .T = s->T };
    const rg_plan_opts popts = { .threads = threads };
    rgb_check(observed ? rg_gradflow_train(&n->plan, &norm, loss, NULL, 0, &look, &popts)
                       : rg_plan_create_train(&n->plan, loss, NULL, 0, &popts),
              rg_graph_message(g));
    const int64_t items = s->T * s->B * s->I;
    n->x = calloc((size_t)items, sizeof *n->x);
    rgb_check(n->x ? RG_OK : RG_ENOMEM, "input");
    for (int64_t i = 0; i < items; i++)
        n->x[i] = rgb_value(0, i, 1);
    rgb_check(rg_plan_bind(n->plan, X, n->x, (size_t)items * sizeof *n->x),
              rg_plan_message(n->plan));
}

static void run_step(void *arg)
{
    step *n = arg;
    rgb_check(rg_plan_run(n->plan), rg_plan_message(n->plan));
}

static void close_step(step *n)
{
    free(n->x);
    rg_plan_destroy(&n->plan);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static void sampled(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    step n[2];
    for (int k = 0; k < 2; k++)
        open_step(&n[k], s, k, opts->threads);
    const rgb_body body[2] = { { run_step, &n[0] }, { run_step, &n[1] } };
    rgb_race race = rgb_race_rounds(body, 2, opts);
    rgb_begin(row);
    rgb_shape_line(s, opts->threads);
    rgb_text("against", "the same step without");
    rgb_times(race.time[1]);
    rgb_number("ratio", race.time[1].min / race.time[0].min);
    rgb_number("ratio_cpu", race.time[1].cpu / race.time[0].cpu);
    rgb_end();
    for (int k = 0; k < 2; k++)
        close_step(&n[k]);
}

/* ---- Slopes at initialisation (docs/MATH.md 14.4) -------------------------------------------- */

typedef struct start {
    const char  *name;
    rg_cell_fn  *make;
    rg_cell_opts opts;
    double       want, tolerance;
} start;

static const start starts[] = {
    { "rnn, init torch", rg_rnn, { .init = RG_INIT_TORCH }, -0.55, 0.06 },
    { "rnn", rg_rnn, { .reset_after = false }, -0.25, 0.03 },
    { "gru", rg_gru, { .reset_after = false }, -0.34, 0.03 },
    { "lstm, forget bias 0", rg_lstm, { .forget_bias_0 = true }, -0.36, 0.03 },
    { "lstm", rg_lstm, { .reset_after = false }, -0.10, 0.03 },
    { "lstm, init chrono", rg_lstm, { .init = RG_INIT_CHRONO, .chrono_T = 200 }, -0.01, 0.03 },
};

/* Of the cell state, where there is one. */
static double slope_of(const rg_gradflow_report *r)
{
    double slope = r->state[0].slope;
    for (size_t k = 0; k < r->n_state; k++)
        if (strcmp(r->state[k].name, "l c") == 0)
            slope = r->state[k].slope;
    return slope;
}

static double measure_start(const start *s, uint64_t seed, int threads)
{
    rg_params *params;
    rg_graph *g;
    rg_gradflow_report *r;
    rgb_check(rg_params_create(&params, seed, &(rg_params_opts){ .real = RG_F64 }), "store");
    rgb_check(rg_graph_create(&g, params, NULL), "graph");
    rg_cell cell = s->make(g, "l", 8, 64, &s->opts);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(200, 16, 8));
    const rg_gradflow_opts opts = { .real = RG_F64, .seed = seed, .threads = threads };
    rgb_check(rg_gradflow(&r, rg_unroll(NULL, &cell, X, NULL, NULL), &opts), "gradient flow");
    const double slope = slope_of(r);
    rg_gradflow_destroy(&r);
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
    return slope;
}

static void slopes(const rgb_row *row, const rgb_opts *opts)
{
    enum { SEEDS = 6 };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            sum += measure_start(&starts[i], seed, opts->threads);
        const double mean = sum / SEEDS, off = fabs(mean - starts[i].want);
        rgb_begin(row);
        rgb_text("cell", starts[i].name);
        rgb_number("slope", mean);
        rgb_number("known", starts[i].want);
        rgb_number("tolerance", starts[i].tolerance);
        rgb_text("agrees", off <= starts[i].tolerance ? "yes" : "no");
        rgb_end();
    }
}

static const rgb_shape shape[] = {
    RGB_SHAPE("lstm", 64, 32, 64, 128, 1, false), RGB_SHAPE("gru", 64, 32, 64, 128, 1, false),
    RGB_SHAPE("rnn", 64, 32, 64, 128, 1, false), RGB_SHAPE("lstm", 64, 32, 64, 256, 2, false),
};

static const rgb_row rows[] = {
    { "N1", "lstm, a step sampled by the probe loss, against one that is not", sampled, &shape[0] },
    { "N2", "gru, likewise", sampled, &shape[1] },
    { "N3", "rnn, likewise", sampled, &shape[2] },
    { "N4", "two layers of lstm, likewise", sampled, &shape[3] },
    { "N5", "slopes of gradient against lag as cells start, six seeds", slopes, NULL },
};
const rgb_rows rgb_gradflow = { rows, sizeof rows / sizeof *rows };
