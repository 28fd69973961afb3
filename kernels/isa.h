/* kernels/isa.h -- tables of loops, one per instruction set: their names, and which one to use.
 *
 * Sources of loops are compiled once per set, with RG_SIMD_AVX512, RG_SIMD_AVX2 or RG_SIMD_PORTABLE
 * defined; the others know by RG_HAVE_AVX512 and RG_HAVE_AVX2 which sets were built. */
#ifndef RG_KERNELS_ISA_H
#define RG_KERNELS_ISA_H

#include "base/cpu.h"

/* In a source of loops: the set that it is compiled for. */
#if defined(RG_SIMD_AVX512)
#define RG_SIMD_NAME(stem) stem##_avx512
#define RG_SIMD_ISA RG_ISA_AVX512
#elif defined(RG_SIMD_AVX2)
#define RG_SIMD_NAME(stem) stem##_avx2
#define RG_SIMD_ISA RG_ISA_AVX2
#else
#define RG_SIMD_NAME(stem) stem##_portable
#define RG_SIMD_ISA RG_ISA_PORTABLE
#endif

/* Declares the tables of a kind; only those of the sets that were built exist. */
#define RG_ISA_TABLES(type, stem) extern const type stem##_portable, stem##_avx2, stem##_avx512

/* The table for a set; that for the next narrower one where the build has it not. */
#define RG_ISA_TABLE(isa, stem)                                                                  \
    ((void)(isa), RG_ISA_IF_AVX512(isa, stem) RG_ISA_IF_AVX2(isa, stem) &stem##_portable)
#if defined(RG_HAVE_AVX512)
#define RG_ISA_IF_AVX512(isa, stem) (isa) >= RG_ISA_AVX512 ? &stem##_avx512 :
#else
#define RG_ISA_IF_AVX512(isa, stem)
#endif
#if defined(RG_HAVE_AVX2)
#define RG_ISA_IF_AVX2(isa, stem) (isa) >= RG_ISA_AVX2 ? &stem##_avx2 :
#else
#define RG_ISA_IF_AVX2(isa, stem)
#endif

#endif
