/* train/borders.c -- few lengths to pad to, so that padding is least. */
#include "train/borders.h"

#include <string.h>

enum { LENGTHS = 512 };

/* Lengths that occur, rounded up to multiples of a grain; how many items have one of the first i of
 * them; how many have each multiple. */
typedef struct lengths {
    size_t  n;
    int32_t length[LENGTHS + 1];
    double  items[LENGTHS + 1], count[LENGTHS + 1];
} lengths;

/* cost[j][i]: steps of the first i lengths in j buckets; from[j][i]: lengths before the last. */
typedef struct ledger {
    lengths   l;
    double    cost[2][LENGTHS + 1];
    uint16_t *from;  /* [k, LENGTHS + 1] */
} ledger;

static int32_t at_least_1(int32_t length)
{
    return length > 0 ? length : 1;
}

static void collect(lengths *l, const int32_t *length, size_t n)
{
    int32_t longest = 1, grain;
    for (size_t i = 0; i < n; i++)
        longest = length[i] > longest ? length[i] : longest;
    grain = (longest - 1) / LENGTHS + 1;
    for (size_t i = 0; i < n; i++)
        l->count[(at_least_1(length[i]) - 1) / grain]++;
    l->n = 0;
    for (int32_t g = 0; g <= (longest - 1) / grain; g++) {
        if (l->count[g] <= 0)
            continue;
        int32_t top = g * grain + grain;
        top = top < longest ? top : longest;
        l->length[l->n++] = top;
        l->items[l->n] = l->items[l->n - 1] + l->count[g];
    }
}

/* Bucket j ends with length i - 1 and begins with the one that makes it cheapest. */
static void add_bucket(ledger *t, size_t j)
{
    const lengths *l = &t->l;
    const double *before = t->cost[(j + 1) % 2];
    double *cost = t->cost[j % 2];
    uint16_t *from = t->from + j * (LENGTHS + 1);
    for (size_t i = 1; i <= l->n; i++) {
        cost[i] = -1;
        for (size_t b = j == 0 ? i : 1, first; b <= i; b++) {
            first = j == 0 ? 0 : b - 1;
            double c = (first ? before[first] : 0) +
                       (l->items[i] - l->items[first]) * l->length[i - 1];
            if (cost[i] < 0 || c < cost[i]) {
                cost[i] = c;
                from[i] = (uint16_t)first;
            }
        }
    }
}

size_t rg_borders(int32_t *border, size_t k, const int32_t *length, size_t n,
                  const rg_alloc *alloc)
{
    size_t cells = k * (LENGTHS + 1), found = 0;
    ledger *t = rg_get(alloc, sizeof *t);
    uint16_t *from = rg_get(alloc, cells * sizeof *from);
    if (t && from) {
        t->from = from;
        collect(&t->l, length, n);
        for (size_t j = 0; j < k; j++)
            add_bucket(t, j);
        size_t i = t->l.n;
        for (size_t j = k; j > 0 && i > 0; j--) {
            border[found++] = t->l.length[i - 1];
            i = from[(j - 1) * (LENGTHS + 1) + i];
        }
        for (size_t a = 0, b = found; a + 1 < b; a++, b--) {
            int32_t swap = border[a];
            border[a] = border[b - 1];
            border[b - 1] = swap;
        }
    }
    rg_release(alloc, from, cells * sizeof *from);
    rg_release(alloc, t, sizeof *t);
    return found;
}
