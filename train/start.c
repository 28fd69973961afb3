/* train/start.c -- the states that a stream of text starts with: zeros, learned, or drawn. */
#include "train/lm.h"

#include "base/philox.h"
#include "base/real.h"
#include "graph/params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Standard deviation of states drawn at random. */
static const double SCALE = 0.1;

static const char *learned_name(char name[24], size_t k)
{
    (void)snprintf(name, 24, "s%u", (unsigned)k);
    return name;
}

rg_val *rg_lm_learned(const rg_lm *lm, const rg_cell *cell)
{
    char name[24];
    rg_val *start = rg_graph_alloc(lm->graph, cell->n_state * sizeof *start);
    for (size_t k = 0; start && k < cell->n_state; k++)
        start[k] = rg_param(lm->graph, "start", learned_name(name, k), RG_SHAPE(cell->width[k]),
                            rg_init_zeros());
    return start;
}

/* Element i of a state of width H, as the options say. */
static double element(const rg_param_info *learned, const char *stream, uint64_t seed,
                      uint64_t step, int64_t i, int64_t H)
{
    if (learned && learned->data)
        return rg_real_at(learned->data, learned->dtype, (size_t)(i % H));
    if (learned)
        return 0; /* not trained yet */
    return SCALE * rg_draw_normal(seed, RG_DOMAIN_STATE, rg_stream_tail(rg_fnv1a(stream), step),
                                  (uint64_t)i);
}

rg_status rg_lm_start(rg_plan *plan, const rg_lm *lm, const rg_params *params,
                      const rg_lm_opts *opts, uint64_t step)
{
    rg_status st = rg_plan_restart(plan);
    if (st || opts->start < RG_START_LEARNED)
        return st;
    for (size_t k = 0; k < lm->n_state; k++) {
        char name[24], full[48];
        (void)snprintf(full, sizeof full, "start.%s", learned_name(name, k));
        const rg_param_info learned = rg_params_find(params, full);
        (void)snprintf(full, sizeof full, "plan.state%u", (unsigned)k);
        const rg_param_info carried = rg_params_find(rg_plan_state(plan), full);
        const bool draw = opts->start == RG_START_RANDOM;
        int64_t n = rg_shape_count(carried.shape), H = carried.shape.dim[1];
        for (int64_t i = 0; i < n; i++) {
            double v = element(draw ? NULL : &learned, full, params->seed, step, i, H);
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
