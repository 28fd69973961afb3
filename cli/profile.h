/* cli/profile.h -- where a training step goes: what `retrograd profile` measures and shows. */
#ifndef RG_CLI_PROFILE_H
#define RG_CLI_PROFILE_H

#include "cli/session.h"

#include <stdio.h>

/* A step of the plan, or several of them taken together. */
typedef struct profile_part {
    char   name[64];     /* the kernel */
    char   layer[96];    /* scope without time steps; "" = outside all */
    char   shapes[96];
    bool   gradient;
    size_t steps;
    double seconds, flop, bytes;
} profile_part;

typedef struct profile_times {
    double least, median;
} profile_times;

typedef struct profile {
    const settings *s;
    settings        t;           /* of the session, where there is one */
    session         x;           /* model and trainer; of a text that is made up nothing else */
    rg_trace        trace;       /* of the plan: switched on for every other run */
    int64_t         T, B;
    double          peak;        /* GF/s of all threads, mean of before and after */
    profile_part   *step;        /* of the plan */
    double         *now;         /* seconds of the steps of this run */
    double          told;        /* when the first of them was heard of */
    size_t          n_step, cap;
    bool            full;        /* no memory for a step */
    profile_times   run;         /* of the plan, untraced */
    profile_times   update;      /* of the optimizer */
    double          traced;      /* the least traced run, whose steps are kept */
    double          steps;       /* their sum */
} profile;

/* Steps taken together where all of these are equal. */
enum { BY_KERNEL = 1, BY_LAYER = 2, BY_DIRECTION = 4, BY_SHAPES = 8 };
/* Groups of steps, slowest first, in new memory; NULL without. */
profile_part *profile_groups(size_t *n, const profile *p, unsigned by);
/* What the optimizer does: reads weights, gradients and its state, writes all but the gradients. */
profile_part profile_update(const profile *p);
/* What no step accounts for: starting the team, looking at inputs, meeting between steps. */
profile_part profile_rest(const profile *p);
/* The time of a step of training as measured part by part, and without. */
double profile_total(const profile *p);
double profile_untraced(const profile *p);
/* "forward", "backward" */
const char *profile_direction(const profile_part *part);
/* So many operations, or bytes, as billions a second. */
double profile_rate(double amount, double seconds);

/* profile_show.c: tables, or lines of JSON, on stdout. DONE or said why. */
int profile_show(const profile *p);
/* profile_svg.c: bars by kernel and by layer. */
int profile_draw(const profile *p, const char *path);

#endif
