/* plan/convert.c -- float to double and back. */
#include "plan/convert.h"

#include <string.h>

void rg_convert(void *out, const void *in, int64_t n, bool to_double)
{
    for (int64_t i = 0; i < n; i++)
        if (to_double)
            ((double *)out)[i] = ((const float *)in)[i];
        else
            ((float *)out)[i] = (float)((const double *)in)[i];
}

/* From the end, so that nothing is overwritten unread. */
void rg_widen_in_place(void *block, int64_t n)
{
    for (int64_t i = n; i-- > 0;) {
        float x;
        memcpy(&x, (char *)block + (size_t)i * sizeof x, sizeof x);
        ((double *)block)[i] = x;
    }
}
