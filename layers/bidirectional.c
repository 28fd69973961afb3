/* layers/bidirectional.c -- one sequence read by two cells, from its beginning and from its end.
 *
 * Schuster & Paliwal, "Bidirectional recurrent neural networks", 1997. */
#include "layers/cell.h"

static bool directions_ok(rg_graph *g, const rg_cell *cell, rg_val *both, rg_merge merge,
                          const rg_unroll_opts *o)
{
    if (!g || g->status)
        return false;
    if (!cell || !cell[0].step || !cell[1].step)
        rg_poison(g, RG_EARG, "bidirectional: two cells are needed");
    else if (merge < RG_MERGE_CONCAT || merge > RG_MERGE_NONE)
        rg_poison(g, RG_EARG, "bidirectional: merge is no member of rg_merge");
    else if (merge == RG_MERGE_NONE && !both)
        rg_poison(g, RG_EARG, "bidirectional: with RG_MERGE_NONE there must be room for both "
                  "outputs");
    else if (o && (o->reverse || o->run_order || o->states))
        rg_poison(g, RG_EARG, "bidirectional: reverse, run_order and states are for one "
                  "direction; leave them unset");
    return g->status == RG_OK;
}

/* A row that starts anew before step t ends, seen from the other side, before step t-1. */
static rg_val reset_backwards(rg_val reset, int64_t T)
{
    if (!reset.graph || rg_dim(reset, 0) != T || T < 1) /* rg_unroll() says what is wrong */
        return reset;
    rg_val none = rg_zero_of(reset.graph, RG_BOOL);
    rg_val part[2] = { rg_slice(reset, 0, 1, T),
                       rg_broadcast(none, RG_SHAPE(1, rg_dim(reset, 1))) };
    return rg_concat(part, 2, 0);
}

static rg_val merged(const rg_val y[2], rg_merge merge)
{
    char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
    rg_shape s0 = rg_shape_of(y[0]), s1 = rg_shape_of(y[1]);
    if (merge == RG_MERGE_NONE)
        return y[0];
    if (merge == RG_MERGE_CONCAT)
        return rg_concat(y, 2, -1);
    if (y[0].id && y[1].id && !rg_shape_equal(s0, s1))
        return rg_poison(y[0].graph, RG_ESHAPE, "bidirectional: outputs %s and %s differ; only "
                         "RG_MERGE_CONCAT joins unequal widths", rg_shape_text(a, &s0),
                         rg_shape_text(b, &s1));
    if (merge == RG_MERGE_MUL)
        return rg_mul(y[0], y[1]);
    rg_val sum = rg_add(y[0], y[1]);
    return merge == RG_MERGE_MEAN ? rg_scale(sum, 0.5) : sum;
}

rg_val rg_bidirectional(rg_val *last, rg_val both[2], const rg_cell cell[2], rg_val X,
                        const rg_val *s0, rg_merge merge, const rg_unroll_opts *opts)
{
    static const char *const name[2] = { "fwd", "bwd" };
    rg_graph *g = X.graph;
    rg_val y[2] = { { .graph = g }, { .graph = g } };
    rg_unroll_opts o = opts ? *opts : (rg_unroll_opts){ .reverse = false };
    size_t at = 0;
    bool ok = directions_ok(g, cell, both, merge, opts);
    for (int d = 0; ok && d < 2; d++) {
        rg_scope_push(g, name[d], RG_NO_STEP);
        y[d] = rg_unroll(last ? last + at : NULL, &cell[d], X, s0 ? s0 + at : NULL, &o);
        at += cell[d].n_state;
        o.reverse = true;
        o.zoneout = o.zoneout ? o.zoneout + cell[d].n_state : NULL;
        if (d == 0)
            o.reset = reset_backwards(o.reset, rg_dim(X, 0));
        rg_scope_pop(g);
    }
    for (size_t k = 0; last && !ok && cell && k < cell[0].n_state + cell[1].n_state; k++)
        last[k] = (rg_val){ .graph = g };
    for (int d = 0; both && d < 2; d++)
        both[d] = y[d];
    return ok ? merged(y, merge) : (rg_val){ .graph = g };
}
