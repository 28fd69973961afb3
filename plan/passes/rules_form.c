/* plan/passes/rules_form.c -- shapes: reshape, broadcast, transpose, sums over nothing. */
#include "plan/passes/rules.h"

#include "plan/passes/fusible.h"

#include <string.h>

/* An attribute that holds a shape, with nothing in its holes. */
static rg_attr_shape shape_attr(const rg_shape *shape)
{
    rg_attr_shape attr;
    memset(&attr, 0, sizeof attr);
    attr.shape.rank = shape->rank;
    memcpy(attr.shape.dim, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
    return attr;
}

uint32_t rg_rewrite_reshape(rg_builder *b, rg_node *n, uint32_t id)
{
    const rg_attr_shape attr = shape_attr(n->shape);
    return rg_rewrite(b, n, &rg_op_reshape, &attr, 1, id, 0, 0);
}

uint32_t rg_make_reshape(rg_builder *b, const rg_node *like, uint32_t x, const rg_shape *shape)
{
    const rg_node *of = rg_built(b, x);
    if (rg_shape_equal(*of->shape, *shape))
        return x;
    if (of->op == &rg_op_reshape)
        x = of->in[0];
    if (rg_shape_equal(*rg_built(b, x)->shape, *shape))
        return x;
    const rg_attr_shape attr = shape_attr(shape);
    rg_node n = rg_builder_like(b, like, &rg_op_reshape, &attr, shape, &x, 1);
    n.kind = rg_built(b, x)->kind;
    return b->failed ? 0 : rg_builder_plain(b, &n);
}

uint32_t rg_fold_copy(rg_builder *b, rg_node *n)
{
    return rg_rewrite_value(b, n, n->in[0]);
}

uint32_t rg_fold_broadcast(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    if (rg_shape_equal(*x->shape, *n->shape))
        return n->in[0];
    return x->op == &rg_op_broadcast ? rg_rewrite_value(b, n, x->in[0]) : 0;
}

uint32_t rg_fold_form_of_number(rg_builder *b, rg_node *n)
{
    double c;
    return rg_operand_number(b, n, 0, &c) ? rg_rewrite_number(b, n, c) : 0;
}

uint32_t rg_fold_reshape(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    if (rg_shape_equal(*x->shape, *n->shape))
        return n->in[0];
    return x->op == &rg_op_reshape ? rg_rewrite_reshape(b, n, x->in[0]) : 0;
}

/* The classes stay the last axis. */
uint32_t rg_fold_reshape_one_hot(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const void *classes = x->attr;
    if (x->op != &rg_op_one_hot || n->shape->rank == 0 ||
        n->shape->dim[n->shape->rank - 1] != x->shape->dim[x->shape->rank - 1])
        return 0;
    const rg_shape ids = rg_shape_drop(*n->shape, n->shape->rank - 1);
    const uint32_t of = rg_make_reshape(b, n, x->in[0], &ids);
    return of ? rg_rewrite(b, n, &rg_op_one_hot, classes, 1, of, 0, 0) : 0;
}

/* The axis stays, so that elementwise nodes can read the sum as it is: fuse.c. */
uint32_t rg_fold_reshape_sum(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    if (x->op != &rg_op_sum_over)
        return 0;
    const rg_shape *of = rg_built(b, x->in[0])->shape;
    const rg_attr_axis kept = { ((const rg_attr_axis *)x->attr)->axis, true };
    const rg_shape shape = rg_shape_with(*of, kept.axis, 1);
    if (kept.axis != of->rank - 1 || !rg_shape_equal(shape, *n->shape))
        return 0;
    return rg_rewrite(b, n, &rg_op_sum_over, &kept, 1, x->in[0], 0, 0);
}

/* Does this order of axes leave every element where it is? Extents of 1 do not count. */
static bool keeps_order(const int32_t *axis, const rg_shape *from)
{
    int32_t before = -1;
    for (int i = 0; i < from->rank; i++) {
        if (from->dim[axis[i]] == 1)
            continue;
        if (axis[i] < before)
            return false;
        before = axis[i];
    }
    return true;
}

uint32_t rg_fold_transpose(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_axes *at = n->attr;
    if (keeps_order(at->axis, x->shape))
        return rg_rewrite_reshape(b, n, n->in[0]);
    if (x->op != &rg_op_transpose)
        return 0;
    const rg_attr_axes *first = x->attr;
    rg_attr_axes both = { { 0 } };
    for (int i = 0; i < n->shape->rank; i++)
        both.axis[i] = first->axis[at->axis[i]];
    return rg_rewrite(b, n, &rg_op_transpose, &both, 1, x->in[0], 0, 0);
}

uint32_t rg_fold_sum_one(rg_builder *b, rg_node *n)
{
    const int axis = ((const rg_attr_axis *)n->attr)->axis;
    return rg_operand(b, n, 0)->shape->dim[axis] == 1 ? rg_rewrite_reshape(b, n, n->in[0]) : 0;
}

uint32_t rg_fold_sum_zero(rg_builder *b, rg_node *n)
{
    double c;
    return rg_operand_number(b, n, 0, &c) && c == 0 ? rg_rewrite_number(b, n, 0) : 0;
}

/* Of rows only, whose sums are read as they are: `reduce` looks for sums, not for negatives. */
uint32_t rg_fold_sum_neg(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_axis *at = n->attr;
    if (x->op != &rg_op_neg || !at->keep || at->axis != x->shape->rank - 1)
        return 0;
    const uint32_t of = x->in[0];
    const rg_node sum = rg_builder_like(b, n, n->op, n->attr, n->shape, &of, 1);
    const uint32_t id = b->failed ? 0 : rg_builder_add(b, &sum);
    return id ? rg_rewrite(b, n, &rg_op_neg, NULL, 1, id, 0, 0) : 0;
}

/* Of all elements of what is computed element by element: first of rows, so that a tile program
 * adds them up as it goes and nothing of that size is ever kept. */
uint32_t rg_fold_sum_all(rg_builder *b, rg_node *n)
{
    enum { SHORT = 16, FEW = 512 };
    const rg_node *flat = rg_operand(b, n, 0);
    if (!b->p->regroup || flat->op != &rg_op_reshape || flat->shape->rank != 1)
        return 0;
    const uint32_t of = flat->in[0];
    const rg_node *x = rg_built(b, of);
    const int last = x->shape->rank - 1;
    const rg_attr_axis rows = { .axis = last }, all = *(const rg_attr_axis *)n->attr;
    if (!rg_node_is_fusible(x) || last < 1 || x->shape->dim[last] < SHORT ||
        x->shape->dim[last] > RG_LONGEST_ROW || flat->shape->dim[0] < FEW)
        return 0;
    const rg_shape by_row = rg_shape_drop(*x->shape, last);
    const rg_shape list = { .rank = 1, .dim = { rg_shape_count(by_row) } };
    const rg_node sum = rg_builder_like(b, n, n->op, &rows, &by_row, &of, 1);
    const uint32_t sums = b->failed ? 0 : rg_builder_add(b, &sum);
    const uint32_t listed = sums ? rg_make_reshape(b, n, sums, &list) : 0;
    return listed ? rg_rewrite(b, n, &rg_op_sum_over, &all, 1, listed, 0, 0) : 0;
}

/* Would the op accept these operands and give the same result? */
static bool fits(const rg_builder *b, const rg_node *n, const uint32_t *in)
{
    rg_sig sig[RG_BUILDER_FEW], out;
    rg_err err = { .status = RG_OK };
    for (uint32_t k = 0; k < n->n_in; k++)
        sig[k] = (rg_sig){ (rg_kind)rg_built(b, in[k])->kind, *rg_built(b, in[k])->shape };
    return rg_infer(&out, n->op, sig, n->n_in, n->attr, &err) == RG_OK &&
           out.kind == (rg_kind)n->kind && rg_shape_equal(out.shape, *n->shape);
}

/* One operand: work on the small one, then broadcast. Not what draws, element by element. */
static uint32_t before_broadcast(rg_builder *b, rg_node *n, uint32_t small)
{
    const rg_shape shape = *rg_built(b, small)->shape;
    rg_node inner = rg_builder_like(b, n, n->op, n->attr, &shape, &small, 1);
    if (b->failed || n->op->flags & RG_OP_RANDOM || n->op == &rg_op_broadcast)
        return 0;
    /* through the rules again, one level deep: what is broadcast is no broadcast itself */
    const uint32_t id = rg_builder_add(b, &inner);
    return id ? rg_rewrite_value(b, n, id) : 0;
}

uint32_t rg_fold_elementwise_broadcast(rg_builder *b, rg_node *n)
{
    uint32_t in[RG_BUILDER_FEW];
    bool changed = false, any = false;
    if (!(n->op->flags & RG_OP_ELEMENTWISE) || n->n_in == 0 || n->n_in > RG_BUILDER_FEW)
        return 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        in[k] = n->in[k];
        any |= rg_operand(b, n, k)->op == &rg_op_broadcast;
    }
    if (!any)
        return 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const rg_node *x = rg_operand(b, n, k);
        if (x->op != &rg_op_broadcast)
            continue;
        if (n->n_in == 1)
            return before_broadcast(b, n, x->in[0]);
        in[k] = x->in[0];
        if (fits(b, n, in))
            changed = true;
        else
            in[k] = n->in[k];
    }
    if (!changed)
        return 0;
    memcpy(b->few, in, n->n_in * sizeof *in);
    n->in = b->few;
    return RG_AGAIN;
}
