/* plan/passes/pack.c -- products with one left operand become one wider product.
 *
 * Needs    reduce before it (it looks for products, not for slices of them).
 * Leaves   all gates of a step as one product, the gradients of their weights likewise.
 * Law      exact.
 *
 * Members of a set share the product level (products on the longest path), or are sinks (no
 * product depends on them). Edges between products strictly raise the level and sinks have none,
 * so any family of such sets contracts without a cycle. Weights are packed by family, or the
 * zero state that equal-node removal shares between layers would pack their first steps
 * together. */
#include "plan/passes/merge.h"
#include "plan/passes/passes.h"

enum { NO_CLASS = 2, SINK = -1 };

struct pack {
    rg_merge       merge;      /* first: what `operands` is given */
    rg_prog       *p;
    rg_groups      groups;
    rg_trees       trees;
    uint32_t      *level;
    uint8_t       *reach;      /* does a product depend on it? */
    rg_buckets     sets, weights, cut, columns;
    uint32_t      *family;
    uint32_t      *rides;      /* by value: the set whose right operand it is */
};

/* ---- Levels ---------------------------------------------------------------------------------- */

static void find_levels(struct pack *s)
{
    rg_prog *p = s->p;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *n = &p->node[id];
        for (uint32_t k = 0; k < n->n_in; k++)
            s->level[id] = s->level[n->in[k]] > s->level[id] ? s->level[n->in[k]] : s->level[id];
        s->level[id] += n->op == &rg_op_matmul;
        p->visits += 1 + n->n_in;
    }
    for (uint32_t id = p->n_node; id-- > 1;) {
        const uint32_t *user = s->merge.uses.user;
        const uint32_t end = s->merge.uses.first[id + 1];
        for (uint32_t k = s->merge.uses.first[id]; k < end && !s->reach[id]; k++)
            s->reach[id] = s->reach[user[k]] || p->node[user[k]].op == &rg_op_matmul;
        p->visits += 1 + rg_use_count(&s->merge.uses, id);
    }
}

/* ---- Sets ------------------------------------------------------------------------------------ */

static rg_key key_of(const struct pack *s, uint32_t id)
{
    const rg_node *n = &s->p->node[id];
    const rg_shape *b = s->p->node[n->in[1]].shape;
    const uint32_t group = s->groups.of[id];
    return (rg_key){ { n->in[0], (uint64_t)rg_flags_of(n)->transpose_a << 1 |
                       rg_flags_of(n)->transpose_b, (uint64_t)b->dim[0], (uint64_t)b->dim[1],
                       group ? s->groups.group[group].deep : NO_CLASS,
                       (uint64_t)(s->reach[id] ? (int64_t)s->level[id] : SINK) } };
}

static void name_set(struct pack *s, const rg_buckets *b, const rg_bucket *bucket)
{
    if (bucket->n < 2)
        return;
    s->merge.n_set++;
    for (uint32_t id = bucket->first; id; id = b->next[id])
        s->merge.set_of[id] = s->merge.n_set;
}

/* A weight is a right operand that no product computes. */
static bool of_weights(const struct pack *s, const rg_buckets *b, const rg_bucket *bucket)
{
    for (uint32_t id = bucket->first; id; id = b->next[id])
        if (s->level[s->p->node[id].in[1]])
            return false;
    return true;
}

static bool put_all(struct pack *s, rg_buckets *to, const rg_buckets *from, const rg_bucket *bucket,
                    bool by_family)
{
    for (uint32_t id = bucket->first; id; id = from->next[id]) {
        rg_key key = key_of(s, id);
        key.word[6] = by_family ? s->family[s->p->node[id].in[1]] : 0;
        if (!rg_bucket_put(to, &s->p->alloc, &key, id))
            return false;
    }
    return true;
}

static bool find_sets(struct pack *s, rg_err *err)
{
    rg_prog *p = s->p;
    bool ok = true;
    for (uint32_t id = 1; id < p->n_node && ok; id++)
        if (rg_is_product(&p->node[id])) {
            const rg_key key = key_of(s, id);
            ok = rg_bucket_put(&s->sets, &p->alloc, &key, id);
        }
    for (uint32_t k = 1; k < s->sets.n && ok; k++)
        if (s->sets.bucket[k].n > 1 && of_weights(s, &s->sets, &s->sets.bucket[k]))
            ok = put_all(s, &s->weights, &s->sets, &s->sets.bucket[k], false);
        else
            name_set(s, &s->sets, &s->sets.bucket[k]);
    if (ok)
        ok = !rg_families_make(&s->family, p, &s->weights, err);
    for (uint32_t k = 1; k < s->weights.n && ok; k++)
        ok = put_all(s, &s->cut, &s->weights, &s->weights.bucket[k], true);
    for (uint32_t k = 1; k < s->cut.n && ok; k++)
        name_set(s, &s->cut, &s->cut.bucket[k]);
    return ok;
}

