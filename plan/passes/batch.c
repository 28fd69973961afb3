/* plan/passes/batch.c -- products with one right operand become one over stacked rows.
 *
 * Needs    pack before it (better at irregular ends; fewer groups).
 * Leaves   inputs hoisted over time, dX of all steps, stacked layers, both directions, look-ups in
 *          one table: whatever has one right operand and equal depth in its group, as one product.
 * Law      the same sums in the same order of k; exact with kernels whose rows do not depend on the
 *          number of rows.
 *
 * If u feeds v inside a group then v is deeper, so members of equal depth are independent. */
#include "plan/passes/merge.h"
#include "plan/passes/passes.h"

/* The operand whose rows are stacked; so are those of the result. */
static uint32_t left_side(const rg_node *n)
{
    return n->op == &rg_op_gather;
}

static int rows(const rg_node *n)
{
    (void)n;
    return 0;
}

static bool find_sets(rg_merge *m, const rg_groups *groups, rg_buckets *sets)
{
    const size_t n = m->p->n_node;
    if (!(m->set_of = rg_get(&m->p->alloc, n * sizeof *m->set_of)))
        return false;
    for (uint32_t id = 1; id < n; id++) {
        const uint32_t group = groups->of[id];
        const rg_key key = { { group, groups->depth[id] } };
        if (group && groups->group[group].members > 1 &&
            !rg_bucket_put(sets, &m->p->alloc, &key, id))
            return false;
    }
    m->n_set = (uint32_t)sets->n;
    for (uint32_t k = 1; k < sets->n; k++)
        for (uint32_t id = sets->bucket[k].n > 1 ? sets->bucket[k].first : 0; id;
             id = sets->next[id])
            m->set_of[id] = k;
    return true;
}

/* The distinct left operands, oldest first. */
static uint32_t left_operands(rg_merge *m, const rg_builder *b, uint32_t *member, uint32_t n,
                              uint32_t *part)
{
    const uint32_t side = m->side(&b->old[member[0]]);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < n; k++)
        part[k] = b->old[member[k]].in[side];
    rg_sort_ids(part, n);
    for (uint32_t k = 0; k < n; k++)
        if (!k || part[k] != part[k - 1])
            part[kept++] = part[k];
    return kept;
}

rg_status rg_pass_batch(rg_prog *p, rg_err *err)
{
    rg_merge m = { .p = p, .side = left_side, .axis = rows, .grows = rows,
                   .operands = left_operands };
    rg_groups groups = { .n_node = 0 };
    rg_buckets sets = { .n = 0 };
    const size_t n = p->n_node;
    rg_status st;
    if (!(st = rg_uses_make(&m.uses, p, err)) && !(st = rg_groups_make(&groups, p, err)) &&
        !find_sets(&m, &groups, &sets))
        st = rg_fail(err, RG_ENOMEM, "plan: no memory");
    if (!st && m.n_set)
        st = rg_merge_sets(&m, err);
    rg_buckets_free(&sets, &p->alloc);
    rg_groups_free(&groups, p);
    rg_merge_free(&m, n);
    return st;
}
