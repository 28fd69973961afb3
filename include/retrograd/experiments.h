/* retrograd/experiments.h -- the problems on which recurrent cells are compared, and trials of a
 * cell on them (docs/MATH.md 19; settings and figures: docs/EXPERIMENTS.md). `retrograd compare` is
 * a program around it. */
#ifndef RETROGRAD_EXPERIMENTS_H
#define RETROGRAD_EXPERIMENTS_H

#include "layers.h"
#include "optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Problems: sequences with an answer ---------------------------------------------------- */

/* Where one row of a batch is written. */
typedef struct rg_problem_row {
    double  *x;        /* input i of step t: x[t * x_step + i] */
    size_t   x_step;
    double  *number;   /* answer o: number[o]; NULL where answers are classes */
    int32_t *label;    /* answer after step t: label[t * label_step]; one answer: label[0] */
    size_t   label_step;
} rg_problem_row;

/* Rows from this number on are for testing; training never sees them. */
#define RG_TEST_ROWS (UINT64_C(1) << 48)

/* Plain data: one of your own is as good. Row r of a seed is always the same row. */
typedef struct rg_problem rg_problem;
struct rg_problem {
    const char *name;
    int64_t     T, I;         /* steps; inputs of a step */
    int64_t     O;            /* classes, or numbers to predict */
    bool        classes;      /* loss: cross-entropy in nats; else mean square error */
    bool        every_step;   /* an answer after each step; else one after the last */
    int64_t     scored;       /* with every_step: accuracy is of the last so many steps; 0 = all */
    double      blind_loss;   /* of the best guess that does not look at the input */
    double      blind_accuracy;
    uint64_t    train;        /* rows to train on, again and again; 0 = every row is new */
    uint64_t    test;         /* rows to test on */
    void      (*row)(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r);
    const void *data;         /* of row() */
};

/**
 * Adding (Hochreiter & Schmidhuber 1997): each step has a number in [0,1) and a mark; the answer is
 * the sum of the two marked numbers, one in each half. To guess 1 has a mean square error of 1/6.
 *
 * @param T   at least 2; the functions below likewise ask for what is said there, and return an
 *            all-zero problem else
 */
RG_API rg_problem rg_problem_adding(int64_t T);
/* Copy memory: 10 of 8 symbols, T-1 blanks, a sign, 10 blanks, during which the symbols are to be
 * said again: T + 20 steps, an answer after each. T >= 1. Blind: 10·ln 8 / (T+20). */
RG_API rg_problem rg_problem_copy(int64_t T);
/* Temporal order: among four distractors X or Y at a step in [T/10, T/5) and again in [T/2, 3T/5);
 * which two, in which order, of 4 classes? T >= 10. Blind: ln 4. */
RG_API rg_problem rg_problem_order(int64_t T);

/* A data set in memory. */
typedef struct rg_problem_data {
    const double  *x;       /* [n,T,I] */
    const int32_t *label;   /* [n] */
    uint64_t       train;   /* the first so many rows; the rest are for testing */
    uint64_t       n;
} rg_problem_data;

/* Which class is this sequence? @p data and its arrays must outlive the problem. */
RG_API rg_problem rg_problem_series(const char *name, const rg_problem_data *data, int64_t T,
                                    int64_t I, int64_t classes);

/**
 * The batch of a training step, or of the test rows: a function of (problem, seed, step).
 *
 * @param x       [T,B,I]
 * @param number  [B,O]; NULL where answers are classes
 * @param label   [T,B] or, for one answer, [B]; NULL where answers are numbers
 * @param test    rows step·B, step·B + 1, ... of the test rows, from the first again behind the
 *                last; else training rows: of `train` rows all once, shuffled, before any again
 */
RG_API void rg_problem_batch(const rg_problem *p, double *x, double *number, int32_t *label,
                             int64_t B, uint64_t seed, uint64_t step, bool test);

/* ---- Model: cell `rnn` over the input, dense `out` on its output --------------------------- */

typedef struct rg_problem_model {
    rg_cell_fn         *cell;       /* NULL = rg_lstm; yours is as good */
    const rg_cell_opts *cell_opts;
    int64_t             hidden;
} rg_problem_model;

typedef struct rg_problem_graph {
    rg_graph *graph;
    rg_val    x, y;      /* inputs: [T,B,I]; [B,O] real, or RG_INT [T,B] or [B] */
    rg_val    z;         /* outputs before the loss: [B,O] or [T,B,O] */
    rg_val    loss;      /* mean over all answers */
    size_t    n_state;
    rg_val   *states;    /* [T·n_state] as rg_unroll_opts.states */
} rg_problem_graph;

/* Errors in rg_graph_message(out->graph), or rg_params_message(params) if there is no graph. */
RG_API rg_status rg_problem_graph_create(rg_problem_graph *out, rg_params *params,
                                         const rg_problem *p, const rg_problem_model *model,
                                         int64_t B);
