/* tests/train/curves.c -- every built-in cell learns a task whose best loss is known, as fast as
 * when this was written: what gradient checks cannot see, such as a bad start or rate, shows. */
#include "tests/rgt.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/retrograd.h>

enum { V = 4, LAG = 3, N = 40000, NOISE = 8, STEPS = 300, LAST = 50 };

/* A symbol is what came LAG before, but one in NOISE is drawn anew. */
static rg_span echoes(void)
{
    static int32_t text[N];
    for (uint32_t i = 0; i < N; i++) {
        const bool fresh = i < LAG || rg_draw_below(3, RG_DOMAIN_USER, 1, i, NOISE) == 0;
        text[i] = fresh ? (int32_t)rg_draw_below(3, RG_DOMAIN_USER, 2, i, V) : text[i - LAG];
    }
    return (rg_span){ text, N };
}

/* Nats per symbol of who knows the rule: the entropy of the next one. */
static double floor_of(void)
{
    const double other = 1.0 / NOISE / V, same = 1 - (V - 1) * other;
    return -same * log(same) - (V - 1) * other * log(other);
}

/* Mean loss of the last steps. */
static double trained(rg_cell_fn *cell, const rg_cell_opts *opts, uint64_t seed, double lr)
{
    rg_params *params;
    rg_trainer *t;
    rg_trainer_opts o = {
        .model = { .V = V, .hidden = 24, .layers = 1, .cell = cell, .cell_opts = opts },
        .optim = { .lr = lr, .clip_norm = 1 }, .T = 16, .B = 16,
    };
    double sum = 0;
    RGT_CHECK(rg_params_create(&params, seed, NULL) == RG_OK);
    RGT_CHECK_MSG(rg_trainer_create(&t, params, echoes(), &o) == RG_OK, "%s",
                  rg_params_message(params));
    for (int i = 0; i < STEPS; i++) {
        RGT_CHECK_MSG(rg_trainer_step(t) == RG_OK, "%s", rg_trainer_message(t));
        sum += i >= STEPS - LAST ? rg_trainer_facts(t).loss : 0;
    }
    rg_trainer_destroy(&t);
    rg_params_destroy(&params);
    return sum / LAST;
}

static const struct { const char *name; rg_cell_fn *cell; rg_cell_opts opts; } cells[] = {
    { "rnn", rg_rnn, { .bias = 0 } }, { "rnn-relu", rg_rnn, { .nonlinearity = RG_RELU } },
    { "gru", rg_gru, { .bias = 0 } }, { "gru-after", rg_gru, { .reset_after = true } },
    { "lstm", rg_lstm, { .bias = 0 } },
};
enum { CELLS = sizeof cells / sizeof *cells };

RGT_TEST(curves, every_cell_learns_what_came_three_steps_before)
{
    const double best = floor_of();
    RGT_CHECK(fabs(best - 0.414) < 1e-3);
    for (int i = 0; i < CELLS; i++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            double loss = trained(cells[i].cell, &cells[i].opts, seed, 0.01);
            RGT_CHECK_MSG(loss > 0.95 * best && loss < 1.15 * best, "%s, seed %d: %.4f of %.4f",
                          cells[i].name, (int)seed, loss, best);
        }
}

/* The band tells learning from not learning. */
RGT_TEST(curves, a_rate_a_hundred_times_too_small_is_noticed)
{
    for (int i = 0; i < CELLS; i++)
        RGT_CHECK(trained(cells[i].cell, &cells[i].opts, 1, 1e-4) > 1.5 * floor_of());
}
