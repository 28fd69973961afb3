/* plan/slots.c -- parts of a concat that are written where they belong, so that it costs nothing.
 *
 * From the last concat to the first, since one may lie in another: each part whose producer can
 * write there, and that has not moved elsewhere already, moves. What is left is copied. */
#include "plan/code.h"

#include "ops/ops.h"
#include "plan/passes/fusible.h"

#include <string.h>

struct slots {
    rg_code       *c;
    const uint8_t *dense;  /* some consumer needs it dense */
    uint8_t       *moved;
    uint32_t      *views;  /* by id: how many views are made of it */
};

/* What computes part @p id, if it can write to this slot. A slot that lies as the value would anyhow
 * suits everybody; in rows apart, nobody else may count on how the value lies. */
static uint32_t producer(const struct slots *s, uint32_t id, rg_layout *slot)
{
    const rg_code *c = s->c;
    const bool dense = rg_strides_dense(slot->stride, c->p->node[id].shape);
    while (dense && c->form[id] == RG_VIEW && c->p->node[id].op == &rg_op_reshape) {
        id = c->p->node[id].in[0];
        rg_shape_strides(slot->stride, c->p->node[id].shape, c->p->node[id].shape);
    }
    if (c->form[id] != RG_COMPUTED || s->moved[id])
        return 0;
    if (!dense && (s->dense[id] || c->readable[id] || s->views[id] ||
                   !rg_writes_rows(c->p, &c->p->node[id])))
        return 0;
    return id;
}

rg_layout rg_slot_first(const rg_code *c, uint32_t concat)
{
    rg_layout at = { .offset = c->view[concat].offset };
    rg_view_strides(at.stride, &c->view[concat], c->p->node[concat].shape);
    return at;
}

void rg_slot_next(const rg_code *c, uint32_t concat, uint32_t k, rg_layout *at)
{
    const rg_node *node = &c->p->node[concat];
    const int axis = ((const rg_attr_axis *)node->attr)->axis;
    at->offset += c->p->node[node->in[k]].shape->dim[axis] * at->stride[axis];
}

bool rg_slot_holds(const rg_code *c, uint32_t concat, uint32_t k, const rg_layout *at)
{
    const uint32_t part = c->p->node[concat].in[k];
    const rg_shape *shape = c->p->node[part].shape;
    int64_t stride[RG_MAX_RANK];
    if (rg_shape_count(*shape) == 0)
        return true;
    if (c->view[part].base != c->view[concat].base || c->view[part].offset != at->offset)
        return false;
    rg_view_strides(stride, &c->view[part], shape);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1 && stride[i] != at->stride[i])
            return false;
    return true;
}

static bool move(struct slots *s, uint32_t id, uint32_t base, const rg_layout *slot)
{
    rg_code *c = s->c;
    const rg_shape *shape = c->p->node[id].shape;
    s->moved[id] = 1;
    c->view[id] = (rg_view){ base, slot->offset, NULL };
    if (rg_strides_dense(slot->stride, shape))
        return true;
    int64_t *stride = rg_arena_get(c->arena, (size_t)shape->rank * sizeof *stride);
    if (!stride)
        return false;
    memcpy(stride, slot->stride, (size_t)shape->rank * sizeof *stride);
    c->view[id].stride = stride;
    return true;
}

static bool fill_slots(struct slots *s, uint32_t id)
{
    rg_code *c = s->c;
    const rg_node *node = &c->p->node[id];
    rg_layout at = rg_slot_first(c, id);
    for (uint32_t k = 0; k < node->n_in; k++) {
        rg_layout slot = at;
        const uint32_t from = producer(s, node->in[k], &slot);
        if (from && !move(s, from, c->view[id].base, &slot))
            return false;
        rg_slot_next(c, id, k, &at);
    }
    return true;
}

rg_status rg_code_slots(rg_code *c, const uint8_t *dense)
{
    const uint32_t n = c->p->n_node;
    struct slots s = { c, dense, rg_get(&c->alloc, n), rg_get(&c->alloc, n * sizeof *s.views) };
    bool ok = s.moved && s.views;
    for (uint32_t id = 1; id < n && ok; id++)
        if (c->form[id] == RG_VIEW)
            s.views[c->p->node[id].in[0]]++;
    for (uint32_t id = n; id-- > 1 && ok;)
        if (c->p->node[id].op == &rg_op_concat && rg_shape_count(*c->p->node[id].shape) > 0)
            ok = fill_slots(&s, id);
    rg_release(&c->alloc, s.moved, n);
    rg_release(&c->alloc, s.views, n * sizeof *s.views);
    return ok ? RG_OK : RG_ENOMEM;
}
