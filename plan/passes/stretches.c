/* plan/passes/stretches.c -- the backward half in chunks: stacks of gradients that are never there
 * as a whole, because what reads them takes them chunk by chunk.
 *
 *     dW = Σ_t h_tᵀ·d_t       goes on from the sum of the chunk before (rg_op_matmul_stretch)
 *     db = Σ_t Σ_rows d_t     likewise (rg_op_sum_stretch)
 *     dX = [d_0; d_1; …]·Uᵀ   by rows
 *
 * The sums run over rows in the order in which those come to be, with a budget and without
 * (rg_sums_backwards()), so a chunk of any length leaves no trace in them. */
#include "plan/passes/recompute.h"

#include "plan/made.h"

#include <string.h>

enum { FEWEST_PARTS = 3, FEWEST_ROWS = 64 };

static const rg_node *node_of(const rg_recompute *r, uint32_t id)
{
    return &r->node[id];
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static int64_t rows_of(const rg_recompute *r, uint32_t id)
{
    return node_of(r, id)->shape->dim[0];
}

static bool is_row_stack(const rg_recompute *r, uint32_t id)
{
    const rg_node *n = node_of(r, id);
    return n->op == &rg_op_concat && ((const rg_attr_axis *)n->attr)->axis == 0;
}

/* Computed parts of equal height, each older than the next or each younger. */
static bool comes_in_order(const rg_recompute *r, uint32_t id)
{
    const rg_node *n = node_of(r, id);
    if (!is_row_stack(r, id) || n->shape->rank != 2 || n->n_in < FEWEST_PARTS ||
        r->uses.root[id])
        return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (rg_node_is_leaf(node_of(r, n->in[k])) || rows_of(r, n->in[k]) != rows_of(r, n->in[0]) ||
            (k && (n->in[k] < n->in[k - 1]) != (n->in[1] < n->in[0])) ||
            (k && n->in[k] == n->in[k - 1]))
            return false;
    return true;
}

/* The other factor of a sum over rows: a stack of the same height whose parts are older, or older
 * as a whole. */
static bool is_there(const rg_recompute *r, uint32_t other, uint32_t stack)
{
    const rg_node *a = node_of(r, other), *s = node_of(r, stack);
    const uint32_t first = s->in[0] < s->in[1] ? s->in[0] : s->in[s->n_in - 1];
    if (other < first)
        return true;
    if (!is_row_stack(r, other) || a->n_in != s->n_in)
        return false;
    for (uint32_t k = 0; k < a->n_in; k++)
        if (a->in[k] >= s->in[k] || rows_of(r, a->in[k]) != rows_of(r, s->in[k]))
            return false;
    return true;
}

/* Can this reader take the stack chunk by chunk, with the same bits? */
static bool takes_chunks(const rg_recompute *r, uint32_t reader, uint32_t stack)
{
    const rg_node *n = node_of(r, reader);
    const rg_attr_axis *at = n->attr;
    if (n->op == &rg_op_sum_over)
        return at->axis == 0 && n->shape->dim[n->shape->rank - 1] > 1;
    if (!rg_is_product(n) || n->in[0] == n->in[1])
        return false;
    const rg_attr_matmul *t = n->attr;
    const uint32_t first = node_of(r, stack)->in[0], last = node_of(r, stack)->in[1];
    if (t->transpose_a)
        return n->in[1] == stack && !t->transpose_b && n->shape->dim[1] > 1 &&
               is_there(r, n->in[0], stack);
    /* with few rows it might be another kernel's if they were fewer */
    return n->in[0] == stack && n->in[1] < (first < last ? first : last) && n->shape->dim[1] > 1 &&
           n->shape->dim[0] >= FEWEST_ROWS;
}

static bool add_stack(rg_recompute *r, uint32_t id)
{
    const rg_node *n = node_of(r, id);
    const uint32_t *user = r->uses.user + r->uses.first[id], users = rg_use_count(&r->uses, id);
    bool ok = users > 0;
    r->p->visits += users + n->n_in;
    for (uint32_t k = 0; k < users && ok; k++)
        ok = takes_chunks(r, user[k], id) && !r->reader_of[user[k]];
    if (!ok)
        return false;
    r->stack[r->n_stack++] = (rg_late_stack){ .id = id, .n = n->n_in, .down = n->in[1] < n->in[0],
                                              .reader = r->n_reader,
                                              .end = r->n_reader + users };
    r->stacked[id] = 1;
    for (uint32_t k = 0; k < users; k++) {
        const rg_node *u = node_of(r, user[k]);
        r->reader[r->n_reader++] = (rg_late_reader){ .node = user[k] };
        r->reader_of[user[k]] = r->n_reader;
        if (rg_is_matmul(u) && rg_flags_of(u)->transpose_a)
            r->stacked[u->in[0]] = 1;
    }
    return true;
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

static uint32_t part_of(const rg_recompute *r, const rg_late_stack *s, uint32_t k)
{
    return node_of(r, s->id)->in[rg_late_part(s, k)];
}

/* The last node of the first n parts of a loop's stacks that is older than `limit`, the next loop's
 * first: nothing waits for the very last part, so it may come to be at any time. */
static uint32_t end_of(const rg_recompute *r, uint32_t stack, uint32_t stacks, uint32_t n,
                       uint32_t of, uint32_t limit)
{
    uint32_t end = 0;
    for (uint32_t i = stack; i < stack + stacks; i++) {
        const rg_late_stack *s = &r->stack[i];
        uint32_t last = s->n == of ? n : n == of ? s->n : 0;
        while (last && part_of(r, s, last - 1) >= limit)
            last--;
        const uint32_t id = last ? part_of(r, s, last - 1) : 0;
        end = id > end ? id : end;
    }
    return end;
}

/* So many rows are about so many steps. */
static uint32_t steps_of(const rg_recompute *r, const rg_late_stack *s, int64_t rows)
{
    const int64_t height = rows_of(r, part_of(r, s, 0));
    return rows > height ? (uint32_t)(rows / height) : 1;
}

static uint32_t last_but_one(const rg_recompute *r, uint32_t stack)
{
    return part_of(r, &r->stack[stack], r->stack[stack].n - 2);
}

/* Steps from .. to - 1 of a loop in chunks of about so many rows. */
static void cut_steps(rg_recompute *r, rg_chunk c, const rg_late_stack *s, uint32_t from,
                      uint32_t to, int64_t rows)
{
    const uint32_t end = c.stack + c.stacks, steps = steps_of(r, s, rows), n = to - from;
    const uint32_t limit = end < r->n_stack ? part_of(r, &r->stack[end], 0) : UINT32_MAX;
    const uint32_t chunks = (n + steps - 1) / steps;
    for (uint32_t k = 1; k <= chunks; k++) {
        const uint32_t upto = from + (uint32_t)((uint64_t)n * k / chunks);
        c.end = end_of(r, c.stack, c.stacks, upto, s->n, limit);
        r->chunk[r->n_chunk++] = c;
    }
}

/* The steps of one loop: those whose values are kept, which run first, and the rest. The first
 * chunk's values are there in any case. */
static void cut_loop(rg_recompute *r, uint32_t stack, uint32_t stacks)
{
    enum { TALL = 256 };
    const rg_again *again = &r->p->recompute;
    uint32_t lead = stack;
    for (uint32_t i = stack; i < stack + stacks; i++)
        lead = last_but_one(r, i) > last_but_one(r, lead) ? i : lead;
    const rg_late_stack *s = &r->stack[lead];
    const uint32_t steps = steps_of(r, s, again->rows), most = s->n > steps ? s->n - steps : 0;
    const uint32_t share = (uint32_t)(((uint64_t)s->n * again->share + 1023) / 1024);
    const uint32_t keep = s->n - (share < most ? share : most);
    rg_chunk c = { .begin = part_of(r, &r->stack[stack], 0), .stack = stack, .stacks = stacks,
                   .down = s->down };
    cut_steps(r, c, s, 0, keep, TALL);
    c.again = true;
    cut_steps(r, c, s, keep, s->n, again->rows);
}

/* Loops are sets of stacks whose parts come to be at the same time. */
static void cut_loops(rg_recompute *r)
{
    uint32_t at = 1;
    r->n_chunk = 1;
    for (uint32_t i = 0, end; i < r->n_stack; i = end) {
        uint32_t last = last_but_one(r, i);
        for (end = i + 1; end < r->n_stack && part_of(r, &r->stack[end], 0) < last; end++)
            last = last_but_one(r, end) > last ? last_but_one(r, end) : last;
        cut_loop(r, i, end - i);
    }
    for (uint32_t k = 1; k < r->n_chunk; k++) {
        at = at > r->chunk[k].begin ? at : r->chunk[k].begin + 1;
        for (; at <= r->chunk[k].end; at++)
            r->chunk_of[at] = k;
    }
}

static bool sort_stacks(rg_recompute *r)
{
    uint64_t *key = rg_arena_get(&r->arena, r->n_stack * sizeof *key);
    uint32_t *order = rg_arena_get(&r->arena, r->n_stack * sizeof *order);
    rg_late_stack *sorted = rg_arena_get(&r->arena, r->n_stack * sizeof *sorted);
    if (!key || !order || !sorted)
        return false;
    for (uint32_t i = 0; i < r->n_stack; i++) {
        order[i] = i;
        key[i] = part_of(r, &r->stack[i], 0);
    }
    rg_sort_by(order, key, r->n_stack);
    for (uint32_t i = 0; i < r->n_stack; i++)
        sorted[i] = r->stack[order[i]];
    r->stack = sorted;
    for (uint32_t i = 0; i < r->n_stack; i++)
        for (uint32_t k = r->stack[i].reader; k < r->stack[i].end; k++)
            r->reader[k].stack = i;
    return true;
}

rg_status rg_stretches_find(rg_recompute *r, rg_err *err)
{
    const size_t n = r->p->n_node;
    size_t parts = 0, stacks = 0, users = 0;
    r->chunk_of = rg_arena_get(&r->arena, n * sizeof *r->chunk_of);
    r->reader_of = rg_arena_get(&r->arena, n * sizeof *r->reader_of);
    r->stacked = rg_arena_get(&r->arena, n);
    for (uint32_t id = 1; id < n; id++)
        if (is_row_stack(r, id)) {
            stacks++;
            parts += node_of(r, id)->n_in;
            users += rg_use_count(&r->uses, id);
        }
    r->stack = rg_arena_get(&r->arena, stacks * sizeof *r->stack);
    r->reader = rg_arena_get(&r->arena, users * sizeof *r->reader);
    r->chunk = rg_arena_get(&r->arena, (parts + stacks + 1) * sizeof *r->chunk);
    if (!r->chunk_of || !r->reader_of || !r->stacked || !r->stack || !r->reader || !r->chunk)
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (uint32_t id = 1; id < n; id++)
        if (comes_in_order(r, id))
            (void)add_stack(r, id);
    if (!sort_stacks(r))
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    cut_loops(r);
    return RG_OK;
}

/* ---- Stretches ------------------------------------------------------------------------------- */

/* Rows of these parts of the other factor of a sum. */
static uint32_t other_rows(rg_recompute *r, const rg_node *like, uint32_t id, uint32_t from,
                           uint32_t n, int64_t height, uint32_t chunk)
{
    const rg_node *node = &r->node[id];
    if (r->b.map[id])
        return rg_make_part(&r->b, like, rg_again_operand(r, id, 0), 0, from * height,
                            (from + n) * height);
    uint32_t *part = rg_arena_get(&r->arena, n * sizeof *part);
    r->b.failed |= !part;
    for (uint32_t k = 0; k < n && part; k++)
        part[k] = rg_again_operand(r, node->in[from + k], chunk);
    return part ? rg_again_stack(r, like, part, n) : 0;
}

static uint32_t stretch(rg_recompute *r, const rg_late_stack *s, rg_late_reader *u, uint32_t rows,
                        uint32_t from, uint32_t n, uint32_t chunk)
{
    const rg_node like = r->node[u->node];
    const int64_t height = rg_built(&r->b, rows)->shape->dim[0] / n;
    uint32_t in[3] = { rows, rows, u->sum };
    if (like.op == &rg_op_matmul)
        in[0] = other_rows(r, &like, like.in[0], from, n, height, chunk);
    return rg_make_stretch(&r->b, &like, in, s->down, s->at + n == s->n);
}

/* The next n parts of a stack, for all its readers. */
static void make_stretches(rg_recompute *r, rg_late_stack *s, uint32_t n, uint32_t chunk)
{
    const rg_node *node = &r->node[s->id];
    const uint32_t from = s->down ? s->n - s->at - n : s->at;
    uint32_t *part = rg_arena_get(&r->arena, n * sizeof *part);
    for (uint32_t k = 0; k < n && part; k++)
        part[k] = rg_again_operand(r, node->in[from + k], chunk);
    const uint32_t rows = part ? rg_make_concat(&r->b, node, part, n, 0) : 0;
    r->b.failed |= !rows;
    for (uint32_t i = s->reader; i < s->end && !r->b.failed; i++) {
        rg_late_reader *u = &r->reader[i];
        const rg_node like = r->node[u->node];
        if (like.op != &rg_op_matmul || rg_flags_of(&like)->transpose_a) {
            u->sum = stretch(r, s, u, rows, from, n, chunk);
            continue;
        }
        const uint32_t in[2] = { rows, rg_again_operand(r, like.in[1], 0) };
        if (!u->piece && !(u->piece = rg_arena_get(&r->arena, s->n * sizeof *u->piece))) {
            r->b.failed = true;
            return;
        }
        u->piece[u->n_piece++] = rg_make(&r->b, &like, like.op, like.attr, in, 2);
        u->sum = s->down;
    }
    s->at += n;
}

void rg_stretches_make(rg_recompute *r, uint32_t chunk)
{
    const rg_chunk *c = &r->chunk[chunk];
    for (uint32_t i = c->stack; i < c->stack + c->stacks && !r->b.failed; i++) {
        rg_late_stack *s = &r->stack[i];
        const uint32_t *in = r->node[s->id].in;
        uint32_t n = 0;
        while (s->at + n < s->n && in[rg_late_part(s, s->at + n)] <= c->end)
            n++;
        if (n)
            make_stretches(r, s, n, chunk);
    }
}

uint32_t rg_stretches_result(rg_recompute *r, uint32_t id)
{
    rg_late_reader *u = &r->reader[r->reader_of[id] - 1];
    rg_late_stack *s = &r->stack[u->stack];
    if (s->at < s->n) /* another stack of the loop is not yet done */
        make_stretches(r, s, s->n - s->at, r->chunk_of[part_of(r, s, s->n - 1)]);
    const uint32_t n = u->n_piece;
    if (!u->piece)
        return u->sum;
    for (uint32_t k = 0; u->sum && k < n / 2; k++) {
        const uint32_t other = u->piece[n - 1 - k];
        u->piece[n - 1 - k] = u->piece[k];
        u->piece[k] = other;
    }
    const rg_node like = r->node[id];
    return rg_make_concat(&r->b, &like, u->piece, n, 0);
}
