/* train/dataset.c -- what all ways to make a data set have in common: parts, lengths, scaling. */
#include "train/dataset.h"

#include "base/checked.h"
#include "base/sha256.h"
#include "io/vocab.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Begin and end --------------------------------------------------------------------------- */

static rg_status check_shares(rg_maker *m, const bool has[3])
{
    const double valid = 0.1, test = 0.2;
    const rg_dataset_opts *o = m->opts;
    m->valid = has[1] || o->valid < 0 ? 0 : o->valid > 0 ? o->valid : valid;
    m->test = has[2] || o->test < 0 ? 0 : o->test > 0 ? o->test : test;
    if (!(m->valid + m->test < 1))
        return rg_fail(&m->err, RG_EARG, "shares: valid %g and test %g leave nothing to train on",
                       m->valid, m->test);
    return RG_OK;
}

rg_status rg_maker_begin(rg_maker *m, rg_dataset *d, const rg_dataset_opts *opts, const bool has[3])
{
    enum { LONGEST = 10000 };
    *m = (rg_maker){ .d = d, .opts = opts };
    *d = (rg_dataset){ .begin = -1, .end = -1 };
    if (!opts)
        return rg_fail(&m->err, RG_EARG, "no options");
    if (rg_alloc_resolve(&m->alloc, &opts->alloc))
        return rg_fail(&m->err, RG_EARG, "alloc: only half of the hooks are given");
    if ((unsigned)opts->target > RG_TARGET_NONE || (unsigned)opts->split > RG_SPLIT_ORDER ||
        (unsigned)opts->in.unit > RG_UNIT_NUMBER || (unsigned)opts->out.unit > RG_UNIT_NUMBER ||
        (unsigned)opts->in.scaling > RG_SCALE_NONE || (unsigned)opts->out.scaling > RG_SCALE_NONE)
        return rg_fail(&m->err, RG_EARG, "target, split, unit or scaling is none of its names");
    if (opts->steps < 0 || opts->horizon < 0 || opts->longest < 0 || opts->in.width < 0 ||
        opts->out.width < 0)
        return rg_fail(&m->err, RG_EARG, "steps, horizon, longest or width is negative");
    if (!has[0])
        return rg_fail(&m->err, RG_EARG, "there is nothing to train on");
    rg_behind *behind = rg_get(&m->alloc, sizeof *behind);
    if (!behind)
        return rg_fail(&m->err, RG_ENOMEM, "no memory for a data set");
    m->arena = &behind->arena;
    rg_arena_init(m->arena, &m->alloc);
    m->arena->raw = true;
    d->memory = behind;
    d->target = opts->target;
    m->teller.progress = opts->progress;
    m->longest = opts->longest ? (size_t)opts->longest : LONGEST;
    return check_shares(m, has);
}

rg_status rg_maker_end(rg_maker *m, rg_status st)
{
    rg_dataset *d = m->d;
    if (st) {
        rg_dataset_destroy(d);
        memcpy(d->message, m->err.text, sizeof d->message);
    }
    return st;
}

void rg_dataset_destroy(rg_dataset *dataset)
{
    rg_behind *behind = dataset ? dataset->memory : NULL;
    if (!dataset)
        return;
    rg_vocab_destroy(&dataset->in_vocab);
    rg_vocab_destroy(&dataset->out_vocab);
    if (behind) {
        rg_alloc a = behind->arena.alloc;
        rg_arena_free(&behind->arena);
        rg_release(&a, behind, sizeof *behind);
    }
    *dataset = (rg_dataset){ .n = 0 };
}

void *rg_maker_get(rg_maker *m, size_t n, size_t item)
{
    size_t bytes;
    void *block = rg_mul_size(n, item, &bytes) ? rg_arena_get(m->arena, bytes) : NULL;
    if (!block)
        rg_fail(&m->err, RG_ENOMEM, "no memory for a data set of %zu items", m->d->n);
    return block;
}

/* ---- Parts ----------------------------------------------------------------------------------- */

size_t rg_maker_border(const rg_maker *m, rg_part part, size_t N)
{
    const double rounding = 1e-9; /* of 1 - 0.9, which is less than 0.1 */
    double share = 1 - m->test - (part == RG_PART_VALID ? m->valid : 0);
    return part == RG_PART_TRAIN ? 0 : (size_t)((double)N * (share + rounding));
}

