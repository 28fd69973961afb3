/* tests/plan/shrink.c -- cutting graphs down. */
#include "tests/plan/shrink.h"

#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

/* ---- A copy with cuts ----------------------------------------------------------------------- */

static bool is_cut(const edits *e, uint32_t id)
{
    for (size_t i = 0; i < e->n_cut; i++)
        if (e->cut[i] == id)
            return true;
    return false;
}

/* What the roots need, down to the cuts; by id. */
static uint8_t *needed(const random_graph *r, const edits *e)
{
    uint8_t *mark = calloc(r->graph->n_node, 1);
    if (!mark)
        abort();
    for (size_t i = 0; i < e->n_root; i++)
        mark[e->root[i]] = 1;
    for (uint32_t id = r->graph->n_node; id-- > 1;)
        for (uint32_t k = 0; k < rg_node_at(r->graph, id)->n_in && mark[id] && !is_cut(e, id); k++)
            mark[rg_node_at(r->graph, id)->in[k]] = 1;
    return mark;
}

/* Every value of the graph, as the second run of a plan computes it; NULL if it cannot. */
static rg_plan *values_of(const random_graph *r, void **bound)
{
    rg_plan *plan;
    const rg_plan_opts opts = { .real = RG_F64, .mode = RG_TRAIN, .effort = RG_INTERPRET };
    *bound = NULL;
    if (rg_plan_create(&plan, r->root, r->n_root, &opts))
        return NULL;
    *bound = random_graph_bind(r, plan, RG_F64);
    for (int run = 0; run < 2 && plan; run++)
        if (rg_plan_run(plan))
            rg_plan_destroy(&plan);
    return plan;
}

static double *as_double(const void *data, rg_kind kind, int64_t n)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n && x; i++)
        x[i] = kind == RG_INT ? ((const int32_t *)data)[i]
             : kind == RG_BOOL ? ((const uint8_t *)data)[i] : ((const double *)data)[i];
    return x;
}

static rg_val new_input(random_graph *out, const random_graph *r, rg_plan *values, uint32_t id)
{
    const rg_node *node = rg_node_at(r->graph, id);
    const int64_t n = rg_shape_count(*node->shape);
    if (out->n_input == RG_RANDOM_INPUTS)
        return RG_NONE;
    const double *given = NULL;
    for (size_t i = 0; i < r->n_input; i++)
        if (r->input[i].id == id)
            given = r->data[i];
    double *x = given ? calloc((size_t)n + 1, sizeof *x)
                      : as_double(rg_plan_data(values, (rg_val){ r->graph, id }),
                                  (rg_kind)node->kind, n);
    if (!x)
        abort();
    if (given)
        memcpy(x, given, (size_t)n * sizeof *x);
    out->data[out->n_input] = x;
    return out->input[out->n_input++] = rg_input(out->graph, NULL, (rg_kind)node->kind,
                                                 *node->shape);
}

static void copy_node(random_graph *out, const random_graph *r, rg_plan *values, const edits *e,
                      rg_val *of, uint32_t id)
{
    const rg_node *node = rg_node_at(r->graph, id);
    rg_val *in = calloc((size_t)node->n_in + 1, sizeof *in);
    if (!in)
        abort();
    for (uint32_t k = 0; k < node->n_in; k++)
        in[k] = of[node->in[k]];
    out->graph->origin = of[node->origin].id;
    of[id] = is_cut(e, id) || node->op == &rg_op_input
                 ? new_input(out, r, values, id)
                 : rg_emit_in(out->graph, node->op, node->attr, in, node->n_in);
    free(in);
}

