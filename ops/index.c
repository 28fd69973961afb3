/* ops/index.c -- rows and elements by number: gather, scatter, one-hot, pick, place, length mask.
 *
 * Plans check bound indices before they compute anything; a kernel checks again, for indices that
 * were computed, and returns BEYOND. */
#include "ops/family.h"

#ifdef REAL /* ---- Reference kernels, see ops/reals.h ------------------------------------------ */

/* y[rows[i]] += x[i], in order of i */
static int K(scatter_add)(const rg_kernel_args *k)
{
    const int64_t V = k->out_shape->dim[0], n = rg_shape_count(k->in_shape[1]);
    const int64_t width = rg_shape_inner(k->out_shape, 0);
    const REAL *x = k->in[0];
    const int32_t *rows = k->in[1];
    REAL *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= V)
            return BEYOND;
        for (int64_t j = 0; j < width; j++)
            y[rows[i] * width + j] += x[i * width + j];
    }
    return 0;
}

static int K(one_hot)(const rg_kernel_args *k)
{
    const int64_t V = ((const rg_attr_extent *)k->attr)->extent;
    const int32_t *ids = k->in[0];
    REAL *y = k->out;
    for (int64_t i = 0; i * V < k->n; i++) {
        if (ids[i] < 0 || ids[i] >= V)
            return BEYOND;
        for (int64_t v = 0; v < V; v++)
            y[i * V + v] = v == ids[i] ? 1 : 0;
    }
    return 0;
}

#else /* ---- Kernels that move data, rules, descriptors ---------------------------------------- */

enum { BEYOND = 1 };

#define RG_KERNELS "ops/index.c"
#include "ops/reals.h"

/* y[i] = table[rows[i]] */
static int gather_any(const rg_kernel_args *k)
{
    const int64_t V = k->in_shape[0].dim[0], n = rg_shape_count(k->in_shape[1]);
    const size_t width = (size_t)rg_shape_inner(&k->in_shape[0], 0) * k->item;
    const int32_t *rows = k->in[1];
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= V)
            return BEYOND;
        if (width)
            memcpy((char *)k->out + (size_t)i * width,
                   (const char *)k->in[0] + (size_t)rows[i] * width, width);
    }
    return 0;
}

/* Elements of a long array [outer, extent, inner] and one of each row [outer, inner] that `index`
 * chooses: copied out of the long one (pick) or into it (place). */
static int exchange(const rg_kernel_args *k, char *to, const char *from, bool into,
                    const rg_shape *longer, int axis)
{
    const int64_t extent = longer->dim[axis], inner = rg_shape_inner(longer, axis);
    const int64_t n = rg_shape_count(k->in_shape[1]);
    const int32_t *index = k->in[1];
    for (int64_t r = 0; r < n; r++) {
        if (index[r] < 0 || index[r] >= extent)
            return BEYOND;
        const int64_t there = (r / inner * extent + index[r]) * inner + r % inner;
        memcpy(to + (size_t)(into ? there : r) * k->item,
               from + (size_t)(into ? r : there) * k->item, k->item);
    }
    return 0;
}

static int pick_any(const rg_kernel_args *k)
{
    return exchange(k, k->out, k->in[0], false, &k->in_shape[0],
                    ((const rg_attr_axis *)k->attr)->axis);
}

static int place_any(const rg_kernel_args *k)
{
    if (k->n)
        memset(k->out, 0, (size_t)k->n * k->item);
    return exchange(k, k->out, k->in[0], true, k->out_shape,
                    (int)((const rg_attr_place *)k->attr)->axis);
}

/* m[t,b] = t < length[b] */
static int length_mask_any(const rg_kernel_args *k)
{
    const int64_t T = k->out_shape->dim[0], B = rg_shape_count(k->in_shape[0]);
    const int32_t *length = k->in[0];
    uint8_t *m = k->out;
    for (int64_t b = 0; b < B; b++)
        if (length[b] < 0 || length[b] > T)
            return BEYOND;
    for (int64_t t = 0; t < T; t++)
        for (int64_t b = 0; b < B; b++)
            m[t * B + b] = t < length[b];
    return 0;
}

