/* plan/lower_rows.c -- reductions, softmax and look-ups: kernels that work on whole rows. */
#include "plan/lower.h"

#include "base/checked.h"
#include "kernels/rows.h"
#include "ops/ops.h"
#include "plan/made.h"

#include <string.h>

/* Rows of a part: about so many elements. */
enum { PIECE = 2048, COLUMNS = 64 };

/* An array as `outer` blocks of n rows of `inner` elements, the axis being the middle one. */
struct block {
    int64_t outer, n, inner;
    int64_t outer_step, row_step;  /* elements from one to the next */
};

/* All axes from..to-1 as one: their common step; false if they have none. */
static bool merge_axes(const int64_t *stride, const rg_shape *shape, int from, int to,
                       int64_t *step)
{
    int64_t extent = 1;
    *step = 0;
    for (int i = to; i-- > from;) {
        if (shape->dim[i] == 1)
            continue;
        if (extent == 1)
            *step = stride[i];
        else if (stride[i] != *step * extent)
            return false;
        extent *= shape->dim[i];
    }
    return true;
}

/* Do elements lie so that a row kernel can go along the axis? */
static bool block_of(struct block *b, const int64_t *stride, const rg_shape *shape, int axis)
{
    int64_t inner;
    *b = (struct block){ rg_shape_outer(shape, axis), shape->dim[axis], rg_shape_inner(shape, axis),
                         0, stride[axis] };
    if (!merge_axes(stride, shape, 0, axis, &b->outer_step) ||
        !merge_axes(stride, shape, axis + 1, shape->rank, &inner))
        return false;
    if (b->inner > 1)
        return inner == 1;
    return b->n == 1 || b->row_step == 1;
}

static int axis_of(const rg_node *node, const rg_shape *x)
{
    return node->op == &rg_op_softmax_cross_entropy ? x->rank - 1
           : node->op == &rg_op_sum_stretch         ? 0
                                                    : ((const rg_attr_axis *)node->attr)->axis;
}

bool rg_rows_lie(const int64_t *stride, const rg_shape *shape, const rg_node *node)
{
    struct block b;
    return block_of(&b, stride, shape, axis_of(node, shape));
}

/* ---- Along the last axis -------------------------------------------------------------------- */

struct rows {
    rg_rows_fn *fn;
    void      (*labelled)(const rg_rows *a, const int32_t *label);
    rg_rows     a;             /* of all rows, without pointers */
    size_t      item;
    bool        one_each;      /* the result has one element a row */
    int64_t     rows_a_part, classes;
    uint32_t    node;
};

/* Does every index lie below the limit? */
static bool in_range(const int32_t *index, int64_t n, int64_t limit)
{
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= limit)
            return false;
    return true;
}

static int run_rows(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct rows *d = s->detail;
    const int64_t r0 = first, n = last - first, item = (int64_t)d->item;
    rg_rows a = d->a;
    a.rows = n;
    a.x = (const char *)rg_at(m, &s->arg[0]) + r0 * a.x_row * item;
    a.y = (char *)rg_at(m, &s->arg[s->n_in]) + r0 * (d->one_each ? 1 : a.y_row) * item;
    if (!d->labelled) {
        d->fn(&a);
        return 0;
    }
    const int32_t *label = (const int32_t *)rg_at(m, &s->arg[1]) + r0;
    if (!in_range(label, n, d->classes))
        return rg_fail_step(m, rank, d->node, 1);
    d->labelled(&a, label);
    return 0;
}

static int run_parts(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct rows *d = s->detail;
    const int64_t end = last * d->rows_a_part;
    return run_rows(m, s, first * d->rows_a_part, end < d->a.rows ? end : d->a.rows, rank);
}

static void pick_rows(struct rows *d, const rg_node *node, rg_dtype real)
{
    const rg_row_kernels *k = rg_row_table(rg_cpu_isa());
    d->one_each = true;
    if (node->op == &rg_op_sum_over)
        d->fn = k->sum[real];
    else if (node->op == &rg_op_max_over)
        d->fn = k->max[real];
    else if (node->op == &rg_op_logsumexp_over)
        d->fn = k->logsumexp[real];
    else if (node->op == &rg_op_softmax_cross_entropy)
        d->labelled = k->cross_entropy[real];
    else
        d->one_each = false;
    if (node->op == &rg_op_softmax)
        d->fn = ((const rg_attr_softmax *)node->attr)->or_zero ? k->softmax_or_zero[real]
                                                               : k->softmax[real];
    if (node->op == &rg_op_log_softmax)
        d->fn = k->log_softmax[real];
}

