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
    RG_READ_MEAN = 1,  /* of the outputs, rg_pool_mean() */
    RG_READ_MAX  = 2,  /* rg_pool_max() */
    RG_READ_ATTENTION = 3  /* rg_pool_attention(), group `read` */
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

/* ---- Rows: what a model learns from and is asked about --------------------------------------- */

/* Sequences and their targets in memory of the caller's, borrowed. Real numbers that are NaN are
 * missing: a step with one is masked, a target that is one does not count. */
typedef struct rg_rows {
    size_t             n;
    const int32_t     *length;  /* [n] steps of each, 0 or more */
    const void *const *x;       /* [n] of int32_t [length], or float [length][features] */
    const void *const *y;       /* [n] of int32_t [1] (classify), [length] (tag), or float [outputs]
                                   (forecast); NULL where nothing is known, only to predict */
} rg_rows;

/**
 * One part of a data set (data.h) as rows, in order of the items: ids as they are, numbers scaled.
 *
 * @param[out] rows  belongs to the data set, whose targets are classes, tags, values (float
 *                   [horizon·width]) or none
 *
 * Errors     RG_EARG target sequences, which are no rows; RG_ENOMEM. Message in the data set
 */
RG_API rg_status rg_dataset_rows(rg_rows *rows, rg_dataset *dataset, rg_part part);

/* ---- Training ------------------------------------------------------------------------------- */

typedef struct rg_task_trainer_opts {
    rg_task_opts  model;
    rg_optim_opts optim;
    int64_t       B;        /* rows of a batch, at least 1 */
    int64_t       grain;    /* lengths are padded to multiples of it; 0 = 8 */
    rg_plan_opts  plan;
} rg_task_trainer_opts;

/**
 * A trainer whose step is a batch of rows of like lengths; an epoch is every row once, shuffled by
 * rg_buckets_create() with the store's seed. Everything else is as with rg_trainer_create(): steps,
 * facts, checkpoints that go on to the same bits.
 *
 * @param rows     with targets, at least one row; must outlive the trainer
 *
 * Errors     RG_EARG options, no rows; RG_EINDEX a symbol or a class out of range, with its row;
 *            else as rg_task_create, rg_plan_create, rg_optim_create. Message in
 *            rg_params_message(params).
 */
RG_API rg_status rg_task_trainer_create(rg_trainer **out, rg_params *params, const rg_rows *rows,
                                        const rg_task_trainer_opts *opts);

/* ---- Predictions ---------------------------------------------------------------------------- */

/* What a model says of one row. */
typedef struct rg_prediction {
    size_t        row;
    int64_t       steps;   /* of z: the row's length for tags, else 1 */
    int64_t       outputs;
    const double *z;       /* [steps][outputs] logits, or values; until the callback returns */
    double        loss;    /* sum over what counts, 0 without targets */
    size_t        count;   /* of what counts */
} rg_prediction;

typedef struct rg_predictor rg_predictor;

typedef struct rg_predictor_opts {
    int64_t      B;      /* rows at once; 0 = 32 */
    int64_t      grain;  /* as the trainer's */
    rg_plan_opts plan;   /* mode is always evaluate */
} rg_predictor_opts;

/* Plans of a model, made as batches need them. Errors as rg_task_create; message in the store. */
RG_API rg_status rg_predictor_create(rg_predictor **out, rg_params *params,
                                     const rg_task_opts *model, const rg_predictor_opts *opts);
RG_API void rg_predictor_destroy(rg_predictor **predictor);
/**
 * Every row once, in order of length: @p take gets what the model says; false ends with RG_EUSER.
 *
 * Errors     RG_EINDEX a symbol or class out of range; as rg_plan_run. Message in
 *            rg_predictor_message().
 */
RG_API rg_status rg_predictor_run(rg_predictor *predictor, const rg_rows *rows,
                                  bool (*take)(void *user, const rg_prediction *said), void *user);
RG_API const char *rg_predictor_message(const rg_predictor *predictor);

/* ---- Scores (docs/MATH.md 11) --------------------------------------------------------------- */

typedef struct rg_class_score {
    double accuracy;   /* share of the diagonal */
    double macro_f1;   /* mean over the classes that occur, in truth or in answers */
} rg_class_score;

/* Of counts [truth][answer], K classes; NaN where nothing was counted. */
RG_API rg_class_score rg_confusion_score(const uint64_t *confusion, size_t K);

#ifdef __cplusplus
}
#endif
#endif
