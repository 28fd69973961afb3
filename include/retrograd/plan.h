/* retrograd/plan.h -- from values to a program that runs: create, bind, run, read. */
#ifndef RETROGRAD_PLAN_H
#define RETROGRAD_PLAN_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rg_plan rg_plan;

typedef enum rg_mode {
    RG_MODE_AUTO = 0,  /* train if some root is a gradient, else evaluate */
    RG_TRAIN     = 1,
    RG_EVALUATE  = 2   /* dropout and zoneout take their evaluation form */
} rg_mode;

typedef enum rg_effort {
    RG_OPTIMIZE  = 0,  /* all passes; the same graph and options give the same plan */
    RG_INTERPRET = 1   /* reference kernels in node order: the oracle; keeps every value */
} rg_effort;

/* A step of a run, and what it took. Texts live as long as the callback. */
typedef struct rg_timed_step {
    const char *kernel;    /* "product", "tile", "copy", ...; effort interpret: the op */
    const char *scope;     /* where the forward code was: "l0/lstm step 3"; "" = nowhere */
    const char *shapes;    /* of a product its operands, "[8,16] x [16,64]"; else of the result */
    bool        gradient;  /* made by rg_grad */
    size_t      index;     /* in order of running, from 0; the same in every run */
    double      seconds;
    double      flop;      /* operations on elements: a multiply-add is two, a tanh is one */
    double      bytes;     /* of operands and results, each once */
} rg_timed_step;

/* Callbacks; each may be NULL. A plan that is created with `step` may be run without: it looks
 * again at every run. Traced, threads meet after every step, so that times are of one step. */
typedef struct rg_trace {
    void  *user;
    void (*pass)(void *user, const char *pass, size_t nodes, double seconds); /* after each pass */
    void (*step)(void *user, const rg_timed_step *step); /* each, in order, when all have run;
                                                             effort interpret: as they run */
    void (*warn)(void *user, const char *message);  /* e.g. this OpenBLAS is not the OpenMP build */
} rg_trace;

typedef struct rg_plan_opts {
    rg_dtype    real; /* RG_F32 (default) or RG_F64; a store of the other precision is converted */
    rg_mode     mode;
    rg_effort   effort;
    int         threads;       /* 0 = what OpenMP offers; results do not depend on it */
    size_t      budget_bytes;  /* arena at most so large; 0 = no limit. f32 plans then compute again
                                  what they cannot keep, with the same results */
    rg_val      objective;     /* whose gradients rg_optim_step reads; none = the only one */
    bool        accumulate;    /* runs add to the gradients until rg_optim_step takes their mean */
    bool        keep;          /* every value stays readable by rg_plan_data, not only roots */
    bool        portable;      /* no BLAS: the same bits on every CPU with FMA (any NaN counts as
                                  any); f32 */
    bool        keep_subnormals; /* f32 runs flush them by default, on our threads only */
    bool        dry_run;       /* plan and report, take no arena; run answers RG_ESTATE */
    bool        steady;        /* parameters change by this library alone, or rg_params_written()
                                  says so: weights stay packed from run to run */
    const char *disable;       /* passes to leave out, by name: "batch pack" */
    bool        verify;        /* check the program after every pass */
    bool        poison;        /* fill dead memory with NaN */
    const rg_trace *trace;     /* must outlive the plan */
    rg_alloc    alloc;
} rg_plan_opts;

/**
 * Compile everything that @p roots need into a program with its own memory.
 *
 * @param[out] out  the plan, or NULL
 * @param roots     n values of one graph; rg_plan_data() reads them after a run. Duplicates are
 *                  fine
 * @param opts      NULL = f32, all threads, all passes
 *
 * Errors     the graph's first error, if it is poisoned; RG_EARG options, no roots, or roots that
 *            are inert or of two graphs; RG_ENOMEM; RG_ELIMIT extents beyond BLAS's 32 bits,
 *            or a budget that cannot be met (with both numbers). The message is in the graph:
 *            rg_graph_message().
 * Ownership  caller destroys it, before graph and store. The graph may grow meanwhile; the plan is
 *            a private copy
 * Threads    creation uses the graph; afterwards the plan is independent of it. One thread at a
 *            time runs a plan, many plans run at once
 * Cost       linear in nodes (docs/PERFORMANCE.md)
 */
RG_API rg_status rg_plan_create(rg_plan **out, const rg_val *roots, size_t n,
                                const rg_plan_opts *opts);

/**
 * The short way to train: rg_grad() of @p loss for every unfrozen parameter it reaches, planned
 * with the loss.
 *
 * @param loss        a scalar; penalties made with rg_grad() may be part of it
 * @param also        n more roots to read or carry (logits, final states); NULL if none
 * @param opts        NULL = defaults; `objective` is the loss
 *
 * Errors     as rg_plan_create and rg_grad; RG_EGRAPH the loss reaches no unfrozen parameter
 */
