/* plan/slots.c -- stacks that cost nothing: parts of a concat are written where they belong.
 *
 * Along the first axis, parts lie one behind the other. Draw an edge from each part to the next,
 * over all concats: where every value has one successor and one predecessor, and there is no
 * circle, each chain is a slab and each concat a window of it: h_0 .. h_{T-1} and h_1 .. h_T are
 * two windows of one slab. Leaves among the parts are copied to their places when the slab is
 * born.
 *
 * Along other axes a part is a block of columns, which its producer writes in rows apart if it
 * can and if nobody counts on how the part lies. What is left is copied.
 *
 * Before all that, a product on top of a value takes that value's place, if nobody else reads
 * it. */
#include "plan/code.h"

#include "base/checked.h"
#include "ops/ops.h"
#include "plan/chains.h"
#include "plan/made.h"
#include "plan/passes/fusible.h"
#include "plan/deaths.h"

#include <string.h>

/* Items are values by id, and behind them the leaves' places: one for each time it is needed. */
struct slots {
    rg_code       *c;
    rg_uses        uses;
    const uint8_t *dense;        /* some consumer needs it dense */
    uint8_t       *moved;        /* by value: lies in somebody else's storage */
    rg_chains      chain;        /* by item */
    uint32_t      *head;         /* by concat that is a window: its first item */
    uint32_t      *leaf;         /* by place: the value that is copied there */
    uint32_t      *item;         /* of the concat at hand */
    uint32_t       n_node, n_item;
    size_t         most;         /* items there can be */
    void          *memory;
    size_t         bytes;
};

static int64_t count_of(const struct slots *s, uint32_t id)
{
    return rg_shape_count(*s->c->p->node[id].shape);
}

/* ---- Memory --------------------------------------------------------------------------------- */

static bool take_memory(struct slots *s)
{
    const rg_prog *p = s->c->p;
    size_t parts = 0, widest = 0;
    for (uint32_t id = 1; id < p->n_node; id++)
        if (p->node[id].op == &rg_op_concat) {
            parts += p->node[id].n_in;
            widest = p->node[id].n_in > widest ? p->node[id].n_in : widest;
        }
    s->n_node = s->n_item = p->n_node;
    s->most = s->n_node + parts;
    s->bytes = (3 * s->most + s->n_node + parts + widest) * sizeof(uint32_t) +
               (size_t)s->n_node;
    if (!(s->memory = rg_get(&s->c->alloc, s->bytes)))
        return false;
    s->chain.next = s->memory;
    s->chain.prev = s->chain.next + s->most;
    s->chain.set = s->chain.prev + s->most;
    s->head = s->chain.set + s->most;
    s->leaf = s->head + s->n_node;
    s->item = s->leaf + parts;
    s->moved = (uint8_t *)(s->item + widest);
    for (uint32_t id = 1; id < s->n_node; id++)
        s->moved[id] = s->c->over[id] != 0;
    for (uint32_t i = 0; i < s->most; i++)
        s->chain.set[i] = i;
    return true;
}

/* ---- Products on top of a value -------------------------------------------------------------- */

/* Who reads the result reads it where it comes to lie. What it is added to may itself be on top of
 * a value with its rows apart. */
static bool readers_allow(const rg_code *c, const uint8_t *dense, uint32_t id)
{
    uint32_t lowest = c->p->node[id].in[2];
    while (c->over[lowest])
        lowest = c->over[lowest];
    return !c->view[lowest].stride || !dense[id];
}

static void put_on_top(rg_deaths *s, const uint8_t *dense)
{
    rg_code *c = s->c;
    for (uint32_t id = 1; id < c->p->n_node; id++) {
        const rg_node *node = &c->p->node[id];
        if (!rg_is_onto(node) || rg_shape_count(*node->shape) == 0 || c->readable[id])
            continue;
        const uint32_t under = node->in[2], source = c->source[under];
        if (rg_use_count(&s->uses, under) == 1 && source != c->source[node->in[0]] &&
            source != c->source[node->in[1]] && rg_dies_in(s, under, rg_reader_number(c, id)) &&
            readers_allow(c, dense, id))
            c->over[id] = under;
    }
}

rg_status rg_code_on_top(rg_code *c, const uint8_t *dense)
{
    rg_deaths deaths;
    rg_status st = rg_deaths_make(&deaths, c, false);
    if (!st)
        put_on_top(&deaths, dense);
    rg_deaths_free(&deaths);
    return st;
}

