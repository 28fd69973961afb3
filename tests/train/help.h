/* tests/train/help.h -- a text to train on, and whether two runs ended alike. */
#ifndef TESTS_TRAIN_HELP_H
#define TESTS_TRAIN_HELP_H

#include "tests/rgt.h"

#include "base/checked.h"
#include "base/philox.h"

#include <retrograd/retrograd.h>
#include <string.h>

/* n characters of V, each twice. */
static inline rg_span text_of(int32_t *text, uint32_t n, uint64_t V)
{
    for (uint32_t i = 0; i < n; i++)
        text[i] = (int32_t)rg_draw_below(3, RG_DOMAIN_USER, 1, i / 2, V);
    return (rg_span){ text, n };
}

/* The same parameters, bit for bit; @p which run it was, for the message. */
static inline void same_weights(rg_params *a, rg_params *b, int which)
{
    RGT_CHECK(rg_params_count(a) == rg_params_count(b));
    for (size_t i = 0; i < rg_params_count(a); i++) {
        rg_param_info p = rg_params_at(a, i), q = rg_params_at(b, i);
        size_t bytes = (size_t)rg_shape_count(p.shape) * rg_dtype_size(p.dtype);
        RGT_CHECK(!strcmp(p.name, q.name) && rg_shape_equal(p.shape, q.shape));
        RGT_CHECK(p.dtype == q.dtype);
        RGT_CHECK_MSG(!memcmp(p.data, q.data, bytes), "run %d: %s differs", which, p.name);
    }
}

#endif
