/* plan/create.c -- making a plan: options, program, inputs, parameters, gradients. */
#include "plan/plan.h"

#include "base/checked.h"
#include "kernels/team.h"
#include "ops/ops.h"
#include "plan/pipeline.h"

#include <string.h>

enum { MAX_THREADS = 64 };

size_t rg_plan_bytes(const rg_plan *plan, uint32_t id)
{
    const rg_node *node = &plan->prog.node[id];
    return (size_t)rg_shape_count(*node->shape) *
           rg_kind_size((rg_kind)node->kind, plan->opts.real);
}

static rg_status check_options(rg_graph *g, const rg_plan_opts *o)
{
    if (o->real != RG_F32 && o->real != RG_F64)
        return rg_graph_fail(g, RG_EARG, "plan: real must be RG_F32 or RG_F64");
    if ((unsigned)o->mode > RG_EVALUATE || (unsigned)o->effort > RG_INTERPRET)
        return rg_graph_fail(g, RG_EARG, "plan: unknown mode or effort");
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return rg_graph_fail(g, RG_EARG, "plan: threads is %d, allowed are 0 .. %d", o->threads,
                             MAX_THREADS);
    if (o->portable && o->real == RG_F64)
        return rg_graph_fail(g, RG_EARG, "plan: portable is for f32 plans");
    if (o->objective.graph && (o->objective.graph != g || !rg_node_of(o->objective)))
        return rg_graph_fail(g, RG_EARG, "plan: the objective lives in another graph, or is unset");
    return rg_pipeline_check(g, o->disable);
}

/* The graph of the roots, if they can be planned; else a status and where it was written. */
static rg_status check_roots(rg_graph **out, const rg_val *roots, size_t n)
{
    rg_graph *g = roots ? rg_graph_of(roots, n) : NULL;
    if (!g)
        return RG_EARG;
    *out = g;
    if (g->status)
        return g->status;
    for (size_t i = 0; i < n; i++) {
        if (roots[i].graph && roots[i].graph != g)
            return rg_graph_fail(g, RG_EARG, "plan: root %zu lives in another graph", i);
        if (!rg_node_of(roots[i]))
            return rg_graph_fail(g, RG_EARG, "plan: root %zu is an unset value", i);
    }
    return RG_OK;
}

/* Did rg_grad make one of the roots? */
static bool some_gradient(const rg_graph *g, const rg_val *roots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rg_node_at(g, roots[i].id)->origin)
            return true;
    return false;
}

static rg_status no_memory(rg_err *err)
{
    return rg_fail(err, RG_ENOMEM, "plan: no memory");
}

/* ---- Inputs and the range of their indices -------------------------------------------------- */

/* Is a choice between v and something else made by asking whether v is a certain index? Then v may
 * hold that one, too: it is replaced. What is left is checked when it is used. */
static bool replaced(const rg_prog *p, const rg_node *node, uint32_t k)
{
    const rg_node *asks = node->op == &rg_op_where && k > 0 ? &p->node[node->in[0]] : NULL;
    return asks && asks->op == &rg_op_equal_int &&
           (asks->in[0] == node->in[k] || asks->in[1] == node->in[k]);
}

/* What an integer value may hold follows from its consumers: from the op that uses it as an index,
 * or from ops that only pass integers on. Of several that allow the same, the first is named: the
 * one in the forward half. */
static rg_status index_bounds(const rg_prog *p, int64_t *bound, const rg_op **by, rg_err *err)
{
    rg_sig *sig = NULL;
    size_t cap = 0;
    for (uint32_t id = p->n_node; id-- > 1;) {
        const rg_node *node = &p->node[id];
        if (!rg_reserve(&p->alloc, &sig, &cap, node->n_in, sizeof *sig)) {
            rg_release(&p->alloc, sig, cap * sizeof *sig);
            return no_memory(err);
        }
        for (uint32_t k = 0; k < node->n_in; k++)
            sig[k] = (rg_sig){ (rg_kind)p->node[node->in[k]].kind, *p->node[node->in[k]].shape };
        for (uint32_t k = 0; k < node->n_in; k++) {
            int64_t b = node->kind == RG_INT ? bound[id] : INT64_MAX;
            const rg_op *who = by[id];
            if (sig[k].kind != RG_INT || replaced(p, node, k))
                continue;
            if (node->op->index && node->op->index(node->attr, sig, k, &b) == RG_OK)
                who = node->op;
            if (b <= bound[node->in[k]]) {
                bound[node->in[k]] = b;
                by[node->in[k]] = who;
            }
        }
    }
    rg_release(&p->alloc, sig, cap * sizeof *sig);
    return RG_OK;
}

