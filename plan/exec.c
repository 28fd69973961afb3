/* plan/exec.c -- effort `optimize`: setting a program up as steps, and running them.
 *
 * One parallel region per run. In an interval every step is cut into parts by its shape; which
 * thread takes which parts is fixed by their costs and changes no bits. The team meets between
 * intervals. A run allocates nothing. */
#include "plan/code.h"

#include "base/checked.h"
#include "base/clock.h"
#include "kernels/team.h"
#include "ops/ops.h"
#include "plan/lower.h"
#include "plan/pipeline.h"
#include "plan/trace.h"

#include <stdatomic.h>
#include <string.h>

/* Below this many nanoseconds of work a second thread costs more than it brings. */
enum { WORTH_A_TEAM = 50000 };

/* ---- Setting up ----------------------------------------------------------------------------- */

static bool take_arrays(rg_code *c)
{
    const size_t n = c->p->n_node;
    c->form = rg_arena_get(&c->work, n);
    c->source = rg_arena_get(&c->work, n * sizeof *c->source);
    c->escapes = rg_arena_get(&c->work, n);
    c->value = rg_arena_get(&c->work, n * sizeof *c->value);
    c->view = rg_arena_get(c->arena, n * sizeof *c->view);
    c->window = rg_arena_get(&c->work, n);
    c->on_top = rg_arena_get(&c->work, n);
    c->n_buffer = n;
    if (!rg_reserve(&c->alloc, &c->buffer, &c->buffer_cap, n, sizeof *c->buffer))
        return false;
    return c->window && c->on_top && c->form && c->source && c->escapes && c->value && c->view;
}

/* Costs before each step of an interval, and the interval's whole. */
static void sum_costs(rg_code *c)
{
    for (size_t i = 0, end; i < c->n_step; i = end) {
        uint64_t total = 0;
        for (end = i; end < c->n_step && c->step[end].interval == c->step[i].interval; end++) {
            c->step[end].before = total;
            total += (uint64_t)c->step[end].parts * c->step[end].unit;
        }
        for (size_t k = i; k < end; k++)
            c->step[k].total = total;
    }
}

static rg_status compile(rg_code *c)
{
    rg_status st;
    if (!take_arrays(c))
        return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %u nodes", (unsigned)c->p->n_node);
    if ((st = rg_code_views(c)) || (st = rg_code_packs(c)) || (st = rg_code_schedule(c)) ||
        (st = rg_code_lives(c)) || (st = rg_code_lower(c)) || (st = rg_code_place(c)))
        return st;
    sum_costs(c);
    return c->opts->verify ? rg_code_verify(c, c->err) : RG_OK;
}

static void report(rg_plan *plan, const rg_code *c)
{
    plan->report.steps = c->n_step;
    for (size_t i = 0; i < c->n_step; i++) {
        plan->report.flop += c->step[i].flop;
        plan->report.moved_bytes += c->step[i].bytes;
    }
    plan->report.arena_bytes = c->arena_bytes + (size_t)plan->threads * c->scratch_bytes;
}

/* How many threads: what was asked for, if the work is worth it and they can live. */
static void choose_threads(rg_plan *plan, const rg_code *c)
{
    const rg_trace *trace = plan->opts.trace;
    uint64_t work = 0;
    for (size_t i = 0; i < c->n_step; i++)
        work += (uint64_t)c->step[i].parts * c->step[i].unit;
    plan->threads = plan->opts.threads ? plan->opts.threads : rg_team_max();
    if (work < WORTH_A_TEAM && !rg_pipeline_has(plan->opts.disable, "solo"))
        plan->threads = 1;
    if (plan->threads > 1 && !plan->opts.dry_run &&
        rg_team_probe(plan->threads, &plan->threads) && trace && trace->warn)
        trace->warn(trace->user, "plan: fewer threads can be started than were asked for");
}

