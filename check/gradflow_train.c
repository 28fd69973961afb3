/* check/gradflow_train.c -- the probe `loss` within a training plan: norms of the states' gradients
 * are a few more roots of a step that computes these gradients anyhow. */
#include "check/gradflow.h"

#include "ops/ops.h"

/* ---- Roots ----------------------------------------------------------------------------------- */

/* f32 squares of what is enlarged so hold norms from 1e-28 to 1e10. */
static const double BLOW = 0x1p30;

/* ‖BLOW·g[b]‖² of every row, [B]: a plain sum of squares, which the plan computes where it makes or
 * reads g. */
static rg_val row_squares(rg_val g)
{
    rg_val s = rg_square(rg_scale(g, BLOW));
    return rg_shape_of(g).rank == 1
        ? s : rg_sum_over(rg_reshape(s, RG_SHAPE(rg_dim(g, 0), -1)), 1, false);
}

/* [T,B] of a track whose gradients are dx: norms, and -1 where a row's step is masked. @p v is room
 * for T values. */
static rg_val norms_of(const rg_flow *f, const rg_flow_track *t, const rg_val *dx, rg_val *v)
{
    const rg_flow_loop *loop = &f->loop[t->loop];
    const size_t T = (size_t)loop->T;
    for (size_t p = 0; p < T; p++)
        v[p] = row_squares(dx[p]);
    rg_val norm = rg_scale(rg_sqrt(rg_stack(v, T, 0)), 1 / BLOW);
    if (!loop->mask)
        return norm;
    for (size_t p = 0; p < T; p++)
        v[p] = rg_reshape((rg_val){ f->g, loop->mask[p] }, RG_SHAPE(loop->B));
    return rg_where(rg_stack(v, T, 0), norm, rg_const(f->g, -1));
}

static size_t count_states(const rg_flow *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_track; i++)
        n += (size_t)f->loop[f->track[i].loop].T;
    return n;
}

/* The plan's roots: loss, norms, the caller's, the parameters' gradients. All gradients are asked
 * for at once, so that nodes come, and sums add, in the order of training without a look. */
static rg_status make_roots(rg_flow *f, rg_val *root, size_t *n, const rg_val *also, size_t n_also)
{
    const size_t S = count_states(f);
    rg_val *s = rg_arena_get(&f->arena, 2 * S * sizeof *s), *ds = s + S;
    size_t at = 0, made;
    if (!s)
        return rg_flow_no_memory(f);
    for (size_t i = 0; i < f->n_track; i++)
        for (int64_t p = 0; p < f->loop[f->track[i].loop].T; p++)
            s[at++] = (rg_val){ f->g, f->track[i].made[p] };
    root[0] = f->y;
    for (size_t i = 0; i < n_also; i++)
        root[1 + f->n_track + i] = also[i];
    rg_status st = rg_train_roots(root + 1 + f->n_track + n_also, &made, f->y, s, ds, S);
    rg_scope_push(f->g, "gradflow", RG_NO_STEP);
    for (size_t i = 0; i < f->n_track && !st; i++) {
        root[1 + i] = norms_of(f, &f->track[i], ds, s);
        ds += f->loop[f->track[i].loop].T;
    }
    rg_scope_pop(f->g);
    *n = 1 + f->n_track + n_also + made;
    return st ? st : f->g->status;
}

static rg_status make_plan(rg_flow *f, rg_plan **plan, rg_val **norm, const rg_val *also, size_t n,
                           const rg_plan_opts *opts)
{
    rg_plan_opts o = opts ? *opts : (rg_plan_opts){ .threads = 0 };
    rg_status st;
    if ((st = rg_flow_check(f)) || (st = rg_flow_find(f)))
        return rg_graph_fail(f->g, st, "%s", f->err.text);
    const size_t most = 1 + f->n_track + n + f->g->param_node_cap;
    rg_val *root = rg_graph_alloc(f->g, most * sizeof *root);
    if (!root || (st = make_roots(f, root, &n, also, n)))
        return root ? st : RG_ENOMEM;
    o.objective = f->y;
    *norm = root + 1;
    return rg_plan_create(plan, root, n, &o);
}

