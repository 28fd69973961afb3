/* plan/verify.c -- judges a placement by other means than those that made it.
 *
 * First by lives: buffers that live at the same time do not overlap. Then by contents: in the order
 * of intervals, every element of the arena remembers which value was written there last, and every
 * unit must find what it reads; so results that lie over operands are judged too. What the plan
 * shows must lie dense. */
#include "plan/code.h"

#include "base/checked.h"
#include "ops/ops.h"

#include <string.h>

/* ---- Lives ---------------------------------------------------------------------------------- */

/* Ids by birth, constants first: a counting sort. */
static size_t sort_by_birth(const rg_code *c, uint32_t *sorted, uint32_t *start)
{
    size_t n = 0;
    for (size_t i = 1; i < c->n_buffer; i++)
        if (c->buffer[i].bytes && !c->buffer[i].same_as)
            start[c->buffer[i].constant ? 1 : c->buffer[i].birth + 2]++;
    for (uint32_t t = 1; t <= c->n_interval + 1; t++)
        start[t] += start[t - 1];
    for (uint32_t i = 1; i < c->n_buffer; i++)
        if (c->buffer[i].bytes && !c->buffer[i].same_as) {
            sorted[start[c->buffer[i].constant ? 0 : c->buffer[i].birth + 1]++] = i;
            n++;
        }
    return n;
}

/* May b have memory of what lived before it? In a region: the same lines. */
static bool may_follow(const rg_code *c, const rg_buffer *o, const rg_buffer *b)
{
    if (o->constant || o->death >= b->birth)
        return false;
    return !c->region_of[b->birth] || c->region_of[b->birth] != c->region_of[o->death] ||
           (o->dies_by_rows && b->born_by_rows && o->offset == b->offset && o->bytes == b->bytes);
}

/* Each line of the arena remembers who had it last. */
static rg_status paint(const rg_code *c, uint32_t i, uint32_t *owner, rg_err *err)
{
    const rg_buffer *b = &c->buffer[i];
    const size_t first = b->offset / RG_ALIGN;
    const size_t end = (b->offset + b->bytes + RG_ALIGN - 1) / RG_ALIGN;
    if (b->offset % RG_ALIGN || end * RG_ALIGN > c->arena_bytes)
        return rg_fail(err, RG_EINTERNAL, "placement: buffer %u lies outside the arena or between "
                       "its lines", (unsigned)i);
    for (size_t line = first; line < end; line++) {
        const uint32_t o = owner[line];
        if (o && !may_follow(c, &c->buffer[o], b))
            return rg_fail(err, RG_EINTERNAL, "placement: buffer %u lies over buffer %u, which is "
                           "alive", (unsigned)i, (unsigned)o);
        owner[line] = i;
    }
    return RG_OK;
}

/* What takes over a buffer lies exactly there, and is no larger; `contents` judges the rest. */
static rg_status check_takeovers(const rg_code *c, rg_err *err)
{
    for (size_t i = 1; i < c->n_buffer; i++) {
        const rg_buffer *b = &c->buffer[i];
        if (b->bytes && b->same_as &&
            (b->offset != c->buffer[b->same_as].offset || b->bytes > c->buffer[b->same_as].bytes))
            return rg_fail(err, RG_EINTERNAL, "placement: buffer %zu does not lie over buffer %u",
                           i, (unsigned)b->same_as);
    }
    return RG_OK;
}

static rg_status check_lives(const rg_code *c, rg_err *err)
{
    const size_t lines = c->arena_bytes / RG_ALIGN, n = c->n_buffer;
    const size_t starts = (size_t)c->n_interval + 3;
    uint32_t *owner = rg_get(&c->alloc, lines * sizeof *owner);
    uint32_t *sorted = rg_get(&c->alloc, n * sizeof *sorted);
    uint32_t *start = rg_get(&c->alloc, starts * sizeof *start);
    rg_status st = owner && sorted && start ? check_takeovers(c, err)
                                            : rg_fail(err, RG_ENOMEM, "plan: no memory");
    const size_t used = st ? 0 : sort_by_birth(c, sorted, start);
    for (size_t k = 0; k < used && !st; k++)
        st = paint(c, sorted[k], owner, err);
    rg_release(&c->alloc, owner, lines * sizeof *owner);
    rg_release(&c->alloc, sorted, n * sizeof *sorted);
    rg_release(&c->alloc, start, starts * sizeof *start);
    return st;
}

/* ---- Contents ------------------------------------------------------------------------------- */

/* Memory in words of four bytes; smaller elements are judged where a word begins. */
enum { WORD = 4 };

