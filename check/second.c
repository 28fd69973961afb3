/* check/second.c -- second order: φ = Σ ⟨ḡ_b, u_b⟩ with constant u is an objective like the loss,
 * and its gradient is H·u. docs/MATH.md 13.8. */
#include "check/check.h"

#include <retrograd/ops.h>

#include "base/philox.h"

#include <math.h>
#include <string.h>

/* A vector over all blocks: uniform in ±1/‖ḡ_b‖, so that small blocks count as much; but none more
 * than a thousand times the largest, since what is left of a zero is noise. */
static void draw(const rg_check *c, double *const *u, const double *size, uint64_t which)
{
    double most = 0;
    for (size_t b = 0; b < c->n_block; b++)
        most = fmax(most, size[b]);
    for (size_t b = 0; b < c->n_block; b++) {
        const uint64_t tail = rg_stream_tail(rg_fnv1a("second"), which << 24 | b);
        const double scale = most > 0 ? fmax(size[b], 1e-3 * most) : 1;
        for (int64_t i = 0; i < c->block[b].tensor->n; i++)
            u[b][i] =
                (2 * rg_draw_uniform(c->seed, RG_DOMAIN_CHECK, tail, (uint64_t)i) - 1) / scale;
    }
}

/* Leaves for u, and φ as a value of the split copy. */
static rg_status make_objective(rg_check *c, double **u, double *size)
{
    rg_graph *g = c->split.g;
    rg_val phi = rg_const(g, 0);
    for (size_t b = 0; b < c->n_block && !g->status; b++) {
        const rg_check_tensor *t = c->block[b].tensor;
        size[b] = rg_check_largest(rg_plan_data(c->first.diff, c->first.grad[b]), t->n);
        if (!(u[b] = rg_arena_get(&c->arena, (size_t)t->n * sizeof **u)))
            return rg_check_no_memory(c);
        rg_val leaf = rg_check_leaf(c, &c->split, t->name, t->id, u[b]);
        if (rg_outcome_of(c->first.grad[b]) != RG_GRADIENT)
            continue;
        rg_val product = rg_mul(c->first.grad[b], leaf);
        phi = rg_add(phi, rg_sum(product));
    }
    c->second.value = phi;
    return g->status ? rg_fail(&c->err, g->status, "%s", rg_graph_message(g)) : RG_OK;
}

/* ⟨a, H·b⟩ and Σ|a∘(H·b)| where the last gradient run had u = b. */
static double product(rg_check *c, double *const *a, double *size)
{
    return rg_check_inner(c->second.diff, c->second.grad, a, c->n_block, size);
}

/* How far ⟨w, H·u⟩ moves by rounding alone. */
static rg_status rounding_of(rg_check *c, double *const *w, double product_was, double *out)
{
    double sizes = 0;
    rg_status st = RG_OK;
    *out = 0;
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, c->second.diff, RG_F64, k);
        *out = fmax(*out, RG_CHECK_SAFETY * fabs(product(c, w, &sizes) - product_was));
    }
    return st;
}

/* ⟨w, H·u⟩ = ⟨u, H·w⟩, to 1e-10 of their terms or to what rounding does to them. */
static rg_status check_symmetry(rg_check *c, double **u, const double *size)
{
    double **w = rg_arena_get(&c->arena, c->n_block * sizeof *w), sizes = 0, rounding = 0;
    if (!w)
        return rg_check_no_memory(c);
    for (size_t b = 0; b < c->n_block; b++)
        if (!(w[b] = rg_arena_get(&c->arena, (size_t)c->block[b].tensor->n * sizeof **w)))
            return rg_check_no_memory(c);
    draw(c, w, size, 2);
    const double one = product(c, w, &sizes);
    draw(c, u, size, 2);
    rg_status st = rg_check_run(c, c->second.diff);
    draw(c, w, size, 1);
    const double two = st ? one : product(c, w, &sizes), off = fabs(one - two);
    if (!st && !(off <= 1e-10 * sizes))
        st = rounding_of(c, w, two, &rounding);
    draw(c, u, size, 1);
    if (st)
        return st;
    const rg_gradcheck_law seen = { .tensor = "", .step = RG_NO_STEP, .got = one, .want = two,
                                    .error = off == 0 ? 0 : off / sizes,
                                    .bound = 1e-10 + (rounding > 0 ? rounding / sizes : 0) };
    rg_check_observe(c, RG_LAW_SYMMETRY, seen);
    if (seen.error > seen.bound && seen.error <= c->rtol)
        rg_check_law_open(c, RG_LAW_SYMMETRY, RG_INCONCLUSIVE, "not symmetric to rounding");
    return RG_OK;
}

rg_status rg_check_second(rg_check *c)
{
    double **u = rg_arena_get(&c->arena, c->n_block * sizeof *u);
    double *size = rg_arena_get(&c->arena, c->n_block * sizeof *size);
    if (!u || !size)
        return rg_check_no_memory(c);
    rg_status st = make_objective(c, u, size);
    if (st)
        return st;
    draw(c, u, size, 1);
    if ((st = rg_check_objective_make(c, &c->second)) || (st = check_symmetry(c, u, size)))
        return st;
    if ((st = rg_check_run(c, c->second.diff)))
        return st;
    return rg_check_objective_run(c, &c->second);
}
