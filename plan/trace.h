/* plan/trace.h -- what a step is, in words and numbers: for traces and printouts. */
#ifndef RG_PLAN_TRACE_H
#define RG_PLAN_TRACE_H

#include "plan/plan.h"

/* Operations that a node takes, as rg_timed_step counts them: two for each term of a product, else
 * one for each element read or, where that is more, made; none where elements are only moved. */
double rg_node_flop(const rg_prog *p, const rg_node *node);
/* Bytes of its operands and its result. */
double rg_node_bytes(const rg_plan *plan, uint32_t id);

/* Does somebody want to know about the steps of this run? */
static inline bool rg_traces_steps(const rg_plan *plan)
{
    return plan->opts.trace && plan->opts.trace->step;
}
/* Tell the callback about a step that belongs to a node; the rest of @p step is filled in. */
void rg_trace_step(const rg_plan *plan, uint32_t node, rg_timed_step *step);

#endif
