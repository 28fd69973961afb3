/* tests/optim/problem.h -- one small problem: L(w) = Σ a·w²/2 + Σ c·w, c bound anew each step. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include <retrograd/retrograd.h>

enum { N = 7 };

struct problem {
    rg_params *ps;
    rg_graph  *g;
    rg_plan   *plan;
    rg_optim  *opt;
    rg_val     c, loss;
    double     data[N];
    float      data32[N];
};

void problem_create(struct problem *p, rg_dtype store, rg_dtype plan, const rg_optim_opts *opts);
void problem_destroy(struct problem *p);
/* Bind step t's c and run. */
void problem_run(struct problem *p, int t);
/* Weight i, whatever the store's precision. */
double problem_weight(const struct problem *p, int i);

#endif
