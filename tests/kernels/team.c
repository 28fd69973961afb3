/* tests/kernels/team.c -- teams: what they change and leave alone; forks; too many threads. */
#include "tests/rgt.h"

#include "kernels/fpstate.h"
#include "kernels/gemm.h"
#include "kernels/team.h"

#include <fenv.h>
#include <omp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <stdio.h>
#include <unistd.h>

struct seen {
    int   size, calls[RG_TEAM_MAX], max_inside;
    float flushed;
    bool  nearest[RG_TEAM_MAX];
    rg_team_gate gate;
};

static bool rounds_to_nearest(void)
{
    volatile double one = 1, bit = 0x1p-60;
    return one + bit == 1 && -one - bit == -1;
}

static void look(void *arg, int rank, int size)
{
    struct seen *seen = arg;
    volatile float least = 0x1p-126F;
    seen->calls[rank]++;
    seen->nearest[rank] = rounds_to_nearest();
    rg_team_meet(&seen->gate, size);
    if (rank == 0) {
        seen->size = size;
        seen->max_inside = omp_get_max_threads();
        seen->flushed = least * 0.5F;
    }
    rg_team_meet(&seen->gate, size);
}

RGT_TEST(team, each_member_runs_once_and_the_host_keeps_its_settings)
{
    omp_set_num_threads(3);
    for (int threads = 1; threads <= 4; threads++) {
        struct seen seen = { 0 };
        rg_team_run(threads, false, look, &seen);
        RGT_CHECK(seen.size >= 1 && seen.size <= threads);
        for (int i = 0; i < RG_TEAM_MAX; i++)
            RGT_CHECK(seen.calls[i] == (i < seen.size));
        RGT_CHECK(seen.max_inside == 1 && omp_get_max_threads() == 3 && rg_team_max() == 3);
    }
}

RGT_TEST(team, absurd_sizes_are_cut)
{
    struct seen seen = { 0 };
    rg_team_run(0, false, look, &seen);
    RGT_CHECK(seen.size == 1);
    rg_team_run(-5, false, look, &seen);
    RGT_CHECK(seen.size == 1);
    rg_team_run(1000, false, look, &seen);
    RGT_CHECK(seen.size <= RG_TEAM_MAX);
}

RGT_TEST(team, inside_the_hosts_region_a_team_is_small_and_correct)
{
    int wrong = 0;
    omp_set_num_threads(2);
#pragma omp parallel num_threads(2) reduction(+ : wrong)
    {
        struct seen seen = { 0 };
        rg_team_run(2, true, look, &seen);
        wrong += seen.size < 1 || seen.calls[0] != 1 || omp_get_num_threads() > 2;
    }
    RGT_CHECK(wrong == 0 && omp_get_max_threads() == 2);
}

#if defined(__x86_64__) || defined(__aarch64__)
RGT_TEST(team, subnormals_are_flushed_where_asked_and_only_there)
{
    volatile float least = 0x1p-126F;
    for (int threads = 1; threads <= 2; threads++) {
        struct seen seen = { 0 };
        rg_team_run(threads, true, look, &seen);
        RGT_CHECK(seen.flushed == 0 && least * 0.5F > 0);
        rg_team_run(threads, false, look, &seen);
        RGT_CHECK(seen.flushed > 0);
    }
}
#endif

/* Also in pool threads, which keep what their creator had. */
#if defined(__x86_64__) || defined(__aarch64__)
RGT_TEST(team, members_round_to_nearest_and_the_host_rounds_as_before)
{
    struct seen seen = { 0 };
    RGT_CHECK(fesetround(FE_UPWARD) == 0);
    rg_team_run(4, false, look, &seen);
    bool kept = !rounds_to_nearest();
    RGT_CHECK(fesetround(FE_TONEAREST) == 0);
    RGT_CHECK(kept && rounds_to_nearest());
    for (int i = 0; i < seen.size; i++)
        RGT_CHECK(seen.nearest[i]);
}
#endif

RGT_TEST(team, sticky_exception_flags_stay_raised)
{
    volatile double zero = 0, result;
    RGT_CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);
    rg_fp_state old = rg_fp_enter(false);
    result = 1 / zero;
    rg_fp_leave(old);
    RGT_CHECK(result > 0 && fetestexcept(FE_DIVBYZERO));
    RGT_CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);
}

