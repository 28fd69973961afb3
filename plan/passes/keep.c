/* plan/passes/keep.c -- which values of the forward half are kept for chunks of the backward half,
 * and which these compute again.
 *
 * What a chunk reads of the past is either kept or computed again from what is kept, by elementwise
 * functions, sums and at most MOST_DEPTH products, each of which the chunk does once for all of its
 * steps. That works if the left operands are known for all steps, so a value that the next turn of
 * its loop reads is kept: a state. Turns are counted by the products with one right operand of
 * which each feeds the next; the turn of a value is that of the latest such product behind it. In
 * an LSTM h and c are states, gates are not. */
#include "plan/passes/recompute.h"

#include "plan/made.h"
#include "plan/passes/fusible.h"

#include <string.h>

enum { FOR_EVER = UINT32_MAX, MOST_DEPTH = 3, LANES = 8, FEWEST_TURNS = 3, MOST_SWEEPS = 8 };

static const rg_node *node_of(const rg_recompute *r, uint32_t id)
{
    return &r->node[id];
}

/* ---- Who runs when --------------------------------------------------------------------------- */

/* The first chunk that reads a value; 0 if others do. */
static uint32_t first_reader(const rg_recompute *r, uint32_t id)
{
    uint32_t first = r->uses.root[id] ? 0 : FOR_EVER;
    for (uint32_t k = r->uses.first[id]; k < r->uses.first[id + 1]; k++) {
        const uint32_t user = r->uses.user[k];
        const uint32_t chunk = r->reader_of[user] || r->stacked[user] ? 0 : r->chunk_of[user];
        first = chunk < first ? chunk : first;
    }
    return first == FOR_EVER ? 0 : first;
}

/* An elementwise node whose readers all run in chunks belongs to the first of these: what does not
 * wait for the loop may stand long before it, as derivatives of gates do. */
static void sink(rg_recompute *r)
{
    for (uint32_t id = r->p->n_node; id-- > 1;) {
        const rg_node *n = node_of(r, id);
        const uint32_t chunk = first_reader(r, id);
        r->p->visits += 1 + rg_use_count(&r->uses, id);
        if (chunk <= r->chunk_of[id] || r->fixed[id] || rg_is_cut(r, id) ||
            (!rg_node_is_fusible(n) && !rg_node_is_view(n)))
            continue;
        r->chunk_of[id] = chunk;
        r->sunk[id] = 1;
        r->sink_next[id] = r->to_sink[chunk];
        r->to_sink[chunk] = id;
    }
}

/* ---- Who reads what, late -------------------------------------------------------------------- */

static void mark(rg_recompute *r, uint32_t id, uint32_t chunk)
{
    if (id > r->chunk[chunk].begin || r->sunk[id])
        return;
    r->first[id] = r->first[id] && r->first[id] < chunk ? r->first[id] : chunk;
    r->last[id] = chunk > r->last[id] ? chunk : r->last[id];
}

/* The other factor of a sum over a stack: each part is read with the stack's. */
static void mark_other(rg_recompute *r, const rg_late_stack *s, uint32_t other)
{
    const rg_node *stack = node_of(r, s->id), *a = node_of(r, other);
    mark(r, other, r->chunk_of[stack->in[rg_late_part(s, s->n - 1)]]);
    for (uint32_t k = 0; a->op == &rg_op_concat && a->n_in == s->n && k < s->n; k++)
        if (r->chunk_of[stack->in[k]])
            mark(r, a->in[k], r->chunk_of[stack->in[k]]);
}

static void find_readers(rg_recompute *r)
{
    for (uint32_t id = 1; id < r->p->n_node; id++)
        for (uint32_t k = 0; k < node_of(r, id)->n_in && r->chunk_of[id]; k++)
            if (!r->reader_of[id] && !r->stacked[id])
                mark(r, node_of(r, id)->in[k], r->chunk_of[id]);
    for (uint32_t i = 0; i < r->n_stack; i++)
        for (uint32_t k = r->stack[i].reader; k < r->stack[i].end; k++) {
            const rg_node *u = node_of(r, r->reader[k].node);
            if (rg_is_matmul(u) && rg_flags_of(u)->transpose_a)
                mark_other(r, &r->stack[i], u->in[0]);
        }
    /* through views */
    for (uint32_t id = r->p->n_node; id-- > 1;)
        if (r->first[id] && rg_node_is_view(node_of(r, id))) {
            mark(r, node_of(r, id)->in[0], r->first[id]);
            mark(r, node_of(r, id)->in[0], r->last[id]);
        }
}

/* Others that read a value after its loop's backward half has begun. */
static void find_pinned(rg_recompute *r)
{
    for (uint32_t id = r->p->n_node; id-- > 1;) {
        const rg_node *n = node_of(r, id);
        r->pinned[id] |= r->uses.root[id];
        for (uint32_t k = 0; k < n->n_in; k++) {
            const uint32_t in = n->in[k], chunk = r->first[in];
            const bool late = chunk && id > r->chunk[chunk].begin && !r->chunk_of[id] &&
                              !r->reader_of[id] && !r->stacked[id];
            r->pinned[in] |= late || (r->pinned[id] && rg_node_is_view(n));
        }
    }
}

