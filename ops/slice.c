/* ops/slice.c -- parts and wholes: slice, select, split; concat, stack, pad. Kernels move bytes,
 * so one serves every kind and precision. */
#include "ops/family.h"

/* Copy @p n elements along an axis, from index @p from of an array with extent @p of to index @p to
 * of one with extent @p have: one block for each index of the axes before it. */
static void copy_part(char *out, int64_t have, int64_t to, const char *in, int64_t of, int64_t from,
                      int64_t n, const rg_shape *shape, int axis, size_t item)
{
    const int64_t outer = rg_shape_outer(shape, axis);
    const size_t inner = (size_t)rg_shape_inner(shape, axis) * item;
    if (n == 0 || inner == 0)
        return;
    for (int64_t o = 0; o < outer; o++)
        memcpy(out + (size_t)(o * have + to) * inner, in + (size_t)(o * of + from) * inner,
               (size_t)n * inner);
}

static int slice_any(const rg_kernel_args *k)
{
    const rg_attr_slice *at = k->attr;
    const int64_t n = at->end - at->begin;
    copy_part(k->out, n, 0, k->in[0], k->in_shape[0].dim[at->axis], at->begin, n, k->out_shape,
              (int)at->axis, k->item);
    return 0;
}

static rg_status slice_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    const rg_attr_slice *at = attr;
    char text[RG_SHAPE_TEXT];
    rg_status st = rg_want_axis(at->axis, &in[0].shape, err);
    (void)n;
    if (st)
        return st;
    if (at->begin < 0 || at->end < at->begin || at->end > in[0].shape.dim[at->axis])
        return rg_fail(err, RG_EARG, "%lld .. %lld is no part of axis %lld of %s",
                       (long long)at->begin, (long long)at->end, (long long)at->axis,
                       rg_shape_text(text, &in[0].shape));
    *out = (rg_sig){ in[0].kind,
                     rg_shape_with(in[0].shape, (int)at->axis, at->end - at->begin) };
    return RG_OK;
}

static void slice_vjp(const rg_vjp_ctx *v)
{
    const rg_attr_slice *at = v->attr;
    rg_vjp_add_slice(v, 0, (int)at->axis, at->begin, v->gy);
}

static const rg_attr_slice rows_1_3 = { 0, 1, 3 }, columns_0_2 = { 1, 0, 2 },
                           middle_2_3 = { 1, 2, 3 }, none = { 0, 2, 2 }, whole = { 0, 0, 5 },
                           backwards = { 0, 3, 1 }, beyond = { 1, 2, 5 }, outside = { 0, -1, 2 },
                           no_axis = { 2, 0, 1 };
static const rg_op_sample slice_sample[] = {
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &rows_1_3 },
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &columns_0_2 },
    { .in = { RG_REALS(2, 3, 5) }, .lo = -2, .hi = 2, .attr = &middle_2_3 },
    { .in = { RG_REALS(3, 4) }, .lo = -2, .hi = 2, .attr = &none },
    { .in = { RG_REALS(5) }, .lo = -2, .hi = 2, .attr = &whole },
    { .in = { RG_INTS(3, 4) }, .bound = 9, .attr = &columns_0_2 },
    { .in = { RG_BOOLS(3, 4) }, .attr = &columns_0_2 },
};
static const rg_op_error slice_error[] = {
    { .in = { RG_REALS(3, 4) }, .attr = &backwards, .status = RG_EARG,
      .says = "3 .. 1 is no part of axis 0 of [3,4]" },
    { .in = { RG_REALS(3, 4) }, .attr = &beyond, .status = RG_EARG,
      .says = "2 .. 5 is no part of axis 1 of [3,4]" },
    { .in = { RG_REALS(3, 4) }, .attr = &outside, .status = RG_EARG, .says = "-1 .. 2" },
    { .in = { RG_REALS(3, 4) }, .attr = &no_axis, .status = RG_EINDEX,
      .says = "axis 2 is out of range for [3,4]" },
};
const rg_op rg_op_slice = {
    .name = "slice", .arity = 1, .attr_bytes = sizeof(rg_attr_slice), .infer = slice_infer,
    .vjp = slice_vjp, RG_KERNEL_ANY(slice_any), RG_SAMPLES(slice_sample), RG_ERRORS(slice_error),
};

rg_val rg_slice(rg_val x, int axis, int64_t begin, int64_t end)
{
    return rg_emit1(&rg_op_slice, &(rg_attr_slice){ rg_axis_in(x, axis), begin, end }, x);
}