/* [V, rest], [rows] -> [rows, rest] */
static rg_status gather_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                              rg_err *err)
{
    char table[RG_SHAPE_TEXT], rows[RG_SHAPE_TEXT];
    const rg_shape *t = &in[0].shape, *r = &in[1].shape;
    rg_status st = rg_want_kind(in, 1, RG_INT, err);
    (void)n, (void)attr;
    if (st || (st = rg_want_axis(0, t, err)))
        return st;
    *out = (rg_sig){ in[0].kind, *r };
    if (r->rank + t->rank - 1 > RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "rows %s of %s have more than %d axes",
                       rg_shape_text(rows, r), rg_shape_text(table, t), RG_MAX_RANK);
    for (int i = 1; i < t->rank; i++)
        out->shape.dim[out->shape.rank++] = t->dim[i];
    return RG_OK;
}

/* [rows, rest], [rows] -> [V, rest] */
static rg_status scatter_add_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                   rg_err *err)
{
    char of_x[RG_SHAPE_TEXT], rows[RG_SHAPE_TEXT];
    const rg_shape *x = &in[0].shape, *r = &in[1].shape;
    bool fits = x->rank >= r->rank;
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n;
    if (st || (st = rg_want_kind(in, 1, RG_INT, err)))
        return st;
    for (int i = 0; i < r->rank && fits; i++)
        fits = x->dim[i] == r->dim[i];
    if (!fits)
        return rg_fail(err, RG_ESHAPE, "rows %s are not the leading axes of %s",
                       rg_shape_text(rows, r), rg_shape_text(of_x, x));
    *out = (rg_sig){ RG_F, { 1, { ((const rg_attr_extent *)attr)->extent } } };
    if (x->rank - r->rank + 1 > RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "%s has more than %d axes beside the rows",
                       rg_shape_text(of_x, x), RG_MAX_RANK - 1);
    for (int i = r->rank; i < x->rank; i++)
        out->shape.dim[out->shape.rank++] = x->dim[i];
    return RG_OK;
}

static rg_status one_hot_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                               rg_err *err)
{
    const int64_t V = ((const rg_attr_extent *)attr)->extent;
    char text[RG_SHAPE_TEXT];
    rg_status st = rg_want_kind(in, 0, RG_INT, err);
    (void)n;
    if (st)
        return st;
    if (V < 1)
        return rg_fail(err, RG_EARG, "%lld classes; at least one is needed", (long long)V);
    if (in[0].shape.rank == RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "%s has all %d axes", rg_shape_text(text, &in[0].shape),
                       RG_MAX_RANK);
    *out = (rg_sig){ RG_F, rg_shape_insert(in[0].shape, in[0].shape.rank, V) };
    return RG_OK;
}

static rg_status length_mask_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr,
                                   rg_err *err)
{
    const int64_t T = ((const rg_attr_extent *)attr)->extent;
    char text[RG_SHAPE_TEXT];
    rg_status st = rg_want_kind(in, 0, RG_INT, err);
    (void)n;
    if (st)
        return st;
    if (T < 0)
        return rg_fail(err, RG_EARG, "%lld steps; there cannot be fewer than 0", (long long)T);
    if (in[0].shape.rank == RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "%s has all %d axes", rg_shape_text(text, &in[0].shape),
                       RG_MAX_RANK);
    *out = (rg_sig){ RG_BOOL, rg_shape_insert(in[0].shape, 0, T) };
    return RG_OK;
}

/* The index has the form of the long array without the axis. */
static rg_status fits_without(const rg_shape *longer, int axis, const rg_shape *index, rg_err *err)
{
    char of_x[RG_SHAPE_TEXT], of_i[RG_SHAPE_TEXT];
    if (rg_shape_equal(rg_shape_drop(*longer, axis), *index))
        return RG_OK;
    return rg_fail(err, RG_ESHAPE, "index %s is not %s without axis %d", rg_shape_text(of_i, index),
                   rg_shape_text(of_x, longer), axis);
}

static rg_status pick_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    const int axis = ((const rg_attr_axis *)attr)->axis;
    rg_status st = rg_want_kind(in, 1, RG_INT, err);
    (void)n;
    *out = (rg_sig){ in[0].kind, in[1].shape };
    if (!st)
        st = rg_want_axis(axis, &in[0].shape, err);
    return st ? st : fits_without(&in[0].shape, axis, &in[1].shape, err);
}

