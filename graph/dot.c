/* graph/dot.c -- a graph for Graphviz. Scopes become clusters; the steps of a loop, which differ in
 * nothing but their number, fold into one cluster "xT", so that an unrolled network reads like the
 * cell it came from, with the recurrence as an edge that goes up. */
#include "graph/graph.h"

#include "base/philox.h"
#include "base/text.h"

#include <string.h>

/* Between nodes that stand for others. */
typedef struct edge {
    uint32_t from, to;
} edge;

/* Who stands for whom, and what a cluster holds. Arrays over scopes and nodes; 0 ends a list. */
typedef struct folded {
    const rg_graph *g;
    rg_arena  arena;
    uint32_t *scope;       /* the first scope that differs in steps only */
    uint32_t *scope_times;
    uint32_t *made;        /* nodes seen in this very scope */
    uint32_t *child, *sibling;
    uint32_t *first;       /* node of a cluster */
    uint32_t *node;        /* the node of equal place in the first such scope */
    uint32_t *node_times, *next, *place;
    rg_index  index;
    edge     *edge;        /* drawn; [0] unused */
    size_t    edge_cap;
    uint32_t  n_edge;
} folded;

static bool allocate(folded *f)
{
    size_t n_scope = f->g->n_scope, n_node = f->g->n_node;
    uint32_t *s = rg_arena_get(&f->arena, 6 * n_scope * sizeof *s);
    uint32_t *n = rg_arena_get(&f->arena, 4 * n_node * sizeof *n);
    if (!s || !n)
        return false;
    f->scope = s;
    f->scope_times = s + n_scope;
    f->made = s + 2 * n_scope;
    f->child = s + 3 * n_scope;
    f->sibling = s + 4 * n_scope;
    f->first = s + 5 * n_scope;
    f->node = n;
    f->node_times = n + n_node;
    f->next = n + 2 * n_node;
    f->place = n + 3 * n_node;
    return true;
}

static bool scopes_fold(const folded *f, uint32_t a, uint32_t b)
{
    const rg_scope *p = &f->g->scope[a], *q = &f->g->scope[b];
    return f->scope[p->parent] == f->scope[q->parent] && strcmp(p->name, q->name) == 0 &&
           (p->step == RG_NO_STEP) == (q->step == RG_NO_STEP);
}

static bool fold_scopes(folded *f)
{
    for (uint32_t i = 1; i < f->g->n_scope; i++) {
        const rg_scope *s = &f->g->scope[i];
        uint64_t hash = rg_hash_mix(rg_fnv1a(s->name), f->scope[s->parent]);
        uint32_t first;
        size_t probe = 0;
        while ((first = rg_index_next(&f->index, hash, &probe)) && !scopes_fold(f, first, i))
            ;
        if (!first && !rg_index_put(&f->index, &f->g->alloc, hash, first = i))
            return false;
        f->scope[i] = first;
        f->scope_times[first]++;
    }
    return true;
}

/* Nodes of equal place in folding scopes fold if they do the same. */
static bool nodes_fold(const folded *f, uint32_t a, uint32_t b)
{
    const rg_node *p = rg_node_at(f->g, a), *q = rg_node_at(f->g, b);
    return f->scope[p->scope] == f->scope[q->scope] && f->place[a] == f->place[b] &&
           p->op == q->op &&
           !p->origin == !q->origin && rg_shape_equal(*p->shape, *q->shape);
}

static bool fold_nodes(folded *f)
{
    for (uint32_t id = 1; id < f->g->n_node; id++) {
        uint32_t scope = rg_node_at(f->g, id)->scope, first = 0;
        f->place[id] = f->made[scope]++;
        uint64_t hash = rg_hash_mix(f->scope[scope], f->place[id]);
        size_t probe = 0;
        while (scope && (first = rg_index_next(&f->index, hash, &probe)) &&
               !nodes_fold(f, first, id))
            ;
        if (!first && !rg_index_put(&f->index, &f->g->alloc, hash, first = id))
            return false;
        f->node[id] = first;
        f->node_times[first]++;
    }
    return true;
}

