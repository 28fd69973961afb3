/* plan/passes/recompute.h -- what the files of `recompute` share: chunks of the backward half, what
 * they compute again, and the sums that they do a stretch each. */
#ifndef RG_PLAN_PASSES_RECOMPUTE_H
#define RG_PLAN_PASSES_RECOMPUTE_H

#include "plan/passes/products.h"

/* A stack of rows that come to be step by step, and that sums over rows and products alone read:
 * it need not be there as a whole. Parts are counted in the order in which they come to be. */
typedef struct rg_late_stack {
    uint32_t id, n;
    bool     down;         /* the last row is the first to come */
    uint32_t at;           /* parts that are done with */
    uint32_t reader, end;  /* readers reader .. end-1 */
} rg_late_stack;

typedef struct rg_late_reader {
    uint32_t  node, stack;
    uint32_t  sum;         /* how far it has come, in the new program; 0 = not begun */
    uint32_t *piece;       /* of a product whose rows are the stack's: its chunks */
    uint32_t  n_piece;
} rg_late_reader;

/* Steps that run one after the other, and whose stacks are done with together. Their nodes are
 * those behind the chunk before (behind `begin`, for the first of a loop) up to `end`. */
typedef struct rg_chunk {
    uint32_t begin;        /* the loop's first part: what is older was there before it */
    uint32_t end;
    uint32_t stack, stacks;/* the loop's: stack .. stack + stacks - 1 */
    bool     again;        /* computes again what it reads of the past; else that is kept */
    bool     down;
    uint32_t cone, n_cone; /* what is computed again: so many of r->cone */
} rg_chunk;

/* Neighbouring rows of a product that only slices read: computed where the first is read. */
typedef struct rg_piece {
    uint32_t product, made;
    int64_t  begin, end;
} rg_piece;

typedef struct rg_recompute {
    rg_prog   *p;
    const rg_node *node;    /* of the old program */
    rg_arena   arena;
    rg_uses    uses;
    rg_builder b;
    rg_late_stack  *stack;  /* by loop, loops in order of running */
    rg_late_reader *reader;
    uint32_t   n_stack, n_reader;
    rg_chunk  *chunk;       /* [0] unused; in order of running */
    uint32_t   n_chunk;     /* 1 .. n_chunk-1 */
    uint32_t  *chunk_of;    /* by id: the chunk that it runs in; 0 = none */
    uint8_t   *sunk;        /* by id: it runs there since its readers do, and is made there */
    uint32_t  *to_sink;     /* by chunk: the first such node; and by node the next */
    uint32_t  *sink_next;
    uint32_t  *reader_of;   /* by id: 1 + its number among readers; 0 = it is none */
    uint8_t   *stacked;     /* by id: a late stack, or the other factor of a sum over one */

    uint32_t  *first, *last;/* by value: of the chunks that read what was made before; 0 = none */
    uint8_t   *pinned;      /* by value: others read it then, too, or from outside */
    uint8_t   *fixed;       /* by value: a leaf, or leaves in another form */
    uint8_t   *state;       /* by value: the next turn of its loop reads it */
    uint8_t   *kept, *drop; /* by value that chunks read: one of both */
    uint8_t   *cut;         /* by value: a product that only slices of rows read */
    uint32_t  *depth;       /* by value: products on the longest way to it from what is kept */
    uint32_t  *low;         /* by value: the last chunk that finds all that it is computed from */
    uint32_t  *cone;        /* chunk by chunk */
    size_t     n_cone, cone_cap;
    uint32_t  *again;       /* by value: its latest copy */
    uint32_t  *weight;      /* by right operand: the same for copies, packed on its own */
    uint32_t  *piece_of;    /* by slice: 1 + its piece; 0 = none */
    rg_piece  *piece;
    size_t     n_piece, piece_cap;
    uint32_t  *rows[8];     /* stacks that the chunk at hand has made */
    uint32_t   n_rows[8], stack_of[8], n_made;
    uint32_t  *operand;     /* operands on their way, and what they were mapped to */
    size_t     operand_cap;
} rg_recompute;

/* ---- stretches.c: late stacks, chunks, and sums in stretches --------------------------------- */

/* Stacks, readers, chunks; none: nothing is to be done. */
rg_status rg_stretches_find(rg_recompute *r, rg_err *err);
/* Behind the last node of a chunk: what reads its part of the stacks. */
void rg_stretches_make(rg_recompute *r, uint32_t chunk);
/* What a reader of a late stack has become. */
uint32_t rg_stretches_result(rg_recompute *r, uint32_t id);
/* Part of a stack, or of its readers, by the order of coming to be. */
static inline uint32_t rg_late_part(const rg_late_stack *s, uint32_t k)
{
    return s->down ? s->n - 1 - k : k;
}

/* ---- keep.c: what is kept, what is computed again -------------------------------------------- */

rg_status rg_keep_find(rg_recompute *r, rg_err *err);
/* A slice of rows of a product that only such slices read. */
static inline bool rg_is_cut(const rg_recompute *r, uint32_t id)
{
    const rg_node *n = &r->node[id];
    return n->op == &rg_op_slice && r->cut[n->in[0]];
}

/* ---- again.c: copies, merged over a chunk ---------------------------------------------------- */

/* Cones of all chunks, and the pieces into which products fall. */
rg_status rg_again_find(rg_recompute *r, rg_err *err);
void rg_again_make(rg_recompute *r, uint32_t chunk);
/* What a node that runs in this chunk (0 = in none) reads in place of old value @p id. */
uint32_t rg_again_operand(rg_recompute *r, uint32_t id, uint32_t chunk);
/* Rows of these new values in one stack; the same for the same. */
uint32_t rg_again_stack(rg_recompute *r, const rg_node *like, const uint32_t *part, uint32_t n);

#endif
