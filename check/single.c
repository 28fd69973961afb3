/* check/single.c -- what single precision makes of the gradients: an optimized f32 plan against
 * f64 at the same point, all numbers being floats. What rounding may do is measured in f64, every
 * value moving by as much as f32 would round it. docs/MATH.md 13.9. */
#include "check/check.h"

#include <math.h>
#include <string.h>

/* Relative to the block: what every network is allowed, and more than which is no precision. */
static const double ALLOWED = 1e-4, HOPELESS = 0.1;
/* Values whose products stay normal numbers of f32. */
static const double LEAST = 1e-30, MOST = 1e30;

struct single {
    rg_plan *plan;
    float  **data;            /* by binding of the split copy; NULL = not real */
    double **saved;
    double **want;            /* by block: the gradient in f64 */
    double  *rounding;        /* by block: how far it moves */
};

/* ---- The point ------------------------------------------------------------------------------ */

static int64_t reals(const rg_check_binding *b)
{
    return rg_kind_of(b->leaf) == RG_F ? rg_shape_count(rg_shape_of(b->leaf)) : 0;
}

static rg_status narrow(rg_check *c, struct single *s)
{
    for (size_t i = 0; i < c->split.n_bind; i++) {
        const rg_check_binding *b = &c->split.bind[i];
        const size_t n = (size_t)reals(b);
        s->data[i] = rg_arena_get(&c->arena, n * sizeof **s->data);
        s->saved[i] = rg_arena_get(&c->arena, n * sizeof **s->saved);
        if (!s->data[i] || !s->saved[i])
            return rg_check_no_memory(c);
        for (size_t k = 0; k < n; k++) {
            s->saved[i][k] = ((double *)b->data)[k];
            s->data[i][k] = (float)s->saved[i][k];
        }
    }
    for (size_t i = 0; i < c->split.n_bind; i++)
        for (int64_t k = 0; k < reals(&c->split.bind[i]); k++)
            ((double *)c->split.bind[i].data)[k] = s->data[i][k];
    return RG_OK;
}

static void widen_again(rg_check *c, const struct single *s)
{
    for (size_t i = 0; i < c->split.n_bind && s->data && s->saved && s->saved[i]; i++)
        if (reals(&c->split.bind[i]))
            memcpy(c->split.bind[i].data, s->saved[i],
                   (size_t)reals(&c->split.bind[i]) * sizeof **s->saved);
}

/* ---- In double ------------------------------------------------------------------------------- */

static double largest_value(const rg_plan *plan)
{
    double most = 0;
    for (uint32_t id = 1; id < plan->prog.n_node; id++)
        if (plan->prog.node[id].kind == RG_F)
            most = fmax(most, rg_check_largest(plan->value[id],
                                               rg_shape_count(*plan->prog.node[id].shape)));
    return most;
}

/* s->want, s->rounding; *why: what keeps f32 from being compared. */
static rg_status in_double(rg_check *c, struct single *s, const char **why)
{
    double f;
    bool crossed;
    rg_status st = rg_check_value(c, &c->first, &f, &crossed);
    if (st || (st = rg_check_run(c, c->first.diff)))
        return st;
    if (crossed)
        *why = "a comparison falls otherwise in single precision";
    else if (!isfinite(f) || largest_value(c->first.diff) > MOST)
        *why = "values are beyond single precision";
    if (*why)
        return RG_OK;
    for (size_t b = 0; b < c->n_block; b++) {
        const int64_t n = c->block[b].tensor->n;
        if (!(s->want[b] = rg_arena_get(&c->arena, (size_t)n * sizeof **s->want)))
            return rg_check_no_memory(c);
        if (n)
            memcpy(s->want[b], rg_plan_data(c->first.diff, c->first.grad[b]),
                   (size_t)n * sizeof **s->want);
    }
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, c->first.diff, RG_F32, k);
        for (size_t b = 0; b < c->n_block && !st; b++) {
            const int64_t n = c->block[b].tensor->n;
            const double *g = rg_plan_data(c->first.diff, c->first.grad[b]);
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum = hypot(sum, g[i] - s->want[b][i]);
            s->rounding[b] = fmax(s->rounding[b], RG_CHECK_SAFETY * sum);
        }
    }
    return st;
}

