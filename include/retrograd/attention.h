/* retrograd/attention.h -- attention over a memory, decoders that attend, and the small pieces of
 * the five mappings between sequences: compositions of ops.h and layers.h, nothing else.
 *
 * S steps of the source, T of the target, B rows, D memory width, H state width, E width of a
 * decoder's input. What each means exactly: docs/MATH.md 8; the five as programs: docs/MAPPINGS.md.
 */
#ifndef RETROGRAD_ATTENTION_H
#define RETROGRAD_ATTENTION_H

#include "layers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Attention ----------------------------------------------------------------------------- */

/* How well query q [Q] and a step of the memory, m [D], agree. */
typedef enum rg_score {
    RG_SCORE_ADDITIVE = 0,  /* v·tanh(q·Wq + m·Wm + ba)   Bahdanau et al. 2015 */
    RG_SCORE_DOT      = 1,  /* q·m, Q = D                 Luong et al. 2015, as the next two */
    RG_SCORE_GENERAL  = 2,  /* q·Wa·m */
    RG_SCORE_CONCAT   = 3   /* v·tanh([q;m]·Wa) */
} rg_score;

typedef struct rg_attention_opts {
    rg_score score;
    int64_t  width;  /* of v, where the score has one; 0 = Q */
    bool     scale;  /* dot and general: divided by √D */
} rg_attention_opts;

/* A memory ready to be asked, rows first. Plain data of one graph, copied freely. A program that
 * asks one step at a time may put inputs in place of memory, keys and mask, bound to what another
 * plan computed of them: the step then repeats none of that work. */
typedef struct rg_attention {
    rg_val memory;   /* [B,S,D], 0 where masked */
    rg_val keys;     /* [B,S,A]: m·Wm + ba, or m's part of the concat score; else none */
    rg_val mask;     /* [B,S] RG_BOOL, or none */
    rg_val Wq, v;    /* [Q,A], [A]; general: Wq [Q,D] alone; dot: none */
    double factor;   /* of the score */
} rg_attention;

/**
 * Declare the weights of a score, and compute once what it needs of the memory.
 *
 * @param M      [S,B,D], what an encoder's rg_unroll() returned; S = 0 is legal
 * @param mask   [S,B] RG_BOOL, 1 = real step: rg_length_mask(). RG_NONE = all real. What M holds
 *               elsewhere, NaN included, changes nothing
 * @param group  prefix of the weights: `group.Wq`, `group.Wm`, `group.ba`, `group.v` (additive),
 *               `group.Wa` (general), `group.Wa`, `group.v` (concat); matrices glorot, v glorot
 *               as a column, ba 0
 * @param Q      width of the queries
 *
 * Errors     RG_ESHAPE M is not [S,B,D], mask is not [S,B], dot with Q unlike D; RG_EDTYPE a mask
 *            that is not RG_BOOL; RG_EARG Q or width < 1, width or scale where the score has none.
 *            Sticky.
 */
RG_API rg_attention rg_attention_over(rg_val M, rg_val mask, const char *group, int64_t Q,
                                      const rg_attention_opts *opts);

/**
 * α = softmax over the real steps s of score(q, m_s),   ctx = Σ_s α_s·m_s
 *
 * @param[out] alpha  [B,S] weights, 0 where masked; NULL if not wanted
 * @param q           [B,Q]
 * @return            ctx [B,D]. A row without a real step has α = 0 and ctx = 0
 *
 * Errors     RG_ESHAPE q is not [B,Q]. Sticky.
 * Cost       additive: 3·S·B·A, and 2·S·B·D for the sum
 */
RG_API rg_val rg_attend(rg_val *alpha, const rg_attention *attention, rg_val q);

/* Each slice of x along @p axis k times in a row: [a b] -> [a a b b]. With it a step that has k
 * rows for every source reads a memory of one row each. */
RG_API rg_val rg_repeat(rg_val x, int axis, int64_t k);

/* ---- Decoders that attend ------------------------------------------------------------------ */

/* A decoder is a cell, to be given to rg_unroll() or rg_step(). Its states:
 *     0               what logits are made of: rg_dense(y, "out", V)
 *     1 .. n          those of the cell inside
 *     n+1             α [B,S], never read: free where nobody asks for it */

/**
 * Bahdanau, Cho, Bengio 2015: the context comes from the state before the step.
 *
 *     ctx = attend(h)     h', … = cell([x; ctx], h, …)     output [h'; ctx; x]
 *
 * @param cell       made for inputs of width E + D; of a stack, h is the top layer's
 * @param attention  over the memory, Q = H. Both are copied
 * @param E          width of x
 *
 * Errors     RG_EARG a cell without widths, E < 1; RG_ESHAPE as rg_attend() and the cell. Sticky.
 */
RG_API rg_cell rg_bahdanau(rg_graph *graph, const rg_cell *cell, const rg_attention *attention,
                           int64_t E);

/**
 * Luong, Pham, Manning 2015, with input feeding: the context comes from the state after the step.
 *
 *     h', … = cell([x; a], h, …)     ctx = attend(h')     a' = tanh([ctx; h']·Wc)     output a'
 *
 * @param group   prefix of `group.Wc` [D+H,A], glorot
 * @param cell    made for inputs of width E + A
 * @param A       width of a, 0 before the first step; of the output
 *
 * Errors     as rg_bahdanau(). Sticky.
 */