static rg_status take_memory(rg_plan *plan, rg_code *c)
{
    const size_t threads = (size_t)plan->threads;
    if (!rg_mul_size(threads, c->scratch_bytes, &plan->memory_bytes) ||
        !rg_add_size(plan->memory_bytes, c->arena_bytes + RG_ALIGN, &plan->memory_bytes))
        return rg_fail(c->err, RG_ELIMIT, "plan: its values do not fit the address space");
    plan->memory = rg_get_raw(&plan->alloc, plan->memory_bytes);
    c->at = rg_arena_get(c->arena, c->n_buffer * sizeof *c->at);
    c->failure = rg_arena_get(c->arena, threads * sizeof *c->failure);
    const bool timed = rg_traces_steps(plan);
    c->seconds = timed ? rg_arena_get(c->arena, c->n_step * sizeof *c->seconds) : NULL;
    if (!plan->memory || !c->at || !c->failure || (timed && !c->seconds)) {
        const size_t bytes = plan->memory_bytes;
        plan->memory_bytes = plan->memory ? bytes : 0;
        return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %zu bytes of values", bytes);
    }
    c->scratch = plan->memory + c->arena_bytes + RG_ALIGN;
    return RG_OK;
}

static void fill_constant(const rg_code *c, uint32_t id)
{
    static const rg_shape one = { .rank = 0 };
    rg_node node = c->p->node[id];
    if (c->view[id].stride)
        node.shape = &one;
    rg_plan_fill_constant(c->at[id], &node, c->p->real);
}

/* Where everything lies that does not change from run to run. */
static void fix_addresses(rg_plan *plan, rg_code *c)
{
    const rg_prog *p = c->p;
    for (uint32_t i = 1; i < c->n_buffer; i++)
        c->at[i] = plan->memory + c->buffer[i].offset;
    for (uint32_t id = 1; id < p->n_node; id++) {
        const rg_node *node = &p->node[id];
        if (node->op == &rg_op_param && !c->buffer[id].bytes)
            c->at[id] = ((const rg_attr_param *)node->attr)->slot->data;
        if (rg_node_is_constant(node) && c->buffer[id].bytes)
            fill_constant(c, id);
        if (node->op == &rg_op_param || plan->readable[id])
            plan->value[id] = (char *)c->at[c->view[id].base] +
                              (size_t)c->view[id].offset *
                                  rg_kind_size((rg_kind)node->kind, p->real);
        if (node->op == &rg_op_input)
            plan->value[id] = NULL;
    }
}

static rg_status setup(rg_plan *plan, rg_err *err)
{
    rg_code *c = rg_arena_get(&plan->arena, sizeof *c);
    if (!c)
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    c->exec.how = &rg_optimizer;
    c->p = &plan->prog;
    c->alloc = plan->prog.alloc;
    c->arena = &plan->arena;
    c->opts = &plan->opts;
    c->readable = plan->readable;
    c->err = err;
    c->in_place = !rg_pipeline_has(plan->opts.disable, "inplace");
    c->in_slots = !rg_pipeline_has(plan->opts.disable, "slots");
    rg_arena_init(&c->work, &c->alloc);
    plan->exec = &c->exec;
    rg_status st = rg_plan_check_kernels(plan, err);
    if (!st)
        st = compile(c);
    rg_arena_free(&c->work);
    rg_forget_programs(c);
    rg_release(&c->alloc, c->packed, c->packed_cap * sizeof *c->packed);
    rg_release(&c->alloc, c->fill, c->fill_cap * sizeof *c->fill);
    rg_index_free(&c->packed_index, &c->alloc);
    if (st)
        return st;
    c->scratch_bytes = rg_round_up(c->scratch_bytes, RG_ALIGN);
    choose_threads(plan, c);
    report(plan, c);
    if (plan->opts.budget_bytes && plan->report.arena_bytes > plan->opts.budget_bytes)
        return rg_fail(err, RG_ELIMIT, "plan: a run needs %zu bytes, the budget is %zu",
                       plan->report.arena_bytes, plan->opts.budget_bytes);
    if (plan->opts.dry_run)
        return RG_OK;
    if ((st = take_memory(plan, c)))
        return st;
    fix_addresses(plan, c);
    return RG_OK;
}

static void destroy(rg_plan *plan)
{
    rg_code *c = (rg_code *)plan->exec;
    rg_release(&c->alloc, c->step, c->step_cap * sizeof *c->step);
    rg_release(&c->alloc, c->buffer, c->buffer_cap * sizeof *c->buffer);
}

/* ---- Running -------------------------------------------------------------------------------- */

struct job {
    rg_code     *c;
    rg_team_gate gate;
    rg_machine  machine;
    atomic_bool failed;
    bool        poison;
    double     *seconds;  /* by step; NULL = nobody asks */
};

/* The first part of a step that belongs to thread @p rank: the first whose middle lies in the
 * thread's share of the interval's cost. */
