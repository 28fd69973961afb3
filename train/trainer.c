/* train/trainer.c -- truncated back-propagation through time: rows are streams, states are carried
 * from window to window, position follows from the number of steps. */
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
    int32_t        *x, *y;      /* [T,B] */
} streams;

static size_t window_bytes(const streams *t)
{
    return (size_t)(t->opts.T * t->opts.B) * sizeof *t->x;
}

/* x[t][b] = text[b·L + window·T + t], y the character after it. */
static void fill(streams *t, uint64_t window)
{
    int64_t T = t->opts.T, B = t->opts.B;
    size_t L = (t->text.n - 1) / (size_t)B;
    for (int64_t b = 0; b < B; b++) {
        const int32_t *row = t->text.id + (size_t)b * L + (size_t)window * (size_t)T;
        for (int64_t s = 0; s < T; s++) {
            t->x[s * B + b] = row[s];
            t->y[s * B + b] = row[s + 1];
        }
    }
}

static rg_status check(rg_params *params, rg_span text, const rg_trainer_opts *opts)
{
    int64_t T = opts->T, B = opts->B;
    if (T < 1 || B < 1 || T > INT32_MAX || B > INT32_MAX)
        return rg_fail(&params->err, RG_EARG, "trainer: T and B must be at least 1");
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
    rg_status st = rg_lm_create(&t->lm, t->base.params, &o->model, o->T, o->B);
    if (st == RG_OK)
        st = rg_plan_create_train(&t->base.plan, t->lm.loss, t->lm.last, t->lm.n_state, &o->plan);
    if (st && t->lm.graph)
        return rg_fail(&t->base.params->err, st, "%s", rg_graph_message(t->lm.graph));
    if (st)
        return st; /* the store has the message */
    st = rg_optim_create(&t->base.optim, t->base.params, &o->optim);
    if (st)
        return st;
    t->x = rg_get(&t->base.alloc, window_bytes(t));
    t->y = rg_get(&t->base.alloc, window_bytes(t));
    if (!t->x || !t->y)
        return rg_fail(&t->base.params->err, RG_ENOMEM, "trainer: no memory for a window");
    return rg_lm_bind(t->base.plan, &t->lm, t->x, t->y, window_bytes(t), &t->base.params->err);
}

/* ---- A kind of trainer ---------------------------------------------------------------------- */

static rg_status run(rg_trainer *base)
{
    streams *t = (streams *)base;
    uint64_t window = base->step % base->windows;
    rg_status st = RG_OK;
    if (window == 0 && base->step > 0)
        st = rg_plan_restart(base->plan);
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
    rg_release(&alloc, t->x, window_bytes(t));
    rg_release(&alloc, t->y, window_bytes(t));
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
