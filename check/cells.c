/* check/cells.c -- what can be checked alone: all that lies between blocks and value in the scope
 * of one time step is a cell; its gradient in second order is another. Here is which nodes they
 * are, and which gradient arrives at what leaves them. docs/MATH.md 13.5. */
#include "check/check.h"

#include <string.h>

static uint8_t *marks(rg_check *c, const rg_check_objective *o)
{
    const rg_graph *g = c->split.g;
    const uint32_t top = o->value.id;
    uint8_t *mark = rg_arena_get(&c->arena, (size_t)top + 1);
    if (!mark)
        return NULL;
    mark[top] = RG_CHECK_NEEDED;
    for (uint32_t id = top; id > 0; id--)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in && mark[id]; k++)
            mark[rg_node_at(g, id)->in[k]] = RG_CHECK_NEEDED;
    for (size_t i = 0; i < c->n_block; i++)
        if (c->block[i].leaf.id <= top)
            mark[c->block[i].leaf.id] |= RG_CHECK_MOVES;
    for (uint32_t id = 1; id <= top; id++)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in; k++)
            mark[id] |= mark[rg_node_at(g, id)->in[k]] & RG_CHECK_MOVES;
    return mark;
}

/* By scope of the split copy: the innermost one with a time step; 0 = none. */
static uint32_t *step_scopes(rg_check *c)
{
    const rg_graph *g = c->split.g;
    uint32_t *out = rg_arena_get(&c->arena, g->n_scope * sizeof *out);
    for (size_t i = 1; i < g->n_scope && out; i++)
        out[i] = g->scope[i].step != RG_NO_STEP ? (uint32_t)i : out[g->scope[i].parent];
    return out;
}

/* Number the cells in order of scope, forward before gradient; list their nodes. */
static rg_status list_cells(rg_check *c, const rg_check_objective *o, rg_check_cells *a)
{
    const rg_graph *g = c->split.g;
    const uint32_t *scope = step_scopes(c);
    uint32_t *index = rg_arena_get(&c->arena, 2 * g->n_scope * sizeof *index);
    uint32_t *list = rg_arena_get(&c->arena, ((size_t)o->value.id + 1) * sizeof *list);
    a->cell = rg_arena_get(&c->arena, (2 * g->n_scope + 1) * sizeof *a->cell);
    if (!scope || !index || !list || !a->cell)
        return rg_check_no_memory(c);
    for (uint32_t id = 1; id <= o->value.id; id++) {
        const rg_node *node = rg_node_at(g, id);
        const size_t key = 2 * (size_t)scope[node->scope] + (node->origin != 0);
        if (a->mark[id] != (RG_CHECK_NEEDED | RG_CHECK_MOVES) || !node->n_in ||
            !scope[node->scope])
            continue;
        if (!index[key])
            index[key] = (uint32_t)++a->n_cell;
        a->of[id] = index[key];
        a->cell[a->of[id]].n++;
    }
    for (size_t k = 1; k <= a->n_cell; k++) {
        a->cell[k].node = list;
        list += a->cell[k].n;
        a->cell[k].n = 0;
    }
    for (uint32_t id = 1; id <= o->value.id; id++)
        if (a->of[id]) {
            rg_check_cell *cell = &a->cell[a->of[id]];
            cell->node[cell->n++] = id;
        }
    return RG_OK;
}

/* Is read by a node of another cell or of none, or is the value itself. */
static rg_status mark_leaving(rg_check *c, const rg_check_objective *o, const rg_check_cells *a,
                              rg_val *out, size_t *n)
{
    const rg_graph *g = c->split.g;
    uint8_t *leaves = rg_arena_get(&c->arena, (size_t)o->value.id + 1);
    if (!leaves)
        return rg_check_no_memory(c);
    leaves[o->value.id] = 1;
    for (uint32_t id = 1; id <= o->value.id; id++)
        for (uint32_t k = 0; k < rg_node_at(g, id)->n_in && a->mark[id] & RG_CHECK_NEEDED; k++)
            if (a->of[rg_node_at(g, id)->in[k]] != a->of[id])
                leaves[rg_node_at(g, id)->in[k]] = 1;
    for (uint32_t id = 1; id <= o->value.id; id++)
        if (leaves[id] && a->of[id] && rg_node_at(g, id)->kind == RG_F)
            out[(*n)++] = (rg_val){ c->split.g, id };
    return RG_OK;
}

/* a->gradient of what leaves cells, and a plan that has computed it. */
static rg_status make_gradients(rg_check *c, const rg_check_objective *o, rg_check_cells *a)
{
    rg_graph *g = c->split.g;
    const size_t most = (size_t)o->value.id + 1;
    rg_val *out = rg_arena_get(&c->arena, most * sizeof *out), *d;
    size_t n = 0;
    rg_status st = out ? mark_leaving(c, o, a, out, &n) : rg_check_no_memory(c);
    if (st || !n)
        return st;
    if (!(d = rg_arena_get(&c->arena, n * sizeof *d)))
        return rg_check_no_memory(c);
    rg_grad(d, o->value, out, n);
    if (g->status)
        return rg_fail(&c->err, g->status, "%s", rg_graph_message(g));
    for (size_t i = 0; i < n; i++)
        a->gradient[out[i].id] = d[i];
    st = rg_check_plan(c, &a->plan, &c->split, d, n, RG_INTERPRET);
    return st ? st : rg_check_run(c, a->plan);
}

rg_status rg_check_cells_make(rg_check *c, rg_check_objective *o)
{
    const size_t n = (size_t)o->value.id + 1;
    rg_check_cells *a = o->cells = rg_arena_get(&c->arena, sizeof *a);
    if (!a || !(a->mark = marks(c, o)))
        return rg_check_no_memory(c);
    a->of = rg_arena_get(&c->arena, n * sizeof *a->of);
    a->op = rg_arena_get(&c->arena, n);
    a->gradient = rg_arena_get(&c->arena, n * sizeof *a->gradient);
    a->lone = rg_arena_get(&c->arena, n * sizeof *a->lone);
    if (!a->of || !a->op || !a->gradient || !a->lone)
        return rg_check_no_memory(c);
    rg_status st = list_cells(c, o, a);
    return st ? st : make_gradients(c, o, a);
}
