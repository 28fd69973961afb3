/* plan/passes/again.c -- what chunks of the backward half compute again, products merged over the
 * steps of a chunk, and the forward products that are cut where chunks are. */
#include "plan/passes/recompute.h"

#include "plan/made.h"
#include "plan/passes/fusible.h"

#include <string.h>

static const rg_attr_slice *slice_of(const rg_node *n)
{
    return n->attr;
}

/* ---- Cones ----------------------------------------------------------------------------------- */

/* The operand of a node that its copy reads: of rows of a product, what that is computed from. */
static uint32_t read_by(const rg_recompute *r, uint32_t id, uint32_t k)
{
    const rg_node *n = &r->node[id];
    return rg_is_cut(r, id) ? r->node[n->in[0]].in[0] : n->in[k];
}

static bool visit(rg_recompute *r, uint32_t id, uint32_t chunk, uint32_t *seen)
{
    if (r->fixed[id] || r->kept[id] || seen[id] == chunk)
        return true;
    seen[id] = chunk;
    if (!rg_reserve(&r->p->alloc, &r->cone, &r->cone_cap, r->n_cone + 1, sizeof *r->cone))
        return false;
    r->cone[r->n_cone++] = id;
    return true;
}

/* By the products behind them, which are done in this order; and as the stack of the chunk lies. */
static bool sort_cone(rg_recompute *r, const rg_chunk *c)
{
    uint64_t *key = rg_get(&r->p->alloc, c->n_cone * sizeof *key);
    uint32_t *id = r->cone + c->cone;
    if (!key)
        return false;
    for (uint32_t k = 0; k < c->n_cone; k++)
        key[k] = (uint64_t)r->depth[id[k]] << 32 | (c->down ? id[k] : UINT32_MAX - id[k]);
    rg_sort_by(id, key, c->n_cone);
    rg_release(&r->p->alloc, key, c->n_cone * sizeof *key);
    return true;
}

/* @p next: values that chunks compute again, in lists by the chunk that reads them first. */
static bool find_cones(rg_recompute *r, uint32_t *head, uint32_t *next, uint32_t *seen)
{
    for (uint32_t id = r->p->n_node; id-- > 1;)
        if (r->drop[id]) {
            next[id] = head[r->first[id]];
            head[r->first[id]] = id;
        }
    for (uint32_t k = 1; k < r->n_chunk; k++) {
        rg_chunk *c = &r->chunk[k];
        c->cone = (uint32_t)r->n_cone;
        for (uint32_t id = head[k]; id; id = next[id])
            if (!visit(r, id, k, seen))
                return false;
        for (size_t at = c->cone; at < r->n_cone; at++) {
            const uint32_t id = r->cone[at], n = rg_is_cut(r, id) ? 1 : r->node[id].n_in;
            for (uint32_t i = 0; i < n; i++)
                if (!visit(r, read_by(r, id, i), k, seen))
                    return false;
            r->p->visits += 1 + n;
        }
        c->n_cone = (uint32_t)(r->n_cone - c->cone);
        if (!sort_cone(r, c))
            return false;
    }
    return true;
}

/* ---- Pieces of forward products -------------------------------------------------------------- */

/* Rows of a product whose slices one chunk computes again are one piece, as are those of none. */
static bool cut_product(rg_recompute *r, uint32_t id, const uint32_t *chunk)
{
    const uint32_t n = rg_use_count(&r->uses, id), *user = r->uses.user + r->uses.first[id];
    uint32_t *slice = rg_arena_get(&r->arena, n * sizeof *slice);
    uint64_t *key = rg_arena_get(&r->arena, n * sizeof *key);
    bool any = false;
    if (!slice || !key)
        return false;
    for (uint32_t k = 0; k < n; k++) {
        any |= chunk[user[k]] != 0;
        slice[k] = user[k];
        key[k] = (uint64_t)slice_of(&r->node[user[k]])->begin;
    }
    rg_sort_by(slice, key, n);
    for (uint32_t k = 0; k < n && any; k++) {
        const rg_attr_slice *at = slice_of(&r->node[slice[k]]);
        rg_piece *last = r->n_piece ? &r->piece[r->n_piece - 1] : NULL;
        if (k == 0 || chunk[slice[k]] != chunk[slice[k - 1]] || at->begin != last->end) {
            if (k && at->begin < last->end)
                return r->cut[id] = 0, true; /* they overlap: it stays whole */
            if (!rg_reserve(&r->p->alloc, &r->piece, &r->piece_cap, r->n_piece + 1,
                            sizeof *r->piece))
                return false;
            r->piece[r->n_piece++] = (rg_piece){ .product = id, .begin = at->begin };
        }
        r->piece[r->n_piece - 1].end = at->end;
        r->piece_of[slice[k]] = (uint32_t)r->n_piece;
    }
    r->cut[id] = any;
    return true;
}

