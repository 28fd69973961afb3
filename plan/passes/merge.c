/* plan/passes/merge.c -- sets of nodes become one node each, in an order without circles. */
#include "plan/passes/merge.h"

/* Where each operand begins in the stack; false without memory. */
static bool place_parts(rg_merge *m, const rg_builder *b, const uint32_t *part, uint32_t n,
                        int axis)
{
    int64_t at = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!rg_reserve(&m->p->alloc, &m->place, &m->place_cap, (size_t)part[k] + 1,
                        sizeof *m->place))
            return false;
        m->place[part[k]] = at;
        at += rg_built(b, part[k])->shape->dim[axis];
    }
    return true;
}

/* One node over the stack of the distinct operands. */
static uint32_t merged(rg_merge *m, rg_builder *b, const rg_node *like, uint32_t *member,
                       uint32_t n)
{
    const uint32_t side = m->side(like);
    const int axis = m->axis(like);
    uint32_t in[2] = { 0, 0 }, *part = rg_arena_get(&m->p->arena, n * sizeof *part);
    uint32_t kept = part ? m->operands(m, b, member, n, part) : 0;
    if (kept)
        kept = rg_stacks_map(&m->old, &m->made, b, part, kept, axis);
    if (!kept || b->failed || !place_parts(m, b, part, kept, axis)) {
        b->failed = true;
        return 0;
    }
    const uint32_t stack = rg_make_concat(b, like, part, kept, axis);
    for (uint32_t k = 0; k < like->n_in; k++)
        in[k] = k == side ? stack : b->map[like->in[k]];
    return rg_make(b, like, like->op, like->attr, in, like->n_in);
}

static void merge(rg_merge *m, rg_builder *b, uint32_t *member, uint32_t n)
{
    const rg_node like = b->old[member[0]];
    const uint32_t side = m->side(&like), whole = merged(m, b, &like, member, n);
    const int axis = m->axis(&like);
    for (uint32_t k = 0; k < n && !b->failed; k++) {
        const uint32_t x = b->map[b->old[member[k]].in[side]];
        const int64_t at = m->place[x];
        b->map[member[k]] = rg_make_part(b, &b->old[member[k]], whole, m->grows(&like), at,
                                         at + rg_built(b, x)->shape->dim[axis]);
    }
}

static rg_status rebuild(rg_merge *m, const rg_contraction *order, rg_err *err)
{
    rg_builder b;
    rg_status st;
    rg_stacks_look(&m->old, m->p, m->p->node, m->p->n_node);
    if ((st = rg_builder_begin(&b, m->p, err)))
        return st;
    for (uint32_t k = 0; k < order->n_item && !b.failed; k++) {
        uint32_t *member = order->node + order->first[k];
        const uint32_t n = order->first[k + 1] - order->first[k];
        if (n > 1)
            merge(m, &b, member, n);
        else
            b.map[member[0]] = rg_builder_copy(&b, member[0]);
    }
    return rg_builder_end(&b);
}

rg_status rg_merge_sets(rg_merge *m, rg_err *err)
{
    rg_contraction order;
    rg_status st = rg_contract(&order, m->p, &m->uses, m->set_of, m->n_set, err);
    if (!st)
        st = rebuild(m, &order, err);
    rg_contraction_free(&order, m->p);
    return st;
}

void rg_merge_free(rg_merge *m, size_t n_node)
{
    rg_release(&m->p->alloc, m->set_of, n_node * sizeof *m->set_of);
    rg_release(&m->p->alloc, m->place, m->place_cap * sizeof *m->place);
    rg_stacks_free(&m->old, m->p);
    rg_stacks_free(&m->made, m->p);
    rg_uses_free(&m->uses, m->p);
}