/* ---- States ---------------------------------------------------------------------------------- */

struct turns {
    uint32_t *loop;    /* by product: which right operand, numbered; 0 = none */
    uint32_t *latest;  /* by value: the latest such product that it comes from */
    uint32_t *turn;    /* by value: LANES counts */
    uint32_t  n_loop;
};

static bool is_step(const rg_recompute *r, uint32_t id)
{
    const rg_node *n = node_of(r, id);
    return rg_is_matmul(n) && n->shape->rank == 2 && !rg_flags_of(n)->transpose_a &&
           r->fixed[n->in[1]];
}

static bool number_loops(const rg_recompute *r, struct turns *t)
{
    const uint32_t n = r->p->n_node;
    uint32_t *members = rg_get(&r->p->alloc, n * sizeof *members);
    uint32_t *name = rg_get(&r->p->alloc, n * sizeof *name);
    for (uint32_t id = 1; id < n && members && name; id++)
        members[is_step(r, id) ? node_of(r, id)->in[1] : 0]++;
    for (uint32_t id = 1; id < n && members && name; id++) {
        const uint32_t right = is_step(r, id) ? node_of(r, id)->in[1] : 0;
        if (!right || members[right] < FEWEST_TURNS)
            continue;
        name[right] = name[right] ? name[right] : ++t->n_loop;
        t->loop[id] = name[right];
    }
    rg_release(&r->p->alloc, members, n * sizeof *members);
    rg_release(&r->p->alloc, name, n * sizeof *name);
    return members && name;
}

/* Turns of loops from .. from + LANES - 1. */
static void count_turns(const rg_recompute *r, struct turns *t, uint32_t from)
{
    for (uint32_t id = 1; id < r->p->n_node; id++) {
        const rg_node *n = node_of(r, id);
        uint32_t *own = t->turn + (size_t)id * LANES;
        memset(own, 0, LANES * sizeof *own);
        for (uint32_t k = 0; k < n->n_in; k++) {
            const uint32_t *in = t->turn + (size_t)n->in[k] * LANES;
            for (int i = 0; i < LANES; i++)
                own[i] = in[i] > own[i] ? in[i] : own[i];
        }
        if (t->loop[id] >= from && t->loop[id] < from + LANES)
            own[t->loop[id] - from]++;
        r->p->visits += 1 + n->n_in;
    }
}

/* A value is a state if an early reader of it, through views, is of a later turn. */
static void find_states(rg_recompute *r, const struct turns *t, uint32_t from)
{
    for (uint32_t id = r->p->n_node; id-- > 1;) {
        const rg_node *n = node_of(r, id);
        for (uint32_t k = 0; k < n->n_in; k++) {
            const uint32_t in = n->in[k], loop = t->loop[t->latest[in]];
            if (loop < from || loop >= from + LANES ||
                (r->first[in] && (r->sunk[id] || id > r->chunk[r->first[in]].begin)))
                continue;
            const size_t lane = loop - from;
            r->state[in] |= rg_node_is_view(n) ? r->state[id]
                                               : t->turn[(size_t)id * LANES + lane] >
                                                     t->turn[(size_t)in * LANES + lane];
        }
    }
}

static bool count_loops(rg_recompute *r)
{
    const size_t n = r->p->n_node;
    struct turns t = { .loop = rg_get(&r->p->alloc, n * sizeof *t.loop),
                       .latest = rg_get(&r->p->alloc, n * sizeof *t.latest),
                       .turn = rg_get_raw(&r->p->alloc, n * LANES * sizeof *t.turn) };
    bool ok = t.loop && t.latest && t.turn && number_loops(r, &t);
    for (uint32_t id = 1; id < n && ok; id++) {
        t.latest[id] = t.loop[id] ? id : 0;
        for (uint32_t k = 0; k < node_of(r, id)->n_in; k++) {
            const uint32_t of = t.latest[node_of(r, id)->in[k]];
            t.latest[id] = of > t.latest[id] ? of : t.latest[id];
        }
    }
    for (uint32_t from = 1, i = 0; ok && from <= t.n_loop && i < MOST_SWEEPS; from += LANES, i++) {
        count_turns(r, &t, from);
        find_states(r, &t, from);
    }
    rg_release(&r->p->alloc, t.loop, n * sizeof *t.loop);
    rg_release(&r->p->alloc, t.latest, n * sizeof *t.latest);
    rg_release(&r->p->alloc, t.turn, n * LANES * sizeof *t.turn);
    return ok;
}

/* ---- The choice ------------------------------------------------------------------------------ */

/* Products whose bits are those of their rows alone: our own kernel runs them. */
static bool is_ours(const rg_recompute *r, const rg_node *n)
{
    return rg_is_matmul(n) && n->op != &rg_op_matmul_stretch && n->shape->rank == 2 &&
           !rg_flags_of(n)->transpose_a && !rg_flags_of(n)->transpose_b && n->shape->dim[1] > 1 &&
           r->fixed[n->in[1]];
}

