/* plan/regions.c -- regions: steps between which the team need not meet.
 *
 * Law. See a buffer as slots of S bytes, and a slot as B lines of S/B bytes:
 *
 *     byte a of the buffer belongs to row (a mod S)/(S/B).
 *
 * Intervals that follow each other are a region of B rows if each buffer that one of their steps
 * writes has an S, the same for all of them, such that row r of every step touches nothing in it
 * but what belongs to row r. Then rows never meet: who owns rows r0 .. r1 may run them through
 * all steps without waiting for anybody, and memory that dies on the way may serve again for what
 * has the same lines (place.c).
 *
 * So the axis of rows goes from operand to result through the memory that both touch; cells, time
 * and layers are unknown here. A product over stacked steps, a sum over rows, a transposed operand
 * see other lines of what they read, and end the region. What has no rows, but touches nothing
 * that others write and writes nothing that others touch (packing, say), runs along, by its parts.
 *
 * A region is a possibility: where rows are few for the team, its intervals run one by one, each
 * step cut by columns. Our own kernels give every element the same bits however they are cut;
 * BLAS does not, so its products have no rows. */
#include "plan/code.h"

#include "base/checked.h"
#include "plan/passes/products.h"

#include <string.h>

/* How the steps of a region see a buffer; slot 0: as a whole, or not all alike. */
struct seen {
    uint32_t stamp;   /* of the region; another's is void */
    bool     written;
    int64_t  slot;
};

struct find {
    rg_code     *c;
    struct seen *seen;   /* by base */
    uint32_t     stamp;
    int64_t      rows;   /* 0 = none yet */
    double       most;   /* the cost of the dearest step by rows */
};

/* ---- The law -------------------------------------------------------------------------------- */

static bool is_leaf(const rg_code *c, uint32_t base)
{
    return base < c->p->n_node && rg_node_is_leaf(&c->p->node[base]);
}

/* S, if the step's rows touch lines of one slot each; 0 if not. Fewer, thicker rows have the
 * same S, and touch lines where thinner ones do. */
static int64_t slot_of(const rg_task *s, uint32_t k)
{
    const rg_line l = s->line[k];
    if (l.pitch <= 0 || l.width > l.pitch)
        return 0;
    const int64_t slot = l.pitch * s->rows;
    return (int64_t)s->arg[k].offset % slot + l.width <= l.pitch ? slot : 0;
}

/* Does the law still hold when a buffer is touched in this way too? */
static bool touch(struct find *f, uint32_t base, int64_t slot, bool write)
{
    struct seen *s = &f->seen[rg_buffer_under(f->c, base)];
    if (is_leaf(f->c, base))
        return true;
    if (s->stamp != f->stamp) {
        *s = (struct seen){ f->stamp, write, slot };
        return true;
    }
    if (slot != s->slot)
        s->slot = 0;
    s->written |= write;
    return s->slot || !s->written;
}

static double cost_of(const rg_task *s)
{
    return (double)s->parts * (double)s->unit;
}

/* Is it cut into the region's rows? Those of the dearest step become the region's, if others can
 * be cut so as well. */
static bool joins_rows(struct find *f, const rg_task *s)
{
    if (!s->run_rows || s->rows < 2)
        return false;
    if (f->rows && s->rows % f->rows && (f->rows % s->rows || cost_of(s) < f->most))
        return false;
    if (!f->rows || s->rows % f->rows)
        f->rows = s->rows;
    f->most = cost_of(s) > f->most ? cost_of(s) : f->most;
    return true;
}

/* One more step; false where the law would be broken. */
static bool add_step(struct find *f, rg_task *s)
{
    const bool rows = joins_rows(f, s);
    s->a_row = rows;
    for (uint32_t k = 0; k < s->n_in + s->n_out; k++)
        if (!touch(f, s->arg[k].base, rows ? slot_of(s, k) : 0, k >= s->n_in))
            return false;
    return true;
}

static size_t interval_end(const rg_code *c, size_t i)
{
    const uint32_t t = c->step[i].interval;
    while (i < c->n_step && c->step[i].interval == t)
        i++;
    return i;
}

/* ---- Regions -------------------------------------------------------------------------------- */

/* Rows of a panel: fixed by shape. */
static int64_t panel_of(int64_t rows)
{
    const int64_t p = rows / 8;
    return p < 1 ? 1 : p > 8 ? 8 : p;
}

/* Buffers that the whole region sees as one slot may share memory within it. */
static void mark_buffer(const struct find *f, uint32_t base, uint32_t first, uint32_t last)
{
    const uint32_t under = rg_buffer_under(f->c, base);
    const struct seen *s = &f->seen[under];
    rg_buffer *b = &f->c->buffer[under];
    const bool one = s->stamp == f->stamp && s->slot && (size_t)s->slot == b->bytes;
    if (!one)
        return;
    b->born_by_rows |= b->birth >= first && b->birth <= last;
    b->dies_by_rows |= b->death >= first && b->death <= last;
}

static bool add_region(struct find *f, size_t first, size_t end)
{
    rg_code *c = f->c;
    const uint32_t t0 = c->step[first].interval, t1 = c->step[end - 1].interval;
    if (!rg_reserve(&c->alloc, &c->region, &c->region_cap, c->n_region + 1, sizeof *c->region))
        return false;
    c->region[c->n_region++] = (rg_region){ first, end, f->rows, panel_of(f->rows), false };
    for (uint32_t t = t0; t <= t1; t++)
        c->region_of[t] = (uint32_t)c->n_region;
    for (size_t i = first; i < end; i++) {
        rg_task *s = &c->step[i];
        s->a_row = s->a_row ? s->rows / f->rows : 0;
        for (uint32_t k = 0; k < s->n_in + s->n_out; k++)
            mark_buffer(f, s->arg[k].base, t0, t1);
    }
    return true;
}