/* The first byte of the SHA-256 of what an item reads. */
static int first_byte(const void *data, size_t bytes)
{
    char hex[65];
    int byte = 0;
    rg_sha256(hex, data, bytes);
    for (int i = 0; i < 2; i++)
        byte = 16 * byte + (hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return byte;
}

rg_part rg_maker_part(const rg_maker *m, int k, size_t i, size_t N, const void *data, size_t bytes)
{
    enum { VALID = 205, TEST = 230 };
    if (k > 0)
        return k == 1 ? RG_PART_VALID : RG_PART_TEST;
    if (m->valid <= 0 && m->test <= 0)
        return RG_PART_TRAIN;
    if (m->opts->split == RG_SPLIT_ORDER)
        return i >= rg_maker_border(m, RG_PART_TEST, N) && m->test > 0 ? RG_PART_TEST
             : i >= rg_maker_border(m, RG_PART_VALID, N) && m->valid > 0 ? RG_PART_VALID
             : RG_PART_TRAIN;
    int byte = first_byte(data, bytes);
    if (byte >= TEST)
        return m->test > 0 ? RG_PART_TEST : RG_PART_TRAIN;
    return byte >= VALID && m->valid > 0 ? RG_PART_VALID : RG_PART_TRAIN;
}

rg_status rg_maker_count(rg_maker *m)
{
    rg_dataset *d = m->d;
    for (size_t i = 0; i < d->n; i++)
        d->count[d->part[i]]++;
    d->count[RG_PART_ALL] = d->n;
    if (d->count[RG_PART_TRAIN] == 0)
        return rg_fail(&m->err, RG_ESTATE, "none of the %zu items is in the training part: equal "
                       "inputs share one (take them in order)", d->n);
    return RG_OK;
}

/* ---- Sequences ------------------------------------------------------------------------------- */

rg_status rg_maker_sequences(rg_maker *m, rg_ragged *r, size_t n)
{
    r->n = n;
    if (!(r->start = rg_maker_get(m, n, sizeof *r->start)) ||
        !(r->length = rg_maker_get(m, n, sizeof *r->length)))
        return RG_ENOMEM;
    return RG_OK;
}

/* Where item i is: "file:line" of a table's row. */
static void place(char out[256], const rg_maker *m, size_t i)
{
    size_t row = i;
    for (int k = 0; m->table && k < 3; k++) {
        const rg_table *t = m->table[k];
        if (t && row < t->rows) {
            (void)snprintf(out, 256, "%.200s:%u", t->file, (unsigned)t->line[row]);
            return;
        }
        row -= t ? t->rows : 0;
    }
    (void)snprintf(out, 256, "item %zu", i);
}

rg_status rg_maker_lengths(rg_maker *m, rg_ragged *r, const char *what)
{
    char where[256];
    r->longest = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->length[i] > r->longest)
            r->longest = r->length[i];
    for (size_t i = 0; i < r->n && (size_t)r->longest > m->longest; i++)
        if ((size_t)r->length[i] > m->longest) {
            place(where, m, i);
            return rg_fail(&m->err, RG_ELIMIT, "%s: %s of %d steps, more than %zu: cut it, or "
                           "raise `longest`", where, what, r->length[i], m->longest);
        }
    return RG_OK;
}

/* ---- Scaling --------------------------------------------------------------------------------- */

double rg_ragged_number(const rg_ragged *r, size_t i)
{
    switch (r->dtype) {
    case RG_F32: return (double)((const float *)r->number)[i];
    case RG_F64: return ((const double *)r->number)[i];
    default:     return ((const uint8_t *)r->number)[i];
    }
}

/* Sums over the training part, one for each number of a step. */
typedef struct sums {
    double low, high;
    double *sum, *square;  /* [width]; squares are of what lies off the shift */
    size_t *count;
} sums;

