/* plan/passes/sums.c -- Σ Aᵢ·Bᵢ = [A₁|…|Aₙ]·[B₁;…;Bₙ] for the leaves of one addition tree; column
 * sums and scatter-adds alike. A tree has one exit, so merging inside it cannot make a cycle.
 *
 * Nothing is stacked for a sum of columns alone: there Σ of columns of Aᵢ = columns of ΣAᵢ, where
 * each Aᵢ is added when it is computed, element by element and row by row. */
#include "plan/passes/sums.h"

#include <string.h>

static rg_status no_memory(rg_err *err)
{
    return rg_fail(err, RG_ENOMEM, "plan: no memory");
}

/* How many operands a merge stacks, and along which axis. */
static uint32_t stacked_operands(const rg_node *leaf)
{
    return leaf->op == &rg_op_sum_over ? 1 : 2;
}

static int stacking_axis(const rg_node *leaf, uint32_t side)
{
    return leaf->op == &rg_op_matmul ? rg_sum_axis(leaf, (int)side) : 0;
}

static bool adds_first(const rg_sums *s, uint32_t set)
{
    return s->sets.bucket[set].key.word[7] != 0;
}

/* ---- Which leaves go together ---------------------------------------------------------------- */

static bool collect(rg_sums *s, rg_sums_key *key)
{
    const rg_trees *t = &s->trees;
    for (uint32_t k = 0; k < t->n_tree; k++) {
        const rg_shape *shape = s->p->node[t->root[k]].shape;
        for (uint32_t i = t->first[k]; i < t->first[k + 1]; i++) {
            const uint32_t leaf = t->leaf[i];
            rg_key of = { { 0 } };
            s->p->visits++;
            if (!rg_used_once(&s->uses, leaf) || !rg_shape_equal(*s->p->node[leaf].shape, *shape) ||
                !key(s, leaf, &of))
                continue;
            of.word[0] = t->root[k];
            if (!rg_bucket_put(&s->sets, &s->p->alloc, &of, leaf))
                return false;
        }
    }
    return true;
}

/* ---- In which order -------------------------------------------------------------------------- */

/* Operand @p side of each leaf; false if two are one value, or without memory. */
static bool parts_of(rg_sums *s, const uint32_t *leaf, uint32_t n, uint32_t side, uint32_t *part)
{
    uint32_t *sorted = rg_get(&s->p->alloc, n * sizeof *sorted);
    bool distinct = sorted != NULL;
    for (uint32_t k = 0; k < n && sorted; k++)
        sorted[k] = part[k] = s->p->node[leaf[k]].in[side];
    if (sorted)
        rg_sort_ids(sorted, n);
    for (uint32_t k = 1; k < n && distinct; k++)
        distinct = sorted[k] != sorted[k - 1];
    rg_release(&s->p->alloc, sorted, n * sizeof *sorted);
    return distinct;
}

/* Leaves in the order of their operands on one side, which are distinct. */
static void follow(rg_sums *s, uint32_t *leaf, uint32_t n, uint32_t side, const uint32_t *part,
                   uint32_t *place)
{
    uint64_t *key = rg_get(&s->p->alloc, n * sizeof *key);
    for (uint32_t k = 0; k < n; k++)
        place[part[k]] = k;
    for (uint32_t k = 0; k < n && key; k++)
        key[k] = place[s->p->node[leaf[k]].in[side]];
    if (key)
        rg_sort_by(leaf, key, n);
    rg_release(&s->p->alloc, key, n * sizeof *key);
}

/* Gates by the age of their weights, time by that of the older operand. */
static void first_order(const rg_sums *s, uint32_t *leaf, uint32_t n)
{
    uint64_t *key = rg_get(&s->p->alloc, n * sizeof *key);
    for (uint32_t k = 0; k < n && key; k++) {
        const rg_node *node = &s->p->node[leaf[k]];
        const uint32_t a = node->in[0], b = stacked_operands(node) > 1 ? node->in[1] : a;
        key[k] = s->over_gates ? b : a < b ? a : b;
    }
    if (key)
        rg_sort_by(leaf, key, n);
    rg_release(&s->p->alloc, key, n * sizeof *key);
}

