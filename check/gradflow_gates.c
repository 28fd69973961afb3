/* check/gradflow_gates.c -- gates: every sigmoid of a time step, or those given; which of them
 * carry an old state on; their statistics, after A. Karpathy, J. Johnson, L. Fei-Fei, "Visualizing
 * and understanding recurrent networks", 2015; and the sequence that the steps read. */
#include "check/gradflow.h"

#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- What the steps read --------------------------------------------------------------------- */

/* X of X[t]: real, [T,B,...], from outside the steps. */
static uint32_t find_x(const rg_flow *f)
{
    const rg_flow_loop *loop = &f->loop[0];
    const int64_t p = loop->T > 1 ? loop->T - 2 : 0;
    if (f->opts.x.id)
        return f->opts.x.id;
    for (size_t i = 0; i < loop->n_step[p]; i++) {
        const rg_node *node = rg_node_at(f->g, loop->step[p][i]);
        const rg_node *in = node->n_in ? rg_node_at(f->g, node->in[0]) : NULL;
        if (node->op == &rg_op_slice && in->kind == RG_F && in->shape->rank > 1 &&
            !f->step_of[in->scope] && in->shape->dim[0] == loop->T && in->shape->dim[1] == loop->B)
            return node->in[0];
    }
    return 0;
}

static rg_status check_x(rg_flow *f)
{
    const rg_flow_loop *loop = &f->loop[0];
    const rg_node *x = f->x ? rg_node_at(f->g, f->x) : NULL;
    if (x && (x->kind != RG_F || x->shape->rank < 2 || x->shape->dim[1] != loop->B))
        return rg_fail(&f->err, RG_ESHAPE, "gradflow: x is [T,B,...] of reals");
    for (int64_t p = 0; p < loop->T && x; p++)
        if (loop->time[p] < 0 || loop->time[p] >= x->shape->dim[0])
            return rg_fail(&f->err, RG_ESHAPE, "gradflow: x has no time step %lld",
                           (long long)loop->time[p]);
    return RG_OK;
}

/* ---- Which values are gates ------------------------------------------------------------------ */

static bool is_gate(const rg_node *node)
{
    if (node->op == &rg_op_clip) {
        const rg_attr_range *a = node->attr;
        return a->lo == 0 && a->hi == 1;
    }
    return node->op == &rg_op_sigmoid;
}

/* The n-th gate of a step; 0 = none. */
static uint32_t nth_gate(const rg_flow *f, const rg_flow_loop *loop, int64_t p, size_t n)
{
    for (size_t i = 0; i < loop->n_step[p]; i++)
        if (is_gate(rg_node_at(f->g, loop->step[p][i])) && n-- == 0)
            return loop->step[p][i];
    return 0;
}

static size_t count_gates(const rg_flow *f, const rg_flow_loop *loop, int64_t p)
{
    size_t n = 0;
    while (nth_gate(f, loop, p, n))
        n++;
    return n;
}

/* What a product with the old state multiplies it by; 0 = it is no such product. */
static uint32_t factor_of(const rg_flow *f, uint32_t id, uint32_t old)
{
    const rg_node *node = rg_node_at(f->g, id);
    if (node->op != &rg_op_mul)
        return 0;
    return node->in[0] == old ? node->in[1] : node->in[1] == old ? node->in[0] : 0;
}

/* s' = ... + k∘s + ...: the node k, if that is the gate or one minus it. */
static uint32_t keeps(const rg_flow *f, const rg_flow_track *t, int64_t p, uint32_t gate)
{
    enum { DEEP = 16 };
    uint32_t todo[DEEP];
    size_t n = 0;
    todo[n++] = rg_flow_computed(f, t->id[p]);
    while (n) {
        const uint32_t id = todo[--n], k = factor_of(f, id, t->id[p - 1]);
        const rg_node *node = rg_node_at(f->g, id), *by = k ? rg_node_at(f->g, k) : NULL;
        if (k == gate || (by && by->op == &rg_op_one_minus && by->in[0] == gate))
            return k;
        if ((node->op == &rg_op_add || node->op == &rg_op_sub) && n + 2 <= DEEP) {
            todo[n++] = node->in[0];
            todo[n++] = node->in[1];
        }
    }
    return 0;
}

