/* plan/schedule.c -- units of work, the order in which they run, and the intervals between
 * barriers.
 *
 * A unit is what one tile program computes, or one other computed value. Ready units run in the
 * order in which the graph was built (the backward part mirrors the forward one, so lives are
 * short). A new interval begins where a unit reads what the current one writes. */
#include "plan/code.h"

#include "ops/ops.h"
#include "plan/passes/fusible.h"

/* ---- Units ---------------------------------------------------------------------------------- */

/* Clusters first come, first numbered; without fusion each node is alone. */
static rg_status number_units(rg_code *c)
{
    const rg_prog *p = c->p;
    const size_t n_cluster = p->cluster ? p->n_cluster : 1;
    uint32_t *of_cluster = rg_get(&c->alloc, n_cluster * sizeof *of_cluster);
    if (!of_cluster)
        return RG_ENOMEM;
    c->n_unit = 1;
    for (uint32_t id = 1; id < p->n_node; id++) {
        if (c->form[id] != RG_COMPUTED)
            continue;
        const uint32_t cluster = p->cluster ? p->cluster[id] : 0;
        if (!cluster)
            c->unit[id] = c->n_unit++;
        else if (!of_cluster[cluster])
            c->unit[id] = of_cluster[cluster] = c->n_unit++;
        else
            c->unit[id] = of_cluster[cluster];
    }
    rg_release(&c->alloc, of_cluster, n_cluster * sizeof *of_cluster);
    return RG_OK;
}

void rg_list_members(uint32_t *first, uint32_t *member, const uint32_t *set, uint32_t n_set,
                     uint32_t n_node)
{
    for (uint32_t id = 1; id < n_node; id++)
        if (set[id])
            first[set[id] + 2]++;
    for (uint32_t k = 2; k <= n_set + 1; k++)
        first[k] += first[k - 1];
    for (uint32_t id = 1; id < n_node; id++)
        if (set[id])
            member[first[set[id] + 1]++] = id; /* which ends as the next one begins */
}

/* ---- Order ---------------------------------------------------------------------------------- */

struct order {
    rg_code  *c;
    uint32_t *from;    /* edges by unit: to[from[u]] .. to[from[u+1]-1] read it */
    uint32_t *to;
    uint32_t *waiting; /* operands not yet there */
    uint32_t *heap;    /* ready units, the one with the smallest last member on top */
    size_t    n_heap, n_edge;
};

/* The unit that operand @p in of a node waits for; 0 = none, or the node's own. */
static uint32_t waits_for(const rg_code *c, uint32_t id, uint32_t in)
{
    const uint32_t u = c->unit[c->source[in]];
    return u == c->unit[id] ? 0 : u;
}

static bool list_edges(struct order *o)
{
    rg_code *c = o->c;
    const rg_prog *p = c->p;
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in && c->unit[id]; k++) {
            const uint32_t u = waits_for(c, id, p->node[id].in[k]);
            o->n_edge += u != 0;
            o->from[u + 1]++;
        }
    o->from[1] = 0;
    for (uint32_t u = 2; u <= c->n_unit; u++)
        o->from[u] += o->from[u - 1];
    if (!(o->to = rg_get(&c->alloc, o->n_edge * sizeof *o->to)))
        return false;
    for (uint32_t id = 1; id < p->n_node; id++)
        for (uint32_t k = 0; k < p->node[id].n_in && c->unit[id]; k++) {
            const uint32_t u = waits_for(c, id, p->node[id].in[k]);
            if (!u)
                continue;
            o->to[o->from[u]++] = c->unit[id]; /* from[u] ends as from[u+1] was */
            o->waiting[c->unit[id]]++;
        }
    for (uint32_t u = c->n_unit; u > 1; u--)
        o->from[u] = o->from[u - 1];
    o->from[1] = 0;
    return true;
}

static bool sooner(const rg_code *c, uint32_t a, uint32_t b)
{
    return rg_unit_last(c, a) < rg_unit_last(c, b);
}

static void push(struct order *o, uint32_t u)
{
    size_t i = o->n_heap++;
    for (; i > 0 && sooner(o->c, u, o->heap[(i - 1) / 2]); i = (i - 1) / 2)
        o->heap[i] = o->heap[(i - 1) / 2];
    o->heap[i] = u;
}

