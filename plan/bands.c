/* plan/bands.c -- into how many bands of columns the readers of a product take it apart.
 *
 * A product [B,N] of which all views are of w columns, from multiples of w on, has N/w bands. What
 * computes on a view needs for its columns u .. v only those columns of each band. */
#include "plan/lower.h"

#include "ops/ops.h"
#include "plan/made.h"

enum { MOST = 8 };  /* bands: each is a call of the kernel */

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        const int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Columns between the cuts of a product that this view makes: its width, and where it begins. */
static void take_apart(const rg_code *c, uint32_t id, uint32_t product)
{
    const rg_shape *view = c->p->node[id].shape, *whole = c->p->node[product].shape;
    const rg_layout from = rg_layout_of(c, product);
    const int64_t row = from.stride[whole->rank - 2], n = whole->dim[whole->rank - 1];
    const int64_t apart = c->view[id].offset - from.offset;
    if (n == 0)
        return;
    const int64_t at = apart % (row > n ? row : n);
    if (view->rank == 0)
        c->band[product] = 1;
    else
        c->band[product] = gcd(gcd(c->band[product], view->dim[view->rank - 1]), at);
}

bool rg_code_bands(rg_code *c)
{
    const rg_prog *p = c->p;
    c->band = rg_arena_get(&c->work, p->n_node * sizeof *c->band);
    for (uint32_t id = 1; c->band && id < p->n_node; id++) {
        const uint32_t from = c->source[id];
        if (rg_is_matmul(&p->node[id]))
            c->band[id] = p->node[id].shape->dim[p->node[id].shape->rank - 1];
        else if (c->form[id] == RG_VIEW && rg_is_matmul(&p->node[from]))
            take_apart(c, id, from);
    }
    return c->band;
}

int64_t rg_bands_of(const rg_code *c, uint32_t id)
{
    const rg_shape *shape = c->p->node[id].shape;
    const int64_t n = shape->dim[shape->rank - 1], w = c->band[id];
    return w > 0 && n / w <= MOST ? n / w : 1;
}
