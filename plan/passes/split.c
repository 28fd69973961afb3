/* plan/passes/split.c -- [x|h]·W = x·W_x + h·W_h, where x does not depend on W's own products.
 *
 * Needs    fold; join after it, which finds the sums it makes.
 * Leaves   the independent part ready to be hoisted: cells written with one wide weight, decoders
 *          fed
 *          with [embedding; context]. Forward, dX and dW alike.
 * Law      equal up to the order of summation, which shapes fix.
 *
 * Only leading parts that are independent in every product of the weight are cut off, once a
 * weight. */
#include "plan/passes/passes.h"
#include "plan/passes/products.h"

enum { MOST = 64 };

struct split {
    rg_prog  *p;
    rg_groups groups;
    uint8_t  *bit;       /* by group: candidate number + 1 */
    uint64_t *mask;      /* by node: candidates that it depends on */
    int64_t  *cut;       /* by right operand: where its rows are cut; 0 = nowhere, -1 = not alike */
    int64_t  *cut_left;  /* by left operand of such a product */
    bool      any;
};

/* A recurrence whose members read a concat of columns. */
static bool is_candidate(const struct split *s, uint32_t id)
{
    const rg_node *n = &s->p->node[id], *left = rg_is_product(n) ? &s->p->node[n->in[0]] : NULL;
    return left && s->groups.of[id] && s->groups.group[s->groups.of[id]].deep &&
           !rg_flags_of(n)->transpose_b && left->op == &rg_op_concat &&
           ((const rg_attr_axis *)left->attr)->axis == 1;
}

static void find_masks(struct split *s)
{
    uint8_t used = 0;
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        const rg_node *n = &s->p->node[id];
        const uint32_t group = s->groups.of[id];
        if (is_candidate(s, id) && !s->bit[group] && used < MOST)
            s->bit[group] = ++used;
        for (uint32_t k = 0; k < n->n_in; k++)
            s->mask[id] |= s->mask[n->in[k]];
        if (group && s->bit[group])
            s->mask[id] |= UINT64_C(1) << (s->bit[group] - 1);
        s->p->visits += 1 + n->n_in;
    }
}

/* Columns of the leading parts that do not depend on the product's own group; 0 = none. */
static int64_t leading_columns(const struct split *s, uint32_t id)
{
    const rg_node *left = &s->p->node[s->p->node[id].in[0]];
    const uint64_t own = UINT64_C(1) << (s->bit[s->groups.of[id]] - 1);
    int64_t columns = 0;
    for (uint32_t k = 0; k < left->n_in; k++) {
        if (s->mask[left->in[k]] & own)
            return columns;
        columns += s->p->node[left->in[k]].shape->dim[1];
    }
    return 0; /* nothing depends on the group: the first step; it says nothing */
}

static void find_cuts(struct split *s)
{
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        const rg_node *n = &s->p->node[id];
        const uint32_t group = s->groups.of[id];
        if (!group || !s->bit[group] || n->op != &rg_op_matmul || rg_flags_of(n)->transpose_b)
            continue;
        const bool depends = s->mask[n->in[0]] >> (s->bit[group] - 1) & 1;
        const int64_t c = is_candidate(s, id) ? leading_columns(s, id) : 0;
        int64_t *cut = &s->cut[n->in[1]];
        if (c ? *cut && *cut != c : depends)
            *cut = -1;
        else if (c)
            *cut = c;
    }
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        const rg_node *n = &s->p->node[id];
        if (!rg_is_product(n) || rg_flags_of(n)->transpose_a || rg_flags_of(n)->transpose_b ||
            s->cut[n->in[1]] <= 0)
            continue;
        s->cut_left[n->in[0]] = s->cut[n->in[1]];
        s->any = true;
    }
}

/* ---- Rebuilding ------------------------------------------------------------------------------ */

/* Columns lo .. hi of a value: of a concat the parts, so that later passes see them, if both ends
 * lie between parts. */
static uint32_t columns(rg_builder *b, const rg_node *like, uint32_t x, int64_t lo, int64_t hi)
{
    const rg_node *n = rg_built(b, x);
    int64_t at = 0, whole = 0;
    uint32_t first = 0, count = 0;
    if (n->op == &rg_op_concat && ((const rg_attr_axis *)n->attr)->axis == 1)
        for (uint32_t k = 0; k < n->n_in; k++) {
            const int64_t width = rg_built(b, n->in[k])->shape->dim[1];
            if (at >= lo && at + width <= hi) {
                first = count++ ? first : k;
                whole += width;
            }
            at += width;
        }
    return whole < hi - lo ? rg_make_part(b, like, x, 1, lo, hi)
                           : rg_make_concat(b, like, n->in + first, count, 1);
}

