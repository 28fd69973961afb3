/* kernels/row_tables.h -- one table of row loops per instruction set that was built. */
#ifndef RG_KERNELS_ROW_TABLES_H
#define RG_KERNELS_ROW_TABLES_H

#include "kernels/rows.h"

extern const rg_row_kernels rg_row_kernels_portable, rg_row_kernels_avx2, rg_row_kernels_avx512;

#endif
