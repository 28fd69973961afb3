/* check/copy.c -- private copies of what the loss needs: whole, and split at every checked use.
 *
 * Leaves become inputs bound to memory of the check. In the split copy a detached value is a leaf
 * too, with the number it has at the base point: no gradient passes, so none may be measured. */
#include "base/checked.h"
#include "check/check.h"
#include "check/copying.h"

#include "ops/ops.h"

#include <string.h>

struct copying {
    rg_check      *c;
    rg_check_copy *to;
    uint32_t      *scope;     /* by index in the user's graph */
    rg_val        *in;        /* operands of one node */
    bool           split;
};

static rg_status fail(rg_check *c, const rg_graph *g)
{
    return rg_fail(&c->err, g->status, "%s", g->err.text);
}

rg_val rg_check_leaf(rg_check *c, rg_check_copy *to, const char *name, uint32_t id, void *data)
{
    const rg_node *like = rg_node_at(c->g, id);
    const rg_kind kind = (rg_kind)like->kind;
    rg_val v = rg_copy_leaf(to->g, name, (rg_sig){ kind, *like->shape });
    const size_t bytes = (size_t)rg_shape_count(*like->shape) * rg_kind_size(kind, RG_F64);
    if (v.id)
        to->bind[to->n_bind++] = (rg_check_binding){ id, v, data, bytes };
    return v;
}

static rg_val leaf(struct copying *p, const char *name, uint32_t id, void *data)
{
    return rg_check_leaf(p->c, p->to, name, id, data);
}

/* What a use of user's node @p id at @p step reads. */
static rg_val operand(const struct copying *p, uint32_t id, int64_t step)
{
    const rg_check *c = p->c;
    if (!p->split || !c->tensor_of[id])
        return (rg_val){ p->to->g, p->to->of[id] };
    const rg_check_tensor *t = &c->tensor[c->tensor_of[id] - 1];
    size_t low = t->first, high = t->first + t->n_block;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c->block[mid].step < step)
            low = mid + 1;
        else
            high = mid;
    }
    const size_t end = t->first + t->n_block;
    const bool found = low < end && c->block[low].step == step;
    return c->block[found ? low : end - 1].use; /* the last stands for all that are not there */
}

/* The leaves of a tensor's blocks; @p v is its own copy where it is an inner value. */
static void split_tensor(struct copying *p, rg_check_tensor *t, rg_val v)
{
    for (size_t i = t->first; i < t->first + t->n_block; i++) {
        rg_check_block *b = &p->c->block[i];
        b->leaf = leaf(p, t->name, t->id, b->x);
        b->use = v.id ? rg_add(v, b->leaf) : b->leaf;
    }
}

static bool is_leaf(const rg_node *node)
{
    return node->op == &rg_op_param || node->op == &rg_op_input;
}

/* A real value behind which gradients end on purpose. */
static bool detaches(const rg_check *c, const rg_node *node)
{
    if (!(node->op->flags & RG_OP_BLOCK) || node->kind != RG_F)
        return false;
    for (uint32_t k = 0; k < node->n_in; k++)
        if (rg_node_at(c->g, node->in[k])->kind == RG_F)
            return true;
    return false;
}

/* A detached value's number at the base point, which the whole copy has computed. */
static void *frozen(rg_check *c, uint32_t id, const rg_node *node)
{
    const size_t bytes = (size_t)rg_shape_count(*node->shape) * sizeof(double);
    void *copy = rg_arena_get(&c->arena, bytes);
    const void *now = rg_plan_data(c->interpreted, (rg_val){ c->whole.g, c->whole.of[id] });
    if (copy && now && bytes)
        memcpy(copy, now, bytes);
    return copy;
}

static rg_val copy_node(struct copying *p, uint32_t id)
{
    rg_check *c = p->c;
    rg_graph *to = p->to->g;
    const rg_node *node = rg_node_at(c->g, id);
    const int64_t step = c->step_of_scope[node->scope];
    to->in_scope = p->scope[node->scope];
    to->origin = p->to->of[node->origin];
    if (is_leaf(node))
        return leaf(p, rg_leaf_name(node), id, c->data[id]);
    if (p->split && detaches(c, node)) {
        void *data = frozen(c, id, node);
        return data ? leaf(p, node->op->name, id, data)
                    : rg_poison(to, RG_ENOMEM, "gradcheck: no memory");
    }
    for (uint32_t k = 0; k < node->n_in; k++)
        p->in[k] = operand(p, node->in[k], step);
    return rg_emit_in(to, node->op, node->attr, p->in, node->n_in);
}

static void copy_nodes(struct copying *p)
{
    rg_check *c = p->c;
    for (uint32_t id = 1; id <= c->loss.id && !p->to->g->status; id++) {
        uint32_t t = p->split ? c->tensor_of[id] : 0;
        if (!c->needed[id])
            continue;
        if (t && is_leaf(rg_node_at(c->g, id))) {
            split_tensor(p, &c->tensor[t - 1], RG_NONE);
            continue;
        }
        rg_val v = copy_node(p, id);
        p->to->of[id] = v.id;
        if (t && v.id)
            split_tensor(p, &c->tensor[t - 1], v);
    }
    p->to->g->in_scope = p->to->g->origin = 0;
    for (size_t i = 0; i < c->n_tensor && !p->to->g->status; i++) { /* not reached by the loss */
        rg_check_tensor *t = &c->tensor[i];
        if (!c->needed[t->id] && p->split)
            split_tensor(p, t, RG_NONE);
        else if (!c->needed[t->id])
            p->to->of[t->id] = leaf(p, t->name, t->id, t->base).id;
    }
}

static rg_status copy(rg_check *c, rg_check_copy *to, bool split)
{
    const rg_graph *g = c->g;
    const rg_graph_opts opts = { .alloc = g->alloc };
    uint32_t most = 0;
    size_t leaves = 2 * c->n_block + c->n_tensor; /* twice: second order has directions */
    for (uint32_t id = 1; id < g->n_node; id++) {
        const rg_node *node = rg_node_at(g, id);
        most = node->n_in > most ? node->n_in : most;
        leaves += is_leaf(node) || detaches(c, node);
    }
    struct copying p = { .c = c, .to = to, .split = split };
    to->of = rg_arena_get(&c->arena, g->n_node * sizeof *to->of);
    to->bind = rg_arena_get(&c->arena, leaves * sizeof *to->bind);
    p.scope = rg_arena_get(&c->arena, g->n_scope * sizeof *p.scope);
    p.in = rg_arena_get(&c->arena, most * sizeof *p.in);
    if (!to->of || !to->bind || !p.scope || !p.in || rg_graph_create(&to->g, g->params, &opts))
        return rg_check_no_memory(c);
    rg_copy_scopes(p.scope, g, to->g);
    copy_nodes(&p);
    return to->g->status ? fail(c, to->g) : RG_OK;
}

rg_status rg_check_copy_whole(rg_check *c, rg_check_copy *to)
{
    return copy(c, to, false);
}

rg_status rg_check_copy_split(rg_check *c)
{
    rg_status st = copy(c, &c->split, true);
    if (st)
        return st;
    struct copying p = { .c = c, .to = &c->split, .split = true };
    c->first.value = operand(&p, c->loss.id, RG_NO_STEP);
    return RG_OK;
}
