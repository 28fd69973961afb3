/* check/gradflow_train.c -- the probe `loss` within a training plan: norms of the states' gradients
 * are a few more roots of a step that computes these gradients anyhow. */
#include "check/gradflow.h"

#include "ops/ops.h"

/* ---- Roots ----------------------------------------------------------------------------------- */

/* What the step made, before a mask chose. */
static rg_val made(const rg_val *states, size_t S, int64_t T, int64_t t, size_t k)
{
    const rg_val v = states[(size_t)t * S + k];
    for (int way = -1; way <= 1; way += 2)
        if (t + way >= 0 && t + way < T &&
            rg_flow_masked(v.graph, v.id, states[(size_t)(t + way) * S + k].id))
            return (rg_val){ v.graph, rg_node_at(v.graph, v.id)->in[1] };
    return v;
}

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

static bool states_ok(rg_graph *g, const rg_val *states, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (states[i].graph != g || !rg_node_of(states[i]) || rg_shape_of(states[i]).rank < 1)
            return false;
    return n > 0;
}

void rg_gradflow_roots(rg_val *norm, rg_val loss, const rg_val *states, size_t n_state, int64_t T)
{
    rg_graph *g = loss.graph;
    const size_t n = n_state * (size_t)(T > 0 ? T : 0);
    rg_val *x = g && !g->status ? rg_graph_alloc(g, 2 * n * sizeof *x) : NULL, *dx = x + n;
    for (size_t k = 0; k < n_state; k++)
        norm[k] = (rg_val){ .graph = g };
    if (!x)
        return;
    if (!states_ok(g, states, n)) {
        rg_poison(g, RG_EARG, "gradflow: the states are no values [B,...] of the graph");
        return;
    }
    for (int64_t t = 0; t < T; t++)
        for (size_t k = 0; k < n_state; k++)
            x[(size_t)t * n_state + k] = made(states, n_state, T, t, k);
    rg_grad(dx, loss, x, n);
    rg_scope_push(g, "gradflow", RG_NO_STEP);
    for (size_t k = 0; k < n_state && !g->status; k++) {
        for (int64_t t = 0; t < T; t++)
            x[t] = row_squares(dx[(size_t)t * n_state + k]);
        norm[k] = rg_scale(rg_sqrt(rg_stack(x, (size_t)T, 0)), 1 / BLOW);
    }
    rg_scope_pop(g);
}

/* ---- Report ---------------------------------------------------------------------------------- */

struct reading {
    rg_flow       flow;
    rg_plan      *plan;
    const rg_val *norm;
};

static double norm_at(const rg_flow *f, const void *data, const rg_flow_loop *loop, int64_t p,
                      int64_t b)
{
    return rg_flow_element(f->plan, data, loop->time[p] * loop->B + b);
}

/* Does anything arrive at this row's states here? */
static bool arrives(const rg_flow *f, const rg_val *norm, const rg_flow_loop *loop, int64_t p,
                    int64_t b)
{
    for (size_t k = 0; k < f->n_track; k++)
        if (norm_at(f, rg_plan_data(f->plan, norm[k]), loop, p, b) != 0)
            return true;
    return false;
}

static rg_status lags_of(rg_flow *f, const rg_val *norm, rg_flow_loop *loop)
{
    const int64_t T = loop->T, B = loop->B;
    loop->lag = rg_arena_get(&f->arena, (size_t)(T * B) * sizeof *loop->lag);
    loop->rows = rg_arena_get(&f->arena, (size_t)T * sizeof *loop->rows);
    if (!loop->lag || !loop->rows)
        return rg_flow_no_memory(f);
    for (int64_t b = 0; b < B; b++) {
        int64_t n = 0;
        for (int64_t p = T; p-- > 0;) {
            const bool real = n > 0 || arrives(f, norm, loop, p, b);
            loop->lag[p * B + b] = real ? n : -1;
            if (real)
                loop->rows[n++] += 1;
        }
        loop->lags = n > loop->lags ? n : loop->lags;
    }
    return RG_OK;
}

static rg_status read_norms(rg_flow *f, const rg_val *norm)
{
    rg_flow_loop *loop = f->loop;
    for (size_t k = 0; k < f->n_track; k++)
        if (!rg_plan_data(f->plan, norm[k]))
            return rg_fail(&f->err, f->plan->has_run ? RG_EARG : RG_ESTATE, "gradflow: %s",
                           rg_plan_message(f->plan));
    rg_status st = lags_of(f, norm, loop);
    for (size_t k = 0; k < f->n_track && !st; k++) {
        rg_flow_norms *n = &f->track[k].norms;
        const char *data = rg_plan_data(f->plan, norm[k]);
        const size_t item = rg_dtype_size(f->plan->opts.real);
        st = rg_flow_norms_make(f, n, loop);
        for (int64_t p = 0; p < loop->T && !st; p++)
            rg_flow_norms_add(n, loop, p, f->plan, data + (size_t)(loop->time[p] * loop->B) * item,
                              1);
        if (!st)
            rg_flow_norms_end(n, loop, false, 1);
    }
    return st;
}

static rg_status read_work(rg_flow *f, rg_gradflow_report *r)
{
    const struct reading *own = (const struct reading *)f;
    rg_status st;
    if (!f->opts.states || !own->norm || !own->plan || own->plan->graph != f->g)
        return rg_fail(&f->err, RG_EARG, "gradflow: states, roots and their plan are needed");
    if ((st = rg_flow_find(f)) || (st = rg_flow_name(f)))
        return st;
    f->plan = own->plan;
    f->opts.real = own->plan->opts.real;
    f->opts.probe = RG_PROBE_LOSS;
    f->runs = 1;
    return (st = read_norms(f, own->norm)) ? st : rg_flow_report(f, r);
}

rg_status rg_gradflow_read(rg_gradflow_report **report, rg_plan *plan, const rg_val *norm,
                           const rg_gradflow_opts *opts)
{
    struct reading r = { .plan = plan, .norm = norm };
    if (!report)
        return RG_EARG;
    *report = NULL;
    rg_flow_begin(&r.flow, norm ? norm[0].graph : NULL, opts);
    return rg_flow_finish(report, &r.flow, read_work);
}
