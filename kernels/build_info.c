/* kernels/build_info.c -- what this library is made of, and what it found here. */
#include <retrograd/base.h>

#include "base/cpu.h"
#include "kernels/gemm.h"
#include "kernels/team.h"

#define TEXT(x)   TEXT_(x)
#define TEXT_(x)  #x
#define VERSION   TEXT(RG_VERSION_MAJOR) "." TEXT(RG_VERSION_MINOR) "." TEXT(RG_VERSION_PATCH)
#if defined(__clang__)
#define COMPILER  __VERSION__
#else
#define COMPILER  "GCC " __VERSION__
#endif

rg_build rg_build_info(void)
{
    return (rg_build){ .version = VERSION, .compiler = COMPILER ", " RG_BUILD_FLAGS,
                       .isa = rg_isa_text(rg_cpu_isa()), .blas_config = rg_blas_config(),
                       .blas_core = rg_blas_core(), .blas_threading = rg_blas_threading(),
                       .max_threads = rg_team_max() };
}
