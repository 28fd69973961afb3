/* train/words.c -- a text as ids of its words. */
#include <retrograd/data.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "io/vocab.h"
#include "io/whole.h"

#include <errno.h>
#include <string.h>

static const char *const unknown[] = { RG_UNKNOWN };

typedef struct reader {
    const char *name, *text, *end;
    rg_alloc    alloc;
    rg_teller   teller;
    rg_err     *err;
} reader;

static rg_status refuse(const reader *r, const char *at, rg_status status, const char *what)
{
    char quoted[RG_QUOTED];
    size_t line = 1;
    for (const char *c = r->text; c < at; c++)
        line += *c == '\n';
    return rg_fail(r->err, status, "%s:%zu: %s", rg_quoted(quoted, r->name, strlen(r->name)), line,
                   what);
}

static rg_status no_memory(const reader *r)
{
    return rg_fail(r->err, RG_ENOMEM, "no memory for a text of %zu bytes",
                   (size_t)(r->end - r->text));
}

/* What comes next: a word, or none and *st. */
static bool next_word(reader *r, const char **at, const char **word, size_t *n, rg_status *st)
{
    bool bad, there = rg_unit_next(RG_UNIT_WORD, at, r->end, word, n, &bad);
    *st = bad || (there && memchr(*word, '\0', *n))
        ? refuse(r, *word, RG_EFORMAT, "a word that is not UTF-8 text")
        : there && !rg_tell(&r->teller, (size_t)(*at - r->text), (size_t)(r->end - r->text))
        ? rg_told_to_stop(r->err) : RG_OK;
    return there && !*st;
}

static rg_status count_words(reader *r, size_t *count)
{
    const char *at = r->text, *word;
    size_t n;
    rg_status st;
    while (next_word(r, &at, &word, &n, &st))
        ++*count;
    return st;
}

/* The vocabulary of the first `count` words. */
static rg_status choose(rg_words *w, reader *r, size_t count, const rg_words_opts *opts)
{
    enum { MOST = 10000 };
    const char *at = r->text, *word;
    size_t n;
    rg_lexicon lex;
    rg_vocab_rule rule = { unknown, 1, opts->most ? opts->most : MOST, opts->least, true };
    rg_status st = RG_OK;
    rg_lexicon_init(&lex, &r->alloc);
    for (; count > 0 && next_word(r, &at, &word, &n, &st); count--)
        if (rg_lexicon_add(&lex, word, n) < 0) {
            st = no_memory(r);
            break;
        }
    if (!st)
        st = rg_vocab_from(&w->vocab, &lex, &rule, &r->alloc, r->err);
    rg_lexicon_free(&lex);
    return st;
}

/* Characters from the beginning of word i to that of the next, or to the end of the text. */
static void measure(rg_words *w, size_t i, const char *from, const char *to)
{
    const size_t train = rg_words_part(w, RG_PART_TRAIN).n;
    const size_t valid = rg_words_part(w, RG_PART_VALID).n;
    size_t n = 0;
    for (; from < to; from++)
        n += ((unsigned char)*from & 0xc0) != 0x80;
    w->characters[i < train ? RG_PART_TRAIN : i < train + valid ? RG_PART_VALID
                                                                : RG_PART_TEST] += n;
    w->characters[RG_PART_ALL] += n;
}

static rg_status fill(rg_words *w, reader *r)
{
    char quoted[RG_QUOTED];
    const char *at = r->text, *word, *before = NULL;
    size_t n;
    rg_err what;
    rg_status st;
    int32_t none = rg_vocab_find(&w->vocab, RG_UNKNOWN, sizeof RG_UNKNOWN - 1);
    for (int32_t *id = w->id; next_word(r, &at, &word, &n, &st); id++) {
        *id = rg_vocab_find(&w->vocab, word, n);
        if (*id < 0)
            *id = none;
        if (*id < 0) {
            rg_fail(&what, RG_EMISMATCH, "'%s' is not in the vocabulary, which has no " RG_UNKNOWN,
                    rg_quoted(quoted, word, n));
            return refuse(r, word, RG_EMISMATCH, what.text);
        }
        w->unknown += *id == none;
        if (before)
            measure(w, (size_t)(id - w->id) - 1, before, word);
        before = word;
    }
    if (!st && before)
        measure(w, w->n - 1, before, r->end);
    return st;
}

static rg_status decode(rg_words *w, reader *r, const rg_words_opts *opts)
{
    size_t count = 0;
    r->text += rg_bom_bytes(r->text, (size_t)(r->end - r->text));
    rg_status st = count_words(r, &count);
    if (st)
        return st;
    w->n = count;
    if (!(w->id = rg_get_raw(&r->alloc, count * sizeof *w->id)))
        return no_memory(r);
    st = opts->vocab ? rg_vocab_copy(&w->vocab, opts->vocab, &r->alloc, r->err)
                     : choose(w, r, rg_words_part(w, RG_PART_TRAIN).n, opts);
    return st ? st : fill(w, r);
}

/* On failure only the message stays. */
static rg_status finish(rg_words *w, rg_status st, const rg_err *err)
{
    if (st) {
        rg_words_destroy(w);
        memcpy(w->message, err->text, sizeof err->text);
    }
    return st;
}

rg_status rg_words_decode(rg_words *words, const char *name, const void *text, size_t bytes,
                          const rg_words_opts *opts)
{
    static const rg_words_opts none;
    rg_err err = { .status = RG_OK };
    reader r = { .name = name, .text = text ? text : "", .err = &err };
    if (!words)
        return RG_EARG;
    memset(words, 0, sizeof *words);
    opts = opts ? opts : &none;
    if (!name || (!text && bytes > 0))
        return finish(words, rg_fail(&err, RG_EARG, "words: no name or no text"), &err);
    if (bytes > RG_MAX_TEXT)
        return finish(words, rg_fail(&err, RG_ELIMIT, "%.200s: 2^31 bytes or more", name), &err);
    (void)rg_alloc_resolve(&r.alloc, NULL);
    r.end = r.text + bytes;
    r.teller.progress = opts->progress;
    rg_sha256(words->sha256, text, bytes);
    return finish(words, decode(words, &r, opts), &err);
}

rg_status rg_words_load(rg_words *words, const char *path, const rg_words_opts *opts)
{
    char quoted[RG_QUOTED];
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    int before = errno;
    char *text;
    size_t n;
    if (!words || !path)
        return RG_EARG;
    memset(words, 0, sizeof *words);
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = rg_whole_load(&text, &n, &alloc, path, &err);
    if (st) {
        rg_err_prefix(&err, rg_quoted(quoted, path, strlen(path)));
        return finish(words, st, &err);
    }
    st = rg_words_decode(words, path, text, n, opts);
    rg_release(&alloc, text, n + 1);
    if (!st)
        errno = before;
    return st;
}

void rg_words_destroy(rg_words *words)
{
    rg_alloc alloc;
    if (!words)
        return;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_release(&alloc, words->id, words->n * sizeof *words->id);
    rg_vocab_destroy(&words->vocab);
    memset(words, 0, sizeof *words);
}

rg_span rg_words_part(const rg_words *words, rg_part part)
{
    const rg_corpus view = { .id = words ? words->id : NULL, .n = words ? words->n : 0 };
    return rg_corpus_part(&view, part);
}
