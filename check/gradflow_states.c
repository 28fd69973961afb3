/* check/gradflow_states.c -- loops over time and their states: given, or found as what the scope of
 * one time step leaves to another. */
#include "check/gradflow.h"

#include "ops/ops.h"
#include "plan/prog.h"

#include <stdio.h>
#include <string.h>

enum { LATER = 1, EARLIER = 2, NEEDED = 4 };

struct search {
    uint32_t *family;   /* by scope with a time step: 1 .. n_family */
    uint32_t  n_family;
    uint8_t  *mark;     /* by node: read in a later time step, in an earlier one; y depends on it */
};

/* ---- Time steps ----------------------------------------------------------------------------- */

/* The outermost scope with a time step, of every scope; a parent comes before its children. */
static rg_status find_step_scopes(rg_flow *f)
{
    const rg_graph *g = f->g;
    if (!(f->step_of = rg_arena_get(&f->arena, (g->n_scope + 1) * sizeof *f->step_of)))
        return rg_flow_no_memory(f);
    for (uint32_t s = 1; s < g->n_scope; s++) {
        const uint32_t outer = f->step_of[g->scope[s].parent];
        f->step_of[s] = outer ? outer : g->scope[s].step != RG_NO_STEP ? s : 0;
    }
    return RG_OK;
}

/* Position + 1 of the step that a node belongs to; 0 = of none, or made by a derivative rule. */
static uint32_t place_of(const rg_flow *f, const uint32_t *at, uint32_t id)
{
    const rg_node *node = rg_node_at(f->g, id);
    return node->origin ? 0 : at[f->step_of[node->scope]];
}

/* Forward nodes of the steps whose scopes are given by position. */
static rg_status list_steps(rg_flow *f, rg_flow_loop *loop, const uint32_t *scope)
{
    const size_t T = (size_t)loop->T;
    uint32_t *at = rg_arena_get(&f->arena, (f->g->n_scope + 1) * sizeof *at);
    loop->step = rg_arena_get(&f->arena, T * sizeof *loop->step);
    loop->n_step = rg_arena_get(&f->arena, T * sizeof *loop->n_step);
    if (!at || !loop->step || !loop->n_step)
        return rg_flow_no_memory(f);
    for (size_t p = 0; p < T; p++)
        at[scope[p]] = (uint32_t)p + 1;
    at[0] = 0;
    for (uint32_t id = 1, p; id < f->g->n_node; id++)
        if ((p = place_of(f, at, id)))
            loop->n_step[p - 1]++;
    for (size_t p = 0; p < T; p++) {
        if (!(loop->step[p] = rg_arena_get(&f->arena, loop->n_step[p] * sizeof **loop->step)))
            return rg_flow_no_memory(f);
        loop->n_step[p] = 0;
    }
    for (uint32_t id = 1, p; id < f->g->n_node; id++)
        if ((p = place_of(f, at, id)))
            loop->step[p - 1][loop->n_step[p - 1]++] = id;
    return RG_OK;
}

/* ---- Found ---------------------------------------------------------------------------------- */

/* Steps of one name under one parent are a family. */
static rg_status find_families(rg_flow *f, struct search *s)
{
    const rg_graph *g = f->g;
    uint32_t *first = rg_arena_get(&f->arena, (g->n_scope + 1) * sizeof *first);
    s->family = rg_arena_get(&f->arena, (g->n_scope + 1) * sizeof *s->family);
    if (!first || !s->family)
        return rg_flow_no_memory(f);
    for (uint32_t i = 1; i < g->n_scope; i++) {
        uint32_t k = 1;
        if (f->step_of[i] != i)
            continue;
        while (k <= s->n_family && (g->scope[first[k]].parent != g->scope[i].parent ||
                                    strcmp(g->scope[first[k]].name, g->scope[i].name) != 0))
            k++;
        if (k > s->n_family)
            first[s->n_family = k] = i;
        s->family[i] = k;
    }
    return RG_OK;
}

