/* graph/graph.c -- the life of a graph; its errors; reading values. */
#include "graph/graph.h"

#include "base/checked.h"

#include <string.h>

static const uint32_t MAX_NODES = UINT32_C(1) << 31;

static rg_status graph_init(rg_graph *g)
{
    rg_arena_init(&g->arena, &g->alloc);
    if (!rg_reserve(&g->alloc, &g->scope, &g->scope_cap, 1, sizeof *g->scope))
        return RG_ENOMEM;
    g->scope[0] = (rg_scope){ .name = "", .step = RG_NO_STEP };
    g->n_scope = 1;
    if (!rg_reserve(&g->alloc, &g->chunk, &g->n_chunk_cap, 1, sizeof *g->chunk))
        return RG_ENOMEM;
    g->chunk[0] = rg_get(&g->alloc, RG_CHUNK * sizeof **g->chunk);
    g->n_node = 1;
    return g->chunk[0] ? RG_OK : RG_ENOMEM;
}

rg_status rg_graph_create(rg_graph **out, rg_params *params, const rg_graph_opts *opts)
{
    rg_alloc alloc;
    rg_graph *g;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (rg_alloc_resolve(&alloc, opts ? &opts->alloc : NULL))
        return RG_EARG;
    if (!(g = rg_get(&alloc, sizeof *g)))
        return RG_ENOMEM;
    g->alloc = alloc;
    g->params = params;
    g->max_nodes = opts && opts->max_nodes - 1 < MAX_NODES ? opts->max_nodes : MAX_NODES;
    if (graph_init(g)) {
        rg_graph_destroy(&g);
        return RG_ENOMEM;
    }
    *out = g;
    return RG_OK;
}

void rg_graph_destroy(rg_graph **graph)
{
    rg_graph *g = graph ? *graph : NULL;
    if (!g)
        return;
    for (size_t i = 0; i < g->n_chunk_cap; i++)
        rg_release(&g->alloc, g->chunk[i], RG_CHUNK * sizeof **g->chunk);
    rg_release(&g->alloc, g->chunk, g->n_chunk_cap * sizeof *g->chunk);
    rg_release(&g->alloc, g->scope, g->scope_cap * sizeof *g->scope);
    rg_index_free(&g->scope_index, &g->alloc);
    rg_index_free(&g->stream_index, &g->alloc);
    rg_release(&g->alloc, g->param_node, g->param_node_cap * sizeof *g->param_node);
    rg_release(&g->alloc, g->input, g->input_cap * sizeof *g->input);
    rg_index_free(&g->input_index, &g->alloc);
    rg_release(&g->alloc, g->note, g->note_cap * sizeof *g->note);
    rg_arena_free(&g->arena);
    rg_alloc alloc = g->alloc;
    rg_release(&alloc, g, sizeof *g);
    *graph = NULL;
}

rg_status rg_graph_status(const rg_graph *graph)
{
    return graph ? graph->status : RG_EARG;
}

const char *rg_graph_message(const rg_graph *graph)
{
    return graph ? graph->err.text : "no graph";
}

rg_val rg_poison(rg_graph *g, rg_status status, const char *format, ...)
{
    char scope[RG_SCOPE_TEXT];
    if (g->status == RG_OK) {
        va_list ap;
        va_start(ap, format);
        rg_fail_v(&g->err, status, format, ap);
        va_end(ap);
        if (*rg_scope_text(scope, g, g->in_scope))
            rg_err_prefix(&g->err, scope);
        g->status = status; /* a breakpoint here sees every building error */
    }
    return (rg_val){ .graph = g };
}

rg_status rg_graph_fail(rg_graph *g, rg_status status, const char *format, ...)
{
    if (g->status == RG_OK) {
        va_list ap;
        va_start(ap, format);
        rg_fail_v(&g->err, status, format, ap);
        va_end(ap);
    }
    return status;
}

void *rg_graph_alloc(rg_graph *graph, size_t bytes)
{
    void *block;
    if (!graph || graph->status)
        return NULL;
    if (!(block = rg_arena_get(&graph->arena, bytes)))
        rg_poison(graph, RG_ENOMEM, "no memory for %zu bytes", bytes);
    return block;
}

const rg_node *rg_node_of(rg_val v)
{
    return v.graph && v.id && v.id < v.graph->n_node ? rg_node_at(v.graph, v.id) : NULL;
}

rg_graph *rg_graph_of(const rg_val *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in[i].graph)
            return in[i].graph;
    return NULL;
}

rg_shape rg_shape_of(rg_val v)
{
    const rg_node *node = rg_node_of(v);
    return node ? *node->shape : (rg_shape){ .rank = -1 };
}

int64_t rg_dim(rg_val v, int axis)
{
    const rg_node *node = rg_node_of(v);
    int k = node ? rg_axis(axis, node->shape->rank) : -1;
    return k < 0 ? -1 : node->shape->dim[k];
}

rg_kind rg_kind_of(rg_val v)
{
    const rg_node *node = rg_node_of(v);
    return node ? (rg_kind)node->kind : RG_F;
}

rg_outcome rg_outcome_of(rg_val dx)
{
    const rg_node *node = rg_node_of(dx);
    return node ? (rg_outcome)node->outcome : RG_GRADIENT;
}
