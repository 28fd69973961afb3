/* plan/pool.h -- the memory that planning works in: passes take and give back arrays of the same
 * sizes over and over, and what comes back is used again instead of being mapped, cleared and
 * unmapped by the system each time. It comes from the allocator in few large pieces, and goes back
 * all at once. */
#ifndef RG_PLAN_POOL_H
#define RG_PLAN_POOL_H

#include "base/memory.h"

typedef struct rg_pool_block rg_pool_block;
typedef struct rg_pool_chunk rg_pool_chunk;

enum { RG_POOL_CLASSES = 192 };  /* four sizes to a power of two */

typedef struct rg_pool {
    rg_alloc       under;
    rg_pool_chunk *chunk;        /* newest first */
    char          *at;           /* in a chunk: where the next block begins */
    size_t         left, total;  /* bytes behind it; of all chunks */
    rg_pool_block *free[RG_POOL_CLASSES];
} rg_pool;

void rg_pool_init(rg_pool *pool, const rg_alloc *under);
/* The pool as an allocator; borrowed. */
rg_alloc rg_pool_hooks(rg_pool *pool);
/* Give everything back, used or not. */
void rg_pool_free(rg_pool *pool);

#endif