/* The factor at every position; the first has no old state in the loop, so it is as the second. */
static rg_status find_keeping(rg_flow *f, rg_flow_gate_track *gate)
{
    const rg_flow_loop *loop = &f->loop[gate->loop];
    uint32_t *keep = rg_arena_get(&f->arena, (size_t)gate->T * sizeof *keep);
    if (!keep)
        return rg_flow_no_memory(f);
    for (size_t i = loop->first; i < loop->first + loop->n_track && gate->T == loop->T; i++) {
        bool all = gate->T > 1;
        for (int64_t p = 1; p < gate->T && all; p++)
            all = (keep[p] = keeps(f, &f->track[i], p, gate->id[p])) != 0;
        keep[0] = keep[1];
        if (all) {
            gate->keep = keep;
            return RG_OK;
        }
    }
    return RG_OK;
}

/* "rnn.l0.f" of rnn.l0.bf: without the letter of what multiplies it. */
static rg_status name_gate(rg_flow *f, rg_flow_gate_track *gate, size_t n)
{
    char text[256];
    const rg_slot *slot = rg_flow_param_of(f, gate->id[gate->T > 1 ? gate->T - 2 : 0]);
    const char *name = slot ? slot->name : "", *dot = strrchr(name, '.');
    const char *last = dot ? dot + 1 : name;
    const size_t letters = strncmp(last, "bh", 2) == 0 ? 2 : *last && strchr("UWb", *last) ? 1 : 0;
    if (!*name)
        (void)snprintf(text, sizeof text, "gate %zu", n);
    else if (last[letters])
        (void)snprintf(text, sizeof text, "%.*s%s", (int)(last - name), name, last + letters);
    else
        (void)snprintf(text, sizeof text, "%.*s", (int)(dot ? dot - name : 1), name);
    return (gate->name = rg_arena_text(&f->kept, text)) ? RG_OK : rg_flow_no_memory(f);
}

static bool same_shape(const rg_flow *f, uint32_t a, uint32_t b)
{
    return rg_shape_equal(*rg_node_at(f->g, a)->shape, *rg_node_at(f->g, b)->shape);
}

static rg_status find_in_loop(rg_flow *f, size_t l)
{
    const rg_flow_loop *loop = &f->loop[l];
    const int64_t T = loop->T;
    const size_t n = count_gates(f, loop, T > 1 ? T - 2 : 0);
    rg_status st = RG_OK;
    for (int64_t p = 0; p < T; p++)
        if (count_gates(f, loop, p) != n)
            return RG_OK;
    for (int64_t p = 1; p < T; p++)
        for (size_t i = 0; i < n; i++)
            if (!same_shape(f, nth_gate(f, loop, p, i), nth_gate(f, loop, 0, i)))
                return RG_OK;
    for (size_t i = 0; i < n && !st; i++) {
        rg_flow_gate_track *gate = &f->gate[f->n_gate];
        *gate = (rg_flow_gate_track){ .loop = l, .T = T };
        if (!(gate->id = rg_arena_get(&f->arena, (size_t)T * sizeof *gate->id)))
            return rg_flow_no_memory(f);
        for (int64_t p = 0; p < T; p++)
            gate->id[p] = nth_gate(f, loop, p, i);
        st = name_gate(f, gate, f->n_gate++);
        if (!st)
            st = find_keeping(f, gate);
    }
    return st;
}

static rg_status take_given(rg_flow *f)
{
    for (size_t i = 0; i < f->opts.n_gate; i++) {
        const rg_flow_gate_values *v = &f->opts.gates[i];
        rg_flow_gate_track *gate = &f->gate[f->n_gate++];
        *gate = (rg_flow_gate_track){ .T = v->T, .name = rg_arena_text(&f->kept, v->name
                                                                      ? v->name : "gate") };
        if (!gate->name || v->T < 0 ||
            !(gate->id = rg_arena_get(&f->arena, (size_t)v->T * sizeof *gate->id)))
            return rg_flow_no_memory(f);
        for (int64_t p = 0; p < v->T; p++) {
            if (v->value[p].graph != f->g || !rg_node_of(v->value[p]) ||
                rg_kind_of(v->value[p]) != RG_F || rg_shape_of(v->value[p]).rank < 1 ||
                !rg_shape_equal(rg_shape_of(v->value[p]), rg_shape_of(v->value[0])))
                return rg_fail(&f->err, RG_EGRAPH, "gradflow: gate %zu is no real value [B,...] of "
                               "the graph at step %lld, or of another shape than before", i,
                               (long long)p);
            gate->id[p] = v->value[p].id;
        }
    }
    return RG_OK;
}