/* ---- In single ------------------------------------------------------------------------------- */

static rg_status make_plan(rg_check *c, struct single *s)
{
    const rg_check_objective *o = &c->first;
    const size_t n = c->n_block + o->n_decision;
    const rg_plan_opts opts = { .real = RG_F32, .mode = RG_TRAIN, .alloc = c->alloc };
    rg_val *roots = rg_arena_get(&c->arena, n * sizeof *roots);
    if (!roots)
        return rg_check_no_memory(c);
    memcpy(roots, o->grad, c->n_block * sizeof *roots);
    memcpy(roots + c->n_block, o->decision, o->n_decision * sizeof *roots);
    rg_status st = rg_plan_create(&s->plan, roots, n, &opts);
    if (st)
        return rg_fail(&c->err, st, "%s", rg_graph_message(c->split.g));
    for (size_t i = 0; i < c->split.n_bind && !st; i++) {
        const rg_check_binding *b = &c->split.bind[i];
        const size_t k = (size_t)reals(b);
        st = rg_kind_of(b->leaf) == RG_F
                 ? rg_plan_bind(s->plan, b->leaf, s->data[i], k * sizeof **s->data)
                 : rg_plan_bind(s->plan, b->leaf, b->data, b->bytes);
    }
    if (!st)
        st = rg_check_run(c, s->plan);
    return st ? rg_fail(&c->err, st, "%s", rg_plan_message(s->plan)) : RG_OK;
}

static void compare_block(rg_check *c, const struct single *s, size_t b, size_t *compared)
{
    const rg_check_block *block = &c->block[b];
    const float *got = rg_plan_data(s->plan, c->first.grad[b]);
    const double want = rg_check_norm(s->want[b], block->tensor->n);
    double off = 0, size = 0;
    if (want < LEAST || s->rounding[b] > HOPELESS * want || isnan(s->rounding[b]))
        return;
    for (int64_t i = 0; i < block->tensor->n; i++) {
        off = hypot(off, (double)got[i] - s->want[b][i]);
        size = hypot(size, (double)got[i]);
    }
    ++*compared;
    rg_check_observe(c, RG_LAW_F32, (rg_gradcheck_law){
        .tensor = block->tensor->name, .got = size, .want = want, .error = off / want,
        .step = block->checked ? block->step : RG_NO_STEP,
        .bound = ALLOWED + s->rounding[b] / want });
}

static rg_status in_single(rg_check *c, struct single *s, const char **why)
{
    size_t compared = 0;
    rg_status st = make_plan(c, s);
    if (st)
        return st;
    if (rg_check_crossed(&c->first, s->plan)) {
        *why = "a comparison falls otherwise in single precision";
        return RG_OK;
    }
    for (size_t b = 0; b < c->n_block; b++)
        compare_block(c, s, b, &compared);
    if (!compared)
        *why = "no gradient has digits in single precision";
    return RG_OK;
}

rg_status rg_check_single(rg_check *c)
{
    struct single s = { .plan = NULL };
    const char *why = NULL;
    s.data = rg_arena_get(&c->arena, c->split.n_bind * sizeof *s.data);
    s.saved = rg_arena_get(&c->arena, c->split.n_bind * sizeof *s.saved);
    s.want = rg_arena_get(&c->arena, c->n_block * sizeof *s.want);
    s.rounding = rg_arena_get(&c->arena, c->n_block * sizeof *s.rounding);
    rg_status st = s.data && s.saved && s.want && s.rounding ? narrow(c, &s)
                                                             : rg_check_no_memory(c);
    if (!st)
        st = in_double(c, &s, &why);
    if (!st && !why)
        st = in_single(c, &s, &why);
    if (!st && why)
        rg_check_law_open(c, RG_LAW_F32, RG_NOT_RUN, why);
    widen_again(c, &s);
    rg_plan_destroy(&s.plan);
    if (!st) /* values where others expect them */
        st = rg_check_run(c, c->first.eval);
    return st ? st : rg_check_run(c, c->first.diff);
}
