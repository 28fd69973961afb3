/* optim/step.c -- one update: mean over accumulated runs, finite test, clip by value, clip by norm,
 * decay, update, bounds. Work is cut into stretches by shape, so bits do not depend on threads. */
#include "optim/optim.h"

#include "kernels/team.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE = 10 };  /* steps in a row without a finite gradient */

/* What every task of a step needs to know. */
struct work {
    rg_optim *optim;
    rg_plan  *plan;
    double    runs, clip, scale;
    bool      largest;      /* partial = largest element, else sum of squares */
};

/* ---- Which gradients ------------------------------------------------------------------------ */

static rg_status check_plan(rg_optim *optim, rg_plan *plan, uint32_t *objective)
{
    *objective = plan->opts.objective.id;
    if (!plan->n_gradient)
        return rg_fail(&plan->err, RG_EARG, "step: no root of the plan is the gradient of a "
                       "parameter");
    if (plan->params != optim->params)
        return rg_fail(&plan->err, RG_EARG, "step: the plan's parameters are another store");
    if (!plan->has_run || plan->runs < 1)
        return rg_fail(&plan->err, RG_ESTATE, "step: the plan has not run since the last step, or "
                       "its last run failed");
    size_t n = 0;
    for (size_t i = 0; i < plan->n_gradient; i++) {
        const uint32_t of = plan->gradient[i].objective;
        *objective = *objective ? *objective : of;
        n += of == *objective;
    }
    if (!n)
        return rg_fail(&plan->err, RG_EARG, "step: no root of the plan is a gradient of its "
                       "objective");
    if (n < plan->n_gradient && !plan->opts.objective.id)
        return rg_fail(&plan->err, RG_EARG, "step: the roots are gradients of two objectives; "
                       "set rg_plan_opts.objective");
    return RG_OK;
}

static size_t states_of(const rg_optim_opts *o, bool need[RG_UPDATE_STATES])
{
    bool adam = o->kind == RG_ADAM || o->kind == RG_ADAMW, rms = o->kind == RG_RMSPROP;
    need[0] = o->kind != RG_SGD;
    need[1] = adam || o->kind == RG_ADADELTA || (rms && o->momentum != 0);
    need[2] = (adam && o->amsgrad) || (rms && o->centered);
    return (size_t)need[0] + need[1] + need[2];
}

static const char *const state_name[][RG_UPDATE_STATES] = {
    [RG_ADAM] = { "m", "v", "v_max" },     [RG_ADAMW] = { "m", "v", "v_max" },
    [RG_MOMENTUM] = { "v" },               [RG_NESTEROV] = { "v" },
    [RG_ADAGRAD] = { "s" },                [RG_ADADELTA] = { "s", "e" },
    [RG_RMSPROP] = { "s", "v", "mean" },   [RG_SGD] = { NULL },
};

static rg_status declare(rg_optim *optim, rg_slot **out, const char *what, const rg_slot *w,
                         rg_shape shape, rg_dtype dtype)
{
    char name[RG_NAME_BYTES + 16];
    (void)snprintf(name, sizeof name, "optim.%s.%s", what, w->name);
    return rg_params_declare(out, optim->state, name, shape, dtype, NULL);
}

/* The first time a parameter is seen it gets its moments and a counter. */
static rg_status meet(rg_optim *optim, const rg_slot *w)
{
    bool need[RG_UPDATE_STATES];
    rg_status st = RG_OK;
    states_of(&optim->opts, need);
    if (!rg_reserve(&optim->alloc, &optim->entry, &optim->entry_cap, (size_t)w->index + 1,
                    sizeof *optim->entry))
        return RG_ENOMEM;
    rg_optim_entry *e = &optim->entry[w->index];
    for (int k = 0; k < RG_UPDATE_STATES && !st; k++)
        if (need[k] && !e->state[k])
            st = declare(optim, &e->state[k], state_name[optim->opts.kind][k], w, w->shape,
                         w->dtype);
    if (!st && !e->t)
        st = declare(optim, &e->t, "t", w, RG_SCALAR, RG_I64);
    return st;
}

