/* check/judge.c -- verdicts on blocks, and the proof that they can be bad. docs/MATH.md 13.4. */
#include "check/check.h"

#include "base/philox.h"

#include <math.h>
#include <string.h>

/* The largest |x| of the elements that count. */
static double norm(const double *x, const rg_check_result *r)
{
    double most = 0;
    for (size_t j = 0; j < r->n; j++)
        if (!r->out[j])
            most = fmax(most, fabs(x[j]));
    return most;
}

static bool all_zero(const double *x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        if (x[j] != 0)
            return false;
    return true;
}

/* Where got and want differ most; a NaN differs more than anything. */
static double find_worst(rg_check_result *r)
{
    double most = -1;
    for (size_t j = 0; j < r->n; j++) {
        const double d = fabs(r->got[j] - r->want[j]);
        if (r->out[j] || !(d > most || isnan(d)))
            continue;
        r->worst = j;
        if (isnan(d))
            return INFINITY;
        most = d;
    }
    return fmax(most, 0);
}

/* A numeric slope of 0 resolves nothing: the value may be coarser than its noise says. */
static bool resolved(const rg_check *c, const rg_check_result *r, double want)
{
    if (10 * r->excluded > r->n)
        return false;
    return r->exact ? r->sigma <= c->rtol * r->scale : want > 0 && r->sigma <= c->rtol * want;
}

void rg_check_judge(const rg_check *c, rg_check_result *r)
{
    const double want = norm(r->want, r), off = find_worst(r);
    r->scale = fmax(norm(r->got, r), want);
    r->error = r->scale > 0 ? off / r->scale : 0;
    r->worst_got = r->n ? r->got[r->worst] : 0;
    r->worst_want = r->n ? r->want[r->worst] : 0;
    r->resolved = resolved(c, r, want);
    r->suspect = !r->resolved && off > 10 * r->sigma;
    r->verdict = !r->resolved                                  ? RG_INCONCLUSIVE
               : off <= r->rtol * r->scale + 3 * r->sigma      ? RG_PASS : RG_FAIL;
    if (r->resolved)
        r->reason = "";
}

bool rg_check_is_marginal(const rg_check_result *r)
{
    return r->verdict == RG_FAIL && r->error * r->scale <= r->rtol * r->scale + 60 * r->sigma;
}

bool rg_check_is_zero(const rg_check_result *r)
{
    return r->same && all_zero(r->got, r->n) && all_zero(r->want, r->n);
}

/* ---- Negative control ----------------------------------------------------------------------- */

/* May a damage to this block be expected to show? */
static bool sound(const rg_check_result *r)
{
    return r->resolved && r->verdict == RG_PASS && norm(r->got, r) > 0;
}

/* Would @p r, with these numbers for its gradient, be judged fail? */
static bool condemned(const rg_check *c, const rg_check_result *r, double *got,
                      rg_check_judge_fn *judge)
{
    rg_check_result damaged = *r;
    damaged.got = got;
    judge(c, &damaged);
    return damaged.verdict == RG_FAIL;
}

static bool scaled_is_seen(const rg_check *c, const rg_check_result *r, double factor, double *work,
                           rg_check_judge_fn *judge)
{
    for (size_t j = 0; j < r->n; j++)
        work[j] = r->got[j] * factor;
    return condemned(c, r, work, judge);
}

/* Do two steps of one tensor differ by more than 100·rtol in what both can see? */
static bool distinct(const rg_check *c, const rg_check_result *a, const rg_check_result *b)
{
    const double least = 100 * c->rtol * fmax(a->scale, b->scale);
    if (a->block->tensor != b->block->tensor || !sound(a) || !sound(b))
        return false;
    for (size_t j = 0; j < a->n; j++)
        if (!a->out[j] && !b->out[j] && fabs(a->got[j] - b->got[j]) > least)
            return true;
    return false;
}

static rg_status blind(rg_check *c, const char *damage, const rg_check_result *r)
{
    return rg_fail(&c->err, RG_EINTERNAL, "gradcheck: void: a gradient of '%s' that was %s on "
                   "purpose passed", r->block->tensor->name, damage);
}

rg_status rg_check_control(rg_check *c, const rg_check_objective *o, rg_check_judge_fn *judge)
{
    double work[RG_CHECK_ALONE > RG_CHECK_RANDOM ? RG_CHECK_ALONE : RG_CHECK_RANDOM];
    const rg_check_result *earliest = NULL, *random = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < c->n_block; i++) {
        const rg_check_result *r = &o->result[i];
        if (!sound(r))
            continue;
        if (rg_draw_below(c->seed, RG_DOMAIN_CHECK, rg_fnv1a("control"), n, n + 1) == 0)
            random = r; /* each with the same chance */
        n++;
        if (!earliest || r->block->step < earliest->block->step)
            earliest = r;
    }
    if (random && !scaled_is_seen(c, random, 1 + 100 * c->rtol, work, judge))
        return blind(c, "scaled", random);
    if (earliest && !scaled_is_seen(c, earliest, 0, work, judge))
        return blind(c, "zeroed", earliest);
    for (size_t i = 1; i < c->n_block; i++) {
        const rg_check_result *a = &o->result[i - 1], *b = &o->result[i];
        if (!distinct(c, a, b))
            continue;
        return condemned(c, a, b->got, judge) || condemned(c, b, a->got, judge)
                   ? RG_OK : blind(c, "swapped between two steps", a);
    }
    return RG_OK;
}
