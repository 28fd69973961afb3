/* plan/passes/batch.c -- products with one right operand become one over stacked rows.
 *
 * Needs    pack before it (better at irregular ends; fewer groups).
 * Leaves   inputs hoisted over time, dX of all steps, stacked layers, both directions, look-ups in
 *          one
 *          table: whatever has one right operand and equal depth in its group, as one product.
 * Law      the same sums in the same order of k; exact with kernels whose rows do not depend on the
 *          number of rows.
 *
 * If u feeds v inside a group then v is deeper, so members of equal depth are independent. */
#include "plan/passes/passes.h"
#include "plan/passes/products.h"

struct batch {
    rg_prog       *p;
    rg_uses        uses;
    rg_groups      groups;
    rg_buckets     sets;
    uint32_t      *set_of;
    rg_contraction order;
    rg_stacks      old, made;
    int64_t       *place;      /* by new id of a left operand: its first row in the stack at hand */
    size_t         place_cap;
};

/* The operand whose rows are stacked. */
static uint32_t stacked_side(const rg_node *n)
{
    return n->op == &rg_op_gather;
}

static bool find_sets(struct batch *s)
{
    const size_t n = s->p->n_node;
    if (!(s->set_of = rg_get(&s->p->alloc, n * sizeof *s->set_of)))
        return false;
    for (uint32_t id = 1; id < n; id++) {
        const uint32_t group = s->groups.of[id];
        const rg_key key = { { group, s->groups.depth[id] } };
        if (group && s->groups.group[group].members > 1 &&
            !rg_bucket_put(&s->sets, &s->p->alloc, &key, id))
            return false;
    }
    for (uint32_t k = 1; k < s->sets.n; k++)
        for (uint32_t id = s->sets.bucket[k].n > 1 ? s->sets.bucket[k].first : 0; id;
             id = s->sets.next[id])
            s->set_of[id] = k;
    return true;
}

/* The distinct left operands, oldest first, then in the best order, as new ids. */
static uint32_t left_operands(struct batch *s, rg_builder *b, const uint32_t *member, uint32_t n,
                              uint32_t *part)
{
    const uint32_t side = stacked_side(&b->old[member[0]]);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < n; k++)
        part[k] = b->old[member[k]].in[side];
    rg_sort_ids(part, n);
    for (uint32_t k = 0; k < n; k++)
        if (!k || part[k] != part[k - 1])
            part[kept++] = part[k];
    return rg_stacks_map(&s->old, &s->made, b, part, kept, 0);
}

/* Where each left operand's rows begin; false without memory. */
static bool place_rows(struct batch *s, rg_builder *b, const uint32_t *part, uint32_t n)
{
    int64_t row = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!rg_reserve(&s->p->alloc, &s->place, &s->place_cap, (size_t)part[k] + 1,
                        sizeof *s->place))
            return false;
        s->place[part[k]] = row;
        row += rg_built(b, part[k])->shape->dim[0];
    }
    return true;
}

static void merge(struct batch *s, rg_builder *b, const uint32_t *member, uint32_t n)
{
    const rg_node like = b->old[member[0]];
    const uint32_t side = stacked_side(&like);
    uint32_t *part = rg_arena_get(&s->p->arena, n * sizeof *part);
    const uint32_t kept = part ? left_operands(s, b, member, n, part) : 0;
    if (!part || b->failed || !place_rows(s, b, part, kept)) {
        b->failed = true;
        return;
    }
    const uint32_t stack = rg_make_concat(b, &like, part, kept, 0);
    const uint32_t right = b->map[like.in[1 - side]];
    const uint32_t in[2] = { side ? right : stack, side ? stack : right };
    const uint32_t whole = rg_make(b, &like, like.op, like.attr, in, 2);
    for (uint32_t k = 0; k < n && !b->failed; k++) {
        const uint32_t x = b->map[b->old[member[k]].in[side]];
        const int64_t row = s->place[x];
        b->map[member[k]] = rg_make_part(b, &b->old[member[k]], whole, 0, row,
                                         row + rg_built(b, x)->shape->dim[0]);
    }
}

static rg_status rebuild(struct batch *s, rg_err *err)
{
    rg_builder b;
    rg_status st;
    rg_stacks_look(&s->old, s->p, s->p->node, s->p->n_node);
    if ((st = rg_builder_begin(&b, s->p, err)))
        return st;
    for (uint32_t k = 0; k < s->order.n_item && !b.failed; k++) {
        const uint32_t *member = s->order.node + s->order.first[k];
        const uint32_t n = s->order.first[k + 1] - s->order.first[k];
        if (n > 1)
            merge(s, &b, member, n);
        else
            b.map[member[0]] = rg_builder_copy(&b, member[0]);
    }
    return rg_builder_end(&b);
}

rg_status rg_pass_batch(rg_prog *p, rg_err *err)
{
    struct batch s = { .p = p };
    const size_t n = p->n_node;
    rg_status st;
    if (!(st = rg_uses_make(&s.uses, p, err)) && !(st = rg_groups_make(&s.groups, p, err))) {
        if (!find_sets(&s))
            st = rg_fail(err, RG_ENOMEM, "plan: no memory");
        else if (s.sets.n && !(st = rg_contract(&s.order, p, &s.uses, s.set_of,
                                                (uint32_t)s.sets.n, err)))
            st = rebuild(&s, err);
    }
    rg_release(&p->alloc, s.set_of, n * sizeof *s.set_of);
    rg_release(&p->alloc, s.place, s.place_cap * sizeof *s.place);
    rg_stacks_free(&s.old, p);
    rg_stacks_free(&s.made, p);
    rg_contraction_free(&s.order, p);
    rg_buckets_free(&s.sets, &p->alloc);
    rg_groups_free(&s.groups, p);
    rg_uses_free(&s.uses, p);
    return st;
}
