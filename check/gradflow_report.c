/* check/gradflow_report.c -- what was measured, as the caller sees it. */
#include "check/gradflow.h"

#include <math.h>
#include <string.h>

/* A lag's time step, of rows that fill the loop. */
static rg_status times_of(rg_flow *f, const rg_flow_loop *loop, int64_t **out)
{
    int64_t *time = *out = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *time);
    for (int64_t k = 0; k < loop->T && time; k++)
        time[k] = loop->time[loop->T - 1 - k];
    return time ? RG_OK : rg_flow_no_memory(f);
}

static rg_status judge(rg_flow *f, rg_flow_state *s, const rg_flow_loop *loop)
{
    int64_t *time;
    rg_status st = times_of(f, loop, &time);
    if (!st)
        rg_flow_judge(s, f->opts.lag ? f->opts.lag : s->lags - 1, f->opts.real, time);
    return st;
}

static rg_status add_states(rg_flow *f, rg_gradflow_report *r)
{
    rg_flow_state *state = rg_arena_get(&f->kept, f->n_track * sizeof *state);
    rg_status st = state ? RG_OK : rg_flow_no_memory(f);
    for (size_t i = 0; i < f->n_track && !st; i++) {
        const rg_flow_track *t = &f->track[i];
        const rg_flow_loop *loop = &f->loop[t->loop];
        state[i] = (rg_flow_state){ .name = t->name, .layer = t->layer, .lags = loop->lags,
                                    .norm = t->norms.norm };
        st = judge(f, &state[i], loop);
        if (!st && t->row)
            st = rg_flow_jacobian(f, &state[i], t);
    }
    r->state = state;
    r->n_state = st ? 0 : f->n_track;
    return st;
}

/* √(Σ N²) over the layer's states. */
static rg_status add_layer(rg_flow *f, rg_flow_state *out, size_t l)
{
    const rg_flow_loop *loop = &f->loop[f->layer[l].loop];
    double *norm = rg_arena_get(&f->kept, (size_t)loop->T * sizeof *norm);
    if (!norm)
        return rg_flow_no_memory(f);
    for (size_t i = 0; i < f->n_track; i++)
        for (int64_t k = 0; k < loop->lags && f->track[i].layer == l; k++)
            norm[k] = hypot(norm[k], f->track[i].norms.norm[k]);
    *out = (rg_flow_state){ .name = f->layer[l].name, .layer = l, .lags = loop->lags,
                            .norm = norm };
    return judge(f, out, loop);
}

static rg_status add_layers(rg_flow *f, rg_gradflow_report *r)
{
    rg_flow_state *layer = rg_arena_get(&f->kept, f->n_layer * sizeof *layer);
    rg_status st = layer ? RG_OK : rg_flow_no_memory(f);
    for (size_t l = 0; l < f->n_layer && !st; l++)
        st = add_layer(f, &layer[l], l);
    r->layer = layer;
    r->n_layer = st ? 0 : f->n_layer;
    return st;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static bool is_first(const rg_flow *f, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (f->tap[k].slot == f->tap[i].slot)
            return false;
    return true;
}

/* The taps of one parameter. The total is of the last run, the parts are means over the runs. */
static rg_status add_param(rg_flow *f, rg_flow_param *out, const rg_slot *slot, int64_t T)
{
    double *norm = rg_arena_get(&f->kept, (size_t)T * sizeof *norm);
    double *sum = rg_arena_get(&f->arena, (size_t)slot->count * sizeof *sum);
    const double runs = f->runs ? (double)f->runs : 1;
    if (!norm || !sum)
        return rg_flow_no_memory(f);
    *out = (rg_flow_param){ .name = rg_arena_text(&f->kept, slot->name), .norm = norm };
    for (size_t i = 0; i < f->n_tap; i++) {
        const rg_flow_tap *t = &f->tap[i];
        if (t->slot != slot)
            continue;
        const void *data = rg_plan_data(f->plan, t->grad);
        if (t->step >= 0 && t->step < T)
            norm[t->step] = sqrt(t->square / runs);
        else
            out->outside = sqrt(t->square / runs);
        for (int64_t j = 0; j < slot->count && data; j++)
            sum[j] += rg_flow_element(f->plan, data, j);
    }
    for (int64_t j = 0; j < slot->count; j++)
        out->total = hypot(out->total, sum[j]);
    return out->name ? RG_OK : rg_flow_no_memory(f);
}

static rg_status add_params(rg_flow *f, rg_gradflow_report *r)
{
    rg_flow_param *param = rg_arena_get(&f->kept, f->n_tap * sizeof *param);
    rg_status st = param ? RG_OK : rg_flow_no_memory(f);
    size_t n = 0;
    for (size_t i = 0; i < f->n_tap && !st; i++)
        if (is_first(f, i))
            st = add_param(f, &param[n++], f->tap[i].slot, r->T);
    r->param = param;
    r->n_param = st ? 0 : n;
    return st;
}

/* ---- The whole ------------------------------------------------------------------------------- */

rg_status rg_flow_report(rg_flow *f, rg_gradflow_report *r)
{
    const rg_flow_loop *loop = &f->loop[0];
    rg_status st;
    for (size_t l = 0; l < f->n_loop; l++) {
        r->T = f->loop[l].T > r->T ? f->loop[l].T : r->T;
        r->lag = f->loop[l].lags - 1 > r->lag ? f->loop[l].lags - 1 : r->lag;
    }
    r->B = loop->B;
    r->lag = f->opts.lag ? f->opts.lag : r->lag;
    r->nodes = rg_plan_facts(f->plan).nodes;
    r->runs = f->runs;
    if ((st = add_states(f, r)) || (st = add_layers(f, r)) || (st = add_params(f, r)) ||
        (st = rg_flow_read_gates(f, r)))
        return st;
    if (f->x) {
        r->x = f->x_norms.norm;
        r->x_lags = loop->lags;
    }
    rg_flow_say(r);
    return RG_OK;
}
