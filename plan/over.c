/* plan/over.c -- results of tile programs that take the place of what dies there.
 *
 * A tile program has read an element before it writes the one at the same place. So its results
 * may lie over operands that nobody reads later, also over windows of storage whose other windows
 * live on. A result goes to the operand from which it is computed by the shortest way; a slab goes
 * as a whole, if each of its parts finds such an operand and all are the same distance away.
 *
 * Nothing is known of the order of running here: a value dies where all its readers are one
 * unit. */
#include "plan/deaths.h"

#include "base/checked.h"
#include "ops/ops.h"

enum { MANY = UINT32_MAX };

struct over {
    rg_code       *c;
    rg_deaths      deaths;
    const uint8_t *dense;    /* by value: some consumer needs it dense */
    uint32_t      *first, *member;  /* by tile program, as in rg_code */
    uint32_t      *order, *rank;    /* programs by their last members */
    uint32_t       n_order;
    uint32_t      *near;     /* by member: the dying operand by the shortest way, and how far */
    uint32_t      *far;
    uint32_t      *taker;    /* by value: the result that lies over it */
    int64_t       *dying;    /* by storage: elements that die here, less twice those claimed */
    uint32_t      *piece;    /* by storage: the first value computed there; and by value the next */
    uint32_t      *next;
    uint32_t      *slab;     /* by program: the first storage that no earlier one writes to, and */
    uint32_t      *after;    /* by storage the next */
    uint32_t      *beneath;  /* by value that is a part of a slab: what it would lie over */
    uint32_t      *home;     /* by storage: what it has become a part of */
    int64_t       *shift;
    uint8_t       *fixed;    /* by storage: may not move */
    uint8_t       *under;    /* by value: a product lies on top of it */
    uint32_t       n_node;
};

static bool in_program(const rg_code *c, uint32_t id, uint32_t program)
{
    return c->p->cluster[id] == program;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* What a value lies over, in the end. */
static uint32_t lowest(const struct over *s, uint32_t id)
{
    while (s->c->over[id])
        id = s->c->over[id];
    return id;
}

/* The storage in which a value lies now, and its first element there. */
static int64_t start_of(const struct over *s, uint32_t id, uint32_t *base)
{
    const rg_view *v = &s->c->view[lowest(s, id)];
    int64_t offset = v->offset;
    for (*base = v->base; s->home[*base]; *base = s->home[*base])
        offset += s->shift[*base];
    return offset;
}

/* Where a value lies, after what has moved so far. (What takes another's place has no views.) */
static rg_layout place_of(const struct over *s, uint32_t id, uint32_t *base)
{
    rg_layout at = rg_layout_of(s->c, lowest(s, id));
    at.offset = start_of(s, id, base);
    return at;
}

/* Elements from the first to the last, counting only axes of smaller strides than @p below. */
static int64_t extent(const rg_layout *l, const rg_shape *shape, int64_t below)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        if (l->stride[i] < below)
            n += (shape->dim[i] - 1) * l->stride[i];
    return n;
}

/* Can two values in one storage not meet? One before the other, or columns beside each other. */
static bool apart(const rg_layout *a, const rg_shape *sa, const rg_layout *b, const rg_shape *sb)
{
    for (int i = 0; i < sa->rank; i++)
        if (a->stride[i] < 0)
            return false;
    for (int i = 0; i < sb->rank; i++)
        if (b->stride[i] < 0)
            return false;
    const int64_t d = b->offset - a->offset;
    if (d >= extent(a, sa, INT64_MAX) || -d >= extent(b, sb, INT64_MAX))
        return true;
    for (int i = 0; i < sa->rank; i++) {
        const int64_t step = a->stride[i];
        bool rows = step > 0;
        for (int k = 0; k < sa->rank && rows; k++)
            rows = a->stride[k] < step || a->stride[k] % step == 0;
        for (int k = 0; k < sb->rank && rows; k++)
            rows = b->stride[k] < step || b->stride[k] % step == 0;
        const int64_t m = rows ? (d % step + step) % step : 0;
        if (rows && m >= extent(a, sa, step) && m + extent(b, sb, step) <= step)
            return true;
    }
    return false;
}

