/* kernels/rows.c -- the row loops of an instruction set; and moving elements, strided, by row
 * number, added by row number. */
#include "kernels/rows.h"

#include <string.h>

const rg_row_kernels *rg_row_table(rg_isa isa)
{
    return RG_ISA_TABLE(isa, rg_row_kernels);
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* In blocks, so that the lines of both sides stay in the first-level cache when one side is walked
 * across its lines. */
enum { BLOCK = 32 };
#define COPY(type)                                                                               \
    static void copy_##type(const rg_copy *p, type *dst, const type *src, int64_t r0, int64_t r1) \
    {                                                                                            \
        for (int64_t r = r0; r < r1; r += BLOCK)                                                 \
            for (int64_t c = 0; c < p->cols; c += BLOCK) {                                       \
                const int64_t r_end = smaller(r + BLOCK, r1), c_end = smaller(c + BLOCK, p->cols); \
                for (int64_t i = r; i < r_end; i++)                                              \
                    for (int64_t j = c; j < c_end; j++)                                          \
                        dst[i * p->dst_row + j * p->dst_col] =                                   \
                            src[i * p->src_row + j * p->src_col];                                \
            }                                                                                    \
    }
COPY(uint8_t)
COPY(uint32_t)
COPY(uint64_t)

void rg_copy_rows(const rg_copy *p, void *dst, const void *src, int64_t r0, int64_t r1)
{
    if (p->cols <= 0)
        return;
    if (p->dst_col == 1 && p->src_col == 1) {
        for (int64_t r = r0; r < r1; r++)
            memcpy((char *)dst + r * p->dst_row * (int64_t)p->item,
                   (const char *)src + r * p->src_row * (int64_t)p->item,
                   (size_t)p->cols * p->item);
    } else if (p->item == 1) {
        copy_uint8_t(p, dst, src, r0, r1);
    } else if (p->item == 4) {
        copy_uint32_t(p, dst, src, r0, r1);
    } else {
        copy_uint64_t(p, dst, src, r0, r1);
    }
}

void rg_gather_rows(void *dst, const void *table, const int32_t *row, size_t bytes, int64_t i0,
                    int64_t i1)
{
    if (bytes == 0)
        return;
    for (int64_t i = i0; i < i1; i++)
        memcpy((char *)dst + (size_t)i * bytes, (const char *)table + (size_t)row[i] * bytes,
               bytes);
}

void rg_scatter_add_rows(rg_dtype real, void *y, const void *x, const int32_t *row, int64_t n,
                         int64_t cols, int64_t c0, int64_t c1)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t to = (int64_t)row[i] * cols, from = i * cols;
        if (real == RG_F32)
            for (int64_t c = c0; c < c1; c++)
                ((float *)y)[to + c] += ((const float *)x)[from + c];
        else
            for (int64_t c = c0; c < c1; c++)
                ((double *)y)[to + c] += ((const double *)x)[from + c];
    }
}
