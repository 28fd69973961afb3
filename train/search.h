/* train/search.h -- between the loop of decoding (decode.c) and what chooses its tokens (choose.c).
 */
#ifndef RG_TRAIN_SEARCH_H
#define RG_TRAIN_SEARCH_H

#include <retrograd/decode.h>

#include "base/error.h"
#include "base/memory.h"

/* What a row of the plan holds. */
typedef struct rg_slot_state {
    bool    there, finished;
    int64_t tokens;         /* chosen so far, the end counted */
    double  log_p, score;
    int32_t parent, id;     /* where it came from in the last step; id -1: nothing was chosen */
} rg_slot_state;

typedef struct rg_search {
    rg_alloc              alloc;
    rg_err                err;
    const rg_decoder     *decoder;
    const rg_decode_opts *opts;
    rg_dtype              real;         /* of the plan */
    int64_t               R, V, S, B, width;
    rg_slot_state        *slot, *next;  /* [R] */
    const void           *z;            /* [R,V] of this step */
    double               *p;            /* [V] */
    int32_t              *heap;         /* [V] */
    int64_t               step;
} rg_search;

/* From s->slot and s->z to s->next: the rows after this step. */
typedef rg_status rg_choose_fn(rg_search *s);
rg_choose_fn rg_choose_likeliest, rg_choose_drawn, rg_choose_beam;

#endif
