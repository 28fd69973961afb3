/* tests/plan/own_cell.h -- a cell as a user would write it. */
#ifndef RG_TESTS_PLAN_OWN_CELL_H
#define RG_TESTS_PLAN_OWN_CELL_H

#include <retrograd/retrograd.h>

/* h' = (1-f)∘h + f∘tanh(x·U + h·W + b), f = σ(x·Uf + h·Wf + bf): a cell that is not built in. */
struct own_weights { rg_gate f, c; };

static inline void own_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct own_weights *w = weights;
    rg_val f = rg_sigmoid(rg_gate_sum(&w->f, x, s[0]));
    rg_val c = rg_tanh(rg_gate_sum(&w->c, x, s[0]));
    next[0] = rg_add(rg_mul(rg_one_minus(f), s[0]), rg_mul(f, c));
}

#endif
