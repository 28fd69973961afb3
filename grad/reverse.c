/* grad/reverse.c -- reverse mode: from the outputs down to the targets, every rule emitting nodes.
 *
 * Ids are topological, so one descending loop meets each node after all its consumers. What they
 * contributed is summed in that order, once, in close_parts(): nothing else in the library undoes
 * broadcasting or adds up fan-out. */
#include "grad/reverse.h"

#include "ops/ops.h"

#include <string.h>

enum { WANTED = 1, TARGET = 2, REACHED = 4 };

/* One contribution to the gradient of a node: of the whole, or of a slice along an axis. */
struct part {
    uint32_t next;      /* in the node's list, oldest first; 0 = end */
    uint32_t g;         /* id */
    int32_t  axis;      /* -1 = the whole */
    uint32_t order;     /* of arrival, so that sorting is total */
    int64_t  begin, end;
};

struct sweep {
    rg_graph    *g;
    uint32_t     top;            /* highest output */
    uint8_t     *mark;           /* by id */
    uint32_t    *first, *last;   /* by id: list of parts */
    uint32_t    *result;         /* by id, of targets: the gradient's id */
    struct part *part;           /* [0] unused */
    size_t       n_part, part_cap;
};

/* What a rule is given; the public part first, so that rg_vjp_add() finds the rest. */
struct frame {
    rg_vjp_ctx     pub;
    struct sweep  *sweep;
    const rg_node *node;
};

static bool sweep_begin(struct sweep *s, rg_graph *g, uint32_t top)
{
    size_t n = (size_t)top + 1;
    *s = (struct sweep){ .g = g, .top = top, .n_part = 1 };
    s->mark = rg_get(&g->alloc, n);
    s->first = rg_get(&g->alloc, n * sizeof *s->first);
    s->last = rg_get(&g->alloc, n * sizeof *s->last);
    s->result = rg_get(&g->alloc, n * sizeof *s->result);
    return s->mark && s->first && s->last && s->result;
}

static void sweep_end(struct sweep *s)
{
    size_t n = (size_t)s->top + 1;
    rg_release(&s->g->alloc, s->mark, n);
    rg_release(&s->g->alloc, s->first, n * sizeof *s->first);
    rg_release(&s->g->alloc, s->last, n * sizeof *s->last);
    rg_release(&s->g->alloc, s->result, n * sizeof *s->result);
    rg_release(&s->g->alloc, s->part, s->part_cap * sizeof *s->part);
}

static void contribute(struct sweep *s, uint32_t id, struct part p)
{
    if (!rg_reserve(&s->g->alloc, &s->part, &s->part_cap, s->n_part + 1, sizeof *s->part)) {
        rg_poison(s->g, RG_ENOMEM, "gradient: no memory");
        return;
    }
    uint32_t at = (uint32_t)s->n_part++;
    p.order = at;
    s->part[at] = p;
    if (s->first[id])
        s->part[s->last[id]].next = at;
    else
        s->first[id] = at;
    s->last[id] = at;
}

/* ---- For rules ------------------------------------------------------------------------------ */

bool rg_vjp_wants(const rg_vjp_ctx *v, uint32_t i)
{
    const struct frame *f = (const struct frame *)(const void *)v;
    return i < f->node->n_in && f->sweep->mark[f->node->in[i]] & WANTED;
}

void rg_vjp_add(const rg_vjp_ctx *v, uint32_t i, rg_val g)
{
    const struct frame *f = (const struct frame *)(const void *)v;
    if (!rg_vjp_wants(v, i) || f->sweep->g->status)
        return;
    g = rg_sum_to(g, rg_shape_of(v->in[i]));
    if (!g.id)
        rg_poison(f->sweep->g, RG_EUSER, "%s: its rule gave an unset gradient", f->node->op->name);
    else
        contribute(f->sweep, f->node->in[i], (struct part){ .g = g.id, .axis = -1 });
}

void rg_vjp_add_slice(const rg_vjp_ctx *v, uint32_t i, int axis, int64_t begin, rg_val g)
{
    const struct frame *f = (const struct frame *)(const void *)v;
    if (!rg_vjp_wants(v, i) || f->sweep->g->status)
        return;
    contribute(f->sweep, f->node->in[i],
               (struct part){ .g = g.id, .axis = axis, .begin = begin,
                              .end = begin + rg_dim(g, axis) });
}

/* ---- Closing: all contributions to one node become one value -------------------------------- */

static bool before(const struct part *a, const struct part *b)
{
    return a->begin != b->begin ? a->begin < b->begin : a->order < b->order;
}

/* Heap sort: total keys, no memory, n·log n. */
static void sink(struct part *p, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(&p[child], &p[child + 1]))
            child++;
        if (!before(&p[root], &p[child]))
            return;
        struct part t = p[root];
        p[root] = p[child];
        p[child] = t;
    }
}

