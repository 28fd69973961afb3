/* cli/lm.h -- the task `lm`, whatever its text is cut into: what models of characters and of words
 * have in common. */
#ifndef RG_CLI_LM_H
#define RG_CLI_LM_H

#include "cli/session.h"

/* The functions of a task that do not depend on the unit. */
int     lm_load(session *x);
int     lm_build(session *x);
json_t *lm_data(const session *x);
void    lm_show(session *x);
void    lm_close(session *x);

/* A model on the validation part, as far as an evaluation during a run goes, or on all of the test
 * part: the row's loss. RG_EUSER in *st where a signal cut it short. */
int lm_try(session *x, model *m, rg_part part, metrics_row *row, rg_lm_score *score, rg_status *st);
/* The order, from 1, of the count model that is best on the validation part. */
int lm_best_order(const session *x);
/* Three times the length of a sample on stdout. */
void lm_write(const session *x, const model *m);

#endif
