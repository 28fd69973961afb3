/* retrograd/task.h -- models of sequences from a description: one label for a sequence, one for
 * each step, the next values of a series. Optional part of the library, around layers.h;
 * `retrograd train --task` is a program around it.
 *
 * T steps, B rows, I features, H width of a state, O outputs. What final states, masks and
 * reductions mean: docs/MATH.md 5, 8, 10. */
#ifndef RETROGRAD_TASK_H
#define RETROGRAD_TASK_H

#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The model ------------------------------------------------------------------------------ */

typedef enum rg_task_kind {
    RG_CLASSIFY = 0,  /* a class per sequence: softmax over O classes, y [B] */
    RG_TAG      = 1,  /* a class per step: softmax over O tags, y [T,B] */
    RG_FORECAST = 2   /* O real numbers per sequence: squared error, y [B,O] */
} rg_task_kind;

/* What of a sequence's states a classifier and a forecast read, [B,D]. */
typedef enum rg_readout {
    RG_READ_LAST = 0,  /* each row's state after its last real step; bidirectional [fwd ; bwd] */
    RG_READ_MEAN = 1,  /* mean of the outputs over real steps; 0 where there are none */
    RG_READ_MAX  = 2   /* their maximum, unit by unit; 0 where there are none */
} rg_readout;

/* Cells `rnn.l0`, `rnn.l1`, ... (bidirectional: `rnn.l0.fwd`, `rnn.l0.bwd`, ..., each layer reading
 * [fwd ; bwd] of the one below), embedding `embed`, dense `out`. Dropout between the layers and
 * before `out`. */
typedef struct rg_task_opts {
    rg_task_kind        task;
    rg_cell_fn         *cell;       /* NULL = rg_lstm; yours is as good */
    const rg_cell_opts *cell_opts;
    int64_t             symbols;    /* V: inputs are ids below it; 0 = real features */
    int64_t             features;   /* I; only with symbols = 0 */
    int64_t             embed;      /* width of the symbols' embedding `embed.E`; 0 = one-hot */
    int64_t             outputs;    /* O */
    int64_t             hidden;
    int64_t             layers;     /* 0 = 1 */
    bool                bidirectional;
    rg_readout          readout;    /* not for tags */
    double              dropout;
} rg_task_opts;

/* One graph of the model: T steps, B rows. Free it with rg_task_destroy. */
typedef struct rg_task_model {
    rg_graph *graph;
    rg_val    x;       /* [T,B] RG_INT, or [T,B,I] */
    rg_val    mask;    /* [T,B] RG_BOOL: 1 = real step */
    rg_val    y;       /* classify [B], tag [T,B] RG_INT; forecast [B,O] */
    rg_val    counts;  /* RG_BOOL, of the shape of y: 1 = counts in the loss */
    rg_val    z;       /* logits, or values: y's shape and O; forecast [B,O] */
    rg_val    each;    /* loss of each position, of the shape of y: nats, or squared error */
    rg_val    loss;    /* their mean over what counts; 0 where nothing does */
} rg_task_model;

/**
 * Build the graph of a task's model for T steps and B rows; weights are shared by name, so graphs
 * of other lengths are the same model.
 *
 * Masked steps change no bit of anything: padding may hold NaN (docs/MATH.md 5.3).
 *
 * Errors     RG_EARG an option out of range, named; in rg_params_message(params). Else in
 *            rg_graph_message(model->graph).
 */
RG_API rg_status rg_task_create(rg_task_model *model, rg_params *params, const rg_task_opts *opts,
                                int64_t T, int64_t B);
RG_API void rg_task_destroy(rg_task_model *model);

#ifdef __cplusplus
}
#endif
#endif
