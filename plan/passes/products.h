/* plan/passes/products.h -- what the product passes know about a program: who uses a value, which
 * products share a right operand and how deep they lie in that group, which sums are one tree, and
 * which values are stacked in which order.
 *
 * A product A·B has three indices, so there are three ways to merge products and no fourth:
 *
 *     K   Σ Aᵢ·Bᵢ = [A₁|…|Aₙ]·[B₁;…;Bₙ]        join (over gates), reduce (over time)
 *     M   A₁·B, …, Aₙ·B = [A₁;…;Aₙ]·B           batch
 *     N   A·B₁, …, A·Bₙ = A·[B₁|…|Bₙ]           pack
 *
 * Nothing here or in those passes knows a cell, a layer or a direction. All walks are loops. */
#ifndef RG_PLAN_PASSES_PRODUCTS_H
#define RG_PLAN_PASSES_PRODUCTS_H

#include "ops/ops.h"
#include "plan/builder.h"

/* ---- Users ---------------------------------------------------------------------------------- */

/* users[first[id] .. first[id+1]-1] read value id, once for each operand that is it. */
typedef struct rg_uses {
    uint32_t *first, *user;
    uint8_t  *root;        /* is it a root, or with `keep` a value of the graph? */
    uint32_t  n_node;
    size_t    n_user;
} rg_uses;

rg_status rg_uses_make(rg_uses *u, rg_prog *p, rg_err *err);
void rg_uses_free(rg_uses *u, const rg_prog *p);

static inline uint32_t rg_use_count(const rg_uses *u, uint32_t id)
{
    return u->first[id + 1] - u->first[id];
}

/* Exactly one use, and nobody outside reads it. */
static inline bool rg_used_once(const rg_uses *u, uint32_t id)
{
    return rg_use_count(u, id) == 1 && !u->root[id];
}

/* ---- Groups: products by right operand, look-ups by table ------------------------------------ */

typedef struct rg_group {
    uint32_t right;        /* the shared operand */
    uint32_t members;
    uint32_t levels;       /* longest chain of members that feed each other */
    bool     deep;         /* a recurrence, not something to hoist */
} rg_group;

typedef struct rg_groups {
    uint32_t *of;          /* by node: its group, 0 = none */
    uint32_t *depth;       /* by node: place in the longest chain of its group, from 1 */
    rg_group *group;       /* [0] unused */
    uint32_t  n_group, n_node;
    size_t    cap;
} rg_groups;

rg_status rg_groups_make(rg_groups *g, rg_prog *p, rg_err *err);
void rg_groups_free(rg_groups *g, const rg_prog *p);

static inline bool rg_is_product(const rg_node *n)
{
    return n->op == &rg_op_matmul && n->shape->rank == 2;
}

static inline const rg_attr_matmul *rg_flags_of(const rg_node *product)
{
    return product->attr;
}

/* ---- Sums: maximal trees of additions -------------------------------------------------------- */

typedef struct rg_trees {
    uint32_t *root;        /* n_tree of them, ascending */
    uint32_t *first;       /* leaf[first[k] .. first[k+1]-1], left to right */
    uint32_t *leaf;
    uint32_t *of;          /* by node: root of the tree it is part of, 0 = none */
    uint8_t  *inner;       /* by node: an addition inside a tree */
    uint32_t  n_tree, n_node;
    size_t    n_leaf;
} rg_trees;

rg_status rg_trees_make(rg_trees *t, rg_prog *p, const rg_uses *u, rg_err *err);
void rg_trees_free(rg_trees *t, const rg_prog *p);

/* ---- Stacks: one order per set of values, or stacks would have to be copied ------------------ */

typedef struct rg_stacked_parts {
    const uint32_t *part;
    uint32_t        n;
    int             axis;
} rg_stacked_parts;

typedef struct rg_stacks {
    const rg_node *node;
    rg_stacked_parts  *stack;      /* [0] unused */
    size_t     n_stack, cap;
    rg_index   by_set;     /* hash of (axis, set of parts) -> stack */
    rg_index   by_part;    /* hash of (axis, part) -> first stack that holds it */
    uint32_t  *mark;       /* by node: place in the set at hand + 1 */
    size_t     mark_cap;
    uint32_t   seen;       /* nodes below have been looked at */
    bool       failed;
} rg_stacks;

/* How good the reason for an order is. */
typedef enum rg_order {
    RG_ORDER_FREE = 0, RG_ORDER_BESIDE, RG_ORDER_KNOWN, RG_ORDER_FIXED
} rg_order;

