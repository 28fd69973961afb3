/* cli/grade.c -- scores of answers, and of baselines through the same sums. */
#define _POSIX_C_SOURCE 200809L
#include "cli/grade.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const class_measures[] = { "acc", "f1", NULL };
const char *const sequence_measures[] = { "acc", "per", NULL };
const char *const value_measures[] = { "rmse", NULL };

const char *const *grade_measures(int task)
{
    return task == SEQ2SEQ ? sequence_measures : task == FORECAST ? value_measures
                                                                  : class_measures;
}

static size_t classes_of(const net *n)
{
    return n->task == CLASSIFY || n->task == TAG ? (size_t)n->opts.outputs : 0;
}

int grade_open(grade *g, const net *n, const rg_rows *rows)
{
    const size_t K = classes_of(n);
    *g = (grade){ .n = n, .rows = rows };
    g->confusion = calloc(K ? K * K : 1, sizeof *g->confusion);
    return g->confusion ? DONE : fail(RUN_TIME, "no memory");
}

void grade_close(grade *g)
{
    free(g->confusion);
    g->confusion = NULL;
}

/* ---- One row -------------------------------------------------------------------------------- */

static void add_class(grade *g, int32_t truth, int32_t answer)
{
    g->confusion[(size_t)truth * (size_t)g->n->opts.outputs + (size_t)answer]++;
}

/* A target without its end. */
static rg_tokens truth_of(const grade *g, size_t row)
{
    const size_t n = (size_t)g->rows->y_length[row];
    return (rg_tokens){ g->rows->y[row], n ? n - 1 : 0 };
}

/* A value said, in the data's own unit, and what came; missing ones do not count. */
static void add_value(grade *g, size_t row, size_t k, double said)
{
    const float y = ((const float *)g->rows->y[row])[k];
    if (isnan(y))
        return;
    const double truth = net_own(g->n, 1, k % g->n->columns[1], (double)y);
    g->squares += (said - truth) * (said - truth);
    g->known++;
}

bool grade_add(grade *g, const rg_prediction *said)
{
    const net *n = g->n;
    const size_t K = (size_t)said->outputs;
    const int32_t *y = g->rows->y[said->row];
    g->loss += said->loss;
    g->count += said->count;
    if (n->task == SEQ2SEQ)
        return rg_edits_add(&g->edits, (rg_tokens){ said->best[0].id, said->best[0].n },
                            truth_of(g, said->row)) == RG_OK;
    for (size_t k = 0; n->task == FORECAST && k < K; k++)
        add_value(g, said->row, k, net_value(n, said->z, k));
    for (int64_t t = 0; n->task != FORECAST && t < said->steps; t++)
        add_class(g, y[t], net_best(NULL, said->z + (size_t)t * K, K));
    return true;
}

void grade_measure(double measure[MEASURES], const grade *g)
{
    for (int i = 0; i < MEASURES; i++)
        measure[i] = -1;
    if (g->n->task == SEQ2SEQ) {
        measure[0] = g->edits.rows ? 1 - (double)g->edits.wrong / (double)g->edits.rows : NAN;
        measure[1] = rg_edits_rate(&g->edits);
    } else if (g->n->task == FORECAST) {
        measure[0] = g->known ? sqrt(g->squares / (double)g->known) : NAN;
    } else {
        rg_class_report r = rg_class_f1(NULL, g->confusion, classes_of(g->n), -1);
        measure[0] = r.accuracy;
        measure[1] = r.macro_f1;
    }
}

/* ---- Without a model ------------------------------------------------------------------------ */

/* How often each of K targets occurs; of targets' symbols the end is left out. */
static uint64_t *frequencies(const net *n, const rg_rows *rows)
{
    uint64_t *count = calloc((size_t)n->opts.outputs, sizeof *count);
    for (size_t i = 0; count && i < rows->n; i++) {
        const int32_t *y = rows->y[i];
        const int32_t steps = n->task == CLASSIFY ? 1 : n->task == TAG ? rows->length[i]
                                                                       : rows->y_length[i] - 1;
        for (int32_t t = 0; t < steps; t++)
            count[y[t]]++;
    }
    return count;
}

static int32_t most(const uint64_t *count, size_t K)
{
    size_t best = 0;
    for (size_t k = 1; k < K; k++)
        best = count[k] > count[best] ? k : best;
    return (int32_t)best;
}

/* The same answer everywhere; as a target sequence, once. */
static bool always(grade *g, int32_t answer)
{
    for (size_t i = 0; i < g->rows->n; i++) {
        const int32_t *y = g->rows->y[i];
        const int32_t steps = g->n->task == TAG ? g->rows->length[i] : 1;
        if (g->n->task == SEQ2SEQ &&
            rg_edits_add(&g->edits, (rg_tokens){ &answer, 1 }, truth_of(g, i)) != RG_OK)
            return false;
        for (int32_t t = 0; g->n->task != SEQ2SEQ && t < steps; t++)
            add_class(g, y[t], answer);
    }
    return true;
}

