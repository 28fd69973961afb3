/* train/borders.h -- few lengths to pad to, so that padding is least. */
#ifndef RG_TRAIN_BORDERS_H
#define RG_TRAIN_BORDERS_H

#include "base/memory.h"

/**
 * Chooses at most k lengths, each item being padded to the smallest that is not below its own, so
 * that the steps in all are as few as can be (dynamic programming over the lengths that occur; of
 * more than 512 only those that are multiples of longest/512).
 *
 * @param[out] border  [k] rising; the last is the longest of the lengths, at least 1
 * @return             how many, 0 without memory
 */
size_t rg_borders(int32_t *border, size_t k, const int32_t *length, size_t n,
                  const rg_alloc *alloc);

#endif
