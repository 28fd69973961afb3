/* plan/bind.c -- what a plan is given: inputs, and values carried from run to run. */
#include "plan/plan.h"

#include "base/checked.h"

#include <stdio.h>
#include <string.h>

/* What failed is remembered in one of the plan's errors, so that the next run says it again. */
static rg_status broken(rg_plan *plan, rg_err *bad, rg_status status, const char *format, ...)
    RG_PRINTF(4, 5);
static rg_status broken(rg_plan *plan, rg_err *bad, rg_status status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    rg_fail_v(bad, status, format, ap);
    va_end(ap);
    plan->err = *bad;
    return status;
}

/* Inputs are in order of ids. */
static rg_plan_input *find(const rg_plan *plan, uint32_t graph_id)
{
    size_t low = 0, high = plan->n_input;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (plan->input[mid].graph_id < graph_id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < plan->n_input && plan->input[low].graph_id == graph_id ? &plan->input[low] : NULL;
}

rg_status rg_plan_bind(rg_plan *plan, rg_val input, const void *data, size_t bytes)
{
    if (!plan)
        return RG_EARG;
    rg_err *bad = &plan->bad_bind;
    if (input.graph != plan->graph)
        return broken(plan, bad, RG_EGRAPH, "bind: the value lives in another graph than the plan");
    rg_plan_input *in = find(plan, input.id);
    if (!in)
        return broken(plan, bad, RG_EARG, "bind: value %%%u is not an input of the plan's graph",
                      (unsigned)input.id);
    in->data = NULL;
    if (in->id)
        plan->value[in->id] = NULL;
    if (!data && in->bytes)
        return broken(plan, bad, RG_EARG, "bind: data for input '%s' is NULL", in->name);
    if (bytes != in->bytes)
        return broken(plan, bad, RG_ESHAPE, "bind: input '%s' takes %zu bytes of %s, got %zu",
                      in->name, in->bytes, rg_dtype_text(in->dtype), bytes);
    in->data = data ? data : plan;  /* an empty input is bound too */
    if (in->carry && bytes)
        memcpy(in->carry->data, data, bytes);
    rg_err_clear(bad);
    return RG_OK;
}

/* ---- Carried values ------------------------------------------------------------------------- */

static rg_status carry_one(rg_plan *plan, rg_val from, rg_val to)
{
    char name[RG_NAME_BYTES + 1];
    rg_err *bad = &plan->bad_carry;
    rg_plan_input *in = to.graph == plan->graph ? find(plan, to.id) : NULL;
    uint32_t id = from.graph == plan->graph && from.id < plan->prog.n_of_graph
                      ? plan->prog.of_graph[from.id] : 0;
    if (!in)
        return broken(plan, bad, RG_EARG, "carry: `to` is not an input of the plan's graph");
    if (!id || !plan->readable[id])
        return broken(plan, bad, RG_EARG, "carry: what goes to '%s' is no root of the plan",
                      in->name);
    const rg_node *node = &plan->prog.node[id];
    if (rg_kind_dtype((rg_kind)node->kind, plan->opts.real) != in->dtype)
        return broken(plan, bad, RG_EDTYPE, "carry: input '%s' is %s, the root %s", in->name,
                      rg_dtype_text(in->dtype), rg_kind_text((rg_kind)node->kind));
    const rg_shape shape = rg_shape_of(to);
    if (!rg_shape_equal(shape, *node->shape)) {
        char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
        return broken(plan, bad, RG_ESHAPE, "carry: input '%s' has shape %s, the root %s",
                      in->name, rg_shape_text(a, &shape), rg_shape_text(b, node->shape));
    }
    (void)snprintf(name, sizeof name, "plan.%s", in->name);
    rg_slot *known = rg_params_slot(plan->state, name);
    if (rg_params_declare(&in->carry, plan->state, name, shape, in->dtype, NULL))
        return broken(plan, bad, plan->state->err.status, "carry: %s", plan->state->err.text);
    rg_plan_carried c = { .from = id, .input = (size_t)(in - plan->input) };
    c.staging = rg_arena_get(&plan->arena, in->bytes);
    c.start = in->data ? rg_arena_get(&plan->arena, in->bytes) : NULL;
    if (!c.staging || (in->data && !c.start) ||
        !rg_reserve(&plan->alloc, &plan->carried, &plan->carried_cap, plan->n_carried + 1,
                    sizeof *plan->carried))
        return broken(plan, bad, RG_ENOMEM, "carry: no memory for '%s'", in->name);
    if (c.start && in->bytes)
        memcpy(c.start, in->data, in->bytes);
    if (c.start && !known && in->bytes)
        memcpy(in->carry->data, in->data, in->bytes);
    plan->carried[plan->n_carried++] = c;
    return RG_OK;
}

/* A second carry into the same input replaces the first. */
static void forget(rg_plan *plan, rg_val to)
{
    const rg_plan_input *in = to.graph == plan->graph ? find(plan, to.id) : NULL;
    size_t kept = 0;
    for (size_t i = 0; i < plan->n_carried; i++)
        if (&plan->input[plan->carried[i].input] != in)
            plan->carried[kept++] = plan->carried[i];
    plan->n_carried = kept;
}

rg_status rg_plan_carry(rg_plan *plan, const rg_val *from, const rg_val *to, size_t n)
{
    rg_status st = RG_OK;
    if (!plan)
        return RG_EARG;
    if (n && (!from || !to))
        return broken(plan, &plan->bad_carry, RG_EARG, "carry: from or to is NULL");
    for (size_t i = 0; i < n && !st; i++) {
        forget(plan, to[i]);
        st = carry_one(plan, from[i], to[i]);
    }
    if (n && !st)
        rg_err_clear(&plan->bad_carry);
    return st;
}

rg_status rg_plan_restart(rg_plan *plan)
{
    if (!plan)
        return RG_EARG;
    for (size_t i = 0; i < plan->n_carried; i++) {
        const rg_plan_carried *c = &plan->carried[i];
        const rg_plan_input *in = &plan->input[c->input];
        if (c->start)
            memcpy(in->carry->data, c->start, in->bytes);
        else
            memset(in->carry->data, 0, in->bytes);
    }
    return RG_OK;
}

rg_params *rg_plan_state(rg_plan *plan)
{
    return plan ? plan->state : NULL;
}
