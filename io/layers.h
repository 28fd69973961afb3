/* io/layers.h -- which groups of parameters are which layer of PyTorch's. */
#ifndef RG_IO_LAYERS_H
#define RG_IO_LAYERS_H

#include <retrograd/io.h>

#include "graph/params.h"
#include "io/json.h"

enum { RG_MAX_GATES = 4 };

/* A kind of layer. Recurrent ones have gates, in PyTorch's order of blocks. */
typedef struct rg_layer_kind {
    const char *name;
    int         gates;
    const char *gate[RG_MAX_GATES];  /* suffixes of U, W, b, bh */
    bool        proj;                /* W is [P,H]; proj [H,P] */
} rg_layer_kind;

extern const rg_layer_kind rg_layer_lstm, rg_layer_lstm_proj, rg_layer_gru, rg_layer_gru_after,
    rg_layer_rnn, rg_layer_rnn_relu, rg_layer_dense, rg_layer_embedding;
/* By name; NULL = none of ours. */
const rg_layer_kind *rg_layer_kind_find(const char *name);

typedef enum rg_layer_bias {
    RG_LAYER_NONE, RG_LAYER_SINGLE, RG_LAYER_SPLIT, RG_LAYER_DOUBLE, RG_LAYER_BIASES
} rg_layer_bias;
const char *rg_layer_bias_text(rg_layer_bias bias);
/* RG_LAYER_BIASES: no such text. */
rg_layer_bias rg_layer_bias_find(const char *text);

/* The parameters of one group: names that agree up to their last dot. */
typedef struct rg_group {
    rg_slot **slot;
    size_t    n;
    size_t    name_bytes;  /* of the group's name, at the start of each slot's; 0 = none */
} rg_group;

typedef struct rg_layer {
    const char          *group;
    const rg_layer_kind *kind;
    rg_layer_bias        bias;
    const char          *torch;
    int32_t              index;  /* the number in _l0 */
    bool                 reverse;  /* _l0_reverse */
    bool                 said;   /* by the caller, not by names or a file */
} rg_layer;

/* Length of the group's part of a full name. */
size_t rg_group_bytes(const char *name);
/* The group's parameter of that name: stem and suffix, "U" and "i". NULL = none. */
rg_slot *rg_group_slot(const rg_group *g, const char *stem, const char *suffix);
/* Is the group such a layer: exactly its arrays, in its shapes, of one type? */
bool rg_layer_fits(rg_layer_bias *bias, const rg_layer_kind *kind, const rg_group *g);
/* The one kind that a group can be, or NULL. Reset before and after have the same names, so a gru
 * is told only when a bias is split; *gru tells that it is one of them. */
const rg_layer_kind *rg_layer_guess(rg_layer_bias *bias, bool *gru, const rg_group *g);

/* ---- Lists of descriptors -------------------------------------------------------------------- */

typedef struct rg_layers {
    const rg_layer_desc *desc;
    size_t               n;
    uint32_t            *by_group, *by_torch;
    bool                *used;
} rg_layers;

/* Indexes the list; memory from the arena. RG_EARG: a group twice, an unknown kind (if @p strict),
 * a layer below 0; RG_ENOMEM. */
rg_status rg_layers_init(rg_layers *l, rg_arena *arena, const rg_layer_desc *desc, size_t n,
                         bool strict, rg_err *err);
/* By group; @p name need not end there. -1 = none. */
int64_t rg_layers_of_group(const rg_layers *l, const char *name, size_t n);
int64_t rg_layers_of_torch(const rg_layers *l, const char *torch, int32_t index, bool reverse);
/* What desc.torch stands for: itself, or the group without a final ".l<layer>", and without the
 * ".fwd" or ".bwd" of its direction behind that. NULL: no memory. */
const char *rg_layer_torch(rg_arena *arena, const rg_layer_desc *desc);

/* The list as JSON, and back. RG_EFORMAT, RG_ENOMEM. */
void rg_layers_write(rg_text *out, const rg_layer *layer, size_t n);
rg_status rg_layers_parse(const rg_layer_desc **out, size_t *n, rg_arena *arena, const char *json,
                          rg_err *err);

#endif
