/* plan/nest.c -- several strided arrays of one shape as few loops. */
#include "plan/lower.h"

static int64_t *stride_of(const rg_nest *nest, size_t a)
{
    return nest->stride + a * RG_MAX_RANK;
}

/* Does axis `from` of the shape continue loop k in every array? */
static bool continues(const rg_nest *nest, int k, int from, int64_t extent)
{
    for (size_t a = 0; a < nest->n; a++)
        if (stride_of(nest, a)[k] != stride_of(nest, a)[from] * extent)
            return false;
    return true;
}

static void set_axis(rg_nest *nest, int k, int from)
{
    for (size_t a = 0; a < nest->n; a++)
        stride_of(nest, a)[k] = stride_of(nest, a)[from];
}

void rg_nest_simplify(rg_nest *nest, const rg_shape *shape)
{
    int n = 0;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == 1)
            continue;
        const bool alone = nest->rows && i == shape->rank - 1;
        if (n && !alone && continues(nest, n - 1, i, shape->dim[i])) {
            nest->dim[n - 1] *= shape->dim[i];
            set_axis(nest, n - 1, i);
            continue;
        }
        nest->dim[n] = shape->dim[i];
        set_axis(nest, n++, i);
    }
    for (; n < 2; n++) {
        for (size_t a = 0; a < nest->n; a++) {
            stride_of(nest, a)[1] = n ? stride_of(nest, a)[0] : 1;
            stride_of(nest, a)[0] = 0;
        }
        nest->dim[1] = n ? nest->dim[0] : 1;
        nest->dim[0] = 1;
    }
    nest->rank = n;
}

int64_t rg_nest_outer(const rg_nest *nest)
{
    int64_t n = 1;
    for (int k = 0; k + 2 < nest->rank; k++)
        n *= nest->dim[k];
    return n;
}

int64_t rg_nest_offset(const rg_nest *nest, size_t a, int64_t i)
{
    int64_t at = 0;
    for (int k = nest->rank - 2; k-- > 0; i /= nest->dim[k])
        at += i % nest->dim[k] * stride_of(nest, a)[k];
    return at;
}

static int row_axis(const rg_nest *nest)
{
    return nest->rank == 2 && nest->dim[0] == 1 && !nest->rows;
}

int64_t rg_nest_rows(const rg_nest *nest)
{
    return nest->dim[row_axis(nest)];
}

rg_line rg_nest_line(const rg_nest *nest, size_t a, size_t item)
{
    const int64_t *stride = stride_of(nest, a);
    int64_t width = 1;
    for (int k = row_axis(nest) + 1; k < nest->rank; k++) {
        if (stride[k] < 0)
            return (rg_line){ 0, 0 };
        width += (nest->dim[k] - 1) * stride[k];
    }
    return (rg_line){ stride[row_axis(nest)] * (int64_t)item, width * (int64_t)item };
}

rg_share rg_nest_share(const rg_nest *nest, size_t a, size_t item, bool by_cols, int64_t a_part)
{
    const int64_t rows = nest->dim[0], cols = nest->dim[1], size = (int64_t)item;
    const int64_t row = stride_of(nest, a)[0], col = stride_of(nest, a)[1];
    const int64_t width = (cols - 1) * col + 1;
    if (nest->rank != 2 || row < 0 || col < 0)
        return (rg_share){ .pitch = 0 };
    const int64_t bytes = ((rows - 1) * row + width) * size;
    if (!by_cols)
        return (rg_share){ width <= row ? a_part * row * size : 0, 0, bytes };
    if (col != 1 || (rows > 1 && row && row < cols))
        return (rg_share){ 0, 0, bytes };
    return (rg_share){ a_part * size, rows > 1 ? row * size : 0, bytes };
}
