/* base/median.c -- C. A. R. Hoare's selection, 1961. */
#include "base/median.h"

double rg_median(double *x, size_t n)
{
    const size_t k = n / 2;
    size_t low = 0, high = n - 1;
    while (low < high) {
        const double pivot = x[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i >= j)
                break;
            const double other = x[i];
            x[i] = x[j];
            x[j] = other;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return x[k];
}
