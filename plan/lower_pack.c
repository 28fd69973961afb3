/* plan/lower_pack.c -- right operands of products in panels, packed once per run by steps of
 * their own. */
#include "plan/lower_product.h"

#include "base/checked.h"
#include "kernels/product.h"
#include "ops/ops.h"
#include "plan/made.h"

bool rg_own_kernel(const rg_code *c)
{
    return c->p->real == RG_F32 && (c->opts->portable || rg_product_table(rg_cpu_isa())->fused);
}

/* One right operand as it is to be packed. */
static uint64_t pack_key(const rg_node *node)
{
    return rg_hash_mix(node->in[1], ((const rg_attr_matmul *)node->attr)->transpose_b);
}

static bool packed_for(const rg_code *c, const rg_packed *p, const rg_node *node)
{
    return p->value == node->in[1] && p->backwards == rg_sums_backwards(c->p, node) &&
           p->across == ((const rg_attr_matmul *)node->attr)->transpose_b;
}

rg_packed *rg_find_packed(const rg_code *c, const rg_node *node)
{
    uint32_t i;
    for (size_t probe = 0; (i = rg_index_next(&c->packed_index, pack_key(node), &probe));)
        if (packed_for(c, &c->packed[i], node))
            return &c->packed[i];
    return NULL;
}

/* Count the rows that meet each right operand. */
static bool count_use(rg_code *c, const rg_node *node, uint32_t id)
{
    rg_packed *p = rg_find_packed(c, node);
    if (!p) {
        if (!c->n_packed)
            c->n_packed = 1;
        const uint32_t i = c->n_packed;
        if (!rg_reserve(&c->alloc, &c->packed, &c->packed_cap, (size_t)i + 1, sizeof *c->packed) ||
            !rg_index_put(&c->packed_index, &c->alloc, pack_key(node), i))
            return false;
        p = &c->packed[c->n_packed++];
        *p = (rg_packed){ .value = node->in[1], .node = id,
                          .across = ((const rg_attr_matmul *)node->attr)->transpose_b,
                          .backwards = rg_sums_backwards(c->p, node) };
    }
    p->uses++;
    p->rows += rg_shape_count(*node->shape) / (node->shape->dim[node->shape->rank - 1] + 1) + 1;
    return true;
}

/* Is a concat nothing but leaves side by side? */
static bool of_leaves(const rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    if (node->op != &rg_op_concat || c->form[id] != RG_COMPUTED || c->readable[id] ||
        c->window[id])
        return false;
    for (uint32_t k = 0; k < node->n_in; k++)
        if (c->form[c->source[node->in[k]]] != RG_LEAF)
            return false;
    return true;
}

/* Packing costs about as much as 16 rows of the product. It is needed where B lies across, and pays
 * where B serves several products of few rows, or where its rows are a multiple of 4096 bytes
 * apart, which all fall into the same lines of the cache, or where it would be copied together
 * anyhow. A B with more rows than it meets is no
 * weight: our kernel reads it in stretches. */
enum { STRETCH = 512 };  /* of k: so much is near in any case */
static bool worth_packing(const rg_code *c, const rg_packed *p)
{
    const struct rg_extents e = rg_extents_of(c, &c->p->node[p->node], p->node);
    const bool across = e.b_n != 1 && e.n > 1;
    if (e.k == 0 || e.n == 0)
        return false;
    if (across)
        return c->opts->portable || p->rows >= 32;
    return p->rows >= 32 && (p->rows >= e.k || e.k <= STRETCH) &&
           (p->uses > 1 || (e.b_k % 1024 == 0 && e.k > 64) || of_leaves(c, p->value));
}

/* Weights side by side that only packing would read are packed one by one, and not copied
 * together before. */
static rg_status find_parts(rg_code *c)
{
    const rg_prog *p = c->p;
    uint8_t *read = rg_get(&c->alloc, p->n_node);
    if (!read)
        return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %u values", (unsigned)p->n_node);
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            if (k != 1 || !rg_reads_packed(c, id))
                read[p->node[id].in[k]] = 1;
    for (uint32_t i = 1; i < c->n_packed; i++) {
        rg_packed *w = &c->packed[i];
        w->by_parts = w->on && !w->backwards && !read[w->value] && of_leaves(c, w->value);
    }
    for (uint32_t i = 1; i < c->n_packed; i++)
        if (c->packed[i].by_parts)
            c->window[c->packed[i].value] = 1;
    rg_release(&c->alloc, read, p->n_node);
    return RG_OK;
}

rg_status rg_code_packs(rg_code *c)
{
    const rg_prog *p = c->p;
    for (uint32_t id = 1; id < p->n_node && rg_own_kernel(c); id++)
        if (rg_is_matmul(&p->node[id]) && p->node[p->node[id].in[1]].shape->rank == 2 &&
            rg_shape_count(*p->node[id].shape) > 0 && !count_use(c, &p->node[id], id))
            return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %u operands",
                           (unsigned)c->n_packed);
    for (uint32_t i = 1; i < c->n_packed; i++)
        c->packed[i].on = worth_packing(c, &c->packed[i]);
    return find_parts(c);
}

