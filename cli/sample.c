/* cli/sample.c -- `retrograd sample`: text that a model makes up. */
#define _POSIX_C_SOURCE 200809L
#include "cli/model.h"
#include "cli/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The prime as ids. Characters that the model has never seen are named, all of them. */
static int read_characters(rg_corpus *prime, const model *m, const char *text)
{
    const bool bytes = m->unit == RG_UNIT_BYTE;
    char unseen[256] = "", piece[5];
    rg_corpus_opts opts = { .bytes = bytes };
    rg_status st = rg_corpus_decode(prime, "--prime", text, strlen(text), &opts);
    if (st)
        return fail(USAGE, "%s", prime->message);
    for (size_t v = 0, w = 0, n = 0; v < prime->V && !bytes; v++) {
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
    opts = (rg_corpus_opts){ .bytes = bytes, .symbol = m->symbol, .V = (size_t)m->lm.V };
    st = rg_corpus_decode(prime, "--prime", text, strlen(text), &opts);
    return st ? fail(USAGE, "%s", prime->message) : DONE;
}

/* Words that the model does not know are read as RG_UNKNOWN, and counted. */
static int read_words(rg_words *prime, const model *m, const char *text)
{
    const rg_words_opts opts = { .vocab = &m->words };
    rg_status st = rg_words_decode(prime, "--prime", text, strlen(text), &opts);
    if (st)
        return fail(USAGE, "%s", prime->message);
    if (prime->unknown)
        warn("--prime: %zu of %zu words are unknown, and read as " RG_UNKNOWN, prime->unknown,
             prime->n);
    return DONE;
}

static int read_prime(lm_text *prime, const model *m, const char *what)
{
    prime->unit = m->unit;
    return m->unit == RG_UNIT_WORD ? read_words(&prime->words, m, what)
                                   : read_characters(&prime->corpus, m, what);
}

/* The prime, then symbols to a stream as they come. */
static int write_text(FILE *out, rg_sampler *sampler, const model *m, const settings *s)
{
    const char *prime = s->prime ? s->prime : "";
    const bool apart = !*prime || isspace((unsigned char)prime[strlen(prime) - 1]);
    int32_t id;
    (void)fputs(prime, out);
    for (int64_t i = 0; i < s->length && !ferror(out); i++) { /* finish_output() says why */
        rg_status st = rg_sampler_next(&id, sampler);
        if (st)
            return fail(exit_code(st), "%s", rg_sampler_message(sampler));
        model_put(out, m, id, i == 0 && apart);
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
    int code = write_text(memory, sampler, m, s);
    if (fclose(memory) && code == DONE)
        code = fail(RUN_TIME, "no memory");
    const bool bytes = m->unit == RG_UNIT_BYTE;
    json_t *value = bytes ? json_array() : json_stringn(text, n);
    for (size_t i = 0; bytes && i < n; i++)
        json_array_append_new(value, json_integer((unsigned char)text[i]));
    json_t *o = json_pack("{s:i, s:o, s:I}", "v", 1, bytes ? "bytes" : "text", value, "seed",
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
    int code = write_text(stdout, sampler, m, s);
    if (code == DONE)
        putchar('\n');
    return code;
}

static int sample(const model *m, const settings *s, rg_span prime)
{
    rg_sampler *sampler;
    int32_t unknown;
    rg_sampler_opts opts = {
        .temperature = s->temperature, .top_k = s->top_k, .prime = prime,
        .never = model_never(m, &unknown),
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
    lm_text prime = { .unit = RG_UNIT_CHAR };
    int32_t start;
    int code = model_open(&m, s->operand[0]);
    if (code)
        return code;
    if (m.net)
        code = fail(USAGE, "%s writes no text: retrograd predict asks it", m.path);
    if (code == DONE && m.unit == RG_UNIT_WORD && option_origin(s, "length") == FROM_DEFAULT)
        s->length = 100;
    if (code == DONE && s->prime && *s->prime)
        code = read_prime(&prime, &m, s->prime);
    const rg_span read = text_part(&prime, RG_PART_ALL);
    if (code == DONE)
        code = sample(&m, s, read.n ? read : model_start(&m, &start));
    text_close(&prime);
    model_close(&m);
    return code;
}
