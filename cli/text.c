/* cli/text.c -- texts of characters, bytes, and words with their vocabulary. */
#include "cli/text.h"
#include "cli/model.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/progress.h"

#include <string.h>

/* Choices of --units, in their order. */
enum { CHARS, WORDS, BYTES, NUMBERS };

int text_units(settings *s)
{
    if (s->task != LM)
        return DONE;
    if (s->units == NUMBERS)
        return fail(USAGE, "--units number: a text has characters, words or bytes");
    const bool asked = s->units == WORDS || option_origin(s, "units") == FROM_LINE;
    if (s->bytes && s->units != BYTES && asked)
        return fail(USAGE, "--bytes is --units byte, which does not go with --units %s",
                    s->units == WORDS ? "word" : "char");
    if (s->bytes)
        s->units = BYTES;
    s->bytes = s->units == BYTES;
    return DONE;
}

int text_vocabulary_ok(const settings *s)
{
    const char *given = s->vocab ? "vocab" : s->vocab_size ? "vocab-size"
                      : s->min_count ? "min-count" : NULL;
    if (given && s->units != WORDS)
        return fail(USAGE, "--%s goes with --units word", given);
    if (s->vocab && (s->vocab_size || s->min_count))
        return fail(USAGE, "--vocab names the words; --%s is for a vocabulary that the training "
                    "part makes", s->vocab_size ? "vocab-size" : "min-count");
    return DONE;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static int read_characters(lm_text *t, const char *path, const rg_corpus_opts *opts)
{
    rg_status st = rg_corpus_load(&t->corpus, path, opts);
    if (st)
        return fail(exit_code(st), "%s%s", t->corpus.message,
                    st == RG_EFORMAT && !opts->symbol ? " (try --bytes)" : "");
    return DONE;
}

/* With a remedy where a word is unknown and the vocabulary has no RG_UNKNOWN. */
static int read_words(lm_text *t, const char *path, const rg_words_opts *asked, const char *remedy)
{
    double told = seconds();
    rg_words_opts opts = *asked;
    opts.progress = (rg_progress){ .tell = progress_reading, .user = &told };
    rg_status st = rg_words_load(&t->words, path, &opts);
    return st ? fail(exit_code(st), "%s%s", t->words.message, st == RG_EMISMATCH ? remedy : "")
              : DONE;
}

/* A text of which a model would learn nothing is refused. */
static int known_words(const lm_text *t, const settings *s)
{
    const rg_words *w = &t->words;
    if (w->n == 0 || w->unknown < w->n)
        return DONE;
    if (s->vocab)
        return fail(BAD_DATA, "%s: none of the %zu words is in %s", s->data, w->n, s->vocab);
    return fail(BAD_DATA, "%s: no word is in the vocabulary, which has %zu (larger --vocab-size, "
                "smaller --min-count)", s->data, w->vocab.n);
}

static int load_words(lm_text *t, const settings *s)
{
    rg_vocab given = { .n = 0 };
    rg_words_opts opts = { .most = (size_t)s->vocab_size, .least = (size_t)s->min_count };
    rg_status st = s->vocab ? rg_vocab_load(&given, s->vocab) : RG_OK;
    if (st)
        return fail(exit_code(st), "%s", given.message);
    opts.vocab = s->vocab ? &given : NULL;
    int code = read_words(t, s->data, &opts,
                          " (a line " RG_UNKNOWN " in it would take such words)");
    rg_vocab_destroy(&given);
    return code ? code : known_words(t, s);
}

int text_load(lm_text *t, const settings *s)
{
    *t = (lm_text){ .unit = net_unit(s) };
    int code = t->unit == RG_UNIT_WORD ? load_words(t, s)
             : read_characters(t, s->data, &(rg_corpus_opts){ .bytes = t->unit == RG_UNIT_BYTE });
    if (code == DONE && text_part(t, RG_PART_ALL).n == 0)
        code = fail(BAD_DATA, "%s: the text is empty (--data takes another)", s->data);
    return code;
}

/* A model's symbols, to read texts with. */
static rg_corpus_opts symbols_of(const model *m)
{
    return (rg_corpus_opts){ .bytes = m->unit == RG_UNIT_BYTE, .symbol = m->symbol,
                             .V = (size_t)m->lm.V };
}

int text_read(lm_text *t, const model *m, const char *path)
{
    const rg_corpus_opts symbols = symbols_of(m);
    *t = (lm_text){ .unit = m->unit };
    int code = t->unit == RG_UNIT_WORD
             ? read_words(t, path, &(rg_words_opts){ .vocab = &m->words }, "")
             : read_characters(t, path, &symbols);
    const size_t n = text_part(t, RG_PART_ALL).n;
    if (code == DONE && n < 2)
        code = fail(BAD_DATA, "%s: a text of %zu %s has nothing to predict", path, n,
                    text_things(t->unit));
    return code;
}

rg_status text_decode(lm_text *t, const model *m, const char *name, const char *bytes, size_t n)
{
    const rg_corpus_opts symbols = symbols_of(m);
    const rg_words_opts words = { .vocab = &m->words };
    *t = (lm_text){ .unit = m->unit };
    return t->unit == RG_UNIT_WORD ? rg_words_decode(&t->words, name, bytes, n, &words)
                                   : rg_corpus_decode(&t->corpus, name, bytes, n, &symbols);
}

const char *text_message(const lm_text *t)
{
    return t->unit == RG_UNIT_WORD ? t->words.message : t->corpus.message;
}

void text_close(lm_text *t)
{
    rg_corpus_destroy(&t->corpus);
    rg_words_destroy(&t->words);
}

/* ---- What it is ----------------------------------------------------------------------------- */

rg_span text_part(const lm_text *t, rg_part part)
{
    return t->unit == RG_UNIT_WORD ? rg_words_part(&t->words, part)
                                   : rg_corpus_part(&t->corpus, part);
}

size_t text_symbols(const lm_text *t)
{
    return t->unit == RG_UNIT_WORD ? t->words.vocab.n : t->corpus.V;
}

const char *text_sha256(const lm_text *t)
{
    return t->unit == RG_UNIT_WORD ? t->words.sha256 : t->corpus.sha256;
}

double text_spread(const lm_text *t, rg_part part)
{
    const size_t n = text_part(t, part).n;
    return t->unit == RG_UNIT_WORD && n ? (double)t->words.characters[part] / (double)n : 1;
}

double text_unknown(const lm_text *t, rg_part part)
{
    const rg_span words = text_part(t, part);
    const int32_t none = rg_vocab_find(&t->words.vocab, RG_UNKNOWN, sizeof RG_UNKNOWN - 1);
    size_t unknown = 0;
    for (size_t i = 0; i < words.n; i++)
        unknown += words.id[i] == none;
    return words.n ? (double)unknown / (double)words.n : 0;
}

const char *text_things(rg_unit unit)
{
    return unit == RG_UNIT_WORD ? "words" : "characters";
}