rg_val rg_select(rg_val x, int axis, int64_t i)
{
    const rg_shape s = rg_shape_of(x);
    char text[RG_SHAPE_TEXT];
    int k = rg_axis(axis, s.rank);
    if (!x.id || k < 0)
        return rg_slice(x, axis, 0, 1); /* says why */
    if (i < -s.dim[k] || i >= s.dim[k])
        return rg_poison(x.graph, RG_EINDEX, "select: index %lld is out of range for axis %d of %s",
                         (long long)i, k, rg_shape_text(text, &s));
    if (i < 0)
        i += s.dim[k];
    return rg_reshape(rg_slice(x, k, i, i + 1), rg_shape_drop(s, k));
}

static int concat_any(const rg_kernel_args *k)
{
    const int axis = ((const rg_attr_axis *)k->attr)->axis;
    const int64_t have = k->out_shape->dim[axis];
    int64_t to = 0;
    for (size_t i = 0; i < k->n_in; i++) {
        const int64_t n = k->in_shape[i].dim[axis];
        copy_part(k->out, have, to, k->in[i], n, 0, n, k->out_shape, axis, k->item);
        to += n;
    }
    return 0;
}

/* Part i fits part 0 on every axis but this one. */
static rg_status concat_fits(const rg_sig *in, size_t i, int axis, rg_err *err)
{
    char first[RG_SHAPE_TEXT], other[RG_SHAPE_TEXT];
    const rg_shape *a = &in[0].shape, *b = &in[i].shape;
    if (in[i].kind != in[0].kind)
        return rg_fail(err, RG_EDTYPE, "part %zu is %s, part 0 is %s", i, rg_kind_text(in[i].kind),
                       rg_kind_text(in[0].kind));
    if (a->rank != b->rank)
        return rg_fail(err, RG_ESHAPE, "part %zu is %s, part 0 is %s: ranks differ", i,
                       rg_shape_text(other, b), rg_shape_text(first, a));
    for (int d = 0; d < a->rank; d++)
        if (d != axis && a->dim[d] != b->dim[d])
            return rg_fail(err, RG_ESHAPE, "part %zu is %s, part 0 is %s: they differ on axis %d",
                           i, rg_shape_text(other, b), rg_shape_text(first, a), d);
    return RG_OK;
}

static rg_status concat_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    const int axis = ((const rg_attr_axis *)attr)->axis;
    int64_t extent = 0;
    if (n == 0)
        return rg_fail(err, RG_ESHAPE, "no parts");
    rg_status st = rg_want_axis(axis, &in[0].shape, err);
    for (size_t i = 0; i < n && !st; i++) {
        st = concat_fits(in, i, axis, err);
        if (!st && (extent += in[i].shape.dim[axis]) >= RG_MAX_DIM)
            st = rg_fail(err, RG_ELIMIT, "the sum of extents is too large");
    }
    if (!st)
        *out = (rg_sig){ in[0].kind, rg_shape_with(in[0].shape, axis, extent) };
    return st;
}

static void concat_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_axis *)v->attr)->axis;
    int64_t at = 0;
    for (size_t i = 0; i < v->n; i++) {
        const int64_t n = rg_dim(v->in[i], axis);
        if (rg_vjp_wants(v, (uint32_t)i))
            rg_vjp_add(v, (uint32_t)i, rg_slice(v->gy, axis, at, at + n));
        at += n;
    }
}

