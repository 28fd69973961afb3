/* base/memory.h -- memory through the caller's hooks: blocks, growing arrays, arenas. */
#ifndef RG_BASE_MEMORY_H
#define RG_BASE_MEMORY_H

#include <retrograd/base.h>

enum { RG_ALIGN = 64 };  /* of every large block: a cache line, and the widest vector */
/* Blocks from this size on consist of large pages, where the system has them on request: a
 * thousandth of the faults, and fewer misses when they are walked. */
enum { RG_LARGE_PAGE = 2 << 20 };
static inline size_t rg_whole_pages(size_t bytes)
{
    return (bytes + RG_LARGE_PAGE - 1) / RG_LARGE_PAGE * RG_LARGE_PAGE;
}

/* The hooks to use: the caller's, or aligned malloc where they are all zero. RG_EARG: only half of
 * them given. */
rg_status rg_alloc_resolve(rg_alloc *out, const rg_alloc *hooks);
/* A zeroed block aligned to RG_ALIGN, or NULL; 0 bytes give a block too. */
void *rg_get(const rg_alloc *a, size_t bytes);
/* The same, contents undefined. */
void *rg_get_raw(const rg_alloc *a, size_t bytes);
void rg_release(const rg_alloc *a, void *block, size_t bytes);

/* What follows where the array has to grow: to what is needed, at least twofold. */
bool rg_grow(const rg_alloc *a, void *data, size_t *cap, size_t need, size_t item);
bool rg_grow_raw(const rg_alloc *a, void *data, size_t *cap, size_t need, size_t item);

/* Make room for @p need items in the array *data of *cap items; new items are zero. false: no
 * memory or overflow, the array being as before. */
static inline bool rg_reserve(const rg_alloc *a, void *data, size_t *cap, size_t need, size_t item)
{
    return need <= *cap || rg_grow(a, data, cap, need, item);
}

/* The same; new items are undefined. */
static inline bool rg_reserve_raw(const rg_alloc *a, void *data, size_t *cap, size_t need,
                                  size_t item)
{
    return need <= *cap || rg_grow_raw(a, data, cap, need, item);
}

/* Objects that live and die together. With -Ddebug_arena=true each is a block of its own, so that
 * sanitizers see its borders. */
typedef struct rg_arena_block rg_arena_block;
typedef struct rg_arena {
    rg_alloc        alloc;
    rg_arena_block *block;  /* newest first */
    size_t          bytes;  /* taken from the allocator */
    bool            raw;    /* objects' contents are undefined, not zero */
} rg_arena;

void rg_arena_init(rg_arena *arena, const rg_alloc *alloc);
/* Zeroed but in a raw arena; aligned to 16; NULL without memory. */
void *rg_arena_get(rg_arena *arena, size_t bytes);
char *rg_arena_text(rg_arena *arena, const char *text);
void rg_arena_free(rg_arena *arena);

#endif
