/* tests/kernels/tile_status.h -- what compiling a tile program says. */
#ifndef RG_TESTS_KERNELS_TILE_STATUS_H
#define RG_TESTS_KERNELS_TILE_STATUS_H

#include "tests/rgt.h"

#include "kernels/tile.h"

/* A program and no message if RG_OK, else a message and no program. */
static inline rg_status tile_status(const rg_tile_source *s)
{
    rg_alloc libc;
    rg_arena arena;
    rg_err err = { 0 };
    rg_tile_program *program;
    (void)rg_alloc_resolve(&libc, NULL);
    rg_arena_init(&arena, &libc);
    rg_status status = rg_tile_compile(&program, s, rg_tile_table(rg_cpu_isa()), &arena, &err);
    RGT_CHECK((status == RG_OK) == (program != NULL) && (status == RG_OK) == (err.text[0] == 0));
    rg_arena_free(&arena);
    return status;
}

#endif