static uint32_t product(rg_builder *b, const rg_node *like, uint32_t x, uint32_t y)
{
    const uint32_t in[2] = { x, y };
    return b->failed ? 0 : rg_make(b, like, &rg_op_matmul, like->attr, in, 2);
}

/* x·W + h·W, or for D·Wᵀ both column blocks beside each other. */
static uint32_t split_right(rg_builder *b, const rg_node *n, int64_t cut)
{
    const uint32_t W = b->map[n->in[1]], x = b->map[n->in[0]];
    const int64_t rows = rg_built(b, W)->shape->dim[0];
    const uint32_t w[2] = { rg_make_part(b, n, W, 0, 0, cut), rg_make_part(b, n, W, 0, cut, rows) };
    uint32_t y[2];
    if (b->failed)
        return 0;
    if (rg_flags_of(n)->transpose_b) {
        y[0] = product(b, n, x, w[0]);
        y[1] = product(b, n, x, w[1]);
        return rg_make_concat(b, n, y, 2, 1);
    }
    y[0] = product(b, n, columns(b, n, x, 0, cut), w[0]);
    y[1] = product(b, n, columns(b, n, x, cut, rows), w[1]);
    return b->failed ? 0 : rg_make(b, n, &rg_op_add, NULL, y, 2);
}

/* [x|h]ᵀ·D: the rows of both parts, one below the other. */
static uint32_t split_left(rg_builder *b, const rg_node *n, int64_t cut)
{
    const uint32_t x = b->map[n->in[0]], d = b->map[n->in[1]];
    const int64_t width = rg_built(b, x)->shape->dim[1];
    uint32_t y[2] = { product(b, n, columns(b, n, x, 0, cut), d),
                      product(b, n, columns(b, n, x, cut, width), d) };
    return b->failed ? 0 : rg_make_concat(b, n, y, 2, 0);
}

static rg_status rebuild(struct split *s, rg_err *err)
{
    rg_builder b;
    s->p->lift = true; /* sums over gates and time have to see products again */
    rg_status st = rg_builder_begin(&b, s->p, err);
    for (uint32_t id = 1; !st && id < b.n_old && !b.failed; id++) {
        const rg_node n = b.old[id];
        const bool flat = rg_is_product(&n);
        if (flat && !rg_flags_of(&n)->transpose_a && s->cut[n.in[1]] > 0)
            b.map[id] = split_right(&b, &n, s->cut[n.in[1]]);
        else if (flat && rg_flags_of(&n)->transpose_a && !rg_flags_of(&n)->transpose_b &&
                 s->cut_left[n.in[0]] > 0)
            b.map[id] = split_left(&b, &n, s->cut_left[n.in[0]]);
        else
            b.map[id] = rg_builder_copy(&b, id);
    }
    if (!st)
        st = rg_builder_end(&b);
    s->p->lift = false;
    return st;
}

/* Does any product read a concat of columns? Most programs have none. */
static bool may_split(const rg_prog *p)
{
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *n = &p->node[id], *left = rg_is_product(n) ? &p->node[n->in[0]] : NULL;
        if (left && left->op == &rg_op_concat && ((const rg_attr_axis *)left->attr)->axis == 1)
            return true;
    }
    return false;
}

rg_status rg_pass_split(rg_prog *p, rg_err *err)
{
    struct split s = { .p = p };
    const size_t n = p->n_node;
    if (!may_split(p))
        return RG_OK;
    rg_status st = rg_groups_make(&s.groups, p, err);
    s.bit = rg_get(&p->alloc, n);
    s.mask = rg_get(&p->alloc, n * sizeof *s.mask);
    s.cut = rg_get(&p->alloc, n * sizeof *s.cut);
    s.cut_left = rg_get(&p->alloc, n * sizeof *s.cut_left);
    if (!st && (!s.bit || !s.mask || !s.cut || !s.cut_left))
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    if (!st) {
        find_masks(&s);
        find_cuts(&s);
    }
    if (!st && s.any)
        st = rebuild(&s, err);
    rg_release(&p->alloc, s.bit, n);
    rg_release(&p->alloc, s.mask, n * sizeof *s.mask);
    rg_release(&p->alloc, s.cut, n * sizeof *s.cut);
    rg_release(&p->alloc, s.cut_left, n * sizeof *s.cut_left);
    rg_groups_free(&s.groups, p);
    return st;
}
