/* tests/train/trajectory.c -- the first 20 updates on digits by rows, as E7 of docs/EXPERIMENTS.md
 * trains: loss by loss what PyTorch has from equal weights and batches (tools/golden/digits.py).
 * Images and weights are drawn here as they were drawn there. */
#include "tests/rgt.h"
#include "tests/train/golden_digits.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>

enum { SEED = 7, UPDATES = 20, B = 64, T = 8, I = 8, H = 64, O = 10 };

/* 0 .. n-1. */
static uint64_t drawn(const char *name, uint64_t i, int n)
{
    return (uint64_t)(n * rg_draw_uniform(SEED, RG_DOMAIN_USER,
                                          rg_stream_tail(rg_fnv1a(name), 0), i));
}

/* Pixels of 0 .. 16: three parts what its class looks like, one part noise. */
static void image(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r)
{
    (void)p, (void)seed;
    r %= UPDATES * B; /* rows for testing are the first ones again */
    const uint64_t label = drawn("label", r, O);
    for (uint64_t k = 0; k < T * I; k++) {
        const uint64_t own = drawn("class", label * T * I + k, 17);
        const uint64_t noise = drawn("noise", r * T * I + k, 17);
        out->x[k / I * out->x_step + k % I] = (double)((3 * own + noise) / 4) / 16;
    }
    out->label[0] = (int32_t)label;
}

static void fill(rg_params *ps, rg_dtype real)
{
    const rg_init init = rg_init_uniform(0.125);
    for (size_t i = 0; i < rg_params_count(ps); i++) {
        const rg_param_info p = rg_params_at(ps, i);
        const size_t n = (size_t)rg_shape_count(p.shape);
        double *w = calloc(n, sizeof *w);
        RGT_CHECK(w && init.fill(&init, w, p.shape, SEED, p.name) == RG_OK);
        for (size_t k = 0; k < n; k++)
            if (real == RG_F64)
                ((double *)p.data)[k] = w[k];
            else
                ((float *)p.data)[k] = (float)w[k];
        free(w);
    }
}

/* PyTorch's forms: two biases per gate, the GRU resets after the product. */
static const struct form {
    rg_cell_fn  *cell;
    rg_cell_opts opts;
} forms[] = {
    { rg_rnn, { .bias = RG_BIAS_DOUBLE } },
    { rg_gru, { .bias = RG_BIAS_DOUBLE, .reset_after = true } },
    { rg_lstm, { .bias = RG_BIAS_DOUBLE } },
};
enum { RNN, GRU, LSTM, CELLS };
_Static_assert(sizeof golden / sizeof *golden == CELLS, "a trajectory per cell");

/* The largest difference of a loss from row @p which of the file. */
static double off_by(int which, const struct form *form, rg_dtype real, double lr)
{
    const rg_trial_opts o = {
        .problem = { "images", .T = T, .I = I, .O = O, .classes = true, .test = B, .row = image },
        .model = { form->cell, &form->opts, H }, .optim = { .kind = RG_ADAM, .lr = lr }, .batch = B,
        .updates = UPDATES, .test_every = 1, .test_rows = B, .plan = { .real = real, .threads = 1 },
    };
    rg_params *ps;
    rg_problem_graph g;
    rg_trial t;
    double worst = 0;
    RGT_CHECK(rg_params_create(&ps, SEED, &(rg_params_opts){ .real = real }) == RG_OK);
    RGT_CHECK(rg_problem_graph_create(&g, ps, &o.problem, &o.model, B) == RG_OK);
    rg_problem_graph_destroy(&g); /* its parameters stay in the store */
    fill(ps, real);
    RGT_CHECK_MSG(rg_trial_run(&t, ps, &o) == RG_OK, "%s", t.message);
    RGT_CHECK(t.n_points == UPDATES + 1);
    for (int k = 0; k < UPDATES; k++) {
        const double off = fabs(t.point[k + 1].train_loss - golden[which].loss[k]);
        worst = isnan(off) ? INFINITY : fmax(worst, off);
    }
    rg_trial_destroy(&t);
    rg_params_destroy(&ps);
    return worst;
}

RGT_TEST(trajectory, twenty_losses_on_digits_equal_those_of_pytorch)
{
    for (int c = 0; c < CELLS; c++) {
        const double f64 = off_by(c, &forms[c], RG_F64, 1e-3);
        const double f32 = off_by(c, &forms[c], RG_F32, 1e-3);
        rgt_note("%s: off by %.1e in f64, %.1e in f32\n", golden[c].name, f64, f32);
        RGT_CHECK(f64 <= 1e-9 && f32 <= 1e-5);
    }
}

RGT_TEST(trajectory, another_rate_or_form_is_noticed)
{
    const struct form one_bias = { rg_lstm, { .bias = RG_BIAS_SINGLE } };
    const struct form before = { rg_gru, { .bias = RG_BIAS_DOUBLE } };
    for (int c = 0; c < CELLS; c++)
        RGT_CHECK(off_by(c, &forms[c], RG_F32, 1.01e-3) > 1e-4);
    RGT_CHECK(off_by(LSTM, &one_bias, RG_F32, 1e-3) > 1e-4);
    RGT_CHECK(off_by(GRU, &before, RG_F32, 1e-3) > 1e-4);
    RGT_CHECK(off_by(RNN, &forms[LSTM], RG_F32, 1e-3) > 1e-4);
}
