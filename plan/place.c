/* plan/place.c -- when buffers live, and where in the arena.
 *
 * Lives are counted in intervals, not steps, since the steps of an interval run at the same time: a
 * buffer may take over memory that died in an earlier interval. Walking through the intervals, what
 * died is given back and what is born takes the tightest fit, the largest first. Where that leaves
 * many gaps, as a few large buffers do, those are laid out beforehand, knowing all their lives.
 *
 * The intervals of a region may run at the same time too, but row by row in order. What dies in
 * one goes, until its end, only to what lies exactly there and has the same lines (regions.c): a
 * row's line is then written when the same row has read it last. */
#include "plan/code.h"

#include "base/checked.h"
#include "plan/fit.h"
#include "plan/passes/products.h"

#include <string.h>

/* ---- Lives ---------------------------------------------------------------------------------- */

static void read_at(rg_code *c, uint32_t base, uint32_t unit)
{
    rg_buffer *b = &c->buffer[base];
    const uint32_t t = c->interval[unit];
    if (b->readers == 0 || t > b->death || b->death == RG_FOREVER) {
        b->reader = unit;
        b->readers = 1;
    } else if (t == b->death && b->reader != unit) {
        b->readers++;
    }
    if (b->death != RG_FOREVER && t > b->death)
        b->death = t;
}

static void write_at(rg_code *c, uint32_t base, uint32_t t)
{
    rg_buffer *b = &c->buffer[base];
    if (t < b->birth)
        b->birth = t;
    if (b->death != RG_FOREVER && t > b->death) {
        b->death = t;
        b->readers = 0;
    }
}

/* What is read outside its own tile program, and so must lie in memory. */
static void mark_escapes(rg_code *c)
{
    const rg_prog *p = c->p;
    for (uint32_t id = 1; id < p->n_node; id++) {
        c->escapes[id] |= c->readable[id];
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            if (c->form[id] == RG_VIEW || c->unit[p->node[id].in[k]] != c->unit[id])
                c->escapes[p->node[id].in[k]] = 1;
    }
}

static void lives_of_unit(rg_code *c, uint32_t unit)
{
    const rg_prog *p = c->p;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1]; m++) {
        const uint32_t id = c->member[m];
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            if (c->unit[c->source[p->node[id].in[k]]] != unit)
                read_at(c, c->view[p->node[id].in[k]].base, unit);
        if (c->escapes[id] || c->first[unit + 1] - c->first[unit] == 1)
            write_at(c, c->view[id].base, c->interval[unit]);
    }
}

rg_status rg_code_lives(rg_code *c)
{
    const rg_prog *p = c->p;
    mark_escapes(c);
    for (uint32_t id = 1; id < p->n_node; id++)
        c->buffer[id].birth = RG_FOREVER;
    for (uint32_t i = 0; i + 1 < c->n_unit; i++)
        lives_of_unit(c, c->order[i]);
    for (uint32_t id = 1; id < p->n_node; id++)
        if (c->readable[id])
            c->buffer[c->view[id].base].death = RG_FOREVER;
    for (uint32_t id = 1; id < p->n_node; id++) {
        rg_buffer *b = &c->buffer[id];
        if (c->form[id] == RG_COMPUTED && c->view[id].base == id && b->birth != RG_FOREVER &&
            !c->window[id])
            b->bytes = (size_t)rg_shape_count(*p->node[id].shape) *
                       rg_kind_size((rg_kind)p->node[id].kind, p->real);
    }
    return RG_OK;
}

uint32_t rg_buffer_new(rg_code *c, size_t bytes, uint32_t birth, uint32_t death)
{
    if (c->n_buffer >= UINT32_MAX ||
        !rg_reserve(&c->alloc, &c->buffer, &c->buffer_cap, c->n_buffer + 1, sizeof *c->buffer))
        return 0;
    c->buffer[c->n_buffer] = (rg_buffer){ .bytes = bytes, .birth = birth, .death = death };
    return (uint32_t)c->n_buffer++;
}

/* ---- Offsets -------------------------------------------------------------------------------- */

enum {
    MOST_SIZES = 16,   /* sizes whose buffers serve again within a region */
    MOST_LARGE = 1024, /* buffers that are laid out beforehand */
    A_LARGE_ONE = 128  /* is at least this part of all that lives at once */
};
#define TOO_MANY_GAPS 1.03 /* of the arena, over what lives at once */

/* Buffers by the interval in which they are born, and in which they are given back. */
struct place {
    rg_code  *c;
    rg_fit    fit;
    uint32_t *born, *dead;            /* by interval: first buffer; 0 = none */
    uint32_t *next_born, *next_dead;  /* by buffer */
    uint32_t *piece;                  /* by buffer */
    uint32_t *sorted;                 /* those of one interval, the larger first */
    uint64_t *key;
    uint32_t  n;
    size_t    large;                  /* bytes from which on a buffer is laid out beforehand */
    uint32_t  idle[1 + MOST_SIZES];   /* died in this region, by next_dead: [0] for nobody yet */
    size_t    size[1 + MOST_SIZES];
    int       n_size;
};

