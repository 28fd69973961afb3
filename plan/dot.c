/* plan/dot.c -- a plan as a picture: steps by interval, and what flows between them. */
#include "plan/words.h"

#include "ops/ops.h"
#include "plan/made.h"

#include <string.h>

typedef struct picture {
    rg_out      out;
    const rg_plan *plan;
    const rg_code *code;
    rg_speaker  sp;
    rg_words    words;
    uint32_t   *maker;   /* by value: 1 + the last step that makes (part of) it; 0 = none */
    uint32_t   *before;  /* by step: 1 + the one before it that makes a part of the same value */
    uint32_t   *seen;    /* by step: 1 + the last step that it was joined with */
    uint32_t   *met;     /* by value: the same, for leaves */
    uint32_t   *stack;   /* values on the way back to those that steps make */
} picture;

/* Text that may stand in a label; places as numbers. */
static void print_label(const picture *p, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            rg_out_printf(&p->out, "\\l");
        else if (*c == '"' || *c == '\\')
            rg_out_printf(&p->out, "\\%c", *c);
        else if (*c != RG_MARK_PLACE && *c != RG_MARK_SHIFT)
            rg_out_printf(&p->out, "%c", *c);
        if (*c != RG_MARK_PLACE && *c != RG_MARK_SHIFT)
            continue;
        const unsigned long long place = rg_words_place(c);
        if (*c == RG_MARK_PLACE || place)
            rg_out_printf(&p->out, *c == RG_MARK_PLACE ? "@%llu" : "+%llu", place);
        c += RG_MARK_DIGITS;
    }
}

static void print_step(picture *p, size_t i)
{
    char flop[RG_NUMBER_TEXT], bytes[RG_NUMBER_TEXT];
    const rg_task *s = &p->code->step[i];
    const rg_node *node = &p->plan->prog.node[s->node];
    const bool moves = s->flop == 0;
    rg_out_printf(&p->out, "    s%zu [fillcolor=\"%s\", label=\"", i,
                  moves ? "#eeeeee" : node->origin ? "#f6e0cf" : "#d8e7f5");
    rg_out_printf(&p->out, "%s: %s flop, %s bytes", s->name, rg_amount(flop, s->flop),
                  rg_amount(bytes, s->bytes));
    p->words.n = 0;
    rg_words_add(&p->words, ", ");
    rg_say_scope(&p->words, &p->sp, s, true);
    p->words.n -= p->words.n == 2 ? 2 : 0;
    rg_words_add(&p->words, "\n");
    rg_say_step(&p->words, &p->sp, s);
    if (!p->words.failed)
        print_label(p, p->words.text);
    rg_out_printf(&p->out, "\\l\"];\n");
}

static void print_intervals(picture *p)
{
    const rg_code *c = p->code;
    for (size_t i = 0, end; i < c->n_step; i = end) {
        const unsigned interval = c->step[i].interval;
        rg_out_printf(&p->out, "  { rank=same;\n    i%u [shape=plaintext, style=\"\", "
                      "label=\"interval %u\"];\n", interval, interval);
        for (end = i; end < c->n_step && c->step[end].interval == interval; end++)
            print_step(p, end);
        rg_out_printf(&p->out, "  }\n");
        if (end < c->n_step)
            rg_out_printf(&p->out, "  i%u -> i%u [style=invis, weight=100];\n", interval,
                          (unsigned)c->step[end].interval);
    }
}

/* ---- What flows ----------------------------------------------------------------------------- */

static bool is_packing(const picture *p, const rg_task *s)
{
    return s->shape && rg_is_matmul(&p->plan->prog.node[s->node]);
}

static void find_makers(picture *p)
{
    const rg_prog *prog = &p->plan->prog;
    for (uint32_t i = 0; i < p->code->n_step; i++) {
        const rg_task *s = &p->code->step[i];
        const uint32_t cluster = prog->cluster ? prog->cluster[s->node] : 0;
        if (is_packing(p, s))
            continue;
        p->before[i] = p->maker[s->node];
        p->maker[s->node] = i + 1;
        for (uint32_t m = cluster ? p->sp.first[cluster] : 0; m; m = p->sp.next[m])
            p->maker[m] = i + 1;
    }
}

static void join(picture *p, uint32_t from, uint32_t to)
{
    if (from == to || p->seen[from] == to + 1)
        return;
    p->seen[from] = to + 1;
    rg_out_printf(&p->out, "  s%u -> s%u;\n", (unsigned)from, (unsigned)to);
}

static void join_leaf(picture *p, uint32_t id, uint32_t to)
{
    const char *name = rg_leaf_name(&p->plan->prog.node[id]);
    if (!name || p->met[id] == to + 1)
        return;
    p->met[id] = to + 1;
    rg_out_printf(&p->out, "  v%u -> s%u [color=gray];\n", (unsigned)id, (unsigned)to);
}

/* Back from a value that the step reads, through views and stacks, to steps and leaves. Of a stack
 * some parts may have been copied there, others computed there; a leaf was copied. */
static void join_value(picture *p, uint32_t start, uint32_t to)
{
    const rg_prog *prog = &p->plan->prog;
    size_t n = 0;
    p->stack[n++] = start;
    while (n > 0) {
        const uint32_t id = p->stack[--n];
        const rg_node *node = &prog->node[id];
        const bool leaf = rg_node_is_leaf(node), stack = node->op == &rg_op_concat;
        for (uint32_t s = leaf && id == start ? 0 : p->maker[id]; s; s = p->before[s - 1])
            join(p, s - 1, to);
        if (leaf && (id == start || !p->maker[id]))
            join_leaf(p, id, to);
        if (leaf || (p->maker[id] && !stack))
            continue;
        for (uint32_t k = 0; k < node->n_in && n < prog->n_node; k++)
            if (!p->maker[id] || !rg_node_is_leaf(&prog->node[node->in[k]]))
                p->stack[n++] = node->in[k];
    }
}

