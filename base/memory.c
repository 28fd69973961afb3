/* base/memory.c -- blocks, growing arrays, arenas. Asks Linux for large pages: madvise(). */
#define _DEFAULT_SOURCE
#include "base/memory.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

static void *default_get(void *user, size_t bytes, size_t align)
{
    size_t rounded;
    (void)user;
    if (bytes >= RG_LARGE_PAGE && align < RG_LARGE_PAGE)
        align = RG_LARGE_PAGE;
    if (!rg_add_size(bytes, align - 1, &rounded))
        return NULL;
    rounded = rounded / align * align;
    void *block = aligned_alloc(align, rounded);
#if defined(MADV_HUGEPAGE)
    if (block && align >= RG_LARGE_PAGE)
        (void)madvise(block, rounded, MADV_HUGEPAGE); /* a refusal costs nothing */
#endif
    return block;
}

static void default_release(void *user, void *block, size_t bytes)
{
    (void)user;
    (void)bytes;
    free(block);
}

rg_status rg_alloc_resolve(rg_alloc *out, const rg_alloc *hooks)
{
    *out = (rg_alloc){ .get = default_get, .release = default_release };
    if (!hooks || (!hooks->get && !hooks->release))
        return RG_OK;
    if (!hooks->get || !hooks->release)
        return RG_EARG;
    *out = *hooks;
    return RG_OK;
}

void *rg_get_raw(const rg_alloc *a, size_t bytes)
{
    return a->get(a->user, bytes ? bytes : 1, RG_ALIGN);
}

void *rg_get(const rg_alloc *a, size_t bytes)
{
    void *block = rg_get_raw(a, bytes);
    if (block)
        memset(block, 0, bytes ? bytes : 1);
    return block;
}

void rg_release(const rg_alloc *a, void *block, size_t bytes)
{
    if (block)
        a->release(a->user, block, bytes ? bytes : 1);
}

enum { LEAST_ITEMS = 16 };  /* of an array that grows */

bool rg_grow_raw(const rg_alloc *a, void *data, size_t *cap, size_t need, size_t item)
{
    void *old, *grown;
    size_t want, bytes;
    if (!rg_mul_size(*cap, 2, &want))
        return false;
    want = want < LEAST_ITEMS ? LEAST_ITEMS : want;
    want = want < need ? need : want;
    if (!rg_mul_size(want, item, &bytes) || !(grown = rg_get_raw(a, bytes)))
        return false;
    memcpy(&old, data, sizeof old);
    if (*cap)
        memcpy(grown, old, *cap * item);
    rg_release(a, old, *cap * item);
    memcpy(data, &grown, sizeof grown);
    *cap = want;
    return true;
}

bool rg_grow(const rg_alloc *a, void *data, size_t *cap, size_t need, size_t item)
{
    char *grown;
    const size_t old = *cap;
    if (!rg_grow_raw(a, data, cap, need, item))
        return false;
    memcpy(&grown, data, sizeof grown);
    memset(grown + old * item, 0, (*cap - old) * item);
    return true;
}

struct rg_arena_block {
    rg_arena_block *next;
    size_t          used, size;  /* bytes, this header included in both */
};

enum { ARENA_GRAIN = 16, ARENA_BLOCK = 64 * 1024 };

void rg_arena_init(rg_arena *arena, const rg_alloc *alloc)
{
    *arena = (rg_arena){ .alloc = *alloc };
}

static bool arena_add(rg_arena *arena, size_t bytes)
{
    rg_arena_block *b = arena->raw ? rg_get_raw(&arena->alloc, bytes)
                                   : rg_get(&arena->alloc, bytes);
    if (!b)
        return false;
    b->next = arena->block;
    b->used = (sizeof *b + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN;
    b->size = bytes;
    arena->block = b;
    arena->bytes += bytes;
    return true;
}

void *rg_arena_get(rg_arena *arena, size_t bytes)
{
    size_t need = bytes ? bytes : 1, whole;
    if (need > SIZE_MAX - ARENA_GRAIN)
        return NULL;
    need = (need + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN;
#if defined(RG_DEBUG_ARENA)
    if (!rg_add_size(need, sizeof(rg_arena_block) + ARENA_GRAIN + RG_ALIGN - 1, &whole) ||
        !arena_add(arena, whole / RG_ALIGN * RG_ALIGN))
        return NULL;
    arena->block->used = arena->block->size - need; /* it ends where the block ends */
#else
    if (!arena->block || arena->block->size - arena->block->used < need) {
        if (!rg_add_size(need, sizeof(rg_arena_block) + ARENA_GRAIN, &whole))
            return NULL;
        /* blocks grow with the arena, so that their number stays logarithmic */
        size_t usual = arena->bytes / 4 > ARENA_BLOCK ? arena->bytes / 4 : ARENA_BLOCK;
        size_t size = whole > usual ? whole : usual;
        if (arena->bytes >= RG_LARGE_PAGE / 2 && size < RG_LARGE_PAGE)
            size = RG_LARGE_PAGE;
        if (size >= RG_LARGE_PAGE && size < SIZE_MAX - RG_LARGE_PAGE)
            size = rg_whole_pages(size); /* which is cleared as a whole anyway */
        if (!arena_add(arena, size))
            return NULL;
    }
#endif
    void *object = (char *)arena->block + arena->block->used;
    arena->block->used += need;
    return object;
}

char *rg_arena_text(rg_arena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = rg_arena_get(arena, n);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

void rg_arena_free(rg_arena *arena)
{
    while (arena->block) {
        rg_arena_block *b = arena->block;
        arena->block = b->next;
        rg_release(&arena->alloc, b, b->size);
    }
    arena->bytes = 0;
}
