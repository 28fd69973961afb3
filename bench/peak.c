/* bench/peak.c -- what the machine can do: multiply-adds of its cores, bytes of its memory. */
#include "bench/bench.h"

#include "kernels/team.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(isa) float rgb_fma_loop_##isa(int64_t n); int64_t rgb_fma_flops_##isa(void);
DECLARE(portable)
#if defined(RG_HAVE_AVX2)
DECLARE(avx2)
#endif
#if defined(RG_HAVE_AVX512)
DECLARE(avx512)
#endif

static float fma_loop(int64_t n)
{
    switch (rg_cpu_isa()) {
#if defined(RG_HAVE_AVX512)
    case RG_ISA_AVX512: return rgb_fma_loop_avx512(n);
#endif
#if defined(RG_HAVE_AVX2)
    case RG_ISA_AVX2: return rgb_fma_loop_avx2(n);
#endif
    default: return rgb_fma_loop_portable(n);
    }
}

static int64_t fma_flops(void)
{
    switch (rg_cpu_isa()) {
#if defined(RG_HAVE_AVX512)
    case RG_ISA_AVX512: return rgb_fma_flops_avx512();
#endif
#if defined(RG_HAVE_AVX2)
    case RG_ISA_AVX2: return rgb_fma_flops_avx2();
#endif
    default: return rgb_fma_flops_portable();
    }
}

/* Each core measures itself while the others do. */
struct peak {
    double rate[RG_TEAM_MAX];
    float  sink[RG_TEAM_MAX];
};

static void measure_core(void *arg, int rank, int size)
{
    enum { TURNS = 50000, TIMES = 100 }; /* short ones: some meet no other program */
    struct peak *p = arg;
    (void)size;
    p->sink[rank] = fma_loop(10 * TURNS);
    for (int k = 0; k < TIMES; k++) {
        double begin = rgb_now();
        p->sink[rank] += fma_loop(TURNS);
        p->rate[rank] = fmax(p->rate[rank], (double)fma_flops() * TURNS / (rgb_now() - begin));
    }
}

double rgb_peak(int threads)
{
    struct peak p = { .rate = { 0 } };
    double sum = 0;
    rg_team_run(threads, false, measure_core, &p);
    for (int i = 0; i < threads; i++)
        sum += p.rate[i];
    return sum * 1e-9;
}

rgb_flops rgb_measure_flops(void (*body)(void *arg), void *arg, const rgb_opts *opts)
{
    enum { TRIES = 3 };
    rgb_flops f = { .peak = 0 };
    double before = rgb_peak(opts->threads);
    for (int k = 0; k < TRIES; k++) {
        f.time = rgb_measure(body, arg, opts);
        double after = rgb_peak(opts->threads);
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
