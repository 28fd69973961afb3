/* io/vocab.c -- words and their numbers. */
#include "io/vocab.h"

#include "base/text.h"
#include "io/replace.h"
#include "io/sort.h"
#include "io/whole.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Counting -------------------------------------------------------------------------------- */

void rg_lexicon_init(rg_lexicon *lex, const rg_alloc *alloc)
{
    *lex = (rg_lexicon){ .alloc = *alloc };
    rg_arena_init(&lex->arena, alloc);
}

void rg_lexicon_free(rg_lexicon *lex)
{
    rg_arena_free(&lex->arena);
    rg_index_free(&lex->index, &lex->alloc);
    rg_release(&lex->alloc, lex->word, lex->cap * sizeof *lex->word);
    rg_release(&lex->alloc, lex->bytes, lex->bytes_cap * sizeof *lex->bytes);
    rg_release(&lex->alloc, lex->count, lex->count_cap * sizeof *lex->count);
}

static int32_t find(const rg_lexicon *lex, uint64_t hash, const char *word, size_t bytes)
{
    size_t probe = 0;
    for (uint32_t i; (i = rg_index_next(&lex->index, hash, &probe));)
        if (lex->bytes[i - 1] == bytes && memcmp(lex->word[i - 1], word, bytes) == 0)
            return (int32_t)i - 1;
    return -1;
}

static int32_t find_word(const rg_lexicon *lex, const char *word, size_t bytes)
{
    return find(lex, rg_hash_bytes(0, word, bytes), word, bytes);
}

int32_t rg_lexicon_add(rg_lexicon *lex, const char *word, size_t bytes)
{
    uint64_t hash = rg_hash_bytes(0, word, bytes);
    int32_t at = find(lex, hash, word, bytes);
    if (at >= 0) {
        lex->count[at]++;
        return at;
    }
    char *copy = rg_arena_get(&lex->arena, bytes + 1);
    if (!copy || lex->n >= INT32_MAX || bytes > UINT32_MAX ||
        !rg_reserve_raw(&lex->alloc, &lex->word, &lex->cap, lex->n + 1, sizeof *lex->word) ||
        !rg_reserve_raw(&lex->alloc, &lex->bytes, &lex->bytes_cap, lex->n + 1,
                        sizeof *lex->bytes) ||
        !rg_reserve_raw(&lex->alloc, &lex->count, &lex->count_cap, lex->n + 1,
                        sizeof *lex->count) ||
        !rg_index_put(&lex->index, &lex->alloc, hash, (uint32_t)lex->n + 1))
        return -1;
    memcpy(copy, word, bytes);
    lex->word[lex->n] = copy;
    lex->bytes[lex->n] = (uint32_t)bytes;
    lex->count[lex->n] = 1;
    return (int32_t)lex->n++;
}

/* ---- Vocabularies ---------------------------------------------------------------------------- */

/* Makes it one of the words that @p lex then holds, which lives as long. */
static rg_lexicon *begin(rg_vocab *vocab, const rg_alloc *alloc, rg_err *err)
{
    *vocab = (rg_vocab){ .n = 0 };
    rg_lexicon *lex = rg_get(alloc, sizeof *lex);
    if (!lex) {
        rg_fail(err, RG_ENOMEM, "no memory for a vocabulary");
        return NULL;
    }
    rg_lexicon_init(lex, alloc);
    vocab->memory = lex;
    return lex;
}

static rg_status end(rg_vocab *vocab, rg_status st)
{
    const rg_lexicon *lex = vocab->memory;
    if (st) {
        rg_vocab_destroy(vocab);
        return st;
    }
    vocab->n = lex->n;
    vocab->word = lex->word;
    return RG_OK;
}

void rg_vocab_destroy(rg_vocab *vocab)
{
    rg_lexicon *lex = vocab ? vocab->memory : NULL;
    if (lex) {
        rg_alloc a = lex->alloc;
        rg_lexicon_free(lex);
        rg_release(&a, lex, sizeof *lex);
    }
    if (vocab)
        *vocab = (rg_vocab){ .n = 0 };
}

static rg_status no_memory(rg_err *err, size_t n)
{
    return rg_fail(err, RG_ENOMEM, "no memory for a vocabulary of %zu words", n);
}

static int by_bytes(const void *context, uint32_t a, uint32_t b)
{
    const rg_lexicon *lex = context;
    return strcmp(lex->word[a], lex->word[b]);
}

static int by_frequency(const void *context, uint32_t a, uint32_t b)
{
    const rg_lexicon *lex = context;
    if (lex->count[a] != lex->count[b])
        return lex->count[a] > lex->count[b] ? -1 : 1;
    return by_bytes(context, a, b);
}

