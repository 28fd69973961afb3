/* layers/gate.c -- a gate: U, W, b and the sum x·U + h·W + b. What most cells are made of. */
#include "layers/cell.h"

#include <stdio.h>

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

rg_val rg_gate_param(rg_graph *graph, const char *group, const char *letter, const char *suffix,
                     rg_shape shape, rg_init init)
{
    char name[RG_NAME_BYTES + 2]; /* one that is cut is still too long for rg_param() */
    (void)snprintf(name, sizeof name, "%s%s", letter, suffix ? suffix : "");
    return rg_param(graph, group, name, shape, init);
}

rg_gate rg_gate_declare(rg_graph *graph, const char *group, const char *gate, int64_t I, int64_t H,
                        double bias)
{
    rg_gate p = { .U = { .graph = graph }, .W = { .graph = graph }, .b = { .graph = graph } };
    if (!rg_widths_ok(graph, "gate", group, I, H))
        return p;
    p.U = rg_gate_param(graph, group, "U", gate, RG_SHAPE(I, H), rg_init_glorot());
    p.W = rg_gate_param(graph, group, "W", gate, RG_SHAPE(H, H), rg_init_orthogonal(1));
    p.b = rg_gate_param(graph, group, "b", gate, RG_SHAPE(H), rg_init_const(bias));
    return p;
}

rg_val rg_gate_sum(const rg_gate *gate, rg_val x, rg_val h)
{
    if (!gate)
        return x.graph ? rg_poison(x.graph, RG_EARG, "gate sum: no gate") : RG_NONE;
    return rg_affine2(x, gate->U, h, gate->W, gate->b);
}
