/* train/search.h -- between the loop of decoding (decode.c) and what chooses its tokens (choose.c).
 */
#ifndef RG_TRAIN_SEARCH_H
#define RG_TRAIN_SEARCH_H

#include <retrograd/decode.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/real.h"

/* What the caller holds of sequences that were found, and what lies behind it. */
typedef struct rg_result {
    rg_decoded     seen;
    rg_alloc       alloc;
    rg_hypothesis *best;
    int32_t       *id;
    float         *weights;
    size_t         best_bytes, id_bytes, weight_bytes;
} rg_result;

/* *out becomes the seen part; NULL: no memory. */
rg_result *rg_result_create(rg_decoded **out);
/* Room for so many hypotheses, tokens and weights, all 0; false: no memory. */
bool rg_result_room(rg_result *r, size_t rows, size_t ids, size_t weights);

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

/* V logits from element `first` on, and for messages whose they are: of a step and a row, each a
 * "token" or a "class". */
typedef struct rg_logits {
    const void *z;
    rg_dtype    real;
    int64_t     first, V, step, row;
    const char *what;
} rg_logits;

static inline double rg_logit(const rg_logits *l, int64_t v)
{
    return rg_real_at(l->z, l->real, (size_t)(l->first + v));
}

/* ln Σ exp z, and the lowest of the largest. Refuses what is no number, or all impossible. */
rg_status rg_logits_measure(double *lse, int32_t *best, const rg_logits *logits, rg_err *err);

#endif