/* Lists of what stands for itself, in ascending order. */
static void list(folded *f)
{
    for (uint32_t i = (uint32_t)f->g->n_scope - 1; i > 0; i--) {
        uint32_t parent = f->scope[f->g->scope[i].parent];
        if (f->scope[i] != i)
            continue;
        f->sibling[i] = f->child[parent];
        f->child[parent] = i;
    }
    for (uint32_t id = f->g->n_node - 1; id > 0; id--) {
        uint32_t scope = f->scope[rg_node_at(f->g, id)->scope];
        if (f->node[id] != id)
            continue;
        f->next[id] = f->first[scope];
        f->first[scope] = id;
    }
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* A name inside quotes. */
static void quote(const rg_out *out, const char *text)
{
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            rg_out_printf(out, "\\%c", *text);
        else
            rg_out_printf(out, "%c", (unsigned char)*text < 0x20 ? ' ' : *text);
}

static void dot_node(const rg_out *out, const folded *f, uint32_t id)
{
    const rg_node *node = rg_node_at(f->g, id);
    char shape[RG_SHAPE_TEXT];
    rg_out_printf(out, "n%u [label=\"%s", id, node->op->name);
    if (node->op == &rg_op_input || node->op == &rg_op_param)
        rg_out_printf(out, " ");
    if (node->op == &rg_op_input)
        quote(out, ((const rg_attr_input *)node->attr)->name);
    if (node->op == &rg_op_param)
        quote(out, ((const rg_attr_param *)node->attr)->slot->name);
    rg_out_printf(out, "\\n%s", rg_shape_text(shape, node->shape));
    if (f->node_times[id] > 1)
        rg_out_printf(out, " x%u", f->node_times[id]);
    rg_out_printf(out, "\"%s%s];\n", node->n_in ? "" : ", style=filled",
                  node->origin ? ", style=dashed" : "");
}

static void open_cluster(const rg_out *out, const folded *f, uint32_t scope)
{
    const rg_scope *s = &f->g->scope[scope];
    rg_out_printf(out, "subgraph cluster_%u {\nlabel=\"", scope);
    quote(out, s->name);
    if (f->scope_times[scope] > 1)
        rg_out_printf(out, " x%u", f->scope_times[scope]);
    else if (s->step != RG_NO_STEP)
        rg_out_printf(out, " step %lld", (long long)s->step);
    rg_out_printf(out, "\";\n");
}

/* Clusters nest; the way back up is in the parents. */
static void dot_clusters(const rg_out *out, const folded *f)
{
    uint32_t at = 0;
    for (bool down = true;;) {
        if (down) {
            for (uint32_t id = f->first[at]; id; id = f->next[id])
                dot_node(out, f, id);
            if (f->child[at]) {
                open_cluster(out, f, at = f->child[at]);
                continue;
            }
        }
        if (!at)
            return;
        rg_out_printf(out, "}\n");
        if ((down = f->sibling[at] != 0))
            open_cluster(out, f, at = f->sibling[at]);
        else
            at = f->scope[f->g->scope[at].parent];
    }
}

/* Draws an edge that is not there yet. */
static bool dot_edge(const rg_out *out, folded *f, edge e)
{
    uint64_t hash = rg_hash_mix(e.from, e.to);
    uint32_t k;
    for (size_t probe = 0; (k = rg_index_next(&f->index, hash, &probe));)
        if (f->edge[k].from == e.from && f->edge[k].to == e.to)
            return true;
    k = f->n_edge ? f->n_edge : 1;
    if (!rg_reserve(&f->g->alloc, &f->edge, &f->edge_cap, (size_t)k + 1, sizeof *f->edge) ||
        !rg_index_put(&f->index, &f->g->alloc, hash, k))
        return false;
    f->edge[k] = e;
    f->n_edge = k + 1;
    rg_out_printf(out, "n%u -> n%u;\n", e.from, e.to);
    return true;
}

static bool dot_edges(const rg_out *out, folded *f)
{
    for (uint32_t id = 1; id < f->g->n_node; id++) {
        const rg_node *node = rg_node_at(f->g, id);
        for (uint32_t i = 0; i < node->n_in; i++)
            if (!dot_edge(out, f, (edge){ f->node[node->in[i]], f->node[id] }))
                return false;
    }
    return true;
}

void rg_graph_dot(const rg_graph *graph, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    folded f = { .g = graph };
    if (!graph || !write)
        return;
    rg_arena_init(&f.arena, &graph->alloc);
    rg_out_printf(&out, "digraph retrograd {\nnode [shape=box, fontname=\"monospace\"];\n");
    bool done = allocate(&f) && fold_scopes(&f);
    rg_index_free(&f.index, &graph->alloc);
    done = done && fold_nodes(&f);
    rg_index_free(&f.index, &graph->alloc);
    if (done) {
        list(&f);
        dot_clusters(&out, &f);
        done = dot_edges(&out, &f);
    }
    rg_index_free(&f.index, &graph->alloc);
    rg_release(&graph->alloc, f.edge, f.edge_cap * sizeof *f.edge);
    rg_arena_free(&f.arena);
    rg_out_printf(&out, "%s}\n", done ? "" : "/* cut short: no memory */\n");
}
