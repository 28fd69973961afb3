/* kernels/team.c -- parallel regions; every thread's state is set on entry, restored on exit. */
#define _GNU_SOURCE /* syscall() */
#include "kernels/team.h"

#include <errno.h>
#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "kernels/fpstate.h"

void rg_team_run(int threads, bool flush, rg_team_fn *body, void *arg)
{
    threads = threads < 1 ? 1 : threads > RG_TEAM_MAX ? RG_TEAM_MAX : threads;
    /* Always a region, for one thread too: only inside one is the setter's effect bound to the
     * implicit task, and without it OpenBLAS threads a product on its own in a team of one. */
#pragma omp parallel num_threads(threads) default(none) shared(flush, body, arg)
    {
        omp_set_num_threads(1);
        rg_fp_state old = rg_fp_enter(flush);
        body(arg, omp_get_thread_num(), omp_get_num_threads());
        rg_fp_leave(old);
    }
}

/* About fifteen microseconds: as long as the end of a region may keep the others. */
enum { SPINS = 1000 };

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

#if defined(__linux__)
static void sleep_while(atomic_uint *word, unsigned value)
{
    const int kept = errno;
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = kept; /* that the word had changed already is no error */
}

static void wake_all(atomic_uint *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void sleep_while(atomic_uint *word, unsigned value)
{
    (void)word, (void)value;
    (void)sched_yield();
}

static void wake_all(atomic_uint *word) { (void)word; }
#endif

/* A sleeper counts itself before it looks at the round for the last time, the last member looks for
 * sleepers after it has opened the next round: none is forgotten. */
void rg_team_meet(rg_team_gate *gate, int size)
{
    const unsigned round = atomic_load_explicit(&gate->round, memory_order_relaxed);
    if (size < 2)
        return;
    if (atomic_fetch_add(&gate->waiting, 1) == size - 1) {
        atomic_store(&gate->waiting, 0);
        atomic_store(&gate->round, round + 1);
        if (atomic_load(&gate->asleep) > 0)
            wake_all(&gate->round);
        return;
    }
    for (int spins = 0; spins < SPINS; spins++) {
        if (atomic_load_explicit(&gate->round, memory_order_acquire) != round)
            return;
        pause_a_little();
    }
    atomic_fetch_add(&gate->asleep, 1);
    while (atomic_load(&gate->round) == round)
        sleep_while(&gate->round, round);
    atomic_fetch_sub(&gate->asleep, 1);
}

int rg_team_max(void)
{
    int n = omp_get_max_threads();
    return n < 1 ? 1 : n > RG_TEAM_MAX ? RG_TEAM_MAX : n;
}

/* Probe threads wait here until all are alive. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    bool            open;
};

static void *wait_at_gate(void *arg)
{
    struct gate *gate = arg;
    (void)pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        (void)pthread_cond_wait(&gate->changed, &gate->lock);
    (void)pthread_mutex_unlock(&gate->lock);
    return NULL;
}

/* How many of @p wanted more threads can live at once. */
static int count_threads(int wanted)
{
    struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
    pthread_t thread[RG_TEAM_MAX];
    int n = 0;
    while (n < wanted && pthread_create(&thread[n], NULL, wait_at_gate, &gate) == 0)
        n++;
    (void)pthread_mutex_lock(&gate.lock);
    gate.open = true;
    (void)pthread_cond_broadcast(&gate.changed);
    (void)pthread_mutex_unlock(&gate.lock);
    for (int i = 0; i < n; i++)
        (void)pthread_join(thread[i], NULL);
    return n;
}

static void rest(void *arg, int rank, int size)
{
    (void)arg, (void)rank, (void)size;
}

rg_status rg_team_probe(int threads, int *available)
{
    threads = threads < 1 ? 1 : threads > RG_TEAM_MAX ? RG_TEAM_MAX : threads;
    *available = threads > 1 ? 1 + count_threads(threads - 1) : 1;
    rg_team_run(*available, false, rest, NULL);
    return *available < threads ? RG_ETHREAD : RG_OK;
}

int64_t rg_process_id(void)
{
    return (int64_t)getpid();
}

rg_status rg_before_fork(void)
{
    if (omp_in_parallel() || omp_pause_resource_all(omp_pause_soft) != 0)
        return RG_ESTATE;
    return RG_OK;
}
