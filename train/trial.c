/* train/trial.c -- one cell on one problem: train, test now and then, keep what it took. */
#include "train/trial.h"

#include "base/clock.h"
#include "base/median.h"
#include "base/memory.h"
#include "graph/params.h"

#include <retrograd/ops.h>

#include <math.h>
#include <string.h>

enum { BATCH = 64, POINTS = 50 };

typedef struct run {
    const rg_trial_opts *o;
    rg_trial            *out;
    rg_params           *params;
    rg_alloc             alloc;
    rg_problem_graph        g;
    rg_plan             *plan;
    rg_optim            *optim;
    rg_feed              feed;
    rg_tester            tester;
    rg_err               err;
    int64_t              B;
    uint64_t             every;
    size_t               cap;         /* of out->point */
    double              *took, *norm; /* of each update */
    double               sum;         /* of training losses since the last point */
    uint64_t             summed;
} run;

/* ---- Building ------------------------------------------------------------------------------- */

/* scale·(L + 4·Ω), the weight of Ω being the paper's. */
static rg_val objective(run *r)
{
    const rg_trial_opts *o = r->o;
    rg_val L = r->g.loss;
    if (o->omega) {
        rg_val W = RG_NONE;
        if (o->omega == RG_OMEGA_PAPER)
            W = rg_param(r->g.graph, "rnn", "W", RG_SHAPE(o->model.hidden, o->model.hidden),
                         rg_init_zeros());
        L = rg_add(L, rg_scale(rg_omega(L, r->g.states, o->problem.T, W), 4));
    }
    return o->scale > 0 && o->scale != 1 ? rg_scale(L, o->scale) : L;
}

static const char *fault(const rg_trial_opts *o)
{
    return o->updates < 1 || o->updates > UINT32_MAX ? "updates must be 1 to 2^32 - 1"
         : o->batch < 0 ? "batch must not be negative"
         : !(o->scale >= 0) ? "scale must not be negative"
         : NULL;
}

static rg_status build_plan(run *r)
{
    const rg_trial_opts *o = r->o;
    rg_plan_opts opts = o->plan;
    rg_status st = rg_problem_graph_create(&r->g, r->params, &o->problem, &o->model, r->B);
    if (st == RG_OK && o->omega && r->g.n_state != 1)
        return rg_fail(&r->err, RG_EARG, "trial: omega needs a cell with one state");
    if (st == RG_OK && o->omega == RG_OMEGA_PAPER && !rg_params_find(r->params, "rnn.W").name)
        return rg_fail(&r->err, RG_EARG, "trial: the authors' omega is that of rg_rnn");
    if (st == RG_OK) {
        rg_val L = objective(r);
        opts.mode = RG_TRAIN;
        st = rg_plan_create_train(&r->plan, L, &r->g.loss, 1, &opts);
    }
    return st ? rg_fail(&r->err, st, "%s", r->g.graph ? rg_graph_message(r->g.graph)
                                                      : rg_params_message(r->params)) : RG_OK;
}

static rg_status prepare(run *r)
{
    const rg_trial_opts *o = r->o;
    const char *wrong = fault(o);
    rg_status st;
    if (wrong)
        return rg_fail(&r->err, RG_EARG, "trial: %s", wrong);
    (void)rg_alloc_resolve(&r->alloc, NULL);
    r->B = o->batch ? o->batch : BATCH;
    r->every = o->test_every ? o->test_every : o->updates / POINTS + 1;
    r->cap = (size_t)(o->updates / r->every) + 2;
    r->took = rg_get(&r->alloc, (size_t)o->updates * sizeof *r->took);
    r->norm = rg_get(&r->alloc, (size_t)o->updates * sizeof *r->norm);
    r->out->point = rg_get(&r->alloc, r->cap * sizeof *r->out->point);
    if (!r->took || !r->norm || !r->out->point)
        return rg_fail(&r->err, RG_ENOMEM, "trial: no memory for %llu updates",
                       (unsigned long long)o->updates);
    if ((st = build_plan(r)) ||
        (st = rg_feed_create(&r->feed, &o->problem, &r->g, r->plan, r->B, &r->err)) ||
        (st = rg_tester_create(&r->tester, r->params, &o->problem, &o->model, &o->plan, &r->err)))
        return st;
    st = rg_optim_create(&r->optim, r->params, &o->optim);
    return st ? rg_fail(&r->err, st, "%s", rg_params_message(r->params)) : RG_OK;
}

static void release(run *r)
{
    const size_t n = (size_t)r->o->updates;
    rg_optim_destroy(&r->optim);
    rg_tester_destroy(&r->tester);
    rg_feed_release(&r->feed);
    rg_plan_destroy(&r->plan);
    rg_problem_graph_destroy(&r->g);
    rg_release(&r->alloc, r->took, n * sizeof *r->took);
    rg_release(&r->alloc, r->norm, n * sizeof *r->norm);
}

