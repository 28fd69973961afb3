/* plan/passes/products.c -- users, groups, trees. */
#include "plan/passes/products.h"

#include "plan/made.h"

#include <string.h>

static rg_status no_memory(rg_err *err)
{
    return rg_fail(err, RG_ENOMEM, "plan: no memory");
}

/* ---- Users ---------------------------------------------------------------------------------- */

rg_status rg_uses_make(rg_uses *u, rg_prog *p, rg_err *err)
{
    *u = (rg_uses){ .n_node = p->n_node };
    for (uint32_t id = 1; id < p->n_node; id++)
        u->n_user += p->node[id].n_in;
    u->first = rg_get(&p->alloc, ((size_t)p->n_node + 2) * sizeof *u->first);
    u->user = rg_get_raw(&p->alloc, u->n_user * sizeof *u->user);
    u->root = rg_get(&p->alloc, p->n_node);
    if (!u->first || !u->user || !u->root)
        return no_memory(err);
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            u->first[p->node[id].in[k] + 2]++;
    for (uint32_t id = 0; id <= p->n_node; id++)
        u->first[id + 1] += u->first[id];
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            u->user[u->first[p->node[id].in[k] + 1]++] = id;
    for (size_t i = 0; i < p->n_root; i++)
        u->root[p->root[i]] = 1;
    for (uint32_t i = 0; i < p->n_of_graph && p->keep; i++)
        u->root[p->of_graph[i]] = 1;
    p->visits += p->n_node + u->n_user;
    return RG_OK;
}

void rg_uses_free(rg_uses *u, const rg_prog *p)
{
    rg_release(&p->alloc, u->first, ((size_t)u->n_node + 2) * sizeof *u->first);
    rg_release(&p->alloc, u->user, u->n_user * sizeof *u->user);
    rg_release(&p->alloc, u->root, u->n_node);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

enum { KEYS = 3, LANES = 8, MOST_SWEEPS = 64 };

/* Which kind of group a node belongs to: product, product with a transposed right operand, look-up;
 * -1 = none. Products with a transposed left operand sum over rows and cannot be stacked. */
static int key_of(const rg_node *n)
{
    if (n->op == &rg_op_matmul && n->shape->rank == 2 && !rg_flags_of(n)->transpose_a)
        return rg_flags_of(n)->transpose_b;
    return n->op == &rg_op_gather && n->shape->rank == 2 ? 2 : -1;
}

static uint32_t right_of(const rg_node *n)
{
    return n->op == &rg_op_gather ? n->in[0] : n->in[1];
}

/* Number the groups in order of their first members; false without memory. */
static bool number(rg_groups *g, const rg_prog *p, uint32_t *by_key)
{
    g->n_group = 1;
    if (!rg_reserve(&p->alloc, &g->group, &g->cap, 1, sizeof *g->group))
        return false;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *n = &p->node[id];
        const int key = key_of(n);
        if (key < 0)
            continue;
        uint32_t *k = &by_key[(size_t)right_of(n) * KEYS + (size_t)key];
        if (!*k) {
            *k = g->n_group++;
            if (!rg_reserve(&p->alloc, &g->group, &g->cap, g->n_group, sizeof *g->group))
                return false;
            g->group[*k] = (rg_group){ .right = right_of(n), .levels = 1 };
        }
        g->group[*k].members++;
        g->of[id] = *k;
        g->depth[id] = 1;
    }
    return true;
}

/* In which of 64 groups does a member feed another? One bit a group, one sweep. @p bit[k] names the
 * group of bit k. */
static uint64_t find_deep(const rg_groups *g, rg_prog *p, uint64_t *mask, const uint32_t *bit_of)
{
    uint64_t deep = 0;
    mask[0] = 0;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *n = &p->node[id];
        const uint32_t bit = g->of[id] ? bit_of[g->of[id]] : 0;
        uint64_t below = 0;
        for (uint32_t k = 0; k < n->n_in; k++)
            below |= mask[n->in[k]];
        if (bit) {
            deep |= below & UINT64_C(1) << (bit - 1);
            below |= UINT64_C(1) << (bit - 1);
        }
        mask[id] = below;
        p->visits += 1 + n->n_in;
    }
    return deep;
}

