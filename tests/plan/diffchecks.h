/* tests/plan/diffchecks.h -- what must hold of a random graph, whatever the plan does to it. */
#ifndef RGT_PLAN_DIFFCHECKS_H
#define RGT_PLAN_DIFFCHECKS_H

#include "tests/plan/programs.h"

enum { DIFF_CHECKS = 4 };

/* What is tested, and what was seen: the pipeline's passes, or a copy with one that is wrong; why
 * the last check failed; the largest differences that were let pass, of programs and of plans. */
typedef struct diff_state {
    const tested_pass *passes;
    char   why[512];
    double worst_program, worst_plan[2];
} diff_state;

extern diff_state diff;

/* Which check fails, or DIFF_CHECKS; @p only: ask no other, if not DIFF_CHECKS. In order: after
 * every pass of the pipeline; after each alone; after all in a shuffled order; plans. */
size_t diff_failing(const random_graph *r, uint64_t seed, size_t only);

/* Passes that are wrong, in place of right ones. */
typedef struct wrong_pass {
    const char *in_place_of;
    rg_pass    *run;
    size_t      most;         /* nodes that show it */
} wrong_pass;

extern const wrong_pass wrong_passes[];
extern const size_t n_wrong_passes;

#endif
