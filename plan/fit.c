/* plan/fit.c -- best fit by size classes, eight to a power of two; free neighbours become one. A
 * take or a give costs a bounded number of steps, so placing is linear in the number of buffers. */
#include "plan/fit.h"

#include "base/checked.h"

enum { TRIES = 16 };  /* pieces looked at in a list */

/* Eight classes for each power of two of 64-byte lines. */
static uint32_t class_of(size_t bytes)
{
    const uint64_t lines = bytes / RG_ALIGN;
    if (lines < 8)
        return (uint32_t)lines;
    const uint32_t log = 63 - (uint32_t)__builtin_clzll(lines);
    return (log - 2) * 8 + (uint32_t)(lines >> (log - 3) & 7);
}

static void list_in(rg_fit *f, uint32_t i)
{
    const uint32_t k = class_of(f->piece[i].bytes);
    f->piece[i].free = true;
    f->piece[i].prev = 0;
    f->piece[i].next = f->head[k];
    if (f->head[k])
        f->piece[f->head[k]].prev = i;
    f->head[k] = i;
}

static void list_out(rg_fit *f, uint32_t i)
{
    rg_piece *p = &f->piece[i];
    if (p->prev)
        f->piece[p->prev].next = p->next;
    else
        f->head[class_of(p->bytes)] = p->next;
    if (p->next)
        f->piece[p->next].prev = p->prev;
    p->free = false;
}

static uint32_t new_piece(rg_fit *f, rg_piece p)
{
    uint32_t i = f->spare;
    if (i) {
        f->spare = f->piece[i].next;
    } else {
        if (!rg_reserve(&f->alloc, &f->piece, &f->piece_cap, f->n_piece + 1, sizeof *f->piece))
            return 0;
        i = (uint32_t)f->n_piece++;
    }
    f->piece[i] = p;
    if (p.before)
        f->piece[p.before].after = i;
    if (p.after)
        f->piece[p.after].before = i;
    else
        f->last = i;
    return i;
}

void rg_fit_init(rg_fit *f, const rg_alloc *alloc)
{
    *f = (rg_fit){ .alloc = *alloc, .n_piece = 1 };
}

void rg_fit_free(rg_fit *f)
{
    rg_release(&f->alloc, f->piece, f->piece_cap * sizeof *f->piece);
    f->piece = NULL;
}

/* The tightest of the first few free pieces of the first class that has one; 0 = none. */
static uint32_t find(const rg_fit *f, size_t bytes)
{
    for (uint32_t k = class_of(bytes); k < RG_FIT_CLASSES; k++) {
        uint32_t best = 0;
        int tries = 0;
        for (uint32_t i = f->head[k]; i && tries < TRIES; i = f->piece[i].next, tries++)
            if (f->piece[i].bytes >= bytes && (!best || f->piece[i].bytes < f->piece[best].bytes))
                best = i;
        if (best)
            return best;
    }
    return 0;
}

/* At the end of the arena, using up a free piece there. */
static uint32_t extend(rg_fit *f, size_t bytes)
{
    const uint32_t end = f->last;
    if (end && f->piece[end].free) {
        list_out(f, end);
        f->bytes += bytes - f->piece[end].bytes;
        f->piece[end].bytes = bytes;
        return end;
    }
    const rg_piece piece = { .offset = f->bytes, .bytes = bytes, .before = end };
    const uint32_t i = new_piece(f, piece);
    if (i)
        f->bytes += bytes;
    return i;
}

uint32_t rg_fit_take(rg_fit *f, size_t bytes)
{
    bytes = bytes ? (bytes + RG_ALIGN - 1) / RG_ALIGN * RG_ALIGN : RG_ALIGN;
    const uint32_t i = find(f, bytes);
    if (!i)
        return extend(f, bytes);
    list_out(f, i);
    if (f->piece[i].bytes == bytes)
        return i;
    const rg_piece p = f->piece[i];
    const uint32_t rest = new_piece(f, (rg_piece){ .offset = p.offset + bytes,
                                                   .bytes = p.bytes - bytes, .before = i,
                                                   .after = p.after });
    if (!rest)
        return 0;
    f->piece[i].bytes = bytes;
    list_in(f, rest);
    return i;
}

/* Piece i swallows the one after it. */
static void merge(rg_fit *f, uint32_t i)
{
    const uint32_t j = f->piece[i].after;
    f->piece[i].bytes += f->piece[j].bytes;
    f->piece[i].after = f->piece[j].after;
    if (f->piece[j].after)
        f->piece[f->piece[j].after].before = i;
    else
        f->last = i;
    f->piece[j].next = f->spare;
    f->spare = j;
}

void rg_fit_give(rg_fit *f, uint32_t i)
{
    const uint32_t after = f->piece[i].after, before = f->piece[i].before;
    if (after && f->piece[after].free) {
        list_out(f, after);
        merge(f, i);
    }
    if (before && f->piece[before].free) {
        list_out(f, before);
        merge(f, before);
        i = before;
    }
    list_in(f, i);
}
