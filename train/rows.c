/* train/rows.c -- rows of a task as batches: ids and reals time-major, masks, targets. */
#include "train/rows.h"

#include <retrograd/gradflow.h>

#include "base/checked.h"
#include "base/real.h"
#include "graph/params.h"

#include <math.h>
#include <string.h>

/* ---- Plans ---------------------------------------------------------------------------------- */

static rg_status build_graph(const rg_feeder *f, rg_cached_plan *made)
{
    rg_task_model m;
    rg_status st = rg_task_build(&m, made->graph, &f->model,
                                 (rg_task_form){ made->T, made->B, !f->train });
    const rg_val v[] = { m.x, m.mask, m.y, m.counts, m.z, m.each, m.loss };
    memcpy(made->v, v, sizeof v);
    return st;
}

static rg_status build(void *user, rg_cached_plan *made)
{
    const rg_feeder *f = user;
    rg_plan_opts opts = f->plan;
    rg_status st = build_graph(f, made);
    if (st)
        return st;
    if (f->train)
        return rg_plan_create_train(&made->plan, made->v[RG_FED_LOSS], NULL, 0, &opts);
    opts.mode = RG_EVALUATE;
    return rg_plan_create(&made->plan, &made->v[RG_FED_Z], 2, &opts);
}

/* One step leaves nothing to another, so it is not looked at. */
static rg_status build_looking(void *user, rg_cached_plan *made)
{
    const rg_feeder *f = user;
    rg_val *norm;
    if (made->T < 2)
        return build(user, made);
    rg_status st = build_graph(f, made);
    if (!st)
        st = rg_gradflow_train(&made->plan, &norm, made->v[RG_FED_LOSS], NULL, 0, NULL, &f->plan);
    made->data = st ? NULL : norm;
    return st;
}

rg_status rg_feeder_open(rg_feeder *f, rg_params *params, const rg_task_opts *model,
                         const rg_plan_opts *plan, bool train)
{
    *f = (rg_feeder){ .model = *model, .plan = *plan, .train = train };
    (void)rg_alloc_resolve(&f->alloc, NULL);
    if (model->cell_opts) {
        f->cell_opts = *model->cell_opts;
        f->model.cell_opts = &f->cell_opts;
    }
    return rg_plan_cache_create(&f->cache, params, build, f, NULL);
}

rg_status rg_feeder_look(rg_feeder *f, rg_params *params)
{
    return rg_plan_cache_create(&f->looks, params, build_looking, f, NULL);
}