static bool add_tasks(rg_optim *optim, const rg_plan_gradient *g, size_t update)
{
    for (int64_t at = 0; at < g->slot->count; at += RG_OPTIM_STRETCH) {
        if (!rg_reserve(&optim->alloc, &optim->task, &optim->task_cap, optim->n_task + 1,
                        sizeof *optim->task))
            return false;
        int64_t rest = g->slot->count - at;
        optim->task[optim->n_task++] = (rg_optim_task){
            .gradient = g, .update = optim->update + update, .begin = at,
            .n = rest < RG_OPTIM_STRETCH ? rest : RG_OPTIM_STRETCH };
    }
    return true;
}

/* Everything that allocates: afterwards a step of the same plan allocates nothing. */
static rg_status prepare(rg_optim *optim, rg_plan *plan, uint32_t objective)
{
    size_t bytes = (size_t)plan->threads * RG_OPTIM_STRETCH * sizeof(double);
    rg_status st = RG_OK;
    optim->n_task = 0;
    if (!rg_reserve(&optim->alloc, &optim->update, &optim->update_cap, plan->n_gradient,
                    sizeof *optim->update))
        st = RG_ENOMEM;
    for (size_t i = 0; i < plan->n_gradient && !st; i++) {
        const rg_plan_gradient *g = &plan->gradient[i];
        if (g->objective != objective || g->slot->frozen)
            continue;
        if (!(st = meet(optim, g->slot)) && !add_tasks(optim, g, i))
            st = RG_ENOMEM;
    }
    if (!st && !rg_reserve(&optim->alloc, &optim->partial, &optim->partial_cap, optim->n_task,
                           sizeof *optim->partial))
        st = RG_ENOMEM;
    if (!st && plan->opts.real != optim->params->real && optim->scratch_bytes < bytes) {
        rg_release(&optim->alloc, optim->scratch, optim->scratch_bytes);
        optim->scratch = rg_get(&optim->alloc, bytes);
        optim->scratch_bytes = optim->scratch ? bytes : 0;
        st = optim->scratch ? RG_OK : RG_ENOMEM;
    }
    return st ? rg_fail(&plan->err, st, "step: %s",
                        st == RG_ENOMEM ? "no memory for optimizer state"
                                        : optim->state->err.text) : RG_OK;
}

/* ---- What a thread does --------------------------------------------------------------------- */

/* The gradient's elements of a task in the store's precision. */
static const void *gradient_of(const struct work *w, const rg_optim_task *task, int rank)
{
    const void *data = rg_plan_gradient_data(w->plan, task->gradient);
    rg_dtype have = w->plan->opts.real, want = w->optim->params->real;
    if (have == want)
        return (const char *)data + (size_t)task->begin * rg_dtype_size(have);
    void *out = w->optim->scratch + (size_t)rank * RG_OPTIM_STRETCH * sizeof(double);
    for (int64_t i = 0; i < task->n; i++)
        if (want == RG_F64)
            ((double *)out)[i] = ((const float *)data)[task->begin + i];
        else
            ((float *)out)[i] = (float)((const double *)data)[task->begin + i];
    return out;
}

static double measure(const struct work *w, const rg_update_kernels *k, const void *g, int64_t n)
{
    double clip = w->clip * w->runs;
    if (w->optim->params->real == RG_F64)
        return w->largest ? k->f64.largest(g, n) : k->f64.sum_squares(g, n, clip, w->scale);
    return w->largest ? k->f32.largest(g, n) : k->f32.sum_squares(g, n, clip, w->scale);
}

static void update(const struct work *w, const rg_update_kernels *k, const rg_optim_task *task,
                   const void *g)
{
    const rg_slot *slot = task->gradient->slot;
    const rg_optim_entry *e = &w->optim->entry[slot->index];
    if (slot->dtype == RG_F64) {
        double *s[RG_UPDATE_STATES];
        for (int i = 0; i < RG_UPDATE_STATES; i++)
            s[i] = e->state[i] ? (double *)e->state[i]->data + task->begin : NULL;
        k->f64.update(task->update, task->n, (double *)slot->data + task->begin, g, s);
    } else {
        float *s[RG_UPDATE_STATES];
        for (int i = 0; i < RG_UPDATE_STATES; i++)
            s[i] = e->state[i] ? (float *)e->state[i]->data + task->begin : NULL;
        k->f32.update(task->update, task->n, (float *)slot->data + task->begin, g, s);
    }
}

