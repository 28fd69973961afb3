/* check/check.h -- a gradient check from the inside: rg_gradcheck() runs these parts in order.
 *
 * Two private copies of what the loss needs. In the *whole* copy every tensor is one leaf; its
 * gradients are the totals that users see. In the *split* copy every use of a checked tensor at a
 * time step reads a leaf of its own, a block, so that its contribution ḡ_t is a gradient like any
 * other and can be disturbed alone. All numbers are f64; the user's graph, plan and store are only
 * read. docs/MATH.md 13. */
#ifndef RG_CHECK_CHECK_H
#define RG_CHECK_CHECK_H

#include <retrograd/check.h>

#include "base/error.h"
#include "base/memory.h"
#include "graph/graph.h"
#include "plan/plan.h"

enum {
    RG_CHECK_ALONE = 64,      /* up to so many elements each gets a direction of its own */
    RG_CHECK_RANDOM = 4,      /* else so many random ones; in second order always */
    RG_CHECK_STEPS = 32,      /* time steps of a tensor that are checked unless all are asked for */
    RG_CHECK_LEVELS = 6,      /* step lengths h₀·2ᵏ to choose from */
    RG_CHECK_DISTURBED = 6,   /* runs that show what rounding does */
    RG_CHECK_SAFETY = 16,     /* what it is taken to do to a gradient: so many times more */
    RG_CHECK_PLACE = RG_SCOPE_TEXT + 72
};

/* A value to check. Points of evaluation are base + m·d: base, the directions d and the shortest
 * step are multiples of `grain`, so every one of them is exact. */
typedef struct rg_check_tensor {
    uint32_t    id;           /* in the user's graph */
    const char *name;
    int64_t     n;
    double     *base;         /* [n]; zeros for an inner value, which gets an addend */
    double     *direction;    /* [RG_CHECK_RANDOM][n], of largest element h₀ */
    double      step, grain;  /* h₀, and a power of two */
    size_t      first, n_block;  /* its blocks in rg_check.block */
} rg_check_tensor;

/* What the uses of a tensor at one time step read. Where not all steps are checked, the last block
 * is what all the others read. */
typedef struct rg_check_block {
    rg_check_tensor *tensor;
    int64_t step;
    bool    checked;
    rg_val  leaf, use;        /* split copy; the use of an inner value is value + leaf */
    double *x;                /* bound to the leaf */
} rg_check_block;

typedef struct rg_check_binding {
    uint32_t id;              /* in the user's graph */
    rg_val leaf;
    void  *data;
    size_t bytes;
} rg_check_binding;

typedef struct rg_check_copy {
    rg_graph         *g;
    uint32_t         *of;     /* by id of the user's graph; 0 = not needed */
    rg_check_binding *bind;
    size_t            n_bind;
} rg_check_copy;

/* Evidence on a block: along each direction j the gradient's slope and an oracle's. */
typedef struct rg_check_result {
    const rg_check_block *block;
    const char *oracle, *reason;  /* reason: why undecided, else "" */
    size_t   n;               /* directions */
    double  *got, *want;
    uint8_t *out;             /* excluded: a kink within its stencil */
    double   sigma;           /* what `want` may be off; where that is exact, what `got` may be */
    double   h;               /* step of the difference */
    bool     exact;
    double   rtol;            /* agreement asked for */
    bool     same;            /* the value did not change in any bit */
    const char *missing;      /* op without kernel for complex numbers */
    rg_verdict verdict;
    bool     resolved, suspect;
    size_t   worst, excluded;
    double   worst_got, worst_want;
    double   error;           /* relative to the block, at `worst` */
    double   scale;           /* of the block: what error and sigma are relative to */
} rg_check_result;

/* What is differentiated and differenced: the loss, or ⟨its gradient, constants⟩. */
typedef struct rg_check_objective {
    rg_val   value;           /* split copy */
    rg_val  *grad;            /* by block */
    const char *oracle;       /* "difference", "second order" */
    size_t   n_alone;         /* elements up to which each gets a direction of its own */
    rg_plan *eval;            /* roots: value, then the decisions */
    rg_plan *diff;            /* roots: value, then the gradients */
    rg_val  *decision;        /* masks and indices that depend on a block: on which side of its */
    size_t   n_decision;      /* kinks the point is */
    uint8_t *side;            /* theirs at the base point, one after the other */
    double   base, noise;     /* value there; ε_f, what it may be off by rounding */
    double  *jitter;          /* by block: how far the gradient may be off by rounding */
    struct rg_check_complex *program;  /* for complex numbers */
    struct rg_check_cells   *cells;    /* for local steps */
    rg_check_result *result;  /* by block */
} rg_check_objective;

