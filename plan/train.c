/* plan/train.c -- the short way to a training plan. The one file of plan/ that asks grad/. */
#include "plan/plan.h"

#include <retrograd/grad.h>

static rg_status plan_roots(rg_plan **out, rg_graph *g, rg_val loss, const rg_val *also, size_t n,
                            rg_val *x, rg_val *roots, const rg_plan_opts *opts)
{
    rg_plan_opts o = opts ? *opts : (rg_plan_opts){ .threads = 0 };
    size_t n_root = 0, used = 0;
    o.objective = loss;
    for (size_t i = 0; i < g->param_node_cap; i++)
        if (g->param_node[i] && !g->params->slot[i]->frozen)
            x[used++] = (rg_val){ g, g->param_node[i] };
    roots[n_root++] = loss;
    for (size_t i = 0; i < n; i++)
        roots[n_root++] = also[i];
    rg_grad(roots + n_root, loss, x, used);
    if (g->status)
        return g->status;
    size_t first = n_root;
    for (size_t i = 0; i < used; i++)
        if (rg_outcome_of(roots[first + i]) == RG_GRADIENT)
            roots[n_root++] = roots[first + i];
    if (n_root == first)
        return rg_graph_fail(g, RG_EGRAPH, "plan: the loss reaches no unfrozen parameter");
    return rg_plan_create(out, roots, n_root, &o);
}

rg_status rg_plan_create_train(rg_plan **out, rg_val loss, const rg_val *also, size_t n,
                               const rg_plan_opts *opts)
{
    rg_graph *g = loss.graph ? loss.graph : also ? rg_graph_of(also, n) : NULL;
    if (out)
        *out = NULL;
    if (!out || !g || (n && !also))
        return RG_EARG;
    if (g->status)
        return g->status;
    if (!rg_node_of(loss) || rg_shape_of(loss).rank)
        return rg_graph_fail(g, rg_node_of(loss) ? RG_ESHAPE : RG_EARG,
                             "plan: the loss must be a scalar value");
    size_t n_x = g->param_node_cap;
    rg_val *x = rg_get(&g->alloc, n_x * sizeof *x);
    rg_val *roots = rg_get(&g->alloc, (n_x + n + 1) * sizeof *roots);
    rg_status st = x && roots ? plan_roots(out, g, loss, also, n, x, roots, opts)
                              : rg_graph_fail(g, RG_ENOMEM, "plan: no memory");
    rg_release(&g->alloc, x, n_x * sizeof *x);
    rg_release(&g->alloc, roots, (n_x + n + 1) * sizeof *roots);
    return st;
}
