/* train/start.c -- the states that a stream of text starts with: zeros, learned, or drawn. */
#include "train/lm.h"

#include "base/real.h"
#include "graph/params.h"

#include <stdio.h>

/* Element i of state k of width H: learned, or 0 where that is not trained yet. */
static double learned_at(const rg_param_info *learned, int64_t i, int64_t H)
{
    return learned->data ? rg_real_at(learned->data, learned->dtype, (size_t)(i % H)) : 0;
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
            double v = draw ? rg_start_draw(params->seed, step, k, (uint64_t)i)
                            : learned_at(&learned, i, H);
            if (carried.dtype == RG_F64)
                ((double *)carried.data)[i] = v;
            else
                ((float *)carried.data)[i] = (float)v;
        }
    }
    return RG_OK;
}

rg_status rg_lm_bind(rg_plan *plan, const rg_lm *lm, void *x, void *y, size_t bytes, rg_err *err)
{
    rg_status st;
    if ((st = rg_plan_bind(plan, lm->x, x, bytes)) || (st = rg_plan_bind(plan, lm->y, y, bytes)) ||
        (st = rg_plan_carry(plan, lm->last, lm->first, lm->n_state)))
        return rg_fail(err, st, "%s", rg_plan_message(plan));
    return RG_OK;
}
