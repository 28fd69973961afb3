/* cli/lm_words.c -- the task `lm` of words: perplexity per word, and the bits per character of the
 * text that it comes to. */
#include "cli/lm.h"

#include <math.h>
#include <stdio.h>

/* Longer strings of words hardly come again. */
enum { SHOWN = 3 };

/* Bits per character of the text, of whose n characters to the word the model says nats. */
static double bits_per_character(double nats, double n)
{
    return nats / LN2 / n;
}

static int load(session *x)
{
    const lm_text *t = &x->text;
    int code = lm_load(x);
    if (code)
        return code;
    const double *b = x->baseline[0];
    note("data   %zu words, a vocabulary of %zu; %zu train, %zu validate, %zu test, of which "
         "%.2f %% are unknown", t->words.n, t->words.vocab.n, x->train.n, x->valid.n, x->test.n,
         100 * text_unknown(t, RG_PART_TEST));
    note("counts uniform %zu, order 1 to %d: %.1f %.1f %.1f perplexity per word (test)",
         t->words.vocab.n, SHOWN, exp2(b[0]), exp2(b[1]), exp2(b[2]));
    return DONE;
}

/* ---- While it trains ------------------------------------------------------------------------ */

static int score(session *x, metrics_row *row, char text[200], rg_status *st)
{
    rg_lm_score score;
    int code = lm_try(x, &x->m, RG_PART_VALID, row, &score, st);
    if (code || *st)
        return code;
    row->measure[1] = bits_per_character(row->loss, text_spread(&x->text, RG_PART_VALID));
    (void)snprintf(text, 200, "perplexity %.2f per word, %.3f bits per character, on %zu words",
                   exp(row->loss), row->measure[1], score.count);
    return DONE;
}

/* Of the validation part. */
static double baseline(const session *x, char label[64])
{
    const int order = lm_best_order(x);
    (void)snprintf(label, 64, "counts, order %d", order);
    return exp2(x->baseline[1][order - 1]);
}

/* ---- The end -------------------------------------------------------------------------------- */

static int score_test(session *x, model *best, metrics_row *row, rg_status *st)
{
    rg_lm_score score;
    int code = lm_try(x, best, RG_PART_TEST, row, &score, st);
    if (code == DONE && !*st)
        row->measure[1] = bits_per_character(row->loss, text_spread(&x->text, RG_PART_TEST));
    return code;
}

static void print_row(const session *x, const char *name, double nats)
{
    printf("  %-40s %10.2f  %7.3f", name, exp(nats),
           bits_per_character(nats, text_spread(&x->text, RG_PART_TEST)));
}

static void print_table(const session *x, const model *m, double loss)
{
    char title[128];
    printf("perplexity per word, and bits per character, on the test part (%zu words, %.2f %% "
           "unknown)\n", x->test.n, 100 * text_unknown(&x->text, RG_PART_TEST));
    print_row(x, "uniform", log((double)m->lm.V));
    for (int k = 0; k < SHOWN; k++) {
        (void)snprintf(title, sizeof title, "count model, order %d", k + 1);
        printf("\n");
        print_row(x, title, LN2 * x->baseline[0][k]);
    }
    printf("\n");
    print_row(x, model_title(title, sizeof title, m), loss);
    printf("   (step %llu, best of the validation part)\n", (unsigned long long)m->step);
}

static int print_json(const session *x, const model *m, const metrics_row *row)
{
    json_t *orders = json_array();
    for (int k = 0; k < SHOWN; k++)
        json_array_append_new(orders, json_real(exp2(x->baseline[0][k])));
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:o, s:s}", "v", 1, "part",
                          "test", "step", (json_int_t)m->step, "words",
                          (json_int_t)(x->test.n - 1), "unknown",
                          text_unknown(&x->text, RG_PART_TEST), "loss", row->loss, "ppl",
                          exp(row->loss), "bpc", row->measure[1], "uniform", (json_int_t)m->lm.V,
                          "count_models", orders, "run", x->f.path);
    return put_json(o, 17);
}

static int print_result(session *x, model *m, const metrics_row *row)
{
    if (x->s->json)
        return print_json(x, m, row);
    print_table(x, m, row->loss);
    lm_write(x, m);
    return DONE;
}

static const char *const measures[] = { "ppl", "bpc", NULL };
const task word_task = { "words", measures, exp, "perplexity per word", true, load, lm_build,
                         lm_data, score, lm_show, baseline, score_test, print_result, lm_close };
