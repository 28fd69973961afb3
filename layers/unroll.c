/* layers/unroll.c -- recurrence is a loop: select x_t, call the cell's step, choose what to keep.
 *
 * In step t, in this order (docs/MATH.md 5.2), after a cut of the gradient where one is due (16):
 *
 *     s  <- reset_t ? s_init : s          s', y = step(x_t, s)
 *     s' <- zoneout(s', s)
 *     s' <- mask_t ? s' : s               y <- mask_t ? y : 0
 *
 * always by selection, so what is not chosen never meets an arithmetic operation. */
#include "layers/cell.h"

#include "base/checked.h"
#include "ops/ops.h"

#include <string.h>

/* One unrolling. Arrays have n values. */
struct run {
    rg_graph      *g;
    const rg_cell *cell;
    size_t         n;
    int64_t        T, B;
    rg_val         X;            /* masked rows are 0 */
    rg_val         mask, reset;  /* [T,B,1] or none */
    rg_val        *start;        /* states before the first step, [B,...] */
    rg_val        *s, *next;
    rg_val        *y;            /* T outputs */
    size_t         out;          /* which state is the output */
};

/* ---- One step ------------------------------------------------------------------------------- */

/* Is each of the next states there, and of the form it had? */
static bool states_ok(const rg_cell *cell, rg_graph *g, const rg_val *s, const rg_val *next)
{
    char was[RG_SHAPE_TEXT], is[RG_SHAPE_TEXT];
    for (size_t k = 0; k < cell->n_state && !g->status; k++) {
        rg_shape a = rg_shape_of(s[k]), b = rg_shape_of(next[k]);
        if (!next[k].graph || !next[k].id)
            rg_poison(g, RG_EUSER, "the step left state %zu unset; it sets next[0] .. next[%zu]", k,
                      cell->n_state - 1);
        else if (next[k].graph != g)
            rg_poison(g, RG_EARG, "the step made state %zu in another graph", k);
        else if (!rg_shape_equal(a, b))
            rg_poison(g, RG_ESHAPE, "state %zu was %s, the step made it %s", k,
                      rg_shape_text(was, &a), rg_shape_text(is, &b));
        else if (rg_kind_of(s[k]) != rg_kind_of(next[k]))
            rg_poison(g, RG_EDTYPE, "state %zu was %s, the step made it %s", k,
                      rg_kind_text(rg_kind_of(s[k])), rg_kind_text(rg_kind_of(next[k])));
    }
    return g->status == RG_OK;
}

static bool take_step(const rg_cell *cell, rg_graph *g, rg_val x, const rg_val *s, rg_val *next)
{
    memset(next, 0, cell->n_state * sizeof *next);
    cell->step(cell->weights, x, s, next);
    return g->status == RG_OK && states_ok(cell, g, s, next);
}

/* Can this cell run at all? */
static bool cell_ok(rg_graph *g, const rg_cell *cell, const rg_val *s0)
{
    if (!cell || !cell->step || !cell->n_state)
        rg_poison(g, RG_EARG, "unroll: a cell has a step function and at least one state");
    else if (!cell->width && !s0)
        rg_poison(g, RG_EARG, "unroll: cell '%s' has no widths, so its initial states must be "
                  "given", cell->name ? cell->name : "");
    return g->status == RG_OK;
}

/* State k before the first step: what is given, spread over the rows, else what the cell says. */
static rg_val start_state(rg_graph *g, const rg_cell *cell, const rg_val *s0, size_t k, int64_t B)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_shape given = s0 ? rg_shape_of(s0[k]) : RG_SCALAR;
    rg_shape full = cell->width ? RG_SHAPE(B, cell->width[k]) : given;
    if (!s0)
        return rg_full(g, full, rg_cell_start(cell, k));
    if (!s0[k].graph || !s0[k].id)
        return rg_poison(g, RG_EGRAPH, "unroll: initial state %zu is an unset value", k);
    if (!cell->width && (given.rank < 1 || given.dim[0] != B))
        return rg_poison(g, RG_ESHAPE, "unroll: initial state %zu is %s; its first extent is the "
                         "batch, %lld", k, rg_shape_text(have, &given), (long long)B);
    if (!rg_shape_expands(&given, &full))
        return rg_poison(g, RG_ESHAPE, "unroll: initial state %zu is %s, which does not broadcast "
                         "to %s", k, rg_shape_text(have, &given), rg_shape_text(want, &full));
    return rg_shape_equal(given, full) ? s0[k] : rg_broadcast(s0[k], full);
}

