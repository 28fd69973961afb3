/* plan/lower.c -- from units to steps: which kernel computes what.
 *
 * A table says which ops have fast kernels; tile programs and copies have files of their own; all
 * else goes to the op's reference kernel (lower_call.c). A new fast kernel is a row here. */
#include "plan/lower.h"

#include "base/checked.h"
#include "ops/ops.h"
#include "plan/made.h"
#include "plan/passes/fusible.h"

/* How an operand may lie: dense; as a matrix with rows apart; as rows along the op's axis;
 * anyhow. */
enum reads { DENSE, MATRIX, ROWS, ANYHOW };
static const struct lowering {
    const rg_op *op;
    rg_status  (*lower)(rg_code *c, uint32_t node);
    enum reads   reads;
    bool         writes_rows;  /* its result too may have its rows apart */
} table[] = {
    { &rg_op_concat, rg_lower_concat, ANYHOW, true },
    { &rg_op_matmul, rg_lower_matmul, MATRIX, true },
    { &rg_op_matmul_add, rg_lower_matmul, MATRIX, true },
    { &rg_op_matmul_stretch, rg_lower_matmul, MATRIX, true },
    { &rg_op_sum_over, rg_lower_rows, ROWS, false },
    { &rg_op_sum_stretch, rg_lower_rows, ROWS, false },
    { &rg_op_max_over, rg_lower_rows, ROWS, false },
    { &rg_op_logsumexp_over, rg_lower_rows, ROWS, false },
    { &rg_op_softmax, rg_lower_rows, ROWS, false },
    { &rg_op_log_softmax, rg_lower_rows, ROWS, false },
    { &rg_op_softmax_cross_entropy, rg_lower_rows, ROWS, false },
    { &rg_op_gather, rg_lower_gather, DENSE, false },
    { &rg_op_scatter_add, rg_lower_scatter, DENSE, false },
};
enum { N_LOWERING = sizeof table / sizeof *table };

static const struct lowering *lowering_of(const rg_node *node)
{
    for (int i = 0; i < N_LOWERING; i++)
        if (table[i].op == node->op)
            return &table[i];
    return NULL;
}

static enum reads reads_of(const rg_prog *p, const rg_node *node, uint32_t k)
{
    const struct lowering *l = lowering_of(node);
    if (rg_node_is_fusible(node))
        return ANYHOW;
    if (!l || (l->reads == ROWS && (k > 0 || !rg_has_rows(p, node))))
        return DENSE;
    return l->reads;
}

bool rg_suits(const rg_code *c, uint32_t id, uint32_t k)
{
    const rg_node *node = &c->p->node[id];
    const rg_shape *shape = c->p->node[node->in[k]].shape;
    const rg_view *v = &c->view[node->in[k]];
    switch (v->stride ? reads_of(c->p, node, k) : ANYHOW) {
    case ANYHOW:
        return true;
    case MATRIX: /* what is added to is read row by row */
        return rg_matrix_lies(v->stride, shape) && (k < 2 || v->stride[shape->rank - 1] == 1);
    case ROWS:
        return rg_rows_lie(v->stride, shape, node);
    default:
        return false;
    }
}

bool rg_reads_rows(const rg_prog *p, const rg_node *node, uint32_t k)
{
    const enum reads reads = reads_of(p, node, k);
    const rg_shape *x = p->node[node->in[k]].shape;
    const int64_t apart[2] = { x->dim[1] + 1, 1 };
    if (reads == ANYHOW || reads == DENSE || x->rank != 2)
        return reads == ANYHOW;
    return reads == MATRIX || rg_rows_lie(apart, x, node);
}

bool rg_writes_rows(const rg_node *node)
{
    const struct lowering *l = lowering_of(node);
    return rg_node_is_fusible(node) || (rg_node_is_view(node) && node->op != &rg_op_reshape) ||
           (l && l->writes_rows);
}

/* ---- Making steps --------------------------------------------------------------------------- */

size_t rg_round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

rg_task *rg_task_new(rg_code *c, rg_task_fn *run, const char *name, uint32_t node, size_t n_arg,
                     size_t detail_bytes)
{
    if (!rg_reserve(&c->alloc, &c->step, &c->step_cap, c->n_step + 1, sizeof *c->step))
        return NULL;
    rg_task *s = &c->step[c->n_step];
    *s = (rg_task){ .run = run, .name = name, .node = node, .interval = c->interval[c->unit[node]],
                    .parts = 1 };
    s->arg = rg_arena_get(c->arena, n_arg * sizeof *s->arg);
    s->detail = rg_arena_get(c->arena, detail_bytes);
    if (!s->arg || !s->detail)
        return NULL;
    c->n_step++;
    return s;
}