/* Does the program read what shares elements with operand @p id, and is not it? */
static bool read_beside(const struct over *s, uint32_t id, uint32_t program)
{
    const rg_code *c = s->c;
    uint32_t base, other;
    const rg_layout at = place_of(s, id, &base);
    for (uint32_t m = s->first[program]; m < s->first[program + 1]; m++) {
        const rg_node *node = &c->p->node[s->member[m]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            if (node->in[k] == id || in_program(c, node->in[k], program))
                continue;
            (void)start_of(s, node->in[k], &other);
            if (other != base)
                continue;
            const rg_layout l = place_of(s, node->in[k], &other);
            if (!apart(&at, c->p->node[id].shape, &l, c->p->node[node->in[k]].shape))
                return true;
        }
    }
    return false;
}

/* Has each element a place of its own? */
static bool spread(const rg_layout *l, const rg_shape *shape)
{
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] != 1 && l->stride[i] == 0)
            return false;
    return true;
}

/* May a result of the program's space lie over this operand? */
static bool may_go(struct over *s, uint32_t id, uint32_t program, uint32_t result)
{
    const rg_node *a = &s->c->p->node[id], *b = &s->c->p->node[result];
    uint32_t base;
    if (in_program(s->c, id, program) || a->kind != b->kind ||
        !rg_shape_equal(*a->shape, *b->shape) || !rg_dies_in(&s->deaths, id, program))
        return false;
    const rg_layout l = place_of(s, id, &base);
    return spread(&l, a->shape);
}

/* ---- Single results -------------------------------------------------------------------------- */

/* The dying operand from which a member is computed by the shortest way. */
static void find_near(struct over *s, uint32_t id, uint32_t program)
{
    const rg_node *node = &s->c->p->node[id];
    s->near[id] = 0;
    s->far[id] = MANY;
    for (uint32_t k = 0; k < node->n_in; k++) {
        const uint32_t in = node->in[k];
        const bool inner = in_program(s->c, in, program) &&
                           rg_shape_equal(*s->c->p->node[in].shape, *node->shape);
        const uint32_t from = inner ? s->near[in] : may_go(s, in, program, id) ? in : 0;
        const uint32_t way = inner ? s->far[in] : 0;
        if (from && way < s->far[id]) {
            s->near[id] = from;
            s->far[id] = way;
        }
    }
    s->far[id] += s->near[id] != 0;
}

/* Products and row kernels read rows apart, but not elements apart. */
static bool in_rows(const struct over *s, uint32_t id)
{
    const rg_shape *shape = s->c->p->node[id].shape;
    uint32_t base;
    const rg_layout l = place_of(s, id, &base);
    return shape->rank != 2 || (l.stride[1] == 1 && l.stride[0] >= shape->dim[1]);
}

/* The nearer of two results gets the operand. Not one with a product on top, which would go along:
 * a root that shows the product, or what else reads it dense, counts on where it lies now. */
static void claim(struct over *s, uint32_t id)
{
    const rg_code *c = s->c;
    const uint32_t under = s->near[id];
    if (!under || s->taker[under] == MANY || !s->deaths.reader[id] || c->readable[id] ||
        s->dense[id] || rg_has_views(c, &s->deaths.uses, id) || s->under[id] ||
        c->view[id].base != id || !in_rows(s, under) ||
        c->p->node[id].kind != c->p->node[under].kind)
        return;
    const uint32_t other = s->taker[under];
    if (!other || s->far[id] < s->far[other])
        s->taker[under] = id;
}

/* Storage lives as long as the last of what lies in it: of the elements that die here, at least
 * half must be used again. */
static void weigh(struct over *s, uint32_t id, uint32_t program, int sign)
{
    const rg_node *node = &s->c->p->node[id];
    for (uint32_t k = 0; k < node->n_in; k++) {
        uint32_t base;
        const uint32_t in = node->in[k];
        const int64_t n = rg_shape_count(*s->c->p->node[in].shape);
        if (in_program(s->c, in, program) || !rg_dies_in(&s->deaths, in, program))
            continue;
        (void)start_of(s, in, &base);
        s->dying[base] = sign ? s->dying[base] + n - (s->taker[in] ? 2 * n : 0) : 0;
    }
}

