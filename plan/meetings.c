/* plan/meetings.c -- meetings that can be left out where intervals follow each other.
 *
 * Law. Between two intervals the team need not meet if no thread touches in the second what
 * another has written, or writes what another has touched, since they met last.
 *
 * Which parts of a step a thread runs is known here, and so is where in the arena they read and
 * write. Two steps are cut alike where both touch memory, if the bytes of each thread begin at the
 * same place of a slot in both: a product of one row gives every thread some columns of each gate,
 * and the elementwise program behind it the same units, so that a recurrence over few rows needs
 * one meeting a time step, before the next product, which reads the state of all units.
 *
 * Nothing is said of steps whose kernels do not tell what their parts touch: before and behind
 * those the team meets. */
#include "plan/code.h"

enum { WINDOW = 8 };  /* intervals without a meeting: it keeps this linear */

/* What a step touches, in bytes of the arena. */
struct access {
    uint64_t begin, end;
    int64_t  pitch, slot;   /* as in rg_share */
    int64_t  width;         /* of what is touched in a slot */
    const rg_task *step;
    bool     write;
};

int64_t rg_first_part(const rg_task *s, int rank, int size)
{
    const int64_t unit = (int64_t)s->unit * size;
    const int64_t from = 2 * ((int64_t)s->total * rank - (int64_t)s->before * size) - unit;
    const int64_t part = from <= 0 ? 0 : (from + 2 * unit - 1) / (2 * unit);
    return part < s->parts ? part : s->parts;
}

/* False for what does not lie in the arena: nobody writes it. */
static bool access_of(const rg_code *c, const rg_task *s, uint32_t k, struct access *a)
{
    const rg_buffer *b = &c->buffer[s->arg[k].base];
    const rg_share p = s->share ? s->share(s, k) : (rg_share){ .pitch = 0 };
    const uint64_t offset = p.bytes > 0 ? s->arg[k].offset : 0;
    *a = (struct access){ .begin = b->offset + offset, .end = b->offset + b->bytes,
                          .pitch = p.pitch, .slot = p.slot, .step = s, .write = k >= s->n_in };
    if (p.bytes > 0)
        a->end = a->begin + (uint64_t)p.bytes;
    a->width = !p.slot ? p.bytes : p.bytes % p.slot ? p.bytes % p.slot : p.slot;
    return b->bytes > 0;
}

/* Who runs all of a step; -1 = several. */
static int only_owner(const rg_task *s, int threads)
{
    for (int r = 0; r < threads; r++)
        if (rg_first_part(s, r, threads) == 0 && rg_first_part(s, r + 1, threads) == s->parts)
            return r;
    return -1;
}

/* Are both cut into slots, of one size, that begin at the same place? */
static bool same_slots(const struct access *a, const struct access *b)
{
    int64_t slot = a->slot ? a->slot : b->slot;
    if (a->slot && b->slot) {
        slot = a->slot < b->slot ? a->slot : b->slot;
        if (a->slot % slot || b->slot % slot)
            return false;
    }
    const int64_t apart = (int64_t)(a->begin - b->begin);
    return slot ? apart % slot == 0 && a->width <= slot && b->width <= slot : apart == 0;
}

/* Does every thread touch the same part of a slot in both? */
static bool cut_alike(const struct access *a, const struct access *b, int threads)
{
    if (!a->pitch || !b->pitch || !same_slots(a, b))
        return false;
    for (int r = 1; r < threads; r++)
        if (rg_first_part(a->step, r, threads) * a->pitch !=
            rg_first_part(b->step, r, threads) * b->pitch)
            return false;
    return true;
}

static bool conflict(const struct access *a, const struct access *b, int threads)
{
    if ((!a->write && !b->write) || a->end <= b->begin || b->end <= a->begin)
        return false;
    const int owner = only_owner(a->step, threads);
    return !(owner >= 0 && owner == only_owner(b->step, threads)) && !cut_alike(a, b, threads);
}

/* Must the team meet between steps `from` .. `first` and steps first .. end? */
static bool must_meet(const rg_code *c, size_t from, size_t first, size_t end, int threads)
{
    struct access a, b;
    for (size_t i = first; i < end; i++)
        for (uint32_t k = 0; k < c->step[i].n_in + c->step[i].n_out; k++) {
            if (!access_of(c, &c->step[i], k, &a))
                continue;
            for (size_t j = from; j < first; j++)
                for (uint32_t l = 0; l < c->step[j].n_in + c->step[j].n_out; l++)
                    if (access_of(c, &c->step[j], l, &b) && conflict(&a, &b, threads))
                        return true;
        }
    return false;
}

size_t rg_code_meetings(rg_code *c, int threads)
{
    uint32_t met = 0;  /* the first interval since the team met */
    size_t from = 0, n = 0;
    for (size_t first = 0, end; first < c->n_step && threads > 1; first = end) {
        const uint32_t t = c->step[first].interval;
        for (end = first; end < c->n_step && c->step[end].interval == t; end++)
            continue;
        if (first == 0)
            continue;
        const uint32_t before = c->step[first - 1].interval;
        c->meets[before] = t - met > WINDOW || must_meet(c, from, first, end, threads);
        if (c->meets[before]) {
            n++;
            met = t;
            from = first;
        }
    }
    return n;
}
