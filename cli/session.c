/* cli/session.c -- opening a training run: data, limits, model, folder. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "cli/session.h"
#include "cli/config.h"
#include "cli/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rg_plan_opts session_plan(const session *x)
{
    return (rg_plan_opts){ .real = x->m.real, .threads = (int)x->s->threads };
}

rg_plan_opts session_train_plan(const session *x)
{
    rg_plan_opts o = session_plan(x);
    o.budget_bytes = (size_t)x->s->memory_budget;
    o.disable = x->s->disable;
    o.effort = (rg_effort)x->s->effort;
    o.trace = x->trace;
    return o;
}

double session_seconds(const session *x)
{
    return x->before + seconds() - x->began;
}

/* ---- Limits --------------------------------------------------------------------------------- */

/* Steps of a run under --steps and --epochs; 0 = no such limit. */
static uint64_t total_steps(const settings *s, uint64_t windows)
{
    uint64_t by_epochs = (uint64_t)s->epochs * windows, steps = (uint64_t)s->steps;
    if (s->epochs && (uint64_t)s->epochs > UINT64_MAX / windows)
        by_epochs = UINT64_MAX;
    return !steps ? by_epochs : !by_epochs || steps < by_epochs ? steps : by_epochs;
}

static void plan_schedule(session *x)
{
    x->total = total_steps(x->s, x->windows);
    if (!x->horizon)
        x->horizon = x->total;
    x->eval_every = (uint64_t)x->s->eval_every;
    if (!x->eval_every)
        x->eval_every = x->windows < 500 ? x->windows : 500;
}

/* ---- The model ------------------------------------------------------------------------------ */

rg_optim_opts session_optim(const session *x)
{
    const settings *s = x->s;
    return (rg_optim_opts){
        .kind = (rg_optim_kind)s->optimizer, .lr = s->lr, .weight_decay = s->weight_decay,
        .no_decay = s->weight_decay == 0, .clip_norm = s->clip_norm, .clip_value = s->clip_value,
        .schedule = { .kind = (rg_schedule_kind)s->schedule, .warmup = (uint64_t)s->warmup,
                      .total = s->schedule == RG_COSINE ? x->horizon : 0,
                      .every = (uint64_t)s->decay_every, .factor = s->decay_factor },
    };
}

static int build(session *x)
{
    const double began = seconds();
    int code = x->task->build(x);
    if (code)
        return code;
    char title[128];
    rg_trainer_report r = rg_trainer_facts(x->trainer);
    note("model  %s: %.0f weights, %.1f MiB of memory for a step, planned in %.0f ms",
         model_title(title, sizeof title, &x->m), params_count(x->m.params),
         (double)r.plan.arena_bytes / 0x1p20, 1e3 * (seconds() - began));
    detail("plan   %zu nodes, %zu steps, %.3g flop, %d threads", r.plan.nodes, r.plan.steps,
           r.plan.flop, r.plan.threads);
    return DONE;
}

/* ---- The folder ----------------------------------------------------------------------------- */

static json_t *build_object(void)
{
    rg_build b = rg_build_info();
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "version", b.version, "compiler", b.compiler,
                     "isa", b.isa, "blas", b.blas_config, "blas_core", b.blas_core);
}

/* Files by their whole paths, so that a run knows them from any folder. */
static void whole_paths(json_t *chosen, const settings *s)
{
    const struct { const char *option, *path; } file[] = {
        { "data", s->data }, { "valid", s->valid }, { "test", s->test }, { "labels", s->labels },
        { "test-labels", s->test_labels }, { "embedding", s->embedding }, { "vocab", s->vocab },
    };
    for (size_t i = 0; chosen && i < sizeof file / sizeof *file; i++) {
        char *whole = file[i].path ? realpath(file[i].path, NULL) : NULL;
        if (whole)
            json_object_set_new(chosen, file[i].option, json_string(whole));
        free(whole);
    }
}

/* config.json: options, what they were applied to, and what built it. */
static int write_config(const session *x)
{
    char path[PATH_BYTES];
    json_t *chosen = config_options(x->s), *line = json_array();
    whole_paths(chosen, x->s);
    for (int i = 0; i < x->s->argc; i++)
        json_array_append_new(line, json_string(x->s->argv[i]));
    json_t *object = json_pack("{s:i, s:o, s:o, s:I, s:o, s:o}", "v", 1, "options", chosen, "data",
                               x->task->data(x), "horizon", (json_int_t)x->horizon, "command",
                               line, "build", build_object());
    char *text = object ? config_text(object) : NULL;
    int code = text ? file_replace(folder_file(path, &x->f, "config.json"), text, strlen(text))
                    : fail(RUN_TIME, "config.json: no memory, or a path that is not UTF-8");
    free(text);
    json_decref(object);
    return code;
}

static int open_folder(session *x)
{
    int code = x->s->resume ? session_resume(x) : folder_create(&x->f, x->s);
    if (code == DONE && !x->s->resume)
        code = write_config(x);
    if (code == DONE)
        code = metrics_open(&x->metrics, &x->f, x->task->measures, x->task->measure,
                            rg_trainer_facts(x->trainer).step, x->at.evaluated);
    if (code == DONE)
        note("run    %s", x->f.path);
    x->before = fmax(x->metrics.time, folder_told_seconds(&x->f));
    return code;
}

void session_banner(const session *x)
{
    rg_build b = rg_build_info();
    int threads = x->s->threads ? (int)x->s->threads : b.max_threads;
    note("retrograd %s, %s kernels, OpenBLAS %s (%s), %d thread%s, seed %lld", b.version, b.isa,
         blas_name(b.blas_threading), b.blas_core, threads, threads == 1 ? "" : "s",
         (long long)x->s->seed);
    if (b.blas_threading == 1 && threads > 1)
        warn("this OpenBLAS is the pthread build: install libopenblas0-openmp (retrograd doctor)");
    if (rg_selftest(NULL, NULL) == RG_EINTERNAL)
        warn("a kernel fails its self-test on this machine (retrograd doctor says which)");
}

int session_open(session *x, settings *s)
{
    static const task *const task_of[] = { &lm_task, &class_task, &class_task, &sequence_task,
                                           &value_task };
    const bool words = s->task == LM && net_unit(s) == RG_UNIT_WORD;
    uint64_t horizon = x->horizon;
    folder f = x->f;
    const rg_trace *trace = x->trace;
    *x = (session){ .s = s, .f = f, .horizon = horizon, .trace = trace,
                    .metrics = { .jsonl = -1, .csv = -1 }, .at = { .best_loss = INFINITY },
                    .began = seconds(), .task = words ? &word_task : task_of[s->task] };
    progress_setup(s);
    int code = x->task->load(x);
    if (code)
        return code;
    plan_schedule(x);
    code = build(x);
    if (code || s->dry_run)
        return code;
    code = open_folder(x);
    x->began = seconds();
    return code;
}

void session_close(session *x)
{
    rg_trainer_destroy(&x->trainer);
    rg_gradflow_destroy(&x->flow_first);
    model_close(&x->m);
    metrics_close(&x->metrics);
    folder_close(&x->f);
    if (x->task)
        x->task->close(x);
}
