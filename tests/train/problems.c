/* tests/train/problems.c -- the problems that cells are compared on: what their rows hold, what
 * guessing earns, and how trials train and test. */
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <string.h>

enum { B = 8, T_MAX = 64, I_MAX = 16 };

typedef struct batch {
    double  x[T_MAX * B * I_MAX], number[B];
    int32_t label[T_MAX * B];
} batch;

static void fill(batch *b, const rg_problem *p, uint64_t seed, uint64_t step, bool test)
{
    memset(b, 0, sizeof *b);
    rg_problem_batch(p, b->x, p->classes ? NULL : b->number, p->classes ? b->label : NULL, B, seed,
                     step, test);
}

/* The symbol of a one-hot input; checks that there is one. */
static int symbol(const batch *b, const rg_problem *p, int64_t t, int64_t row)
{
    int found = -1;
    for (int64_t i = 0; i < p->I; i++) {
        double v = b->x[(t * B + row) * p->I + i];
        RGT_CHECK(v == 0 || (v == 1 && found < 0));
        found = v == 1 ? (int)i : found;
    }
    RGT_CHECK(found >= 0);
    return found;
}

RGT_TEST(problems, adding_marks_one_number_in_each_half_and_asks_for_their_sum)
{
    static batch b;
    const rg_problem p = rg_problem_adding(21);
    for (uint64_t step = 0; step < 20; step++) {
        fill(&b, &p, 5, step, false);
        for (int64_t r = 0; r < B; r++) {
            int marks[2] = { 0, 0 };
            double sum = 0;
            for (int64_t t = 0; t < p.T; t++) {
                const double *x = b.x + (t * B + r) * 2;
                RGT_CHECK(x[0] >= 0 && x[0] < 1 && (x[1] == 0 || x[1] == 1));
                marks[t >= 10] += x[1] == 1;
                sum += x[0] * x[1];
            }
            RGT_CHECK(marks[0] == 1 && marks[1] == 1 && fabs(sum - b.number[r]) < 1e-15);
        }
    }
}

RGT_TEST(problems, copy_asks_for_its_first_symbols_at_the_end)
{
    static batch b;
    const rg_problem p = rg_problem_copy(30);
    RGT_CHECK(p.T == 50 && fabs(p.blind_loss - 0.41589) < 1e-5);
    fill(&b, &p, 1, 3, false);
    for (int64_t r = 0; r < B; r++)
        for (int64_t t = 0; t < 50; t++) {
            const int s = symbol(&b, &p, t, r), said = b.label[t * B + r];
            RGT_CHECK(t < 10 ? s >= 1 && s <= 8 : s == (t == 39 ? 9 : 0));
            RGT_CHECK(said == (t < 40 ? 0 : symbol(&b, &p, t - 40, r)));
        }
}

RGT_TEST(problems, order_hides_two_marks_whose_order_is_the_class)
{
    static batch b;
    const rg_problem p = rg_problem_order(20);
    int seen[4] = { 0 };
    for (uint64_t step = 0; step < 40; step++) {
        fill(&b, &p, 2, step, false);
        for (int64_t r = 0; r < B; r++) {
            int n = 0, label = 0;
            for (int64_t t = 0; t < p.T; t++) {
                const int s = symbol(&b, &p, t, r);
                if (s < 4)
                    continue;
                RGT_CHECK(n == 0 ? t >= 2 && t < 4 : t >= 10 && t < 12);
                label = 2 * label + (s - 4);
                n++;
            }
            RGT_CHECK(n == 2 && label == b.label[r]);
            seen[label]++;
        }
    }
    for (int k = 0; k < 4; k++)
        RGT_CHECK(seen[k] > 40 && seen[k] < 120);
}

RGT_TEST(problems, a_batch_is_a_function_of_seed_and_step)
{
    static batch one, two, other;
    const rg_problem p = rg_problem_adding(20);
    fill(&one, &p, 7, 3, false);
    fill(&other, &p, 7, 4, false);
    fill(&two, &p, 7, 3, false);
    RGT_CHECK(memcmp(&one, &two, sizeof one) == 0 && memcmp(&one, &other, sizeof one) != 0);
    fill(&other, &p, 8, 3, false);
    RGT_CHECK(memcmp(one.number, other.number, sizeof one.number) != 0);
    fill(&other, &p, 7, 3, true);
    RGT_CHECK(memcmp(one.number, other.number, sizeof one.number) != 0);
    RGT_CHECK(!rg_problem_adding(1).row && !rg_problem_copy(0).row && !rg_problem_order(9).row);
}