rg_status rg_gradflow_train(rg_plan **plan, rg_val **norm, rg_val loss, const rg_val *also,
                            size_t n, const rg_gradflow_opts *opts, const rg_plan_opts *plan_opts)
{
    rg_flow f = { .y = loss };
    if (!plan || !norm || !loss.graph || (n && !also))
        return RG_EARG;
    *plan = NULL;
    *norm = NULL;
    rg_flow_begin(&f, loss.graph, opts);
    f.opts.probe = RG_PROBE_LOSS;
    f.opts.data = NULL;
    rg_status st = make_plan(&f, plan, norm, also, n, plan_opts);
    rg_arena_free(&f.arena);
    rg_arena_free(&f.kept);
    return st;
}

/* ---- Report ---------------------------------------------------------------------------------- */

struct reading {
    rg_flow       flow;
    const rg_val *norm;
};

/* Is this row's step real? Its first state's norm then is none below 0. */
static bool is_real(const rg_flow *f, const rg_flow_loop *loop, int64_t p, int64_t b)
{
    const rg_val norm = ((const struct reading *)f)->norm[loop->first];
    return !(rg_flow_element(f->plan, rg_plan_data(f->plan, norm), p * loop->B + b) < 0);
}

static rg_status read_norms(rg_flow *f, const rg_val *norm)
{
    rg_status st = RG_OK;
    for (size_t k = 0; k < f->n_track; k++)
        if (!rg_plan_data(f->plan, norm[k]))
            return rg_fail(&f->err, f->plan->has_run ? RG_EARG : RG_ESTATE, "gradflow: %s",
                           rg_plan_message(f->plan));
    for (size_t l = 0; l < f->n_loop && !st; l++)
        st = rg_flow_lags(f, &f->loop[l], is_real);
    for (size_t k = 0; k < f->n_track && !st; k++) {
        rg_flow_norms *n = &f->track[k].norms;
        const rg_flow_loop *loop = &f->loop[f->track[k].loop];
        const char *data = rg_plan_data(f->plan, norm[k]);
        const size_t row = (size_t)loop->B * rg_dtype_size(f->plan->opts.real);
        st = rg_flow_norms_make(f, n, loop);
        for (int64_t p = 0; p < loop->T && !st; p++)
            rg_flow_norms_add(n, loop, p, f->plan, data + (size_t)p * row, 1);
        if (!st)
            rg_flow_norms_end(n, loop, false, 1);
    }
    return st;
}

static rg_status read_work(rg_flow *f, rg_gradflow_report *r)
{
    const rg_val *norm = ((const struct reading *)f)->norm;
    rg_status st;
    if (!norm || !f->plan || f->plan->graph != f->g)
        return rg_fail(&f->err, RG_EARG, "gradflow: roots and their plan are needed");
    if ((st = rg_flow_check(f)) || (st = rg_flow_find(f)) || (st = rg_flow_name(f)))
        return st;
    f->opts.real = f->plan->opts.real;
    f->runs = 1;
    return (st = read_norms(f, norm)) ? st : rg_flow_report(f, r);
}

rg_status rg_gradflow_read(rg_gradflow_report **report, rg_plan *plan, rg_val loss,
                           const rg_val *norm, const rg_gradflow_opts *opts)
{
    struct reading r = { .norm = norm };
    if (!report)
        return RG_EARG;
    *report = NULL;
    rg_flow_begin(&r.flow, loss.graph, opts);
    r.flow.y = loss;
    r.flow.plan = plan;
    r.flow.opts.probe = RG_PROBE_LOSS;
    r.flow.opts.data = NULL;
    return rg_flow_finish(report, &r.flow, read_work);
}