/* Depth of each member in its group, for LANES deep groups a sweep. */
static void find_depths(rg_groups *g, rg_prog *p, uint32_t *lane, const uint32_t *lane_of)
{
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *n = &p->node[id];
        uint32_t *own = lane + (size_t)id * LANES;
        if (n->n_in)
            memcpy(own, lane + (size_t)n->in[0] * LANES, LANES * sizeof *own);
        else
            memset(own, 0, LANES * sizeof *own);
        for (uint32_t k = 1; k < n->n_in; k++) {
            const uint32_t *in = lane + (size_t)n->in[k] * LANES;
            for (int i = 0; i < LANES; i++)
                own[i] = in[i] > own[i] ? in[i] : own[i];
        }
        const uint32_t at = g->of[id] ? lane_of[g->of[id]] : 0;
        if (at) {
            const uint32_t depth = ++own[at - 1];
            rg_group *group = &g->group[g->of[id]];
            g->depth[id] = depth;
            group->levels = depth > group->levels ? depth : group->levels;
        }
        p->visits += 1 + n->n_in;
    }
}

/* All groups of two members or more, 64 at a time: which are deep, and how deep their members lie.
 * A hostile program may have more groups than sweeps are granted; those stay unmerged. */
static void measure(rg_groups *g, rg_prog *p, uint64_t *mask, uint32_t *lane, uint32_t *slot)
{
    uint32_t next = 1;
    int sweeps = 0;
    while (next < g->n_group && sweeps < MOST_SWEEPS) {
        uint32_t named[64], used = 0, lanes = 0;
        memset(slot, 0, g->n_group * sizeof *slot);
        for (; next < g->n_group && used < 64; next++)
            if (g->group[next].members > 1) {
                named[used++] = next;
                slot[next] = used;
            }
        if (!used)
            break;
        const uint64_t deep = find_deep(g, p, mask, slot);
        sweeps++;
        for (uint32_t k = 0; k < used && sweeps < MOST_SWEEPS; k += LANES) {
            memset(slot, 0, g->n_group * sizeof *slot);
            lanes = 0;
            for (uint32_t i = k; i < used && i < k + LANES; i++)
                if (deep >> i & 1)
                    slot[named[i]] = ++lanes;
            if (lanes) {
                find_depths(g, p, lane, slot);
                sweeps++;
            }
        }
    }
    for (; next < g->n_group; next++)
        g->group[next].members = 1;
}

rg_status rg_groups_make(rg_groups *g, rg_prog *p, rg_err *err)
{
    const size_t n = p->n_node;
    rg_status st = RG_OK;
    *g = (rg_groups){ .n_node = p->n_node };
    g->of = rg_get(&p->alloc, n * sizeof *g->of);
    g->depth = rg_get(&p->alloc, n * sizeof *g->depth);
    uint32_t *by_key = rg_get(&p->alloc, n * KEYS * sizeof *by_key);
    uint32_t *lane = rg_get_raw(&p->alloc, n * LANES * sizeof *lane);
    uint64_t *mask = rg_get_raw(&p->alloc, n * sizeof *mask);
    const bool ok = g->of && g->depth && by_key && lane && mask && number(g, p, by_key);
    uint32_t *slot = ok ? rg_get(&p->alloc, g->n_group * sizeof *slot) : NULL;
    if (!slot) {
        st = no_memory(err);
    } else {
        measure(g, p, mask, lane, slot);
        /* A factor below 4 is too weak: two layers that share weights have twice as many members as
         * levels, and hoisting the one must not tie up the other. */
        for (uint32_t k = 1; k < g->n_group; k++)
            g->group[k].deep = g->group[k].levels > 1 &&
                               4 * g->group[k].levels > g->group[k].members;
    }
    rg_release(&p->alloc, by_key, n * KEYS * sizeof *by_key);
    rg_release(&p->alloc, slot, g->n_group * sizeof *slot);
    rg_release(&p->alloc, lane, n * LANES * sizeof *lane);
    rg_release(&p->alloc, mask, n * sizeof *mask);
    return st;
}

