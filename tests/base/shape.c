/* tests/base/shape.c -- shapes, and sizes on both sides of each cap. */
#include "tests/rgt.h"

#include "base/checked.h"
#include "base/shape.h"

#include <limits.h>
#include <string.h>

static rg_status numel(rg_shape s, int64_t *n)
{
    *n = -7;
    return rg_numel(&s, n);
}

RGT_TEST(shape, counts_are_products)
{
    int64_t n;
    RGT_CHECK(numel(RG_SCALAR, &n) == RG_OK && n == 1);
    RGT_CHECK(numel(RG_SHAPE(7), &n) == RG_OK && n == 7);
    RGT_CHECK(numel(RG_SHAPE(2, 3, 5), &n) == RG_OK && n == 30);
    RGT_CHECK(numel(RG_SHAPE(2, 0, 5), &n) == RG_OK && n == 0);
    RGT_CHECK(numel(RG_SHAPE(1, 2, 3, 1, 2, 3, 1, 2), &n) == RG_OK && n == 72);
}

RGT_TEST(shape, caps_hold_on_both_sides)
{
    const int64_t cap = INT64_C(1) << 48, root = INT64_C(1) << 24;
    int64_t n;
    RGT_CHECK(numel(RG_SHAPE(cap - 1), &n) == RG_OK && n == cap - 1);
    RGT_CHECK(numel(RG_SHAPE(cap), &n) == RG_ELIMIT && n == -7);
    RGT_CHECK(numel(RG_SHAPE(root, root - 1), &n) == RG_OK && n == root * (root - 1));
    RGT_CHECK(numel(RG_SHAPE(root, root), &n) == RG_ELIMIT);
    RGT_CHECK(numel(RG_SHAPE(INT64_MAX, INT64_MAX), &n) == RG_ELIMIT);
    RGT_CHECK(numel(RG_SHAPE(cap - 1, cap - 1, cap - 1), &n) == RG_ELIMIT);
    RGT_CHECK(numel((rg_shape){ .rank = 8 }, &n) == RG_OK && n == 0);
    RGT_CHECK(numel((rg_shape){ .rank = 9 }, &n) == RG_ELIMIT);
    RGT_CHECK(numel((rg_shape){ .rank = -1 }, &n) == RG_ELIMIT);
}

RGT_TEST(shape, an_empty_extent_hides_no_overflow_and_no_negative)
{
    const int64_t root = INT64_C(1) << 24;
    int64_t n;
    RGT_CHECK(numel(RG_SHAPE(0, root, root), &n) == RG_ELIMIT);
    RGT_CHECK(numel(RG_SHAPE(root, 0, root), &n) == RG_ELIMIT);
    RGT_CHECK(numel(RG_SHAPE(0, -1), &n) == RG_ESHAPE);
    RGT_CHECK(numel(RG_SHAPE(-1, 0), &n) == RG_ESHAPE);
    RGT_CHECK(numel(RG_SHAPE(INT64_MIN), &n) == RG_ESHAPE);
}

RGT_TEST(shape, the_public_count_is_minus_one_where_there_is_none)
{
    RGT_CHECK(rg_shape_count(RG_SCALAR) == 1);
    RGT_CHECK(rg_shape_count(RG_SHAPE(4, 5)) == 20);
    RGT_CHECK(rg_shape_count(RG_SHAPE(4, -5)) == -1);
    RGT_CHECK(rg_shape_count(RG_SHAPE(INT64_MAX, 2)) == -1);
    RGT_CHECK(rg_shape_count((rg_shape){ .rank = -1 }) == -1);
}

RGT_TEST(shape, bytes_stay_below_their_cap)
{
    const int64_t cap = INT64_C(1) << 47;
    size_t bytes = 3;
    RGT_CHECK(rg_bytes(0, 8, &bytes) == RG_OK && bytes == 0);
    RGT_CHECK(rg_bytes(cap - 1, 1, &bytes) == RG_OK && bytes == (size_t)cap - 1);
    RGT_CHECK(rg_bytes(cap, 1, &bytes) == RG_ELIMIT);
    RGT_CHECK(rg_bytes(cap / 8 - 1, 8, &bytes) == RG_OK && bytes == (size_t)cap - 8);
    RGT_CHECK(rg_bytes(cap / 8, 8, &bytes) == RG_ELIMIT);
    RGT_CHECK(rg_bytes(INT64_MAX, 8, &bytes) == RG_ELIMIT);
    RGT_CHECK(rg_bytes(-1, 8, &bytes) == RG_ELIMIT);
}

