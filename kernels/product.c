/* kernels/product.c -- packing, and the product kernels of an instruction set. */
#include "kernels/product.h"

#include <string.h>

extern const rg_product_kernels rg_product_portable, rg_product_avx2, rg_product_avx512;

const rg_product_kernels *rg_product_table(rg_isa isa)
{
#if defined(RG_HAVE_AVX512)
    if (isa >= RG_ISA_AVX512)
        return &rg_product_avx512;
#endif
#if defined(RG_HAVE_AVX2)
    if (isa >= RG_ISA_AVX2)
        return &rg_product_avx2;
#endif
    (void)isa;
    return &rg_product_portable;
}

int64_t rg_product_packed(const rg_product_kernels *kernels, int64_t k, int64_t n)
{
    return (n + kernels->panel - 1) / kernels->panel * kernels->panel * k;
}

/* One panel: `width` columns of B, `panel` apart per k, zeros beyond the last. */
static void pack_panel(float *out, const float *b, int64_t k, int64_t b_k, int64_t b_n,
                       int64_t width, int64_t panel)
{
    enum { BLOCK = 16 }; /* of k, so that lines of a transposed B are used while they are near */
    for (int64_t k0 = 0; k0 < k; k0 += BLOCK) {
        const int64_t k1 = k0 + BLOCK < k ? k0 + BLOCK : k;
        if (b_n == 1) {
            for (int64_t i = k0; i < k1; i++)
                memcpy(out + i * panel, b + i * b_k, (size_t)width * sizeof *out);
        } else {
            for (int64_t j = 0; j < width; j++)
                for (int64_t i = k0; i < k1; i++)
                    out[i * panel + j] = b[i * b_k + j * b_n];
        }
        for (int64_t i = k0; i < k1 && width < panel; i++)
            memset(out + i * panel + width, 0, (size_t)(panel - width) * sizeof *out);
    }
}

void rg_product_pack(const rg_product_kernels *kernels, float *out, const float *b, int64_t k,
                     int64_t n, int64_t b_k, int64_t b_n, int64_t n0, int64_t n1)
{
    const int64_t panel = kernels->panel;
    for (int64_t at = n0; at < n1; at += panel)
        pack_panel(out + at * k, b + at * b_n, k, b_k, b_n, n - at < panel ? n - at : panel, panel);
}
