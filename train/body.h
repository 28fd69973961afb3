/* train/body.h -- what the character model and the models of tasks have in common: vectors of
 * symbols, layers of cells, what keeps them from learning by heart, initial states. */
#ifndef RG_TRAIN_BODY_H
#define RG_TRAIN_BODY_H

#include <retrograd/io.h>
#include <retrograd/train.h>

enum { RG_BODY_LAYERS = 64 };

/* Fields as in rg_lm_opts. */
typedef struct rg_body {
    rg_cell_fn         *cell;
    const rg_cell_opts *cell_opts;
    int64_t             embed, hidden, layers;
    bool                both;     /* a second cell in each layer reads from the end */
    double              dropout;
    unsigned            kinds;    /* RG_DROP_..., or-ed; 0 = between and output */
    double              zoneout[2];
    rg_start            start;
} rg_body;

/* Why the options are none, or NULL. */
const char *rg_body_fault(const rg_body *b);
/* p if dropout is asked for there, else 0. */
double rg_body_drop(const rg_body *b, unsigned where);
/* How many cells: layers, times two where both directions are read. */
size_t rg_body_count(const rg_body *b);

/* What cells read: rows of the embedding `group.E`, one-hot rows where embed is 0, or with 0
 * symbols x itself; after dropout of whole rows, and of inputs. In the scope of the group. */
rg_val rg_body_read(rg_val x, const char *group, int64_t symbols, const rg_body *b);
/* A cell with dropout inside. */
rg_cell rg_body_cell(rg_graph *g, const char *group, int64_t I, int64_t H, const rg_body *b);
/* Those of all layers, `rnn.l<k>`, each layer's directions `.fwd` and `.bwd` side by side; layer 0
 * reads width I. NULL: poisoned. */
rg_cell *rg_body_cells(rg_graph *g, int64_t I, const rg_body *b);
/* A share for each state of n cells with so many, zoneout[0] for the first of each; NULL: none. */
const double *rg_body_zoneout(rg_graph *g, const rg_body *b, size_t n_state, size_t n);

/* Standard deviation of states drawn at random. */
#define RG_START_SCALE 0.1
/* Initial states of n cells in order: parameters `start.s<k>` where they are learned; where random,
 * N(0, 0.1²) around what the cell says, [B,width], anew every run, or if @p still numbers, one
 * vector for all rows. NULL: as the cell says, or poisoned. */
rg_val *rg_body_start(rg_graph *g, const rg_body *b, const rg_cell *cell, size_t n, int64_t B,
                      bool still);
/* Element i of initial state k as it is drawn for this step. */
double rg_start_draw(uint64_t seed, uint64_t step, size_t k, uint64_t i);

/* ---- For files ------------------------------------------------------------------------------ */

/* What io/ calls a cell of ours; NULL for a user's, which keeps our names. */
const char *rg_cell_kind(rg_cell_fn *cell, const rg_cell_opts *opts);

/* Memory for groups' names. */
typedef struct rg_body_names {
    char group[2 * RG_BODY_LAYERS][16];
} rg_body_names;
/* Layers for saving and loading: recurrent ones and the embedding `embed`. How many. */
size_t rg_body_layers(rg_layer_desc *out, rg_body_names *names, const rg_body *b);

#endif
