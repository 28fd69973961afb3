/* plan/passes/rules_stacks.c -- one normal form of stacks: rows are matrices, time is outermost.
 *
 * Arrays are row-major, so a concat along axis 0 is one array behind the other and a slice along
 * it a stretch of memory: both look through reshapes. Reshapes move outwards, slices inwards,
 * until the steps of a sequence are slices of one value and a stack of all of them is that value
 * again. */
#include "plan/passes/products.h"
#include "plan/passes/rules.h"

#include <string.h>

/* Elements of one index of axis 0; 0 for a scalar. */
static int64_t row_size(const rg_shape *s)
{
    return s->rank ? rg_shape_inner(s, 0) : 0;
}

uint32_t rg_fold_slice_reshape(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0);
    const rg_attr_slice *at = n->attr;
    if (x->op != &rg_op_reshape || at->axis != 0)
        return 0;
    const uint32_t base = x->in[0];
    const int64_t rows = row_size(x->shape), of = row_size(rg_built(b, base)->shape);
    if (of == 0 || at->begin * rows % of != 0 || at->end * rows % of != 0)
        return 0;
    const uint32_t part = rg_make_part(b, n, base, 0, at->begin * rows / of, at->end * rows / of);
    return part ? rg_rewrite_reshape(b, n, part) : 0;
}

/* What an operand of a concat along axis 0 is, apart from its shape. */
static uint32_t bare(const rg_builder *b, uint32_t id)
{
    const rg_node *x = rg_built(b, id);
    return x->op == &rg_op_reshape ? x->in[0] : id;
}

/* Do the rows of all operands look alike, once they are bare? *row is one of them. */
static bool rows_alike(const rg_builder *b, const rg_node *n, rg_shape *row)
{
    bool reshaped = false, known = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const rg_node *x = rg_built(b, bare(b, n->in[k]));
        reshaped |= x != rg_built(b, n->in[k]);
        if (x->op == &rg_op_full)
            continue;
        if (x->shape->rank == 0)
            return false;
        const rg_shape own = rg_shape_drop(*x->shape, 0);
        if (known && !rg_shape_equal(own, *row))
            return false;
        *row = own;
        known = true;
    }
    return reshaped && known;
}

/* The number operand k is, with rows of that shape; 0 if it does not come out even. */
static uint32_t number_rows(rg_builder *b, const rg_node *n, uint32_t id, const rg_shape *row)
{
    const rg_node *x = rg_built(b, id);
    const int64_t size = rg_shape_count(*row), all = rg_shape_count(*x->shape);
    if (size == 0 || all % size != 0)
        return 0;
    rg_attr_full attr;
    memset(&attr, 0, sizeof attr);
    attr.value = ((const rg_attr_full *)x->attr)->value;
    attr.sig.shape = rg_shape_insert(*row, 0, all / size);
    rg_node full = rg_builder_like(b, n, &rg_op_full, &attr, &attr.sig.shape, NULL, 0);
    return b->failed ? 0 : rg_builder_add(b, &full);
}

uint32_t rg_fold_concat_reshape(rg_builder *b, rg_node *n)
{
    rg_shape row = { .rank = 0 };
    if (((const rg_attr_axis *)n->attr)->axis != 0 || !rows_alike(b, n, &row))
        return 0;
    b->p->visits += n->n_in;
    uint32_t *part = rg_arena_get(&b->p->arena, n->n_in * sizeof *part);
    b->failed |= !part;
    for (uint32_t k = 0; k < n->n_in && !b->failed; k++) {
        part[k] = bare(b, n->in[k]);
        if (rg_built(b, part[k])->op == &rg_op_full &&
            !(part[k] = number_rows(b, n, part[k], &row)))
            return 0;
    }
    const uint32_t whole = b->failed ? 0 : rg_make_concat(b, n, part, n->n_in, 0);
    return whole ? rg_rewrite_reshape(b, n, whole) : 0;
}

/* Are all operands stacks along axis 0 with borders in the same places? */
static bool stacks_alike(rg_builder *b, const rg_node *n)
{
    const rg_node *first = rg_operand(b, n, 0);
    if (first->op != &rg_op_concat || ((const rg_attr_axis *)first->attr)->axis != 0)
        return false;
    for (uint32_t k = 1; k < n->n_in; k++) {
        const rg_node *x = rg_operand(b, n, k);
        if (x->op != &rg_op_concat || ((const rg_attr_axis *)x->attr)->axis != 0 ||
            x->n_in != first->n_in)
            return false;
    }
    b->p->visits += (uint64_t)n->n_in * first->n_in;
    for (uint32_t i = 0; i < first->n_in; i++)
        for (uint32_t k = 1; k < n->n_in; k++)
            if (rg_built(b, rg_operand(b, n, k)->in[i])->shape->dim[0] !=
                rg_built(b, first->in[i])->shape->dim[0])
                return false;
    return true;
}

uint32_t rg_fold_concat_columns(rg_builder *b, rg_node *n)
{
    const int axis = ((const rg_attr_axis *)n->attr)->axis;
    if (axis == 0 || !stacks_alike(b, n))
        return 0;
    const uint32_t steps = rg_operand(b, n, 0)->n_in, columns = n->n_in;
    uint32_t *part = rg_arena_get(&b->p->arena, columns * sizeof *part);
    uint32_t *row = rg_arena_get(&b->p->arena, steps * sizeof *row);
    b->failed |= !part || !row;
    for (uint32_t i = 0; i < steps && !b->failed; i++) {
        for (uint32_t k = 0; k < columns; k++)
            part[k] = rg_operand(b, n, k)->in[i];
        row[i] = rg_make_concat(b, n, part, columns, axis);
    }
    return b->failed ? 0 : rg_make_concat(b, n, row, steps, 0);
}