RG_API rg_cell rg_luong(rg_graph *graph, const char *group, const rg_cell *cell,
                        const rg_attention *attention, int64_t A);

/**
 * Initial states of an attending decoder: zeros but for those of the cell inside.
 *
 * @param[out] s0   decoder->n_state values
 * @param inner     those of the cell inside, e.g. from rg_bridge(); NULL = zeros
 */
RG_API void rg_attending_start(rg_val *s0, const rg_cell *decoder, const rg_val *inner);

/* α of all steps, [T,B,S]: @p states is what opts.states of rg_unroll() received. */
RG_API rg_val rg_attention_weights(const rg_cell *decoder, const rg_val *states, int64_t T);

/**
 * From an encoder's final states to a decoder's initial ones.
 *
 * @param[out] s0   cell->n_state values
 * @param cell      the decoder's (the one inside, if it attends)
 * @param last      n final states [B,·] of the encoder
 * @param backward  n more, of an encoder that also reads from the end; NULL = there is none
 * @param n         as many as the cell has: state k comes from last[k], or [last[k]; backward[k]];
 *                  any other number: from all of them joined
 * @param group     prefix of a bridge: s0[k] = tanh(from·W + b), `group.s<k>.W`, `group.s<k>.b`.
 *                  NULL = no bridge, states are handed over as they are
 *
 * Errors     without a bridge: RG_ESHAPE another number or width of states, RG_EARG a backward
 *            half. Sticky.
 * Source     Sutskever, Vinyals, Le 2014 (handed over); Cho et al. 2014 (tanh)
 */
RG_API void rg_bridge(rg_val *s0, const rg_cell *cell, const rg_val *last, const rg_val *backward,
                      size_t n, const char *group);

/* ---- Scheduled sampling -------------------------------------------------------------------- */

/* What lies between two steps of a decoder, and how often it hears itself. */
typedef struct rg_scheduled {
    rg_map_fn  *read;     /* tokens [B] RG_INT -> what the cell reads [B,E]: an embedding */
    rg_map_fn  *say;      /* the cell's output [B,D] -> logits [B,V], in the scope `say step t` */
    const void *weights;  /* of both */
    int32_t     begin;    /* token read first */
    double      share;    /* of later tokens that are the decoder's own, in [0, 1) */
    const char *stream;   /* name of the draws */
} rg_scheduled;

/**
 * A decoder in training that reads [begin, y_0, …, y_{T-2}], but in place of some of these the
 * likeliest token that it said itself, argmax z_{t-1}: each with probability `share`, by a draw for
 * every step, row and run. No gradient goes through the choice. In an evaluation plan it reads the
 * truth.
 *
 * @param cell   read during the call; its initial states s0 as in rg_step()
 * @param y      [T,B] RG_INT targets, T at least 1
 * @return       logits [T,B,V]
 *
 * Errors     RG_EARG no cell, function or stream, a share out of range; RG_ESHAPE, RG_EDTYPE y;
 *            else as rg_step(). Sticky.
 * Cost       as rg_unroll(), but no product of one step can join that of the next
 * Source     S. Bengio, Vinyals, Jaitly, Shazeer, "Scheduled sampling for sequence prediction with
 *            recurrent neural networks", 2015
 */
RG_API rg_val rg_scheduled_sampling(const rg_cell *cell, rg_val y, const rg_val *s0,
                                    const rg_scheduled *opts);

/* ---- One-to-many: how one vector enters a sequence ----------------------------------------- */

/* As the initial state, every one with weights of its own: s0[k] = tanh(x·W + b), `group.s<k>.W`.
 * x is [B,I]; s0 receives cell->n_state values. */
RG_API void rg_feed_init(rg_val *s0, const rg_cell *cell, rg_val x, const char *group);
/* In place of the first input: [x, e_1, …, e_{T-1}]. x is [B,E], e [T,B,E], T at least 1. */
RG_API rg_val rg_feed_first(rg_val e, rg_val x);
/* Beside every input: [e_t; x]. x is [B,I], e [T,B,E]; returns [T,B,E+I]. */
RG_API rg_val rg_feed_every(rg_val e, rg_val x);
/* What a decoder reads in training: [first, y_0, …, y_{T-2}] of y [T,B] RG_INT; B rows of the token
 * @p first, "begin". */
RG_API rg_val rg_shift_in(rg_val y, int32_t first);

/* ---- Many-to-one: one vector from the outputs of a sequence -------------------------------- */
/* The final states, `last` of rg_unroll(), are the usual choice, never the output at T-1. Those
 * below take y [T,B,H] and mask [T,B] (RG_NONE = all real) to [B,H]; a row without a real step
 * gives 0. */

RG_API rg_val rg_pool_mean(rg_val y, rg_val mask);  /* mean over the real steps */
RG_API rg_val rg_pool_max(rg_val y, rg_val mask);   /* largest over the real steps, of each unit */
/* Σ_t α_t·y_t, α = softmax over the real steps of v·tanh(y_t·W + b): `group.W` [H,A], `group.b`,
 * `group.v` [A]. alpha [B,T] may be NULL. Source: Yang et al. 2016 */
RG_API rg_val rg_pool_attention(rg_val *alpha, rg_val y, rg_val mask, const char *group, int64_t A);

#ifdef __cplusplus
}
#endif
#endif