RGT_TEST(shape, blas_gets_extents_from_one_to_its_int)
{
    int n = 0;
    RGT_CHECK(rg_blas_int(0, &n) == RG_ELIMIT && rg_blas_int(-1, &n) == RG_ELIMIT);
    RGT_CHECK(rg_blas_int(1, &n) == RG_OK && n == 1);
    RGT_CHECK(rg_blas_int(INT_MAX, &n) == RG_OK && n == INT_MAX);
    RGT_CHECK(rg_blas_int((int64_t)INT_MAX + 1, &n) == RG_ELIMIT);
}

RGT_TEST(shape, sizes_add_and_multiply_or_say_no)
{
    size_t n = 0;
    RGT_CHECK(rg_add_size(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    RGT_CHECK(!rg_add_size(SIZE_MAX, 1, &n));
    RGT_CHECK(rg_mul_size(SIZE_MAX / 3, 3, &n) && n == SIZE_MAX / 3 * 3);
    RGT_CHECK(!rg_mul_size(SIZE_MAX / 3 + 1, 3, &n));
}

RGT_TEST(shape, axes_count_from_both_ends)
{
    RGT_CHECK(rg_axis(0, 3) == 0 && rg_axis(2, 3) == 2 && rg_axis(3, 3) == -1);
    RGT_CHECK(rg_axis(-1, 3) == 2 && rg_axis(-3, 3) == 0 && rg_axis(-4, 3) == -1);
    RGT_CHECK(rg_axis(0, 0) == -1 && rg_axis(-1, 0) == -1);
    RGT_CHECK(rg_axis(INT_MIN, 8) == -1 && rg_axis(INT_MAX, 8) == -1);
}

RGT_TEST(shape, element_sizes_follow_kind_and_precision)
{
    RGT_CHECK(rg_kind_size(RG_F, RG_F32) == 4 && rg_kind_size(RG_F, RG_F64) == 8);
    RGT_CHECK(rg_kind_size(RG_INT, RG_F64) == 4 && rg_kind_size(RG_BOOL, RG_F64) == 1);
    RGT_CHECK(rg_dtype_size(RG_I64) == 8 && rg_dtype_size(RG_U8) == 1);
    RGT_CHECK(strcmp(rg_dtype_text(RG_I64), "i64") == 0);
    RGT_CHECK(strcmp(rg_dtype_text((rg_dtype)99), "unknown") == 0);
    RGT_CHECK(strcmp(rg_kind_text(RG_BOOL), "bool") == 0);
    RGT_CHECK(strcmp(rg_kind_text((rg_kind)99), "unknown") == 0);
}

RGT_TEST(shape, kept_shapes_are_shared_and_never_changed)
{
    static rg_shapes kept;
    const rg_shape *first[400];
    rgt_alloc memory = { 0 };
    rg_alloc alloc = rgt_hooks(&memory);
    rg_arena arena;
    rg_arena_init(&arena, &alloc);
    const rg_shape four = RG_SHAPE(4, 0);
    memory.fail_at = memory.calls + 1;
    RGT_CHECK(!rg_shapes_keep(&kept, &arena, &four));
    memory.fail_at = 0;
    for (int64_t i = 0; i < 400; i++) { /* more than are kept: some give way */
        const rg_shape s = RG_SHAPE(4, i), again = s;
        first[i] = rg_shapes_keep(&kept, &arena, &s);
        RGT_CHECK(first[i] && first[i] == rg_shapes_keep(&kept, &arena, &again));
    }
    for (int64_t i = 0; i < 400; i++)
        RGT_CHECK(rg_shape_equal(*first[i], RG_SHAPE(4, i)));
    const rg_shape flat = RG_SHAPE(399 * 4), scalar = RG_SCALAR;
    RGT_CHECK(rg_shapes_keep(&kept, &arena, &flat) != first[399]);
    RGT_CHECK(rg_shapes_keep(&kept, &arena, &scalar)->rank == 0);
    rg_arena_free(&arena);
    RGT_CHECK(memory.live == 0);
}

RGT_TEST(shape, equality_looks_at_the_extents_in_use_only)
{
    rg_shape a = RG_SHAPE(2, 3), b = a;
    b.dim[5] = 99;
    RGT_CHECK(rg_shape_equal(a, b));
    b.dim[1] = 4;
    RGT_CHECK(!rg_shape_equal(a, b));
    RGT_CHECK(!rg_shape_equal(RG_SHAPE(1), RG_SCALAR) && rg_shape_equal(RG_SCALAR, RG_SCALAR));
    rg_shape inert = { .rank = -1 };
    RGT_CHECK(!rg_shape_equal(inert, inert));
}

RGT_TEST(shape, text_is_brackets)
{
    char text[RG_SHAPE_TEXT];
    RGT_CHECK(strcmp(rg_shape_text(text, &RG_SCALAR), "[]") == 0);
    RGT_CHECK(strcmp(rg_shape_text(text, &RG_SHAPE(16, 64)), "[16,64]") == 0);
    RGT_CHECK(strcmp(rg_shape_text(text, &(rg_shape){ .rank = -1 }), "inert") == 0);
    rg_shape longest = { .rank = 8 };
    for (int i = 0; i < 8; i++)
        longest.dim[i] = INT64_MIN;
    RGT_CHECK(strlen(rg_shape_text(text, &longest)) == 8 * 20 + 7 + 2);
}

static bool broadcasts(rg_shape a, rg_shape b, rg_shape want)
{
    rg_shape ab, ba;
    return rg_shape_broadcast(&ab, &a, &b) && rg_shape_broadcast(&ba, &b, &a) &&
           rg_shape_equal(ab, want) && rg_shape_equal(ba, want);
}

RGT_TEST(shape, broadcasting_is_from_the_right_and_on_both_sides)
{
    rg_shape out;
    RGT_CHECK(broadcasts(RG_SCALAR, RG_SHAPE(3), RG_SHAPE(3)));
    RGT_CHECK(broadcasts(RG_SHAPE(2, 3), RG_SHAPE(3), RG_SHAPE(2, 3)));
    RGT_CHECK(broadcasts(RG_SHAPE(2, 1), RG_SHAPE(1, 3), RG_SHAPE(2, 3)));
    RGT_CHECK(broadcasts(RG_SHAPE(5, 1, 4), RG_SHAPE(3, 1), RG_SHAPE(5, 3, 4)));
    RGT_CHECK(broadcasts(RG_SHAPE(0, 3), RG_SHAPE(1, 3), RG_SHAPE(0, 3)));
    RGT_CHECK(!rg_shape_broadcast(&out, &RG_SHAPE(2, 3), &RG_SHAPE(2)));
    RGT_CHECK(!rg_shape_broadcast(&out, &RG_SHAPE(0), &RG_SHAPE(2)));
    RGT_CHECK(rg_shape_expands(&RG_SHAPE(1, 3), &RG_SHAPE(4, 2, 3)));
    RGT_CHECK(!rg_shape_expands(&RG_SHAPE(4, 2, 3), &RG_SHAPE(2, 3)));
}

RGT_TEST(shape, strides_are_zero_along_broadcast_axes)
{
    int64_t stride[RG_MAX_RANK];
    rg_shape_strides(stride, &RG_SHAPE(5, 1, 4), &RG_SHAPE(2, 5, 3, 4));
    RGT_CHECK(stride[0] == 0 && stride[1] == 4 && stride[2] == 0 && stride[3] == 1);
}

RGT_TEST(shape, axes_can_be_dropped_inserted_and_resized)
{
    rg_shape s = RG_SHAPE(2, 3, 5);
    RGT_CHECK(rg_shape_equal(rg_shape_drop(s, 1), RG_SHAPE(2, 5)));
    RGT_CHECK(rg_shape_equal(rg_shape_drop(RG_SHAPE(2), 0), RG_SCALAR));
    RGT_CHECK(rg_shape_equal(rg_shape_insert(s, 0, 7), RG_SHAPE(7, 2, 3, 5)));
    RGT_CHECK(rg_shape_equal(rg_shape_insert(s, 3, 7), RG_SHAPE(2, 3, 5, 7)));
    RGT_CHECK(rg_shape_equal(rg_shape_with(s, 1, 9), RG_SHAPE(2, 9, 5)));
    RGT_CHECK(rg_shape_outer(&s, 2) == 6 && rg_shape_inner(&s, 0) == 15);
    RGT_CHECK(rg_shape_outer(&s, 0) == 1 && rg_shape_inner(&s, 2) == 1);
}
