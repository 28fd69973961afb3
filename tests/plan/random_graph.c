/* tests/plan/random_graph.c -- the generator behind the differential test. */
#include "tests/plan/random_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 4096 };

/* ---- Numbers -------------------------------------------------------------------------------- */

static uint64_t draw(random_graph *r)
{
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 (Steele et al. 2014) */
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int below(random_graph *r, int n)
{
    return (int)(draw(r) % (uint64_t)n);
}

static double between(random_graph *r, double lo, double hi)
{
    return lo + (hi - lo) * (double)(draw(r) >> 11) * 0x1p-53;
}

static int64_t extent(random_graph *r)
{
    static const int64_t some[] = { 1, 2, 3, 5, 1, 2, 3, 4, 7, 5, 16, 17, 33, 0 };
    const int kind = below(r, 30);
    return some[kind < 29 ? kind % 13 : 13];
}

/* ---- Values --------------------------------------------------------------------------------- */

static void keep(random_graph *r, rg_val v, bool plain)
{
    r->broken |= rg_graph_status(r->graph) != RG_OK;
    if (r->broken || rg_shape_count(rg_shape_of(v)) > MOST_ELEMENTS ||
        r->n_value == RG_RANDOM_VALUES)
        return;
    r->plain[r->n_value] = plain;
    r->value[r->n_value++] = v;
}

static rg_val new_input(random_graph *r, rg_kind kind, rg_shape shape, int bound)
{
    if (r->n_input == RG_RANDOM_INPUTS)
        return RG_NONE;
    const int64_t n = rg_shape_count(shape);
    double *x = calloc((size_t)n + 1, sizeof *x);
    if (!x)
        abort();
    for (int64_t i = 0; i < n; i++)
        x[i] = kind == RG_F ? between(r, -1.5, 1.5) : (double)below(r, kind == RG_BOOL ? 2 : bound);
    if (kind == RG_F && r->nonfinite && n && below(r, 3) == 0)
        x[below(r, (int)n)] = below(r, 3) == 0 ? NAN : below(r, 2) ? INFINITY : -INFINITY;
    r->data[r->n_input] = x;
    return r->input[r->n_input++] = rg_input(r->graph, NULL, kind, shape);
}

static rg_shape some_shape(random_graph *r, int least)
{
    rg_shape s = { .rank = least + below(r, 4 - least) };
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = extent(r);
    for (int i = 0; rg_shape_count(s) > MOST_ELEMENTS; i++)
        s.dim[i] = 1;
    return s;
}

/* A real value already there; of rank at least `least`. */
static size_t pick(random_graph *r, int least)
{
    for (int tries = 0; tries < 50 && r->n_value; tries++) {
        const size_t i = (size_t)below(r, (int)r->n_value);
        if (rg_kind_of(r->value[i]) == RG_F && rg_shape_of(r->value[i]).rank >= least)
            return i;
    }
    rg_shape shape = some_shape(r, least > 1 ? least : 1);
    keep(r, new_input(r, RG_F, shape, 0), true);
    return r->n_value - 1;
}

/* A value that broadcasts with x: x again, an old one that fits, or a new input or weight. */
static size_t partner(random_graph *r, size_t x)
{
    rg_shape s = rg_shape_of(r->value[x]);
    char name[32];
    if (below(r, 6) == 0)
        return x;
    for (size_t tries = 0; tries < 8; tries++) {
        const size_t i = (size_t)below(r, (int)r->n_value);
        rg_shape t = rg_shape_of(r->value[i]);
        bool fits = rg_kind_of(r->value[i]) == RG_F;
        for (int k = 0; k < s.rank && k < t.rank; k++) {
            const int64_t m = s.dim[s.rank - 1 - k], n = t.dim[t.rank - 1 - k];
            fits = fits && (m == n || m == 1 || n == 1);
        }
        if (fits)
            return i;
    }
    for (int k = 0; k < s.rank; k++)
        s.dim[k] = below(r, 3) == 0 ? 1 : s.dim[k];
    while (s.rank && below(r, 3) == 0) {
        memmove(s.dim, s.dim + 1, (size_t)(s.rank - 1) * sizeof *s.dim);
        s.rank--;
    }
    (void)snprintf(name, sizeof name, "p%zu", r->n_value);
    if (below(r, 2))
        keep(r, rg_param(r->graph, NULL, name, s, rg_init_uniform(1)), true);
    else
        keep(r, new_input(r, RG_F, s, 0), true);
    return r->n_value - 1;
}

static rg_val weight(random_graph *r, int64_t in, int64_t out)
{
    char name[48];
    /* few names per shape: weights are shared and tied */
    (void)snprintf(name, sizeof name, "w%d_%d_%d", below(r, 3), (int)in, (int)out);
    return rg_param(r->graph, NULL, name, RG_SHAPE(in, out), rg_init_uniform(0.7));
}

/* ---- Operations of a user's own ------------------------------------------------------------- */

/* y = x/(1+|x|); f64 only, so that f32 plans convert. */
static int soft_f64(const rg_kernel_args *k)
{
    const double *x = k->in[0];
    for (int64_t i = 0; i < k->n; i++)
        ((double *)k->out)[i] = x[i] / (1 + fabs(x[i]));
    return 0;
}

/* y = x/(1+|x|)  ->  dx = gy·(1-|y|)² */
static void soft_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, rg_square(rg_one_minus(rg_abs(v->out)))));
}

