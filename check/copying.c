/* check/copying.c -- nodes, scopes and leaves of a copy. */
#include "check/copying.h"

#include "base/checked.h"

#include <string.h>

void rg_copy_needed(uint8_t *needed, const rg_graph *g)
{
    for (uint32_t id = g->n_node; id-- > 1;) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t k = 0; k < node->n_in && needed[id]; k++)
            needed[node->in[k]] = 1;
    }
}

/* A parent comes before its children. */
void rg_copy_scopes(uint32_t *scope, const rg_graph *g, rg_graph *to)
{
    for (size_t i = 1; i < g->n_scope; i++) {
        to->in_scope = scope[g->scope[i].parent];
        rg_scope_push(to, g->scope[i].name, g->scope[i].step);
        scope[i] = to->in_scope;
    }
    to->in_scope = 0;
}

rg_val rg_copy_leaf(rg_graph *to, const char *name, rg_sig sig)
{
    rg_attr_input attr;
    memset(&attr, 0, sizeof attr);
    attr.name = rg_arena_text(&to->arena, name);
    attr.sig = sig;
    if (!attr.name || !rg_reserve(&to->alloc, &to->input, &to->input_cap, to->n_input + 1,
                                  sizeof *to->input))
        return rg_poison(to, RG_ENOMEM, "no memory for a copy of the graph");
    rg_val v = rg_emit_in(to, &rg_op_input, &attr, NULL, 0);
    if (v.id)
        to->input[to->n_input++] = v.id;
    return v;
}
