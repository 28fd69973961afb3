/* check/evaluate.c -- plans of the private copies, run again and again with the same draws. */
#include "check/check.h"

#include "base/philox.h"
#include "ops/ops.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

rg_status rg_check_plan(rg_check *c, rg_plan **out, const rg_check_copy *copy, const rg_val *roots,
                        size_t n, rg_effort effort)
{
    const rg_plan_opts opts = { .real = RG_F64, .mode = RG_TRAIN, .effort = effort,
                                .alloc = c->alloc };
    rg_status st = rg_plan_create(out, roots, n, &opts);
    if (st)
        return rg_fail(&c->err, st, "%s", rg_graph_message(copy->g));
    for (size_t i = 0; i < copy->n_bind && !st; i++)
        st = rg_plan_bind(*out, copy->bind[i].leaf, copy->bind[i].data, copy->bind[i].bytes);
    return st ? rg_fail(&c->err, st, "%s", rg_plan_message(*out)) : RG_OK;
}

rg_status rg_check_run(rg_check *c, rg_plan *plan)
{
    *(int64_t *)plan->run->data = 0;
    rg_status st = rg_plan_run(plan);
    return st ? rg_fail(&c->err, st, "%s", rg_plan_message(plan)) : RG_OK;
}

/* ---- An objective --------------------------------------------------------------------------- */

/* Masks and indices among what value and gradients need, that depend on some block: on which side
 * of its kinks the point is. The rules of kinked operations make them, so nobody lists those. */
static rg_status find_decisions(rg_check *c, rg_check_objective *o)
{
    enum { NEEDED = 1, MOVES = 2 };
    const rg_graph *g = c->split.g;
    uint8_t *mark = rg_arena_get(&c->arena, g->n_node);
    size_t n = 0;
    if (!mark)
        return rg_check_no_memory(c);
    mark[o->value.id] = NEEDED;
    for (size_t i = 0; i < c->n_block; i++)
        mark[o->grad[i].id] |= NEEDED;
    for (uint32_t id = g->n_node; id-- > 1;)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in && mark[id]; k++)
            mark[rg_node_at(g, id)->in[k]] |= NEEDED;
    for (size_t i = 0; i < c->n_block; i++)
        mark[c->block[i].leaf.id] |= MOVES;
    for (uint32_t id = 1; id < g->n_node; id++) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t k = 0; k < node->n_in; k++)
            mark[id] |= mark[node->in[k]] & MOVES;
        n += mark[id] == (NEEDED | MOVES) && node->kind != RG_F;
    }
    if (!(o->decision = rg_arena_get(&c->arena, (n + 1) * sizeof *o->decision)))
        return rg_check_no_memory(c);
    for (uint32_t id = 1; id < g->n_node; id++)
        if (mark[id] == (NEEDED | MOVES) && rg_node_at(g, id)->kind != RG_F)
            o->decision[o->n_decision++] = (rg_val){ c->split.g, id };
    return RG_OK;
}

static size_t decision_bytes(const rg_val v)
{
    return (size_t)rg_shape_count(rg_shape_of(v)) *
           (rg_kind_of(v) == RG_INT ? sizeof(int32_t) : sizeof(uint8_t));
}

/* Compare the decisions of the last run with the base point's, or keep them as these. */
static bool decided(rg_check_objective *o, rg_plan *plan, bool keep)
{
    uint8_t *at = o->side;
    bool differ = false;
    for (size_t i = 0; i < o->n_decision; i++) {
        const size_t n = decision_bytes(o->decision[i]);
        const void *now = rg_plan_data(plan, o->decision[i]);
        if (n && keep)
            memcpy(at, now, n);
        else if (n)
            differ = differ || memcmp(at, now, n) != 0;
        at += n;
    }
    return differ;
}

bool rg_check_crossed(rg_check_objective *o, rg_plan *plan)
{
    return decided(o, plan, false);
}

rg_status rg_check_value(rg_check *c, rg_check_objective *o, double *f, bool *crossed)
{
    rg_status st = rg_check_run(c, o->eval);
    if (st)
        return st;
    *f = rg_plan_scalar(o->eval, o->value);
    *crossed = decided(o, o->eval, false);
    return RG_OK;
}

