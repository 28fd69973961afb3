/* check/local.c -- one cell at a time: its gradient, for what arrives at it brought to its own
 * size, against differences of its values. However small a gradient became on its way back, every
 * factor of it is an ordinary number here, and the chain rule that multiplies them is exact. Where
 * a cell as a whole cannot be decided, and outside of cells, each operation is asked alone. Names
 * what is wrong, too. docs/MATH.md 13.5. */
#include "check/check.h"

#include <retrograd/ops.h>

#include "base/philox.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNKNOWN = 0, RIGHT, WRONG, UNDECIDED };

/* Some nodes in a graph of their own, what they read being inputs that hold what they hold in the
 * split copy. */
struct lone {
    rg_graph *g;
    const rg_check_cell *cell;
    bool      single;         /* one operation: each operand is an input, whatever it is */
    uint32_t *of;             /* by id of the split copy, for several; else not used */
    uint32_t *from;           /* by input: id in the split copy */
    rg_val   *in, *real;
    size_t    n_in, n_real;
    rg_val    loss;
};

/* ---- What is asked of a node that leaves ----------------------------------------------------- */

/* The gradient that arrives there, of norm 1; a drawn one where it is zero or unknown. */
static void fill_weights(const rg_check *c, const rg_check_objective *o, double *w, int64_t n,
                         rg_val gradient)
{
    const double *g = gradient.id && o->cells->plan ? rg_plan_data(o->cells->plan, gradient) : NULL;
    const double size = g ? rg_check_norm(g, n) : 0;
    const bool given = size > 0 && isfinite(size);
    for (int64_t i = 0; i < n; i++)
        w[i] = given ? g[i] / size
                     : 2 * rg_draw_uniform(c->seed, RG_DOMAIN_CHECK, rg_fnv1a("local"),
                                           (uint64_t)i) - 1;
}

/* Σ w∘y */
static rg_val weighted(const rg_check *c, const rg_check_objective *o, rg_val y, rg_val gradient)
{
    const int64_t n = rg_shape_count(rg_shape_of(y));
    double *w = y.id ? rg_graph_alloc(y.graph, (size_t)n * sizeof *w) : NULL;
    if (!w)
        return (rg_val){ .graph = y.graph };
    fill_weights(c, o, w, n, gradient);
    rg_val constant = rg_constant(y.graph, RG_F, rg_shape_of(y), w, (size_t)n);
    return rg_sum(rg_mul(y, constant));
}

/* ---- The graph ------------------------------------------------------------------------------- */

static rg_val operand(const rg_check *c, const rg_check_objective *o, struct lone *l, uint32_t id)
{
    const rg_node *from = rg_node_at(c->split.g, id);
    if (!l->single && l->of[id])
        return (rg_val){ l->g, l->of[id] };
    rg_val v = !l->single && rg_node_is_constant(from)
                   ? rg_emit_in(l->g, from->op, from->attr, NULL, 0)
                   : rg_input(l->g, NULL, (rg_kind)from->kind, *from->shape);
    if (!l->single)
        l->of[id] = v.id;
    if (!l->single && rg_node_is_constant(from))
        return v;
    l->from[l->n_in] = id;
    l->in[l->n_in++] = v;
    if (from->kind == RG_F && (l->single || o->cells->mark[id] & RG_CHECK_MOVES))
        l->real[l->n_real++] = v;
    return v;
}

/* Is the node read outside of the cell, or the value? A single one is. */
static bool leaves(const rg_check_objective *o, const struct lone *l, uint32_t id)
{
    return l->single || o->cells->gradient[id].id;
}

static rg_status add_node(rg_check *c, const rg_check_objective *o, struct lone *l, uint32_t id)
{
    const rg_node *node = rg_node_at(c->split.g, id);
    rg_val *in = rg_graph_alloc(l->g, node->n_in * sizeof *in);
    if (!in)
        return RG_ENOMEM;
    for (uint32_t k = 0; k < node->n_in; k++)
        in[k] = operand(c, o, l, node->in[k]);
    rg_val y = rg_emit_in(l->g, node->op, node->attr, in, node->n_in);
    if (!l->single)
        l->of[id] = y.id;
    if (leaves(o, l, id)) {
        const rg_val w = weighted(c, o, y, l->single ? RG_NONE : o->cells->gradient[id]);
        l->loss = l->loss.id ? rg_add(l->loss, w) : w;
    }
    return l->g->status;
}

static rg_status build(rg_check *c, const rg_check_objective *o, struct lone *l)
{
    const rg_graph_opts opts = { .alloc = c->alloc };
    size_t most = 0;
    rg_status st = rg_graph_create(&l->g, c->g->params, &opts);
    if (st)
        return st;
    for (size_t i = 0; i < l->cell->n; i++)
        most += rg_node_at(c->split.g, l->cell->node[i])->n_in;
    l->in = rg_graph_alloc(l->g, most * sizeof *l->in);
    l->real = rg_graph_alloc(l->g, most * sizeof *l->real);
    l->from = rg_graph_alloc(l->g, most * sizeof *l->from);
    if (!l->in || !l->real || !l->from)
        return RG_ENOMEM;
    for (size_t i = 0; i < l->cell->n && !st; i++)
        st = add_node(c, o, l, l->cell->node[i]);
    return st ? st : l->loss.id ? RG_OK : RG_EARG;
}

/* Leave l->of as it was found. */
static void forget(const rg_check *c, struct lone *l)
{
    for (size_t i = 0; i < l->cell->n && !l->single; i++) {
        const rg_node *node = rg_node_at(c->split.g, l->cell->node[i]);
        l->of[l->cell->node[i]] = 0;
        for (uint32_t k = 0; k < node->n_in; k++)
            l->of[node->in[k]] = 0;
    }
}

