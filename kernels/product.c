/* kernels/product.c -- packing, and the product kernels of an instruction set. */
#include "kernels/product.h"

#include <string.h>

const rg_product_kernels *rg_product_table(rg_isa isa)
{
    return RG_ISA_TABLE(isa, rg_product);
}

int64_t rg_product_room(const rg_product_kernels *kernels, const rg_product *p)
{
    return p->b_k ? kernels->room_b + (p->a_row == 1 ? kernels->room_a : 0) : 0;
}

int64_t rg_product_packed(const rg_product_kernels *kernels, int64_t k, int64_t n)
{
    return (n + kernels->panel - 1) / kernels->panel * kernels->panel * k;
}

/* Four rows of B that lie across, transposed. */
typedef float four __attribute__((vector_size(16)));
typedef float four_u __attribute__((vector_size(16), aligned(1), may_alias));

static void transpose(float *out, const float *b, int64_t b_n, int64_t panel)
{
    const four r0 = *(const four_u *)b, r1 = *(const four_u *)(b + b_n);
    const four r2 = *(const four_u *)(b + 2 * b_n), r3 = *(const four_u *)(b + 3 * b_n);
    const four a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
    const four c = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    const four d = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    const four e = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    *(four_u *)out = __builtin_shufflevector(a, d, 0, 1, 4, 5);
    *(four_u *)(out + panel) = __builtin_shufflevector(a, d, 2, 3, 6, 7);
    *(four_u *)(out + 2 * panel) = __builtin_shufflevector(c, e, 0, 1, 4, 5);
    *(four_u *)(out + 3 * panel) = __builtin_shufflevector(c, e, 2, 3, 6, 7);
}

/* Rows of a panel, `panel` apart, of which `width` columns are filled. */
static void pack_panel(float *out, const float *b, int64_t rows, int64_t b_k, int64_t b_n,
                       int64_t width, int64_t panel)
{
    enum { BLOCK = 16 }; /* of k, so that lines of a transposed B are used while they are near */
    for (int64_t k0 = 0; k0 < rows; k0 += BLOCK) {
        const int64_t k1 = k0 + BLOCK < rows ? k0 + BLOCK : rows;
        int64_t j = 0;
        for (int64_t i = k0; i < k1 && b_n == 1; i++)
            memcpy(out + i * panel, b + i * b_k, (size_t)width * sizeof *out);
        for (; j + 4 <= width && k1 - k0 == BLOCK && b_k == 1 && b_n != 1; j += 4)
            for (int64_t i = k0; i < k1; i += 4)
                transpose(out + i * panel + j, b + i + j * b_n, b_n, panel);
        for (; j < width && b_n != 1; j++)
            for (int64_t i = k0; i < k1; i++)
                out[i * panel + j] = b[i * b_k + j * b_n];
    }
}

void rg_product_pack(const rg_product_kernels *kernels, const rg_pack *part, float *out,
                     const float *b, int64_t c0, int64_t c1)
{
    const int64_t panel = kernels->panel, begin = part->n0, end = part->n0 + part->cols;
    for (int64_t at = c0; at < c1 && at < end; at += panel) {
        const int64_t left = at > begin ? at : begin;
        const int64_t right = at + panel < end ? at + panel : end;
        float *to = out + at * part->k + part->k0 * panel;
        if (left >= right)
            continue;
        pack_panel(to + left - at, b + (left - begin) * part->b_n, part->rows, part->b_k, part->b_n,
                   right - left, panel);
        /* zeros beyond the last column */
        for (int64_t i = 0; i < part->rows && right == part->n && right < at + panel; i++)
            memset(to + i * panel + right - at, 0, (size_t)(at + panel - right) * sizeof *out);
    }
}
