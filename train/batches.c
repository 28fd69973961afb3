/* train/batches.c -- items as rectangles, grouped by length, in an order that is a function of
 * (seed, epoch). */
#include "train/dataset.h"

#include <retrograd/batches.h>

#include "base/checked.h"
#include "train/borders.h"

#include <math.h>
#include <string.h>

enum { MAX_LENGTHS = 256 };

struct rg_batches {
    rg_alloc        alloc;
    rg_arena        arena;   /* of all blocks below */
    rg_dataset     *d;
    rg_batches_opts opts;
    uint32_t       *member;  /* [n] items of the part */
    int32_t        *steps;   /* [n] their lengths */
    size_t          n;
    int32_t        *T, *U;   /* [n_T] shapes of batches, T rising, U not falling */
    size_t          n_T;
    rg_buckets      plan;    /* of epoch */
    uint64_t        epoch;
    size_t          first;   /* of the batch being filled, in plan.order */
    uint32_t       *item;
    int32_t        *id, *y, *feed, *length, *y_length;
    uint8_t        *mask, *y_mask;
    void           *x, *value;
};

static rg_status no_memory(rg_err *err)
{
    return rg_fail(err, RG_ENOMEM, "batches: no memory");
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

static rg_status collect(rg_batches *b, rg_err *err)
{
    const rg_dataset *d = b->d;
    size_t at = 0;
    b->n = d->count[b->opts.part];
    if (b->n == 0)
        return rg_fail(err, RG_ESTATE, "batches: the part has no items");
    b->member = rg_arena_get(&b->arena, b->n * sizeof *b->member);
    b->steps = rg_arena_get(&b->arena, b->n * sizeof *b->steps);
    if (!b->member || !b->steps)
        return no_memory(err);
    for (size_t i = 0; i < d->n; i++)
        if (rg_dataset_has(d, i, b->opts.part)) {
            b->member[at] = (uint32_t)i;
            b->steps[at++] = d->in.length[i];
        }
    return RG_OK;
}

/* The smallest T that holds so many steps. */
static size_t shape_of(const rg_batches *b, int64_t steps)
{
    size_t k = 0;
    while (b->T[k] < steps)
        k++;
    return k;
}

/* U is a function of T, so that one plan serves each T: the longest target of any item of at most
 * T steps. */
static rg_status choose_shapes(rg_batches *b, rg_err *err)
{
    const rg_dataset *d = b->d;
    b->T = rg_arena_get(&b->arena, b->opts.lengths * sizeof *b->T);
    b->U = rg_arena_get(&b->arena, b->opts.lengths * sizeof *b->U);
    if (!b->T || !b->U ||
        (b->n_T = rg_borders(b->T, b->opts.lengths, b->steps, b->n, &b->alloc)) == 0)
        return no_memory(err);
    for (size_t k = 0; k < b->n_T; k++)
        b->U[k] = d->target == RG_TARGET_NONE ? 0 : d->target == RG_TARGET_TAGS ? b->T[k] : 1;
    if (d->target != RG_TARGET_SEQUENCE && d->target != RG_TARGET_VALUES)
        return RG_OK;
    for (size_t i = 0; i < b->n; i++) {
        int32_t *U = &b->U[shape_of(b, b->steps[i])], own = d->out.length[b->member[i]];
        *U = own > *U ? own : *U;
    }
    for (size_t k = 1; k < b->n_T; k++)
        b->U[k] = b->U[k] > b->U[k - 1] ? b->U[k] : b->U[k - 1];
    return RG_OK;
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Which items meet is a function of (seed, epoch). */
static rg_status enter_epoch(rg_batches *b, uint64_t epoch, rg_err *err)
{
    const rg_bucket_opts opts = { .rows = (int64_t)b->opts.rows, .grain = 1,
                                  .ordered = b->opts.in_order, .seed = b->opts.seed };
    if (b->plan.order && (b->epoch == epoch || b->opts.in_order))
        return RG_OK;
    rg_buckets_destroy(&b->plan);
    rg_status st = rg_buckets_create(&b->plan, b->steps, b->n, epoch, &opts);
    b->epoch = epoch;
    return st ? rg_fail(err, st, "%s", b->plan.message) : RG_OK;
}

/* ---- Creation -------------------------------------------------------------------------------- */

static void *block(rg_batches *b, int64_t steps, int64_t width, size_t item, rg_err *err)
{
    int64_t count;
    size_t bytes;
    const rg_shape shape = RG_SHAPE(steps, (int64_t)b->opts.rows, width);
    if (rg_numel(&shape, &count) || rg_bytes(count, item, &bytes)) {
        rg_fail(err, RG_ELIMIT, "batches: [%lld,%zu,%lld] is too large", (long long)steps,
                b->opts.rows, (long long)width);
        return NULL;
    }
    void *data = rg_arena_get(&b->arena, bytes);
    if (!data)
        no_memory(err);
    return data;
}

/* Room for the largest batch. */
static rg_status make_room(rg_batches *b, rg_err *err)
{
    const rg_dataset *d = b->d;
    size_t real = rg_dtype_size(b->opts.real);
    const int64_t T = b->T[b->n_T - 1], U = b->U[b->n_T - 1];
    bool ok = (b->item = block(b, 1, 1, 4, err)) && (b->length = block(b, 1, 1, 4, err)) &&
              (b->mask = block(b, T, 1, 1, err)) &&
              (d->in.width ? (b->x = block(b, T, d->in.width, real, err)) != NULL
                           : (b->id = block(b, T, 1, 4, err)) != NULL);
    if (ok && d->target != RG_TARGET_NONE)
        ok = (b->y_length = block(b, 1, 1, 4, err)) && (b->y_mask = block(b, U, 1, 1, err)) &&
             (d->out.width ? (b->value = block(b, U, d->out.width, real, err)) != NULL
                           : (b->y = block(b, U, 1, 4, err)) != NULL);
    if (ok && d->target == RG_TARGET_SEQUENCE)
        ok = (b->feed = block(b, U, 1, 4, err)) != NULL;
    return ok ? RG_OK : err->status;
}

static rg_status prepare(rg_batches *b, rg_err *err)
{
    rg_status st = collect(b, err);
    if (!st && b->opts.rows > b->n && !b->opts.fill)
        b->opts.rows = b->n;
    if (!st)
        st = choose_shapes(b, err);
    if (!st)
        st = enter_epoch(b, 0, err);
    return st ? st : make_room(b, err);
}

static rg_status check_opts(rg_batches_opts *o, rg_err *err)
{
    enum { ROWS = 32, LENGTHS = 8 };
    o->rows = o->rows ? o->rows : ROWS;
    o->lengths = o->lengths ? o->lengths : LENGTHS;
    if ((unsigned)o->part > RG_PART_TEST || o->rows > INT32_MAX || o->lengths > MAX_LENGTHS ||
        (o->real != RG_F32 && o->real != RG_F64))
        return rg_fail(err, RG_EARG, "batches: part is none, rows 2^31 or more, lengths more "
                       "than %d, or real neither RG_F32 nor RG_F64", MAX_LENGTHS);
    return RG_OK;
}

rg_status rg_batches_create(rg_batches **out, rg_dataset *dataset, const rg_batches_opts *opts)
{
    rg_err err = { .status = RG_OK };
    rg_batches_opts o = opts ? *opts : (rg_batches_opts){ .rows = 0 };
    rg_alloc alloc;
    rg_batches *b = NULL;
    if (out)
        *out = NULL;
    if (!out || !dataset)
        return RG_EARG;
    rg_status st = rg_alloc_resolve(&alloc, &o.alloc)
        ? rg_fail(&err, RG_EARG, "batches: alloc: only half of the hooks are given")
        : check_opts(&o, &err);
    if (!st && !(b = rg_get(&alloc, sizeof *b)))
        st = no_memory(&err);
    if (b) {
        b->alloc = alloc;
        b->d = dataset;
        b->opts = o;
        rg_arena_init(&b->arena, &alloc);
        st = prepare(b, &err);
    }
    if (st) {
        rg_batches_destroy(&b);
        memcpy(dataset->message, err.text, sizeof dataset->message);
        return st;
    }
    *out = b;
    return RG_OK;
}

void rg_batches_destroy(rg_batches **batches)
{
    rg_batches *b = batches ? *batches : NULL;
    if (b) {
        rg_alloc a = b->alloc;
        rg_buckets_destroy(&b->plan);
        rg_arena_free(&b->arena);
        rg_release(&a, b, sizeof *b);
        *batches = NULL;
    }
}

size_t rg_batches_count(const rg_batches *batches)
{
    return batches ? batches->plan.n_batch : 0;
}

/* ---- Filling --------------------------------------------------------------------------------- */

/* Row b of an array [T,B]. */
typedef struct row {
    int64_t T, B, b;
} row;

/* n ids, 0 behind them. */
static void put_ids(int32_t *to, row at, const int32_t *id, int64_t n)
{
    for (int64_t t = 0; t < at.T; t++)
        to[t * at.B + at.b] = t < n ? id[t] : 0;
}

static void put_mask(uint8_t *to, row at, int64_t n)
{
    for (int64_t t = 0; t < at.T; t++)
        to[t * at.B + at.b] = t < n;
}

/* One step's numbers, scaled; false: one is missing, and all are 0 then. */
#define PUT_STEP(TO, FROM)                                                                  \
    static bool put_##TO##_##FROM(void *out, const rg_ragged *r, size_t at)                 \
    {                                                                                       \
        TO *to = out;                                                                       \
        const FROM *from = (const FROM *)r->number + at;                                    \
        bool there = true;                                                                  \
        for (int64_t k = 0; k < r->width; k++) {                                            \
            double x = ((double)from[k] - r->shift[k]) * r->scale[k];                       \
            there &= !isnan(x);                                                             \
            to[k] = (TO)x;                                                                  \
        }                                                                                   \
        if (!there)                                                                         \
            memset(to, 0, (size_t)r->width * sizeof *to);                                   \
        return there;                                                                       \
    }
PUT_STEP(float, float)
PUT_STEP(float, double)
PUT_STEP(float, uint8_t)
PUT_STEP(double, float)
PUT_STEP(double, double)
PUT_STEP(double, uint8_t)

typedef bool put_step(void *out, const rg_ragged *r, size_t at);

static put_step *step_putter(rg_dtype to, rg_dtype from)
{
    if (to == RG_F32)
        return from == RG_F32 ? put_float_float : from == RG_F64 ? put_float_double
                                                                  : put_float_uint8_t;
    return from == RG_F32 ? put_double_float : from == RG_F64 ? put_double_double
                                                              : put_double_uint8_t;
}

/* n steps of numbers from step `start` on, 0 behind them. */
static void put_numbers(void *to, uint8_t *mask, row at, const rg_ragged *r, size_t start,
                        int64_t n, rg_dtype real)
{
    put_step *put = step_putter(real, r->dtype);
    size_t bytes = (size_t)r->width * rg_dtype_size(real);
    for (int64_t t = 0; t < at.T; t++) {
        size_t place = (size_t)(t * at.B + at.b);
        char *out = (char *)to + place * bytes;
        if (t < n)
            mask[place] = put(out, r, (start + (size_t)t) * (size_t)r->width);
        else
            memset(out, 0, bytes);
    }
}

/* One side of an item, n steps from `start` on; n = 0 also where there is no item. */
static void put_side(int32_t *id, void *x, uint8_t *mask, row at, const rg_ragged *r, size_t start,
                     int64_t n, rg_dtype real)
{
    put_mask(mask, at, n);
    if (x)
        put_numbers(x, mask, at, r, start, n, real);
    else
        put_ids(id, at, r->id + start, n);
}

static void fill_row(rg_batches *s, const rg_batch *out, int64_t b)
{
    const rg_dataset *d = s->d;
    const row in = { out->T, out->B, b }, to = { out->U, out->B, b };
    bool real = b < out->n;
    size_t i = real ? s->member[s->plan.order[s->first + (size_t)b]] : 0;
    s->item[b] = real ? (uint32_t)i : RG_NO_ITEM;
    s->length[b] = real ? d->in.length[i] : 0;
    put_side(s->id, s->x, s->mask, in, &d->in, d->in.start[i], s->length[b], s->opts.real);
    if (d->target == RG_TARGET_NONE)
        return;
    s->y_length[b] = real ? d->out.length[i] : 0;
    put_side(s->y, s->value, s->y_mask, to, &d->out, d->out.start[i], s->y_length[b],
             s->opts.real);
    for (int64_t u = 0; s->feed && u < to.T; u++)
        s->feed[u * to.B + b] = u >= s->y_length[b] ? 0 : u == 0 ? d->begin
                              : s->y[(u - 1) * to.B + b];
    for (int64_t t = 0; d->target == RG_TARGET_TAGS && t < in.T; t++)
        s->y_mask[t * in.B + b] = s->mask[t * in.B + b];
}

rg_status rg_batches_get(rg_batch *out, rg_batches *batches, uint64_t epoch, size_t position)
{
    rg_batches *s = batches;
    rg_err err = { .status = RG_OK };
    if (!out || !s || position >= rg_batches_count(s))
        return RG_EARG;
    rg_status st = enter_epoch(s, epoch, &err);
    if (st) {
        memcpy(s->d->message, err.text, sizeof s->d->message);
        return st;
    }
    const rg_bucket *k = &s->plan.batch[position];
    size_t shape = shape_of(s, k->T);
    s->first = k->first;
    *out = (rg_batch){ .T = s->T[shape], .U = s->U[shape], .n = (int64_t)k->n,
                       .B = (int64_t)(s->opts.fill ? s->opts.rows : k->n),
                       .item = s->item, .id = s->id, .x = s->x, .length = s->length,
                       .mask = s->mask, .y = s->y, .feed = s->feed, .value = s->value,
                       .y_length = s->y_length, .y_mask = s->y_mask };
    for (int64_t b = 0; b < out->B; b++)
        fill_row(s, out, b);
    return RG_OK;
}
