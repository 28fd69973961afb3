/* plan/passes/rules_parts.c -- slices and concats: one normal form of parts and wholes. */
#include "plan/passes/rules.h"

#include <string.h>

uint32_t rg_make_slice(rg_builder *b, const rg_node *like, uint32_t x, int64_t axis, int64_t begin,
                       int64_t end)
{
    const rg_node *of = rg_built(b, x);
    if (of->op == &rg_op_slice && ((const rg_attr_slice *)of->attr)->axis == axis) {
        begin += ((const rg_attr_slice *)of->attr)->begin;
        end += ((const rg_attr_slice *)of->attr)->begin;
        x = of->in[0];
        of = rg_built(b, x);
    }
    if (begin == 0 && end == of->shape->dim[axis])
        return x;
    const rg_attr_slice attr = { axis, begin, end };
    const rg_shape shape = rg_shape_with(*of->shape, (int)axis, end - begin);
    const uint8_t kind = of->kind;
    rg_node n = rg_builder_like(b, like, &rg_op_slice, &attr, &shape, &x, 1);
    n.kind = kind;
    return b->failed ? 0 : rg_builder_plain(b, &n);
}

static uint32_t rewrite_slice(rg_builder *b, rg_node *n, uint32_t x, int64_t axis, int64_t begin,
                              int64_t end)
{
    return rg_rewrite(b, n, &rg_op_slice, &(rg_attr_slice){ axis, begin, end }, 1, x, 0, 0);
}

uint32_t rg_fold_slice_whole(rg_builder *b, rg_node *n)
{
    return rg_shape_equal(*rg_operand(b, n, 0)->shape, *n->shape) ? n->in[0] : 0;
}

uint32_t rg_fold_slice_slice(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_slice *at = n->attr, *first = x->attr;
    if (x->op != &rg_op_slice || first->axis != at->axis)
        return 0;
    return rewrite_slice(b, n, x->in[0], at->axis, first->begin + at->begin,
                         first->begin + at->end);
}

/* The part that holds element @p i: the last one that begins at or before it. */
static uint32_t part_at(const int64_t *offset, uint32_t n, int64_t i)
{
    uint32_t low = 0, high = n;
    while (high - low > 1) {
        const uint32_t mid = low + (high - low) / 2;
        if (offset[mid] <= i)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint32_t rg_fold_slice_concat(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_slice *at = n->attr;
    if (x->op != &rg_op_concat || ((const rg_attr_axis *)x->attr)->axis != at->axis ||
        at->begin == at->end)
        return 0;
    const int64_t *offset = rg_builder_offsets(b, n->in[0]);
    if (!offset)
        return 0;
    const uint32_t k = part_at(offset, x->n_in, at->begin);
    if (at->end > offset[k + 1])
        return 0;
    return rewrite_slice(b, n, x->in[k], at->axis, at->begin - offset[k], at->end - offset[k]);
}

/* Along any axis but that of the classes. */
uint32_t rg_fold_slice_one_hot(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_slice *at = n->attr;
    const void *classes = x->attr;
    if (x->op != &rg_op_one_hot || at->axis == x->shape->rank - 1)
        return 0;
    const uint32_t ids = rg_make_slice(b, n, x->in[0], at->axis, at->begin, at->end);
    return ids ? rg_rewrite(b, n, &rg_op_one_hot, classes, 1, ids, 0, 0) : 0;
}

/* ---- Concat --------------------------------------------------------------------------------- */

/* Value and part that an operand of a concat stands for. */
struct part {
    uint32_t id;          /* the operand itself */
    uint32_t whole;       /* what it is a slice of along the axis; 0 = of nothing */
    int64_t  begin, end;
    bool     number;
    double   c;
};

static struct part part_of(const rg_builder *b, uint32_t id, int axis)
{
    const rg_node *node = rg_built(b, id);
    struct part p = { .id = id, .end = node->shape->dim[axis] };
    if (node->op == &rg_op_slice && ((const rg_attr_slice *)node->attr)->axis == axis) {
        p.whole = node->in[0];
        p.begin = ((const rg_attr_slice *)node->attr)->begin;
        p.end = ((const rg_attr_slice *)node->attr)->end;
    }
    p.number = node->op == &rg_op_full && rg_node_is_number(node, &p.c);
    return p;
}

/* Does @p q continue @p p? Then p becomes both. */
static bool joins(struct part *p, const struct part *q)
{
    const bool slices = p->whole && p->whole == q->whole && p->end == q->begin;
    const bool numbers = p->number && q->number && memcmp(&p->c, &q->c, sizeof p->c) == 0;
    if (slices)
        p->end = q->end;
    else if (numbers)
        p->end += q->end - q->begin;
    if (slices || numbers)
        p->id = 0; /* no node of its own yet */
    return slices || numbers;
}

static uint32_t make_part(rg_builder *b, const rg_node *n, const struct part *p, int axis)
{
    if (p->id)
        return p->id;
    if (p->whole)
        return rg_make_slice(b, n, p->whole, axis, p->begin, p->end);
    rg_attr_full attr;
    const rg_shape shape = rg_shape_with(*n->shape, axis, p->end - p->begin);
    memset(&attr, 0, sizeof attr);
    attr.sig.shape = shape;
    attr.value = p->c;
    rg_node number = rg_builder_like(b, n, &rg_op_full, &attr, &shape, NULL, 0);
    return b->failed ? 0 : rg_builder_plain(b, &number);
}

/* Is there anything to do? Most concats are in normal form already. */
static bool concat_is_normal(const rg_builder *b, const rg_node *n, int axis)
{
    struct part last = part_of(b, n->in[0], axis);
    if (n->n_in == 1)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const struct part p = part_of(b, n->in[k], axis);
        if (p.end == p.begin || (k > 0 && joins(&last, &p)))
            return false;
        last = p;
    }
    return true;
}

uint32_t rg_fold_concat(rg_builder *b, rg_node *n)
{
    const int axis = ((const rg_attr_axis *)n->attr)->axis;
    uint32_t used = 0;
    b->p->visits += n->n_in;
    if (concat_is_normal(b, n, axis))
        return 0;
    uint32_t *in = rg_arena_get(&b->p->arena, n->n_in * sizeof *in);
    if (!in) {
        b->failed = true;
        return 0;
    }
    for (uint32_t k = 0; k < n->n_in && !b->failed;) {
        struct part p = part_of(b, n->in[k++], axis);
        while (k < n->n_in) {
            const struct part q = part_of(b, n->in[k], axis);
            if (q.begin != q.end && !joins(&p, &q))
                break;
            k++;
        }
        if (p.begin != p.end)
            in[used++] = make_part(b, n, &p, axis);
    }
    if (b->failed || used == 0)
        return 0;
    n->in = in;
    n->n_in = used;
    return used == 1 ? in[0] : RG_AGAIN;
}
