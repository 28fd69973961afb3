/* check/law.c -- laws of the whole gradient: what was seen of them. docs/MATH.md 13.5, 13.8. */
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