/* Elements that have left ±bound are cut; one that is no number stays so. */
static void keep_within(const rg_slot *slot, int64_t begin, int64_t n)
{
    const double bound = slot->bound;
    const float narrow = (float)bound;
    for (int64_t i = begin; i < begin + n; i++)
        if (slot->dtype == RG_F64) {
            double *w = (double *)slot->data + i;
            *w = *w > bound ? bound : *w < -bound ? -bound : *w;
        } else {
            float *w = (float *)slot->data + i;
            *w = *w > narrow ? narrow : *w < -narrow ? -narrow : *w;
        }
}

static void each_task(const struct work *w, int rank, int size, bool measuring)
{
    const rg_update_kernels *k = rg_update_table(rg_cpu_isa());
    size_t n = w->optim->n_task, begin = n * (size_t)rank / (size_t)size;
    size_t end = n * ((size_t)rank + 1) / (size_t)size;
    for (size_t i = begin; i < end; i++) {
        const rg_optim_task *task = &w->optim->task[i];
        const void *g = gradient_of(w, task, rank);
        if (measuring)
            w->optim->partial[i] = measure(w, k, g, task->n);
        else
            update(w, k, task, g);
        if (!measuring && task->gradient->slot->bound > 0)
            keep_within(task->gradient->slot, task->begin, task->n);
    }
}

static void measure_tasks(void *arg, int rank, int size)
{
    each_task(arg, rank, size, true);
}

static void update_tasks(void *arg, int rank, int size)
{
    each_task(arg, rank, size, false);
}

/* ---- The norm ------------------------------------------------------------------------------- */

static double largest(struct work *w)
{
    double top = 0;
    w->largest = true;
    rg_team_run(w->plan->threads, false, measure_tasks, w);
    for (size_t i = 0; i < w->optim->n_task; i++)
        top = w->optim->partial[i] > top || isnan(w->optim->partial[i]) ? w->optim->partial[i]
                                                                        : top;
    return top;
}

/* ‖mean gradient‖₂, every element cut to ±clip before; not finite if an element is not. In f64 the
 * squares could leave the range, so elements are scaled by a power of two first. */
static double norm(struct work *w, double clip)
{
    double sum = 0;
    w->scale = 1;
    w->clip = clip;
    if (w->optim->params->real == RG_F64) {
        double top = largest(w);
        int exponent = 0;
        if (isnan(top))
            return NAN;
        (void)frexp(top, &exponent);
        w->scale = top > 0 ? ldexp(1, -exponent) : 1;
        if (isinf(w->scale) || w->scale == 0)
            w->scale = 1;
    }
    w->largest = false;
    rg_team_run(w->plan->threads, false, measure_tasks, w);
    for (size_t i = 0; i < w->optim->n_task; i++)
        sum += w->optim->partial[i];
    return sqrt(sum) / w->scale / w->runs;
}

/* "gradient of 'lstm.Ui' is nan at element 17" */
static rg_status first_bad(const struct work *w)
{
    for (size_t i = 0; i < w->optim->n_task; i++) {
        const rg_optim_task *task = &w->optim->task[i];
        const void *g = rg_plan_gradient_data(w->plan, task->gradient);
        for (int64_t k = task->begin; k < task->begin + task->n; k++) {
            double x = w->plan->opts.real == RG_F64 ? ((const double *)g)[k]
                                                    : (double)((const float *)g)[k];
            if (!isfinite(x))
                return rg_fail(&w->plan->err, RG_ENONFINITE, "step: the gradient of '%s' is %s at "
                               "element %lld", task->gradient->slot->name,
                               isnan(x) ? "nan" : "infinite", (long long)k);
        }
    }
    return rg_fail(&w->plan->err, RG_ENONFINITE, "step: the norm of all gradients overflows");
}

/* ---- The step ------------------------------------------------------------------------------- */