struct contents {
    const rg_code *c;
    rg_err        *err;
    uint32_t      *owner;    /* by word: the value written there last; 0 = none */
    uint32_t      *reader;   /* by word: the unit that read it last, and in which interval */
    uint32_t      *when;
    uint32_t      *found;    /* by value: is it a part of what is being read? A serial number */
    uint32_t      *stack;
    uint32_t      *sorted;   /* buffers by birth */
    size_t         n_sorted, next;
    uint32_t       serial, source, unit, interval;
    void          *memory;
    size_t         bytes;
};

typedef rg_status visit_fn(struct contents *s, size_t word, uint32_t id);

/* All words of a value that lies in the arena. */
static rg_status each_word(struct contents *s, uint32_t id, const rg_layout *l,
                           const rg_shape *shape, uint32_t base, visit_fn *visit)
{
    const size_t item = rg_kind_size((rg_kind)s->c->p->node[id].kind, s->c->p->real);
    int64_t at[RG_MAX_RANK] = { 0 };
    int i = shape->rank;
    if (!s->c->buffer[base].bytes || rg_shape_count(*shape) == 0)
        return RG_OK;
    for (int64_t e = l->offset; i >= 0;) {
        const size_t byte = s->c->buffer[base].offset + (size_t)e * item;
        for (size_t w = 0; w < (item + WORD - 1) / WORD && byte % WORD == 0; w++) {
            rg_status st = visit(s, byte / WORD + w, id);
            if (st)
                return st;
        }
        for (i = shape->rank - 1; i >= 0; i--) {
            e += l->stride[i];
            if (++at[i] < shape->dim[i])
                break;
            e -= shape->dim[i] * l->stride[i];
            at[i] = 0;
        }
    }
    return RG_OK;
}

static rg_status each_word_of(struct contents *s, uint32_t id, visit_fn *visit)
{
    const rg_layout l = rg_layout_of(s->c, id);
    return each_word(s, id, &l, s->c->p->node[id].shape, s->c->view[id].base, visit);
}

static rg_status visit_read(struct contents *s, size_t word, uint32_t id)
{
    const uint32_t owner = s->owner[word];
    if (!owner || s->found[owner] != s->serial)
        return rg_fail(s->err, RG_EINTERNAL, "placement: value %u, read for value %u, has been "
                       "overwritten by value %u", (unsigned)id,
                       (unsigned)rg_unit_last(s->c, s->unit), (unsigned)owner);
    s->reader[word] = s->when[word] == s->interval + 1 && s->reader[word] != s->unit
                          ? UINT32_MAX : s->unit;
    s->when[word] = s->interval + 1;
    return RG_OK;
}

static rg_status visit_write(struct contents *s, size_t word, uint32_t id)
{
    if (s->when[word] == s->interval + 1 && s->reader[word] != s->unit)
        return rg_fail(s->err, RG_EINTERNAL, "placement: value %u is written while another step "
                       "may still read its place", (unsigned)id);
    s->owner[word] = id;
    return RG_OK;
}

/* Which values make up value @p id: what is behind its views, and parts of concats. */
static void find_parts(struct contents *s, uint32_t id)
{
    const rg_code *c = s->c;
    size_t n = 0;
    if (s->source == c->source[id])
        return;
    s->source = c->source[id];
    s->serial++;
    s->found[s->stack[n++] = c->source[id]] = s->serial;
    while (n > 0) {
        const uint32_t top = s->stack[--n];
        const rg_node *node = &c->p->node[top];
        for (uint32_t k = 0; node->op == &rg_op_concat && k < node->n_in; k++) {
            const uint32_t part = c->source[node->in[k]];
            if (s->found[part] != s->serial)
                s->found[s->stack[n++] = part] = s->serial;
        }
    }
}

static rg_status read_all(struct contents *s, uint32_t unit)
{
    const rg_code *c = s->c;
    rg_status st = RG_OK;
    s->unit = unit;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1]; m++) {
        const rg_node *node = &c->p->node[c->member[m]];
        const bool slots = node->op == &rg_op_concat;
        rg_layout at = { 0 };
        if (slots)
            at = rg_layout_of(c, c->member[m]);
        for (uint32_t k = 0; k < node->n_in && !st; k++) {
            const uint32_t in = node->in[k];
            const bool placed = slots && rg_slot_holds(c, c->member[m], k, &at);
            if (slots)
                rg_slot_next(c, c->member[m], k, &at);
            if (placed || c->form[c->source[in]] == RG_LEAF || c->unit[c->source[in]] == unit)
                continue;
            find_parts(s, in);
            st = each_word_of(s, in, visit_read);
        }
    }
    return st;
}

