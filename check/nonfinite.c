/* check/nonfinite.c -- where NaN and infinity come from: the plan once more, node by node. */
#include "check/gradflow.h"

#include "base/shape.h"
#include "base/text.h"
#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct trace {
    rg_nonfinite_place *out;
    rg_plan  *asked, *plan;
    uint8_t  *mark;      /* by program id */
    int64_t   T, B;      /* of the loop; 0 = there is none */
    rg_err    err;
};

enum { BAD = 1, REACHES = 2 };

static double element(const rg_plan *plan, uint32_t id, int64_t i)
{
    return rg_flow_element(plan, plan->value[id], i);
}

static const rg_node *node_at(const struct trace *t, uint32_t id)
{
    return &t->plan->prog.node[id];
}

/* ---- The run --------------------------------------------------------------------------------- */

static const void *data_of(const struct trace *t, const rg_plan_input *in,
                           const rg_held_input *held, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (held[i].input.id == in->graph_id)
            return held[i].data;
    rg_dtype same; /* both plans have one precision */
    return rg_flow_bound(t->asked, in->graph_id, &same);
}

/* The same roots, inputs, random draws; every node by its reference kernel. */
static rg_status run_again(struct trace *t, const rg_held_input *held, size_t n)
{
    const rg_plan *asked = t->asked;
    rg_graph *g = (rg_graph *)asked->graph;
    rg_plan_opts opts = { .real = asked->opts.real, .mode = asked->opts.mode,
                          .effort = RG_INTERPRET, .alloc = asked->alloc };
    size_t n_root = 0;
    rg_val *root = rg_get(&asked->alloc, asked->prog.n_of_graph * sizeof *root);
    if (!root)
        return rg_fail(&t->err, RG_ENOMEM, "no memory to look for it");
    for (uint32_t id = 1; id < asked->prog.n_of_graph; id++)
        if (asked->prog.of_graph[id] && asked->readable[asked->prog.of_graph[id]])
            root[n_root++] = (rg_val){ g, id };
    rg_status st = rg_plan_create(&t->plan, root, n_root, &opts);
    rg_release(&asked->alloc, root, asked->prog.n_of_graph * sizeof *root);
    if (st)
        return rg_fail(&t->err, st, "%s", rg_graph_message(g));
    for (size_t i = 0; i < t->plan->n_input && !st; i++) {
        const rg_plan_input *in = &t->plan->input[i];
        const void *data = in->id ? data_of(t, in, held, n) : NULL;
        if (data)
            st = rg_plan_bind(t->plan, (rg_val){ g, in->graph_id }, data, in->bytes);
    }
    *(int64_t *)t->plan->run->data = *(const int64_t *)asked->run->data - 1;
    st = st ? st : rg_plan_run(t->plan);
    return st ? rg_fail(&t->err, st, "%s", rg_plan_message(t->plan)) : RG_OK;
}

/* ---- The culprit ----------------------------------------------------------------------------- */

static int64_t first_bad(const struct trace *t, uint32_t id)
{
    const rg_node *node = node_at(t, id);
    const int64_t n = node->kind == RG_F ? rg_shape_count(*node->shape) : 0;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(element(t->plan, id, i)))
            return i;
    return -1;
}

/* Of what is bad and reaches a root through bad values, the first whose operands are all finite. */
static uint32_t find_culprit(struct trace *t)
{
    const rg_prog *p = &t->plan->prog;
    uint32_t culprit = 0;
    for (uint32_t id = 1; id < p->n_node; id++)
        t->mark[id] = first_bad(t, id) >= 0 ? BAD : 0;
    for (size_t i = 0; i < p->n_root; i++)
        t->mark[p->root[i]] |= REACHES;
    for (uint32_t id = p->n_node; id-- > 1;) {
        bool own = true;
        if (t->mark[id] != (BAD | REACHES))
            continue;
        for (uint32_t k = 0; k < p->node[id].n_in; k++)
            if (t->mark[p->node[id].in[k]] & BAD) {
                t->mark[p->node[id].in[k]] |= REACHES;
                own = false;
            }
        culprit = own ? id : culprit;
    }
    return culprit;
}

