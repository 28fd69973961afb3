/* tests/ops/trial.h -- an operation on operands drawn from one of its samples: what every sweep
 * starts from. Sweeps name no operation; they walk the table, so that a new one is tested by being
 * there. */
#ifndef RGT_OPS_TRIAL_H
#define RGT_OPS_TRIAL_H

#include "ops/ops.h"
#include "tests/ops/lab.h"

enum { TRIAL_MOST = 3 };

/* y = op(in), the operands being the lab's first inputs. Reals of one trial are pairwise distinct
 * and evenly spread, so none is next to a tie. */
typedef struct trial {
    lab                 lab;
    const rg_op        *op;
    const rg_op_sample *sample;
    size_t              n_in;
    rg_val              y;
    int64_t             n[TRIAL_MOST];  /* elements of operands */
    uint64_t            seed;
} trial;

void trial_begin(trial *t, const rg_op *op, const rg_op_sample *sample, uint64_t seed);
void trial_end(trial *t);
/* A new real input with numbers from N(0,1). */
rg_val trial_input(trial *t, rg_shape shape);
/* ⟨a, b⟩ over all elements. */
rg_val trial_dot(rg_val a, rg_val b);
/* Of f64, interpreted. */
rg_plan *trial_plan(trial *t, const rg_val *roots, size_t n);

/* "matmul, sample 3" of a table's op, for messages. */
const char *trial_name(const rg_op *op, size_t sample);

/* ---- Checks; each returns the worst error it found, or infinity for a plain wrong ------------ */

/* A set of real operands, as bits; 0 stands for all. */
double error_of_gradient(const rg_op *op, const rg_op_sample *s, int order, unsigned wanted,
                         uint64_t seed);
double error_of_adjoint(const rg_op *op, const rg_op_sample *s, uint64_t seed);
double error_of_symmetry(const rg_op *op, const rg_op_sample *s, uint64_t seed);
double error_of_complex_step(const rg_op *op, const rg_op_sample *s, uint64_t seed);
double error_of_precision(const rg_op *op, const rg_op_sample *s, uint64_t seed);
/* Does the op do for parts what it does for the whole? */
bool parts_make_the_whole(const rg_op *op, const rg_op_sample *s, uint64_t seed);
/* Does swapping the operands leave the bits? */
bool order_does_not_matter(const rg_op *op, const rg_op_sample *s, uint64_t seed);
/* Is some gradient of every real operand not zero, in one sample or another? */
bool gradients_are_not_all_zero(const rg_op *op, uint64_t seed);
/* What is missing in a descriptor; NULL if nothing. */
const char *what_is_missing(const rg_op *op);
/* Why inference does not refuse as the error sample says; NULL if it does. */
const char *how_refusal_fails(const rg_op *op, const rg_op_error *e);

#endif
