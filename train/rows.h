/* train/rows.h -- rows of a task as batches that a plan can be bound to. */
#ifndef RG_TRAIN_ROWS_H
#define RG_TRAIN_ROWS_H

#include "train/task.h"

#include <retrograd/batches.h>

#include "base/error.h"
#include "base/memory.h"

/* Memory for the largest batch, and the plans. */
typedef struct rg_feeder {
    rg_alloc       alloc;
    rg_task_opts   model;
    rg_cell_opts   cell_opts;
    rg_plan_opts   plan;
    bool           train;     /* plans with gradients */
    int64_t        B;
    int64_t        grain;     /* as rg_bucket_opts has it */
    int64_t        T;         /* steps that there is room for */
    rg_plan_cache *cache;
    rg_plan_cache *looks;     /* the same with norms of the states' gradients; NULL = never */
    unsigned char *block;     /* x, y, mask, counts of T steps and B rows */
    size_t         bytes;
    void          *x, *y;
    uint8_t       *mask, *counts;
} rg_feeder;

/* What the plans of the feeder's cache leave in rg_cached_plan.v. */
enum { RG_FED_X, RG_FED_MASK, RG_FED_Y, RG_FED_COUNTS, RG_FED_Z, RG_FED_EACH, RG_FED_LOSS };

/* And in rg_cached_plan.data, of plans that look, the norms of rg_gradflow_train(); NULL where a
 * batch is too short to look at. */

/* Options are copied; nothing is freed by a failure, rg_feeder_close() does. */
rg_status rg_feeder_open(rg_feeder *f, rg_params *params, const rg_task_opts *model,
                         const rg_plan_opts *plan, bool train);
void rg_feeder_close(rg_feeder *f);
/* Make the cache of plans that look. */
rg_status rg_feeder_look(rg_feeder *f, rg_params *params);
/* Are all symbols and classes in range? @p y: targets must be there. */
rg_status rg_rows_check(const rg_rows *rows, const rg_task_opts *model, bool y, rg_err *err);
/* Steps of a row's target; 0 where a sequence is not known. */
int64_t rg_target_steps(const rg_rows *rows, const rg_task_opts *model, size_t row);
/* The plan of one of its caches; with the same number, whichever it is. */
rg_status rg_feeder_plan(rg_cached_plan **out, rg_feeder *f, bool look, int64_t T, rg_err *err);
/* The number of the next run. */
int64_t *rg_feeder_number(const rg_feeder *f);
/* A batch of such rows: its plan, filled and bound, ready to run. */
rg_status rg_feeder_load(rg_cached_plan **out, rg_feeder *f, bool look, const rg_rows *rows,
                         const size_t *order, const rg_bucket *batch, rg_err *err);
/* Bytes of the inputs of a batch of T steps. */
size_t rg_feeder_input_bytes(const rg_feeder *f, int64_t T);
/* The buckets of an epoch. */
rg_status rg_feeder_buckets(rg_buckets *out, const rg_feeder *f, const rg_rows *rows,
                            uint64_t epoch, uint64_t seed, rg_err *err);

#endif
