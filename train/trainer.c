/* train/trainer.c -- truncated back-propagation through time: rows are streams, states are carried
 * from window to window, position follows from the number of steps.
 *
 * Window w has the losses of steps w·T .. (w+1)·T - 1 and goes back through the `back` steps that
 * end there, from the state that the window before it had at its beginning; where the text has not
 * begun yet, steps are masked. Williams & Peng, "An efficient gradient-based algorithm for on-line
 * training of recurrent network trajectories", 1990. */
#include "train/lm.h"
#include "train/trainer.h"

#include "graph/params.h"

#include <stdio.h>
#include <string.h>

typedef struct streams {
    rg_trainer      base;
    rg_trainer_opts opts;
    rg_cell_opts    cell_opts;
    rg_span         text;
    rg_lm           lm;
    rg_body_names     names;      /* of the layers, for saving */
    int32_t        *x, *y;      /* [back,B] */
    uint8_t        *mask;       /* the same; only with back > T */
    rg_plan        *plan;       /* of usual steps; it keeps what is carried */
    rg_plan        *observed;   /* the same with norms of the states' gradients; NULL = never */
    rg_val         *norm;       /* its roots that are these */
    rg_val         *states;     /* [back·n_state] */
    rg_held_input  *held;       /* [n_state] states before the last run, which lie in */
    void          **before;     /* [n_state] */
} streams;

static size_t window_items(const streams *t)
{
    return (size_t)(t->opts.back * t->opts.B);
}

/* x[t][b] = text[b·L + window·T + t], y the character after it, t being counted from the steps with
 * losses. */
static void fill(streams *t, uint64_t window)
{
    int64_t B = t->opts.B, n = t->opts.back, L = (int64_t)(t->text.n - 1) / B;
    int64_t begin = ((int64_t)window + 1) * t->opts.T - n;
    for (int64_t b = 0; b < B; b++)
        for (int64_t s = 0; s < n; s++) {
            bool real = begin + s >= 0;
            const int32_t *at = t->text.id + b * L + (real ? begin + s : 0);
            t->x[s * B + b] = at[0];
            t->y[s * B + b] = at[1];
            if (t->mask)
                t->mask[s * B + b] = real;
        }
}

static rg_status check(rg_params *params, rg_span text, const rg_trainer_opts *opts)
{
    int64_t T = opts->T, B = opts->B;
    if (T < 1 || B < 1 || T > INT32_MAX || B > INT32_MAX)
        return rg_fail(&params->err, RG_EARG, "trainer: T and B must be at least 1");
    if (opts->back && (opts->back < T || opts->back > INT32_MAX / B))
        return rg_fail(&params->err, RG_EARG, "trainer: %lld steps of back-propagation, but a "
                       "window has %lld; go through as many or more", (long long)opts->back,
                       (long long)T);
    if (!text.id || text.n < 2 || (text.n - 1) / (size_t)B / (size_t)T < 1)
        return rg_fail(&params->err, RG_ELIMIT, "trainer: %zu characters are fewer than one window "
                       "of %lld steps in %lld rows (%lld + 1)", text.n, (long long)T, (long long)B,
                       (long long)(T * B));
    return RG_OK;
}

/* The states that are looked at. */
static rg_gradflow_opts looked_at(const streams *t)
{
    return (rg_gradflow_opts){ .states = t->states, .n_state = t->lm.n_state, .T = t->opts.back };
}

/* A second plan, for the steps that are looked at. */
static rg_status build_observed(streams *t)
{
    const rg_gradflow_opts opts = looked_at(t);
    return rg_gradflow_train(&t->observed, &t->norm, t->lm.loss, t->lm.last, t->lm.n_state, &opts,
                             &t->opts.plan);
}

