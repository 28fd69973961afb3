/* io/vocab.h -- words and their numbers, while they are counted and afterwards; cutting texts. */
#ifndef RG_IO_VOCAB_H
#define RG_IO_VOCAB_H

#include <retrograd/data.h>

#include "base/error.h"
#include "base/index.h"

/* Words in the order in which they came, each with how often. */
typedef struct rg_lexicon {
    rg_alloc     alloc;
    rg_arena     arena;  /* of the texts */
    rg_index     index;
    const char **word;
    uint32_t    *bytes;  /* of each word */
    uint32_t    *count;
    size_t       n, cap, bytes_cap, count_cap;
} rg_lexicon;

void rg_lexicon_init(rg_lexicon *lex, const rg_alloc *alloc);
void rg_lexicon_free(rg_lexicon *lex);
/* The number of this word, which is new or counted once more; -1: no memory, or 2^31 words. */
int32_t rg_lexicon_add(rg_lexicon *lex, const char *word, size_t bytes);

/* What becomes of a lexicon that counted a training part. */
typedef struct rg_vocab_rule {
    const char *const *first;  /* words that come first, whatever was counted */
    size_t             n_first;
    size_t             most;   /* words in all; 0 = all */
    size_t             least;  /* occurrences of each but the first */
    bool               by_frequency;  /* order; else by bytes */
} rg_vocab_rule;

/* The most frequent words (equal ones in the order of their bytes) as a vocabulary. */
rg_status rg_vocab_from(rg_vocab *vocab, const rg_lexicon *counted, const rg_vocab_rule *rule,
                        const rg_alloc *alloc, rg_err *err);
/* A copy; of RG_UNIT_BYTE's too. */
rg_status rg_vocab_copy(rg_vocab *to, const rg_vocab *from, const rg_alloc *alloc, rg_err *err);

/* The next unit of a text: *at moves behind it, *word and *n are it. false: there is none left.
 * @p bad: not UTF-8 where characters were asked for. */
bool rg_unit_next(rg_unit unit, const char **at, const char *end, const char **word, size_t *n,
                  bool *bad);

#endif