bool rg_reads_packed(const rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    const rg_packed *p = rg_is_matmul(node) ? rg_find_packed(c, node) : NULL;
    return p && p->on;
}

/* ---- The steps ------------------------------------------------------------------------------ */

struct pack {
    const rg_product_kernels *kernels;
    rg_pack                   part;
    int64_t                   first;  /* its first panel */
    int64_t                   start;  /* elements from where the operand begins to row 0 */
};

static int run_pack(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct pack *d = s->detail;
    const int64_t panel = d->kernels->panel;
    (void)rank;
    const float *b = rg_at(m, &s->arg[0]);
    rg_product_pack(d->kernels, &d->part, rg_at(m, &s->arg[1]), b + d->start,
                    (d->first + first) * panel, (d->first + last) * panel);
    return 0;
}

int64_t rg_packed_from(const rg_task *s)
{
    const struct pack *d = s->run == run_pack ? s->detail : NULL;
    return d ? d->part.n0 + d->part.k0 : -1;
}

enum { NEAR = 1 << 20 };  /* bytes that lie in a cache: they move at four times the speed */

/* Parameters or constants, and nothing else? */
static bool may_keep(const rg_code *c, const rg_packed *p)
{
    const rg_node *node = &c->p->node[p->value];
    bool ok = c->opts->steady;
    for (uint32_t k = 0; k < (p->by_parts ? node->n_in : 1) && ok; k++) {
        const rg_node *leaf = &c->p->node[c->source[p->by_parts ? node->in[k] : p->value]];
        ok = rg_node_is_leaf(leaf) && leaf->op != &rg_op_input;
    }
    return ok;
}

/* One step packs value @p from: all of B, or a part of it. */
static rg_status add_step(rg_code *c, const rg_packed *p, uint32_t from, const rg_pack *part,
                          uint32_t interval)
{
    const rg_product_kernels *kernels = rg_product_table(rg_cpu_isa());
    const int64_t first = part->n0 / kernels->panel;
    rg_task *s = rg_task_new(c, run_pack, "pack", p->node, 2, sizeof(struct pack));
    if (!s)
        return rg_lower_no_memory(c);
    struct pack *d = (struct pack *)(uintptr_t)s->detail;
    *d = (struct pack){ kernels, *part, first, 0 };
    if (p->backwards) {
        d->start = (part->rows - 1) * part->b_k;
        d->part.b_k = -part->b_k;
    }
    s->shape = c->p->node[from].shape;
    s->once = p->kept;
    s->interval = interval - 1;
    s->n_in = s->n_out = 1;
    s->arg[0] = rg_ref_of(c, from);
    s->arg[1] = (rg_ref){ p->buffer, 0 };
    s->parts = (part->n0 + part->cols + kernels->panel - 1) / kernels->panel - first;
    s->bytes = 2 * (double)part->rows * (double)part->cols * sizeof(float);
    s->unit = 1 + (uint64_t)(s->bytes / (double)s->parts / (s->bytes <= NEAR ? 64 : 16));
    return RG_OK;
}

rg_status rg_lower_pack(rg_code *c, rg_packed *p, const struct rg_extents *e, uint32_t interval)
{
    const rg_node *node = &c->p->node[p->value];
    const size_t count = (size_t)rg_product_packed(rg_product_table(rg_cpu_isa()), e->k, e->n);
    rg_pack part = { .k = e->k, .n = e->n, .rows = e->k, .cols = e->n, .b_k = e->b_k,
                     .b_n = e->b_n };
    rg_status st = RG_OK;
    p->buffer = rg_buffer_new(c, count * sizeof(float), interval - 1, interval);
    if (!p->buffer)
        return rg_lower_no_memory(c);
    p->kept = c->buffer[p->buffer].constant = may_keep(c, p);
    if (!p->by_parts)
        return add_step(c, p, p->value, &part, interval);
    const int axis = ((const rg_attr_axis *)node->attr)->axis;
    const bool along_n = (axis == 1) != p->across;
    for (uint32_t i = 0; i < node->n_in && !st; i++) {
        const rg_shape *shape = c->p->node[node->in[i]].shape;
        int64_t stride[RG_MAX_RANK];
        rg_view_strides(stride, &c->view[node->in[i]], shape);
        part.rows = shape->dim[p->across];
        part.cols = shape->dim[!p->across];
        part.b_k = stride[p->across];
        part.b_n = stride[!p->across];
        if (part.rows > 0 && part.cols > 0)
            st = add_step(c, p, node->in[i], &part, interval);
        part.n0 += along_n ? part.cols : 0;
        part.k0 += along_n ? 0 : part.rows;
    }
    return st;
}
