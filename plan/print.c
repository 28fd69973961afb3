/* plan/print.c -- a plan in text: what a run does, one line per step; and as a graph. */
#include "plan/code.h"

#include "base/checked.h"
#include "base/text.h"
#include "ops/ops.h"

#include <stdio.h>

static void print_value(const rg_out *out, const rg_plan *plan, uint32_t id)
{
    char shape[RG_SHAPE_TEXT];
    rg_out_printf(out, " %%%u%s", (unsigned)id, rg_shape_text(shape, plan->prog.node[id].shape));
}

static void print_scope(const rg_out *out, const rg_plan *plan, uint32_t id)
{
    char scope[RG_SCOPE_TEXT];
    rg_scope_text(scope, plan->graph, plan->prog.node[id].scope);
    rg_out_printf(out, "%s%s\n", *scope ? "  " : "", scope);
}

static const char *leaf_name(const rg_node *node)
{
    return node->op == &rg_op_input ? ((const rg_attr_input *)node->attr)->name
         : node->op == &rg_op_param ? ((const rg_attr_param *)node->attr)->slot->name
         : node->op->name;
}

/* ---- Effort interpret: every node is a step ------------------------------------------------- */

void rg_print_nodes(const rg_plan *plan, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        print_value(&out, plan, id);
        rg_out_printf(&out, " = %s", leaf_name(node));
        for (uint32_t k = 0; k < node->n_in; k++)
            rg_out_printf(&out, " %%%u", (unsigned)node->in[k]);
        print_scope(&out, plan, id);
    }
}

/* ---- Effort optimize ------------------------------------------------------------------------ */

/* An operand or result by its memory: a leaf's name, or an offset in the arena. */
static void print_ref(const rg_out *out, const rg_plan *plan, const rg_code *c, const rg_ref *r)
{
    const rg_node *node = r->base < plan->prog.n_node ? &plan->prog.node[r->base] : NULL;
    if (node && rg_node_is_leaf(node))
        rg_out_printf(out, " %s", leaf_name(node));
    else
        rg_out_printf(out, " @%zu", c->buffer[r->base].offset + r->offset);
    if (node && rg_node_is_leaf(node) && r->offset)
        rg_out_printf(out, "+%zu", r->offset);
}

static void print_step(const rg_out *out, const rg_plan *plan, const rg_code *c, const rg_task *s)
{
    char flop[RG_NUMBER_TEXT], bytes[RG_NUMBER_TEXT];
    rg_out_printf(out, "%5u %-12s", (unsigned)s->interval, s->name);
    print_value(out, plan, s->node);
    for (uint32_t k = 0; k < s->n_out; k++)
        print_ref(out, plan, c, &s->arg[s->n_in + k]);
    rg_out_printf(out, " <-");
    for (uint32_t k = 0; k < s->n_in; k++)
        print_ref(out, plan, c, &s->arg[k]);
    rg_out_printf(out, "  %lld parts, %s flop, %s bytes", (long long)s->parts,
                  rg_number(flop, s->flop, 3), rg_number(bytes, s->bytes, 3));
    print_scope(out, plan, s->node);
}

static void print_region(const rg_out *out, const rg_code *c, const rg_region *r)
{
    rg_out_printf(out, "region: intervals %u .. %u, %lld rows in panels of %lld, run by %s\n",
                  (unsigned)c->step[r->first].interval, (unsigned)c->step[r->end - 1].interval,
                  (long long)r->rows, (long long)r->panel, r->by_rows ? "rows" : "columns");
}

void rg_print_steps(const rg_plan *plan, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    const rg_code *c = (const rg_code *)plan->exec;
    const rg_region *r = c->region, *last = r + c->n_region;
    for (size_t i = 0; i < c->n_step; i++) {
        if (r < last && r->first == i)
            print_region(&out, c, r++);
        print_step(&out, plan, c, &c->step[i]);
    }
}

/* ---- Both ----------------------------------------------------------------------------------- */

void rg_plan_print(const rg_plan *plan, rg_write_fn *write, void *user)
{
    char flop[RG_NUMBER_TEXT], bytes[RG_NUMBER_TEXT];
    const rg_out out = { write, user };
    if (!plan || !write)
        return;
    const rg_plan_report r = rg_plan_facts(plan);
    rg_out_printf(&out, "plan: %s, %s, %zu nodes, %zu steps, %zu bytes, %s flop, %s bytes moved, "
                  "%d threads\n", rg_dtype_text(r.real), r.mode == RG_TRAIN ? "train" : "evaluate",
                  r.nodes, r.steps, r.arena_bytes, rg_number(flop, r.flop, 4),
                  rg_number(bytes, r.moved_bytes, 4), r.threads);
    plan->exec->how->print(plan, write, user);
}

/* The program as a graph: what every effort computes. */
void rg_plan_dot(const rg_plan *plan, rg_write_fn *write, void *user)
{
    char shape[RG_SHAPE_TEXT];
    const rg_out out = { write, user };
    if (!plan || !write)
        return;
    rg_out_printf(&out, "digraph plan {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        const uint32_t cluster = plan->prog.cluster ? plan->prog.cluster[id] : 0;
        rg_out_printf(&out, "  n%u [label=\"%s\\n%s\"%s", (unsigned)id, leaf_name(node),
                      rg_shape_text(shape, node->shape), plan->readable[id] ? ", penwidth=2" : "");
        if (cluster)
            rg_out_printf(&out, ", group=\"%u\", style=filled, fillcolor=\"/pastel19/%u\"",
                          (unsigned)cluster, (unsigned)cluster % 9 + 1);
        rg_out_printf(&out, "];\n");
        for (uint32_t k = 0; k < node->n_in; k++)
            rg_out_printf(&out, "  n%u -> n%u;\n", (unsigned)node->in[k], (unsigned)id);
    }
    rg_out_printf(&out, "}\n");
}
