/* ops/infer.c -- what inference functions of many operations have in common. */
#include "ops/family.h"

rg_status rg_want_kind(const rg_sig *in, size_t i, rg_kind kind, rg_err *err)
{
    if (in[i].kind == kind)
        return RG_OK;
    return rg_fail(err, RG_EDTYPE, "operand %zu is %s, %s is needed", i, rg_kind_text(in[i].kind),
                   rg_kind_text(kind));
}

static rg_status infer_kind(rg_sig *out, const rg_sig *in, size_t n, rg_kind kind, rg_err *err)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < n && !st; i++)
        st = rg_want_kind(in, i, kind, err);
    return st ? st : rg_infer_broadcast(out, in, n, NULL, err);
}

rg_status rg_infer_real(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)attr;
    return infer_kind(out, in, n, RG_F, err);
}

rg_status rg_infer_int(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)attr;
    return infer_kind(out, in, n, RG_INT, err);
}

rg_status rg_infer_bool(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)attr;
    return infer_kind(out, in, n, RG_BOOL, err);
}

rg_status rg_want_axis(int64_t axis, const rg_shape *shape, rg_err *err)
{
    char text[RG_SHAPE_TEXT];
    if (axis >= 0 && axis < shape->rank)
        return RG_OK;
    return rg_fail(err, RG_EINDEX, "axis %lld is out of range for %s", (long long)axis,
                   rg_shape_text(text, shape));
}

rg_status rg_want_some(int axis, const rg_shape *shape, rg_err *err)
{
    char text[RG_SHAPE_TEXT];
    if (shape->dim[axis] > 0)
        return RG_OK;
    return rg_fail(err, RG_ESHAPE, "axis %d of %s is empty", axis, rg_shape_text(text, shape));
}

int32_t rg_axis_in(rg_val x, int axis)
{
    int k = rg_axis(axis, rg_shape_of(x).rank);
    return k < 0 ? axis : k;
}

void rg_attr_of_shape(rg_shape *attr, rg_shape shape)
{
    memset(attr, 0, sizeof *attr);
    attr->rank = shape.rank;
    for (int i = 0; i < shape.rank && i < RG_MAX_RANK; i++)
        attr->dim[i] = shape.dim[i];
}
