/* base/clock.h -- time, for traces and for measuring the machine: other runs read no clock. */
#ifndef RG_BASE_CLOCK_H
#define RG_BASE_CLOCK_H

/* Seconds since some moment. */
double rg_seconds(void);

#endif
