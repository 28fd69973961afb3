/* check/gradflow_run.c -- what is differentiated, the plan, its runs. */
#include "check/gradflow.h"

#include "base/philox.h"
#include "base/real.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

static rg_val in_copy(const rg_flow *f, uint32_t id)
{
    return (rg_val){ f->copy, f->of[id] };
}

/* ---- Gradients as nodes --------------------------------------------------------------------- */

static size_t count_wanted(const rg_flow *f)
{
    size_t n = f->n_tap + (f->x != 0);
    for (size_t i = 0; i < f->n_track; i++)
        n += (size_t)f->loop[f->track[i].loop].T;
    return n;
}

/* Every state at every position, the input, the taps; or their gradients to where they belong. */
static void each_wanted(rg_flow *f, rg_val *v, bool back)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_track; i++)
        for (int64_t p = 0; p < f->loop[f->track[i].loop].T; p++, n++)
            if (back)
                f->track[i].grad[p] = v[n];
            else
                v[n] = in_copy(f, f->track[i].made[p]);
    for (size_t i = 0; i < f->n_tap; i++, n++)
        if (back)
            f->tap[i].grad = v[n];
        else
            v[n] = f->tap[i].leaf;
    if (f->x && back)
        f->x_grad = v[n];
    else if (f->x)
        v[n] = in_copy(f, f->x);
}

/* Σ over loops of ⟨direction, last state⟩, or y. */
static rg_status differentiate(rg_flow *f)
{
    const size_t n = count_wanted(f);
    rg_val *v = rg_arena_get(&f->arena, n * sizeof *v);
    rg_val *dv = rg_arena_get(&f->arena, n * sizeof *dv);
    rg_val *y = rg_arena_get(&f->arena, f->n_loop * sizeof *y);
    if (!v || !dv || !y)
        return rg_flow_no_memory(f);
    for (size_t l = 0; l < f->n_loop; l++)
        y[l] = in_copy(f, f->track[f->loop[l].top].id[f->loop[l].T - 1]);
    each_wanted(f, v, false);
    if (f->opts.probe == RG_PROBE_LOSS)
        rg_grad(dv, in_copy(f, f->y.id), v, n);
    else
        rg_vjp(dv, y, f->seed, f->n_loop, v, n);
    if (f->copy->status)
        return rg_fail(&f->err, f->copy->status, "%s", rg_graph_message(f->copy));
    each_wanted(f, dv, true);
    return RG_OK;
}

/* ---- The plan ------------------------------------------------------------------------------- */

static size_t gather_roots(const rg_flow *f, rg_val *root)
{
    size_t n = 0;
#define PUT(value) do { if (root) root[n] = (value); n++; } while (0)
    for (size_t i = 0; i < f->n_track; i++)
        for (int64_t p = 0; p < f->loop[f->track[i].loop].T; p++)
            PUT(f->track[i].grad[p]);
    for (size_t i = 0; i < f->n_tap; i++)
        PUT(f->tap[i].grad);
    if (f->x)
        PUT(f->x_grad);
    for (size_t i = 0; i < f->n_gate; i++)
        for (int64_t p = 0; p < f->gate[i].T; p++) {
            PUT(in_copy(f, f->gate[i].id[p]));
            if (f->gate[i].keep)
                PUT(in_copy(f, f->gate[i].keep[p]));
        }
    for (size_t l = 0; l < f->n_loop; l++)
        for (int64_t p = 0; p < f->loop[l].T && f->loop[l].mask; p++)
            PUT(in_copy(f, f->loop[l].mask[p]));
#undef PUT
    return n;
}

static rg_status make_plan(rg_flow *f)
{
    const size_t n = gather_roots(f, NULL);
    rg_val *root = rg_arena_get(&f->arena, n * sizeof *root);
    const rg_plan_opts opts = {
        .real = f->opts.real, .threads = f->opts.threads, .alloc = f->alloc,
        .mode = f->opts.probe == RG_PROBE_LOSS ? RG_TRAIN : RG_EVALUATE,
    };
    if (!root)
        return rg_flow_no_memory(f);
    gather_roots(f, root);
    rg_status st = rg_plan_create(&f->plan, root, n, &opts);
    return st ? rg_fail(&f->err, st, "%s", rg_graph_message(f->copy)) : rg_flow_bind(f);
}

/* ---- Directions ----------------------------------------------------------------------------- */

static int64_t width_of(const rg_flow *f, uint32_t id)
{
    const rg_shape *s = rg_node_at(f->g, id)->shape;
    return s->dim[0] ? rg_shape_count(*s) / s->dim[0] : 0;
}

