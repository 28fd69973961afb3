/* train/answers.h -- sequences that an encoder and a decoder find: one plan encodes, another takes
 * one step after the other. */
#ifndef RG_TRAIN_ANSWERS_H
#define RG_TRAIN_ANSWERS_H

#include "train/task.h"

#include <retrograd/batches.h>

#include "base/error.h"

typedef struct rg_answerer {
    const rg_task_opts *model;
    rg_plan_opts        plan;
    rg_decode_opts      decode;
    rg_plan_cache      *encoders, *steps;
    int64_t             D;  /* width of the encoder's outputs, once it has been built */
} rg_answerer;

/* The model's options must outlive it; a->plan and a->decode are set. */
rg_status rg_answerer_open(rg_answerer *a, rg_params *params, const rg_task_opts *model);
void rg_answerer_close(rg_answerer *a);
/* Answers to B rows of T steps: x and mask as the model's inputs, so many bytes. */
rg_status rg_answerer_run(rg_decoded **out, rg_answerer *a, const void *x, size_t x_bytes,
                          const uint8_t *mask, int64_t T, int64_t B, rg_err *err);

#endif
