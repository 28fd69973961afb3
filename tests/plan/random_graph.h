/* tests/plan/random_graph.h -- graphs out of a seed: shapes of every kind, broadcasts, cells
 * that are unrolled, tied weights, gradients of first and second order. */
#ifndef RGT_PLAN_RANDOM_GRAPH_H
#define RGT_PLAN_RANDOM_GRAPH_H

#include <retrograd/retrograd.h>

#include "plan/prog.h"

enum { RG_RANDOM_VALUES = 512, RG_RANDOM_INPUTS = 64, RG_RANDOM_ROOTS = 24 };

typedef struct random_graph {
    rg_params *params;
    rg_graph  *graph;
    uint64_t   state;                     /* of the numbers drawn */
    rg_val     value[RG_RANDOM_VALUES];
    bool       plain[RG_RANDOM_VALUES];   /* the same bits whatever computes it: may meet a kink */
    size_t     n_value;
    rg_val     input[RG_RANDOM_INPUTS];
    double    *data[RG_RANDOM_INPUTS];    /* as double, whatever the kind */
    size_t     n_input;
    rg_val     root[RG_RANDOM_ROOTS];
    size_t     n_root;
    rg_again   again;                     /* what `recompute` is asked for */
    bool       nonfinite;                 /* some inputs are NaN or infinite */
    bool       broken;                    /* the generator made a graph that is refused */
} random_graph;

/* The graph of a seed, with so many steps; fewer steps are a beginning of more. */
void random_graph_make(random_graph *r, uint64_t seed, int steps);
void random_graph_free(random_graph *r);
/* Bind all inputs to a plan; returns what has to be freed after the last run. */
void *random_graph_bind(const random_graph *r, rg_plan *plan, rg_dtype real);

#endif
