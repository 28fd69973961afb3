/* base/cpu.c -- CPU features, asked without any x86 header. */
#include "base/cpu.h"

rg_isa rg_cpu_isa(void)
{
#if defined(RG_HAVE_AVX512)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return RG_ISA_AVX512;
#endif
#if defined(RG_HAVE_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return RG_ISA_AVX2;
#endif
    return RG_ISA_PORTABLE;
}

const char *rg_isa_text(rg_isa isa)
{
    return isa == RG_ISA_AVX512 ? "avx512" : isa == RG_ISA_AVX2 ? "avx2" : "portable";
}
