/* cli/profile.c -- `retrograd profile`: times every step of a plan, and the whole without. */
#define _POSIX_C_SOURCE 200809L
#include "cli/profile.h"
#include "cli/config.h"
#include "cli/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The model ------------------------------------------------------------------------------ */

/* A made-up vocabulary for a model that has seen no text. */
static int invent(profile *p)
{
    const settings *s = p->s;
    lm_text t = { .unit = s->symbols <= 256 ? RG_UNIT_BYTE : RG_UNIT_CHAR,
               .corpus = { .V = (size_t)s->symbols } };
    t.corpus.symbol = malloc(t.corpus.V * sizeof *t.corpus.symbol);
    if (!t.corpus.symbol)
        return fail(RUN_TIME, "no memory");
    for (size_t v = 0; v < t.corpus.V; v++)
        t.corpus.symbol[v] = (uint32_t)v;
    int code = model_new(&p->x.m, s, &t);
    free(t.corpus.symbol);
    return code;
}

/* What the run was trained with, where the line does not say otherwise. */
static int take_windows(profile *p, const char *run)
{
    char file[PATH_BYTES];
    int code;
    json_t *config = config_of_run(file, run, &code);
    if (!config)
        return code;
    code = config_windows(&p->T, &p->B, p->s, config, file);
    json_decref(config);
    return code;
}

/* The session that a configuration describes, on its data. */
static int take_session(profile *p, bool run)
{
    p->x.trace = &p->trace;
    int code = run ? look_of_run(&p->t, p->s) : look_of_line(&p->t, p->s);
    return code ? code : look_open(&p->x, &p->t, p->s);
}

