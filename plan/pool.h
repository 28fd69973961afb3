/* plan/pool.h -- an allocator in front of another, for planning: passes take and give back
 * arrays of the same sizes over and over, and memory that comes back is used again instead of
 * being mapped, zeroed and unmapped by the system each time. */
#ifndef RG_PLAN_POOL_H
#define RG_PLAN_POOL_H

#include "base/memory.h"

typedef struct rg_pool_block rg_pool_block;

enum { RG_POOL_CLASSES = 192 };  /* four sizes to a power of two */

typedef struct rg_pool {
    rg_alloc       under;
    rg_pool_block *free[RG_POOL_CLASSES];
} rg_pool;

void rg_pool_init(rg_pool *pool, const rg_alloc *under);
/* The pool as an allocator; borrowed. */
rg_alloc rg_pool_hooks(rg_pool *pool);
/* Give what is not in use back to the system. */
void rg_pool_trim(rg_pool *pool);

#endif
