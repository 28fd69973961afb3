/* plan/pipeline.h -- the passes as a table, and the executor that a plan ends in. */
#ifndef RG_PLAN_PIPELINE_H
#define RG_PLAN_PIPELINE_H

#include "plan/passes/passes.h"
#include "plan/plan.h"

/* Every name in @p disable a pass that may be left out? RG_EARG in the graph, with the names. */
rg_status rg_pipeline_check(rg_graph *g, const char *disable);
/* The names, in order; NULL behind the last. */
const char *rg_pipeline_name(size_t i);
/* The function; NULL for what is a choice behind the passes. */
rg_pass *rg_pipeline_pass(size_t i);
/* Is @p name in this list, separated by blanks or commas? */
bool rg_pipeline_has(const char *list, const char *name);
/* All passes that the options leave in, verified and traced one by one. */
rg_status rg_pipeline_run(rg_prog *p, const rg_plan_opts *opts, rg_err *err);
/* Give every value its place and every step its kernel. */
rg_status rg_pipeline_setup(rg_plan *plan, rg_err *err);
void rg_pipeline_destroy(rg_plan *plan);
rg_status rg_pipeline_execute(rg_plan *plan, uint64_t run);

#endif