void rg_groups_free(rg_groups *g, const rg_prog *p)
{
    rg_release(&p->alloc, g->of, g->n_node * sizeof *g->of);
    rg_release(&p->alloc, g->depth, g->n_node * sizeof *g->depth);
    rg_release(&p->alloc, g->group, g->cap * sizeof *g->group);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static bool is_inner(const rg_prog *p, const rg_uses *u, uint32_t id)
{
    const rg_node *n = &p->node[id];
    if (n->op != &rg_op_add || !rg_used_once(u, id))
        return false;
    const rg_node *user = &p->node[u->user[u->first[id]]];
    return user->op == &rg_op_add && rg_shape_equal(*user->shape, *n->shape);
}

/* Leaves of one tree, left to right, with a stack instead of recursion. */
static void walk_tree(rg_trees *t, rg_prog *p, uint32_t root, uint32_t *stack)
{
    size_t top = 0;
    stack[top++] = root;
    while (top) {
        const uint32_t id = stack[--top];
        p->visits++;
        t->of[id] = root;
        if (id == root || t->inner[id]) {
            stack[top++] = p->node[id].in[1];
            stack[top++] = p->node[id].in[0];
        } else {
            t->leaf[t->n_leaf++] = id;
        }
    }
}

rg_status rg_trees_make(rg_trees *t, rg_prog *p, const rg_uses *u, rg_err *err)
{
    const size_t n = p->n_node;
    *t = (rg_trees){ .n_node = p->n_node };
    t->root = rg_get_raw(&p->alloc, n * sizeof *t->root);
    t->first = rg_get(&p->alloc, (n + 1) * sizeof *t->first);
    t->leaf = rg_get_raw(&p->alloc, 2 * n * sizeof *t->leaf);
    t->of = rg_get(&p->alloc, n * sizeof *t->of);
    t->inner = rg_get(&p->alloc, n);
    uint32_t *stack = rg_get_raw(&p->alloc, (n + 2) * sizeof *stack);
    const bool ok = t->root && t->first && t->leaf && t->of && t->inner && stack;
    for (uint32_t id = 1; id < p->n_node && ok; id++)
        t->inner[id] = is_inner(p, u, id);
    for (uint32_t id = 1; id < p->n_node && ok; id++)
        if (p->node[id].op == &rg_op_add && !t->inner[id]) {
            t->root[t->n_tree] = id;
            walk_tree(t, p, id, stack);
            t->first[++t->n_tree] = (uint32_t)t->n_leaf;
        }
    rg_release(&p->alloc, stack, (n + 2) * sizeof *stack);
    return ok ? RG_OK : no_memory(err);
}

void rg_trees_free(rg_trees *t, const rg_prog *p)
{
    const size_t n = t->n_node;
    rg_release(&p->alloc, t->root, n * sizeof *t->root);
    rg_release(&p->alloc, t->first, (n + 1) * sizeof *t->first);
    rg_release(&p->alloc, t->leaf, 2 * n * sizeof *t->leaf);
    rg_release(&p->alloc, t->of, n * sizeof *t->of);
    rg_release(&p->alloc, t->inner, n);
}

/* ---- Making nodes ---------------------------------------------------------------------------- */

uint32_t rg_make(rg_builder *b, const rg_node *like, const rg_op *op, const void *attr,
                 const uint32_t *in, uint32_t n_in)
{
    enum { FEW = 4 };
    rg_sig sig[FEW] = { { .kind = RG_F } }, out;
    for (uint32_t k = 0; k < n_in && k < FEW && !b->failed; k++)
        sig[k] = (rg_sig){ (rg_kind)rg_built(b, in[k])->kind, *rg_built(b, in[k])->shape };
    if (b->failed || n_in > FEW || rg_infer(&out, op, sig, n_in, attr, b->err)) {
        b->failed = true;
        return 0;
    }
    rg_node n = rg_builder_like(b, like, op, attr, &out.shape, in, n_in);
    n.kind = (uint8_t)out.kind;
    return b->failed ? 0 : rg_builder_add(b, &n);
}

uint32_t rg_make_concat(rg_builder *b, const rg_node *like, const uint32_t *part, uint32_t n,
                        int axis)
{
    if (b->failed || n == 1)
        return b->failed ? 0 : part[0];
    const rg_attr_axis attr = { .axis = axis };
    rg_shape shape = *rg_built(b, part[0])->shape;
    for (uint32_t k = 1; k < n; k++)
        shape.dim[axis] += rg_built(b, part[k])->shape->dim[axis];
    rg_node made = rg_builder_like(b, like, &rg_op_concat, &attr, &shape, part, n);
    made.kind = rg_built(b, part[0])->kind;
    return b->failed ? 0 : rg_builder_add(b, &made);
}

uint32_t rg_make_stretch(rg_builder *b, const rg_node *sum, const uint32_t in[3], bool backwards,
                         bool last)
{
    rg_attr_stretch attr;
    const uint32_t columns[2] = { in[0], in[2] };
    memset(&attr, 0, sizeof attr);
    attr.backwards = backwards;
    if (sum->op == &rg_op_matmul) {
        attr.product.transpose_a = true;
        return rg_make(b, sum, &rg_op_matmul_stretch, &attr, in, in[2] ? 3 : 2);
    }
    attr.last = last;
    attr.keep = ((const rg_attr_axis *)sum->attr)->keep;
    return rg_make(b, sum, &rg_op_sum_stretch, &attr, columns, in[2] ? 2 : 1);
}

uint32_t rg_make_part(rg_builder *b, const rg_node *like, uint32_t x, int axis, int64_t begin,
                      int64_t end)
{
    const rg_attr_slice attr = { axis, begin, end };
    return rg_make(b, like, &rg_op_slice, &attr, &x, 1);
}

/* ---- Sorting --------------------------------------------------------------------------------- */

static bool above(const uint32_t *id, const uint64_t *key, size_t i, size_t j)
{
    return key && key[i] != key[j] ? key[i] > key[j] : id[i] > id[j];
}

static void swap(uint32_t *id, uint64_t *key, size_t i, size_t j)
{
    const uint32_t t = id[i];
    id[i] = id[j];
    id[j] = t;
    if (key) {
        const uint64_t k = key[i];
        key[i] = key[j];
        key[j] = k;
    }
}

static void sink(uint32_t *id, uint64_t *key, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && above(id, key, child + 1, child))
            child++;
        if (!above(id, key, child, root))
            return;
        swap(id, key, root, child);
    }
}

