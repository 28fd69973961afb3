/* plan/ids.h -- a set of ids whose smallest is found at once: bits, 64 words of which are a bit of
 * the level above, and so on up to a single word. */
#ifndef RG_PLAN_IDS_H
#define RG_PLAN_IDS_H

#include "base/memory.h"

enum { RG_IDS_LEVELS = 6 };  /* 64^6 > 2^32 */

typedef struct rg_ids {
    uint64_t *level[RG_IDS_LEVELS];
    int       top;
} rg_ids;

/* Words of a set of ids below @p n. */
static inline size_t rg_ids_words(uint32_t n)
{
    size_t words = 0, bits = n;
    do
        words += bits = (bits + 63) / 64;
    while (bits > 1);
    return words;
}

/* An empty set in so many words, which are zero. */
static inline rg_ids rg_ids_in(uint64_t *word, uint32_t n)
{
    rg_ids s = { .top = -1 };
    size_t bits = n;
    do {
        s.level[++s.top] = word;
        word += bits = (bits + 63) / 64;
    } while (bits > 1);
    return s;
}

static inline bool rg_ids_any(const rg_ids *s)
{
    return s->level[s->top][0] != 0;
}

static inline void rg_ids_put(rg_ids *s, uint32_t id)
{
    for (int l = 0; l <= s->top; l++, id >>= 6) {
        uint64_t *word = &s->level[l][id >> 6];
        const bool was = *word != 0;
        *word |= UINT64_C(1) << (id & 63);
        if (was)
            return;
    }
}

/* Take the smallest out; there must be one. */
static inline uint32_t rg_ids_pop(rg_ids *s)
{
    uint32_t id = 0;
    for (int l = s->top; l >= 0; l--)
        id = id << 6 | (uint32_t)__builtin_ctzll(s->level[l][id]);
    for (uint32_t l = 0, at = id; l <= (uint32_t)s->top; l++, at >>= 6) {
        uint64_t *word = &s->level[l][at >> 6];
        *word &= *word - 1; /* its lowest bit, which is ours */
        if (*word)
            break;
    }
    return id;
}

#endif
