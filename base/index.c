/* base/index.c -- open addressing with linear probing; bytes into a hash. */
#include "base/index.h"

#include <string.h>

static uint32_t fold(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

static void enter(rg_index *index, uint32_t hash, uint32_t value)
{
    size_t at = hash & (index->cap - 1);
    while (index->slot[at].value)
        at = (at + 1) & (index->cap - 1);
    index->slot[at] = (rg_index_slot){ hash, value };
    index->n++;
}

static bool widen(rg_index *index, const rg_alloc *alloc, size_t cap)
{
    rg_index wider = { .cap = cap };
    if (cap > SIZE_MAX / sizeof *wider.slot ||
        !(wider.slot = rg_get(alloc, wider.cap * sizeof *wider.slot)))
        return false;
    for (size_t i = 0; i < index->cap; i++)
        if (index->slot[i].value)
            enter(&wider, index->slot[i].hash, index->slot[i].value);
    rg_index_free(index, alloc);
    *index = wider;
    return true;
}

bool rg_index_reserve(rg_index *index, const rg_alloc *alloc, size_t n)
{
    size_t cap = index->cap ? index->cap : 64;
    while (cap < SIZE_MAX / 4 && cap / 2 < n)
        cap *= 2;
    return cap <= index->cap || widen(index, alloc, cap);
}

uint32_t rg_index_next(const rg_index *index, uint64_t hash, size_t *probe)
{
    const uint32_t h = fold(hash);
    while (*probe < index->cap) {
        const rg_index_slot *s = &index->slot[(h + (*probe)++) & (index->cap - 1)];
        if (!s->value || s->hash == h)
            return s->value;
    }
    return 0;
}

bool rg_index_put(rg_index *index, const rg_alloc *alloc, uint64_t hash, uint32_t value)
{
    if (2 * (index->n + 1) > index->cap && !rg_index_reserve(index, alloc, index->n + 1))
        return false;
    enter(index, fold(hash), value);
    return true;
}

void rg_index_free(rg_index *index, const rg_alloc *alloc)
{
    rg_release(alloc, index->slot, index->cap * sizeof *index->slot);
    *index = (rg_index){ .slot = NULL };
}

uint64_t rg_hash_bytes(uint64_t hash, const void *data, size_t n)
{
    uint64_t word;
    for (; n >= sizeof word; n -= sizeof word, data = (const char *)data + sizeof word) {
        memcpy(&word, data, sizeof word);
        hash = rg_hash_mix(hash, word);
    }
    if (n) {
        word = 0;
        memcpy(&word, data, n);
        hash = rg_hash_mix(hash, word);
    }
    return hash;
}
