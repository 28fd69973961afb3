/* retrograd/decode.h -- from a model of one step to whole sequences: greedy, drawn, beam search;
 * from what a model says at every step, with blanks, to labels.
 *
 * Works for any graph of one step whose inputs are tokens and states and whose roots are logits and
 * the next states: a language model, a decoder with attention, yours. Meaning: docs/MATH.md 8.2. */
#ifndef RETROGRAD_DECODE_H
#define RETROGRAD_DECODE_H

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One step of R rows; R is B sources times the width of the beam, row b·width + j being hypothesis
 * j of source b. What is the same at every step (an encoder's memory) the caller binds before. */
typedef struct rg_decoder {
    rg_plan      *plan;
    rg_val        id;       /* input [R] RG_INT: the token before */
    rg_val        logits;   /* root [R,V] */
    size_t        n_state;
    const rg_val *state;    /* n_state inputs [R,...]: before the step. Not carried */
    const rg_val *next;     /* n_state roots of the same kinds and shapes: after it */
    rg_val        weights;  /* root [R,S], kept for every token: attention; RG_NONE = nothing */
    int32_t       begin;    /* token read first */
    int32_t       end;      /* token that ends a sequence; -1 = none does */
} rg_decoder;

typedef struct rg_decode_opts {
    int64_t  steps;        /* tokens at most, the end being one; at least 1 */
    int64_t  width;        /* beam: hypotheses kept for each source; at least 1 */
    double   length;       /* beam: a of the penalty ((5 + n)/6)^a; 0 = plain sum */
    double   temperature;  /* sample: divides the logits; 0 = always the likeliest */
    int64_t  top_k;        /* sample: then among the k likeliest; 0 = all */
    double   top_p;        /* sample: then among the fewest likeliest that have p; 0 = all */
    uint64_t seed;         /* of the draws */
} rg_decode_opts;

/* One sequence that was found. */
typedef struct rg_hypothesis {
    const int32_t *id;       /* n tokens, the end not among them */
    size_t         n;
    bool           finished; /* the end came within opts.steps */
    double         log_p;    /* Σ ln p of the tokens and of the end; -∞: there is no hypothesis */
    double         score;    /* beam: log_p / ((5 + tokens)/6)^a, the end counted; else log_p */
    const float   *weights;  /* [n + finished][S]: decoder->weights when each token was chosen */
} rg_hypothesis;

typedef struct rg_decoded {
    int64_t              sources, width;  /* B, and how many for each: 1 but for beams */
    int64_t              S;               /* columns of `weights` */
    const rg_hypothesis *best;            /* [sources][width], the best of a source first */
    char                 message[512];    /* why decoding failed */
} rg_decoded;

/**
 * The likeliest token at every step; of equals the lowest.
 *
 * @param[out] out  caller destroys it, on failure too, where it has the message and nothing else;
 *                  NULL without memory
 * @param start     the n_state states before the first step: arrays [B,...] of the plan's element
 *                  type (as rg_plan_data() returns them); NULL, or an element that is NULL: zeros
 *
 * The states' inputs and `id` stay bound to memory that is gone afterwards: bind them again before
 * a run of your own.
 *
 * Errors     RG_EARG options (steps or width 0 among them), no plan; RG_ESHAPE rows, shapes of
 *            states, rows that are no multiple of the width; RG_ENONFINITE logits that are NaN or
 *            +∞; RG_ENOMEM; as rg_plan_bind() and rg_plan_run()
 * Cost       one run of the plan per token
 */
RG_API rg_status rg_decode_greedy(rg_decoded **out, const rg_decoder *decoder,
                                  const void *const *start, const rg_decode_opts *opts);

/* Drawn token by token: temperature, then top_k, then top_p, then one uniform number, which depends
 * on seed, step and row; inverse CDF in order of the index. */
RG_API rg_status rg_decode_sample(rg_decoded **out, const rg_decoder *decoder,
                                  const void *const *start, const rg_decode_opts *opts);

/**
 * Beam search: of all continuations of the `width` best hypotheses of a source, and of those that
 * are finished and keep their score, the `width` best; until all are finished.
 *
 * Ties: the lower parent, then the lower token. Width 1 is rg_decode_greedy(). @p start has one row
 * per source, the plan `width` of them.
 *
 * Source     length penalty: Wu et al., "Google's neural machine translation system", 2016
 */
RG_API rg_status rg_decode_beam(rg_decoded **out, const rg_decoder *decoder,
                                const void *const *start, const rg_decode_opts *opts);

/* ---- Labels without places: what rg_ctc() in losses.h trains --------------------------------- */

/* What a model says at every step: classes, one of which is the blank. */
typedef struct rg_frames {
    const void    *z;        /* [T,B,V] logits, as rg_plan_data() returns them */
    rg_dtype       real;     /* what they are: RG_F32 or RG_F64 */
    int64_t        T, B, V;
    const int32_t *steps;    /* [B] real steps, 0 … T; those after them are not read. NULL = T */
    int64_t        blank;
} rg_frames;

/**
 * The best path: the likeliest class of every step, of equals the lowest; of neighbours that are
 * equal one stays, and blanks go.
 *
 * @param[out] out  as rg_decode_greedy(): width 1, `log_p` of that path alone, always finished
 *
 * Errors     RG_EARG no frames, extents, steps or blank out of range; RG_ENONFINITE a real step
 *            that holds NaN or +∞, or nothing but -∞; RG_ENOMEM
 */
RG_API rg_status rg_decode_ctc_greedy(rg_decoded **out, const rg_frames *frames);

/**
 * Prefix beam search: at every step the @p width likeliest beginnings, each the sum over the paths
 * that say it, as far as its own beginnings were kept. `log_p` is ln of that sum: -rg_ctc() of the
 * labels where the beam dropped nothing. Ties: the better beginning before, then the lower label.
 *
 * Errors     as rg_decode_ctc_greedy(); RG_EARG width below 1 or above 65536
 * Cost       T·width·V, and T·width² to find beginnings of each other
 * Source     Graves and Jaitly, "Towards end-to-end speech recognition with recurrent neural
 *            networks", 2014, without a language model
 */
RG_API rg_status rg_decode_ctc_beam(rg_decoded **out, const rg_frames *frames, int64_t width);

RG_API void rg_decoded_destroy(rg_decoded **decoded);

#ifdef __cplusplus
}
#endif
#endif