/* ---- Slabs ---------------------------------------------------------------------------------- */

/* Do parts along this axis lie one behind the other? */
static bool stacks_rows(const rg_node *concat)
{
    return rg_shape_outer(concat->shape, ((const rg_attr_axis *)concat->attr)->axis) == 1 &&
           rg_shape_count(*concat->shape) > 0;
}

enum { NO_ITEM = 0, A_LEAF = UINT32_MAX };

/* What a part is in a slab: the value behind its reshapes, a leaf to be copied, or neither. */
static uint32_t item_of(const struct slots *s, uint32_t id)
{
    const rg_code *c = s->c;
    if (c->form[c->source[id]] == RG_LEAF)
        return A_LEAF;
    while (c->form[id] == RG_VIEW && c->p->node[id].op == &rg_op_reshape)
        id = c->p->node[id].in[0];
    return c->form[id] == RG_COMPUTED && !s->moved[id] ? id : NO_ITEM;
}

static bool is_place_of(const struct slots *s, uint32_t item, uint32_t leaf)
{
    return item >= s->n_node && s->leaf[item - s->n_node] == leaf;
}

/* Items of the parts that are not empty; 0 if one cannot be moved, or comes twice. */
static uint32_t list_items(struct slots *s, const rg_node *concat)
{
    uint32_t n = 0, computed = 0;
    for (uint32_t k = 0; k < concat->n_in; k++) {
        const uint32_t part = concat->in[k];
        if (count_of(s, part) == 0)
            continue;
        s->item[n] = item_of(s, part);
        if (s->item[n] == NO_ITEM)
            return 0;
        computed += s->item[n] != A_LEAF;
        n++;
    }
    return computed ? n : 0;
}

/* A leaf's place: the one that is beside its neighbours already, or a new one. */
static void find_places(struct slots *s, const rg_node *concat, uint32_t n)
{
    uint32_t i = 0;
    for (uint32_t k = 0; k < concat->n_in; k++) {
        const uint32_t part = concat->in[k];
        if (count_of(s, part) == 0)
            continue;
        const uint32_t before = i > 0 ? s->chain.next[s->item[i - 1]] : 0;
        const bool followed = i + 1 < n && s->item[i + 1] != A_LEAF;
        const uint32_t after = followed ? s->chain.prev[s->item[i + 1]] : 0;
        if (s->item[i] == A_LEAF && is_place_of(s, before, part)) {
            s->item[i] = before;
        } else if (s->item[i] == A_LEAF && is_place_of(s, after, part)) {
            s->item[i] = after;
        } else if (s->item[i] == A_LEAF) {
            s->leaf[s->n_item - s->n_node] = part;
            s->item[i] = s->n_item++;
        }
        i++;
    }
}

/* Make the concat a window, or leave everything as it was. */
static void make_window(struct slots *s, uint32_t id)
{
    const rg_node *concat = &s->c->p->node[id];
    const uint32_t n = list_items(s, concat);
    if (n == 0)
        return;
    find_places(s, concat, n);
    if (!rg_chains_link(&s->chain, &s->c->alloc, s->item, n))
        return;
    s->c->window[id] = s->moved[id] = 1;
    s->head[id] = s->item[0];
}

static uint32_t value_of(const struct slots *s, uint32_t item)
{
    return item < s->n_node ? item : s->leaf[item - s->n_node];
}

/* Lay out the chain that begins with this item. */
static bool lay_out(struct slots *s, uint32_t first, int64_t *at)
{
    rg_code *c = s->c;
    int64_t n = 0;
    for (uint32_t i = first; i; i = s->chain.next[i]) {
        at[i] = n;
        n += count_of(s, value_of(s, i));
    }
    const rg_kind kind = (rg_kind)c->p->node[value_of(s, first)].kind;
    const size_t bytes = (size_t)n * rg_kind_size(kind, c->p->real);
    const uint32_t slab = rg_buffer_new(c, bytes, RG_FOREVER, 0);
    for (uint32_t i = first; i && slab; i = s->chain.next[i]) {
        s->chain.set[i] = slab; /* no chains are joined any more */
        if (i < s->n_node) {
            c->view[i] = (rg_view){ slab, at[i], NULL };
            s->moved[i] = 1;
        } else if (!rg_reserve(&c->alloc, &c->fill, &c->fill_cap, c->n_fill + 1, sizeof *c->fill)) {
            return false;
        } else {
            c->fill[c->n_fill++] = (rg_fill){ value_of(s, i), slab, at[i] };
        }
    }
    return slab != 0;
}

