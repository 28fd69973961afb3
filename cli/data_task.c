/* cli/data_task.c -- the data set of a task: parts, lengths, classes, and what needs no model. */
#define _POSIX_C_SOURCE 200809L
#include "cli/data.h"
#include "cli/grade.h"
#include "cli/options.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 8, BAR = 40, CLASSES = 20 };

/* Steps of the rows of one part. */
typedef struct spread {
    int32_t least, most;
    double  mean;
} spread;

static spread spread_of(const rg_rows *rows)
{
    spread s = { rows->n ? rows->length[0] : 0, 0, 0 };
    for (size_t i = 0; i < rows->n; i++) {
        s.least = rows->length[i] < s.least ? rows->length[i] : s.least;
        s.most = rows->length[i] > s.most ? rows->length[i] : s.most;
        s.mean += (double)rows->length[i] / (double)rows->n;
    }
    return s;
}

/* How often each id is a target; NULL: no memory, or targets are numbers. */
static size_t *count_classes(const lesson *l, int part)
{
    const rg_dataset *d = &l->set;
    size_t *count = d->out.id ? calloc(d->out_vocab.n + 1, sizeof *count) : NULL;
    for (size_t i = 0; count && i < d->n; i++)
        for (int32_t t = 0; (!part || d->part[i] == part) && t < d->out.length[i]; t++)
            count[d->out.id[d->out.start[i] + (size_t)t]]++;
    return count;
}

/* The part that scores are for: the last that has rows. */
static int tried(const lesson *l)
{
    int part = RG_PART_TEST;
    while (l->part[part].n == 0)
        part--;
    return part;
}

/* ---- As text -------------------------------------------------------------------------------- */

static void print_parts(const lesson *l)
{
    printf("%-8s %10s  steps\n", "part", "rows");
    for (int p = RG_PART_TRAIN; p <= RG_PART_TEST; p++) {
        const spread s = spread_of(&l->part[p]);
        printf("%-8s %10zu  %d to %d, mean %.1f\n", part_names[p], l->part[p].n, (int)s.least,
               (int)s.most, s.mean);
    }
}

/* Rows by their number of steps, in up to eight bins of equal width. */
static void print_lengths(const rg_rows *rows)
{
    const spread s = spread_of(rows);
    const int32_t width = (s.most - s.least) / BINS + 1;
    size_t bin[BINS] = { 0 }, most = 1;
    if (s.least == s.most)
        return;
    for (size_t i = 0; i < rows->n; i++)
        bin[(rows->length[i] - s.least) / width]++;
    for (int k = 0; k < BINS; k++)
        most = bin[k] > most ? bin[k] : most;
    printf("\n%-14s %10s\n", "steps", "rows");
    for (int k = 0; k < BINS && s.least + k * width <= s.most; k++) {
        char range[32];
        (void)snprintf(range, sizeof range, "%d to %d", (int)(s.least + k * width),
                       (int)(s.least + k * width + width - 1));
        printf("%-14s %10zu  %.*s\n", range, bin[k], (int)(BAR * bin[k] / most),
               "########################################");
    }
}

static void print_classes(const lesson *l)
{
    const rg_vocab *v = &l->set.out_vocab;
    size_t *count[4];
    for (int p = 0; p < 4; p++)
        count[p] = count_classes(l, p);
    if (count[0] && count[1] && count[2] && count[3]) {
        printf("\n%-24s %10s %10s %10s\n", "target", "train", "valid", "test");
        for (size_t k = 0; k < v->n && k < CLASSES; k++) {
            char number[24], name[64];
            (void)snprintf(number, sizeof number, "%zu", k);
            printf("%-24s %10zu %10zu %10zu\n",
                   v->word ? printable(name, sizeof name, v->word[k]) : number, count[1][k],
                   count[2][k], count[3][k]);
        }
        if (v->n > CLASSES)
            printf("and %zu more\n", v->n - CLASSES);
    }
    for (int p = 0; p < 4; p++)
        free(count[p]);
}

static void print_baselines(const net *n, const baseline *base, int n_base, double prior,
                            const char *part)
{
    const char *const *name = grade_measures(n->task);
    printf("\nwithout a model, on %s\n", part);
    for (int k = 0; k < n_base; k++) {
        printf("%-32s", base[k].name);
        for (int i = 0; name[i]; i++)
            printf("  %s %.3f", name[i], base[k].measure[i]);
        printf("\n");
    }
    if (!isnan(prior))
        printf("%-32s  loss %.3f nats\n", "frequencies of the classes", prior);
}

