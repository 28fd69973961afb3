/* plan/passes/accumulate.c -- a product added to something becomes a product on top of it.
 *
 * Needs    batch before it: only then is the projection a slice of one product.
 * Leaves   matmul_add(a, b, c) where add(a·b, c) was, or where G additions of matching column
 *          slices of one packed product and of one base were. Whether c's memory can be the
 *          result's is for placement to say.
 * Law      exact: the product is rounded before it is added.
 *
 * A base never accumulates itself, or h·W and ctx·C would each want the other's memory. */
#include "plan/passes/passes.h"
#include "plan/passes/products.h"
#include "plan/made.h"

struct merge {
    uint32_t product, base;
    int64_t  shift;            /* first column of the base that the product covers */
    bool     whole;            /* the base as it is, and one addition */
};

struct accumulate {
    rg_prog      *p;
    rg_uses       uses;
    uint32_t     *merge_of;    /* by addition: its merge, 0 = none */
    uint8_t      *gone, *base; /* by node */
    struct merge *merge;       /* [0] unused */
    size_t        n, cap;
};

static uint32_t only_user(const struct accumulate *s, uint32_t id)
{
    return s->uses.user[s->uses.first[id]];
}

/* What else an addition adds; 0 if it adds @p id to itself, or is none. */
static uint32_t other_operand(const struct accumulate *s, uint32_t sum, uint32_t id)
{
    const rg_node *n = &s->p->node[sum];
    if (n->op != &rg_op_add || n->in[0] == n->in[1])
        return 0;
    return n->in[n->in[0] == id];
}

static uint32_t sliced(const struct accumulate *s, uint32_t id)
{
    return s->p->node[id].op == &rg_op_slice ? s->p->node[id].in[0] : id;
}

/* Values whose memory is not ours to add to. */
static bool is_fixed(const struct accumulate *s, uint32_t id)
{
    return rg_node_is_leaf(&s->p->node[id]);
}

static bool add_merge(struct accumulate *s, struct merge m)
{
    if (!s->n)
        s->n = 1;
    if (!rg_reserve(&s->p->alloc, &s->merge, &s->cap, s->n + 1, sizeof *s->merge))
        return false;
    s->merge[s->n++] = m;
    s->gone[m.product] = 1;
    s->base[m.base] = s->base[sliced(s, m.base)] = 1;
    return true;
}

/* add(product, y), each used here only. */
static bool try_whole(struct accumulate *s, uint32_t id)
{
    const uint32_t sum = only_user(s, id), y = other_operand(s, sum, id);
    if (!y || s->merge_of[sum] || !rg_shape_equal(*s->p->node[y].shape, *s->p->node[id].shape) ||
        !rg_used_once(&s->uses, y) || s->gone[y] || s->gone[sliced(s, y)] ||
        is_fixed(s, sliced(s, y)))
        return true;
    if (!add_merge(s, (struct merge){ .product = id, .base = y, .whole = true }))
        return false;
    s->merge_of[sum] = (uint32_t)s->n - 1;
    return true;
}

/* One column slice of the product, added to a column slice of the base: the base, or 0. */
static uint32_t base_of_slice(const struct accumulate *s, uint32_t slice, int64_t *shift)
{
    const rg_node *n = &s->p->node[slice];
    const rg_attr_slice *at = n->attr;
    if (n->op != &rg_op_slice || at->axis != 1 || !rg_used_once(&s->uses, slice))
        return 0;
    const uint32_t sum = only_user(s, slice), y = other_operand(s, sum, slice);
    const rg_node *other = &s->p->node[y];
    if (!y || s->merge_of[sum] || other->op != &rg_op_slice || !rg_used_once(&s->uses, y) ||
        ((const rg_attr_slice *)other->attr)->axis != 1 ||
        !rg_shape_equal(*other->shape, *n->shape))
        return 0;
    *shift = ((const rg_attr_slice *)other->attr)->begin - at->begin;
    return other->in[0];
}

/* Has the base all rows of the product, and all columns? Slices that overlap, or are there twice,
 * may be as wide as the product together and yet lie at the base's edge. */
static bool covers(const struct accumulate *s, uint32_t base, int64_t shift, uint32_t id)
{
    const rg_shape *b = s->p->node[base].shape, *product = s->p->node[id].shape;
    return b->dim[0] == product->dim[0] && shift >= 0 && shift + product->dim[1] <= b->dim[1];
}

