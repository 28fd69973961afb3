/* plan/clock.h -- time, for traces only: an untraced run reads no clock. */
#ifndef RG_PLAN_CLOCK_H
#define RG_PLAN_CLOCK_H

/* Seconds since some moment. */
double rg_seconds(void);

#endif