RG_API void rg_problem_graph_destroy(rg_problem_graph *graph);

/* How many weights the model has; 0 if it cannot be made. */
RG_API int64_t rg_problem_weights(const rg_problem *p, const rg_problem_model *model);
/* The width with which the model has nearest to @p budget weights; 0 if it cannot be made. */
RG_API int64_t rg_problem_width(const rg_problem *p, const rg_problem_model *model,
                                int64_t budget);

/* ---- Regulariser --------------------------------------------------------------------------- */

/**
 * How far the gradient's length changes from step to step (Pascanu, Mikolov & Bengio 2013), with
 * δₜ = ∂L/∂hₜ of a cell with one state h, per row of the batch:
 *
 *     Ω = mean over rows  Σₜ ( ‖δₜ₊₁ · ∂hₜ₊₁/∂hₜ‖ / ‖δₜ₊₁‖ - 1 )²        where δₜ₊₁ = 0, 0/0 is 0
 *
 * @param L     a scalar; train with L + 4·Ω
 * @param h     [T], as rg_unroll_opts.states: each [B,H]
 * @param W     RG_NONE: Ω itself, whose gradient is one of a gradient through time. The matrix
 *              [H,H] of h' = tanh(x·U + h·W + b): the authors' approximation, whose gradient holds
 *              all constant but the W in ∂hₜ₊₁/∂hₜ
 * Errors       RG_EARG, sticky: fewer than two steps
 */
RG_API rg_val rg_omega(rg_val L, const rg_val *h, int64_t T, rg_val W);

/* ---- Trials: one cell, one problem, one seed ----------------------------------------------- */

typedef struct rg_problem_score {
    double loss;      /* nats per answer, or mean square error */
    double rmse;      /* its root, where answers are numbers; else NaN */
    double accuracy;  /* share of right answers, where they are classes; else NaN */
} rg_problem_score;

/* A point of a trial's curve. */
typedef struct rg_trial_point {
    uint64_t         update;
    double           train_loss;  /* mean since the point before */
    rg_problem_score test;
} rg_trial_point;

typedef enum rg_omega_kind { RG_OMEGA_NONE = 0, RG_OMEGA_EXACT, RG_OMEGA_PAPER } rg_omega_kind;

typedef struct rg_trial_opts {
    rg_problem       problem;
    rg_problem_model model;
    rg_optim_opts optim;
    int64_t       batch;        /* 0 = 64 */
    uint64_t      updates;
    uint64_t      seed;         /* of the data; the store's is that of the weights */
    uint64_t      test_every;   /* updates between points of the curve; 0 = 1/50 of all */
    uint64_t      test_rows;    /* rows for those; 0 = all. The last point is always of all */
    double        enough_loss, enough_accuracy;  /* of a point: the threshold; 0 = none */
    bool          stop_there;   /* end the trial when it is reached */
    double        scale;        /* of gradients, before clipping; 0 = 1 */
    rg_omega_kind omega;        /* adds 4·Ω; paper: for tanh cells whose W is rnn.W */
    rg_plan_opts  plan;
    bool        (*progress)(void *user, uint64_t update); /* after each; false ends with RG_EUSER */
    void         *user;
} rg_trial_opts;

typedef struct rg_trial {
    rg_problem_score score;           /* of all test rows, at the end */
    uint64_t         updates, skipped, clipped;
    bool             nonfinite;       /* ended early: no gradient of the last ten was finite */
    uint64_t         enough_update;   /* 0: the threshold was not reached */
    double           enough_seconds;  /* of training, tests not counted */
    double           seconds;
    double           ms;              /* median of an update */
    double           norm_median, norm_max;  /* of gradients before clipping, finite ones */
    int64_t          weights;
    rg_plan_report   plan;
    rg_trial_point  *point;
    size_t           n_points;
    char             message[512];    /* why it failed */
} rg_trial;

/**
 * Train a model on a problem, testing it now and then.
 *
 * @param[out] out   rg_trial_destroy() frees it; a failed one holds a message only
 * @param params     the weights, new or trained before; afterwards the trained ones
 *
 * Errors     RG_EARG, RG_EUSER stopped, RG_ENOMEM; as rg_plan_create, rg_plan_run, rg_optim_step,
 *            but that gradients which stay NaN or infinite end the trial: see `nonfinite`
 */
RG_API rg_status rg_trial_run(rg_trial *out, rg_params *params, const rg_trial_opts *opts);
RG_API void rg_trial_destroy(rg_trial *trial);

/* Test a trained model on the test rows of a problem, perhaps longer ones than it was trained on;
 * rows 0 = all. Message in rg_params_message(). */
RG_API rg_status rg_problem_test(rg_problem_score *score, rg_params *params, const rg_problem *p,
                                 const rg_problem_model *model, uint64_t seed, uint64_t rows,
                                 const rg_plan_opts *plan);

#ifdef __cplusplus
}
#endif
#endif
