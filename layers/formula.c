/* layers/formula.c -- what a cell computes in one step, as equations, read off its nodes: the step
 * is taken once, its nodes are written as terms from the leaves up. */
#include "layers/formula.h"

#include "ops/ops.h"

#include <string.h>

/* ---- One step ------------------------------------------------------------------------------- */

/* Take the step in a scope of its own; p->first .. p->last-1 are its nodes. */
static rg_status take_step(rg_page *p, const rg_val *s)
{
    rg_graph *g = p->sheet.g;
    size_t n = p->cell->n_state;
    if (!(p->s = rg_arena_get(&p->sheet.arena, 2 * n * sizeof *p->s)))
        return RG_ENOMEM;
    p->next = p->s + n;
    rg_scope_push(g, "formula", g->n_node);
    p->step = g->in_scope;
    p->first = g->n_node;
    for (size_t k = 0; k < n; k++)
        p->s[k] = s ? s[k] : rg_zeros(g, RG_SHAPE(rg_dim(p->x, 0), p->cell->width[k]));
    rg_step(p->next, p->cell, p->x, p->s, 0);
    rg_scope_pop(g);
    p->last = g->n_node;
    return g->status;
}

static rg_status begin(rg_page *p, const rg_cell *cell, rg_val x, const rg_val *s)
{
    rg_graph *g = x.graph;
    *p = (rg_page){ .sheet = { .g = g }, .cell = cell, .x = x };
    if (!g)
        return RG_EARG;
    rg_arena_init(&p->sheet.arena, &g->alloc);
    if (!g->status && (!cell || !cell->step || !cell->n_state || (!cell->width && !s)))
        rg_poison(g, RG_EARG, "formula: a cell has a step, states, and their widths or values");
    rg_status st = g->status ? g->status : take_step(p, s);
    if (!st && !(p->sheet.term = rg_arena_get(&p->sheet.arena, p->last * sizeof(rg_term))))
        st = RG_ENOMEM;
    return st;
}

static rg_status end(rg_page *p, rg_status st)
{
    const rg_alloc *a = &p->sheet.g->alloc;
    if (!st && p->sheet.failed)
        st = RG_ENOMEM;
    rg_release(a, p->taken, p->taken_cap * sizeof *p->taken);
    rg_release(a, p->line, p->line_cap * sizeof *p->line);
    rg_arena_free(&p->sheet.arena);
    return st;
}

/* ---- States --------------------------------------------------------------------------------- */

/* Bytes that all names begin with, up to a dot. */
static void find_prefix(rg_page *p)
{
    rg_sheet *f = &p->sheet;
    const char *first = NULL;
    for (uint32_t id = 1; id < p->last; id++) {
        const rg_node *node = rg_node_at(f->g, id);
        if (!f->term[id].wanted || node->op != &rg_op_param)
            continue;
        const char *name = ((const rg_attr_param *)node->attr)->slot->name;
        size_t n = 0, dot = 0;
        if (!first) {
            first = name;
            const char *last = strrchr(name, '.');
            f->prefix = last ? (size_t)(last - name) + 1 : 0;
        }
        for (; n < f->prefix && name[n] == first[n]; n++)
            dot = name[n] == '.' ? n + 1 : dot;
        f->prefix = n < f->prefix ? dot : f->prefix;
    }
}

/* Is the next state x, perhaps with more behind it? */
static bool becomes_x(const rg_page *p, size_t k)
{
    uint32_t id = p->next[k].id;
    const rg_node *node = rg_node_at(p->sheet.g, id);
    return id == p->x.id || (node->op == &rg_op_concat && node->in[0] == p->x.id);
}

/* h, c, n, m; y for an output that no step reads, p for what becomes x, s0 … in a stack. */
static void name_states(rg_page *p, const char **name)
{
    static const char *const letter[] = { "h", "c", "n", "m" };
    size_t n = p->cell->n_state, at = 0;
    bool many = n > 4 || rg_cell_output(p->cell) > 0;
    for (size_t k = 0; k < n; k++) {
        bool read = p->sheet.term[p->s[k].id].wanted;
        name[k] = many ? rg_sheet_say(&p->sheet, "s%zu", k)
                : k == 0 && !read ? "y"
                : k > 0 && becomes_x(p, k) ? "p" : letter[at];
        at += k == 0 || strcmp(name[k], letter[at]) == 0;
    }
}

