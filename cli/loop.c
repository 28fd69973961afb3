/* cli/loop.c -- the training loop: step, account, report, evaluate, save; heed signals between. */
#define _POSIX_C_SOURCE 200809L
#include "cli/session.h"
#include "cli/signals.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Seconds until the first limit; < 0: not known yet. */
static double seconds_left(const session *x, uint64_t step, double per_step)
{
    double left = -1;
    if (x->total && per_step > 0)
        left = (double)(x->total - step) * per_step;
    if (x->s->minutes > 0) {
        double clock = fmax(0, 60 * x->s->minutes - session_seconds(x));
        left = left < 0 || clock < left ? clock : left;
    }
    return left;
}

static progress_line line_of(const session *x, const rg_trainer_report *r, double loss,
                             double per_step)
{
    return (progress_line){
        .step = r->step, .total = x->total, .epoch = (double)r->step / (double)r->windows,
        .loss = loss, .name = x->task->measure ? x->task->measures[0] : NULL,
        .measure = x->task->measure ? x->task->measure(loss) : -1,
        .grad_norm = r->optim.grad_norm, .lr = r->optim.lr,
        .per_second = per_step > 0 ? x->per_step / per_step : 0, .unit = x->task->unit,
        .seconds_left = seconds_left(x, r->step, per_step),
    };
}

/* A row of the metrics: the mean of the steps since the last one. */
static int report(session *x, const rg_trainer_report *r)
{
    uint64_t steps = r->step % (uint64_t)x->s->log_every;
    double per_step = x->busy / (double)(steps ? steps : (uint64_t)x->s->log_every);
    double loss = x->at.loss_count ? x->at.loss_sum / (double)x->at.loss_count : NAN;
    progress_line p = line_of(x, r, loss, per_step);
    progress_log(&p);
    metrics_row row = { .time = session_seconds(x), .step = r->step, .epoch = p.epoch,
                        .split = "train", .loss = loss, .grad_norm = r->optim.grad_norm,
                        .lr = r->optim.lr, .tok_s = p.per_second };
    for (int i = 0; i < MEASURES; i++)
        row.measure[i] = -1;
    x->at.loss_sum = 0;
    x->at.loss_count = 0;
    x->busy = 0;
    return metrics_add(&x->metrics, &row, x->s->json);
}

static int step(session *x)
{
    double began = seconds();
    rg_status st = rg_trainer_step(x->trainer);
    if (st == RG_ENONFINITE)
        return explain_divergence(x, st);
    if (st)
        return fail(exit_code(st), "%s", rg_trainer_message(x->trainer));
    double took = seconds() - began;
    rg_trainer_report r = rg_trainer_facts(x->trainer);
    x->busy += took;
    if (isfinite(r.loss)) {
        x->at.loss_sum += r.loss;
        x->at.loss_count++;
    }
    explain_step(x, &r);
    int code = watch_step(x);
    if (code)
        return code;
    progress_line p = line_of(x, &r, r.loss, took);
    progress_draw(&p);
    return r.step % (uint64_t)x->s->log_every == 0 ? report(x, &r) : DONE;
}

/* Have --patience evaluations passed without a better one? */
static bool out_of_patience(const session *x)
{
    return x->s->patience && x->at.evaluated - x->at.best_step >=
                             (uint64_t)x->s->patience * x->eval_every;
}

static bool finished(const session *x, uint64_t now)
{
    return (x->total && now >= x->total) || out_of_patience(x) ||
           (x->s->minutes > 0 && session_seconds(x) >= 60 * x->s->minutes);
}

/* Save and say how to go on. */
static int stopped(session *x, int signal_number)
{
    int code = session_save(x, "ckpt-last.safetensors");
    unsigned long long now = (unsigned long long)rg_trainer_facts(x->trainer).step;
    if (code)
        return code;
    note("stopped at step %llu by signal %d; saved. Go on: retrograd train --resume %s", now,
         signal_number, x->f.path);
    return 128 + signal_number;
}

static int save_now(session *x)
{
    int code = session_save(x, "ckpt-last.safetensors");
    if (code == DONE)
        note("saved  step %llu", (unsigned long long)rg_trainer_facts(x->trainer).step);
    return code;
}

static int conclude(const session *x)
{
    if (out_of_patience(x))
        note("enough no better evaluation since step %llu (--patience %lld)",
             (unsigned long long)x->at.best_step, (long long)x->s->patience);
    return DONE;
}

int session_run(session *x)
{
    for (;;) {
        uint64_t now = rg_trainer_facts(x->trainer).step;
        bool done = finished(x, now);
        bool due = now > 0 && x->at.evaluated != now && (done || now % x->eval_every == 0);
        int code = DONE;
        if (signals_stop())
            return stopped(x, signals_stop());
        if (due)
            code = session_evaluate(x);
        else if (done)
            return conclude(x);
        else
            code = step(x);
        now = rg_trainer_facts(x->trainer).step;
        if (code == DONE && !due && (signals_save() ||
            (x->s->save_every && now % (uint64_t)x->s->save_every == 0)))
            code = save_now(x);
        if (code)
            return code;
    }
}
