/* cli/data.c -- `retrograd data`: what is in a text or a table, and what needs no model. */
#define _POSIX_C_SOURCE 200809L
#include "cli/data.h"
#include "cli/net.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDERS = 6 };

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

static bool is_table(const char *path)
{
    static const char *const end[] = { ".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz", ".tab.gz" };
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        if (ends_with(path, end[i]))
            return true;
    return false;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

typedef struct text_facts {
    rg_corpus corpus;
    size_t    lines, words, distinct;  /* distinct: of the training part */
    double    strange;                 /* share of the other parts' words that it lacks */
    double    bpc[2][ORDERS];          /* valid, test */
} text_facts;

/* Words are white space apart; a file of bytes has none. */
static int count_words(text_facts *t, const settings *s)
{
    rg_words w;
    const rg_words_opts all = { .most = INT32_MAX };
    if (s->bytes)
        return DONE;
    rg_status st = rg_words_load(&w, s->data, &all);
    if (st)
        return fail(exit_code(st), "%s", w.message);
    const size_t others = w.n - rg_words_part(&w, RG_PART_TRAIN).n;
    t->words = w.n;
    t->distinct = w.vocab.n - 1;
    t->strange = others ? (double)w.unknown / (double)others : 0;
    rg_words_destroy(&w);
    return DONE;
}

static int look_at_text(text_facts *t, const settings *s)
{
    const rg_corpus_opts opts = { .bytes = s->bytes };
    rg_status st = rg_corpus_load(&t->corpus, s->data, &opts);
    if (st)
        return fail(exit_code(st), "%s%s", t->corpus.message,
                    st == RG_EFORMAT ? " (try --bytes)" : "");
    if (t->corpus.n == 0)
        return fail(BAD_DATA, "%s: the text is empty", s->data);
    for (size_t i = 0; i < t->corpus.n; i++)
        t->lines += t->corpus.symbol[t->corpus.id[i]] == '\n';
    const rg_span parts[2] = { rg_corpus_part(&t->corpus, RG_PART_VALID),
                               rg_corpus_part(&t->corpus, RG_PART_TEST) };
    st = rg_count_models(t->bpc[0], ORDERS, t->corpus.V,
                         rg_corpus_part(&t->corpus, RG_PART_TRAIN), parts, 2);
    return st ? fail(exit_code(st), "%s: %s", s->data, rg_status_text(st)) : count_words(t, s);
}

static void print_text(const text_facts *t)
{
    static const char *const part[] = { "valid", "test" };
    const rg_corpus *c = &t->corpus;
    printf("characters  %zu of %zu symbols, %zu lines\n", c->n, c->V, t->lines);
    if (t->words)
        printf("words       %zu; the training part has %zu, which lacks %.1f %% of the others'\n",
               t->words, t->distinct, 100 * t->strange);
    printf("parts       %zu train, %zu valid, %zu test\n", rg_corpus_part(c, RG_PART_TRAIN).n,
           rg_corpus_part(c, RG_PART_VALID).n, rg_corpus_part(c, RG_PART_TEST).n);
    printf("\nbits per character without a model; counted on the training part\nuniform     %.3f\n"
           "%-10s", log2((double)c->V), "order");
    for (int k = 1; k <= ORDERS; k++)
        printf("  %5d", k);
    for (int p = 0; p < 2; p++) {
        printf("\n%-10s", part[p]);
        for (int k = 0; k < ORDERS; k++)
            printf("  %5.3f", t->bpc[p][k]);
    }
    printf("\n");
}

static int text_json(const text_facts *t)
{
    const rg_corpus *c = &t->corpus;
    json_t *valid = json_array(), *test = json_array();
    for (int k = 0; k < ORDERS; k++) {
        json_array_append_new(valid, number_json(t->bpc[0][k]));
        json_array_append_new(test, number_json(t->bpc[1][k]));
    }
    return put_json(json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:{s:o, s:o}}", "v", 1,
                              "kind", "text", "characters", (json_int_t)c->n, "symbols",
                              (json_int_t)c->V, "lines", (json_int_t)t->lines, "words",
                              (json_int_t)t->words, "words_train", (json_int_t)t->distinct,
                              "uniform", log2((double)c->V), "sha256", c->sha256,
                              "count_models", "valid", valid, "test", test), 9);
}

static int text_main(const settings *s)
{
    text_facts t = { .lines = 0 };
    int code = look_at_text(&t, s);
    if (code == DONE && s->json)
        code = text_json(&t);
    else if (code == DONE)
        print_text(&t);
    rg_corpus_destroy(&t.corpus);
    return code;
}

/* ---- Tables --------------------------------------------------------------------------------- */