/* f(x) over all numbers that are there: their sum, or their squares around r->shift. */
static void survey(sums *s, const rg_ragged *r, const rg_ragged *from, const uint8_t *part,
                   bool squares)
{
    size_t w = (size_t)r->width;
    for (size_t i = 0; i < from->n; i++) {
        size_t begin = from->start[i] * w, end = begin + (size_t)from->length[i] * w;
        if (part[i] != RG_PART_TRAIN)
            continue;
        for (size_t j = begin, k = 0; j < end; j++, k = k + 1 < w ? k + 1 : 0) {
            double x = rg_ragged_number(r, j);
            if (isnan(x))
                continue;
            if (squares) {
                s->square[k] += (x - r->shift[k]) * (x - r->shift[k]);
                continue;
            }
            s->sum[k] += x;
            s->count[k]++;
            s->low = x < s->low ? x : s->low;
            s->high = x > s->high ? x : s->high;
        }
    }
}

/* What does not vary stays 0 behind its shift. */
static double one_over(double spread)
{
    return spread > 0 && isfinite(1 / spread) ? 1 / spread : 1;
}

/* No infinity, and no number whose square could lead to one. */
static bool in_range(double x, const rg_ragged *r, size_t k, bool scaled)
{
    const double SQUARED = 1e140;
    return scaled ? fabs((x - r->shift[k]) * r->scale[k]) <= (double)FLT_MAX : fabs(x) < SQUARED;
}

/* All numbers, as they are or as a model sees them. */
static rg_status check_range(rg_maker *m, const rg_ragged *r, bool scaled)
{
    const size_t w = (size_t)r->width;
    char where[256];
    for (size_t i = 0; i < r->n && r->dtype != RG_U8; i++) {
        size_t j = r->start[i] * w, end = j + (size_t)r->length[i] * w;
        for (size_t k = 0; j < end; j++, k = k + 1 < w ? k + 1 : 0) {
            double x = rg_ragged_number(r, j);
            if (isnan(x) || in_range(x, r, k, scaled))
                continue;
            place(where, m, i);
            return rg_fail(&m->err, RG_EFORMAT, isinf(x) ? "%s: %g is among its numbers; what is "
                           "missing is NaN" : scaled ? "%s: %g is too large beside the numbers of "
                           "the training part" : "%s: %g is too large to be scaled", where, x);
        }
    }
    return RG_OK;
}

rg_status rg_maker_scale(rg_maker *m, rg_ragged *r, const rg_ragged *from, const uint8_t *part,
                         const rg_field *f)
{
    size_t w = (size_t)r->width;
    sums s = { .low = INFINITY, .high = -INFINITY };
    rg_status st = check_range(m, r, false);
    if (st)
        return st;
    if (!(r->shift = rg_maker_get(m, w, sizeof *r->shift)) ||
        !(r->scale = rg_maker_get(m, w, sizeof *r->scale)) ||
        !(s.sum = rg_maker_get(m, w, sizeof *s.sum)) ||
        !(s.square = rg_maker_get(m, w, sizeof *s.square)) ||
        !(s.count = rg_maker_get(m, w, sizeof *s.count)))
        return RG_ENOMEM;
    memset(s.sum, 0, w * sizeof *s.sum);
    memset(s.square, 0, w * sizeof *s.square);
    memset(s.count, 0, w * sizeof *s.count);
    if (f->scaling != RG_SCALE_NONE)
        survey(&s, r, from, part, false);
    bool unit = f->scaling == RG_SCALE_UNIT && s.low <= s.high;
    for (size_t k = 0; k < w; k++) {
        r->shift[k] = unit ? s.low : f->scaling == RG_SCALE_STANDARD && s.count[k]
                    ? s.sum[k] / (double)s.count[k] : 0;
        r->scale[k] = unit ? one_over(s.high - s.low) : 1;
    }
    if (f->scaling == RG_SCALE_STANDARD) {
        survey(&s, r, from, part, true);
        for (size_t k = 0; k < w; k++)
            r->scale[k] = s.count[k] ? one_over(sqrt(s.square[k] / (double)s.count[k])) : 1;
    }
    for (size_t k = 0; f->shift && k < w; k++)
        r->shift[k] = f->shift[k];
    for (size_t k = 0; f->scale && k < w; k++)
        r->scale[k] = f->scale[k];
    return check_range(m, r, true);
}
