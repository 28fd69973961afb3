/* graph/leaf.c -- values without operands: inputs, parameters, constants. */
#include "graph/graph.h"

#include "base/checked.h"
#include "base/philox.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Leaves have no kernel: a plan knows where their data lies. */
static void no_rule(const rg_vjp_ctx *v)
{
    (void)v;
}

static rg_status input_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)in, (void)n, (void)err;
    *out = ((const rg_attr_input *)attr)->sig;
    return RG_OK;
}

static rg_status param_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)in, (void)n, (void)err;
    *out = (rg_sig){ RG_F, ((const rg_attr_param *)attr)->slot->shape };
    return RG_OK;
}

static rg_status constant_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                rg_err *err)
{
    (void)in, (void)n, (void)err;
    *out = ((const rg_attr_constant *)attr)->sig;
    return RG_OK;
}

static rg_status full_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)in, (void)n, (void)err;
    *out = ((const rg_attr_full *)attr)->sig;
    return RG_OK;
}

const rg_op rg_op_input = {
    .name = "input", .attr_bytes = sizeof(rg_attr_input), .infer = input_infer, .vjp = no_rule,
};
const rg_op rg_op_param = {
    .name = "param", .attr_bytes = sizeof(rg_attr_param), .infer = param_infer, .vjp = no_rule,
};
const rg_op rg_op_constant = {
    .name = "constant", .attr_bytes = sizeof(rg_attr_constant), .infer = constant_infer,
    .vjp = no_rule,
};
const rg_op rg_op_full = {
    .name = "full", .attr_bytes = sizeof(rg_attr_full), .infer = full_infer, .vjp = no_rule,
};

static bool kind_ok(rg_graph *g, rg_kind kind, const char *what)
{
    if (kind == RG_F || kind == RG_INT || kind == RG_BOOL)
        return true;
    rg_poison(g, RG_EDTYPE, "%s: unknown kind %d", what, (int)kind);
    return false;
}

static bool name_taken(const rg_graph *g, const char *name)
{
    uint32_t id;
    for (size_t probe = 0; (id = rg_index_next(&g->input_index, rg_fnv1a(name), &probe));)
        if (strcmp(((const rg_attr_input *)rg_node_at(g, id)->attr)->name, name) == 0)
            return true;
    return false;
}

rg_val rg_input(rg_graph *graph, const char *name, rg_kind kind, rg_shape shape)
{
    rg_attr_input attr;
    char numbered[32];
    if (!graph || graph->status || !kind_ok(graph, kind, "input"))
        return (rg_val){ .graph = graph };
    memset(&attr, 0, sizeof attr);
    if (!name) {
        (void)snprintf(numbered, sizeof numbered, "input%zu", graph->n_input);
        name = numbered;
    }
    if (!*name || strlen(name) > RG_NAME_BYTES || !rg_is_utf8(name))
        return rg_poison(graph, RG_EARG, "input: a name is UTF-8 of 1 to %d bytes", RG_NAME_BYTES);
    if (name_taken(graph, name))
        return rg_poison(graph, RG_EARG, "input: the name '%s' is taken", name);
    attr.sig.kind = kind;
    attr.sig.shape = shape;
    if (!(attr.name = rg_arena_text(&graph->arena, name)) ||
        !rg_reserve(&graph->alloc, &graph->input, &graph->input_cap, graph->n_input + 1,
                    sizeof *graph->input))
        return rg_poison(graph, RG_ENOMEM, "input: no memory for '%s'", name);
    rg_val v = rg_emit_in(graph, &rg_op_input, &attr, NULL, 0);
    if (!v.id)
        return v;
    graph->input[graph->n_input++] = v.id;
    if (!rg_index_put(&graph->input_index, &graph->alloc, rg_fnv1a(name), v.id))
        return rg_poison(graph, RG_ENOMEM, "input: no memory for '%s'", name);
    return v;
}

