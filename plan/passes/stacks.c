/* plan/passes/stacks.c -- one order per set of values.
 *
 * Merges along K and M may choose any order, so all must choose the same one: then every stack is a
 * window of one slab and costs no copy. */
#include "plan/passes/products.h"

#include <string.h>

static uint64_t part_key(int axis, uint32_t part)
{
    return rg_hash_mix(rg_hash_mix(17, (uint64_t)axis), part);
}

/* Independent of the order of the parts. */
static uint64_t set_key(int axis, const uint32_t *part, uint32_t n)
{
    uint64_t h = rg_hash_mix(rg_hash_mix(23, (uint64_t)axis), n);
    for (uint32_t k = 0; k < n; k++)
        h += rg_hash_mix(29, part[k]);
    return h;
}

/* The first stack along the axis that holds the part; 0 = none. */
static uint32_t first_with(const rg_stacks *s, uint32_t part, int axis)
{
    uint32_t at;
    for (size_t probe = 0; (at = rg_index_next(&s->by_part, part_key(axis, part), &probe));)
        if (s->stack[at].axis == axis)
            return at;
    return 0;
}

void rg_stacks_add(rg_stacks *s, rg_prog *p, const uint32_t *part, uint32_t n, int axis)
{
    uint32_t at = (uint32_t)s->n_stack;
    if (s->failed || !rg_reserve(&p->alloc, &s->stack, &s->cap, s->n_stack + 1, sizeof *s->stack) ||
        !rg_index_put(&s->by_set, &p->alloc, set_key(axis, part, n), at)) {
        s->failed = true;
        return;
    }
    s->stack[at] = (rg_stacked_parts){ part, n, axis };
    s->n_stack++;
    p->visits += n;
    for (uint32_t k = 0; k < n && !s->failed; k++)
        if (!first_with(s, part[k], axis)) /* one entry a part: a zero state is in many stacks */
            s->failed = !rg_index_put(&s->by_part, &p->alloc, part_key(axis, part[k]), at);
}

/* Does no part come twice? One that does (weights tied between gates) has no place in an order. */
static bool distinct(rg_stacks *s, rg_prog *p, const uint32_t *part, uint32_t n)
{
    uint32_t k = 0;
    for (; k < n; k++) {
        if (!rg_reserve(&p->alloc, &s->mark, &s->mark_cap, (size_t)part[k] + 1, sizeof *s->mark)) {
            s->failed = true;
            break;
        }
        if (s->mark[part[k]])
            break;
        s->mark[part[k]] = 1;
    }
    for (uint32_t i = 0; i < k; i++)
        s->mark[part[i]] = 0;
    p->visits += n;
    return k == n;
}

void rg_stacks_look(rg_stacks *s, rg_prog *p, const rg_node *node, uint32_t n)
{
    s->node = node;
    if (!s->n_stack)
        s->n_stack = s->seen = 1;
    for (; s->seen < n; s->seen++)
        if (node[s->seen].op == &rg_op_concat &&
            distinct(s, p, node[s->seen].in, node[s->seen].n_in))
            rg_stacks_add(s, p, node[s->seen].in, node[s->seen].n_in,
                          ((const rg_attr_axis *)node[s->seen].attr)->axis);
}

