/* cli/compare_work.c -- trials are jobs: several at once, each on one thread; each finished one is
 * a file, so that an interrupted comparison goes on where it was. */
#define _POSIX_C_SOURCE 200809L
#include "cli/compare.h"
#include "cli/progress.h"
#include "cli/signals.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_WORKERS = 16, TIMING_ROUNDS = 3 };

typedef struct job {
    size_t study, who;
    int    seed;
    double cost;  /* multiply-adds, about */
} job;

typedef struct office {
    comparison     *c;
    job            *jobs;
    size_t          n, next, finished;
    double          cost, done;       /* of all; of what is finished */
    double          part[MAX_WORKERS];  /* of running ones: share done, times cost */
    double          began, told;
    _Atomic int     code;             /* also read without the lock */
    pthread_mutex_t lock;
} office;

typedef struct worker {
    office *o;
    int     index;
    job     now;
    double  updates;
} worker;

/* ---- Progress ------------------------------------------------------------------------------- */

static double share_of(const office *o, int workers)
{
    double done = o->done;
    for (int i = 0; i < workers; i++)
        done += o->part[i];
    return o->cost > 0 ? done / o->cost : 1;
}

/* A line every two seconds at most; called with the lock held. */
static void tell(office *o, bool finished, const char *what)
{
    char left[64] = "";
    const double now = seconds(), share = share_of(o, MAX_WORKERS);
    if (!finished && now - o->told < 2)
        return;
    o->told = now;
    if (share > 0.01)
        (void)snprintf(left, sizeof left, " left_s=%.0f", (now - o->began) * (1 - share) / share);
    progress_text("trial=%zu of=%zu done=%.0f%%%s %s", o->finished, o->n, 100 * share, left, what);
}

static bool progress(void *user, uint64_t update)
{
    worker *w = user;
    office *o = w->o;
    if (update % 16 == 0) {
        (void)pthread_mutex_lock(&o->lock);
        o->part[w->index] = w->now.cost * (double)update / w->updates;
        tell(o, false, "");
        (void)pthread_mutex_unlock(&o->lock);
    }
    return !signals_stop() && o->code == DONE;
}

/* ---- Workers -------------------------------------------------------------------------------- */

static bool take(worker *w)
{
    office *o = w->o;
    (void)pthread_mutex_lock(&o->lock);
    const bool any = o->next < o->n && o->code == DONE && !signals_stop();
    if (any)
        w->now = o->jobs[o->next++];
    (void)pthread_mutex_unlock(&o->lock);
    return any;
}

static void settle(worker *w, const study *st, const outcome *out, int code)
{
    char what[160];
    office *o = w->o;
    (void)pthread_mutex_lock(&o->lock);
    o->part[w->index] = 0;
    if (code == DONE) {
        o->done += w->now.cost;
        o->finished++;
        (void)snprintf(what, sizeof what, "%s, %s, seed %lld: %s %.4g in %.1f s", st->row->key,
                       st->who[w->now.who].label, (long long)o->c->s->seed + w->now.seed,
                       measure_name(st->row->measure), out->value, out->seconds);
        tell(o, true, what);
    } else if (o->code == DONE) {
        o->code = code;
    }
    (void)pthread_mutex_unlock(&o->lock);
}

static void *work(void *user)
{
    worker *w = user;
    while (take(w)) {
        study *st = &w->o->c->study[w->now.study];
        outcome *out = outcome_at(st, w->now.who, w->now.seed);
        w->updates = (double)trial_updates(st, &st->who[w->now.who]);
        int code = trial_run(out, w->o->c, st, w->now.who, w->now.seed, progress, w);
        if (code == DONE)
            code = outcome_save(out, w->o->c, st, w->now.who, w->now.seed);
        settle(w, st, out, code);
    }
    return NULL;
}

/* ---- The list ------------------------------------------------------------------------------- */

static double cost_of(const study *st, size_t who)
{
    const contestant *w = &st->who[who];
    const double extra = w->omega == RG_OMEGA_EXACT ? 5 : w->omega ? 2.5 : 1;
    return extra * (double)trial_updates(st, w) * (double)(st->row->T * st->row->batch) *
           ((double)st->weights[who] + 2000);
}

/* What the folder does not have, seed by seed, so that means exist early. */
static int list_jobs(office *o)
{
    comparison *c = o->c;
    size_t kept = 0;
    o->jobs = calloc(MAX_STUDIES * MAX_CONTESTANTS * MAX_SEEDS, sizeof *o->jobs);
    if (!o->jobs)
        return fail(RUN_TIME, "no memory");
    for (int seed = 0; seed < MAX_SEEDS; seed++)
        for (size_t k = 0; k < c->n; k++)
            for (size_t who = 0; who < c->study[k].n && seed < c->study[k].seeds; who++) {
                study *st = &c->study[k];
                if (outcome_load(outcome_at(st, who, seed), c, st, who, seed)) {
                    kept++;
                    continue;
                }
                o->jobs[o->n++] = (job){ k, who, seed, cost_of(st, who) };
                o->cost += cost_of(st, who);
            }
    if (kept)
        note("%zu finished trials are taken from %s", kept, c->folder);
    return DONE;
}

static int run_all(office *o, int workers)
{
    pthread_t  thread[MAX_WORKERS];
    worker     w[MAX_WORKERS];
    int        started = 0;
    while (started < workers && started < MAX_WORKERS) {
        w[started] = (worker){ .o = o, .index = started };
        if (pthread_create(&thread[started], NULL, work, &w[started]))
            break;
        started++;
    }
    for (int i = 0; i < started; i++)
        (void)pthread_join(thread[i], NULL);
    return started ? o->code : fail(RUN_TIME, "no thread could be started");
}

/* Updates timed one contestant after the other, the least median of some rounds. */
static void time_all(comparison *c)
{
    for (size_t k = 0; k < c->n; k++) {
        study *st = &c->study[k];
        const int64_t lstm = st->row->lstm_hidden;
        for (size_t who = 0; who < st->n; who++)
            st->ms[who] = st->ms_wide[who] = NAN;
        for (int round = 0; round < TIMING_ROUNDS; round++)
            for (size_t who = 0; who < st->n && !signals_stop(); who++) {
                const int64_t own = st->who[who].hidden;
                st->ms[who] = fmin(st->ms[who], trial_time(c, st, who, own));
                if (own == lstm)
                    st->ms_wide[who] = st->ms[who];
                else if (lstm)
                    st->ms_wide[who] = fmin(st->ms_wide[who], trial_time(c, st, who, lstm));
            }
    }
}

int work_off(comparison *c)
{
    office o = { .c = c, .began = seconds(), .code = DONE };
    const int threads = c->s->threads ? (int)c->s->threads : rg_build_info().max_threads;
    (void)pthread_mutex_init(&o.lock, NULL);
    int code = list_jobs(&o);
    if (code == DONE)
        code = run_all(&o, threads);
    (void)pthread_mutex_destroy(&o.lock);
    free(o.jobs);
    progress_clear();
    if (signals_stop())
        return fail(128 + signals_stop(), "stopped after %zu of %zu trials; the same command goes "
                    "on (%s)", o.finished, o.n, c->folder);
    if (code == DONE) {
        progress_text("timing each cell alone");
        time_all(c);
        progress_clear();
    }
    return code;
}