/* What holds of all blocks together, in the report's order. */
typedef enum rg_check_law {
    RG_LAW_SUM,               /* the blocks of a tensor add up to its gradient */
    RG_LAW_PLAN,              /* which the optimized plan computes */
    RG_LAW_F32,               /* in f32, too, as far as that goes */
    RG_LAW_DOT,               /* ⟨w, J·v⟩ = ⟨Jᵀ·w, v⟩ */
    RG_LAW_SYMMETRY,          /* ⟨w, H·v⟩ = ⟨v, H·w⟩ */
    RG_LAWS
} rg_check_law;

typedef struct rg_check {
    rg_alloc  alloc;
    rg_arena  arena;          /* everything below that is not a graph or plan */
    rg_err    err;
    rg_graph *g;              /* the user's */
    rg_val    loss;
    double    rtol;
    uint64_t  seed;
    bool      all_steps, allow_inconclusive, local;
    rg_plan  *bound;          /* where inputs come from; NULL = drawn */
    uint8_t  *needed;         /* by id: the loss depends on it */
    uint32_t *tensor_of;      /* by id: index into tensor + 1 */
    void    **data;           /* by id, of needed leaves: f64, int32_t or uint8_t */
    int64_t  *step_of_scope;

    rg_check_tensor *tensor;
    size_t           n_tensor;
    rg_check_block  *block;   /* by tensor, then step */
    size_t           n_block;
    rg_check_copy    whole, split;
    rg_val          *total;   /* whole copy: by tensor, its gradient */
    rg_plan         *interpreted, *optimized;  /* of the loss and these */
    rg_check_objective first, second;
    rg_gradcheck_law law[RG_LAWS];  /* name NULL = not asked */
    char             blame[RG_CHECK_PLACE + 96];  /* "; the rule of op 'x' is wrong", or "" */
} rg_check;

rg_status rg_check_no_memory(rg_check *c);
/* max |x|; a NaN does not count. */
double rg_check_largest(const double *x, int64_t n);
/* ‖x‖ of finite numbers of any size. */
double rg_check_norm(const double *x, int64_t n);

/* ---- tensors.c: what is checked, and where ------------------------------------------------- */

rg_status rg_check_tensors(rg_check *c, const rg_val *x, size_t n);
rg_status rg_check_blocks(rg_check *c);

/* ---- copy.c -------------------------------------------------------------------------------- */

rg_status rg_check_copy_whole(rg_check *c, rg_check_copy *to);
rg_status rg_check_copy_split(rg_check *c);
/* A new leaf of the copy, of the kind and shape of user's node @p id, bound to @p data. */
rg_val rg_check_leaf(rg_check *c, rg_check_copy *to, const char *name, uint32_t id, void *data);

/* ---- data.c: numbers for every leaf -------------------------------------------------------- */

/* Reals and masks, and memory for all: before the whole copy exists. */
rg_status rg_check_reals(rg_check *c);
/* Indices, below what the plan of the whole copy says that their users allow. */
rg_status rg_check_indices(rg_check *c);
/* Step lengths and directions; base points snap to their grain. @p data[t]: the tensor's value. */
void rg_check_directions(rg_check *c, rg_check_tensor *t, const double *value);

/* ---- evaluate.c ---------------------------------------------------------------------------- */

rg_status rg_check_plan(rg_check *c, rg_plan **out, const rg_check_copy *copy, const rg_val *roots,
                        size_t n, rg_effort effort);
/* Scale factors of what a value is the sum of, by id; 0 for what is not. */
rg_status rg_check_terms(rg_check *c, rg_val value, double **factor);
/* One run, always as the first: random draws are the same every time. */
rg_status rg_check_run(rg_check *c, rg_plan *plan);
/* The same, every real value moving by one or two units of its last place, in one of many ways;
 * @p as: in which precision that place is. Who asks runs the plan again for those who read it. */
rg_status rg_check_run_disturbed(rg_check *c, rg_plan *plan, rg_dtype as, uint64_t which);
/* Gradients, decisions, plans of o->value; refuses what is not pure. */
rg_status rg_check_objective_make(rg_check *c, rg_check_objective *o);
void rg_check_objective_free(rg_check_objective *o);
/* The value where the blocks are now; *crossed: some decision differs from the base point's. */
rg_status rg_check_value(rg_check *c, rg_check_objective *o, double *f, bool *crossed);
/* The same of another plan that has them as roots, after a run. */
bool rg_check_crossed(rg_check_objective *o, rg_plan *plan);
/* "'log' (rnn step 3)": a node. */
const char *rg_check_place(char text[RG_CHECK_PLACE], const rg_graph *g, uint32_t id);
/* The same of the first value of the last gradient run that is not finite; "" if none. */
const char *rg_check_first_bad(char text[RG_CHECK_PLACE], const rg_check_objective *o);