static const rg_op soft = { .name = "soft", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                            .vjp = soft_vjp, .kernel_f64 = soft_f64 };

/* a·b + c of three operands that broadcast, in both precisions. */
#define MUL_ADD(name, type)                                                                    \
    static int name(const rg_kernel_args *k)                                                   \
    {                                                                                          \
        const type *a = k->in[0], *b = k->in[1], *c = k->in[2];                                \
        for (int64_t i = 0; i < k->n; i++)                                                     \
            ((type *)k->out)[i] = a[i] * b[i] + c[i];                                          \
        return 0;                                                                              \
    }
MUL_ADD(mul_add_f32, float)
MUL_ADD(mul_add_f64, double)

static void mul_add_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
    rg_vjp_add(v, 1, rg_mul(v->gy, v->in[0]));
    rg_vjp_add(v, 2, v->gy);
}

static const rg_op mul_add = { .name = "mul_add", .arity = 3, .flags = RG_OP_ELEMENTWISE,
                               .vjp = mul_add_vjp, .kernel_f32 = mul_add_f32,
                               .kernel_f64 = mul_add_f64 };

/* ---- Steps ---------------------------------------------------------------------------------- */

static void add_unary(random_graph *r)
{
    const size_t x = pick(r, 0);
    rg_val v = r->value[x];
    switch (below(r, 13)) {
    case 0: keep(r, rg_tanh(v), false); break;
    case 1: keep(r, rg_sigmoid(v), false); break;
    case 2: keep(r, rg_neg(v), r->plain[x]); break;
    case 3: keep(r, rg_scale(v, between(r, -1, 1)), r->plain[x]); break;
    case 4: keep(r, rg_shift(v, between(r, -1, 1)), r->plain[x]); break;
    case 5: keep(r, rg_one_minus(v), r->plain[x]); break;
    case 6: keep(r, rg_sin(v), false); break;
    case 7: keep(r, rg_softplus(v), false); break;
    case 8: keep(r, rg_gelu(rg_tanh(v)), false); break;
    case 9: keep(r, rg_emit(&soft, NULL, &v, 1), false); break;
    case 10: keep(r, rg_exp(rg_neg(rg_square(rg_sin(v)))), false); break;
    case 11: keep(r, rg_scale(v, below(r, 2) ? 1 : -1), r->plain[x]); break;
    default:
        keep(r, r->plain[x] ? rg_relu(v) : rg_square(rg_tanh(v)), false);
    }
}

static void add_binary(random_graph *r)
{
    const size_t x = pick(r, 0), y = partner(r, x), z = partner(r, x);
    const bool plain = r->plain[x] && r->plain[y];
    rg_val a = r->value[x], b = r->value[y];
    switch (below(r, 8)) {
    case 0: keep(r, rg_add(a, b), plain); break;
    case 1: keep(r, rg_sub(a, b), plain); break;
    case 2: keep(r, rg_mul(a, rg_tanh(b)), false); break;
    case 3: keep(r, rg_div(a, rg_shift(rg_square(rg_sin(b)), 0.5)), false); break;
    case 4: keep(r, plain ? rg_maximum(a, b) : rg_add(a, b), false); break;
    case 5: keep(r, plain ? rg_where(rg_less(a, b), a, rg_tanh(b)) : rg_sub(b, a), false); break;
    case 6: keep(r, rg_mul(rg_sigmoid(a), rg_full(r->graph, rg_shape_of(a), 0.25)), false); break;
    default: {
        const rg_shape s = rg_shape_of(rg_add(a, b));
        rg_val c = rg_broadcast(rg_const(r->graph, 0.5), s);
        if (rg_shape_equal(rg_shape_of(rg_add(rg_add(a, b), c)), s) &&
            rg_shape_equal(rg_shape_of(r->value[z]), s))
            c = r->value[z];
        const rg_val in[3] = { rg_tanh(a), b, c };
        keep(r, rg_emit(&mul_add, NULL, in, 3), false);
    }
    }
}

