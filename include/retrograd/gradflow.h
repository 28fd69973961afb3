/* retrograd/gradflow.h -- what the gradient does on its way back through time, and where a number
 * stopped being one. docs/MATH.md 14; how to read it: docs/GRADFLOW.md. */
#ifndef RETROGRAD_GRADFLOW_H
#define RETROGRAD_GRADFLOW_H

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What is found -------------------------------------------------------------------------- */

/* What is differentiated. */
typedef enum rg_probe {
    RG_PROBE_END = 0,  /* the last real state's product with a random unit vector, row by row */
    RG_PROBE_LOSS,     /* y itself: all losses of a sequence, as training sees them */
    RG_PROBE_JACOBIAN  /* the last state, one element after the other: ∂h_T/∂h_{T-k} whole */
} rg_probe;

/* In order of concern. With R = e^(slope·lag asked for): */
typedef enum rg_flow_verdict {
    RG_FLOW_HEALTHY = 0,  /* R = 1e-3 .. 1e3 */
    RG_FLOW_FADING,       /* R < 1e-3 */
    RG_FLOW_GROWING,      /* R > 1e3 */
    RG_FLOW_VANISHING,    /* R < 1e-6: below the rounding of an f32 sum */
    RG_FLOW_CUT,          /* no path at all: exact zeros */
    RG_FLOW_EXPLODING     /* R > 1e6, or not finite */
} rg_flow_verdict;

/* "healthy", "fading", ... */
RG_API const char *rg_flow_verdict_text(rg_flow_verdict verdict);

/* The gradient of a state, or of all states of a layer together, against the lag. */
typedef struct rg_flow_state {
    const char   *name;       /* "rnn.l0 c"; of a layer "rnn.l0" */
    size_t        layer;
    int64_t       lags;       /* of norm: lags 0 .. lags-1; 0 = the last real step */
    const double *norm;       /* N(k), root of the mean over rows of ‖∂L/∂s‖² */
    double        slope;      /* of ln N(k) per step; -INFINITY where nothing arrives */
    double        half_life;  /* ln 2/|slope| steps */
    double        horizon;    /* ln 1000/|slope| steps */
    double        ratio;      /* R */
    int64_t       underflow;  /* first lag too small to count; RG_NO_STEP = none */
    int64_t       cut;        /* the path ends before this time step; RG_NO_STEP = it does not */
    rg_flow_verdict verdict;
    /* of the probe `jacobian`, of the first row; else NULL and 0 */
    const double  *spectral, *frobenius;  /* [lags]  ‖J_k‖₂, ‖J_k‖_F */
    size_t         n_singular, width;     /* so many lags with all their singular values */
    const int64_t *singular_lag;          /* [n_singular] */
    const double  *singular;              /* [n_singular][width], falling */
} rg_flow_state;

/* What each time step contributes to a parameter's gradient. */
typedef struct rg_flow_param {
    const char   *name;
    const double *norm;       /* [T] ‖ḡ_t‖ by time step */
    double        outside;    /* of uses in no time step */
    double        total;      /* ‖Σ ḡ_t‖ */
} rg_flow_param;

/* The values of a gate. */
typedef struct rg_flow_gate {
    const char   *name;       /* "rnn.l0.f" */
    double        low, high;  /* share of values < 0.1, > 0.9: saturated */
    double        stuck;      /* share of values < 0.001 or > 0.999; above 0.99 the gate is dead */
    double        mean;
    double        keeps;      /* mean share of the old state that it passes on; NaN: none */
    double        memory;     /* 1/(1-keeps) steps; NaN */
    int64_t       T, width;
    const double *over_time;  /* [T] mean over rows and units */
    const double *first_row;  /* [T][width] */
} rg_flow_gate;

