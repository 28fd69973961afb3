/* kernels/tile_tables.h -- one table of loops per instruction set that was built. */
#ifndef RG_KERNELS_TILE_TABLES_H
#define RG_KERNELS_TILE_TABLES_H

#include "kernels/tile.h"

extern const rg_tile_kernels rg_tile_kernels_portable, rg_tile_kernels_avx2, rg_tile_kernels_avx512;

#endif