/* The buffer in whose memory this one lies, over others in between. */
static uint32_t bottom_of(const rg_code *c, uint32_t i)
{
    while (c->buffer[i].same_as)
        i = c->buffer[i].same_as;
    return i;
}

void rg_code_settle(rg_code *c)
{
    for (uint32_t i = 1; i < c->n_buffer; i++) {
        rg_buffer *b = &c->buffer[i];
        if (!b->bytes || !b->same_as)
            continue;
        b->same_as = bottom_of(c, i); /* chains stay short: each is followed once */
        rg_buffer *under = &c->buffer[b->same_as];
        under->death = b->death > under->death ? b->death : under->death;
    }
}

static void list_buffers(struct place *p)
{
    rg_code *c = p->c;
    for (uint32_t i = p->n; i-- > 1;) {
        const rg_buffer *b = &c->buffer[i];
        if (!b->bytes || b->constant || b->same_as || b->bytes >= p->large)
            continue;
        p->next_born[i] = p->born[b->birth];
        p->born[b->birth] = i;
        if (b->death >= c->n_interval)
            continue;
        p->next_dead[i] = p->dead[b->death];
        p->dead[b->death] = i;
    }
}

/* The list of idle buffers of a size, if there is room for one. */
static int idle_of(struct place *p, size_t bytes, bool add)
{
    for (int k = 1; k <= p->n_size; k++)
        if (p->size[k] == bytes)
            return k;
    if (!add || p->n_size == MOST_SIZES)
        return 0;
    p->size[++p->n_size] = bytes;
    p->idle[p->n_size] = 0;
    return p->n_size;
}

static bool take(struct place *p, uint32_t i)
{
    rg_buffer *b = &p->c->buffer[i];
    const int k = b->born_by_rows ? idle_of(p, b->bytes, false) : 0;
    if (k && p->idle[k]) {
        p->piece[i] = p->piece[p->idle[k]];
        p->idle[k] = p->next_dead[p->idle[k]];
    } else {
        p->piece[i] = rg_fit_take(&p->fit, b->bytes);
    }
    if (p->piece[i])
        b->offset = p->fit.piece[p->piece[i]].offset;
    return p->piece[i] != 0;
}

static void give(struct place *p, uint32_t first)
{
    for (uint32_t i = first; i; i = p->next_dead[i])
        rg_fit_give(&p->fit, p->piece[i]);
}

/* What died before interval t: at once, or when its region ends. */
static void give_back(struct place *p, uint32_t t)
{
    const uint32_t *region = p->c->region_of;
    const uint32_t first = t ? p->dead[t - 1] : 0;
    if (t && region[t - 1] && region[t] == region[t - 1]) {
        for (uint32_t i = first, next; i; i = next) {
            const rg_buffer *b = &p->c->buffer[i];
            const int k = b->dies_by_rows ? idle_of(p, b->bytes, true) : 0;
            next = p->next_dead[i];
            p->next_dead[i] = p->idle[k];
            p->idle[k] = i;
        }
        return;
    }
    give(p, first);
    for (int k = 0; k <= p->n_size; k++)
        give(p, p->idle[k]);
    p->idle[0] = 0;
    p->n_size = 0;
}

/* ---- Large ones ----------------------------------------------------------------------------- */

static bool is_large(const rg_buffer *b, size_t large)
{
    return b->bytes >= large && !b->constant && !b->same_as;
}

/* The last interval before which nobody may have a buffer's memory: what dies in a region is given
 * back at its end. */
static uint32_t last_of(const rg_code *c, const rg_buffer *b)
{
    const uint32_t region = b->death < c->n_interval ? c->region_of[b->death] : 0;
    uint32_t t = b->death;
    while (region && t + 1 < c->n_interval && c->region_of[t + 1] == region)
        t++;
    return t;
}

static bool meet(const rg_code *c, const rg_buffer *a, const rg_buffer *b)
{
    return a->birth <= last_of(c, b) && b->birth <= last_of(c, a);
}

/* Lays a buffer as low as those n whose lives it may meet let it; these are listed by offset, and
 * then so is it. */
static void lay(rg_code *c, uint64_t *laid, size_t n, uint32_t id)
{
    rg_buffer *b = &c->buffer[id];
    b->offset = 0;
    for (size_t k = 0; k < n; k++) {
        const rg_buffer *o = &c->buffer[laid[k]];
        const size_t end = (o->offset + o->bytes + RG_ALIGN - 1) / RG_ALIGN * RG_ALIGN;
        if (end > b->offset && meet(c, o, b)) {
            if (o->offset >= b->offset + b->bytes)
                break;
            b->offset = end;
        }
    }
    for (; n > 0 && c->buffer[laid[n - 1]].offset > b->offset; n--)
        laid[n] = laid[n - 1];
    laid[n] = id;
}