static void settle_claims(struct over *s, uint32_t program)
{
    rg_code *c = s->c;
    const uint32_t *member = s->member + s->first[program];
    const uint32_t n = s->first[program + 1] - s->first[program];
    for (uint32_t m = 0; m < n; m++)
        weigh(s, member[m], program, 1);
    for (uint32_t m = 0; m < n; m++) {
        const uint32_t under = s->near[member[m]];
        uint32_t base;
        if (!under || s->taker[under] != member[m])
            continue;
        (void)start_of(s, under, &base);
        if (s->dying[base] > 0 || read_beside(s, under, program))
            s->taker[under] = 0;
        else
            c->over[member[m]] = under;
    }
    for (uint32_t m = 0; m < n; m++)
        weigh(s, member[m], program, 0);
}

/* ---- Slabs ----------------------------------------------------------------------------------- */

/* Lists of what is computed in each storage that is more than one value. */
static void list_pieces(struct over *s)
{
    const rg_code *c = s->c;
    for (size_t i = 0; i < c->n_fill; i++)
        s->fixed[c->fill[i].buffer] = 1;
    for (uint32_t id = s->n_node; id-- > 1;) {
        const uint32_t base = c->view[id].base, program = c->p->cluster[id];
        if (c->readable[id] || c->form[id] == RG_LEAF || c->over[id])
            s->fixed[base] = 1;
        if (c->form[id] != RG_COMPUTED || rg_shape_count(*c->p->node[id].shape) == 0 ||
            !rg_has_work(c, id))
            continue;
        if (base == id || !program)
            s->fixed[base] = 1;
        s->next[id] = s->piece[base];
        s->piece[base] = id;
    }
}

/* A slab moves when the programs before the first that writes into it have been seen to, so that
 * what it lies over is in its place already. */
static void list_slabs(struct over *s)
{
    const uint32_t *cluster = s->c->p->cluster;
    for (uint32_t base = 1; base < s->c->n_buffer; base++) {
        if (!s->piece[base] || s->fixed[base])
            continue;
        uint32_t first = cluster[s->piece[base]];
        for (uint32_t part = s->piece[base]; part; part = s->next[part])
            first = s->rank[cluster[part]] < s->rank[first] ? cluster[part] : first;
        s->after[base] = s->slab[first];
        s->slab[first] = base;
    }
}

/* The operand over which this part of a slab lies, if the slab moves so; 0 = none. */
static uint32_t under_part(struct over *s, uint32_t part, uint32_t base, int64_t shift)
{
    const rg_code *c = s->c;
    const uint32_t program = c->p->cluster[part];
    uint32_t own, there;
    const rg_layout at = place_of(s, part, &own);
    for (uint32_t m = s->first[program]; m < s->first[program + 1]; m++) {
        const rg_node *node = &c->p->node[s->member[m]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            const uint32_t in = node->in[k];
            if (start_of(s, in, &there) != at.offset + shift || there != base || s->taker[in] ||
                !may_go(s, in, program, part))
                continue;
            const rg_layout l = place_of(s, in, &there);
            if (rg_strides_equal(at.stride, l.stride, c->p->node[part].shape) &&
                !read_beside(s, in, program))
                return in;
        }
    }
    return 0;
}

static bool all_parts_fit(struct over *s, uint32_t slab, uint32_t base, int64_t shift)
{
    for (uint32_t part = s->piece[slab]; part; part = s->next[part])
        if (!(s->beneath[part] = under_part(s, part, base, shift)))
            return false;
    for (uint32_t part = s->piece[slab]; part; part = s->next[part])
        s->taker[s->beneath[part]] = MANY; /* no result alone */
    s->home[slab] = base;
    s->shift[slab] = shift;
    s->c->buffer[slab].bytes = 0;
    return true;
}

