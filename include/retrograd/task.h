/* retrograd/task.h -- models of sequences from a description: one label for a sequence, one for
 * each step, the next values of a series, another sequence. Optional part of the library, around
 * layers.h; `retrograd train --task` is a program around it.
 *
 * T steps, B rows, I features, H width of a state, O outputs. What final states, masks and
 * reductions mean: docs/MATH.md 5, 8, 10. */
#ifndef RETROGRAD_TASK_H
#define RETROGRAD_TASK_H

#include "decode.h"
#include "train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The model ------------------------------------------------------------------------------ */

typedef enum rg_task_kind {
    RG_CLASSIFY = 0,  /* a class per sequence: softmax over O classes, y [B] */
    RG_TAG      = 1,  /* a class per step: softmax over O tags, y [T,B] */
    RG_FORECAST = 2,  /* O real numbers per sequence: squared error, y [B,O] */
    RG_SEQ2SEQ  = 3   /* another sequence, its end among its symbols: softmax over O symbols at each
                         of its steps, y [T,B]; T counts the steps of the longer of the two */
} rg_task_kind;

/* What of a sequence's states a classifier and a forecast read, [B,D]. */
typedef enum rg_readout {
    RG_READ_LAST = 0,  /* each row's state after its last real step; bidirectional [fwd ; bwd] */
    RG_READ_MEAN = 1,  /* of the outputs, rg_pool_mean() */
    RG_READ_MAX  = 2,  /* rg_pool_max() */
    RG_READ_ATTENTION = 3  /* rg_pool_attention(), group `read` */
} rg_readout;

/* What a decoder asks of the encoder's outputs at every step (attention.h). */
typedef enum rg_attending {
    RG_ATTEND_ADDITIVE = 0,                             /* rg_bahdanau() */
    RG_ATTEND_DOT, RG_ATTEND_GENERAL, RG_ATTEND_CONCAT, /* rg_luong() with this score */
    RG_ATTEND_NONE                                      /* nothing: it has its first state only */
} rg_attending;

/* Cells `rnn.l0`, `rnn.l1`, ... (bidirectional: `rnn.l0.fwd`, `rnn.l0.bwd`, ..., each layer reading
 * [fwd ; bwd] of the one below), embedding `embed`, dense `out`. A decoder is the cell `dec` (with
 * `att`, `luong`) over an embedding `target` or one-hot, and starts from the topmost layer's states
 * through the bridge `bridge`. Dropout and zoneout are of its cell and its inputs as well; of
 * Luong's attention, logits have no bias. docs/MATH.md 8.3. */
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
    rg_readout          readout;    /* not for tags, nor seq2seq */
    double              dropout;
    unsigned            dropout_kinds; /* where: RG_DROP_..., or-ed; 0 = between and output */
    double              zoneout[2]; /* of each cell's first state, and of its others */
    rg_start            start;      /* of every row; nothing is carried from one to another, so
                                       RG_START_CARRIED is RG_START_ZERO. A predictor takes one
                                       random vector for all rows, always the same */
    int64_t             back;       /* tag, forecast: steps that a loss is propagated back through,
                                       as rg_unroll_opts.back cuts; 0 = all */
    /* seq2seq: */
    rg_attending        attention;
    int64_t             decoder;    /* width of its state; 0 = hidden */
    bool                no_bridge;  /* states are handed over as they are, which must fit */
    double              scheduled;  /* share of what it reads in training that it said itself, not
                                       the truth: rg_scheduled_sampling(); [0, 1) */
    int32_t             begin, end; /* what the decoder reads first; what ends a sequence */
} rg_task_opts;

/* One graph of the model: T steps, B rows. Free it with rg_task_destroy. */
typedef struct rg_task_model {
    rg_graph *graph;
    rg_val    x;       /* [T,B] RG_INT, or [T,B,I] */
    rg_val    mask;    /* [T,B] RG_BOOL: 1 = real step */
    rg_val    y;       /* classify [B], tag, seq2seq [T,B] RG_INT; forecast [B,O] */
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
    const void *const *y;       /* [n] of int32_t [1] (classify), [length] (tag), [y_length]
                                   (seq2seq: the last is the end), or float [outputs] (forecast);
                                   NULL where nothing is known, only to predict */
    const int32_t     *y_length;  /* [n], seq2seq only: at least 1 */
} rg_rows;

/**
 * One part of a data set (data.h) as rows, in order of the items: ids as they are, numbers scaled.
 *
 * @param[out] rows  belongs to the data set; values are float [horizon·width]
 *
 * Errors     RG_EARG no data set, or no part of one; RG_ENOMEM. Message in the data set
 */
RG_API rg_status rg_dataset_rows(rg_rows *rows, rg_dataset *dataset, rg_part part);

/* ---- Training ------------------------------------------------------------------------------- */

typedef struct rg_task_trainer_opts {
    rg_task_opts  model;
    rg_optim_opts optim;
    int64_t       B;        /* rows of a batch, at least 1 */
    int64_t       grain;    /* lengths are padded to multiples of it; 0 = 8 */
    rg_plan_opts  plan;
    uint64_t      gradflow_every; /* as rg_trainer_opts has it; a second plan for each shape */
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
    /* seq2seq: z is NULL, steps are those of the target, if there is one */
    const rg_hypothesis *best;  /* [width], the best first (decode.h) */
    int64_t       width;
    int64_t       weights;      /* columns of best[k].weights: padded steps; 0 = none */
} rg_prediction;

typedef struct rg_predictor rg_predictor;

typedef struct rg_predictor_opts {
    int64_t      B;      /* rows at once; 0 = 32 */
    int64_t      grain;  /* as the trainer's */
    int64_t      width;  /* seq2seq: of the beam; 0 = 1, greedy */
    double       length_penalty;  /* a of rg_decode_opts.length */
    int64_t      most;   /* symbols of an answer at most; 0 = 16 and twice the input's steps */
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

#ifdef __cplusplus
}
#endif
#endif
