/* tests/layers/lab.h -- a store, a graph and a plan for one experiment; data drawn by name. */
#ifndef TESTS_LAYERS_LAB_H
#define TESTS_LAYERS_LAB_H

#include <retrograd/retrograd.h>

#include "tests/rgt.h"

enum { LAB_INPUTS = 16, LAB_STATES = 3 };

typedef struct lab_input {
    rg_val v;
    void  *data;   /* in the lab's precision, or int32_t, uint8_t */
    size_t bytes;
} lab_input;

typedef struct lab {
    rg_params *ps;
    rg_graph  *g;
    rg_plan   *plan;
    rg_dtype   real;    /* of store and plan */
    rg_effort  effort;
    uint64_t   seed;
    lab_input  input[LAB_INPUTS];
    size_t     n_input;
} lab;

/* RG_F64 unless told otherwise: lab l = { .seed = 3 }; lab_open(&l, RG_F64). */
void lab_open(lab *l, rg_dtype real);
void lab_close(lab *l);

/* Element i of the stream that the golden vectors use: 2u - 1. */
double lab_draw(uint64_t seed, const char *name, size_t i);
/* An input filled with draws in [-1,1) under its name; with reals that are given; with others. */
rg_val lab_drawn(lab *l, const char *name, rg_shape shape);
rg_val lab_given(lab *l, const char *name, rg_shape shape, const double *data);
rg_val lab_bits(lab *l, const char *name, rg_kind kind, rg_shape shape, const void *data);
/* State k of a cell before the first step, [rows, its width], drawn as "h0", "c0" or "p0"; a
 * cotangent for it, drawn as "gh", "gc" or "gp". */
rg_val lab_start(lab *l, const rg_cell *cell, size_t k, int64_t rows);
rg_val lab_cotangent(lab *l, const rg_cell *cell, size_t k, int64_t rows);
/* Overwrite one element of an input before the next run. */
void lab_poke(lab *l, rg_val input, size_t i, double x);
/* Fill every parameter of the store with scale·(2u - 1), drawn under its name. */
void lab_fill(lab *l, double scale);

/* The array of a parameter, in f64, which must be there; *n, its elements, may be NULL. */
double *lab_param(lab *l, const char *name, size_t *n);
/* Make all of its elements c; are they? */
void lab_set(lab *l, const char *name, double c);
bool lab_all(lab *l, const char *name, double c);
/* Σ |a - b|, to be a root that is 0. */
rg_val lab_off(rg_val a, rg_val b);
/* The graph holds exactly this error. */
void lab_says(const rg_graph *g, rg_status status, const char *says);

/* Plan these roots, bind every input, run; fails the test if anything fails. */
void lab_run(lab *l, const rg_val *roots, size_t n);
/* Bind again, and run again. */
void lab_again(lab *l);
/* The elements of a root as doubles; malloc'ed. *n may be NULL. */
double *lab_read(lab *l, rg_val v, size_t *n);
/* The same bits as what another lab computed? Both are roots. */
bool lab_same(lab *a, rg_val x, lab *b, rg_val y);
/* Every root as it is now, malloc'ed; do they still have the same bits?; away with the copies. */
void lab_keep(lab *l, const rg_val *root, size_t n, double **was);
bool lab_kept(lab *l, const rg_val *root, size_t n, double *const *was);
void lab_forget(double **was, size_t n);
/* How many elements of a root are not 0. */
size_t lab_nonzero(lab *l, rg_val v);
/* Largest |difference| relative to the largest |element| of y. */
double lab_apart(lab *a, rg_val x, lab *b, rg_val y);

/* One cell of each kind, for sweeps. */
typedef struct lab_cell {
    const char  *name;
    rg_cell_fn  *make;
    rg_cell_opts opts;
    size_t       n_state;
    unsigned     traits;
} lab_cell;

/* LAB_RELU: units may rest at 0. LAB_UNREAD: no step reads its first state, the output. LAB_SIDE:
 * its other states need not reach all weights. LAB_NORM: what a unit is depends on the others. */
enum { LAB_RELU = 1, LAB_UNREAD = 2, LAB_SIDE = 4, LAB_NORM = 8 };

enum { LAB_GRU = 2, LAB_LSTM = 5 }; /* their rows */
extern const lab_cell lab_cells[];
extern const size_t lab_n_cells;

#endif
