/* train/columns.c -- columns of tables as sequences: of ids with their vocabulary, of numbers. */
#include "train/dataset.h"

#include "io/table.h"
#include "io/vocab.h"

#include <stdio.h>
#include <string.h>

/* ---- Which ----------------------------------------------------------------------------------- */

/* Does a name fit this piece of a list: equal, or, before a final `*`, its beginning? */
static bool fits(const char *name, const char *piece, size_t n)
{
    if (n > 0 && piece[n - 1] == '*')
        return strncmp(name, piece, n - 1) == 0;
    return strlen(name) == n && memcmp(name, piece, n) == 0;
}

/* The columns of one piece of a list, behind those that are there. */
static rg_status find_piece(rg_maker *m, uint32_t *list, size_t *count, rg_table *t,
                            const char *piece, size_t n)
{
    char name[256];
    size_t before = *count;
    for (size_t i = 0; i < t->columns; i++)
        if (fits(t->name[i], piece, n)) {
            for (size_t j = 0; j < *count; j++)
                if (list[j] == i)
                    return rg_fail(&m->err, RG_EARG, "column '%.60s' is named twice", t->name[i]);
            list[(*count)++] = (uint32_t)i;
        }
    if (*count > before)
        return RG_OK;
    (void)snprintf(name, sizeof name, "%.*s", (int)(n < 200 ? n : 200), piece);
    (void)rg_table_column(t, name);
    return rg_fail(&m->err, RG_EARG, "%s", t->message);
}

static rg_status find_all(rg_maker *m, uint32_t **list, size_t *count, rg_table *t,
                          const char *spec)
{
    rg_status st = RG_OK;
    *count = 0;
    if (!t->columns)
        return rg_fail(&m->err, RG_EARG, "a table that was not read");
    if (!(*list = rg_maker_get(m, t->columns, sizeof **list)))
        return RG_ENOMEM;
    for (const char *piece = spec; !st; piece++) {
        size_t n = strcspn(piece, ",");
        st = find_piece(m, *list, count, t, piece, n);
        if (!*(piece += n))
            break;
    }
    return st;
}

rg_status rg_columns_find(rg_maker *m, rg_columns *c, rg_table *const table[3], const char *spec)
{
    *c = (rg_columns){ .n = 0 };
    for (int k = 0; k < 3; k++) {
        size_t n = 0;
        if (!(c->table[k] = table[k]))
            continue;
        rg_status st = find_all(m, &c->column[k], &n, table[k], spec);
        if (st)
            return st;
        for (size_t j = 0; k > 0 && (n != c->n || j < n); j++)
            if (n != c->n || strcmp(table[k]->name[c->column[k][j]],
                                    table[0]->name[c->column[0][j]]) != 0)
                return rg_table_refuse(table[k], RG_EARG, 1, "'%.60s' are other columns, or in "
                                       "another order, than in the training file", spec),
                       rg_fail(&m->err, RG_EARG, "%s", table[k]->message);
        c->n = n;
    }
    return RG_OK;
}

/* ---- Ids ------------------------------------------------------------------------------------- */

/* A walk over all items. */
typedef struct walk {
    int       k;     /* table */
    size_t    row, i;
} walk;

static bool next_item(walk *w, const rg_columns *c)
{
    while (w->k < 3 && (!c->table[w->k] || w->row == c->table[w->k]->rows)) {
        w->k++;
        w->row = 0;
    }
    return w->k < 3;
}

static const char *cell_of(const walk *w, const rg_columns *c)
{
    const rg_table *t = c->table[w->k];
    return t->cell[w->row * t->columns + c->column[w->k][0]];
}

/* The reason, led by file and line, naming the column. */
static rg_status refuse(rg_maker *m, const walk *w, const rg_columns *c, rg_status status,
                        const char *what)
{
    char quoted[RG_QUOTED];
    rg_table *t = c->table[w->k];
    const char *name = t->name[c->column[w->k][0]];
    rg_table_refuse(t, status, t->line[w->row], "column '%s': %s",
                    rg_quoted(quoted, name, strlen(name)), what);
    return rg_fail(&m->err, status, "%s", t->message);
}