rg_status rg_flow_find_gates(rg_flow *f)
{
    size_t most = f->opts.n_gate;
    rg_status st = RG_OK;
    for (size_t l = 0; l < f->n_loop; l++)
        most += count_gates(f, &f->loop[l], f->loop[l].T > 1 ? f->loop[l].T - 2 : 0);
    if (!(f->gate = rg_arena_get(&f->arena, most * sizeof *f->gate)))
        return rg_flow_no_memory(f);
    if (f->opts.gates)
        st = take_given(f);
    for (size_t l = 0; l < f->n_loop && !st && !f->opts.gates; l++)
        st = find_in_loop(f, l);
    f->x = find_x(f);
    return st ? st : check_x(f);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

struct counts {
    double n, low, high, stuck, sum, keep;
};

static void count_value(struct counts *c, double x)
{
    c->n += 1;
    c->low += x < 0.1;
    c->high += x > 0.9;
    c->stuck += x < 0.001 || x > 0.999;
    c->sum += x;
}

/* Rows of one position; masked ones do not count. Writes the mean and the first row. */
static void read_position(const rg_flow *f, const rg_flow_gate_track *gate, int64_t p,
                          struct counts *c, double *mean, double *row)
{
    const rg_flow_loop *loop = &f->loop[gate->loop];
    const rg_shape *s = rg_node_at(f->g, gate->id[p])->shape;
    const int64_t B = s->dim[0], W = B ? rg_shape_count(*s) / B : 0;
    const bool lags = gate->T == loop->T && B == loop->B;
    const void *x = rg_plan_data(f->plan, (rg_val){ f->copy, f->of[gate->id[p]] });
    const void *k = gate->keep ? rg_plan_data(f->plan, (rg_val){ f->copy, f->of[gate->keep[p]] })
                               : NULL;
    double n = 0;
    for (int64_t i = 0; i < B * W && x; i++) {
        const double v = rg_flow_element(f->plan, x, i);
        if (i < W)
            row[i] = v;
        if (lags && loop->lag[p * B + i / W] < 0)
            continue;
        count_value(c, v);
        c->keep += k ? rg_flow_element(f->plan, k, i) : 0;
        *mean += v;
        n += 1;
    }
    *mean = n > 0 ? *mean / n : NAN;
}

static rg_status read_gate(rg_flow *f, const rg_flow_gate_track *gate, rg_flow_gate *out)
{
    const rg_flow_loop *loop = &f->loop[gate->loop];
    const rg_shape *s = gate->T ? rg_node_at(f->g, gate->id[0])->shape : NULL;
    const int64_t W = s && s->dim[0] ? rg_shape_count(*s) / s->dim[0] : 0;
    double *mean = rg_arena_get(&f->kept, (size_t)gate->T * sizeof *mean);
    double *row = rg_arena_get(&f->kept, (size_t)(gate->T * W) * sizeof *row);
    struct counts c = { .n = 0 };
    if (!mean || !row)
        return rg_flow_no_memory(f);
    for (int64_t p = 0; p < gate->T; p++) { /* in order of time steps */
        const int64_t t = gate->T == loop->T && loop->T > 1 && loop->time[1] < loop->time[0]
                              ? gate->T - 1 - p : p;
        read_position(f, gate, p, &c, &mean[t], row + t * W);
    }
    const double n = c.n > 0 ? c.n : 1, keep = gate->keep ? c.keep / n : NAN;
    *out = (rg_flow_gate){ .name = gate->name, .low = c.low / n, .high = c.high / n,
                           .stuck = c.stuck / n, .mean = c.sum / n, .keeps = keep,
                           .memory = 1 / (1 - keep), .T = gate->T, .width = W,
                           .over_time = mean, .first_row = row };
    return RG_OK;
}

rg_status rg_flow_read_gates(rg_flow *f, rg_gradflow_report *r)
{
    rg_flow_gate *gate = rg_arena_get(&f->kept, f->n_gate * sizeof *gate);
    rg_status st = gate ? RG_OK : rg_flow_no_memory(f);
    for (size_t i = 0; i < f->n_gate && !st; i++)
        st = read_gate(f, &f->gate[i], &gate[i]);
    r->gate = gate;
    r->n_gate = st ? 0 : f->n_gate;
    return st;
}
