/* kernels/update.c -- the optimizer loops of an instruction set. */
#include "kernels/update.h"

const rg_update_kernels *rg_update_table(rg_isa isa)
{
    return RG_ISA_TABLE(isa, rg_update_kernels);
}