typedef struct rg_gradflow_report {
    rg_status     status;
    rg_flow_verdict verdict;     /* the most concerning of the layers */
    rg_probe      probe;
    rg_dtype      real;
    int           draws;
    uint64_t      seed;
    int64_t       T, B;
    int64_t       lag;           /* that the verdict is about */
    size_t        n_state, n_layer, n_param, n_gate;
    const rg_flow_state *state;  /* each for itself */
    const rg_flow_state *layer;  /* root of the sum of squares of its states */
    const rg_flow_param *param;
    const rg_flow_gate  *gate;
    int64_t       x_lags;
    const double *x;             /* [x_lags] ‖∂y_T/∂x_t‖ against the lag; NULL = no input found */
    size_t        nodes, runs;   /* of the plan; what it cost */
    char          message[512];  /* one line: verdict, numbers, what to try; or why it failed */
} rg_gradflow_report;

/* ---- Measuring ------------------------------------------------------------------------------ */

/* A gate that the search would not find: T values of one shape. */
typedef struct rg_flow_gate_values {
    const char   *name;
    const rg_val *value;
    int64_t       T;
} rg_flow_gate_values;

typedef struct rg_gradflow_opts {
    const rg_val *states;      /* as rg_unroll_opts.states gives or rg_step made them: state k after
                                  step t at t·n_state + k. NULL = found: what one time step's scope
                                  leaves to the next */
    size_t        n_state;
    int64_t       T;
    bool          reverse;     /* states given run from step T-1 to step 0 */
    const char *const *names;  /* of states given, "enc h"; equal first words make a layer. NULL =
                                  by scope and place */
    const rg_flow_gate_values *gates;  /* NULL = every sigmoid in a time step's scope */
    size_t        n_gate;
    rg_val        x;           /* [T,B,...] for the connectivity; none = what the steps read */
    rg_probe      probe;
    int           draws;       /* of the probe `end`: mean of the logarithms; 0 = 8 */
    int64_t       lag;         /* the lag that matters; 0 = the longest there is */
    bool          parameters;  /* also every time step's share in every parameter's gradient */
    rg_plan      *data;        /* take inputs from what is bound here; none = drawn: reals N(0,1),
                                  masks 1, indices below what their users allow */
    rg_dtype      real;
    int           threads;
    uint64_t      seed;        /* of drawn data and vectors */
} rg_gradflow_opts;

/**
 * Follow the gradient back through any unrolled graph.
 *
 * @param[out] report  owned by the caller (rg_gradflow_destroy), also on failure, where it holds
 *                     status and message; NULL only without memory
 * @param y            what the sequence is for: a scalar loss, or for `end` and `jacobian` any real
 *                     value that depends on the states
 * @param opts         NULL = probe `end`, f32, drawn data
 *
 * Masks      the lag of a row counts its own real steps, from its last one. Masks are found in the
 *            states; lengths of 0 take no part
 * Loops      several (two directions, encoder and decoder) are measured each from its own last
 *            state
 * Cost       a plan of a private copy, linear in nodes; draws (the state's width for `jacobian`)
 *            runs forward and backward for each loop, or one for `loss`; all gradients of states in
 *            memory at once. With `parameters` the products of a weight are not merged over time.
 *            Graph and store are read, never changed
 * Errors     RG_EARG no such states, options; RG_ESHAPE `loss` of no scalar, jacobian wider than
 *            256; RG_EGRAPH as rg_gradcheck(); what planning and running say
 */
RG_API rg_status rg_gradflow(rg_gradflow_report **report, rg_val y, const rg_gradflow_opts *opts);
/* A table with bars: states by lag, shares of parameters, gates, verdict, remedy. */
RG_API void rg_gradflow_print(const rg_gradflow_report *report, rg_write_fn *write, void *user);
/* One object, without a line end; what is not finite is null. */
RG_API void rg_gradflow_json(const rg_gradflow_report *report, rg_write_fn *write, void *user);
RG_API void rg_gradflow_destroy(rg_gradflow_report **report);

/* N(k) against the lag, one curve per state of up to four reports ("before", "after"), as
 * rg_svg_curves(). With -Dio=disabled not there. */
RG_API rg_status rg_gradflow_svg(const rg_gradflow_report *const *reports,
                                 const char *const *labels, size_t n, const char *title,
                                 rg_write_fn *write, void *user);
/* Every gate of the first row over the sequence, shades from 0 to 1, the reports side by side; up
 * to 64 pictures. RG_ENOMEM. */
