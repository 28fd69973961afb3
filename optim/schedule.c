/* optim/schedule.c -- the learning rate as a function of the number of updates done. */
#include "optim/optim.h"

#include <math.h>

static const double PI = 3.14159265358979323846264338327950288;

const char *rg_schedule_fault(const rg_schedule *s)
{
    if ((unsigned)s->kind > RG_PLATEAU)
        return "schedule.kind is unknown";
    if (s->kind == RG_COSINE && !s->total)
        return "schedule.total must be at least 1 for cosine";
    if (s->kind == RG_STEP_DECAY && !s->every)
        return "schedule.every must be at least 1 for step decay";
    if (!(s->factor >= 0 && s->factor < 1))
        return "schedule.factor must lie in [0, 1); 0 means 0.1";
    if (!(s->floor >= 0 && s->floor <= 1))
        return "schedule.floor must lie in [0, 1]";
    return NULL;
}

/* k updates are done; this one's share of the base rate. */
static double shape(const rg_schedule *s, double k, double plateau)
{
    double factor = s->factor == 0 ? 0.1 : s->factor;
    switch (s->kind) {
    case RG_STEP_DECAY:
        return pow(factor, floor(k / (double)s->every));
    case RG_COSINE:
        if (k >= (double)s->total)
            return s->floor;
        return s->floor + 0.5 * (1 - s->floor) * (1 + cos(PI * k / (double)s->total));
    case RG_PLATEAU:
        return plateau;
    case RG_CONSTANT:
        break;
    }
    return 1;
}

double rg_optim_rate_now(const rg_optim *optim)
{
    const rg_schedule *s = &optim->opts.schedule;
    double k = (double)*rg_count_of(optim->updates);
    const double *plateau = optim->plateau->data;
    double warm = s->warmup && k + 1 < (double)s->warmup ? (k + 1) / (double)s->warmup : 1;
    return *(const double *)optim->rate->data * shape(s, k, plateau[2]) * warm;
}

/* Loss must fall by a ten-thousandth to count as gain. */
rg_status rg_optim_feedback(rg_optim *optim, double loss)
{
    if (!optim)
        return RG_EARG;
    double *best = optim->plateau->data, *bad = best + 1, *factor = best + 2;
    uint64_t patience = optim->opts.schedule.every ? optim->opts.schedule.every : 10;
    if (loss < *best - 1e-4 * fabs(*best) || isinf(*best)) {
        *best = loss;
        *bad = 0;
    } else if (++*bad > (double)patience) {
        *factor *= optim->opts.schedule.factor == 0 ? 0.1 : optim->opts.schedule.factor;
        *bad = 0;
    }
    return RG_OK;
}
