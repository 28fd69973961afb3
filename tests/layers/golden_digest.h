/* tests/layers/golden_digest.h -- files of known answers that hold, per tensor, its norm and two
 * products with drawn vectors (tools/golden/). */
#ifndef TESTS_LAYERS_GOLDEN_DIGEST_H
#define TESTS_LAYERS_GOLDEN_DIGEST_H

#include "tests/layers/lab.h"

enum { GOLDEN_TENSORS = 128 };

/* A case, built and run: what its tensors are called in the file, and their values. */
typedef struct golden_trial {
    lab    l;
    size_t n;
    char   name[GOLDEN_TENSORS][24];
    rg_val v[GOLDEN_TENSORS];
} golden_trial;

void golden_add(golden_trial *c, const char *before, const char *name, rg_val v);
/* A line "name norm product product" against what was computed, relative to the norm; INFINITY:
 * there is no such tensor. */
double golden_off_by(golden_trial *c, const char *line);
/* A file of the folder, to be freed. */
char *golden_load(const char *name);

/* Build and run what a line "case ..." asks for; false: it is none. *c is zero. */
typedef bool golden_case_fn(golden_trial *c, const char *line, rg_effort how);
/* Every case of a text; the largest difference, and how many cases and tensors there were. */
double golden_judge(golden_case_fn *run, const char *text, rg_effort how, size_t *cases,
                    size_t *tensors);
/* Fails unless a wrong digit in the first line that begins as @p line says is noticed. */
void golden_notices(golden_case_fn *run, const char *file, const char *line);

#endif
