/* layers/attention.c -- which steps of a memory matter to a query: scores, softmax, weighted sum.
 *
 *     e_s = score(q, m_s)      α = softmax over the real s of e      ctx = Σ_s α_s·m_s
 *
 * What a score needs of the memory alone is computed once, before the steps that ask. */
#include "layers/cell.h"

#include <retrograd/attention.h>

#include "base/checked.h"

#include <math.h>

/* ---- Preparing a memory ---------------------------------------------------------------------- */

static const char *score_name(rg_score score)
{
    static const char *const name[] = { "additive", "dot", "general", "concat" };
    return name[score];
}

static bool memory_ok(rg_val M, rg_val mask)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_graph *g = M.graph;
    rg_shape m = rg_shape_of(M), k = rg_shape_of(mask);
    if (!g || g->status)
        return false;
    if (m.rank != 3) {
        rg_poison(g, RG_ESHAPE, "attention: the memory is [S,B,D], this is %s",
                  rg_shape_text(have, &m));
    } else if (mask.graph && mask.id) {
        rg_shape full = RG_SHAPE(m.dim[0], m.dim[1]);
        if (!rg_shape_equal(k, full))
            rg_poison(g, RG_ESHAPE, "attention: mask is %s, the memory wants [S,B] = %s",
                      rg_shape_text(have, &k), rg_shape_text(want, &full));
        else if (rg_kind_of(mask) != RG_BOOL)
            rg_poison(g, RG_EDTYPE, "attention: the mask is %s; it must be RG_BOOL",
                      rg_kind_text(rg_kind_of(mask)));
    }
    return g->status == RG_OK;
}

static bool opts_ok(rg_graph *g, const rg_attention_opts *o, int64_t D, int64_t Q)
{
    bool has_width = o->score == RG_SCORE_ADDITIVE || o->score == RG_SCORE_CONCAT;
    if (o->score < RG_SCORE_ADDITIVE || o->score > RG_SCORE_CONCAT)
        rg_poison(g, RG_EARG, "attention: no score has the number %d", (int)o->score);
    else if (Q < 1 || D < 1 || o->width < 0)
        rg_poison(g, RG_EARG, "attention: widths must be at least 1, got query %lld, memory %lld, "
                  "score %lld", (long long)Q, (long long)D, (long long)o->width);
    else if (o->width && !has_width)
        rg_poison(g, RG_EARG, "attention: the %s score has no width", score_name(o->score));
    else if (o->scale && has_width)
        rg_poison(g, RG_EARG, "attention: the %s score is not scaled; dot and general are",
                  score_name(o->score));
    else if (o->score == RG_SCORE_DOT && Q != D)
        rg_poison(g, RG_ESHAPE, "attention: the dot score wants equal widths, query has %lld, "
                  "memory %lld; general takes any", (long long)Q, (long long)D);
    return g->status == RG_OK;
}

/* The first two axes swapped: rows first, so that a row's steps lie together. */
static rg_val rows_first(rg_val v)
{
    return rg_transpose(v, (const int[]){ 1, 0, 2 }, (size_t)rg_shape_of(v).rank);
}

static void declare(rg_attention *a, const char *group, int64_t Q, const rg_attention_opts *o)
{
    rg_graph *g = a->memory.graph;
    int64_t D = rg_dim(a->memory, 2), A = o->width ? o->width : Q;
    if (o->score == RG_SCORE_ADDITIVE) {
        a->Wq = rg_param(g, group, "Wq", RG_SHAPE(Q, A), rg_init_glorot());
        rg_val Wm = rg_param(g, group, "Wm", RG_SHAPE(D, A), rg_init_glorot());
        rg_val ba = rg_param(g, group, "ba", RG_SHAPE(A), rg_init_zeros());
        a->keys = rg_affine(a->memory, Wm, ba);
    } else if (o->score == RG_SCORE_GENERAL) {
        a->Wq = rg_param(g, group, "Wa", RG_SHAPE(Q, D), rg_init_glorot());
    } else if (o->score == RG_SCORE_CONCAT) {
        rg_val Wa = rg_param(g, group, "Wa", RG_SHAPE(Q + D, A), rg_init_glorot());
        a->Wq = rg_slice(Wa, 0, 0, Q); /* [q;m]·Wa = q·Wa_q + m·Wa_m */
        a->keys = rg_matmul(a->memory, rg_slice(Wa, 0, Q, Q + D));
    }
    if (a->keys.graph)
        a->v = rg_param(g, group, "v", RG_SHAPE(A), rg_init_glorot());
    a->factor = o->scale ? 1 / sqrt((double)D) : 1;
}

