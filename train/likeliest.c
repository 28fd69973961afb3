/* train/likeliest.c -- the likeliest of many weights, by a heap; a draw among them. */
#include "train/likeliest.h"

#include <stdbool.h>

/* Is a before b? The larger weight, on a tie the lower index. */
static bool before(const double *p, int32_t a, int32_t b)
{
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sift(const double *p, int32_t *heap, int64_t n, int64_t i)
{
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && before(p, heap[child + 1], heap[child]);
        if (!before(p, heap[child], heap[i]))
            return;
        int32_t swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static double sum_of(const double *p, int64_t n)
{
    double sum = 0;
    for (int64_t v = 0; v < n; v++)
        sum += p[v];
    return sum;
}

/* The largest moves from the front of the heap, of @p left elements, to its end. */
static int32_t pop(const double *p, int32_t *heap, int64_t left)
{
    int32_t first = heap[0];
    heap[0] = heap[left - 1];
    heap[left - 1] = first;
    sift(p, heap, left - 1, 0);
    return first;
}

void rg_keep_likeliest(double *p, int32_t *heap, int64_t n, int64_t k, double top_p)
{
    bool few = k > 0 && k < n, share = top_p > 0 && top_p < 1;
    if (!few && !share)
        return;
    for (int32_t v = 0; v < n; v++)
        heap[v] = v;
    for (int64_t i = n / 2; i-- > 0;)
        sift(p, heap, n, i);
    int64_t left = n, most = few ? n - k : 0;
    if (few) { /* the k largest now lie at the end, the very largest last */
        while (left > most)
            (void)pop(p, heap, left--);
        for (int64_t i = 0; i < left; i++)
            p[heap[i]] = 0;
    }
    if (!share)
        return;
    double total = sum_of(p, n), sum = 0;
    int64_t at = n; /* heap[at ..] are kept */
    while (at > most && sum < top_p * total) {
        if (!few)
            (void)pop(p, heap, left--);
        sum += p[heap[--at]];
    }
    for (int64_t i = 0; i < at; i++)
        p[heap[i]] = 0;
}

int32_t rg_draw_weighted(const double *p, int64_t n, double u)
{
    double limit = u * sum_of(p, n), below = 0;
    int32_t chosen = -1;
    for (int32_t v = 0; v < n; v++) {
        if (p[v] > 0)
            chosen = v; /* also the last one, should rounding leave u at the end */
        below += p[v];
        if (limit < below)
            break;
    }
    return chosen;
}
