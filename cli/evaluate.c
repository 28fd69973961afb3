/* cli/evaluate.c -- evaluations during a run, and the one that concludes it. */
#define _POSIX_C_SOURCE 200809L
#include "cli/session.h"
#include "cli/signals.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATED = 1 << 16 }; /* characters of the validation part, so that it costs seconds */

static const double LN2 = 0.69314718055994530942;
static const double TEMPERATURE = 0.6; /* of samples: mostly words, seldom the same */

static bool stop_asked(void *user)
{
    (void)user;
    return signals_stop() != 0;
}

/* Text that the model writes now, to a new string; NULL without memory. */
static char *write_sample(const session *x, const model *m, int64_t length, uint64_t seed)
{
    char *text = NULL, piece[5];
    size_t n = 0;
    rg_sampler *sampler = NULL;
    FILE *out = open_memstream(&text, &n);
    rg_sampler_opts opts = { .temperature = TEMPERATURE, .seed = seed, .plan = session_plan(x) };
    rg_status st = out ? rg_sampler_create(&sampler, m->params, &m->lm, &opts) : RG_ENOMEM;
    for (int64_t i = 0; st == RG_OK && i < length; i++) {
        int32_t id;
        st = rg_sampler_next(&id, sampler);
        if (st == RG_OK)
            (void)fwrite(piece, 1, rg_symbol_text(piece, m->symbol[id], m->bytes), out);
    }
    rg_sampler_destroy(&sampler);
    if (out && fclose(out) == 0)
        return text;
    return NULL;
}

/* One line of the log: line ends become spaces. */
static void show_sample(const session *x, uint64_t step)
{
    char *text = x->s->sample_length
        ? write_sample(x, &x->m, x->s->sample_length, (uint64_t)x->s->seed + step) : NULL;
    for (char *c = text; c && *c; c++)
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    if (text)
        note("sample %s", text);
    free(text);
}

static int keep_best(session *x, uint64_t step, double loss)
{
    rg_status st = rg_optim_feedback(rg_trainer_optim(x->trainer), loss);
    if (st)
        return fail(exit_code(st), "%s", rg_params_message(x->m.params));
    x->at.evaluated = step;
    bool best = loss < x->at.best_loss;
    if (best) {
        x->at.best_loss = loss;
        x->at.best_step = step;
    }
    int code = best ? session_save(x, "ckpt-best.safetensors") : DONE;
    return code ? code : session_save(x, "ckpt-last.safetensors");
}

static int record(session *x, const char *split, uint64_t step, double loss)
{
    uint64_t windows = rg_trainer_facts(x->trainer).windows;
    metrics_row row = { .time = session_seconds(x), .step = step,
                        .epoch = (double)step / (double)windows, .split = split, .loss = loss,
                        .grad_norm = -1, .lr = -1, .tok_s = -1 };
    return metrics_add(&x->metrics, &row, x->s->json);
}

static int draw(const session *x)
{
    char title[160], name[128], label[64];
    int best = 0;
    for (int k = 1; k < ORDERS; k++)
        best = x->baseline[1][k] < x->baseline[1][best] ? k : best;
    (void)snprintf(title, sizeof title, "%s", model_title(name, sizeof name, &x->m));
    (void)snprintf(label, sizeof label, "count model, order %d", best + 1);
    return metrics_plot(&x->metrics, &x->f, title, x->baseline[1][best], label);
}

int session_evaluate(session *x)
{
    uint64_t step = rg_trainer_facts(x->trainer).step;
    rg_lm_score score;
    rg_lm_score_opts opts = { .rows = (size_t)x->s->batch, .limit = VALIDATED, .stop = stop_asked,
                              .plan = session_plan(x) };
    rg_status st = rg_lm_evaluate(&score, x->m.params, &x->m.lm, x->valid, &opts);
    if (st == RG_EUSER)
        return DONE; /* the loop sees the signal */
    if (st)
        return fail(exit_code(st), "%s", score.message);
    double loss = score.nats / (double)score.count;
    bool best = loss < x->at.best_loss;
    note("eval   step %llu: %.3f bits per character on %zu characters of the validation part%s",
         (unsigned long long)step, loss / LN2, score.count, best ? " (best)" : "");
    show_sample(x, step);
    explain_flow(x);
    int code = record(x, "valid", step, loss);
    if (code == DONE)
        code = keep_best(x, step, loss);
    return code ? code : draw(x);
}

/* ---- The end -------------------------------------------------------------------------------- */

static void print_table(const session *x, const model *m, const rg_lm_score *score)
{
    char title[128];
    printf("bits per character on the test part (%zu characters)\n", x->test.n);
    printf("  %-40s %6.3f\n", "uniform", log2((double)x->corpus.V));
    for (int k = 0; k < ORDERS; k++)
        printf("  count model, order %-21d %6.3f\n", k + 1, x->baseline[0][k]);
    printf("  %-40s %6.3f   (step %llu, best of the validation part)\n",
           model_title(title, sizeof title, m), score->nats / LN2 / (double)score->count,
           (unsigned long long)m->step);
}

static int print_json(const session *x, const model *m, const rg_lm_score *score)
{
    json_t *orders = json_array();
    double loss = score->nats / (double)score->count;
    for (int k = 0; k < ORDERS; k++)
        json_array_append_new(orders, json_real(x->baseline[0][k]));
    json_t *o = json_pack("{s:i, s:s, s:I, s:I, s:f, s:f, s:f, s:o, s:s}", "v", 1, "part", "test",
                          "step", (json_int_t)m->step, "characters", (json_int_t)score->count,
                          "loss", loss, "bpc", loss / LN2, "uniform", log2((double)x->corpus.V),
                          "count_models", orders, "run", x->f.path);
    return put_json(o, 17);
}

static int print_result(const session *x, const model *m, const rg_lm_score *score)
{
    if (x->s->json)
        return print_json(x, m, score);
    print_table(x, m, score);
    char *text = write_sample(x, m, 3 * x->s->sample_length, (uint64_t)x->s->seed);
    if (text)
        printf("\n%s\n", text);
    free(text);
    return DONE;
}

int session_conclude(session *x)
{
    model best;
    rg_lm_score score;
    rg_lm_score_opts opts = { .stop = stop_asked, .plan = session_plan(x) };
    int code = model_open(&best, x->f.path);
    if (code)
        return code;
    note("test   the best checkpoint (step %llu) on the whole test part",
         (unsigned long long)best.step);
    rg_status st = rg_lm_evaluate(&score, best.params, &best.lm, x->test, &opts);
    if (st == RG_EUSER) {
        code = 128 + signals_stop();
        note("stopped; the run is complete, its figure: retrograd eval %s", x->f.path);
    } else if (st)
        code = fail(exit_code(st), "%s", score.message);
    if (code == DONE)
        code = record(x, "test", best.step, score.nats / (double)score.count);
    if (code == DONE)
        code = draw(x);
    if (code == DONE)
        code = print_result(x, &best, &score);
    model_close(&best);
    return code;
}
