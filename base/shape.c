/* base/shape.c -- shapes and checked sizes. */
#include "base/shape.h"

#include "base/checked.h"
#include "base/index.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

rg_status rg_numel(const rg_shape *shape, int64_t *out)
{
    int64_t n = 1;
    bool empty = false;
    if (shape->rank < 0 || shape->rank > RG_MAX_RANK)
        return RG_ELIMIT;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return RG_ESHAPE;
        if (shape->dim[i] >= RG_MAX_DIM)
            return RG_ELIMIT;
        if (shape->dim[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(n, shape->dim[i], &n) || n >= RG_MAX_DIM)
            return RG_ELIMIT;
    }
    *out = empty ? 0 : n;
    return RG_OK;
}

rg_status rg_bytes(int64_t numel, size_t item, size_t *out)
{
    int64_t bytes;
    if (numel < 0 || __builtin_mul_overflow(numel, (int64_t)item, &bytes) || bytes >= RG_MAX_BYTES)
        return RG_ELIMIT;
    *out = (size_t)bytes;
    return RG_OK;
}

rg_status rg_blas_int(int64_t extent, int *out)
{
    if (extent < 1 || extent > INT_MAX)
        return RG_ELIMIT;
    *out = (int)extent;
    return RG_OK;
}

int rg_axis(int axis, int32_t rank)
{
    if (axis < 0)
        axis += rank;
    return axis >= 0 && axis < rank ? axis : -1;
}

size_t rg_dtype_size(rg_dtype dtype)
{
    static const size_t size[] = { [RG_F32] = 4, [RG_F64] = 8, [RG_I32] = 4, [RG_I64] = 8,
                                   [RG_U8] = 1 };
    return size[dtype];
}

rg_dtype rg_kind_dtype(rg_kind kind, rg_dtype real)
{
    return kind == RG_F ? real : kind == RG_INT ? RG_I32 : RG_U8;
}

size_t rg_kind_size(rg_kind kind, rg_dtype real)
{
    return rg_dtype_size(rg_kind_dtype(kind, real));
}

bool rg_shape_equal(rg_shape a, rg_shape b)
{
    if (a.rank != b.rank || a.rank < 0 || a.rank > RG_MAX_RANK)
        return false;
    return a.rank == 0 || memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim) == 0;
}

const rg_shape *rg_shapes_keep(rg_shapes *s, rg_arena *arena, const rg_shape *shape)
{
    const uint64_t hash = rg_hash_bytes((uint64_t)shape->rank, shape->dim,
                                        (size_t)shape->rank * sizeof *shape->dim);
    const rg_shape **kept = &s->kept[hash % RG_SHAPES_KEPT];
    if (!*kept || !rg_shape_equal(**kept, *shape)) {
        rg_shape *copy = rg_arena_get(arena, sizeof *copy);
        if (copy)
            *copy = *shape;
        *kept = copy;
    }
    return *kept;
}

int64_t rg_shape_count(rg_shape s)
{
    int64_t n;
    return rg_numel(&s, &n) == RG_OK ? n : -1;
}

const char *rg_shape_text(char text[RG_SHAPE_TEXT], const rg_shape *shape)
{
    int at = 0;
    if (shape->rank < 0 || shape->rank > RG_MAX_RANK) {
        (void)snprintf(text, RG_SHAPE_TEXT, "inert");
        return text;
    }
    text[at++] = '[';
    for (int i = 0; i < shape->rank; i++)
        at += snprintf(text + at, (size_t)(RG_SHAPE_TEXT - at), "%s%lld", i ? "," : "",
                       (long long)shape->dim[i]);
    (void)snprintf(text + at, (size_t)(RG_SHAPE_TEXT - at), "]");
    return text;
}

const char *rg_kind_text(rg_kind kind)
{
    return kind == RG_F ? "real" : kind == RG_INT ? "int" : kind == RG_BOOL ? "bool" : "unknown";
}

const char *rg_dtype_text(rg_dtype dtype)
{
    static const char *const text[] = { [RG_F32] = "f32", [RG_F64] = "f64", [RG_I32] = "i32",
                                        [RG_I64] = "i64", [RG_U8] = "u8" };
    return (unsigned)dtype < sizeof text / sizeof *text ? text[dtype] : "unknown";
}

/* Extent of axis i counted from the right; 1 beyond the left end. */
static int64_t from_right(const rg_shape *s, int i)
{
    return i < s->rank ? s->dim[s->rank - 1 - i] : 1;
}

bool rg_shape_broadcast(rg_shape *out, const rg_shape *a, const rg_shape *b)
{
    rg_shape r = { .rank = a->rank > b->rank ? a->rank : b->rank };
    for (int i = 0; i < r.rank; i++) {
        int64_t m = from_right(a, i), n = from_right(b, i);
        if (m != n && m != 1 && n != 1)
            return false;
        r.dim[r.rank - 1 - i] = m == 1 ? n : m;
    }
    *out = r;
    return true;
}

bool rg_shape_expands(const rg_shape *from, const rg_shape *to)
{
    rg_shape both;
    return rg_shape_broadcast(&both, from, to) && rg_shape_equal(both, *to);
}

void rg_shape_strides(int64_t stride[RG_MAX_RANK], const rg_shape *from, const rg_shape *to)
{
    int64_t step = 1;
    for (int i = 0; i < to->rank; i++) {
        int64_t extent = from_right(from, i);
        stride[to->rank - 1 - i] = extent == 1 ? 0 : step;
        step *= extent;
    }
}

void rg_shape_spread(void *out, const void *in, const rg_shape *from, const rg_shape *to,
                     size_t item)
{
    int64_t stride[RG_MAX_RANK], at[RG_MAX_RANK] = { 0 }, n = rg_shape_count(*to), where = 0;
    rg_shape_strides(stride, from, to);
    for (int64_t i = 0; i < n; i++) {
        memcpy((char *)out + (size_t)i * item, (const char *)in + (size_t)where * item, item);
        for (int k = to->rank; k-- > 0;) {
            where += stride[k];
            if (++at[k] < to->dim[k])
                break;
            where -= stride[k] * to->dim[k];
            at[k] = 0;
        }
    }
}

rg_shape rg_shape_drop(rg_shape s, int axis)
{
    for (int i = axis; i + 1 < s.rank; i++)
        s.dim[i] = s.dim[i + 1];
    s.dim[--s.rank] = 0;
    return s;
}

rg_shape rg_shape_insert(rg_shape s, int axis, int64_t extent)
{
    for (int i = s.rank; i > axis; i--)
        s.dim[i] = s.dim[i - 1];
    s.dim[axis] = extent;
    s.rank++;
    return s;
}

rg_shape rg_shape_with(rg_shape s, int axis, int64_t extent)
{
    s.dim[axis] = extent;
    return s;
}

int64_t rg_shape_outer(const rg_shape *s, int axis)
{
    int64_t n = 1;
    for (int i = 0; i < axis; i++)
        n *= s->dim[i];
    return n;
}

int64_t rg_shape_inner(const rg_shape *s, int axis)
{
    int64_t n = 1;
    for (int i = axis + 1; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}