static void sort_parts(struct part *p, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sink(p, i, n);
    for (size_t end = n; end-- > 1;) {
        struct part t = p[0];
        p[0] = p[end];
        p[end] = t;
        sink(p, 0, end);
    }
}

static rg_val sum(rg_val acc, rg_val g)
{
    return acc.id ? rg_add(acc, g) : g;
}

/* Slices of equal range are added; -> their number. 0: they overlap otherwise, or on two axes. */
static size_t merge_equal(struct part *p, size_t n, rg_graph *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct part *last = kept ? &p[kept - 1] : NULL;
        if (p[i].axis != p[0].axis)
            return 0;
        if (last && p[i].begin == last->begin && p[i].end == last->end)
            last->g = rg_add((rg_val){ g, last->g }, (rg_val){ g, p[i].g }).id;
        else if (last && p[i].begin < last->end)
            return 0;
        else
            p[kept++] = p[i];
    }
    return kept;
}

/* Disjoint slices, ascending: one concat with zeros in the gaps. @p parts has room for 2n+1. */
static rg_val concat_parts(const struct part *p, size_t n, rg_val *parts, rg_graph *g,
                           const rg_shape *shape)
{
    size_t k = 0;
    int axis = p[0].axis;
    int64_t at = 0, end = shape->dim[axis];
    for (size_t i = 0; i < n; i++) {
        if (p[i].begin > at)
            parts[k++] = rg_zeros(g, rg_shape_with(*shape, axis, p[i].begin - at));
        parts[k++] = (rg_val){ g, p[i].g };
        at = p[i].end;
    }
    if (at < end)
        parts[k++] = rg_zeros(g, rg_shape_with(*shape, axis, end - at));
    return k == 1 ? parts[0] : rg_concat(parts, k, axis);
}

static rg_val pad_parts(const struct part *p, size_t n, rg_graph *g, const rg_shape *shape)
{
    rg_val acc = RG_NONE;
    for (size_t i = 0; i < n; i++)
        acc = sum(acc, rg_pad((rg_val){ g, p[i].g }, p[i].axis, p[i].begin,
                              shape->dim[p[i].axis] - p[i].end, 0));
    return acc;
}

static rg_val close_slices(struct sweep *s, uint32_t id, size_t n)
{
    rg_graph *g = s->g;
    const rg_shape shape = *rg_node_at(g, id)->shape;
    struct part *p = rg_get(&g->alloc, n * sizeof *p);
    rg_val *parts = rg_get(&g->alloc, (2 * n + 1) * sizeof *parts), out = RG_NONE;
    if (p && parts) {
        size_t k = 0;
        for (uint32_t at = s->first[id]; at; at = s->part[at].next)
            if (s->part[at].axis >= 0)
                p[k++] = s->part[at];
        sort_parts(p, n);
        size_t kept = merge_equal(p, n, g);
        if (kept) {
            out = concat_parts(p, kept, parts, g, &shape);
        } else { /* merging has rewritten p */
            k = 0;
            for (uint32_t at = s->first[id]; at; at = s->part[at].next)
                if (s->part[at].axis >= 0)
                    p[k++] = s->part[at];
            out = pad_parts(p, n, g, &shape);
        }
    } else {
        rg_poison(g, RG_ENOMEM, "gradient: no memory");
    }
    rg_release(&g->alloc, p, n * sizeof *p);
    rg_release(&g->alloc, parts, (2 * n + 1) * sizeof *parts);
    return out;
}

static rg_val close_parts(struct sweep *s, uint32_t id)
{
    rg_val acc = RG_NONE;
    size_t slices = 0;
    for (uint32_t at = s->first[id]; at; at = s->part[at].next)
        if (s->part[at].axis < 0)
            acc = sum(acc, (rg_val){ s->g, s->part[at].g });
        else
            slices++;
    return slices ? sum(acc, close_slices(s, id, slices)) : acc;
}

/* ---- The walk ------------------------------------------------------------------------------- */

static void mark_wanted(struct sweep *s, const rg_val *x, size_t n_x)
{
    for (size_t j = 0; j < n_x; j++)
        if (x[j].id <= s->top)
            s->mark[x[j].id] |= WANTED | TARGET;
    for (uint32_t id = 1; id <= s->top; id++) {
        const rg_node *node = rg_node_at(s->g, id);
        if (node->kind != RG_F || node->op->flags & RG_OP_BLOCK)
            continue;
        for (uint32_t k = 0; k < node->n_in && !(s->mark[id] & WANTED); k++)
            s->mark[id] |= s->mark[node->in[k]] & WANTED;
    }
}

