/* tests/plan/shrink.h -- a graph that fails, cut down to what it takes to fail. */
#ifndef RGT_PLAN_SHRINK_H
#define RGT_PLAN_SHRINK_H

#include "tests/plan/random_graph.h"

enum { SHRINK_CUTS = 256 };

/* What is left of a graph: these roots; and nodes that became inputs, with the value they have. */
typedef struct edits {
    uint32_t root[RG_RANDOM_ROOTS], cut[SHRINK_CUTS]; /* ids */
    size_t   n_root, n_cut;
} edits;

/* Everything is left. */
edits edits_none(const random_graph *r);

/* The graph that is left. It borrows the parameters of @p r. */
void edited_make(random_graph *out, const random_graph *r, const edits *e);
void edited_free(random_graph *out);
/* Its nodes that are computed. */
size_t edited_size(const random_graph *r);

typedef bool still_fails(void *user, const random_graph *r);
/* Drop roots, take the lowest node in place of the root, cut nodes from the top down: as long as it
 * fails. */
edits shrink(const random_graph *r, still_fails *fails, void *user);

#endif
