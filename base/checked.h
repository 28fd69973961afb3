/* base/checked.h -- sizes that cannot overflow; nobody else multiplies extents. */
#ifndef RG_BASE_CHECKED_H
#define RG_BASE_CHECKED_H

#include <retrograd/base.h>

#define RG_MAX_DIM   (INT64_C(1) << 48)   /* extents and element counts stay below */
#define RG_MAX_BYTES (INT64_C(1) << 47)

static inline bool rg_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool rg_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Number of elements. RG_ESHAPE: a negative extent; RG_ELIMIT: rank, an extent or the product too
 * large, also when another extent is 0. */
rg_status rg_numel(const rg_shape *shape, int64_t *out);
/* Bytes of so many elements of @p item bytes; RG_ELIMIT. */
rg_status rg_bytes(int64_t numel, size_t item, size_t *out);
/* An extent for BLAS: 1 .. INT_MAX, else RG_ELIMIT. */
rg_status rg_blas_int(int64_t extent, int *out);
/* axis -rank .. rank-1 -> 0 .. rank-1; -1 if out of range. */
int rg_axis(int axis, int32_t rank);
/* Bytes of one element in memory: kind and precision, or a dtype. */
size_t rg_kind_size(rg_kind kind, rg_dtype real);
size_t rg_dtype_size(rg_dtype dtype);
rg_dtype rg_kind_dtype(rg_kind kind, rg_dtype real);

#endif
