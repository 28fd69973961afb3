/* cli/progress.h -- how far the training is: a bar on a terminal, else lines of key=value. */
#ifndef RG_CLI_PROGRESS_H
#define RG_CLI_PROGRESS_H

#include "cli/cli.h"

typedef struct progress_line {
    uint64_t step, total;  /* total 0: not known */
    double   epoch, loss, grad_norm, lr, per_second, seconds_left;  /* < 0: not known */
    const char *name;      /* of a measure beside the loss, "bpc"; NULL: none */
    double   measure;
    const char *unit;      /* of per_second: "chars" */
} progress_line;

void progress_setup(const settings *s);
/* At every step; draws at most ten times a second, and only if there is a bar. */
void progress_draw(const progress_line *p);
/* At every row of the metrics; writes a line if there is no bar. */
void progress_log(const progress_line *p);
/* Some text instead: on a bar's line, or as a line of its own. */
void progress_text(const char *format, ...) RG_PRINTF(1, 2);
void progress_clear(void);
/* An rg_progress.tell: what takes long says every two seconds how far it is; the double behind
 * @p user is when it last did. */
bool progress_reading(void *user, double share);
/* Seconds on a clock that only goes forward. */
double seconds(void);
/* Of n numbers, at least one, which it sorts. */
double median(double *x, size_t n);

#endif
