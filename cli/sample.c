/* cli/sample.c -- `retrograd sample`: text that a model makes up. */
#define _POSIX_C_SOURCE 200809L
#include "cli/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The prime as ids. Characters that the model has never seen are named, all of them. */
static int read_prime(rg_corpus *prime, const model *m, const char *text)
{
    char unseen[256] = "", piece[5];
    rg_corpus_opts opts = { .bytes = m->bytes };
    rg_status st = rg_corpus_decode(prime, "--prime", text, strlen(text), &opts);
    if (st)
        return fail(USAGE, "%s", prime->message);
    for (size_t v = 0, w = 0, n = 0; v < prime->V && !m->bytes; v++) {
        while (w < (size_t)m->lm.V && m->symbol[w] < prime->symbol[v])
            w++;
        if (w < (size_t)m->lm.V && m->symbol[w] == prime->symbol[v])
            continue;
        rg_symbol_text(piece, prime->symbol[v], false);
        if (n + 24 < sizeof unseen)
            n += (size_t)snprintf(unseen + n, sizeof unseen - n, "%s'%s' (U+%04X)", n ? ", " : "",
                                  piece, (unsigned)prime->symbol[v]);
    }
    rg_corpus_destroy(prime);
    if (*unseen)
        return fail(USAGE, "--prime: the model has never seen %s", unseen);
    opts = (rg_corpus_opts){ .bytes = m->bytes, .symbol = m->symbol, .V = (size_t)m->lm.V };
    st = rg_corpus_decode(prime, "--prime", text, strlen(text), &opts);
    return st ? fail(USAGE, "%s", prime->message) : DONE;
}

/* Where --prime is not given: a line end if the model knows it, else its first symbol. */
static rg_span start_of(const model *m, int32_t *id)
{
    *id = 0;
    for (int32_t v = 0; v < m->lm.V; v++)
        if (m->symbol[v] == '\n')
            *id = v;
    return (rg_span){ id, 1 };
}

/* Characters to a stream as they come. */
static int write_text(FILE *out, rg_sampler *sampler, const model *m, int64_t length)
{
    char piece[5];
    int32_t id;
    for (int64_t i = 0; i < length; i++) {
        rg_status st = rg_sampler_next(&id, sampler);
        if (st)
            return fail(exit_code(st), "%s", rg_sampler_message(sampler));
        size_t n = rg_symbol_text(piece, m->symbol[id], m->bytes);
        if (fwrite(piece, 1, n, out) != n)
            return DONE; /* finish_output() says why */
    }
    return DONE;
}

/* One object: the text, or its bytes where they are no characters. */
static int write_json(rg_sampler *sampler, const model *m, const settings *s)
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    if (!memory)
        return fail(RUN_TIME, "no memory");
    if (s->prime)
        (void)fputs(s->prime, memory);
    int code = write_text(memory, sampler, m, s->length);
    if (fclose(memory) && code == DONE)
        code = fail(RUN_TIME, "no memory");
    json_t *value = m->bytes ? json_array() : json_stringn(text, n);
    for (size_t i = 0; m->bytes && i < n; i++)
        json_array_append_new(value, json_integer((unsigned char)text[i]));
    json_t *o = json_pack("{s:i, s:o, s:I}", "v", 1, m->bytes ? "bytes" : "text", value, "seed",
                          (json_int_t)s->seed);
    if (code == DONE && o) {
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(o);
    free(text);
    return code;
}

static int write_all(rg_sampler *sampler, const model *m, const settings *s)
{
    if (s->json)
        return write_json(sampler, m, s);
    if (s->prime)
        fputs(s->prime, stdout);
    int code = write_text(stdout, sampler, m, s->length);
    if (code == DONE)
        putchar('\n');
    return code;
}

static int sample(const model *m, const settings *s, rg_span prime)
{
    rg_sampler *sampler;
    rg_sampler_opts opts = {
        .temperature = s->temperature, .top_k = s->top_k, .prime = prime,
        .seed = (uint64_t)s->seed, .plan = { .real = m->real, .threads = (int)s->threads },
    };
    rg_status st = rg_sampler_create(&sampler, m->params, &m->lm, &opts);
    if (st)
        return fail(exit_code(st), "%s", rg_params_message(m->params));
    int code = write_all(sampler, m, s);
    rg_sampler_destroy(&sampler);
    return code;
}

int sample_main(settings *s)
{
    model m;
    rg_corpus prime = { .n = 0 };
    int32_t start;
    int code = model_open(&m, s->operand[0]);
    if (code)
        return code;
    if (m.net)
        code = fail(USAGE, "%s writes no text: retrograd predict asks it", m.path);
    if (code == DONE && s->prime && *s->prime)
        code = read_prime(&prime, &m, s->prime);
    if (code == DONE)
        code = sample(&m, s, prime.n ? rg_corpus_part(&prime, RG_PART_ALL) : start_of(&m, &start));
    rg_corpus_destroy(&prime);
    model_close(&m);
    return code;
}