/* ---- As JSON -------------------------------------------------------------------------------- */

static json_t *parts_object(const lesson *l)
{
    json_t *all = json_object();
    for (int p = RG_PART_TRAIN; p <= RG_PART_TEST; p++) {
        const spread s = spread_of(&l->part[p]);
        json_t *o = json_pack("{s:I, s:i, s:f, s:i}", "rows", (json_int_t)l->part[p].n, "least",
                              (int)s.least, "mean", s.mean, "most", (int)s.most);
        size_t *count = count_classes(l, p);
        json_t *list = count ? json_array() : NULL;
        for (size_t k = 0; list && k < l->set.out_vocab.n; k++)
            json_array_append_new(list, json_integer((json_int_t)count[k]));
        free(count);
        if (list)
            json_object_set_new(o, "targets", list);
        json_object_set_new(all, part_names[p], o);
    }
    return all;
}

static json_t *words_object(const rg_vocab *v)
{
    json_t *list = json_array();
    for (size_t k = 0; v->word && k < v->n; k++)
        json_array_append_new(list, json_string(v->word[k]));
    return list;
}

static int print_json(const lesson *l, const net *n, const baseline *base, int n_base,
                      double prior, const char *part)
{
    const char *const *name = grade_measures(n->task);
    json_t *list = json_array();
    for (int k = 0; k < n_base; k++) {
        json_t *o = json_pack("{s:s}", "name", base[k].name);
        for (int i = 0; name[i]; i++)
            json_object_set_new(o, name[i], json_real(base[k].measure[i]));
        json_array_append_new(list, o);
    }
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:o, s:o, s:s, s:o, s:s}", "v", 1, "kind", "task",
                          "rows", (json_int_t)l->set.n, "symbols",
                          (json_int_t)l->set.in_vocab.n, "targets", words_object(&l->set.out_vocab),
                          "parts", parts_object(l), "tried_on", part, "baselines", list, "sha256",
                          l->sha256);
    if (o && !isnan(prior))
        json_object_set_new(o, "prior", json_real(prior));
    return put_json(o, 9);
}

/* ---- All ------------------------------------------------------------------------------------ */

/* What `train` would make of these settings, with the smallest of models. */
static int as_training(settings *t, const settings *s)
{
    int code = options_parse(t, &commands[command_index("train")], 0, NULL);
    t->task = s->task;
    t->data = s->data;
    t->valid = s->valid;
    t->test = s->test;
    t->input_column = s->input_column;
    t->label_column = s->label_column;
    t->labels = s->labels;
    t->test_labels = s->test_labels;
    t->units = s->units;
    t->vocab = s->vocab;
    t->vocab_size = s->vocab_size;
    t->min_count = s->min_count;
    t->label_units = s->label_units;
    t->width = s->width;
    t->split = s->split;
    t->horizon = s->horizon;
    t->seq_len = s->seq_len;
    t->hidden = t->layers = 1;
    return code;
}

static int report(const settings *s, const lesson *l, const net *n)
{
    const int part = tried(l);
    const rg_rows *train = &l->part[RG_PART_TRAIN], *rows = &l->part[part];
    baseline base[BASELINES];
    const int n_base = grade_baselines(base, n, train, rows);
    const double prior = grade_prior(n, train, rows);
    if (n_base < 0)
        return RUN_TIME;
    if (s->json)
        return print_json(l, n, base, n_base, prior, part_names[part]);
    print_parts(l);
    print_lengths(&l->part[RG_PART_ALL]);
    if (l->set.out.id)
        print_classes(l);
    print_baselines(n, base, n_base, prior, part_names[part]);
    return DONE;
}

int data_of_task(const settings *s)
{
    settings t = { .argc = 0 };
    lesson l = { .sha256 = "" };
    model m = { .net = NULL };
    int code = as_training(&t, s);
    if (code)
        return code;
    code = lesson_load(&l, &t, NULL, NULL);
    if (code == DONE)
        code = net_new(&m, &t, &l.set, (const char *const *)l.name);
    if (code == DONE)
        code = report(s, &l, m.net);
    model_close(&m);
    lesson_close(&l);
    settings_free(&t);
    return code;
}
