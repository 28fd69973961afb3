/* base/clock.c -- the monotonic clock. */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <time.h>

double rg_seconds(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t))
        return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