/* Enter every concat among nodes 1 .. n-1 that has not been entered yet. *s all zero to start; the
 * nodes may have moved since the last call. */
void rg_stacks_look(rg_stacks *s, rg_prog *p, const rg_node *node, uint32_t n);
void rg_stacks_free(rg_stacks *s, const rg_prog *p);
/* @p part is permanent. */
void rg_stacks_add(rg_stacks *s, rg_prog *p, const uint32_t *part, uint32_t n, int axis);
/* Put the n distinct parts into the best order known: slices of one value keep its layout (an
 * input cannot be moved), a known set keeps its order, a set that shares one end of a known
 * stack puts its new members on the other side; else they stay as they are. */
rg_order rg_stacks_order(rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n, int axis);

/* The distinct new values of old parts, in the best order: what the old program knows, which saw
 * its backward part, or else what the new one has built so far. Returns how many; they are in @p
 * part. */
uint32_t rg_stacks_map(rg_stacks *old, rg_stacks *made, rg_builder *b, uint32_t *part, uint32_t n,
                       int axis);

/* ---- Contraction: the program with each set of nodes as one node ----------------------------- */

typedef struct rg_contraction {
    uint32_t *node;        /* all nodes, item by item in a legal order */
    uint32_t *first;       /* node[first[k] .. first[k+1]-1] is item k: one node, or a set */
    uint32_t  n_item, n_node;
} rg_contraction;

/* @p set_of names the set of each node, 0 = none; sets are 1 .. n_set. Where nothing is ready, one
 * partly ready set is split into its ready members and the rest, lowest id first. */
rg_status rg_contract(rg_contraction *c, rg_prog *p, const rg_uses *u, const uint32_t *set_of,
                      uint32_t n_set, rg_err *err);
void rg_contraction_free(rg_contraction *c, const rg_prog *p);

/* ---- Buckets: nodes by an exact key ---------------------------------------------------------- */

enum { RG_KEY_WORDS = 8 };
typedef struct rg_key { uint64_t word[RG_KEY_WORDS]; } rg_key;
typedef struct rg_bucket {
    rg_key   key;
    uint32_t first, last, n;  /* members in order of arrival: first, next[first], … */
} rg_bucket;
typedef struct rg_buckets {
    rg_bucket *bucket;        /* 1 .. n-1 */
    size_t     n, cap;
    uint32_t  *next;          /* by member */
    size_t     next_cap;
    rg_index   index;
} rg_buckets;

/* A member may be put once. false: no memory. */
bool rg_bucket_put(rg_buckets *b, const rg_alloc *alloc, const rg_key *key, uint32_t id);
uint32_t *rg_bucket_members(const rg_buckets *b, const rg_bucket *bucket, rg_arena *arena);
void rg_buckets_free(rg_buckets *b, const rg_alloc *alloc);

/* A weight's family, by node: which set of weights it most often meets one left operand with; 0 =
 * none. @p sets holds products by left operand. The caller releases *family (p->n_node items). */
rg_status rg_families_make(uint32_t **family, rg_prog *p, const rg_buckets *sets, rg_err *err);

/* ---- Making nodes ---------------------------------------------------------------------------- */

/* All of the new program; inferred shape; 0 without memory. */
uint32_t rg_make(rg_builder *b, const rg_node *like, const rg_op *op, const void *attr,
                 const uint32_t *in, uint32_t n_in);
uint32_t rg_make_concat(rg_builder *b, const rg_node *like, const uint32_t *part, uint32_t n,
                        int axis);
/* Some rows of a sum over rows: of aᵀ·b, in being a, b and the sum so far; of column sums, x, any,
 * so far. So far is 0 at the beginning; `last` = this is the end. */
uint32_t rg_make_stretch(rg_builder *b, const rg_node *sum, const uint32_t in[3], bool backwards,
                         bool last);
uint32_t rg_make_part(rg_builder *b, const rg_node *like, uint32_t x, int axis, int64_t begin,
                      int64_t end);

/* Axis of the sum in the stored operand 0 or 1 of a product. */
static inline int rg_sum_axis(const rg_node *product, int side)
{
    const rg_attr_matmul *t = product->attr;
    return side == 0 ? !t->transpose_a : t->transpose_b;
}

/* Ascending, in place, no memory. */
void rg_sort_ids(uint32_t *id, size_t n);
/* By key, ties by id; two arrays move together. */
void rg_sort_by(uint32_t *id, uint64_t *key, size_t n);

#endif
