/* check/gradflow.h -- gradient flow from the inside: rg_gradflow() runs these parts in order.
 *
 * A *loop* is what runs step by step: the scopes of one name with a time step, in one direction. A
 * *track* is one of its states at every position, position 0 being the step that runs first. All
 * is measured on a private copy of what the tracks need; graph, plan and store are only read.
 * docs/MATH.md 14. */
#ifndef RG_CHECK_GRADFLOW_H
#define RG_CHECK_GRADFLOW_H

#include <retrograd/gradflow.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "graph/graph.h"
#include "plan/plan.h"

enum {
    RG_FLOW_DRAWS = 8,
    RG_FLOW_WIDEST = 256,     /* states of the probe `jacobian` */
    RG_FLOW_SINGULAR = 16     /* lags with all singular values */
};

typedef struct rg_flow_loop {
    const char *name;
    int64_t     T;
    int64_t    *time;         /* [T] time step by position */
    uint32_t  **step;         /* [T] user's nodes of each step's scope, ascending; NULL = unknown */
    size_t     *n_step;
    size_t      first, n_track;
    int64_t     B, lags;
    int64_t    *lag;          /* [T][B] of a row at a position; -1 = masked */
    double     *rows;         /* [lags] rows that have it */
    int64_t     longest;      /* a row with all lags */
    uint32_t   *mask;         /* [T] user's conditions, of B elements; NULL = all real */
    size_t      top;          /* track whose last value is the output */
} rg_flow_loop;

/* Norms by lag, gathered over rows and draws. */
typedef struct rg_flow_norms {
    double *norm;             /* [lags] in the end N(k) */
    double *most, *sum;       /* [lags] of one draw: largest row norm, Σ (row norm/most)² */
    double *draws;            /* [lags] that were not 0 */
} rg_flow_norms;

typedef struct rg_flow_track {
    const char *name;
    size_t      loop, layer;
    uint32_t   *id;           /* [T] by position, in the user's graph: what the next step reads */
    uint32_t   *made;         /* [T] what the step made, before a mask chose */
    rg_val     *grad;         /* [T] in the copy */
    rg_flow_norms norms;
    int64_t     width;
    double     *row;          /* jacobian: [lags][width of top][width] of the longest row */
} rg_flow_track;

typedef struct rg_flow_layer {
    const char *name;
    size_t      loop;
} rg_flow_layer;

/* A gate at every position of its loop. */
typedef struct rg_flow_gate_track {
    const char *name;
    size_t      loop;
    int64_t     T;
    uint32_t   *id;           /* [T] user's graph */
    uint32_t   *keep;         /* [T] the factor of the old state: the gate, or one minus it; or 0 */
} rg_flow_gate_track;

/* What the uses of a parameter at one time step read. */
typedef struct rg_flow_tap {
    const rg_slot *slot;
    int64_t        step;
    rg_val         leaf, grad;
    double         square;    /* ‖ḡ‖², summed over draws */
} rg_flow_tap;

/* Where an input of the copy has its numbers from: one of these. */
typedef struct rg_flow_source {
    uint32_t       input;     /* of the user's graph */
    const rg_slot *slot;
    void          *own;       /* in the plan's precision */
    size_t         bytes;
} rg_flow_source;

typedef struct rg_flow {
    rg_alloc  alloc;
    rg_arena  arena;          /* of the work */
    rg_arena  kept;           /* of the report */
    rg_err    err;
    rg_graph *g;              /* the user's */
    rg_val    y;
    rg_gradflow_opts opts;    /* resolved */
    uint32_t *step_of;        /* by user's scope: the outermost one with a time step; 0 = none */

    rg_flow_loop  *loop;
    size_t         n_loop;
    rg_flow_track *track;
    size_t         n_track;
    rg_flow_layer *layer;
    size_t         n_layer;
    rg_flow_gate_track *gate;
    size_t         n_gate;
    uint32_t       x;         /* user's graph; 0 = none */
    rg_val         x_grad;
    rg_flow_norms x_norms;

    rg_graph *copy;
    uint32_t *of;             /* by user's id: the copy's; 0 = not needed */
    rg_flow_source *source;   /* by input of the copy */
    rg_val   *seed;           /* by loop: an input of the copy, [B,...] */
    void    **direction;      /* by loop: what is bound there */
    rg_flow_tap *tap;
    size_t    n_tap;
    rg_plan  *plan;
    size_t    runs;
} rg_flow;

