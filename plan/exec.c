/* plan/exec.c -- effort `optimize`: setting a program up as steps over one arena. */
#include "plan/code.h"

#include "base/checked.h"
#include "kernels/team.h"
#include "ops/ops.h"
#include "plan/lower.h"
#include "plan/pipeline.h"
#include "plan/trace.h"

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
    c->over = rg_arena_get(&c->work, n * sizeof *c->over);
    c->n_buffer = n;
    if (!rg_reserve(&c->alloc, &c->buffer, &c->buffer_cap, n, sizeof *c->buffer))
        return false;
    return c->window && c->over && c->form && c->source && c->escapes && c->value && c->view;
}

static rg_status compile(rg_code *c)
{
    rg_status st;
    if (!take_arrays(c))
        return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %u nodes", (unsigned)c->p->n_node);
    if ((st = rg_code_views(c)) || (st = rg_code_packs(c)) || (st = rg_code_schedule(c)) ||
        (st = rg_code_lives(c)) || (st = rg_code_lower(c)))
        return st;
    rg_code_settle(c);
    if ((st = rg_code_regions(c)) || (st = rg_code_soon(c)) || (st = rg_code_place(c)))
        return st;
    c->scratch_bytes = rg_round_up(c->scratch_bytes, RG_ALIGN);
    if (c->opts->verify && !(st = rg_code_verify(c, c->err)))
        st = rg_code_verify_regions(c, c->err);
    return st;
}

/* An array of the plan's own, out of the memory that planning works in. */
static bool keep(rg_code *c, void *array, size_t bytes, size_t cap_bytes)
{
    void *old, *kept = rg_arena_get(c->arena, bytes);
    memcpy(&old, array, sizeof old);
    if (!kept)
        return false;
    if (bytes)
        memcpy(kept, old, bytes);
    rg_release(&c->alloc, old, cap_bytes);
    memcpy(array, &kept, sizeof kept);
    return true;
}

static rg_status keep_arrays(rg_code *c)
{
    const bool ok =
        keep(c, &c->step, c->n_step * sizeof *c->step, c->step_cap * sizeof *c->step) &&
        keep(c, &c->buffer, c->n_buffer * sizeof *c->buffer, c->buffer_cap * sizeof *c->buffer) &&
        keep(c, &c->region, c->n_region * sizeof *c->region, c->region_cap * sizeof *c->region);
    return ok ? RG_OK : rg_fail(c->err, RG_ENOMEM, "plan: no memory for %zu steps", c->n_step);
}

static void report(rg_plan *plan, const rg_code *c)
{
    plan->report.steps = c->n_step;
    for (size_t i = 0; i < c->n_step; i++) {
        plan->report.flop += c->step[i].flop;
        plan->report.moved_bytes += c->step[i].bytes;
    }
}

/* How many threads: what was asked for, if the work is worth it and they can live. What each of
 * them does follows. */
static void choose_threads(rg_plan *plan, rg_code *c)
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
    rg_code_choose(c, plan->threads);
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

/* What only planning needs; verification may be asked for once more. */
static void forget(rg_code *c)
{
    rg_forget_programs(c);
    rg_release(&c->alloc, c->packed, c->packed_cap * sizeof *c->packed);
    rg_index_free(&c->packed_index, &c->alloc);
    if (c->opts->verify)
        return;
    rg_arena_free(&c->work);
    rg_release(&c->alloc, c->fill, c->fill_cap * sizeof *c->fill);
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
    c->by_rows = !rg_pipeline_has(plan->opts.disable, "regions");
    c->in_slots = !rg_pipeline_has(plan->opts.disable, "slots");
    rg_arena_init(&c->work, &c->alloc);
    plan->exec = &c->exec;
    rg_status st = rg_plan_check_kernels(plan, err);
    if (!st)
        st = compile(c);
    forget(c);
    if (st || (st = keep_arrays(c)))
        return st;
    choose_threads(plan, c);
    report(plan, c);
    st = rg_plan_fits(plan, c->arena_bytes + (size_t)plan->threads * c->scratch_bytes, err);
    if (st || plan->opts.dry_run || (st = take_memory(plan, c)))
        return st;
    fix_addresses(plan, c);
    return RG_OK;
}

/* All of it lies in the plan's arena, or in the pool that goes when planning ends. */
static void destroy(rg_plan *plan)
{
    (void)plan;
}

const rg_executor rg_optimizer = { setup, rg_code_run, destroy, rg_print_steps,
                                   rg_dot_steps };