static bool in_order(const uint32_t *id, const uint64_t *key, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (above(id, key, i - 1, i))
            return false;
    return true;
}

void rg_sort_by(uint32_t *id, uint64_t *key, size_t n)
{
    if (in_order(id, key, n))
        return;
    for (size_t i = n / 2; i-- > 0;)
        sink(id, key, i, n);
    for (size_t end = n; end-- > 1;) {
        swap(id, key, 0, end);
        sink(id, key, 0, end);
    }
}

void rg_sort_ids(uint32_t *id, size_t n)
{
    rg_sort_by(id, NULL, n);
}

/* ---- Buckets --------------------------------------------------------------------------------- */

bool rg_bucket_put(rg_buckets *b, const rg_alloc *alloc, const rg_key *key, uint32_t id)
{
    const uint64_t h = rg_hash_bytes(0, key, sizeof *key);
    uint32_t at;
    for (size_t probe = 0; (at = rg_index_next(&b->index, h, &probe));)
        if (memcmp(&b->bucket[at].key, key, sizeof *key) == 0)
            break;
    if (!at) {
        at = b->n ? (uint32_t)b->n : 1;
        if (!rg_reserve_raw(alloc, &b->bucket, &b->cap, (size_t)at + 1, sizeof *b->bucket) ||
            !rg_index_put(&b->index, alloc, h, at))
            return false;
        b->bucket[at] = (rg_bucket){ .key = *key };
        b->n = (size_t)at + 1;
    }
    if (!rg_reserve_raw(alloc, &b->next, &b->next_cap, (size_t)id + 1, sizeof *b->next))
        return false;
    rg_bucket *bucket = &b->bucket[at];
    if (bucket->n++)
        b->next[bucket->last] = id;
    else
        bucket->first = id;
    b->next[id] = 0;
    bucket->last = id;
    return true;
}