/* Columns of a single row lie one behind the other too; but where that row is a part of a stack, it
 * is the stack that has a slab, and they get their places in it. */
static void mark_rows_of_stacks(const struct slots *s, uint8_t *row)
{
    const rg_code *c = s->c;
    for (uint32_t id = 1; id < s->n_node; id++) {
        const rg_node *stack = &c->p->node[id];
        for (uint32_t k = 0; stack->op == &rg_op_concat && k < stack->n_in; k++) {
            uint32_t part = stack->in[k];
            while (c->form[part] == RG_VIEW && c->p->node[part].op == &rg_op_reshape)
                part = c->p->node[part].in[0];
            const rg_node *node = &c->p->node[part];
            row[part] |= stacks_rows(stack) && node->op == &rg_op_concat &&
                         ((const rg_attr_axis *)node->attr)->axis > 0;
        }
    }
}

static bool make_slabs(struct slots *s)
{
    rg_code *c = s->c;
    int64_t *at = rg_get(&c->alloc, s->most * sizeof *at);
    uint8_t *used = rg_get(&c->alloc, s->most);
    bool ok = at && used;
    if (ok)
        mark_rows_of_stacks(s, used);
    for (uint32_t id = 1; id < s->n_node && ok; id++)
        if (c->p->node[id].op == &rg_op_concat && stacks_rows(&c->p->node[id]) && !used[id])
            make_window(s, id);
    if (ok)
        memset(used, 0, s->most);
    for (uint32_t id = 1; id < s->n_node && ok; id++)
        if (c->window[id])
            used[s->head[id]] = 1;
    for (uint32_t i = 1; i < s->n_item && ok; i++)
        if (!s->chain.prev[i] && (s->chain.next[i] || used[i]))
            ok = lay_out(s, i, at);
    for (uint32_t id = 1; id < s->n_node && ok; id++)
        if (c->window[id])
            c->view[id] = (rg_view){ s->chain.set[s->head[id]], at[s->head[id]], NULL };
    rg_release(&c->alloc, at, s->most * sizeof *at);
    rg_release(&c->alloc, used, s->most);
    return ok;
}

/* ---- Blocks of columns, and stacks that are no window --------------------------------------- */

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
    return rg_strides_equal(stride, at->stride, shape);
}

bool rg_has_work(const rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    if (node->op != &rg_op_concat)
        return true;
    if (c->window[id])
        return false;
    rg_layout at = rg_layout_of(c, id);
    for (uint32_t k = 0; k < node->n_in; rg_slot_next(c, id, k++, &at))
        if (!rg_slot_holds(c, id, k, &at))
            return true;
    return false;
}

/* What computes part @p id, if it can write to this slot. A slot that lies as the value would
 * anyhow suits everybody; in rows apart, nobody else may count on how the value lies. */
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
    if (!dense && (s->dense[id] || c->readable[id] || rg_has_views(c, &s->uses, id) ||
                   !rg_writes_rows(&c->p->node[id])))
        return 0;
    return id;
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
    rg_layout at = rg_layout_of(c, id);
    for (uint32_t k = 0; k < node->n_in; k++) {
        rg_layout slot = at;
        const uint32_t from = count_of(s, node->in[k]) ? producer(s, node->in[k], &slot) : 0;
        if (from && !move(s, from, c->view[id].base, &slot))
            return false;
        rg_slot_next(c, id, k, &at);
    }
    return true;
}

rg_status rg_code_slots(rg_code *c, const uint8_t *dense)
{
    struct slots s = { .c = c, .dense = dense };
    rg_status st = rg_uses_make(&s.uses, c->p, c->err);
    bool ok = !st && take_memory(&s);
    if (ok)
        ok = make_slabs(&s);
    /* from the last concat to the first, since one may lie in another */
    for (uint32_t id = s.n_node; id-- > 1 && ok;)
        if (c->p->node[id].op == &rg_op_concat && !c->window[id] && count_of(&s, id) > 0)
            ok = fill_slots(&s, id);
    rg_release(&c->alloc, s.memory, s.bytes);
    rg_uses_free(&s.uses, c->p);
    return ok ? RG_OK : RG_ENOMEM;
}