static uint32_t pop(struct order *o)
{
    const uint32_t top = o->heap[0], last = o->heap[--o->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < o->n_heap; i = child) {
        if (child + 1 < o->n_heap && sooner(o->c, o->heap[child + 1], o->heap[child]))
            child++;
        if (!sooner(o->c, o->heap[child], last))
            break;
        o->heap[i] = o->heap[child];
    }
    o->heap[i] = last;
    return top;
}

static uint32_t run_order(struct order *o)
{
    rg_code *c = o->c;
    uint32_t n = 0;
    for (uint32_t u = 1; u < c->n_unit; u++)
        if (!o->waiting[u])
            push(o, u);
    while (o->n_heap) {
        const uint32_t u = pop(o);
        c->order[n++] = u;
        for (uint32_t e = o->from[u]; e < o->from[u + 1]; e++)
            if (--o->waiting[o->to[e]] == 0)
                push(o, o->to[e]);
    }
    return n;
}

static rg_status find_order(rg_code *c)
{
    const size_t n = (size_t)c->n_unit + 1;
    struct order o = { .c = c, .from = rg_get(&c->alloc, n * sizeof *o.from),
                       .waiting = rg_get(&c->alloc, n * sizeof *o.waiting),
                       .heap = rg_get(&c->alloc, n * sizeof *o.heap) };
    rg_status st = RG_ENOMEM;
    if (o.from && o.waiting && o.heap && list_edges(&o))
        st = run_order(&o) == c->n_unit - 1 ? RG_OK : RG_EINTERNAL;
    rg_release(&c->alloc, o.from, n * sizeof *o.from);
    rg_release(&c->alloc, o.waiting, n * sizeof *o.waiting);
    rg_release(&c->alloc, o.heap, n * sizeof *o.heap);
    rg_release(&c->alloc, o.to, o.n_edge * sizeof *o.to);
    return st == RG_EINTERNAL
               ? rg_fail(c->err, st, "plan: the tile programs depend on each other in a circle")
               : st;
}

/* ---- Intervals ------------------------------------------------------------------------------ */

static void find_intervals(rg_code *c)
{
    uint32_t now = 0;
    for (uint32_t i = 0; i + 1 < c->n_unit; i++) {
        const uint32_t u = c->order[i];
        uint32_t need = 0;
        for (uint32_t m = c->first[u]; m < c->first[u + 1]; m++) {
            const rg_node *node = &c->p->node[c->member[m]];
            for (uint32_t k = 0; k < node->n_in; k++) {
                const uint32_t from = waits_for(c, c->member[m], node->in[k]);
                if (from && c->ready[from] > need)
                    need = c->ready[from];
            }
            /* packing comes between */
            if (rg_reads_packed(c, c->member[m])) {
                const uint32_t w = c->unit[c->source[node->in[1]]];
                need = c->ready[w] + 1 > need ? c->ready[w] + 1 : need;
            }
        }
        if (!rg_has_work(c, rg_unit_first(c, u))) {
            c->interval[u] = need ? need - 1 : 0;
            c->ready[u] = need;
            continue;
        }
        now = need > now ? need : now;
        c->interval[u] = now;
        c->ready[u] = now + 1;
    }
    c->n_interval = now + 1;
}

rg_status rg_code_schedule(rg_code *c)
{
    const uint32_t n = c->p->n_node;
    c->unit = rg_arena_get(&c->work, n * sizeof *c->unit);
    c->member = rg_arena_get(&c->work, n * sizeof *c->member);
    if (!c->unit || !c->member || number_units(c) ||
        !(c->first = rg_arena_get(&c->work, ((size_t)c->n_unit + 2) * sizeof *c->first)))
        return rg_fail(c->err, RG_ENOMEM, "plan: no memory to schedule");
    rg_list_members(c->first, c->member, c->unit, c->n_unit, n);
    c->order = rg_arena_get(&c->work, c->n_unit * sizeof *c->order);
    c->interval = rg_arena_get(&c->work, c->n_unit * sizeof *c->interval);
    c->ready = rg_arena_get(&c->work, c->n_unit * sizeof *c->ready);
    rg_status st = c->order && c->interval && c->ready ? find_order(c) : RG_ENOMEM;
    if (st == RG_ENOMEM)
        return rg_fail(c->err, st, "plan: no memory to schedule");
    if (!st)
        find_intervals(c);
    return st;
}
