/* plan/read.c -- what a plan shows: values, facts, messages. */
#include "plan/plan.h"

#include <math.h>

const char *rg_plan_message(const rg_plan *plan)
{
    return plan ? plan->err.text : "no plan: ask the graph";
}

const void *rg_plan_data(rg_plan *plan, rg_val v)
{
    if (!plan)
        return NULL;
    uint32_t id = v.graph == plan->graph && v.id && v.id < plan->prog.n_of_graph
                      ? plan->prog.of_graph[v.id] : 0;
    if (!id || !plan->readable[id]) {
        rg_fail(&plan->err, RG_EARG, "data: value %%%u is no root of the plan (opts.keep makes "
                "every value readable)", (unsigned)v.id);
        return NULL;
    }
    if (!plan->has_run) {
        rg_fail(&plan->err, RG_ESTATE, "data: the plan has not run, or its last run failed");
        return NULL;
    }
    for (size_t i = 0; i < plan->n_gradient; i++)
        if (plan->gradient[i].id == id && plan->gradient[i].sum)
            return plan->gradient[i].sum;
    return plan->value[id];
}

double rg_plan_scalar(rg_plan *plan, rg_val v)
{
    const void *data = rg_plan_data(plan, v);
    if (!data)
        return NAN;
    const rg_node *node = &plan->prog.node[plan->prog.of_graph[v.id]];
    if (rg_shape_count(*node->shape) != 1) {
        rg_fail(&plan->err, RG_ESHAPE, "scalar: value %%%u has more than one element",
                (unsigned)v.id);
        return NAN;
    }
    if (node->kind == RG_INT)
        return *(const int32_t *)data;
    if (node->kind == RG_BOOL)
        return *(const uint8_t *)data;
    return plan->opts.real == RG_F64 ? *(const double *)data : (double)*(const float *)data;
}

rg_plan_report rg_plan_facts(const rg_plan *plan)
{
    rg_plan_report r = { .nodes = 0 };
    if (!plan)
        return r;
    r = plan->report;
    r.threads = plan->threads;
    r.mode = plan->opts.mode;
    r.real = plan->opts.real;
    return r;
}
