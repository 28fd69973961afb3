/* retrograd/graph.h -- values, graphs, the parameter store, scopes; the descriptor of an op. */
#ifndef RETROGRAD_GRAPH_H
#define RETROGRAD_GRAPH_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rg_graph rg_graph;
typedef struct rg_params rg_params;

/* A value: a number in a graph, nothing to free. id 0 is inert (an earlier call failed); all zero
 * is "none". */
typedef struct rg_val {
    rg_graph *graph;
    uint32_t  id;
} rg_val;

/* "No value", for arguments documented as optional. */
#ifdef __cplusplus
#define RG_NONE (rg_val{})
#else
#define RG_NONE ((rg_val){ .graph = NULL })
#endif

/* ---- Initialisers (docs/MATH.md 7) --------------------------------------------------------- */

/* How a new parameter is filled; all zero = zeros. The functions below make the usual ones, whose
 * draws depend on seed, full name and element only, not on the order of declaration. A shape
 * [..., in, out] is a stack of matrices, each orthogonal (identity, ...) for itself; a vector [n]
 * counts as the column [n,1]. One of your own is a fill() that writes w [shape], row-major.
 *
 * Errors     of rg_param(): RG_EARG a number that is not finite; RG_ESHAPE spectral, not square */
typedef struct rg_init rg_init;
struct rg_init {
    rg_status (*fill)(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                      const char *name);
    double      a, b;
    const void *user;
};

RG_API rg_init rg_init_zeros(void);              /* 0 */
RG_API rg_init rg_init_const(double c);          /* c */
RG_API rg_init rg_init_uniform(double a);        /* U(-a, a) */
RG_API rg_init rg_init_normal(double s);         /* N(0, s²) */
RG_API rg_init rg_init_truncated(double s);      /* N(0, s²) redrawn beyond ±2s */
RG_API rg_init rg_init_glorot(void);             /* U(±√(6/(in+out))) */
RG_API rg_init rg_init_he(void);                 /* N(0, 2/in) */
RG_API rg_init rg_init_lecun(void);              /* N(0, 1/in) */
RG_API rg_init rg_init_orthogonal(double gain);  /* orthonormal rows or columns, times gain */
RG_API rg_init rg_init_identity(double gain);    /* gain · Id */
RG_API rg_init rg_init_spectral(double radius);  /* square, scaled to this spectral radius */

/* ---- Parameter store ----------------------------------------------------------------------- */

typedef struct rg_params_opts {
    rg_dtype real;  /* storage: RG_F32 (default) or RG_F64; optimizer state follows */
    rg_alloc alloc;
} rg_params_opts;

/* One parameter, as the store sees it. `data` is borrowed until destroy, and writable. */
typedef struct rg_param_info {
    const char *name;   /* full name, "enc.Ur" */
    rg_shape    shape;
    rg_dtype    dtype;  /* the store's `real`; I64 for counters of optimizers and plans */
    void       *data;
    bool        frozen;
    double      bound;  /* rg_params_bound(); 0 = free */
} rg_param_info;

/**
 * A named set of arrays that outlives graphs: weights, and in the same form an optimizer's state
 * and a plan's carried state. Many graphs (unroll lengths, the sampling graph, another thread's
 * graph) share one store by name.
 *
 * @param[out] out   the store, or NULL
 * @param seed       of every draw: initialisers, dropout, shuffles
 * @param opts       NULL = f32
 *
 * Errors     RG_ENOMEM, RG_EARG
 * Ownership  caller destroys it, after the graphs, plans and optimizers that use it
 * Threads    may be read by many running plans; written (declare, load, freeze, step) by one thread
 *            while none runs
 */
RG_API rg_status rg_params_create(rg_params **out, uint64_t seed, const rg_params_opts *opts);
RG_API void rg_params_destroy(rg_params **params);
RG_API const char *rg_params_message(const rg_params *params);
/* Number of arrays. */
RG_API size_t rg_params_count(const rg_params *params);
/* The i-th array in order of full names, which no compiler's order of evaluation can change; all
 * zero beyond the end. */
