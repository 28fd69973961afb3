/* plan/leaves.c -- values that no step computes: parameters, numbers, constants. */
#include "plan/plan.h"

#include "base/real.h"

#include <string.h>

static void widen(void *out, const void *in, int64_t n, rg_dtype to)
{
    if (to == RG_F64)
        for (int64_t i = 0; i < n; i++)
            ((double *)out)[i] = ((const float *)in)[i];
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = (float)((const double *)in)[i];
}

void rg_plan_refresh_params(rg_plan *plan)
{
    for (size_t i = 0; i < plan->n_param; i++) {
        const rg_plan_param *p = &plan->param[i];
        if (p->slot->dtype != plan->opts.real && plan->value[p->id])
            widen(plan->value[p->id], p->slot->data, p->slot->count, plan->opts.real);
    }
}

static void fill_number(void *out, int64_t n, double c, rg_dtype real)
{
    for (size_t i = 0; i < (size_t)n; i++)
        rg_real_put(out, real, i, c);
}

void rg_plan_fill_constant(void *out, const rg_node *node, rg_dtype real)
{
    int64_t n = rg_shape_count(*node->shape);
    if (node->op == &rg_op_full) {
        fill_number(out, n, ((const rg_attr_full *)node->attr)->value, real);
        return;
    }
    const rg_attr_constant *attr = node->attr;
    if (node->kind == RG_F && real == RG_F32)
        widen(out, attr->data, n, RG_F32);
    else if (attr->bytes)
        memcpy(out, attr->data, attr->bytes);
}
