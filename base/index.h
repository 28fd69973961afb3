/* base/index.h -- from a hash to numbers, for tables whose keys lie elsewhere: names, scopes. */
#ifndef RG_BASE_INDEX_H
#define RG_BASE_INDEX_H

#include "base/memory.h"

typedef struct rg_index_slot {
    uint32_t hash;   /* both halves in one */
    uint32_t value;  /* 0 = free */
} rg_index_slot;

/* Open addressing, at most half full. All zero = empty. */
typedef struct rg_index {
    rg_index_slot *slot;
    size_t         cap, n;
} rg_index;

/* The next value under @p hash, 0 after the last; *probe starts at 0. Equal hashes are not yet
 * equal keys, so a look-up is a loop:
 *
 *     for (size_t probe = 0; (i = rg_index_next(&index, hash, &probe));)
 *         if (same(key, table[i])) ... */
uint32_t rg_index_next(const rg_index *index, uint64_t hash, size_t *probe);
/* Enter a value > 0; false without memory, the index being as before. */
bool rg_index_put(rg_index *index, const rg_alloc *alloc, uint64_t hash, uint32_t value);
/* Room for so many values at once, where their number is known. */
bool rg_index_reserve(rg_index *index, const rg_alloc *alloc, size_t n);
void rg_index_free(rg_index *index, const rg_alloc *alloc);
/* Two hashes into one; not symmetric. */
static inline uint64_t rg_hash_mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b + UINT64_C(0x9E3779B97F4A7C15) + (a << 6) + (a >> 2))) *
                 UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 33;
}
/* Bytes into a hash, eight at a time. */
uint64_t rg_hash_bytes(uint64_t hash, const void *data, size_t n);

#endif