static void add_product(random_graph *r)
{
    const size_t x = pick(r, 2);
    const rg_shape s = rg_shape_of(r->value[x]);
    const bool across = below(r, 4) == 0;
    const int64_t in = s.dim[s.rank - 1], out = extent(r);
    rg_val w = across ? weight(r, out, in) : weight(r, in, out);
    rg_val y = rg_matmul_t(r->value[x], w, false, across);
    if (below(r, 3) == 0) {
        char name[32];
        (void)snprintf(name, sizeof name, "b_%d", (int)out);
        y = rg_add(y, rg_param(r->graph, NULL, name, RG_SHAPE(out), rg_init_uniform(1)));
    }
    keep(r, below(r, 2) ? rg_tanh(y) : y, false);
    const bool first = below(r, 2);
    if (s.rank == 2 && below(r, 3) == 0) /* the same rows against themselves */
        keep(r, rg_scale(rg_matmul_t(y, y, first, !first), 0.1), false);
    if (rg_graph_status(r->graph))
        r->broken = true;
}

static void add_reduction(random_graph *r)
{
    const rg_val v = r->value[pick(r, 1)];
    const rg_shape s = rg_shape_of(v);
    const int axis = below(r, s.rank), keep_axis = below(r, 2);
    switch (below(r, 7)) {
    case 0: keep(r, rg_sum_over(v, axis, keep_axis), false); break;
    case 1: keep(r, rg_sum(v), false); break;
    case 2: keep(r, s.dim[axis] ? rg_softmax(v, axis) : v, false); break;
    case 3: keep(r, s.dim[axis] ? rg_logsumexp_over(v, axis, keep_axis) : v, false); break;
    case 4: keep(r, s.dim[axis] ? rg_log_softmax(v, axis) : v, false); break;
    case 5: keep(r, rg_sub(v, rg_tanh(rg_sum_over(v, s.rank - 1, true))), false); break;
    default: keep(r, rg_cumsum(v, axis), false);
    }
}

static void add_form(random_graph *r)
{
    const size_t x = pick(r, 1);
    const bool plain = r->plain[x];
    rg_val v = r->value[x];
    rg_shape s = rg_shape_of(v);
    const int axis = below(r, s.rank);
    int axes[RG_MAX_RANK];
    switch (below(r, 8)) {
    case 0: keep(r, rg_reshape(v, RG_SHAPE(rg_shape_count(s))), plain); break;
    case 1:
        for (int i = 0; i < s.rank; i++)
            axes[i] = (i + axis + 1) % s.rank;
        keep(r, rg_transpose(v, axes, (size_t)s.rank), plain);
        break;
    case 2: {
        const int64_t begin = below(r, (int)s.dim[axis] + 1);
        keep(r, rg_slice(v, axis, begin, begin + below(r, (int)(s.dim[axis] - begin) + 1)), plain);
        break;
    }
    case 3: keep(r, s.dim[axis] ? rg_select(v, axis, below(r, (int)s.dim[axis])) : v, plain); break;
    case 4: keep(r, s.rank < 4 ? rg_unsqueeze(v, axis) : v, plain); break;
    case 5: keep(r, rg_reverse(v, axis), plain); break;
    case 6: {
        if (s.rank < 4) {
            memmove(s.dim + 1, s.dim, (size_t)s.rank * sizeof *s.dim);
            s.dim[0] = 1 + below(r, 3);
            s.rank++;
        }
        keep(r, rg_broadcast(v, s), plain);
        break;
    }
    default: keep(r, rg_pad(v, axis, below(r, 3), below(r, 3), 0.5), plain);
    }
}

