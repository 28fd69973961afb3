/* plan/passes/rules_constant.c -- small nodes over constants, computed while planning. */
#include "plan/passes/rules.h"

#include "base/checked.h"
#include "kernels/fpstate.h"
#include "plan/plan.h"

#include <string.h>

enum { MOST = 32, OPERANDS = 3 };  /* elements of a value, operands */

struct work {
    double         in[OPERANDS][MOST], spread[OPERANDS][MOST], out[MOST];
    const void    *arg[OPERANDS];
    rg_shape       shape[OPERANDS];
};

/* The op computes numbers from numbers by a kernel that no index can lead astray. */
static bool candidate(const rg_builder *b, const rg_node *n)
{
    const rg_op *op = n->op;
    if (n->n_in == 0 || n->n_in > OPERANDS || op->flags & RG_OP_RANDOM || op->index ||
        !(b->p->real == RG_F64 ? op->kernel_f64 : op->kernel_f32))
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!rg_node_is_constant(rg_operand(b, n, k)))
            return false;
    return true;
}

/* Elementwise over numbers: one element tells all. */
static bool all_numbers(const rg_builder *b, const rg_node *n)
{
    double c;
    if (!(n->op->flags & RG_OP_ELEMENTWISE) || n->kind != RG_F)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!rg_operand_number(b, n, k, &c))
            return false;
    return true;
}

static void prepare(const rg_builder *b, const rg_node *n, const rg_shape *shape, struct work *w)
{
    const bool elementwise = n->op->flags & RG_OP_ELEMENTWISE;
    for (uint32_t k = 0; k < n->n_in; k++) {
        rg_node in = *rg_operand(b, n, k);
        const size_t item = rg_kind_size((rg_kind)in.kind, b->p->real);
        if (shape != n->shape)
            in.shape = shape; /* one element of a number */
        w->shape[k] = *in.shape;
        rg_plan_fill_constant(w->in[k], &in, b->p->real);
        w->arg[k] = w->in[k];
        if (elementwise && !rg_shape_equal(*in.shape, *shape)) {
            rg_shape_spread(w->spread[k], w->in[k], in.shape, shape, item);
            w->arg[k] = w->spread[k];
        }
    }
}

/* As a run would compute it: the plan's kernels, the plan's floating-point state. */
static bool evaluate(const rg_builder *b, const rg_node *n, const rg_shape *shape, struct work *w)
{
    rg_kernel_fn *kernel = b->p->real == RG_F64 ? n->op->kernel_f64 : n->op->kernel_f32;
    const rg_kernel_args args = {
        .n = rg_shape_count(*shape), .out = w->out, .in = w->arg, .n_in = n->n_in,
        .in_shape = w->shape, .out_shape = shape, .attr = n->attr,
        .item = rg_kind_size((rg_kind)n->kind, b->p->real),
    };
    const rg_fp_state old = rg_fp_enter(b->p->flush);
    prepare(b, n, shape, w);
    const int code = kernel(&args);
    rg_fp_leave(old);
    return code == 0;
}

/* What was computed as a node: reals are kept as double, as all constants are. */
static uint32_t rewrite_constant(rg_builder *b, rg_node *n, const struct work *w)
{
    rg_attr_constant attr;
    double real[MOST];
    const int64_t count = rg_shape_count(*n->shape);
    const void *data = w->out;
    memset(&attr, 0, sizeof attr);
    attr.sig.kind = (rg_kind)n->kind;
    attr.sig.shape = *n->shape;
    attr.bytes = (size_t)count * rg_kind_size((rg_kind)n->kind, RG_F64);
    for (int64_t i = 0; n->kind == RG_F && b->p->real == RG_F32 && i < count; i++) {
        float x;
        memcpy(&x, (const char *)w->out + (size_t)i * sizeof x, sizeof x);
        real[i] = x;
        data = real;
    }
    attr.data = rg_builder_attr(b, data, attr.bytes);
    return b->failed ? 0 : rg_rewrite(b, n, &rg_op_constant, &attr, 0, 0, 0, 0);
}

uint32_t rg_fold_constants(rg_builder *b, rg_node *n)
{
    static const rg_shape one = { .rank = 0 };
    struct work w;
    if (!candidate(b, n))
        return 0;
    if (all_numbers(b, n)) {
        float narrow;
        if (!evaluate(b, n, &one, &w))
            return 0;
        memcpy(&narrow, w.out, sizeof narrow);
        return rg_rewrite_number(b, n, b->p->real == RG_F32 ? (double)narrow : w.out[0]);
    }
    for (uint32_t k = 0; k < n->n_in; k++)
        if (rg_shape_count(*rg_operand(b, n, k)->shape) > MOST)
            return 0;
    if (rg_shape_count(*n->shape) > MOST || rg_shape_count(*n->shape) == 0 ||
        !evaluate(b, n, n->shape, &w))
        return 0;
    return rewrite_constant(b, n, &w);
}
