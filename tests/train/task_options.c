/* tests/train/task_options.c -- dropout of every kind, zoneout, initial states and cut gradients in
 * the models of tasks: what they do in training, that they do nothing elsewhere, that runs repeat.
 * docs/MATH.md 6, 8.3, 9, 16. */
#include "tests/train/help.h"
#include "tests/train/task_help.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const rg_task_opts tasks[] = {
    { .task = RG_CLASSIFY, .symbols = V, .embed = 3, .outputs = O, .hidden = H, .layers = 2,
      .bidirectional = true },
    { .task = RG_TAG, .symbols = V, .embed = 3, .outputs = O, .hidden = H, .layers = 2 },
    { .task = RG_FORECAST, .features = I, .outputs = O, .hidden = H, .layers = 2 },
    { .task = RG_SEQ2SEQ, .symbols = V, .embed = 3, .outputs = O, .hidden = H, .layers = 2,
      .end = 1, .bidirectional = true },
    { .task = RG_SEQ2SEQ, .symbols = V, .embed = 3, .outputs = O, .hidden = H, .layers = 2,
      .end = 1, .attention = RG_ATTEND_GENERAL },
};
enum { TASKS = sizeof tasks / sizeof *tasks };

static rg_params *store(void)
{
    rg_params *ps;
    RGT_CHECK(rg_params_create(&ps, 7, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    return ps;
}

/* The loss of one run, in training or in evaluation. */
static double loss_of(rg_params *ps, const rg_task_opts *o, const batch *b, bool train)
{
    rg_task_model m;
    rg_plan *plan = NULL;
    RGT_CHECK_MSG(rg_task_create(&m, ps, o, T, B) == RG_OK, "%s", rg_graph_message(m.graph));
    const rg_plan_opts opts = { .real = RG_F64, .mode = train ? RG_TRAIN : RG_EVALUATE };
    RGT_CHECK_MSG(rg_plan_create(&plan, &m.loss, 1, &opts) == RG_OK, "%s",
                  rg_graph_message(m.graph));
    bind(plan, &m, o, b);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    const double loss = rg_plan_scalar(plan, m.loss);
    rg_plan_destroy(&plan);
    rg_task_destroy(&m);
    return loss;
}

/* With one kind each; zoneout is no dropout, but its evaluation is a mean, which differs. */
RGT_TEST(task_options, every_kind_of_dropout_acts_in_training_and_never_in_evaluation)
{
    static batch data;
    fill(&data, NAN);
    for (int k = 0; k < TASKS; k++) {
        rg_params *ps = store();
        const double plain = loss_of(ps, &tasks[k], &data, false);
        RGT_CHECK(loss_of(ps, &tasks[k], &data, true) == plain);
        for (unsigned kind = 1; kind <= RG_DROP_OUTPUT; kind <<= 1) {
            rg_task_opts o = tasks[k];
            o.dropout = 0.4;
            o.dropout_kinds = kind;
            const double trained = loss_of(ps, &o, &data, true);
            const bool idle = kind == RG_DROP_EMBEDDING && o.features;
            RGT_CHECK_MSG(isfinite(trained) && (trained == plain) == idle, "task %d, kind %u", k,
                          kind);
            RGT_CHECK_MSG(loss_of(ps, &o, &data, true) == trained, "task %d, kind %u", k, kind);
            RGT_CHECK_MSG(loss_of(ps, &o, &data, false) == plain, "task %d, kind %u", k, kind);
        }
        rg_params_destroy(&ps);
    }
}

RGT_TEST(task_options, a_zoneout_of_everything_leaves_every_row_where_it_started)
{
    static batch data, other;
    fill(&data, NAN);
    other = data;
    for (int i = 0; i < T * B; i++)
        other.id[i] = (other.id[i] + 1) % V;
    for (int i = 0; i < T * B * I; i++)
        other.x[i] = -2 * other.x[i];
    for (int k = 0; k < TASKS; k++)
        for (int train = 0; train < 2; train++) {
            rg_params *ps = store();
            rg_task_opts o = tasks[k];
            o.start = RG_START_LEARNED;
            o.attention = RG_ATTEND_NONE;
            o.zoneout[0] = o.zoneout[1] = 0.5;
            RGT_CHECK(loss_of(ps, &o, &data, train) != loss_of(ps, &o, &other, train));
            o.zoneout[0] = o.zoneout[1] = 1;
            const double frozen = loss_of(ps, &o, &data, train);
            RGT_CHECK_MSG(loss_of(ps, &o, &other, train) == frozen, "task %d", k);
            rg_param_info s = rg_params_find(ps, o.bidirectional ? "start.s6" : "start.s2");
            RGT_CHECK(s.data);
            ((double *)s.data)[1] = 0.7;
            RGT_CHECK_MSG(loss_of(ps, &o, &data, train) != frozen, "task %d", k);
            rg_params_destroy(&ps);
        }
}

RGT_TEST(task_options, drawn_states_differ_by_row_in_training_and_are_one_in_evaluation)
{
    static batch data;
    double z[2][B * O];
    fill(&data, NAN);
    for (int r = 1; r < B; r++) /* equal rows */
        for (int t = 0; t < T; t++) {
            data.mask[t * B + r] = data.mask[t * B];
            memcpy(data.x + (t * B + r) * I, data.x + t * B * I, I * sizeof *data.x);
        }
    rg_task_opts o = tasks[2];
    o.start = RG_START_RANDOM;
    rg_params *ps = store();
    rg_task_model m;
    rg_plan *plan = planned(&m, ps, &o, &data);
    for (int i = 0; i < 2; i++) {
        memcpy(z[i], rg_plan_data(plan, m.z), sizeof z[i]);
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
    }
    RGT_CHECK(z[0][0] != z[0][O] && z[0][0] != z[1][0]); /* by row, by run */
    rg_plan_destroy(&plan);
    rg_task_destroy(&m);
    rg_params_destroy(&ps);
}

/* The task's loss with every option at once; masks and draws are part of the function. */
RGT_TEST(task_options, gradients_through_all_of_them_are_right)
{
    static batch data;
    fill(&data, 0);
    for (int k = 0; k < TASKS; k++) {
        rg_params *ps = store();
        rg_task_model m;
        rg_gradcheck_report *report = NULL;
        rg_task_opts o = tasks[k];
        o.layers = 1 + (k < 3);
        o.dropout = 0.3;
        o.dropout_kinds = RG_DROP_ALL;
        o.zoneout[0] = 0.2;
        o.zoneout[1] = 0.3;
        o.start = k % 2 ? RG_START_RANDOM : RG_START_LEARNED;
        rg_plan *plan = planned(&m, ps, &o, &data);
        rg_verdict v = rg_gradcheck(&report, m.loss, NULL, 0, &(rg_gradcheck_opts){ .data = plan });
        RGT_CHECK_MSG(v == RG_PASS, "task %d: %s", k, report ? report->message : "");
        rg_gradcheck_destroy(&report);
        rg_plan_destroy(&plan);
        rg_task_destroy(&m);
        rg_params_destroy(&ps);
    }
}

/* ---- Cut gradients --------------------------------------------------------------------------- */

/* Weights after one step of descent. */
static rg_params *descended(const rg_task_opts *o, const batch *b, double *loss)
{
    rg_params *ps = store();
    rg_task_model m;
    rg_optim *opt;
    rg_plan *plan = planned(&m, ps, o, b);
    *loss = rg_plan_scalar(plan, m.loss);
    RGT_CHECK(rg_optim_create(&opt, ps, &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.5 }) == RG_OK);
    RGT_CHECK(rg_optim_step(opt, plan) == RG_OK);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_task_destroy(&m);
    return ps;
}

/* A forecast of one layer written down: the gradient of the last `back` steps alone. */
static rg_params *by_hand(const batch *b, int64_t back, double *loss)
{
    rg_params *ps = store();
    rg_graph *g;
    rg_plan *plan;
    rg_optim *opt;
    rg_val s[2];
    RGT_CHECK(rg_graph_create(&g, ps, NULL) == RG_OK);
    rg_cell cell = rg_lstm(g, "rnn.l0", I, H, NULL);
    rg_val X = rg_constant(g, RG_F, RG_SHAPE(T, B, I), b->x, T * B * I);
    rg_val y = rg_constant(g, RG_F, RG_SHAPE(B, O), b->value, B * O);
    (void)rg_unroll(s, &cell, rg_slice(X, 0, 0, T - back), NULL, NULL);
    for (int k = 0; k < 2; k++)
        s[k] = rg_detach(s[k]);
    (void)rg_unroll(s, &cell, rg_slice(X, 0, T - back, T), s, NULL);
    rg_val e = rg_mean(rg_square(rg_sub(rg_dense(s[0], "out", O), y)));
    RGT_CHECK(rg_plan_create_train(&plan, e, NULL, 0, &(rg_plan_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    *loss = rg_plan_scalar(plan, e);
    RGT_CHECK(rg_optim_create(&opt, ps, &(rg_optim_opts){ .kind = RG_SGD, .lr = 0.5 }) == RG_OK);
    RGT_CHECK(rg_optim_step(opt, plan) == RG_OK);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    return ps;
}

/* The largest difference of two stores. */
static double apart(rg_params *a, rg_params *b)
{
    double most = 0;
    RGT_CHECK(rg_params_count(a) == rg_params_count(b));
    for (size_t i = 0; i < rg_params_count(a); i++) {
        rg_param_info p = rg_params_at(a, i), q = rg_params_at(b, i);
        RGT_CHECK(!strcmp(p.name, q.name) && rg_shape_equal(p.shape, q.shape));
        for (int64_t e = 0; e < rg_shape_count(p.shape); e++)
            most = fmax(most, fabs(((double *)p.data)[e] - ((double *)q.data)[e]));
    }
    return most;
}

RGT_TEST(task_options, a_forecast_goes_back_as_far_as_it_is_told)
{
    static batch data;
    rg_task_opts o = tasks[2];
    double whole, cut, hand;
    fill(&data, 0);
    memset(data.mask, 1, sizeof data.mask);
    memset(data.counts, 1, sizeof data.counts);
    o.layers = 1;
    rg_params *all = descended(&o, &data, &whole);
    for (int64_t back = 1; back <= T + 2; back++) {
        o.back = back;
        rg_params *ps = descended(&o, &data, &cut);
        RGT_CHECK(cut == whole); /* values do not know of it */
        RGT_CHECK((apart(ps, all) == 0) == (back >= T));
        if (back < T) {
            rg_params *want = by_hand(&data, back, &hand);
            RGT_CHECK(fabs(hand - cut) < 1e-14);
            RGT_CHECK_MSG(apart(ps, want) < 1e-14, "back %d: off by %g", (int)back,
                          apart(ps, want));
            rg_params_destroy(&want);
        }
        rg_params_destroy(&ps);
    }
    rg_params_destroy(&all);
}

/* ‖∂y[at]/∂X[t]‖ > 0 ? of an unrolling with cuts. */
static void reaches(bool reached[T], int at, const rg_unroll_opts *opts)
{
    rg_params *ps = store();
    rg_graph *g;
    rg_plan *plan;
    rg_val d;
    RGT_CHECK(rg_graph_create(&g, ps, NULL) == RG_OK);
    rg_cell cell = rg_gru(g, "rnn", I, H, NULL);
    static double x[T * B * I];
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val y = rg_unroll(NULL, &cell, X, NULL, opts);
    rg_grad(&d, rg_sum(rg_square(rg_select(y, 0, at))), &X, 1);
    RGT_CHECK_MSG(rg_plan_create(&plan, &d, 1, &(rg_plan_opts){ .real = RG_F64 }) == RG_OK, "%s",
                  rg_graph_message(g));
    for (uint64_t i = 0; i < T * B * I; i++)
        x[i] = rg_draw_normal(2, RG_DOMAIN_USER, 1, i);
    rg_plan_bind(plan, X, x, sizeof x);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    const double *dx = rg_plan_data(plan, d);
    for (int t = 0; t < T; t++) {
        reached[t] = false;
        for (int i = 0; i < B * I; i++)
            reached[t] = reached[t] || dx[t * B * I + i] != 0;
    }
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
}

RGT_TEST(task_options, cuts_are_counted_from_the_step_that_runs_last)
{
    for (int reverse = 0; reverse < 2; reverse++)
        for (int back = 0; back <= T + 1; back++)
            for (int at = 0; at < T; at++) {
                bool reached[T];
                reaches(reached, at, &(rg_unroll_opts){ .back = back, .reverse = reverse });
                for (int t = 0; t < T; t++) {
                    /* steps that are still to run */
                    const int from = reverse ? at : T - 1 - at, to = reverse ? t : T - 1 - t;
                    const bool want = to >= from && (!back || to / back == from / back);
                    RGT_CHECK_MSG(reached[t] == want, "reverse %d, back %d: %d from %d", reverse,
                                  back, t, at);
                }
            }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

enum { ROWS = 23, MOST = 9, STEPS = 7 };

typedef struct set {
    int32_t     length[ROWS], y_length[ROWS], id[ROWS][MOST], y[ROWS][MOST];
    float       x[ROWS][MOST][I], value[ROWS][O];
    const void *ids[ROWS], *xs[ROWS], *ys[ROWS], *values[ROWS];
} set;

static rg_rows rows_of(set *s, const rg_task_opts *o)
{
    for (uint64_t i = 0; i < ROWS; i++) {
        s->length[i] = s->y_length[i] = (int32_t)rg_draw_below(5, RG_DOMAIN_USER, 1, i, MOST) + 1;
        for (uint64_t t = 0; t < MOST; t++) {
            s->id[i][t] = (int32_t)rg_draw_below(5, RG_DOMAIN_USER, 2, i * MOST + t, V);
            s->y[i][t] = s->id[i][t] % O;
            for (uint64_t k = 0; k < I; k++)
                s->x[i][t][k] = (float)rg_draw_normal(5, RG_DOMAIN_USER, 3, (i * MOST + t) * I + k);
        }
        memcpy(s->value[i], s->x[i][0], sizeof s->value[i]);
        s->ids[i] = s->id[i];
        s->xs[i] = s->x[i];
        s->ys[i] = s->y[i];
        s->values[i] = s->value[i];
    }
    return (rg_rows){ ROWS, s->length, o->symbols ? s->ids : s->xs,
                      o->task == RG_FORECAST ? s->values : s->ys,
                      o->task == RG_SEQ2SEQ ? s->y_length : NULL };
}

/* Option k of a task; false: it has not so many. */
static bool option(rg_task_opts *o, int task, int k)
{
    *o = tasks[task];
    if (k < 7) {
        o->dropout = 0.3;
        o->dropout_kinds = 1u << k;
    }
    o->zoneout[k == 8] = k == 7 || k == 8 ? 0.3 : 0;
    o->start = k == 9 ? RG_START_LEARNED : k == 10 ? RG_START_RANDOM : RG_START_ZERO;
    o->back = k == 11 ? 3 : 0;
    return k < 11 || (k == 11 && (o->task == RG_TAG || o->task == RG_FORECAST));
}

static rg_params *trained(const rg_rows *rows, const rg_task_opts *o, int stop, int threads)
{
    char path[64];
    rg_params *ps = NULL;
    (void)snprintf(path, sizeof path, "rgt-options-%ld.safetensors", (long)getpid());
    for (int from = 0; from < STEPS;) {
        rg_trainer *t;
        const rg_task_trainer_opts opts = { .model = *o, .optim = { .lr = 0.02 }, .B = 6,
                                            .plan = { .threads = threads } };
        rg_params_destroy(&ps);
        RGT_CHECK(rg_params_create(&ps, 5, NULL) == RG_OK);
        RGT_CHECK_MSG(rg_task_trainer_create(&t, ps, rows, &opts) == RG_OK, "%s",
                      rg_params_message(ps));
        if (from)
            RGT_CHECK_MSG(rg_trainer_load(t, path, NULL) == RG_OK, "%s", rg_params_message(ps));
        const int to = from < stop ? stop : STEPS;
        for (; from < to; from++)
            RGT_CHECK_MSG(rg_trainer_step(t) == RG_OK, "%s", rg_trainer_message(t));
        RGT_CHECK_MSG(rg_trainer_save(t, path, NULL, 0) == RG_OK, "%s", rg_params_message(ps));
        rg_trainer_destroy(&t);
    }
    (void)unlink(path);
    return ps;
}

/* The second run, resumed in the middle of an epoch, on another number of threads. */
RGT_TEST(task_options, each_is_run_and_resumed_to_the_same_bits)
{
    static set s;
    for (int task = 0; task < TASKS; task++) {
        rg_task_opts o;
        const rg_rows rows = rows_of(&s, &tasks[task]);
        rg_params *plain = trained(&rows, &tasks[task], 0, 1);
        for (int k = 0; option(&o, task, k); k++) {
            rg_params *whole = trained(&rows, &o, 0, 2), *parts = trained(&rows, &o, 3, 1);
            same_weights(whole, parts, task * 100 + k);
            const rg_param_info a = rg_params_find(plain, "out.W"), b = rg_params_find(whole,
                                                                                       "out.W");
            const bool idle = k == 5 && o.features; /* numbers have no table */
            RGT_CHECK_MSG((memcmp(a.data, b.data, H * O * sizeof(float)) == 0) == idle,
                          "task %d, option %d", task, k);
            rg_params_destroy(&whole);
            rg_params_destroy(&parts);
        }
        rg_params_destroy(&plain);
    }
}

typedef struct answers {
    double z[ROWS][MOST * O];
} answers;

static bool take(void *user, const rg_prediction *said)
{
    answers *a = user;
    if (said->z)
        memcpy(a->z[said->row], said->z, (size_t)(said->steps * said->outputs) * sizeof *said->z);
    for (size_t i = 0; !said->z && i < said->best->n && i < MOST * O; i++)
        a->z[said->row][i] = said->best->id[i] + said->best->log_p;
    return true;
}

/* Drawn initial states among them: a row's do not depend on its company. */
RGT_TEST(task_options, what_is_said_of_a_row_depends_on_neither_chance_nor_company)
{
    static set s;
    static answers said[2];
    for (int task = 0; task < TASKS; task++) {
        const rg_rows rows = rows_of(&s, &tasks[task]);
        rg_task_opts o = tasks[task];
        rg_params *ps;
        o.dropout = 0.5;
        o.dropout_kinds = RG_DROP_ALL;
        o.zoneout[0] = 0.1;
        o.start = RG_START_RANDOM;
        RGT_CHECK(rg_params_create(&ps, 5, NULL) == RG_OK);
        for (int i = 0; i < 2; i++) {
            rg_predictor *p;
            const rg_predictor_opts opts = { .B = i ? 1 : 8, .most = MOST };
            memset(&said[i], 0, sizeof said[i]);
            RGT_CHECK(rg_predictor_create(&p, ps, &o, &opts) == RG_OK);
            for (int again = 0; again < 2; again++)
                RGT_CHECK_MSG(rg_predictor_run(p, &rows, take, &said[i]) == RG_OK, "%s",
                              rg_predictor_message(p));
            rg_predictor_destroy(&p);
        }
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < MOST * O; i++)
                RGT_CHECK_MSG(fabs(said[0].z[r][i] - said[1].z[r][i]) < 1e-4,
                              "task %d, row %d, number %d: %g, %g", task, r, i, said[0].z[r][i],
                              said[1].z[r][i]);
        rg_params_destroy(&ps);
    }
}

/* ---- Errors ---------------------------------------------------------------------------------- */

RGT_TEST(task_options, what_cannot_be_is_refused)
{
    static const struct { rg_task_opts o; const char *says; bool late; } bad[] = {
        { { .dropout = 1 }, "task model: dropout must lie in [0, 1)", false },
        { { .dropout_kinds = 256 }, "task model: dropout_kinds has unknown bits", false },
        { { .zoneout = { 0, 1.5 } }, "task model: zoneout must lie in [0, 1]", false },
        { { .start = (rg_start)7 }, "task model: start is no member of rg_start", false },
        { { .back = 3 }, "task model: back is for tags and forecasts: a class and a seq", false },
        { { .task = RG_SEQ2SEQ, .back = 3 }, "back is for tags and forecasts", false },
        { { .task = RG_TAG, .back = -1 }, "back must be 0 or more", false },
        { { .cell = rg_gru, .zoneout = { 0, 0.5 } }, "zoneout of a second state, but the cell has "
                                                     "one", true },
        { { .cell = rg_mingru, .dropout = 0.5, .dropout_kinds = RG_DROP_WEIGHT },
          "it has no products with the state to drop from", true },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rg_params *ps = store();
        rg_task_model m;
        rg_task_opts o = bad[i].o;
        o.symbols = V;
        o.outputs = O;
        o.hidden = H;
        RGT_CHECK(rg_task_create(&m, ps, &o, T, B) == RG_EARG && (m.graph != NULL) == bad[i].late);
        const char *says = bad[i].late ? rg_graph_message(m.graph) : rg_params_message(ps);
        RGT_CHECK_MSG(rgt_has(says, bad[i].says), "%zu: %s", i, says);
        rg_task_destroy(&m);
        rg_params_destroy(&ps);
    }
}

RGT_TEST(task_options, logits_over_luongs_attention_are_a_product_alone)
{
    static const rg_attending kind[] = { RG_ATTEND_ADDITIVE, RG_ATTEND_DOT, RG_ATTEND_GENERAL,
                                         RG_ATTEND_CONCAT, RG_ATTEND_NONE };
    for (int i = 0; i < 5; i++) {
        rg_params *ps = store();
        rg_task_model m;
        rg_task_opts o = tasks[4];
        o.attention = kind[i];
        RGT_CHECK(rg_task_create(&m, ps, &o, T, B) == RG_OK);
        RGT_CHECK(rg_params_find(ps, "out.W").data);
        RGT_CHECK((rg_params_find(ps, "out.b").data == NULL) == (i > 0 && i < 4));
        rg_task_destroy(&m);
        rg_params_destroy(&ps);
    }
}