rg_status rg_again_find(rg_recompute *r, rg_err *err)
{
    const size_t n = r->p->n_node;
    uint32_t *head = rg_arena_get(&r->arena, r->n_chunk * sizeof *head);
    uint32_t *next = rg_arena_get(&r->arena, n * sizeof *next);
    uint32_t *seen = rg_arena_get(&r->arena, n * sizeof *seen);
    r->again = rg_arena_get(&r->arena, n * sizeof *r->again);
    r->weight = rg_arena_get(&r->arena, n * sizeof *r->weight);
    r->piece_of = rg_arena_get(&r->arena, n * sizeof *r->piece_of);
    bool ok = head && next && seen && r->again && r->weight && r->piece_of &&
              find_cones(r, head, next, seen);
    for (uint32_t id = 1; id < n && ok; id++)
        if (r->cut[id])
            ok = cut_product(r, id, seen);
    return ok ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory");
}

static uint32_t make_product(rg_recompute *r, uint32_t id, uint32_t right, int64_t begin,
                             int64_t end)
{
    const rg_node like = r->node[id];
    const uint32_t left = rg_make_part(&r->b, &like, r->b.map[like.in[0]], 0, begin, end);
    const uint32_t in[2] = { left, right };
    return rg_make(&r->b, &like, like.op, like.attr, in, 2);
}

/* A slice of a piece. */
static uint32_t of_piece(rg_recompute *r, uint32_t id)
{
    const rg_node like = r->node[id];
    const rg_attr_slice *at = like.attr;
    rg_piece *piece = &r->piece[r->piece_of[id] - 1];
    if (!piece->made)
        piece->made = make_product(r, piece->product, r->b.map[r->node[piece->product].in[1]],
                                   piece->begin, piece->end);
    return rg_make_part(&r->b, &like, piece->made, 0, at->begin - piece->begin,
                        at->end - piece->begin);
}

uint32_t rg_again_operand(rg_recompute *r, uint32_t id, uint32_t chunk)
{
    if (r->drop[id] && chunk >= r->first[id] && r->again[id])
        return r->again[id];
    if (r->piece_of[id] && !r->b.map[id])
        r->b.map[id] = of_piece(r, id);
    return r->b.map[id];
}

/* ---- Copies ---------------------------------------------------------------------------------- */

uint32_t rg_again_stack(rg_recompute *r, const rg_node *like, const uint32_t *part, uint32_t n)
{
    enum { MOST = sizeof r->stack_of / sizeof *r->stack_of };
    for (uint32_t k = 0; k < r->n_made && n > 1; k++)
        if (r->n_rows[k] == n && memcmp(r->rows[k], part, n * sizeof *part) == 0)
            return r->stack_of[k];
    const uint32_t made = rg_make_concat(&r->b, like, part, n, 0);
    uint32_t *kept = n > 1 && r->n_made < MOST ? rg_arena_get(&r->arena, n * sizeof *kept) : NULL;
    if (kept) {
        memcpy(kept, part, n * sizeof *kept);
        r->rows[r->n_made] = kept;
        r->n_rows[r->n_made] = n;
        r->stack_of[r->n_made++] = made;
    }
    return made;
}

/* The operand as a copy reads it: another copy, or what was kept. */
static uint32_t copied(rg_recompute *r, uint32_t id)
{
    return r->fixed[id] || r->kept[id] || !r->again[id] ? rg_again_operand(r, id, 0) : r->again[id];
}

/* Weights of copies are values of their own, so that their packed form does not live from the
 * forward half to the backward half. */
static uint32_t weight_of(rg_recompute *r, uint32_t id)
{
    rg_node n = r->node[id];
    if (r->weight[id])
        return r->weight[id];
    if (n.op == &rg_op_concat) {
        uint32_t *in = rg_arena_get(&r->arena, n.n_in * sizeof *in);
        for (uint32_t k = 0; k < n.n_in && in; k++)
            in[k] = r->b.map[n.in[k]];
        n.in = in;
        r->b.failed |= !in;
    } else {
        rg_attr_shape attr;
        memset(&attr, 0, sizeof attr);
        attr.shape.rank = n.shape->rank;
        memcpy(attr.shape.dim, n.shape->dim, (size_t)n.shape->rank * sizeof *n.shape->dim);
        n = rg_builder_like(&r->b, &n, &rg_op_reshape, &attr, n.shape, &r->b.map[id], 1);
    }
    return r->weight[id] = r->b.failed ? 0 : rg_builder_anew(&r->b, &n);
}