/* Room for the states before a run. */
static rg_status build_held(streams *t)
{
    rg_graph *g = t->lm.graph;
    t->held = rg_graph_alloc(g, t->lm.n_state * sizeof *t->held);
    t->before = rg_graph_alloc(g, t->lm.n_state * sizeof *t->before);
    if (!t->held || !t->before)
        return RG_ENOMEM;
    for (size_t k = 0; k < t->lm.n_state; k++) {
        const size_t n = (size_t)rg_shape_count(rg_shape_of(t->lm.first[k]));
        if (!(t->before[k] = rg_graph_alloc(g, n * sizeof(double))))
            return RG_ENOMEM;
        t->held[k] = (rg_held_input){ t->lm.first[k], t->before[k] };
    }
    return RG_OK;
}

static rg_status build_plans(streams *t)
{
    const rg_trainer_opts *o = &t->opts;
    rg_lm_form form = { .T = o->T, .B = o->B, .back = o->back };
    rg_status st = rg_lm_build(&t->lm, t->base.params, &o->model, &form);
    t->states = form.states;
    if (st == RG_OK)
        st = rg_plan_create_train(&t->plan, t->lm.loss, t->lm.last, t->lm.n_state, &o->plan);
    if (st == RG_OK && o->gradflow_every)
        st = build_observed(t);
    if (st == RG_OK)
        st = build_held(t);
    t->base.plan = t->plan;
    if (st && t->lm.graph)
        return rg_fail(&t->base.params->err, st, "%s", rg_graph_message(t->lm.graph));
    return st; /* the store has the message */
}

static rg_status bind(streams *t, rg_plan *plan)
{
    const size_t n = window_items(t);
    rg_status st = plan && t->mask ? rg_plan_bind(plan, t->lm.mask, t->mask, n) : RG_OK;
    if (st)
        return rg_fail(&t->base.params->err, st, "%s", rg_plan_message(plan));
    return !plan ? RG_OK : rg_lm_bind(plan, &t->lm, t->x, t->y, n * sizeof *t->x,
                                      &t->base.params->err);
}

/* Graph, plans, optimizer, buffers. */
static rg_status build(streams *t)
{
    const rg_trainer_opts *o = &t->opts;
    rg_status st = build_plans(t);
    if (st == RG_OK)
        st = rg_optim_create(&t->base.optim, t->base.params, &o->optim);
    if (st)
        return st;
    const size_t n = window_items(t), bytes = n * sizeof *t->x;
    t->x = rg_get(&t->base.alloc, bytes);
    t->y = rg_get(&t->base.alloc, bytes);
    t->mask = o->back > o->T ? rg_get(&t->base.alloc, n) : NULL;
    if (!t->x || !t->y || (o->back > o->T && !t->mask))
        return rg_fail(&t->base.params->err, RG_ENOMEM, "trainer: no memory for a window");
    return (st = bind(t, t->plan)) ? st : bind(t, t->observed);
}

/* ---- A kind of trainer ---------------------------------------------------------------------- */

/* What one plan carries, and the number of its next run, into another. */
static void hand_over(rg_plan *to, rg_plan *from)
{
    rg_params *a = rg_plan_state(from), *b = rg_plan_state(to);
    for (size_t i = 0; i < rg_params_count(a); i++) {
        const rg_slot *have = rg_params_slot(a, rg_params_at(a, i).name);
        const rg_slot *want = rg_params_slot(b, have->name);
        if (want && want->bytes == have->bytes && have->bytes)
            memcpy(want->data, have->data, have->bytes);
    }
}

/* Remember the states that a run starts from. */
static void hold(streams *t)
{
    char name[24];
    for (size_t k = 0; k < t->lm.n_state; k++) {
        (void)snprintf(name, sizeof name, "plan.state%u", (unsigned)k);
        const rg_slot *slot = rg_params_slot(rg_plan_state(t->plan), name);
        if (slot && slot->bytes)
            memcpy(t->before[k], slot->data, slot->bytes);
    }
}