rg_line *rg_task_rows(rg_code *c, rg_task *s, rg_task_fn *run, int64_t rows)
{
    s->run_rows = run;
    s->rows = rows;
    s->line = rg_arena_get(c->arena, ((size_t)s->n_in + s->n_out) * sizeof *s->line);
    return s->line;
}

/* A constant takes memory only if somebody reads it there. */
static void need_constant(rg_code *c, uint32_t base)
{
    const rg_node *node = &c->p->node[base];
    const int64_t n = c->view[base].stride ? 1 : rg_shape_count(*node->shape);
    c->buffer[base].bytes = (size_t)n * rg_kind_size((rg_kind)node->kind, c->p->real);
    c->buffer[base].constant = true;
}

rg_ref rg_ref_of(rg_code *c, uint32_t id)
{
    const rg_view *v = &c->view[id];
    if (v->base < c->p->n_node && rg_node_is_constant(&c->p->node[v->base]) &&
        !c->buffer[v->base].bytes)
        need_constant(c, v->base);
    return (rg_ref){ v->base, (size_t)v->offset *
                                  rg_kind_size((rg_kind)c->p->node[id].kind, c->p->real) };
}

void rg_need_scratch(rg_code *c, size_t bytes)
{
    if (bytes > c->scratch_bytes)
        c->scratch_bytes = bytes;
}

rg_status rg_lower_no_memory(rg_code *c)
{
    return rg_fail(c->err, RG_ENOMEM, "plan: no memory for %zu steps", c->n_step);
}

/* ---- All units ------------------------------------------------------------------------------ */

/* Parameters of the other precision are converted before a run, to memory of their own. */
static void place_converted(rg_code *c)
{
    for (uint32_t id = 1; id < c->p->n_node; id++) {
        const rg_node *node = &c->p->node[id];
        if (node->op != &rg_op_param ||
            ((const rg_attr_param *)node->attr)->slot->dtype == c->p->real)
            continue;
        c->buffer[id].bytes = (size_t)rg_shape_count(*node->shape) * rg_dtype_size(c->p->real);
        c->buffer[id].constant = true;
    }
}

static rg_status lower_unit(rg_code *c, uint32_t unit)
{
    const uint32_t id = rg_unit_first(c, unit);
    const rg_node *node = &c->p->node[id];
    const struct lowering *l = lowering_of(node);
    if (rg_node_is_fusible(node) || (c->p->cluster && c->p->cluster[id]))
        return rg_lower_tile(c, unit);
    if (rg_shape_count(*node->shape) == 0)
        return RG_OK;
    if (rg_node_is_view(node))
        return rg_lower_view(c, id);
    return l ? l->lower(c, id) : rg_lower_call(c, id);
}

/* Packing steps were made late and run early: steps by interval, each interval in its order. */
static rg_status sort_steps(rg_code *c)
{
    rg_task *sorted = rg_get(&c->alloc, c->step_cap * sizeof *sorted);
    size_t *start = rg_get(&c->alloc, ((size_t)c->n_interval + 1) * sizeof *start);
    if (sorted && start) {
        for (size_t i = 0; i < c->n_step; i++)
            start[c->step[i].interval + 1]++;
        for (uint32_t t = 0; t < c->n_interval; t++)
            start[t + 1] += start[t];
        for (size_t i = 0; i < c->n_step; i++)
            sorted[start[c->step[i].interval]++] = c->step[i];
        rg_release(&c->alloc, c->step, c->step_cap * sizeof *sorted);
        c->step = sorted;
    } else {
        rg_release(&c->alloc, sorted, c->step_cap * sizeof *sorted);
    }
    rg_release(&c->alloc, start, ((size_t)c->n_interval + 1) * sizeof *start);
    return sorted && start ? RG_OK : rg_lower_no_memory(c);
}

rg_status rg_code_lower(rg_code *c)
{
    rg_status st = rg_code_bands(c) ? RG_OK : rg_lower_no_memory(c);
    for (uint32_t id = 1; id < c->p->n_node; id++)
        if (rg_node_is_constant(&c->p->node[id]) && c->readable[id])
            (void)rg_ref_of(c, id);
    place_converted(c);
    for (size_t i = 0; i < c->n_fill && !st; i++)
        st = rg_lower_fill(c, &c->fill[i]);
    for (uint32_t i = 0; i + 1 < c->n_unit && !st; i++)
        st = lower_unit(c, c->order[i]);
    return st ? st : sort_steps(c);
}