RG_API rg_param_info rg_params_at(const rg_params *params, size_t i);
/* By full name; all zero (name NULL) if there is none. */
RG_API rg_param_info rg_params_find(const rg_params *params, const char *name);
/* Somebody wrote through `data`: plans made with `steady` look at all arrays again. */
RG_API void rg_params_written(rg_params *params);
/* No new names from now on: a mistyped one in the next graph is RG_EARG (with the nearest name),
 * not a fresh weight. */
RG_API rg_status rg_params_seal(rg_params *params);
/* Keep `prefix` and all below `prefix.` out of training, or let them in again; NULL = all.
 * Optimizers obey at once, plans made later leave the gradients out. */
RG_API rg_status rg_params_freeze(rg_params *params, const char *prefix, bool frozen);
/* Keep every element of `prefix` and all below `prefix.` within ±bound: optimizers cut what leaves
 * it after each update. 0 = free again; NULL = all. */
RG_API rg_status rg_params_bound(rg_params *params, const char *prefix, double bound);

/* ---- Graph --------------------------------------------------------------------------------- */

typedef struct rg_graph_opts {
    uint32_t max_nodes;  /* 0 = 2³¹, the most there can be; one more poisons with RG_ELIMIT */
    rg_alloc alloc;
} rg_graph_opts;

/**
 * An empty graph: an append-only list of operations over the reals.
 *
 * @param[out] out   the graph, or NULL
 * @param params     where rg_param() declares; NULL for a graph without parameters. Must outlive
 *                   the graph
 * @param opts       NULL = defaults
 *
 * Errors     RG_ENOMEM, RG_EARG
 * Ownership  caller destroys it, after its plans
 * Threads    one thread at a time; running plans do not touch their graph
 */
RG_API rg_status rg_graph_create(rg_graph **out, rg_params *params, const rg_graph_opts *opts);
RG_API void rg_graph_destroy(rg_graph **graph);

/* The first building error, or RG_OK. Optional: plan creation returns it too. */
RG_API rg_status rg_graph_status(const rg_graph *graph);

/**
 * Why the graph is poisoned, or, if it is sound, why the last gradient or plan creation on it
 * failed.
 *
 * @return    one line, e.g. `peephole step 3: matmul: inner extents differ: [16,64] x [32,64]`; ""
 *            if nothing failed; "no graph" for NULL. The text changes with the next failure only.
 */
RG_API const char *rg_graph_message(const rg_graph *graph);

/* One line per node: id, shape, op, operands, scope. */
RG_API void rg_graph_print(const rg_graph *graph, rg_write_fn *write, void *user);
/* Graphviz; clusters by scope, repeated steps folded. */
RG_API void rg_graph_dot(const rg_graph *graph, rg_write_fn *write, void *user);
/* Check every invariant of the graph; for tests, and hosts with op descriptors of their own. */
RG_API rg_status rg_graph_verify(rg_graph *graph);
/* The graph's parameters in order of full names: writes up to @p capacity of them, returns how many
 * there are. */
RG_API size_t rg_graph_params(rg_val *out, size_t capacity, const rg_graph *graph);
/* Zeroed memory that lives as long as the graph, for constructors of cells. NULL: poisoned. */
RG_API void *rg_graph_alloc(rg_graph *graph, size_t bytes);

/* ---- Leaves -------------------------------------------------------------------------------- */

/**
 * A value bound before each run.
 *
 * @param name    for messages and printouts, unique in the graph; NULL = numbered
 * @param kind    RG_F, RG_INT or RG_BOOL; what must be bound follows from it (see rg_plan_bind)
 * @param shape   fixed; another batch or length is another graph on the same store, which costs
 *                milliseconds
 *
 * Gradient   an input may be differentiated for (rg_grad, rg_vjp); training never writes to it
 * Errors     RG_EARG name taken; RG_ESHAPE negative extent; RG_ELIMIT rank or size. Sticky.
 */
