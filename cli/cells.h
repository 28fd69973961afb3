/* cli/cells.h -- the built-in cells by name, in the order of --cell's choices. */
#ifndef RG_CLI_CELLS_H
#define RG_CLI_CELLS_H

#include "cli/cli.h"

typedef struct cell_row {
    const char   *name;
    rg_cell_fn   *make;
    rg_cell_opts  opts;
    const char   *equations;  /* lines */
    const char   *source;
} cell_row;

extern const cell_row cells[];
extern const size_t   n_cells;
/* Index, or -1. */
int cell_index(const char *name);

#endif