/* The large ones, the largest first, in the arena's first piece. */
static bool place_large(struct place *p)
{
    rg_code *c = p->c;
    size_t n = 0, bytes = 0;
    for (uint32_t i = 1; i < p->n; i++)
        if (is_large(&c->buffer[i], p->large)) {
            p->key[n] = UINT64_MAX - c->buffer[i].bytes;
            p->sorted[n++] = i;
        }
    rg_sort_by(p->sorted, p->key, n);
    for (size_t k = 0; k < n; k++) {
        const rg_buffer *b = &c->buffer[p->sorted[k]];
        lay(c, p->key, k, p->sorted[k]);
        bytes = b->offset + b->bytes > bytes ? b->offset + b->bytes : bytes;
    }
    return n == 0 || rg_fit_take(&p->fit, bytes) != 0;
}

/* ---- All of them ---------------------------------------------------------------------------- */

static bool place_all(struct place *p)
{
    rg_code *c = p->c;
    if (!place_large(p))
        return false;
    for (uint32_t i = 1; i < p->n; i++)
        if (c->buffer[i].bytes && c->buffer[i].constant && !take(p, i))
            return false;
    for (uint32_t t = 0; t < c->n_interval; t++) {
        size_t n = 0;
        give_back(p, t);
        for (uint32_t i = p->born[t]; i; i = p->next_born[i]) {
            p->key[n] = UINT64_MAX - c->buffer[i].bytes;
            p->sorted[n++] = i;
        }
        rg_sort_by(p->sorted, p->key, n);
        for (size_t k = 0; k < n; k++)
            if (!take(p, p->sorted[k]))
                return false;
    }
    for (uint32_t i = 1; i < p->n; i++)
        if (c->buffer[i].bytes && c->buffer[i].same_as)
            c->buffer[i].offset = c->buffer[c->buffer[i].same_as].offset;
    c->arena_bytes = p->fit.bytes;
    return true;
}

static bool are_few(const rg_code *c, size_t large)
{
    size_t n = 0;
    for (uint32_t i = 1; i < c->n_buffer; i++)
        n += is_large(&c->buffer[i], large);
    return n <= MOST_LARGE;
}

/* Bytes that live at once, at most. */
static size_t most_alive(const rg_code *c, uint64_t *alive)
{
    uint64_t now = 0, most = 0;
    memset(alive, 0, ((size_t)c->n_interval + 1) * sizeof *alive);
    for (uint32_t i = 1; i < c->n_buffer; i++) {
        const rg_buffer *b = &c->buffer[i];
        if (!b->bytes || b->same_as)
            continue;
        alive[b->constant ? 0 : b->birth] += b->bytes;
        if (b->death < c->n_interval)
            alive[b->death + 1] -= b->bytes; /* the sum is right, as sizes wrap */
    }
    for (uint32_t t = 0; t < c->n_interval; t++) {
        now += alive[t];
        most = now > most ? now : most;
    }
    return most;
}

/* Once through all intervals, with arrays in @p memory. */
static bool place(rg_code *c, size_t large, uint32_t *memory, uint64_t *key)
{
    const size_t n = c->n_buffer, t = c->n_interval;
    struct place p = { .c = c, .n = (uint32_t)n, .large = large, .key = key,
                       .next_born = memory, .next_dead = memory + n, .piece = memory + 2 * n,
                       .sorted = memory + 3 * n, .born = memory + 4 * n,
                       .dead = memory + 4 * n + t };
    memset(memory, 0, (4 * n + 2 * t) * sizeof *memory);
    rg_fit_init(&p.fit, &c->alloc);
    list_buffers(&p);
    const bool ok = place_all(&p);
    rg_fit_free(&p.fit);
    return ok;
}

/* As they come; with many gaps, or where bytes are worth computing for, the large ones beforehand,
 * if that is any better. */
static bool place_well(rg_code *c, uint32_t *memory, uint64_t *key)
{
    const size_t alive = most_alive(c, key);
    if (!place(c, SIZE_MAX, memory, key))
        return false;
    const double allowed = c->p->recompute.rows ? 1 : TOO_MANY_GAPS;
    const size_t bytes = c->arena_bytes, large = alive / A_LARGE_ONE;
    if ((double)bytes <= allowed * (double)alive || !are_few(c, large))
        return true;
    return place(c, large, memory, key) &&
           (c->arena_bytes <= bytes || place(c, SIZE_MAX, memory, key));
}

rg_status rg_code_place(rg_code *c)
{
    const size_t n = c->n_buffer, t = c->n_interval, words = 4 * n + 2 * t;
    const size_t keys = (n > t ? n : t) + 1;
    uint32_t *memory = rg_get(&c->alloc, words * sizeof *memory);
    uint64_t *key = rg_get(&c->alloc, keys * sizeof *key);
    const bool ok = memory && key && place_well(c, memory, key);
    rg_release(&c->alloc, memory, words * sizeof *memory);
    rg_release(&c->alloc, key, keys * sizeof *key);
    return ok ? RG_OK : rg_fail(c->err, RG_ENOMEM, "plan: no memory to place %zu buffers", n);
}
