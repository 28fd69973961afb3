/* layers/stack.c -- several cells as one: each reads the output of the one below. */
#include "layers/cell.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct layer {
    rg_cell cell;
    char    name[24];  /* scope: random draws inside differ from layer to layer */
};

struct stack {
    size_t       n;
    double       between;
    struct layer layer[];
};

static void stack_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct stack *p = weights;
    for (size_t l = 0; l < p->n; l++) {
        const rg_cell *cell = &p->layer[l].cell;
        rg_scope_push(x.graph, p->layer[l].name, RG_NO_STEP);
        if (l > 0 && p->between > 0)
            x = rg_dropout(x, p->between, "between");
        cell->step(cell->weights, x, s, next);
        x = next[rg_cell_output(cell)];
        rg_scope_pop(x.graph);
        s += cell->n_state;
        next += cell->n_state;
    }
}

const rg_cell *rg_stack_layer(const rg_cell *cell, size_t l)
{
    const struct stack *p = cell->step == stack_step ? cell->weights : NULL;
    return p && l < p->n ? &p->layer[l].cell : NULL;
}

double rg_stack_between(const rg_cell *stack)
{
    return ((const struct stack *)stack->weights)->between;
}

size_t rg_cell_output(const rg_cell *cell)
{
    size_t at = 0;
    while (cell && cell->step == stack_step && cell->weights) {
        const struct stack *p = cell->weights;
        for (size_t l = 0; l + 1 < p->n; l++)
            at += p->layer[l].cell.n_state;
        cell = &p->layer[p->n - 1].cell;
    }
    return at;
}

static bool cells_ok(rg_graph *g, const rg_cell *cells, size_t n, double between)
{
    char text[RG_NUMBER_TEXT];
    if (!g || g->status)
        return false;
    if (!cells || !n)
        rg_poison(g, RG_EARG, "stacked: no cells");
    else if (!(between >= 0 && between < 1))
        rg_poison(g, RG_EARG, "stacked: dropout between layers must be in [0, 1), got %s",
                  rg_number(text, between, 9));
    for (size_t l = 0; l < n && !g->status; l++)
        if (!cells[l].step || !cells[l].n_state)
            rg_poison(g, RG_EARG, "stacked: cell %zu has no step function or no state", l);
    return g->status == RG_OK;
}

/* All widths in a row; NULL if a cell has none. */
static int64_t *widths(rg_graph *g, const rg_cell *cells, size_t n, size_t n_state)
{
    int64_t *width = rg_graph_alloc(g, n_state * sizeof *width), *at = width;
    for (size_t l = 0; l < n && width; l++) {
        if (!cells[l].width)
            return NULL;
        memcpy(at, cells[l].width, cells[l].n_state * sizeof *at);
        at += cells[l].n_state;
    }
    return width;
}

rg_cell rg_stacked(rg_graph *graph, const rg_cell *cells, size_t n, double between)
{
    struct stack *p = NULL;
    const int64_t *width = NULL;
    size_t n_state = 0;
    if (cells_ok(graph, cells, n, between) &&
        (p = rg_graph_alloc(graph, sizeof *p + n * sizeof p->layer[0]))) {
        p->n = n;
        p->between = between;
        for (size_t l = 0; l < n; l++) {
            p->layer[l].cell = cells[l];
            (void)snprintf(p->layer[l].name, sizeof p->layer[l].name, "l%zu", l);
            n_state += cells[l].n_state;
        }
        width = widths(graph, cells, n, n_state);
    }
    return rg_cell_of("stacked", n_state, width, stack_step, p);
}
