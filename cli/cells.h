/* cli/cells.h -- the built-in cells by name, in the order of --cell's choices. */
#ifndef RG_CLI_CELLS_H
#define RG_CLI_CELLS_H

#include "cli/cli.h"

typedef struct cell_row {
    const char   *name;
    rg_cell_fn   *make;
    rg_cell_opts  opts;
    const char   *source;
} cell_row;

extern const cell_row cells[];
extern const size_t   n_cells;
/* "|rnn|gru|...": the choices, with a bar before each. */
extern const char     cell_choices[];
/* Index, or -1. */
int cell_index(const char *name);

/* What the cell is made with: its row's options and, if it has one, a projection so wide; 0 is half
 * of the state. */
rg_cell_opts cell_opts(int cell, int64_t proj, int64_t hidden);
/* The same with what the settings say of training it. */
rg_cell_opts cell_trained(const settings *s);
/* rg_lstm() projected to half of its state, for who looks for a state's width. */
rg_cell cell_half_projected(rg_graph *graph, const char *group, int64_t I, int64_t H,
                            const rg_cell_opts *opts);
/* The settings' cell in --layers layers, at most MAX_STACK: groups l0, l1, ..., each reading the
 * one below. */
enum { MAX_STACK = 8 };
rg_cell cell_stack(const settings *s, rg_graph *graph, const rg_cell_opts *opts);
/* Is --proj or --bound-lag given for a cell that has no use for it? DONE or said why. */
int cell_settings_ok(const settings *s);

/* How many states a layer has; 0: no memory. */
size_t cell_states(int cell);
/* A number that depends on a cell's widths: a·I·H + b·H² + c·P·H + d·I + e·H + f. */
typedef struct cell_size { double IH, HH, PH, I, H, one; } cell_size;
/* Of its weights; of the operations of a step of one row. false: no memory. */
bool cell_weights(cell_size *out, int cell);
bool cell_flop(cell_size *out, int cell);
double cell_size_at(const cell_size *n, double I, double H, double P);
/* "8·I·H + 8·H² + 13·H". */
const char *cell_size_text(char *out, size_t size, const cell_size *n);

#endif