static void mark_roots(rg_page *p)
{
    for (size_t k = 0; k < p->cell->n_state; k++) {
        rg_term *term = &p->sheet.term[p->next[k].id];
        term->wanted = true;
        term->uses++;
    }
}

static bool write_cell(rg_page *p, const rg_out *out)
{
    rg_sheet *f = &p->sheet;
    size_t n = p->cell->n_state;
    const char **name = rg_arena_get(&f->arena, n * sizeof *name);
    const char **root = rg_arena_get(&f->arena, p->last * sizeof *root);
    if (!name || !root)
        return false;
    f->term[p->x.id].leaf = true;
    for (size_t k = 0; k < n; k++)
        f->term[p->s[k].id].leaf = true;
    mark_roots(p);
    rg_page_count(p);
    find_prefix(p);
    name_states(p, name);
    rg_page_clear(p);
    rg_page_leaf(p, p->x.id, "x");
    for (size_t k = 0; k < n; k++)
        rg_page_leaf(p, p->s[k].id, name[k]);
    mark_roots(p);
    for (size_t k = 0; k < n; k++)
        root[p->next[k].id] = rg_sheet_say(f, "%s'", name[k]);
    rg_page_write(p, root);
    for (size_t k = 0; k < n; k++) { /* one that is another state, or a leaf, has no term */
        const char *own = rg_sheet_say(f, "%s'", name[k]), *of = f->term[p->next[k].id].text;
        if (!f->failed && strcmp(own, of) != 0)
            rg_page_line(p, own, of, 0);
    }
    if (!f->failed)
        rg_page_print(p, out, "");
    return !f->failed;
}

rg_status rg_formula_print(const rg_cell *cell, rg_val x, const rg_val *s, rg_write_fn *write,
                           void *user)
{
    const rg_out out = { write, user };
    rg_page p;
    rg_status st = begin(&p, cell, x, s);
    if (!x.graph)
        return st;
    if (!st && !(rg_page_find_calls(&p) && write_cell(&p, &out) && rg_page_print_calls(&p, &out)))
        st = RG_ENOMEM;
    return end(&p, st);
}

/* Does it compute, or only move? */
static bool computes(const rg_op *op)
{
    const rg_op *const moves[] = { &rg_op_reshape, &rg_op_broadcast, &rg_op_transpose, &rg_op_slice,
                                   &rg_op_concat, &rg_op_reverse, &rg_op_detach, &rg_op_gather };
    for (size_t k = 0; k < sizeof moves / sizeof *moves; k++)
        if (moves[k] == op)
            return false;
    return true;
}

double rg_step_flop(const rg_cell *cell, rg_val x, const rg_val *s)
{
    rg_page p;
    double flop = 0;
    rg_status st = begin(&p, cell, x, s);
    if (!x.graph)
        return -1;
    if (!st) {
        mark_roots(&p);
        rg_page_count(&p);
    }
    for (uint32_t id = p.first; !st && id < p.last; id++) {
        const rg_node *node = rg_node_at(x.graph, id);
        double n = (double)rg_shape_count(*node->shape);
        if (!p.sheet.term[id].wanted || node->n_in == 0 || !computes(node->op))
            continue;
        const rg_shape *a = rg_node_at(x.graph, node->in[0])->shape;
        bool product = node->op == &rg_op_matmul;
        if (product && ((const rg_attr_matmul *)node->attr)->transpose_a)
            flop += 2 * n * (double)a->dim[a->rank - 2];
        else if (product)
            flop += 2 * n * (double)a->dim[a->rank - 1];
        else
            flop += n;
    }
    return end(&p, st) ? -1 : flop;
}
