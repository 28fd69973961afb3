/* check/totals.c -- what users run: the gradient of a whole tensor, and its optimized plan. */
#include "check/check.h"

#include <math.h>

static rg_check_result extra(const rg_check *c, const rg_check_tensor *t, const char *oracle,
                             size_t at, double got, double want, double scale)
{
    rg_check_result r = { .block = &c->block[t->first], .name = t->name, .step = RG_NO_STEP,
                          .oracle = oracle, .reason = "", .verdict = RG_FAIL, .worst = at,
                          .scale = scale };
    r.error = scale > 0 ? fabs(got - want) / scale : INFINITY;
    r.worst_got = got;
    r.worst_want = want;
    return r;
}

/* Where got and want differ by more than tol; n if nowhere. A NaN differs. */
static int64_t first_off(const double *got, const double *want, int64_t n, double tol)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tol))
            return i;
    return n;
}

/* How far the gradient of a tensor moves by rounding alone; asked only where plans differ. */
static rg_status rounding_of(rg_check *c, size_t i, const double *total, double *out)
{
    rg_status st = RG_OK;
    *out = 0;
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, c->interpreted, k);
        const double *moved = rg_plan_data(c->interpreted, c->total[i]);
        for (int64_t j = 0; j < c->tensor[i].n && !st; j++)
            *out = fmax(*out, RG_CHECK_SAFETY * fabs(moved[j] - total[j]));
    }
    return st ? st : rg_check_run(c, c->interpreted);
}

static rg_status check_optimized(rg_check *c, size_t i, const double *total, double size)
{
    const rg_check_tensor *t = &c->tensor[i];
    const double *got = rg_plan_data(c->optimized, c->total[i]);
    double rounding;
    if (first_off(got, total, t->n, c->rtol * size) == t->n)
        return RG_OK;
    rg_status st = rounding_of(c, i, total, &rounding);
    const int64_t at = first_off(got, total, t->n, c->rtol * size + rounding);
    if (st || at == t->n)
        return st;
    return rg_check_add_extra(c, extra(c, t, "optimized plan", (size_t)at, got[at], total[at],
                                       size));
}

/* @p work: room for two arrays of the tensor's size. */
static rg_status check_tensor(rg_check *c, size_t i, double *work)
{
    const rg_check_tensor *t = &c->tensor[i];
    double size = 0, *sum = work, *total = work + t->n;
    const double *now = rg_plan_data(c->interpreted, c->total[i]);
    rg_status st = RG_OK;
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
    const int64_t at = first_off(total, sum, t->n, 1e-13 * size);
    if (at < t->n)
        st = rg_check_add_extra(c, extra(c, t, "sum over steps", (size_t)at, total[at], sum[at],
                                         size));
    return st ? st : check_optimized(c, i, total, size);
}

rg_status rg_check_totals(rg_check *c)
{
    if (!c->local) /* one operation: it has no uses to add up */
        return RG_OK;
    int64_t most = 0;
    for (size_t i = 0; i < c->n_tensor; i++)
        most = c->tensor[i].n > most ? c->tensor[i].n : most;
    double *work = rg_arena_get(&c->arena, 2 * (size_t)most * sizeof *work);
    rg_status st = work ? rg_check_plan(c, &c->optimized, &c->whole, c->total, c->n_tensor,
                                        RG_OPTIMIZE)
                        : rg_check_no_memory(c);
    if (!st)
        st = rg_check_run(c, c->optimized);
    if (!isfinite(c->first.base))
        return st; /* nothing to compare */
    for (size_t i = 0; i < c->n_tensor && !st; i++)
        st = check_tensor(c, i, work);
    return st;
}