/* ---- Oracles and verdicts ------------------------------------------------------------------- */

/* How many directions a block of the tensor has. */
size_t rg_check_directions_of(const rg_check_tensor *t, size_t n_alone);
/* Put the block m steps along direction j of n; m = 0 is the base point, bit for bit. */
void rg_check_move(const rg_check_block *b, size_t n, size_t j, double m);
/* The slope of the gradient @p g along direction j of n. */
double rg_check_along(const rg_check_tensor *t, const double *g, size_t n, size_t j);

/* Fill r->want and what it may be off: by differences, by complex numbers. */
rg_status rg_check_difference(rg_check *c, rg_check_objective *o, rg_check_result *r);
rg_status rg_check_complex_step(rg_check *c, rg_check_objective *o, rg_check_result *r);
/* A verdict from every cell between block and value, alone; none if that says nothing. */
rg_status rg_check_local(rg_check *c, rg_check_objective *o, rg_check_result *r);
/* Name in c->blame the first operation whose rule makes a block fail, or the cell. */
rg_status rg_check_blame(rg_check *c, rg_check_objective *o);

typedef void rg_check_judge_fn(const rg_check *c, rg_check_result *r);
rg_check_judge_fn rg_check_judge;
/* Failed, but by no more than twenty times what differences may be off. */
bool rg_check_is_marginal(const rg_check_result *r);
/* Gradient and oracle exactly zero, and no bit of the value moved. */
bool rg_check_is_zero(const rg_check_result *r);
/* Damage gradients in three ways; RG_EINTERNAL if @p judge lets one pass. */
rg_status rg_check_control(rg_check *c, const rg_check_objective *o, rg_check_judge_fn *judge);

/* ---- cells.c: what is checked alone ---------------------------------------------------------- */

/* The nodes of one time step's scope that lie between blocks and value; or a single node. */
typedef struct rg_check_cell {
    uint32_t *node;           /* ids in the split copy, ascending */
    size_t   n;
    uint8_t  verdict;         /* of local.c */
} rg_check_cell;

enum { RG_CHECK_NEEDED = 1, RG_CHECK_MOVES = 2 };

typedef struct rg_check_cells {
    uint8_t  *mark;           /* by id: the value needs it, some block moves it */
    uint32_t *of;             /* by id: index into cell; 0 = none */
    rg_check_cell *cell;      /* [0] is not used */
    size_t    n_cell;
    uint8_t  *op;             /* by id: the verdict on the node alone */
    rg_val   *gradient;       /* by id: of the value, for what leaves its cell; else none */
    rg_plan  *plan;           /* of these; NULL if nothing leaves a cell */
    uint32_t *lone;           /* by id: room for local.c, all 0 */
} rg_check_cells;

/* Find the cells; o->cells. */
rg_status rg_check_cells_make(rg_check *c, rg_check_objective *o);

/* ---- Laws ----------------------------------------------------------------------------------- */

/* Hold one observation against a law; the worst is kept. */
void rg_check_observe(rg_check *c, rg_check_law law, rg_gradcheck_law seen);
/* It could not be asked, or not decided; a failure stays one. */
void rg_check_law_open(rg_check *c, rg_check_law law, rg_verdict verdict, const char *reason);
/* Σ ⟨a, b⟩ over n values of a plan's last run; *size grows by the sum of its terms' sizes. */
double rg_check_inner(rg_plan *plan, const rg_val *a, double *const *b, size_t n, double *size);
/* totals.c: the blocks of a tensor add up to its gradient, and the optimized plan computes it. */
rg_status rg_check_totals(rg_check *c);
/* single.c: the gradients of a plan in single precision. */
rg_status rg_check_single(rg_check *c);
/* dot.c: forward against reverse mode. */
rg_status rg_check_dot(rg_check *c);

/* ---- The whole ----------------------------------------------------------------------------- */

/* rg_gradcheck(); @p local: also cell by cell and as a whole, by calling this for each cell. */
rg_verdict rg_check_one(rg_gradcheck_report **report, rg_val loss, const rg_val *x, size_t n,
                        const rg_gradcheck_opts *opts, bool local);
/* Gradients of o->value against oracles, block by block; then the control. */
rg_status rg_check_objective_run(rg_check *c, rg_check_objective *o);
/* second.c: the gradient of ⟨gradient, constants⟩, and the symmetry of the Hessian. */
rg_status rg_check_second(rg_check *c);
/* report.c: everything found; NULL without memory. @p c may be unfinished, with an error. */
rg_gradcheck_report *rg_check_report(const rg_check *c);

#endif