/* Lengths, starts, the number of steps. A target sequence ends with RG_END. */
static rg_status measure(rg_maker *m, rg_ragged *r, const rg_columns *c, const rg_field *f,
                         bool more)
{
    const char *at, *word;
    size_t n;
    bool bad;
    rg_err what;
    for (walk w = { 0, 0, 0 }; next_item(&w, c); w.row++, w.i++) {
        size_t length = more;
        const char *end = strchr(at = cell_of(&w, c), '\0');
        if (f->unit == RG_UNIT_WHOLE && at == end)
            return refuse(m, &w, c, RG_EFORMAT, "the label is missing");
        while (rg_unit_next(f->unit, &at, end, &word, &n, &bad))
            length++;
        if (length > m->longest) {
            rg_fail(&what, RG_ELIMIT, "%zu steps, more than %zu: cut it, or raise "
                    "`longest`", length, m->longest);
            return refuse(m, &w, c, RG_ELIMIT, what.text);
        }
        r->start[w.i] = r->steps;
        r->length[w.i] = (int32_t)length;
        r->steps += length;
    }
    return RG_OK;
}

static rg_status count_words(rg_maker *m, rg_lexicon *lex, const rg_columns *c, const rg_field *f)
{
    const char *at, *word;
    size_t n;
    bool bad;
    for (walk w = { 0, 0, 0 }; next_item(&w, c); w.row++, w.i++) {
        if (m->d->part[w.i] != RG_PART_TRAIN)
            continue;
        const char *end = strchr(at = cell_of(&w, c), '\0');
        while (rg_unit_next(f->unit, &at, end, &word, &n, &bad))
            if (rg_lexicon_add(lex, word, n) < 0)
                return rg_fail(&m->err, RG_ENOMEM, "no memory for %zu words", lex->n);
        if (!rg_tell(&m->teller, w.i, m->d->n))
            return rg_told_to_stop(&m->err);
    }
    return RG_OK;
}

/* The vocabulary that is given, or that of the training part. */
static rg_status choose(rg_maker *m, rg_vocab *v, const rg_columns *c, const rg_field *f,
                        bool target)
{
    static const char *const names[] = { RG_END, RG_BEGIN, RG_UNKNOWN };
    bool sequence = target && m->d->target == RG_TARGET_SEQUENCE;
    bool labels = f->unit == RG_UNIT_WHOLE || (target && !sequence);
    rg_vocab_rule rule = { .first = sequence ? names : names + 2,
                           .n_first = sequence ? 3 : !labels,
                           .most = f->most, .least = f->least,
                           .by_frequency = f->unit == RG_UNIT_WORD && !labels };
    rg_lexicon lex;
    if (f->vocab)
        return rg_vocab_copy(v, f->vocab, &m->alloc, &m->err);
    if (f->unit == RG_UNIT_BYTE) {
        v->n = 256;
        return RG_OK;
    }
    rg_lexicon_init(&lex, &m->alloc);
    rg_status st = count_words(m, &lex, c, f);
    if (!st)
        st = rg_vocab_from(v, &lex, &rule, &m->alloc, &m->err);
    rg_lexicon_free(&lex);
    return st;
}

static rg_status unknown(rg_maker *m, const walk *w, const rg_columns *c, const rg_vocab *v,
                         const rg_field *f, const char *word, size_t n)
{
    char quoted[RG_QUOTED];
    rg_err what;
    rg_fail(&what, RG_EINDEX, "'%s' is none of the %zu that %s has", rg_quoted(quoted, word, n),
            v->n, f->vocab ? "the vocabulary" : "the training part");
    return refuse(m, w, c, RG_EINDEX, what.text);
}

