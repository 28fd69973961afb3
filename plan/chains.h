/* plan/chains.h -- values one behind the other, each with one place: what becomes a slab, or a row
 * of columns. */
#ifndef RG_PLAN_CHAINS_H
#define RG_PLAN_CHAINS_H

#include "base/memory.h"

/* By item, 0 is none; the arrays are the caller's, set[i] = i at first. */
typedef struct rg_chains {
    uint32_t *next, *prev;  /* neighbours */
    uint32_t *set;          /* union-find over chains */
} rg_chains;

/* Link each of n items to the one behind it, or leave everything as it was: where an item has
 * another neighbour, where a chain would bite its tail, without memory. (Chains that were joined
 * and parted again stay in one set: at worst a later link is refused.) */
bool rg_chains_link(rg_chains *c, const rg_alloc *alloc, const uint32_t *item, uint32_t n);

#endif