/* Rows and steps of the loop: the first extent that most values of time steps have. */
static void find_extents(struct trace *t)
{
    const rg_prog *p = &t->plan->prog;
    int64_t votes = 0;
    for (uint32_t id = 1; id < p->n_node; id++) { /* a majority, if there is one: Boyer, Moore */
        const rg_node *node = &p->node[id];
        const int64_t step = rg_scope_step(t->plan->graph, node->scope);
        if (step == RG_NO_STEP || node->origin || node->shape->rank < 1 || rg_node_is_leaf(node))
            continue;
        t->T = step >= t->T ? step + 1 : t->T;
        if (votes == 0)
            t->B = node->shape->dim[0];
        votes += node->shape->dim[0] == t->B ? 1 : -1;
    }
}

/* ---- Where it is ----------------------------------------------------------------------------- */

static void coordinates(int64_t at[RG_MAX_RANK], const rg_shape *shape, int64_t i)
{
    for (int k = shape->rank; k-- > 0;) {
        at[k] = i % shape->dim[k];
        i /= shape->dim[k];
    }
}

static void find_row(struct trace *t, const rg_node *node)
{
    rg_nonfinite_place *o = t->out;
    int64_t at[RG_MAX_RANK] = { 0 };
    const rg_shape *s = node->shape;
    const bool of_weights = node->op == &rg_op_matmul &&
                            ((const rg_attr_matmul *)node->attr)->transpose_a;
    coordinates(at, s, o->index);
    o->step = rg_scope_step(t->plan->graph, node->scope);
    o->row = -1;
    if (of_weights || node->op == &rg_op_param || s->rank < 1)
        return;
    if (s->rank > 1 && t->T && s->dim[0] == t->T && s->dim[1] == t->B) {
        o->step = at[0];
        o->row = at[1];
    } else if (t->B ? s->dim[0] == t->B : s->rank > 1) {
        o->row = at[0];
    }
}

static double norm_of(const struct trace *t, uint32_t id)
{
    double norm = 0;
    for (int64_t i = 0; i < rg_shape_count(*node_at(t, id)->shape); i++)
        norm = hypot(norm, element(t->plan, id, i));
    return norm;
}

/* What operand k holds where the result is bad; NaN if there is no one such element. */
static double operand_there(const struct trace *t, const rg_node *node, uint32_t k)
{
    int64_t at[RG_MAX_RANK], stride[RG_MAX_RANK], i = 0;
    const rg_node *in = k < node->n_in ? node_at(t, node->in[k]) : NULL;
    if (!in || in->kind != RG_F || !(node->op->flags & RG_OP_ELEMENTWISE) ||
        !rg_shape_expands(in->shape, node->shape))
        return NAN;
    coordinates(at, node->shape, t->out->index);
    rg_shape_strides(stride, in->shape, node->shape);
    for (int d = 0; d < node->shape->rank; d++)
        i += at[d] * stride[d];
    return element(t->plan, node->in[k], i);
}

static void describe(struct trace *t, uint32_t id)
{
    rg_nonfinite_place *o = t->out;
    const rg_node *node = node_at(t, id);
    const char *leaf = rg_node_is_constant(node) ? "" : rg_leaf_name(node);
    char scope[RG_SCOPE_TEXT];
    o->found = true;
    o->index = first_bad(t, id);
    o->value = element(t->plan, id, o->index);
    o->gradient = node->origin != 0;
    o->operand = operand_there(t, node, 0);
    o->norm = NAN;
    for (uint32_t k = 0; k < node->n_in; k++)
        if (node_at(t, node->in[k])->kind == RG_F)
            o->norm = fmax(o->norm, norm_of(t, node->in[k]));
    (void)snprintf(o->op, sizeof o->op, "%s", node->op == &rg_op_param ? "parameter"
                                                                       : node->op->name);
    (void)snprintf(o->scope, sizeof o->scope, "%s",
                   leaf ? leaf : rg_scope_text(scope, t->plan->graph, node->scope));
    find_row(t, node);
}

