/* plan/run.c -- one run: what is checked before, and what a success changes after. */
#include "plan/plan.h"

#include "plan/pipeline.h"
#include "kernels/team.h"

#include <string.h>

static rg_status take_inputs(rg_plan *plan)
{
    for (size_t i = 0; i < plan->n_input; i++) {
        const rg_plan_input *in = &plan->input[i];
        if (!in->id)
            continue;
        const void *data = in->carry ? in->carry->data : in->data;
        if (!data)
            return rg_fail(&plan->err, RG_EGRAPH, "run: input '%s' is not bound", in->name);
        /* never written: the program reads inputs only */
        memcpy(&plan->value[in->id], &data, sizeof data);
    }
    return RG_OK;
}

/* "[3,5]" of flat index i. */
static const char *place_text(char text[RG_SHAPE_TEXT], const rg_shape *shape, int64_t i)
{
    rg_shape at = { .rank = shape->rank };
    for (int k = shape->rank; k-- > 0;) {
        at.dim[k] = i % shape->dim[k];
        i /= shape->dim[k];
    }
    return rg_shape_text(text, &at);
}

static rg_status check_indices(rg_plan *plan)
{
    char text[RG_SHAPE_TEXT];
    for (size_t i = 0; i < plan->n_input; i++) {
        const rg_plan_input *in = &plan->input[i];
        if (!in->id || in->dtype != RG_I32 || in->bound == INT64_MAX)
            continue;
        const int32_t *x = plan->value[in->id];
        int64_t n = (int64_t)(in->bytes / sizeof *x);
        for (int64_t k = 0; k < n; k++)
            if (x[k] < 0 || x[k] >= in->bound)
                return rg_fail(&plan->err, RG_EINDEX, "run: input '%s' holds %d at %s; %s allows "
                               "0 .. %lld", in->name, (int)x[k],
                               place_text(text, plan->prog.node[in->id].shape, k),
                               in->bound_by->name, (long long)in->bound - 1);
    }
    return RG_OK;
}

/* A selection takes any byte but 0 for 1, a conversion to a number does not: so only these two. */
static rg_status check_masks(rg_plan *plan)
{
    char text[RG_SHAPE_TEXT];
    for (size_t i = 0; i < plan->n_input; i++) {
        const rg_plan_input *in = &plan->input[i];
        if (!in->id || in->dtype != RG_U8)
            continue;
        const uint8_t *m = plan->value[in->id];
        unsigned some = 0;
        for (size_t k = 0; k < in->bytes; k++)
            some |= m[k];
        for (size_t k = 0; some > 1 && k < in->bytes; k++)
            if (m[k] > 1)
                return rg_fail(&plan->err, RG_EINDEX, "run: input '%s' holds %d at %s; a mask is "
                               "0 or 1", in->name, (int)m[k],
                               place_text(text, plan->prog.node[in->id].shape, (int64_t)k));
    }
    return RG_OK;
}

static rg_status check_ready(rg_plan *plan)
{
    if (plan->running)
        return rg_fail(&plan->err, RG_ESTATE, "run: the plan is running already");
    if (plan->opts.dry_run)
        return rg_fail(&plan->err, RG_ESTATE, "run: the plan was made with dry_run");
    if (plan->bad_bind.status || plan->bad_carry.status) {
        plan->err = plan->bad_bind.status ? plan->bad_bind : plan->bad_carry;
        return plan->err.status;
    }
    if (plan->pid != rg_process_id())
        return rg_fail(&plan->err, RG_EFORKED, "run: the plan was made in another process; call "
                       "rg_before_fork() before fork() and make the plan in the child");
    return RG_OK;
}

static void carry_on(rg_plan *plan)
{
    for (size_t i = 0; i < plan->n_carried; i++) {
        const rg_plan_carried *c = &plan->carried[i];
        if (plan->input[c->input].bytes)
            memcpy(c->staging, plan->value[c->from], plan->input[c->input].bytes);
    }
    for (size_t i = 0; i < plan->n_carried; i++) {
        const rg_plan_carried *c = &plan->carried[i];
        if (plan->input[c->input].bytes)
            memcpy(plan->input[c->input].carry->data, c->staging, plan->input[c->input].bytes);
    }
}

static void add_up(rg_plan *plan)
{
    for (size_t i = 0; i < plan->n_gradient; i++) {
        const rg_plan_gradient *g = &plan->gradient[i];
        if (!g->sum)
            continue;
        for (int64_t k = 0; k < g->slot->count; k++)
            if (plan->opts.real == RG_F64)
                ((double *)g->sum)[k] += ((const double *)plan->value[g->id])[k];
            else
                ((float *)g->sum)[k] += ((const float *)plan->value[g->id])[k];
    }
}

rg_status rg_plan_run(rg_plan *plan)
{
    rg_status st;
    if (!plan)
        return RG_EARG;
    if ((st = check_ready(plan)))
        return st;
    plan->has_run = false;
    if ((st = take_inputs(plan)) || (st = check_indices(plan)) || (st = check_masks(plan)))
        return st;
    int64_t *number = plan->run->data;
    plan->running = true;
    rg_plan_refresh_params(plan);
    st = rg_pipeline_execute(plan, (uint64_t)*number);
    plan->running = false;
    if (st)
        return st;
    carry_on(plan);
    add_up(plan);
    ++*number;
    plan->runs++;
    plan->has_run = true;
    return RG_OK;
}

const void *rg_plan_gradient_data(const rg_plan *plan, const rg_plan_gradient *gradient)
{
    return gradient->sum ? gradient->sum : plan->value[gradient->id];
}

void rg_plan_consumed(rg_plan *plan)
{
    for (size_t i = 0; i < plan->n_gradient; i++)
        if (plan->gradient[i].sum)
            memset(plan->gradient[i].sum, 0, rg_plan_bytes(plan, plan->gradient[i].id));
    plan->runs = 0;
}
