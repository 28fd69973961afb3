/* plan/passes/rules_number.c -- arithmetic with numbers and signs; selection. */
#include "plan/passes/rules.h"

#include <math.h>
#include <string.h>

uint32_t rg_rewrite(rg_builder *b, rg_node *n, const rg_op *op, const void *attr, uint32_t n_in,
                    uint32_t in0, uint32_t in1, uint32_t in2)
{
    n->op = op;
    n->attr = op->attr_bytes ? rg_builder_attr(b, attr, op->attr_bytes) : NULL;
    b->few[0] = in0;
    b->few[1] = in1;
    b->few[2] = in2;
    n->in = b->few;
    n->n_in = n_in;
    return RG_AGAIN;
}

uint32_t rg_rewrite_value(rg_builder *b, rg_node *n, uint32_t id)
{
    rg_attr_shape attr;
    if (rg_shape_equal(*rg_built(b, id)->shape, *n->shape))
        return id;
    memset(&attr, 0, sizeof attr);
    attr.shape.rank = n->shape->rank;
    memcpy(attr.shape.dim, n->shape->dim, (size_t)n->shape->rank * sizeof *n->shape->dim);
    return rg_rewrite(b, n, &rg_op_broadcast, &attr, 1, id, 0, 0);
}

uint32_t rg_rewrite_number(rg_builder *b, rg_node *n, double c)
{
    rg_attr_full attr;
    memset(&attr, 0, sizeof attr);
    attr.sig.shape = *n->shape;
    attr.value = c;
    return rg_rewrite(b, n, &rg_op_full, &attr, 0, 0, 0, 0);
}

static bool same_shape(const rg_builder *b, const rg_node *n, uint32_t id)
{
    return rg_shape_equal(*rg_built(b, id)->shape, *n->shape);
}

static uint32_t with_number(rg_builder *b, rg_node *n, const rg_op *op, double c, uint32_t x)
{
    return same_shape(b, n, x) ? rg_rewrite(b, n, op, &(rg_attr_real){ c }, 1, x, 0, 0) : 0;
}

/* x where operand k is -x; else 0. */
static uint32_t negated(const rg_builder *b, const rg_node *n, uint32_t k)
{
    const rg_node *in = rg_operand(b, n, k);
    return in->op == &rg_op_neg ? in->in[0] : 0;
}

uint32_t rg_fold_mul_number(rg_builder *b, rg_node *n)
{
    double c;
    for (uint32_t k = 0; k < 2; k++)
        if (rg_operand_number(b, n, k, &c))
            return c == 1 ? rg_rewrite_value(b, n, n->in[1 - k])
                          : with_number(b, n, &rg_op_scale, c, n->in[1 - k]);
    return 0;
}

uint32_t rg_fold_mul_negs(rg_builder *b, rg_node *n)
{
    const uint32_t x = negated(b, n, 0), y = negated(b, n, 1);
    return x && y ? rg_rewrite(b, n, &rg_op_mul, NULL, 2, x, y, 0) : 0;
}

uint32_t rg_fold_add_number(rg_builder *b, rg_node *n)
{
    double c;
    for (uint32_t k = 0; k < 2; k++)
        if (rg_operand_number(b, n, k, &c))
            return c == 0 ? rg_rewrite_value(b, n, n->in[1 - k])
                          : with_number(b, n, &rg_op_shift, c, n->in[1 - k]);
    return 0;
}

uint32_t rg_fold_add_neg(rg_builder *b, rg_node *n)
{
    for (uint32_t k = 0; k < 2; k++) {
        const uint32_t y = negated(b, n, k);
        if (y)
            return rg_rewrite(b, n, &rg_op_sub, NULL, 2, n->in[1 - k], y, 0);
    }
    return 0;
}

uint32_t rg_fold_sub_number(rg_builder *b, rg_node *n)
{
    double c;
    if (rg_operand_number(b, n, 1, &c))
        return c == 0 ? rg_rewrite_value(b, n, n->in[0])
                      : with_number(b, n, &rg_op_shift, -c, n->in[0]);
    if (!rg_operand_number(b, n, 0, &c) || !same_shape(b, n, n->in[1]) || (c != 0 && c != 1))
        return 0;
    return rg_rewrite(b, n, c == 0 ? &rg_op_neg : &rg_op_one_minus, NULL, 1, n->in[1], 0, 0);
}

uint32_t rg_fold_sub_neg(rg_builder *b, rg_node *n)
{
    const uint32_t y = negated(b, n, 1);
    return y ? rg_rewrite(b, n, &rg_op_add, NULL, 2, n->in[0], y, 0) : 0;
}

/* The reciprocal of a power of two is exact; those near the ends of f32's range stay divisions. */
uint32_t rg_fold_div_number(rg_builder *b, rg_node *n)
{
    double c;
    int exponent;
    if (!rg_operand_number(b, n, 1, &c))
        return 0;
    if (c == 1)
        return rg_rewrite_value(b, n, n->in[0]);
    if (fabs(frexp(c, &exponent)) != 0.5 || exponent < -99 || exponent > 99)
        return 0;
    return with_number(b, n, &rg_op_scale, 1 / c, n->in[0]);
}

uint32_t rg_fold_neg(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    if (x->op == &rg_op_neg)
        return x->in[0];
    if (x->op == &rg_op_scale)
        return rg_rewrite(b, n, &rg_op_scale,
                          &(rg_attr_real){ -((const rg_attr_real *)x->attr)->c }, 1, x->in[0],
                          0, 0);
    return x->op == &rg_op_sub ? rg_rewrite(b, n, &rg_op_sub, NULL, 2, x->in[1], x->in[0], 0) : 0;
}

uint32_t rg_fold_scale(rg_builder *b, rg_node *n)
{
    const double c = ((const rg_attr_real *)n->attr)->c;
    const uint32_t x = negated(b, n, 0);
    if (c == 1)
        return n->in[0];
    if (c == -1)
        return rg_rewrite(b, n, &rg_op_neg, NULL, 1, n->in[0], 0, 0);
    return x ? rg_rewrite(b, n, &rg_op_scale, &(rg_attr_real){ -c }, 1, x, 0, 0) : 0;
}

uint32_t rg_fold_shift_zero(rg_builder *b, rg_node *n)
{
    (void)b;
    return ((const rg_attr_real *)n->attr)->c == 0 ? n->in[0] : 0;
}

uint32_t rg_fold_where(rg_builder *b, rg_node *n)
{
    const rg_node *m = rg_operand(b, n, 0);
    if (n->in[1] == n->in[2])
        return rg_rewrite_value(b, n, n->in[1]);
    return m->op == &rg_op_not
               ? rg_rewrite(b, n, &rg_op_where, NULL, 3, m->in[0], n->in[2], n->in[1]) : 0;
}

uint32_t rg_fold_not(rg_builder *b, rg_node *n)
{
    const rg_node *m = rg_operand(b, n, 0);
    return m->op == &rg_op_not ? m->in[0] : 0;
}

uint32_t rg_fold_same_twice(rg_builder *b, rg_node *n)
{
    (void)b;
    return n->in[0] == n->in[1] ? n->in[0] : 0;
}