/* Is this step to be looked at? Not while the text has not begun for all of it. */
static bool is_observed(const streams *t)
{
    const uint64_t window = t->base.step % t->base.windows;
    return t->observed && t->base.step % t->opts.gradflow_every == 0 &&
           (window + 1) * (uint64_t)t->opts.T >= (uint64_t)t->opts.back;
}

static rg_status run(rg_trainer *base)
{
    streams *t = (streams *)base;
    uint64_t window = base->step % base->windows;
    rg_status st = RG_OK;
    base->plan = t->plan;
    if (t->opts.model.start != RG_START_CARRIED || (window == 0 && base->step > 0))
        st = rg_lm_start(t->plan, &t->lm, base->params, &t->opts.model, base->step);
    fill(t, window);
    hold(t);
    if (is_observed(t)) {
        base->plan = t->observed;
        hand_over(t->observed, t->plan);
    }
    if (st == RG_OK)
        st = rg_plan_run(base->plan);
    if (st == RG_OK && base->plan == t->observed)
        hand_over(t->plan, t->observed);
    if (st == RG_OK)
        base->loss = rg_plan_scalar(base->plan, t->lm.loss);
    return st;
}

/* States that are no numbers would stay so. */
static rg_status skipped(rg_trainer *base)
{
    return rg_plan_restart(((streams *)base)->plan);
}

static rg_params *carried(rg_trainer *base)
{
    return rg_plan_state(((streams *)base)->plan);
}

static rg_status look(rg_val *loss, rg_trainer *base)
{
    streams *t = (streams *)base;
    const uint64_t last = base->step > 0 ? base->step - 1 : 0;
    fill(t, last % base->windows);
    *loss = t->lm.loss;
    return RG_OK;
}

static size_t held(const rg_held_input **out, rg_trainer *base)
{
    streams *t = (streams *)base;
    *out = t->held;
    return t->lm.n_state;
}

static rg_status sampled(rg_gradflow_report **report, rg_trainer *base)
{
    streams *t = (streams *)base;
    const rg_gradflow_opts opts = looked_at(t);
    if (!t->observed || base->plan != t->observed)
        return RG_ESTATE;
    return rg_gradflow_read(report, t->observed, t->lm.loss, t->norm, &opts);
}

static size_t layers(rg_layer_desc *out, rg_trainer *base)
{
    streams *t = (streams *)base;
    return rg_lm_layers(out, &t->names, &t->opts.model);
}

static void release(rg_trainer *base)
{
    streams *t = (streams *)base;
    rg_release(&base->alloc, t->x, window_items(t) * sizeof *t->x);
    rg_release(&base->alloc, t->y, window_items(t) * sizeof *t->y);
    rg_release(&base->alloc, t->mask, window_items(t));
    rg_plan_destroy(&t->plan);
    rg_plan_destroy(&t->observed);
    rg_lm_destroy(&t->lm);
}

static const rg_trainer_kind kind = { sizeof(streams), run, skipped, carried, layers, release,
                                      look, held, sampled };

rg_status rg_trainer_create(rg_trainer **out, rg_params *params, rg_span text,
                            const rg_trainer_opts *opts)
{
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params || !opts)
        return RG_EARG;
    rg_status st = check(params, text, opts);
    if (st)
        return st;
    if (!(*out = rg_trainer_begin(&kind, params)))
        return RG_ENOMEM;
    streams *t = (streams *)*out;
    t->opts = *opts;
    t->opts.back = opts->back ? opts->back : opts->T;
    t->text = text;
    if (opts->model.cell_opts) {
        t->cell_opts = *opts->model.cell_opts;
        t->opts.model.cell_opts = &t->cell_opts;
    }
    t->base.T = t->opts.back;
    t->base.B = opts->B;
    t->base.windows = (text.n - 1) / (size_t)opts->B / (size_t)opts->T;
    st = build(t);
    if (st)
        rg_trainer_destroy(out);
    return st;
}