static void join_operands(picture *p, uint32_t step)
{
    const rg_prog *prog = &p->plan->prog;
    const rg_task *s = &p->code->step[step];
    const uint32_t cluster = prog->cluster ? prog->cluster[s->node] : 0;
    const rg_node *node = &prog->node[s->node];
    if (is_packing(p, s)) {
        join_value(p, node->in[1], step);
        return;
    }
    if (rg_node_is_leaf(node))
        join_leaf(p, s->node, step);
    for (uint32_t m = cluster ? p->sp.first[cluster] : s->node; m;
         m = cluster ? p->sp.next[m] : 0)
        for (uint32_t k = 0; k < prog->node[m].n_in; k++)
            if (!cluster || prog->cluster[prog->node[m].in[k]] != cluster)
                join_value(p, prog->node[m].in[k], step);
    for (uint32_t i = 0; rg_is_matmul(node) && i < step; i++) /* what was packed for it */
        if (is_packing(p, &p->code->step[i]) && s->n_in > 1 &&
            p->code->step[i].arg[1].base == s->arg[1].base)
            join(p, i, step);
}

static void print_flow(picture *p)
{
    const rg_prog *prog = &p->plan->prog;
    char shape[RG_SHAPE_TEXT];
    for (uint32_t id = 1; id < prog->n_node; id++) {
        const char *name = rg_leaf_name(&prog->node[id]);
        if (!name)
            continue;
        rg_out_printf(&p->out, "  v%u [shape=ellipse, fillcolor=\"%s\", label=\"", (unsigned)id,
                      prog->node[id].op == &rg_op_input ? "#dff0d8" : "#fff3c4");
        print_label(p, name);
        rg_out_printf(&p->out, " %s\"];\n", rg_shape_text(shape, prog->node[id].shape));
    }
    find_makers(p);
    for (uint32_t i = 0; i < p->code->n_step; i++)
        join_operands(p, i);
}

static bool begin(picture *p, const rg_plan *plan)
{
    const size_t n = plan->prog.n_node, steps = p->code->n_step;
    rg_speaker_create(&p->sp, plan);
    p->words.alloc = &plan->alloc;
    p->maker = rg_get(&plan->alloc, n * sizeof *p->maker);
    p->met = rg_get(&plan->alloc, n * sizeof *p->met);
    p->stack = rg_get(&plan->alloc, n * sizeof *p->stack);
    p->before = rg_get(&plan->alloc, steps * sizeof *p->before);
    p->seen = rg_get(&plan->alloc, steps * sizeof *p->seen);
    return p->maker && p->met && p->stack && p->before && p->seen && p->sp.first && p->sp.next;
}

static void end(picture *p)
{
    const rg_alloc *a = &p->plan->alloc;
    const size_t n = p->plan->prog.n_node, steps = p->code->n_step;
    rg_release(a, p->maker, n * sizeof *p->maker);
    rg_release(a, p->met, n * sizeof *p->met);
    rg_release(a, p->stack, n * sizeof *p->stack);
    rg_release(a, p->before, steps * sizeof *p->before);
    rg_release(a, p->seen, steps * sizeof *p->seen);
    rg_words_free(&p->words);
    rg_speaker_destroy(&p->sp);
}

void rg_dot_steps(const rg_plan *plan, rg_write_fn *write, void *user)
{
    picture p = { .out = { write, user }, .plan = plan, .code = (const rg_code *)plan->exec };
    if (begin(&p, plan)) {
        print_intervals(&p);
        print_flow(&p);
    }
    end(&p);
}

/* Effort interpret: a node is a step. */
void rg_dot_nodes(const rg_plan *plan, rg_write_fn *write, void *user)
{
    char shape[RG_SHAPE_TEXT];
    const rg_out out = { write, user };
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        const char *name = rg_leaf_name(node);
        rg_out_printf(&out, "  n%u [label=\"%s\\n%s\", fillcolor=\"%s\"];\n", (unsigned)id,
                      name ? name : node->op->name, rg_shape_text(shape, node->shape),
                      name ? "#fff3c4" : node->origin ? "#f6e0cf" : "#d8e7f5");
        for (uint32_t k = 0; k < node->n_in; k++)
            rg_out_printf(&out, "  n%u -> n%u;\n", (unsigned)node->in[k], (unsigned)id);
    }
}

void rg_plan_dot(const rg_plan *plan, rg_write_fn *write, void *user)
{
    char flop[RG_NUMBER_TEXT];
    const rg_out out = { write, user };
    if (!plan || !write)
        return;
    const rg_plan_report r = rg_plan_facts(plan);
    rg_out_printf(&out, "digraph plan {\n  labelloc=t; fontname=\"monospace\";\n"
                  "  label=\"plan: %zu steps, %s flop, arena %zu bytes; blue: forward, orange: "
                  "gradients, grey: only moves; @N: byte N of the arena\";\n"
                  "  node [shape=box, style=filled, fontname=\"monospace\", fontsize=9, "
                  "fillcolor=white];\n  edge [arrowsize=0.6];\n", r.steps,
                  rg_amount(flop, r.flop), r.arena_bytes);
    plan->exec->how->dot(plan, write, user);
    rg_out_printf(&out, "}\n");
}
