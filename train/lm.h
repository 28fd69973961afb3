/* train/lm.h -- the character model's insides. */
#ifndef RG_TRAIN_LM_H
#define RG_TRAIN_LM_H

#include <retrograd/train.h>

#include "base/error.h"

/* rg_lm_create(); if @p states is not NULL, *states is an array of the graph: every state after
 * every step, at t·n_state + k. */
rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, int64_t T, int64_t B,
                      rg_val **states);

/* A plan for evaluation of a value and of what the next run continues from. */
rg_status rg_lm_plan(rg_plan **plan, const rg_lm *lm, rg_val value, const rg_plan_opts *opts,
                     rg_err *err);
/* Characters from x, those that follow from y, bytes each; states from run to run. */
rg_status rg_lm_bind(rg_plan *plan, const rg_lm *lm, void *x, void *y, size_t bytes, rg_err *err);

/* Layers for saving and loading: room for layers + 2. Names lie in @p names. */
enum { RG_LM_LAYERS = 64 };
typedef struct rg_lm_names {
    char group[RG_LM_LAYERS][16];
} rg_lm_names;
size_t rg_lm_layers(rg_layer_desc *out, rg_lm_names *names, const rg_lm_opts *opts);

#endif