RG_API rg_status rg_gradflow_gates_svg(const rg_gradflow_report *const *reports,
                                       const char *const *labels, size_t n, const char *title,
                                       rg_write_fn *write, void *user);

/* ---- Within training ------------------------------------------------------------------------ */

/**
 * rg_plan_create_train() with the probe `loss` in it: the norms of the states' gradients as further
 * roots. So a step that is looked at costs little more than another, and gives the same bits.
 *
 * @param[out] norm  a value [T,B] for each state that rg_gradflow() would tell of, in memory of the
 *                   graph: ‖∂loss/∂s‖ of each row, in the order in which the steps run; -1 where a
 *                   row is masked
 * @param also       n more roots to read or carry; NULL if none
 * @param opts       states, n_state, T, reverse; NULL = found, in all loops over time
 *
 * Range      f32 plans tell norms from 1e-28 to 1e10; beyond, 0 and infinity
 * Errors     as rg_plan_create_train(), and as rg_gradflow() with the probe `loss`. The message is
 *            in the graph
 */
RG_API rg_status rg_gradflow_train(rg_plan **plan, rg_val **norm, rg_val loss, const rg_val *also,
                                   size_t n, const rg_gradflow_opts *opts,
                                   const rg_plan_opts *plan_opts);
/* The report of such a plan's last run, with the same loss and opts, of which names and lag count,
 * too. As rg_gradflow(); RG_ESTATE the plan has not run. */
RG_API rg_status rg_gradflow_read(rg_gradflow_report **report, rg_plan *plan, rg_val loss,
                                  const rg_val *norm, const rg_gradflow_opts *opts);

enum { RG_NORM_WINDOW = 1000 };

/* Norms of updates before clipping, as they come; all zero = none yet. */
typedef struct rg_norm_watch {
    double   norm[RG_NORM_WINDOW];  /* the last ones */
    uint64_t n;
    uint64_t clipped;               /* of them */
    uint64_t spikes;
    double   worst;                 /* largest so far */
    double   work[RG_NORM_WINDOW];  /* of the median */
} rg_norm_watch;

/* Enter a norm; true = it explodes: above 1000·max(median of the last 1000, clip), where clip is
 * the threshold, or 1 if there is none (0). What is not finite explodes and is not entered. */
RG_API bool rg_norm_watch_add(rg_norm_watch *watch, double norm, double clip);
/* Median of the last ones; 0 if there are none. */
RG_API double rg_norm_watch_median(rg_norm_watch *watch);

/* ---- Where NaN and infinity come from ------------------------------------------------------- */

typedef struct rg_nonfinite_place {
    bool    found;
    char    op[64];         /* "log"; "parameter", "input" for numbers that came as they are */
    char    scope[160];     /* "rnn step 3"; of a gradient's operation that of the forward one */
    bool    gradient;       /* on the way back */
    int64_t step, row;      /* RG_NO_STEP, -1: of no time step; no row */
    int64_t index;          /* flat, of the first such element */
    double  value;          /* NaN or an infinity */
    double  operand;        /* the element of the first operand at the same place, if the shapes are
                               equal; else NaN */
    double  norm;           /* the largest of the operands' norms: the last that was healthy */
    char    message[512];   /* all of this in one line, or why it failed */
} rg_nonfinite_place;

/* An input's data before a run, where that is not what is bound now: carried states. */
typedef struct rg_held_input {
    rg_val      input;
    const void *data;
} rg_held_input;

/**
 * Name the operation that made the first NaN or infinity which reached a root of the last run.
 *
 * @param[out] out   found = false if node by node everything is finite
 * @param plan       it has run, with its present inputs and the store's present parameters; its
 *                   graph still exists
 * @param held       n inputs with other data than now; NULL, 0 = none
 *
 * Runs the graph again by its reference kernels, node by node, with the same random numbers. What
 * only passes by (a -∞ that a softmax turns to 0) is not blamed.
 *
 * Errors     RG_ESTATE the plan has not run; what planning and running say
 */
RG_API rg_status rg_find_nonfinite(rg_nonfinite_place *out, rg_plan *plan,
                                   const rg_held_input *held, size_t n);

#ifdef __cplusplus
}
#endif
#endif