RG_API rg_val rg_input(rg_graph *graph, const char *name, rg_kind kind, rg_shape shape);

/**
 * A parameter of the graph's store: declared on first use, shared on every later one, in this graph
 * (where every call returns the same value, so its gradient counts all uses) or another.
 *
 * @param group   prefix of the name, "enc"; NULL for none
 * @param name    "Ur": the full name is `enc.Ur`
 * @param shape   any rank, RG_SCALAR too
 * @param init    fills it when it is new; ignored when it exists (or has been loaded)
 *
 * Errors     RG_ESHAPE it exists with another shape (both are printed); RG_EARG no store, a new
 *            name in a sealed one, or an empty, too long (255 bytes) or non-UTF-8 name. Sticky.
 * Cost       one hash look-up, so a cell may call it in every step
 * Threads    writes to the store when new
 */
RG_API rg_val rg_param(rg_graph *graph, const char *group, const char *name, rg_shape shape,
                       rg_init init);

RG_API rg_val rg_const(rg_graph *graph, double c);                 /* a real scalar */
RG_API rg_val rg_full(rg_graph *graph, rg_shape shape, double c);  /* every element c */
RG_API rg_val rg_zeros(rg_graph *graph, rg_shape shape);
/* Copied from double, int32_t or uint8_t (0 or 1), as @p kind says; @p count is checked against
 * shape. */
RG_API rg_val rg_constant(rg_graph *graph, rg_kind kind, rg_shape shape, const void *data,
                          size_t count);

/* ---- Reading a value's type ---------------------------------------------------------------- */

RG_API rg_shape rg_shape_of(rg_val v);      /* rank -1 for an inert value */
RG_API int64_t rg_dim(rg_val v, int axis);  /* one extent; -1 if inert or out of range */
RG_API rg_kind rg_kind_of(rg_val v);

/* ---- Scopes: who a node belongs to, in messages, printouts, gradcheck and gradient flow ---- */

enum { RG_NO_STEP = -1 };
/* Nodes made until the pop belong to @p name and, unless RG_NO_STEP, to a time step. They nest. */
RG_API void rg_scope_push(rg_graph *graph, const char *name, int64_t step);
RG_API void rg_scope_pop(rg_graph *graph);

/* ---- Operations of your own: the same descriptor as ours ----------------------------------- */

typedef struct rg_err rg_err;
/* Kind and shape: what inference sees and says. */
typedef struct rg_sig {
    rg_kind  kind;
    rg_shape shape;
} rg_sig;

/* What a derivative rule sees. */
typedef struct rg_vjp_ctx {
    const rg_val *in;   /* the n operands */
    size_t        n;
    rg_val        out;  /* the result */
    rg_val        gy;   /* dL/d out, of its shape */
    const void   *attr;
} rg_vjp_ctx;

/* What a kernel sees: dense row-major arrays that do not overlap. */
typedef struct rg_kernel_args {
    int64_t            n;         /* elements of out in this call */
    int64_t            first;     /* index of the first; not 0 for parts of elementwise ops */
    void              *out;
    const void *const *in;
    size_t             n_in;
    const rg_shape    *in_shape;  /* whole operands, as inferred */
    const rg_shape    *out_shape;
    const void        *attr;
    size_t             item;      /* bytes of one element of out, for kernels that only move data */
    uint64_t           seed;      /* of the store, for RG_OP_RANDOM */
    uint64_t           run;       /* number of the run, from 0 */
} rg_kernel_args;

/* Returns 0, or a positive number of its own that appears in the message of RG_EUSER. */
typedef int rg_kernel_fn(const rg_kernel_args *k);

