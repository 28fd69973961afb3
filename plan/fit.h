/* plan/fit.h -- offsets in one arena: takes and gives back pieces, without touching memory. */
#ifndef RG_PLAN_FIT_H
#define RG_PLAN_FIT_H

#include "base/memory.h"

/* Pieces lie side by side; a free one is also in the list of its size class. */
typedef struct rg_piece {
    size_t   offset, bytes;
    uint32_t before, after;  /* neighbours by address; 0 = none */
    uint32_t next, prev;     /* in the list of free pieces of its class */
    bool     free;
} rg_piece;

enum { RG_FIT_CLASSES = 64 * 8 };

typedef struct rg_fit {
    rg_alloc  alloc;
    rg_piece *piece;   /* [0] unused */
    size_t    n_piece, piece_cap;
    uint32_t  spare;   /* pieces no longer in use, by `next` */
    uint32_t  last;    /* the one at the end of the arena; 0 = none */
    size_t    bytes;   /* of the whole */
    uint32_t  head[RG_FIT_CLASSES];
} rg_fit;

void rg_fit_init(rg_fit *f, const rg_alloc *alloc);
/* A piece of so many bytes (rounded up to RG_ALIGN), as tight a fit as is near at hand; 0 = no
 * memory. */
uint32_t rg_fit_take(rg_fit *f, size_t bytes);
void rg_fit_give(rg_fit *f, uint32_t piece);
void rg_fit_free(rg_fit *f);

#endif