static rg_status place_infer(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    const rg_attr_place *at = attr;
    char of_x[RG_SHAPE_TEXT], of_i[RG_SHAPE_TEXT];
    rg_status st = rg_want_kind(in, 0, RG_F, err);
    (void)n;
    if (st || (st = rg_want_kind(in, 1, RG_INT, err)))
        return st;
    if (!rg_shape_equal(in[0].shape, in[1].shape))
        return rg_fail(err, RG_ESHAPE, "index %s does not fit %s",
                       rg_shape_text(of_i, &in[1].shape), rg_shape_text(of_x, &in[0].shape));
    if (at->axis < 0 || at->axis > in[0].shape.rank)
        return rg_fail(err, RG_EINDEX, "axis %lld is out of range for a new one of %s",
                       (long long)at->axis, rg_shape_text(of_x, &in[0].shape));
    if (in[0].shape.rank == RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "%s has all %d axes", rg_shape_text(of_x, &in[0].shape),
                       RG_MAX_RANK);
    *out = (rg_sig){ RG_F, rg_shape_insert(in[0].shape, (int)at->axis, at->extent) };
    return RG_OK;
}

/* A table of integers is no index. */
static rg_status table_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    (void)attr;
    if (i != 1)
        return RG_EARG;
    *bound = in[0].shape.dim[0];
    return RG_OK;
}

static rg_status extent_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    (void)in, (void)i;
    *bound = ((const rg_attr_extent *)attr)->extent;
    return RG_OK;
}

/* A length may be all T steps. */
static rg_status length_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    (void)in, (void)i;
    *bound = ((const rg_attr_extent *)attr)->extent + 1;
    return RG_OK;
}

static rg_status pick_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    if (i != 1)
        return RG_EARG;
    *bound = in[0].shape.dim[((const rg_attr_axis *)attr)->axis];
    return RG_OK;
}

static rg_status place_bound(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound)
{
    (void)in, (void)i;
    *bound = ((const rg_attr_place *)attr)->extent;
    return RG_OK;
}

/* Each is the transpose of the other. */
static void gather_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_scatter_add(v->gy, v->in[1], rg_dim(v->in[0], 0)));
}

static void scatter_add_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_gather(v->gy, v->in[1]));
}

static void pick_vjp(const rg_vjp_ctx *v)
{
    const int axis = ((const rg_attr_axis *)v->attr)->axis;
    rg_vjp_add(v, 0, rg_place(v->gy, v->in[1], axis, rg_dim(v->in[0], axis)));
}

static void place_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_pick(v->gy, v->in[1], (int)((const rg_attr_place *)v->attr)->axis));
}

static const rg_op_sample gather_sample[] = {
    { .in = { RG_REALS(5, 3), RG_INTS(7) }, .lo = -2, .hi = 2, .bound = 5 },
    { .in = { RG_REALS(5), RG_INTS(2, 3) }, .lo = -2, .hi = 2, .bound = 5 },
    { .in = { RG_REALS(4, 2, 3), RG_INT_SCALAR }, .lo = -2, .hi = 2, .bound = 4 },
    { .in = { RG_REALS(5, 3), RG_INTS(0) }, .lo = -2, .hi = 2, .bound = 5 },
    { .in = { RG_INTS(5, 3), RG_INTS(4) }, .bound = 5 },
};
static const rg_op_error gather_error[] = {
    { .in = { RG_REALS(5, 3), RG_REALS(4) }, .status = RG_EDTYPE,
      .says = "operand 1 is real, int is needed" },
    { .in = { RG_REAL_SCALAR, RG_INTS(4) }, .status = RG_EINDEX, .says = "out of range for []" },
    { .in = { RG_REALS(2, 1, 1, 1, 1), RG_INTS(1, 1, 1, 1, 2) }, .status = RG_ELIMIT,
      .says = "more than 8 axes" },
};
const rg_op rg_op_gather = {
    .name = "gather", .arity = 2, .infer = gather_infer, .vjp = gather_vjp,
    RG_KERNEL_ANY(gather_any), .index = table_bound, RG_SAMPLES(gather_sample),
    RG_ERRORS(gather_error),
};