enum {
    RG_OP_ELEMENTWISE = 1,  /* out[i] depends on in[.][i] only. Operands are broadcast to n elements
                               first; the kernel may be called on parts, in several threads */
    RG_OP_COMMUTES    = 2,  /* two operands, in either order the same bits */
    RG_OP_NODIFF      = 4,  /* no derivative: gradients that need one fail, naming it */
    RG_OP_RANDOM      = 8,  /* reads seed and run: never computed before the run */
    RG_OP_TRAIN_ONLY  = 16, /* in an evaluation plan it is its first operand */
    RG_OP_BLOCK       = 32  /* no gradient passes, on purpose: outcome RG_BLOCKED */
};

/* Operands on which the automatic tests try an op; reals are drawn from lo .. hi, indices from
 * 0 .. bound-1. */
typedef struct rg_op_sample {
    rg_sig      in[3];
    double      lo, hi;
    int32_t     bound;
    const void *attr;  /* attr_bytes; NULL if there are none */
    size_t      n_in;  /* operands, for arity 0; 0 = arity */
} rg_op_sample;

/* Operands that inference must refuse, with what code, in what words. */
typedef struct rg_op_error {
    rg_sig      in[3];
    const void *attr;
    size_t      n_in;
    rg_status   status;
    const char *says;  /* part of the message */
} rg_op_error;

/**
 * An operation. Constant, static storage (nodes point at it); every field not named may be zero.
 *
 * Write the kernels as you would for one array. `kernel_f32` may be NULL: an f32 plan then calls
 * the f64 one and converts. A rule emits nodes with the ordinary functions, so higher derivatives
 * need nothing more. A backward written as a C loop is a second rg_op, flagged RG_OP_NODIFF, which
 * the first one's rule emits.
 */
typedef struct rg_op {
    const char   *name;
    uint32_t      arity;       /* 0 = any number */
    uint32_t      flags;
    size_t        attr_bytes;  /* rg_emit copies so much from attr; compared by bytes */
    rg_status   (*infer)(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err);
                               /* NULL: operands broadcast, the result is of their kind */
    void        (*vjp)(const rg_vjp_ctx *v);
    rg_kernel_fn *kernel_f32, *kernel_f64;
    rg_kernel_fn *kernel_complex;  /* reals as double _Complex, kinks by the real part: an oracle of
                                      rg_gradcheck() without noise floor. NULL: it does without */
    rg_status   (*index)(const void *attr, const rg_sig *in, uint32_t i, int64_t *bound);
                               /* operand i, RG_INT, must lie in 0 .. *bound-1: checked before a
                                  run. RG_EARG: that one is no index. NULL: none is */
    const rg_op_sample *sample;
    size_t        n_sample;
    const rg_op_error *error;
    size_t        n_error;
} rg_op;

/**
 * Append a node: what every function of ops.h does, and yours.
 *
 * @param attr    op->attr_bytes bytes, copied; zero them first if the struct has holes. NULL if
 *                there are none
 * @param in      op->arity operands of one graph
 *
 * Errors     whatever op->infer says; RG_EARG operands of two graphs, wrong count, bad descriptor.
 *            Sticky.
 */
RG_API rg_val rg_emit(const rg_op *op, const void *attr, const rg_val *in, size_t n);

/* In a rule: add @p g to the gradient of operand @p i. Undoes broadcasting, sums fan-out, ignores
 * what nobody wants. */
RG_API void rg_vjp_add(const rg_vjp_ctx *v, uint32_t i, rg_val g);
/* In a rule: does anybody want the gradient of operand @p i? Spares nodes; never needed. */
RG_API bool rg_vjp_wants(const rg_vjp_ctx *v, uint32_t i);
/* In a rule: @p g is the gradient of the part begin .. begin + (extent of g) of operand @p i along
 * @p axis, the rest getting nothing. All parts of one value close into one concat. */
RG_API void rg_vjp_add_slice(const rg_vjp_ctx *v, uint32_t i, int axis, int64_t begin, rg_val g);
/* In infer: record why, return @p status. */
RG_API rg_status rg_fail(rg_err *err, rg_status status, const char *format, ...) RG_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
