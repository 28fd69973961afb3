/* plan/pool.c -- lists of free blocks by size class. Each block has a line in front that says how
 * large it is, since a smaller request may be given a larger block. */
#include "plan/pool.h"

#include "base/checked.h"

struct rg_pool_block {
    rg_pool_block *next;
    size_t         bytes;  /* of the whole, this line included */
    size_t         class;
};

enum { LARGER = 12 };  /* a request may take from so many classes above its own: eight times */

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

static void *pool_get(void *user, size_t bytes, size_t align)
{
    rg_pool *pool = user;
    size_t rounded;
    if (bytes > RG_MAX_BYTES || align > RG_ALIGN)
        return NULL;
    const size_t class = class_of(bytes + RG_ALIGN, &rounded);
    rg_pool_block *block = take_free(pool, class);
    if (!block) {
        if (!(block = pool->under.get(pool->under.user, rounded, RG_ALIGN)))
            return NULL;
        *block = (rg_pool_block){ .bytes = rounded, .class = class };
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

void rg_pool_trim(rg_pool *pool)
{
    for (size_t k = 0; k < RG_POOL_CLASSES; k++)
        while (pool->free[k]) {
            rg_pool_block *block = pool->free[k];
            pool->free[k] = block->next;
            pool->under.release(pool->under.user, block, block->bytes);
        }
}
