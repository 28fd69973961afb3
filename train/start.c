/* train/start.c -- the states that a stream of text starts with: the cell's own (zeros, but for
 * rg_cell_start()), learned, or drawn around them. */
#include "train/lm.h"

#include "base/checked.h"
#include "base/real.h"
#include "graph/params.h"
#include "plan/plan.h"

#include <stdio.h>

/* Element i of state k of width H: learned, or where that is not trained yet the cell's @p own. */
static double learned_at(const rg_param_info *learned, int64_t i, int64_t H, double own)
{
    return learned->data ? rg_real_at(learned->data, learned->dtype, (size_t)(i % H)) : own;
}

rg_status rg_lm_start(rg_plan *plan, const rg_lm *lm, const rg_params *params,
                      const rg_lm_opts *opts, uint64_t step)
{
    rg_status st = rg_plan_restart(plan);
    if (st || opts->start < RG_START_LEARNED)
        return st;
    for (size_t k = 0; k < lm->n_state; k++) {
        char full[48];
        (void)snprintf(full, sizeof full, "start.s%u", (unsigned)k);
        const rg_param_info learned = rg_params_find(params, full);
        (void)snprintf(full, sizeof full, "plan.state%u", (unsigned)k);
        const rg_param_info carried = rg_params_find(rg_plan_state(plan), full);
        const bool draw = opts->start == RG_START_RANDOM;
        int64_t n = rg_shape_count(carried.shape), H = carried.shape.dim[1];
        for (int64_t i = 0; i < n; i++) {
            double own = lm->start[k];
            double v = draw ? own + rg_start_draw(params->seed, step, k, (uint64_t)i)
                            : learned_at(&learned, i, H, own);
            rg_real_put(carried.data, carried.dtype, (size_t)i, v);
        }
    }
    return RG_OK;
}

/* A state that does not start at 0 is bound to what it does, which rg_plan_carry() remembers. */
static rg_status bind_starts(rg_plan *plan, const rg_lm *lm)
{
    rg_status st = RG_OK;
    for (size_t k = 0; k < lm->n_state && !st; k++) {
        size_t n = (size_t)rg_shape_count(rg_shape_of(lm->first[k]));
        const size_t size = rg_dtype_size(plan->opts.real);
        if (lm->start[k] == 0)
            continue;
        void *data = rg_graph_alloc(lm->graph, n * size);
        for (size_t i = 0; data && i < n; i++)
            rg_real_put(data, plan->opts.real, i, lm->start[k]);
        st = data ? rg_plan_bind(plan, lm->first[k], data, n * size) : RG_ENOMEM;
    }
    return st;
}

rg_status rg_lm_bind(rg_plan *plan, const rg_lm *lm, void *x, void *y, size_t bytes, rg_err *err)
{
    rg_status st;
    if ((st = rg_plan_bind(plan, lm->x, x, bytes)) || (st = rg_plan_bind(plan, lm->y, y, bytes)) ||
        (st = bind_starts(plan, lm)) ||
        (st = rg_plan_carry(plan, lm->last, lm->first, lm->n_state)))
        return rg_fail(err, st, "%s", rg_plan_message(plan));
    return RG_OK;
}
