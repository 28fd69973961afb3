/* train/lm.h -- the character model's insides. */
#ifndef RG_TRAIN_LM_H
#define RG_TRAIN_LM_H

#include <retrograd/train.h>

/* rg_lm_create(), writing every state after every step to states[t·n_state + k] if that is not
 * NULL: room for T · RG_LM_STATES · layers values. */
rg_status rg_lm_build(rg_lm *lm, rg_params *params, const rg_lm_opts *opts, int64_t T, int64_t B,
                      rg_val *states);

enum { RG_LM_STATES = 8 }; /* of one layer, at most */

/* Layers for saving and loading: room for layers + 2. Names lie in @p names. */
typedef struct rg_lm_names {
    char group[64][16];
} rg_lm_names;
enum { RG_LM_LAYERS = 64 };
size_t rg_lm_layers(rg_layer_desc *out, rg_lm_names *names, const rg_lm_opts *opts);

#endif