/* ---- Its check ------------------------------------------------------------------------------- */

/* Gradcheck of the lone graph, its inputs bound to their values. */
static rg_status check_lone(const rg_check *c, const struct lone *l, const rg_plan *values,
                            rg_verdict *verdict)
{
    const rg_plan_opts opts = { .real = RG_F64, .effort = RG_INTERPRET, .alloc = c->alloc };
    rg_gradcheck_report *report = NULL;
    rg_plan *plan;
    rg_status st = rg_plan_create(&plan, &l->loss, 1, &opts);
    if (st)
        return st;
    for (size_t k = 0; k < l->n_in && !st; k++) {
        const uint32_t id = values->prog.of_graph[l->from[k]];
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

/* @p verdict: where the answer is kept, so that nothing is asked twice. */
static rg_status check_alone(rg_check *c, const rg_check_objective *o, const rg_check_cell *cell,
                             bool single, uint8_t *verdict)
{
    struct lone l = { .cell = cell, .single = single, .of = o->cells->lone };
    rg_verdict v = RG_NOT_RUN;
    if (*verdict != UNKNOWN)
        return RG_OK;
    rg_status st = build(c, o, &l);
    if (!st)
        st = check_lone(c, &l, o->diff, &v);
    forget(c, &l);
    rg_graph_destroy(&l.g);
    *verdict = v == RG_PASS ? RIGHT : v == RG_FAIL ? WRONG : UNDECIDED;
    return st == RG_ENOMEM ? rg_check_no_memory(c) : RG_OK;
}

/* ---- The way of a block ---------------------------------------------------------------------- */

/* Nodes through which the block reaches the value: those that it moves and the value needs. */
static uint8_t *path(rg_check *c, const rg_check_objective *o, rg_val leaf)
{
    const rg_graph *g = c->split.g;
    const uint32_t top = o->value.id;
    uint8_t *mark = rg_get(&c->alloc, (size_t)top + 1);
    if (!mark || leaf.id > top)
        return mark;
    mark[leaf.id] = RG_CHECK_MOVES;
    for (uint32_t id = leaf.id + 1; id <= top; id++)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in; k++)
            mark[id] |= mark[rg_node_at(g, id)->in[k]] & RG_CHECK_MOVES;
    for (uint32_t id = 1; id <= top; id++) {
        const rg_node *node = rg_node_at(g, id);
        mark[id] = mark[id] && o->cells->mark[id] & RG_CHECK_NEEDED && node->kind == RG_F &&
                   node->n_in;
    }
    return mark;
}

/* What was found on the way, until something is wrong. */
struct way {
    uint8_t  verdict;
    uint32_t at;              /* a node that is not right, or of a cell that is not */
    bool     single;          /* some operation had to be asked alone within a cell */
};

static rg_status ask(rg_check *c, const rg_check_objective *o, uint32_t id, bool cells,
                     struct way *w)
{
    rg_check_cell *cell = &o->cells->cell[o->cells->of[id]];
    const rg_check_cell one = { .node = &id, .n = 1 };
    uint8_t *verdict = &cell->verdict;
    rg_status st = RG_OK;
    if (cells && o->cells->of[id] && (st = check_alone(c, o, cell, false, verdict)))
        return st;
    if (!cells || !o->cells->of[id] || *verdict == UNDECIDED) {
        w->single = w->single || o->cells->of[id];
        verdict = &o->cells->op[id];
        st = check_alone(c, o, &one, true, verdict);
    }
    if (*verdict != RIGHT) {
        w->verdict = *verdict;
        w->at = id;
    }
    return st;
}

/* @p cells: as wholes, where they can be decided. */
static rg_status walk(rg_check *c, rg_check_objective *o, const rg_check_block *b, bool cells,
                      struct way *w)
{
    rg_status st = o->cells ? RG_OK : rg_check_cells_make(c, o);
    uint8_t *mark = st ? NULL : path(c, o, b->leaf);
    *w = (struct way){ .verdict = RIGHT };
    if (st || !mark)
        return st ? st : rg_check_no_memory(c);
    for (uint32_t id = 1; id <= o->value.id && w->verdict != WRONG && !st; id++)
        if (mark[id])
            st = ask(c, o, id, cells, w);
    rg_release(&c->alloc, mark, (size_t)o->value.id + 1);
    return st;
}

rg_status rg_check_local(rg_check *c, rg_check_objective *o, rg_check_result *r)
{
    struct way w;
    rg_status st = walk(c, o, r->block, true, &w);
    if (st || w.verdict == UNDECIDED || (w.verdict == RIGHT && r->suspect))
        return st;
    r->verdict = w.verdict == RIGHT ? RG_PASS : RG_FAIL;
    r->oracle = w.single ? "local op" : "local step";
    r->reason = "";
    return RG_OK;
}

/* First which operation is wrong alone; if none is, which cell. */
rg_status rg_check_blame(rg_check *c, rg_check_objective *o)
{
    char text[RG_CHECK_PLACE];
    rg_status st = RG_OK;
    for (int cells = 0; cells < 2; cells++)
        for (size_t i = 0; i < c->n_block && !st && o->result && !*c->blame; i++) {
            struct way w;
            if (o->result[i].verdict != RG_FAIL || !c->block[i].checked)
                continue;
            if ((st = walk(c, o, &c->block[i], cells, &w)))
                return st;
            if (w.verdict != WRONG)
                continue;
            rg_check_place(text, c->split.g, w.at);
            (void)snprintf(c->blame, sizeof c->blame,
                           cells ? "; the cell of %s is wrong, each op of it alone is right"
                                 : "; the rule of op %s is wrong", text);
        }
    return st;
}
