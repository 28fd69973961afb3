/* plan/twins.c -- equal nodes: by their latest operand, and by hash where that has many readers. */
#include "plan/twins.h"

#include <string.h>

enum { FEW = 8 };  /* readers that are compared one by one */

/* Constants are compared by content up to this size. */
enum { CONTENT = 4096 };

static uint64_t hash_attr(uint64_t h, const rg_node *n)
{
    if (n->op == &rg_op_full)
        return rg_hash_bytes(h, &((const rg_attr_full *)n->attr)->value, sizeof(double));
    if (n->op == &rg_op_constant) {
        const rg_attr_constant *c = n->attr;
        return c->bytes <= CONTENT ? rg_hash_bytes(h, c->data, c->bytes)
                                   : rg_hash_mix(h, (uint64_t)(uintptr_t)c->data);
    }
    return n->op->attr_bytes ? rg_hash_bytes(h, n->attr, n->op->attr_bytes) : h;
}

/* Operands and attributes tell the shape of all but leaves. */
static uint64_t hash_of(const rg_node *n)
{
    uint64_t h = rg_hash_mix((uint64_t)(uintptr_t)n->op, n->n_in);
    if (n->n_in == 0)
        h = rg_hash_bytes(h, n->shape->dim, (size_t)n->shape->rank * sizeof *n->shape->dim);
    h = rg_hash_bytes(h, n->in, n->n_in * sizeof *n->in);
    return hash_attr(h, n);
}

static bool same_attr(const rg_node *a, const rg_node *b)
{
    if (a->op == &rg_op_full)
        return memcmp(&((const rg_attr_full *)a->attr)->value,
                      &((const rg_attr_full *)b->attr)->value, sizeof(double)) == 0;
    if (a->op == &rg_op_constant) {
        const rg_attr_constant *c = a->attr, *d = b->attr;
        return c->data == d->data || (c->bytes == d->bytes && c->bytes <= CONTENT &&
                                      memcmp(c->data, d->data, c->bytes) == 0);
    }
    return a->attr == b->attr || memcmp(a->attr, b->attr, a->op->attr_bytes) == 0;
}

/* Most nodes have two: no call is worth it. */
static bool same_operands(const rg_node *a, const rg_node *b)
{
    for (uint32_t k = 0; k < a->n_in; k++)
        if (a->in[k] != b->in[k])
            return false;
    return true;
}

/* The shape is part of the key because leaves have no operands to tell it. */
static bool same(const rg_node *a, const rg_node *b)
{
    return a->op == b->op && a->n_in == b->n_in && a->kind == b->kind &&
           same_operands(a, b) &&
           (a->shape == b->shape || rg_shape_equal(*a->shape, *b->shape)) && same_attr(a, b);
}

static uint32_t latest_operand(const rg_node *n)
{
    uint32_t latest = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        latest = n->in[k] > latest ? n->in[k] : latest;
    return latest;
}

bool rg_twins_reserve(rg_twins *t, const rg_alloc *alloc, uint32_t n)
{
    return rg_reserve(alloc, &t->of, &t->cap, n, sizeof *t->of);
}

uint32_t rg_twins_find(const rg_twins *t, const rg_prog *p, const rg_node *node,
                       rg_twins_place *place)
{
    int n = 0;
    uint32_t id;
    place->latest = latest_operand(node);
    for (id = t->of[place->latest].first; id; id = t->of[id].next, n++)
        if (same(&p->node[id], node))
            return id;
    place->crowded = n == FEW;
    if (n < FEW || !t->many.n)
        return 0;
    const uint64_t h = hash_of(node);
    for (size_t probe = 0; (id = rg_index_next(&t->many, h, &probe));)
        if (same(&p->node[id], node))
            return id;
    return 0;
}

bool rg_twins_add(rg_twins *t, const rg_prog *p, uint32_t id, rg_twins_place place)
{
    if (!rg_twins_reserve(t, &p->alloc, id + 1))
        return false;
    if (place.crowded)
        return rg_index_put(&t->many, &p->alloc, hash_of(&p->node[id]), id);
    t->of[id].next = t->of[place.latest].first;
    t->of[place.latest].first = id;
    return true;
}

void rg_twins_free(rg_twins *t, const rg_alloc *alloc)
{
    rg_release(alloc, t->of, t->cap * sizeof *t->of);
    rg_index_free(&t->many, alloc);
}
