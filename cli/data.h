/* cli/data.h -- `retrograd data`: a file as the data set of a task, a text as words. */
#ifndef RG_CLI_DATA_H
#define RG_CLI_DATA_H

#include "cli/cli.h"

/* Rows, lengths, classes by part, and baselines. DONE or said why. */
int data_of_task(const settings *s);
/* Words, their vocabulary, and the perplexity of count models. DONE or said why. */
int data_of_words(const settings *s);

#endif