static rg_status encode(rg_maker *m, const rg_ragged *r, const rg_vocab *v, const rg_columns *c,
                        const rg_field *f)
{
    const char *at, *word;
    size_t n;
    bool bad;
    int32_t none = rg_vocab_find(v, RG_UNKNOWN, sizeof RG_UNKNOWN - 1);
    for (walk w = { 0, 0, 0 }; next_item(&w, c); w.row++, w.i++) {
        int32_t *id = r->id + r->start[w.i];
        const char *end = strchr(at = cell_of(&w, c), '\0');
        while (rg_unit_next(f->unit, &at, end, &word, &n, &bad)) {
            *id = rg_vocab_find(v, word, n);
            if (*id < 0 && (*id = none) < 0)
                return unknown(m, &w, c, v, f, word, n);
            id++;
        }
        if (id < r->id + r->start[w.i] + r->length[w.i])
            *id = m->d->end;
        if (!rg_tell(&m->teller, w.i, m->d->n))
            return rg_told_to_stop(&m->err);
    }
    return RG_OK;
}

rg_status rg_columns_encode(rg_maker *m, rg_ragged *r, rg_vocab *vocab, const rg_columns *c,
                            const rg_field *f, bool target)
{
    rg_dataset *d = m->d;
    bool sequence = target && d->target == RG_TARGET_SEQUENCE;
    if (c->n != 1)
        return rg_fail(&m->err, RG_EARG, "'%.60s' are %zu columns: text and labels come from one",
                       target ? m->opts->out.columns : m->opts->in.columns, c->n);
    rg_status st = measure(m, r, c, f, sequence);
    if (!st && !(r->id = rg_maker_get(m, r->steps, sizeof *r->id)))
        st = RG_ENOMEM;
    if (!st)
        st = choose(m, vocab, c, f, target);
    if (st)
        return st;
    if (sequence) {
        d->begin = rg_vocab_find(vocab, RG_BEGIN, sizeof RG_BEGIN - 1);
        d->end = rg_vocab_find(vocab, RG_END, sizeof RG_END - 1);
        if (d->begin < 0 || d->end < 0)
            return rg_fail(&m->err, RG_EARG, "out: the vocabulary given lacks " RG_BEGIN " or "
                           RG_END);
    }
    return encode(m, r, vocab, c, f);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* One column of all tables into column j of [items, n]. */
static rg_status take_column(rg_maker *m, double *out, double *column, const rg_columns *c,
                             size_t j)
{
    size_t i = 0;
    for (int k = 0; k < 3; k++) {
        rg_table *t = c->table[k];
        if (!t)
            continue;
        if (rg_table_numbers(column, t, c->column[k][j]))
            return rg_fail(&m->err, RG_EFORMAT, "%s", t->message);
        for (size_t row = 0; row < t->rows; row++, i++)
            out[i * c->n + j] = column[row];
        if (!rg_tell(&m->teller, j, c->n))
            return rg_told_to_stop(&m->err);
    }
    return RG_OK;
}

rg_status rg_columns_numbers(rg_maker *m, rg_ragged *r, const rg_columns *c, const rg_field *f)
{
    size_t rows = r->n, width = f->width ? (size_t)f->width : c->n, length = c->n / width;
    double *column;
    rg_status st = RG_OK;
    if (c->n % width != 0)
        return rg_fail(&m->err, RG_EARG, "width: %zu columns make no steps of %zu", c->n,
                       width);
    if (c->n > 0 && rows > SIZE_MAX / c->n)
        return rg_fail(&m->err, RG_ELIMIT, "%zu rows of %zu columns", rows, c->n);
    r->dtype = RG_F64;
    r->width = (int64_t)width;
    r->steps = rows * length;
    if (!(r->number = rg_maker_get(m, rows * c->n, sizeof *column)))
        return RG_ENOMEM;
    if (!(column = rg_get_raw(&m->alloc, rows * sizeof *column)))
        return rg_fail(&m->err, RG_ENOMEM, "no memory for %zu rows", rows);
    for (size_t j = 0; !st && j < c->n; j++)
        st = take_column(m, r->number, column, c, j);
    rg_release(&m->alloc, column, rows * sizeof *column);
    for (size_t i = 0; i < rows; i++) {
        r->start[i] = i * length;
        r->length[i] = (int32_t)length;
    }
    return st;
}
