/* cli/predict.c -- `retrograd predict`: a line in, a line out, as they come. */
#define _POSIX_C_SOURCE 200809L
#include "cli/course.h"
#include "cli/predict.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line on its way through the model. */
typedef struct asked {
    const settings *s;
    const model    *m;
    rg_predictor   *p;       /* of a task; of a text: */
    rg_sampler     *next;
    unsigned long long line;
    const char     *text;
    int32_t        *id;      /* what the line means: ids, or numbers */
    float          *number;
    size_t          room;    /* steps, or numbers */
    int32_t         length;
} asked;

/* ---- Reading -------------------------------------------------------------------------------- */

static int make_room(asked *a, size_t n)
{
    if (n <= a->room)
        return DONE;
    int32_t *id = realloc(a->id, n * sizeof *id);
    a->id = id ? id : a->id;
    float *number = id ? realloc(a->number, n * sizeof *number) : NULL;
    a->number = number ? number : a->number;
    if (!number)
        return fail(RUN_TIME, "no memory");
    a->room = n;
    return DONE;
}

static int read_symbols(asked *a, size_t bytes)
{
    const net *n = a->m->net;
    int code = make_room(a, bytes + 1);
    if (code)
        return code;
    int64_t steps = rg_vocab_encode(a->id, a->room, &n->in, n->unit, a->text, bytes);
    if (steps < 0)
        return fail(BAD_DATA, "line %llu: not UTF-8, or a symbol that the model does not know",
                    a->line);
    a->length = (int32_t)steps;
    return DONE;
}

/* A number, or a word for a missing one, up to the next separator: a comma, a semicolon or a tab,
 * perhaps among blanks; or blanks alone. @p more: a separator came, so a number follows. */
static bool read_number(double *x, const char **at, bool *more)
{
    static const char *const missing[] = { "NA", "NaN", "nan", "null", "?", "" };
    char word[64], *end;
    *at += strspn(*at, " ");
    const size_t n = strcspn(*at, ",;\t ");
    (void)snprintf(word, sizeof word, "%.*s", n < 63 ? (int)n : 63, *at);
    *at += n;
    *at += strspn(*at, " ");
    *more = **at != '\0';
    *at += *more && strchr(",;\t", **at);
    *x = NAN;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (strcmp(word, missing[i]) == 0)
            return true;
    errno = 0;
    *x = strtod(word, &end);
    return n < sizeof word && !*end && isfinite(*x) && errno == 0;
}

static int read_numbers(asked *a)
{
    const net *n = a->m->net;
    const size_t I = n->columns[0];
    const char *at = a->text;
    size_t count = 0;
    for (bool more = at[strspn(at, " ")] != '\0'; more; count++) {
        double x;
        int code = make_room(a, 2 * (count + 1) + 64);
        if (code)
            return code;
        if (!read_number(&x, &at, &more))
            return fail(BAD_DATA, "line %llu: number %zu is none", a->line, count + 1);
        a->number[count] = (float)((x - n->shift[0][count % I]) * n->scale[0][count % I]);
        if (isinf(a->number[count]))
            return fail(BAD_DATA, "line %llu: number %zu, %g, is too large beside those of the "
                        "training part", a->line, count + 1, x);
    }
    if (count == 0 || count % I)
        return fail(BAD_DATA, "line %llu: %zu number%s, but a step has %zu", a->line, count,
                    count == 1 ? "" : "s", I);
    a->length = (int32_t)(count / I);
    return DONE;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static char *text_of(const rg_vocab *v, rg_unit unit, const int32_t *id, size_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f)
        net_put_ids(f, v, unit, id, n);
    return f && fclose(f) == 0 ? text : NULL;
}

/* p_k = e^{z_k} / Σ e^z, in place of z; the k-th likeliest in order, of equals the lower. */
static void rank(size_t *order, double *p, const double *z, size_t K)
{
    double most = z[0], sum = 0;
    for (size_t k = 0; k < K; k++)
        most = z[k] > most ? z[k] : most;
    for (size_t k = 0; k < K; k++)
        sum += p[k] = exp(z[k] - most);
    for (size_t k = 0; k < K; k++) {
        size_t at = k;
        p[k] /= sum;
        for (; at > 0 && z[order[at - 1]] < z[k]; at--)
            order[at] = order[at - 1];
        order[at] = k;
    }
}

static json_t *class_object(const asked *a, const double *z, size_t K, size_t most)
{
    json_t *list = json_array();
    double *p = malloc(K * sizeof *p);
    size_t *order = malloc(K * sizeof *order);
    if (p && order)
        rank(order, p, z, K);
    for (size_t i = 0; p && order && i < most && i < K; i++) {
        const int32_t id = (int32_t)order[i];
        char *word = text_of(&a->m->net->out, RG_UNIT_WHOLE, &id, 1);
        json_array_append_new(list, json_pack("{s:s, s:f}", "class", word ? word : "", "p",
                                              p[order[i]]));
        free(word);
    }
    free(p);
    free(order);
    return list;
}

/* The answers of one row, the likeliest first: [{"class", "p"}], [{"tag", "p"}] for every step,
 * [{"answer", "log_p"}], or values. */
