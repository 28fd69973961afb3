/* graph/print.c -- a graph as text, and its parameters as values. */
#include "graph/graph.h"

#include "base/text.h"

/* What a leaf is called; "" for a node that is none. Numbers are written into @p text. */
static const char *leaf_text(char text[RG_NUMBER_TEXT], const rg_node *node)
{
    double c;
    const char *name = rg_leaf_name(node);
    return name ? name : rg_node_is_number(node, &c) ? rg_number(text, c, 9) : "";
}

static void print_node(const rg_out *out, const rg_graph *g, uint32_t id)
{
    const rg_node *node = rg_node_at(g, id);
    char shape[RG_SHAPE_TEXT], scope[RG_SCOPE_TEXT], number[RG_NUMBER_TEXT];
    rg_out_printf(out, "%6u  %-4s %-16s %s", (unsigned)id, rg_kind_text((rg_kind)node->kind),
                  rg_shape_text(shape, node->shape), node->op->name);
    for (uint32_t i = 0; i < node->n_in; i++)
        rg_out_printf(out, " %u", (unsigned)node->in[i]);
    const char *leaf = leaf_text(number, node);
    rg_out_printf(out, "%s%s", *leaf ? " " : "", leaf);
    if (node->scope)
        rg_out_printf(out, "  (%s)", rg_scope_text(scope, g, node->scope));
    if (node->origin)
        rg_out_printf(out, "  <- %u", (unsigned)node->origin);
    rg_out_printf(out, "\n");
}

void rg_graph_print(const rg_graph *graph, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    if (!graph || !write)
        return;
    rg_out_printf(&out, "graph: %u nodes, %zu inputs, %zu parameters\n",
                  (unsigned)graph->n_node - 1, graph->n_input, rg_graph_params(NULL, 0, graph));
    for (uint32_t id = 1; id < graph->n_node; id++)
        print_node(&out, graph, id);
    if (graph->status)
        rg_out_printf(&out, "poisoned: %s\n", graph->err.text);
}

size_t rg_graph_params(rg_val *out, size_t capacity, const rg_graph *graph)
{
    size_t n = 0;
    for (size_t i = 0; graph && graph->params && i < graph->params->n_slot; i++) {
        uint32_t slot = graph->params->order[i];
        if (slot >= graph->param_node_cap || !graph->param_node[slot])
            continue;
        if (out && n < capacity)
            out[n] = (rg_val){ (rg_graph *)graph, graph->param_node[slot] };
        n++;
    }
    return n;
}