/* Column sums ride along where they are of exactly the right operands of a set: colsum(D) =
 * 1ᵀ·D. */
static bool find_columns(struct pack *s)
{
    rg_prog *p = s->p;
    const size_t n = p->n_node, bytes = ((size_t)s->merge.n_set + 1) * sizeof(uint32_t);
    uint32_t *rights = rg_get(&p->alloc, bytes); /* by set: its distinct right operands */
    s->rides = rg_get(&p->alloc, n * sizeof *s->rides);
    bool ok = rights && s->rides;
    for (uint32_t id = 1; id < n && ok; id++)
        if (s->merge.set_of[id] && s->level[p->node[id].in[1]] && !s->rides[p->node[id].in[1]]) {
            s->rides[p->node[id].in[1]] = s->merge.set_of[id];
            rights[s->merge.set_of[id]]++;
        }
    for (uint32_t id = 1; id < n && ok; id++) {
        const rg_node *c = &p->node[id];
        const rg_attr_axis *at = c->attr;
        if (c->op != &rg_op_sum_over || !s->rides[c->in[0]] || s->reach[id] || at->axis != 0 ||
            p->node[c->in[0]].shape->rank != 2)
            continue;
        const rg_key key = { { s->rides[c->in[0]], (uint64_t)at->keep } };
        ok = rg_bucket_put(&s->columns, &p->alloc, &key, id);
    }
    for (uint32_t k = 1; k < s->columns.n && ok; k++)
        if (s->columns.bucket[k].n == rights[s->columns.bucket[k].key.word[0]])
            name_set(s, &s->columns, &s->columns.bucket[k]);
    rg_release(&p->alloc, rights, bytes); /* n_set has grown */
    return ok;
}

/* ---- Merging --------------------------------------------------------------------------------- */

/* Which operand grows, along which of its axes, and the result in columns. */
static uint32_t wide_side(const rg_node *n)
{
    return n->op == &rg_op_matmul;
}

static int wide_axis(const rg_node *n)
{
    return n->op == &rg_op_matmul && rg_flags_of(n)->transpose_b ? 0 : 1;
}

static int columns(const rg_node *n)
{
    return n->shape->rank - 1;
}

/* Gates in the order of the sums that they enter; column sums by age of their operand. */
static uint32_t operands(rg_merge *m, const rg_builder *b, uint32_t *member, uint32_t n,
                         uint32_t *part)
{
    const struct pack *s = (const struct pack *)m;
    uint64_t *key = rg_get(&m->p->alloc, n * sizeof *key);
    if (!key)
        return 0;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t tree = s->trees.of[member[k]];
        key[k] = b->old[member[k]].op == &rg_op_matmul ? (tree ? tree : member[k])
                                                       : b->old[member[k]].in[0];
    }
    rg_sort_by(member, key, n);
    rg_release(&m->p->alloc, key, n * sizeof *key);
    for (uint32_t k = 0; k < n; k++)
        part[k] = b->old[member[k]].in[m->side(&b->old[member[k]])];
    return n;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static rg_status analyse(struct pack *s, rg_err *err)
{
    rg_prog *p = s->p;
    const size_t n = p->n_node;
    rg_status st;
    s->level = rg_get(&p->alloc, n * sizeof *s->level);
    s->reach = rg_get(&p->alloc, n);
    s->merge.set_of = rg_get(&p->alloc, n * sizeof *s->merge.set_of);
    if (!s->level || !s->reach || !s->merge.set_of)
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    if ((st = rg_uses_make(&s->merge.uses, p, err)) || (st = rg_groups_make(&s->groups, p, err)) ||
        (st = rg_trees_make(&s->trees, p, &s->merge.uses, err)))
        return st;
    find_levels(s);
    return find_sets(s, err) && find_columns(s) ? RG_OK
                                                : rg_fail(err, RG_ENOMEM, "plan: no memory");
}

rg_status rg_pass_pack(rg_prog *p, rg_err *err)
{
    struct pack s = { .merge = { .p = p, .side = wide_side, .axis = wide_axis, .grows = columns,
                                 .operands = operands }, .p = p };
    const size_t n = p->n_node;
    rg_status st = analyse(&s, err);
    if (!st && s.merge.n_set)
        st = rg_merge_sets(&s.merge, err);
    rg_release(&p->alloc, s.level, n * sizeof *s.level);
    rg_release(&p->alloc, s.reach, n);
    rg_release(&p->alloc, s.rides, n * sizeof *s.rides);
    rg_release(&p->alloc, s.family, n * sizeof *s.family);
    rg_buckets_free(&s.sets, &p->alloc);
    rg_buckets_free(&s.weights, &p->alloc);
    rg_buckets_free(&s.cut, &p->alloc);
    rg_buckets_free(&s.columns, &p->alloc);
    rg_trees_free(&s.trees, p);
    rg_groups_free(&s.groups, p);
    rg_merge_free(&s.merge, n);
    return st;
}