void rg_feeder_close(rg_feeder *f)
{
    rg_plan_cache_destroy(&f->cache);
    rg_plan_cache_destroy(&f->looks);
    rg_release(&f->alloc, f->block, f->bytes);
    f->block = NULL;
    f->bytes = 0;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static size_t item_of(const rg_feeder *f)
{
    return f->plan.real == RG_F64 ? sizeof(double) : sizeof(float);
}

/* Positions of y: of the whole batch. */
static size_t targets(const rg_task_opts *o, int64_t T, int64_t B)
{
    return (size_t)(o->task == RG_CLASSIFY ? B : o->task == RG_FORECAST ? B * o->outputs : T * B);
}

/* Room for T steps of B rows; what is there may move. */
static rg_status make_room(rg_feeder *f, int64_t T, rg_err *err)
{
    const rg_task_opts *o = &f->model;
    size_t steps, x, y = 0, bytes;
    if (T <= f->T)
        return RG_OK;
    bool ok = rg_mul_size((size_t)T, (size_t)f->B, &steps) &&
              rg_mul_size(steps, (size_t)(o->symbols ? 1 : o->features) * sizeof(double), &x) &&
              rg_mul_size(steps, sizeof(double), &y) &&
              rg_mul_size((size_t)f->B, (size_t)o->outputs * sizeof(double), &bytes) &&
              rg_add_size(y, bytes, &y) && rg_add_size(x, y, &bytes) &&
              rg_add_size(bytes, steps, &bytes) && rg_add_size(bytes, y, &bytes);
    unsigned char *block = ok ? rg_get(&f->alloc, bytes) : NULL;
    if (!block)
        return rg_fail(err, RG_ENOMEM, "no memory for a batch of %lld steps and %lld rows",
                       (long long)T, (long long)f->B);
    rg_release(&f->alloc, f->block, f->bytes);
    f->block = block;
    f->bytes = bytes;
    f->T = T;
    f->x = block;
    f->y = block + x;
    f->mask = block + x + y;
    f->counts = f->mask + steps;
    return RG_OK;
}

/* ---- Checking ------------------------------------------------------------------------------- */

static rg_status check_ids(const int32_t *id, int64_t n, int64_t bound, size_t row,
                           const char *what, rg_err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (id[i] < 0 || id[i] >= bound)
            return rg_fail(err, RG_EINDEX, "row %zu: %s %d at %lld is not in 0 .. %lld", row, what,
                           (int)id[i], (long long)i, (long long)bound - 1);
    return RG_OK;
}

int64_t rg_target_steps(const rg_rows *rows, const rg_task_opts *o, size_t row)
{
    switch (o->task) {
    case RG_TAG:
        return rows->length[row];
    case RG_SEQ2SEQ:
        return rows->y_length ? rows->y_length[row] : 0;
    default:
        return 1;
    }
}

rg_status rg_rows_check(const rg_rows *rows, const rg_task_opts *o, bool y, rg_err *err)
{
    rg_status st = RG_OK;
    if (!rows || (rows->n && (!rows->length || !rows->x || (y && !rows->y) ||
                              (o->task == RG_SEQ2SEQ && rows->y && !rows->y_length))))
        return rg_fail(err, RG_EARG, "rows without lengths, inputs or targets");
    for (size_t i = 0; i < rows->n && st == RG_OK; i++) {
        const int64_t n = rows->length[i];
        if (n < 0 || (n > 0 && !rows->x[i]) || (rows->y && !rows->y[i]))
            st = rg_fail(err, RG_EARG, "row %zu: a negative length, or no data", i);
        if (st == RG_OK && o->symbols)
            st = check_ids(rows->x[i], n, o->symbols, i, "symbol", err);
        if (st == RG_OK && rows->y && o->task != RG_FORECAST)
            st = check_ids(rows->y[i], rg_target_steps(rows, o, i), o->outputs, i, "class", err);
    }
    return st;
}

/* ---- Filling -------------------------------------------------------------------------------- */

static void put_real(const rg_feeder *f, void *to, size_t at, float x)
{
    rg_real_put(to, f->plan.real, at, (double)x);
}

/* Step t of row b; true where nothing of it is missing. */
static bool put_step(const rg_feeder *f, const void *row, int64_t t, size_t at)
{
    const size_t I = (size_t)f->model.features;
    bool whole = true;
    if (f->model.symbols) {
        ((int32_t *)f->x)[at] = row ? ((const int32_t *)row)[t] : 0;
        return row != NULL;
    }
    for (size_t i = 0; i < I; i++) {
        float x = row ? ((const float *)row)[(size_t)t * I + i] : NAN;
        whole = whole && !isnan(x);
        put_real(f, f->x, at * I + i, isnan(x) ? 0 : x);
    }
    return whole;
}

static void put_target(const rg_feeder *f, const void *row, int64_t n, int64_t b, int64_t T,
                       int64_t B)
{
    const rg_task_opts *o = &f->model;
    int32_t *y = f->y;
    if (o->task == RG_CLASSIFY) {
        y[b] = row ? *(const int32_t *)row : 0;
        f->counts[b] = row != NULL;
    }
    for (int64_t t = 0; (o->task == RG_TAG || o->task == RG_SEQ2SEQ) && t < T; t++) {
        const bool real = row && t < n;
        f->counts[t * B + b] = real;
        y[t * B + b] = real ? ((const int32_t *)row)[t] : 0;
    }
    for (int64_t k = 0; o->task == RG_FORECAST && k < o->outputs; k++) {
        float v = row ? ((const float *)row)[k] : NAN;
        const bool known = !isnan(v);
        f->counts[b * o->outputs + k] = known;
        put_real(f, f->y, (size_t)(b * o->outputs + k), isnan(v) ? 0 : v);
    }
}

static void fill(const rg_feeder *f, const rg_rows *rows, const size_t *order,
                 const rg_bucket *batch)
{
    const int64_t T = batch->T;
    for (int64_t b = 0; b < f->B; b++) {
        const bool here = (size_t)b < batch->n;
        const size_t row = here ? order[batch->first + (size_t)b] : 0;
        const int64_t n = here ? rows->length[row] : 0;
        for (int64_t t = 0; t < T; t++) {
            const size_t at = (size_t)(t * f->B + b);
            f->mask[at] = put_step(f, t < n ? rows->x[row] : NULL, t, at);
        }
        put_target(f, here && rows->y ? rows->y[row] : NULL,
                   here ? rg_target_steps(rows, &f->model, row) : 0, b, T, f->B);
    }
}

size_t rg_feeder_input_bytes(const rg_feeder *f, int64_t T)
{
    const size_t step = f->model.symbols ? sizeof(int32_t)
                                         : item_of(f) * (size_t)f->model.features;
    return (size_t)(T * f->B) * step;
}

static rg_status bind(const rg_feeder *f, rg_cached_plan *p)
{
    const rg_task_opts *o = &f->model;
    const size_t steps = (size_t)(p->T * p->B), n = targets(o, p->T, p->B);
    const size_t x = rg_feeder_input_bytes(f, p->T);
    const size_t y = o->task == RG_FORECAST ? item_of(f) : sizeof(int32_t);
    rg_status st;
    if ((st = rg_plan_bind(p->plan, p->v[RG_FED_X], f->x, x)) ||
        (st = rg_plan_bind(p->plan, p->v[RG_FED_MASK], f->mask, steps)) ||
        (st = rg_plan_bind(p->plan, p->v[RG_FED_Y], f->y, n * y)) ||
        (st = rg_plan_bind(p->plan, p->v[RG_FED_COUNTS], f->counts, n)))
        return st;
    return RG_OK;
}

static int64_t *number_of(rg_plan_cache *cache)
{
    return rg_params_find(rg_plan_cache_state(cache), "plan.run").data;
}

int64_t *rg_feeder_number(const rg_feeder *f)
{
    return number_of(f->cache);
}

rg_status rg_feeder_plan(rg_cached_plan **out, rg_feeder *f, bool look, int64_t T, rg_err *err)
{
    rg_plan_cache *cache = look ? f->looks : f->cache;
    *number_of(cache) = *rg_feeder_number(f);
    rg_status st = rg_plan_cache_get(out, cache, T, f->B);
    *rg_feeder_number(f) = *number_of(cache);
    return st ? rg_fail(err, st, "%s", rg_plan_cache_message(cache)) : RG_OK;
}

rg_status rg_feeder_load(rg_cached_plan **out, rg_feeder *f, bool look, const rg_rows *rows,
                         const size_t *order, const rg_bucket *batch, rg_err *err)
{
    rg_status st;
    if ((st = make_room(f, batch->T, err)) || (st = rg_feeder_plan(out, f, look, batch->T, err)))
        return st;
    fill(f, rows, order, batch);
    st = bind(f, *out);
    return st ? rg_fail(err, st, "%s", rg_plan_message((*out)->plan)) : RG_OK;
}

rg_status rg_feeder_buckets(rg_buckets *out, const rg_feeder *f, const rg_rows *rows,
                            uint64_t epoch, uint64_t seed, rg_err *err)
{
    const rg_bucket_opts opts = { .rows = f->B, .grain = f->grain, .ordered = !f->train,
                                  .seed = seed };
    const size_t bytes = rows->n * sizeof *rows->length;
    int32_t *longer = rows->y_length ? rg_get(&f->alloc, bytes) : NULL;
    if (rows->y_length && !longer)
        return rg_fail(err, RG_ENOMEM, "no memory for %zu lengths", rows->n);
    for (size_t i = 0; longer && i < rows->n; i++)
        longer[i] = rows->length[i] > rows->y_length[i] ? rows->length[i] : rows->y_length[i];
    rg_status st = rg_buckets_create(out, longer ? longer : rows->length, rows->n, epoch, &opts);
    rg_release(&f->alloc, longer, bytes);
    return st ? rg_fail(err, st, "%s", out->message) : RG_OK;
}