/* Each dying operand of the program that writes the first part is tried. */
static void move_slab(struct over *s, uint32_t slab)
{
    const rg_code *c = s->c;
    const uint32_t part = s->piece[slab], program = c->p->cluster[part];
    uint32_t own, base;
    const int64_t at = start_of(s, part, &own);
    for (uint32_t m = s->first[program]; m < s->first[program + 1]; m++) {
        const rg_node *node = &c->p->node[s->member[m]];
        for (uint32_t k = 0; k < node->n_in; k++) {
            const int64_t start = start_of(s, node->in[k], &base);
            if (base != own && may_go(s, node->in[k], program, part) &&
                all_parts_fit(s, slab, base, start - at))
                return;
        }
    }
}

/* Values follow the storage in which they were. */
static void follow(const struct over *s)
{
    rg_code *c = s->c;
    for (uint32_t id = 1; id < s->n_node; id++) {
        uint32_t base;
        const int64_t offset = start_of(s, id, &base);
        if (c->form[id] != RG_COMPUTED || base == c->view[id].base)
            continue;
        c->view[id].base = base;
        c->view[id].offset = offset;
    }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void list_programs(struct over *s)
{
    const rg_prog *p = s->c->p;
    rg_list_members(s->first, s->member, p->cluster, p->n_cluster, s->n_node);
    for (uint32_t id = 1; id < s->n_node; id++) {
        const uint32_t k = p->cluster[id];
        if (!k || s->member[s->first[k + 1] - 1] != id)
            continue;
        s->rank[k] = s->n_order;
        s->order[s->n_order++] = k;
    }
}

static bool take_memory(struct over *s, rg_arena *arena)
{
    const size_t n = s->n_node, buffers = s->c->n_buffer, programs = s->c->p->n_cluster;
    s->dying = rg_arena_get(arena, buffers * sizeof *s->dying);
    s->order = rg_arena_get(arena, programs * sizeof *s->order);
    s->rank = rg_arena_get(arena, programs * sizeof *s->rank);
    s->slab = rg_arena_get(arena, programs * sizeof *s->slab);
    s->after = rg_arena_get(arena, buffers * sizeof *s->after);
    s->first = rg_arena_get(arena, (programs + 2) * sizeof *s->first);
    s->member = rg_arena_get(arena, n * sizeof *s->member);
    s->near = rg_arena_get(arena, n * sizeof *s->near);
    s->far = rg_arena_get(arena, n * sizeof *s->far);
    s->taker = rg_arena_get(arena, n * sizeof *s->taker);
    s->next = rg_arena_get(arena, n * sizeof *s->next);
    s->piece = rg_arena_get(arena, buffers * sizeof *s->piece);
    s->home = rg_arena_get(arena, buffers * sizeof *s->home);
    s->beneath = rg_arena_get(arena, n * sizeof *s->beneath);
    s->shift = rg_arena_get(arena, buffers * sizeof *s->shift);
    s->fixed = rg_arena_get(arena, buffers);
    s->under = rg_arena_get(arena, n);
    return s->first && s->member && s->near && s->beneath && s->far && s->taker &&
           s->dying && s->slab && s->after && s->next && s->piece && s->home && s->shift &&
           s->fixed && s->under && s->order && s->rank;
}

static void take_places(struct over *s)
{
    for (uint32_t id = 1; id < s->n_node; id++)
        s->under[s->c->over[id]] = 1;
    list_programs(s);
    list_pieces(s);
    list_slabs(s);
    for (uint32_t i = 0; i < s->n_order; i++) {
        const uint32_t program = s->order[i];
        for (uint32_t slab = s->slab[program]; slab; slab = s->after[slab])
            move_slab(s, slab);
        for (uint32_t m = s->first[program]; m < s->first[program + 1]; m++) {
            find_near(s, s->member[m], program);
            claim(s, s->member[m]);
        }
        settle_claims(s, program);
    }
    follow(s);
}

rg_status rg_code_over(rg_code *c, const uint8_t *dense)
{
    struct over s = { .c = c, .dense = dense, .n_node = c->p->n_node };
    rg_arena arena;
    if (!c->p->cluster)
        return RG_OK;
    rg_arena_init(&arena, &c->alloc);
    const bool ok = !rg_deaths_make(&s.deaths, c, true) && take_memory(&s, &arena);
    if (ok)
        take_places(&s);
    rg_deaths_free(&s.deaths);
    rg_arena_free(&arena);
    return ok && rg_views_settle(c) ? RG_OK : RG_ENOMEM;
}