/* The words of @p rule, the first ones being in @p lex already. */
static rg_status select(rg_lexicon *lex, const rg_lexicon *counted, const rg_vocab_rule *rule,
                        rg_err *err)
{
    const rg_alloc *a = &lex->alloc;
    size_t n = counted->n, room, kept = 0;
    uint32_t *order = rg_get_raw(a, 2 * n * sizeof *order), *scratch = order + n;
    rg_status st = order ? RG_OK : no_memory(err, n);
    for (size_t i = 0; !st && i < n; i++)
        if (counted->count[i] >= rule->least &&
            find_word(lex, counted->word[i], counted->bytes[i]) < 0)
            order[kept++] = (uint32_t)i;
    room = rule->most > lex->n ? rule->most - lex->n : 0;
    if (!st)
        rg_sort(order, scratch, kept, by_frequency, counted);
    if (rule->most && kept > room)
        kept = room;
    if (!st && !rule->by_frequency)
        rg_sort(order, scratch, kept, by_bytes, counted);
    for (size_t i = 0; !st && i < kept; i++)
        if (rg_lexicon_add(lex, counted->word[order[i]], counted->bytes[order[i]]) < 0)
            st = no_memory(err, kept);
    rg_release(a, order, 2 * n * sizeof *order);
    return st;
}

rg_status rg_vocab_from(rg_vocab *vocab, const rg_lexicon *counted, const rg_vocab_rule *rule,
                        const rg_alloc *alloc, rg_err *err)
{
    rg_status st = RG_OK;
    rg_lexicon *lex = begin(vocab, alloc, err);
    if (!lex)
        return RG_ENOMEM;
    for (size_t i = 0; !st && i < rule->n_first; i++)
        if (rg_lexicon_add(lex, rule->first[i], strlen(rule->first[i])) < 0)
            st = no_memory(err, rule->n_first);
    return end(vocab, st ? st : select(lex, counted, rule, err));
}

/* One more word, which must be a new one. */
static rg_status take(rg_lexicon *lex, const char *word, size_t n, rg_err *err)
{
    char quoted[RG_QUOTED];
    size_t before = lex->n;
    if (n == 0)
        return rg_fail(err, RG_EARG, "an empty word");
    if (rg_utf8_prefix(word, n) != n || memchr(word, '\0', n))
        return rg_fail(err, RG_EARG, "'%s' is not UTF-8 text", rg_quoted(quoted, word, n));
    int32_t id = rg_lexicon_add(lex, word, n);
    if (id < 0)
        return no_memory(err, lex->n);
    if (lex->n == before)
        return rg_fail(err, RG_EARG, "'%s' is there twice: word %d, and again",
                       rg_quoted(quoted, word, n), id);
    return RG_OK;
}

rg_status rg_vocab_copy(rg_vocab *to, const rg_vocab *from, const rg_alloc *alloc, rg_err *err)
{
    rg_status st = RG_OK;
    *to = (rg_vocab){ .n = from->n };
    if (!from->word)
        return RG_OK;
    rg_lexicon *lex = begin(to, alloc, err);
    if (!lex)
        return RG_ENOMEM;
    for (size_t i = 0; !st && i < from->n; i++)
        st = take(lex, from->word[i], strlen(from->word[i]), err);
    return end(to, st);
}

rg_status rg_vocab_create(rg_vocab *vocab, const char *const *words, size_t n)
{
    char prefix[48];
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    rg_status st = RG_OK;
    rg_lexicon *lex;
    if (!vocab)
        return RG_EARG;
    (void)rg_alloc_resolve(&alloc, NULL);
    if (!(lex = begin(vocab, &alloc, &err)))
        st = RG_ENOMEM;
    for (size_t i = 0; !st && i < n; i++) {
        st = words && words[i] ? take(lex, words[i], strlen(words[i]), &err)
                               : rg_fail(&err, RG_EARG, "NULL");
        if (st) {
            (void)snprintf(prefix, sizeof prefix, "vocabulary: word %zu", i);
            rg_err_prefix(&err, prefix);
        }
    }
    st = end(vocab, st);
    memcpy(vocab->message, err.text, sizeof err.text);
    return st;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool has_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_blank(text[i]))
            return true;
    return false;
}

static rg_status take_lines(rg_lexicon *lex, const char *text, size_t n, uint32_t *line,
                            rg_err *err)
{
    const char *end_of_text = text + n;
    text += rg_bom_bytes(text, n);
    for (*line = 1; text < end_of_text; ++*line) {
        const char *stop = memchr(text, '\n', (size_t)(end_of_text - text));
        size_t length = (size_t)((stop ? stop : end_of_text) - text);
        const char *next = text + length + 1;
        if (length > 0 && text[length - 1] == '\r')
            length--;
        if (has_blank(text, length))
            return rg_fail(err, RG_EFORMAT, "white space within the line: a word a line");
        if (take(lex, text, length, err))
            return err->status == RG_EARG ? RG_EFORMAT : err->status;
        text = next;
    }
    *line = 1;
    return lex->n ? RG_OK : rg_fail(err, RG_EFORMAT, "the file is empty");
}

