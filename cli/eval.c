/* cli/eval.c -- `retrograd eval`: how well a model predicts a text. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"
#include "cli/course.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AUTO, WHOLE_TEXT, TRAIN_PART, VALID_PART, TEST_PART };

/* The text that a run was trained on: its path, and the fingerprint that it must have. */
static int run_text(char **path, char sha256[65], const settings *s)
{
    char file[PATH_BYTES];
    int code;
    json_t *config = config_of_run(file, s->operand[0], &code);
    if (!config)
        return code ? code : fail(USAGE, "--data is missing: %s is no run folder that knows its "
                                  "text", s->operand[0]);
    const char *data = NULL, *sha = NULL;
    (void)json_unpack(config, "{s:{s:s}, s:{s:s}}", "options", "data", &data, "data", "sha256",
                      &sha);
    *path = data ? strdup(data) : NULL;
    (void)snprintf(sha256, 65, "%s", sha ? sha : "");
    json_decref(config);
    return *path ? DONE : fail(BAD_DATA, "%s: names no text", file);
}

static void print_line(const model *m, const rg_lm_score *score, const lm_text *t, int part)
{
    const double loss = score->nats / (double)score->count;
    const double bits = loss / LN2 / text_spread(t, (rg_part)part);
    if (t->unit == RG_UNIT_WORD)
        printf("perplexity %.3f per word (loss %.5f nats; %.4f bits per character) on %zu words, "
               "%.2f %% unknown", exp(loss), loss, bits, score->count,
               100 * text_unknown(t, (rg_part)part));
    else
        printf("%.4f bits per character (loss %.5f nats, perplexity %.3f) on %zu characters", bits,
               loss, exp(loss), score->count);
    printf(", part %s, step %llu\n", part_names[part], (unsigned long long)m->step);
}

static int print(const settings *s, const model *m, const rg_lm_score *score, const lm_text *t,
                 int part)
{
    const double loss = score->nats / (double)score->count;
    if (!s->json) {
        print_line(m, score, t, part);
        return DONE;
    }
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f}", "v", 1, "checkpoint",
                          m->path, "part", part_names[part], "step", (json_int_t)m->step,
                          text_things(t->unit), (json_int_t)score->count, "rows",
                          (json_int_t)s->batch, "loss", loss, "bpc",
                          loss / LN2 / text_spread(t, (rg_part)part), "ppl", exp(loss));
    if (o && t->unit == RG_UNIT_WORD)
        json_object_set_new(o, "unknown", json_real(text_unknown(t, (rg_part)part)));
    return put_json(o, 17);
}

static int score(const settings *s, const model *m, const lm_text *t, bool own)
{
    const int part = (s->part != AUTO ? s->part : own ? TEST_PART : WHOLE_TEXT) - WHOLE_TEXT;
    rg_span text = text_part(t, (rg_part)part);
    rg_lm_score result;
    rg_lm_score_opts opts = { .rows = (size_t)s->batch,
                              .plan = { .real = m->real, .threads = (int)s->threads } };
    if (text.n < 2)
        return fail(BAD_DATA, "part %s has %zu %s: nothing to predict", part_names[part], text.n,
                    text_things(t->unit));
    rg_status st = rg_lm_evaluate(&result, m->params, &m->lm, text, &opts);
    if (st)
        return fail(exit_code(st), "%s", result.message);
    return print(s, m, &result, t, part);
}

int eval_main(settings *s)
{
    model m;
    lm_text t = { .unit = RG_UNIT_CHAR };
    char *own = NULL, sha256[65] = "";
    int code = model_open(&m, s->operand[0]);
    if (code)
        return code;
    if (m.net) {
        code = eval_course(s, &m);
        model_close(&m);
        return code;
    }
    if (!s->data)
        code = run_text(&own, sha256, s);
    if (code == DONE)
        code = text_read(&t, &m, own ? own : s->data);
    if (code == DONE && own && strcmp(sha256, text_sha256(&t)) != 0)
        code = fail(BAD_DATA, "%s: changed since the run (give --data to score it anyway)", own);
    if (code == DONE)
        code = score(s, &m, &t, own != NULL);
    text_close(&t);
    model_close(&m);
    free(own);
    return code;
}
