/* plan/passes/sums.h -- what `join` and `reduce` share: sums of products become one product. */
#ifndef RG_PLAN_PASSES_SUMS_H
#define RG_PLAN_PASSES_SUMS_H

#include "plan/passes/products.h"

/* A leaf's key within its tree: leaves of equal keys become one product. false: it is no member.
 * word[0] is the tree, set by the caller; word[7] asks that operands are added, not stacked. */
typedef struct rg_sums rg_sums;
typedef bool rg_sums_key(const rg_sums *s, uint32_t leaf, rg_key *key);

struct rg_sums {
    rg_prog    *p;
    rg_uses     uses;
    rg_trees    trees;
    rg_stacks   stacks;
    rg_groups   groups;     /* for join */
    uint32_t   *family;     /* for join */
    uint8_t    *stacked;    /* for reduce: values that some merged product stacks */
    rg_buckets  sets;       /* leaves by tree and key */
    uint32_t  **member;     /* by set: its leaves in their final order; NULL = stays as it is */
    uint32_t   *sum;        /* by set, while rebuilding: the operands so far, if they are added */
    bool        over_gates; /* join */
};

/* Merge the leaves of each addition tree by key, put stacks into one order, rebuild the program. */
rg_status rg_sums_run(rg_sums *s, rg_sums_key *key, rg_err *err);

#endif