static int64_t first_part(const rg_task *s, int rank, int size)
{
    const int64_t unit = (int64_t)s->unit * size;
    const int64_t from = 2 * ((int64_t)s->total * rank - (int64_t)s->before * size) - unit;
    const int64_t part = from <= 0 ? 0 : (from + 2 * unit - 1) / (2 * unit);
    return part < s->parts ? part : s->parts;
}

static void run_step(struct job *job, size_t i, int rank, int size)
{
    const rg_task *s = &job->c->step[i];
    const int64_t first = first_part(s, rank, size), last = first_part(s, rank + 1, size);
    if (first >= last || atomic_load_explicit(&job->failed, memory_order_relaxed))
        return;
    if (s->run(&job->machine, s, first, last, rank)) {
        job->c->failure[rank].step = i + 1;
        atomic_store_explicit(&job->failed, true, memory_order_relaxed);
    }
}

/* NaN as f32 and as f64. */
static void poison(void *data, size_t bytes)
{
    static const uint32_t pattern[2] = { 0x7FA4DEADu, 0x7FF4DEADu };
    for (size_t i = 0; i + sizeof pattern <= bytes; i += sizeof pattern)
        memcpy((char *)data + i, pattern, sizeof pattern);
}

/* What died in this interval; with RG_FOREVER, everything that a run writes. */
static void poison_dead(const rg_code *c, uint32_t interval)
{
    for (size_t i = 1; i < c->n_buffer; i++) {
        const rg_buffer *b = &c->buffer[i];
        if (b->bytes && !b->constant && !b->same_as &&
            (b->death == interval || interval == RG_FOREVER))
            poison(c->at[i], rg_round_up(b->bytes, RG_ALIGN));
    }
}

/* Between intervals. */
static void meet(struct job *job, uint32_t interval, int rank, int size)
{
    rg_team_meet(&job->gate, size);
    if (!job->poison)
        return;
    if (rank == 0)
        poison_dead(job->c, interval);
    rg_team_meet(&job->gate, size);
}

static void run_all(void *arg, int rank, int size)
{
    struct job *job = arg;
    rg_code *c = job->c;
    if (job->poison)
        meet(job, RG_FOREVER, rank, size);
    for (size_t i = 0; i < c->n_step; i++) {
        const double start = job->seconds && rank == 0 ? rg_seconds() : 0;
        run_step(job, i, rank, size);
        if (job->seconds)
            rg_team_meet(&job->gate, size); /* so that the time is this step's alone */
        if (job->seconds && rank == 0)
            job->seconds[i] = rg_seconds() - start;
        if (i + 1 < c->n_step && c->step[i + 1].interval != c->step[i].interval)
            meet(job, c->step[i].interval, rank, size);
    }
}

/* What the earliest step that failed has to say. */
static rg_status complain(rg_plan *plan, const rg_code *c)
{
    char scope[RG_SCOPE_TEXT];
    const rg_failure *f = &c->failure[0];
    for (int r = 1; r < plan->threads; r++)
        if (c->failure[r].step && (!f->step || c->failure[r].step < f->step))
            f = &c->failure[r];
    const rg_node *node = &plan->prog.node[f->node];
    const bool index = node->op->index != NULL;
    rg_scope_text(scope, plan->graph, node->scope);
    return rg_fail(&plan->err, index ? RG_EINDEX : RG_EUSER,
                   index ? "%s%s%s: a computed index is out of range (%d)"
                         : "%s%s%s: its kernel returned %d",
                   scope, *scope ? ": " : "", node->op->name, f->code);
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

static rg_status run(rg_plan *plan, uint64_t number)
{
    rg_code *c = (rg_code *)plan->exec;
    for (size_t i = 0; i < plan->n_input; i++)
        if (plan->input[i].id)
            c->at[plan->input[i].id] = plan->value[plan->input[i].id];
    memset(c->failure, 0, (size_t)plan->threads * sizeof *c->failure);
    struct job job = {
        .c = c, .poison = plan->opts.poison,
        .seconds = rg_traces_steps(plan) ? c->seconds : NULL,
        .machine = { c, c->at, plan->params ? plan->params->seed : 0, number, c->scratch,
                     c->scratch_bytes },
    };
    rg_team_run(plan->threads, plan->prog.flush, run_all, &job);
    if (atomic_load(&job.failed))
        return complain(plan, c);
    if (job.seconds)
        trace_steps(plan, c);
    return RG_OK;
}

const rg_executor rg_optimizer = { setup, run, destroy, rg_print_steps };
