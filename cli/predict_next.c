/* cli/predict_next.c -- `retrograd predict` of a model of a text: what comes next after a line. */
#define _POSIX_C_SOURCE 200809L
#include "cli/predict.h"

#include <stdio.h>
#include <stdlib.h>

int next_open(rg_sampler **out, const model *m, const settings *s)
{
    int32_t unknown;
    const rg_sampler_opts opts = { .temperature = 1, .never = model_never(m, &unknown),
                                   .plan = { .real = m->real, .threads = (int)s->threads } };
    rg_status st = rg_sampler_create(out, m->params, &m->lm, &opts);
    return st ? fail(exit_code(st), "%s", rg_params_message(m->params)) : DONE;
}

/* Probabilities of what comes after the line, [V]. */
static int look(double *p, rg_sampler *sampler, const model *m, const asked_line *line)
{
    char where[48];
    int32_t start;
    lm_text t;
    (void)snprintf(where, sizeof where, "line %llu", line->number);
    rg_status st = text_decode(&t, m, where, line->text, line->bytes);
    if (st)
        return fail(BAD_DATA, "%s", text_message(&t));
    const rg_span read = text_part(&t, RG_PART_ALL);
    st = rg_sampler_begin(sampler, read.n ? read : model_start(m, &start));
    if (st == RG_OK)
        st = rg_sampler_chances(p, sampler);
    text_close(&t);
    return st ? fail(exit_code(st), "%s: %s", where, rg_sampler_message(sampler)) : DONE;
}

/* The symbol as text, or as a byte's number. */
static json_t *symbol_of(const model *m, int32_t id)
{
    char *text = NULL;
    size_t n = 0;
    if (m->unit == RG_UNIT_BYTE)
        return json_integer(m->symbol[id]);
    FILE *f = open_memstream(&text, &n);
    if (f)
        model_put(f, m, id, true);
    json_t *symbol = f && fclose(f) == 0 ? json_stringn(text, n) : NULL;
    free(text);
    return symbol;
}

/* [{"symbol", "p"}], the likeliest first, of equals the first of the vocabulary; p is used up. */
static json_t *likeliest(const model *m, double *p, int64_t most)
{
    json_t *list = json_array();
    for (int64_t k = 0; k < most; k++) {
        int32_t best = 0;
        for (int32_t v = 1; v < m->lm.V; v++)
            best = p[v] > p[best] ? v : best;
        if (!(p[best] > 0))
            break;
        json_array_append_new(list, json_pack("{s:o, s:f}", "symbol", symbol_of(m, best), "p",
                                              p[best]));
        p[best] = 0;
    }
    return list;
}

/* Symbols with tabs between, and with --top-k their probabilities. */
static void put_text(const json_t *list, const settings *s)
{
    char shown[256];
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *symbol = json_object_get(one, "symbol");
        if (i)
            putchar('\t');
        if (json_is_integer(symbol))
            printf("%lld", (long long)json_integer_value(symbol));
        else
            fputs(printable(shown, sizeof shown, json_string_value(symbol)), stdout);
        if (s->top_k > 1)
            printf("\t%.4f", json_number_value(json_object_get(one, "p")));
    }
    putchar('\n');
}

int next_answer(rg_sampler *sampler, const model *m, const settings *s, const asked_line *line)
{
    double *p = malloc((size_t)m->lm.V * sizeof *p);
    int code = p ? look(p, sampler, m, line) : fail(RUN_TIME, "no memory");
    json_t *list = code ? NULL : likeliest(m, p, s->top_k);
    free(p);
    if (code)
        return code;
    if (s->json)
        return put_json(json_pack("{s:i, s:I, s:s, s:o}", "v", 1, "line",
                                  (json_int_t)line->number, "input", line->text, "next", list), 9);
    put_text(list, s);
    json_decref(list);
    return DONE;
}
