/* check/dot.c -- forward against reverse mode: ⟨w, J·v⟩ = ⟨Jᵀ·w, v⟩ for the Jacobian of what the
 * loss sums. Forward mode is reverse mode differentiated again, so this proves that every rule is
 * linear and that its transpose is right, not that it is the derivative. docs/MATH.md 13.5. */
#include "check/check.h"

#include "base/philox.h"

#include <math.h>

enum { LEFT = 0, RIGHT = 1 };

/* x and v by tensor, y and w by term of the loss. */
struct product {
    rg_check_copy copy;
    rg_val  *x, *v, *back;    /* back = Jᵀ·w */
    rg_val  *y, *w, *forth;   /* forth = J·v */
    double **v_data, **w_data;
    size_t   n_y;
    rg_plan *plan;
};

/* A constant of the value's shape, uniform in ±scale; *data is NULL where memory ends. */
static rg_val draw(rg_check *c, rg_val like, double scale, uint64_t stream, double **data)
{
    const rg_shape shape = rg_shape_of(like);
    const int64_t n = rg_shape_count(shape);
    const uint64_t tail = rg_stream_tail(rg_fnv1a("dot product"), stream);
    double *x = *data = rg_arena_get(&c->arena, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n && x; i++)
        x[i] = scale * (2 * rg_draw_uniform(c->seed, RG_DOMAIN_CHECK, tail, (uint64_t)i) - 1);
    return x ? rg_constant(like.graph, RG_F, shape, x, (size_t)n) : (rg_val){ .graph = like.graph };
}

static rg_status find_terms(rg_check *c, struct product *p)
{
    const rg_val value = { p->copy.g, p->copy.of[c->loss.id] };
    double *factor;
    rg_status st = rg_check_terms(c, value, &factor);
    if (st || !(p->y = rg_arena_get(&c->arena, (size_t)value.id * sizeof *p->y)))
        return st ? st : rg_check_no_memory(c);
    for (uint32_t id = 1; id <= value.id; id++)
        if (factor[id] > 0)
            p->y[p->n_y++] = (rg_val){ p->copy.g, id };
    return RG_OK;
}

static bool reserve(rg_check *c, struct product *p)
{
    rg_val *v = rg_arena_get(&c->arena, (3 * c->n_tensor + 2 * p->n_y) * sizeof *v);
    p->v_data = rg_arena_get(&c->arena, c->n_tensor * sizeof *p->v_data);
    p->w_data = rg_arena_get(&c->arena, p->n_y * sizeof *p->w_data);
    if (!v || !p->v_data || !p->w_data)
        return false;
    p->x = v;
    p->v = p->x + c->n_tensor;
    p->w = p->v + c->n_tensor;
    p->back = p->w + p->n_y;       /* what is computed: one behind the other */
    p->forth = p->back + c->n_tensor;
    return true;
}

/* v in ±1/‖ḡ‖, so that tensors of small gradient count as much; but see second.c for zeros. In a
 * copy of its own, since a graph in which no second derivative was found stays an error. */
static rg_status build(rg_check *c, struct product *p)
{
    double most = 0;
    rg_status st = rg_check_copy_whole(c, &p->copy);
    if (st || (st = find_terms(c, p)))
        return st;
    if (!reserve(c, p))
        return rg_check_no_memory(c);
    for (size_t i = 0; i < c->n_tensor; i++)
        most = fmax(most, rg_check_largest(rg_plan_data(c->interpreted, c->total[i]),
                                           c->tensor[i].n));
    for (size_t i = 0; i < c->n_tensor; i++) {
        const double *g = rg_plan_data(c->interpreted, c->total[i]);
        const double size = fmax(rg_check_largest(g, c->tensor[i].n), 1e-3 * most);
        p->x[i] = (rg_val){ p->copy.g, p->copy.of[c->tensor[i].id] };
        p->v[i] = draw(c, p->x[i], size > 0 ? 1 / size : 1, 2 * i + LEFT, &p->v_data[i]);
        if (!p->v_data[i])
            return rg_check_no_memory(c);
    }
    for (size_t i = 0; i < p->n_y; i++) {
        p->w[i] = draw(c, p->y[i], 1, 2 * i + RIGHT, &p->w_data[i]);
        if (!p->w_data[i])
            return rg_check_no_memory(c);
    }
    rg_vjp(p->back, p->y, p->w, p->n_y, p->x, c->n_tensor);
    rg_jvp(p->forth, p->y, p->n_y, p->x, p->v, c->n_tensor);
    return RG_OK;
}

/* ⟨Jᵀ·w, v⟩ and ⟨w, J·v⟩ */
static double back(rg_check *c, const struct product *p, double *size)
{
    return rg_check_inner(p->plan, p->back, p->v_data, c->n_tensor, size);
}

static double forth(const struct product *p, double *size)
{
    return rg_check_inner(p->plan, p->forth, p->w_data, p->n_y, size);
}

/* To 1e-12 of the terms, or what rounding does to them. */
static rg_status compare(rg_check *c, struct product *p)
{
    double left = 0, right = 0, rounding = 0;
    rg_status st = rg_check_run(c, p->plan);
    if (st)
        return st;
    const double one = back(c, p, &left), two = forth(p, &right), off = fabs(one - two);
    const double size = fmax(left, right);
    if (!isfinite(off)) {
        rg_check_law_open(c, RG_LAW_DOT, RG_NOT_RUN, "a derivative is not finite");
        return RG_OK;
    }
    for (uint64_t k = 0; k < RG_CHECK_DISTURBED && !st && off > 1e-12 * size; k++) {
        st = rg_check_run_disturbed(c, p->plan, RG_F64, k);
        const double moved = fabs(back(c, p, &left) - one) + fabs(forth(p, &right) - two);
        rounding = fmax(rounding, RG_CHECK_SAFETY * moved);
    }
    if (!st)
        rg_check_observe(c, RG_LAW_DOT, (rg_gradcheck_law){
            .tensor = "", .step = RG_NO_STEP, .got = one, .want = two,
            .error = off == 0 ? 0 : off / size,
            .bound = 1e-12 + (rounding > 0 ? rounding / size : 0) });
    return st;
}

rg_status rg_check_dot(rg_check *c)
{
    struct product p = { .n_y = 0 };
    rg_status st = build(c, &p);
    if (!st && p.copy.g->status == RG_ENOGRAD) {
        const char *why = rg_arena_text(&c->arena, rg_graph_message(p.copy.g));
        rg_check_law_open(c, RG_LAW_DOT, RG_NOT_RUN, why ? why : "");
    } else if (!st && p.copy.g->status) {
        st = rg_fail(&c->err, p.copy.g->status, "%s", rg_graph_message(p.copy.g));
    } else if (!st && !(st = rg_check_plan(c, &p.plan, &p.copy, p.back, c->n_tensor + p.n_y,
                                           RG_INTERPRET))) {
        st = compare(c, &p);
    }
    rg_plan_destroy(&p.plan);
    rg_graph_destroy(&p.copy.g);
    return st;
}