/* Of a concat, what does not lie in place already. */
static rg_status write_parts(struct contents *s, uint32_t id)
{
    const rg_code *c = s->c;
    const rg_node *node = &c->p->node[id];
    rg_layout at = rg_layout_of(c, id);
    rg_status st = RG_OK;
    for (uint32_t k = 0; k < node->n_in && !st; rg_slot_next(c, id, k++, &at))
        if (!rg_slot_holds(c, id, k, &at))
            st = each_word(s, id, &at, c->p->node[node->in[k]].shape, c->view[id].base,
                           visit_write);
    return st;
}

static rg_status write_all(struct contents *s, uint32_t unit)
{
    const rg_code *c = s->c;
    const bool alone = c->first[unit + 1] - c->first[unit] == 1;
    rg_status st = RG_OK;
    s->unit = unit;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1] && !st; m++)
        if (c->p->node[c->member[m]].op == &rg_op_concat)
            st = write_parts(s, c->member[m]);
        else if (alone || c->escapes[c->member[m]])
            st = each_word_of(s, c->member[m], visit_write);
    return st;
}

/* What is born holds nothing yet, but for leaves that are copied into slabs. */
static rg_status give_birth(struct contents *s)
{
    const rg_code *c = s->c;
    rg_status st = RG_OK;
    for (; s->next < s->n_sorted && !st; s->next++) {
        const uint32_t i = s->sorted[s->next];
        const rg_buffer *b = &c->buffer[i];
        if (b->constant)
            continue;
        if (b->birth > s->interval)
            break;
        memset(s->owner + b->offset / WORD, 0, b->bytes / WORD * sizeof *s->owner);
        for (size_t k = 0; k < c->n_fill && !st; k++) {
            const rg_fill *fill = &c->fill[k];
            const rg_shape *shape = c->p->node[fill->value].shape;
            rg_layout l = { .offset = fill->offset };
            rg_shape_strides(l.stride, shape, shape);
            if (fill->buffer == i)
                st = each_word(s, c->source[fill->value], &l, shape, i, visit_write);
        }
    }
    return st;
}

/* Units of one interval run at the same time: all read what earlier ones have left. */
static rg_status replay(struct contents *s)
{
    const rg_code *c = s->c;
    const uint32_t n = c->n_unit - 1;
    rg_status st = RG_OK;
    for (uint32_t i = 0, end; i < n && !st; i = end) {
        s->interval = c->interval[c->order[i]];
        st = give_birth(s);
        for (end = i; end < n; end++) {
            const uint32_t u = c->order[end];
            if (!rg_has_work(c, rg_unit_first(c, u)))
                continue;
            if (c->interval[u] != s->interval)
                break;
            if (!st)
                st = read_all(s, u);
        }
        for (uint32_t k = i; k < end && !st; k++)
            if (rg_has_work(c, rg_unit_first(c, c->order[k])))
                st = write_all(s, c->order[k]);
    }
    return st;
}

static rg_status check_contents(const rg_code *c, rg_err *err)
{
    const size_t words = c->arena_bytes / WORD, n = c->p->n_node, b = c->n_buffer;
    const size_t starts = (size_t)c->n_interval + 3;
    struct contents s = { .c = c, .err = err,
                          .bytes = (3 * words + 2 * n + b + starts) * sizeof(uint32_t) };
    if (!(s.memory = rg_get(&c->alloc, s.bytes)))
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    s.owner = s.memory;
    s.reader = s.owner + words;
    s.when = s.reader + words;
    s.found = s.when + words;
    s.stack = s.found + n;
    s.sorted = s.stack + n;
    s.n_sorted = sort_by_birth(c, s.sorted, s.sorted + b);
    rg_status st = replay(&s);
    rg_release(&c->alloc, s.memory, s.bytes);
    return st;
}

static rg_status check_shown(const rg_code *c, rg_err *err)
{
    for (uint32_t id = 1; id < c->p->n_node; id++)
        if (c->readable[id] && c->view[id].stride)
            return rg_fail(err, RG_EINTERNAL, "placement: value %u is shown, but does not lie "
                           "dense", (unsigned)id);
    return RG_OK;
}

/* Costs as much as a slow run. */
rg_status rg_code_verify(const rg_code *c, rg_err *err)
{
    rg_status st = check_shown(c, err);
    if (!st)
        st = check_lives(c, err);
    return st ? st : check_contents(c, err);
}
