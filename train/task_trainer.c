/* train/task_trainer.c -- training on rows: an epoch is every row once, in batches of like lengths;
 * the batch follows from the number of steps. */
#include "train/rows.h"
#include "train/trainer.h"

#include "graph/params.h"

typedef struct pupil {
    rg_trainer    base;
    rg_feeder     feeder;
    rg_rows       rows;
    rg_buckets    buckets;  /* of the epoch */
    uint64_t      epoch;
    uint64_t      every;    /* such a step is looked at; 0 = none */
    const rg_cached_plan *looked;  /* the last one; NULL if it was none */
    rg_body_names names;    /* of the layers, for saving */
} pupil;

/* The batches of another epoch. */
static rg_status turn_to(pupil *p, uint64_t epoch)
{
    if (p->buckets.n_batch && epoch == p->epoch)
        return RG_OK;
    rg_buckets_destroy(&p->buckets);
    p->epoch = epoch;
    return rg_feeder_buckets(&p->buckets, &p->feeder, &p->rows, epoch, p->base.params->seed,
                             &p->base.err);
}

static void take_plan(rg_trainer *t, const rg_cached_plan *got)
{
    t->plan = got->plan;
    t->T = got->T;
    t->B = got->B;
}

/* The plan of a step, with its batch. */
static rg_status load(rg_cached_plan **got, pupil *p, uint64_t step, bool look)
{
    rg_trainer *base = &p->base;
    rg_status st = turn_to(p, step / base->windows);
    if (st)
        return st;
    const rg_bucket *batch = &p->buckets.batch[step % base->windows];
    st = rg_feeder_load(got, &p->feeder, look, &p->rows, p->buckets.order, batch, &base->err);
    if (st == RG_OK)
        take_plan(base, *got);
    return st;
}

static rg_status run(rg_trainer *base)
{
    pupil *p = (pupil *)base;
    const bool looks = p->every && base->step % p->every == 0;
    rg_cached_plan *got;
    rg_status st = load(&got, p, base->step, looks);
    p->looked = NULL;
    if (st)
        return st;
    if ((st = rg_plan_run(base->plan)))
        return st;
    base->loss = rg_plan_scalar(base->plan, got->v[RG_FED_LOSS]);
    p->looked = looks ? got : NULL;
    return RG_OK;
}

static rg_status sampled(rg_gradflow_report **report, rg_trainer *base)
{
    const rg_cached_plan *made = ((pupil *)base)->looked;
    if (!made || !made->data)
        return RG_ESTATE;
    return rg_gradflow_read(report, made->plan, made->v[RG_FED_LOSS], made->data, NULL);
}

static rg_params *carried(rg_trainer *base)
{
    return rg_plan_cache_state(((pupil *)base)->feeder.cache);
}

static size_t layers(rg_layer_desc *out, rg_trainer *base)
{
    pupil *p = (pupil *)base;
    return rg_task_layers(out, &p->names, &p->feeder.model);
}

static void release(rg_trainer *base)
{
    pupil *p = (pupil *)base;
    rg_buckets_destroy(&p->buckets);
    rg_feeder_close(&p->feeder);
}

/* The batch of the last step once more; the number of the next run stays what it is. */
static rg_status look(rg_val *loss, rg_trainer *base)
{
    pupil *p = (pupil *)base;
    rg_cached_plan *got;
    const int64_t next = *rg_feeder_number(&p->feeder);
    rg_status st = load(&got, p, base->step ? base->step - 1 : 0, false);
    *rg_feeder_number(&p->feeder) = next;
    if (st == RG_OK)
        *loss = got->v[RG_FED_LOSS];
    return st;
}

static const rg_trainer_kind kind = { sizeof(pupil), run, NULL, carried, layers, release, look,
                                      NULL, sampled };

/* ---- Creation ------------------------------------------------------------------------------- */

/* The plans of the longest batch, so that what they take is known before the first step. */
static rg_status plan_longest(pupil *p)
{
    rg_cached_plan *got;
    int64_t T = 0;
    rg_status st = turn_to(p, 0);
    for (size_t i = 0; st == RG_OK && i < p->buckets.n_batch; i++)
        T = p->buckets.batch[i].T > T ? p->buckets.batch[i].T : T;
    for (int look = p->every > 0; st == RG_OK && look >= 0; look--) {
        *rg_feeder_number(&p->feeder) = 0; /* the same draws with looks and without */
        if ((st = rg_feeder_plan(&got, &p->feeder, look, T, &p->base.err)) == RG_OK)
            take_plan(&p->base, got);
    }
    return st;
}

static rg_status build(pupil *p, const rg_task_trainer_opts *o)
{
    rg_params *params = p->base.params;
    rg_status st = rg_feeder_open(&p->feeder, params, &o->model, &o->plan, true);
    if (!st && o->gradflow_every)
        st = rg_feeder_look(&p->feeder, params);
    if (st)
        return rg_fail(&params->err, st, "trainer: no memory");
    p->every = o->gradflow_every;
    p->feeder.B = o->B;
    p->feeder.grain = o->grain;
    st = plan_longest(p);
    if (st)
        return rg_fail(&params->err, st, "%s", p->base.err.text);
    p->base.windows = p->buckets.n_batch;
    return rg_optim_create(&p->base.optim, params, &o->optim);
}

static rg_status check(rg_params *params, const rg_rows *rows, const rg_task_trainer_opts *o)
{
    const char *wrong = rg_task_fault(&o->model);
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "task model: %s", wrong);
    if (o->B < 1 || o->B > INT32_MAX || o->grain < 0 || o->grain > INT32_MAX)
        return rg_fail(&params->err, RG_EARG, "trainer: B must be at least 1, grain 0 or more");
    if (!rows || rows->n < 1)
        return rg_fail(&params->err, RG_EARG, "trainer: there are no rows to learn from");
    return rg_rows_check(rows, &o->model, true, &params->err);
}

rg_status rg_task_trainer_create(rg_trainer **out, rg_params *params, const rg_rows *rows,
                                 const rg_task_trainer_opts *opts)
{
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params || !opts)
        return RG_EARG;
    rg_status st = check(params, rows, opts);
    if (st)
        return st;
    if (!(*out = rg_trainer_begin(&kind, params)))
        return RG_ENOMEM;
    pupil *p = (pupil *)*out;
    p->rows = *rows;
    st = build(p, opts);
    if (st)
        rg_trainer_destroy(out);
    return st;
}
