/* layers/scheduled.c -- a decoder that sometimes reads what it said itself, as it will once nobody
 * tells it the truth. */
#include "layers/cell.h"

#include <retrograd/attention.h>

#include "base/text.h"

static bool sound(rg_graph *g, const rg_cell *cell, rg_val y, const rg_scheduled *o)
{
    char text[RG_SHAPE_TEXT], number[RG_NUMBER_TEXT];
    const rg_shape is = rg_shape_of(y);
    if (!g || g->status)
        return false;
    if (!cell || !o || !o->read || !o->say || !o->stream)
        rg_poison(g, RG_EARG, "scheduled_sampling: needs a cell, functions to read and to say, and "
                  "a stream");
    else if (is.rank != 2 || is.dim[0] < 1 || rg_kind_of(y) != RG_INT)
        rg_poison(g, is.rank == 2 && is.dim[0] ? RG_EDTYPE : RG_ESHAPE, "scheduled_sampling: "
                  "targets are [T,B] of RG_INT, T at least 1, these are %s, %s",
                  rg_shape_text(text, &is), rg_kind_text(rg_kind_of(y)));
    else if (!(o->share >= 0 && o->share < 1))
        rg_poison(g, RG_EARG, "scheduled_sampling: the share must be in [0, 1), got %s",
                  rg_number(number, o->share, 9));
    return g->status == RG_OK;
}

rg_val rg_scheduled_sampling(const rg_cell *cell, rg_val y, const rg_val *s0,
                             const rg_scheduled *opts)
{
    rg_graph *g = y.graph;
    if (!sound(g, cell, y, opts))
        return (rg_val){ .graph = g };
    const int64_t T = rg_dim(y, 0), B = rg_dim(y, 1);
    rg_val *z = rg_graph_alloc(g, (size_t)T * sizeof *z);
    rg_val *s = rg_graph_alloc(g, cell->n_state * sizeof *s);
    rg_val taught = rg_shift_in(y, opts->begin);
    rg_val mask = rg_dropout_mask(g, RG_SHAPE(T, B), opts->share, opts->stream);
    rg_val truth = rg_less(rg_const(g, 0), mask); /* everywhere, in an evaluation plan */
    for (int64_t t = 0; z && s && t < T && !g->status; t++) {
        rg_val id = rg_select(taught, 0, t);
        if (t > 0) /* argmax has no derivative: what was said is read as if it were given */
            id = rg_where(rg_select(truth, 0, t), id, rg_argmax(z[t - 1], -1));
        rg_val x = opts->read(opts->weights, id);
        rg_step(s, cell, x, t ? s : s0, t);
        rg_scope_push(g, "say", t);
        z[t] = opts->say(opts->weights, s[rg_cell_output(cell)]);
        rg_scope_pop(g);
    }
    return z && s ? rg_stack(z, (size_t)T, 0) : (rg_val){ .graph = g };
}
