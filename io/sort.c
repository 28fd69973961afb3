/* io/sort.c -- merge sort from the bottom up: runs of 1, 2, 4, ... */
#include "io/sort.h"

#include <string.h>

static void merge(uint32_t *to, const uint32_t *a, size_t n, const uint32_t *b, size_t m,
                  rg_compare_fn *compare, const void *context)
{
    while (n > 0 && m > 0)
        if (compare(context, *a, *b) <= 0) {
            *to++ = *a++;
            n--;
        } else {
            *to++ = *b++;
            m--;
        }
    if (n > 0)
        memcpy(to, a, n * sizeof *a);
    if (m > 0)
        memcpy(to, b, m * sizeof *b);
}

void rg_sort(uint32_t *order, uint32_t *scratch, size_t n, rg_compare_fn *compare,
             const void *context)
{
    uint32_t *from = order, *to = scratch;
    size_t i = 1;
    while (i < n && compare(context, order[i - 1], order[i]) <= 0)
        i++;
    if (i >= n)
        return;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += 2 * run) {
            size_t a = n - at < run ? n - at : run, b = n - at - a < run ? n - at - a : run;
            merge(to + at, from + at, a, from + at + a, b, compare, context);
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != order)
        memcpy(order, from, n * sizeof *order);
}
