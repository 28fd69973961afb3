/* check/gradcheck.c -- the check as a whole: what is done, in order. docs/MATH.md 13. */
#include "check/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

rg_status rg_check_no_memory(rg_check *c)
{
    return rg_fail(&c->err, RG_ENOMEM, "gradcheck: no memory");
}

double rg_check_largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

double rg_check_norm(const double *x, int64_t n)
{
    const double most = rg_check_largest(x, n);
    double sum = 0;
    for (int64_t i = 0; i < n && most > 0; i++)
        sum += x[i] / most * (x[i] / most);
    return most * sqrt(sum);
}

/* ---- One objective -------------------------------------------------------------------------- */

static rg_status make_results(rg_check *c, rg_check_objective *o)
{
    o->result = rg_arena_get(&c->arena, c->n_block * sizeof *o->result);
    for (size_t i = 0; i < c->n_block && o->result; i++) {
        const rg_check_block *b = &c->block[i];
        rg_check_result *r = &o->result[i];
        const size_t n = rg_check_directions_of(b->tensor, o->n_alone);
        const double *g = rg_plan_data(o->diff, o->grad[i]);
        *r = (rg_check_result){ .block = b, .n = n, .oracle = o->oracle, .reason = "",
                                .same = true };
        r->got = rg_arena_get(&c->arena, n * sizeof *r->got);
        r->want = rg_arena_get(&c->arena, n * sizeof *r->want);
        r->out = rg_arena_get(&c->arena, n);
        if (!r->got || !r->want || !r->out)
            return rg_check_no_memory(c);
        for (size_t j = 0; j < n; j++)
            r->got[j] = rg_check_along(b->tensor, g, n, j);
    }
    return o->result ? RG_OK : rg_check_no_memory(c);
}

/* No path for the gradient, none for the value: nothing more to ask. */
static bool settled_by_path(rg_check *c, const rg_check_objective *o, rg_check_result *r)
{
    const rg_outcome outcome = rg_outcome_of(o->grad[r->block - c->block]);
    const rg_outcome whole = rg_outcome_of(c->total[r->block->tensor - c->tensor]);
    if (outcome == RG_GRADIENT || !rg_check_is_zero(r))
        return false;
    r->oracle = outcome == RG_BLOCKED || whole == RG_BLOCKED ? "blocked" : "no path";
    r->verdict = RG_PASS;
    r->reason = "";
    return true;
}

static rg_status by_complex_step(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    rg_status st = rg_check_complex_step(c, o, r);
    if (st || r->missing)
        return st;
    r->oracle = o == &c->first ? "complex step" : o->oracle;
    rg_check_judge(c, r);
    if (rg_check_is_zero(r)) {
        r->verdict = RG_PASS;
        r->reason = "";
    }
    return RG_OK;
}

/* In exploding recurrences differences may be off by more than they say (docs/MATH.md 13.3), so of
 * a block that fails by a little complex steps, which have no such doubt, have the last word. */
static rg_status appeal(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    rg_check_result again = *r;
    rg_status st = RG_OK;
    again.want = rg_arena_get(&c->arena, r->n * sizeof *again.want);
    again.out = rg_arena_get(&c->arena, r->n);
    if (!again.want || !again.out)
        return rg_check_no_memory(c);
    if (!(st = by_complex_step(c, o, &again)) && !again.missing)
        *r = again;
    return st;
}

/* Differences; what they leave undecided, complex steps; what these do, each cell alone. */
static rg_status check_block(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    rg_status st = rg_check_difference(c, o, r);
    if (st)
        return st;
    rg_check_judge(c, r);
    if (settled_by_path(c, o, r))
        return RG_OK;
    if (rg_check_is_marginal(r))
        st = appeal(c, o, r);
    else if (r->verdict == RG_INCONCLUSIVE)
        st = by_complex_step(c, o, r);
    return !st && c->local && r->verdict == RG_INCONCLUSIVE ? rg_check_local(c, o, r) : st;
}

/* The loss itself is infinite or NaN: nothing can be told. */
static rg_status not_finite(rg_check *c, rg_check_objective *o)
{
    char place[RG_CHECK_PLACE], text[RG_CHECK_PLACE + 64];
    (void)snprintf(text, sizeof text, "the loss is not finite; the first such value is of op %s",
                   rg_check_first_bad(place, o));
    const char *reason = rg_arena_text(&c->arena, text);
    for (size_t i = 0; i < c->n_block && reason; i++) {
        o->result[i].verdict = RG_INCONCLUSIVE;
        o->result[i].reason = reason;
    }
    return reason ? RG_OK : rg_check_no_memory(c);
}