RGT_TEST(problems, every_row_of_a_data_set_comes_once_before_any_comes_again)
{
    enum { N = 45, TRAIN = 40 };
    double x[N];
    int32_t label[N] = { 0 };
    static batch b;
    for (int i = 0; i < N; i++)
        x[i] = i;
    const rg_problem_data d = { x, label, TRAIN, N };
    const rg_problem p = rg_problem_series("numbers", &d, 1, 1, 2);
    double before[TRAIN] = { 0 };
    int moved = 0;
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        bool seen[N] = { false };
        for (uint64_t step = 0; step < TRAIN / B; step++) {
            fill(&b, &p, 1, epoch * TRAIN / B + step, false);
            for (uint64_t r = 0; r < B; r++) {
                const int i = (int)b.x[r];
                RGT_CHECK(i < TRAIN && !seen[i]);
                seen[i] = true;
                moved += epoch > 0 && before[step * B + r] != b.x[r];
                before[step * B + r] = b.x[r];
            }
        }
    }
    RGT_CHECK(moved > TRAIN);
    fill(&b, &p, 1, 0, true);
    for (uint64_t r = 0; r < B; r++)
        RGT_CHECK((int)b.x[r] == TRAIN + (int)r % (N - TRAIN));
    RGT_CHECK(!rg_problem_series("none", &(rg_problem_data){ x, label, N, N }, 1, 1, 2).row);
}

RGT_TEST(problems, widths_for_a_budget_are_those_of_equal_size)
{
    const rg_problem p = rg_problem_adding(100);
    const struct { rg_cell_fn *cell; int64_t hidden, weights; } want[] = {
        { rg_lstm, 32, 4513 }, { rg_gru, 37, 4478 }, { rg_rnn, 65, 4486 },
    };
    for (size_t i = 0; i < 3; i++) {
        rg_problem_model m = { .cell = want[i].cell };
        m.hidden = rg_problem_width(&p, &m, 4500);
        RGT_CHECK(m.hidden == want[i].hidden && rg_problem_weights(&p, &m) == want[i].weights);
    }
    RGT_CHECK(rg_problem_width(&p, &(rg_problem_model){ .cell = rg_rnn }, 1) == 1);
    RGT_CHECK(rg_problem_width(NULL, &(rg_problem_model){ .cell = rg_rnn }, 100) == 0);
}

/* ---- Trials --------------------------------------------------------------------------------- */

static rg_trial_opts short_order(void)
{
    return (rg_trial_opts){
        .problem = rg_problem_order(10), .model = { .cell = rg_rnn, .hidden = 16 },
        .optim = { .lr = 1e-2, .clip_norm = 1 }, .batch = 16, .updates = 200, .seed = 1,
        .test_every = 20, .test_rows = 200, .enough_accuracy = 0.99, .plan = { .threads = 1 },
    };
}

static void run_trial(rg_trial *t, const rg_trial_opts *o)
{
    rg_params *params;
    RGT_CHECK(rg_params_create(&params, 3, NULL) == RG_OK);
    rg_status st = rg_trial_run(t, params, o);
    RGT_CHECK_MSG(st == RG_OK, "%s", t->message);
    rg_params_destroy(&params);
}

RGT_TEST(trial, a_short_order_is_learned_and_the_curve_says_when)
{
    rg_trial t, again;
    rg_trial_opts o = short_order();
    run_trial(&t, &o);
    RGT_CHECK(t.n_points == 11 && t.point[0].update == 0 && t.point[10].update == 200);
    RGT_CHECK(isnan(t.point[0].train_loss) && t.point[0].test.accuracy < 0.5);
    RGT_CHECK_MSG(t.score.accuracy > 0.99 && t.score.loss < 0.2, "%g", t.score.accuracy);
    RGT_CHECK(t.enough_update > 0 && t.enough_update % 20 == 0 && t.enough_seconds <= t.seconds);
    RGT_CHECK(t.weights == 16 * (6 + 16 + 1) + 4 * 17 && t.ms > 0 && isnan(t.score.rmse));
    RGT_CHECK(t.norm_max >= t.norm_median && t.plan.arena_bytes > 0 && t.skipped == 0);
    run_trial(&again, &o);
    RGT_CHECK(again.score.loss == t.score.loss);
    rg_trial_destroy(&again);
    o.stop_there = true;
    run_trial(&again, &o);
    RGT_CHECK(again.updates == t.enough_update);
    rg_trial_destroy(&again);
    rg_trial_destroy(&t);
}

