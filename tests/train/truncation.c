/* tests/train/truncation.c -- windows that go further back than they are long, what a window starts
 * with, streams that are saved. docs/MATH.md 6 and 16. */
#include "tests/train/help.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { V = 5, H = 4, N = 82, B = 2, T = 3, L = (N - 1) / B, WINDOWS = L / T };

static int32_t text[N];

static rg_span some_text(void)
{
    return text_of(text, N, V);
}

static rg_trainer_opts options(int64_t back, double lr)
{
    return (rg_trainer_opts){
        .model = { .cell = rg_gru, .V = V, .hidden = H },
        .optim = { .kind = RG_SGD, .lr = lr },
        .T = T, .B = B, .back = back,
        .plan = { .real = RG_F64, .effort = RG_INTERPRET }, /* row-stable: equalities of bits */
    };
}

static rg_params *store(void)
{
    rg_params *ps;
    RGT_CHECK(rg_params_create(&ps, 5, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    return ps;
}

static void step(rg_trainer *t)
{
    RGT_CHECK_MSG(rg_trainer_step(t) == RG_OK, "%s", rg_trainer_message(t));
}

static void near_weights(rg_params *a, rg_params *b, double within)
{
    RGT_CHECK(rg_params_count(a) == rg_params_count(b));
    for (size_t i = 0; i < rg_params_count(a); i++) {
        rg_param_info p = rg_params_at(a, i), q = rg_params_at(b, i);
        RGT_CHECK(!strcmp(p.name, q.name) && rg_shape_equal(p.shape, q.shape));
        for (int64_t e = 0; e < rg_shape_count(p.shape); e++) {
            double x = ((double *)p.data)[e], y = ((double *)q.data)[e];
            RGT_CHECK_MSG(fabs(x - y) <= within, "%s[%lld]: %.17g, %.17g", p.name, (long long)e, x,
                          y);
        }
    }
}

/* ---- Going further back ---------------------------------------------------------------------- */

/* With weights that stand still, states, and so losses, are those of windows of any reach. */
RGT_TEST(truncation, state_values_go_on_exactly_however_far_back_the_gradient_goes)
{
    static const int64_t back[] = { 3, 4, 6, 7, 12, 50 }; /* 50: beyond the whole stretch */
    double loss[2 * WINDOWS];
    rg_span t = some_text();
    for (size_t k = 0; k < sizeof back / sizeof *back; k++) {
        rg_params *ps = store();
        rg_trainer *trainer;
        rg_trainer_opts opts = options(back[k], 1e-300); /* θ - 1e-300·g = θ */
        RGT_CHECK(rg_trainer_create(&trainer, ps, t, &opts) == RG_OK);
        RGT_CHECK(rg_trainer_facts(trainer).windows == WINDOWS);
        for (int w = 0; w < 2 * WINDOWS; w++) {
            step(trainer);
            double now = rg_trainer_facts(trainer).loss;
            loss[w] = k ? loss[w] : now;
            RGT_CHECK_MSG(now == loss[w], "back %d, window %d: %.17g, %.17g", (int)back[k], w, now,
                          loss[w]);
        }
        RGT_CHECK(loss[0] == loss[WINDOWS]); /* an epoch begins like the first */
        rg_trainer_destroy(&trainer);
        rg_params_destroy(&ps);
    }
}

/* The text up to the end of window w in one graph, cut at `begin`; the loss of the window. */
static rg_val by_hand(rg_graph *g, int w, int64_t begin, rg_val *before)
{
    int64_t end = (w + 1) * T;
    int32_t *x = malloc((size_t)(end * B) * sizeof *x), *y = malloc((size_t)(T * B) * sizeof *y);
    for (int64_t b = 0; b < B; b++)
        for (int64_t s = 0; s < end; s++) {
            x[s * B + b] = text[b * L + s];
            if (s >= w * T)
                y[(s - w * T) * B + b] = text[b * L + s + 1];
        }
    rg_val ids = rg_constant(g, RG_INT, RG_SHAPE(end, B), x, (size_t)(end * B));
    rg_val target = rg_constant(g, RG_INT, RG_SHAPE(T, B), y, (size_t)(T * B));
    free(x);
    free(y);
    rg_cell cell = rg_gru(g, "rnn.l0", V, H, NULL);
    rg_val X = rg_one_hot(ids, V), h, s0;
    *before = rg_slice(rg_mul(X, rg_const(g, 1)), 0, 0, begin);
    (void)rg_unroll(&h, &cell, *before, NULL, NULL);
    s0 = rg_detach(h);
    rg_val out = rg_unroll(NULL, &cell, rg_slice(X, 0, begin, end), &s0, NULL);
    rg_val z = rg_dense(rg_slice(out, 0, end - begin - T, end - begin), "out", V);
    return rg_mean(rg_softmax_cross_entropy(z, target));
}

/* One window later, weights have moved by minus lr times the gradient of the cut graph. */
RGT_TEST(truncation, the_gradient_is_that_of_the_whole_text_cut_where_the_window_begins)
{
    static const int64_t back[] = { 3, 5, 6, 9, 50 };
    rg_span t = some_text();
    for (size_t k = 0; k < sizeof back / sizeof *back; k++)
        for (int w = 0; w < 5; w++) {
            rg_params *ps = store(), *hand = store();
            rg_trainer *trainer;
            rg_graph *g;
            rg_plan *plan;
            rg_optim *optim;
            rg_val before;
            rg_trainer_opts still = options(back[k], 1e-300), opts = options(back[k], 0.5);
            RGT_CHECK(rg_trainer_create(&trainer, ps, t, &still) == RG_OK);
            for (int i = 0; i < w; i++)
                step(trainer);
            int64_t begin = (w + 1) * T - back[k];
            RGT_CHECK(rg_graph_create(&g, hand, NULL) == RG_OK);
            rg_val loss = by_hand(g, w, begin > 0 ? begin : 0, &before);
            RGT_CHECK_MSG(rg_plan_create_train(&plan, loss, NULL, 0, &opts.plan) == RG_OK, "%s",
                          rg_graph_message(g));
            RGT_CHECK(rg_optim_create(&optim, hand, &opts.optim) == RG_OK);
            RGT_CHECK(rg_plan_run(plan) == RG_OK && rg_optim_step(optim, plan) == RG_OK);
            RGT_CHECK(rg_optim_rate(rg_trainer_optim(trainer), 0.5) == RG_OK);
            step(trainer);
            RGT_CHECK(fabs(rg_trainer_facts(trainer).loss - rg_plan_scalar(plan, loss)) < 1e-14);
            near_weights(ps, hand, 1e-14);
            rg_optim_destroy(&optim);
            rg_plan_destroy(&plan);
            rg_graph_destroy(&g);
            rg_trainer_destroy(&trainer);
            rg_params_destroy(&ps);
            rg_params_destroy(&hand);
        }
}

/* What lies before the cut is out of reach, and says so; what is carried in counts as constant. */
RGT_TEST(truncation, what_lies_before_the_cut_is_blocked_and_the_rest_exact)
{
    rg_params *ps = store();
    rg_graph *g;
    rg_val before, d;
    rg_gradcheck_report *report = NULL;
    (void)some_text();
    RGT_CHECK(rg_graph_create(&g, ps, NULL) == RG_OK);
    rg_val loss = by_hand(g, 3, 5, &before);
    rg_grad(&d, loss, &before, 1);
    RGT_CHECK(rg_graph_status(g) == RG_OK && rg_outcome_of(d) == RG_BLOCKED);
    rg_graph_destroy(&g);
    RGT_CHECK(rg_graph_create(&g, ps, NULL) == RG_OK);
    rg_cell cell = rg_gru(g, "rnn.l0", V, H, NULL);
    double held[B * H] = { 0.3, -0.2, 0.9, 0.1, -0.7, 0.4, 0, 0.5 };
    rg_val s0 = rg_constant(g, RG_F, RG_SHAPE(B, H), held, B * H);
    rg_val y = rg_unroll(NULL, &cell, rg_normal(g, "x", RG_SHAPE(4, B, V)), &s0, NULL);
    rg_verdict v = rg_gradcheck(&report, rg_sum(rg_square(y)), NULL, 0,
                                &(rg_gradcheck_opts){ .rtol = 1e-7 });
    RGT_CHECK_MSG(v == RG_PASS, "%s", report ? report->message : "");
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
}

/* ---- Saved streams, with everything that draws ----------------------------------------------- */

static rg_trainer_opts with_all(int k)
{
    rg_trainer_opts opts = options(k % 2 ? 8 : 0, 0.1);
    opts.model.cell = rg_lstm;
    opts.model.layers = 2;
    opts.model.embed = 3;
    opts.model.dropout = 0.3;
    opts.model.dropout_kinds = RG_DROP_ALL;
    opts.model.zoneout[0] = 0.1;
    opts.model.zoneout[1] = 0.4;
    opts.model.start = (rg_start)(k / 2);
    if (opts.model.start)
        opts.back = 0;
    return opts;
}

RGT_TEST(truncation, a_stream_saved_at_any_window_goes_on_to_the_same_bits)
{
    enum { STEPS = 2 * WINDOWS + 3, CUTS = 3 };
    static const int cut[CUTS] = { 1, WINDOWS, WINDOWS + 4 };
    rg_span t = some_text();
    for (int k = 0; k < 8; k++)
        for (int c = 0; c < CUTS; c++) {
            rg_params *whole = store(), *part = store(), *rest = store();
            rg_trainer *trainer;
            rg_trainer_opts opts = with_all(k);
            char path[64];
            (void)snprintf(path, sizeof path, "rgt-truncation-%d.safetensors", (int)getpid());
            RGT_CHECK_MSG(rg_trainer_create(&trainer, whole, t, &opts) == RG_OK, "%s",
                          rg_params_message(whole));
            for (int i = 0; i < STEPS; i++)
                step(trainer);
            rg_trainer_destroy(&trainer);
            RGT_CHECK(rg_trainer_create(&trainer, part, t, &opts) == RG_OK);
            for (int i = 0; i < cut[c]; i++)
                step(trainer);
            RGT_CHECK(rg_trainer_save(trainer, path, NULL, 0) == RG_OK);
            rg_trainer_destroy(&trainer);
            RGT_CHECK(rg_trainer_create(&trainer, rest, t, &opts) == RG_OK);
            RGT_CHECK_MSG(rg_trainer_load(trainer, path, NULL) == RG_OK, "%s",
                          rg_params_message(rest));
            for (int i = cut[c]; i < STEPS; i++)
                step(trainer);
            rg_trainer_destroy(&trainer);
            same_weights(whole, rest, k);
            rg_params_destroy(&whole);
            rg_params_destroy(&part);
            rg_params_destroy(&rest);
            (void)unlink(path);
        }
}

/* ---- What a window starts with --------------------------------------------------------------- */

/* Losses of the first four windows, weights standing still; its nats on the text. @p positive: of
 * a cell that starts at 1/2. */
static double losses_of(double loss[4], rg_start start, uint64_t seed, double learned,
                        bool positive)
{
    const rg_cell_opts log_form = { .log_form = true };
    rg_params *ps;
    rg_trainer *trainer;
    rg_lm_score score;
    rg_span t = some_text();
    rg_trainer_opts opts = options(0, 1e-300);
    opts.model.start = start;
    if (positive) {
        opts.model.cell = rg_mingru;
        opts.model.cell_opts = &log_form;
    }
    RGT_CHECK(rg_params_create(&ps, seed, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_trainer_create(&trainer, ps, t, &opts) == RG_OK);
    rg_param_info s0 = rg_params_find(ps, "start.s0");
    RGT_CHECK((s0.data != NULL) == (start == RG_START_LEARNED));
    for (int i = 0; s0.data && i < H; i++)
        ((double *)s0.data)[i] = learned;
    for (int i = 0; i < 4; i++) {
        step(trainer);
        loss[i] = rg_trainer_facts(trainer).loss;
    }
    rg_trainer_destroy(&trainer);
    RGT_CHECK(rg_lm_evaluate(&score, ps, &opts.model, (rg_span){ text, T + 1 },
                             &(rg_lm_score_opts){ .plan = opts.plan }) == RG_OK);
    rg_params_destroy(&ps);
    return score.nats;
}

static double losses(double loss[4], rg_start start, uint64_t seed, double learned)
{
    return losses_of(loss, start, seed, learned, false);
}

RGT_TEST(starts, are_what_the_cell_says)
{
    double carried[4], zero[4], half[4], none[4];
    double of_carried = losses_of(carried, RG_START_CARRIED, 5, 0, true);
    double of_zero = losses_of(zero, RG_START_ZERO, 5, 0, true);
    double of_half = losses_of(half, RG_START_LEARNED, 5, 0.5, true);
    double of_none = losses_of(none, RG_START_LEARNED, 5, 0, true);
    RGT_CHECK(of_carried == of_half && of_zero == of_half && of_none != of_half);
    for (int w = 0; w < 4; w++)
        RGT_CHECK(zero[w] == half[w] && none[w] != half[w] && (carried[w] == half[w]) == (w == 0));
}

RGT_TEST(starts, are_carried_or_made_anew_for_every_window)
{
    double carried[4], zero[4], learned[4], far[4], random[4], again[4];
    double of_carried = losses(carried, RG_START_CARRIED, 5, 0);
    double of_zero = losses(zero, RG_START_ZERO, 5, 0);
    double of_learned = losses(learned, RG_START_LEARNED, 5, 0);
    double of_far = losses(far, RG_START_LEARNED, 5, 0.8);
    double of_random = losses(random, RG_START_RANDOM, 5, 0);
    RGT_CHECK(of_carried == of_zero && of_zero == of_learned); /* all zeros at the beginning */
    RGT_CHECK(of_far != of_zero && of_random != of_zero);
    RGT_CHECK(losses(again, RG_START_RANDOM, 5, 0) == of_random);
    for (int w = 0; w < 4; w++) {
        RGT_CHECK(learned[w] == zero[w] && far[w] != zero[w]); /* learned from zero */
        RGT_CHECK((carried[w] == zero[w]) == (w == 0));
        RGT_CHECK(random[w] != zero[w] && random[w] == again[w]);
    }
}

RGT_TEST(starts, that_are_learned_move_and_are_saved)
{
    rg_params *ps = store(), *loaded = store();
    rg_trainer *trainer;
    rg_span t = some_text();
    rg_trainer_opts opts = options(0, 0.5);
    char path[64];
    opts.model.start = RG_START_LEARNED;
    (void)snprintf(path, sizeof path, "rgt-start-%d.safetensors", (int)getpid());
    RGT_CHECK(rg_trainer_create(&trainer, ps, t, &opts) == RG_OK);
    step(trainer);
    RGT_CHECK(((double *)rg_params_find(ps, "start.s0").data)[0] != 0);
    RGT_CHECK(rg_trainer_save(trainer, path, NULL, 0) == RG_OK);
    rg_trainer_destroy(&trainer);
    rg_lm lm; /* what a program does that opens a checkpoint */
    RGT_CHECK(rg_lm_create(&lm, loaded, &opts.model, 1, 1) == RG_OK);
    rg_lm_destroy(&lm);
    RGT_CHECK_MSG(rg_params_load(&loaded, 1, path, NULL) == RG_OK, "%s",
                  rg_params_message(loaded));
    same_weights(ps, loaded, 0);
    (void)unlink(path);
    rg_params_destroy(&ps);
    rg_params_destroy(&loaded);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

RGT_TEST(truncation, refuses_what_cannot_be)
{
    static const struct { const char *says; int what; } row[] = {
        { "trainer: 2 steps of back-propagation, but a window has 3; go through as many", 0 },
        { "character model: more steps of back-propagation than a window has need carried", 1 },
        { "character model: zoneout must lie in [0, 1]", 2 },
        { "character model: dropout_kinds has unknown bits", 3 },
        { "character model: start is no member of rg_start", 4 },
        { "zoneout of a second state, but the cell has one", 5 },
        { "it has no products with the state to drop from", 6 },
    };
    rg_span t = some_text();
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        rg_params *ps = store();
        rg_trainer *trainer;
        rg_trainer_opts o = options(row[k].what == 0 ? 2 : row[k].what == 1 ? 6 : 0, 0.1);
        o.model.start = row[k].what == 1 ? RG_START_ZERO : row[k].what == 4 ? (rg_start)7 : 0;
        o.model.zoneout[0] = row[k].what == 2 ? 1.5 : 0;
        o.model.zoneout[1] = row[k].what == 5 ? 0.5 : 0;
        o.model.dropout = row[k].what == 6 ? 0.5 : 0;
        o.model.dropout_kinds = row[k].what == 3 ? 256 : row[k].what == 6 ? RG_DROP_WEIGHT : 0;
        if (row[k].what == 6)
            o.model.cell = rg_mingru;
        RGT_CHECK(rg_trainer_create(&trainer, ps, t, &o) == RG_EARG && !trainer);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), row[k].says), "%s", rg_params_message(ps));
        rg_params_destroy(&ps);
    }
}
