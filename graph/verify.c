/* graph/verify.c -- every invariant of a graph, in one pass over each of its tables. */
#include "graph/graph.h"

#include "base/checked.h"
#include "base/philox.h"

#include <string.h>

#define HOLDS(condition, ...)                                                   \
    do {                                                                        \
        if (!(condition))                                                       \
            return rg_graph_fail(g, RG_EINTERNAL, "verify: " __VA_ARGS__);      \
    } while (0)

/* What inference says of the node today is what the node says. */
static rg_status verify_sig(rg_graph *g, uint32_t id, const rg_node *node)
{
    enum { FEW = 8 };
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_sig few[FEW] = { { .kind = RG_F } }, *sig = few, out;
    rg_err err = { .status = RG_OK };
    if (node->n_in > FEW && !(sig = rg_get(&g->alloc, node->n_in * sizeof *sig)))
        return rg_graph_fail(g, RG_ENOMEM, "verify: no memory for %u operands", node->n_in);
    for (uint32_t i = 0; i < node->n_in; i++) {
        const rg_node *operand = rg_node_at(g, node->in[i]);
        sig[i] = (rg_sig){ (rg_kind)operand->kind, *operand->shape };
    }
    rg_status st = rg_infer(&out, node->op, sig, node->n_in, node->attr, &err);
    if (sig != few)
        rg_release(&g->alloc, sig, node->n_in * sizeof *sig);
    HOLDS(!st, "node %u %s: inference refuses it: %s", id, node->op->name, err.text);
    HOLDS(rg_shape_equal(out.shape, *node->shape), "node %u %s: shape %s, inferred %s", id,
          node->op->name, rg_shape_text(have, node->shape), rg_shape_text(want, &out.shape));
    HOLDS(out.kind == (rg_kind)node->kind, "node %u %s: kind %s, inferred %s", id, node->op->name,
          rg_kind_text((rg_kind)node->kind), rg_kind_text(out.kind));
    return RG_OK;
}

static rg_status verify_node(rg_graph *g, uint32_t id)
{
    const rg_node *node = rg_node_at(g, id);
    const rg_op *op = node->op;
    int64_t numel;
    HOLDS(op && op->name, "node %u has no op", id);
    HOLDS(op->vjp || op->flags & (RG_OP_NODIFF | RG_OP_BLOCK),
          "node %u %s: an op needs a vjp or RG_OP_NODIFF", id, op->name);
    HOLDS(!op->arity || op->arity == node->n_in, "node %u %s: takes %u operands, has %u", id,
          op->name, op->arity, node->n_in);
    HOLDS(!node->n_in || node->in, "node %u %s: no operand list", id, op->name);
    for (uint32_t i = 0; i < node->n_in; i++)
        HOLDS(node->in[i] && node->in[i] < id, "node %u %s: operand %u is node %u, not above it",
              id, op->name, i, node->in[i]);
    HOLDS(!op->attr_bytes == !node->attr, "node %u %s: attributes do not fit", id, op->name);
    HOLDS(node->shape && rg_numel(node->shape, &numel) == RG_OK, "node %u %s: bad shape", id,
          op->name);
    HOLDS(node->kind <= RG_BOOL, "node %u %s: unknown kind %u", id, op->name, node->kind);
    HOLDS(node->scope < g->n_scope, "node %u %s: unknown scope %u", id, op->name, node->scope);
    HOLDS(node->origin < id, "node %u %s: origin %u is not above it", id, op->name, node->origin);
    HOLDS(node->outcome <= RG_BLOCKED, "node %u %s: unknown outcome %u", id, op->name,
          node->outcome);
    return verify_sig(g, id, node);
}

static rg_status verify_inputs(rg_graph *g)
{
    size_t n = 0;
    for (uint32_t id = 1; id < g->n_node; id++)
        n += rg_node_at(g, id)->op == &rg_op_input;
    HOLDS(n == g->n_input && n == g->input_index.n, "%zu input nodes, %zu in the list, %zu names",
          n, g->n_input, g->input_index.n);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = g->input[i], found = 0;
        HOLDS(id && id < g->n_node && rg_node_at(g, id)->op == &rg_op_input &&
              (!i || g->input[i - 1] < id), "input %zu: bad node %u", i, id);
        const char *name = ((const rg_attr_input *)rg_node_at(g, id)->attr)->name;
        for (size_t probe = 0; found != id;) {
            found = rg_index_next(&g->input_index, rg_fnv1a(name), &probe);
            HOLDS(found, "input '%s': node %u is not found by name", name, id);
        }
    }
    return RG_OK;
}

static rg_status verify_params(rg_graph *g)
{
    size_t n_node = 0, n_listed = 0;
    for (uint32_t id = 1; id < g->n_node; id++) {
        const rg_node *node = rg_node_at(g, id);
        if (node->op != &rg_op_param)
            continue;
        const rg_slot *slot = ((const rg_attr_param *)node->attr)->slot;
        n_node++;
        HOLDS(g->params && slot->index < g->params->n_slot &&
              g->params->slot[slot->index] == slot, "node %u: parameter of no store", id);
        HOLDS(slot->index < g->param_node_cap && g->param_node[slot->index] == id,
              "node %u: parameter '%s' is listed as another node", id, slot->name);
    }
    for (size_t i = 0; i < g->param_node_cap; i++)
        n_listed += g->param_node[i] != 0;
    HOLDS(n_node == n_listed, "%zu parameter nodes, %zu in the list", n_node, n_listed);
    return RG_OK;
}

static rg_status verify_scopes(rg_graph *g)
{
    HOLDS(g->n_scope && !g->scope[0].parent && g->in_scope < g->n_scope && g->origin < g->n_node,
          "scope %u of %zu, origin %u", g->in_scope, g->n_scope, g->origin);
    for (size_t i = 1; i < g->n_scope; i++)
        HOLDS(g->scope[i].name && g->scope[i].parent < i, "scope %zu: parent %u is not above it", i,
              g->scope[i].parent);
    HOLDS(g->scope_index.n == g->n_scope - 1, "%zu scopes, %zu in the index", g->n_scope - 1,
          g->scope_index.n);
    return RG_OK;
}

static rg_status verify_notes(rg_graph *g)
{
    for (size_t i = 0; i < g->n_note; i++) {
        const rg_gradient_note *n = &g->note[i];
        HOLDS(n->gradient < g->n_node && n->param && n->param < g->n_node && n->objective &&
              n->objective < g->n_node && rg_node_at(g, n->param)->op == &rg_op_param,
              "gradient note %zu: nodes %u, %u, %u", i, n->gradient, n->param, n->objective);
        HOLDS(!n->gradient || rg_shape_equal(*rg_node_at(g, n->gradient)->shape,
                                             *rg_node_at(g, n->param)->shape),
              "gradient note %zu: node %u has not its parameter's shape", i, n->gradient);
    }
    return RG_OK;
}

rg_status rg_graph_verify(rg_graph *g)
{
    rg_status st = g ? verify_scopes(g) : RG_EARG;
    if (!st && g->n_node - 1 > g->max_nodes)
        st = rg_graph_fail(g, RG_EINTERNAL, "verify: %u nodes of at most %u", g->n_node - 1,
                           g->max_nodes);
    for (uint32_t id = 1; !st && id < g->n_node; id++)
        st = verify_node(g, id);
    if (!st)
        st = verify_inputs(g);
    if (!st)
        st = verify_params(g);
    return st ? st : verify_notes(g);
}