void edited_make(random_graph *out, const random_graph *r, const edits *e)
{
    void *bound = NULL;
    rg_plan *values = values_of(r, &bound);
    uint8_t *mark = needed(r, e);
    rg_val *of = calloc(r->graph->n_node, sizeof *of);
    *out = (random_graph){ .params = r->params, .state = r->state, .again = r->again };
    if (!of || rg_graph_create(&out->graph, r->params, NULL))
        abort();
    for (uint32_t id = 1; id < r->graph->n_node && values && !rg_graph_status(out->graph); id++)
        if (mark[id])
            copy_node(out, r, values, e, of, id);
    out->graph->origin = 0;
    for (size_t i = 0; i < e->n_root; i++)
        out->root[out->n_root++] = of[e->root[i]];
    out->broken = !values || rg_graph_status(out->graph) != RG_OK;
    rg_plan_destroy(&values);
    free(bound);
    free(mark);
    free(of);
}

void edited_free(random_graph *out)
{
    for (size_t i = 0; i < out->n_input; i++)
        free(out->data[i]);
    rg_graph_destroy(&out->graph);
}

size_t edited_size(const random_graph *r)
{
    size_t n = 0;
    for (uint32_t id = 1; id < r->graph->n_node; id++)
        n += rg_node_at(r->graph, id)->n_in != 0;
    return n;
}

/* ---- Cutting -------------------------------------------------------------------------------- */

static bool edited_fails(const random_graph *r, const edits *e, still_fails *fails, void *user)
{
    random_graph left;
    edited_make(&left, r, e);
    const bool yes = !left.broken && left.n_root && fails(user, &left);
    edited_free(&left);
    return yes;
}

static void drop_roots(edits *e, const random_graph *r, still_fails *fails, void *user)
{
    for (size_t i = 0; i < e->n_root; i++) {
        const edits one = { .root = { e->root[i] }, .n_root = 1 };
        if (edited_fails(r, &one, fails, user)) {
            *e = one;
            return;
        }
    }
    for (size_t i = e->n_root; i-- > 0 && e->n_root > 1;) {
        edits less = *e;
        less.root[i] = less.root[--less.n_root];
        if (edited_fails(r, &less, fails, user))
            *e = less;
    }
}

/* The lowest node that fails when it is the root. */
static void lower_root(edits *e, const random_graph *r, still_fails *fails, void *user)
{
    uint8_t *mark = needed(r, e);
    for (uint32_t id = 1; id < e->root[0] && e->n_root == 1; id++) {
        const edits lower = { .root = { id }, .n_root = 1 };
        if (!mark[id] || !rg_node_at(r->graph, id)->n_in || !edited_fails(r, &lower, fails, user))
            continue;
        *e = lower;
        break;
    }
    free(mark);
}

static void cut_nodes(edits *e, const random_graph *r, still_fails *fails, void *user)
{
    for (uint32_t id = r->graph->n_node; id-- > 1 && e->n_cut < SHRINK_CUTS;) {
        uint8_t *mark = needed(r, e);
        const bool candidate = mark[id] && rg_node_at(r->graph, id)->n_in && !is_cut(e, id);
        free(mark);
        if (!candidate)
            continue;
        e->cut[e->n_cut++] = id;
        if (!edited_fails(r, e, fails, user))
            e->n_cut--;
    }
}

/* Cuts that nothing reads any more. */
static void forget_idle(edits *e, const random_graph *r)
{
    uint8_t *mark = needed(r, e);
    size_t kept = 0;
    for (size_t i = 0; i < e->n_cut; i++)
        if (mark[e->cut[i]])
            e->cut[kept++] = e->cut[i];
    e->n_cut = kept;
    free(mark);
}

edits edits_none(const random_graph *r)
{
    edits e = { .n_root = r->n_root };
    for (size_t i = 0; i < r->n_root; i++)
        e.root[i] = r->root[i].id;
    return e;
}

edits shrink(const random_graph *r, still_fails *fails, void *user)
{
    edits e = edits_none(r);
    drop_roots(&e, r, fails, user);
    lower_root(&e, r, fails, user);
    cut_nodes(&e, r, fails, user);
    forget_idle(&e, r);
    return e;
}
