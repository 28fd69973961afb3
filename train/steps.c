/* train/steps.c -- what all trainers share: their life, a step, facts, checkpoints. */
#include "train/trainer.h"

#include "graph/params.h"

#include <math.h>

rg_trainer *rg_trainer_begin(const rg_trainer_kind *kind, rg_params *params)
{
    rg_alloc alloc;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_trainer *t = rg_get(&alloc, kind->bytes);
    if (!t) {
        rg_fail(&params->err, RG_ENOMEM, "trainer: no memory");
        return NULL;
    }
    *t = (rg_trainer){ .kind = kind, .alloc = alloc, .params = params, .loss = (double)NAN };
    return t;
}

void rg_trainer_destroy(rg_trainer **out)
{
    rg_trainer *t = out ? *out : NULL;
    if (!t)
        return;
    rg_alloc alloc = t->alloc;
    rg_optim_destroy(&t->optim);
    t->kind->release(t);
    rg_release(&alloc, t, t->kind->bytes);
    *out = NULL;
}

rg_status rg_trainer_step(rg_trainer *t)
{
    if (!t)
        return RG_EARG;
    rg_status st = t->kind->run(t);
    if (st == RG_OK)
        st = rg_optim_step(t->optim, t->plan);
    if (st)
        return st;
    t->step++;
    if (!rg_optim_facts(t->optim).applied && t->kind->skipped)
        st = t->kind->skipped(t);
    return st;
}

const char *rg_trainer_message(const rg_trainer *t)
{
    return !t ? "no trainer" : t->err.status ? t->err.text : rg_plan_message(t->plan);
}

rg_trainer_report rg_trainer_facts(const rg_trainer *t)
{
    if (!t)
        return (rg_trainer_report){ .step = 0 };
    return (rg_trainer_report){ t->step, t->windows, t->loss, rg_optim_facts(t->optim),
                                rg_plan_facts(t->plan), t->T, t->B };
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

/* The stores that go on: weights, optimizer, and what the plan carries. */
static size_t stores(rg_params *store[3], rg_trainer *t)
{
    store[0] = t->params;
    store[1] = rg_optim_state(t->optim);
    store[2] = t->kind->carried ? t->kind->carried(t) : NULL;
    return store[2] ? 3 : 2;
}

rg_status rg_trainer_save(rg_trainer *t, const char *path, const rg_text_pair *meta, size_t n)
{
    rg_params *store[3];
    if (!t)
        return RG_EARG;
    size_t room = RG_TRAINER_LAYERS * sizeof(rg_layer_desc);
    rg_layer_desc *layer = rg_get(&t->alloc, room);
    if (!layer)
        return rg_fail(&t->params->err, RG_ENOMEM, "trainer: no memory for a checkpoint");
    rg_save_opts opts = { .meta = meta, .n_meta = n, .layers = layer };
    opts.n_layers = t->kind->layers(layer, t);
    rg_status st = rg_params_save(store, stores(store, t), path, &opts);
    rg_release(&t->alloc, layer, room);
    return st;
}

rg_status rg_trainer_load(rg_trainer *t, const char *path, const rg_load_opts *given)
{
    rg_params *store[3];
    if (!t)
        return RG_EARG;
    rg_load_opts opts = given ? *given : (rg_load_opts){ .partial = false };
    opts.partial = false;
    rg_status st = rg_params_load(store, stores(store, t), path, &opts);
    if (st)
        return st;
    rg_optim_report facts = rg_optim_facts(t->optim);
    t->step = facts.updates + facts.skipped;
    return RG_OK;
}