static void put_direction(rg_flow *f, size_t l, int64_t i, double x)
{
    rg_real_put(f->direction[l], f->opts.real, (size_t)i, x);
}

/* A random unit vector for every row. */
static void draw_direction(rg_flow *f, size_t l, int64_t W, uint64_t draw)
{
    const uint64_t tail = rg_stream_tail(rg_fnv1a("gradflow"), draw * f->n_loop + l);
    for (int64_t b = 0; b < f->loop[l].B; b++) {
        double sum = 0;
        for (int64_t j = 0; j < W; j++) {
            const double x = rg_draw_normal(f->opts.seed, RG_DOMAIN_CHECK, tail,
                                            (uint64_t)(b * W + j));
            sum += x * x;
        }
        for (int64_t j = 0; j < W; j++)
            put_direction(f, l, b * W + j,
                          rg_draw_normal(f->opts.seed, RG_DOMAIN_CHECK, tail,
                                         (uint64_t)(b * W + j)) / sqrt(sum));
    }
}

/* Of loop @p from; the others are measured from their own last states, in runs of their own. */
static void choose_directions(rg_flow *f, size_t from, uint64_t draw)
{
    for (size_t l = 0; l < f->n_loop && f->opts.probe != RG_PROBE_LOSS; l++) {
        const int64_t W = f->track[f->loop[l].top].width;
        for (int64_t i = 0; i < f->loop[l].B * W; i++)
            put_direction(f, l, i, l == from && f->opts.probe == RG_PROBE_JACOBIAN &&
                                       i % W == (int64_t)draw);
        if (l == from && f->opts.probe == RG_PROBE_END)
            draw_direction(f, l, W, draw);
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* Row `draw` of ∂(last state)/∂s at every lag, of the longest row. */
static void keep_row(rg_flow *f, rg_flow_track *t, int64_t p, const void *data, uint64_t draw)
{
    const rg_flow_loop *loop = &f->loop[t->loop];
    const int64_t k = loop->lag[p * loop->B + loop->longest], W = f->track[loop->top].width;
    for (int64_t j = 0; j < t->width && k >= 0 && (int64_t)draw < W; j++)
        t->row[(k * W + (int64_t)draw) * t->width + j] =
            rg_flow_element(f->plan, data, loop->longest * t->width + j);
}

static void take_taps(rg_flow *f)
{
    for (size_t i = 0; i < f->n_tap; i++) {
        const void *data = rg_plan_data(f->plan, f->tap[i].grad);
        for (int64_t j = 0; j < f->tap[i].slot->count && data; j++) {
            const double x = rg_flow_element(f->plan, data, j);
            f->tap[i].square += x * x;
        }
    }
}

/* [T,B,...]: the input's rows at every position of the first loop. */
static void take_x(rg_flow *f)
{
    const rg_flow_loop *loop = &f->loop[0];
    const char *data = f->x ? rg_plan_data(f->plan, f->x_grad) : NULL;
    const int64_t row = f->x ? width_of(f, f->x) : 0;
    const size_t item = rg_dtype_size(f->opts.real);
    for (int64_t p = 0; p < loop->T && data; p++)
        rg_flow_norms_add(&f->x_norms, loop, p, f->plan,
                          data + (size_t)(loop->time[p] * row) * item, row / loop->B);
}

/* Of the states of one loop, or of all for the probe `loss`; and of what is read from outside. */
static void take_norms(rg_flow *f, size_t from, uint64_t draw)
{
    for (size_t i = 0; i < f->n_track; i++) {
        rg_flow_track *t = &f->track[i];
        const rg_flow_loop *loop = &f->loop[t->loop];
        if (t->loop != from && f->opts.probe != RG_PROBE_LOSS)
            continue;
        for (int64_t p = 0; p < loop->T; p++) {
            const void *data = rg_plan_data(f->plan, t->grad[p]);
            rg_flow_norms_add(&t->norms, loop, p, f->plan, data, t->width);
            if (t->row && data)
                keep_row(f, t, p, data, draw);
        }
        rg_flow_norms_next(&t->norms, loop, f->opts.probe == RG_PROBE_END);
    }
    if (f->x)
        take_x(f);
    take_taps(f);
}

static rg_status run(rg_flow *f, size_t from, uint64_t draw)
{
    const int64_t number = *(int64_t *)f->plan->run->data;
    choose_directions(f, from, draw);
    rg_status st = rg_plan_run(f->plan);
    *(int64_t *)f->plan->run->data = number; /* the same random draws every time */
    f->runs++;
    return st ? rg_fail(&f->err, st, "%s", rg_plan_message(f->plan)) : RG_OK;
}

static bool is_real(const rg_flow *f, const rg_flow_loop *loop, int64_t p, int64_t b)
{
    const uint8_t *m = loop->mask ? rg_plan_data(f->plan, in_copy(f, loop->mask[p])) : NULL;
    return !m || m[b];
}

/* Room for what the first run's masks make known. */
static rg_status make_norms(rg_flow *f)
{
    rg_status st = RG_OK;
    for (size_t l = 0; l < f->n_loop && !st; l++)
        st = rg_flow_lags(f, &f->loop[l], is_real);
    for (size_t i = 0; i < f->n_track && !st; i++) {
        rg_flow_track *t = &f->track[i];
        const rg_flow_loop *loop = &f->loop[t->loop];
        const size_t W = (size_t)f->track[loop->top].width;
        size_t n;
        st = rg_flow_norms_make(f, &t->norms, loop);
        if (st || f->opts.probe != RG_PROBE_JACOBIAN)
            continue;
        if (!rg_mul_size((size_t)loop->lags * W, (size_t)t->width * sizeof *t->row, &n) ||
            !(t->row = rg_arena_get(&f->arena, n)))
            return rg_flow_no_memory(f);
    }
    return !st && f->x ? rg_flow_norms_make(f, &f->x_norms, &f->loop[0]) : st;
}

static rg_status make_grads(rg_flow *f)
{
    for (size_t i = 0; i < f->n_track; i++) {
        rg_flow_track *t = &f->track[i];
        t->width = width_of(f, t->id[0]);
        if (!(t->grad = rg_arena_get(&f->arena, (size_t)f->loop[t->loop].T * sizeof *t->grad)))
            return rg_flow_no_memory(f);
    }
    for (size_t l = 0; l < f->n_loop; l++)
        if (f->opts.probe == RG_PROBE_JACOBIAN && f->track[f->loop[l].top].width > RG_FLOW_WIDEST)
            return rg_fail(&f->err, RG_ESHAPE, "gradflow: the probe jacobian takes states up to "
                           "%d wide, this is %lld (use the probe end)", RG_FLOW_WIDEST,
                           (long long)f->track[f->loop[l].top].width);
    return RG_OK;
}

/* How many directions a loop is measured in. */
static uint64_t draws_of(const rg_flow *f, size_t l)
{
    return f->opts.probe == RG_PROBE_END    ? (uint64_t)f->opts.draws
         : f->opts.probe == RG_PROBE_LOSS ? l == 0
                                          : (uint64_t)f->track[f->loop[l].top].width;
}

static uint64_t most_draws(const rg_flow *f)
{
    uint64_t n = 0;
    for (size_t l = 0; l < f->n_loop; l++)
        n = draws_of(f, l) > n ? draws_of(f, l) : n;
    return n;
}

/* Every loop in its draw-th direction, as far as it has so many. */
static rg_status draw_all(rg_flow *f, uint64_t draw)
{
    rg_status st = RG_OK;
    for (size_t l = 0; l < f->n_loop && !st; l++) {
        if (draw >= draws_of(f, l))
            continue;
        st = run(f, l, draw);
        if (!st && f->runs == 1)
            st = make_norms(f);
        if (!st)
            take_norms(f, l, draw);
    }
    if (f->x && !st)
        rg_flow_norms_next(&f->x_norms, &f->loop[0], f->opts.probe == RG_PROBE_END);
    return st;
}

rg_status rg_flow_measure(rg_flow *f)
{
    rg_status st;
    if ((st = make_grads(f)) || (st = rg_flow_copy(f)) || (st = differentiate(f)) ||
        (st = make_plan(f)))
        return st;
    const uint64_t draws = most_draws(f);
    for (uint64_t d = 0; d < draws && !st; d++)
        st = draw_all(f, d);
    const bool logs = f->opts.probe == RG_PROBE_END;
    for (size_t i = 0; i < f->n_track && !st; i++) {
        const rg_flow_loop *loop = &f->loop[f->track[i].loop];
        const bool whole = f->opts.probe == RG_PROBE_JACOBIAN;
        rg_flow_norms_end(&f->track[i].norms, loop, logs,
                          whole ? (double)f->track[loop->top].width : 1);
    }
    if (!st && f->x)
        rg_flow_norms_end(&f->x_norms, &f->loop[0], logs, f->opts.probe == RG_PROBE_JACOBIAN
                          ? (double)f->track[f->loop[0].top].width : 1);
    return st;
}