/* From each interval on, as many as go together. With less than this, no meetings are saved that
 * count, and memory would live to the region's end for nothing. */
enum { LEAST = 6 };

static bool find_regions(struct find *f)
{
    const rg_code *c = f->c;
    for (size_t i = 0, end; i < c->n_step; i = end) {
        size_t next = i;
        int n = 0;
        f->stamp++;
        f->rows = 0;
        f->most = 0;
        end = interval_end(c, i);
        for (bool ok = true; ok && next < c->n_step; n += ok) {
            const size_t stop = interval_end(c, next);
            const int64_t rows = f->rows;
            for (size_t k = next; k < stop && ok; k++)
                ok = add_step(f, &c->step[k]);
            if (ok)
                end = next = stop;
            else
                f->rows = rows;
        }
        if (n >= LEAST && f->rows > 1 && !add_region(f, i, end))
            return false;
    }
    return true;
}

rg_status rg_code_regions(rg_code *c)
{
    struct find f = { .c = c };
    c->region_of = rg_arena_get(c->arena, ((size_t)c->n_interval + 1) * sizeof *c->region_of);
    c->meets = rg_arena_get(c->arena, (size_t)c->n_interval + 1);
    f.seen = rg_get(&c->alloc, c->n_buffer * sizeof *f.seen);
    const bool ok = c->region_of && c->meets && f.seen && (!c->by_rows || find_regions(&f));
    rg_release(&c->alloc, f.seen, c->n_buffer * sizeof *f.seen);
    return ok ? RG_OK : rg_fail(c->err, RG_ENOMEM, "plan: no memory for regions");
}

/* ---- Rows or columns ------------------------------------------------------------------------ */

/* Costs before each step of an interval, and the interval's whole. In a region that runs by rows
 * each step that does not is by itself; with @p apart, each that is cut into blocks too. */
static void sum_costs(rg_code *c, bool apart)
{
    const rg_region *r = c->region, *last = r + c->n_region;
    for (size_t i = 0, end; i < c->n_step; i = end) {
        while (r < last && r->end <= i)
            r++;
        const bool by_rows = r < last && r->first <= i && r->by_rows;
        uint64_t total = 0;
        for (end = i; end < c->n_step && c->step[end].interval == c->step[i].interval; end++) {
            rg_task *s = &c->step[end];
            const uint64_t cost = (uint64_t)s->parts * s->unit;
            const bool itself = by_rows || (apart && s->blocks);
            s->before = itself ? 0 : total;
            s->total = itself ? cost : 0;
            total += itself ? 0 : cost;
        }
        for (size_t k = i; k < end; k++)
            c->step[k].total += c->step[k].total ? 0 : total;
    }
}

/* Nanoseconds of a meeting; bytes a nanosecond from the second-level cache, the third, memory;
 * rows from which the product kernel is at its full speed. */
enum { MEETING = 500, NEAR = 128, FAR = 50, FARTHEST = 12, FULL_ROWS = 4 };

static double transfer(double bytes)
{
    return bytes / (bytes <= 1 << 20 ? NEAR : bytes <= 1 << 24 ? FAR : FARTHEST);
}

/* How much longer so few rows take each: weights are loaded for them alone. */
static double slowdown(const rg_task *s, int64_t rows)
{
    return s->shared > 0 && rows < FULL_ROWS ? (double)FULL_ROWS / (double)rows : 1;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* With R of B rows, and Q of P parts, for the busiest thread, a step of cost w that reads b bytes
 * of weights takes
 *
 *     by rows     max(w·(R/B)·slowdown(R),  transfer(b))
 *     by columns  max(w·(Q/P)·slowdown(B),  transfer(b·(Q/P))),
 *
 * and MEETING, by columns, wherever the team must meet. */
static bool rows_pay(const rg_code *c, const rg_region *r, int threads)
{
    const int64_t panels = (r->rows + r->panel - 1) / r->panel;
    const int64_t most = (panels + threads - 1) / threads * r->panel;
    const int64_t busiest = most < r->rows ? most : r->rows;
    double rows = 0, columns = 0;
    for (size_t i = r->first; i < r->end; i++) {
        const rg_task *s = &c->step[i];
        const double cost = cost_of(s), share = (double)busiest / (double)r->rows;
        if (i > r->first && s->interval != s[-1].interval && c->meets[s[-1].interval])
            columns += MEETING;
        if (!s->a_row)
            continue;
        const double part = (double)((s->parts + threads - 1) / threads) / (double)s->parts;
        rows += larger(cost * share * slowdown(s, busiest), transfer(s->shared));
        columns += larger(cost * part * slowdown(s, r->rows), transfer(s->shared * part));
    }
    return threads > 1 && rows <= columns;
}

/* Threads share out the steps of an interval, or each step that is cut into blocks: whichever needs
 * fewer meetings. */
static bool choose_cuts(rg_code *c, int threads)
{
    sum_costs(c, true);
    const size_t apart = rg_code_meetings(c, threads);
    sum_costs(c, false);
    if (rg_code_meetings(c, threads) <= apart)
        return false;
    sum_costs(c, true);
    (void)rg_code_meetings(c, threads);
    return true;
}

void rg_code_choose(rg_code *c, int threads)
{
    for (size_t i = 0; i < c->n_region; i++)
        c->region[i].by_rows = false;
    const bool apart = choose_cuts(c, threads);
    for (size_t i = 0; i < c->n_region; i++) {
        rg_region *r = &c->region[i];
        r->by_rows = rows_pay(c, r, threads);
        if (r->by_rows && r->first > 0)
            c->meets[c->step[r->first - 1].interval] = 1;
    }
    sum_costs(c, apart);
}