/* The name of a target that node @p id depends on, for messages. */
static const char *target_below(const struct sweep *s, uint32_t id)
{
    for (; !(s->mark[id] & TARGET);) {
        const rg_node *node = rg_node_at(s->g, id);
        uint32_t k = 0;
        while (k < node->n_in && !(s->mark[node->in[k]] & WANTED))
            k++;
        if (k == node->n_in)
            return "";
        id = node->in[k];
    }
    const rg_node *node = rg_node_at(s->g, id);
    const char *name = rg_leaf_name(node);
    return name ? name : node->op->name;
}

/* Does anything lie behind it that is asked for? Not behind a target such as a one-hot vector. */
static bool leads_on(const struct sweep *s, const rg_node *node)
{
    for (uint32_t k = 0; k < node->n_in; k++)
        if (s->mark[node->in[k]] & WANTED)
            return true;
    return false;
}

static void apply_rule(struct sweep *s, uint32_t id, rg_val gy)
{
    enum { FEW = 8 };
    rg_graph *g = s->g;
    const rg_node *node = rg_node_at(g, id);
    rg_val few[FEW] = { { .graph = NULL } }, *in = few;
    if (node->op->flags & RG_OP_BLOCK || !leads_on(s, node))
        return; /* a blocked value may be asked for itself */
    if (!node->op->vjp) {
        rg_poison(g, RG_ENOGRAD, "op '%s' has no gradient; it lies between the result and '%s'",
                  node->op->name, target_below(s, id));
        return;
    }
    if (node->n_in > FEW && !(in = rg_get(&g->alloc, node->n_in * sizeof *in))) {
        rg_poison(g, RG_ENOMEM, "gradient: no memory");
        return;
    }
    for (uint32_t k = 0; k < node->n_in; k++)
        in[k] = (rg_val){ g, node->in[k] };
    struct frame f = { .pub = { .in = in, .n = node->n_in, .out = { g, id }, .gy = gy,
                                .attr = node->attr }, .sweep = s, .node = node };
    node->op->vjp(&f.pub);
    if (in != few)
        rg_release(&g->alloc, in, node->n_in * sizeof *in);
}

static void walk(struct sweep *s)
{
    rg_graph *g = s->g;
    uint32_t scope = g->in_scope, origin = g->origin;
    for (uint32_t id = s->top; id > 0 && !g->status; id--) {
        if (!(s->mark[id] & WANTED) || !s->first[id])
            continue;
        g->in_scope = rg_node_at(g, id)->scope;
        g->origin = id;
        rg_val gy = close_parts(s, id);
        if (s->mark[id] & TARGET)
            s->result[id] = gy.id;
        if (gy.id)
            apply_rule(s, id, gy);
    }
    if (!g->status)
        g->in_scope = scope;
    g->origin = origin;
}

/* Which nodes y depends on in any way, integers and detached values included. */
static void mark_reached(struct sweep *s, const rg_val *y, size_t n_y)
{
    for (size_t i = 0; i < n_y; i++)
        s->mark[y[i].id] |= REACHED;
    for (uint32_t id = s->top; id > 0; id--) {
        const rg_node *node = rg_node_at(s->g, id);
        if (s->mark[id] & REACHED)
            for (uint32_t k = 0; k < node->n_in; k++)
                s->mark[node->in[k]] |= REACHED;
    }
}

static rg_val no_gradient(struct sweep *s, rg_val x)
{
    rg_val zero = rg_zeros(s->g, rg_shape_of(x));
    if (zero.id)
        s->g->chunk[zero.id / RG_CHUNK][zero.id % RG_CHUNK].outcome =
            x.id <= s->top && s->mark[x.id] & REACHED ? RG_BLOCKED : RG_NO_PATH;
    return zero;
}

void rg_sweep(rg_val *dx, const rg_val *y, const rg_val *gy, size_t n_y, const rg_val *x,
                size_t n_x, const char *who)
{
    struct sweep s;
    rg_graph *g = x[0].graph;
    uint32_t top = 0;
    for (size_t i = 0; i < n_y; i++)
        top = y[i].id > top ? y[i].id : top;
    if (!sweep_begin(&s, g, top))
        rg_poison(g, RG_ENOMEM, "%s: no memory", who);
    if (!g->status) {
        mark_wanted(&s, x, n_x);
        for (size_t i = 0; i < n_y; i++)
            contribute(&s, y[i].id, (struct part){ .g = gy[i].id, .axis = -1 });
        walk(&s);
    }
    if (!g->status)
        mark_reached(&s, y, n_y);
    for (size_t j = 0; j < n_x && !g->status; j++) {
        uint32_t id = x[j].id <= top ? s.result[x[j].id] : 0;
        dx[j] = id ? (rg_val){ g, id } : no_gradient(&s, x[j]);
    }
    for (size_t j = 0; j < n_x && g->status; j++)
        dx[j] = (rg_val){ .graph = g };
    sweep_end(&s);
}
