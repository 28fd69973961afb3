/* plan/passes/dce.c -- what no root needs disappears: dead code.
 *
 * Needs    a verified program.
 * Leaves   the nodes that a root, or with `keep` a value of the graph, depends on; their ids dense,
 *          in the order that they had.
 * Law      exact.
 *
 * Operands have smaller ids, so one descending loop marks what is needed and one ascending loop
 * moves it. rg_builder_end() does so after every pass that builds anew. */
#include "plan/passes/passes.h"

/* What is needed, in @p to. */
static void mark_live(rg_prog *p, uint32_t *to)
{
    for (size_t i = 0; i < p->n_root; i++)
        to[p->root[i]] = 1;
    for (uint32_t i = 0; p->keep && i < p->n_of_graph; i++)
        to[p->of_graph[i]] = 1;
    for (uint32_t id = p->n_node; id-- > 1;) {
        p->visits++;
        for (uint32_t k = 0; to[id] && k < p->node[id].n_in; k++)
            to[p->node[id].in[k]] = 1;
    }
}

rg_status rg_prog_sweep(rg_prog *p, rg_err *err)
{
    uint32_t *to = rg_get(&p->alloc, p->n_node * sizeof *to), n = 1;
    if (!to)
        return rg_fail(err, RG_ENOMEM, "plan: no memory for %u nodes", (unsigned)p->n_node);
    mark_live(p, to);
    to[0] = 0;
    for (; n < p->n_node && to[n]; n++)
        to[n] = n; /* stays where it is */
    for (uint32_t id = n; id < p->n_node; id++) {
        rg_node *node = &p->node[id];
        if (!to[id])
            continue;
        /* operands lie in the arena: those of the graph were copied by rg_prog_add() */
        for (uint32_t k = 0; k < node->n_in; k++)
            ((uint32_t *)(uintptr_t)node->in)[k] = to[node->in[k]];
        p->node[n] = *node;
        to[id] = n++;
    }
    for (size_t i = 0; i < p->n_root; i++)
        p->root[i] = to[p->root[i]];
    for (uint32_t i = 0; i < p->n_of_graph; i++)
        p->of_graph[i] = to[p->of_graph[i]];
    rg_release(&p->alloc, to, p->n_node * sizeof *to);
    p->n_node = n;
    return RG_OK;
}

rg_status rg_pass_dce(rg_prog *p, rg_err *err)
{
    return rg_prog_sweep(p, err);
}
