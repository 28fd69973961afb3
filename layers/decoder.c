/* layers/decoder.c -- cells that attend to a memory while they run, and the way from an encoder's
 * states to a decoder's.
 *
 * Bahdanau et al. 2015:  ctx = attend(h)   h' = cell([x; ctx], h)   output [h'; ctx; x]
 * Luong et al. 2015:     h' = cell([x; a], h)   ctx = attend(h')   output a' = tanh([ctx; h']·Wc)
 *
 * Both keep the states {output, those of the cell inside, α}; only Luong's reads its output. */
#include "layers/cell.h"

#include <retrograd/attention.h>

#include <stdio.h>
#include <string.h>

struct attending {
    rg_cell      cell;       /* inside */
    rg_attention attention;
    size_t       at;         /* which of the cell's states is h */
    int64_t      B, S;
    rg_val       Wc;         /* luong */
    int64_t      width[];
};

static void bahdanau_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct attending *p = weights;
    const rg_cell *cell = &p->cell;
    rg_val *inner = next + 1, *alpha = next + 1 + cell->n_state;
    rg_val ctx = rg_attend(alpha, &p->attention, s[1 + p->at]);
    cell->step(cell->weights, rg_concat((const rg_val[]){ x, ctx }, 2, -1), s + 1, inner);
    next[0] = rg_concat((const rg_val[]){ inner[p->at], ctx, x }, 3, -1);
}

static void luong_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct attending *p = weights;
    const rg_cell *cell = &p->cell;
    rg_val *inner = next + 1, *alpha = next + 1 + cell->n_state;
    cell->step(cell->weights, rg_concat((const rg_val[]){ x, s[0] }, 2, -1), s + 1, inner);
    rg_val h = inner[p->at];
    rg_val ctx = rg_attend(alpha, &p->attention, h);
    next[0] = rg_tanh(rg_matmul(rg_concat((const rg_val[]){ ctx, h }, 2, -1), p->Wc));
}

static bool inside_ok(rg_graph *g, const char *what, const rg_cell *cell, const rg_attention *a,
                      int64_t wide)
{
    if (!g || g->status)
        return false;
    if (!cell || !cell->step || !cell->n_state || !cell->width)
        rg_poison(g, RG_EARG, "%s: the cell inside needs a step function and its states' widths",
                  what);
    else if (!a || !a->memory.id || a->memory.graph != g)
        rg_poison(g, RG_EARG, "%s: no attention of this graph", what);
    else if (wide < 1)
        rg_poison(g, RG_EARG, "%s: the width must be at least 1, got %lld", what,
                  (long long)wide);
    return g->status == RG_OK;
}

/* What both have in common; the output's width is @p out more than @p h of them. */
static struct attending *attending(rg_graph *g, const rg_cell *cell, const rg_attention *a)
{
    const size_t n = cell->n_state + 2;
    struct attending *p = rg_graph_alloc(g, sizeof *p + n * sizeof *p->width);
    if (!p)
        return NULL;
    p->cell = *cell;
    p->attention = *a;
    p->at = rg_cell_output(cell);
    p->B = rg_dim(a->memory, 0);
    p->S = rg_dim(a->memory, 1);
    memcpy(p->width + 1, cell->width, cell->n_state * sizeof *p->width);
    p->width[n - 1] = p->S;
    p->cell.width = p->width + 1; /* the caller's array may be gone by then */
    return p;
}

rg_cell rg_bahdanau(rg_graph *graph, const rg_cell *cell, const rg_attention *attention, int64_t E)
{
    struct attending *p = NULL;
    if (inside_ok(graph, "bahdanau", cell, attention, E) &&
        (p = attending(graph, cell, attention)))
        p->width[0] = cell->width[p->at] + rg_dim(attention->memory, 2) + E;
    return rg_cell_of("bahdanau", cell ? cell->n_state + 2 : 0, p ? p->width : NULL, bahdanau_step,
                      p);
}

rg_cell rg_luong(rg_graph *graph, const char *group, const rg_cell *cell,
                 const rg_attention *attention, int64_t A)
{
    struct attending *p = NULL;
    if (inside_ok(graph, "luong", cell, attention, A) && (p = attending(graph, cell, attention))) {
        int64_t wide = rg_dim(attention->memory, 2) + cell->width[p->at];
        p->width[0] = A;
        p->Wc = rg_param(graph, group, "Wc", RG_SHAPE(wide, A), rg_init_glorot());
    }
    return rg_cell_of("luong", cell ? cell->n_state + 2 : 0, p ? p->width : NULL, luong_step, p);
}