static rg_status make_plans(rg_check *c, rg_check_objective *o)
{
    const size_t most = 1 + (o->n_decision > c->n_block ? o->n_decision : c->n_block);
    size_t bytes = 0;
    rg_val *roots = rg_arena_get(&c->arena, most * sizeof *roots);
    rg_status st;
    for (size_t i = 0; i < o->n_decision; i++)
        bytes += decision_bytes(o->decision[i]);
    if (!roots || !(o->side = rg_arena_get(&c->arena, bytes)))
        return rg_check_no_memory(c);
    roots[0] = o->value;
    memcpy(roots + 1, o->grad, c->n_block * sizeof *roots);
    if ((st = rg_check_plan(c, &o->diff, &c->split, roots, 1 + c->n_block, RG_INTERPRET)))
        return st;
    memcpy(roots + 1, o->decision, o->n_decision * sizeof *roots);
    return rg_check_plan(c, &o->eval, &c->split, roots, 1 + o->n_decision, RG_INTERPRET);
}

/* ---- Terms ---------------------------------------------------------------------------------- */

static double sum_of_sizes(const rg_plan *plan, rg_val v)
{
    const double *x = plan->value[plan->prog.of_graph[v.id]];
    double sum = 0;
    for (int64_t i = 0; i < rg_shape_count(rg_shape_of(v)); i++)
        sum += fabs(x[i]);
    return sum;
}

/* Does the node only sum, scale or reform? Then these are the factors: *f is that of its operands,
 * and *spread whether elements share it. */
static bool passes_on(const rg_node *node, double *f, bool *spread)
{
    const bool sum = node->op == &rg_op_sum_over;
    *spread = !sum;
    if (node->op == &rg_op_scale)
        *f *= fabs(((const rg_attr_real *)node->attr)->c);
    else if (node->op != &rg_op_add && node->op != &rg_op_sub && node->op != &rg_op_reshape &&
             node->op != &rg_op_broadcast && node->op != &rg_op_neg)
        return sum;
    return true;
}

/* Through sums, differences, scalings and changes of form, back to what is summed. Terms of one
 * node share a factor, so one number each is carried. */
rg_status rg_check_terms(rg_check *c, rg_val value, double **out)
{
    const rg_graph *g = value.graph;
    double *factor = rg_arena_get(&c->arena, ((size_t)value.id + 1) * sizeof *factor);
    if (!factor)
        return rg_check_no_memory(c);
    factor[value.id] = 1;
    for (uint32_t id = value.id; id > 0; id--) {
        const rg_node *node = rg_node_at(g, id);
        const double n = (double)rg_shape_count(*node->shape);
        double f = factor[id];
        bool spread;
        if (f == 0 || !passes_on(node, &f, &spread))
            continue;
        factor[id] = 0;
        for (uint32_t k = 0; k < node->n_in; k++) {
            const double from = (double)rg_shape_count(*rg_node_at(g, node->in[k])->shape);
            factor[node->in[k]] += spread && from != 0 ? f * n / from : f;
        }
    }
    *out = factor;
    return RG_OK;
}

static rg_status sum_of_terms(rg_check *c, const rg_check_objective *o, double *out)
{
    double *factor;
    rg_status st = rg_check_terms(c, o->value, &factor);
    *out = 0;
    for (uint32_t id = 1; id <= o->value.id && !st; id++)
        if (factor[id] > 0)
            *out += factor[id] * sum_of_sizes(o->diff, (rg_val){ c->split.g, id });
    return st;
}

/* ---- Noise ---------------------------------------------------------------------------------- */

struct disturbance {
    uint64_t seed, tail, bits;
    uint32_t next;
    rg_dtype as;
};

/* x, one or two units of its last place up or down */
static double moved(double x, bool up, bool twice, rg_dtype as)
{
    const double to = up ? INFINITY : -INFINITY;
    if (as == RG_F32)
        return x + (up ? 1 : -1) * (twice ? 1 : 0.5) * (double)FLT_EPSILON * x;
    return twice ? nextafter(nextafter(x, to), to) : nextafter(x, to);
}

/* Every real value computed moves: Monte Carlo arithmetic, after D. S. Parker, 1997. Zero stays
 * zero. */
static void disturb(void *user, rg_plan *plan, uint32_t id)
{
    enum { AT_ONCE = 32 }; /* values for one draw, two bits each */
    struct disturbance *d = user;
    double *x = plan->value[id];
    const rg_node *node = &plan->prog.node[id];
    const int64_t n = node->kind == RG_F ? rg_shape_count(*node->shape) : 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % AT_ONCE == 0) {
            const rg_philox_block b = rg_draw(d->seed, RG_DOMAIN_CHECK, d->tail, d->next++);
            d->bits = (uint64_t)b.w[0] << 32 | b.w[1];
        }
        if (x[i] != 0)
            x[i] = moved(x[i], d->bits & 1, d->bits & 2, d->as);
        d->bits >>= 2;
    }
}

