/* kernels/team.h -- teams of threads: the only place that opens parallel regions. */
#ifndef RG_KERNELS_TEAM_H
#define RG_KERNELS_TEAM_H

#include <stdatomic.h>

#include "base/error.h"

enum { RG_TEAM_MAX = 64 };  /* OpenBLAS ends the process beyond its compiled-in limit of callers */

/* What each member runs. Work must be cut by shape, never by @p size: the team may be smaller than
 * asked for. Nothing in it may allocate. */
typedef void rg_team_fn(void *arg, int rank, int size);

/* One parallel region; returns when all members have. Each member runs with rounding to nearest and
 * with subnormal numbers flushed to zero or kept, as asked, and leaves the control state of its
 * thread as it was. A product called by a member is single-threaded: in its own task, and only
 * there, the member sets the number of threads to one. @p threads is cut to 1 .. RG_TEAM_MAX. */
void rg_team_run(int threads, bool flush, rg_team_fn *body, void *arg);

/* Where the members of one team meet; all zero to start, shared by all of them. The words lie in
 * lines of the cache of their own by their distance, which holds wherever the gate itself lies: on
 * the stack that AddressSanitizer keeps for returned frames, gcc 12 aligns nothing to 64. */
enum { RG_TEAM_APART = 64 - sizeof(int) };
typedef struct rg_team_gate {
    atomic_int  waiting;
    char        before[RG_TEAM_APART];
    atomic_uint round;
    char        behind[RG_TEAM_APART];
    atomic_int  asleep;
    char        last[RG_TEAM_APART];
} rg_team_gate;

/* All @p size members meet: each calls it, the same number of times. Waiting spins for some
 * microseconds, then sleeps: on a busy machine those that spin or yield keep the others, for whom
 * they wait, from running. */
void rg_team_meet(rg_team_gate *gate, int size);

/* How many threads OpenMP offers, at most RG_TEAM_MAX. */
int rg_team_max(void);

/* Can so many threads live at once? Asked when a plan is made, since OpenMP ends the process when
 * it cannot create one. Then starts the team, so that the first run finds it. RG_ETHREAD where they
 * cannot; *available is what can (>= 1). */
rg_status rg_team_probe(int threads, int *available);

/* Which process this is: a plan compares with what it stored, since a forked child's teams hang. */
int64_t rg_process_id(void);

#endif
