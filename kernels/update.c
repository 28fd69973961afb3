/* kernels/update.c -- the optimizer loops of an instruction set. */
#include "kernels/update.h"

extern const rg_update_kernels rg_update_kernels_portable, rg_update_kernels_avx2,
    rg_update_kernels_avx512;

const rg_update_kernels *rg_update_table(rg_isa isa)
{
#if defined(RG_HAVE_AVX512)
    if (isa >= RG_ISA_AVX512)
        return &rg_update_kernels_avx512;
#endif
#if defined(RG_HAVE_AVX2)
    if (isa >= RG_ISA_AVX2)
        return &rg_update_kernels_avx2;
#endif
    (void)isa;
    return &rg_update_kernels_portable;
}
