/* train/task.h -- a task model's insides. */
#ifndef RG_TRAIN_TASK_H
#define RG_TRAIN_TASK_H

#include <retrograd/task.h>

/* Why the options are none, or NULL. */
const char *rg_task_fault(const rg_task_opts *opts);

/* The model in a graph of the caller's, which is empty. */
rg_status rg_task_build(rg_task_model *m, rg_graph *g, const rg_task_opts *o, int64_t T, int64_t B);

/* Layers for saving and loading; their names lie in @p names. */
enum { RG_TASK_LAYERS = 64 };
typedef struct rg_task_names {
    char group[2 * RG_TASK_LAYERS][16], torch[2 * RG_TASK_LAYERS][16];
} rg_task_names;
size_t rg_task_layers(rg_layer_desc *out, rg_task_names *names, const rg_task_opts *opts);

/* What io/ calls a cell of ours; NULL for a user's, which keeps our names. */
const char *rg_cell_kind(rg_cell_fn *cell, const rg_cell_opts *opts);

#endif
