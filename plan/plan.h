/* plan/plan.h -- a plan's insides, for the files of plan/, for optim/ and check/. */
#ifndef RG_PLAN_PLAN_H
#define RG_PLAN_PLAN_H

#include "plan/pool.h"
#include "plan/prog.h"

/* An input of the graph, whether the program reads it or not. */
typedef struct rg_plan_input {
    const char *name;
    uint32_t    graph_id;
    uint32_t    id;       /* in the program; 0 = not needed */
    size_t      bytes;
    rg_dtype    dtype;
    const void *data;     /* bound; NULL = not */
    rg_slot    *carry;    /* of the plan's state; NULL = not carried */
    int64_t     bound;    /* of an RG_INT input: elements lie in 0 .. bound-1; INT64_MAX = any */
    const rg_op *bound_by;
} rg_plan_input;

/* A parameter that the program reads. */
typedef struct rg_plan_param {
    uint32_t id;
    rg_slot *slot;
} rg_plan_param;

/* A root that is the gradient of a parameter. */
typedef struct rg_plan_gradient {
    rg_slot  *slot;
    uint32_t  id;         /* in the program */
    uint32_t  objective;  /* graph id of what was differentiated */
    void     *sum;        /* with opts.accumulate: sum over runs; else NULL */
} rg_plan_gradient;

typedef struct rg_plan_carried {
    uint32_t from;        /* program id of a root */
    size_t   input;       /* index of the input that receives it */
    void    *start;       /* what it starts from at a restart; NULL = zeros */
    void    *staging;     /* on the way: a root may be another carried input */
} rg_plan_carried;

/* For check/, in interpreted plans: what a run computes, the rest keeping its values; and what is
 * done to each value thereafter. */
typedef struct rg_plan_watch {
    const uint8_t *only;      /* by program id; NULL = everything */
    void (*computed)(void *user, rg_plan *plan, uint32_t id);
    void          *user;
} rg_plan_watch;

struct rg_plan {
    rg_alloc          alloc;
    rg_pool           pool;        /* while the plan is being made */
    rg_arena          arena;       /* this struct's arrays and names */
    rg_plan_opts      opts;
    const rg_graph   *graph;       /* identity only, after creation */
    rg_params        *params;
    rg_prog           prog;
    int               threads;
    struct rg_exec   *exec;        /* how it runs: interpreter or compiled steps */

    void            **value;       /* by program id: where its elements lie; NULL = nowhere */
    uint8_t          *readable;    /* by program id: rg_plan_data() may show it */
    char             *memory;      /* of all values that are not elsewhere */
    size_t            memory_bytes;
    size_t            sum_bytes;   /* of accumulated gradients */

    rg_plan_input    *input;
    size_t            n_input;
    rg_plan_param    *param;
    size_t            n_param;
    rg_plan_gradient *gradient;
    size_t            n_gradient;
    rg_plan_carried  *carried;
    size_t            n_carried, carried_cap;
    rg_params        *state;       /* "plan.run" and "plan.<carried input>" */
    rg_slot          *run;         /* number of the next run, RG_I64 */

    rg_err            bad_bind;    /* what failed: every run repeats it, until one succeeds */
    rg_err            bad_carry;
    bool              has_run;     /* the last run succeeded */
    int64_t           runs;        /* successful ones since the optimizer's last step */
    const rg_plan_watch *watch;    /* NULL = none */
    bool              running;
    int64_t           pid;
    rg_plan_report    report;
    rg_err            err;         /* rg_plan_message() */
};

/* How a plan runs: one for each effort. `setup` decides where every value lies (plan->value,
 * plan->memory) and prepares all scratch; `run` allocates nothing. */
typedef struct rg_executor {
    rg_status (*setup)(rg_plan *plan, rg_err *err);
    rg_status (*run)(rg_plan *plan, uint64_t run);
    void      (*destroy)(rg_plan *plan);
    void      (*print)(const rg_plan *plan, rg_write_fn *write, void *user);
    void      (*dot)(const rg_plan *plan, rg_write_fn *write, void *user);
} rg_executor;

struct rg_exec {
    const rg_executor *how;
};

extern const rg_executor rg_interpreter;  /* plan/interpret.c */
/* plan/print.c, plan/dot.c: the part that differs, for programs that run node by node and step by
 * step. */
void rg_print_nodes(const rg_plan *plan, rg_write_fn *write, void *user);
void rg_print_steps(const rg_plan *plan, rg_write_fn *write, void *user);
void rg_dot_nodes(const rg_plan *plan, rg_write_fn *write, void *user);
void rg_dot_steps(const rg_plan *plan, rg_write_fn *write, void *user);

/* Gradients of the loss, all asked for at once: of each unfrozen parameter that it reaches, *n of
 * them, and of inner values. train.c. The message is in the graph. */
rg_status rg_train_roots(rg_val *root, size_t *n, rg_val loss, const rg_val *inner, rg_val *dinner,
                         size_t n_inner);

/* A plan, all options resolved; *bytes: of its arena, also where that is over the budget. */
rg_status rg_plan_make(rg_plan **out, rg_graph *g, const rg_val *roots, size_t n,
                       const rg_plan_opts *o, const rg_again *again, size_t *bytes, rg_err *err);
/* The same within o->budget_bytes, with as little recomputing as does it. */
rg_status rg_plan_within(rg_plan **out, rg_graph *g, const rg_val *roots, size_t n,
                         const rg_plan_opts *o, rg_err *err);

/* For `setup`: values and scratch take so many bytes. Reports that, with what else runs need;
 * RG_ELIMIT if it is over the budget. */
rg_status rg_plan_fits(rg_plan *plan, size_t bytes, rg_err *err);

/* Bytes of a program value. */
size_t rg_plan_bytes(const rg_plan *plan, uint32_t id);
/* The kernel to call in the plan's precision; *convert: it is the f64 one in an f32 plan. */
rg_kernel_fn *rg_plan_kernel(const rg_op *op, rg_dtype real, bool *convert);
/* A run ends since the kernel of this node returned @p code: says so. */
rg_status rg_plan_kernel_failed(rg_plan *plan, uint32_t id, int code);
/* Every op has one? RG_EARG names the op that has none. */
rg_status rg_plan_check_kernels(const rg_plan *plan, rg_err *err);
/* Elements of a leaf that lies in the plan's own memory: numbers and constants, filled once. */
void rg_plan_fill_constant(void *out, const rg_node *node, rg_dtype real);
/* What plan->value of a parameter's node shows: its slot, or a converted copy made before a run. */
void rg_plan_refresh_params(rg_plan *plan);

/* ---- For optim/ ----------------------------------------------------------------------------- */

/* The gradient's elements after a run, in the plan's precision. */
const void *rg_plan_gradient_data(const rg_plan *plan, const rg_plan_gradient *gradient);
/* The optimizer has used the gradients: sums start anew. */
void rg_plan_consumed(rg_plan *plan);

#endif