static const rg_attr_extent five = { 5 }, zero = { 0 };
static const rg_op_sample scatter_add_sample[] = {
    { .in = { RG_REALS(7, 3), RG_INTS(7) }, .lo = -2, .hi = 2, .bound = 5, .attr = &five },
    { .in = { RG_REALS(2, 3), RG_INTS(2, 3) }, .lo = -2, .hi = 2, .bound = 5, .attr = &five },
    { .in = { RG_REALS(2, 3), RG_INT_SCALAR }, .lo = -2, .hi = 2, .bound = 5, .attr = &five },
    { .in = { RG_REALS(0, 3), RG_INTS(0) }, .lo = -2, .hi = 2, .bound = 5, .attr = &five },
};
static const rg_op_error scatter_add_error[] = {
    { .in = { RG_REALS(7, 3), RG_INTS(6) }, .attr = &five, .status = RG_ESHAPE,
      .says = "rows [6] are not the leading axes of [7,3]" },
    { .in = { RG_REALS(7, 3), RG_REALS(7) }, .attr = &five, .status = RG_EDTYPE,
      .says = "operand 1 is real, int is needed" },
};
const rg_op rg_op_scatter_add = {
    .name = "scatter_add", .arity = 2, .attr_bytes = sizeof(rg_attr_extent),
    .infer = scatter_add_infer, .vjp = scatter_add_vjp, RG_KERNELS_OF(scatter_add),
    .index = extent_bound, RG_SAMPLES(scatter_add_sample), RG_ERRORS(scatter_add_error),
};

static const rg_op_sample one_hot_sample[] = {
    { .in = { RG_INTS(7) }, .bound = 5, .attr = &five },
    { .in = { RG_INTS(2, 3) }, .bound = 5, .attr = &five },
    { .in = { RG_INT_SCALAR }, .bound = 5, .attr = &five },
    { .in = { RG_INTS(0) }, .bound = 5, .attr = &five },
};
static const rg_op_error one_hot_error[] = {
    { .in = { RG_INTS(7) }, .attr = &zero, .status = RG_EARG, .says = "0 classes" },
    { .in = { RG_REALS(7) }, .attr = &five, .status = RG_EDTYPE,
      .says = "operand 0 is real, int is needed" },
};
const rg_op rg_op_one_hot = {
    .name = "one_hot", .arity = 1, .flags = RG_OP_BLOCK, .attr_bytes = sizeof(rg_attr_extent),
    .infer = one_hot_infer, RG_KERNELS_OF(one_hot), .index = extent_bound,
    RG_SAMPLES(one_hot_sample), RG_ERRORS(one_hot_error),
};

static const rg_attr_extent backwards = { -1 };
static const rg_op_sample length_mask_sample[] = {
    { .in = { RG_INTS(7) }, .bound = 6, .attr = &five },
    { .in = { RG_INT_SCALAR }, .bound = 6, .attr = &five },
    { .in = { RG_INTS(3) }, .bound = 1, .attr = &zero },
    { .in = { RG_INTS(0) }, .bound = 6, .attr = &five },
};
static const rg_op_error length_mask_error[] = {
    { .in = { RG_INTS(7) }, .attr = &backwards, .status = RG_EARG, .says = "-1 steps" },
    { .in = { RG_REALS(7) }, .attr = &five, .status = RG_EDTYPE,
      .says = "operand 0 is real, int is needed" },
};
const rg_op rg_op_length_mask = {
    .name = "length_mask", .arity = 1, .flags = RG_OP_BLOCK, .attr_bytes = sizeof(rg_attr_extent),
    .infer = length_mask_infer, RG_KERNEL_ANY(length_mask_any), .index = length_bound,
    RG_SAMPLES(length_mask_sample), RG_ERRORS(length_mask_error),
};

