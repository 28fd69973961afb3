/* cli/course.h -- what a session of another task than lm holds: data, baselines, a predictor. */
#ifndef RG_CLI_COURSE_H
#define RG_CLI_COURSE_H

#include "cli/grade.h"
#include "cli/session.h"

typedef struct course {
    lesson        data;
    rg_predictor *predictor;         /* of the model in training */
    rg_rows       valid;             /* the validated ones */
    baseline      base[BASELINES];   /* on the test part */
    int           n_base;
    size_t        test_rows;
    double        prior;             /* loss of the frequencies on the validation part */
} course;

/* The answers of a predictor to rows, graded. RG_EUSER in *st where a signal cut it short. DONE or
 * said why. */
int course_grade(grade *g, rg_predictor *p, const net *n, const rg_rows *rows, rg_status *st);
/* Five rows with what the model says and the truth, or a series as a line; to the log. */
void course_show(course *c, const model *m);
/* What came of a part, and of what needs no model. */
typedef struct outcome {
    const char     *part;
    size_t          rows;
    double          loss;
    const double   *measure;
    const baseline *base;
    int             n_base;
} outcome;

/* As a table on stdout, and as JSON. */
void    course_table(const model *m, const outcome *r);
json_t *course_object(const model *m, const outcome *r);
/* A predictor with the settings' beam and threads. DONE or said why. */
int course_predictor(rg_predictor **out, const model *m, const settings *s, int64_t rows);

/* eval_course.c: `retrograd eval` of such a model. */
int eval_course(settings *s, model *m);

#endif
