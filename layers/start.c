/* layers/start.c -- what a state is before the first step where nobody says otherwise. */
#include "layers/cell.h"

/* Down through stacks, zoneout and decoders to the cell that owns the state. */
double rg_cell_start(const rg_cell *cell, size_t k)
{
    while (cell && k < cell->n_state) {
        const rg_cell *inner = rg_stack_layer(cell, 0);
        for (size_t l = 1; inner && k >= inner->n_state; l++) {
            k -= inner->n_state;
            inner = rg_stack_layer(cell, l);
        }
        if (!inner)
            inner = rg_zoned_cell(cell);
        if (!inner && (inner = rg_attending_cell(cell)) && (k-- == 0 || k == inner->n_state))
            return 0; /* what a decoder has around its cell */
        if (!inner)
            return rg_mingru_start(cell);
        cell = inner;
    }
    return 0;
}
