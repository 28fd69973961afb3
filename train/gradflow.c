/* train/gradflow.c -- what the gradient does in training, and where a number stopped being one. */
#include "train/trainer.h"

rg_status rg_trainer_gradflow(rg_gradflow_report **report, rg_trainer *t,
                              const rg_gradflow_opts *opts)
{
    rg_gradflow_opts own = opts ? *opts : (rg_gradflow_opts){ .draws = 0 };
    rg_val loss;
    if (!report)
        return RG_EARG;
    *report = NULL;
    if (!t || !t->kind->look)
        return RG_EARG;
    rg_status st = t->kind->look(&loss, t);
    if (st)
        return st;
    own.data = t->plan;
    return rg_gradflow(report, loss, &own);
}

rg_status rg_trainer_sampled(rg_gradflow_report **report, rg_trainer *t)
{
    if (!report)
        return RG_EARG;
    *report = NULL;
    if (!t)
        return RG_EARG;
    return t->kind->sampled ? t->kind->sampled(report, t) : RG_ESTATE;
}

rg_status rg_trainer_nonfinite(rg_nonfinite_place *out, rg_trainer *t)
{
    const rg_held_input *held = NULL;
    if (!out || !t)
        return RG_EARG;
    const size_t n = t->kind->held ? t->kind->held(&held, t) : 0;
    return rg_find_nonfinite(out, t->plan, held, n);
}
