/* train/trial.h -- between training on a problem and testing. */
#ifndef RG_TRAIN_TRIAL_H
#define RG_TRAIN_TRIAL_H

#include <retrograd/experiments.h>

#include "base/error.h"

/* What a plan reads: a batch as the generators write it, and in the plan's precision. */
typedef struct rg_feed {
    const rg_problem *problem;
    int64_t        B;
    rg_dtype       real;        /* of the plan */
    size_t         n_x, n_y;    /* elements */
    double        *x, *number;  /* as made; number NULL for classes */
    float         *x32, *number32;
    int32_t       *label;
} rg_feed;

/* Take buffers and bind them. rg_feed_release() in any case. */
rg_status rg_feed_create(rg_feed *f, const rg_problem *p, const rg_problem_graph *g, rg_plan *plan,
                         int64_t B, rg_err *err);
/* The batch of a step into the bound memory. */
void rg_feed_fill(rg_feed *f, uint64_t seed, uint64_t step, bool test);
void rg_feed_release(rg_feed *f);

/* A plan that tests: graph, plan, batch. */
typedef struct rg_tester {
    const rg_problem *problem;
    rg_problem_graph  g;
    rg_plan       *plan;
    rg_feed        feed;
} rg_tester;

rg_status rg_tester_create(rg_tester *t, rg_params *params, const rg_problem *p,
                           const rg_problem_model *model, const rg_plan_opts *plan, rg_err *err);
/* The first @p rows test rows, 0 = all. */
rg_status rg_tester_run(rg_problem_score *score, rg_tester *t, uint64_t seed, uint64_t rows,
                        rg_err *err);
void rg_tester_destroy(rg_tester *t);

#endif
