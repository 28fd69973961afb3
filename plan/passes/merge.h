/* plan/passes/merge.h -- what `batch` and `pack` share: nodes that differ in one operand become
 * one node over a stack of these operands, and its slices. */
#ifndef RG_PLAN_PASSES_MERGE_H
#define RG_PLAN_PASSES_MERGE_H

#include "plan/passes/products.h"

typedef struct rg_merge rg_merge;
struct rg_merge {
    rg_prog  *p;
    rg_uses   uses;
    uint32_t *set_of;        /* by node: the set that it belongs to, 0 = none */
    uint32_t  n_set;         /* sets are 1 .. n_set */
    /* Which operand differs, along which of its axes it is stacked, along which the result. */
    uint32_t (*side)(const rg_node *n);
    int      (*axis)(const rg_node *n);
    int      (*grows)(const rg_node *n);
    /* These operands of the members, in a first order; how many. Members may be sorted, too. */
    uint32_t (*operands)(rg_merge *m, const rg_builder *b, uint32_t *member, uint32_t n,
                         uint32_t *part);
    rg_stacks old, made;     /* orders that the old program and the new one know */
    int64_t  *place;         /* by new id of an operand: where it begins in the stack at hand */
    size_t    place_cap;
};

/* The program with the sets merged; a set that would close a circle is split. */
rg_status rg_merge_sets(rg_merge *m, rg_err *err);
/* Releases uses and set_of too. */
void rg_merge_free(rg_merge *m, size_t n_node);

#endif
