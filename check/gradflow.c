/* check/gradflow.c -- the measurement as a whole: what is done, in order. docs/MATH.md 14. */
#include "check/gradflow.h"

#include <string.h>

/* A report and its memory: the caller sees the first part. */
struct box {
    rg_gradflow_report pub;
    rg_alloc           alloc;
    rg_arena           arena;
};

rg_status rg_flow_no_memory(rg_flow *f)
{
    return rg_fail(&f->err, RG_ENOMEM, "gradflow: no memory");
}

static rg_status check_options(rg_flow *f)
{
    const rg_gradflow_opts *o = &f->opts;
    if ((unsigned)o->probe > RG_PROBE_JACOBIAN)
        return rg_fail(&f->err, RG_EARG, "gradflow: probe is no member of rg_probe");
    if (o->draws < 0 || o->draws > 100000)
        return rg_fail(&f->err, RG_EARG, "gradflow: draws is %d, allowed are 0 .. 100000",
                       o->draws);
    if (o->lag < 0)
        return rg_fail(&f->err, RG_EARG, "gradflow: lag is negative");
    if (o->real != RG_F32 && o->real != RG_F64)
        return rg_fail(&f->err, RG_EARG, "gradflow: real must be RG_F32 or RG_F64");
    if ((o->n_gate && !o->gates) || (o->gates && !o->n_gate))
        return rg_fail(&f->err, RG_EARG, "gradflow: gates and n_gate belong together");
    if (o->data && o->data->graph != f->g)
        return rg_fail(&f->err, RG_EGRAPH, "gradflow: the plan that the data is to come from is of "
                       "another graph");
    if (o->x.id && o->x.graph != f->g)
        return rg_fail(&f->err, RG_EGRAPH, "gradflow: x is of another graph");
    return RG_OK;
}

rg_status rg_flow_check(rg_flow *f)
{
    if (!f->g || !rg_node_of(f->y))
        return f->g && f->g->status
                   ? rg_fail(&f->err, f->g->status, "%s", rg_graph_message(f->g))
                   : rg_fail(&f->err, RG_EARG, "gradflow: y is no value");
    if (f->g->status)
        return rg_fail(&f->err, f->g->status, "%s", rg_graph_message(f->g));
    if (rg_kind_of(f->y) != RG_F)
        return rg_fail(&f->err, RG_EARG, "gradflow: y is no real value");
    if (f->opts.probe == RG_PROBE_LOSS && rg_shape_of(f->y).rank)
        return rg_fail(&f->err, RG_ESHAPE, "gradflow: the probe loss needs a scalar y");
    return check_options(f);
}

static rg_status work(rg_flow *f, rg_gradflow_report *r)
{
    rg_status st;
    if (!(st = rg_flow_check(f)) && !(st = rg_flow_find(f)) && !(st = rg_flow_name(f)) &&
        !(st = rg_flow_find_gates(f)) && !(st = rg_flow_measure(f)))
        st = rg_flow_report(f, r);
    rg_plan_destroy(&f->plan);
    return st;
}

void rg_flow_begin(rg_flow *f, rg_graph *g, const rg_gradflow_opts *opts)
{
    f->g = g;
    if (opts)
        f->opts = *opts;
    f->opts.draws = f->opts.draws ? f->opts.draws : RG_FLOW_DRAWS;
    (void)rg_alloc_resolve(&f->alloc, g ? &g->alloc : NULL);
    rg_arena_init(&f->arena, &f->alloc);
    rg_arena_init(&f->kept, &f->alloc);
}

rg_status rg_flow_finish(rg_gradflow_report **report, rg_flow *f,
                         rg_status (*run)(rg_flow *f, rg_gradflow_report *r))
{
    struct box *box = rg_get(&f->alloc, sizeof *box);
    if (!box)
        return RG_ENOMEM;
    rg_gradflow_report *r = &box->pub;
    box->alloc = f->alloc;
    r->status = run(f, r);
    r->probe = f->opts.probe;
    r->real = f->opts.real;
    r->draws = f->opts.probe == RG_PROBE_END ? f->opts.draws : 1;
    r->seed = f->opts.seed;
    if (r->status) {
        memcpy(r->message, f->err.text, sizeof r->message);
        r->n_state = r->n_layer = r->n_param = r->n_gate = 0;
    }
    rg_graph_destroy(&f->copy);
    rg_arena_free(&f->arena);
    box->arena = f->kept;
    *report = r;
    return r->status;
}

rg_status rg_gradflow(rg_gradflow_report **report, rg_val y, const rg_gradflow_opts *opts)
{
    rg_flow f = { .y = y };
    if (!report)
        return RG_EARG;
    *report = NULL;
    rg_flow_begin(&f, y.graph, opts);
    return rg_flow_finish(report, &f, work);
}

void rg_gradflow_destroy(rg_gradflow_report **report)
{
    struct box *box = report ? (struct box *)*report : NULL;
    if (!box)
        return;
    rg_alloc alloc = box->alloc;
    rg_arena_free(&box->arena);
    rg_release(&alloc, box, sizeof *box);
    *report = NULL;
}