RG_API rg_status rg_plan_create_train(rg_plan **out, rg_val loss, const rg_val *also, size_t n,
                                      const rg_plan_opts *opts);
RG_API void rg_plan_destroy(rg_plan **plan);

/**
 * Say where an input's data lies. Bind once, refill the memory, run again.
 *
 * @param input   made by rg_input() in the plan's graph; one that the roots do not need is accepted
 *                and ignored
 * @param data    row-major: the plan's float or double for RG_F, int32_t for RG_INT, uint8_t for
 *                RG_BOOL
 * @param bytes   its size, which must be exact: `sizeof x`, or count * sizeof *x. So a wrong batch,
 *                length or precision is an error, not a crash
 *
 * Ownership  borrowed until rebound or the plan is destroyed; never written. Any alignment that
 *            suits the type
 * Errors     RG_EARG NULL, not an input; RG_EGRAPH another graph; RG_ESHAPE bytes (the message says
 *            what they would fit). The input is then unbound; runs repeat the message until a bind
 *            succeeds
 * Threads    not while the plan runs
 */
RG_API rg_status rg_plan_bind(rg_plan *plan, rg_val input, const void *data, size_t bytes);

/**
 * Run once: read inputs and parameters, compute every root.
 *
 * Allocates nothing (OpenBLAS's kernels for small f64 products take a block of their own), takes no
 * lock, gives the same bits for any number of threads. Gradients are overwritten (or, with
 * opts.accumulate, added).
 *
 * Errors     RG_EGRAPH an input is not bound; a failed bind or carry, repeated; RG_EINDEX an index,
 *            class or length out of range, a mask of other values than 0 and 1, found before
 *            anything is computed; RG_EUSER; RG_EFORKED; RG_ETHREAD; RG_ESTATE run from a
 *            callback, dry run. Message in rg_plan_message().
 *            Roots are then stale and rg_optim_step refuses them; carried values, run number and
 *            parameters are as before.
 * Threads    one at a time per plan; while it runs nobody writes the store
 */
RG_API rg_status rg_plan_run(rg_plan *plan);

/**
 * The value of a root after the last run.
 *
 * @return    row-major: the plan's float or double, int32_t or uint8_t, as rg_plan_bind; NULL if @p
 *            v is no root (only roots have storage, unless opts.keep) or nothing has run. Reason
 *            in rg_plan_message().
 * Ownership  borrowed; valid and unchanged until the next run or destroy
 */
RG_API const void *rg_plan_data(rg_plan *plan, rg_val v);

/* The same for a scalar root, whatever the precision; NaN where rg_plan_data returns NULL. */
RG_API double rg_plan_scalar(rg_plan *plan, rg_val v);

/**
 * Let the next run find in input to[i] what this run computed as root from[i]: truncated
 * back-propagation through time, sampling step by step, power iteration.
 *
 * @param from    n roots
 * @param to      n inputs of the same kinds and shapes, which need not be bound. They start as what
 *                is bound at this call (copied), else as zeros
 *
 * Gradient   ends at `to`, which is an input
 * Cost       none where the plan can swap buffers, else one copy
 * Errors     RG_EARG from is no root, to no input; RG_ESHAPE; RG_EDTYPE. Runs repeat the message
 *            until a carry succeeds
 */
RG_API rg_status rg_plan_carry(rg_plan *plan, const rg_val *from, const rg_val *to, size_t n);

/* Carried inputs start again. Row by row: the `reset` mask of rg_unroll. */
RG_API rg_status rg_plan_restart(rg_plan *plan);
/* Carried values and the number of the next run (which random draws depend on), as a store: save
 * and load it with the parameters. Borrowed. */
RG_API rg_params *rg_plan_state(rg_plan *plan);

/* Why the last failed call on this plan (bind, run, read, carry, optimizer step) failed; "" if none
 * did; "no plan: ask the graph" for NULL. */
RG_API const char *rg_plan_message(const rg_plan *plan);

typedef struct rg_plan_report {
    size_t nodes, steps;       /* of the graph's part, of the program */
    size_t arena_bytes;        /* all memory of a run but parameters, bound and carried data */
    double flop, moved_bytes;  /* of one run */
    int    threads;
    rg_mode mode;
    rg_dtype real;
} rg_plan_report;

RG_API rg_plan_report rg_plan_facts(const rg_plan *plan);
/* What a run does, for people who do not know the passes: a line per step with interval, kernel,
 * operations and bytes, products with their shapes, elementwise steps as formulas, places in the
 * arena, and where the code was that asked for it; what repeats over time is printed once. */
RG_API void rg_plan_print(const rg_plan *plan, rg_write_fn *write, void *user);
/* The same as a graph for graphviz's `dot`: steps in rows by interval, what flows between them. For
 * short sequences. */
RG_API void rg_plan_dot(const rg_plan *plan, rg_write_fn *write, void *user);

#ifdef __cplusplus
}
#endif
#endif
