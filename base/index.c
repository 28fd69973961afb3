/* base/index.c -- open addressing with linear probing over 64-bit hashes. */
#include "base/index.h"

static size_t home(const rg_index *index, uint64_t hash)
{
    return (size_t)((hash ^ hash >> 32) & (index->cap - 1));
}

static void enter(rg_index *index, uint64_t hash, uint32_t value)
{
    size_t at = home(index, hash);
    while (index->slot[at].value)
        at = (at + 1) & (index->cap - 1);
    index->slot[at] = (rg_index_slot){ hash, value };
    index->n++;
}

static bool grow(rg_index *index, const rg_alloc *alloc)
{
    rg_index wider = { .cap = index->cap ? 2 * index->cap : 64 };
    if (wider.cap > SIZE_MAX / sizeof *wider.slot ||
        !(wider.slot = rg_get(alloc, wider.cap * sizeof *wider.slot)))
        return false;
    for (size_t i = 0; i < index->cap; i++)
        if (index->slot[i].value)
            enter(&wider, index->slot[i].hash, index->slot[i].value);
    rg_index_free(index, alloc);
    *index = wider;
    return true;
}

uint32_t rg_index_next(const rg_index *index, uint64_t hash, size_t *probe)
{
    while (*probe < index->cap) {
        const rg_index_slot *s = &index->slot[(home(index, hash) + (*probe)++) & (index->cap - 1)];
        if (!s->value || s->hash == hash)
            return s->value;
    }
    return 0;
}

bool rg_index_put(rg_index *index, const rg_alloc *alloc, uint64_t hash, uint32_t value)
{
    if (2 * (index->n + 1) > index->cap && !grow(index, alloc))
        return false;
    enter(index, hash, value);
    return true;
}

void rg_index_free(rg_index *index, const rg_alloc *alloc)
{
    rg_release(alloc, index->slot, index->cap * sizeof *index->slot);
    *index = (rg_index){ .slot = NULL };
}
