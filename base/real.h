/* base/real.h -- real numbers of either precision. */
#ifndef RG_BASE_REAL_H
#define RG_BASE_REAL_H

#include <retrograd/base.h>

/* Number i of an array of RG_F32 or RG_F64. */
static inline double rg_real_at(const void *data, rg_dtype real, size_t i)
{
    return real == RG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static inline void rg_real_put(void *data, rg_dtype real, size_t i, double x)
{
    if (real == RG_F64)
        ((double *)data)[i] = x;
    else
        ((float *)data)[i] = (float)x;
}

#endif