static int take_run(profile *p, const char *run)
{
    static const char *const fixed[] = {
        "task", "cell", "proj", "hidden", "layers", "embed", "dropout", "dtype", "symbols",
        "bidirectional", "readout", "attention", "decoder", "no-bridge", "dropout-kind", "zoneout",
        "h0", "tbptt", "input-column", "label-column", "units", "label-units", "horizon", "bytes",
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (option_origin(p->s, fixed[i]) == FROM_LINE)
            return fail(USAGE, "--%s: %s says what the model is", fixed[i], run);
    int code = model_open(&p->x.m, run);
    const bool rows = code == DONE && p->x.m.net;
    if (rows) {
        model_close(&p->x.m);
        return take_session(p, true);
    }
    return code ? code : take_windows(p, run);
}

/* Any text will do: what a step takes does not depend on it. */
static int32_t *some_text(size_t n, int64_t V)
{
    int32_t *id = malloc(n * sizeof *id);
    uint32_t x = 1;
    for (size_t i = 0; id && i < n; i++) {
        x = 1664525u * x + 1013904223u;
        id[i] = (int32_t)((x >> 8) % (uint64_t)V);
    }
    return id;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

/* The scope without time: "l0/lstm step 3" is "l0/lstm". */
static void without_time(char *out, size_t size, const char *scope)
{
    size_t n = 0;
    for (const char *c = scope; *c && n + 1 < size;) {
        if (strncmp(c, " step ", 6) == 0)
            c += 6 + strspn(c + 6, "0123456789");
        else
            out[n++] = *c++;
    }
    out[n] = '\0';
}

static bool more_room(profile *p)
{
    const size_t cap = p->cap ? 2 * p->cap : 256;
    profile_part *step = realloc(p->step, cap * sizeof *step);
    if (step)
        p->step = step;
    double *now = realloc(p->now, cap * sizeof *now);
    if (now)
        p->now = now;
    if (step && now)
        p->cap = cap;
    return step && now;
}

static void on_step(void *user, const rg_timed_step *step)
{
    profile *p = user;
    if (step->index == 0)
        p->told = seconds();
    if (step->index >= p->cap && !more_room(p)) {
        p->full = true;
        return;
    }
    p->now[step->index] = step->seconds;
    if (step->index < p->n_step)
        return;
    profile_part *part = &p->step[p->n_step++];
    *part = (profile_part){ .gradient = step->gradient, .steps = 1, .flop = step->flop,
                            .bytes = step->bytes };
    (void)snprintf(part->name, sizeof part->name, "%s", step->kernel);
    (void)snprintf(part->shapes, sizeof part->shapes, "%s", step->shapes);
    without_time(part->layer, sizeof part->layer, step->scope);
}

static int failed(const profile *p, rg_status st)
{
    return fail(exit_code(st), "%s", rg_trainer_message(p->x.trainer));
}

/* A run of the plan; its seconds, without what it takes to hear of its steps afterwards. An
 * interpreter tells of them as it goes. */
static rg_status timed_run(profile *p, bool traced, double *took)
{
    p->trace.step = traced ? on_step : NULL;
    const double began = seconds();
    rg_status st = rg_plan_run(rg_trainer_plan(p->x.trainer));
    const double ended = seconds();
    *took = (traced && p->s->effort == RG_OPTIMIZE ? p->told : ended) - began;
    return st;
}

static int one_round(profile *p, double *run, double *update)
{
    double traced = INFINITY;
    rg_status st = timed_run(p, true, &traced);
    if (st == RG_OK && !p->full && traced < p->traced) {
        p->traced = traced;
        for (size_t i = 0; i < p->n_step; i++)
            p->step[i].seconds = p->now[i];
    }
    if (st == RG_OK)
        st = timed_run(p, false, run);
    const double began = seconds();
    if (st == RG_OK)
        st = rg_optim_step(rg_trainer_optim(p->x.trainer), rg_trainer_plan(p->x.trainer));
    *update = seconds() - began;
    if (p->full)
        return fail(RUN_TIME, "no memory for the steps of the plan");
    return st ? failed(p, st) : DONE;
}

static profile_times summary(double *took, size_t n)
{
    const double middle = median(took, n);
    return (profile_times){ took[0], middle };
}

static int step(profile *p)
{
    rg_status st = rg_trainer_step(p->x.trainer);
    return st ? failed(p, st) : DONE;
}

/* Some steps; then on to a batch as long as most of them were. */
static int warm_up(profile *p)
{
    enum { STEPS = 12 };
    int64_t T[STEPS];
    int code = DONE, best = 0;
    for (int i = 0; i < STEPS && code == DONE; i++) {
        code = step(p);
        T[i] = rg_trainer_facts(p->x.trainer).T;
    }
    for (int i = 0; i < STEPS && code == DONE; i++) {
        int alike = 0;
        for (int k = 0; k < STEPS; k++)
            alike += T[k] == T[i];
        if (alike > best) {
            best = alike;
            p->T = T[i];
        }
    }
    while (code == DONE && rg_trainer_facts(p->x.trainer).T != p->T)
        code = step(p);
    p->B = rg_trainer_facts(p->x.trainer).B;
    p->n_step = 0; /* what was heard of so far is of other plans */
    return code;
}

static int measure(profile *p)
{
    const size_t n = (size_t)p->s->steps;
    const rg_dtype real = p->x.m.real;
    const int threads = rg_trainer_facts(p->x.trainer).plan.threads;
    double *time = calloc(2 * n, sizeof *time);
    int code = time ? DONE : fail(RUN_TIME, "no memory");
    p->traced = INFINITY;
    if (code == DONE)
        code = warm_up(p);
    const double before = rg_measure_peak(real, threads);
    for (size_t i = 0; i < n && code == DONE; i++)
        code = one_round(p, &time[i], &time[n + i]);
    const double after = rg_measure_peak(real, threads);
    p->peak = (before + after) / 2;
    if (code == DONE && fabs(after - before) > 0.05 * p->peak)
        warn("the peak moved from %.0f to %.0f GF/s meanwhile: others use this machine", before,
             after);
    if (code == DONE) {
        p->run = summary(time, n);
        p->update = summary(time + n, n);
    }
    for (size_t i = 0; i < p->n_step; i++)
        p->steps += p->step[i].seconds;
    free(time);
    return code;
}

/* ---- Parts taken together ------------------------------------------------------------------- */

profile_part profile_update(const profile *p)
{
    return (profile_part){
        .name = "update", .layer = "optimizer", .steps = 1, .seconds = p->update.least,
        .bytes = 3 * params_bytes(p->x.m.params)
               + 2 * params_bytes(rg_optim_state(rg_trainer_optim(p->x.trainer))),
    };
}

profile_part profile_rest(const profile *p)
{
    return (profile_part){ .seconds = p->traced - p->steps };
}

double profile_total(const profile *p)
{
    return p->traced + p->update.least;
}

double profile_untraced(const profile *p)
{
    return p->run.least + p->update.least;
}

const char *profile_direction(const profile_part *part)
{
    return part->gradient ? "backward" : "forward";
}

double profile_rate(double amount, double seconds)
{
    return seconds > 0 ? 1e-9 * amount / seconds : 0;
}

static int order(const profile_part *a, const profile_part *b, unsigned by)
{
    int c = by & BY_KERNEL ? strcmp(a->name, b->name) : 0;
    if (!c && by & BY_LAYER)
        c = strcmp(a->layer, b->layer);
    if (!c && by & BY_DIRECTION)
        c = a->gradient - b->gradient;
    return c || !(by & BY_SHAPES) ? c : strcmp(a->shapes, b->shapes);
}

#define ORDER(name, by) \
    static int name(const void *a, const void *b) { return order(a, b, by); }
ORDER(by_kernel, BY_KERNEL)
ORDER(by_layer, BY_LAYER | BY_DIRECTION)
ORDER(by_all, BY_KERNEL | BY_LAYER | BY_DIRECTION | BY_SHAPES)

static int slowest_first(const void *a, const void *b)
{
    const double x = ((const profile_part *)a)->seconds, y = ((const profile_part *)b)->seconds;
    return (x < y) - (x > y);
}

profile_part *profile_groups(size_t *n, const profile *p, unsigned by)
{
    profile_part *group = malloc((p->n_step + 1) * sizeof *group);
    *n = 0;
    if (!group)
        return NULL;
    memcpy(group, p->step, p->n_step * sizeof *group);
    qsort(group, p->n_step, sizeof *group,
          by == BY_KERNEL ? by_kernel : by & BY_KERNEL ? by_all : by_layer);
    for (size_t i = 0; i < p->n_step; i++) {
        profile_part *last = &group[*n - 1];
        if (*n == 0 || order(last, &group[i], by)) {
            group[(*n)++] = group[i];
            continue;
        }
        last->steps++;
        last->seconds += group[i].seconds;
        last->flop += group[i].flop;
        last->bytes += group[i].bytes;
    }
    qsort(group, *n, sizeof *group, slowest_first);
    return group;
}

/* ---- The command ---------------------------------------------------------------------------- */

static int plan(profile *p, rg_span text)
{
    const settings *s = p->s;
    const rg_trainer_opts opts = {
        .model = p->x.m.lm, .T = p->T, .B = p->B, .back = s->tbptt,
        .optim = { .kind = (rg_optim_kind)s->optimizer, .lr = 1e-4, .clip_norm = s->clip_norm },
        .plan = { .real = p->x.m.real, .threads = (int)s->threads, .disable = s->disable,
                  .effort = (rg_effort)s->effort, .budget_bytes = (size_t)s->memory_budget,
                  .trace = &p->trace },
    };
    return model_trainer(&p->x.trainer, &p->x.m, text, &opts);
}

/* A character model of any text, which lives until the end. */
static int take_text(profile *p, int32_t **text)
{
    const settings *s = p->s;
    int code = s->operand[0] ? DONE : invent(p);
    const size_t n = (size_t)(p->T * p->B) + 1;
    if (code == DONE && !(*text = some_text(n, p->x.m.lm.V)))
        code = fail(RUN_TIME, "no memory");
    return code ? code : plan(p, (rg_span){ *text, n });
}

static int work(profile *p)
{
    const settings *s = p->s;
    int32_t *text = NULL;
    int code = s->operand[0] ? take_run(p, s->operand[0]) : train_check(s);
    if (code == DONE && !s->operand[0] && (s->task != LM || s->data))
        code = take_session(p, false);
    if (code == DONE && !p->x.trainer)
        code = take_text(p, &text);
    if (code == DONE)
        code = measure(p);
    if (code == DONE)
        code = profile_show(p);
    if (code == DONE && s->svg)
        code = profile_draw(p, s->svg);
    session_close(&p->x);
    free(text);
    return code;
}

int profile_main(settings *s)
{
    profile p = { .s = s, .T = s->seq_len, .B = s->batch,
                  .x = { .f.lock = -1, .metrics = { .jsonl = -1, .csv = -1 } } };
    p.trace = (rg_trace){ .user = &p, .step = on_step };
    int code = work(&p);
    settings_free(&p.t);
    free(p.step);
    free(p.now);
    return code;
}
