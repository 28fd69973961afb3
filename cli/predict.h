/* cli/predict.h -- `retrograd predict`: lines, and what a model of a text says of one. */
#ifndef RG_CLI_PREDICT_H
#define RG_CLI_PREDICT_H

#include "cli/model.h"

typedef struct asked_line {
    unsigned long long number;
    const char        *text;
    size_t             bytes;
} asked_line;

/* predict_next.c: what looks at the text so far. DONE or said why. */
int next_open(rg_sampler **out, const model *m, const settings *s);
/* Write the likeliest that come next after a line. DONE or said why. */
int next_answer(rg_sampler *sampler, const model *m, const settings *s, const asked_line *line);

#endif
