/* plan/races.c -- no two rows of a region meet: a check of what regions.c and place.c decided.
 *
 * It knows addresses only. Sort what the steps of a region touch by where it begins in the arena;
 * what overlaps forms clusters. In a cluster in which something is written, all must be cut by
 * rows with one slot, and beside each other fit into one line of it. */
#include "plan/code.h"

#include "base/checked.h"
#include "plan/passes/products.h"

/* What a step touches: bytes begin .. end; in each line of a slot, `width`. */
struct access {
    uint64_t begin, end;
    int64_t  slot, line, width;  /* slot 0 = all of it, by any row */
    bool     write;
};

/* Accesses that overlap, compared with the first; their place in its lines is lo .. hi. */
struct cluster {
    struct access first;
    uint64_t end;
    int64_t  lo, hi;
    bool     written, alike;
};

static struct access access_of(const rg_code *c, const rg_region *r, const rg_task *s, uint32_t k)
{
    const rg_buffer *b = &c->buffer[s->arg[k].base];
    const rg_line l = s->line && s->a_row ? s->line[k] : (rg_line){ 0, 0 };
    struct access a = { .begin = b->offset, .end = b->offset + b->bytes, .write = k >= s->n_in };
    if (l.pitch <= 0 || l.width > l.pitch)
        return a;
    a.begin += s->arg[k].offset;
    a.end = a.begin + (uint64_t)((s->rows - 1) * l.pitch + l.width);
    a.line = l.pitch * s->a_row;
    a.slot = a.line * r->rows;
    a.width = l.pitch * (s->a_row - 1) + l.width;
    return a;
}

static void join_cluster(struct cluster *k, const struct access *a)
{
    k->end = a->end > k->end ? a->end : k->end;
    k->written |= a->write;
    k->alike &= a->slot == k->first.slot && a->slot > 0;
    if (!k->alike)
        return;
    int64_t at = (int64_t)((a->begin - k->first.begin) % (uint64_t)a->slot);
    at -= at > a->slot - a->line ? a->slot : 0;
    k->lo = at < k->lo ? at : k->lo;
    k->hi = at + a->width > k->hi ? at + a->width : k->hi;
    k->alike = k->hi - k->lo <= a->line;
}

static bool clusters_hold(const struct access *a, const uint32_t *sorted, size_t n)
{
    for (size_t i = 0; i < n;) {
        const struct access *first = &a[sorted[i]];
        struct cluster k = { .first = *first, .end = first->end, .hi = first->width,
                             .written = first->write, .alike = first->slot > 0 };
        size_t members = 1;
        while (++i < n && a[sorted[i]].begin < k.end) {
            join_cluster(&k, &a[sorted[i]]);
            members++;
        }
        if (k.written && !k.alike && members > 1)
            return false;
    }
    return true;
}

/* All of a region, in the order of steps; what does not lie in the arena is never written. */
static size_t list_accesses(const rg_code *c, const rg_region *r, struct access *a)
{
    size_t n = 0;
    for (size_t i = r->first; i < r->end; i++) {
        const rg_task *s = &c->step[i];
        for (uint32_t k = 0; k < s->n_in + s->n_out; k++)
            if (c->buffer[s->arg[k].base].bytes)
                a[n++] = access_of(c, r, s, k);
    }
    return n;
}

static rg_status verify_region(const rg_code *c, size_t number, rg_err *err)
{
    const rg_region *r = &c->region[number];
    size_t most = 0;
    for (size_t i = r->first; i < r->end; i++)
        most += (size_t)c->step[i].n_in + c->step[i].n_out;
    struct access *a = rg_get(&c->alloc, most * sizeof *a);
    uint32_t *sorted = rg_get(&c->alloc, most * sizeof *sorted);
    uint64_t *key = rg_get(&c->alloc, most * sizeof *key);
    rg_status st = a && sorted && key ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory");
    const size_t n = st ? 0 : list_accesses(c, r, a);
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (uint32_t)i;
        key[i] = a[i].begin;
    }
    if (n)
        rg_sort_by(sorted, key, n);
    if (n && !clusters_hold(a, sorted, n))
        st = rg_fail(err, RG_EINTERNAL, "regions: rows of region %zu meet in memory", number + 1);
    rg_release(&c->alloc, a, most * sizeof *a);
    rg_release(&c->alloc, sorted, most * sizeof *sorted);
    rg_release(&c->alloc, key, most * sizeof *key);
    return st;
}

/* ---- Intervals ------------------------------------------------------------------------------ */

/* By buffer: who wrote there last, and where. */
struct written {
    size_t  step;             /* + 1; 0 = nobody */
    int64_t offset;
};

/* Operands of a step that another step of its interval writes; with a slab, at this very place. */
static bool reads_too_soon(const rg_code *c, const struct written *w, size_t i)
{
    const rg_task *s = &c->step[i];
    for (uint32_t k = 0; k < s->n_in; k++) {
        const struct written *by = &w[s->arg[k].base];
        if (by->step && by->step - 1 != i && c->step[by->step - 1].interval == s->interval &&
            by->offset == (int64_t)s->arg[k].offset && c->buffer[s->arg[k].base].bytes)
            return true;
    }
    return false;
}

/* Steps of one interval run at the same time. */
static rg_status verify_intervals(const rg_code *c, rg_err *err)
{
    struct written *w = rg_get(&c->alloc, c->n_buffer * sizeof *w);
    rg_status st = w ? RG_OK : rg_fail(err, RG_ENOMEM, "plan: no memory");
    for (size_t i = 0, end = 0; i < c->n_step && !st; i++) {
        for (; end < c->n_step && c->step[end].interval == c->step[i].interval; end++)
            for (uint32_t k = 0; k < c->step[end].n_out; k++) {
                const rg_ref *to = &c->step[end].arg[c->step[end].n_in + k];
                w[to->base] = (struct written){ end + 1, (int64_t)to->offset };
            }
        if (reads_too_soon(c, w, i))
            st = rg_fail(err, RG_EINTERNAL, "schedule: step %zu reads what another step of its "
                         "interval writes", i);
    }
    rg_release(&c->alloc, w, c->n_buffer * sizeof *w);
    return st;
}

rg_status rg_code_verify_regions(const rg_code *c, rg_err *err)
{
    rg_status st = verify_intervals(c, err);
    for (size_t i = 0; i < c->n_region && !st; i++)
        st = verify_region(c, i, err);
    return st;
}
