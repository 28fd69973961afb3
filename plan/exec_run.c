/* plan/exec_run.c -- running the steps of a program.
 *
 * One parallel region per run. In an interval every step is cut into parts by its shape; which
 * thread takes which parts is fixed by their costs and changes no bits. The team meets between
 * intervals. In a region every thread owns panels of rows, and runs all its steps on them. A run
 * allocates nothing. */
#include "plan/code.h"

#include "base/checked.h"
#include "base/clock.h"
#include "kernels/team.h"
#include "plan/lower.h"
#include "plan/trace.h"

#include <stdatomic.h>
#include <string.h>

struct job {
    rg_code     *c;
    rg_team_gate gate;
    rg_machine  machine;
    atomic_bool failed;
    bool        poison;
    int         size;     /* of the team that was planned for */
    double     *seconds;  /* by step; NULL = nobody asks */
};

/* Parts or rows first .. last-1. */
static void call(struct job *job, const rg_task *s, rg_task_fn *run, int64_t first, int64_t last,
                 int rank)
{
    if (first >= last || (s->once && job->machine.packed) ||
        atomic_load_explicit(&job->failed, memory_order_relaxed))
        return;
    if (run(&job->machine, s, first, last, rank)) {
        job->c->failure[rank].step = (size_t)(s - job->c->step) + 1;
        atomic_store_explicit(&job->failed, true, memory_order_relaxed);
    }
}

static void run_parts(struct job *job, const rg_task *s, int rank, int size)
{
    if (size == 1)
        call(job, s, s->run, 0, s->parts, rank);
    else
        call(job, s, s->run, rg_first_part(s, rank, size), rg_first_part(s, rank + 1, size), rank);
}

/* With a trace the team meets after every step, so that its time is its own. */
static double begin_time(const struct job *job, int rank)
{
    return job->seconds && rank == 0 ? rg_seconds() : 0;
}

static void end_time(struct job *job, const rg_task *s, double start, int rank, int size)
{
    if (!job->seconds)
        return;
    rg_team_meet(&job->gate, size);
    if (rank == 0)
        job->seconds[s - job->c->step] = rg_seconds() - start;
}

/* ---- Poison --------------------------------------------------------------------------------- */

/* NaN as f32 and as f64. */
static void poison(void *data, size_t bytes)
{
    static const uint32_t pattern[2] = { 0x7FA4DEADu, 0x7FF4DEADu };
    for (size_t i = 0; i + sizeof pattern <= bytes; i += sizeof pattern)
        memcpy((char *)data + i, pattern, sizeof pattern);
}

/* What died in these intervals; with RG_FOREVER, everything that a run writes. In a region that
 * runs by rows, what dies row by row has been seen to. */
static void poison_dead(const rg_code *c, uint32_t first, uint32_t last, bool by_rows)
{
    for (size_t i = 1; i < c->n_buffer; i++) {
        const rg_buffer *b = &c->buffer[i];
        const bool dead = (b->death >= first && b->death <= last) || first == RG_FOREVER;
        if (b->bytes && !b->constant && !b->same_as && dead && !(by_rows && b->dies_by_rows))
            poison(c->at[i], rg_round_up(b->bytes, RG_ALIGN));
    }
}

/* Rows first .. last-1 of what died in this interval of a region. */
static void poison_rows(const rg_code *c, const rg_region *r, uint32_t interval, int64_t first,
                        int64_t last)
{
    for (size_t i = 1; i < c->n_buffer; i++) {
        const rg_buffer *b = &c->buffer[i];
        const size_t line = b->bytes / (size_t)r->rows;
        if (b->bytes && b->dies_by_rows && !b->same_as && b->death == interval)
            poison((char *)c->at[i] + (size_t)first * line, (size_t)(last - first) * line);
    }
}

/* The team meets; with poison once more, when what died is filled. */
static void meet(struct job *job, uint32_t first, uint32_t last, bool by_rows, int rank, int size)
{
    rg_team_meet(&job->gate, size);
    if (!job->poison)
        return;
    if (rank == 0)
        poison_dead(job->c, first, last, by_rows);
    rg_team_meet(&job->gate, size);
}

/* ---- Intervals and regions ------------------------------------------------------------------ */

/* Where the team meets next after step i: after every interval, if it is smaller than planned for,
 * or alone and what died is to be filled. */
static size_t next_meeting(const struct job *job, size_t i, int size)
{
    const rg_code *c = job->c;
    const bool all = size != job->size || (size == 1 && job->poison);
    while (i + 1 < c->n_step && (c->step[i + 1].interval == c->step[i].interval ||
                                 !(all || c->meets[c->step[i].interval])))
        i++;
    return i + 1;
}