void rg_step(rg_val *next, const rg_cell *cell, rg_val x, const rg_val *s, int64_t t)
{
    rg_graph *g = x.graph;
    size_t n = cell ? cell->n_state : 0, bytes = 2 * n * sizeof(rg_val);
    rg_val *own = NULL;
    bool ok = false;
    if (g && !g->status && cell_ok(g, cell, s)) {
        rg_scope_push(g, cell->name, t);
        if (!(own = rg_get(&g->alloc, bytes)))
            rg_poison(g, RG_ENOMEM, "no memory for %zu states", n);
        for (size_t k = 0; k < n && !g->status; k++)
            own[k] = s ? s[k] : start_state(g, cell, NULL, k, rg_dim(x, 0));
        ok = !g->status && take_step(cell, g, x, own, own + n);
        rg_scope_pop(g);
    }
    for (size_t k = 0; next && k < n; k++)
        next[k] = ok ? own[n + k] : (rg_val){ .graph = g };
    if (own)
        rg_release(&g->alloc, own, bytes);
}

/* ---- The loop ------------------------------------------------------------------------------- */

/* next[k] <- m ? a[k] : b[k], for states; m is [B,1] */
static void choose_states(rg_val *next, rg_val m, const rg_val *a, const rg_val *b, size_t n)
{
    for (size_t k = 0; k < n; k++)
        next[k] = rg_where(rg_mask_rows(m, rg_shape_of(a[k]).rank), a[k], b[k]);
}

/* The states as values: what made them gets no gradient. */
static void cut(struct run *r)
{
    for (size_t k = 0; k < r->n; k++)
        if (rg_kind_of(r->s[k]) == RG_F)
            r->s[k] = rg_detach(r->s[k]);
}

static void one_step(struct run *r, int64_t t, bool first, bool apart)
{
    rg_scope_push(r->g, r->cell->name, t);
    if (apart)
        cut(r);
    rg_val x = rg_select(r->X, 0, t);
    if (r->reset.graph && !first)
        choose_states(r->s, rg_select(r->reset, 0, t), r->start, r->s, r->n);
    if (!r->g->status && take_step(r->cell, r->g, x, r->s, r->next)) {
        if (r->mask.graph)
            choose_states(r->next, rg_select(r->mask, 0, t), r->next, r->s, r->n);
        memcpy(r->s, r->next, r->n * sizeof *r->s);
        r->y[t] = r->s[r->out]; /* of a real step; outputs() looks at no other */
    }
    rg_scope_pop(r->g);
}

static void all_steps(struct run *r, const rg_unroll_opts *opts)
{
    const bool reverse = opts && opts->reverse;
    const int64_t back = opts && opts->back ? opts->back : r->T;
    for (int64_t i = 0; i < r->T && !r->g->status; i++) {
        int64_t t = reverse ? r->T - 1 - i : i;
        one_step(r, t, i == 0, i > 0 && (r->T - i) % back == 0);
        if (opts && opts->states)
            memcpy(opts->states + (size_t)t * r->n, r->s, r->n * sizeof *r->s);
    }
}

/* A masked step repeats the last real output; 0 before the first. */
static void hold(struct run *r, bool reverse)
{
    rg_val last = r->T ? rg_zero_of(r->g, rg_kind_of(r->y[0])) : RG_NONE;
    for (int64_t i = 0; i < r->T && !r->g->status; i++) {
        int64_t t = reverse ? r->T - 1 - i : i;
        rg_val m = rg_mask_rows(rg_select(r->mask, 0, t), rg_shape_of(r->y[t]).rank);
        r->y[t] = last = rg_where(m, r->y[t], last);
    }
}