static rg_status find_inputs(rg_plan *plan, const rg_graph *g, rg_err *err)
{
    const rg_prog *p = &plan->prog;
    int64_t *bound = rg_get(&plan->alloc, p->n_node * sizeof *bound);
    const rg_op **by = rg_get(&plan->alloc, p->n_node * sizeof *by);
    rg_status st = bound && by ? RG_OK : no_memory(err);
    for (uint32_t id = 0; id < p->n_node && !st; id++)
        bound[id] = INT64_MAX;
    if (!st)
        st = index_bounds(p, bound, by, err);
    plan->n_input = g->n_input;
    plan->input = rg_arena_get(&plan->arena, g->n_input * sizeof *plan->input);
    for (size_t i = 0; i < g->n_input && !st; i++) {
        uint32_t gid = g->input[i], id = gid < p->n_of_graph ? p->of_graph[gid] : 0;
        const rg_attr_input *attr = rg_node_at(g, gid)->attr;
        const char *name = plan->input ? rg_arena_text(&plan->arena, attr->name) : NULL;
        if (!name) {
            st = no_memory(err);
            break;
        }
        plan->input[i] = (rg_plan_input){
            .name = name, .graph_id = gid, .id = id,
            .bytes = (size_t)rg_shape_count(attr->sig.shape) *
                     rg_kind_size(attr->sig.kind, plan->opts.real),
            .dtype = rg_kind_dtype(attr->sig.kind, plan->opts.real),
            .bound = bound[id], .bound_by = by[id],
        };
    }
    rg_release(&plan->alloc, bound, p->n_node * sizeof *bound);
    rg_release(&plan->alloc, by, p->n_node * sizeof *by);
    return st;
}

/* ---- Parameters and their gradients --------------------------------------------------------- */

static rg_status find_params(rg_plan *plan, rg_err *err)
{
    const rg_prog *p = &plan->prog;
    size_t n = 0;
    for (uint32_t id = 1; id < p->n_node; id++)
        n += p->node[id].op == &rg_op_param;
    if (!(plan->param = rg_arena_get(&plan->arena, n * sizeof *plan->param)))
        return no_memory(err);
    for (uint32_t id = 1; id < p->n_node; id++)
        if (p->node[id].op == &rg_op_param)
            plan->param[plan->n_param++] =
                (rg_plan_param){ id, ((const rg_attr_param *)p->node[id].attr)->slot };
    return RG_OK;
}

static bool known(const rg_plan *plan, const rg_slot *slot, uint32_t objective)
{
    for (size_t i = 0; i < plan->n_gradient; i++)
        if (plan->gradient[i].slot == slot && plan->gradient[i].objective == objective)
            return true;
    return false;
}

/* A root that rg_grad() made for a parameter carries that fact into the plan. */
static rg_status find_gradients(rg_plan *plan, const rg_graph *g, const rg_val *roots, size_t n,
                                rg_err *err)
{
    uint8_t *is_root = rg_get(&plan->alloc, g->n_node);
    plan->gradient = rg_arena_get(&plan->arena, g->n_note * sizeof *plan->gradient);
    if (!is_root || !plan->gradient) {
        rg_release(&plan->alloc, is_root, g->n_node);
        return no_memory(err);
    }
    for (size_t i = 0; i < n; i++)
        is_root[roots[i].id] = 1;
    for (size_t i = 0; i < g->n_note; i++) {
        const rg_gradient_note *note = &g->note[i];
        rg_slot *slot = ((const rg_attr_param *)rg_node_at(g, note->param)->attr)->slot;
        if (is_root[note->gradient] && !known(plan, slot, note->objective))
            plan->gradient[plan->n_gradient++] = (rg_plan_gradient){
                .slot = slot, .id = plan->prog.of_graph[note->gradient],
                .objective = note->objective };
    }
    rg_release(&plan->alloc, is_root, g->n_node);
    return RG_OK;
}

static rg_status make_sums(rg_plan *plan, rg_err *err)
{
    for (size_t i = 0; i < plan->n_gradient && plan->opts.accumulate; i++) {
        const size_t bytes = rg_plan_bytes(plan, plan->gradient[i].id);
        plan->sum_bytes += bytes;
        if (!plan->opts.dry_run && !(plan->gradient[i].sum = rg_arena_get(&plan->arena, bytes)))
            return no_memory(err);
    }
    return RG_OK;
}