/* ---- BLAS stays on the caller's thread ------------------------------------------------------- */

enum { M = 512 };
static float a[M * M], b[M * M], c[M * M];

static void product(void *arg, int rank, int size)
{
    rg_gemm_shape s = rg_gemm_dense(RG_F32, false, false, M, M, M);
    (void)arg, (void)size;
    if (rank == 0)
        for (int64_t p = 0; p < rg_gemm_panels(&s); p++)
            rg_gemm_panel(&s, p, a, b, c);
}

static int threads_alive(void)
{
    char line[256];
    int n = -1;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Threads: %d", &n) == 1)
            break;
    (void)fclose(f);
    return n;
}

RGT_TEST(team, a_team_of_one_multiplies_on_one_thread)
{
    int before = threads_alive();
    if (before < 0)
        RGT_SKIP("no /proc");
    omp_set_num_threads(4);
    rg_team_run(1, true, product, NULL);
    RGT_CHECK_MSG(threads_alive() == before, "%d threads, then %d", before, threads_alive());
    RGT_CHECK(omp_get_max_threads() == 4);
}

/* ---- Threads that cannot be made, processes that fork ---------------------------------------- */

RGT_TEST(team, a_probe_finds_threads_and_starts_them)
{
    int n = 0;
    RGT_CHECK(rg_team_probe(2, &n) == RG_OK && n == 2);
    RGT_CHECK(rg_team_probe(1, &n) == RG_OK && n == 1);
    RGT_CHECK(rg_team_probe(-3, &n) == RG_OK && n == 1);
}

/* In a child, whose answer is its exit status. */
static int child(int (*body)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(body());
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                            : -1;
}

#if !defined(__SANITIZE_ADDRESS__)
static int probe_without_memory(void)
{
    const struct rlimit little = { 64 << 20, 64 << 20 }; /* less than a stack of 8 MiB for each */
    int n = 0;
    if (setrlimit(RLIMIT_AS, &little) != 0)
        return 2;
    rg_status status = rg_team_probe(RG_TEAM_MAX, &n);
    return status == RG_ETHREAD && n >= 1 && n < RG_TEAM_MAX ? 0 : 1;
}

RGT_TEST(team, a_probe_says_how_many_threads_there_can_be)
{
    RGT_CHECK(child(probe_without_memory) == 0);
}
#endif

static int64_t parent;
static int another_process(void) { return rg_process_id() == parent; }

static int run_in_child(void)
{
    struct seen seen = { 0 };
    rg_team_run(2, false, look, &seen);
    return seen.size < 1;
}

RGT_TEST(team, a_child_is_another_process_and_can_work_after_rg_before_fork)
{
    struct seen seen = { 0 };
    parent = rg_process_id();
    RGT_CHECK(child(another_process) == 0);
    rg_team_run(2, false, look, &seen);
    RGT_CHECK(rg_before_fork() == RG_OK);
    RGT_CHECK(child(run_in_child) == 0);
    rg_team_run(2, false, look, &seen);
    RGT_CHECK(seen.size >= 1);
}

static void fork_inside(void *arg, int rank, int size)
{
    (void)size;
    if (rank == 0)
        *(rg_status *)arg = rg_before_fork();
}

RGT_TEST(team, rg_before_fork_is_refused_inside_a_region)
{
    rg_status status = RG_OK;
    rg_team_run(2, false, fork_inside, &status);
    RGT_CHECK(status == RG_ESTATE);
}

enum { ROUNDS = 3000 };

struct relay {
    rg_team_gate gate;
    int          at[RG_TEAM_MAX];
    bool         apart;
};

/* After every meeting all have made equally many steps. */
static void run_relay(void *arg, int rank, int size)
{
    struct relay *relay = arg;
    for (int i = 1; i <= ROUNDS; i++) {
        relay->at[rank] = i;
        rg_team_meet(&relay->gate, size);
        for (int k = 0; k < size; k++)
            if (relay->at[k] != i)
                relay->apart = true;
        rg_team_meet(&relay->gate, size);
    }
}

RGT_TEST(team, members_meet_as_often_as_they_like)
{
    for (int threads = 1; threads <= 4; threads++) {
        struct relay relay = { .apart = false };
        rg_team_run(threads, false, run_relay, &relay);
        RGT_CHECK(!relay.apart);
    }
}