static const struct attending *attending_of(const rg_cell *cell)
{
    bool is = cell && (cell->step == bahdanau_step || cell->step == luong_step);
    return is ? cell->weights : NULL;
}

const rg_cell *rg_attending_cell(const rg_cell *cell)
{
    const struct attending *p = attending_of(cell);
    return p ? &p->cell : NULL;
}

void rg_attending_start(rg_val *s0, const rg_cell *decoder, const rg_val *inner)
{
    const struct attending *p = attending_of(decoder);
    rg_graph *g = p ? p->attention.memory.graph : NULL;
    for (size_t k = 0; s0 && decoder && k < decoder->n_state; k++) {
        bool inside = k > 0 && k + 1 < decoder->n_state;
        s0[k] = !p ? RG_NONE : inside && inner ? inner[k - 1]
              : rg_full(g, RG_SHAPE(p->B, p->width[k]), rg_cell_start(decoder, k));
    }
}

rg_val rg_attention_weights(const rg_cell *decoder, const rg_val *states, int64_t T)
{
    const struct attending *p = attending_of(decoder);
    rg_graph *g = p ? p->attention.memory.graph : NULL;
    rg_val *alpha;
    if (!g || g->status || !states || T < 0)
        return (rg_val){ .graph = g };
    if (T == 0)
        return rg_zeros(g, RG_SHAPE(0, p->B, p->S));
    if (!(alpha = rg_graph_alloc(g, (size_t)T * sizeof *alpha)))
        return (rg_val){ .graph = g };
    for (size_t t = 0; t < (size_t)T; t++)
        alpha[t] = states[t * decoder->n_state + decoder->n_state - 1];
    return rg_stack(alpha, (size_t)T, 0);
}

/* ---- Bridges --------------------------------------------------------------------------------- */

/* tanh(from·W + b) of the width of state k; `group.s<k>.W`, `group.s<k>.b`. */
static rg_val bridged(rg_val from, const char *group, size_t k, int64_t width)
{
    char name[RG_SHAPE_TEXT];
    int n = snprintf(name, sizeof name, "%s.s%zu", group, k);
    if (n < 0 || (size_t)n >= sizeof name)
        return rg_poison(from.graph, RG_EARG, "bridge: a group's name of %d bytes is too long", n);
    return rg_tanh(rg_dense(from, name, width));
}

/* What state k comes from: its like, or everything that there is. */
static rg_val source(const rg_val *last, const rg_val *backward, size_t n, size_t k, bool alike)
{
    rg_graph *g = last[0].graph;
    if (alike && !backward)
        return last[k];
    if (alike)
        return rg_concat((const rg_val[]){ last[k], backward[k] }, 2, -1);
    rg_val *all = rg_graph_alloc(g, 2 * n * sizeof *all);
    if (!all)
        return (rg_val){ .graph = g };
    memcpy(all, last, n * sizeof *all);
    if (backward)
        memcpy(all + n, backward, n * sizeof *all);
    return rg_concat(all, backward ? 2 * n : n, -1);
}

static bool handed_over(const rg_cell *cell, const rg_val *last, const rg_val *backward, size_t n)
{
    rg_graph *g = last[0].graph;
    if (backward)
        rg_poison(g, RG_EARG, "bridge: two directions do not fit the states of one; give the "
                  "bridge a group");
    else if (n != cell->n_state)
        rg_poison(g, RG_ESHAPE, "bridge: the encoder has %zu states, the decoder %zu; give the "
                  "bridge a group", n, cell->n_state);
    for (size_t k = 0; k < n && !g->status && cell->width; k++)
        if (rg_dim(last[k], -1) != cell->width[k])
            rg_poison(g, RG_ESHAPE, "bridge: state %zu is %lld wide in the encoder, %lld in the "
                      "decoder; give the bridge a group", k, (long long)rg_dim(last[k], -1),
                      (long long)cell->width[k]);
    return g->status == RG_OK;
}

void rg_bridge(rg_val *s0, const rg_cell *cell, const rg_val *last, const rg_val *backward,
               size_t n, const char *group)
{
    rg_graph *g = last && n ? last[0].graph : NULL;
    bool ok = g && !g->status && s0 && cell;
    if (ok && group && !cell->width)
        rg_poison(g, RG_EARG, "bridge: the decoder's cell has no widths");
    ok = ok && !g->status && (group || handed_over(cell, last, backward, n));
    for (size_t k = 0; s0 && cell && k < cell->n_state; k++) {
        s0[k] = (rg_val){ .graph = g };
        if (ok && !group)
            s0[k] = last[k];
        else if (ok)
            s0[k] = bridged(source(last, backward, n, k, n == cell->n_state), group, k,
                            cell->width[k]);
    }
}