/* Which values does a step of the same family read, and does y need who reads? */
static rg_status find_crossings(rg_flow *f, struct search *s)
{
    const rg_graph *g = f->g;
    if (!(s->mark = rg_arena_get(&f->arena, g->n_node)))
        return rg_flow_no_memory(f);
    s->mark[f->y.id] = NEEDED;
    for (uint32_t id = f->y.id; id > 0; id--) {
        const rg_node *node = rg_node_at(g, id);
        const uint32_t here = node->origin ? 0 : f->step_of[node->scope];
        for (uint32_t k = 0; k < node->n_in && s->mark[id] & NEEDED; k++) {
            const rg_node *in = rg_node_at(g, node->in[k]);
            const uint32_t there = f->step_of[in->scope];
            s->mark[node->in[k]] |= NEEDED;
            if (here && there && here != there && s->family[here] == s->family[there] &&
                in->kind == RG_F && in->shape->rank && !in->origin && !rg_node_is_leaf(in))
                s->mark[node->in[k]] |= g->scope[here].step > g->scope[there].step ? LATER
                                                                                   : EARLIER;
        }
    }
    return RG_OK;
}

/* The scopes of a family in the order in which the loop runs. */
static rg_status order_steps(rg_flow *f, const struct search *s, rg_flow_loop *loop,
                             uint32_t family, bool reverse, uint32_t **out)
{
    const rg_graph *g = f->g;
    int64_t n = 0;
    for (uint32_t i = 1; i < g->n_scope; i++)
        loop->T += s->family[i] == family;
    uint32_t *scope = *out = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *scope);
    loop->time = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *loop->time);
    if (!scope || !loop->time)
        return rg_flow_no_memory(f);
    for (uint32_t i = 1; i < g->n_scope; i++) {
        int64_t at = n;
        if (s->family[i] != family)
            continue;
        for (; at > 0 && g->scope[scope[at - 1]].step > g->scope[i].step; at--)
            scope[at] = scope[at - 1];
        scope[at] = i;
        n++;
    }
    for (int64_t p = 0; reverse && p < n / 2; p++) {
        const uint32_t other = scope[n - 1 - p];
        scope[n - 1 - p] = scope[p];
        scope[p] = other;
    }
    for (int64_t p = 0; p < n; p++)
        loop->time[p] = g->scope[scope[p]].step;
    return RG_OK;
}

static size_t count_marked(const rg_flow_loop *loop, const struct search *s, int64_t p, uint8_t way)
{
    size_t n = 0;
    for (size_t i = 0; i < loop->n_step[p]; i++)
        n += (s->mark[loop->step[p][i]] & way) != 0;
    return n;
}

/* The node at the place, counted from the end of its step, that @p like has in step @p from. */
static uint32_t same_place(const rg_flow *f, const rg_flow_loop *loop, int64_t from, uint32_t like,
                           int64_t p)
{
    size_t i = 0;
    while (loop->step[from][i] != like)
        i++;
    const size_t back = loop->n_step[from] - i;
    if (back > loop->n_step[p])
        return 0;
    const uint32_t id = loop->step[p][loop->n_step[p] - back];
    const rg_node *a = rg_node_at(f->g, like), *b = rg_node_at(f->g, id);
    return a->op == b->op && rg_shape_equal(*a->shape, *b->shape) ? id : 0;
}

/* Where the last step ends otherwise than the others, what they leave ends before it. */
static void drop_last(const rg_flow *f, rg_flow_loop *loop)
{
    bool all = true;
    for (size_t i = loop->first; i < loop->first + loop->n_track; i++)
        all = all && f->track[i].id[loop->T - 1];
    loop->T -= !all;
}

/* The k-th of n values that step @p p leaves behind; where it leaves others than the model step,
 * what stands at the place of @p like. */
static uint32_t left_behind(const rg_flow *f, const rg_flow_loop *loop, const struct search *s,
                            int64_t p, uint8_t way, size_t n, size_t k, uint32_t like)
{
    size_t i = 0;
    if (count_marked(loop, s, p, way) != n)
        return same_place(f, loop, loop->T - 2, like, p);
    for (size_t seen = 0; !(s->mark[loop->step[p][i]] & way) || seen++ < k;)
        i++;
    return loop->step[p][i];
}

