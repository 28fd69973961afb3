/* cli/lm.c -- the task `lm`: a text, count models, a model that predicts it and writes; of
 * characters, and what models of words (lm_words.c) share with them. */
#define _POSIX_C_SOURCE 200809L
#include "cli/lm.h"
#include "cli/signals.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALIDATED = 1 << 16 }; /* positions of the validation part, so that it costs seconds */
static const double TEMPERATURE = 0.6; /* of samples: mostly words, seldom the same */

/* ---- The text ------------------------------------------------------------------------------- */

static void line_ends(const session *x)
{
    const rg_corpus *c = &x->text.corpus;
    if (c->bom)
        note("data   the byte order mark is dropped");
    if (c->crlf)
        note("data   %zu lines end in CR LF; both characters stay in the text", c->crlf);
    if (c->cr)
        note("data   %zu lone CR stay in the text", c->cr);
}

/* Every part must hold one window: of all rows for training, of one row for the others. */
static int check_parts(const session *x)
{
    const size_t T = (size_t)x->s->seq_len, B = (size_t)x->s->batch;
    const size_t n = text_part(&x->text, RG_PART_ALL).n;
    const char *things = text_things(x->text.unit);
    if (x->train.n < T * B + 1)
        return fail(BAD_DATA, "%s: the training part (90 %% of %zu %s) has %zu, but one "
                    "window of %zu steps in %zu rows needs %zu (smaller --batch or --seq-len, or "
                    "more text)", x->s->data, n, things, x->train.n, T, B, T * B + 1);
    const rg_span *part[] = { &x->valid, &x->test };
    static const char *const name[] = { "validation", "test" };
    for (int i = 0; i < 2; i++)
        if (part[i]->n < T + 1)
            return fail(BAD_DATA, "%s: the %s part (5 %% of %zu %s) has %zu, but one "
                        "window of %zu steps needs %zu (smaller --seq-len, or more text)",
                        x->s->data, name[i], n, things, part[i]->n, T, T + 1);
    return DONE;
}

static int count_models(session *x)
{
    const rg_span part[2] = { x->test, x->valid };
    rg_status st = rg_count_models(x->baseline[0], ORDERS, text_symbols(&x->text), x->train, part,
                                   2);
    return st ? fail(exit_code(st), "no memory to count") : DONE;
}

int lm_load(session *x)
{
    int code = text_load(&x->text, x->s);
    if (code)
        return code;
    x->train = text_part(&x->text, RG_PART_TRAIN);
    x->valid = text_part(&x->text, RG_PART_VALID);
    x->test = text_part(&x->text, RG_PART_TEST);
    code = check_parts(x);
    if (code)
        return code;
    (void)snprintf(x->sha256, sizeof x->sha256, "%s", text_sha256(&x->text));
    x->data_bytes = (double)(text_part(&x->text, RG_PART_ALL).n * sizeof *x->train.id);
    x->per_step = (double)(x->s->batch * x->s->seq_len);
    x->windows = (x->train.n - 1) / (size_t)x->s->batch / (size_t)x->s->seq_len;
    session_banner(x);
    line_ends(x);
    return count_models(x);
}

static int load(session *x)
{
    int code = lm_load(x);
    if (code)
        return code;
    const double *b = x->baseline[0];
    note("data   %zu characters, %zu symbols; %zu train, %zu validate, %zu test",
         x->text.corpus.n, x->text.corpus.V, x->train.n, x->valid.n, x->test.n);
    note("counts uniform %.2f, order 1 to 6: %.2f %.2f %.2f %.2f %.2f %.2f bits per character "
         "(test)", log2((double)x->text.corpus.V), b[0], b[1], b[2], b[3], b[4], b[5]);
    return DONE;
}

json_t *lm_data(const session *x)
{
    return json_pack("{s:s, s:I, s:I}", "sha256", x->sha256, text_things(x->text.unit),
                     (json_int_t)text_part(&x->text, RG_PART_ALL).n, "symbols",
                     (json_int_t)text_symbols(&x->text));
}

int lm_build(session *x)
{
    const settings *s = x->s;
    int code = model_new(&x->m, s, &x->text);
    if (code)
        return code;
    const rg_trainer_opts opts = {
        .model = x->m.lm, .optim = session_optim(x), .T = s->seq_len, .B = s->batch,
        .back = s->tbptt,
        .plan = session_train_plan(x),
        .gradflow_every = (uint64_t)s->gradflow_every,
    };
    return model_trainer(&x->trainer, &x->m, x->train, &opts);
}

/* ---- While it trains ------------------------------------------------------------------------ */