/* [T,B,...]: the outputs, 0 where masked. */
static rg_val outputs(struct run *r, const rg_unroll_opts *opts)
{
    if (r->g->status)
        return (rg_val){ .graph = r->g };
    if (r->T == 0)
        return rg_zeros(r->g, rg_shape_insert(rg_shape_of(r->start[r->out]), 0, 0));
    if (r->mask.graph && opts->hold_output)
        hold(r, opts->reverse);
    rg_val y = rg_stack(r->y, (size_t)r->T, 0);
    if (r->mask.graph && !opts->hold_output)
        y = rg_where_real(r->mask, y);
    return opts && opts->reverse && opts->run_order ? rg_reverse(y, 0) : y;
}

static void prepare(struct run *r, const rg_val *s0, const rg_unroll_opts *opts)
{
    if (rg_shape_of(r->X).rank < 2)
        rg_poison(r->g, RG_ESHAPE, "unroll: a sequence is [T,B,...], this is of rank %d",
                  (int)rg_shape_of(r->X).rank);
    for (size_t k = 0; k < r->n && !r->g->status; k++)
        r->s[k] = r->start[k] = start_state(r->g, r->cell, s0, k, r->B);
    if (!opts)
        return;
    if (opts->back < 0)
        rg_poison(r->g, RG_EARG, "unroll: %lld steps of back-propagation; 0 is all of them",
                  (long long)opts->back);
    r->reset = rg_mask_of(r->g, opts->reset, r->T, r->B, "unroll: reset");
    r->mask = rg_mask_of(r->g, opts->mask, r->T, r->B, "unroll: mask");
    if (r->mask.graph)
        r->X = rg_where_real(r->mask, r->X); /* or 0·NaN in xᵀ·ā would reach the weights */
}

static bool memory_ok(struct run *r, rg_val **block, size_t *bytes)
{
    size_t n;
    if (rg_mul_size(r->n, 3, &n) && rg_add_size(n, (size_t)r->T, &n) &&
        rg_mul_size(n, sizeof **block, bytes) && (*block = rg_get(&r->g->alloc, *bytes))) {
        r->start = *block;
        r->s = r->start + r->n;
        r->next = r->s + r->n;
        r->y = r->next + r->n;
        return true;
    }
    rg_poison(r->g, RG_ENOMEM, "unroll: no memory for %lld steps", (long long)r->T);
    return false;
}

static void inert(rg_val *v, size_t n, rg_graph *g)
{
    for (size_t k = 0; v && k < n; k++)
        v[k] = (rg_val){ .graph = g };
}

rg_val rg_unroll(rg_val *last, const rg_cell *cell, rg_val X, const rg_val *s0,
                 const rg_unroll_opts *opts)
{
    rg_graph *g = X.graph;
    rg_val *block = NULL, Y = { .graph = g };
    size_t bytes = 0, n = cell ? cell->n_state : 0;
    rg_cell zoned;
    if (g && !g->status && cell_ok(g, cell, s0)) {
        if (opts && opts->zoneout) {
            zoned = rg_zoneout(g, cell, opts->zoneout);
            cell = &zoned;
        }
        struct run r = { .g = g, .cell = cell, .n = n, .T = rg_dim(X, 0), .B = rg_dim(X, 1), .X = X,
                         .out = rg_cell_output(cell) };
        if (memory_ok(&r, &block, &bytes)) {
            prepare(&r, s0, opts);
            all_steps(&r, opts);
            Y = outputs(&r, opts);
        }
        if (last && !g->status)
            memcpy(last, r.s, n * sizeof *last);
    }
    if (block)
        rg_release(&g->alloc, block, bytes);
    if (!g || g->status) {
        inert(last, n, g);
        inert(opts ? opts->states : NULL, n * (size_t)(rg_dim(X, 0) > 0 ? rg_dim(X, 0) : 0), g);
    }
    return g && g->status ? (rg_val){ .graph = g } : Y;
}
