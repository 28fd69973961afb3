/* cli/compare_plots.h -- pictures of a report. */
#ifndef RG_CLI_COMPARE_PLOTS_H
#define RG_CLI_COMPARE_PLOTS_H

#include "cli/compare.h"

#include <stdio.h>

/* The measure against updates; the gradient against lag; errors against length. */
void plot_learning(FILE *out, const study *st);
void plot_flow(FILE *out, const study *st, bool after);
void plot_lengths(FILE *out, const study *st);
/* Errors of temporal order against its length, over the studies that there are; nothing for one. */
void plot_order(FILE *out, const comparison *c);

#endif
