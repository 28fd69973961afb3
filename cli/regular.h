/* cli/regular.h -- dropout, zoneout, initial states of a model, as options and in checkpoints. */
#ifndef RG_CLI_REGULAR_H
#define RG_CLI_REGULAR_H

#include "cli/cli.h"

#include <jansson.h>

/* These fields of a character model's options, or of a task's. */
typedef struct regular {
    double   *dropout;
    unsigned *kinds;
    double   *zoneout;  /* [2] */
    rg_start *start;
} regular;

static inline regular regular_lm(rg_lm_opts *o)
{
    return (regular){ &o->dropout, &o->dropout_kinds, o->zoneout, &o->start };
}

static inline regular regular_task(rg_task_opts *o)
{
    return (regular){ &o->dropout, &o->dropout_kinds, o->zoneout, &o->start };
}

/* From the settings; @p states of a layer; @p numbers: inputs have no embedding. DONE, or said
 * why. */
int regular_read(regular r, const settings *s, size_t states, bool numbers);
/* Into a checkpoint's description of the model; 0, or there is no memory. */
int regular_describe(json_t *o, regular r);
/* And back; false: damaged. */
bool regular_recall(regular r, json_t *o);

#endif
