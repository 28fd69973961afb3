/* io/table.c -- CSV and TSV files as rows of cells (RFC 4180).
 *
 * The text is read once and stays where it is: cells point into it, unquoted in place, ended by a
 * NUL where their separator stood. */
#include "io/table.h"

#include "base/index.h"
#include "base/sha256.h"
#include "base/text.h"
#include "io/whole.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_COLUMNS = 65536 };

/* What is behind a table. */
typedef struct owner {
    rg_alloc     alloc;
    char        *text;  /* [bytes + 1] */
    size_t       bytes;
    const char **cell;  /* the header's, then the rows' */
    size_t       cells, cell_cap;
    uint32_t    *line;
    size_t       lines, line_cap;
    char        *file;
} owner;

typedef struct reader {
    owner   *o;
    char    *at, *end;
    uint32_t line;       /* that `at` is on */
    char     separator;
    rg_err  *err;
    rg_teller teller;
} reader;

static rg_status refuse(reader *r, uint32_t line, const char *what)
{
    char quoted[RG_QUOTED];
    return rg_fail(r->err, RG_EFORMAT, "%s:%u: %s",
                   rg_quoted(quoted, r->o->file, strlen(r->o->file)), line, what);
}

static rg_status no_memory(reader *r)
{
    return rg_fail(r->err, RG_ENOMEM, "no memory for a table of %zu bytes", r->o->bytes);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static bool keep_cell(reader *r, const char *cell)
{
    owner *o = r->o;
    if (!rg_reserve_raw(&o->alloc, &o->cell, &o->cell_cap, o->cells + 1, sizeof *o->cell))
        return false;
    o->cell[o->cells++] = cell;
    return true;
}

/* From behind the opening quote to behind the closing one; "" is a quote. *end: of its text. */
static rg_status take_quoted(reader *r, char **end)
{
    uint32_t begin = r->line;
    char *to = r->at;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '"' && r->at + 1 < r->end && r->at[1] == '"')
            r->at++;
        else if (*r->at == '"') {
            r->at++;
            *end = to;
            return RG_OK;
        }
        r->line += *r->at == '\n';
        *to++ = *r->at;
    }
    return refuse(r, begin, "a quote without its end");
}

/* One cell and the separator or line end behind it; *last: it was the row's. */
static rg_status take_cell(reader *r, bool *last)
{
    bool quoted = *r->at == '"' && r->at < r->end;
    char *cell = r->at + quoted, *end = cell;
    if (quoted) {
        r->at++;
        rg_status st = take_quoted(r, &end);
        if (st)
            return st;
    } else {
        while (r->at < r->end && *r->at != r->separator && *r->at != '\n' && *r->at != '\r')
            r->at++;
        end = r->at;
    }
    *last = r->at == r->end || *r->at != r->separator;
    if (r->at < r->end && *r->at == '\r') {
        r->at++;
        if (r->at < r->end && *r->at != '\n')
            return refuse(r, r->line, "a carriage return within the line: quote the cell, or end "
                                      "lines by a line feed");
    }
    if (r->at < r->end && *r->at != r->separator && *r->at != '\n')
        return refuse(r, r->line, "text after a closing quote");
    if (r->at < r->end) {
        r->line += *r->at == '\n';
        r->at++;
    }
    *end = '\0';
    return keep_cell(r, cell) ? RG_OK : no_memory(r);
}