/* Rows of the loop: the first extent of what is computed last in a step and left to another. */
static int64_t rows_of(const rg_flow *f, const rg_flow_loop *loop, const struct search *s,
                       uint8_t way)
{
    const int64_t model = loop->T - 2;
    for (size_t j = loop->n_step[model]; j-- > 0;)
        if (s->mark[loop->step[model][j]] & way)
            return rg_node_at(f->g, loop->step[model][j])->shape->dim[0];
    return 0;
}

/* What step T-2 leaves to the last one is what every step leaves; values of other extents than the
 * rows', as of attention's past, are no states. */
static rg_status find_tracks(rg_flow *f, rg_flow_loop *loop, const struct search *s, uint8_t way)
{
    const int64_t model = loop->T - 2;
    const size_t n = count_marked(loop, s, model, way);
    const int64_t B = rows_of(f, loop, s, way);
    size_t k = 0;
    for (size_t j = 0; j < loop->n_step[model]; j++) {
        const uint32_t like = loop->step[model][j];
        rg_flow_track *t = &f->track[f->n_track];
        if (!(s->mark[like] & way))
            continue;
        bool all = rg_node_at(f->g, like)->shape->dim[0] == B;
        if (!(t->id = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *t->id)))
            return rg_flow_no_memory(f);
        t->loop = (size_t)(loop - f->loop);
        for (int64_t p = 0; p < loop->T; p++) {
            t->id[p] = left_behind(f, loop, s, p, way, n, k, like);
            all = all && (t->id[p] || p == loop->T - 1);
        }
        f->n_track += all;
        k++;
    }
    loop->n_track = f->n_track - loop->first;
    drop_last(f, loop);
    return RG_OK;
}

static rg_status find_loop(rg_flow *f, const struct search *s, uint32_t family, bool reverse)
{
    rg_flow_loop *loop = &f->loop[f->n_loop];
    const uint8_t way = reverse ? EARLIER : LATER;
    uint32_t *scope;
    rg_status st;
    bool any = false;
    for (uint32_t id = 1; id <= f->y.id && !any; id++)
        any = s->mark[id] & way && s->family[f->step_of[rg_node_at(f->g, id)->scope]] == family;
    if (!any)
        return RG_OK;
    *loop = (rg_flow_loop){ .first = f->n_track };
    if ((st = order_steps(f, s, loop, family, reverse, &scope)) ||
        (st = list_steps(f, loop, scope)) || (st = find_tracks(f, loop, s, way)))
        return st;
    f->n_loop += loop->n_track > 0;
    return RG_OK;
}

static rg_status find_all(rg_flow *f)
{
    struct search s = { .family = NULL };
    rg_status st;
    if ((st = find_families(f, &s)) || (st = find_crossings(f, &s)))
        return st;
    size_t most = 0;
    for (uint32_t id = 1; id <= f->y.id; id++)
        most += (s.mark[id] & (LATER | EARLIER)) != 0;
    f->loop = rg_arena_get(&f->arena, (2 * (size_t)s.n_family + 1) * sizeof *f->loop);
    f->track = rg_arena_get(&f->arena, (2 * most + 1) * sizeof *f->track);
    if (!f->loop || !f->track)
        return rg_flow_no_memory(f);
    for (uint32_t k = 1; k <= s.n_family && !st; k++)
        if (!(st = find_loop(f, &s, k, false)))
            st = find_loop(f, &s, k, true);
    if (!st && !f->n_loop)
        return rg_fail(&f->err, RG_EARG, "gradflow: no time step leaves anything to another that "
                       "the value depends on; give opts.states, or put each step into a scope with "
                       "its number (rg_unroll and rg_step do)");
    return st;
}

/* ---- Given ---------------------------------------------------------------------------------- */

static rg_status check_given(rg_flow *f)
{
    const rg_gradflow_opts *o = &f->opts;
    if (!o->n_state || o->T < 1)
        return rg_fail(&f->err, RG_EARG, "gradflow: states are given, but n_state or T is not");
    for (size_t i = 0; i < (size_t)o->T * o->n_state; i++) {
        const rg_node *node = rg_node_of(o->states[i]);
        if (!node || o->states[i].graph != f->g)
            return rg_fail(&f->err, RG_EGRAPH, "gradflow: state %zu of step %zu is no value of the "
                           "graph", i % o->n_state, i / o->n_state);
        if (node->kind != RG_F || node->shape->rank < 1 ||
            node->shape->dim[0] != rg_dim(o->states[0], 0))
            return rg_fail(&f->err, RG_ESHAPE, "gradflow: state %zu is not [B,...] of reals, or of "
                           "another B than the first", i % o->n_state);
    }
    return RG_OK;
}