/* Every use of the product is a column slice added to the matching slice of one base. */
static bool try_slices(struct accumulate *s, uint32_t id)
{
    const uint32_t *user = s->uses.user + s->uses.first[id], n = rg_use_count(&s->uses, id);
    int64_t width = 0, shift = 0;
    uint32_t base = 0;
    for (uint32_t k = 0; k < n; k++) {
        int64_t own = 0;
        const uint32_t b = base_of_slice(s, user[k], &own);
        if (!b || (k && (b != base || own != shift)))
            return true;
        base = b;
        shift = own;
        width += s->p->node[user[k]].shape->dim[1];
    }
    if (!base || width != s->p->node[id].shape->dim[1] || !covers(s, base, shift, id) ||
        s->gone[base] || s->gone[sliced(s, base)] || is_fixed(s, sliced(s, base)))
        return true;
    if (!add_merge(s, (struct merge){ .product = id, .base = base, .shift = shift }))
        return false;
    for (uint32_t k = 0; k < n; k++)
        s->merge_of[only_user(s, user[k])] = (uint32_t)s->n - 1;
    return true;
}

static bool find(struct accumulate *s)
{
    bool ok = true;
    for (uint32_t id = 1; id < s->p->n_node && ok; id++) {
        if (!rg_is_product(&s->p->node[id]) || s->uses.root[id] || s->base[id])
            continue;
        s->p->visits += 1 + rg_use_count(&s->uses, id);
        ok = rg_use_count(&s->uses, id) == 1 && s->p->node[only_user(s, id)].op == &rg_op_add
                 ? try_whole(s, id) : try_slices(s, id);
    }
    return ok;
}

/* ---- Rebuilding ------------------------------------------------------------------------------ */

/* The merged product, made at its first addition: by then base and factors exist. */
static uint32_t make_product(const struct merge *m, rg_builder *b)
{
    const rg_node like = b->old[m->product];
    uint32_t c = b->map[m->base];
    if (!m->whole)
        c = rg_make_part(b, &like, c, 1, m->shift, m->shift + like.shape->dim[1]);
    const uint32_t in[3] = { b->map[like.in[0]], b->map[like.in[1]], c };
    return rg_make(b, &like, &rg_op_matmul_add, like.attr, in, 3);
}

static uint32_t rebuild_sum(const struct accumulate *s, rg_builder *b, uint32_t id, uint32_t *made)
{
    const struct merge *m = &s->merge[s->merge_of[id]];
    const rg_node like = b->old[id];
    if (!*made)
        *made = make_product(m, b);
    for (int k = 0; k < 2 && !m->whole && !b->failed; k++) {
        const rg_node *part = &b->old[like.in[k]];
        if (part->op == &rg_op_slice && part->in[0] == m->product) {
            const rg_attr_slice *at = part->attr;
            return rg_make_part(b, &like, *made, 1, at->begin, at->end);
        }
    }
    return *made;
}

static rg_status rebuild(struct accumulate *s, rg_err *err)
{
    rg_builder b;
    uint32_t *made = rg_get(&s->p->alloc, s->n * sizeof *made);
    const size_t n = s->n;
    rg_status st = made ? rg_builder_begin(&b, s->p, err)
                        : rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (uint32_t id = 1; !st && id < b.n_old && !b.failed; id++)
        if (s->merge_of[id])
            b.map[id] = rebuild_sum(s, &b, id, &made[s->merge_of[id]]);
        else
            b.map[id] = rg_builder_copy(&b, id);
    if (!st)
        st = rg_builder_end(&b);
    rg_release(&s->p->alloc, made, n * sizeof *made);
    return st;
}

rg_status rg_pass_accumulate(rg_prog *p, rg_err *err)
{
    struct accumulate s = { .p = p };
    const size_t n = p->n_node;
    rg_status st = rg_uses_make(&s.uses, p, err);
    s.merge_of = rg_get(&p->alloc, n * sizeof *s.merge_of);
    s.gone = rg_get(&p->alloc, n);
    s.base = rg_get(&p->alloc, n);
    if (!st && (!s.merge_of || !s.gone || !s.base || !find(&s)))
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    if (!st && s.n)
        st = rebuild(&s, err);
    rg_release(&p->alloc, s.merge_of, n * sizeof *s.merge_of);
    rg_release(&p->alloc, s.gone, n);
    rg_release(&p->alloc, s.base, n);
    rg_release(&p->alloc, s.merge, s.cap * sizeof *s.merge);
    rg_uses_free(&s.uses, p);
    return st;
}