/* The product that a member of a cone is, or is rows of. */
static const rg_node *product_of(const rg_recompute *r, uint32_t id)
{
    const rg_node *n = &r->node[id];
    return rg_is_cut(r, id) ? &r->node[n->in[0]] : rg_is_matmul(n) ? n : NULL;
}

static bool merges(const rg_recompute *r, uint32_t a, uint32_t b)
{
    const rg_node *x = product_of(r, a), *y = product_of(r, b);
    return y && r->depth[a] == r->depth[b] && x->op == y->op && x->in[1] == y->in[1];
}

/* Rows of the left operand. */
static uint32_t left_of(rg_recompute *r, uint32_t id)
{
    const rg_node like = *product_of(r, id);
    const rg_attr_slice *at = r->node[id].attr;
    const uint32_t left = copied(r, like.in[0]);
    return rg_is_cut(r, id) ? rg_make_part(&r->b, &like, left, 0, at->begin, at->end) : left;
}

/* n products with one right operand, over a stack of their rows. */
static void merge(rg_recompute *r, const uint32_t *id, uint32_t n)
{
    const rg_node like = *product_of(r, id[0]);
    uint32_t *part = rg_arena_get(&r->arena, n * sizeof *part), in[3] = { 0, 0, 0 };
    int64_t at = 0;
    r->b.failed |= !part;
    for (uint32_t k = 0; k < n && !r->b.failed; k++)
        part[k] = left_of(r, id[k]);
    in[0] = r->b.failed ? 0 : rg_again_stack(r, &like, part, n);
    in[1] = weight_of(r, like.in[1]);
    for (uint32_t k = 0; k < n && like.n_in == 3 && !r->b.failed; k++)
        part[k] = copied(r, r->node[id[k]].in[2]);
    if (like.n_in == 3 && !r->b.failed)
        in[2] = rg_make_concat(&r->b, &like, part, n, 0);
    const uint32_t whole = rg_make(&r->b, &like, like.op, like.attr, in, like.n_in);
    for (uint32_t k = 0; k < n && !r->b.failed; k++) {
        const int64_t rows = r->node[id[k]].shape->dim[0];
        r->again[id[k]] = n == 1 ? whole
                                 : rg_make_part(&r->b, &r->node[id[k]], whole, 0, at, at + rows);
        at += rows;
    }
}

/* Products of one depth, those with one right operand as one. */
static void copy_products(rg_recompute *r, uint32_t *id, uint32_t n)
{
    uint32_t *set = rg_arena_get(&r->arena, n * sizeof *set);
    uint8_t *done = rg_arena_get(&r->arena, n);
    r->b.failed |= !set || !done;
    for (uint32_t k = 0; k < n && !r->b.failed; k++) {
        uint32_t members = 0;
        if (done[k] || !product_of(r, id[k]))
            continue;
        for (uint32_t i = k; i < n; i++)
            if (!done[i] && merges(r, id[k], id[i])) {
                done[i] = 1;
                set[members++] = id[i];
            }
        merge(r, set, members);
    }
}

static void copy_node(rg_recompute *r, uint32_t id)
{
    rg_node n = r->node[id];
    uint32_t *in = rg_arena_get(&r->arena, n.n_in * sizeof *in);
    r->b.failed |= !in;
    for (uint32_t k = 0; k < n.n_in && !r->b.failed; k++)
        in[k] = copied(r, n.in[k]);
    n.in = in;
    r->again[id] = r->b.failed ? 0 : rg_builder_plain(&r->b, &n);
}

void rg_again_make(rg_recompute *r, uint32_t chunk)
{
    const rg_chunk *c = &r->chunk[chunk];
    uint32_t *id = r->cone + c->cone;
    r->n_made = 0;
    for (uint32_t k = 0, end; k < c->n_cone && !r->b.failed; k = end) {
        for (end = k; end < c->n_cone && r->depth[id[end]] == r->depth[id[k]]; end++)
            ;
        copy_products(r, id + k, end - k);
        for (uint32_t i = 0; i < end - k && !r->b.failed; i++) {
            const uint32_t at = id[c->down ? k + i : end - 1 - i];
            if (!product_of(r, at))
                copy_node(r, at);
        }
    }
}