rg_status rg_check_run_disturbed(rg_check *c, rg_plan *plan, rg_dtype as, uint64_t which)
{
    struct disturbance d = { c->seed, rg_stream_tail(rg_fnv1a("rounding"), which), 0, 0, as };
    plan->watch = &(rg_plan_watch){ .computed = disturb, .user = &d };
    rg_status st = rg_check_run(c, plan);
    plan->watch = NULL;
    return st;
}

/* ε_f = 4·eps·Σ|terms|, or, where values on the way have lost digits already, what that does. */
static rg_status measure_noise(rg_check *c, rg_check_objective *o)
{
    double terms = 0;
    rg_status st = sum_of_terms(c, o, &terms);
    o->noise = 4 * DBL_EPSILON * terms;
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st; k++) {
        st = rg_check_run_disturbed(c, o->eval, RG_F64, k);
        const double off = fabs(rg_plan_scalar(o->eval, o->value) - o->base);
        o->noise = isfinite(off) ? fmax(o->noise, off) : o->noise;
    }
    return st ? st : rg_check_run(c, o->eval);
}

/* ---- Purity --------------------------------------------------------------------------------- */

static const char *place_of(char text[RG_CHECK_PLACE], const rg_graph *g, const rg_node *node)
{
    char scope[RG_SCOPE_TEXT];
    rg_scope_text(scope, g, node->scope);
    (void)snprintf(text, RG_CHECK_PLACE, "'%.60s'%s%s%s", node->op->name, *scope ? " (" : "", scope,
                   *scope ? ")" : "");
    return text;
}

const char *rg_check_place(char text[RG_CHECK_PLACE], const rg_graph *g, uint32_t id)
{
    return place_of(text, g, rg_node_at(g, id));
}

/* Everything that the value and its gradients need, computed twice, must have the same bits. The
 * first node that has not is the culprit: its operands were equal. */
static rg_status check_pure(rg_check *c, rg_plan *plan)
{
    char text[RG_CHECK_PLACE];
    rg_status st = rg_check_run(c, plan);
    char *before = st ? NULL : rg_get_raw(&c->alloc, plan->memory_bytes);
    if (st || !before)
        return st ? st : rg_check_no_memory(c);
    memcpy(before, plan->memory, plan->memory_bytes);
    st = rg_check_run(c, plan);
    for (uint32_t id = 1; id < plan->prog.n_node && !st; id++) {
        const size_t n = rg_plan_bytes(plan, id);
        if (plan->prog.node[id].op != &rg_op_input && n &&
            memcmp(before + ((char *)plan->value[id] - plan->memory), plan->value[id], n) != 0)
            st = rg_fail(&c->err, RG_EUSER, "gradcheck: the loss is not pure: op %s gave other "
                         "bits when it ran again on the same operands",
                         place_of(text, plan->graph, &plan->prog.node[id]));
    }
    rg_release(&c->alloc, before, plan->memory_bytes);
    return st;
}

static bool all_finite(const rg_plan *plan, uint32_t id)
{
    const double *x = plan->value[id];
    const int64_t n = rg_shape_count(*plan->prog.node[id].shape);
    for (int64_t i = 0; i < n && plan->prog.node[id].kind == RG_F; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

const char *rg_check_first_bad(char text[RG_CHECK_PLACE], const rg_check_objective *o)
{
    for (uint32_t id = 1; id < o->diff->prog.n_node; id++)
        if (!all_finite(o->diff, id))
            return place_of(text, o->diff->graph, &o->diff->prog.node[id]);
    text[0] = '\0';
    return text;
}

rg_status rg_check_objective_make(rg_check *c, rg_check_objective *o)
{
    rg_graph *g = c->split.g;
    rg_val *leaf = rg_arena_get(&c->arena, c->n_block * sizeof *leaf);
    bool crossed;
    rg_status st;
    o->grad = rg_arena_get(&c->arena, c->n_block * sizeof *o->grad);
    if (!leaf || !o->grad)
        return rg_check_no_memory(c);
    for (size_t i = 0; i < c->n_block; i++)
        leaf[i] = c->block[i].leaf;
    rg_grad(o->grad, o->value, leaf, c->n_block);
    if (g->status)
        return rg_fail(&c->err, g->status, "%s", rg_graph_message(g));
    if ((st = find_decisions(c, o)) || (st = make_plans(c, o)) || (st = check_pure(c, o->diff)) ||
        (st = rg_check_value(c, o, &o->base, &crossed)))
        return st;
    (void)decided(o, o->eval, true);
    return measure_noise(c, o);
}

void rg_check_objective_free(rg_check_objective *o)
{
    if (o->cells)
        rg_plan_destroy(&o->cells->plan);
    rg_plan_destroy(&o->eval);
    rg_plan_destroy(&o->diff);
}
