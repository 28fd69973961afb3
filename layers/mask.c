/* layers/mask.c -- masks: which steps of which rows are real, and selecting by it. */
#include "layers/cell.h"

#include "ops/ops.h"

rg_val rg_mask_rows(rg_val m, int32_t rank)
{
    rg_shape s = rg_shape_of(m);
    if (s.rank == rank || s.rank < 0)
        return m;
    for (int32_t k = rank < s.rank ? rank : s.rank; k < rank; k++)
        s.dim[k] = 1;
    s.rank = rank;
    return rg_reshape(m, s);
}

rg_val rg_length_mask(rg_val lengths, int64_t T)
{
    return rg_emit1(&rg_op_length_mask, &(rg_attr_extent){ T }, lengths);
}

rg_val rg_mask_of(rg_graph *g, rg_val m, int64_t T, int64_t B, const char *what)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_shape is = rg_shape_of(m), full = RG_SHAPE(T, B);
    if (!m.graph || g->status)
        return RG_NONE;
    if (!rg_shape_equal(is, full))
        return rg_poison(g, RG_ESHAPE, "%s is %s, the sequence wants [T,B] = %s", what,
                         rg_shape_text(have, &is), rg_shape_text(want, &full));
    if (rg_kind_of(m) != RG_BOOL)
        return rg_poison(g, RG_EDTYPE, "%s is %s; a mask is RG_BOOL", what,
                         rg_kind_text(rg_kind_of(m)));
    return rg_mask_rows(m, 3);
}

rg_val rg_zero_of(rg_graph *g, rg_kind kind)
{
    const int32_t zero = 0;
    return kind == RG_F ? rg_const(g, 0) : rg_constant(g, kind, RG_SCALAR, &zero, 1);
}

rg_val rg_where_real(rg_val m, rg_val a)
{
    rg_val choose = rg_mask_rows(m, rg_shape_of(a).rank);
    return rg_where(choose, a, rg_zero_of(a.graph, rg_kind_of(a)));
}
