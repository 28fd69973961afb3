/* cli/compare_trial.c -- one contestant of one study with one seed: trained, tested, probed. */
#include "cli/compare.h"
#include "cli/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 40, TEST_ROWS = 500, CHAR_ROWS = 32, CHAR_LIMIT = 100000 };

typedef bool progress_fn(void *user, uint64_t update);

static double measured(measure m, double loss, double accuracy)
{
    switch (m) {
    case RMSE:
        return sqrt(loss);
    case ERRORS:
        return 1 - accuracy;
    case ACCURACY:
        return accuracy;
    case BITS:
        return loss / log(2);
    default:
        return loss;
    }
}

uint64_t trial_updates(const study *st, const contestant *w)
{
    return w->updates && w->updates < st->updates ? w->updates : st->updates;
}

static rg_problem_model model_of(const contestant *w)
{
    return (rg_problem_model){ .cell = w->make, .cell_opts = &w->opts, .hidden = w->hidden };
}

/* ---- Problems ------------------------------------------------------------------------------- */

static rg_trial_opts trial_opts(const study *st, const contestant *w, uint64_t seed)
{
    const double enough = st->row->enough;
    rg_trial_opts o = {
        .problem = st->problem, .model = model_of(w), .optim = w->optim,
        .batch = st->row->batch, .updates = trial_updates(st, w), .seed = seed,
        .test_rows = TEST_ROWS, .scale = w->scale, .omega = w->omega, .plan = { .threads = 1 },
    };
    o.test_every = (o.updates + POINTS - 1) / POINTS;
    switch (st->row->measure) {
    case RMSE:
        o.enough_loss = enough * enough;
        break;
    case ERRORS:
        o.enough_accuracy = 1 - enough;
        break;
    case ACCURACY:
        o.enough_accuracy = enough;
        break;
    default:
        o.enough_loss = enough;
    }
    return o;
}

static void keep(outcome *out, const study *st, const rg_trial *t)
{
    const measure m = st->row->measure;
    out->loss = t->score.loss;
    out->accuracy = t->score.accuracy;
    out->value = measured(m, t->score.loss, t->score.accuracy);
    out->updates = t->updates;
    out->skipped = t->skipped;
    out->clipped = t->clipped;
    out->enough_update = t->enough_update;
    out->enough_seconds = t->enough_seconds;
    out->seconds = t->seconds;
    out->ms = t->ms;
    out->norm_median = t->norm_median;
    out->norm_max = t->norm_max;
    out->flop = t->plan.flop;
    out->arena = (double)t->plan.arena_bytes;
    out->nodes = (double)t->plan.nodes;
    for (size_t i = 0; i < t->n_points && i < MAX_POINTS; i++) {
        const rg_trial_point *p = &t->point[i];
        out->at[i] = (double)p->update;
        out->train[i] = p->train_loss;
        out->test[i] = measured(m, p->test.loss, p->test.accuracy);
        out->n_points = i + 1;
    }
}

/* The trained model on sequences of other lengths than it was trained on. */
static int try_lengths(outcome *out, const contestant *w, rg_params *params, uint64_t seed)
{
    const rg_problem_model m = model_of(w);
    for (size_t i = 0; i < MAX_LENGTHS; i++) {
        const rg_problem p = rg_problem_adding(lengths[i]);
        rg_problem_score s;
        rg_status st = rg_problem_test(&s, params, &p, &m, seed, TEST_ROWS,
                                       &(rg_plan_opts){ .threads = 1 });
        if (st)
            return fail(exit_code(st), "%s", rg_params_message(params));
        out->by_length[i] = s.rmse;
    }
    return DONE;
}

static int run_problem(outcome *out, const study *st, const contestant *w, rg_params *params,
                       uint64_t seed, progress_fn *progress, void *user)
{
    rg_trial t;
    rg_trial_opts o = trial_opts(st, w, seed);
    o.progress = progress;
    o.user = user;
    int code = flow_measure(out, 0, st, params, w, seed);
    if (code)
        return code;
    rg_status status = rg_trial_run(&t, params, &o);
    if (status == RG_EUSER)
        return RUN_TIME; /* stopped: who stopped it says so */
    if (status)
        return fail(exit_code(status), "%s, %s: %s", st->row->key, w->label, t.message);
    keep(out, st, &t);
    rg_trial_destroy(&t);
    code = flow_measure(out, 1, st, params, w, seed);
    return code == DONE && st->row->kind == ADDING ? try_lengths(out, w, params, seed) : code;
}

/* ---- Characters ----------------------------------------------------------------------------- */

static rg_trainer_opts chars_opts(const comparison *c, const study *st, const contestant *w)
{
    return (rg_trainer_opts){
        .model = { .cell = w->make, .cell_opts = &w->opts, .V = (int64_t)c->corpus.V,
                   .hidden = w->hidden },
        .optim = w->optim, .T = st->row->T, .B = st->row->batch, .plan = { .threads = 1 },
    };
}

