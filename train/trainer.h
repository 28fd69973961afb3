/* train/trainer.h -- what all trainers are: one loop of run, update, count; where the numbers of a
 * step come from is a matter of its kind. */
#ifndef RG_TRAIN_TRAINER_H
#define RG_TRAIN_TRAINER_H

#include <retrograd/gradflow.h>
#include <retrograd/train.h>

#include "base/error.h"
#include "base/memory.h"

enum { RG_TRAINER_LAYERS = 192 };  /* descriptors of a model at most */

typedef struct rg_trainer_kind {
    size_t bytes;  /* of its own struct */
    /* Run step t->step with its gradients; set t->plan and t->loss. */
    rg_status (*run)(rg_trainer *t);
    /* An update was left out because something was not finite. NULL: nothing to do. */
    rg_status (*skipped)(rg_trainer *t);
    /* What is saved of the plan; NULL: nothing, as all follows from the number of steps. */
    rg_params *(*carried)(rg_trainer *t);
    /* Layers for saving; their names lie in memory of the trainer's. */
    size_t (*layers)(rg_layer_desc *out, rg_trainer *t);
    /* Free what it has beside the optimizer. */
    void (*release)(rg_trainer *t);
    /* The loss that t->plan is of, its inputs being those of the last step, before which of the
     * first. */
    rg_status (*look)(rg_val *loss, rg_trainer *t);
    /* What carried inputs held before the last run: how many, and where. NULL: none are carried. */
    size_t (*held)(const rg_held_input **out, rg_trainer *t);
    /* What a step saw that was sampled. NULL: none is. */
    rg_status (*sampled)(rg_gradflow_report **report, rg_trainer *t);
} rg_trainer_kind;

/* The first member of every kind's own struct. */
struct rg_trainer {
    const rg_trainer_kind *kind;
    rg_alloc   alloc;
    rg_params *params;
    rg_optim  *optim;
    rg_plan   *plan;     /* of the last step; before the first one that can be asked for facts */
    int64_t    T, B;     /* its steps and rows */
    uint64_t   windows;  /* steps of an epoch */
    uint64_t   step;
    double     loss;
    rg_err     err;      /* what failed before there was a plan to run */
};

/* A trainer of this kind with nothing but its base, to be built; rg_trainer_destroy() frees it.
 * NULL: no memory, said in the store's message. */
rg_trainer *rg_trainer_begin(const rg_trainer_kind *kind, rg_params *params);

#endif
