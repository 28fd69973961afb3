/* train/likeliest.h -- the likeliest of many weights, and a draw among them. */
#ifndef RG_TRAIN_LIKELIEST_H
#define RG_TRAIN_LIKELIEST_H

#include <stdint.h>

/* Weights but the k largest become 0, then all but the fewest largest that have the share @p top_p
 * of what is left; 0 = keep all. Of equal weights the lower index is the larger. @p heap has room
 * for n. */
void rg_keep_likeliest(double *p, int32_t *heap, int64_t n, int64_t k, double top_p);

/* The least index whose cumulated weight exceeds u·Σp, 0 <= u < 1; never one of weight 0, -1 if all
 * are. */
int32_t rg_draw_weighted(const double *p, int64_t n, double u);

#endif