/* Equal columns of distinct values, stacked: columns of their stack. Only once sums are joined, or
 * `split` would not find its parts. */
uint32_t rg_fold_concat_slices(rg_builder *b, rg_node *n)
{
    const rg_node *first = rg_operand(b, n, 0);
    const rg_attr_slice *at = first->attr;
    if (!b->p->joined || ((const rg_attr_axis *)n->attr)->axis != 0 || first->op != &rg_op_slice ||
        at->axis == 0 || n->n_in < 2)
        return 0;
    b->p->visits += n->n_in;
    for (uint32_t k = 1; k < n->n_in; k++) {
        const rg_node *x = rg_operand(b, n, k);
        if (x->op != &rg_op_slice || memcmp(x->attr, at, sizeof *at) != 0 ||
            x->in[0] == rg_operand(b, n, k - 1)->in[0] ||
            !rg_shape_equal(*rg_built(b, x->in[0])->shape, *rg_built(b, first->in[0])->shape))
            return 0;
    }
    uint32_t *part = rg_arena_get(&b->p->arena, n->n_in * sizeof *part);
    b->failed |= !part;
    for (uint32_t k = 0; k < n->n_in && !b->failed; k++)
        part[k] = rg_operand(b, n, k)->in[0];
    const uint32_t whole = b->failed ? 0 : rg_make_concat(b, n, part, n->n_in, 0);
    return whole ? rg_rewrite(b, n, &rg_op_slice, at, 1, whole, 0, 0) : 0;
}

/* While `split` runs: the sum of two concats with borders in the same places is the concat of
 * sums. */
uint32_t rg_fold_add_concats(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0), *y = rg_operand(b, n, 1);
    if (!b->p->lift || x->op != &rg_op_concat || y->op != &rg_op_concat || x->n_in != y->n_in ||
        memcmp(x->attr, y->attr, sizeof(rg_attr_axis)) != 0)
        return 0;
    const int axis = ((const rg_attr_axis *)x->attr)->axis;
    const uint32_t count = x->n_in, *left = x->in, *right = y->in;
    uint32_t *part = rg_arena_get(&b->p->arena, count * sizeof *part);
    b->failed |= !part;
    b->p->visits += count;
    for (uint32_t k = 0; k < count && !b->failed; k++)
        if (!rg_shape_equal(*rg_built(b, left[k])->shape, *rg_built(b, right[k])->shape))
            return 0;
    for (uint32_t k = 0; k < count && !b->failed; k++) {
        const uint32_t in[2] = { left[k], right[k] };
        part[k] = rg_make(b, n, &rg_op_add, NULL, in, 2);
    }
    return b->failed ? 0 : rg_make_concat(b, n, part, count, axis);
}

/* Sums over directions meet behind the reshapes of their steps. */
uint32_t rg_fold_add_reshapes(rg_builder *b, rg_node *n)
{
    const rg_node *x = rg_operand(b, n, 0), *y = rg_operand(b, n, 1);
    if (x->op != &rg_op_reshape || y->op != &rg_op_reshape ||
        !rg_shape_equal(*x->shape, *y->shape) ||
        !rg_shape_equal(*rg_built(b, x->in[0])->shape, *rg_built(b, y->in[0])->shape))
        return 0;
    const uint32_t in[2] = { x->in[0], y->in[0] };
    const uint32_t sum = rg_make(b, n, &rg_op_add, NULL, in, 2);
    return sum ? rg_rewrite_reshape(b, n, sum) : 0;
}

/* ---- Rows of higher rank are matrices -------------------------------------------------------- */

/* x as a matrix of its last axis. */
static uint32_t as_matrix(rg_builder *b, const rg_node *n, uint32_t x)
{
    const rg_shape *s = rg_built(b, x)->shape;
    const rg_shape flat = RG_SHAPE(rg_shape_outer(s, s->rank - 1), s->dim[s->rank - 1]);
    return rg_make_reshape(b, n, x, &flat);
}

uint32_t rg_fold_matmul_rows(rg_builder *b, rg_node *n)
{
    if (n->shape->rank < 3 || rg_operand(b, n, 1)->shape->rank != 2 ||
        ((const rg_attr_matmul *)n->attr)->transpose_a)
        return 0;
    const uint32_t in[2] = { as_matrix(b, n, n->in[0]), n->in[1] };
    const uint32_t y = in[0] ? rg_make(b, n, &rg_op_matmul, n->attr, in, 2) : 0;
    return y ? rg_rewrite_reshape(b, n, y) : 0;
}

uint32_t rg_fold_gather_rows(rg_builder *b, rg_node *n)
{
    const rg_shape *ids = rg_operand(b, n, 1)->shape;
    if (ids->rank < 2 || rg_operand(b, n, 0)->shape->rank != 2)
        return 0;
    const rg_shape flat = RG_SHAPE(rg_shape_count(*ids));
    const uint32_t in[2] = { n->in[0], rg_make_reshape(b, n, n->in[1], &flat) };
    const uint32_t y = in[1] ? rg_make(b, n, &rg_op_gather, NULL, in, 2) : 0;
    return y ? rg_rewrite_reshape(b, n, y) : 0;
}

uint32_t rg_fold_scatter_rows(rg_builder *b, rg_node *n)
{
    const rg_shape *ids = rg_operand(b, n, 1)->shape;
    if (ids->rank < 2 || n->shape->rank != 2)
        return 0;
    const rg_shape flat = RG_SHAPE(rg_shape_count(*ids));
    const uint32_t x = as_matrix(b, n, n->in[0]);
    const uint32_t rows = rg_make_reshape(b, n, n->in[1], &flat);
    return x && rows ? rg_rewrite(b, n, &rg_op_scatter_add, n->attr, 2, x, rows, 0) : 0;
}
