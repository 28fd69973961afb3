/* train/predictor.c -- what a model says of rows: logits or values, and its loss where the truth is
 * known. */
#include "train/answers.h"
#include "train/rows.h"

#include "base/real.h"
#include "graph/params.h"

#include <string.h>

struct rg_predictor {
    rg_alloc  alloc;
    rg_err    err;
    rg_feeder feeder;
    rg_answerer answerer;  /* seq2seq */
    double   *z;       /* of one row */
    size_t    room;    /* numbers in z */
};

rg_status rg_predictor_create(rg_predictor **out, rg_params *params, const rg_task_opts *model,
                              const rg_predictor_opts *opts)
{
    static const rg_predictor_opts none;
    rg_alloc alloc;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (!params)
        return RG_EARG;
    opts = opts ? opts : &none;
    const char *wrong = rg_task_fault(model);
    if (!wrong && (opts->B < 0 || opts->grain < 0 || opts->width < 0 || opts->most < 0))
        wrong = "B, grain, width and most must be 0 or more";
    if (wrong)
        return rg_fail(&params->err, RG_EARG, "predictor: %s", wrong);
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_predictor *p = rg_get(&alloc, sizeof *p);
    if (!p)
        return rg_fail(&params->err, RG_ENOMEM, "predictor: no memory");
    *p = (rg_predictor){ .alloc = alloc };
    rg_status st = rg_feeder_open(&p->feeder, params, model, &opts->plan, false);
    p->feeder.B = opts->B ? opts->B : 32;
    p->feeder.grain = opts->grain;
    p->answerer.plan = opts->plan;
    p->answerer.decode = (rg_decode_opts){ .steps = opts->most, .length = opts->length_penalty,
                                           .width = opts->width ? opts->width : 1 };
    if (st == RG_OK && model->task == RG_SEQ2SEQ)
        st = rg_answerer_open(&p->answerer, params, &p->feeder.model);
    if (st) {
        rg_fail(&params->err, st, "predictor: no memory");
        rg_predictor_destroy(&p);
    }
    *out = p;
    return st;
}

void rg_predictor_destroy(rg_predictor **out)
{
    rg_predictor *p = out ? *out : NULL;
    if (!p)
        return;
    rg_answerer_close(&p->answerer);
    rg_feeder_close(&p->feeder);
    rg_release(&p->alloc, p->z, p->room * sizeof *p->z);
    rg_alloc alloc = p->alloc;
    rg_release(&alloc, p, sizeof *p);
    *out = NULL;
}

const char *rg_predictor_message(const rg_predictor *p)
{
    return p ? p->err.text : "no predictor";
}

/* ---- One row of a batch --------------------------------------------------------------------- */

static rg_status make_room(rg_predictor *p, size_t n)
{
    if (n <= p->room)
        return RG_OK;
    double *z = rg_get(&p->alloc, n * sizeof *z);
    if (!z)
        return rg_fail(&p->err, RG_ENOMEM, "no memory for %zu outputs", n);
    rg_release(&p->alloc, p->z, p->room * sizeof *p->z);
    p->z = z;
    p->room = n;
    return RG_OK;
}

/* Row b: its part of z, [steps·B,O] or [B,O]. */
static rg_status read_outputs(rg_prediction *said, rg_predictor *p, rg_cached_plan *got, int64_t b)
{
    const void *z = rg_plan_data(got->plan, got->v[RG_FED_Z]);
    const size_t O = (size_t)said->outputs, B = (size_t)got->B;
    rg_status st = make_room(p, (size_t)said->steps * O);
    for (size_t t = 0; st == RG_OK && t < (size_t)said->steps; t++)
        for (size_t k = 0; k < O; k++)
            p->z[t * O + k] = rg_real_at(z, p->feeder.plan.real, (t * B + (size_t)b) * O + k);
    said->z = p->z;
    return st;
}

/* Row b: its losses, in order of time. */
static void read_losses(rg_prediction *said, rg_predictor *p, rg_cached_plan *got, int64_t b)
{
    const bool values = p->feeder.model.task == RG_FORECAST;
    const void *each = rg_plan_data(got->plan, got->v[RG_FED_EACH]);
    const size_t O = (size_t)said->outputs, n = values ? O : (size_t)said->steps;
    for (size_t i = 0; i < n; i++) {
        const size_t at = values ? (size_t)b * O + i : i * (size_t)got->B + (size_t)b;
        if (!p->feeder.counts[at])
            continue;
        said->loss += rg_real_at(each, p->feeder.plan.real, at);
        said->count++;
    }
}

typedef bool take_fn(void *user, const rg_prediction *said);

/* One row after the other to the caller; @p found: the answers of a decoder, or NULL. */
static rg_status tell(rg_predictor *p, rg_cached_plan *got, const rg_rows *rows,
                      const size_t *order, const rg_bucket *batch, const rg_decoded *found,
                      take_fn *take, void *user)
{
    for (size_t b = 0; b < batch->n; b++) {
        rg_prediction said = { .row = order[batch->first + b], .outputs = p->feeder.model.outputs };
        said.steps = rg_target_steps(rows, &p->feeder.model, said.row);
        rg_status st = found ? RG_OK : read_outputs(&said, p, got, (int64_t)b);
        if (st)
            return st;
        if (rows->y)
            read_losses(&said, p, got, (int64_t)b);
        if (found) {
            said.best = found->best + b * (size_t)found->width;
            said.width = found->width;
            said.weights = found->S;
        }
        if (!take(user, &said))
            return rg_fail(&p->err, RG_EUSER, "stopped");
    }
    return RG_OK;
}

static rg_status run_batch(rg_predictor *p, const rg_rows *rows, const size_t *order,
                           const rg_bucket *batch, take_fn *take, void *user)
{
    rg_cached_plan *got;
    rg_decoded *found = NULL;
    const bool answers = p->feeder.model.task == RG_SEQ2SEQ;
    rg_status st = rg_feeder_load(&got, &p->feeder, false, rows, order, batch, &p->err);
    if (st)
        return st;
    if ((rows->y || !answers) && (st = rg_plan_run(got->plan)))
        return rg_fail(&p->err, st, "%s", rg_plan_message(got->plan));
    if (answers)
        st = rg_answerer_run(&found, &p->answerer, p->feeder.x,
                             rg_feeder_input_bytes(&p->feeder, got->T), p->feeder.mask, got->T,
                             got->B, &p->err);
    if (st == RG_OK)
        st = tell(p, got, rows, order, batch, found, take, user);
    rg_decoded_destroy(&found);
    return st;
}

rg_status rg_predictor_run(rg_predictor *p, const rg_rows *rows,
                           bool (*take)(void *user, const rg_prediction *said), void *user)
{
    rg_buckets buckets = { .n = 0 };
    if (!p || !rows || !take)
        return RG_EARG;
    rg_status st = rg_rows_check(rows, &p->feeder.model, false, &p->err);
    if (st == RG_OK)
        st = rg_feeder_buckets(&buckets, &p->feeder, rows, 0, 0, &p->err);
    for (size_t i = 0; st == RG_OK && i < buckets.n_batch; i++)
        st = run_batch(p, rows, buckets.order, &buckets.batch[i], take, user);
    rg_buckets_destroy(&buckets);
    return st;
}
