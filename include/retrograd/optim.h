/* retrograd/optim.h -- optimizers: read a plan's gradients, write the store (docs/MATH.md 12). */
#ifndef RETROGRAD_OPTIM_H
#define RETROGRAD_OPTIM_H

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rg_optim rg_optim;

typedef enum rg_optim_kind {
    RG_ADAM = 0, RG_ADAMW, RG_SGD, RG_MOMENTUM, RG_NESTEROV, RG_ADAGRAD, RG_ADADELTA, RG_RMSPROP
} rg_optim_kind;

typedef enum rg_schedule_kind {
    RG_CONSTANT = 0,  /* η */
    RG_STEP_DECAY,    /* η·factor^⌊k/every⌋ */
    RG_COSINE,        /* from η to η·floor over `total` updates, then constant */
    RG_PLATEAU        /* ×factor after `every` calls of rg_optim_feedback without gain */
} rg_schedule_kind;

typedef struct rg_schedule {
    rg_schedule_kind kind;
    uint64_t warmup;         /* updates over which the rate rises from 0; 0 = none */
    uint64_t total, every;
    double   factor, floor;  /* factor 0 = 0.1 */
} rg_schedule;

typedef enum rg_nonfinite {
    RG_SKIP = 0,  /* leave everything as it is and count; RG_ENONFINITE after 10 in a row */
    RG_STOP,      /* RG_ENONFINITE at once */
    RG_PROPAGATE  /* update as computed; for experiments */
} rg_nonfinite;

typedef struct rg_optim_opts {
    rg_optim_kind kind;
    double lr; /* 0 = PyTorch's default; required for sgd, momentum, nesterov */
    double weight_decay;                      /* 0 = none, but for adamw 0.01 */
    bool   no_decay;                          /* adamw without decay */
    double beta1, beta2, eps, momentum, rho;  /* 0 = the kind's default */
    bool   amsgrad, centered;
    double clip_norm;                         /* L2 over all parameters, f64; 0 = none */
    double clip_value;                        /* elementwise, before clip_norm; 0 = none */
    rg_schedule  schedule;
    rg_nonfinite nonfinite;
    rg_alloc alloc;
} rg_optim_opts;

/**
 * An optimizer for the parameters of one store.
 *
 * @param[out] out   the optimizer, or NULL
 * @param params     must outlive it; parameters declared later are met at their first step
 * @param opts       NULL = Adam with PyTorch's defaults
 *
 * Errors     RG_EARG naming field, value and range; RG_ENOMEM. The message is in the store:
 *            rg_params_message().
 */
RG_API rg_status rg_optim_create(rg_optim **out, rg_params *params, const rg_optim_opts *opts);
RG_API void rg_optim_destroy(rg_optim **optim);

/**
 * Update every parameter whose gradient is a root of @p plan: no list of pairs. Several plans
 * (buckets of length) may take turns with one optimizer.
 *
 * Order      mean over accumulated runs, finite test, clip by value, clip by norm, decay, update,
 *            bounds of rg_params_bound()
 * Errors     RG_ESTATE the plan has not run since its last step, or its last run failed; RG_EARG no
 *            gradient roots, another store, or two objectives (set rg_plan_opts.objective);
 *            RG_ENONFINITE as opts.nonfinite says, with the first bad parameter. Message in
 *            rg_plan_message(), so that a training loop has one place to look; parameters and
 *            optimizer state are then bit-identical to before.
 * Threads    writes the store: no plan of it may run meanwhile
 * Cost       one pass over the parameters; allocates at the first meeting of a parameter only
 */
RG_API rg_status rg_optim_step(rg_optim *optim, rg_plan *plan);

typedef struct rg_optim_report {
    uint64_t updates, skipped;  /* since creation */
    bool     applied;           /* the last step changed the parameters */
    double   lr, grad_norm;     /* of the last step; norm before clipping */
} rg_optim_report;

RG_API rg_optim_report rg_optim_facts(const rg_optim *optim);

typedef struct rg_group_opts {
    double lr_factor;     /* times the rate; 0 = 1 */
    double weight_decay;  /* 0 = as the optimizer */
    bool   no_decay;
} rg_group_opts;

/* Other settings for `prefix` and all below `prefix.`; the longest prefix wins. */
RG_API rg_status rg_optim_group(rg_optim *optim, const char *prefix, const rg_group_opts *opts);
/* A rate of your own from the next step on; the schedule's base. */
RG_API rg_status rg_optim_rate(rg_optim *optim, double lr);
/* Validation loss, for RG_PLATEAU. */
RG_API rg_status rg_optim_feedback(rg_optim *optim, double loss);
/* Moments, counters, schedule as a store: save and load it with the parameters. Borrowed. */
RG_API rg_params *rg_optim_state(rg_optim *optim);

#ifdef __cplusplus
}
#endif
#endif
