/* bench/peak.c -- what the machine can do: multiply-adds of its cores, bytes of its memory. */
#include "bench/bench.h"

#include "kernels/team.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rgb_flops rgb_measure_flops(void (*body)(void *arg), void *arg, const rgb_opts *opts)
{
    enum { TRIES = 3 };
    rgb_flops f = { .peak = 0 };
    double before = rg_measure_peak(RG_F32, opts->threads);
    for (int k = 0; k < TRIES; k++) {
        f.time = rgb_measure(body, arg, opts);
        double after = rg_measure_peak(RG_F32, opts->threads);
        f.peak = (before + after) / 2;
        if (fabs(after - before) <= 0.05 * f.peak)
            break;
        before = after;
    }
    return f;
}

/* ---- Memory --------------------------------------------------------------------------------- */

enum { COPY_BYTES = 64 << 20 };

struct copy {
    char *from, *to;
    int   threads;
};

static void copy_part(void *arg, int rank, int size)
{
    const struct copy *c = arg;
    const size_t part = COPY_BYTES / (size_t)size;
    memcpy(c->to + part * (size_t)rank, c->from + part * (size_t)rank, part);
}

static void copy_all(void *arg)
{
    struct copy *c = arg;
    rg_team_run(c->threads, false, copy_part, c);
}

rgb_time rgb_copy(double *bytes, const rgb_opts *opts)
{
    struct copy c = { malloc(COPY_BYTES), malloc(COPY_BYTES), opts->threads };
    if (!c.from || !c.to)
        rgb_check(RG_ENOMEM, "copy");
    memset(c.from, 1, COPY_BYTES);
    memset(c.to, 2, COPY_BYTES);
    rgb_time t = rgb_measure(copy_all, &c, opts);
    free(c.from);
    free(c.to);
    *bytes = 2.0 * COPY_BYTES;
    return t;
}
