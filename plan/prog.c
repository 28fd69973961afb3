/* plan/prog.c -- the plan's private copy of a graph. */
#include "plan/prog.h"

#include <string.h>

uint32_t rg_prog_add(rg_prog *p, const rg_node *like, const uint32_t *in, uint32_t n_in)
{
    uint32_t *ids = n_in ? rg_arena_get(&p->in[p->side], n_in * sizeof *ids) : NULL;
    if ((n_in && !ids) ||
        !rg_reserve_raw(&p->alloc, &p->node, &p->node_cap, (size_t)p->n_node + 1, sizeof *p->node))
        return 0;
    for (uint32_t k = 0; k < n_in; k++)
        ids[k] = in[k];
    rg_node *node = &p->node[p->n_node];
    *node = *like;
    node->in = ids;
    node->n_in = n_in;
    return p->n_node++;
}

/* What the roots reach: marks in p->of_graph, by one descending loop. */
static void mark(rg_prog *p, const rg_val *roots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p->of_graph[roots[i].id] = 1;
    for (uint32_t id = p->n_of_graph - 1; id > 0; id--) {
        const rg_node *node = rg_node_at(p->graph, id);
        bool skip = p->mode == RG_EVALUATE && node->op->flags & RG_OP_TRAIN_ONLY;
        if (p->of_graph[id])
            for (uint32_t k = 0; k < (skip ? 1 : node->n_in); k++)
                p->of_graph[node->in[k]] = 1;
    }
}

static bool copy(rg_prog *p)
{
    uint32_t most = 0, live = 1;
    for (uint32_t id = 1; id < p->n_of_graph; id++) {
        if (p->of_graph[id] && rg_node_at(p->graph, id)->n_in > most)
            most = rg_node_at(p->graph, id)->n_in;
        live += p->of_graph[id];
    }
    uint32_t *in = rg_get(&p->alloc, most * sizeof *in);
    bool ok = in && rg_reserve_raw(&p->alloc, &p->node, &p->node_cap, live, sizeof *p->node);
    for (uint32_t id = 1; id < p->n_of_graph && ok; id++) {
        const rg_node *node = rg_node_at(p->graph, id);
        if (!p->of_graph[id])
            continue;
        for (uint32_t k = 0; k < node->n_in; k++)
            in[k] = p->of_graph[node->in[k]];
        if (p->mode == RG_EVALUATE && node->op->flags & RG_OP_TRAIN_ONLY)
            p->of_graph[id] = in[0];
        else
            ok = (p->of_graph[id] = rg_prog_add(p, node, in, node->n_in)) != 0;
    }
    rg_release(&p->alloc, in, most * sizeof *in);
    return ok;
}

rg_status rg_prog_create(rg_prog *p, const rg_graph *g, const rg_val *roots, size_t n, rg_mode mode,
                         rg_dtype real, const rg_alloc *work, const rg_alloc *alloc, rg_err *err)
{
    *p = (rg_prog){ .alloc = *work, .graph = g, .mode = mode, .real = real, .n_node = 1,
                    .n_root = n };
    rg_arena_init(&p->arena, alloc);
    rg_arena_init(&p->in[0], work);
    rg_arena_init(&p->in[1], work);
    p->in[0].raw = p->in[1].raw = true;
    for (size_t i = 0; i < n; i++)
        if (roots[i].id >= p->n_of_graph)
            p->n_of_graph = roots[i].id + 1;
    p->of_graph = rg_get(work, p->n_of_graph * sizeof *p->of_graph);
    p->root = rg_get(work, n * sizeof *p->root);
    if (p->of_graph && p->root) {
        mark(p, roots, n);
        if (copy(p)) {
            for (size_t i = 0; i < n; i++)
                p->root[i] = p->of_graph[roots[i].id];
            return RG_OK;
        }
    }
    return rg_fail(err, RG_ENOMEM, "plan: no memory for a program of %u nodes",
                   (unsigned)g->n_node);
}

/* ---- Settling ------------------------------------------------------------------------------- */

/* A copy in the arena; of nothing, nothing. */
static bool settle_array(rg_prog *p, void *to, const void *from, size_t bytes)
{
    void *copy = from ? rg_arena_get(&p->arena, bytes) : NULL;
    if (copy)
        memcpy(copy, from, bytes);
    memcpy(to, &copy, sizeof copy);
    return copy || !from;
}