RGT_TEST(trial, a_cell_and_a_problem_of_ones_own_and_both_precisions)
{
    rg_trial t[2];
    for (int k = 0; k < 2; k++) {
        rg_trial_opts o = { .problem = rg_problem_adding(12), .updates = 30, .seed = 2,
                            .model = { .cell = rg_gru, .hidden = 8 }, .optim = { .lr = 1e-2 },
                            .plan = { .real = k ? RG_F64 : RG_F32, .threads = 1 } };
        run_trial(&t[k], &o);
    }
    RGT_CHECK(fabs(t[0].score.rmse - t[1].score.rmse) < 1e-4 && isnan(t[0].score.accuracy));
    RGT_CHECK(fabs(t[0].score.rmse * t[0].score.rmse - t[0].score.loss) < 1e-12);
    rg_trial_destroy(&t[0]);
    rg_trial_destroy(&t[1]);
}

/* 1e39 is beyond f32. */
RGT_TEST(trial, gradients_that_stay_infinite_end_it_and_leave_the_weights)
{
    rg_trial t;
    rg_trial_opts o = short_order();
    o.scale = 1e39;
    o.optim.clip_norm = 0;
    run_trial(&t, &o);
    RGT_CHECK(t.nonfinite && t.updates == 10 && t.skipped == 10 && t.n_points == 2);
    RGT_CHECK(fabs(t.score.loss - t.point[0].test.loss) < 0.2 && isnan(t.norm_median));
    rg_trial_destroy(&t);
}

static bool stop_at_7(void *user, uint64_t update)
{
    *(uint64_t *)user = update;
    return update < 7;
}

RGT_TEST(trial, refusals_say_why)
{
    rg_params *params;
    rg_trial t;
    uint64_t at = 0;
    rg_trial_opts o = short_order();
    RGT_CHECK(rg_params_create(&params, 3, NULL) == RG_OK);
    o.progress = stop_at_7;
    o.user = &at;
    RGT_CHECK(rg_trial_run(&t, params, &o) == RG_EUSER && at == 7 && !t.point);
    RGT_CHECK(rgt_has(t.message, "stopped after 7 updates"));
    o = short_order();
    o.updates = 0;
    RGT_CHECK(rg_trial_run(&t, params, &o) == RG_EARG && rgt_has(t.message, "updates must be"));
    o = short_order();
    rg_params *other;
    RGT_CHECK(rg_params_create(&other, 3, NULL) == RG_OK);
    o.model.cell = rg_gru;
    o.omega = RG_OMEGA_PAPER;
    RGT_CHECK(rg_trial_run(&t, other, &o) == RG_EARG && rgt_has(t.message, "that of rg_rnn"));
    rg_params_destroy(&other);
    o.model.cell = rg_lstm;
    RGT_CHECK(rg_trial_run(&t, params, &o) == RG_EARG && rgt_has(t.message, "with one state"));
    o = short_order();
    o.problem = (rg_problem){ .name = "none" };
    RGT_CHECK(rg_trial_run(&t, params, &o) == RG_EARG && rgt_has(t.message, "no problem"));
    rg_params_destroy(&params);
}

RGT_TEST(trial, a_trained_model_is_tested_on_longer_rows)
{
    rg_params *params;
    rg_trial t;
    rg_problem_score s;
    const rg_trial_opts o = short_order();
    const rg_problem same = o.problem, longer = rg_problem_order(40);
    RGT_CHECK(rg_params_create(&params, 3, NULL) == RG_OK);
    RGT_CHECK(rg_trial_run(&t, params, &o) == RG_OK);
    RGT_CHECK(rg_problem_test(&s, params, &same, &o.model, o.seed, 0, NULL) == RG_OK);
    RGT_CHECK(s.loss == t.score.loss && s.accuracy == t.score.accuracy);
    RGT_CHECK(rg_problem_test(&s, params, &longer, &o.model, o.seed, 100, NULL) == RG_OK);
    RGT_CHECK(s.accuracy >= 0 && s.accuracy <= 1 && s.loss != t.score.loss);
    rg_trial_destroy(&t);
    rg_params_destroy(&params);
}

/* ---- Regulariser ---------------------------------------------------------------------------- */

enum { TO = 4, BO = 3, HO = 5 };

typedef struct net {
    rg_params *params;
    rg_graph  *g;
    rg_val     L, W, h[TO];
} net;

