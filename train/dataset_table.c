/* train/dataset_table.c -- items from rows of tables. */
#include "train/dataset.h"

#include "io/table.h"

#include <string.h>

static rg_status check_target(rg_maker *m)
{
    const rg_field *in = &m->opts->in, *out = &m->opts->out;
    rg_dataset *d = m->d;
    if (!out->columns || d->target == RG_TARGET_NONE) {
        d->target = RG_TARGET_NONE;
        return RG_OK;
    }
    if ((d->target == RG_TARGET_VALUES) != (out->unit == RG_UNIT_NUMBER))
        return rg_fail(&m->err, RG_EARG, "out: RG_UNIT_NUMBER and RG_TARGET_VALUES go together");
    if ((d->target == RG_TARGET_CLASS) != (out->unit == RG_UNIT_WHOLE))
        return rg_fail(&m->err, RG_EARG, "out: RG_UNIT_WHOLE and RG_TARGET_CLASS go together");
    if (out->unit == RG_UNIT_BYTE)
        return rg_fail(&m->err, RG_EARG, "out: targets are characters, words, labels or numbers");
    if (d->target == RG_TARGET_TAGS && in->unit == RG_UNIT_WHOLE)
        return rg_fail(&m->err, RG_EARG, "in: a label as a whole has one step, and no tags");
    return RG_OK;
}

/* The cells of one row that an item reads, as one text between tabs. */
static rg_status row_text(rg_maker *m, const rg_columns *c, int k, size_t row, char **text,
                          size_t *cap, size_t *n)
{
    const rg_table *t = c->table[k];
    *n = 0;
    for (size_t j = 0; j < c->n; j++) {
        const char *cell = t->cell[row * t->columns + c->column[k][j]];
        size_t more = strlen(cell);
        if (!rg_reserve_raw(&m->alloc, text, cap, *n + more + 1, 1))
            return rg_fail(&m->err, RG_ENOMEM, "no memory");
        memcpy(*text + *n, cell, more);
        (*text)[*n + more] = '\t';
        *n += more + 1;
    }
    --*n;
    return RG_OK;
}

static rg_status assign_parts(rg_maker *m, const rg_columns *c)
{
    rg_dataset *d = m->d;
    char *text = NULL;
    size_t cap = 0, n = 0, i = 0;
    rg_status st = RG_OK;
    for (int k = 0; k < 3; k++)
        for (size_t row = 0; !st && c->table[k] && row < c->table[k]->rows; row++, i++) {
            st = row_text(m, c, k, row, &text, &cap, &n);
            if (st)
                break;
            d->part[i] = (uint8_t)rg_maker_part(m, k, row, c->table[k]->rows, text, n);
            d->line[i] = c->table[k]->line[row];
            if (!rg_tell(&m->teller, i, d->n))
                st = rg_told_to_stop(&m->err);
        }
    rg_release(&m->alloc, text, cap);
    return st;
}

static rg_status side(rg_maker *m, rg_ragged *r, rg_vocab *vocab, const rg_columns *c,
                      const rg_field *f, bool target)
{
    rg_status st = rg_maker_sequences(m, r, m->d->n);
    if (st)
        return st;
    if (f->unit != RG_UNIT_NUMBER)
        st = rg_columns_encode(m, r, vocab, c, f, target);
    else if (!(st = rg_columns_numbers(m, r, c, f)))
        st = rg_maker_scale(m, r, r, m->d->part, f);
    return st ? st : rg_maker_lengths(m, r, target ? "a target" : "an input");
}

/* Tags and steps are as many. */
static rg_status check_tags(rg_maker *m, const rg_columns *c)
{
    const rg_dataset *d = m->d;
    size_t i = 0;
    for (int k = 0; k < 3; k++)
        for (size_t row = 0; c->table[k] && row < c->table[k]->rows; row++, i++)
            if (d->in.length[i] != d->out.length[i]) {
                rg_table_refuse(c->table[k], RG_EFORMAT, d->line[i], "%d steps and %d tags",
                                d->in.length[i], d->out.length[i]);
                return rg_fail(&m->err, RG_EFORMAT, "%s", c->table[k]->message);
            }
    return RG_OK;
}

static rg_status make(rg_maker *m, rg_table *const table[3])
{
    rg_columns in, out;
    rg_dataset *d = m->d;
    const rg_dataset_opts *o = m->opts;
    rg_status st = check_target(m);
    for (int k = 0; k < 3; k++)
        d->n += table[k] ? table[k]->rows : 0;
    if (!st && d->n > INT32_MAX)
        st = rg_fail(&m->err, RG_ELIMIT, "%zu items, 2^31 or more", d->n);
    if (!st && !o->in.columns)
        st = rg_fail(&m->err, RG_EARG, "in: no columns are named");
    if (st || (st = rg_columns_find(m, &in, table, o->in.columns)))
        return st;
    if (!(d->part = rg_maker_get(m, d->n, sizeof *d->part)) ||
        !(d->line = rg_maker_get(m, d->n, sizeof *d->line)))
        return RG_ENOMEM;
    if ((st = assign_parts(m, &in)) || (st = rg_maker_count(m)) ||
        (st = side(m, &d->in, &d->in_vocab, &in, &o->in, false)) ||
        d->target == RG_TARGET_NONE)
        return st;
    if ((st = rg_columns_find(m, &out, table, o->out.columns)) ||
        (st = side(m, &d->out, &d->out_vocab, &out, &o->out, true)))
        return st;
    return d->target == RG_TARGET_TAGS ? check_tags(m, &out) : RG_OK;
}

rg_status rg_dataset_table(rg_dataset *dataset, rg_table *train, rg_table *valid, rg_table *test,
                           const rg_dataset_opts *opts)
{
    rg_maker m;
    rg_table *const table[3] = { train, valid, test };
    const bool has[3] = { train != NULL, valid != NULL, test != NULL };
    if (!dataset)
        return RG_EARG;
    rg_status st = rg_maker_begin(&m, dataset, opts, has);
    m.table = table;
    return rg_maker_end(&m, st ? st : make(&m, table));
}
