/* cli/data.h -- `retrograd data --task`: a file as the data set of a task. */
#ifndef RG_CLI_DATA_H
#define RG_CLI_DATA_H

#include "cli/cli.h"

/* Rows, lengths, classes by part, and baselines. DONE or said why. */
int data_of_task(const settings *s);

#endif
