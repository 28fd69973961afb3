/* plan/pipeline.c -- the passes as a table. */
#include "plan/pipeline.h"

#include "base/clock.h"
#include "plan/code.h"
#include "plan/passes/passes.h"

#include <stdio.h>
#include <string.h>

/* In order of running. fold, cse and dce also say what every later pass ends in. Those without a
 * function are choices of what follows the passes, to be left out by name like them. */
static const struct stage {
    const char *name;
    rg_pass    *run;
} pipeline[] = {
    { "fold",       rg_pass_fold },        /* rules with a law each                            */
    { "cse",        rg_pass_cse },         /* equal nodes become one                           */
    { "dce",        rg_pass_dce },         /* what no root needs disappears                    */
    { "split",      rg_pass_split },       /* [x|h]*W = x*W_x + h*W_h                          */
    { "join",       rg_pass_join },        /* sums over gates are one product                  */
    { "reduce",     rg_pass_reduce },      /* sums over time are one product                   */
    { "pack",       rg_pass_pack },        /* products with one left operand are one           */
    { "batch",      rg_pass_batch },       /* products with one right operand are one          */
    { "accumulate", rg_pass_accumulate },  /* products on top of what they are added to        */
    { "recompute",  rg_pass_recompute },   /* under a budget, the backward half in chunks      */
    { "chunk",      rg_pass_chunk },       /* what many rows leave is read while it is near    */
    { "columns",    rg_pass_columns },     /* what shares columns lies in one array            */
    { "remat",      rg_pass_remat },       /* what is cheaper computed again than kept         */
    { "fuse",       rg_pass_fuse },        /* elementwise nodes become tile programs           */
    { "steps",      NULL },                /* kernels over one arena; without: interpreted     */
    { "slots",      NULL },                /* parts are computed where their concat wants them */
    { "inplace",    NULL },                /* results take over memory that dies               */
    { "regions",    NULL },                /* rows run through many steps without meeting      */
    { "solo",       NULL },                /* small plans run on one thread                    */
};
enum { N_STAGE = sizeof pipeline / sizeof *pipeline };

/* The next name in a list separated by blanks or commas; its length, 0 at the end. */
static size_t next_name(const char **at)
{
    *at += strspn(*at, " ,");
    return strcspn(*at, " ,");
}

bool rg_pipeline_has(const char *list, const char *name)
{
    const char *at = list ? list : "";
    for (size_t n; (n = next_name(&at)); at += n)
        if (n == strlen(name) && memcmp(at, name, n) == 0)
            return true;
    return false;
}

static bool known(const char *name, size_t n)
{
    for (int i = 0; i < N_STAGE; i++)
        if (strlen(pipeline[i].name) == n && memcmp(pipeline[i].name, name, n) == 0)
            return true;
    return false;
}

rg_status rg_pipeline_check(rg_graph *g, const char *disable)
{
    char names[256] = "";
    const char *at = disable ? disable : "";
    for (size_t n, used = 0; (n = next_name(&at)); at += n) {
        if (known(at, n))
            continue;
        for (int i = 0; i < N_STAGE; i++)
            used += (size_t)snprintf(names + used, sizeof names - used, " %s", pipeline[i].name);
        return rg_graph_fail(g, RG_EARG, "plan: disable: no pass is called '%.*s'; there are%s",
                             n < 40 ? (int)n : 40, at, names);
    }
    return RG_OK;
}

const char *rg_pipeline_name(size_t i)
{
    return i < N_STAGE ? pipeline[i].name : NULL;
}

rg_pass *rg_pipeline_pass(size_t i)
{
    return i < N_STAGE ? pipeline[i].run : NULL;
}

static rg_status run_stage(rg_prog *p, const struct stage *stage, const rg_plan_opts *o,
                           rg_err *err)
{
    const rg_trace *trace = o->trace;
    const bool timed = trace && trace->pass;
    const double start = timed ? rg_seconds() : 0;
    rg_status st = stage->run(p, err);
    if (!st && o->verify && (st = rg_prog_verify(p, err)))
        rg_err_prefix(err, stage->name);
    if (!st && timed)
        trace->pass(trace->user, stage->name, p->n_node - 1, rg_seconds() - start);
    return st;
}

rg_status rg_pipeline_run(rg_prog *p, const rg_plan_opts *o, rg_err *err)
{
    rg_status st = o->verify ? rg_prog_verify(p, err) : RG_OK;
    p->flush = o->real == RG_F32 && !o->keep_subnormals;
    p->keep = o->keep;
    p->fold = !rg_pipeline_has(o->disable, "fold");
    p->cse = !rg_pipeline_has(o->disable, "cse");
    p->dce = !rg_pipeline_has(o->disable, "dce");
    for (int i = 0; i < N_STAGE && !st && o->effort != RG_INTERPRET; i++)
        if (pipeline[i].run && !rg_pipeline_has(o->disable, pipeline[i].name))
            st = run_stage(p, &pipeline[i], o, err);
    return st;
}

rg_status rg_pipeline_setup(rg_plan *plan, rg_err *err)
{
    const bool steps = plan->opts.effort != RG_INTERPRET &&
                       !rg_pipeline_has(plan->opts.disable, "steps");
    return (steps ? rg_optimizer : rg_interpreter).setup(plan, err);
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