void rg_stacks_free(rg_stacks *s, const rg_prog *p)
{
    rg_release(&p->alloc, s->stack, s->cap * sizeof *s->stack);
    rg_release(&p->alloc, s->mark, s->mark_cap * sizeof *s->mark);
    rg_index_free(&s->by_set, &p->alloc);
    rg_index_free(&s->by_part, &p->alloc);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* The slice that a value is, also behind a reshape; NULL if it is none. */
static const rg_node *slice_of(const rg_stacks *s, uint32_t id)
{
    const rg_node *n = &s->node[id];
    if (n->op == &rg_op_reshape)
        n = &s->node[n->in[0]];
    return n->op == &rg_op_slice ? n : NULL;
}

/* Slices of one value along one axis, in its own order. */
static bool order_slices(const rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n)
{
    const rg_node *first = slice_of(s, part[0]);
    if (!first)
        return false;
    const int64_t axis = ((const rg_attr_slice *)first->attr)->axis;
    for (uint32_t k = 1; k < n; k++) {
        const rg_node *one = slice_of(s, part[k]);
        if (!one || one->in[0] != first->in[0] || ((const rg_attr_slice *)one->attr)->axis != axis)
            return false;
    }
    uint64_t *key = rg_get(&p->alloc, n * sizeof *key);
    if (!key)
        return false;
    for (uint32_t k = 0; k < n; k++)
        key[k] = (uint64_t)((const rg_attr_slice *)slice_of(s, part[k])->attr)->begin;
    rg_sort_by(part, key, n);
    rg_release(&p->alloc, key, n * sizeof *key);
    return true;
}

/* Set or clear the marks of the parts; false without memory. */
static bool mark_parts(rg_stacks *s, rg_prog *p, const uint32_t *part, uint32_t n, bool set)
{
    for (uint32_t k = 0; k < n; k++) {
        if (!rg_reserve(&p->alloc, &s->mark, &s->mark_cap, (size_t)part[k] + 1, sizeof *s->mark)) {
            s->failed = true;
            return false;
        }
        s->mark[part[k]] = set ? k + 1 : 0;
    }
    return true;
}

static bool marked(const rg_stacks *s, uint32_t id)
{
    return id < s->mark_cap && s->mark[id];
}

static const rg_stacked_parts *same_set(const rg_stacks *s, const uint32_t *part, uint32_t n,
                                        int axis)
{
    uint32_t at;
    const uint64_t h = set_key(axis, part, n);
    for (size_t probe = 0; (at = rg_index_next(&s->by_set, h, &probe));) {
        const rg_stacked_parts *known = &s->stack[at];
        uint32_t k = 0;
        while (known->n == n && known->axis == axis && k < n && marked(s, known->part[k]))
            k++;
        if (k == n)
            return known;
    }
    return NULL;
}

/* A stack that shares its beginning or its end with the set: the shared members keep their order,
 * the new ones go to the other side. */
static bool order_beside(const rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n, int axis)
{
    uint32_t at = 0, head = 0, tail = 0, fresh = 0;
    for (uint32_t k = 0; k < n && !at; k++)
        at = first_with(s, part[k], axis);
    if (!at)
        return false;
    const rg_stacked_parts *known = &s->stack[at];
    while (head < known->n && marked(s, known->part[head]))
        head++;
    while (tail < known->n && marked(s, known->part[known->n - 1 - tail]))
        tail++;
    uint32_t common = 0;
    for (uint32_t k = 0; k < known->n; k++)
        common += marked(s, known->part[k]);
    p->visits += known->n;
    if (common < 2 || (common != head && common != tail))
        return false;
    uint32_t *sorted = rg_get(&p->alloc, n * sizeof *sorted);
    if (!sorted)
        return false;
    const uint32_t *shared = common == head ? known->part : known->part + known->n - tail;
    for (uint32_t k = 0; k < common; k++)
        s->mark[shared[k]] = 0;
    for (uint32_t k = 0; k < n; k++)
        if (s->mark[part[k]])
            sorted[(common == head ? 0 : common) + fresh++] = part[k];
    memcpy(sorted + (common == head ? fresh : 0), shared, common * sizeof *sorted);
    memcpy(part, sorted, n * sizeof *part);
    rg_release(&p->alloc, sorted, n * sizeof *sorted);
    return true;
}

static rg_order order_here(rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n, int axis)
{
    rg_order found = RG_ORDER_FREE;
    if (!mark_parts(s, p, part, n, true))
        return found;
    const rg_stacked_parts *known = same_set(s, part, n, axis);
    if (known) {
        mark_parts(s, p, part, n, false);
        memcpy(part, known->part, n * sizeof *part);
        return RG_ORDER_KNOWN;
    }
    if (order_beside(s, p, part, n, axis))
        found = RG_ORDER_BESIDE;
    mark_parts(s, p, part, n, false);
    return found;
}

/* Columns of stacks follow the order of the stacks' first members, or of their last ones. */
static rg_order order_members(rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n, int axis)
{
    rg_order found = RG_ORDER_FREE;
    uint32_t *member = rg_get(&p->alloc, 2 * n * sizeof *member), *old = member + n;
    for (int side = 0; member && side < 2 && !found; side++) {
        bool distinct = true;
        for (uint32_t k = 0; k < n; k++) {
            const rg_node *c = &s->node[part[k]];
            member[k] = c->in[side ? c->n_in - 1 : 0];
        }
        if (!mark_parts(s, p, member, n, true))
            break;
        for (uint32_t k = 0; k < n; k++)
            distinct &= s->mark[member[k]] == k + 1;
        mark_parts(s, p, member, n, false);
        if (!distinct)
            continue;
        memcpy(old, member, n * sizeof *old);
        found = order_slices(s, p, member, n) ? RG_ORDER_FIXED : order_here(s, p, member, n, axis);
        if (found && mark_parts(s, p, old, n, true)) {
            for (uint32_t k = 0; k < n; k++)
                member[k] = part[s->mark[member[k]] - 1];
            mark_parts(s, p, old, n, false);
            memcpy(part, member, n * sizeof *part);
        }
    }
    rg_release(&p->alloc, member, 2 * n * sizeof *member);
    return found;
}

rg_order rg_stacks_order(rg_stacks *s, rg_prog *p, uint32_t *part, uint32_t n, int axis)
{
    bool stacks = axis > 0;
    if (s->failed || n < 2 || !distinct(s, p, part, n))
        return RG_ORDER_FREE;
    if (order_slices(s, p, part, n))
        return RG_ORDER_FIXED;
    for (uint32_t k = 0; k < n && stacks; k++)
        stacks = s->node[part[k]].op == &rg_op_concat &&
                 ((const rg_attr_axis *)s->node[part[k]].attr)->axis < axis;
    const rg_order found = order_here(s, p, part, n, axis);
    return found == RG_ORDER_KNOWN || !stacks ? found : order_members(s, p, part, n, axis);
}

uint32_t rg_stacks_map(rg_stacks *old, rg_stacks *made, rg_builder *b, uint32_t *part, uint32_t n,
                       int axis)
{
    const rg_order found = rg_stacks_order(old, b->p, part, n, axis);
    uint32_t kept = 0;
    rg_stacks_look(made, b->p, b->p->node, b->p->n_node);
    b->failed |= old->failed || made->failed;
    for (uint32_t k = 0; k < n && !b->failed; k++) {
        const uint32_t id = b->map[part[k]];
        if (!rg_reserve(&b->p->alloc, &made->mark, &made->mark_cap, (size_t)id + 1,
                        sizeof *made->mark))
            b->failed = true;
        else if (!made->mark[id]++)
            part[kept++] = id;
    }
    for (uint32_t k = 0; k < kept && !b->failed; k++)
        made->mark[part[k]] = 0;
    if (found == RG_ORDER_FREE && !b->failed)
        (void)rg_stacks_order(made, b->p, part, kept, axis);
    return kept;
}