/* The best reason for an order among the operands of a set; *side: whose, *part in that order. */
static rg_order best_order(rg_sums *s, const uint32_t *leaf, uint32_t n, uint32_t *part,
                           uint32_t *side)
{
    const rg_node *node = &s->p->node[leaf[0]];
    rg_order best = RG_ORDER_FREE;
    for (uint32_t k = 0; k < stacked_operands(node); k++) {
        uint32_t *mine = rg_get(&s->p->alloc, n * sizeof *mine);
        if (mine && parts_of(s, leaf, n, k, mine)) {
            rg_order found = rg_stacks_order(&s->stacks, s->p, mine, n, stacking_axis(node, k));
            if (found > best) {
                best = found;
                *side = k;
                memcpy(part, mine, n * sizeof *part);
            }
        }
        rg_release(&s->p->alloc, mine, n * sizeof *mine);
    }
    return best;
}

/* Decide a set's order and remember the stacks that it will make. */
static bool arrange(rg_sums *s, uint32_t set, uint32_t *place)
{
    uint32_t *leaf = s->member[set], n = s->sets.bucket[set].n, side = 0;
    uint32_t *part = rg_arena_get(&s->p->arena, n * sizeof *part);
    if (!part)
        return false;
    if (adds_first(s, set))
        return true;
    first_order(s, leaf, n);
    if (best_order(s, leaf, n, part, &side))
        follow(s, leaf, n, side, part, place);
    const rg_node *node = &s->p->node[leaf[0]];
    for (uint32_t k = 0; k < stacked_operands(node); k++) {
        uint32_t *stack = k ? rg_arena_get(&s->p->arena, n * sizeof *stack) : part;
        if (!stack)
            return false;
        if (parts_of(s, leaf, n, k, stack))
            rg_stacks_add(&s->stacks, s->p, stack, n, stacking_axis(node, k));
    }
    return !s->stacks.failed;
}

/* Fixed layouts decide first, column sums, which follow any order, last. */
static int turn_of(rg_sums *s, uint32_t set, uint32_t *part)
{
    uint32_t side;
    const rg_bucket *b = &s->sets.bucket[set];
    if (s->p->node[b->first].op == &rg_op_sum_over)
        return 2;
    return best_order(s, s->member[set], b->n, part, &side) == RG_ORDER_FIXED ? 0 : 1;
}

static bool arrange_all(rg_sums *s)
{
    const size_t n = s->sets.n, nodes = s->p->n_node;
    uint8_t *turn = rg_get(&s->p->alloc, n);
    uint32_t *place = rg_get(&s->p->alloc, nodes * sizeof *place);
    bool ok = turn && place;
    for (uint32_t k = 1; k < n && ok; k++)
        if (s->member[k])
            turn[k] = (uint8_t)turn_of(s, k, place);
    for (int now = 0; now < 3; now++)
        for (uint32_t k = 1; k < n && ok; k++)
            if (s->member[k] && turn[k] == now)
                ok = arrange(s, k, place);
    rg_release(&s->p->alloc, turn, n);
    rg_release(&s->p->alloc, place, nodes * sizeof *place);
    return ok;
}

/* ---- Rebuilding ------------------------------------------------------------------------------ */

static uint32_t merged(rg_builder *b, const rg_node *like, const uint32_t *leaf, uint32_t n)
{
    uint32_t in[2] = { 0, 0 }, n_in = stacked_operands(like);
    uint32_t *part = rg_arena_get(&b->p->arena, n * sizeof *part);
    b->failed |= !part;
    for (uint32_t k = 0; k < n_in && !b->failed; k++) {
        for (uint32_t i = 0; i < n; i++)
            part[i] = b->map[b->old[leaf[i]].in[k]];
        in[k] = rg_make_concat(b, like, part, n, stacking_axis(like, k));
    }
    return b->failed ? 0 : rg_make(b, like, like->op, like->attr, in, n_in);
}

static uint32_t plus(rg_builder *b, const rg_node *like, uint32_t sum, uint32_t x)
{
    const uint32_t in[2] = { sum, x };
    return sum && x ? rg_make(b, like, &rg_op_add, NULL, in, 2) : x;
}

