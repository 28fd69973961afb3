/* layers/cell.h -- what the constructors of the built-in cells share: their gates, their options.
 *
 * All of it is declarations through rg_param(); the steps use what a user's step uses. */
#ifndef RG_LAYERS_CELL_H
#define RG_LAYERS_CELL_H

#include <retrograd/layers.h>
#include <retrograd/ops.h>

#include "graph/graph.h"

/* A gate of a built-in cell: what its name ends in, how its bias starts, what it lacks. */
typedef struct rg_gate_kind {
    const char *suffix;   /* "i": U<i>, W<i>, b<i>, bh<i> */
    double      bias;     /* founding and keras: every element */
    double      chrono;   /* chrono: times ln τ; 0 = as founding */
    unsigned    without;  /* RG_NO_W: it does not see the state; RG_NO_B */
} rg_gate_kind;

enum { RG_NO_W = 1, RG_NO_B = 2 };

/* What a cell is made for. */
typedef struct rg_cell_site {
    rg_graph    *graph;
    const char  *cell, *group;
    int64_t      I, H, R;  /* R: rows of W, which is H but for a projection */
    rg_cell_opts opts;
} rg_cell_site;

/* Options beyond a single, double or no bias and the founding, torch and keras initialisers. */
enum {
    RG_KNOWS_RNN = 1, RG_KNOWS_RESET = 2, RG_KNOWS_FORGET = 4, RG_KNOWS_CHRONO = 8,
    RG_KNOWS_LSTM = 16, RG_KNOWS_QRNN = 32,
    RG_KNOWS_DROP_H = 64,  /* drop_recurrent, drop_weight: it has products h·W */
    RG_KNOWS_DROP_G = 128,  /* drop_candidate: it has a candidate */
    RG_KNOWS_SRU = 256, RG_KNOWS_LOG = 512, RG_KNOWS_BOUND = 1024
};

/* Check sizes and options; false: the graph is poisoned with the reason. opts NULL = defaults. */
bool rg_cell_site_init(rg_cell_site *site, rg_graph *graph, const char *cell, const char *group,
                       int64_t I, int64_t H, const rg_cell_opts *opts, unsigned knows);

/**
 * Declare n gates as the options say: gate k from kind k, in order.
 *
 * A second bias (double) is added to the first, once, so a step sees one b whatever the option.
 * Only where it belongs inside the reset product is it kept apart:
 *
 * @param[out] bh   the last gate's second bias, or none; NULL: added to the first as well
 */
void rg_gates_declare(rg_gate *gate, rg_val *bh, const rg_cell_site *site,
                      const rg_gate_kind *kind, size_t n);

/* How U starts in a cell of n gates, as the option `init` says; v ~ U(0, 1). */
rg_init rg_cell_init_U(const rg_cell_site *site, size_t n);
rg_init rg_init_unit(void);

/* A built-in cell; @p weights NULL: it could not be made, and unrolls to inert values. */
rg_cell rg_cell_of(const char *name, size_t n_state, const int64_t *width, rg_step_fn *step,
                   const void *weights);

/* A cell of one state, h [B,H], and of gates alone. */
enum { RG_GATED = 3 };
typedef struct rg_gated {
    int64_t width[1];
    rg_gate gate[RG_GATED];
    double  drop;  /* of the candidate */
} rg_gated;

/* What is special of one; its step's weights are a rg_gated. */
typedef struct rg_gated_kind {
    const char  *cell;
    rg_step_fn  *step;
    unsigned     knows;
    size_t       n;    /* gates */
    rg_gate_kind gate[RG_GATED];
} rg_gated_kind;

rg_cell rg_gated_cell(const rg_gated_kind *kind, rg_graph *graph, const char *group, int64_t I,
                      int64_t H, const rg_cell_opts *opts);

/* A layer norm's γ and β, [n]; β may be none. */
typedef struct rg_layernorm {
    rg_val gamma, beta;
    double eps;
} rg_layernorm;
/* `group.gamma_<what>` of ones and, if wanted, `group.beta_<what>` of @p start. */
rg_layernorm rg_layernorm_declare(const rg_cell_site *site, const char *what, int64_t n, bool beta,
                                  double start);
rg_val rg_normalise(const rg_layernorm *norm, rg_val v);

/* Gates that are normalised together: their U and W side by side, a norm of either product. */
enum { RG_JOINT = 4 };
typedef struct rg_joint {
    rg_val       U, W;
    rg_layernorm x, h;
    int64_t      H;
} rg_joint;
/* What they make of one step, [B,n·H] each. */
typedef struct rg_joint_now { rg_val x, h; } rg_joint_now;
rg_joint rg_joint_declare(const rg_cell_site *site, const rg_gate *gate, size_t n, bool beta);
/* @p h as W sees it. */
rg_joint_now rg_joint_products(const rg_joint *joint, rg_val x, rg_val h);
/* LN(x·U) + LN(h·W) + b of the gate at place @p at. */
rg_val rg_joint_sum(const rg_joint *joint, const rg_joint_now *now, size_t at, rg_val b);

/* v kept within ±bound; 0: as it is. */
rg_val rg_within(rg_val v, double bound);
/* A parameter's elements kept within ±bound by who updates it. */
void rg_param_bound(rg_val w, double bound);

/* `group.<letter><suffix>` of a gate. */
rg_val rg_gate_param(rg_graph *graph, const char *group, const char *letter, const char *suffix,
                     rg_shape shape, rg_init init);

/* ---- Masks, [T,B] ------------------------------------------------------------------------- */

/* A mask as [T,B,1], checked; none if there is none. @p what it is called: "unroll: mask". */
rg_val rg_mask_of(rg_graph *g, rg_val m, int64_t T, int64_t B, const char *what);
/* A mask with axes of extent 1 behind, so that it chooses whole rows of a value of this rank. */
rg_val rg_mask_rows(rg_val m, int32_t rank);
/* m ? a : 0, for rows of [T,B,...]. */
rg_val rg_where_real(rg_val m, rg_val a);
rg_val rg_zero_of(rg_graph *g, rg_kind kind);

/* ---- Cells of cells ------------------------------------------------------------------------- */

/* Layer l of a stack; NULL: there is none, or this is no stack. */
const rg_cell *rg_stack_layer(const rg_cell *cell, size_t l);
double rg_stack_between(const rg_cell *stack);
/* The cell inside zoneout, inside a decoder that attends; NULL: it is none. What a state of a cell
 * starts with, which is rg_mingru()'s to say. */
const rg_cell *rg_zoned_cell(const rg_cell *cell);
const rg_cell *rg_attending_cell(const rg_cell *cell);
double rg_mingru_start(const rg_cell *cell);

/* Name of a group's mask of recurrent dropout, `group.h`, in memory of the graph. */
const char *rg_gate_stream(rg_graph *graph, const char *group);

/* Is the graph sound, and I, H at least 1? Poisons it if not. @p what goes into the message. */
bool rg_widths_ok(rg_graph *graph, const char *what, const char *group, int64_t I, int64_t H);

#endif
