/* bench/peak.c -- what the machine can do: multiply-adds of its cores, bytes of its memory. */
#include "bench/bench.h"

#include "kernels/team.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

rgb_race rgb_race_of(const rgb_body *body, size_t n, const rgb_opts *opts)
{
    enum { TRIES = 3 };
    rgb_race race;
    double before = rg_measure_peak(RG_F32, opts->threads);
    for (int k = 0; k < TRIES; k++) {
        race = rgb_race_rounds(body, n, opts);
        const double after = rg_measure_peak(RG_F32, opts->threads);
        race.peak = (before + after) / 2;
        if (fabs(after - before) <= 0.05 * race.peak)
            break;
        before = after;
    }
    return race;
}

rgb_flops rgb_measure_flops(void (*body)(void *arg), void *arg, const rgb_opts *opts)
{
    const rgb_race race = rgb_race_of(&(const rgb_body){ body, arg }, 1, opts);
    return (rgb_flops){ race.time[0], race.peak };
}

/* ---- OpenBLAS ------------------------------------------------------------------------------- */

enum { N = 2048 };

struct square {
    float *a, *b, *c;
    int    threads;
};

static void columns(void *arg, int rank, int size)
{
    const struct square *s = arg;
    const int n0 = N * rank / size, n1 = N * (rank + 1) / size;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, n1 - n0, N, 1, s->a, N, s->b + n0, N,
                0, s->c + n0, N);
}

static void multiply(void *arg)
{
    const struct square *s = arg;
    rg_team_run(s->threads, true, columns, arg);
}

double rgb_gemm_speed(const rgb_opts *opts)
{
    static double speed;
    const size_t bytes = (size_t)N * N * sizeof(float);
    struct square s = { .threads = opts->threads };
    if (speed > 0)
        return speed;
    s.a = aligned_alloc(64, bytes);
    s.b = aligned_alloc(64, bytes);
    s.c = aligned_alloc(64, bytes);
    if (!s.a || !s.b || !s.c)
        rgb_check(RG_ENOMEM, "matrices");
    for (size_t i = 0; i < (size_t)N * N; i++)
        s.a[i] = s.b[i] = (float)(i % 11) - 5;
    rgb_opts few = *opts;
    few.quick = true;
    speed = 2e-9 * N * N * (double)N / rgb_measure(multiply, &s, &few).min;
    free(s.a);
    free(s.b);
    free(s.c);
    return speed;
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