typedef struct column_facts {
    bool        number;
    size_t      distinct, missing;
    double      least, mean, most;  /* numbers; characters of texts */
    const char *usual;              /* of texts: the most frequent, and how often */
    size_t      times;
} column_facts;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static double characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return (double)n;
}

static void add(column_facts *f, double x, size_t n)
{
    f->least = n == 0 || x < f->least ? x : f->least;
    f->most = n == 0 || x > f->most ? x : f->most;
    f->mean += (x - f->mean) / (double)(n + 1);
}

/* @p cell has room for the column's cells. */
static void look_at_texts(column_facts *f, const rg_table *t, size_t column, const char **cell)
{
    size_t there = 0;
    for (size_t i = 0; i < t->rows; i++) {
        cell[i] = t->cell[i * t->columns + column];
        f->missing += !*cell[i];
        if (*cell[i])
            add(f, characters(cell[i]), there++);
    }
    qsort(cell, t->rows, sizeof *cell, by_text);
    for (size_t i = 0, end; i < t->rows; i = end) {
        for (end = i; end < t->rows && strcmp(cell[end], cell[i]) == 0;)
            end++;
        f->distinct += *cell[i] != '\0';
        if (*cell[i] && end - i > f->times) {
            f->times = end - i;
            f->usual = cell[i];
        }
    }
}

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void look_at_numbers(column_facts *f, double *x, size_t rows)
{
    size_t there = 0;
    for (size_t i = 0; i < rows; i++)
        if (isnan(x[i]))
            f->missing++;
        else
            x[there++] = x[i];
    for (size_t i = 0; i < there; i++)
        add(f, x[i], i);
    qsort(x, there, sizeof *x, by_number);
    for (size_t i = 0; i < there; i++)
        f->distinct += i == 0 || x[i] > x[i - 1];
    f->number = there > 0;
}

static void put_column(const rg_table *t, size_t i, const column_facts *f)
{
    char name[64], usual[48];
    printf("%-20s %-7s %8zu %8zu  ", printable(name, sizeof name, t->name[i]),
           f->number ? "number" : "text", f->distinct, f->missing);
    if (f->number)
        printf("%g to %g, mean %.4g\n", f->least, f->most, f->mean);
    else
        printf("%.0f to %.0f characters, mean %.1f; most often %s, %.1f %%\n", f->least, f->most,
               f->mean, f->usual ? printable(usual, sizeof usual, f->usual) : "-",
               100 * (double)f->times / (double)t->rows);
}

static json_t *column_object(const rg_table *t, size_t i, const column_facts *f)
{
    json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:f}", "name", t->name[i], "kind",
                          f->number ? "number" : "text", "distinct", (json_int_t)f->distinct,
                          "missing", (json_int_t)f->missing, "least", f->least, "mean", f->mean,
                          "most", f->most);
    if (o && f->usual && json_object_set_new(o, "usual", json_string(f->usual)) == 0)
        json_object_set_new(o, "times", json_integer((json_int_t)f->times));
    return o;
}

static int table_main(const settings *s)
{
    rg_table t;
    rg_status st = rg_table_load(&t, s->data, NULL);
    if (st)
        return fail(exit_code(st), "%s", t.message);
    json_t *list = s->json ? json_array() : NULL;
    const char **cell = malloc(t.rows * sizeof *cell);
    double *x = malloc(t.rows * sizeof *x);
    int code = cell && x && (list || !s->json) ? DONE : fail(RUN_TIME, "no memory");
    if (code == DONE && !list)
        printf("%zu rows of %zu columns\n\n%-20s %-7s %8s %8s  range\n", t.rows, t.columns,
               "column", "kind", "distinct", "missing");
    for (size_t i = 0; code == DONE && i < t.columns; i++) {
        column_facts f = { .number = false };
        if (rg_table_numbers(x, &t, i) == RG_OK)
            look_at_numbers(&f, x, t.rows);
        if (!f.number) {
            f = (column_facts){ .number = false };
            look_at_texts(&f, &t, i, cell);
        }
        if (list)
            json_array_append_new(list, column_object(&t, i, &f));
        else
            put_column(&t, i, &f);
    }
    if (code == DONE && list)
        code = put_json(json_pack("{s:i, s:s, s:I, s:s, s:O}", "v", 1, "kind", "table", "rows",
                                  (json_int_t)t.rows, "sha256", t.sha256, "columns", list), 9);
    json_decref(list);
    free(cell);
    free(x);
    rg_table_destroy(&t);
    return code;
}

int data_main(settings *s)
{
    s->data = s->operand[0];
    int code = text_units(s);
    if (code == DONE)
        code = text_vocabulary_ok(s);
    if (code)
        return code;
    code = s->task ? data_of_task(s) : is_table(s->data) ? table_main(s)
         : net_unit(s) == RG_UNIT_WORD ? data_of_words(s) : text_main(s);
    return finish_output(code, true);
}