rg_attention rg_attention_over(rg_val M, rg_val mask, const char *group, int64_t Q,
                               const rg_attention_opts *opts)
{
    static const rg_attention_opts none;
    rg_attention a = { .memory = { .graph = M.graph } };
    const rg_attention_opts *o = opts ? opts : &none;
    if (!memory_ok(M, mask) || !opts_ok(M.graph, o, rg_dim(M, 2), Q))
        return a;
    a.memory = rows_first(M);
    if (mask.graph) { /* or 0·NaN would reach the context */
        a.mask = rows_first(mask);
        a.memory = rg_where(rg_unsqueeze(a.mask, 2), a.memory, rg_const(M.graph, 0));
    }
    declare(&a, group, Q, o);
    return a;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static bool query_ok(const rg_attention *a, rg_val q)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_graph *g = q.graph;
    if (!g || g->status || !a)
        return false;
    if (!a->memory.id)
        rg_poison(g, RG_EGRAPH, "attention: there is no memory");
    rg_shape is = rg_shape_of(q);
    int64_t Q = a->Wq.graph ? rg_dim(a->Wq, 0) : rg_dim(a->memory, 2);
    rg_shape full = RG_SHAPE(rg_dim(a->memory, 0), Q);
    if (g->status == RG_OK && !rg_shape_equal(is, full))
        rg_poison(g, RG_ESHAPE, "attention: the query is %s, it must be [B,Q] = %s",
                  rg_shape_text(have, &is), rg_shape_text(want, &full));
    return g->status == RG_OK;
}

/* Scores [B,S] of q [B,Q]; the sums over the last axis run over A or D. */
static rg_val scores(const rg_attention *a, rg_val q)
{
    rg_val asked = rg_unsqueeze(a->Wq.graph ? rg_matmul(q, a->Wq) : q, 1);
    rg_val each = a->keys.graph ? rg_mul(a->v, rg_tanh(rg_add(a->keys, asked)))
                                : rg_mul(a->memory, asked);
    rg_val e = rg_sum_over(each, -1, false);
    return a->factor == 1 ? e : rg_scale(e, a->factor);
}

rg_val rg_attend(rg_val *alpha, const rg_attention *attention, rg_val q)
{
    rg_graph *g = q.graph;
    rg_val ctx = { .graph = g }, w = ctx;
    if (query_ok(attention, q)) {
        rg_scope_push(g, "attend", RG_NO_STEP);
        rg_val e = scores(attention, q);
        w = rg_dim(e, 1) == 0 ? e : attention->mask.graph
          ? rg_masked_softmax(e, attention->mask, 1) : rg_softmax(e, 1);
        ctx = rg_sum_over(rg_mul(rg_unsqueeze(w, 2), attention->memory), 1, false);
        rg_scope_pop(g);
    }
    if (alpha)
        *alpha = w;
    return ctx;
}

rg_val rg_repeat(rg_val x, int axis, int64_t k)
{
    rg_graph *g = x.graph;
    rg_shape is = rg_shape_of(x);
    if (!g || g->status)
        return (rg_val){ .graph = g };
    if (axis < -is.rank || axis >= is.rank)
        return rg_poison(g, RG_EINDEX, "repeat: axis %d of a value of rank %d", axis,
                         (int)is.rank);
    int at = axis < 0 ? axis + is.rank : axis;
    if (k < 1 || k > RG_MAX_DIM / (is.dim[at] + 1))
        return rg_poison(g, k < 1 ? RG_EARG : RG_ELIMIT, "repeat: a slice cannot be there %lld "
                         "times", (long long)k);
    rg_shape wide = rg_shape_insert(is, at + 1, k);
    is.dim[at] *= k;
    return rg_reshape(rg_broadcast(rg_unsqueeze(x, at + 1), wide), is);
}