/* Several parts, among them the same twice, a slice of the first, and a constant. */
static void add_concat(random_graph *r)
{
    const size_t x = pick(r, 1);
    rg_val v = r->value[x], part[4] = { v, rg_tanh(v), v, v };
    const rg_shape s = rg_shape_of(v);
    const int axis = below(r, s.rank);
    part[2] = rg_slice(v, axis, 0, (s.dim[axis] + 1) / 2);
    part[3] = below(r, 2) ? rg_full(r->graph, s, 0.75) : rg_mul(v, v);
    keep(r, rg_concat(part, (size_t)(2 + below(r, 3)), axis), false);
    if (below(r, 2) && s.rank < 5)
        keep(r, rg_stack(part, 2, below(r, s.rank + 1)), false);
}

static void add_lookup(random_graph *r)
{
    const int64_t rows = 1 + below(r, 6), width = 1 + below(r, 5), n = 1 + below(r, 6);
    rg_val ids = new_input(r, RG_INT, RG_SHAPE(n), (int)rows);
    if (!ids.graph)
        return;
    switch (below(r, 4)) {
    case 0: keep(r, rg_gather(weight(r, rows, width), ids), false); break;
    case 1:
        if (!r->nonfinite) /* a look-up never meets the 0·inf of other rows */
            keep(r, rg_matmul(rg_one_hot(ids, rows), weight(r, rows, width)), false);
        break;
    case 2: {
        rg_val x = new_input(r, RG_F, RG_SHAPE(n, rows), 0);
        if (x.graph)
            keep(r, rg_softmax_cross_entropy(x, ids), false);
        break;
    }
    default: {
        rg_val x = new_input(r, RG_F, RG_SHAPE(n, width), 0);
        if (x.graph)
            keep(r, rg_scatter_add(x, ids, rows), false);
    }
    }
}

/* Streams are named after their operand, so that each is another. */
static rg_val dropped(rg_val x)
{
    char stream[32];
    (void)snprintf(stream, sizeof stream, "drop %u", (unsigned)x.id);
    return rg_dropout(x, 0.25, stream);
}

/* A small cell over a few steps: gates in a random order, a mask, dropout, one weight or two. */
static void add_cell(random_graph *r)
{
    const int T = 1 + below(r, 5), gates = 1 + below(r, 3);
    const int64_t B = 1 + below(r, 5), I = 1 + below(r, 4), H = 1 + below(r, 6);
    const bool wide = below(r, 4) == 0, backwards = below(r, 4) == 0, masked = below(r, 4) == 0;
    rg_val X = new_input(r, RG_F, RG_SHAPE(T, B, I), 0), h, hs[8], U[3], W[3], b[3], m = RG_NONE;
    if (!X.graph)
        return;
    h = below(r, 2) ? rg_zeros(r->graph, RG_SHAPE(B, H)) : new_input(r, RG_F, RG_SHAPE(B, H), 0);
    if (masked)
        m = new_input(r, RG_BOOL, RG_SHAPE(T, B, 1), 2);
    for (int g = 0; g < gates; g++) {
        U[g] = weight(r, wide ? I + H : I, H);
        W[g] = weight(r, H, H);
        b[g] = weight(r, 1, H);
    }
    for (int t = 0; t < T && h.graph; t++) {
        rg_val x = rg_select(X, 0, backwards ? T - 1 - t : t), sum = h, cat[2] = { x, h }, a[3];
        for (int g = 0; g < gates; g++) {
            a[g] = wide ? rg_matmul(rg_concat(cat, 2, 1), U[g])
                        : rg_add(rg_matmul(x, U[g]), rg_matmul(h, W[g]));
            a[g] = rg_add(a[g], b[g]);
            sum = g ? rg_mul(rg_sigmoid(a[g]), sum) : rg_add(rg_tanh(a[g]), rg_scale(h, 0.5));
        }
        if (below(r, 5) == 0)
            sum = dropped(sum);
        h = m.graph ? rg_where(rg_select(m, 0, t), sum, h) : sum;
        hs[t] = h;
    }
    if (h.graph) {
        keep(r, h, false);
        keep(r, rg_stack(hs, (size_t)T, 0), false);
    }
}

static void add_step(random_graph *r)
{
    static void (*const step[])(random_graph *) = {
        add_unary, add_unary, add_binary, add_binary, add_binary, add_product, add_product,
        add_reduction, add_form, add_form, add_concat, add_lookup, add_cell,
    };
    step[below(r, (int)(sizeof step / sizeof *step))](r);
}

/* ---- Roots ---------------------------------------------------------------------------------- */

static void add_root(random_graph *r, rg_val v)
{
    if (v.id && r->n_root < RG_RANDOM_ROOTS)
        r->root[r->n_root++] = v;
}

