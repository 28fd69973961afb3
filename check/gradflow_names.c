/* check/gradflow_names.c -- which layer a state belongs to, and what it is called: by the group of
 * the parameters that make it, else by scope. */
#include "check/gradflow.h"

#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

uint32_t rg_flow_computed(const rg_flow *f, uint32_t id)
{
    for (const rg_node *node; (node = rg_node_at(f->g, id))->op == &rg_op_where;) {
        if (f->step_of[rg_node_at(f->g, node->in[1])->scope] != f->step_of[node->scope])
            break;
        id = node->in[1];
    }
    return id;
}

/* Breadth first, through nodes of one time step only. */
const rg_slot *rg_flow_param_of(rg_flow *f, uint32_t id)
{
    enum { MOST = 512 };
    const rg_graph *g = f->g;
    const uint32_t home = f->step_of[rg_node_at(g, id)->scope];
    uint32_t queue[MOST];
    size_t n = 0;
    queue[n++] = id;
    for (size_t i = 0; i < n; i++) {
        const rg_node *node = rg_node_at(g, queue[i]);
        for (uint32_t k = 0; k < node->n_in; k++) {
            const rg_node *in = rg_node_at(g, node->in[k]);
            if (in->op == &rg_op_param)
                return ((const rg_attr_param *)in->attr)->slot;
            if (f->step_of[in->scope] == home && n < MOST)
                queue[n++] = node->in[k];
        }
    }
    return NULL;
}

/* "rnn.l0" of rnn.l0.Uf; else the scope, without the time step's number. */
static void layer_name(rg_flow *f, uint32_t id, char *out, size_t size)
{
    const rg_slot *slot = rg_flow_param_of(f, id);
    const char *dot = slot ? strrchr(slot->name, '.') : NULL;
    char parent[RG_SCOPE_TEXT];
    if (dot) {
        (void)snprintf(out, size, "%.*s", (int)(dot - slot->name), slot->name);
        return;
    }
    const uint32_t scope = f->step_of[rg_node_at(f->g, id)->scope];
    rg_scope_text(parent, f->g, scope ? f->g->scope[scope].parent : 0);
    (void)snprintf(out, size, "%s%s%s", parent, *parent && scope ? "/" : "",
                   scope ? f->g->scope[scope].name : "state");
}

static rg_status into_layer(rg_flow *f, rg_flow_track *t, const char *name)
{
    size_t l = 0;
    while (l < f->n_layer && (f->layer[l].loop != t->loop || strcmp(f->layer[l].name, name) != 0))
        l++;
    t->layer = l;
    if (l < f->n_layer)
        return RG_OK;
    f->layer[l].loop = t->loop;
    f->n_layer++;
    return (f->layer[l].name = rg_arena_text(&f->kept, name)) ? RG_OK : rg_flow_no_memory(f);
}

/* A node of the track where all is usual. */
static uint32_t typical(const rg_flow *f, const rg_flow_track *t)
{
    const int64_t T = f->loop[t->loop].T;
    return t->id[T > 1 ? T - 2 : 0];
}

/* h is computed last, of c; with other numbers of states they are s0, s1, ... */
static rg_status name_state(rg_flow *f, rg_flow_track *t)
{
    char text[256], tail[24];
    size_t n = 0, before = 0, later = 0;
    for (size_t i = 0; i < f->n_track; i++) {
        const rg_flow_track *u = &f->track[i];
        if (u->layer != t->layer)
            continue;
        n++;
        before += u < t;
        later += rg_flow_computed(f, typical(f, u)) > rg_flow_computed(f, typical(f, t));
    }
    if (n > 2)
        (void)snprintf(tail, sizeof tail, "s%zu", before);
    else
        (void)snprintf(tail, sizeof tail, "%s", later ? "c" : "h");
    (void)snprintf(text, sizeof text, "%.200s %s", f->layer[t->layer].name, tail);
    return (t->name = rg_arena_text(&f->kept, text)) ? RG_OK : rg_flow_no_memory(f);
}

/* h before c, however they were found. */
static void sort_pairs(rg_flow *f)
{
    for (size_t i = 0; i + 1 < f->n_track; i++) {
        const rg_flow_track t = f->track[i], next = f->track[i + 1];
        if (t.layer != next.layer || strcmp(t.name + strlen(t.name) - 2, " c") != 0)
            continue;
        f->track[i] = next;
        f->track[i + 1] = t;
    }
}

/* "enc h": all but the last word is the layer. */
static rg_status take_name(rg_flow *f, rg_flow_track *t, const char *name)
{
    char text[256];
    const char *space = strrchr(name, ' ');
    (void)snprintf(text, sizeof text, "%.*s", (int)(space ? space - name : 200), name);
    rg_status st = into_layer(f, t, text);
    return st ? st : (t->name = rg_arena_text(&f->kept, name)) ? RG_OK : rg_flow_no_memory(f);
}

/* The output of a loop: of its last layer what is given first, or computed last. */
static void find_top(rg_flow *f, rg_flow_loop *loop)
{
    loop->top = loop->first;
    for (size_t i = loop->first; i < loop->first + loop->n_track; i++) {
        const rg_flow_track *t = &f->track[i], *top = &f->track[loop->top];
        const bool later = rg_flow_computed(f, typical(f, t)) >
                           rg_flow_computed(f, typical(f, top));
        if (t->layer > top->layer || (t->layer == top->layer && later && !f->opts.states))
            loop->top = i;
    }
}

rg_status rg_flow_name(rg_flow *f)
{
    char text[256];
    rg_status st = RG_OK;
    const char *const *names = f->opts.states ? f->opts.names : NULL;
    if (!(f->layer = rg_arena_get(&f->arena, f->n_track * sizeof *f->layer)))
        return rg_flow_no_memory(f);
    for (size_t i = 0; i < f->n_track && !st; i++) {
        if (names && names[i]) {
            st = take_name(f, &f->track[i], names[i]);
            continue;
        }
        layer_name(f, typical(f, &f->track[i]), text, sizeof text);
        st = into_layer(f, &f->track[i], text);
    }
    for (size_t i = 0; i < f->n_track && !st; i++)
        if (!f->track[i].name)
            st = name_state(f, &f->track[i]);
    if (!st && !f->opts.states)
        sort_pairs(f);
    for (size_t l = 0; l < f->n_loop && !st; l++)
        find_top(f, &f->loop[l]);
    return st;
}