/* Bits per character of the test part. */
static int chars_test(double *bits, const comparison *c, const rg_trainer_opts *o,
                      rg_params *params)
{
    rg_lm_score s;
    const rg_lm_score_opts opts = { .rows = CHAR_ROWS, .limit = CHAR_LIMIT, .plan = o->plan };
    rg_status status = rg_lm_evaluate(&s, params, &o->model,
                                      rg_corpus_part(&c->corpus, RG_PART_TEST), &opts);
    if (status)
        return fail(exit_code(status), "%s", s.message);
    *bits = s.nats / (double)s.count / log(2);
    return DONE;
}

/* A point of the curve every so many updates; its loss is that of training, in bits. */
static int chars_train(outcome *out, rg_trainer *t, uint64_t updates, progress_fn *progress,
                       void *user)
{
    const uint64_t every = (updates + POINTS - 1) / POINTS;
    double sum = 0, *took = calloc((size_t)updates, sizeof *took);
    if (!took)
        return fail(RUN_TIME, "no memory");
    for (uint64_t k = 0; k < updates; k++) {
        const double began = seconds();
        rg_status status = rg_trainer_step(t);
        out->seconds += took[k] = seconds() - began;
        if (status == RG_ENONFINITE)
            break;
        if (status || !progress(user, k + 1)) {
            free(took);
            return status ? fail(exit_code(status), "%s", rg_trainer_message(t)) : RUN_TIME;
        }
        sum += rg_trainer_facts(t).loss;
        if ((k + 1) % every == 0 && out->n_points < MAX_POINTS) {
            out->at[out->n_points] = (double)(k + 1);
            out->train[out->n_points] = sum / (double)every;
            out->test[out->n_points++] = sum / (double)every / log(2);
            sum = 0;
        }
    }
    out->ms = 1e3 * median(took, (size_t)updates);
    free(took);
    return DONE;
}

static int run_chars(outcome *out, const comparison *c, const study *st, const contestant *w,
                     rg_params *params, progress_fn *progress, void *user)
{
    rg_trainer *t;
    const rg_trainer_opts o = chars_opts(c, st, w);
    rg_status status = rg_trainer_create(&t, params, rg_corpus_part(&c->corpus, RG_PART_TRAIN), &o);
    if (status)
        return fail(exit_code(status), "%s", rg_params_message(params));
    int code = chars_train(out, t, trial_updates(st, w), progress, user);
    const rg_trainer_report r = rg_trainer_facts(t);
    rg_trainer_destroy(&t);
    if (code == DONE)
        code = chars_test(&out->value, c, &o, params);
    out->loss = out->value * log(2);
    out->accuracy = out->norm_median = out->norm_max = NAN;
    out->updates = r.step;
    out->skipped = r.optim.skipped;
    out->flop = r.plan.flop;
    out->arena = (double)r.plan.arena_bytes;
    out->nodes = (double)r.plan.nodes;
    return code;
}

/* ---- Both ----------------------------------------------------------------------------------- */

int trial_run(outcome *out, const comparison *c, const study *st, size_t who, int seed,
              progress_fn *progress, void *user)
{
    const contestant *w = &st->who[who];
    const uint64_t number = (uint64_t)(c->s->seed + seed);
    rg_params *params;
    memset(out, 0, sizeof *out);
    if (rg_params_create(&params, number, NULL))
        return fail(RUN_TIME, "no memory");
    int code = st->row->kind == CHARS ? run_chars(out, c, st, w, params, progress, user)
             : run_problem(out, st, w, params, number, progress, user);
    rg_params_destroy(&params);
    out->done = code == DONE;
    return code;
}

static bool go_on(void *user, uint64_t update)
{
    (void)user;
    (void)update;
    return true;
}

double trial_time(const comparison *c, const study *st, size_t who, int64_t hidden)
{
    enum { UPDATES = 40 };
    contestant as = st->who[who];
    const contestant *w = &as;
    rg_params *params;
    outcome out = { .ms = NAN };
    rg_trial t;
    as.hidden = hidden;
    if (rg_params_create(&params, 1, NULL))
        return NAN;
    if (st->row->kind == CHARS) {
        rg_trainer *trainer;
        const rg_trainer_opts o = chars_opts(c, st, w);
        const rg_span text = rg_corpus_part(&c->corpus, RG_PART_TRAIN);
        if (rg_trainer_create(&trainer, params, text, &o) == RG_OK)
            (void)chars_train(&out, trainer, UPDATES / 2, go_on, NULL);
        rg_trainer_destroy(&trainer);
    } else {
        rg_trial_opts o = trial_opts(st, w, 1);
        o.updates = o.test_every = UPDATES;
        o.test_rows = 1;
        o.problem.test = 1;
        if (rg_trial_run(&t, params, &o) == RG_OK)
            out.ms = t.ms;
        rg_trial_destroy(&t);
    }
    rg_params_destroy(&params);
    return out.ms;
}
