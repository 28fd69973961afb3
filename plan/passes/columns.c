/* plan/passes/columns.c -- values side by side that share columns lie in one array.
 *
 * Needs    chunk before it, which looks for stacks, not for columns of them.
 * Leaves   [a|b|c] and [b|c|d], for a step, as columns of [a|b|c|d]; a stack of b's over the steps
 *          as columns of a stack that is there anyhow.
 * Law      exact: a sum over rows whose stack now has another order of making keeps the order that
 *          it had in our own kernels, as a stretch (rg_sums_backwards()).
 *
 * A value can be computed in one place only; in every other stack that wants it, it is a copy. So
 * draw an edge from each part to the next, over all concats along the columns: where every value
 * has one successor and one predecessor, and there is no circle, each chain is an array and each
 * concat columns of it. (slots.c does the same with rows, and with memory.) What nobody could
 * compute before the first of the concats is read does not join. */
#include "plan/passes/passes.h"

#include "base/checked.h"
#include "plan/chains.h"
#include "plan/made.h"
#include "plan/passes/products.h"

enum { WIDEST = 64 };  /* parts of a concat that becomes columns */

struct columns {
    rg_prog    *p;
    rg_builder  b;
    const rg_node *node;      /* of the old program */
    rg_chains   chain;        /* by value */
    uint32_t   *first;        /* by head of a chain: the first concat of it; 0 = no chain */
    uint32_t   *head;         /* by value: the first of its chain; 0 = it is in none */
    int64_t    *at, *width;   /* by value: its first column there; by head: columns of all */
    uint32_t   *whole;        /* by head: the concat of all, in the new program; 0 = not yet */
    uint32_t   *stack;        /* by head: a stack that begins with this chain; 0 = none */
    uint8_t    *backwards;    /* by node: a sum over rows from the last to the first */
};

static bool concats(const rg_node *n, int axis)
{
    return n->op == &rg_op_concat && n->shape->rank == 2 &&
           ((const rg_attr_axis *)n->attr)->axis == axis;
}

/* ---- Chains ---------------------------------------------------------------------------------- */

/* Are the parts of a concat a stretch of a chain? */
static bool in_chain(const struct columns *s, const rg_node *n)
{
    for (uint32_t k = 0; k + 1 < n->n_in; k++)
        if (s->chain.next[n->in[k]] != n->in[k + 1])
            return false;
    return n->n_in > 1;
}

/* Chains, with places for their values. */
static void lay_out(struct columns *s)
{
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        int64_t at = 0;
        const bool begins = !s->chain.prev[id] && s->chain.next[id];
        for (uint32_t v = begins ? id : 0; v; v = s->chain.next[v]) {
            s->head[v] = id;
            s->at[v] = at;
            at += s->node[v].shape->dim[1];
            s->width[id] = at;
        }
    }
}

/* Not those of which something is not there before their first concat. */
static void drop_late(struct columns *s)
{
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        uint32_t last = 0;
        if (s->head[id] != id)
            continue;
        for (uint32_t v = id; v; v = s->chain.next[v])
            last = v > last ? v : last;
        for (uint32_t v = id; v && last >= s->first[id]; v = s->chain.next[v])
            s->head[v] = 0;
    }
}

/* Not weights, which are packed as they are. */
static bool may_share(const struct columns *s, uint32_t id)
{
    const rg_node *n = &s->node[id];
    bool ok = concats(n, 1);
    for (uint32_t k = 0; k < n->n_in && ok; k++)
        ok = !rg_node_is_leaf(&s->node[n->in[k]]);
    return ok;
}

static void find_chains(struct columns *s)
{
    for (uint32_t id = 1; id < s->p->n_node; id++)
        s->chain.set[id] = id;
    for (uint32_t id = 1; id < s->p->n_node; id++)
        if (may_share(s, id) && s->node[id].n_in <= WIDEST)
            (void)rg_chains_link(&s->chain, &s->p->alloc, s->node[id].in, s->node[id].n_in);
    lay_out(s);
    for (uint32_t id = s->p->n_node; id-- > 1;) {
        s->p->visits += 1 + s->node[id].n_in;
        if (may_share(s, id) && in_chain(s, &s->node[id]))
            s->first[s->head[s->node[id].in[0]]] = id;
    }
    drop_late(s);
}

/* ---- Stacks of chains ------------------------------------------------------------------------ */

/* The chain of which a value is a place, or a concat a stretch. */
static uint32_t chain_of(const struct columns *s, uint32_t id, int64_t *at)
{
    const rg_node *n = &s->node[id];
    const uint32_t v = concats(n, 1) && in_chain(s, n) ? n->in[0] : id;
    *at = s->at[v];
    return s->head[v];
}

/* Stacks of concats, by the chain of their first. */
static void find_stacks(struct columns *s)
{
    const rg_node *node = s->node;
    int64_t at;
    for (uint32_t id = 1; id < s->p->n_node; id++) {
        if (!concats(&node[id], 0) || !concats(&node[node[id].in[0]], 1))
            continue;
        const uint32_t chain = chain_of(s, node[id].in[0], &at);
        if (chain && !s->stack[chain])
            s->stack[chain] = id;
    }
}

/* Do the values of a stack lie in the chains of another one, all in the same columns? */
static bool lies_in_stack(const struct columns *s, uint32_t id)
{
    const rg_node *n = &s->node[id];
    int64_t at, own, any;
    const uint32_t chain = chain_of(s, n->in[0], &at);
    const rg_node *stack = &s->node[chain ? s->stack[chain] : 0];
    if (!chain || !s->stack[chain] || stack->n_in != n->n_in)
        return false;
    s->p->visits += n->n_in;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t mine = chain_of(s, n->in[k], &own);
        if (!mine || own != at || mine != chain_of(s, stack->in[k], &any) ||
            s->width[mine] != s->width[chain] || s->first[mine] > id)
            return false;
    }
    return true;
}

