/* plan/twins.h -- which node of a program equals another: the table behind hash-consing.
 *
 * Equal nodes have equal operands, so a node is looked for among the readers of its latest
 * operand: a few nodes that were made just before. Only where a value has many readers does a
 * table of hashes take over. */
#ifndef RG_PLAN_TWINS_H
#define RG_PLAN_TWINS_H

#include "plan/prog.h"

typedef struct rg_readers {
    uint32_t first, next;  /* of this value; of the operand that this node is listed under */
} rg_readers;

/* All zero = empty. */
typedef struct rg_twins {
    rg_readers *of;        /* by id */
    size_t      cap;
    rg_index    many;      /* hash of a node -> id, of those beyond the first readers */
} rg_twins;

/* Where a node without a twin goes. */
typedef struct rg_twins_place {
    uint32_t latest;       /* its latest operand; 0 = it has none */
    bool     crowded;      /* which has many readers */
} rg_twins_place;

/* Room for nodes below @p n; false without memory. */
bool rg_twins_reserve(rg_twins *t, const rg_alloc *alloc, uint32_t n);
/* The node of @p p that equals @p node (operands by id in p, in their final order); or 0, and
 * *place for it. */
uint32_t rg_twins_find(const rg_twins *t, const rg_prog *p, const rg_node *node,
                       rg_twins_place *place);
/* Enter node @p id there; false without memory. */
bool rg_twins_add(rg_twins *t, const rg_prog *p, uint32_t id, rg_twins_place place);
void rg_twins_free(rg_twins *t, const rg_alloc *alloc);

#endif
