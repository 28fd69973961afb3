/* cli/model.h -- a model as checkpoints describe it: what train writes, and sample, eval, predict
 * and info read. A character model; other tasks keep what is theirs in a net. */
#ifndef RG_CLI_MODEL_H
#define RG_CLI_MODEL_H

#include "cli/cells.h"
#include "cli/folder.h"

#include <jansson.h>

typedef struct model {
    int          cell;   /* index in cells */
    rg_cell_opts opts;   /* of the cell; lm points here, so a model stays where it was made */
    rg_lm_opts   lm;
    rg_dtype    real;
    bool        bytes;
    uint32_t   *symbol;  /* [lm.V] ascending */
    uint64_t    step;    /* of the checkpoint */
    char        path[PATH_BYTES];  /* of the checkpoint */
    rg_params  *params;
    struct net *net;     /* of other tasks than lm, which then has no `lm` and symbols; or NULL */
} model;

/* A new one as the settings say, for the corpus, whose symbols are copied; its store is empty.
 * Refused where training it cannot fit this machine, before memory is touched. DONE or said why. */
int  model_new(model *m, const settings *s, const rg_corpus *corpus);
/* From a run folder (best, else last checkpoint) or a file, weights and all. */
int  model_open(model *m, const char *path);
void model_close(model *m);
/* Its trainer on a text. DONE or said why. */
int  model_trainer(rg_trainer **out, const model *m, rg_span text, const rg_trainer_opts *opts);

/* The checkpoint's description of the model, as JSON text to be freed; NULL without memory. */
char *model_description(const model *m);
char *model_vocabulary(const model *m);
/* "lstm 2x256, embedding 64, 81 symbols" */
const char *model_title(char *out, size_t size, const model *m);
/* Has this machine so many bytes? DONE or said that not. */
int model_fits(double need);
/* Numbers in a store's arrays, and their bytes. */
double params_count(rg_params *params);
double params_bytes(rg_params *params);

/* Look a key up in a file's metadata; NULL if it is not there. */
const char *meta_of(const rg_file *file, const char *key);
/* The path of a run's checkpoint, or the path itself if it is a file. DONE, or said why. */
int checkpoint_path(char out[PATH_BYTES], const char *run);

#endif