uint32_t *rg_bucket_members(const rg_buckets *b, const rg_bucket *bucket, rg_arena *arena)
{
    uint32_t *id = rg_arena_get(arena, bucket->n * sizeof *id), k = 0;
    for (uint32_t at = bucket->first; id && at; at = b->next[at])
        id[k++] = at;
    return id;
}

void rg_buckets_free(rg_buckets *b, const rg_alloc *alloc)
{
    rg_release(alloc, b->bucket, b->cap * sizeof *b->bucket);
    rg_release(alloc, b->next, b->next_cap * sizeof *b->next);
    rg_index_free(&b->index, alloc);
}

/* ---- Families -------------------------------------------------------------------------------- */

/* A set of right operands as a number that does not depend on their order. */
static uint64_t set_of(const rg_prog *p, const rg_buckets *sets, const rg_bucket *s)
{
    uint64_t h = 0;
    for (uint32_t id = s->first; id; id = sets->next[id])
        h += rg_hash_mix(31, p->node[id].in[1]);
    return rg_hash_mix(h, s->n);
}

rg_status rg_families_make(uint32_t **family, rg_prog *p, const rg_buckets *sets, rg_err *err)
{
    rg_buckets kinds = { .n = 0 };
    rg_status st = RG_OK;
    *family = rg_get(&p->alloc, p->n_node * sizeof **family);
    uint32_t *kind = rg_get(&p->alloc, (sets->n + 1) * sizeof *kind);
    bool ok = *family && kind;
    /* how often does the very same set of weights meet a left operand? */
    for (uint32_t k = 1; k < sets->n && ok; k++)
        if (sets->bucket[k].n > 1) {
            const rg_key key = { { set_of(p, sets, &sets->bucket[k]), sets->bucket[k].n } };
            ok = rg_bucket_put(&kinds, &p->alloc, &key, k);
        }
    for (uint32_t m = 1; m < kinds.n && ok; m++)
        for (uint32_t k = kinds.bucket[m].first; k; k = kinds.next[k])
            kind[k] = m;
    for (uint32_t k = 1; k < sets->n && ok; k++) {
        if (!kind[k])
            continue;
        const rg_bucket *own = &kinds.bucket[kind[k]];
        for (uint32_t id = sets->bucket[k].first; id; id = sets->next[id]) {
            uint32_t *f = &(*family)[p->node[id].in[1]];
            const rg_bucket *best = *f ? &kinds.bucket[*f] : NULL;
            p->visits++;
            if (!best || own->n > best->n ||
                (own->n == best->n && own->key.word[1] > best->key.word[1]))
                *f = kind[k];
        }
    }
    if (!ok)
        st = no_memory(err);
    rg_release(&p->alloc, kind, (sets->n + 1) * sizeof *kind);
    rg_buckets_free(&kinds, &p->alloc);
    return st;
}
