/* train/task.h -- a task model's insides. */
#ifndef RG_TRAIN_TASK_H
#define RG_TRAIN_TASK_H

#include "train/body.h"

#include <retrograd/attention.h>
#include <retrograd/task.h>

/* Why the options are none, or NULL. */
const char *rg_task_fault(const rg_task_opts *opts);

rg_body rg_task_body(const rg_task_opts *opts);

/* What a graph is for. */
typedef struct rg_task_form {
    int64_t T, B;
    bool    still;  /* evaluation: random initial states are the same for all rows and runs */
} rg_task_form;

/* What an encoder makes of a sequence. */
typedef struct rg_encoded {
    rg_val  Y;     /* [T,B,D], outputs of the topmost layer */
    rg_val *last;  /* its final states, in order; those of the backward direction behind */
    size_t  n;     /* of one direction */
} rg_encoded;

/* Of symbols or features x. */
rg_encoded rg_task_encode(rg_val x, rg_val mask, bool still, const rg_task_opts *o);

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
rg_val *rg_task_decoder_start(const rg_task_decoder *d, const rg_encoded *from,
                              const rg_task_opts *o);
/* The decoder's logits [T,B,O] with the true symbols y [T,B] fed in, but where @p still is not set
 * and the options say so, some of its own. */
rg_val rg_task_teach(const rg_encoded *from, rg_val mask, rg_val y, bool still,
                     const rg_task_opts *o);
/* What a decoder reads, [...,E]: vectors of symbols. */
rg_val rg_task_feed(rg_val id, const rg_task_opts *o);
/* Logits or values of what the layers made. */
rg_val rg_task_out(rg_val h, const rg_task_opts *o);

/* The model in a graph of the caller's, which is empty. */
rg_status rg_task_build(rg_task_model *m, rg_graph *g, const rg_task_opts *o, rg_task_form form);

/* Layers for saving and loading; their names lie in @p names. */
size_t rg_task_layers(rg_layer_desc *out, rg_body_names *names, const rg_task_opts *opts);

#endif
