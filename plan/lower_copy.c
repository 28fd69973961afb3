/* plan/lower_copy.c -- steps that move elements: parts of a concat, views that strides cannot
 * do. */
#include "plan/lower.h"

#include "base/checked.h"
#include "kernels/rows.h"
#include "ops/ops.h"

#include <string.h>

/* rows x cols elements at a time, cut by rows, or by columns of all rows where these are few. */
struct detail {
    rg_copy copy;
    rg_nest nest;  /* [0] destination, [1] source */
    int64_t rows, a_part, parts_a_turn;
    bool    by_cols;
};

/* Rows, or columns of all rows, begin .. end of a turn. */
static void run_turn(const rg_machine *m, const rg_task *s, int64_t turn, bool cols, int64_t begin,
                     int64_t end)
{
    const struct detail *d = s->detail;
    const int64_t item = (int64_t)d->copy.item;
    char *to = (char *)rg_at(m, &s->arg[1]) + rg_nest_offset(&d->nest, 0, turn) * item;
    const char *from = (const char *)rg_at(m, &s->arg[0]) +
                       rg_nest_offset(&d->nest, 1, turn) * item;
    rg_copy copy = d->copy;
    if (!cols) {
        rg_copy_rows(&copy, to, from, begin, end);
        return;
    }
    copy.cols = end - begin;
    rg_copy_rows(&copy, to + begin * copy.dst_col * item, from + begin * copy.src_col * item, 0,
                 d->rows);
}

/* Neighbouring parts of a turn run as one. */
static int run_copy(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct detail *d = s->detail;
    const int64_t all = d->by_cols ? d->copy.cols : d->rows;
    (void)rank;
    while (first < last) {
        const int64_t part = first % d->parts_a_turn, left = d->parts_a_turn - part;
        const int64_t n = last - first < left ? last - first : left;
        const int64_t end = (part + n) * d->a_part;
        run_turn(m, s, first / d->parts_a_turn, d->by_cols, part * d->a_part,
                 end < all ? end : all);
        first += n;
    }
    return 0;
}

static int run_copy_rows(const rg_machine *m, const rg_task *s, int64_t first, int64_t last,
                         int rank)
{
    const struct detail *d = s->detail;
    const int64_t turns = rg_nest_outer(&d->nest) / s->rows;
    (void)rank;
    if (d->nest.rank == 2)
        run_turn(m, s, 0, d->rows == 1, first, last);
    else
        for (int64_t turn = first * turns; turn < last * turns; turn++)
            run_turn(m, s, turn, false, 0, d->rows);
    return 0;
}

static rg_share share_of(const rg_task *s, uint32_t k)
{
    const struct detail *d = s->detail;
    return rg_nest_share(&d->nest, 1 - k, d->copy.item, d->by_cols, d->a_part);
}

enum { PIECE = 4096 };  /* elements of a part, where it is no block of columns */

static void set_detail(struct detail *d, rg_task *s, int64_t *stride, const rg_shape *shape,
                       size_t item)
{
    d->nest = (rg_nest){ .stride = stride, .n = 2 };
    rg_nest_simplify(&d->nest, shape);
    const int64_t *to = stride + d->nest.rank - 2, *from = to + RG_MAX_RANK;
    const int64_t cols = d->nest.dim[d->nest.rank - 1];
    d->rows = d->nest.dim[d->nest.rank - 2];
    d->by_cols = d->rows == 1 || (d->nest.rank == 2 && d->rows <= RG_FEW_ROWS &&
                                  cols >= 2 * RG_BLOCK);
    s->blocks = d->by_cols && d->nest.rank == 2 && cols <= PIECE;
    d->a_part = s->blocks ? RG_BLOCK : d->by_cols ? PIECE : 1 + PIECE / cols;
    d->parts_a_turn = rg_div_up(d->by_cols ? cols : d->rows, d->a_part);
    s->share = share_of;
    d->copy = (rg_copy){ item, cols, to[0], to[1], from[0], from[1] };
    s->parts = rg_nest_outer(&d->nest) * d->parts_a_turn;
    s->bytes = 2 * (double)rg_shape_count(*shape) * (double)item;
    s->unit = 1 + (uint64_t)(s->bytes / (double)s->parts / 32);
}

/* Copy elements of @p shape that belong to value @p from, on behalf of @p node. */
static rg_status copy(rg_code *c, uint32_t node, const rg_shape *shape, uint32_t from,
                      const rg_layout *source, const rg_layout *to)
{
    const size_t item = rg_kind_size((rg_kind)c->p->node[node].kind, c->p->real);
    rg_task *s = rg_task_new(c, run_copy, "copy", node, 2, sizeof(struct detail));
    int64_t *stride = rg_arena_get(c->arena, 2 * RG_MAX_RANK * sizeof *stride);
    if (!s || !stride)
        return rg_lower_no_memory(c);
    memcpy(stride, to->stride, sizeof to->stride);
    memcpy(stride + RG_MAX_RANK, source->stride, sizeof source->stride);
    s->shape = shape;
    s->n_in = s->n_out = 1;
    s->arg[0] = rg_ref_of(c, from);
    s->arg[0].offset = (size_t)source->offset * item;
    s->arg[1] = (rg_ref){ c->view[node].base, (size_t)to->offset * item };
    struct detail *d = (struct detail *)(uintptr_t)s->detail;
    set_detail(d, s, stride, shape, item);
    rg_line *line = rg_task_rows(c, s, run_copy_rows, rg_nest_rows(&d->nest));
    if (!line)
        return rg_lower_no_memory(c);
    line[0] = rg_nest_line(&d->nest, 1, item);
    line[1] = rg_nest_line(&d->nest, 0, item);
    return RG_OK;
}

rg_status rg_lower_concat(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    rg_layout at = rg_layout_of(c, id);
    rg_status st = RG_OK;
    if (c->window[id])
        return st;
    for (uint32_t k = 0; k < node->n_in && !st; rg_slot_next(c, id, k++, &at)) {
        const rg_layout from = rg_layout_of(c, node->in[k]);
        if (!rg_slot_holds(c, id, k, &at))
            st = copy(c, id, c->p->node[node->in[k]].shape, node->in[k], &from, &at);
    }
    return st;
}

rg_status rg_lower_fill(rg_code *c, const rg_fill *fill)
{
    const rg_shape *shape = c->p->node[fill->value].shape;
    const rg_layout from = rg_layout_of(c, fill->value);
    rg_layout to = { .offset = fill->offset };
    rg_shape_strides(to.stride, shape, shape);
    rg_status st = copy(c, fill->value, shape, fill->value, &from, &to);
    if (st)
        return st;
    rg_task *s = &c->step[c->n_step - 1];
    s->arg[1].base = fill->buffer;
    s->interval = c->buffer[fill->buffer].birth;
    return RG_OK;
}

/* A reshape is copied in its operand's shape, to where the result lies dense; other views in their
 * own. */
rg_status rg_lower_view(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    const rg_shape *shape = node->shape;
    rg_layout from = rg_layout_of(c, node->in[0]), to = rg_layout_of(c, id);
    if (node->op == &rg_op_reshape) {
        shape = c->p->node[node->in[0]].shape;
        rg_shape_strides(to.stride, shape, shape);
        for (int i = 0; i < shape->rank; i++)
            if (shape->dim[i] == 1)
                to.stride[i] = 0;
    } else {
        (void)rg_layout_of_view(c, node, &from);
    }
    return copy(c, id, shape, node->in[0], &from, &to);
}