rg_status rg_vocab_load(rg_vocab *vocab, const char *path)
{
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 16];
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    int before = errno;
    char *text = NULL;
    size_t n = 0;
    uint32_t line = 0;
    if (!vocab)
        return RG_EARG;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_lexicon *lex = begin(vocab, &alloc, &err);
    rg_status st = !lex ? RG_ENOMEM : !path ? rg_fail(&err, RG_EARG, "no path")
                 : rg_whole_load(&text, &n, &alloc, path, &err);
    if (!st)
        st = take_lines(lex, text, n, &line, &err);
    if (text)
        rg_release(&alloc, text, n + 1);
    st = end(vocab, st);
    if (!st) {
        errno = before;
        return RG_OK;
    }
    (void)rg_quoted(quoted, path ? path : "", path ? strlen(path) : 0);
    (void)snprintf(prefix, sizeof prefix, line ? "%s:%u" : "%s", quoted, line);
    rg_err_prefix(&err, prefix);
    memcpy(vocab->message, err.text, sizeof err.text);
    return st;
}

static rg_status save(const rg_vocab *v, const char *path, rg_err *err)
{
    char quoted[RG_QUOTED];
    rg_replace file;
    rg_alloc alloc;
    if (!v->word)
        return rg_fail(err, RG_EARG, "bytes have no words");
    for (size_t i = 0; i < v->n; i++)
        if (has_blank(v->word[i], strlen(v->word[i])))
            return rg_fail(err, RG_EARG, "word %zu, '%s', has white space, which a file of words "
                           "cannot hold", i, rg_quoted(quoted, v->word[i], strlen(v->word[i])));
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = rg_replace_begin(&file, &rg_disk_posix, &alloc, path, err);
    for (size_t i = 0; !st && i < v->n; i++)
        if (!(st = rg_replace_write(&file, v->word[i], strlen(v->word[i]))))
            st = rg_replace_write(&file, "\n", 1);
    if (!st)
        st = rg_replace_commit(&file);
    rg_replace_end(&file);
    return st;
}

rg_status rg_vocab_save(rg_vocab *vocab, const char *path)
{
    char quoted[RG_QUOTED];
    rg_err err = { .status = RG_OK };
    int before = errno;
    if (!vocab)
        return RG_EARG;
    rg_status st = path ? save(vocab, path, &err) : rg_fail(&err, RG_EARG, "no path");
    if (st)
        rg_err_prefix(&err, rg_quoted(quoted, path ? path : "", path ? strlen(path) : 0));
    else
        errno = before;
    memcpy(vocab->message, err.text, sizeof err.text);
    return st;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

int32_t rg_vocab_find(const rg_vocab *vocab, const char *word, size_t bytes)
{
    if (!vocab || !word)
        return -1;
    if (!vocab->word)
        return bytes == 1 && vocab->n == 256 ? (unsigned char)*word : -1;
    return vocab->memory ? find_word(vocab->memory, word, bytes) : -1;
}

/* Bytes of the character at @p at, 0 if it is none. */
static size_t character(const char *at, size_t left)
{
    unsigned char c = (unsigned char)*at;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n <= left && rg_utf8_prefix(at, n) == n ? n : 0;
}

bool rg_unit_next(rg_unit unit, const char **at, const char *end_of_text, const char **word,
                  size_t *n, bool *bad)
{
    const char *c = *at;
    *bad = false;
    while (unit == RG_UNIT_WORD && c < end_of_text && is_blank(*c))
        c++;
    *word = c;
    if (c == end_of_text)
        return false;
    if (unit == RG_UNIT_WORD)
        while (c < end_of_text && !is_blank(*c))
            c++;
    else if (unit == RG_UNIT_CHAR)
        c += character(c, (size_t)(end_of_text - c));
    else
        c = unit == RG_UNIT_BYTE ? c + 1 : end_of_text;
    *n = (size_t)(c - *word);
    *bad = *n == 0 || (unit != RG_UNIT_BYTE && rg_utf8_prefix(*word, *n) != *n);
    *at = c;
    return !*bad;
}

int64_t rg_vocab_encode(int32_t *id, size_t room, const rg_vocab *vocab, rg_unit unit,
                        const char *text, size_t bytes)
{
    int32_t unknown = rg_vocab_find(vocab, RG_UNKNOWN, sizeof RG_UNKNOWN - 1);
    const char *at = text, *end_of_text = text + bytes, *word;
    int64_t count = 0;
    size_t n;
    bool bad = false;
    if (!vocab || (!text && bytes) || (unsigned)unit > RG_UNIT_WHOLE)
        return -1;
    for (; rg_unit_next(unit, &at, end_of_text, &word, &n, &bad); count++) {
        int32_t v = rg_vocab_find(vocab, word, n);
        v = v < 0 ? unknown : v;
        if (v < 0)
            return -1;
        if ((size_t)count < room)
            id[count] = v;
    }
    return bad ? -1 : count;
}
