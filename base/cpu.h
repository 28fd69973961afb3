/* base/cpu.h -- which instruction sets this machine has. */
#ifndef RG_BASE_CPU_H
#define RG_BASE_CPU_H

/* Ordered: each includes those before it. */
typedef enum rg_isa { RG_ISA_PORTABLE = 0, RG_ISA_AVX2 = 1, RG_ISA_AVX512 = 2 } rg_isa;

/* The widest that both the machine and the build have. */
rg_isa rg_cpu_isa(void);
const char *rg_isa_text(rg_isa isa);

#endif