rg_status rg_check_objective_run(rg_check *c, rg_check_objective *o)
{
    rg_status st = make_results(c, o);
    if (!st && !isfinite(o->base))
        return not_finite(c, o);
    for (size_t i = 0; i < c->n_block && !st; i++)
        if (c->block[i].checked)
            st = check_block(c, o, &o->result[i]);
    if (!st)
        st = rg_check_control(c, o, rg_check_judge);
    return !st && c->local ? rg_check_blame(c, o) : st;
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* The whole copy: total gradients, values of inner nodes, bounds of indices. */
static rg_status make_whole(rg_check *c)
{
    rg_val *roots = rg_arena_get(&c->arena, (1 + c->n_tensor) * sizeof *roots);
    rg_val *x = rg_arena_get(&c->arena, c->n_tensor * sizeof *x);
    rg_status st = rg_check_copy_whole(c, &c->whole);
    if (st || !roots || !x)
        return st ? st : rg_check_no_memory(c);
    for (size_t i = 0; i < c->n_tensor; i++)
        x[i] = (rg_val){ c->whole.g, c->whole.of[c->tensor[i].id] };
    roots[0] = (rg_val){ c->whole.g, c->whole.of[c->loss.id] };
    c->total = roots + 1;
    rg_grad(c->total, roots[0], x, c->n_tensor);
    if (c->whole.g->status)
        return rg_fail(&c->err, c->whole.g->status, "%s", rg_graph_message(c->whole.g));
    if ((st = rg_check_plan(c, &c->interpreted, &c->whole, roots, 1 + c->n_tensor, RG_INTERPRET)) ||
        (st = rg_check_indices(c)))
        return st;
    return rg_check_run(c, c->interpreted);
}

/* Base points, and what is bound to the blocks. */
static void place_blocks(rg_check *c)
{
    for (size_t i = 0; i < c->n_tensor; i++) {
        rg_check_tensor *t = &c->tensor[i];
        const rg_val v = { c->whole.g, c->whole.of[t->id] };
        rg_check_directions(c, t, c->needed[t->id] ? rg_plan_data(c->interpreted, v) : t->base);
    }
    for (size_t i = 0; i < c->n_block; i++)
        if (c->block[i].tensor->n)
            memcpy(c->block[i].x, c->block[i].tensor->base,
                   (size_t)c->block[i].tensor->n * sizeof(double));
}

/* What holds of all blocks together; nothing where the loss is not finite, nor of one cell. */
static rg_status check_laws(rg_check *c)
{
    rg_status st = RG_OK;
    if (!c->local || !isfinite(c->first.base))
        return RG_OK;
    if ((st = rg_check_totals(c)) || (st = rg_check_single(c)))
        return st;
    return rg_check_dot(c);
}

static rg_status check(rg_check *c, const rg_val *x, size_t n, const rg_gradcheck_opts *opts)
{
    rg_status st;
    if ((st = rg_check_tensors(c, x, n)) || (st = rg_check_blocks(c)) ||
        (st = rg_check_reals(c)) || (st = make_whole(c)))
        return st;
    place_blocks(c);
    if ((st = rg_check_run(c, c->interpreted)) || (st = rg_check_copy_split(c)) ||
        (st = rg_check_objective_make(c, &c->first)) || (st = check_laws(c)) ||
        (st = rg_check_objective_run(c, &c->first)))
        return st;
    return opts && opts->order == 2 && isfinite(c->first.base) ? rg_check_second(c) : RG_OK;
}

static rg_status check_arguments(rg_check *c, size_t n, const rg_val *x,
                                 const rg_gradcheck_opts *opts)
{
    if (!c->g)
        return rg_fail(&c->err, RG_EARG, "gradcheck: the loss is no value");
    if (c->g->status)
        return rg_fail(&c->err, c->g->status, "%s", rg_graph_message(c->g));
    if (!rg_node_of(c->loss) || rg_kind_of(c->loss) != RG_F)
        return rg_fail(&c->err, RG_EARG, "gradcheck: the loss is no real value");
    if (rg_shape_of(c->loss).rank)
        return rg_fail(&c->err, RG_ESHAPE, "gradcheck: the loss is not a scalar");
    if (n && !x)
        return rg_fail(&c->err, RG_EARG, "gradcheck: x is NULL");
    if (opts && (opts->order < 0 || opts->order > 2))
        return rg_fail(&c->err, RG_EARG, "gradcheck: order is %d, allowed are 0, 1, 2",
                       opts->order);
    if (opts && !(opts->rtol >= 0 && opts->rtol < 1e-2))
        return rg_fail(&c->err, RG_EARG, "gradcheck: rtol must be at least 0 and below 0.01");
    if (c->bound && c->bound->graph != c->g)
        return rg_fail(&c->err, RG_EGRAPH, "gradcheck: the plan that the data is to come from is "
                       "of another graph");
    return RG_OK;
}

static void finish(rg_check *c)
{
    rg_check_objective_free(&c->second);
    rg_check_objective_free(&c->first);
    rg_plan_destroy(&c->optimized);
    rg_plan_destroy(&c->interpreted);
    rg_graph_destroy(&c->split.g);
    rg_graph_destroy(&c->whole.g);
    rg_arena_free(&c->arena);
}

rg_verdict rg_check_one(rg_gradcheck_report **report, rg_val loss, const rg_val *x, size_t n,
                        const rg_gradcheck_opts *opts, bool local)
{
    rg_check c = {
        .local = local,
        .g = loss.graph, .loss = loss, .rtol = opts && opts->rtol > 0 ? opts->rtol : 1e-6,
        .seed = opts ? opts->seed : 0, .all_steps = opts && opts->all_steps,
        .allow_inconclusive = opts && opts->allow_inconclusive,
        .bound = opts ? opts->data : NULL,
        .first = { .n_alone = RG_CHECK_ALONE, .oracle = "difference" },
        .second = { .n_alone = RG_CHECK_RANDOM, .oracle = "second order" },
    };
    (void)rg_alloc_resolve(&c.alloc, c.g ? &c.g->alloc : NULL);
    rg_arena_init(&c.arena, &c.alloc);
    if (!check_arguments(&c, n, x, opts))
        c.err.status = check(&c, x, n, opts);
    rg_gradcheck_report *r = rg_check_report(&c);
    const rg_verdict verdict = r ? r->verdict : RG_NOT_RUN;
    finish(&c);
    if (report)
        *report = r;
    else
        rg_gradcheck_destroy(&r);
    return verdict;
}

rg_verdict rg_gradcheck(rg_gradcheck_report **report, rg_val loss, const rg_val *x, size_t n,
                        const rg_gradcheck_opts *opts)
{
    return rg_check_one(report, loss, x, n, opts, true);
}
