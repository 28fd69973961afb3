/* layers/zoneout.c -- states that a step leaves as they were, at random:
 *
 *     training      s' = z∘s + (1-z)∘s~        z ~ Bernoulli(p), anew at every step
 *     evaluation    s' = p·s + (1-p)·s~        its mean
 *
 * Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations", 2017. */
#include "layers/cell.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct zoned {
    rg_cell       cell;
    const double *p;  /* [n_state] */
};

/* With u = dropout(1): 1/(1-p) > 1 or 0 in training, 1 in evaluation, the weight of the new state
 * is 1 or 0, else 1-p. */
static rg_val mix(rg_val old, rg_val new, double p, size_t k)
{
    rg_graph *g = new.graph;
    char stream[32];
    (void)snprintf(stream, sizeof stream, "zoneout%zu", k);
    rg_val one = rg_full(g, rg_shape_of(new), 1);
    rg_val u = rg_dropout(one, p, stream);
    rg_val w = rg_where(rg_less(one, u), one, rg_scale(u, 1 - p));
    return rg_add(rg_mul(w, new), rg_mul(rg_one_minus(w), old));
}

static void zoned_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct zoned *z = weights;
    z->cell.step(z->cell.weights, x, s, next);
    for (size_t k = 0; k < z->cell.n_state; k++) {
        if (z->p[k] == 0 || !next[k].id || !rg_shape_equal(rg_shape_of(s[k]), rg_shape_of(next[k])))
            continue; /* a state that is not as it should be is the caller's to report */
        next[k] = z->p[k] == 1 ? s[k] : mix(s[k], next[k], z->p[k], k);
    }
}

const rg_cell *rg_zoned_cell(const rg_cell *cell)
{
    return cell->step == zoned_step ? &((const struct zoned *)cell->weights)->cell : NULL;
}

static bool shares_ok(rg_graph *g, const rg_cell *cell, const double *p)
{
    char text[RG_NUMBER_TEXT];
    if (!g || g->status)
        return false;
    if (!cell || !cell->step || !cell->n_state || !p)
        rg_poison(g, RG_EARG, "zoneout: a cell and a share for each of its states are needed");
    for (size_t k = 0; !g->status && k < cell->n_state; k++)
        if (!(p[k] >= 0 && p[k] <= 1))
            rg_poison(g, RG_EARG, "zoneout: the share of state %zu must be in [0, 1], got %s", k,
                      rg_number(text, p[k], 9));
    return g->status == RG_OK;
}

/* One cell, none a stack. */
static rg_cell zoned(rg_graph *graph, const rg_cell *cell, const double *p)
{
    struct zoned *z = rg_graph_alloc(graph, sizeof *z);
    double *own = rg_graph_alloc(graph, cell->n_state * sizeof *own);
    if (!z || !own)
        return *cell;
    memcpy(own, p, cell->n_state * sizeof *own);
    *z = (struct zoned){ *cell, own };
    return (rg_cell){ cell->name, cell->n_state, cell->width, zoned_step, z };
}

/* How many layers a stack has, 0 for no stack; -1: one of them is a stack, and no room is made for
 * a mask in its middle. */
static int64_t layers_of(rg_graph *graph, const rg_cell *cell)
{
    const rg_cell *layer;
    int64_t n = 0;
    for (; (layer = rg_stack_layer(cell, (size_t)n)); n++)
        if (rg_stack_layer(layer, 0)) {
            rg_poison(graph, RG_EARG, "zoneout: layer %lld of the stack is a stack itself; make "
                      "one stack of all cells", (long long)n);
            return -1;
        }
    return n;
}

/* In a stack every layer by itself: the next one reads what the mask has left of its output. */
rg_cell rg_zoneout(rg_graph *graph, const rg_cell *cell, const double *p)
{
    if (!shares_ok(graph, cell, p))
        return cell ? *cell : (rg_cell){ .name = "zoneout" };
    int64_t n = layers_of(graph, cell);
    if (n == 0)
        return zoned(graph, cell, p);
    rg_cell *cells = n > 0 ? rg_graph_alloc(graph, (size_t)n * sizeof *cells) : NULL;
    if (!cells)
        return *cell;
    for (size_t l = 0, at = 0; l < (size_t)n; l++) {
        cells[l] = zoned(graph, rg_stack_layer(cell, l), p + at);
        at += cells[l].n_state;
    }
    return rg_stacked(graph, cells, (size_t)n, rg_stack_between(cell));
}