/* Steps first .. end-1, each thread its parts. */
static void run_steps(struct job *job, size_t first, size_t end, int rank, int size)
{
    for (size_t i = first; i < end; i++) {
        const rg_task *s = &job->c->step[i];
        const double start = begin_time(job, rank);
        run_parts(job, s, rank, size);
        end_time(job, s, start, rank, size);
    }
}

/* All steps of a region, on the panels of rows that the thread owns. */
static void run_rows(struct job *job, const rg_region *r, int rank, int size)
{
    const rg_code *c = job->c;
    const int64_t panels = (r->rows + r->panel - 1) / r->panel;
    const int64_t first = panels * rank / size * r->panel;
    const int64_t end = panels * (rank + 1) / size * r->panel;
    const int64_t last = end < r->rows ? end : r->rows;
    for (size_t i = r->first; i < r->end; i++) {
        const rg_task *s = &c->step[i];
        const double start = begin_time(job, rank);
        if (s->a_row)
            call(job, s, s->run_rows, first * s->a_row, last * s->a_row, rank);
        else
            run_parts(job, s, rank, size);
        end_time(job, s, start, rank, size);
        if (job->poison && (i + 1 == r->end || s[1].interval != s->interval))
            poison_rows(c, r, s->interval, first, last);
    }
}

/* What runs without a meeting: with poison one thread after the other, from the first or from the
 * last. What waits for another thread then finds NaN, in one order or the other. */
static size_t run_stretch(struct job *job, size_t first, const rg_region *r, int rank, int size)
{
    const rg_code *c = job->c;
    const size_t end = r ? r->end : next_meeting(job, first, size);
    const bool several = c->step[first].interval != c->step[end - 1].interval;
    const bool in_turn = job->poison && !job->seconds && several;
    for (int turn = 0; turn < (in_turn ? size : 1); turn++) {
        const int whose = job->machine.run % 2 ? turn : size - 1 - turn;
        if (r && (!in_turn || whose == rank))
            run_rows(job, r, rank, size);
        else if (!in_turn || whose == rank)
            run_steps(job, first, end, rank, size);
        if (in_turn)
            rg_team_meet(&job->gate, size);
    }
    const uint32_t last = c->step[end - 1].interval;
    if (end < c->n_step) /* outside a region, what died before may have been used again */
        meet(job, r ? c->step[first].interval : last, last, r != NULL, rank, size);
    return end;
}

static void run_all(void *arg, int rank, int size)
{
    struct job *job = arg;
    const rg_code *c = job->c;
    const rg_region *r = c->region, *last = r + c->n_region;
    if (job->poison)
        meet(job, RG_FOREVER, RG_FOREVER, false, rank, size);
    for (size_t i = 0; i < c->n_step;) {
        while (r < last && r->first < i)
            r++;
        const bool rows = size > 1 && r < last && r->first == i && r->by_rows;
        i = run_stretch(job, i, rows ? r : NULL, rank, size);
    }
}

/* What the earliest step that failed has to say. */
static rg_status complain(rg_plan *plan, const rg_code *c)
{
    const rg_failure *f = &c->failure[0];
    for (int r = 1; r < plan->threads; r++)
        if (c->failure[r].step && (!f->step || c->failure[r].step < f->step))
            f = &c->failure[r];
    return rg_plan_kernel_failed(plan, f->node, f->code);
}

static void trace_steps(const rg_plan *plan, const rg_code *c)
{
    char shape[RG_SHAPE_TEXT];
    for (size_t i = 0; i < c->n_step; i++) {
        const rg_task *s = &c->step[i];
        rg_timed_step step = { .kernel = s->name, .index = i, .seconds = c->seconds[i],
                         .flop = s->flop, .bytes = s->bytes };
        if (s->shape)
            step.shapes = rg_shape_text(shape, s->shape);
        rg_trace_step(plan, s->node, &step);
    }
}

rg_status rg_code_run(rg_plan *plan, uint64_t number)
{
    rg_code *c = (rg_code *)plan->exec;
    for (size_t i = 0; i < plan->n_input; i++)
        if (plan->input[i].id)
            c->at[plan->input[i].id] = plan->value[plan->input[i].id];
    const uint64_t written = plan->params ? 1 + plan->params->written : 1;
    memset(c->failure, 0, (size_t)plan->threads * sizeof *c->failure);
    struct job job = {
        .c = c, .poison = plan->opts.poison, .size = plan->threads,
        .seconds = rg_traces_steps(plan) ? c->seconds : NULL,
        .machine = { c, c->at, plan->params ? plan->params->seed : 0, number, c->scratch,
                     c->scratch_bytes, c->packed_from == written },
    };
    rg_team_run(plan->threads, plan->prog.flush, run_all, &job);
    if (atomic_load(&job.failed))
        return complain(plan, c);
    c->packed_from = written;
    if (job.seconds)
        trace_steps(plan, c);
    return RG_OK;
}
