/* cli/regular.h -- dropout, zoneout and initial states of a character model, as options and in
 * checkpoints. */
#ifndef RG_CLI_REGULAR_H
#define RG_CLI_REGULAR_H

#include "cli/cli.h"

#include <jansson.h>

/* From the settings; @p states of a layer. DONE, or said why. */
int regular_read(rg_lm_opts *lm, const settings *s, size_t states);
/* Into a checkpoint's description of the model; 0, or there is no memory. */
int regular_describe(json_t *o, const rg_lm_opts *lm);
/* And back; false: damaged. */
bool regular_recall(rg_lm_opts *lm, json_t *o);

#endif
