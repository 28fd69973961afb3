/* retrograd/check.h -- are the gradients right? docs/MATH.md 13. */
#ifndef RETROGRAD_CHECK_H
#define RETROGRAD_CHECK_H

#include "plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Gradient check ------------------------------------------------------------------------ */

/* 0 only for a pass, so `if (rg_gradcheck(...))` is "not proven". */
typedef enum rg_verdict {
    RG_PASS         = 0,
    RG_FAIL         = 1,  /* some block is wrong */
    RG_INCONCLUSIVE = 2,  /* none is wrong, some cannot be told */
    RG_NOT_RUN      = 3   /* the check itself failed: report->status, report->message */
} rg_verdict;

/* One tensor's use at one time step. */
typedef struct rg_gradcheck_block {
    const char *name;       /* "lstm.Ui", "x" */
    int64_t     step;       /* time step, or RG_NO_STEP */
    rg_verdict  verdict;
    const char *oracle;     /* "difference", "complex step", "local step", "local op", "second
                               order"; "no path", "blocked" where there is no gradient and none is
                               due */
    const char *reason;     /* why it is undecided; "" if it is not */
    int64_t     index;      /* worst element (or direction) */
    double      got, want;  /* there: by rg_grad, by the oracle */
    double      error;      /* relative to the block */
    double      sigma;      /* what the oracle itself may be off, on the same scale */
    double      h;          /* step of the difference; 0 = another oracle decided */
    size_t      excluded;   /* elements next to a kink */
} rg_gradcheck_block;

/* What must hold of all blocks together, shown where it holds least. */
typedef struct rg_gradcheck_law {
    const char *name;       /* "sum over steps", "optimized plan", "f32 plan", "dot product",
                               "symmetry" */
    rg_verdict  verdict;    /* RG_NOT_RUN: it could not be asked, which fails nothing */
    const char *reason;     /* why not, or why it is undecided; "" if it is neither */
    const char *tensor;     /* "" if it is about all of them */
    int64_t     step;       /* time step, or RG_NO_STEP */
    double      got, want;  /* there: an element, an inner product, a norm */
    double      error;      /* relative to the block, the tensor or the terms of the product */
    double      bound;      /* what error may be: the law's, and what rounding does here */
} rg_gradcheck_law;

typedef struct rg_gradcheck_report {
    rg_verdict verdict;
    rg_status  status;                /* RG_OK unless RG_NOT_RUN */
    size_t     passed, failed, inconclusive;
    double     worst_error;           /* over the resolved blocks */
    size_t     n_block;
    const rg_gradcheck_block *block;  /* failed first, then suspects, then the rest */
    size_t     n_law;
    const rg_gradcheck_law *law;
    uint64_t   seed;                  /* of data and directions */
    char       message[512];          /* one line: the verdict and its reason, op and step named */
} rg_gradcheck_report;

typedef struct rg_gradcheck_opts {
    rg_plan *data;       /* take inputs from what is bound here; none = drawn: reals N(0,1),
                            masks 1, indices below what their users allow */
    int      order;      /* 0 or 1 = gradient; 2 = also the gradient of the gradient */
    double   rtol;       /* 0 = 1e-6, relative to the block */
    bool     all_steps;  /* also beyond 32 time steps */
    bool     allow_inconclusive;
    uint64_t seed;
} rg_gradcheck_opts;

/**
 * Hold gradients against oracles that do not use them, in double precision, block by block: what
 * a tensor contributes at one time step is judged against its own size (docs/GRADCHECK.md).
 *
 * @param[out] report  filled and owned by the caller (rg_gradcheck_destroy); NULL if only the
 *                     verdict matters
 * @param loss         a scalar of the graph
 * @param x            n parameters, real inputs or inner values (an inner one is perturbed where it
 *                     stands); NULL, 0 = every unfrozen parameter that the loss reaches
 * @param opts         NULL = first order, drawn data
 *
 * @return    RG_PASS only if every block is resolved and agrees, every law holds, the loss is pure
 *            (two evaluations give equal bits) and every deliberate damage was noticed
 *
 * Precision  its own f64 plans of private copies; graph and store are read, never changed
 * Cost       about 30 evaluations per block, 6 to 16 per element of one of up to 64; second order
 *            about as much again
 * Detached   values (rg_detach) are held fixed, so what flows through them is not measured
 * Errors     RG_NOT_RUN with the status in the report: poisoned graph, RG_ENOGRAD with the op's
 *            name, RG_EUSER a loss that is not pure, RG_EGRAPH an unbound input or another graph,
 *            RG_ESHAPE, RG_EARG, RG_ENOMEM, an op without f64 kernel. The graph stays sound
 * Threads    one thread; reads the graph and the store
 */
RG_API rg_verdict rg_gradcheck(rg_gradcheck_report **report, rg_val loss, const rg_val *x, size_t n,
                               const rg_gradcheck_opts *opts);
/* The table: a summary line, then the failed and the undecided blocks, then one line per tensor and
 * one per law. */
RG_API void rg_gradcheck_print(const rg_gradcheck_report *report, rg_write_fn *write, void *user);
RG_API void rg_gradcheck_destroy(rg_gradcheck_report **report);

#ifdef __cplusplus
}
#endif
#endif
