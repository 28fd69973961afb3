/* plan/pipeline.c -- the passes as a table. */
#include "plan/pipeline.h"

rg_status rg_pipeline_check(rg_graph *g, const char *disable)
{
    (void)g, (void)disable;
    return RG_OK;
}

rg_status rg_pipeline_run(rg_prog *p, const rg_plan_opts *opts, rg_err *err)
{
    return opts->verify ? rg_prog_verify(p, err) : RG_OK;
}

rg_status rg_pipeline_setup(rg_plan *plan, rg_err *err)
{
    return rg_interpreter.setup(plan, err);
}

void rg_pipeline_destroy(rg_plan *plan)
{
    if (plan->exec)
        plan->exec->how->destroy(plan);
}

rg_status rg_pipeline_execute(rg_plan *plan, uint64_t run)
{
    return plan->exec->how->run(plan, run);
}
