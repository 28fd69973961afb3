/* io/embedding.c -- word vectors from text: GloVe's "word x1 ... xE" lines, and word2vec's, which
 * have a line "words E" before them. */
#include <retrograd/io.h>

#include "base/real.h"
#include "base/text.h"
#include "graph/params.h"
#include "io/disk.h"
#include "io/sort.h"
#include "io/whole.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 1024 * 1024 }; /* bytes of the longest line */

typedef struct reader {
    rg_source   source;
    rg_err     *err;
    size_t      at;        /* in the file */
    char       *buffer;    /* LINE + 1 bytes */
    size_t      begin, n;  /* what of the buffer has not been looked at; its end */
    int64_t     number;    /* of the line, from 1 */
} reader;

typedef struct table {
    rg_slot           *slot;
    const char *const *word;
    uint32_t          *order;  /* words sorted */
    size_t             n;
    char              *rows;   /* the parameter to come */
    uint32_t          *found;  /* the line of each word, 0 = none yet */
} table;

/* The next line, terminated, without blanks at its end; NULL after the last. */
static rg_status next_line(reader *r, char **line)
{
    char *end;
    *line = NULL;
    while (!(end = memchr(r->buffer + r->begin, '\n', r->n - r->begin)) &&
           r->at < r->source.bytes) {
        size_t room, left = r->source.bytes - r->at;
        r->n -= r->begin;
        memmove(r->buffer, r->buffer + r->begin, r->n);
        r->begin = 0;
        room = LINE - r->n < left ? LINE - r->n : left;
        if (room == 0)
            return rg_fail(r->err, RG_ELIMIT, "line %lld is longer than 1 MiB",
                           (long long)r->number + 1);
        rg_status st = rg_source_read(&r->source, r->at, r->buffer + r->n, room);
        if (st)
            return st;
        r->at += room;
        r->n += room;
    }
    if (r->begin == r->n)
        return RG_OK;
    if (!end)
        end = r->buffer + r->n;
    *line = r->buffer + r->begin;
    r->begin = (size_t)(end - r->buffer) + (end < r->buffer + r->n);
    while (end > *line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = '\0';
    r->number++;
    return RG_OK;
}

static int by_word(const void *context, uint32_t a, uint32_t b)
{
    const char *const *word = context;
    return strcmp(word[a], word[b]);
}

static int64_t row_of(const table *t, const char *word)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(t->word[t->order[mid]], word);
        if (c == 0)
            return t->order[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* Number k of the row becomes the text's. */
static bool put(const table *t, int64_t row, int64_t k, const char *text)
{
    double x;
    size_t at = (size_t)(row * t->slot->shape.dim[1] + k);
    if (!rg_number_parse(text, &x))
        return false;
    rg_real_put(t->rows, t->slot->dtype, at, x);
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The last E fields are the numbers; what is before them is the word, which may have blanks. */
static rg_status take_vector(const reader *r, table *t, char *line)
{
    int64_t E = t->slot->shape.dim[1], row;
    char quoted[RG_QUOTED], *at = line + strlen(line);
    for (int64_t k = 0; k < E; k++) { /* each field and the blanks before it */
        while (at > line && !is_blank(at[-1]))
            at--;
        while (at > line && is_blank(at[-1]))
            *--at = '\0';
        if (at == line)
            return rg_fail(r->err, RG_EFORMAT, "line %lld: a word and %lld numbers are expected",
                           (long long)r->number, (long long)E);
    }
    if (!rg_is_utf8(line))
        return rg_fail(r->err, RG_EFORMAT, "line %lld: the word '%s' is not UTF-8: convert the "
                       "file, or drop the line", (long long)r->number,
                       rg_quoted(quoted, line, strlen(line)));
    if ((row = row_of(t, line)) < 0)
        return RG_OK;
    if (t->found[row])
        return rg_fail(r->err, RG_EFORMAT, "line %lld: the word '%s' is there twice, first on line "
                       "%u: drop one of them", (long long)r->number,
                       rg_quoted(quoted, line, strlen(line)), t->found[row]);
    for (int64_t k = 0; k < E; k++, at += strlen(at)) {
        while (!*at)
            at++;
        if (!put(t, row, k, at))
            return rg_fail(r->err, RG_EFORMAT, "line %lld: value %lld is no finite number",
                           (long long)r->number, (long long)k + 1);
    }
    t->found[row] = (uint32_t)r->number;
    return RG_OK;
}

static int64_t fields_of(const char *line)
{
    int64_t n = 0;
    for (const char *c = line; *c; n++) {
        c += strcspn(c, " \t");
        c += strspn(c, " \t");
    }
    return n;
}

/* The first line tells the width: "words E" of word2vec, *header becoming words, or a word with its
 * numbers. */
static rg_status check_first(const reader *r, const table *t, const char *line, double *header)
{
    static const char digits[] = "0123456789";
    int64_t E = t->slot->shape.dim[1], n = fields_of(line);
    size_t words = strspn(line, digits), gap = strspn(line + words, " \t");
    char count[32];
    double width = (double)(n - 1);
    bool two = n == 2 && words > 0 && words < sizeof count && gap > 0 &&
               strspn(line + words + gap, digits) == strlen(line + words + gap);
    if (two && rg_number_parse(line + words + gap, &width)) {
        memcpy(count, line, words);
        count[words] = '\0';
        (void)rg_number_parse(count, header);
    }
    if (width != (double)E)
        return rg_fail(r->err, RG_EMISMATCH, "line %lld: the file's vectors have %lld numbers, "
                       "'%.60s' has rows of %lld", (long long)r->number, (long long)width,
                       t->slot->name, (long long)E);
    return RG_OK;
}

static rg_status take_lines(reader *r, table *t)
{
    char *line;
    rg_status st;
    double header = -1, vectors = 0; /* words that the first line promises; that there are */
    bool first = true;
    while (!(st = next_line(r, &line)) && line) {
        if (r->number == 1)
            line += rg_bom_bytes(line, strlen(line));
        if (!*line)
            continue;
        if (first && (st = check_first(r, t, line, &header)))
            return st;
        if ((!first || header < 0) && (st = take_vector(r, t, line)))
            return st;
        vectors += !first || header < 0;
        first = false;
    }
    if (!st && first)
        st = rg_fail(r->err, RG_EFORMAT, "the file is empty");
    if (!st && header >= 0 && vectors != header)
        st = rg_fail(r->err, RG_EFORMAT, "line 1 promises %.0f words, the file has %.0f: it is "
                     "cut, or line 1 is none of a header", header, vectors);
    return st ? st : rg_source_unchanged(&r->source);
}

/* ---- The parameter --------------------------------------------------------------------------- */

static rg_status check_words(rg_params *ps, table *t, uint32_t *scratch)
{
    char quoted[RG_QUOTED];
    for (size_t i = 0; i < t->n; i++) {
        if (!t->word[i])
            return rg_fail(&ps->err, RG_EARG, "word %zu is NULL", i);
        t->order[i] = (uint32_t)i;
    }
    rg_sort(t->order, scratch, t->n, by_word, t->word);
    for (size_t i = 1; i < t->n; i++) {
        const char *word = t->word[t->order[i]];
        if (strcmp(t->word[t->order[i - 1]], word) == 0)
            return rg_fail(&ps->err, RG_EARG, "words %u and %u are both '%s'", t->order[i - 1],
                           t->order[i], rg_quoted(quoted, word, strlen(word)));
    }
    return RG_OK;
}

static rg_status find_slot(rg_params *ps, table *t, const char *name)
{
    const char *near;
    if (!name || !(t->slot = rg_params_slot(ps, name))) {
        near = name ? rg_params_nearest(ps, name) : NULL;
        return rg_fail(&ps->err, RG_EARG, "there is no parameter '%.60s'%s%.60s", name ? name : "",
                       near ? "; nearest: " : "", near ? near : "");
    }
    if (t->slot->shape.rank != 2 || t->slot->dtype > RG_F64 || t->slot->shape.dim[1] < 1 ||
        (uint64_t)t->slot->shape.dim[0] < t->n || t->n > UINT32_MAX)
        return rg_fail(&ps->err, RG_ESHAPE, "'%.60s' is no table of %zu rows or more", name, t->n);
    return RG_OK;
}

static rg_status load(rg_params *ps, table *t, const char *name, const char *path)
{
    reader r = { .err = &ps->err };
    rg_arena arena;
    rg_status st = find_slot(ps, t, name);
    if (st)
        return st;
    rg_arena_init(&arena, &ps->alloc);
    uint32_t *scratch = rg_arena_get(&arena, t->n * sizeof *scratch);
    t->order = rg_arena_get(&arena, t->n * sizeof *t->order);
    t->found = rg_arena_get(&arena, t->n * sizeof *t->found);
    t->rows = rg_arena_get(&arena, t->slot->bytes);
    r.buffer = rg_arena_get(&arena, LINE + 1);
    if (!scratch || !t->order || !t->found || !t->rows || !r.buffer)
        st = rg_fail(&ps->err, RG_ENOMEM, "no memory");
    else
        st = check_words(ps, t, scratch);
    if (!st)
        st = rg_source_open(&r.source, &rg_disk_posix, path, &ps->err);
    if (!st) {
        memcpy(t->rows, t->slot->data, t->slot->bytes);
        st = take_lines(&r, t);
        rg_source_close(&r.source);
    }
    if (!st) {
        memcpy(t->slot->data, t->rows, t->slot->bytes);
        rg_params_written(ps);
    }
    size_t found = 0;
    for (size_t i = 0; !st && i < t->n; i++)
        found += t->found[i] > 0;
    t->n = found;
    rg_arena_free(&arena);
    return st;
}

rg_status rg_embedding_load(rg_params *params, const char *name, const char *path,
                            const char *const *words, size_t n_words, size_t *found)
{
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 16];
    int before = errno;
    if (found)
        *found = 0;
    if (!params)
        return RG_EARG;
    if (!path || (!words && n_words > 0))
        return rg_fail(&params->err, RG_EARG, "embedding: no path or no words");
    table t = { .word = words, .n = n_words };
    rg_status st = load(params, &t, name, path);
    if (st) {
        (void)snprintf(prefix, sizeof prefix, "embedding '%s'",
                       rg_quoted(quoted, path, strlen(path)));
        rg_err_prefix(&params->err, prefix);
        return st;
    }
    if (found)
        *found = t.n;
    errno = before;
    return RG_OK;
}
