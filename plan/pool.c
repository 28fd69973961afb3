/* plan/pool.c -- blocks cut from chunks that grow with what was taken; free ones in lists by size
 * class. Each block has a line in front that says how large it is, since a smaller request may be
 * given a larger block. */
#include "plan/pool.h"

#include "base/checked.h"

struct rg_pool_block {
    rg_pool_block *next;
    size_t         class;
};

struct rg_pool_chunk {
    rg_pool_chunk *next;
    size_t         bytes;  /* of the whole, this line included */
};

enum {
    LARGER = 12,                 /* a request may take from so many classes above its own: 8x */
    LEAST_CHUNK = 64 << 10, MOST_CHUNK = 8 << 20,
};

/* The class of a size, and the size that its blocks have: 4, 5, 6 or 7 quarters of a power of
 * two of lines. */
static size_t class_of(size_t bytes, size_t *rounded)
{
    const size_t lines = (bytes + RG_ALIGN - 1) / RG_ALIGN;
    size_t log = 0;
    while (lines >> log > 7)
        log++;
    const size_t quarters = (lines + ((size_t)1 << log) - 1) >> log;
    *rounded = (quarters << log) * RG_ALIGN;
    return log * 4 + quarters;
}

static rg_pool_block *take_free(rg_pool *pool, size_t class)
{
    for (size_t k = class; k <= class + LARGER && k < RG_POOL_CLASSES; k++) {
        rg_pool_block *block = pool->free[k];
        if (block) {
            pool->free[k] = block->next;
            return block;
        }
    }
    return NULL;
}

/* A new chunk with room for so many bytes; the room, or NULL. Large ones are whole large pages:
 * the system clears each as a whole. What they have in excess is there for small blocks. */
static char *add_chunk(rg_pool *pool, size_t bytes)
{
    size_t whole = bytes + RG_ALIGN;
#if !defined(RG_DEBUG_ARENA)
    if (whole >= RG_LARGE_PAGE)
        whole = rg_whole_pages(whole);
#endif
    rg_pool_chunk *chunk = pool->under.get(pool->under.user, whole, RG_ALIGN);
    if (!chunk)
        return NULL;
    *chunk = (rg_pool_chunk){ pool->chunk, whole };
    pool->chunk = chunk;
    pool->total += whole - RG_ALIGN;
    char *room = (char *)chunk + RG_ALIGN;
    if (whole - RG_ALIGN - bytes > pool->left) {
        pool->at = room + bytes;
        pool->left = whole - RG_ALIGN - bytes;
    }
    return room;
}

/* Large blocks are chunks of their own, and so is every block where sanitizers watch. */
static rg_pool_block *cut(rg_pool *pool, size_t bytes)
{
#if defined(RG_DEBUG_ARENA)
    return (void *)add_chunk(pool, bytes);
#else
    if (bytes > MOST_CHUNK / 2)
        return (void *)add_chunk(pool, bytes);
    if (pool->left < bytes) {
        size_t size = pool->total < LEAST_CHUNK ? LEAST_CHUNK : pool->total;
        size = size > MOST_CHUNK ? MOST_CHUNK : size;
        size = size < bytes ? bytes : size;
        char *at = add_chunk(pool, size);
        if (!at)
            return NULL;
        pool->left = (pool->at == at + size ? pool->left : 0) + size;
        pool->at = at;
    }
    char *block = pool->at;
    pool->at += bytes;
    pool->left -= bytes;
    return (void *)block;
#endif
}

static void *pool_get(void *user, size_t bytes, size_t align)
{
    rg_pool *pool = user;
    size_t rounded;
    if (bytes > RG_MAX_BYTES || align > RG_ALIGN)
        return NULL;
    const size_t class = class_of(bytes + RG_ALIGN, &rounded);
    rg_pool_block *block = take_free(pool, class);
    if (!block) {
        if (!(block = cut(pool, rounded)))
            return NULL;
        block->class = class;
    }
    return (char *)block + RG_ALIGN;
}

static void pool_release(void *user, void *memory, size_t bytes)
{
    rg_pool *pool = user;
    rg_pool_block *block = (void *)((char *)memory - RG_ALIGN);
    (void)bytes;
    block->next = pool->free[block->class];
    pool->free[block->class] = block;
}

void rg_pool_init(rg_pool *pool, const rg_alloc *under)
{
    *pool = (rg_pool){ .under = *under };
}

rg_alloc rg_pool_hooks(rg_pool *pool)
{
    return (rg_alloc){ pool_get, pool_release, pool };
}

void rg_pool_free(rg_pool *pool)
{
    while (pool->chunk) {
        rg_pool_chunk *chunk = pool->chunk;
        pool->chunk = chunk->next;
        pool->under.release(pool->under.user, chunk, chunk->bytes);
    }
    *pool = (rg_pool){ .under = pool->under };
}