static json_t *answers(const asked *a, const rg_prediction *said)
{
    const net *n = a->m->net;
    const size_t K = (size_t)said->outputs, most = (size_t)a->s->top_k;
    json_t *list = n->task == CLASSIFY ? class_object(a, said->z, K, most) : json_array();
    for (int64_t t = 0; n->task == TAG && t < said->steps; t++) {
        double p;
        const int32_t id = net_best(&p, said->z + (size_t)t * K, K);
        char *word = text_of(&n->out, RG_UNIT_WHOLE, &id, 1);
        json_array_append_new(list, json_pack("{s:s, s:f}", "tag", word ? word : "", "p", p));
        free(word);
    }
    for (size_t i = 0; n->task == SEQ2SEQ && i < most && i < (size_t)said->width; i++) {
        const rg_hypothesis *h = &said->best[i];
        char *text = isfinite(h->log_p) ? text_of(&n->out, n->label_unit, h->id, h->n) : NULL;
        if (text)
            json_array_append_new(list, json_pack("{s:s, s:f}", "answer", text, "log_p", h->log_p));
        free(text);
    }
    for (size_t k = 0; n->task == FORECAST && k < K; k++)
        json_array_append_new(list, json_real(net_value(n, said->z, k)));
    return list;
}

/* As text: the classes with --top-k and their probabilities, tags or symbols as the data has them,
 * the beam's answers between tabs, numbers between commas. */
static void put_text(const asked *a, const json_t *list)
{
    const net *n = a->m->net;
    const bool joined = n->task == TAG && n->label_unit == RG_UNIT_CHAR;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (i && !joined)
            putchar(n->task == TAG ? ' ' : n->task == FORECAST ? ',' : '\t');
        if (n->task == FORECAST)
            printf("%.7g", json_number_value(one));
        else
            fputs(json_string_value(json_object_get(one, n->task == CLASSIFY ? "class"
                                                    : n->task == TAG ? "tag" : "answer")), stdout);
        if (n->task == CLASSIFY && a->s->top_k > 1)
            printf("\t%.4f", json_number_value(json_object_get(one, "p")));
    }
    putchar('\n');
}

static bool take(void *user, const rg_prediction *said)
{
    asked *a = user;
    static const char *const key[] = { "", "classes", "tags", "answers", "values" };
    json_t *list = answers(a, said);
    if (a->s->json) {
        (void)put_json(json_pack("{s:i, s:I, s:s, s:o}", "v", 1, "line", (json_int_t)a->line,
                                 "input", a->text, key[a->m->net->task], list), 9);
    } else {
        put_text(a, list);
        json_decref(list);
    }
    return fflush(stdout) == 0;
}

static int answer_row(asked *a, size_t bytes)
{
    const bool symbols = a->m->net->opts.symbols > 0;
    int code = symbols ? read_symbols(a, bytes) : read_numbers(a);
    if (code)
        return code;
    const void *x = symbols ? (const void *)a->id : a->number;
    const rg_rows row = { .n = 1, .length = &a->length, .x = &x };
    rg_status st = rg_predictor_run(a->p, &row, take, a);
    return st && st != RG_EUSER ? fail(exit_code(st), "line %llu: %s", a->line,
                                       rg_predictor_message(a->p)) : DONE;
}

static int answer(asked *a, size_t bytes)
{
    if (a->m->net)
        return answer_row(a, bytes);
    int code = next_answer(a->next, a->m, a->s, &(asked_line){ a->line, a->text, bytes });
    (void)fflush(stdout);
    return code;
}

/* ---- Line by line ---------------------------------------------------------------------------- */

static int answer_all(asked *a, FILE *in)
{
    char *line = NULL;
    size_t cap = 0;
    int code = DONE;
    for (ssize_t n; code == DONE && !ferror(stdout) && (n = getline(&line, &cap, in)) >= 0;) {
        a->line++;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = '\0';
        if (strlen(line) != (size_t)n)
            code = fail(BAD_DATA, "line %llu: NUL, so this is no text", a->line);
        a->text = line;
        if (code == DONE)
            code = answer(a, (size_t)n);
    }
    if (code == DONE && ferror(in))
        code = fail(RUN_TIME, "cannot read: %s", strerror(errno));
    free(line);
    return code;
}

int predict_main(settings *s)
{
    model m;
    int code = model_open(&m, s->operand[0]);
    if (code)
        return code;
    asked a = { .s = s, .m = &m };
    FILE *in = s->data && strcmp(s->data, "-") != 0 ? fopen(s->data, "r") : stdin;
    if (s->beam > 1 && (!m.net || m.net->task != SEQ2SEQ))
        code = fail(USAGE, "--beam goes with --task seq2seq, and %s is of %s", m.path,
                    net_tasks[m.net ? m.net->task : LM]);
    else if (!in)
        code = fail(RUN_TIME, "%s: %s", s->data, strerror(errno));
    if (code == DONE)
        code = m.net ? course_predictor(&a.p, &m, s, 1) : next_open(&a.next, &m, s);
    if (code == DONE)
        code = answer_all(&a, in);
    if (in && in != stdin)
        (void)fclose(in);
    rg_predictor_destroy(&a.p);
    rg_sampler_destroy(&a.next);
    free(a.id);
    free(a.number);
    model_close(&m);
    return code;
}
