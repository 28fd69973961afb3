/* cli/model.h -- a model as checkpoints describe it: what train writes, and sample, eval, predict
 * and info read. A model of a text; other tasks keep what is theirs in a net. */
#ifndef RG_CLI_MODEL_H
#define RG_CLI_MODEL_H

#include "cli/cells.h"
#include "cli/folder.h"
#include "cli/text.h"

#include <jansson.h>
#include <stdio.h>

typedef struct model {
    int          cell;   /* index in cells */
    rg_cell_opts opts;   /* of the cell; lm points here, so a model stays where it was made */
    rg_lm_opts   lm;
    rg_dtype    real;
    rg_unit     unit;    /* of lm: what its symbols are */
    uint32_t   *symbol;  /* [lm.V] ascending; NULL: they are words */
    rg_vocab    words;   /* [lm.V] */
    uint64_t    step;    /* of the checkpoint */
    char        path[PATH_BYTES];  /* of the checkpoint */
    rg_params  *params;
    struct net *net;     /* of other tasks than lm, which then has no `lm` and symbols; or NULL */
} model;

/* A new one as the settings say, for the text, whose symbols are copied; its store is empty but
 * for an embedding that a file begins or that is held. Refused where training it cannot fit this
 * machine, before memory is touched. DONE or said why. */
int  model_new(model *m, const settings *s, const lm_text *t);
/* From a run folder (best, else last checkpoint) or a file, weights and all. */
int  model_open(model *m, const char *path);
void model_close(model *m);
/* Vectors of a file, unless NULL, into the embedding of the declared model, which is then perhaps
 * held. DONE or said why. */
int  model_embed(const model *m, const char *path, bool freeze);
/* Declare every weight in the store. DONE or said why. */
int  model_declare(const model *m);
/* Its trainer on a text. DONE or said why. */
int  model_trainer(rg_trainer **out, const model *m, rg_span text, const rg_trainer_opts *opts);

/* The checkpoint's description of the model, as JSON text to be freed; NULL without memory. */
char *model_description(const model *m);
char *model_vocabulary(const model *m);
/* Of lm: a symbol as it is written; a word has a blank before it unless it is the first. */
void model_put(FILE *out, const model *m, int32_t id, bool first);
/* Of lm: what a sample never has, RG_UNKNOWN; @p id is room for it. */
rg_span model_never(const model *m, int32_t *id);
/* Of lm: what a text that has no beginning begins after: a line end if the model knows it, of words
 * RG_UNKNOWN; else the first symbol. */
rg_span model_start(const model *m, int32_t *id);
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
