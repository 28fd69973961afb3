/* plan/trace.c -- what a step is, in words and numbers. */
#include "plan/trace.h"

#include "base/shape.h"
#include "plan/made.h"
#include "plan/passes/fusible.h"

#include <math.h>
#include <stdio.h>

enum { SHAPES_TEXT = 2 * RG_SHAPE_TEXT + 16 };

/* Of a product its operands, "[8,16] x [16,64]" (a ' behind what is read transposed), else the
 * shape of the result; returns text. */
static const char *shapes_text(char text[SHAPES_TEXT], const rg_prog *p, const rg_node *node)
{
    char a[RG_SHAPE_TEXT], b[RG_SHAPE_TEXT];
    if (!rg_is_matmul(node)) {
        (void)snprintf(text, SHAPES_TEXT, "%s", rg_shape_text(a, node->shape));
        return text;
    }
    const rg_attr_matmul *t = node->attr;
    (void)snprintf(text, SHAPES_TEXT, "%s%s x %s%s",
                   rg_shape_text(a, p->node[node->in[0]].shape), t->transpose_a ? "'" : "",
                   rg_shape_text(b, p->node[node->in[1]].shape), t->transpose_b ? "'" : "");
    return text;
}

double rg_node_flop(const rg_prog *p, const rg_node *node)
{
    double most = (double)rg_shape_count(*node->shape);
    if (rg_is_matmul(node)) {
        const rg_shape *a = p->node[node->in[0]].shape;
        const bool across = ((const rg_attr_matmul *)node->attr)->transpose_a;
        return 2 * most * (double)a->dim[a->rank - (across ? 2 : 1)];
    }
    if (rg_node_is_leaf(node) || rg_node_is_view(node) || node->op == &rg_op_concat ||
        node->op == &rg_op_gather)
        return 0;
    for (uint32_t k = 0; k < node->n_in; k++)
        most = fmax(most, (double)rg_shape_count(*p->node[node->in[k]].shape));
    return most;
}

double rg_node_bytes(const rg_plan *plan, uint32_t id)
{
    const rg_node *node = &plan->prog.node[id];
    double sum = (double)rg_plan_bytes(plan, id);
    for (uint32_t k = 0; k < node->n_in; k++)
        sum += (double)rg_plan_bytes(plan, node->in[k]);
    return sum;
}

void rg_trace_step(const rg_plan *plan, uint32_t id, rg_timed_step *step)
{
    char scope[RG_SCOPE_TEXT], shapes[SHAPES_TEXT];
    const rg_trace *trace = plan->opts.trace;
    const rg_node *node = &plan->prog.node[id];
    step->scope = rg_scope_text(scope, plan->graph, node->scope);
    step->shapes = step->shapes ? step->shapes : shapes_text(shapes, &plan->prog, node);
    step->gradient = node->origin != 0;
    trace->step(trace->user, step);
}
