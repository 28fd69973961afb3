/* graph/emit.c -- appending a node: what every operation goes through, ours and a user's. */
#include "graph/graph.h"

#include "base/checked.h"

#include <string.h>

/* The last axis, counted from the end, where two shapes neither agree nor broadcast. */
static int clash(const rg_shape *a, const rg_shape *b)
{
    int k = 1;
    for (; k < a->rank && k < b->rank; k++) {
        const int64_t m = a->dim[a->rank - k], n = b->dim[b->rank - k];
        if (m != n && m != 1 && n != 1)
            break;
    }
    return -k;
}

rg_status rg_infer_broadcast(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
    (void)attr;
    *out = in[0];
    for (size_t i = 1; i < n; i++) {
        if (in[i].kind != out->kind)
            return rg_fail(err, RG_EDTYPE, "operands are %s and %s; one kind is needed",
                           rg_kind_text(out->kind), rg_kind_text(in[i].kind));
        if (!rg_shape_broadcast(&out->shape, &out->shape, &in[i].shape))
            return rg_fail(err, RG_ESHAPE, "shapes do not broadcast: %s and %s differ on axis %d",
                           rg_shape_text(a, &out->shape), rg_shape_text(b, &in[i].shape),
                           clash(&out->shape, &in[i].shape));
    }
    return RG_OK;
}

rg_status rg_infer(rg_sig *out, const rg_op *op, const rg_sig *in, size_t n, const void *attr,
                   rg_err *err)
{
    int64_t numel;
    size_t bytes;
    char text[RG_SHAPE_TEXT];
    rg_status st;
    *out = (rg_sig){ .kind = RG_F };
    if (op->infer)
        st = op->infer(out, in, n, attr, err);
    else if (n)
        st = rg_infer_broadcast(out, in, n, attr, err);
    else
        st = rg_fail(err, RG_EARG, "an op without operands needs an infer function");
    if (st)
        return st;
    st = rg_numel(&out->shape, &numel);
    if (!st)
        st = rg_bytes(numel, sizeof(double), &bytes);
    return st ? rg_fail(err, st, "result %s is %s", rg_shape_text(text, &out->shape),
                        st == RG_ESHAPE ? "of negative extent" : "too large") : RG_OK;
}

static rg_status check_operands(rg_graph *g, const rg_op *op, const rg_val *in, size_t n,
                                rg_err *err)
{
    if (!op->name || (!op->vjp && !(op->flags & (RG_OP_NODIFF | RG_OP_BLOCK))))
        return rg_fail(err, RG_EARG, "bad descriptor: an op needs a name, and a vjp or "
                       "RG_OP_NODIFF");
    if (op->arity && op->arity != n)
        return rg_fail(err, RG_EARG, "takes %u operands, got %zu", (unsigned)op->arity, n);
    for (size_t i = 0; i < n; i++) {
        if (!in[i].graph || !in[i].id)
            return rg_fail(err, RG_EGRAPH, "operand %zu is an unset value", i);
        if (in[i].graph != g)
            return rg_fail(err, RG_EARG, "operands live in different graphs");
        if (in[i].id >= g->n_node)
            return rg_fail(err, RG_EGRAPH, "operand %zu is no value of this graph", i);
    }
    return RG_OK;
}

/* Room for one more node; its id, or 0. */
static uint32_t next_id(rg_graph *g)
{
    uint32_t id = g->n_node;
    if (id % RG_CHUNK == 0) {
        if (!rg_reserve(&g->alloc, &g->chunk, &g->n_chunk_cap, id / RG_CHUNK + 1, sizeof *g->chunk))
            return 0;
        if (!g->chunk[id / RG_CHUNK] &&
            !(g->chunk[id / RG_CHUNK] = rg_get(&g->alloc, RG_CHUNK * sizeof **g->chunk)))
            return 0;
    }
    return id;
}

static rg_val append(rg_graph *g, const rg_op *op, const void *attr, const rg_val *in, size_t n,
                     const rg_sig *sig)
{
    uint32_t id = next_id(g), *ids = n ? rg_arena_get(&g->arena, n * sizeof *ids) : NULL;
    void *kept = op->attr_bytes ? rg_arena_get(&g->arena, op->attr_bytes) : NULL;
    const rg_shape *shape = rg_shapes_keep(&g->shapes, &g->arena, &sig->shape);
    if (!id || !shape || (n && !ids) || (op->attr_bytes && !kept))
        return rg_poison(g, RG_ENOMEM, "%s: no memory for node %u", op->name, (unsigned)g->n_node);
    for (size_t i = 0; i < n; i++)
        ids[i] = in[i].id;
    if (op->attr_bytes)
        memcpy(kept, attr, op->attr_bytes);
    g->chunk[id / RG_CHUNK][id % RG_CHUNK] = (rg_node){
        .op = op, .attr = kept, .shape = shape, .in = ids, .n_in = (uint32_t)n,
        .scope = g->in_scope, .origin = g->origin, .kind = (uint8_t)sig->kind,
    };
    g->n_node++;
    return (rg_val){ g, id };
}

rg_val rg_emit_in(rg_graph *g, const rg_op *op, const void *attr, const rg_val *in, size_t n)
{
    enum { FEW = 8 };
    rg_sig few[FEW] = { { .kind = RG_F } }, *sig = few, out;
    rg_err err = { .status = RG_OK };
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (g->n_node > g->max_nodes)
        return rg_poison(g, RG_ELIMIT, "%s: the graph has its %u nodes", op->name,
                         (unsigned)g->max_nodes);
    if (op->attr_bytes && !attr)
        return rg_poison(g, RG_EARG, "%s: attributes are missing", op->name);
    if (check_operands(g, op, in, n, &err))
        return rg_poison(g, err.status, "%s: %s", op->name ? op->name : "op", err.text);
    if (n > FEW && !(sig = rg_get(&g->alloc, n * sizeof *sig)))
        return rg_poison(g, RG_ENOMEM, "%s: no memory for %zu operands", op->name, n);
    for (size_t i = 0; i < n; i++) {
        const rg_node *node = rg_node_at(g, in[i].id);
        sig[i] = (rg_sig){ (rg_kind)node->kind, *node->shape };
    }
    rg_status st = rg_infer(&out, op, sig, n, attr, &err);
    if (sig != few)
        rg_release(&g->alloc, sig, n * sizeof *sig);
    return st ? rg_poison(g, st, "%s: %s", op->name, err.text)
              : append(g, op, attr, in, n, &out);
}

rg_val rg_emit(const rg_op *op, const void *attr, const rg_val *in, size_t n)
{
    rg_graph *g = rg_graph_of(in, n);
    if (g && !op)
        return rg_poison(g, RG_EARG, "rg_emit: no op");
    return op ? rg_emit_in(g, op, attr, in, n) : RG_NONE;
}

rg_val rg_emit1(const rg_op *op, const void *attr, rg_val a)
{
    return rg_emit(op, attr, &a, 1);
}

rg_val rg_emit2(const rg_op *op, const void *attr, rg_val a, rg_val b)
{
    const rg_val in[2] = { a, b };
    return rg_emit(op, attr, in, 2);
}