static rg_status lower_last(rg_code *c, uint32_t id, const struct block *b)
{
    const rg_node *node = &c->p->node[id];
    rg_task *s = rg_task_new(c, run_parts, node->op->name, id, (size_t)node->n_in + 1,
                             sizeof(struct rows));
    if (!s)
        return rg_lower_no_memory(c);
    struct rows *d = (struct rows *)(uintptr_t)s->detail;
    pick_rows(d, node, c->p->real);
    d->item = rg_dtype_size(c->p->real);
    d->a = (rg_rows){ .rows = b->outer, .cols = b->n, .x_row = b->outer_step, .y_row = b->n };
    d->node = id;
    d->classes = b->n;
    d->rows_a_part = 1 + PIECE / (b->n + 1);
    s->parts = rg_div_up(b->outer, d->rows_a_part);
    s->n_in = node->n_in;
    s->n_out = 1;
    for (uint32_t k = 0; k < node->n_in; k++)
        s->arg[k] = rg_ref_of(c, node->in[k]);
    s->arg[node->n_in] = rg_ref_of(c, id);
    s->flop = (double)(b->outer * b->n) * (node->op == &rg_op_sum_over ? 1 : 10);
    s->bytes = (double)(b->outer * b->n * (d->one_each ? 1 : 2)) * (double)d->item;
    s->unit = 1 + (uint64_t)(s->flop / (double)s->parts / 8);
    rg_line *line = rg_task_rows(c, s, run_rows, b->outer);
    if (!line)
        return rg_lower_no_memory(c);
    const int64_t item = (int64_t)d->item, label = sizeof(int32_t);
    line[0] = (rg_line){ b->outer_step * item, b->n * item };
    line[s->n_in] = (rg_line){ (d->one_each ? 1 : b->n) * item, (d->one_each ? 1 : b->n) * item };
    if (s->n_in > 1)
        line[1] = (rg_line){ label, label };
    return RG_OK;
}

/* ---- Sums of rows: one for each column ------------------------------------------------------ */

struct columns {
    void    (*fn)(const rg_rows *a, int64_t c0, int64_t c1, const double *from, double *to);
    struct block b;
    size_t  item;
    int64_t parts_a_turn;
    int64_t first, row_step;  /* elements in front of the first row; from one to the next */
    bool    unfinished;       /* the result is where the sums stand */
};

static int run_columns(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct columns *d = s->detail;
    const int64_t item = (int64_t)d->item;
    (void)rank;
    for (; first < last; first++) {
        const int64_t turn = first / d->parts_a_turn, c0 = first % d->parts_a_turn * COLUMNS;
        const int64_t c1 = c0 + COLUMNS < d->b.inner ? c0 + COLUMNS : d->b.inner;
        char *y = (char *)rg_at(m, &s->arg[s->n_in]) + turn * d->b.inner * item;
        const rg_rows a = {
            .rows = d->b.n, .cols = d->b.inner, .x_row = d->row_step,
            .x = (const char *)rg_at(m, &s->arg[0]) + (turn * d->b.outer_step + d->first) * item,
            .y = y,
        };
        d->fn(&a, c0, c1, s->n_in > 1 ? rg_at(m, &s->arg[1]) : NULL,
              d->unfinished ? (double *)(void *)y : NULL);
    }
    return 0;
}

static int run_turns(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const int64_t parts = ((const struct columns *)s->detail)->parts_a_turn;
    return run_columns(m, s, first * parts, last * parts, rank);
}

static rg_status lower_columns(rg_code *c, uint32_t id, const struct block *b)
{
    const rg_node *node = &c->p->node[id];
    rg_task *s = rg_task_new(c, run_columns, "sum_columns", id, 3, sizeof(struct columns));
    if (!s)
        return rg_lower_no_memory(c);
    struct columns *d = (struct columns *)(uintptr_t)s->detail;
    *d = (struct columns){ rg_row_table(rg_cpu_isa())->column_sum[c->p->real], *b,
                           rg_dtype_size(c->p->real), rg_div_up(b->inner, COLUMNS), 0,
                           b->row_step,
                           node->op == &rg_op_sum_stretch &&
                               !((const rg_attr_stretch *)node->attr)->last };
    if (rg_sums_backwards(c->p, node)) {
        d->first = (b->n - 1) * b->row_step;
        d->row_step = -b->row_step;
    }
    s->parts = b->outer * d->parts_a_turn;
    s->n_in = node->n_in;
    s->n_out = 1;
    for (uint32_t k = 0; k < node->n_in; k++)
        s->arg[k] = rg_ref_of(c, node->in[k]);
    s->arg[node->n_in] = rg_ref_of(c, id);
    s->flop = (double)(b->outer * b->n * b->inner);
    s->bytes = s->flop * (double)d->item;
    s->unit = 1 + (uint64_t)(s->flop / (double)s->parts / 4);
    rg_line *line = node->op == &rg_op_sum_over ? rg_task_rows(c, s, run_turns, b->outer) : NULL;
    if (!line)
        return node->op == &rg_op_sum_over ? rg_lower_no_memory(c) : RG_OK;
    const int64_t item = (int64_t)d->item, last = (b->n - 1) * b->row_step + b->inner;
    if (b->row_step > 0)
        line[0] = (rg_line){ b->outer_step * item, last * item };
    line[1] = (rg_line){ b->inner * item, b->inner * item };
    return RG_OK;
}

bool rg_has_rows(const rg_prog *p, const rg_node *node)
{
    const rg_shape *x = p->node[node->in[0]].shape;
    const int axis = axis_of(node, x);
    return x->dim[axis] > 0 && (node->op == &rg_op_sum_over || node->op == &rg_op_sum_stretch ||
                                 rg_shape_inner(x, axis) == 1);
}

