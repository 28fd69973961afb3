/* check/totals.c -- what users run: the gradient of a whole tensor, and its optimized plan. */
#include "check/check.h"

#include <math.h>

/* Where got and want differ most; a NaN differs more than anything. */
static int64_t most_off(const double *got, const double *want, int64_t n)
{
    int64_t worst = 0;
    double most = -1;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs(got[i] - want[i]);
        if (isnan(d))
            return i;
        if (d > most) {
            most = d;
            worst = i;
        }
    }
    return worst;
}

/* @p size: what is 1 on the scale of errors. */
static void observe(rg_check *c, rg_check_law law, size_t tensor, double got, double want,
                    double size, double bound)
{
    const double off = fabs(got - want);
    rg_check_observe(c, law, (rg_gradcheck_law){
        .tensor = c->tensor[tensor].name, .step = RG_NO_STEP, .got = got, .want = want,
        .error = off == 0 ? 0 : off / size, .bound = bound });
}

/* How far the gradient of a tensor moves by rounding alone; asked only where plans differ. */
static rg_status rounding_of(rg_check *c, size_t i, const double *total, double *out)
{
    rg_status st = RG_OK;
    *out = 0;
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, c->interpreted, RG_F64, k);
        const double *moved = rg_plan_data(c->interpreted, c->total[i]);
        for (int64_t j = 0; j < c->tensor[i].n && !st; j++)
            *out = fmax(*out, RG_CHECK_SAFETY * fabs(moved[j] - total[j]));
    }
    return st ? st : rg_check_run(c, c->interpreted);
}

static rg_status check_optimized(rg_check *c, size_t i, const double *total, double size)
{
    const double *got = rg_plan_data(c->optimized, c->total[i]);
    const int64_t at = most_off(got, total, c->tensor[i].n);
    const double off = fabs(got[at] - total[at]);
    double rounding = 0;
    rg_status st = off <= c->rtol * size ? RG_OK : rounding_of(c, i, total, &rounding);
    const double unit = fmax(size, rounding); /* not 0 if both gradients are rounding alone */
    if (!st)
        observe(c, RG_LAW_PLAN, i, got[at], total[at], unit,
                unit > 0 ? (c->rtol * size + rounding) / unit : 0);
    return st;
}

/* @p work: room for two arrays of the tensor's size. */
static rg_status check_tensor(rg_check *c, size_t i, double *work)
{
    const rg_check_tensor *t = &c->tensor[i];
    double size = 0, *sum = work, *total = work + t->n;
    const double *now = rg_plan_data(c->interpreted, c->total[i]);
    if (!t->n)
        return RG_OK;
    for (int64_t k = 0; k < t->n; k++) {
        sum[k] = 0;
        total[k] = now[k];
    }
    for (size_t b = t->first; b < t->first + t->n_block; b++) {
        const double *g = rg_plan_data(c->first.diff, c->first.grad[b]);
        for (int64_t k = 0; k < t->n; k++)
            sum[k] += g[k];
        size += rg_check_largest(g, t->n);
    }
    const int64_t at = most_off(total, sum, t->n);
    observe(c, RG_LAW_SUM, i, total[at], sum[at], size, 1e-13);
    return check_optimized(c, i, total, size);
}

rg_status rg_check_totals(rg_check *c)
{
    int64_t most = 0;
    for (size_t i = 0; i < c->n_tensor; i++)
        most = c->tensor[i].n > most ? c->tensor[i].n : most;
    double *work = rg_arena_get(&c->arena, 2 * (size_t)most * sizeof *work);
    rg_status st = work ? rg_check_plan(c, &c->optimized, &c->whole, c->total, c->n_tensor,
                                        RG_OPTIMIZE)
                        : rg_check_no_memory(c);
    if (!st)
        st = rg_check_run(c, c->optimized);
    for (size_t i = 0; i < c->n_tensor && !st; i++)
        st = check_tensor(c, i, work);
    return st;
}
