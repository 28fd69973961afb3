/* cli/session.h -- one session of a training run: what `retrograd train` holds while it works. */
#ifndef RG_CLI_SESSION_H
#define RG_CLI_SESSION_H

#include "cli/metrics.h"
#include "cli/model.h"
#include "cli/progress.h"

enum { ORDERS = 6, NORMS = 256 };

/* What a checkpoint holds beside weights, optimizer and carried states. */
typedef struct standing {
    uint64_t evaluated;   /* step of the last evaluation */
    uint64_t best_step;
    double   best_loss;   /* on the validation part, nats per character */
    double   loss_sum;    /* of the steps since the last row of the metrics */
    uint64_t loss_count;
} standing;

/* What has been said once. */
typedef struct warned {
    bool skipped, exploded, clipped, vanishing, growing;
} warned;

typedef struct session {
    settings   *s;
    rg_corpus   corpus;
    rg_span     train, valid, test;
    double      baseline[2][ORDERS];  /* bits per character on test and on valid */
    model       m;
    rg_trainer *trainer;
    folder      f;
    metrics     metrics;
    standing    at;
    uint64_t    total;      /* steps of the whole run; 0 = until --minutes */
    uint64_t    horizon;    /* of the schedule, fixed when the run began */
    uint64_t    eval_every;
    double      began;      /* seconds() at the start of this session */
    double      before;     /* seconds of earlier sessions */
    double      busy;       /* seconds of the steps since the last row */
    double      norm[NORMS];
    uint64_t    norms;      /* of this session */
    uint64_t    clipped;
    warned      warned;
} session;

/* session.c: everything that the loop needs; session_close() frees what there is. */
int  session_open(session *x, settings *s);
void session_close(session *x);
/* Plan options of this run. */
rg_plan_opts session_plan(const session *x);
double session_seconds(const session *x);

/* checkpoint.c */
int session_save(session *x, const char *name);
int session_resume(session *x);

/* dry.c: a dry run: some steps for their time, what a run takes, no file. DONE or said why. */
int session_try(session *x);
/* loop.c: train until a limit, a signal or a failure; an exit code. */
int session_run(session *x);
/* evaluate.c: at the present step; DONE too where a signal cut it short, which is pending then. */
int session_evaluate(session *x);
/* The end: the best checkpoint on the whole test part, beside the count models. */
int session_conclude(session *x);

/* explain.c: numerical trouble in words. */
void explain_step(session *x, const rg_trainer_report *r);
void explain_flow(session *x);
int  explain_divergence(session *x, rg_status status);

#endif
