/* plan/convert.h -- reals of one precision for kernels of the other. */
#ifndef RG_PLAN_CONVERT_H
#define RG_PLAN_CONVERT_H

#include <retrograd/base.h>

/* Between float and double. */
void rg_convert(void *out, const void *in, int64_t n, bool to_double);
/* Float to double inside one block that has room for the doubles. */
void rg_widen_in_place(void *block, int64_t n);

#endif
