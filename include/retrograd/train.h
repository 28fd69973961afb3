/* retrograd/train.h -- models of a text, by characters, bytes or words, which are ids all the same
 * and called characters here: count models to compare with, the model, its training, evaluation,
 * sampling. Optional part of the library; `retrograd train` is a program around it. */
#ifndef RETROGRAD_TRAIN_H
#define RETROGRAD_TRAIN_H

#include "data.h"
#include "gradflow.h"
#include "layers.h"
#include "optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Count models: what a model has to beat ------------------------------------------------ */

/**
 * Bits per character of p(x|c) = (n(cx) + 0.01) / (n(c) + 0.01·V), c being the order-1 characters
 * before x, counted on one text and tried on others.
 *
 * @param[out] bpc  [n][orders]: bpc[i·orders + k-1] is order k on test[i]; NaN for an empty one
 * @param orders    1 to 8; order 1 is the unigram
 * @param train     ids below V
 *
 * Memory     by the tested characters, not by the trained ones: only strings that occur in a test
 *            are counted. Of each test the first 2^20 characters are tried.
 * Errors     RG_EARG, RG_ENOMEM
 */
RG_API rg_status rg_count_models(double *bpc, int orders, size_t V, rg_span train,
                                 const rg_span *test, size_t n);

/* ---- Model --------------------------------------------------------------------------------- */

/* What dropout is applied to: docs/MATH.md 9. */
enum {
    RG_DROP_BETWEEN = 1, RG_DROP_INPUT = 2, RG_DROP_RECURRENT = 4, RG_DROP_CANDIDATE = 8,
    RG_DROP_WEIGHT = 16, RG_DROP_EMBEDDING = 32, RG_DROP_OUTPUT = 64, RG_DROP_ALL = 127
};

/* What a window of training starts with. Evaluation and sampling start so, and then carry on. */
typedef enum rg_start {
    RG_START_CARRIED = 0,  /* the states that the window before it left; at the beginning
                               rg_cell_start(), which is 0 but for one cell */
    RG_START_ZERO,         /* rg_cell_start() */
    RG_START_LEARNED,      /* parameters `start.s0`, `start.s1`, ..., at first the same */
    RG_START_RANDOM        /* N(that, 0.1²), drawn anew for every window and row */
} rg_start;

/* Characters in, logits of the next one out: embedding or one-hot (groups `embed`), cells `rnn.l0`,
 * `rnn.l1`, ..., dense `out`. Dropout between the layers and before `out`. */
typedef struct rg_lm_opts {
    rg_cell_fn         *cell;      /* NULL = rg_lstm; yours is as good */
    const rg_cell_opts *cell_opts;
    int64_t             V, hidden;
    int64_t             embed;     /* width of the embedding; 0 = one-hot */
    int64_t             layers;    /* 0 = 1 */
    double              dropout;
    unsigned            dropout_kinds; /* where: RG_DROP_..., or-ed; 0 = between and output */
    double              zoneout[2];    /* of each layer's first state, and of its others */
    rg_start            start;
} rg_lm_opts;

/* One graph of the model: T steps, B rows. Free it with rg_lm_destroy. */
typedef struct rg_lm {
    rg_graph *graph;
    rg_val    x, y;           /* [T,B] RG_INT: the characters, and those that follow */
    rg_val    z;              /* [T,B,V] logits */
    rg_val    nats;           /* [T,B] -ln p(y) */
    rg_val    loss;           /* their mean */
    size_t    n_state;
    rg_val   *first, *last;   /* states before and after, for rg_plan_carry(plan, last, first, n);
                                 with a learned start nothing reads `first` */
    rg_val    mask;           /* of a trainer that goes further back than its window, else none */
    const double *start;      /* [n_state] what they begin with: rg_cell_start() */
} rg_lm;

/* Errors in rg_graph_message(lm->graph), or rg_params_message(params) if there is no graph. */
RG_API rg_status rg_lm_create(rg_lm *lm, rg_params *params, const rg_lm_opts *opts,
                              int64_t T, int64_t B);
RG_API void rg_lm_destroy(rg_lm *lm);

/* ---- Training: truncated back-propagation with carried state ------------------------------- */

typedef struct rg_trainer rg_trainer;

typedef struct rg_trainer_opts {
    rg_lm_opts    model;
    rg_optim_opts optim;
    int64_t       T, B;     /* steps of a window; rows, each its own stretch of the text */
    int64_t       back;     /* steps of back-propagation, at least T: every window goes back through
                               the last of them, with the losses of its own. 0 = T */
    rg_plan_opts  plan;
    uint64_t      gradflow_every; /* look at the gradient's course in every so many steps: see
                                     rg_trainer_sampled(). Takes a second plan and changes no bit.
                                     0 = never */
} rg_trainer_opts;

/**
 * Row b reads characters b·L, b·L+1, ... of the text, L = (n-1)/B, in windows of T; a window starts
 * with the states that the one before it left (or as opts->model.start says). After the L/T windows
 * of an epoch all rows start again. With back > T a window begins back - T steps earlier, with the
 * states of there, and has no losses on these steps (docs/MATH.md 16).
 *
 * @param params   the model's store; must outlive the trainer
 * @param text     borrowed; n must be at least B·T + 1
 *
 * Errors     RG_ELIMIT the text is shorter than one window; else as rg_lm_create, rg_plan_create,
 *            rg_optim_create. Message in rg_params_message(params).
 */