static void pass_empty_lines(reader *r)
{
    while (r->at < r->end && (*r->at == '\n' || (*r->at == '\r' && r->at[1] == '\n'))) {
        r->at += *r->at == '\n' ? 1 : 2;
        r->line++;
    }
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static rg_status take_row(reader *r, size_t *columns)
{
    bool last = false;
    size_t before = r->o->cells;
    rg_status st = RG_OK;
    while (!st && !last)
        st = take_cell(r, &last);
    *columns = r->o->cells - before;
    return st;
}

static rg_status check_names(reader *r, uint32_t line, size_t columns)
{
    char quoted[RG_QUOTED];
    const owner *o = r->o;
    rg_index seen = { .n = 0 };
    rg_err what;
    rg_status st = columns <= MAX_COLUMNS ? RG_OK
                 : rg_fail(r->err, RG_ELIMIT, "more than %d columns", MAX_COLUMNS);
    for (size_t i = 0; !st && i < columns; i++) {
        const char *name = o->cell[i];
        uint64_t hash = rg_hash_bytes(0, name, strlen(name));
        size_t probe = 0;
        for (uint32_t j; !st && (j = rg_index_next(&seen, hash, &probe));)
            if (strcmp(o->cell[j - 1], name) == 0) {
                rg_fail(&what, RG_EFORMAT, "columns %u and %zu are both named '%s'", j, i + 1,
                        rg_quoted(quoted, name, strlen(name)));
                st = refuse(r, line, what.text);
            }
        if (!st && !*name) {
            rg_fail(&what, RG_EFORMAT, "column %zu has no name", i + 1);
            st = refuse(r, line, what.text);
        }
        if (!st && !rg_index_put(&seen, &o->alloc, hash, (uint32_t)i + 1))
            st = no_memory(r);
    }
    rg_index_free(&seen, &o->alloc);
    return st;
}

static rg_status take_rows(reader *r, rg_table *t)
{
    owner *o = r->o;
    rg_err what;
    size_t n;
    for (pass_empty_lines(r); r->at < r->end; pass_empty_lines(r)) {
        uint32_t line = r->line;
        if (!rg_reserve_raw(&o->alloc, &o->line, &o->line_cap, o->lines + 1, sizeof *o->line))
            return no_memory(r);
        o->line[o->lines++] = line;
        rg_status st = take_row(r, &n);
        if (st)
            return st;
        if (n != t->columns) {
            rg_fail(&what, RG_EFORMAT, "%zu cell%s, the first line has %zu", n, n == 1 ? "" : "s",
                    t->columns);
            return refuse(r, line, what.text);
        }
        if (!rg_tell(&r->teller, (size_t)(r->at - o->text), o->bytes))
            return rg_told_to_stop(r->err);
    }
    return o->lines ? RG_OK : refuse(r, r->line, "no row follows the names of the columns");
}

static rg_status check_text(reader *r)
{
    size_t n = (size_t)(r->end - r->at), good = rg_utf8_prefix(r->at, n);
    const char *nul = memchr(r->at, '\0', good);
    rg_err what;
    if (nul)
        good = (size_t)(nul - r->at);
    if (good == n)
        return RG_OK;
    uint32_t line = 1;
    for (size_t i = 0; i < good; i++)
        line += r->at[i] == '\n';
    rg_fail(&what, RG_EFORMAT, "byte 0x%02x is not UTF-8%s", (unsigned char)r->at[good],
            nul ? " text (NUL)" : "");
    return refuse(r, line, what.text);
}

static rg_status read_table(reader *r, rg_table *t)
{
    rg_status st;
    r->at += rg_bom_bytes(r->at, (size_t)(r->end - r->at));
    if ((st = check_text(r)))
        return st;
    pass_empty_lines(r);
    if (r->at == r->end)
        return refuse(r, r->line, "the file is empty");
    if (!r->separator)
        r->separator = memchr(r->at, '\t', strcspn(r->at, "\n")) ? '\t' : ',';
    uint32_t line = r->line;
    if ((st = take_row(r, &t->columns)) || (st = check_names(r, line, t->columns)) ||
        (st = take_rows(r, t)))
        return st;
    t->rows = r->o->lines;
    t->name = r->o->cell;
    t->cell = r->o->cell + t->columns;
    t->line = r->o->line;
    t->file = r->o->file;
    return RG_OK;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

/* On failure only the message stays. */
static rg_status finish(rg_table *t, rg_status st, const rg_err *err)
{
    if (st) {
        rg_table_destroy(t);
        memcpy(t->message, err->text, sizeof err->text);
    }
    return st;
}

/* An owner for the text to come. */
static owner *begin(rg_table *t, const char *name, const rg_table_opts *opts, rg_err *err)
{
    static const rg_table_opts none;
    rg_alloc alloc;
    owner *o = NULL;
    size_t n = strlen(name) + 1;
    if (rg_alloc_resolve(&alloc, opts ? &opts->alloc : &none.alloc)) {
        rg_fail(err, RG_EARG, "alloc: only half of the hooks are given");
        return NULL;
    }
    if (!(o = t->memory = rg_get(&alloc, sizeof *o)) || !(o->file = rg_get(&alloc, n))) {
        rg_release(&alloc, o, sizeof *o);
        t->memory = NULL;
        rg_fail(err, RG_ENOMEM, "no memory");
        return NULL;
    }
    o->alloc = alloc;
    memcpy(o->file, name, n);
    return o;
}

static rg_status parse(rg_table *t, owner *o, const rg_table_opts *opts, rg_err *err)
{
    reader r = { .o = o, .at = o->text, .end = o->text + o->bytes, .line = 1, .err = err };
    if (opts) {
        r.separator = opts->separator;
        r.teller.progress = opts->progress;
    }
    if (r.separator && strchr("\"\r\n", r.separator))
        return rg_fail(err, RG_EARG, "separator: a quote or a line end separates no cells");
    rg_sha256(t->sha256, o->text, o->bytes);
    return read_table(&r, t);
}

rg_status rg_table_decode(rg_table *table, const char *name, const void *text, size_t bytes,
                          const rg_table_opts *opts)
{
    rg_err err = { .status = RG_OK };
    owner *o;
    if (!table)
        return RG_EARG;
    *table = (rg_table){ .rows = 0 };
    if (!name || (!text && bytes > 0))
        return finish(table, rg_fail(&err, RG_EARG, "table: no name or no text"), &err);
    if (bytes > RG_MAX_TEXT)
        return finish(table, rg_fail(&err, RG_ELIMIT, "table: 2^31 bytes or more"), &err);
    if (!(o = begin(table, name, opts, &err)))
        return finish(table, err.status, &err);
    if (!(o->text = rg_get_raw(&o->alloc, bytes + 1)))
        return finish(table, rg_fail(&err, RG_ENOMEM, "no memory for %zu bytes", bytes), &err);
    if (bytes > 0)
        memcpy(o->text, text, bytes);
    o->bytes = bytes;
    o->text[bytes] = '\0';
    return finish(table, parse(table, o, opts, &err), &err);
}

rg_status rg_table_load(rg_table *table, const char *path, const rg_table_opts *opts)
{
    char quoted[RG_QUOTED];
    rg_err err = { .status = RG_OK };
    int before = errno;
    owner *o;
    if (!table)
        return RG_EARG;
    *table = (rg_table){ .rows = 0 };
    if (!path)
        return finish(table, rg_fail(&err, RG_EARG, "table: no path"), &err);
    if (!(o = begin(table, path, opts, &err)))
        return finish(table, err.status, &err);
    rg_status st = rg_whole_load(&o->text, &o->bytes, &o->alloc, path, &err);
    if (st)
        rg_err_prefix(&err, rg_quoted(quoted, path, strlen(path)));
    else
        st = parse(table, o, opts, &err);
    if (!st)
        errno = before;
    return finish(table, st, &err);
}

void rg_table_destroy(rg_table *table)
{
    owner *o = table ? table->memory : NULL;
    if (o) {
        rg_alloc a = o->alloc;
        if (o->text)
            rg_release(&a, o->text, o->bytes + 1);
        rg_release(&a, o->cell, o->cell_cap * sizeof *o->cell);
        rg_release(&a, o->line, o->line_cap * sizeof *o->line);
        rg_release(&a, o->file, strlen(o->file) + 1);
        rg_release(&a, o, sizeof *o);
    }
    if (table)
        *table = (rg_table){ .rows = 0 };
}

/* ---- Columns --------------------------------------------------------------------------------- */

rg_status rg_table_refuse(rg_table *table, rg_status status, uint32_t line, const char *format, ...)
{
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 16];
    rg_err err;
    va_list ap;
    va_start(ap, format);
    (void)rg_fail_v(&err, status, format, ap);
    va_end(ap);
    (void)snprintf(prefix, sizeof prefix, "%s:%u",
                   rg_quoted(quoted, table->file, strlen(table->file)), line);
    rg_err_prefix(&err, prefix);
    memcpy(table->message, err.text, sizeof err.text);
    return status;
}

/* The names of the columns, as many as fit. */
static void list_names(char *list, size_t room, const rg_table *t)
{
    char quoted[RG_QUOTED];
    size_t at = 0, i = 0;
    list[0] = '\0';
    for (; i < t->columns; i++) {
        const char *one = rg_quoted(quoted, t->name[i], strlen(t->name[i]));
        size_t n = strlen(one);
        if (at + n + 8 > room)
            break;
        at += (size_t)snprintf(list + at, room - at, "%s%s", i ? ", " : "", one);
    }
    if (i < t->columns)
        (void)snprintf(list + at, room - at, ", ...");
}

int64_t rg_table_column(rg_table *table, const char *name)
{
    char quoted[RG_QUOTED], list[256];
    if (!table)
        return -1;
    for (size_t i = 0; name && i < table->columns; i++)
        if (strcmp(table->name[i], name) == 0)
            return (int64_t)i;
    list_names(list, sizeof list, table);
    (void)rg_table_refuse(table, RG_EARG, 1, "there is no column '%s'; there are: %s",
                          rg_quoted(quoted, name ? name : "", name ? strlen(name) : 0), list);
    return -1;
}

static bool is_missing(const char *cell)
{
    static const char *const none[] = { "", "NA", "N/A", "NaN", "nan", "null", "NULL", "?" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strcmp(cell, none[i]) == 0)
            return true;
    return false;
}

rg_status rg_table_numbers(double *out, rg_table *table, size_t column)
{
    char quoted[RG_QUOTED], name[RG_QUOTED];
    if (!out || !table || column >= table->columns)
        return RG_EARG;
    for (size_t i = 0; i < table->rows; i++) {
        const char *cell = table->cell[i * table->columns + column];
        if (is_missing(cell))
            out[i] = (double)NAN;
        else if (!rg_number_parse(cell, &out[i]))
            return rg_table_refuse(table, RG_EFORMAT, table->line[i],
                                   "column '%s': '%s' is no finite number",
                                   rg_quoted(name, table->name[column],
                                             strlen(table->name[column])),
                                   rg_quoted(quoted, cell, strlen(cell)));
    }
    return RG_OK;
}