/* One more leaf of a set whose operands are added first. */
static void add_operand(rg_sums *s, rg_builder *b, uint32_t leaf, uint32_t set)
{
    const uint32_t in = b->old[leaf].in[0];
    const rg_node like = b->old[in];
    s->sum[set] = plus(b, &like, s->sum[set], b->map[in]);
}

static uint32_t merge(rg_sums *s, rg_builder *b, uint32_t first, uint32_t set)
{
    const rg_node like = b->old[first];
    if (s->sum[set])
        return rg_make(b, &like, like.op, like.attr, &s->sum[set], 1);
    return merged(b, &like, s->member[set], s->sets.bucket[set].n);
}

/* A tree anew: the leaves that stay, left to right, then the merged products. */
static uint32_t rebuild_tree(rg_sums *s, rg_builder *b, uint32_t tree, const uint32_t *set_of)
{
    const rg_trees *t = &s->trees;
    const rg_node like = b->old[t->root[tree]];
    uint32_t sum = 0;
    for (uint32_t i = t->first[tree]; i < t->first[tree + 1]; i++)
        if (!set_of[t->leaf[i]])
            sum = plus(b, &like, sum, b->map[t->leaf[i]]);
    for (uint32_t i = t->first[tree]; i < t->first[tree + 1]; i++) {
        const uint32_t set = set_of[t->leaf[i]];
        if (set && s->sets.bucket[set].first == t->leaf[i])
            sum = plus(b, &like, sum, merge(s, b, t->leaf[i], set));
    }
    return sum;
}

static rg_status rebuild(rg_sums *s, rg_err *err)
{
    rg_builder b;
    const size_t n = s->p->n_node;
    uint32_t *set_of = rg_get(&s->p->alloc, n * sizeof *set_of), tree = 0;
    uint8_t *renewed = rg_get(&s->p->alloc, n); /* by root */
    s->sum = rg_get(&s->p->alloc, s->sets.n * sizeof *s->sum);
    rg_status st = set_of && renewed && s->sum ? rg_builder_begin(&b, s->p, err) : no_memory(err);
    for (uint32_t k = 1; k < s->sets.n && !st; k++)
        for (uint32_t id = s->member[k] ? s->sets.bucket[k].first : 0; id; id = s->sets.next[id]) {
            set_of[id] = k;
            renewed[s->trees.of[id]] = 1;
        }
    for (uint32_t id = 1; id < n && !st && !b.failed; id++) {
        const bool is_root = tree < s->trees.n_tree && s->trees.root[tree] == id;
        if (is_root && renewed[id])
            b.map[id] = rebuild_tree(s, &b, tree, set_of);
        else if (!set_of[id] && !(s->trees.inner[id] && renewed[s->trees.of[id]]))
            b.map[id] = rg_builder_copy(&b, id);
        else if (set_of[id] && adds_first(s, set_of[id]))
            add_operand(s, &b, id, set_of[id]);
        tree += is_root;
    }
    if (!st)
        st = rg_builder_end(&b);
    rg_release(&s->p->alloc, set_of, n * sizeof *set_of);
    rg_release(&s->p->alloc, renewed, n);
    rg_release(&s->p->alloc, s->sum, s->sets.n * sizeof *s->sum);
    return st;
}

/* ---- The whole ------------------------------------------------------------------------------- */

rg_status rg_sums_run(rg_sums *s, rg_sums_key *key, rg_err *err)
{
    rg_prog *p = s->p;
    uint32_t merges = 0;
    if (!collect(s, key) ||
        !(s->member = rg_get(&p->alloc, (s->sets.n + 1) * sizeof *s->member)))
        return no_memory(err);
    for (uint32_t k = 1; k < s->sets.n; k++)
        if (s->sets.bucket[k].n > 1) {
            merges++;
            if (!(s->member[k] = rg_bucket_members(&s->sets, &s->sets.bucket[k], &p->arena)))
                return no_memory(err);
        }
    if (!merges)
        return RG_OK;
    rg_stacks_look(&s->stacks, p, p->node, p->n_node);
    const bool ok = arrange_all(s) && !s->stacks.failed;
    rg_stacks_free(&s->stacks, p);
    return ok ? rebuild(s, err) : no_memory(err);
}
