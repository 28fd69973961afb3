/* layers/mappings.c -- one vector into a sequence, one vector out of it. */
#include "layers/cell.h"

#include <retrograd/attention.h>

#include <math.h>
#include <stdio.h>

/* ---- One-to-many ----------------------------------------------------------------------------- */

void rg_feed_init(rg_val *s0, const rg_cell *cell, rg_val x, const char *group)
{
    if (x.graph && !x.graph->status && !group)
        rg_poison(x.graph, RG_EARG, "feed_init: every initial state has weights, which need a "
                  "group");
    rg_bridge(s0, cell, &x, NULL, 1, group);
}

/* Is e [T,B,...] and x [B,...]? */
static bool fed_ok(rg_val e, rg_val x, const char *what)
{
    char have[RG_SHAPE_TEXT], with[RG_SHAPE_TEXT];
    rg_graph *g = e.graph;
    rg_shape is = rg_shape_of(e), in = rg_shape_of(x);
    if (!g || g->status)
        return false;
    if (is.rank != 3 || in.rank != 2 || is.dim[1] != in.dim[0])
        rg_poison(g, RG_ESHAPE, "%s: inputs are %s and the vector %s; they must be [T,B,E] and "
                  "[B,I]", what, rg_shape_text(have, &is), rg_shape_text(with, &in));
    return g->status == RG_OK;
}

rg_val rg_feed_first(rg_val e, rg_val x)
{
    if (!fed_ok(e, x, "feed_first"))
        return (rg_val){ .graph = e.graph };
    int64_t T = rg_dim(e, 0), E = rg_dim(e, 2);
    if (T < 1 || rg_dim(x, 1) != E)
        return rg_poison(e.graph, RG_ESHAPE, "feed_first: a vector of width %lld cannot be the "
                         "first of %lld inputs of width %lld", (long long)rg_dim(x, 1),
                         (long long)T, (long long)E);
    rg_val first = rg_unsqueeze(x, 0);
    return rg_concat((const rg_val[]){ first, rg_slice(e, 0, 1, T) }, 2, 0);
}

rg_val rg_feed_every(rg_val e, rg_val x)
{
    if (!fed_ok(e, x, "feed_every"))
        return (rg_val){ .graph = e.graph };
    rg_shape all = RG_SHAPE(rg_dim(e, 0), rg_dim(x, 0), rg_dim(x, 1));
    return rg_concat((const rg_val[]){ e, rg_broadcast(x, all) }, 2, -1);
}

rg_val rg_shift_in(rg_val y, int32_t first)
{
    rg_graph *g = y.graph;
    rg_shape is = rg_shape_of(y);
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (is.rank != 2 || rg_kind_of(y) != RG_INT)
        return rg_poison(g, is.rank != 2 ? RG_ESHAPE : RG_EDTYPE, "shift_in: targets are [T,B] of "
                         "RG_INT, these are of rank %d, %s", (int)is.rank,
                         rg_kind_text(rg_kind_of(y)));
    if (is.dim[0] == 0)
        return y;
    rg_val one = rg_constant(g, RG_INT, RG_SHAPE(1, 1), &first, 1);
    rg_val begin = rg_broadcast(one, RG_SHAPE(1, is.dim[1]));
    return rg_concat((const rg_val[]){ begin, rg_slice(y, 0, 0, is.dim[0] - 1) }, 2, 0);
}

/* ---- Many-to-one ----------------------------------------------------------------------------- */

/* The mask as [T,B,1], checked; all ones if there is none. */
static rg_val real_steps(rg_val y, rg_val mask, const char *what)
{
    char have[RG_SHAPE_TEXT], name[32];
    rg_graph *g = y.graph;
    rg_shape is = rg_shape_of(y);
    const uint8_t one = 1;
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (is.rank != 3)
        return rg_poison(g, RG_ESHAPE, "%s: outputs are [T,B,H], these are %s", what,
                         rg_shape_text(have, &is));
    (void)snprintf(name, sizeof name, "%s: mask", what);
    if (mask.graph)
        return rg_mask_of(g, mask, is.dim[0], is.dim[1], name);
    rg_val all = rg_constant(g, RG_BOOL, RG_SHAPE(1, 1), &one, 1);
    return rg_unsqueeze(rg_broadcast(all, RG_SHAPE(is.dim[0], is.dim[1])), 2);
}

rg_val rg_pool_mean(rg_val y, rg_val mask)
{
    rg_val m = real_steps(y, mask, "pool_mean");
    rg_val sum = rg_sum_over(rg_where(m, y, rg_const(y.graph, 0)), 0, false);
    return rg_safe_div(sum, rg_sum_over(rg_real(m), 0, false));
}

/* -∞ where masked; a row without a real step, whose maximum that is, gives 0. */
rg_val rg_pool_max(rg_val y, rg_val mask)
{
    rg_val m = real_steps(y, mask, "pool_max");
    if (!m.id || rg_dim(y, 0) == 0)
        return m.id ? rg_sum_over(y, 0, false) : m;
    rg_val zero = rg_const(y.graph, 0);
    rg_val some = rg_less(zero, rg_max_over(rg_real(m), 0, false)); /* [B,1] */
    rg_val low = rg_where(some, rg_const(y.graph, -INFINITY), zero);
    rg_val most = rg_max_over(rg_where(m, y, low), 0, false);
    return rg_where(some, most, zero);
}

rg_val rg_pool_attention(rg_val *alpha, rg_val y, rg_val mask, const char *group, int64_t A)
{
    rg_graph *g = y.graph;
    rg_val m = real_steps(y, mask, "pool_attention"), zero = rg_const(g, 0);
    rg_val w = { .graph = g }, sum = w;
    if (m.id && rg_widths_ok(g, "pool_attention", group, rg_dim(y, 2), A)) {
        rg_val safe = rg_where(m, y, zero);
        rg_val v = rg_param(g, group, "v", RG_SHAPE(A), rg_init_glorot());
        rg_val e = rg_sum_over(rg_mul(rg_tanh(rg_dense(safe, group, A)), v), -1, true);
        w = rg_dim(y, 0) ? rg_masked_softmax(e, m, 0) : e; /* [T,B,1] */
        sum = rg_sum_over(rg_mul(w, safe), 0, false);
        w = rg_transpose(rg_squeeze(w, 2), (const int[]){ 1, 0 }, 2);
    }
    if (alpha)
        *alpha = w;
    return sum;
}
