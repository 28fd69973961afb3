/* tests/plan/programs.h -- programs between passes, and what reference kernels compute of them. */
#ifndef RGT_PLAN_PROGRAMS_H
#define RGT_PLAN_PROGRAMS_H

#include "plan/passes/passes.h"
#include "tests/plan/random_graph.h"

/* Values of all roots as double, one behind the other. */
typedef struct root_values {
    double *x;
    size_t  n;
    int     status;
} root_values;

/* A pass with its law, as its page states it. */
typedef struct tested_pass {
    const char *name;
    rg_pass    *run;
    bool        exact;        /* each root in every bit, but for the sign of zeros */
} tested_pass;

/* Those of the pipeline in its order. */
extern const tested_pass tested_passes[];
extern const size_t n_tested_passes;
/* Is every pass of the pipeline among them, and in this order? */
bool tested_passes_are_all(void);

typedef struct program {
    rg_prog  prog;
    rg_err   err;
    rg_alloc under;
    size_t   taken;           /* bytes of it: what was taken less what came back */
    bool     made;
} program;

/* An f64 program of the roots, nothing done to it; what folds and merges behind the passes is
 * switched by name. */
rg_status program_make(program *p, const random_graph *r, bool fold, bool cse, bool dce);
/* One pass, then verification. */
rg_status program_pass(program *p, const tested_pass *pass);
/* Did all memory come back, in the sizes in which it was taken? */
bool program_free(program *p);
/* Node by node, as the second run of a plan. */
root_values program_run(program *p, const random_graph *r);
/* How far roots move where every value is off by a few roundings of f32, at random and all of its
 * elements alike: what no f32 program can be blamed for (Parker's Monte Carlo arithmetic, 1997). */
double program_spread(program *p, const random_graph *r);
void program_print(const program *p);

/* Largest difference of a root's elements, relative to the largest of that root (or 1); infinite
 * where one is finite or NaN alone. */
double values_apart(const random_graph *r, const root_values *a, const root_values *b);
/* Equal in every bit; but for the sign of zeros; any NaN equals any. */
bool values_same(const root_values *a, const root_values *b, bool signs);

#endif
