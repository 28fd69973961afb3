/* train/dataset_series.c -- windows of a series and what comes after them. */
#include "train/dataset.h"

#include <string.h>

typedef struct windows {
    size_t rows, steps, horizon;  /* of the table; of a window; ahead */
    size_t border;                /* the first row outside of the training part */
} windows;

static rg_status measure(rg_maker *m, windows *w, const rg_table *t)
{
    const rg_dataset_opts *o = m->opts;
    *w = (windows){ t->rows, o->steps ? (size_t)o->steps : 1,
                    o->horizon ? (size_t)o->horizon : 1, 0 };
    if (w->steps > m->longest || w->horizon > m->longest)
        return rg_fail(&m->err, RG_ELIMIT, "steps or horizon is more than %zu (`longest`)",
                       m->longest);
    if (w->rows < w->steps + w->horizon)
        return rg_fail(&m->err, RG_ELIMIT, "%s: %zu rows are fewer than a window of %zu and its "
                       "target %zu ahead", t->file, w->rows, w->steps, w->horizon);
    m->d->n = w->rows - w->steps - w->horizon + 1;
    w->border = m->valid > 0 ? rg_maker_border(m, RG_PART_VALID, w->rows)
              : m->test > 0 ? rg_maker_border(m, RG_PART_TEST, w->rows) : w->rows;
    if (w->border < w->steps + w->horizon)
        return rg_fail(&m->err, RG_ESTATE, "%s: the first %zu rows, to train on, are fewer than a "
                       "window of %zu and its target %zu ahead", t->file, w->border, w->steps,
                       w->horizon);
    return RG_OK;
}

/* Part of every row, while labels are counted; of every window in the end. */
static rg_part part_of(const rg_maker *m, const windows *w, size_t row)
{
    if (m->test > 0 && row >= rg_maker_border(m, RG_PART_TEST, w->rows))
        return RG_PART_TEST;
    return row >= w->border && m->valid > 0 ? RG_PART_VALID : RG_PART_TRAIN;
}

/* Sequences of one row each, the parts being stretches of time. */
static rg_status row_by_row(rg_maker *m, rg_ragged *r, const windows *w, const rg_table *t)
{
    rg_dataset *d = m->d;
    if (!d->part && (!(d->part = rg_maker_get(m, w->rows, sizeof *d->part)) ||
                     !(d->line = rg_maker_get(m, w->rows, sizeof *d->line))))
        return RG_ENOMEM;
    for (size_t i = 0; i < w->rows; i++) {
        d->part[i] = (uint8_t)part_of(m, w, i);
        d->line[i] = t->line[i];
    }
    return rg_maker_sequences(m, r, w->rows);
}

static rg_status numbers(rg_maker *m, rg_ragged *r, const rg_columns *c, const rg_field *f,
                         const windows *w)
{
    const uint8_t part = RG_PART_TRAIN;
    size_t start = 0;
    int32_t length = (int32_t)w->border;
    const rg_ragged before = { .n = 1, .start = &start, .length = &length };
    if (f->width && (size_t)f->width != c->n)
        return rg_fail(&m->err, RG_EARG, "width: a step of a series is a row, here of %zu columns",
                       c->n);
    rg_status st = rg_columns_numbers(m, r, c, f);
    return st ? st : rg_maker_scale(m, r, &before, &part, f);
}

/* Sequence i: `length` rows from row i + first on. */
static void slide(rg_ragged *r, size_t n, size_t first, size_t length)
{
    r->n = n;
    r->longest = (int32_t)length;
    for (size_t i = 0; i < n; i++) {
        r->start[i] = i + first;
        r->length[i] = (int32_t)length;
    }
}

static rg_status targets(rg_maker *m, const windows *w, rg_table *const table[3])
{
    rg_dataset *d = m->d;
    rg_columns c;
    const rg_field *f = &m->opts->out;
    bool values = d->target == RG_TARGET_VALUES;
    rg_status st = rg_columns_find(m, &c, table, f->columns);
    if (st || (st = row_by_row(m, &d->out, w, table[0])))
        return st;
    st = values ? numbers(m, &d->out, &c, f, w)
                : rg_columns_encode(m, &d->out, &d->out_vocab, &c, f, true);
    if (!st && values)
        slide(&d->out, d->n, w->steps, w->horizon);
    else if (!st)
        slide(&d->out, d->n, w->steps + w->horizon - 1, 1);
    return st;
}

static rg_status make(rg_maker *m, rg_table *const one[3])
{
    windows w;
    rg_columns c;
    rg_dataset *d = m->d;
    const rg_field *in = &m->opts->in, *out = &m->opts->out;
    const rg_table *table = one[0];
    if (!in->columns || !out->columns || in->unit != RG_UNIT_NUMBER)
        return rg_fail(&m->err, RG_EARG, "a series has columns of numbers (RG_UNIT_NUMBER) in, "
                       "and columns out");
    if (!(d->target == RG_TARGET_VALUES && out->unit == RG_UNIT_NUMBER) &&
        !(d->target == RG_TARGET_CLASS && out->unit == RG_UNIT_WHOLE))
        return rg_fail(&m->err, RG_EARG, "a series has RG_TARGET_VALUES of numbers, or "
                       "RG_TARGET_CLASS of whole labels");
    rg_status st = measure(m, &w, table);
    if (st || (st = rg_columns_find(m, &c, one, in->columns)) ||
        (st = row_by_row(m, &d->in, &w, table)) || (st = numbers(m, &d->in, &c, in, &w)) ||
        (st = targets(m, &w, one)))
        return st;
    slide(&d->in, d->n, 0, w.steps);
    for (size_t i = 0; i < d->n; i++) {
        size_t last = i + w.steps + w.horizon - 1;
        d->part[i] = (uint8_t)part_of(m, &w, last);
        d->line[i] = table->line[last];
    }
    return rg_maker_count(m);
}

rg_status rg_dataset_series(rg_dataset *dataset, rg_table *table, const rg_dataset_opts *opts)
{
    rg_maker m;
    rg_table *const one[3] = { table, NULL, NULL };
    const bool has[3] = { table != NULL, false, false };
    if (!dataset)
        return RG_EARG;
    rg_status st = rg_maker_begin(&m, dataset, opts, has);
    m.table = one;
    return rg_maker_end(&m, st ? st : make(&m, one));
}
