/* ops/family.h -- what the family files share: inference, samples, parts of descriptors. */
#ifndef RG_OPS_FAMILY_H
#define RG_OPS_FAMILY_H

#include "ops/ops.h"

#include "base/checked.h"
#include "base/text.h"

#include <string.h>

#define RG_LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- Inference ----------------------------------------------------------------------------- */

/* Operands broadcast, and all are of this kind. */
rg_status rg_infer_real(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err);
rg_status rg_infer_int(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err);
rg_status rg_infer_bool(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err);
/* RG_EDTYPE unless operand i is of this kind. */
rg_status rg_want_kind(const rg_sig *in, size_t i, rg_kind kind, rg_err *err);
/* RG_EINDEX unless 0 <= axis < rank. */
rg_status rg_want_axis(int64_t axis, const rg_shape *shape, rg_err *err);
/* RG_ESHAPE if the axis is empty. */
rg_status rg_want_some(int axis, const rg_shape *shape, rg_err *err);
/* A caller's axis, counted from the left; one that is out of range is left for inference to
 * refuse. */
int32_t rg_axis_in(rg_val x, int axis);
/* Fill an attribute that holds a shape, holes and unused extents zero. */
void rg_attr_of_shape(rg_shape *attr, rg_shape shape);
/* softmax with 0 for a row of -∞ only, where the plain one has NaN. */
rg_val rg_softmax_or_zero(rg_val x, int axis);

/* ---- Parts of descriptors ------------------------------------------------------------------ */

/* Reference kernels made by ops/reals.h; and one that moves elements whatever they are. */
#define RG_KERNELS_OF(name)                                                                      \
    .kernel_f32 = name##_f32, .kernel_f64 = name##_f64, .kernel_complex = name##_complex
#define RG_KERNEL_ANY(name) .kernel_f32 = name, .kernel_f64 = name, .kernel_complex = name
#define RG_SAMPLES(array) .sample = (array), .n_sample = RG_LENGTH(array)
#define RG_ERRORS(array) .error = (array), .n_error = RG_LENGTH(array)

/* Kinds and shapes of operands in samples: reals, indices, masks. */
#define RG_REALS(...) { RG_F, { (int32_t)RG_COUNT(__VA_ARGS__), { __VA_ARGS__ } } }
#define RG_INTS(...) { RG_INT, { (int32_t)RG_COUNT(__VA_ARGS__), { __VA_ARGS__ } } }
#define RG_BOOLS(...) { RG_BOOL, { (int32_t)RG_COUNT(__VA_ARGS__), { __VA_ARGS__ } } }
#define RG_REAL_SCALAR { RG_F, { 0, { 0 } } }
#define RG_INT_SCALAR { RG_INT, { 0, { 0 } } }
#define RG_BOOL_SCALAR { RG_BOOL, { 0, { 0 } } }
#define RG_COUNT(...) (sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

#endif