static rg_update rule_of(const rg_optim *optim, const rg_slot *w, double lr, double runs,
                         double scale)
{
    static const rg_update_rule rule[] = {
        [RG_ADAM] = RG_UPDATE_ADAM, [RG_ADAMW] = RG_UPDATE_ADAM, [RG_SGD] = RG_UPDATE_SGD,
        [RG_MOMENTUM] = RG_UPDATE_MOMENTUM, [RG_NESTEROV] = RG_UPDATE_MOMENTUM,
        [RG_ADAGRAD] = RG_UPDATE_ADAGRAD, [RG_ADADELTA] = RG_UPDATE_ADADELTA,
        [RG_RMSPROP] = RG_UPDATE_RMSPROP,
    };
    const rg_optim_opts *o = &optim->opts;
    const rg_group_opts *group = rg_optim_group_of(optim, w->name);
    double t = (double)(*rg_count_of(optim->entry[w->index].t) + 1), decay = o->weight_decay;
    if (group && group->lr_factor != 0)
        lr *= group->lr_factor;
    if (group && (group->no_decay || group->weight_decay != 0))
        decay = group->no_decay ? 0 : group->weight_decay;
    rg_update u = {
        .rule = rule[o->kind], .runs = runs, .clip = o->clip_value > 0 ? o->clip_value : INFINITY,
        .scale = scale, .lr = lr, .decay = decay, .shrink = 1, .beta1 = o->beta1,
        .beta2 = o->beta2, .eps = o->eps, .momentum = o->momentum, .first = t == 1,
        .nesterov = o->kind == RG_NESTEROV, .amsgrad = o->amsgrad, .centered = o->centered,
    };
    if (o->kind == RG_ADAMW) {
        u.shrink = 1 - lr * decay;
        u.decay = 0;
    }
    if (u.rule == RG_UPDATE_ADAM) {
        u.lr = lr / (1 - pow(o->beta1, t));
        u.root_bias2 = sqrt(1 - pow(o->beta2, t));
    }
    return u;
}

static rg_status skip(const struct work *w)
{
    rg_optim *optim = w->optim;
    ++*rg_count_of(optim->skipped);
    int64_t in_row = ++*rg_count_of(optim->in_row);
    optim->applied = false;
    rg_status st = first_bad(w);
    rg_plan_consumed(w->plan);
    return optim->opts.nonfinite == RG_STOP || in_row >= PATIENCE ? st : RG_OK;
}

static void apply(struct work *w, double scale)
{
    rg_optim *optim = w->optim;
    for (size_t i = 0; i < optim->n_task; i++) {
        const rg_optim_task *task = &optim->task[i];
        if (task->begin == 0)
            optim->update[task->gradient - w->plan->gradient] =
                rule_of(optim, task->gradient->slot, optim->lr, w->runs, scale);
    }
    rg_team_run(w->plan->threads, false, update_tasks, w);
    rg_params_written(optim->params);
    for (size_t i = 0; i < optim->n_task; i++)
        if (optim->task[i].begin == 0)
            ++*rg_count_of(optim->entry[optim->task[i].gradient->slot->index].t);
    ++*rg_count_of(optim->updates);
    *rg_count_of(optim->in_row) = 0;
    optim->applied = true;
    rg_plan_consumed(w->plan);
}

rg_status rg_optim_step(rg_optim *optim, rg_plan *plan)
{
    uint32_t objective;
    rg_status st;
    if (!optim || !plan)
        return RG_EARG;
    if ((st = check_plan(optim, plan, &objective)) || (st = prepare(optim, plan, objective)))
        return st;
    const rg_optim_opts *o = &optim->opts;
    struct work w = { .optim = optim, .plan = plan, .runs = (double)plan->runs };
    if (!plan->opts.accumulate)
        w.runs = 1;
    optim->grad_norm = norm(&w, INFINITY);
    optim->lr = rg_optim_rate_now(optim);
    if (!isfinite(optim->grad_norm) && o->nonfinite != RG_PROPAGATE)
        return skip(&w);
    double clipped = o->clip_value > 0 && o->clip_norm > 0 ? norm(&w, o->clip_value)
                                                           : optim->grad_norm;
    apply(&w, o->clip_norm > 0 && clipped > o->clip_norm ? o->clip_norm / clipped : 1);
    return RG_OK;
}