RG_API rg_status rg_trainer_create(rg_trainer **out, rg_params *params, rg_span text,
                                   const rg_trainer_opts *opts);
RG_API void rg_trainer_destroy(rg_trainer **trainer);

/* One window: run and update. RG_OK also where a non-finite update was skipped (facts.optim says
 * so): the states then start again from zero. Else as rg_plan_run and rg_optim_step. */
RG_API rg_status rg_trainer_step(rg_trainer *trainer);
RG_API const char *rg_trainer_message(const rg_trainer *trainer);

typedef struct rg_trainer_report {
    uint64_t        step;     /* windows so far */
    uint64_t        windows;  /* of an epoch */
    double          loss;     /* nats per character of the last window */
    rg_optim_report optim;
    rg_plan_report  plan;
    int64_t         T, B;     /* of the last batch; before the first step of the longest */
} rg_trainer_report;

RG_API rg_trainer_report rg_trainer_facts(const rg_trainer *trainer);
RG_API rg_plan *rg_trainer_plan(rg_trainer *trainer);    /* borrowed */
RG_API rg_optim *rg_trainer_optim(rg_trainer *trainer);  /* borrowed */

/* Everything that goes on: weights, optimizer, carried states, position; meta pairs as in
 * rg_save_opts. The same state gives the same bytes. As rg_params_save. */
RG_API rg_status rg_trainer_save(rg_trainer *trainer, const char *path, const rg_text_pair *meta,
                                 size_t n);
/* Go on where a saved trainer of the same options stopped, bit for bit. As rg_params_load;
 * opts->partial is not heeded. */
RG_API rg_status rg_trainer_load(rg_trainer *trainer, const char *path, const rg_load_opts *opts);

/* ---- What the gradient does ---------------------------------------------------------------- */

/* Follow the gradient back through the batch of the last step (before it: of the first), with the
 * weights of now. As rg_gradflow(), whose costs it has; opts->data is not heeded. */
RG_API rg_status rg_trainer_gradflow(rg_gradflow_report **report, rg_trainer *trainer,
                                     const rg_gradflow_opts *opts);
/* What the last step saw, where opts.gradflow_every sampled it: probe `loss`. RG_ESTATE else. */
RG_API rg_status rg_trainer_sampled(rg_gradflow_report **report, rg_trainer *trainer);
/* Name the first NaN or infinity of the last step. As rg_find_nonfinite(). */
RG_API rg_status rg_trainer_nonfinite(rg_nonfinite_place *out, rg_trainer *trainer);

/* ---- Evaluation ---------------------------------------------------------------------------- */

typedef struct rg_lm_score {
    double nats;           /* sum of -ln p over the characters after each row's first */
    size_t count;          /* of them */
    char   message[512];
} rg_lm_score;

typedef struct rg_lm_score_opts {
    size_t       rows;     /* 0 = 1: the text as one stream. More are faster, each starting from
                              zero states */
    size_t       limit;    /* 0 = all; else about so many characters, the first of every row */
    bool       (*stop)(void *user);  /* asked between windows: true ends with RG_EUSER */
    void        *user;
    rg_plan_opts plan;     /* mode is always evaluate; one row runs on one thread */
} rg_lm_score_opts;

/* How well the model predicts a text, states carried from its first character to its last. Every
 * character is scored once. Errors as rg_lm_create and rg_plan_run; message in the score. */
RG_API rg_status rg_lm_evaluate(rg_lm_score *score, rg_params *params, const rg_lm_opts *model,
                                rg_span text, const rg_lm_score_opts *opts);

/* ---- Sampling ------------------------------------------------------------------------------ */

typedef struct rg_sampler rg_sampler;

typedef struct rg_sampler_opts {
    double        temperature;  /* divides the logits; 0 = always the likeliest */
    int64_t       top_k;        /* draw among the k likeliest; 0 = all */
    rg_span       prime;        /* read first; empty = character 0 of the vocabulary */
    rg_span       never;        /* these are not drawn: the others share their probability */
    uint64_t      seed;         /* of the draws */
    rg_plan_opts  plan;         /* mode is always evaluate, threads always 1 */
} rg_sampler_opts;

/* Errors     RG_EARG temperature negative or NaN, top_k negative, `never` has what is no symbol, or
 *            leaves none; else as rg_lm_create. Message in rg_params_message(params). */
RG_API rg_status rg_sampler_create(rg_sampler **out, rg_params *params, const rg_lm_opts *model,
                                   const rg_sampler_opts *opts);
RG_API void rg_sampler_destroy(rg_sampler **sampler);
/* The next character: drawn from softmax(z/temperature) by one uniform number, in order of the
 * vocabulary; then read. RG_ENONFINITE where the logits are not numbers. */
RG_API rg_status rg_sampler_next(int32_t *id, rg_sampler *sampler);
/* Probability of each symbol to come next, [V], after temperature, top_k and never; nothing is
 * drawn. */
RG_API rg_status rg_sampler_chances(double *p, rg_sampler *sampler);
/* Begin anew, with another prime; the draws go on. RG_EINDEX: it has what is no symbol. */
RG_API rg_status rg_sampler_begin(rg_sampler *sampler, rg_span prime);
RG_API const char *rg_sampler_message(const rg_sampler *sampler);

#ifdef __cplusplus
}
#endif
#endif