static void build(net *n, rg_nonlinearity phi)
{
    rg_val X;
    RGT_CHECK(rg_params_create(&n->params, 4, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->g, n->params, NULL) == RG_OK);
    X = rg_normal(n->g, "x", RG_SHAPE(TO, BO, 2));
    rg_cell cell = rg_rnn(n->g, "rnn", 2, HO, &(rg_cell_opts){ .nonlinearity = phi });
    rg_unroll(NULL, &cell, X, NULL, &(rg_unroll_opts){ .states = n->h });
    n->L = rg_sum(rg_square(n->h[TO - 1]));
    n->W = rg_param(n->g, "rnn", "W", RG_SHAPE(HO, HO), rg_init_zeros());
}

static void destroy(net *n)
{
    rg_graph_destroy(&n->g);
    rg_params_destroy(&n->params);
}

static double value_of(net *n, rg_val v)
{
    rg_plan *plan;
    RGT_CHECK(rg_plan_create(&plan, &v, 1, &(rg_plan_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    const double value = rg_plan_scalar(plan, v);
    rg_plan_destroy(&plan);
    (void)n;
    return value;
}

RGT_TEST(omega, an_orthogonal_linear_network_keeps_every_length)
{
    net n;
    build(&n, RG_IDENTITY); /* W starts orthogonal */
    RGT_CHECK(value_of(&n, rg_omega(n.L, n.h, TO, RG_NONE)) < 1e-20);
    destroy(&n);
    build(&n, RG_TANH);
    RGT_CHECK(value_of(&n, rg_omega(n.L, n.h, TO, RG_NONE)) > 1e-3);
    destroy(&n);
}

RGT_TEST(omega, the_authors_approximation_has_the_same_value_and_another_gradient)
{
    net n;
    rg_val exact, paper, d[2], difference;
    build(&n, RG_TANH);
    exact = rg_omega(n.L, n.h, TO, RG_NONE);
    paper = rg_omega(n.L, n.h, TO, n.W);
    RGT_CHECK(fabs(value_of(&n, exact) - value_of(&n, paper)) < 1e-12);
    rg_grad(&d[0], exact, &n.W, 1);
    rg_grad(&d[1], paper, &n.W, 1);
    difference = rg_norm(rg_sub(d[0], d[1]));
    RGT_CHECK(value_of(&n, difference) > 1e-3 && value_of(&n, rg_norm(d[1])) > 1e-3);
    destroy(&n);
}

RGT_TEST(omega, its_gradient_is_proven)
{
    net n;
    rg_gradcheck_report *report = NULL;
    build(&n, RG_TANH);
    rg_val x[4];
    const size_t k = rg_graph_params(x, 4, n.g);
    rg_val total = rg_add(n.L, rg_scale(rg_omega(n.L, n.h, TO, RG_NONE), 4));
    rg_verdict v = rg_gradcheck(&report, total, x, k, &(rg_gradcheck_opts){ .order = 1 });
    RGT_CHECK_MSG(v == RG_PASS, "%s", report ? report->message : "no report");
    rg_gradcheck_destroy(&report);
    destroy(&n);
}

/* f32 knows no square of 1e-30. */
RGT_TEST(omega, is_that_of_directions_however_small_gradients_are)
{
    net n;
    build(&n, RG_TANH);
    for (int paper = 0; paper < 2; paper++) {
        rg_val root[4], omega[2];
        for (int small = 0; small < 2; small++) {
            rg_val L = rg_scale(n.L, small ? 1e-30 : 1);
            omega[small] = rg_omega(L, n.h, TO, paper ? n.W : RG_NONE);
            rg_grad(&root[2 * small + 1], omega[small], &n.W, 1);
            root[2 * small] = omega[small];
        }
        rg_plan *plan;
        RGT_CHECK(!rg_plan_create(&plan, root, 4, &(rg_plan_opts){ .real = RG_F32 }));
        RGT_CHECK(!rg_plan_run(plan));
        RGT_CHECK(fabs(rg_plan_scalar(plan, root[0]) / rg_plan_scalar(plan, root[2]) - 1) < 1e-5);
        const float *d = rg_plan_data(plan, root[1]), *small = rg_plan_data(plan, root[3]);
        for (size_t i = 0; i < HO * HO; i++)
            RGT_CHECK_MSG(fabs(d[i] - small[i]) < 1e-3, "%g, %g", d[i], small[i]);
        rg_plan_destroy(&plan);
    }
    destroy(&n);
}

RGT_TEST(omega, one_step_has_none)
{
    net n;
    build(&n, RG_TANH);
    rg_omega(n.L, n.h, 1, RG_NONE);
    RGT_CHECK(rg_graph_status(n.g) == RG_EARG && rgt_has(rg_graph_message(n.g), "two steps"));
    RGT_CHECK(!rg_omega(RG_NONE, n.h, TO, RG_NONE).id);
    destroy(&n);
}
