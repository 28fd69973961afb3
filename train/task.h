/* train/task.h -- a task model's insides. */
#ifndef RG_TRAIN_TASK_H
#define RG_TRAIN_TASK_H

#include <retrograd/attention.h>
#include <retrograd/task.h>

/* Why the options are none, or NULL. */
const char *rg_task_fault(const rg_task_opts *opts);

/* The encoder: outputs [T,B,D] of the topmost layer for symbols or features x; its final states, in
 * order, those of the backward direction behind; *n of one direction. */
rg_val rg_task_encode(rg_val **last, size_t *n, rg_val x, rg_val mask, const rg_task_opts *o);
/* Ids as an embedding's rows, or one-hot where embed is 0. */
rg_val rg_task_embed(rg_val id, const char *group, int64_t symbols, int64_t embed);

/* A decoder over an encoder: what seq2seq adds (seq2seq.c). */
typedef struct rg_task_decoder {
    rg_cell inner, cell;  /* without and with attention */
    bool    attends;
} rg_task_decoder;

/* Attention over outputs Y [S,B,D] of an encoder; empty where there is none. */
rg_attention rg_task_attention(rg_val Y, rg_val mask, const rg_task_opts *o);
rg_task_decoder rg_task_decoder_with(rg_graph *g, const rg_attention *a, int64_t D,
                                     const rg_task_opts *o);
/* States before its first step, cell.n_state; NULL: poisoned. */
rg_val *rg_task_decoder_start(const rg_task_decoder *d, const rg_val *last, size_t n,
                              const rg_task_opts *o);
/* The decoder's outputs [T,B,D] with the true symbols y [T,B] fed in. */
rg_val rg_task_teach(const rg_val *last, size_t n, rg_val Y, rg_val mask, rg_val y,
                     const rg_task_opts *o);

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