static const rg_attr_axis axis_0 = { 0, 0 }, axis_1 = { 1, 0 }, axis_3 = { 3, 0 };
static const rg_op_sample concat_sample[] = {
    { .in = { RG_REALS(2, 3), RG_REALS(1, 3), RG_REALS(2, 3) }, .lo = -2, .hi = 2,
      .attr = &axis_0, .n_in = 3 },
    { .in = { RG_REALS(2, 3), RG_REALS(2, 1), RG_REALS(2, 0) }, .lo = -2, .hi = 2,
      .attr = &axis_1, .n_in = 3 },
    { .in = { RG_REALS(2, 3, 5), RG_REALS(2, 1, 5) }, .lo = -2, .hi = 2, .attr = &axis_1,
      .n_in = 2 },
    { .in = { RG_REALS(7) }, .lo = -2, .hi = 2, .attr = &axis_0, .n_in = 1 },
    { .in = { RG_INTS(2), RG_INTS(3) }, .bound = 9, .attr = &axis_0, .n_in = 2 },
    { .in = { RG_BOOLS(2), RG_BOOLS(3) }, .attr = &axis_0, .n_in = 2 },
};
static const rg_op_error concat_error[] = {
    { .in = { RG_REALS(2, 4), RG_REALS(2, 3) }, .attr = &axis_0, .n_in = 2, .status = RG_ESHAPE,
      .says = "part 1 is [2,3], part 0 is [2,4]: they differ on axis 1" },
    { .in = { RG_REALS(2, 4), RG_REALS(2) }, .attr = &axis_0, .n_in = 2, .status = RG_ESHAPE,
      .says = "ranks differ" },
    { .in = { RG_REALS(2), RG_INTS(2) }, .attr = &axis_0, .n_in = 2, .status = RG_EDTYPE,
      .says = "part 1 is int, part 0 is real" },
    { .in = { RG_REALS(2), RG_REALS(2) }, .attr = &axis_3, .n_in = 2, .status = RG_EINDEX,
      .says = "axis 3 is out of range for [2]" },
};
const rg_op rg_op_concat = {
    .name = "concat", .attr_bytes = sizeof(rg_attr_axis), .infer = concat_infer,
    .vjp = concat_vjp, RG_KERNEL_ANY(concat_any), RG_SAMPLES(concat_sample),
    RG_ERRORS(concat_error),
};

rg_val rg_concat(const rg_val *parts, size_t n, int axis)
{
    const int k = n ? rg_axis_in(parts[0], axis) : axis;
    return rg_emit(&rg_op_concat, &(rg_attr_axis){ k, 0 }, parts, n);
}

rg_val rg_stack(const rg_val *parts, size_t n, int axis)
{
    rg_graph *g = rg_graph_of(parts, n);
    if (!g)
        return RG_NONE;
    rg_val *one = rg_get(&g->alloc, n * sizeof *one);
    if (!one)
        return rg_poison(g, RG_ENOMEM, "stack: no memory for %zu parts", n);
    for (size_t i = 0; i < n; i++)
        one[i] = parts[i].graph ? rg_unsqueeze(parts[i], axis) : parts[i];
    rg_val y = rg_concat(one, n, rg_axis(axis, rg_shape_of(parts[0]).rank + 1));
    rg_release(&g->alloc, one, n * sizeof *one);
    return y;
}

void rg_split(rg_val *parts, size_t n, rg_val x, int axis)
{
    const int k = rg_axis_in(x, axis);
    const int64_t extent = rg_dim(x, axis);
    char text[RG_SHAPE_TEXT];
    const rg_shape s = rg_shape_of(x);
    if (n && x.id && extent >= 0 && extent % (int64_t)n != 0)
        rg_poison(x.graph, RG_ESHAPE, "split: axis %d of %s does not split into %zu equal parts", k,
                  rg_shape_text(text, &s), n);
    for (size_t i = 0; i < n; i++) {
        const int64_t each = extent / (int64_t)n;
        parts[i] = rg_slice(x, axis, (int64_t)i * each, (int64_t)(i + 1) * each);
    }
}

/* An array of one number, of any kind. */
static rg_val filled(rg_graph *g, rg_kind kind, rg_shape shape, double c)
{
    const int32_t index = (int32_t)c;
    const uint8_t mask = c != 0;
    if (kind == RG_F)
        return rg_full(g, shape, c);
    return rg_broadcast(rg_constant(g, kind, RG_SCALAR,
                                    kind == RG_INT ? (const void *)&index : &mask, 1), shape);
}

rg_val rg_pad(rg_val x, int axis, int64_t before, int64_t after, double c)
{
    const int k = rg_axis_in(x, axis);
    const rg_kind kind = rg_kind_of(x);
    if (!x.id || k < 0 || k >= rg_shape_of(x).rank)
        return rg_concat(&x, 1, k); /* says why */
    if (before < 0 || after < 0)
        return rg_poison(x.graph, RG_EARG, "pad: %lld before and %lld after; neither is negative",
                         (long long)before, (long long)after);
    if (kind == RG_INT && !(c >= INT32_MIN && c <= INT32_MAX && c == (int32_t)c))
        return rg_poison(x.graph, RG_EARG,
                         "pad: indices are padded with a whole number of 32 bits");
    const rg_shape s = rg_shape_of(x);
    const rg_val part[3] = { filled(x.graph, kind, rg_shape_with(s, k, before), c), x,
                             filled(x.graph, kind, rg_shape_with(s, k, after), c) };
    return rg_concat(part, 3, k);
}

static const rg_op *const family[] = { &rg_op_slice, &rg_op_concat };
const rg_op_family rg_ops_slice = { family, RG_LENGTH(family) };