static bool only_sliced(const rg_recompute *r, uint32_t id)
{
    const rg_uses *u = &r->uses;
    const rg_node *product = node_of(r, id);
    if (!is_ours(r, product) || product->n_in > 2 || u->root[id] || rg_use_count(u, id) < 2 ||
        r->chunk_of[id] || rg_is_cut(r, product->in[0]))
        return false;
    for (uint32_t k = u->first[id]; k < u->first[id + 1]; k++) {
        const rg_node *n = node_of(r, u->user[k]);
        if (n->op != &rg_op_slice || ((const rg_attr_slice *)n->attr)->axis != 0 ||
            u->root[u->user[k]])
            return false;
    }
    return true;
}

static bool can_repeat(const rg_recompute *r, const rg_node *n)
{
    if (rg_is_matmul(n))
        return is_ours(r, n);
    return n->n_in > 0 && (!(n->op->flags & RG_OP_RANDOM) || n->op->attr_bytes > 0);
}

/* From what a node is computed: the first operand that its slice shows of a product by rows. */
static void look_down(rg_recompute *r, uint32_t id)
{
    const rg_node *n = node_of(r, id);
    const bool cut = rg_is_cut(r, id);
    uint32_t low = FOR_EVER, depth = 0;
    for (uint32_t k = 0; k < (cut ? 1 : n->n_in); k++) {
        const uint32_t in = cut ? node_of(r, n->in[0])->in[0] : n->in[k];
        if (r->fixed[in])
            continue;
        const uint32_t own = cut && !r->kept[in] ? 0 : r->low[in];
        low = own < low ? own : low;
        depth = r->depth[in] > depth ? r->depth[in] : depth;
    }
    depth += cut || rg_is_matmul(n);
    r->depth[id] = depth;
    r->low[id] = depth <= MOST_DEPTH && can_repeat(r, n) && !r->cut[id] ? low : 0;
}

/* A value of many steps would be computed again as a whole for each chunk. */
static bool is_wide(const rg_recompute *r, uint32_t id)
{
    const rg_late_stack *s = &r->stack[r->chunk[r->first[id] ? r->first[id] : 1].stack];
    return rg_shape_count(*node_of(r, id)->shape) >
           4 * rg_shape_count(*node_of(r, node_of(r, s->id)->in[0])->shape);
}

static void choose(rg_recompute *r, uint32_t id)
{
    const uint32_t first = r->first[id];
    look_down(r, id);
    if (is_wide(r, id))
        r->low[id] = 0;
    if (!first)
        return;
    r->drop[id] = r->chunk[first].again && !r->pinned[id] && !r->state[id] &&
                  r->last[id] <= first + 1 && r->low[id] >= first;
    r->kept[id] = !r->drop[id];
    if (r->drop[id])
        return;
    r->depth[id] = 0;
    r->low[id] = r->pinned[id] ? FOR_EVER : r->last[id];
}

static bool is_fixed(const rg_recompute *r, const rg_node *n)
{
    if (rg_node_is_leaf(n))
        return true;
    bool fixed = n->n_in > 0 && (rg_node_is_view(n) || n->op == &rg_op_concat);
    for (uint32_t k = 0; k < n->n_in && fixed; k++)
        fixed = r->fixed[n->in[k]];
    return fixed;
}

static bool take_memory(rg_recompute *r)
{
    const size_t n = r->p->n_node;
    r->first = rg_arena_get(&r->arena, n * sizeof *r->first);
    r->last = rg_arena_get(&r->arena, n * sizeof *r->last);
    r->depth = rg_arena_get(&r->arena, n * sizeof *r->depth);
    r->low = rg_arena_get(&r->arena, n * sizeof *r->low);
    r->to_sink = rg_arena_get(&r->arena, r->n_chunk * sizeof *r->to_sink);
    r->sink_next = rg_arena_get(&r->arena, n * sizeof *r->sink_next);
    uint8_t *flags = rg_arena_get(&r->arena, 7 * n);
    if (!r->first || !r->last || !r->depth || !r->low || !r->to_sink || !r->sink_next || !flags)
        return false;
    r->pinned = flags;
    r->fixed = flags + n;
    r->state = flags + 2 * n;
    r->kept = flags + 3 * n;
    r->drop = flags + 4 * n;
    r->cut = flags + 5 * n;
    r->sunk = flags + 6 * n;
    return true;
}

rg_status rg_keep_find(rg_recompute *r, rg_err *err)
{
    if (!take_memory(r))
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (uint32_t id = 1; id < r->p->n_node; id++) {
        r->fixed[id] = is_fixed(r, node_of(r, id));
        r->p->visits += 1 + node_of(r, id)->n_in;
    }
    for (uint32_t id = 1; id < r->p->n_node; id++) {
        r->cut[id] = only_sliced(r, id);
        if (r->cut[id]) /* its rows are what copies are made from */
            r->state[node_of(r, id)->in[0]] = 1;
    }
    sink(r);
    find_readers(r);
    find_pinned(r);
    if (!count_loops(r))
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (uint32_t id = 1; id < r->p->n_node; id++)
        if (!r->fixed[id])
            choose(r, id);
    return RG_OK;
}
