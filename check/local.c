/* check/local.c -- one operation at a time: its rule, with a cotangent of its own size, against
 * differences of its values. However small a gradient became on its way back, every factor of it is
 * an ordinary number here, and the chain rule that multiplies them is exact. Names the operation
 * that is wrong, too. docs/MATH.md 13.5. */
#include "check/check.h"

#include <retrograd/ops.h>

#include "base/philox.h"

#include <stdio.h>
#include <string.h>

enum { UNKNOWN = 0, RIGHT, WRONG, UNDECIDED };

/* A graph of one node: operands are inputs that hold what they hold in the split copy. */
struct lone {
    rg_graph *g;
    rg_val   *in, *real;
    size_t    n_real;
    rg_val    loss;
};

/* Σ w∘y with constant w in ±1 */
static rg_val weighted(const rg_check *c, rg_val y)
{
    const int64_t n = rg_shape_count(rg_shape_of(y));
    double *w = y.id ? rg_graph_alloc(y.graph, (size_t)n * sizeof *w) : NULL;
    for (int64_t i = 0; i < n && w; i++)
        w[i] = 2 * rg_draw_uniform(c->seed, RG_DOMAIN_CHECK, rg_fnv1a("local"), (uint64_t)i) - 1;
    if (!w)
        return (rg_val){ .graph = y.graph };
    rg_val constant = rg_constant(y.graph, RG_F, rg_shape_of(y), w, (size_t)n);
    return rg_sum(rg_mul(y, constant));
}

static rg_status build(rg_check *c, struct lone *l, const rg_node *node)
{
    const rg_graph_opts opts = { .alloc = c->alloc };
    rg_status st = rg_graph_create(&l->g, c->g->params, &opts);
    if (st)
        return st;
    l->in = rg_graph_alloc(l->g, node->n_in * sizeof *l->in);
    l->real = rg_graph_alloc(l->g, node->n_in * sizeof *l->real);
    for (uint32_t k = 0; k < node->n_in && l->in && l->real; k++) {
        const rg_node *from = rg_node_at(c->split.g, node->in[k]);
        l->in[k] = rg_input(l->g, NULL, (rg_kind)from->kind, *from->shape);
        if (from->kind == RG_F)
            l->real[l->n_real++] = l->in[k];
    }
    l->loss = weighted(c, rg_emit_in(l->g, node->op, node->attr, l->in, node->n_in));
    return l->g->status;
}

/* Gradcheck of the one node, its operands bound to their values. */
static rg_status check_lone(const rg_check *c, const struct lone *l, const rg_node *node,
                            const rg_plan *values, rg_verdict *verdict)
{
    const rg_plan_opts opts = { .real = RG_F64, .effort = RG_INTERPRET, .alloc = c->alloc };
    rg_gradcheck_report *report = NULL;
    rg_plan *plan;
    rg_status st = rg_plan_create(&plan, &l->loss, 1, &opts);
    if (st)
        return st;
    for (uint32_t k = 0; k < node->n_in && !st; k++) {
        const uint32_t id = values->prog.of_graph[node->in[k]];
        st = rg_plan_bind(plan, l->in[k], values->value[id], rg_plan_bytes(values, id));
    }
    if (!st) {
        *verdict = rg_check_one(&report, l->loss, l->real, l->n_real,
                                &(rg_gradcheck_opts){ .data = plan, .rtol = c->rtol,
                                                      .seed = c->seed }, false);
        st = report ? report->status : RG_ENOMEM;
    }
    rg_gradcheck_destroy(&report);
    rg_plan_destroy(&plan);
    return st;
}

static rg_status check_node(rg_check *c, rg_check_objective *o, uint32_t id)
{
    struct lone l = { .g = NULL };
    const rg_node *node = rg_node_at(c->split.g, id);
    rg_verdict v = RG_NOT_RUN;
    rg_status st = build(c, &l, node);
    if (!st)
        st = check_lone(c, &l, node, o->diff, &v);
    rg_graph_destroy(&l.g);
    o->local[id] = v == RG_PASS ? RIGHT : v == RG_FAIL ? WRONG : UNDECIDED;
    return st == RG_ENOMEM ? rg_fail(&c->err, st, "gradcheck: no memory") : RG_OK;
}

/* Nodes through which the block reaches the value: first those that it moves, then, from the value
 * down, those of them that the value needs. */
static uint8_t *path(rg_check *c, const rg_check_objective *o, rg_val leaf)
{
    enum { MOVES = 1, NEEDED = 2 };
    const rg_graph *g = c->split.g;
    const uint32_t top = o->value.id;
    uint8_t *mark = rg_get(&c->alloc, (size_t)top + 1);
    if (!mark || leaf.id > top)
        return mark;
    mark[leaf.id] = MOVES;
    for (uint32_t id = leaf.id + 1; id <= top; id++)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in; k++)
            mark[id] |= mark[rg_node_at(g, id)->in[k]] & MOVES;
    mark[top] |= NEEDED;
    for (uint32_t id = top; id > 0; id--) {
        const rg_node *node = rg_node_at(g, id);
        for (uint32_t k = 0; k < node->n_in && mark[id] & NEEDED; k++)
            mark[node->in[k]] |= NEEDED;
        mark[id] = mark[id] == (MOVES | NEEDED) && node->kind == RG_F && node->n_in;
    }
    return mark;
}

/* Check every node on the block's path, until one is wrong. */
static rg_status walk(rg_check *c, rg_check_objective *o, const rg_check_block *b, uint8_t *verdict,
                      uint32_t *at)
{
    uint8_t *mark = path(c, o, b->leaf);
    rg_status st = RG_OK;
    *verdict = RIGHT;
    if (!mark)
        return rg_check_no_memory(c);
    for (uint32_t id = 1; id <= o->value.id && *verdict != WRONG && !st; id++) {
        if (!mark[id])
            continue;
        if (o->local[id] == UNKNOWN)
            st = check_node(c, o, id);
        if (o->local[id] != RIGHT) {
            *verdict = o->local[id];
            *at = id;
        }
    }
    rg_release(&c->alloc, mark, (size_t)o->value.id + 1);
    return st;
}

static rg_status begin(rg_check *c, rg_check_objective *o)
{
    if (o->local)
        return RG_OK;
    o->local = rg_arena_get(&c->arena, (size_t)o->value.id + 1);
    return o->local ? rg_check_run(c, o->diff)
                    : rg_check_no_memory(c);
}

rg_status rg_check_local(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    uint8_t verdict;
    uint32_t at;
    rg_status st = begin(c, o);
    if (st || (st = walk(c, o, r->block, &verdict, &at)))
        return st;
    if (verdict == UNDECIDED || (verdict == RIGHT && r->suspect))
        return RG_OK;
    r->verdict = verdict == RIGHT ? RG_PASS : RG_FAIL;
    r->oracle = "local step";
    r->reason = "";
    return RG_OK;
}

rg_status rg_check_blame(rg_check *c, rg_check_objective *o)
{
    char text[RG_CHECK_PLACE];
    rg_status st = RG_OK;
    for (size_t i = 0; i < c->n_block && !st && o->result && !*c->blame; i++) {
        uint8_t verdict;
        uint32_t at = 0;
        if (o->result[i].verdict != RG_FAIL || !c->block[i].checked)
            continue;
        if ((st = begin(c, o)) || (st = walk(c, o, &c->block[i], &verdict, &at)))
            return st;
        if (verdict == WRONG)
            (void)snprintf(c->blame, sizeof c->blame, "; the rule of op %s is wrong",
                           rg_check_place(text, c->split.g, at));
    }
    return st;
}
