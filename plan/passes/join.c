/* plan/passes/join.c -- sums over gates: Σ_k d_k·W_kᵀ in one tree becomes one product, K = G·H.
 *
 * Needs    fold (slices closed into concats), cse.
 * Leaves   the backward product of all gates, and dX, as one product each.
 * Law      equal up to the order of summation, which shapes fix.
 *
 * Leaves join if their weights belong to one family (they meet one left operand together
 * elsewhere) and to one class: a recurrence never joins what could be hoisted, or tanh(x·U +
 * h·W) would become T products [x|h]·[U;W] and nothing could be hoisted. */
#include "plan/passes/passes.h"
#include "plan/passes/sums.h"

static bool join_key(const rg_sums *s, uint32_t leaf, rg_key *key)
{
    const rg_node *n = &s->p->node[leaf];
    if (!rg_is_product(n) || rg_flags_of(n)->transpose_a || !s->family[n->in[1]])
        return false;
    const rg_shape *a = s->p->node[n->in[0]].shape, *b = s->p->node[n->in[1]].shape;
    key->word[1] = (uint64_t)rg_flags_of(n)->transpose_b << 1 |
                   s->groups.group[s->groups.of[leaf]].deep;
    key->word[2] = (uint64_t)a->dim[1];
    key->word[3] = (uint64_t)b->dim[0];
    key->word[4] = (uint64_t)b->dim[1];
    key->word[5] = s->family[n->in[1]];
    return true;
}

/* Products by left operand: what a family is read from. */
static rg_status find_families(rg_sums *s, rg_err *err)
{
    rg_prog *p = s->p;
    rg_buckets sets = { .n = 0 };
    bool ok = true;
    for (uint32_t id = 1; id < p->n_node && ok; id++) {
        const rg_node *n = &p->node[id];
        if (!rg_is_product(n) || rg_flags_of(n)->transpose_a)
            continue;
        const rg_shape *b = p->node[n->in[1]].shape;
        const rg_key key = { { n->in[0], rg_flags_of(n)->transpose_b, (uint64_t)b->dim[0],
                               (uint64_t)b->dim[1], s->groups.group[s->groups.of[id]].deep } };
        ok = rg_bucket_put(&sets, &p->alloc, &key, id);
    }
    rg_status st = ok ? rg_families_make(&s->family, p, &sets, err)
                      : rg_fail(err, RG_ENOMEM, "plan: no memory");
    rg_buckets_free(&sets, &p->alloc);
    return st;
}

rg_status rg_pass_join(rg_prog *p, rg_err *err)
{
    rg_sums s = { .p = p, .over_gates = true };
    const size_t n = p->n_node, *sets = &s.sets.n;
    rg_status st;
    if (!(st = rg_uses_make(&s.uses, p, err)) && !(st = rg_trees_make(&s.trees, p, &s.uses, err)) &&
        !(st = rg_groups_make(&s.groups, p, err)) && !(st = find_families(&s, err)))
        st = rg_sums_run(&s, join_key, err);
    rg_release(&p->alloc, s.family, n * sizeof *s.family);
    rg_release(&p->alloc, s.member, s.member ? (*sets + 1) * sizeof *s.member : 0);
    rg_buckets_free(&s.sets, &p->alloc);
    rg_groups_free(&s.groups, p);
    rg_trees_free(&s.trees, p);
    rg_uses_free(&s.uses, p);
    p->joined = !st;
    return st;
}
