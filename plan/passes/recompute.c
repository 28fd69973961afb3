/* plan/passes/recompute.c -- under a byte budget: the backward half in chunks, each of which
 * computes again what it needs of the forward half.
 *
 * Needs    batch, reduce and accumulate before it; a budget (p->recompute): else it does nothing.
 * Leaves   products in pieces; before each chunk copies of what it reads, merged over its steps;
 *          sums over time in stretches, behind the chunks. Equal nodes are not one from here on.
 * Law      exact, if each row of a product has the same bits in every product, as in our own
 *          kernel, and sums over rows run in the order in which these come to be.
 *
 * Keeping the states of all steps and nothing else, and computing the rest again chunk by chunk, is
 * the middle way of Gruslys et al., "Memory-efficient backpropagation through time" (2016): since
 * the states are known, the products of a chunk have no chain over time. */
#include "plan/passes/passes.h"
#include "plan/passes/recompute.h"

#include <string.h>

/* An old node whose operands are those for the chunk that it runs in. */
static uint32_t copy(rg_recompute *r, uint32_t id)
{
    const rg_node *n = &r->b.old[id];
    if (!rg_reserve(&r->p->alloc, &r->operand, &r->operand_cap, n->n_in, sizeof *r->operand)) {
        r->b.failed = true;
        return 0;
    }
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t now = rg_again_operand(r, n->in[k], r->chunk_of[id]);
        r->operand[k] = r->b.map[n->in[k]];
        r->b.map[n->in[k]] = now;
    }
    const uint32_t made = rg_builder_copy(&r->b, id);
    for (uint32_t k = n->n_in; k-- > 0;)
        r->b.map[n->in[k]] = r->operand[k];
    return made;
}

/* Does this node read what its chunk makes of these values, @p marks in chunks @p where: what it
 * computes again, or what was sunk into it? The chunk's end does: sums may. */
static bool reads(const rg_recompute *r, uint32_t id, const uint8_t *marks, const uint32_t *where)
{
    const uint32_t chunk = r->chunk_of[id];
    const rg_node *n = &r->node[id];
    bool any = id == r->chunk[chunk].end;
    for (uint32_t k = 0; k < n->n_in; k++)
        any |= marks[n->in[k]] && where[n->in[k]] == chunk;
    return any;
}

/* What node @p id of a chunk is the first to need of that: as late as may be, since gates of two
 * chunks at once would be the most that ever is. */
static void prepare(rg_recompute *r, uint32_t id, uint32_t *copied, uint32_t *sunk)
{
    const uint32_t chunk = r->chunk_of[id];
    if (chunk == *copied && chunk == *sunk)
        return;
    const bool sinks = chunk > *sunk && reads(r, id, r->sunk, r->chunk_of);
    bool copies = reads(r, id, r->drop, r->first);
    for (uint32_t s = sinks ? r->to_sink[chunk] : 0; s; s = r->sink_next[s])
        copies |= reads(r, s, r->drop, r->first);
    if (copies && chunk > *copied)
        rg_again_make(r, *copied = chunk);
    for (uint32_t s = sinks ? r->to_sink[chunk] : 0; s && !r->b.failed; s = r->sink_next[s])
        r->b.map[s] = copy(r, s);
    *sunk = sinks ? chunk : *sunk;
}

static rg_status rebuild(rg_recompute *r, rg_err *err)
{
    uint32_t chunk = 1, copied = 0, sunk = 0;
    rg_status st = rg_builder_begin(&r->b, r->p, err);
    for (uint32_t id = 1; !st && id < r->b.n_old && !r->b.failed; id++) {
        if (r->sunk[id])
            continue;
        if (r->chunk_of[id])
            prepare(r, id, &copied, &sunk);
        if (r->reader_of[id])
            r->b.map[id] = rg_stretches_result(r, id);
        else if (!r->cut[id] && !r->piece_of[id]) /* those come in pieces */
            r->b.map[id] = copy(r, id);
        for (; chunk < r->n_chunk && id == r->chunk[chunk].end; chunk++)
            rg_stretches_make(r, chunk);
    }
    return st ? st : rg_builder_end(&r->b);
}

rg_status rg_pass_recompute(rg_prog *p, rg_err *err)
{
    rg_recompute r = { .p = p, .node = p->node };
    rg_status st;
    if (!p->recompute.rows || p->keep)
        return RG_OK;
    rg_arena_init(&r.arena, &p->alloc);
    if (!(st = rg_uses_make(&r.uses, p, err)) && !(st = rg_stretches_find(&r, err)) &&
        r.n_stack && !(st = rg_keep_find(&r, err)) && !(st = rg_again_find(&r, err))) {
        p->copies = true;
        st = rebuild(&r, err);
    }
    rg_release(&p->alloc, r.cone, r.cone_cap * sizeof *r.cone);
    rg_release(&p->alloc, r.piece, r.piece_cap * sizeof *r.piece);
    rg_release(&p->alloc, r.operand, r.operand_cap * sizeof *r.operand);
    rg_uses_free(&r.uses, p);
    rg_arena_free(&r.arena);
    return st;
}
