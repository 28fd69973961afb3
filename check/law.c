/* check/law.c -- laws of the whole gradient: what was seen of them. docs/MATH.md 13.5, 13.8,
 * 13.9. */
#include "check/check.h"

#include <math.h>

static const char *const names[RG_LAWS] = {
    [RG_LAW_SUM] = "sum over steps", [RG_LAW_PLAN] = "optimized plan", [RG_LAW_F32] = "f32 plan",
    [RG_LAW_DOT] = "dot product",    [RG_LAW_SYMMETRY] = "symmetry",
};

/* Above 1 the law is broken. */
static double strain(const rg_gradcheck_law *seen)
{
    const double ratio = seen->error > 0 ? seen->error / seen->bound : 0;
    return isnan(seen->error) || isnan(ratio) ? INFINITY : ratio;
}

void rg_check_observe(rg_check *c, rg_check_law law, rg_gradcheck_law seen)
{
    rg_gradcheck_law *kept = &c->law[law];
    if (kept->name && strain(&seen) <= strain(kept))
        return;
    *kept = seen;
    kept->name = names[law];
    kept->reason = "";
    kept->verdict = strain(kept) > 1 ? RG_FAIL : RG_PASS;
}

void rg_check_law_open(rg_check *c, rg_check_law law, rg_verdict verdict, const char *reason)
{
    rg_gradcheck_law *kept = &c->law[law];
    if (!kept->name)
        *kept = (rg_gradcheck_law){ .name = names[law], .tensor = "", .step = RG_NO_STEP };
    kept->verdict = verdict;
    kept->reason = reason;
}

double rg_check_inner(rg_plan *plan, const rg_val *a, double *const *b, size_t n, double *size)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double *x = rg_plan_data(plan, a[i]);
        for (int64_t k = 0; k < rg_shape_count(rg_shape_of(a[i])); k++) {
            sum += x[k] * b[i][k];
            *size += fabs(x[k] * b[i][k]);
        }
    }
    return sum;
}
