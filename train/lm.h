/* train/lm.h -- the character model's insides. */
#ifndef RG_TRAIN_LM_H
#define RG_TRAIN_LM_H

#include "train/body.h"

#include "base/error.h"

/* What a graph is for. */
typedef struct rg_lm_form {
    int64_t T, B;
    int64_t back;    /* steps of the graph: what is back-propagated through. Losses are those of the
                        last T; then lm->mask is an input, 0 before the text begins. 0 = T */
    bool    stream;  /* a learned start is not in the graph: rg_lm_start() writes it */
    rg_val *states;  /* out: every state after every step, at t·n_state + k */
} rg_lm_form;

rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, rg_lm_form *form);
/* A plan for evaluation of a value and of what the next run continues from. */
rg_status rg_lm_plan(rg_plan **plan, const rg_lm *lm, rg_val value, const rg_plan_opts *opts,
                     rg_err *err);
/* Characters from x, those that follow from y, bytes each; states from run to run. */
rg_status rg_lm_bind(rg_plan *plan, const rg_lm *lm, void *x, void *y, size_t bytes, rg_err *err);
/* Carried states become those of a beginning; random ones are drawn for this @p step. */
rg_status rg_lm_start(rg_plan *plan, const rg_lm *lm, const rg_params *params,
                      const rg_lm_opts *opts, uint64_t step);

/* Layers for saving and loading. */
size_t rg_lm_layers(rg_layer_desc *out, rg_body_names *names, const rg_lm_opts *opts);

#endif
