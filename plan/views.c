/* plan/views.c -- which values are views of others, and where everything lies.
 *
 * A view is (storage, offset, stride by axis). Where a consumer needs its operand dense, or a
 * root must keep its own memory, or no strides would do (a reshape of a transpose), the value is
 * computed after all: copied. */
#include "plan/code.h"

#include "ops/ops.h"
#include "plan/passes/fusible.h"

#include <string.h>

void rg_view_strides(int64_t stride[RG_MAX_RANK], const rg_view *v, const rg_shape *shape)
{
    if (v->stride)
        memcpy(stride, v->stride, (size_t)shape->rank * sizeof *stride);
    else
        rg_shape_strides(stride, shape, shape);
}

rg_layout rg_layout_of(const rg_code *c, uint32_t id)
{
    rg_layout l = { .offset = c->view[id].offset };
    rg_view_strides(l.stride, &c->view[id], c->p->node[id].shape);
    return l;
}

bool rg_strides_equal(const int64_t *a, const int64_t *b, const rg_shape *shape)
{
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1 && a[i] != b[i])
            return false;
    return true;
}

bool rg_strides_dense(const int64_t *stride, const rg_shape *shape)
{
    int64_t step = 1;
    for (int i = shape->rank; i-- > 0;) {
        if (shape->dim[i] == 0)
            return true;
        if (shape->dim[i] != 1 && stride[i] != step)
            return false;
        step *= shape->dim[i];
    }
    return true;
}

/* Extents other than 1, with their strides, neighbours that continue each other being one. */
static int merged(int64_t dim[RG_MAX_RANK], int64_t step[RG_MAX_RANK], const int64_t *stride,
                  const rg_shape *shape)
{
    int n = 0;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == 1)
            continue;
        if (n && step[n - 1] == stride[i] * shape->dim[i]) {
            dim[n - 1] *= shape->dim[i];
            step[n - 1] = stride[i];
        } else {
            dim[n] = shape->dim[i];
            step[n++] = stride[i];
        }
    }
    return n;
}

bool rg_strides_reshape(int64_t out[RG_MAX_RANK], const rg_shape *to, const int64_t *stride,
                        const rg_shape *from)
{
    int64_t dim[RG_MAX_RANK], step[RG_MAX_RANK], left = 1;
    if (rg_shape_count(*to) == 0) {
        rg_shape_strides(out, to, to);
        return true;
    }
    int n = merged(dim, step, stride, from);
    /* from the last axis: each new extent is cut off the run that is being used up */
    for (int i = to->rank; i-- > 0;) {
        if (to->dim[i] == 1) {
            out[i] = 0;
            continue;
        }
        if (left == 1)
            left = dim[--n];
        if (left % to->dim[i])
            return false;
        out[i] = step[n];
        step[n] *= to->dim[i];
        left /= to->dim[i];
    }
    return true;
}

/* ---- One view after another ----------------------------------------------------------------- */

static void slice_of(rg_layout *s, const rg_node *node)
{
    const rg_attr_slice *at = node->attr;
    s->offset += at->begin * s->stride[at->axis];
}

static void transpose_of(rg_layout *s, const rg_node *node)
{
    const rg_attr_axes *at = node->attr;
    const rg_layout old = *s;
    for (int i = 0; i < node->shape->rank; i++)
        s->stride[i] = old.stride[at->axis[i]];
}

static void broadcast_of(rg_layout *s, const rg_node *node, const rg_shape *from)
{
    const rg_layout old = *s;
    const int more = node->shape->rank - from->rank;
    for (int i = 0; i < node->shape->rank; i++)
        s->stride[i] = i < more || from->dim[i - more] == 1 ? 0 : old.stride[i - more];
}

static void reverse_of(rg_layout *s, const rg_node *node)
{
    const int axis = ((const rg_attr_axis *)node->attr)->axis;
    s->offset += (node->shape->dim[axis] - 1) * s->stride[axis];
    s->stride[axis] = -s->stride[axis];
}

bool rg_layout_of_view(const rg_code *c, const rg_node *node, rg_layout *s)
{
    const rg_shape *shape = c->p->node[node->in[0]].shape;
    *s = rg_layout_of(c, node->in[0]);
    if (node->op == &rg_op_reshape) {
        const rg_layout old = *s;
        return rg_strides_reshape(s->stride, node->shape, old.stride, shape);
    }
    if (rg_shape_count(*node->shape) == 0)
        s->offset = 0;
    else if (node->op == &rg_op_slice)
        slice_of(s, node);
    else if (node->op == &rg_op_transpose)
        transpose_of(s, node);
    else if (node->op == &rg_op_broadcast)
        broadcast_of(s, node, shape);
    else if (node->op == &rg_op_reverse)
        reverse_of(s, node);
    return true;
}

