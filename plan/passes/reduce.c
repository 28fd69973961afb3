/* plan/passes/reduce.c -- sums over time: Σ_t a_tᵀ·d_t becomes one product, K = T·B.
 *
 * Needs    join before it (else the sums over gates would run over slices of merged products), pack
 *          after it (else no tree sees a product any more).
 * Leaves   one product per weight gradient; its column sums (biases) and scatter-adds likewise.
 * Law      equal up to the order of summation, which shapes fix.
 *
 * Leaves reduce together if the forward products whose rules emitted them have one right
 * operand: tied weights would otherwise mix stacks that nothing else builds. A value is never
 * stacked only to sum its columns: such values are added as they come. */
#include "plan/passes/fusible.h"
#include "plan/passes/passes.h"
#include "plan/passes/sums.h"

/* The right operand, in the graph, of the forward product whose rule emitted the node. */
static uint64_t origin_of(const rg_prog *p, const rg_node *n)
{
    const rg_node *from = n->origin ? rg_node_at(p->graph, n->origin) : NULL;
    if (!from || from->op != &rg_op_matmul)
        return 0;
    const rg_attr_matmul *t = from->attr;
    return (uint64_t)from->in[1] << 2 | (uint64_t)t->transpose_a << 1 | t->transpose_b;
}

static bool product_key(const rg_prog *p, const rg_node *n, rg_key *key)
{
    const rg_shape *a = p->node[n->in[0]].shape, *b = p->node[n->in[1]].shape;
    if (!rg_flags_of(n)->transpose_a)
        return false;
    key->word[1] = 1;
    key->word[2] = rg_flags_of(n)->transpose_b;
    key->word[3] = (uint64_t)a->dim[1];
    key->word[4] = (uint64_t)(rg_flags_of(n)->transpose_b ? b->dim[0] : b->dim[1]);
    key->word[5] = origin_of(p, n);
    return true;
}

/* Is a value, of whose columns there are sums, best added to others first, element by element?
 * What is stacked anyhow is not, nor what no tile program computes or no near cache holds. */
static bool adds_first(const rg_sums *s, uint32_t id)
{
    enum { MOST = 1 << 16 };
    const rg_node *x = &s->p->node[id];
    return !s->stacked[id] && rg_node_is_fusible(x) && rg_shape_count(*x->shape) <= MOST;
}

static bool columns_key(const rg_sums *s, const rg_node *n, rg_key *key)
{
    const rg_attr_axis *at = n->attr;
    const rg_shape *x = s->p->node[n->in[0]].shape;
    const bool adds = adds_first(s, n->in[0]);
    if (at->axis != 0 || x->rank != 2 || !(adds || s->stacked[n->in[0]] || x->dim[1] == 1))
        return false;
    key->word[1] = 2;
    key->word[4] = adds ? (uint64_t)x->dim[0] : 0;
    key->word[7] = adds;
    key->word[2] = (uint64_t)at->keep;
    key->word[3] = (uint64_t)x->dim[1];
    return true;
}

static bool reduce_key(const rg_sums *s, uint32_t leaf, rg_key *key)
{
    const rg_node *n = &s->p->node[leaf];
    if (rg_is_product(n))
        return product_key(s->p, n, key);
    if (n->op == &rg_op_sum_over)
        return columns_key(s, n, key);
    if (n->op != &rg_op_scatter_add || s->p->node[n->in[1]].shape->rank != 1)
        return false;
    key->word[1] = 3;
    return true;
}

/* Values that a merged product will stack anyway. */
static rg_status find_stacked(rg_sums *s, rg_err *err)
{
    if (!(s->stacked = rg_get(&s->p->alloc, s->p->n_node)))
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (size_t i = 0; i < s->trees.n_leaf; i++) {
        const rg_node *n = &s->p->node[s->trees.leaf[i]];
        if (rg_is_product(n) && rg_flags_of(n)->transpose_a &&
            rg_used_once(&s->uses, s->trees.leaf[i]))
            s->stacked[n->in[0]] = s->stacked[n->in[1]] = 1;
    }
    return RG_OK;
}

rg_status rg_pass_reduce(rg_prog *p, rg_err *err)
{
    rg_sums s = { .p = p };
    const size_t n = p->n_node, *sets = &s.sets.n;
    rg_status st;
    p->joined = true;
    if (!(st = rg_uses_make(&s.uses, p, err)) && !(st = rg_trees_make(&s.trees, p, &s.uses, err)) &&
        !(st = find_stacked(&s, err)))
        st = rg_sums_run(&s, reduce_key, err);
    rg_release(&p->alloc, s.stacked, n);
    rg_release(&p->alloc, s.member, s.member ? (*sets + 1) * sizeof *s.member : 0);
    rg_buckets_free(&s.sets, &p->alloc);
    rg_trees_free(&s.trees, p);
    rg_uses_free(&s.uses, p);
    return st;
}
