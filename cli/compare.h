/* cli/compare.h -- `retrograd compare`: studies, contestants, outcomes, and how they are told. */
#ifndef RG_CLI_COMPARE_H
#define RG_CLI_COMPARE_H

#include "cli/folder.h"

#include <jansson.h>
#include <retrograd/gradflow.h>

enum {
    QUICK, FULL, DEPTHS,             /* how long to train */
    MAX_CONTESTANTS = 12, MAX_SEEDS = 20, MAX_STUDIES = 12,
    MAX_POINTS = 64, MAX_LAGS = 128, MAX_LENGTHS = 4
};

/* Who takes part: a cell, and what differs in how it is trained. */
typedef struct contestant {
    char          label[40];   /* "lstm", "rnn, clipped" */
    char          cell[24];    /* "lstm" */
    rg_cell_fn   *make;
    rg_cell_opts  opts;
    rg_optim_opts optim;
    uint64_t      updates;     /* 0 = the study's */
    rg_omega_kind omega;
    double        scale;
    int64_t       hidden;      /* 0 = by budget */
} contestant;

typedef enum measure { RMSE, LOSS, ERRORS, ACCURACY, BITS } measure;
typedef enum study_kind { ADDING, COPY, ORDER, EXPLODING, DIGITS, CHARS, KINDS } study_kind;

/* A row of the table of studies (compare_studies.c). */
typedef struct study_row {
    const char *key;             /* "adding-100": of files and JSON */
    study_kind  kind;
    const char *title;           /* "Adding, T = 100" */
    int64_t     T;
    measure     measure;
    int64_t     lstm_hidden;     /* its weights are everybody's budget; 0: all are `hidden` wide */
    int64_t     hidden;
    int64_t     batch;
    double      lr;
    uint64_t    updates[DEPTHS];
    int         seeds[DEPTHS];
    bool        in[DEPTHS];      /* part of it without --only */
    double      enough;          /* of the measure: the threshold; 0 = none */
    const char *settings;        /* in words, for the report */
} study_row;

/* What one trial came to. */
typedef struct outcome {
    bool     done;
    double   value;              /* the study's measure on the test rows */
    double   loss, accuracy;
    double   enough_seconds, seconds, ms, norm_median, norm_max, flop, arena, nodes;
    uint64_t updates, enough_update, skipped, clipped;
    size_t   n_points, n_lags[2];
    double   at[MAX_POINTS], train[MAX_POINTS], test[MAX_POINTS];
    double   flow[2][MAX_LAGS];  /* ln N(lag) before and after training */
    double   slope[2];
    double   by_length[MAX_LENGTHS];
} outcome;

typedef struct study {
    const study_row *row;
    rg_problem       problem;
    contestant       who[MAX_CONTESTANTS];
    size_t           n;
    int              seeds;
    uint64_t         updates;
    double           blind;      /* the measure of the best guess without input */
    int64_t          weights[MAX_CONTESTANTS];
    double           ms[MAX_CONTESTANTS];  /* of an update, measured one at a time */
    double           ms_wide[MAX_CONTESTANTS];  /* the same, all as wide as the LSTM; or NaN */
    outcome         *outcome;    /* [n][seeds] */
} study;

typedef struct comparison {
    const settings *s;
    int             depth;
    char            folder[FOLDER_BYTES];
    study           study[MAX_STUDIES];
    size_t          n;
    rg_corpus       corpus;      /* of the characters */
    double         *pixels;      /* of the digits */
    int32_t        *digit;
    rg_problem_data rows[2];     /* digits by rows, by pixels */
    char            why[512];    /* what could not be compared, and why; "" = nothing */
} comparison;

extern const int64_t lengths[MAX_LENGTHS];  /* of the adding sequences tried after training */

static inline outcome *outcome_at(const study *st, size_t who, int seed)
{
    return &st->outcome[who * (size_t)st->seeds + (size_t)seed];
}

/* compare_studies.c: the table, and the contestants as the settings ask. DONE or said why. */
int  studies_choose(comparison *c);
void studies_free(comparison *c);
const char *measure_name(measure m);
/* Is less better? */
bool measure_falls(measure m);

/* compare_trial.c: train and test one contestant with one seed; progress may end it. */
int trial_run(outcome *out, const comparison *c, const study *st, size_t who, int seed,
              bool (*progress)(void *user, uint64_t update), void *user);
/* Updates of a trial: the contestant's own number where it is less than the study's. */
uint64_t trial_updates(const study *st, const contestant *w);
/* Milliseconds of an update with nothing beside it, @p hidden wide. */
double trial_time(const comparison *c, const study *st, size_t who, int64_t hidden);

/* compare_data.c: 8x8 digits into c->pixels, c->digit, c->rows. */
int digits_load(comparison *c, const char *path);

/* compare_flow.c: the gradient against the lag, before (0) or after (1) training. */
int flow_measure(outcome *out, int after, const study *st, rg_params *params,
                 const contestant *who, uint64_t seed);

/* compare_work.c: run what is not in the folder yet, in all workers; keep it there. */
int work_off(comparison *c);

/* compare_store.c: one outcome as a file of the folder. */
bool outcome_load(outcome *out, const comparison *c, const study *st, size_t who, int seed);
int  outcome_save(const outcome *out, const comparison *c, const study *st, size_t who, int seed);
json_t *outcome_json(const outcome *o);

/* compare_stats.c: over seeds. */
typedef struct spread {
    double mean, sd, half;  /* half of the 95 % interval by Student's t; NaN with one seed */
    int    n;
} spread;
typedef double outcome_fn(const outcome *o);
spread spread_list(const double *v, int n);
spread spread_of(const study *st, size_t who, outcome_fn *value);
/* Of a's minus b's value, seed by seed. */
spread spread_between(const study *st, size_t a, size_t b, outcome_fn *value);
double outcome_value(const outcome *o);
/* Slope of ln of the gradient against the lag, before and after training; NaN: not measured. */
double outcome_slope_before(const outcome *o);
double outcome_slope_after(const outcome *o);
/* How many seeds reached the study's threshold, and the means of when; NaN: none. */
typedef struct reach {
    int    n;
    double updates, seconds;
} reach;
reach reach_of(const study *st, size_t who);
/* How many seeds ended before their last update, since their gradients were not finite. */
int ended_early(const study *st, size_t who);
/* Index of a contestant by cell, or -1. */
int contestant_index(const study *st, const char *cell);
const study *study_find(const comparison *c, const char *key);

/* compare_claims.c: the lecture's tables as claims, each beside what was measured. */
typedef struct claim {
    const char *topic, *left, *right;     /* in our words: what is said of both */
    char        found[MAX_STUDIES * 192]; /* what was measured; "; " between studies */
    enum { UNKNOWN, NOT, YES, FACT } verdict; /* not measured, not confirmed, confirmed, a fact */
} claim;
enum { MAX_CLAIMS = 8 };
size_t claims_of(claim *out, const comparison *c, const char *other);

/* compare_report.c, compare_print.c. */
int report_write(const comparison *c);
int results_write(const comparison *c);
int results_print(const comparison *c);

#endif