/* Text that the model writes now, to a new string; NULL without memory. */
static char *write_sample(const session *x, const model *m, int64_t length, uint64_t seed)
{
    char *text = NULL;
    size_t n = 0;
    int32_t unknown;
    rg_sampler *sampler = NULL;
    FILE *out = open_memstream(&text, &n);
    rg_sampler_opts opts = { .temperature = TEMPERATURE, .never = model_never(m, &unknown),
                             .seed = seed, .plan = session_plan(x) };
    rg_status st = out ? rg_sampler_create(&sampler, m->params, &m->lm, &opts) : RG_ENOMEM;
    for (int64_t i = 0; st == RG_OK && i < length; i++) {
        int32_t id;
        st = rg_sampler_next(&id, sampler);
        if (st == RG_OK)
            model_put(out, m, id, i == 0);
    }
    rg_sampler_destroy(&sampler);
    if (out && fclose(out) == 0)
        return text;
    return NULL;
}

/* One line of the log: line ends become spaces. */
static void show_sample(const session *x)
{
    uint64_t step = rg_trainer_facts(x->trainer).step;
    char *text = x->s->sample_length
        ? write_sample(x, &x->m, x->s->sample_length, (uint64_t)x->s->seed + step) : NULL;
    for (char *c = text; c && *c; c++)
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    if (text)
        note("sample %s", text);
    free(text);
}

void lm_show(session *x)
{
    show_sample(x);
    explain_flow(x);
}

int lm_try(session *x, model *m, rg_part part, metrics_row *row, rg_lm_score *score, rg_status *st)
{
    const bool whole = part == RG_PART_TEST;
    const rg_lm_score_opts opts = { .rows = whole ? 1 : (size_t)x->s->batch,
                                    .limit = whole ? 0 : VALIDATED, .stop = signals_stop_asked,
                                    .plan = session_plan(x) };
    *st = rg_lm_evaluate(score, m->params, &m->lm, whole ? x->test : x->valid, &opts);
    if (*st)
        return *st == RG_EUSER ? DONE : fail(exit_code(*st), "%s", score->message);
    row->loss = score->nats / (double)score->count;
    return DONE;
}

static int score(session *x, metrics_row *row, char text[200], rg_status *st)
{
    rg_lm_score score;
    int code = lm_try(x, &x->m, RG_PART_VALID, row, &score, st);
    if (code == DONE && !*st)
        (void)snprintf(text, 200, "%.3f bits per character on %zu characters", row->loss / LN2,
                       score.count);
    return code;
}

int lm_best_order(const session *x)
{
    int best = 0;
    for (int k = 1; k < ORDERS; k++)
        best = x->baseline[1][k] < x->baseline[1][best] ? k : best;
    return best + 1;
}

/* Of the validation part. */
static double baseline(const session *x, char label[64])
{
    const int order = lm_best_order(x);
    (void)snprintf(label, 64, "counts, order %d", order);
    return x->baseline[1][order - 1];
}

/* ---- The end -------------------------------------------------------------------------------- */

static int score_test(session *x, model *best, metrics_row *row, rg_status *st)
{
    rg_lm_score score;
    return lm_try(x, best, RG_PART_TEST, row, &score, st);
}

static void print_table(const session *x, const model *m, double loss)
{
    char title[128];
    printf("bits per character on the test part (%zu characters)\n", x->test.n);
    printf("  %-40s %6.3f\n", "uniform", log2((double)m->lm.V));
    for (int k = 0; k < ORDERS; k++)
        printf("  count model, order %-21d %6.3f\n", k + 1, x->baseline[0][k]);
    printf("  %-40s %6.3f   (step %llu, best of the validation part)\n",
           model_title(title, sizeof title, m), loss / LN2,
           (unsigned long long)m->step);
}

static int print_json(const session *x, const model *m, double loss)
{
    json_t *orders = json_array();
    for (int k = 0; k < ORDERS; k++)
        json_array_append_new(orders, json_real(x->baseline[0][k]));
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:f, s:f, s:f, s:o, s:s}", "v", 1, "part", "test",
                          "step", (json_int_t)m->step, "characters", (json_int_t)(x->test.n - 1),
                          "loss", loss, "bpc", loss / LN2, "uniform", log2((double)m->lm.V),
                          "count_models", orders, "run", x->f.path);
    return put_json(o, 17);
}

void lm_write(const session *x, const model *m)
{
    char *text = write_sample(x, m, 3 * x->s->sample_length, (uint64_t)x->s->seed);
    if (text)
        printf("\n%s\n", text);
    free(text);
}

static int print_result(session *x, model *m, const metrics_row *row)
{
    if (x->s->json)
        return print_json(x, m, row->loss);
    print_table(x, m, row->loss);
    lm_write(x, m);
    return DONE;
}

void lm_close(session *x)
{
    text_close(&x->text);
}

static double bits(double nats)
{
    return nats / LN2;
}

static const char *const measures[] = { "bpc", NULL };
const task lm_task = { "chars", measures, bits, "bits per character", false, load, lm_build,
                       lm_data, score, lm_show, baseline, score_test, print_result, lm_close };