rg_status rg_plan_fits(rg_plan *plan, size_t bytes, rg_err *err)
{
    const size_t budget = plan->opts.budget_bytes;
    if (!rg_add_size(bytes, plan->sum_bytes, &plan->report.arena_bytes))
        return rg_fail(err, RG_ELIMIT, "plan: its values do not fit the address space");
    if (budget && plan->report.arena_bytes > budget)
        return rg_fail(err, RG_ELIMIT, "plan: a run needs %zu bytes, the budget is %zu",
                       plan->report.arena_bytes, budget);
    return RG_OK;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static rg_status make_state(rg_plan *plan, rg_err *err)
{
    rg_params_opts opts = { .real = plan->opts.real, .alloc = plan->alloc };
    if (rg_params_create(&plan->state, plan->params ? plan->params->seed : 0, &opts) ||
        rg_params_declare(&plan->run, plan->state, "plan.run", RG_SCALAR, RG_I64, NULL))
        return no_memory(err);
    plan->state->prefix = "plan.";
    return RG_OK;
}

static rg_status build(rg_plan *plan, rg_graph *g, const rg_val *roots, size_t n,
                       const rg_again *again, rg_err *err)
{
    const rg_alloc pool = rg_pool_hooks(&plan->pool);
    rg_status st;
    if ((st = rg_prog_create(&plan->prog, g, roots, n, plan->opts.mode, plan->opts.real,
                             &pool, &plan->alloc, err)))
        return st;
    plan->prog.recompute = *again;
    if ((st = rg_pipeline_run(&plan->prog, &plan->opts, err)) ||
        (st = rg_prog_settle(&plan->prog, err)) ||
        (st = find_inputs(plan, g, err)) || (st = find_params(plan, err)) ||
        (st = find_gradients(plan, g, roots, n, err)) || (st = make_sums(plan, err)) ||
        (st = make_state(plan, err)))
        return st;
    plan->value = rg_arena_get(&plan->arena, plan->prog.n_node * sizeof *plan->value);
    plan->readable = rg_arena_get(&plan->arena, plan->prog.n_node);
    if (!plan->value || !plan->readable)
        return no_memory(err);
    plan->report.nodes = plan->prog.n_node - 1;
    memset(plan->readable, plan->opts.keep, plan->prog.n_node);
    for (size_t i = 0; i < n; i++)
        plan->readable[plan->prog.root[i]] = 1;
    return rg_pipeline_setup(plan, err);
}

rg_status rg_plan_make(rg_plan **out, rg_graph *g, const rg_val *roots, size_t n,
                       const rg_plan_opts *o, const rg_again *again, size_t *bytes, rg_err *err)
{
    rg_plan *plan = rg_get(&o->alloc, sizeof *plan);
    *out = NULL;
    if (!plan)
        return no_memory(err);
    plan->alloc = o->alloc;
    rg_arena_init(&plan->arena, &plan->alloc);
    rg_pool_init(&plan->pool, &plan->alloc);
    plan->opts = *o;
    plan->graph = g;
    plan->params = g->params;
    plan->pid = rg_process_id();
    const rg_status st = build(plan, g, roots, n, again, err);
    *bytes = plan->report.arena_bytes;
    if (st) {
        rg_plan_destroy(&plan);
        return st;
    }
    plan->prog.alloc = plan->alloc;
    if (!o->verify)
        rg_pool_free(&plan->pool);
    *out = plan;
    return RG_OK;
}

rg_status rg_plan_create(rg_plan **out, const rg_val *roots, size_t n, const rg_plan_opts *opts)
{
    rg_graph *g = NULL;
    rg_alloc alloc;
    rg_plan_opts o = opts ? *opts : (rg_plan_opts){ .threads = 0 };
    rg_err err = { .status = RG_OK };
    rg_status st;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if ((st = check_roots(&g, roots, n)) || (st = check_options(g, &o)))
        return st;
    if (rg_alloc_resolve(&alloc, &o.alloc))
        return rg_graph_fail(g, RG_EARG, "plan: alloc needs both get and release");
    o.alloc = alloc;
    o.keep = o.keep || o.effort == RG_INTERPRET;
    if (o.mode == RG_MODE_AUTO)
        o.mode = some_gradient(g, roots, n) ? RG_TRAIN : RG_EVALUATE;
    st = rg_plan_within(out, g, roots, n, &o, &err);
    return st ? rg_graph_fail(g, st, "%s", err.text) : RG_OK;
}

void rg_plan_destroy(rg_plan **out)
{
    rg_plan *plan = out ? *out : NULL;
    if (!plan)
        return;
    rg_pipeline_destroy(plan);
    rg_release(&plan->alloc, plan->memory, plan->memory_bytes);
    rg_release(&plan->alloc, plan->carried, plan->carried_cap * sizeof *plan->carried);
    rg_params_destroy(&plan->state);
    rg_prog_destroy(&plan->prog);
    rg_arena_free(&plan->arena);
    rg_pool_free(&plan->pool);
    rg_alloc alloc = plan->alloc;
    rg_release(&alloc, plan, sizeof *plan);
    *out = NULL;
}
