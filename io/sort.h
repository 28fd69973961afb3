/* io/sort.h -- order without qsort(), which may allocate and leaves equal keys as it likes. */
#ifndef RG_IO_SORT_H
#define RG_IO_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does item a come before, with or after item b: negative, 0, positive. */
typedef int rg_compare_fn(const void *context, uint32_t a, uint32_t b);

/* Stable merge sort of n numbers of items; one pass if they are in order. @p scratch holds n. */
void rg_sort(uint32_t *order, uint32_t *scratch, size_t n, rg_compare_fn *compare,
             const void *context);

#endif
