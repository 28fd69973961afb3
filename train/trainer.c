/* train/trainer.c -- truncated back-propagation through time: rows are streams, states are carried
 * from window to window, position follows from the number of steps. */
#include "train/lm.h"

#include "graph/params.h"

#include <math.h>
#include <string.h>

struct rg_trainer {
    rg_alloc        alloc;
    rg_params      *params;
    rg_trainer_opts opts;
    rg_cell_opts    cell_opts;
    rg_span         text;
    rg_lm           lm;
    rg_plan        *plan;
    rg_optim       *optim;
    int32_t        *x, *y;      /* [T,B] */
    uint64_t        windows;    /* of an epoch */
    uint64_t        step;
    double          loss;
};

static size_t window_bytes(const rg_trainer *t)
{
    return (size_t)(t->opts.T * t->opts.B) * sizeof *t->x;
}

/* x[t][b] = text[b·L + window·T + t], y the character after it. */
static void fill(rg_trainer *t, uint64_t window)
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
static rg_status build(rg_trainer *t)
{
    const rg_trainer_opts *o = &t->opts;
    rg_status st = rg_lm_create(&t->lm, t->params, &o->model, o->T, o->B);
    if (st == RG_OK)
        st = rg_plan_create_train(&t->plan, t->lm.loss, t->lm.last, t->lm.n_state, &o->plan);
    if (st && t->lm.graph)
        return rg_fail(&t->params->err, st, "%s", rg_graph_message(t->lm.graph));
    if (st)
        return st; /* the store has the message */
    st = rg_optim_create(&t->optim, t->params, &o->optim);
    if (st)
        return st;
    t->x = rg_get(&t->alloc, window_bytes(t));
    t->y = rg_get(&t->alloc, window_bytes(t));
    if (!t->x || !t->y)
        return rg_fail(&t->params->err, RG_ENOMEM, "trainer: no memory for a window");
    return rg_lm_bind(t->plan, &t->lm, t->x, t->y, window_bytes(t), &t->params->err);
}

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
    rg_trainer *t = rg_get(&alloc, sizeof *t);
    if (!t)
        return rg_fail(&params->err, RG_ENOMEM, "trainer: no memory");
    *t = (rg_trainer){ .alloc = alloc, .params = params, .opts = *opts, .text = text,
                       .loss = NAN };
    if (opts->model.cell_opts) {
        t->cell_opts = *opts->model.cell_opts;
        t->opts.model.cell_opts = &t->cell_opts;
    }
    t->windows = (text.n - 1) / (size_t)opts->B / (size_t)opts->T;
    st = build(t);
    if (st)
        rg_trainer_destroy(&t);
    *out = t;
    return st;
}

void rg_trainer_destroy(rg_trainer **out)
{
    rg_trainer *t = out ? *out : NULL;
    if (!t)
        return;
    rg_release(&t->alloc, t->x, window_bytes(t));
    rg_release(&t->alloc, t->y, window_bytes(t));
    rg_optim_destroy(&t->optim);
    rg_plan_destroy(&t->plan);
    rg_lm_destroy(&t->lm);
    rg_alloc alloc = t->alloc;
    rg_release(&alloc, t, sizeof *t);
    *out = NULL;
}

rg_status rg_trainer_step(rg_trainer *t)
{
    if (!t)
        return RG_EARG;
    uint64_t window = t->step % t->windows;
    rg_status st = RG_OK;
    if (window == 0 && t->step > 0)
        st = rg_plan_restart(t->plan);
    fill(t, window);
    if (st == RG_OK)
        st = rg_plan_run(t->plan);
    if (st)
        return st;
    t->loss = rg_plan_scalar(t->plan, t->lm.loss);
    st = rg_optim_step(t->optim, t->plan);
    if (st)
        return st;
    t->step++;
    if (!rg_optim_facts(t->optim).applied) /* states that are no numbers would stay so */
        st = rg_plan_restart(t->plan);
    return st;
}

const char *rg_trainer_message(const rg_trainer *t)
{
    return t ? rg_plan_message(t->plan) : "no trainer";
}

rg_trainer_report rg_trainer_facts(const rg_trainer *t)
{
    if (!t)
        return (rg_trainer_report){ .step = 0 };
    return (rg_trainer_report){ t->step, t->windows, t->loss, rg_optim_facts(t->optim),
                                rg_plan_facts(t->plan) };
}

rg_plan *rg_trainer_plan(rg_trainer *t)
{
    return t ? t->plan : NULL;
}

rg_optim *rg_trainer_optim(rg_trainer *t)
{
    return t ? t->optim : NULL;
}

/* ---- Checkpoints ---------------------------------------------------------------------------- */

rg_status rg_trainer_save(rg_trainer *t, const char *path, const rg_text_pair *meta, size_t n)
{
    rg_layer_desc layer[RG_LM_LAYERS + 2];
    rg_lm_names names;
    if (!t)
        return RG_EARG;
    rg_params *store[] = { t->params, rg_optim_state(t->optim), rg_plan_state(t->plan) };
    rg_save_opts opts = { .meta = meta, .n_meta = n, .layers = layer };
    opts.n_layers = rg_lm_layers(layer, &names, &t->opts.model);
    return rg_params_save(store, 3, path, &opts);
}

rg_status rg_trainer_load(rg_trainer *t, const char *path, const rg_load_opts *given)
{
    if (!t)
        return RG_EARG;
    rg_params *store[] = { t->params, rg_optim_state(t->optim), rg_plan_state(t->plan) };
    rg_load_opts opts = given ? *given : (rg_load_opts){ .partial = false };
    opts.partial = false;
    rg_status st = rg_params_load(store, 3, path, &opts);
    if (st)
        return st;
    rg_optim_report facts = rg_optim_facts(t->optim);
    t->step = facts.updates + facts.skipped;
    return RG_OK;
}