rg_status rg_flow_no_memory(rg_flow *f);

/* ---- gradflow_states.c: loops and their tracks ---------------------------------------------- */

rg_status rg_flow_find(rg_flow *f);

/* ---- gradflow_names.c: whose a value is ------------------------------------------------------ */

/* The parameter nearest to a node on the way up within its time step; NULL if none is. */
const rg_slot *rg_flow_param_of(rg_flow *f, uint32_t id);
/* Through selections, to what a step computed. */
uint32_t rg_flow_computed(const rg_flow *f, uint32_t id);
rg_status rg_flow_name(rg_flow *f);

/* ---- gradflow_gates.c ------------------------------------------------------------------------ */

rg_status rg_flow_find_gates(rg_flow *f);
rg_status rg_flow_read_gates(rg_flow *f, rg_gradflow_report *r);

/* ---- gradflow_copy.c ------------------------------------------------------------------------ */

rg_status rg_flow_copy(rg_flow *f);
rg_status rg_flow_bind(rg_flow *f);
/* A graph's input as a plan has it, bound or carried; NULL = not bound. */
const void *rg_flow_bound(const rg_plan *plan, uint32_t id, rg_dtype *dtype);

/* ---- gradflow_run.c: objective, plan, runs; gradflow_norms.c -------------------------------- */

rg_status rg_flow_measure(rg_flow *f);
/* Element i of a plan's value. */
double rg_flow_element(const rg_plan *plan, const void *data, int64_t i);
/* Does a row take part at a position? */
typedef bool rg_flow_real_fn(const rg_flow *f, const rg_flow_loop *loop, int64_t p, int64_t b);
/* Lags of all rows. */
rg_status rg_flow_lags(rg_flow *f, rg_flow_loop *loop, rg_flow_real_fn *is_real);
rg_status rg_flow_norms_make(rg_flow *f, rg_flow_norms *n, const rg_flow_loop *loop);
/* One position's gradient, B rows of @p width numbers. */
void rg_flow_norms_add(rg_flow_norms *n, const rg_flow_loop *loop, int64_t p, const rg_plan *plan,
                       const void *data, int64_t width);
/* A draw is complete; all are. @p log: the mean is of logarithms, else of squares over @p draws. */
void rg_flow_norms_next(rg_flow_norms *n, const rg_flow_loop *loop, bool log);
void rg_flow_norms_end(rg_flow_norms *n, const rg_flow_loop *loop, bool log, double draws);

/* ---- gradflow_jacobian.c --------------------------------------------------------------------- */

/* Norms and singular values of t->row. */
rg_status rg_flow_jacobian(rg_flow *f, rg_flow_state *s, const rg_flow_track *t);

/* ---- gradflow_judge.c ----------------------------------------------------------------------- */

/* Slope, verdict and what follows from s->norm, for the lag asked for; @p time of each lag. */
void rg_flow_judge(rg_flow_state *s, int64_t lag, rg_dtype real, const int64_t *time);
/* The report's line. */
void rg_flow_say(rg_gradflow_report *r);
const char *rg_flow_probe_text(rg_probe probe);

/* ---- gradflow_report.c ---------------------------------------------------------------------- */

rg_status rg_flow_report(rg_flow *f, rg_gradflow_report *r);

/* ---- gradflow.c ------------------------------------------------------------------------------ */

rg_status rg_flow_check(rg_flow *f);
/* An empty measurement, and the report that its memory goes into, whatever became of it. */
void rg_flow_begin(rg_flow *f, rg_graph *g, const rg_gradflow_opts *opts);
rg_status rg_flow_finish(rg_gradflow_report **report, rg_flow *f,
                         rg_status (*work)(rg_flow *f, rg_gradflow_report *r));

#endif
