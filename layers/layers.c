/* layers/layers.c -- layers over a whole sequence, one after the other: of one direction or two,
 * with dropout around them, each perhaps added to what it reads or mixed with it. */
#include "layers/cell.h"

#include "base/text.h"

#include <stdio.h>

static bool layers_ok(rg_graph *g, const rg_cell *cells, size_t n, const rg_layers_opts *o)
{
    const double p[3] = { o->input, o->between, o->output };
    static const char *const name[3] = { "input", "between", "output" };
    char text[RG_NUMBER_TEXT];
    if (!g || g->status)
        return false;
    if (!cells || !n)
        rg_poison(g, RG_EARG, "layers: no cells");
    else if (o->bidirectional && o->merge == RG_MERGE_NONE)
        rg_poison(g, RG_EARG, "layers: the next layer reads one sequence, so merge must not be "
                  "RG_MERGE_NONE");
    else if (!o->bidirectional && o->merge)
        rg_poison(g, RG_EARG, "layers: merge is for two directions; leave it 0");
    else if (o->residual && o->highway)
        rg_poison(g, RG_EARG, "layers: a layer is residual or a highway, not both");
    for (int k = 0; k < 3 && !g->status; k++)
        if (!(p[k] >= 0 && p[k] < 1))
            rg_poison(g, RG_EARG, "layers: dropout '%s' must be in [0, 1), got %s", name[k],
                      rg_number(text, p[k], 9));
    return g->status == RG_OK;
}

/* `<group>.l<l>`; a name that is cut is still too long for rg_param(). */
static const char *highway_group(char out[RG_NAME_BYTES + 2], const char *group, size_t l)
{
    (void)snprintf(out, RG_NAME_BYTES + 2, "%s.l%zu", group, l);
    return out;
}

/* Layer l; its scope makes its random draws its own. */
static rg_val layer(rg_val *last, const rg_cell *cell, size_t l, rg_val x, const rg_val *s0,
                    const double *zoneout, const rg_layers_opts *o)
{
    rg_unroll_opts run = { .mask = o->mask, .reset = o->reset, .zoneout = zoneout,
                           .back = o->back };
    rg_graph *g = x.graph;
    char scope[24], group[RG_NAME_BYTES + 2];
    (void)snprintf(scope, sizeof scope, "l%zu", l);
    rg_scope_push(g, scope, RG_NO_STEP);
    x = l ? rg_dropout(x, o->between, "between") : rg_dropout_locked(x, o->input, "input");
    rg_val y = o->bidirectional ? rg_bidirectional(last, NULL, cell, x, s0, o->merge, &run)
                                : rg_unroll(last, cell, x, s0, &run);
    if (o->residual && l)
        y = rg_residual(x, y, o->mask);
    if (o->highway && l)
        y = rg_highway(x, y, highway_group(group, o->highway, l), o->mask);
    rg_scope_pop(g);
    return y;
}

rg_val rg_layers(rg_val *last, const rg_cell *cells, size_t n, rg_val X, const rg_val *s0,
                 const rg_layers_opts *opts)
{
    const rg_layers_opts o = opts ? *opts : (rg_layers_opts){ .residual = false };
    const size_t directions = o.bidirectional ? 2 : 1;
    rg_graph *g = X.graph;
    bool ok = layers_ok(g, cells, n, &o);
    rg_val y = X;
    size_t at = 0;
    for (size_t l = 0; ok && l < n; l++) {
        const rg_cell *cell = cells + l * directions;
        y = layer(last ? last + at : NULL, cell, l, y, s0 ? s0 + at : NULL,
                  o.zoneout ? o.zoneout + at : NULL, &o);
        at += cell[0].n_state + (directions > 1 ? cell[1].n_state : 0);
    }
    if (!g || g->status)
        return (rg_val){ .graph = g };
    return rg_dropout(y, o.output, "output");
}
