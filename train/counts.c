/* train/counts.c -- count models of several orders at once.
 *
 * A string of k characters is a node; its child by x is the string followed by x. Nodes are found
 * by hashing (parent, x), exactly. The tested texts say which strings matter and make the nodes;
 * the training text then only counts on those. Every position extends the `orders` strings that end
 * there, so one pass per text serves all orders. */
#include <retrograd/train.h>

#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { MAX_ORDERS = 8, TESTED = 1 << 20 };

static const double ADDED = 0.01; /* to every count */

typedef struct node {
    uint32_t parent;
    int32_t  x;
    uint32_t n;        /* times the string occurs in the training text */
    uint32_t followed; /* times with a character after it */
} node;

typedef struct counts {
    rg_alloc  alloc;
    node     *node; /* [0] is the empty string */
    size_t    n, cap;
    uint32_t *slot; /* open addressing: node, or 0 = free */
    size_t    slots; /* a power of two */
} counts;

/* Strings that end at the present position: [k] has k characters; 0 = not counted, but for [0]. */
typedef struct trail {
    uint32_t at[MAX_ORDERS + 1];
    int      length; /* strings of up to so many characters exist yet */
} trail;

static size_t hash(uint32_t parent, int32_t x)
{
    uint64_t h = ((uint64_t)parent << 32 | (uint32_t)x) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ h >> 29);
}

static uint32_t *find(const counts *c, uint32_t parent, int32_t x)
{
    size_t i = hash(parent, x) & (c->slots - 1);
    while (c->slot[i] && (c->node[c->slot[i]].parent != parent || c->node[c->slot[i]].x != x))
        i = (i + 1) & (c->slots - 1);
    return &c->slot[i];
}

static bool grow_slots(counts *c)
{
    counts larger = *c;
    larger.slots = c->slots * 2;
    larger.slot = rg_get(&c->alloc, larger.slots * sizeof *larger.slot);
    if (!larger.slot)
        return false;
    for (size_t i = 1; i < c->n; i++)
        *find(&larger, c->node[i].parent, c->node[i].x) = (uint32_t)i;
    rg_release(&c->alloc, c->slot, c->slots * sizeof *c->slot);
    *c = larger;
    return true;
}

/* The child of a string by x, made if it is new; 0 without memory. */
static uint32_t extend(counts *c, uint32_t parent, int32_t x)
{
    uint32_t *slot = find(c, parent, x);
    if (*slot)
        return *slot;
    if (c->n >= c->slots / 2) {
        if (!grow_slots(c))
            return 0;
        slot = find(c, parent, x);
    }
    if (!rg_reserve(&c->alloc, &c->node, &c->cap, c->n + 1, sizeof *c->node))
        return 0;
    c->node[c->n] = (node){ .parent = parent, .x = x };
    *slot = (uint32_t)c->n++;
    return *slot;
}

/* All strings of a tested text. */
static rg_status collect(counts *c, int orders, rg_span text)
{
    trail t = { .length = 0 };
    for (size_t i = 0; i < text.n; i++) {
        t.length = t.length < orders ? t.length + 1 : orders;
        for (int k = t.length; k > 0; k--) {
            t.at[k] = extend(c, t.at[k - 1], text.id[i]);
            if (t.at[k] == 0)
                return RG_ENOMEM;
        }
    }
    return RG_OK;
}

static void count(counts *c, int orders, rg_span text)
{
    trail t = { .length = 0 };
    for (size_t i = 0; i < text.n; i++) {
        t.length = t.length < orders ? t.length + 1 : orders;
        for (int k = t.length; k > 0; k--) {
            if (k > 1 && t.at[k - 1] == 0) {
                t.at[k] = 0;
                continue;
            }
            c->node[t.at[k - 1]].followed++;
            t.at[k] = *find(c, t.at[k - 1], text.id[i]);
            if (t.at[k])
                c->node[t.at[k]].n++;
        }
    }
}

/* Mean of -log2 p over a text, for every order; where the text is still too short for an order's
 * context, the longest context that there is. */
static void judge(double *bpc, const counts *c, int orders, size_t V, rg_span text)
{
    double sum[MAX_ORDERS + 1] = { 0 }, p[MAX_ORDERS + 1];
    trail t = { .length = 0 };
    for (size_t i = 0; i < text.n; i++) {
        t.length = t.length < orders ? t.length + 1 : orders;
        for (int k = t.length; k > 0; k--) {
            uint32_t context = t.at[k - 1];
            t.at[k] = *find(c, context, text.id[i]);
            p[k] = (c->node[t.at[k]].n + ADDED) / (c->node[context].followed + ADDED * (double)V);
        }
        for (int k = 1; k <= orders; k++)
            sum[k] -= log2(p[k < t.length ? k : t.length]);
    }
    for (int k = 1; k <= orders; k++)
        bpc[k - 1] = text.n ? sum[k] / (double)text.n : NAN;
}

static rg_span tested(rg_span text)
{
    return (rg_span){ text.id, text.n < TESTED ? text.n : TESTED };
}

static rg_status prepare(counts *c)
{
    (void)rg_alloc_resolve(&c->alloc, NULL);
    c->slots = 1 << 12;
    c->slot = rg_get(&c->alloc, c->slots * sizeof *c->slot);
    if (!c->slot || !rg_reserve(&c->alloc, &c->node, &c->cap, 1, sizeof *c->node))
        return RG_ENOMEM;
    c->n = 1;
    return RG_OK;
}

rg_status rg_count_models(double *bpc, int orders, size_t V, rg_span train, const rg_span *test,
                          size_t n)
{
    counts c = { .n = 0 };
    if (!bpc || orders < 1 || orders > MAX_ORDERS || V < 1 || (n > 0 && !test) ||
        train.n > UINT32_MAX)
        return RG_EARG;
    rg_status st = prepare(&c);
    for (size_t i = 0; st == RG_OK && i < n; i++)
        st = collect(&c, orders, tested(test[i]));
    if (st == RG_OK)
        count(&c, orders, train);
    for (size_t i = 0; st == RG_OK && i < n; i++)
        judge(bpc + i * (size_t)orders, &c, orders, V, tested(test[i]));
    rg_release(&c.alloc, c.slot, c.slots * sizeof *c.slot);
    rg_release(&c.alloc, c.node, c.cap * sizeof *c.node);
    return st;
}
