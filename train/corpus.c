/* train/corpus.c -- a text as indices into its vocabulary: UTF-8 or bytes, checked, counted. */
#include <retrograd/train.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/whole.h"
#include "base/sha256.h"

#include <string.h>

enum { CODE_POINTS = 0x110000, WORDS = CODE_POINTS / 64 };

/* A set of symbols, and the rank of each in it. */
typedef struct symbols {
    uint64_t bit[WORDS];
    uint32_t below[WORDS]; /* symbols before this word */
} symbols;

/* What decoding reads, where it stands, where it complains. */
typedef struct reader {
    const char    *name;
    const uint8_t *text;
    size_t         n, at;
    bool           bytes;
    rg_err        *err;
} reader;

/* Length of the UTF-8 sequence at s and its code point; 0 where there is none. Overlong forms,
 * surrogates and what lies beyond U+10FFFF are none (Unicode 15, table 3-7). */
static size_t utf8(uint32_t *symbol, const uint8_t *s, size_t n)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
                  : s[0] < 0xf5 ? 4 : 0;
    if (length == 0 || length > n)
        return 0;
    uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[length] || c >= CODE_POINTS || (c >= 0xd800 && c < 0xe000))
        return 0;
    *symbol = c;
    return length;
}

size_t rg_symbol_text(char text[5], uint32_t c, bool bytes)
{
    size_t n = bytes || c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    memset(text, 0, 5);
    if (n == 1) {
        text[0] = (char)(uint8_t)c;
        return 1;
    }
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        text[i] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)(lead[n] | c);
    return n;
}

/* Why the text cannot be read, led by `name:line:byte: `. */
static rg_status refuse(const reader *r, rg_status status, const char *what)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < r->at; i++)
        if (r->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    return rg_fail(r->err, status, "%s:%zu:%zu: %s", r->name, line, r->at - start + 1, what);
}

/* The symbol at r->at, which moves on. */
static rg_status next_symbol(uint32_t *symbol, reader *r)
{
    rg_err what;
    if (r->bytes) {
        *symbol = r->text[r->at++];
        return RG_OK;
    }
    size_t length = utf8(symbol, r->text + r->at, r->n - r->at);
    if (length == 0 || *symbol == 0) {
        rg_fail(&what, RG_EFORMAT, "byte 0x%02x is not UTF-8%s", r->text[r->at],
                length ? " text (NUL)" : "");
        return refuse(r, RG_EFORMAT, what.text);
    }
    r->at += length;
    return RG_OK;
}

static bool member(const symbols *set, uint32_t c)
{
    return set->bit[c / 64] >> (c % 64) & 1;
}

static int32_t rank_of(const symbols *set, uint32_t c)
{
    uint64_t before = set->bit[c / 64] & ((UINT64_C(1) << (c % 64)) - 1);
    return (int32_t)(set->below[c / 64] + (uint32_t)__builtin_popcountll(before));
}

static void add_symbol(symbols *set, uint32_t c)
{
    set->bit[c / 64] |= UINT64_C(1) << (c % 64);
}

static rg_status add_given(symbols *set, const rg_corpus_opts *opts, rg_err *err)
{
    for (size_t v = 0; v < opts->V; v++) {
        uint32_t c = opts->symbol[v];
        if (c >= CODE_POINTS || (v > 0 && c <= opts->symbol[v - 1]))
            return rg_fail(err, RG_EARG, "symbol %zu of the vocabulary is out of order", v);
        add_symbol(set, c);
    }
    return RG_OK;
}

static rg_status unknown_symbol(reader *r, size_t begin, uint32_t c)
{
    char text[5];
    rg_err what;
    bool control = r->bytes || c < 0x20 || c == 0x7f;
    r->at = begin;
    rg_symbol_text(text, c, r->bytes);
    if (control)
        rg_fail(&what, RG_EMISMATCH, "%s%02X is not in the vocabulary",
                r->bytes ? "byte 0x" : "U+00", (unsigned)c);
    else
        rg_fail(&what, RG_EMISMATCH, "'%s' (U+%04X) is not in the vocabulary", text, (unsigned)c);
    return refuse(r, RG_EMISMATCH, what.text);
}

/* First pass: check everything, count characters and line ends, collect the vocabulary. */
static rg_status survey(rg_corpus *corpus, symbols *set, reader *r, bool given)
{
    uint32_t c = 0, before;
    while (r->at < r->n) {
        size_t begin = r->at;
        before = c;
        rg_status st = next_symbol(&c, r);
        if (st)
            return st;
        if (given && !member(set, c))
            return unknown_symbol(r, begin, c);
        add_symbol(set, c);
        corpus->n++;
        corpus->cr += c == '\r';
        if (c == '\n' && before == '\r') {
            corpus->cr--;
            corpus->crlf++;
        }
    }
    return RG_OK;
}

static void number_symbols(symbols *set, size_t *V)
{
    *V = 0;
    for (size_t w = 0; w < WORDS; w++) {
        set->below[w] = (uint32_t)*V;
        *V += (size_t)__builtin_popcountll(set->bit[w]);
    }
}

