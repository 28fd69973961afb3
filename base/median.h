/* base/median.h -- the middle of numbers that are in no order. */
#ifndef RG_BASE_MEDIAN_H
#define RG_BASE_MEDIAN_H

#include <stddef.h>

/* Number n/2 of the n in their order, n >= 1, none of them NaN; x is in another one afterwards. */
double rg_median(double *x, size_t n);

#endif
