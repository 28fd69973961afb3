/* plan/interpret.c -- effort `interpret`: every node by its reference kernel, in order, each
 * value in memory of its own. The oracle for every pass and every fast kernel; it must stay this
 * simple. */
#include "plan/plan.h"
#include "plan/convert.h"

#include "base/checked.h"
#include "base/clock.h"
#include "kernels/team.h"
#include "plan/trace.h"

#include <string.h>

struct interpreter {
    struct rg_exec exec;
    rg_shape      *in_shape;   /* operands of one node */
    const void   **in;
    void         **scratch;    /* operands spread to the result's shape, converted; [n_in] = out */
    char          *memory;     /* of the scratch: n_block blocks */
    size_t         memory_bytes, block, n_block;
    size_t         most;       /* operands of a node */
};

rg_kernel_fn *rg_plan_kernel(const rg_op *op, rg_dtype real, bool *convert)
{
    *convert = real == RG_F32 && !op->kernel_f32;
    return real == RG_F64 || *convert ? op->kernel_f64 : op->kernel_f32;
}

/* ---- Setting up ----------------------------------------------------------------------------- */

static size_t rounded(size_t bytes)
{
    return (bytes + RG_ALIGN - 1) / RG_ALIGN * RG_ALIGN;
}

/* Does this node's value lie in the plan's memory? */
static bool has_memory(const rg_plan *plan, uint32_t id)
{
    const rg_node *node = &plan->prog.node[id];
    if (node->op == &rg_op_param)
        return ((const rg_attr_param *)node->attr)->slot->dtype != plan->opts.real;
    return node->op != &rg_op_input;
}

/* Bytes of all values; false: more than there can be. */
static bool count(const rg_plan *plan, size_t *total)
{
    *total = 0;
    for (uint32_t id = 1; id < plan->prog.n_node; id++)
        if (has_memory(plan, id) && !rg_add_size(*total, rounded(rg_plan_bytes(plan, id)), total))
            return false;
    return true;
}

static rg_status place(rg_plan *plan, size_t bytes, rg_err *err)
{
    if (!(plan->memory = rg_get(&plan->alloc, bytes)))
        return rg_fail(err, RG_ENOMEM, "plan: no memory for %zu bytes of values", bytes);
    plan->memory_bytes = bytes;
    bytes = 0;
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        if (!has_memory(plan, id)) {
            if (node->op == &rg_op_param)
                plan->value[id] = ((const rg_attr_param *)node->attr)->slot->data;
            continue;
        }
        plan->value[id] = plan->memory + bytes;
        bytes += rounded(rg_plan_bytes(plan, id));
        if (rg_node_is_constant(node))
            rg_plan_fill_constant(plan->value[id], node, plan->opts.real);
    }
    return RG_OK;
}

rg_status rg_plan_check_kernels(const rg_plan *plan, rg_err *err)
{
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        bool convert;
        if (!rg_node_is_leaf(node) &&
            !rg_plan_kernel(node->op, plan->opts.real, &convert))
            return rg_fail(err, RG_EARG, "plan: op '%s' has no %s kernel", node->op->name,
                           rg_dtype_text(plan->opts.real));
    }
    return RG_OK;
}

/* Scratch for the widest node: each operand spread or converted, and the result converted. Only
 * elementwise nodes spread operands; only f64 kernels in f32 plans convert. Both are rare beyond
 * two or three operands, so there is scratch for as many as need it. */
static bool count_scratch(const rg_plan *plan, struct interpreter *it)
{
    size_t elements = 0;
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        const size_t n = (size_t)rg_shape_count(*node->shape), n_in = node->n_in;
        bool convert = false;
        if (!rg_node_is_leaf(node))
            (void)rg_plan_kernel(node->op, plan->opts.real, &convert);
        elements = n > elements ? n : elements;
        it->most = n_in > it->most ? n_in : it->most;
        if ((convert || node->op->flags & RG_OP_ELEMENTWISE) && n_in + 1 > it->n_block)
            it->n_block = n_in + 1;
    }
    if (!rg_mul_size(elements, sizeof(double), &it->block))
        return false;
    it->block = rounded(it->block);
    return rg_mul_size(it->block, it->n_block, &it->memory_bytes);
}

static rg_status make_scratch(rg_plan *plan, struct interpreter *it, rg_err *err)
{
    it->in_shape = rg_arena_get(&plan->arena, it->most * sizeof *it->in_shape);
    it->in = rg_arena_get(&plan->arena, it->most * sizeof *it->in);
    it->scratch = rg_arena_get(&plan->arena, (it->most + 1) * sizeof *it->scratch);
    if (!it->in_shape || !it->in || !it->scratch ||
        !(it->memory = rg_get(&plan->alloc, it->memory_bytes)))
        return rg_fail(err, RG_ENOMEM, "plan: no memory for %zu bytes of scratch",
                       it->memory_bytes);
    for (size_t k = 0; k < it->n_block; k++)
        it->scratch[k] = it->memory + k * it->block;
    return RG_OK;
}

static void report(rg_plan *plan)
{
    for (uint32_t id = 1; id < plan->prog.n_node; id++)
        if (!rg_node_is_leaf(&plan->prog.node[id])) {
            plan->report.steps++;
            plan->report.flop += rg_node_flop(&plan->prog, &plan->prog.node[id]);
            plan->report.moved_bytes += rg_node_bytes(plan, id);
        }
}

