/* layers/dense.c -- x·W + b over the last axis, with its own weights. */
#include "layers/cell.h"

rg_val rg_dense(rg_val x, const char *group, int64_t O)
{
    rg_graph *g = x.graph;
    int64_t I = rg_dim(x, -1);
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (rg_shape_of(x).rank < 1)
        return rg_poison(g, RG_ESHAPE, "dense '%s': the input is a scalar; it needs an axis to map",
                         group ? group : "");
    if (!rg_widths_ok(g, "dense", group, I, O))
        return (rg_val){ .graph = g };
    rg_val W = rg_param(g, group, "W", RG_SHAPE(I, O), rg_init_glorot());
    rg_val b = rg_param(g, group, "b", RG_SHAPE(O), rg_init_zeros());
    return rg_affine(x, W, b);
}
