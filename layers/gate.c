/* layers/gate.c -- a gate: U, W, b and the sum x·U + h·W + b. What most cells are made of. */
#include "layers/cell.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

bool rg_widths_ok(rg_graph *graph, const char *what, const char *group, int64_t I, int64_t H)
{
    if (!graph || graph->status)
        return false;
    if (I >= 1 && H >= 1)
        return true;
    rg_poison(graph, RG_EARG, "%s '%s': widths must be at least 1, got I = %lld, H = %lld", what,
              group ? group : "", (long long)I, (long long)H);
    return false;
}

rg_val rg_within(rg_val v, double bound)
{
    return bound > 0 ? rg_clip(v, -bound, bound) : v;
}

rg_val rg_gate_param(rg_graph *graph, const char *group, const char *letter, const char *suffix,
                     rg_shape shape, rg_init init)
{
    char name[RG_NAME_BYTES + 2]; /* one that is cut is still too long for rg_param() */
    (void)snprintf(name, sizeof name, "%s%s", letter, suffix ? suffix : "");
    return rg_param(graph, group, name, shape, init);
}

const char *rg_gate_stream(rg_graph *graph, const char *group)
{
    size_t n = group ? strlen(group) : 0;
    char *name = graph ? rg_graph_alloc(graph, n + sizeof ".h") : NULL;
    if (name)
        (void)snprintf(name, n + sizeof ".h", "%s.h", group ? group : "");
    return name;
}

rg_gate rg_gate_declare(rg_graph *graph, const char *group, const char *gate, int64_t I, int64_t H,
                        double bias)
{
    rg_gate p = { .U = { .graph = graph }, .W = { .graph = graph }, .b = { .graph = graph },
                  .stream = rg_gate_stream(graph, group) };
    if (!rg_widths_ok(graph, "gate", group, I, H))
        return p;
    p.U = rg_gate_param(graph, group, "U", gate, RG_SHAPE(I, H), rg_init_glorot());
    p.W = rg_gate_param(graph, group, "W", gate, RG_SHAPE(H, H), rg_init_orthogonal(1));
    p.b = rg_gate_param(graph, group, "b", gate, RG_SHAPE(H), rg_init_const(bias));
    return p;
}

/* The same mask at every step: h∘d where it meets W, h itself wherever else it goes. Gal &
 * Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks",
 * 2016. */
rg_val rg_gate_state(const rg_gate *gate, rg_val h)
{
    char text[RG_NUMBER_TEXT];
    if (!gate || gate->drop == 0 || !h.graph || h.graph->status)
        return h;
    if (!(gate->drop > 0 && gate->drop < 1))
        return rg_poison(h.graph, RG_EARG, "gate sum: recurrent dropout must be in [0, 1), got %s",
                         rg_number(text, gate->drop, 9));
    rg_val d = rg_dropout_mask(h.graph, rg_shape_of(h), gate->drop,
                               gate->stream ? gate->stream : "recurrent");
    return rg_mul(h, d);
}

rg_val rg_gate_sum(const rg_gate *gate, rg_val x, rg_val h)
{
    if (!gate)
        return x.graph ? rg_poison(x.graph, RG_EARG, "gate sum: no gate") : RG_NONE;
    return rg_affine2(x, gate->U, rg_gate_state(gate, h), gate->W, gate->b);
}
