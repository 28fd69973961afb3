/* cli/metrics.h -- rows of a run: metrics.jsonl, metrics.csv, plot.svg. */
#ifndef RG_CLI_METRICS_H
#define RG_CLI_METRICS_H

#include "cli/folder.h"

enum { MEASURES = 4 };

typedef struct metrics_row {
    double      time;       /* seconds of training, over all sessions */
    uint64_t    step;
    double      epoch;
    const char *split;      /* "train", "valid", "test" */
    double      loss;       /* nats of a position, or squared error */
    double      measure[MEASURES];  /* by metrics.name; < 0: none */
    double      grad_norm;  /* before clipping; < 0: none */
    double      lr;         /* < 0: none */
    double      tok_s;      /* positions per second; < 0: none */
    char       *line;       /* of split "gradflow": the JSON line; else NULL */
} metrics_row;

typedef struct metrics {
    const char *const *name;  /* of the measures between loss and grad_norm; NULL at the end */
    double     (*first)(double loss);  /* gives the first of them; NULL: rows bring it */
    int          jsonl, csv;  /* descriptors, or -1 */
    metrics_row *row;
    size_t       n, cap;
    double       time;        /* that the run took before it was resumed, evaluations included */
} metrics;

/* Open for writing. What a resumed run has not reached is cut: rows behind @p step, evaluations
 * behind @p evaluated, results, a torn last line. A new run has 0 and 0. */
int metrics_open(metrics *m, const folder *f, const char *const *name,
                 double (*first)(double loss), uint64_t step, uint64_t evaluated);
void metrics_close(metrics *m);
/* Append to both files, one write each; a row that is a line, which it takes, to metrics.jsonl
 * only. With @p echo the JSON line goes to stdout as well. */
int metrics_add(metrics *m, const metrics_row *row, bool echo);
/* A line of metrics.jsonl that is no row of numbers, allocated, which it takes; NULL: no memory. */
int metrics_line(metrics *m, char *line, uint64_t step, bool echo);
/* The curve of the loss, or of the measure that it gives, with a line for what it is compared with
 * (NaN: none). */
int metrics_plot(const metrics *m, const folder *f, const rg_svg_opts *opts, double baseline,
                 const char *baseline_label);

#endif
