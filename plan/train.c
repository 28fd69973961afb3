/* plan/train.c -- the short way to a training plan. The one file of plan/ that asks grad/. */
#include "plan/plan.h"

#include <retrograd/grad.h>

static size_t trainable(const rg_graph *g, rg_val *x)
{
    size_t n = 0;
    for (size_t i = 0; i < g->param_node_cap; i++)
        if (g->param_node[i] && !g->params->slot[i]->frozen)
            x[n++] = (rg_val){ (rg_graph *)g, g->param_node[i] };
    return n;
}

rg_status rg_train_roots(rg_val *root, size_t *n, rg_val loss, const rg_val *inner, rg_val *dinner,
                         size_t n_inner)
{
    rg_graph *g = loss.graph;
    const size_t most = g->param_node_cap + n_inner;
    rg_val *x = rg_get(&g->alloc, 2 * most * sizeof *x), *dx = x + most;
    if (!x)
        return rg_graph_fail(g, RG_ENOMEM, "plan: no memory");
    const size_t own = trainable(g, x);
    for (size_t i = 0; i < n_inner; i++)
        x[own + i] = inner[i];
    rg_grad(dx, loss, x, own + n_inner);
    *n = 0;
    for (size_t i = 0; i < own && !g->status; i++)
        if (rg_outcome_of(dx[i]) == RG_GRADIENT)
            root[(*n)++] = dx[i];
    for (size_t i = 0; i < n_inner; i++)
        dinner[i] = dx[own + i];
    rg_release(&g->alloc, x, 2 * most * sizeof *x);
    return g->status || *n ? g->status
         : rg_graph_fail(g, RG_EGRAPH, "plan: the loss reaches no unfrozen parameter");
}

static rg_status plan_roots(rg_plan **out, rg_val loss, const rg_val *also, size_t n, rg_val *roots,
                            const rg_plan_opts *opts)
{
    rg_plan_opts o = opts ? *opts : (rg_plan_opts){ .threads = 0 };
    size_t made;
    o.objective = loss;
    roots[0] = loss;
    for (size_t i = 0; i < n; i++)
        roots[1 + i] = also[i];
    rg_status st = rg_train_roots(roots + 1 + n, &made, loss, NULL, NULL, 0);
    return st ? st : rg_plan_create(out, roots, 1 + n + made, &o);
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
    const size_t bytes = (g->param_node_cap + n + 1) * sizeof(rg_val);
    rg_val *roots = rg_get(&g->alloc, bytes);
    rg_status st = roots ? plan_roots(out, loss, also, n, roots, opts)
                         : rg_graph_fail(g, RG_ENOMEM, "plan: no memory");
    rg_release(&g->alloc, roots, bytes);
    return st;
}