static rg_status take_given(rg_flow *f)
{
    const rg_gradflow_opts *o = &f->opts;
    const size_t T = (size_t)o->T, S = o->n_state;
    rg_status st = check_given(f);
    if (st)
        return st;
    uint32_t *scope = rg_arena_get(&f->arena, T * sizeof *scope);
    f->loop = rg_arena_get(&f->arena, sizeof *f->loop);
    f->track = rg_arena_get(&f->arena, S * sizeof *f->track);
    if (!scope || !f->loop || !f->track ||
        !(f->loop->time = rg_arena_get(&f->arena, T * sizeof *f->loop->time)))
        return rg_flow_no_memory(f);
    f->n_loop = 1;
    f->loop->T = o->T;
    f->n_track = f->loop->n_track = S;
    for (size_t k = 0; k < S; k++)
        if (!(f->track[k].id = rg_arena_get(&f->arena, T * sizeof *f->track[k].id)))
            return rg_flow_no_memory(f);
    for (size_t p = 0; p < T; p++) {
        const size_t t = o->reverse ? T - 1 - p : p;
        f->loop->time[p] = (int64_t)t;
        for (size_t k = 0; k < S; k++)
            f->track[k].id[p] = o->states[t * S + k].id;
        scope[p] = f->step_of[rg_node_at(f->g, f->track[0].id[p])->scope];
    }
    return list_steps(f, f->loop, scope);
}

/* ---- Masks ---------------------------------------------------------------------------------- */

/* s' = m ? new : s, with one m for each row? */
static bool is_masked(const rg_graph *g, uint32_t id, uint32_t old)
{
    const rg_node *node = rg_node_at(g, id);
    return node->op == &rg_op_where && node->in[2] == old &&
           rg_shape_count(*rg_node_at(g, node->in[0])->shape) == node->shape->dim[0];
}

static rg_status find_mask(rg_flow *f, rg_flow_loop *loop)
{
    const rg_flow_track *t = &f->track[loop->first];
    bool all = loop->T > 1;
    for (int64_t p = 1; p < loop->T && all; p++)
        all = is_masked(f->g, t->id[p], t->id[p - 1]);
    if (!all || rg_node_at(f->g, t->id[0])->op != &rg_op_where)
        return RG_OK;
    if (!(loop->mask = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *loop->mask)))
        return rg_flow_no_memory(f);
    for (int64_t p = 0; p < loop->T; p++)
        loop->mask[p] = rg_node_at(f->g, t->id[p])->in[0];
    return RG_OK;
}

/* An output is read before the mask chooses, so that is where all of the gradient arrives. */
static rg_status find_made(rg_flow *f, rg_flow_track *t, const rg_flow_loop *loop)
{
    if (!(t->made = rg_arena_get(&f->arena, (size_t)loop->T * sizeof *t->made)))
        return rg_flow_no_memory(f);
    for (int64_t p = 0; p < loop->T; p++) {
        const rg_node *node = rg_node_at(f->g, t->id[p]);
        t->made[p] = loop->mask && node->op == &rg_op_where ? node->in[1] : t->id[p];
    }
    return RG_OK;
}

rg_status rg_flow_find(rg_flow *f)
{
    rg_status st = find_step_scopes(f);
    if (!st)
        st = f->opts.states ? take_given(f) : find_all(f);
    for (size_t l = 0; l < f->n_loop && !st; l++) {
        rg_flow_loop *loop = &f->loop[l];
        loop->B = rg_node_at(f->g, f->track[loop->first].id[0])->shape->dim[0];
        st = find_mask(f, loop);
        for (size_t i = 0; i < loop->n_track && !st; i++)
            st = find_made(f, &f->track[loop->first + i], loop);
    }
    return st;
}
