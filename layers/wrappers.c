/* layers/wrappers.c -- around a sequence: locked dropout, what a layer made added to what it read
 * or mixed with it by a gate, a function of every step. */
#include "layers/cell.h"

/* X∘d, d [1,B,...]: the same elements at every step. Gal & Ghahramani 2016. */
rg_val rg_dropout_locked(rg_val X, double p, const char *stream)
{
    rg_shape one = rg_shape_of(X);
    if (!X.id || p == 0)
        return X;
    if (one.rank < 1)
        return rg_poison(X.graph, RG_ESHAPE, "locked dropout: a scalar has no steps");
    one.dim[0] = 1;
    return rg_mul(X, rg_dropout(rg_full(X.graph, one, 1), p, stream));
}

/* Can what a layer made be brought together with what it read? @p how: "added to". */
static bool alike(rg_val x, rg_val y, const char *what, const char *how)
{
    char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
    rg_shape sx = rg_shape_of(x), sy = rg_shape_of(y);
    if (!x.id || !y.id || x.graph->status)
        return false;
    if (rg_shape_equal(sx, sy))
        return true;
    rg_poison(x.graph, RG_ESHAPE, "%s: a layer from %s to %s cannot be %s its input; their widths "
              "must be equal", what, rg_shape_text(a, &sx), rg_shape_text(b, &sy), how);
    return false;
}

rg_val rg_residual(rg_val x, rg_val y, rg_val mask)
{
    if (!alike(x, y, "residual", "added to"))
        return (rg_val){ .graph = x.graph };
    mask = rg_mask_of(x.graph, mask, rg_dim(x, 0), rg_dim(x, 1), "residual: mask");
    rg_val sum = rg_add(x, y);
    return mask.graph ? rg_where_real(mask, sum) : sum;
}

/* Masked rows of both are 0 before they meet W: t̄ = ȳ∘y would carry a NaN to it. */
rg_val rg_highway(rg_val x, rg_val y, const char *group, rg_val mask)
{
    rg_graph *g = x.graph;
    int64_t D = rg_dim(x, -1);
    if (!alike(x, y, "highway", "mixed with") || !rg_widths_ok(g, "highway", group, D, D))
        return (rg_val){ .graph = g };
    mask = rg_mask_of(g, mask, rg_dim(x, 0), rg_dim(x, 1), "highway: mask");
    x = mask.graph ? rg_where_real(mask, x) : x;
    y = mask.graph ? rg_where_real(mask, y) : y;
    rg_val W = rg_param(g, group, "W", RG_SHAPE(D, D), rg_init_glorot());
    rg_val b = rg_param(g, group, "b", RG_SHAPE(D), rg_init_const(-1));
    rg_val t = rg_sigmoid(rg_affine(x, W, b));
    rg_val new = rg_mul(t, y);
    return rg_add(new, rg_mul(rg_one_minus(t), x)); /* 0 where both are */
}

/* [T,B,...] <-> [T·B,...] */
static rg_shape flat(rg_shape s)
{
    s.dim[1] *= s.dim[0];
    for (int32_t k = 1; k < s.rank; k++)
        s.dim[k - 1] = s.dim[k];
    s.rank--;
    return s;
}

rg_val rg_time_distributed(rg_map_fn *f, const void *weights, rg_val X, rg_val mask)
{
    char text[RG_SHAPE_TEXT];
    rg_graph *g = X.graph;
    rg_shape shape = rg_shape_of(X);
    if (!X.id || g->status)
        return (rg_val){ .graph = g };
    if (!f || shape.rank < 2)
        return rg_poison(g, f ? RG_ESHAPE : RG_EARG, "time distributed: needs a function, and a "
                         "sequence [T,B,...], this is %s", rg_shape_text(text, &shape));
    rg_val real = rg_mask_of(g, mask, shape.dim[0], shape.dim[1], "time distributed: mask");
    rg_val y = f(weights, rg_reshape(real.graph ? rg_where_real(real, X) : X, flat(shape)));
    rg_shape out = rg_shape_of(y), full = rg_shape_insert(out, 0, shape.dim[0]);
    if (!y.id || g->status)
        return rg_poison(g, RG_EUSER, "time distributed: the function returned no value");
    if (out.rank < 1 || out.dim[0] != shape.dim[0] * shape.dim[1])
        return rg_poison(g, RG_ESHAPE, "time distributed: of %lld rows the function made %s",
                         (long long)(shape.dim[0] * shape.dim[1]), rg_shape_text(text, &out));
    full.dim[1] = shape.dim[1];
    y = rg_reshape(y, full);
    return real.graph ? rg_where_real(real, y) : y;
}