/* ---- Rebuilding ------------------------------------------------------------------------------ */

/* The concat of a whole chain; its values are there. */
static uint32_t whole_of(struct columns *s, uint32_t head, const rg_node *like)
{
    uint32_t n = 0, k = 0;
    if (s->whole[head])
        return s->whole[head];
    for (uint32_t v = head; v; v = s->chain.next[v])
        n++;
    uint32_t *part = rg_arena_get(&s->p->arena, n * sizeof *part);
    s->b.failed |= !part;
    for (uint32_t v = head; v && part; v = s->chain.next[v])
        part[k++] = s->b.map[v];
    return s->whole[head] = s->b.failed ? 0 : rg_make_concat(&s->b, like, part, n, 1);
}

/* Columns of a chain. */
static uint32_t part_of(struct columns *s, uint32_t id, int64_t width)
{
    int64_t at;
    const rg_node like = s->b.old[id];
    const uint32_t head = chain_of(s, id, &at), whole = whole_of(s, head, &like);
    return whole ? rg_make_part(&s->b, &like, whole, 1, at, at + width) : 0;
}

/* Columns of the stack of all chains. */
static uint32_t stack_of(struct columns *s, uint32_t id)
{
    const rg_node like = s->b.old[id];
    int64_t at;
    uint32_t *part = rg_arena_get(&s->p->arena, like.n_in * sizeof *part);
    s->b.failed |= !part;
    for (uint32_t k = 0; k < like.n_in && !s->b.failed; k++)
        part[k] = whole_of(s, chain_of(s, like.in[k], &at), &like);
    const uint32_t all = s->b.failed ? 0 : rg_make_concat(&s->b, &like, part, like.n_in, 0);
    (void)chain_of(s, like.in[0], &at);
    return all ? rg_make_part(&s->b, &like, all, 1, at, at + like.shape->dim[1]) : 0;
}

/* Does a node sum over rows, column by column? */
static bool sums_rows(const struct columns *s, const rg_node *n)
{
    if (n->op == &rg_op_sum_over)
        return ((const rg_attr_axis *)n->attr)->axis == 0 && s->node[n->in[0]].shape->rank == 2 &&
               s->node[n->in[0]].shape->dim[1] > 1;
    return rg_is_product(n) && rg_flags_of(n)->transpose_a && !rg_flags_of(n)->transpose_b;
}

/* [a|b|c] of a step may be younger than that of the next, where [a|b|c|d] is older: the gradients
 * of all gates, which nothing wants before x does, beside those that h wants at once. */
static uint32_t sum_as_before(struct columns *s, uint32_t id)
{
    const rg_node n = s->b.old[id];
    const uint32_t in[3] = { s->b.map[n.in[0]], n.n_in > 1 ? s->b.map[n.in[1]] : 0, 0 };
    rg_node now = n;
    now.in = in;
    if (rg_sums_backwards(s->p, &now) == s->backwards[id])
        return rg_builder_copy(&s->b, id);
    return rg_make_stretch(&s->b, &n, in, s->backwards[id], true);
}

static uint32_t renewed(struct columns *s, uint32_t id)
{
    const rg_node *n = &s->b.old[id];
    int64_t at;
    if (may_share(s, id) && in_chain(s, n) && s->head[n->in[0]])
        return part_of(s, id, n->shape->dim[1]);
    if (concats(n, 0) && !concats(&s->node[n->in[0]], 1) && chain_of(s, n->in[0], &at) &&
        lies_in_stack(s, id))
        return stack_of(s, id);
    if (sums_rows(s, n))
        return sum_as_before(s, id);
    return rg_builder_copy(&s->b, id);
}

static rg_status rebuild(struct columns *s, rg_err *err)
{
    for (uint32_t id = 1; id < s->p->n_node; id++)
        s->backwards[id] = rg_sums_backwards(s->p, &s->node[id]);
    rg_status st = rg_builder_begin(&s->b, s->p, err);
    if (st)
        return st;
    for (uint32_t id = 1; id < s->b.n_old && !s->b.failed; id++)
        s->b.map[id] = renewed(s, id);
    return rg_builder_end(&s->b);
}

rg_status rg_pass_columns(rg_prog *p, rg_err *err)
{
    const size_t n = p->n_node;
    struct columns s = { .p = p, .node = p->node };
    rg_status st = RG_OK;
    rg_arena arena;
    rg_arena_init(&arena, &p->alloc);
    s.chain.next = rg_arena_get(&arena, n * sizeof *s.chain.next);
    s.chain.prev = rg_arena_get(&arena, n * sizeof *s.chain.prev);
    s.chain.set = rg_arena_get(&arena, n * sizeof *s.chain.set);
    s.first = rg_arena_get(&arena, n * sizeof *s.first);
    s.head = rg_arena_get(&arena, n * sizeof *s.head);
    s.at = rg_arena_get(&arena, n * sizeof *s.at);
    s.width = rg_arena_get(&arena, n * sizeof *s.width);
    s.whole = rg_arena_get(&arena, n * sizeof *s.whole);
    s.stack = rg_arena_get(&arena, n * sizeof *s.stack);
    s.backwards = rg_arena_get(&arena, n);
    if (s.chain.next && s.chain.prev && s.chain.set && s.first && s.head && s.at && s.width &&
        s.whole && s.stack && s.backwards) {
        find_chains(&s);
        find_stacks(&s);
        st = rebuild(&s, err);
    } else {
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    }
    rg_arena_free(&arena);
    return st;
}