/* ---- Training ------------------------------------------------------------------------------- */

static rg_status update(run *r, uint64_t k)
{
    rg_trial *out = r->out;
    rg_feed_fill(&r->feed, r->o->seed, k, false);
    const double began = rg_seconds();
    rg_status st = rg_plan_run(r->plan);
    const double loss = rg_plan_scalar(r->plan, r->g.loss);
    if (st == RG_OK)
        st = rg_optim_step(r->optim, r->plan);
    r->took[k] = rg_seconds() - began;
    out->nonfinite = st == RG_ENONFINITE;
    if (st && !out->nonfinite)
        return rg_fail(&r->err, st, "%s", rg_plan_message(r->plan));
    const rg_optim_report facts = rg_optim_facts(r->optim);
    const double clip = r->o->optim.clip_norm;
    r->norm[k] = facts.grad_norm;
    out->seconds += r->took[k];
    out->clipped += facts.applied && clip > 0 && facts.grad_norm > clip;
    out->updates++;
    r->sum += loss;
    r->summed++;
    if (r->o->progress && !r->o->progress(r->o->user, out->updates))
        return rg_fail(&r->err, RG_EUSER, "trial: stopped after %llu updates",
                       (unsigned long long)out->updates);
    return RG_OK;
}

static bool enough(const rg_trial_opts *o, const rg_problem_score *s)
{
    return (o->enough_loss > 0 && s->loss <= o->enough_loss) ||
           (o->enough_accuracy > 0 && s->accuracy >= o->enough_accuracy);
}

static rg_status look(run *r, uint64_t rows)
{
    rg_trial *out = r->out;
    rg_problem_score s;
    rg_status st = rg_tester_run(&s, &r->tester, r->o->seed, rows, &r->err);
    if (st)
        return st;
    out->point[out->n_points++] = (rg_trial_point){
        out->updates, r->summed ? r->sum / (double)r->summed : NAN, s
    };
    r->sum = 0;
    r->summed = 0;
    if (!out->enough_update && out->updates && enough(r->o, &s)) {
        out->enough_update = out->updates;
        out->enough_seconds = out->seconds;
    }
    return RG_OK;
}

static rg_status train(run *r)
{
    const rg_trial_opts *o = r->o;
    rg_status st = look(r, o->test_rows);
    for (uint64_t k = 0; k < o->updates && st == RG_OK; k++) {
        st = update(r, k);
        if (st == RG_OK && (k + 1) % r->every == 0 && k + 1 < o->updates)
            st = look(r, o->test_rows);
        if (r->out->nonfinite || (o->stop_there && r->out->enough_update))
            break;
    }
    if (st == RG_OK)
        st = look(r, 0);
    if (st == RG_OK)
        r->out->score = r->out->point[r->out->n_points - 1].test;
    return st;
}

/* ---- Figures -------------------------------------------------------------------------------- */

/* The median of the finite ones, NaN if there are none; *most is the largest of them. */
static double median_of(double *v, size_t n, double *most)
{
    size_t k = 0;
    *most = NAN;
    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i])) {
            *most = fmax(*most, v[i]);
            v[k++] = v[i];
        }
    return k ? rg_median(v, k) : NAN;
}

static void count_up(run *r)
{
    rg_trial *out = r->out;
    const size_t n = (size_t)out->updates;
    double longest;
    out->ms = 1e3 * median_of(r->took, n, &longest);
    out->norm_median = median_of(r->norm, n, &out->norm_max);
    out->skipped = rg_optim_facts(r->optim).skipped;
    out->plan = rg_plan_facts(r->plan);
    for (size_t i = 0; i < rg_params_count(r->params); i++)
        out->weights += rg_shape_count(rg_params_at(r->params, i).shape);
}

rg_status rg_trial_run(rg_trial *out, rg_params *params, const rg_trial_opts *opts)
{
    if (!out)
        return RG_EARG;
    memset(out, 0, sizeof *out);
    if (!params || !opts)
        return RG_EARG;
    run r = { .o = opts, .out = out, .params = params, .err = { .status = RG_OK } };
    rg_status st = prepare(&r);
    if (st == RG_OK)
        st = train(&r);
    if (st == RG_OK)
        count_up(&r);
    release(&r);
    if (st) {
        rg_trial_destroy(out);
        memcpy(out->message, r.err.text, sizeof out->message);
    }
    return st;
}

void rg_trial_destroy(rg_trial *trial)
{
    rg_alloc a;
    if (!trial)
        return;
    (void)rg_alloc_resolve(&a, NULL);
    rg_release(&a, trial->point, 0);
    memset(trial, 0, sizeof *trial);
}