/* "; its operands are 1, 0 there" */
static void operands_text(const struct trace *t, const rg_node *node, char *out, size_t size)
{
    char a[RG_NUMBER_TEXT], b[RG_NUMBER_TEXT];
    const double x = operand_there(t, node, 0), y = operand_there(t, node, 1);
    out[0] = '\0';
    if (isnan(x))
        return;
    if (isnan(y))
        (void)snprintf(out, size, "; its operand is %s there", rg_number(a, x, 6));
    else
        (void)snprintf(out, size, "; its operands are %s and %s there", rg_number(a, x, 6),
                       rg_number(b, y, 6));
}

static void say(struct trace *t, uint32_t id)
{
    rg_nonfinite_place *o = t->out;
    const rg_node *node = node_at(t, id);
    char value[RG_NUMBER_TEXT], norm[RG_NUMBER_TEXT], at[RG_SHAPE_TEXT];
    char row[48] = "", step[32] = "", operands[112], rule[96] = "";
    rg_shape place = *node->shape;
    coordinates(place.dim, node->shape, o->index);
    if (o->row >= 0)
        (void)snprintf(row, sizeof row, ", row %lld", (long long)o->row);
    if (o->step != RG_NO_STEP)
        (void)snprintf(step, sizeof step, ", time step %lld", (long long)o->step);
    if (rg_node_is_leaf(node)) {
        (void)snprintf(o->message, sizeof o->message, "%s '%.160s' holds %s at %s%s%s", o->op,
                       o->scope, rg_number(value, o->value, 3), rg_shape_text(at, &place), step,
                       row);
        return;
    }
    if (o->gradient)
        (void)snprintf(rule, sizeof rule, " in the gradient of '%.60s'",
                       rg_node_at(t->plan->graph, node->origin)->op->name);
    operands_text(t, node, operands, sizeof operands);
    (void)snprintf(o->message, sizeof o->message, "the first is %s at %.48s of '%s'%s%s%s%s%s%s%s; "
                   "norm before it %s", rg_number(value, o->value, 3), rg_shape_text(at, &place),
                   o->op, rule, *o->scope ? " (" : "", o->scope, *o->scope ? ")" : "", step, row,
                   operands, rg_number(norm, o->norm, 3));
}

rg_status rg_find_nonfinite(rg_nonfinite_place *out, rg_plan *plan, const rg_held_input *held,
                            size_t n)
{
    struct trace t = { .out = out, .asked = plan };
    rg_status st;
    if (!out)
        return RG_EARG;
    *out = (rg_nonfinite_place){ .step = RG_NO_STEP, .row = -1 };
    if (!plan || (n && !held))
        return RG_EARG;
    if (!plan->has_run)
        st = rg_fail(&t.err, RG_ESTATE, "the plan has not run");
    else
        st = run_again(&t, held, n);
    const size_t bytes = t.plan ? t.plan->prog.n_node : 0;
    if (!st && !(t.mark = rg_get(&plan->alloc, bytes)))
        st = rg_fail(&t.err, RG_ENOMEM, "no memory to look for it");
    if (!st) {
        const uint32_t id = find_culprit(&t);
        find_extents(&t);
        if (id) {
            describe(&t, id);
            say(&t, id);
        }
    }
    if (st)
        memcpy(out->message, t.err.text, sizeof out->message);
    if (t.mark)
        rg_release(&plan->alloc, t.mark, bytes);
    rg_plan_destroy(&t.plan);
    return st;
}
