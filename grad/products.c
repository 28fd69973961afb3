/* grad/products.c -- gradients and the products with Jacobians and Hessians, all of one sweep. */
#include "grad/reverse.h"

#include "ops/ops.h"

/* Every value set, real, and of one graph? Poisons that graph if not. */
static bool usable(rg_graph *g, const rg_val *v, size_t n, const char *who, const char *what)
{
    for (size_t i = 0; i < n && !g->status; i++) {
        if (!v[i].graph || !v[i].id)
            rg_poison(g, RG_EGRAPH, "%s: %s %zu is an unset value", who, what, i);
        else if (v[i].graph != g)
            rg_poison(g, RG_EGRAPH, "%s: %s %zu lives in another graph", who, what, i);
        else if (!rg_node_of(v[i]) || rg_kind_of(v[i]) != RG_F)
            rg_poison(g, RG_EDTYPE, "%s: %s %zu is not real", who, what, i);
    }
    return !g->status;
}

static bool same_shapes(rg_graph *g, const rg_val *a, const rg_val *b, size_t n, const char *who)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    for (size_t i = 0; i < n; i++) {
        const rg_shape p = rg_shape_of(a[i]), q = rg_shape_of(b[i]);
        if (!rg_shape_equal(p, q)) {
            rg_poison(g, RG_ESHAPE, "%s: direction %zu has shape %s, its value %s", who, i,
                      rg_shape_text(have, &p), rg_shape_text(want, &q));
            return false;
        }
    }
    return true;
}

static void all_inert(rg_val *out, size_t n, rg_graph *g)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (rg_val){ .graph = g };
}

/* The graph of the arguments, sound and with something to do, or NULL with inert results. */
static rg_graph *begin(rg_val *out, size_t n, const rg_val *y, size_t n_y, const rg_val *x,
                       size_t n_x)
{
    rg_graph *g = out && y && x ? rg_graph_of(y, n_y) : NULL;
    if (!g && x)
        g = rg_graph_of(x, n_x);
    if (out)
        all_inert(out, n, g);
    return g && !g->status && n_x && n_y ? g : NULL;
}

/* A plan with this gradient as a root serves the optimizer: remember whose it is. */
static void note_parameter(rg_graph *g, rg_val dx, rg_val x, rg_val y)
{
    if (rg_node_of(x)->op != &rg_op_param || rg_outcome_of(dx) != RG_GRADIENT)
        return;
    if (rg_reserve(&g->alloc, &g->note, &g->note_cap, g->n_note + 1, sizeof *g->note))
        g->note[g->n_note++] = (rg_gradient_note){ dx.id, x.id, y.id };
    else
        rg_poison(g, RG_ENOMEM, "grad: no memory");
}

void rg_grad(rg_val *dx, rg_val y, const rg_val *x, size_t n)
{
    char text[RG_SHAPE_TEXT];
    rg_graph *g = begin(dx, n, &y, 1, x, n);
    if (!g || !usable(g, &y, 1, "grad", "y") || !usable(g, x, n, "grad", "x"))
        return;
    const rg_shape shape = rg_shape_of(y);
    if (shape.rank) {
        rg_poison(g, RG_ESHAPE, "grad: y has shape %s; a gradient is of a scalar (rg_vjp takes a "
                  "seed)", rg_shape_text(text, &shape));
        return;
    }
    rg_val one = rg_const(g, 1);
    rg_sweep(dx, &y, &one, 1, x, n, "grad");
    for (size_t i = 0; i < n && !g->status; i++)
        note_parameter(g, dx[i], x[i], y);
}

void rg_vjp(rg_val *dx, const rg_val *y, const rg_val *gy, size_t n_y, const rg_val *x, size_t n_x)
{
    rg_graph *g = begin(dx, n_x, y, n_y, x, n_x);
    if (g && gy && usable(g, y, n_y, "vjp", "y") && usable(g, gy, n_y, "vjp", "seed") &&
        usable(g, x, n_x, "vjp", "x") && same_shapes(g, gy, y, n_y, "vjp"))
        rg_sweep(dx, y, gy, n_y, x, n_x, "vjp");
}

/* Jv by reversing twice: Jᵀw is linear in w, and its transpose applied to v is Jv. The value of w
 * does not matter, so it is zeros, which nothing reads in the end. */
void rg_jvp(rg_val *dy, const rg_val *y, size_t n_y, const rg_val *x, const rg_val *v, size_t n_x)
{
    rg_graph *g = begin(dy, n_y, y, n_y, x, n_x);
    if (!g || !v || !usable(g, y, n_y, "jvp", "y") || !usable(g, x, n_x, "jvp", "x") ||
        !usable(g, v, n_x, "jvp", "direction") || !same_shapes(g, v, x, n_x, "jvp"))
        return;
    rg_val *w = rg_get(&g->alloc, n_y * sizeof *w), *u = rg_get(&g->alloc, n_x * sizeof *u);
    if (!w || !u)
        rg_poison(g, RG_ENOMEM, "jvp: no memory");
    for (size_t i = 0; i < n_y && !g->status; i++)
        w[i] = rg_zeros(g, rg_shape_of(y[i]));
    if (!g->status)
        rg_sweep(u, y, w, n_y, x, n_x, "jvp");
    if (!g->status)
        rg_sweep(dy, u, v, n_x, w, n_y, "jvp");
    rg_release(&g->alloc, w, n_y * sizeof *w);
    rg_release(&g->alloc, u, n_x * sizeof *u);
}

void rg_hvp(rg_val *hv, rg_val y, const rg_val *x, const rg_val *v, size_t n)
{
    rg_graph *g = begin(hv, n, &y, 1, x, n);
    if (!g || !v || !usable(g, v, n, "hvp", "direction") || !same_shapes(g, v, x, n, "hvp"))
        return;
    rg_val *dx = rg_get(&g->alloc, n * sizeof *dx);
    if (!dx)
        rg_poison(g, RG_ENOMEM, "hvp: no memory");
    else
        rg_grad(dx, y, x, n);
    if (!g->status)
        rg_sweep(hv, dx, v, n, x, n, "hvp");
    rg_release(&g->alloc, dx, n * sizeof *dx);
}