/* Each symbol's most frequent tag. */
static bool symbol_by_symbol(grade *g, const rg_rows *train)
{
    const size_t V = (size_t)g->n->opts.symbols, K = (size_t)g->n->opts.outputs;
    uint64_t *count = calloc(V * K, sizeof *count);
    for (size_t i = 0; count && i < train->n; i++)
        for (int32_t t = 0; t < train->length[i]; t++)
            count[(size_t)((const int32_t *)train->x[i])[t] * K +
                  (size_t)((const int32_t *)train->y[i])[t]]++;
    for (size_t i = 0; count && i < g->rows->n; i++)
        for (int32_t t = 0; t < g->rows->length[i]; t++)
            add_class(g, ((const int32_t *)g->rows->y[i])[t],
                      most(count + (size_t)((const int32_t *)g->rows->x[i])[t] * K, K));
    free(count);
    return count != NULL;
}

/* Where the w-th column that is said stands among those that are read; -1: it is not. */
static int column_read(const net *n, size_t w)
{
    const char *said = n->name[1] ? n->name[1] : "", *read = n->name[0] ? n->name[0] : "";
    if (strchr(said, '*') || strchr(read, '*'))
        return strcmp(said, read) == 0 ? (int)w : -1;
    for (; w > 0; w--)
        said += strcspn(said, ",") + 1;
    const size_t length = strcspn(said, ",");
    for (int k = 0; *read; k++) {
        const size_t m = strcspn(read, ",");
        if (m == length && strncmp(read, said, m) == 0)
            return k;
        read += m + (read[m] == ',');
    }
    return -1;
}

/* Is all that is said also read? */
static bool all_read(const net *n)
{
    bool all = true;
    for (size_t w = 0; w < n->columns[1]; w++)
        all = all && column_read(n, w) >= 0;
    return all;
}

/* The last value of each row that is not missing, for every value to come; or the mean of the
 * training part, which is what the scaling shifts by. */
static void last_value(grade *g, bool mean)
{
    const net *n = g->n;
    const size_t I = n->columns[0], W = n->columns[1];
    for (size_t i = 0; i < g->rows->n; i++)
        for (size_t k = 0; k < (size_t)n->opts.outputs; k++) {
            const size_t c = mean ? 0 : (size_t)column_read(n, k % W);
            double said = n->shift[1][k % W];
            for (int32_t t = g->rows->length[i]; !mean && t-- > 0;) {
                const float x = ((const float *)g->rows->x[i])[(size_t)t * I + c];
                if (isnan(x))
                    continue;
                said = net_own(n, 0, c, (double)x);
                break;
            }
            add_value(g, i, k, said);
        }
}

static int answer_names(baseline out[BASELINES], const net *n, const rg_rows *train,
                        int32_t *frequent)
{
    char *word = NULL;
    size_t bytes = 0;
    uint64_t *count = n->task == FORECAST ? NULL : frequencies(n, train);
    FILE *f = open_memstream(&word, &bytes);
    *frequent = count ? most(count, (size_t)n->opts.outputs) : 0;
    free(count);
    if (f)
        net_put_word(f, &n->out, *frequent);
    if (f)
        (void)fclose(f);
    (void)snprintf(out[0].name, sizeof out[0].name, n->task == FORECAST ? "last value"
                   : n->task == TAG ? "always %.40s, every step" : "always %.40s",
                   word ? word : "");
    (void)snprintf(out[1].name, sizeof out[1].name, n->task == FORECAST
                   ? "mean of the training part" : "most frequent tag of each symbol");
    free(word);
    return n->task == TAG && n->opts.symbols ? 2 : n->task != FORECAST ? 1
         : all_read(n) ? 2 : 1;
}

int grade_baselines(baseline out[BASELINES], const net *n, const rg_rows *train,
                    const rg_rows *rows)
{
    int32_t frequent;
    const int names = answer_names(out, n, train, &frequent);
    if (n->task == FORECAST && names == 1)
        out[0] = out[1]; /* what is said is not what is read: no last value */
    for (int k = 0; k < names; k++) {
        grade g;
        bool good = true;
        if (grade_open(&g, n, rows))
            return -1;
        if (n->task == FORECAST)
            last_value(&g, k + (names == 1));
        else
            good = k ? symbol_by_symbol(&g, train) : always(&g, frequent);
        grade_measure(out[k].measure, &g);
        grade_close(&g);
        if (!good)
            return fail(RUN_TIME, "no memory"), -1;
    }
    return names;
}

double grade_prior(const net *n, const rg_rows *train, const rg_rows *rows)
{
    if (n->task != CLASSIFY && n->task != TAG)
        return NAN;
    uint64_t *seen = frequencies(n, train), *asked = frequencies(n, rows);
    double all = 0, nats = 0, positions = 0;
    for (size_t k = 0; seen && asked && k < (size_t)n->opts.outputs; k++)
        all += (double)seen[k] + 1;
    for (size_t k = 0; seen && asked && k < (size_t)n->opts.outputs; k++) {
        nats -= (double)asked[k] * log(((double)seen[k] + 1) / all);
        positions += (double)asked[k];
    }
    free(seen);
    free(asked);
    return positions > 0 ? nats / positions : NAN;
}
