/* cli/grade.h -- how good answers are, a model's and those that need no model. */
#ifndef RG_CLI_GRADE_H
#define RG_CLI_GRADE_H

#include "cli/lesson.h"
#include "cli/metrics.h"

#include <retrograd/metrics.h>

/* Sums over rows. */
typedef struct grade {
    const net     *n;
    const rg_rows *rows;
    double         loss;       /* of `count` positions */
    size_t         count;
    uint64_t      *confusion;  /* [K,K]: truth, answer */
    rg_edits       edits;
    double         squares;    /* of `known` values, in the data's own unit */
    size_t         known;
} grade;

/* What needs no model, and its measures. */
typedef struct baseline {
    char   name[64];
    double measure[MEASURES];
} baseline;

enum { BASELINES = 2 };

/* Names of the measures of a task, NULL at the end. */
extern const char *const class_measures[], *const sequence_measures[], *const value_measures[];
const char *const *grade_measures(int task);

/* Zeros. DONE or said why. */
int  grade_open(grade *g, const net *n, const rg_rows *rows);
void grade_close(grade *g);
/* One row's answer. false: no memory. */
bool grade_add(grade *g, const rg_prediction *said);
/* In the order of the names. */
void grade_measure(double measure[MEASURES], const grade *g);
/* How far one gets without a model on these rows, having seen those to train on; how many there
 * are, or -1 and said why. */
int  grade_baselines(baseline out[BASELINES], const net *n, const rg_rows *train,
                     const rg_rows *rows);
/* Mean loss of the frequencies of classes or tags; NaN for other tasks. */
double grade_prior(const net *n, const rg_rows *train, const rg_rows *rows);

#endif