static rg_alloc heap(void)
{
    rg_alloc a;
    (void)rg_alloc_resolve(&a, NULL);
    return a;
}

/* Second pass: the text is known to be good. */
static rg_status fill(rg_corpus *corpus, symbols *set, reader *r)
{
    rg_alloc a = heap();
    uint32_t c;
    size_t k = 0;
    number_symbols(set, &corpus->V);
    corpus->id = rg_get_raw(&a, corpus->n * sizeof *corpus->id);
    corpus->symbol = rg_get_raw(&a, corpus->V * sizeof *corpus->symbol);
    if (!corpus->id || !corpus->symbol)
        return rg_fail(r->err, RG_ENOMEM, "%s: no memory for %zu characters", r->name, corpus->n);
    for (uint32_t w = 0; w < WORDS; w++)
        for (uint64_t rest = set->bit[w]; rest; rest &= rest - 1)
            corpus->symbol[k++] = w * 64 + (uint32_t)__builtin_ctzll(rest);
    for (size_t i = 0; i < corpus->n; i++) {
        (void)next_symbol(&c, r);
        corpus->id[i] = rank_of(set, c);
    }
    return RG_OK;
}

static rg_status decode(rg_corpus *corpus, symbols *set, reader r, const rg_corpus_opts *opts)
{
    rg_status st = RG_OK;
    if (!r.bytes) {
        r.at = rg_bom_bytes(r.text, r.n);
        corpus->bom = r.at > 0;
    }
    if (opts->symbol)
        st = add_given(set, opts, r.err);
    else if (r.bytes)
        for (uint32_t c = 0; c < 256; c++)
            add_symbol(set, c);
    reader again = r;
    if (st == RG_OK)
        st = survey(corpus, set, &r, opts->symbol != NULL);
    return st ? st : fill(corpus, set, &again);
}

/* On failure only the message stays. */
static rg_status finish(rg_corpus *corpus, rg_status st, const rg_err *err)
{
    if (st) {
        rg_corpus_destroy(corpus);
        memcpy(corpus->message, err->text, sizeof err->text);
    }
    return st;
}

rg_status rg_corpus_decode(rg_corpus *corpus, const char *name, const void *text, size_t bytes,
                           const rg_corpus_opts *opts)
{
    static const rg_corpus_opts none;
    rg_alloc a = heap();
    rg_err err = { .status = RG_OK };
    if (!corpus)
        return RG_EARG;
    memset(corpus, 0, sizeof *corpus);
    opts = opts ? opts : &none;
    if (!name || (!text && bytes > 0))
        return finish(corpus, rg_fail(&err, RG_EARG, "corpus: no name or no text"), &err);
    if (bytes > INT32_MAX)
        return finish(corpus, rg_fail(&err, RG_ELIMIT, "%s: 2^31 bytes or more", name), &err);
    symbols *set = rg_get(&a, sizeof *set);
    if (!set)
        return finish(corpus, rg_fail(&err, RG_ENOMEM, "%s: no memory", name), &err);
    corpus->bytes = opts->bytes;
    rg_sha256(corpus->sha256, text, bytes);
    reader r = { name, text, bytes, 0, opts->bytes, &err };
    rg_status st = decode(corpus, set, r, opts);
    rg_release(&a, set, sizeof *set);
    return finish(corpus, st, &err);
}

rg_status rg_corpus_load(rg_corpus *corpus, const char *path, const rg_corpus_opts *opts)
{
    rg_alloc a = heap();
    rg_err err = { .status = RG_OK };
    char *text = NULL;
    size_t bytes;
    if (!corpus || !path)
        return RG_EARG;
    memset(corpus, 0, sizeof *corpus);
    rg_status st = rg_whole_load(&text, &bytes, &a, path, &err);
    if (st) {
        rg_err_prefix(&err, path);
        return finish(corpus, st, &err);
    }
    st = rg_corpus_decode(corpus, path, text, bytes, opts);
    rg_release(&a, text, bytes + 1);
    return st;
}

void rg_corpus_destroy(rg_corpus *corpus)
{
    rg_alloc a = heap();
    if (!corpus)
        return;
    rg_release(&a, corpus->id, corpus->n * sizeof *corpus->id);
    rg_release(&a, corpus->symbol, corpus->V * sizeof *corpus->symbol);
    memset(corpus, 0, sizeof *corpus);
}

rg_span rg_corpus_part(const rg_corpus *corpus, rg_part part)
{
    if (!corpus || !corpus->id)
        return (rg_span){ NULL, 0 };
    size_t n = corpus->n, valid = n / 100 * 90 + n % 100 * 90 / 100;
    size_t test = n / 100 * 95 + n % 100 * 95 / 100;
    switch (part) {
    case RG_PART_TRAIN: return (rg_span){ corpus->id, valid };
    case RG_PART_VALID: return (rg_span){ corpus->id + valid, test - valid };
    case RG_PART_TEST:  return (rg_span){ corpus->id + test, n - test };
    default:            return (rg_span){ corpus->id, n };
    }
}
