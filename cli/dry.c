/* cli/dry.c -- `retrograd train --dry-run`: what a run would take, from its plan and some steps. */
#define _POSIX_C_SOURCE 200809L
#include "cli/net.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Steps of the real training, in memory only: enough for a time that means something. */
enum { FEWEST = 5, MOST = 50 };
static const double LONG_ENOUGH = 0.5;  /* seconds */

/* The median of the timed ones, after one to warm up. */
static int time_steps(session *x, double *step, int *n)
{
    double took[MOST], sum = 0;
    *n = -1;
    while (*n < FEWEST || (*n < MOST && sum < LONG_ENOUGH)) {
        const double began = seconds();
        rg_status st = rg_trainer_step(x->trainer);
        if (st)
            return fail(exit_code(st), "%s", rg_trainer_message(x->trainer));
        if (*n >= 0)
            sum += took[*n] = seconds() - began;
        ++*n;
    }
    *step = median(took, (size_t)*n);
    return DONE;
}

/* What lives while a run trains, in bytes. */
typedef struct memory {
    double step, weights, optimizer, text, resident;
} memory;

static memory memory_of(const session *x)
{
    struct rusage used;
    memory m = {
        .step = (double)rg_trainer_facts(x->trainer).plan.arena_bytes,
        .weights = params_bytes(x->m.params),
        .optimizer = params_bytes(rg_optim_state(rg_trainer_optim(x->trainer))),
        .text = x->data_bytes,
    };
    if (getrusage(RUSAGE_SELF, &used) == 0)
        m.resident = 1024 * (double)used.ru_maxrss;
    return m;
}

/* What a run would take by the steps timed here; the first limit that is reached ends it. */
typedef struct outlook {
    double step, steps, seconds;
    int    timed;
    bool   by_clock;
} outlook;

static outlook outlook_of(const session *x, double step, int timed)
{
    const double total = (double)x->total, limit = 60 * x->s->minutes;
    if (limit > 0 && (!x->total || limit < total * step))
        return (outlook){ step, limit / step, limit, timed, true };
    return (outlook){ step, total, total * step, timed, false };
}

static void tell(const session *x, const memory *m, const outlook *look)
{
    const rg_plan_report r = rg_trainer_facts(x->trainer).plan;
    printf("plan    %zu nodes in %zu steps, %.3g flop; %d thread%s\n", r.nodes, r.steps, r.flop,
           r.threads, r.threads == 1 ? "" : "s");
    printf("memory  %.1f MiB: step %.1f, weights %.1f, optimizer %.1f, %s %.1f; process at most "
           "%.1f so far\n", (m->step + m->weights + m->optimizer + m->text) / 0x1p20,
           m->step / 0x1p20, m->weights / 0x1p20, m->optimizer / 0x1p20,
           x->s->task == LM ? "text" : "data", m->text / 0x1p20,
           m->resident / 0x1p20);
    printf("time    %.3f ms a step, the median of %d timed here: %.0f %s a second, "
           "%.1f GF/s\n", 1e3 * look->step, look->timed, x->per_step / look->step,
           x->s->task == LM ? text_things(x->text.unit) : x->task->unit,
           1e-9 * r.flop / look->step);
    if (look->by_clock)
        printf("whole   %.0f s, about %.0f steps, evaluations included\n", look->seconds,
               look->steps);
    else
        printf("whole   %.0f steps in about %.0f s, without evaluations\n", look->steps,
               look->seconds);
}

static int tell_json(const session *x, const memory *m, const outlook *look)
{
    const rg_plan_report r = rg_trainer_facts(x->trainer).plan;
    json_t *o = json_pack("{s:i, s:I, s:I, s:f, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:f}",
                          "v", 1, "nodes", (json_int_t)r.nodes, "steps", (json_int_t)r.steps,
                          "flop", r.flop, "threads", r.threads, "arena_bytes",
                          (json_int_t)r.arena_bytes, "weights_bytes", m->weights,
                          "optimizer_bytes", m->optimizer, "text_bytes", m->text,
                          "resident_bytes", m->resident, "step_ms", 1e3 * look->step,
                          "timed", look->timed, "total_steps", look->steps, "total_seconds",
                          look->seconds);
    return put_json(o, 9);
}

int session_try(session *x)
{
    double step = 0;
    int n = 0, code = time_steps(x, &step, &n);
    if (code)
        return code;
    const memory m = memory_of(x);
    const outlook look = outlook_of(x, step, n);
    if (x->s->json)
        return tell_json(x, &m, &look);
    tell(x, &m, &look);
    return DONE;
}
