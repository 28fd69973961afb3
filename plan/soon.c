/* plan/soon.c -- what products fetch for the steps after them.
 *
 * A tile program computes little for what it reads; where that has left the caches since it was
 * written, as gates have until the backward part comes, the program waits for memory. A product
 * computes much, and has time to fetch: the next steps' operands, if no step touched them lately.
 *
 * It is advice about time alone: no result depends on it. */
#include "plan/code.h"

#include "base/checked.h"

#include <string.h>

enum {
    RECENT = 32,          /* places that are remembered */
    CACHE = 512 * 1024,   /* bytes: what was touched within so many is near */
    STEPS = 3,            /* how far ahead a product looks */
    MOST = 16             /* places that it fetches */
};

/* Bytes of a buffer that a step touched, and how many all steps had touched by then. */
struct place {
    uint32_t base;
    size_t   begin, end;
    double   when;
};

struct soon {
    rg_code     *c;
    struct place recent[RECENT];
    uint32_t     n;       /* ever */
    double       now;
    rg_next      next[MOST];
    uint32_t     n_next;
    int64_t      rows;
};

static struct place place_of(const struct soon *s, const rg_task *task, uint32_t k)
{
    const rg_ref at = task->arg[k];
    const rg_line l = task->run_rows ? task->line[k] : (rg_line){ 0 };
    const uint32_t base = rg_buffer_under(s->c, at.base);
    if (l.pitch <= 0)
        return (struct place){ base, 0, s->c->buffer[base].bytes, s->now };
    const size_t bytes = (size_t)(l.pitch * (task->rows - 1) + l.width);
    return (struct place){ base, at.offset, at.offset + bytes, s->now };
}

static void touch(struct soon *s, const rg_task *task)
{
    s->now += task->bytes;
    for (uint32_t k = 0; k < task->n_in + task->n_out; k++)
        s->recent[s->n++ % RECENT] = place_of(s, task, k);
}

static bool is_near(const struct soon *s, struct place p)
{
    for (uint32_t i = 0; i < RECENT && i < s->n; i++) {
        const struct place *r = &s->recent[i];
        if (r->base == p.base && r->begin < p.end && p.begin < r->end && s->now - r->when < CACHE)
            return true;
    }
    return false;
}

/* Columns beside each other are fetched as one. */
static void add(struct soon *s, rg_next n)
{
    for (uint32_t i = 0; i < s->n_next; i++) {
        rg_next *old = &s->next[i];
        const bool same = old->ref.base == n.ref.base && old->line.pitch == n.line.pitch;
        if (same && old->ref.offset <= n.ref.offset &&
            n.ref.offset + (size_t)n.line.width <= old->ref.offset + (size_t)old->line.width)
            return;
        const bool after = old->ref.offset + (size_t)old->line.width == n.ref.offset;
        const bool before = n.ref.offset + (size_t)n.line.width == old->ref.offset;
        if (!same || !(after || before) || old->line.width + n.line.width > n.line.pitch)
            continue;
        n.ref = after ? old->ref : n.ref;
        n.line.width += old->line.width;
        *old = s->next[--s->n_next];
        add(s, n);
        return;
    }
    if (s->n_next < MOST)
        s->next[s->n_next++] = n;
}

static void look_at(struct soon *s, const rg_task *task)
{
    for (uint32_t k = 0; k < task->n_in + task->n_out && task->run_rows; k++)
        if (task->line[k].pitch > 0 && (!s->n_next || task->rows == s->rows) &&
            !is_near(s, place_of(s, task, k))) {
            s->rows = task->rows;
            add(s, (rg_next){ task->arg[k], task->line[k] });
        }
}

static bool keep(struct soon *s, rg_task *task)
{
    const size_t bytes = s->n_next * sizeof *s->next;
    rg_next *next = rg_arena_get(s->c->arena, bytes);
    if (!next)
        return false;
    memcpy(next, s->next, bytes);
    task->next = next;
    task->n_next = s->n_next;
    task->next_rows = s->rows;
    return true;
}

/* Bytes of all buffers: if a cache holds them, nothing leaves it. */
static double all_bytes(const rg_code *c)
{
    double sum = 0;
    for (size_t i = 1; i < c->n_buffer; i++)
        sum += (double)c->buffer[i].bytes;
    return sum;
}

rg_status rg_code_soon(rg_code *c)
{
    struct soon s = { .c = c };
    if (all_bytes(c) <= CACHE)
        return RG_OK;
    for (size_t i = 0; i < c->n_step; i++) {
        touch(&s, &c->step[i]);
        s.n_next = 0;
        for (size_t k = i + 1; k < c->n_step && k <= i + STEPS && !c->step[k].fetches; k++)
            if (c->step[i].fetches)
                look_at(&s, &c->step[k]);
        if (s.n_next && !keep(&s, &c->step[i]))
            return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %zu steps", c->n_step);
    }
    return RG_OK;
}
