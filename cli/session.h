/* cli/session.h -- one session of a training run: what `retrograd train` holds while it works, and
 * what a task adds to it. */
#ifndef RG_CLI_SESSION_H
#define RG_CLI_SESSION_H

#include "cli/metrics.h"
#include "cli/model.h"
#include "cli/progress.h"

enum { ORDERS = 6 };

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
    bool skipped, exploded, clipped, vanishing, growing, cut;
} warned;

typedef struct task task;

typedef struct session {
    settings   *s;
    const task *task;
    lm_text     text;                 /* of lm */
    rg_span     train, valid, test;
    double      baseline[2][ORDERS];  /* bits per position of the text on test and on valid */
    struct course *course;            /* of other tasks than lm */
    model       m;
    rg_trainer *trainer;
    folder      f;
    metrics     metrics;
    standing    at;
    char        sha256[65]; /* of the data */
    double      data_bytes; /* in memory */
    double      per_step;   /* positions of a step, on average */
    uint64_t    windows;    /* steps of an epoch */
    uint64_t    total;      /* steps of the whole run; 0 = until --minutes */
    uint64_t    horizon;    /* of the schedule, fixed when the run began */
    uint64_t    eval_every;
    double      began;      /* seconds() at the start of this session */
    double      before;     /* seconds of earlier sessions */
    double      busy;       /* seconds of the steps since the last row */
    rg_norm_watch norms;    /* of the updates of this session */
    rg_gradflow_report *flow_first;  /* the first sample of it, NULL before, and its step */
    uint64_t    flow_step;
    const rg_trace *trace;  /* of the plans of training; stays over session_open() */
    warned      warned;
} session;

/* What differs between tasks; loop, folder, checkpoints, reports are the same for all. All return
 * DONE, or said why. */
struct task {
    const char        *unit;      /* of positions: "chars" */
    const char *const *measures;  /* beside the loss: columns of the metrics; NULL at the end */
    double           (*measure)(double loss);  /* the first of them; NULL: not of the loss alone */
    const char        *axis;      /* of the picture */
    bool               log_axis;
    /* Data, its parts, baselines; sets x->sha256, per_step, windows. */
    int     (*load)(session *x);
    /* Model and trainer. */
    int     (*build)(session *x);
    /* What config.json says of the data. */
    json_t *(*data)(const session *x);
    /* Score the validation part: loss and measures of the row, and a text for the log. RG_EUSER in
     * *st where a signal cut it short. */
    int     (*score)(session *x, metrics_row *row, char text[200], rg_status *st);
    /* After an evaluation: what the model writes or says, trouble with its gradient. */
    void    (*show)(session *x);
    /* The best of the baselines, in the unit of the picture; NaN: none. */
    double  (*baseline)(const session *x, char label[64]);
    /* The best model on the test part: the row, and the result on stdout. */
    int     (*score_test)(session *x, model *best, metrics_row *row, rg_status *st);
    int     (*print)(session *x, model *best, const metrics_row *row);
    void    (*close)(session *x);
};

/* lm_task is of characters and bytes. */
extern const task lm_task, word_task, class_task, sequence_task, value_task;

/* session.c: everything that the loop needs; session_close() frees what there is. */
int  session_open(session *x, settings *s);
void session_close(session *x);
/* Plan options of this run: of evaluations, and of training. */
rg_plan_opts session_plan(const session *x);
rg_plan_opts session_train_plan(const session *x);
rg_optim_opts session_optim(const session *x);
/* Says what program this is, on what machine. */
void session_banner(const session *x);
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

/* train.c: is no option given that belongs to other tasks only? Then defaults that depend on other
 * settings, and the files of a folder. */
int train_check(const settings *s);
int train_settle(settings *s);
/* look.c: settings of `train` from the line of another command, by the options that both have; or
 * from the run that is its operand. DONE or said why. */
int look_of_line(settings *t, const settings *s);
int look_of_run(settings *t, const settings *s);
/* session_open() in silence, without a folder; @p s are whose settings t was made from. */
int look_open(session *x, settings *t, const settings *s);

/* watch.c: after a step, what it showed of the gradient if it was sampled. */
int watch_step(session *x);
/* rg_gradflow_svg() or rg_gradflow_gates_svg() of n reports, as a file. DONE or said why. */
typedef rg_status flow_picture(const rg_gradflow_report *const *reports, const char *const *labels,
                               size_t n, const char *title, rg_write_fn *write, void *user);
int flow_draw(const char *path, flow_picture *paint, const rg_gradflow_report *const *report,
              const char *const *label, size_t n, const char *title);

/* explain.c: numerical trouble in words. */
void explain_step(session *x, const rg_trainer_report *r);
void explain_flow(session *x);
void explain_report(session *x, const rg_gradflow_report *r);
int  explain_divergence(session *x, rg_status status);

#endif