rg_status rg_lower_rows(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    const rg_shape *x = c->p->node[node->in[0]].shape;
    int64_t stride[RG_MAX_RANK];
    struct block b;
    rg_view_strides(stride, &c->view[node->in[0]], x);
    if (!rg_has_rows(c->p, node) || !block_of(&b, stride, x, axis_of(node, x)) ||
        (node->op == &rg_op_sum_stretch && b.inner == 1))
        return rg_lower_call(c, id);
    return b.inner > 1 ? lower_columns(c, id, &b) : lower_last(c, id, &b);
}

/* ---- Look-ups ------------------------------------------------------------------------------- */

struct lookup {
    int64_t  n, limit, width;  /* rows to fetch, rows of the table, elements of a row */
    size_t   item;
    rg_dtype real;
    int64_t  a_part;
    uint32_t node;
};

static int gather_rows(const rg_machine *m, const rg_task *s, int64_t i0, int64_t i1, int rank)
{
    const struct lookup *d = s->detail;
    const int32_t *row = rg_at(m, &s->arg[1]);
    if (!in_range(row + i0, i1 - i0, d->limit))
        return rg_fail_step(m, rank, d->node, 1);
    rg_gather_rows(rg_at(m, &s->arg[2]), rg_at(m, &s->arg[0]), row, (size_t)d->width * d->item, i0,
                   i1);
    return 0;
}

static int run_gather(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct lookup *d = s->detail;
    const int64_t end = last * d->a_part;
    return gather_rows(m, s, first * d->a_part, end < d->n ? end : d->n, rank);
}

/* Columns first .. last of all rows: first nothing, then what the rows bring, in their order. */
static int run_scatter(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct lookup *d = s->detail;
    const int32_t *row = rg_at(m, &s->arg[1]);
    const int64_t c0 = first * d->a_part, end = last * d->a_part;
    const int64_t c1 = end < d->width ? end : d->width;
    char *y = rg_at(m, &s->arg[2]);
    if (!in_range(row, d->n, d->limit))
        return rg_fail_step(m, rank, d->node, 1);
    for (int64_t r = 0; r < d->limit; r++)
        memset(y + (size_t)(r * d->width + c0) * d->item, 0, (size_t)(c1 - c0) * d->item);
    rg_scatter_add_rows(d->real, y, rg_at(m, &s->arg[0]), row, d->n, d->width, c0, c1);
    return 0;
}

static rg_task *lookup_step(rg_code *c, uint32_t id, rg_task_fn *run, struct lookup **detail)
{
    const rg_node *node = &c->p->node[id];
    rg_task *s = rg_task_new(c, run, node->op->name, id, 3, sizeof **detail);
    if (!s)
        return NULL;
    *detail = (struct lookup *)(uintptr_t)s->detail;
    **detail = (struct lookup){ .n = rg_shape_count(*c->p->node[node->in[1]].shape),
                                .item = rg_kind_size((rg_kind)node->kind, c->p->real),
                                .real = c->p->real, .node = id };
    s->n_in = 2;
    s->n_out = 1;
    s->arg[0] = rg_ref_of(c, node->in[0]);
    s->arg[1] = rg_ref_of(c, node->in[1]);
    s->arg[2] = rg_ref_of(c, id);
    return s;
}

rg_status rg_lower_gather(rg_code *c, uint32_t id)
{
    struct lookup *d;
    rg_task *s = lookup_step(c, id, run_gather, &d);
    if (!s)
        return rg_lower_no_memory(c);
    const rg_shape *table = c->p->node[c->p->node[id].in[0]].shape;
    d->limit = table->dim[0];
    d->width = rg_shape_inner(table, 0);
    d->a_part = 1 + PIECE / d->width;
    s->parts = rg_div_up(d->n, d->a_part);
    s->bytes = 2 * (double)(d->n * d->width) * (double)d->item;
    s->unit = 1 + (uint64_t)(s->bytes / (double)s->parts / 16);
    rg_line *line = rg_task_rows(c, s, gather_rows, d->n);
    if (!line)
        return rg_lower_no_memory(c);
    const int64_t width = d->width * (int64_t)d->item, index = sizeof(int32_t);
    line[1] = (rg_line){ index, index };
    line[2] = (rg_line){ width, width };
    return RG_OK;
}

rg_status rg_lower_scatter(rg_code *c, uint32_t id)
{
    struct lookup *d;
    rg_task *s = lookup_step(c, id, run_scatter, &d);
    if (!s)
        return rg_lower_no_memory(c);
    const rg_shape *y = c->p->node[id].shape;
    d->limit = y->dim[0];
    d->width = rg_shape_inner(y, 0);
    d->a_part = COLUMNS;
    s->parts = rg_div_up(d->width, d->a_part);
    s->flop = (double)(d->n * d->width);
    s->bytes = (3 * s->flop + (double)(d->limit * d->width)) * (double)d->item;
    s->unit = 1 + (uint64_t)(s->bytes / (double)s->parts / 16);
    return RG_OK;
}
