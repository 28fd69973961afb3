/* base/shape.h -- shapes: text, broadcasting, axes. */
#ifndef RG_BASE_SHAPE_H
#define RG_BASE_SHAPE_H

#include "base/memory.h"

enum { RG_SHAPE_TEXT = 192 };

/* "[16,64]", "[]" for a scalar, "inert" for rank -1. Writes to and returns @p text. */
const char *rg_shape_text(char text[RG_SHAPE_TEXT], const rg_shape *shape);
const char *rg_kind_text(rg_kind kind);
const char *rg_dtype_text(rg_dtype dtype);

/* Shapes kept lately, by hash. Nearly all nodes of a graph have one of a few shapes: they share. */
enum { RG_SHAPES_KEPT = 64 };
typedef struct rg_shapes {
    const rg_shape *kept[RG_SHAPES_KEPT];
} rg_shapes;

/* The kept shape that equals this one, or a copy in the arena, kept from now on; NULL without
 * memory. */
const rg_shape *rg_shapes_keep(rg_shapes *s, rg_arena *arena, const rg_shape *shape);

/* The common shape of two that broadcast from the right; false if they do not. */
bool rg_shape_broadcast(rg_shape *out, const rg_shape *a, const rg_shape *b);
/* Can @p from be broadcast to exactly @p to? */
bool rg_shape_expands(const rg_shape *from, const rg_shape *to);
/* Element strides of @p from when read in the shape @p to (0 along broadcast axes); from expands
 * to to. */
void rg_shape_strides(int64_t stride[RG_MAX_RANK], const rg_shape *from, const rg_shape *to);
/* Read an array of shape @p from as if it had the shape @p to: out[i] = in[broadcast index]. */
void rg_shape_spread(void *out, const void *in, const rg_shape *from, const rg_shape *to,
                     size_t item);
/* With the axis dropped, or with another extent. */
rg_shape rg_shape_drop(rg_shape s, int axis);
rg_shape rg_shape_insert(rg_shape s, int axis, int64_t extent);
rg_shape rg_shape_with(rg_shape s, int axis, int64_t extent);
/* Products of the extents before, and after, the axis. */
int64_t rg_shape_outer(const rg_shape *s, int axis);
int64_t rg_shape_inner(const rg_shape *s, int axis);

#endif