/* All operands in one block. */
static bool settle_operands(rg_prog *p)
{
    size_t n = 0;
    for (uint32_t id = 1; id < p->n_node; id++)
        n += p->node[id].n_in;
    uint32_t *at = rg_arena_get(&p->arena, n * sizeof *at);
    for (uint32_t id = 1; id < p->n_node && at; id++) {
        rg_node *node = &p->node[id];
        for (uint32_t k = 0; k < node->n_in; k++)
            at[k] = node->in[k];
        node->in = at;
        at += node->n_in;
    }
    return at != NULL;
}

/* What passes worked with. */
static void release(rg_prog *p)
{
    rg_release(&p->alloc, p->cluster, p->n_node * sizeof *p->cluster);
    rg_release(&p->alloc, p->node, p->node_cap * sizeof *p->node);
    rg_release(&p->alloc, p->root, p->n_root * sizeof *p->root);
    rg_release(&p->alloc, p->of_graph, p->n_of_graph * sizeof *p->of_graph);
    rg_arena_free(&p->in[0]);
    rg_arena_free(&p->in[1]);
}

rg_status rg_prog_settle(rg_prog *p, rg_err *err)
{
    rg_prog old = *p;
    bool ok = settle_array(p, &p->node, old.node, p->n_node * sizeof *p->node);
    ok &= settle_array(p, &p->root, old.root, p->n_root * sizeof *p->root);
    ok &= settle_array(p, &p->of_graph, old.of_graph, p->n_of_graph * sizeof *p->of_graph);
    ok &= settle_array(p, &p->cluster, old.cluster, p->n_node * sizeof *p->cluster);
    ok = ok && settle_operands(p);
    p->settled = true;
    release(&old);
    return ok ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory for %u nodes",
                                (unsigned)p->n_node);
}

void rg_prog_destroy(rg_prog *p)
{
    if (!p->settled)
        release(p);
    rg_arena_free(&p->arena);
}

bool rg_node_is_constant(const rg_node *node)
{
    return node->op == &rg_op_constant || node->op == &rg_op_full;
}

bool rg_node_is_leaf(const rg_node *node)
{
    return node->op == &rg_op_input || node->op == &rg_op_param || rg_node_is_constant(node);
}

/* ---- Verification --------------------------------------------------------------------------- */

static rg_status verify_node(const rg_prog *p, uint32_t id, rg_sig *sig, rg_err *err)
{
    const rg_node *node = &p->node[id];
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_sig out;
    for (uint32_t k = 0; k < node->n_in; k++) {
        if (node->in[k] == 0 || node->in[k] >= id)
            return rg_fail(err, RG_EINTERNAL, "program: %%%u (%s) reads %%%u before it exists",
                           (unsigned)id, node->op->name, (unsigned)node->in[k]);
        sig[k] = (rg_sig){ (rg_kind)p->node[node->in[k]].kind, *p->node[node->in[k]].shape };
    }
    rg_status st = rg_infer(&out, node->op, sig, node->n_in, node->attr, err);
    if (st)
        return st;
    if (out.kind != (rg_kind)node->kind || !rg_shape_equal(out.shape, *node->shape))
        return rg_fail(err, RG_EINTERNAL, "program: %%%u (%s) carries %s, inference says %s",
                       (unsigned)id, node->op->name, rg_shape_text(have, node->shape),
                       rg_shape_text(want, &out.shape));
    return RG_OK;
}

rg_status rg_prog_verify(const rg_prog *p, rg_err *err)
{
    uint32_t most = 0;
    rg_status st = RG_OK;
    for (uint32_t id = 1; id < p->n_node; id++)
        most = p->node[id].n_in > most ? p->node[id].n_in : most;
    rg_sig *sig = rg_get(&p->alloc, most * sizeof *sig);
    if (!sig)
        return rg_fail(err, RG_ENOMEM, "program: no memory to verify it");
    for (uint32_t id = 1; id < p->n_node && !st; id++)
        st = verify_node(p, id, sig, err);
    rg_release(&p->alloc, sig, most * sizeof *sig);
    for (size_t i = 0; i < p->n_root && !st; i++)
        if (p->root[i] == 0 || p->root[i] >= p->n_node)
            st = rg_fail(err, RG_EINTERNAL, "program: root %zu does not exist", i);
    return st;
}