/* ⟨c, v⟩ with c a wave, so that no symmetry hides a mistake. */
static rg_val functional(random_graph *r, rg_val v)
{
    const rg_shape s = rg_shape_of(v);
    const int64_t n = rg_shape_count(s);
    double *c = calloc((size_t)n + 1, sizeof *c);
    if (!c)
        abort();
    for (int64_t i = 0; i < n; i++)
        c[i] = cos(1.0 + 0.7 * (double)i);
    rg_val w = rg_constant(r->graph, RG_F, s, c, (size_t)n);
    free(c);
    return rg_sum(rg_mul(v, w));
}

static void add_gradients(random_graph *r, rg_val loss)
{
    rg_val x[12], dx[12];
    size_t n = rg_graph_params(x, 8, r->graph);
    n = n > 8 ? 8 : n;
    for (size_t i = 0; i < r->n_input && n < 12; i++)
        if (rg_kind_of(r->input[i]) == RG_F)
            x[n++] = r->input[i];
    if (!n)
        return;
    rg_grad(dx, loss, x, n);
    for (size_t i = 0; i < n; i++)
        add_root(r, dx[i]);
    if (below(r, 4) || rg_graph_status(r->graph))
        return;
    rg_val second = rg_const(r->graph, 0), ddx[12]; /* a penalty on the gradient */
    for (size_t i = 0; i < n; i++)
        second = rg_add(second, functional(r, rg_tanh(dx[i])));
    rg_grad(ddx, second, x, n);
    for (size_t i = 0; i < n && i < 4; i++)
        add_root(r, ddx[i]);
}

static void choose_roots(random_graph *r)
{
    rg_val loss = rg_const(r->graph, 0);
    for (int k = 0; k < 3; k++) {
        rg_val v = r->value[(size_t)below(r, (int)r->n_value)];
        if (rg_kind_of(v) == RG_F)
            loss = rg_add(loss, functional(r, v));
    }
    add_root(r, loss);
    add_root(r, r->value[r->n_value - 1]);
    add_root(r, r->value[(size_t)below(r, (int)r->n_value)]);
    add_gradients(r, loss);
    r->broken |= rg_graph_status(r->graph) != RG_OK;
}

void random_graph_make(random_graph *r, uint64_t seed, int steps)
{
    *r = (random_graph){ .state = seed * UINT64_C(0xD1342543DE82EF95) + 1 };
    if (rg_params_create(&r->params, seed, &(rg_params_opts){ .real = RG_F64 }) ||
        rg_graph_create(&r->graph, r->params, NULL))
        abort();
    r->nonfinite = below(r, 10) == 0;
    keep(r, new_input(r, RG_F, some_shape(r, 2), 0), true);
    for (int i = 0; i < steps && !r->broken; i++)
        add_step(r);
    if (!r->broken)
        choose_roots(r);
    r->again = (rg_again){ 1 + (int64_t)(r->n_value % 7), 256 * (1 + (uint32_t)r->n_root % 4) };
}

void random_graph_free(random_graph *r)
{
    for (size_t i = 0; i < r->n_input; i++)
        free(r->data[i]);
    rg_graph_destroy(&r->graph);
    rg_params_destroy(&r->params);
}

void *random_graph_bind(const random_graph *r, rg_plan *plan, rg_dtype real)
{
    size_t total = 0;
    for (size_t i = 0; i < r->n_input; i++)
        total += ((size_t)rg_shape_count(rg_shape_of(r->input[i])) + 1) * sizeof(double);
    char *memory = calloc(total, 1), *at = memory;
    if (!memory)
        abort();
    for (size_t i = 0; i < r->n_input; i++) {
        const rg_kind kind = rg_kind_of(r->input[i]);
        const size_t n = (size_t)rg_shape_count(rg_shape_of(r->input[i]));
        const size_t item = kind == RG_BOOL ? 1 : kind == RG_INT || real == RG_F32 ? 4 : 8;
        for (size_t k = 0; k < n; k++) {
            const double x = r->data[i][k];
            if (kind == RG_BOOL)
                ((uint8_t *)at)[k] = x != 0;
            else if (kind == RG_INT)
                ((int32_t *)(void *)at)[k] = (int32_t)x;
            else if (real == RG_F32)
                ((float *)(void *)at)[k] = (float)x;
            else
                ((double *)(void *)at)[k] = x;
        }
        if (rg_plan_bind(plan, r->input[i], at, n * item))
            abort();
        at += (n + 1) * sizeof(double);
    }
    return memory;
}
