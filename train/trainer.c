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

#include <math.h>
#include <string.h>

typedef struct streams {
    rg_trainer      base;
    rg_trainer_opts opts;
    rg_cell_opts    cell_opts;
    rg_span         text;
    rg_lm           lm;
    rg_lm_names     names;      /* of the layers, for saving */
    int32_t        *x, *y;      /* [back,B] */
    uint8_t        *mask;       /* the same; only with back > T */
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

/* Graph, plan, optimizer, buffers. */
static rg_status build(streams *t)
{
    const rg_trainer_opts *o = &t->opts;
    rg_lm_form form = { .T = o->T, .B = o->B, .back = o->back };
    rg_status st = rg_lm_build(&t->lm, t->base.params, &o->model, &form);
    if (st == RG_OK)
        st = rg_plan_create_train(&t->base.plan, t->lm.loss, t->lm.last, t->lm.n_state, &o->plan);
    if (st && t->lm.graph)
        return rg_fail(&t->base.params->err, st, "%s", rg_graph_message(t->lm.graph));
    if (st)
        return st; /* the store has the message */
    st = rg_optim_create(&t->base.optim, t->base.params, &o->optim);
    if (st)
        return st;
    const size_t n = window_items(t), bytes = n * sizeof *t->x;
    t->x = rg_get(&t->base.alloc, bytes);
    t->y = rg_get(&t->base.alloc, bytes);
    t->mask = o->back > o->T ? rg_get(&t->base.alloc, n) : NULL;
    if (!t->x || !t->y || (o->back > o->T && !t->mask))
        return rg_fail(&t->base.params->err, RG_ENOMEM, "trainer: no memory for a window");
    if (t->mask && (st = rg_plan_bind(t->base.plan, t->lm.mask, t->mask, n)))
        return rg_fail(&t->base.params->err, st, "%s", rg_plan_message(t->base.plan));
    return rg_lm_bind(t->base.plan, &t->lm, t->x, t->y, bytes, &t->base.params->err);
}

/* ---- A kind of trainer ---------------------------------------------------------------------- */

static rg_status run(rg_trainer *base)
{
    streams *t = (streams *)base;
    uint64_t window = base->step % base->windows;
    rg_status st = RG_OK;
    if (t->opts.model.start != RG_START_CARRIED || (window == 0 && base->step > 0))
        st = rg_lm_start(base->plan, &t->lm, base->params, &t->opts.model, base->step);
    fill(t, window);
    if (st == RG_OK)
        st = rg_plan_run(base->plan);
    if (st == RG_OK)
        base->loss = rg_plan_scalar(base->plan, t->lm.loss);
    return st;
}

/* States that are no numbers would stay so. */
static rg_status skipped(rg_trainer *base)
{
    return rg_plan_restart(base->plan);
}

static rg_params *carried(rg_trainer *base)
{
    return rg_plan_state(base->plan);
}

static size_t layers(rg_layer_desc *out, rg_trainer *base)
{
    streams *t = (streams *)base;
    return rg_lm_layers(out, &t->names, &t->opts.model);
}

static void destroy(rg_trainer *base)
{
    streams *t = (streams *)base;
    rg_alloc alloc = base->alloc;
    rg_release(&alloc, t->x, window_items(t) * sizeof *t->x);
    rg_release(&alloc, t->y, window_items(t) * sizeof *t->y);
    rg_release(&alloc, t->mask, window_items(t));
    rg_plan_destroy(&base->plan);
    rg_lm_destroy(&t->lm);
    rg_release(&alloc, t, sizeof *t);
}

static const rg_trainer_kind kind = { run, skipped, carried, layers, destroy };

rg_status rg_trainer_create(rg_trainer **out, rg_params *params, rg_span text,
                            const rg_trainer_opts *opts)
{
    rg_alloc alloc;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params || !opts)
        return RG_EARG;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = check(params, text, opts);
    if (st)
        return st;
    streams *t = rg_get(&alloc, sizeof *t);
    if (!t)
        return rg_fail(&params->err, RG_ENOMEM, "trainer: no memory");
    *t = (streams){ .opts = *opts, .text = text };
    t->opts.back = opts->back ? opts->back : opts->T;
    t->base = (rg_trainer){ .kind = &kind, .alloc = alloc, .params = params, .loss = NAN };
    if (opts->model.cell_opts) {
        t->cell_opts = *opts->model.cell_opts;
        t->opts.model.cell_opts = &t->cell_opts;
    }
    t->base.windows = (text.n - 1) / (size_t)opts->B / (size_t)opts->T;
    *out = &t->base;
    st = build(t);
    if (st)
        rg_trainer_destroy(out);
    return st;
}