static rg_status setup(rg_plan *plan, rg_err *err)
{
    struct interpreter *it = rg_arena_get(&plan->arena, sizeof *it);
    size_t values, bytes;
    rg_status st;
    if (!it)
        return rg_fail(err, RG_ENOMEM, "plan: no memory");
    it->exec.how = &rg_interpreter;
    plan->exec = &it->exec;
    plan->threads = 1;
    report(plan);
    if ((st = rg_plan_check_kernels(plan, err)))
        return st;
    if (!count(plan, &values) || !count_scratch(plan, it) ||
        !rg_add_size(values, it->memory_bytes, &bytes))
        return rg_fail(err, RG_ELIMIT, "plan: its values do not fit the address space");
    if ((st = rg_plan_fits(plan, bytes, err)) || plan->opts.dry_run)
        return st;
    st = place(plan, values, err);
    return st ? st : make_scratch(plan, it, err);
}

static void destroy(rg_plan *plan)
{
    struct interpreter *it = (struct interpreter *)plan->exec;
    rg_release(&plan->alloc, it->memory, it->memory ? it->memory_bytes : 0);
}

/* ---- Running -------------------------------------------------------------------------------- */

static const void *prepare(const rg_plan *plan, const struct interpreter *it, const rg_node *node,
                           uint32_t k, bool convert)
{
    const rg_node *from = &plan->prog.node[node->in[k]];
    const void *data = plan->value[node->in[k]];
    bool real = from->kind == RG_F && convert, wide = false;
    int64_t n = rg_shape_count(*from->shape);
    if (node->op->flags & RG_OP_ELEMENTWISE && !rg_shape_equal(*from->shape, *node->shape)) {
        rg_shape_spread(it->scratch[k], data, from->shape, node->shape,
                        rg_kind_size((rg_kind)from->kind, plan->opts.real));
        data = it->scratch[k];
        n = rg_shape_count(*node->shape);
        wide = true;
    }
    if (real && wide)
        rg_widen_in_place(it->scratch[k], n);
    else if (real)
        rg_convert(it->scratch[k], data, n, true);
    return real ? it->scratch[k] : data;
}

rg_status rg_plan_kernel_failed(rg_plan *plan, uint32_t id, int code)
{
    char scope[RG_SCOPE_TEXT];
    const rg_op *op = plan->prog.node[id].op;
    rg_scope_text(scope, plan->graph, plan->prog.node[id].scope);
    return rg_fail(&plan->err, op->index ? RG_EINDEX : RG_EUSER,
                   op->index ? "%s%s%s: a computed index is out of range (%d)"
                             : "%s%s%s: its kernel returned %d",
                   scope, *scope ? ": " : "", op->name, code);
}

static rg_status run_node(rg_plan *plan, const struct interpreter *it, uint32_t id, uint64_t run)
{
    const rg_node *node = &plan->prog.node[id];
    bool convert;
    rg_kernel_fn *kernel = rg_plan_kernel(node->op, plan->opts.real, &convert);
    bool back = convert && node->kind == RG_F;
    void *out = back ? it->scratch[node->n_in] : plan->value[id];
    for (uint32_t k = 0; k < node->n_in; k++) {
        it->in_shape[k] = *plan->prog.node[node->in[k]].shape;
        it->in[k] = prepare(plan, it, node, k, convert);
    }
    const rg_kernel_args args = {
        .n = rg_shape_count(*node->shape), .out = out, .in = it->in, .n_in = node->n_in,
        .in_shape = it->in_shape, .out_shape = node->shape, .attr = node->attr,
        .item = rg_kind_size((rg_kind)node->kind, back ? RG_F64 : plan->opts.real),
        .seed = plan->params ? plan->params->seed : 0, .run = run,
    };
    int code = kernel(&args);
    if (code == 0) {
        if (back)
            rg_convert(plan->value[id], out, args.n, false);
        return RG_OK;
    }
    return rg_plan_kernel_failed(plan, id, code);
}

struct job {
    rg_plan  *plan;
    uint64_t  run;
    rg_status status;
    size_t    done;  /* nodes */
};

static void trace_node(struct job *job, uint32_t id, double seconds)
{
    const rg_node *node = &job->plan->prog.node[id];
    rg_timed_step step = { .kernel = node->op->name, .index = job->done, .seconds = seconds,
                     .flop = rg_node_flop(&job->plan->prog, node),
                     .bytes = rg_node_bytes(job->plan, id) };
    rg_trace_step(job->plan, id, &step);
}

static void run_all(void *arg, int rank, int size)
{
    struct job *job = arg;
    rg_plan *plan = job->plan;
    (void)size;
    const rg_plan_watch none = { .only = NULL }, *watch = plan->watch ? plan->watch : &none;
    const bool timed = rg_traces_steps(plan);
    for (uint32_t id = 1; id < plan->prog.n_node && rank == 0 && !job->status; id++) {
        if (rg_node_is_leaf(&plan->prog.node[id]) || (watch->only && !watch->only[id]))
            continue;
        const double start = timed ? rg_seconds() : 0;
        job->status = run_node(plan, (struct interpreter *)plan->exec, id, job->run);
        if (timed)
            trace_node(job, id, rg_seconds() - start);
        job->done++;
        if (watch->computed)
            watch->computed(watch->user, plan, id);
    }
}

static rg_status run(rg_plan *plan, uint64_t number)
{
    struct job job = { plan, number, RG_OK, 0 };
    rg_team_run(1, plan->opts.real == RG_F32 && !plan->opts.keep_subnormals, run_all, &job);
    return job.status;
}

const rg_executor rg_interpreter = { setup, run, destroy, rg_print_nodes, rg_dot_nodes };