rg_val rg_param(rg_graph *graph, const char *group, const char *name, rg_shape shape, rg_init init)
{
    char full[RG_NAME_BYTES + 2];
    rg_attr_param attr;
    if (!graph || graph->status)
        return (rg_val){ .graph = graph };
    if (!graph->params)
        return rg_poison(graph, RG_EARG, "param '%s': the graph has no parameter store",
                         name ? name : "");
    int n = snprintf(full, sizeof full, "%s%s%s", group ? group : "", group && *group ? "." : "",
                     name ? name : "");
    if (!name || !*name || n < 0 || n > RG_NAME_BYTES)
        return rg_poison(graph, RG_EARG, "param: a name has 1 to %d bytes, group and dot included",
                         RG_NAME_BYTES);
    rg_status st = rg_params_declare(&attr.slot, graph->params, full, shape, graph->params->real,
                                     &init);
    if (st)
        return rg_poison(graph, st, "%s", graph->params->err.text);
    uint32_t index = attr.slot->index;
    if (!rg_reserve(&graph->alloc, &graph->param_node, &graph->param_node_cap, (size_t)index + 1,
                    sizeof *graph->param_node))
        return rg_poison(graph, RG_ENOMEM, "param '%s': no memory", full);
    if (!graph->param_node[index])
        graph->param_node[index] = rg_emit_in(graph, &rg_op_param, &attr, NULL, 0).id;
    return (rg_val){ graph, graph->param_node[index] };
}

rg_val rg_full(rg_graph *graph, rg_shape shape, double c)
{
    rg_attr_full attr;
    memset(&attr, 0, sizeof attr);
    attr.sig.kind = RG_F;
    attr.sig.shape = shape;
    attr.value = c;
    return rg_emit_in(graph, &rg_op_full, &attr, NULL, 0);
}

rg_val rg_const(rg_graph *graph, double c)
{
    return rg_full(graph, RG_SCALAR, c);
}

rg_val rg_zeros(rg_graph *graph, rg_shape shape)
{
    return rg_full(graph, shape, 0);
}

static bool bits_ok(rg_graph *graph, const uint8_t *m, size_t count)
{
    for (size_t k = 0; k < count; k++)
        if (m[k] > 1) {
            rg_poison(graph, RG_EINDEX, "constant: element %zu is %d; a mask is 0 or 1", k,
                      (int)m[k]);
            return false;
        }
    return true;
}

rg_val rg_constant(rg_graph *graph, rg_kind kind, rg_shape shape, const void *data, size_t count)
{
    rg_attr_constant attr;
    int64_t numel;
    char text[RG_SHAPE_TEXT];
    if (!graph || graph->status || !kind_ok(graph, kind, "constant"))
        return (rg_val){ .graph = graph };
    if (rg_numel(&shape, &numel) || (uint64_t)numel != count)
        return rg_poison(graph, RG_ESHAPE, "constant: %zu elements do not fill %s", count,
                         rg_shape_text(text, &shape));
    if (!data && count)
        return rg_poison(graph, RG_EARG, "constant: data is NULL");
    if (kind == RG_BOOL && !bits_ok(graph, data, count))
        return (rg_val){ .graph = graph };
    memset(&attr, 0, sizeof attr);
    attr.sig.kind = kind;
    attr.sig.shape = shape;
    if (rg_bytes(numel, rg_kind_size(kind, RG_F64), &attr.bytes))
        return rg_poison(graph, RG_ELIMIT, "constant: %s is too large",
                         rg_shape_text(text, &shape));
    void *copy = rg_arena_get(&graph->arena, attr.bytes);
    if (!copy)
        return rg_poison(graph, RG_ENOMEM, "constant: no memory for %zu bytes", attr.bytes);
    if (attr.bytes)
        memcpy(copy, data, attr.bytes);
    attr.data = copy;
    return rg_emit_in(graph, &rg_op_constant, &attr, NULL, 0);
}

const char *rg_leaf_name(const rg_node *node)
{
    return node->op == &rg_op_input ? ((const rg_attr_input *)node->attr)->name
         : node->op == &rg_op_param ? ((const rg_attr_param *)node->attr)->slot->name : NULL;
}

bool rg_node_is_number(const rg_node *node, double *out)
{
    if (node->op == &rg_op_full && node->kind == RG_F) {
        *out = ((const rg_attr_full *)node->attr)->value;
        return true;
    }
    if (node->op == &rg_op_constant && node->kind == RG_F && rg_shape_count(*node->shape) == 1) {
        *out = *(const double *)((const rg_attr_constant *)node->attr)->data;
        return true;
    }
    return false;
}