static const rg_attr_axis axis_0 = { 0, 0 }, axis_1 = { 1, 0 };
static const rg_op_sample pick_sample[] = {
    { .in = { RG_REALS(3, 4), RG_INTS(3) }, .lo = -2, .hi = 2, .bound = 4, .attr = &axis_1 },
    { .in = { RG_REALS(2, 3, 5), RG_INTS(2, 5) }, .lo = -2, .hi = 2, .bound = 3, .attr = &axis_1 },
    { .in = { RG_REALS(7), RG_INT_SCALAR }, .lo = -2, .hi = 2, .bound = 7, .attr = &axis_0 },
    { .in = { RG_REALS(3, 0), RG_INTS(0) }, .lo = -2, .hi = 2, .bound = 3, .attr = &axis_0 },
};
static const rg_op_error pick_error[] = {
    { .in = { RG_REALS(3, 4), RG_INTS(4) }, .attr = &axis_1, .status = RG_ESHAPE,
      .says = "index [4] is not [3,4] without axis 1" },
    { .in = { RG_REALS(3, 4), RG_REALS(3) }, .attr = &axis_1, .status = RG_EDTYPE,
      .says = "operand 1 is real, int is needed" },
};
const rg_op rg_op_pick = {
    .name = "pick", .arity = 2, .attr_bytes = sizeof(rg_attr_axis), .infer = pick_infer,
    .vjp = pick_vjp, RG_KERNEL_ANY(pick_any), .index = pick_bound, RG_SAMPLES(pick_sample),
    RG_ERRORS(pick_error),
};

static const rg_attr_place place_0 = { 0, 5 }, place_1 = { 1, 5 }, place_3 = { 3, 5 };
static const rg_op_sample place_sample[] = {
    { .in = { RG_REALS(3), RG_INTS(3) }, .lo = -2, .hi = 2, .bound = 5, .attr = &place_1 },
    { .in = { RG_REALS(2, 3), RG_INTS(2, 3) }, .lo = -2, .hi = 2, .bound = 5, .attr = &place_1 },
    { .in = { RG_REAL_SCALAR, RG_INT_SCALAR }, .lo = 1, .hi = 2, .bound = 5, .attr = &place_0 },
    { .in = { RG_REALS(0), RG_INTS(0) }, .lo = -2, .hi = 2, .bound = 5, .attr = &place_0 },
};
static const rg_op_error place_error[] = {
    { .in = { RG_REALS(3), RG_INTS(4) }, .attr = &place_1, .status = RG_ESHAPE,
      .says = "index [4] does not fit [3]" },
    { .in = { RG_REALS(3), RG_INTS(3) }, .attr = &place_3, .status = RG_EINDEX,
      .says = "axis 3 is out of range" },
};
const rg_op rg_op_place = {
    .name = "place", .arity = 2, .attr_bytes = sizeof(rg_attr_place), .infer = place_infer,
    .vjp = place_vjp, RG_KERNEL_ANY(place_any), .index = place_bound, RG_SAMPLES(place_sample),
    RG_ERRORS(place_error),
};

/* ---- Expressions --------------------------------------------------------------------------- */

rg_val rg_gather(rg_val table, rg_val rows)
{
    return rg_emit2(&rg_op_gather, NULL, table, rows);
}

rg_val rg_scatter_add(rg_val x, rg_val rows, int64_t V)
{
    return rg_emit2(&rg_op_scatter_add, &(rg_attr_extent){ V }, x, rows);
}

rg_val rg_one_hot(rg_val ids, int64_t V)
{
    return rg_emit1(&rg_op_one_hot, &(rg_attr_extent){ V }, ids);
}

rg_val rg_pick(rg_val x, rg_val index, int axis)
{
    return rg_emit2(&rg_op_pick, &(rg_attr_axis){ rg_axis_in(x, axis), 0 }, x, index);
}

rg_val rg_place(rg_val x, rg_val index, int axis, int64_t extent)
{
    const int k = rg_axis(axis, rg_shape_of(x).rank + 1);
    return rg_emit2(&rg_op_place, &(rg_attr_place){ k < 0 ? axis : k, extent }, x, index);
}

static const rg_op *const family[] = {
    &rg_op_gather, &rg_op_scatter_add, &rg_op_one_hot, &rg_op_length_mask, &rg_op_pick,
    &rg_op_place,
};
const rg_op_family rg_ops_index = { family, RG_LENGTH(family) };

#endif
