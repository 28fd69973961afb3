/* kernels/peak.c -- what the cores can do at most. */
#include "kernels/peak.h"

#include "base/clock.h"
#include "kernels/team.h"

/* Each core measures itself while the others do. */
struct peak {
    rg_dtype real;
    double   rate[RG_TEAM_MAX];  /* operations per second */
    double   sink[RG_TEAM_MAX];
};

static void measure_core(void *arg, int rank, int size)
{
    enum { TURNS = 50000, TIMES = 100 }; /* short ones: some meet no other program */
    struct peak *p = arg;
    const rg_peak_kernels *k = RG_ISA_TABLE(rg_cpu_isa(), rg_peak_kernels);
    (void)size;
    p->sink[rank] = k->loop[p->real](10 * TURNS);
    for (int i = 0; i < TIMES; i++) {
        const double begin = rg_seconds();
        p->sink[rank] += k->loop[p->real](TURNS);
        const double took = rg_seconds() - begin;
        const double rate = (double)k->flop[p->real] * TURNS / (took > 0 ? took : 1);
        p->rate[rank] = rate > p->rate[rank] ? rate : p->rate[rank];
    }
}

double rg_measure_peak(rg_dtype real, int threads)
{
    struct peak p = { .real = real };
    double sum = 0;
    if ((real != RG_F32 && real != RG_F64) || threads < 0)
        return 0;
    threads = threads ? threads : rg_team_max();
    (void)rg_team_probe(threads, &threads);
    rg_team_run(threads, false, measure_core, &p);
    for (int i = 0; i < threads; i++)
        sum += p.rate[i];
    return 1e-9 * sum;
}