static bool set_view(rg_code *c, uint32_t id, const rg_layout *s)
{
    const rg_node *node = &c->p->node[id];
    int64_t *stride = (int64_t *)(uintptr_t)c->view[id].stride; /* its own, from the last time */
    c->view[id] = (rg_view){ c->view[node->in[0]].base, s->offset, NULL };
    if (rg_strides_dense(s->stride, node->shape))
        return true;
    if (!stride)
        stride = rg_arena_get(c->arena, (size_t)node->shape->rank * sizeof *stride);
    if (!stride)
        return false;
    memcpy(stride, s->stride, (size_t)node->shape->rank * sizeof *stride);
    c->view[id].stride = stride;
    return true;
}

/* ---- All of them ---------------------------------------------------------------------------- */

/* Values that some consumer can only read dense, be it through views: only a slice of rows apart is
 * rows apart again, and one that is shown lies dense. */
static void mark_dense(const rg_code *c, uint8_t *dense)
{
    const rg_prog *p = c->p;
    for (uint32_t id = p->n_node - 1; id > 0; id--) {
        const rg_node *node = &p->node[id];
        const bool view = c->form[id] == RG_VIEW;
        const bool firm = view && (dense[id] || c->readable[id] || node->op != &rg_op_slice);
        for (uint32_t k = 0; k < node->n_in; k++)
            if (firm || !(rg_node_is_view(node) || rg_reads_rows(p, node, k)))
                dense[node->in[k]] = 1;
    }
}

/* A root may not live in memory that is not ours or that changes, nor in pieces. */
static bool must_copy(const rg_code *c, uint32_t id, const rg_layout *l)
{
    const rg_node *node = &c->p->node[id];
    return c->readable[id] && (!rg_strides_dense(l->stride, node->shape) ||
                               c->form[c->source[node->in[0]]] == RG_LEAF);
}

static void own_storage(rg_code *c, uint32_t id)
{
    c->view[id] = (rg_view){ id, 0, NULL };
    c->source[id] = id;
    c->form[id] = rg_node_is_leaf(&c->p->node[id]) ? RG_LEAF : RG_COMPUTED;
}

/* An operand that the kernel cannot read as it lies is copied, or, if it is a number, spread
 * out. */
static void ask_for_dense(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    for (uint32_t k = 0; k < node->n_in; k++)
        if (!rg_suits(c, id, k))
            own_storage(c, node->in[k]);
}

static const int64_t nowhere[RG_MAX_RANK] = { 0 };

static bool classify(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    rg_layout l;
    own_storage(c, id);
    if (node->op == &rg_op_full && !c->readable[id])
        c->view[id].stride = nowhere; /* one element stands for all */
    if (!rg_node_is_view(node)) {
        ask_for_dense(c, id);
        return true;
    }
    if (!rg_layout_of_view(c, node, &l) || must_copy(c, id, &l))
        return true;
    c->form[id] = RG_VIEW;
    c->source[id] = c->source[node->in[0]];
    return set_view(c, id, &l);
}

bool rg_views_settle(rg_code *c)
{
    bool ok = true;
    for (uint32_t id = 1; id < c->p->n_node && ok; id++) {
        rg_layout l;
        if (c->over[id])
            c->view[id] = c->view[c->over[id]];
        if (c->form[id] != RG_VIEW)
            continue;
        c->source[id] = c->source[c->p->node[id].in[0]];
        ok = rg_layout_of_view(c, &c->p->node[id], &l) && set_view(c, id, &l);
    }
    return ok;
}

rg_status rg_code_views(rg_code *c)
{
    const uint32_t n = c->p->n_node;
    uint8_t *dense = rg_get(&c->alloc, n);
    bool ok = dense != NULL;
    for (uint32_t id = 1; id < n && ok; id++)
        ok = classify(c, id);
    /* once more, since what a view is of may have been computed after all */
    ok = ok && rg_views_settle(c);
    if (ok)
        mark_dense(c, dense);
    if (ok && c->in_place)
        ok = rg_code_on_top(c, dense) == RG_OK && rg_views_settle(c);
    if (ok && c->in_slots)
        ok = rg_code_slots(c, dense) == RG_OK && rg_views_settle(c);
    if (ok && c->in_place)
        ok = rg_code_over(c, dense) == RG_OK;
    rg_release(&c->alloc, dense, n);
    return ok ? RG_OK : rg_fail(c->err, RG_ENOMEM, "plan: no memory for %u values", (unsigned)n);
}
