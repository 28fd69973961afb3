/* tests/ops/checks.c -- what must hold for every operation, as functions of its descriptor. Each is
 * fed with broken descriptors too, in canary.c. */
#include "tests/ops/trial.h"

#include "base/checked.h"
#include "tests/rgt.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double input_scale(const rg_op_sample *s)
{
    return 1e-3 * fmax(fabs(s->lo), fabs(s->hi));
}

/* ---- Gradients against differences ---------------------------------------------------------- */

/* d(root)/dx[i] by four points: [8(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))]/12h. */
static double difference(rg_plan *plan, rg_val root, double *x)
{
    static const double at[4] = { 1, -1, 2, -2 }, weight[4] = { 8, -8, -1, 1 };
    const double x0 = *x;
    volatile double moved = x0 + 7e-4 * fmax(1, fabs(x0)); /* so that x0 + h is exact */
    const double h = moved - x0;
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *x = x0 + at[i] * h;
        lab_run(plan);
        sum += weight[i] * rg_plan_scalar(plan, root);
    }
    *x = x0;
    return sum / (12 * h);
}

/* Hold dx = d(root)/d(x) against differences of root. */
static double compare_gradient(rg_plan *plan, rg_val root, rg_val dx, double *x, int64_t n,
                               double floor)
{
    double *want = malloc((size_t)(n + 1) * sizeof *want);
    RGT_CHECK(want != NULL);
    for (int64_t i = 0; i < n; i++)
        want[i] = difference(plan, root, &x[i]);
    lab_run(plan);
    const double error = worst_error(rg_plan_data(plan, dx), want, n, floor);
    free(want);
    return error;
}

/* The real operands in the set, and with them (beyond first order) the weights of the roots. */
static size_t targets(const trial *t, unsigned wanted, rg_val *x, double **data, int64_t *n)
{
    size_t k = 0;
    for (size_t i = 0; i < t->n_in; i++)
        if (t->sample->in[i].kind == RG_F && (!wanted || wanted & 1u << i)) {
            x[k] = t->lab.in[i];
            data[k] = t->lab.data[i];
            n[k++] = t->n[i];
        }
    return k;
}

/* First order: root L = ⟨c, y⟩. Each order more: root G = Σ ⟨d, ∂root/∂x⟩, an analytic gradient,
 * differenced once. The last gradient is compared with differences of the last root. */
double error_of_gradient(const rg_op *op, const rg_op_sample *s, int order, unsigned wanted,
                         uint64_t seed)
{
    trial t;
    rg_val x[TRIAL_MOST], dx[TRIAL_MOST], all[TRIAL_MOST + 1];
    double *data[TRIAL_MOST], worst = 0;
    int64_t n[TRIAL_MOST];
    trial_begin(&t, op, s, seed);
    const size_t n_x = targets(&t, wanted, x, data, n);
    rg_val root = trial_dot(trial_input(&t, rg_shape_of(t.y)), t.y);
    for (int k = 1; n_x && k < order; k++) {
        rg_grad(dx, root, x, n_x);
        root = trial_dot(trial_input(&t, rg_shape_of(dx[0])), dx[0]);
        for (size_t i = 1; i < n_x; i++)
            root = rg_add(root, trial_dot(trial_input(&t, rg_shape_of(dx[i])), dx[i]));
    }
    if (n_x) {
        rg_grad(dx, root, x, n_x);
        memcpy(all, dx, n_x * sizeof *dx);
        all[n_x] = root;
        rg_plan *plan = trial_plan(&t, all, n_x + 1);
        for (size_t i = 0; i < n_x; i++)
            worst = fmax(worst, compare_gradient(plan, root, dx[i], data[i], n[i], input_scale(s)));
        rg_plan_destroy(&plan);
    }
    trial_end(&t);
    return worst;
}

bool gradients_are_not_all_zero(const rg_op *op, uint64_t seed)
{
    unsigned seen = 0, needed = 0;
    for (size_t k = 0; k < op->n_sample; k++) {
        trial t;
        trial_begin(&t, op, &op->sample[k], seed);
        rg_val root = trial_dot(trial_input(&t, rg_shape_of(t.y)), t.y);
        for (unsigned i = 0; i < t.n_in; i++) {
            rg_val dx;
            if (op->sample[k].in[i].kind != RG_F || t.n[i] == 0)
                continue;
            needed |= 1u << i;
            rg_grad(&dx, root, &t.lab.in[i], 1);
            rg_plan *plan = trial_plan(&t, &dx, 1);
            lab_run(plan);
            const double *g = rg_plan_data(plan, dx);
            for (int64_t e = 0; e < t.n[i]; e++)
                seen |= (unsigned)(g[e] != 0) << i;
            rg_plan_destroy(&plan);
        }
        trial_end(&t);
    }
    return seen == needed;
}

/* ---- Identities between gradients ------------------------------------------------------------ */

static double scalar(trial *t, rg_val v)
{
    rg_plan *plan = trial_plan(t, &v, 1);
    lab_run(plan);
    const double x = rg_plan_scalar(plan, v);
    rg_plan_destroy(&plan);
    return x;
}

/* ⟨w, J·v⟩ = ⟨Jᵀ·w, v⟩ */
double error_of_adjoint(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    trial t;
    rg_val x[TRIAL_MOST], v[TRIAL_MOST], u[TRIAL_MOST], jv;
    double *data[TRIAL_MOST];
    int64_t n[TRIAL_MOST];
    trial_begin(&t, op, s, seed);
    const size_t n_x = targets(&t, 0, x, data, n);
    double left = 0, right = 0;
    if (n_x) {
        rg_val w = trial_input(&t, rg_shape_of(t.y));
        for (size_t i = 0; i < n_x; i++)
            v[i] = trial_input(&t, rg_shape_of(x[i]));
        rg_jvp(&jv, &t.y, 1, x, v, n_x);
        rg_vjp(u, &t.y, &w, 1, x, n_x);
        left = scalar(&t, trial_dot(w, jv));
        for (size_t i = 0; i < n_x; i++)
            right += scalar(&t, trial_dot(u[i], v[i]));
    }
    trial_end(&t);
    return fabs(left - right) / (fabs(left) + 1);
}

/* uᵀHv = vᵀHu for the Hessian of ⟨c, y²⟩, which is not zero for linear ops either. */
double error_of_symmetry(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    trial t;
    rg_val x[TRIAL_MOST], v[TRIAL_MOST], u[TRIAL_MOST], hv[TRIAL_MOST], hu[TRIAL_MOST];
    double *data[TRIAL_MOST], left = 0, right = 0;
    int64_t n[TRIAL_MOST];
    trial_begin(&t, op, s, seed);
    const size_t n_x = targets(&t, 0, x, data, n);
    rg_val root = trial_dot(trial_input(&t, rg_shape_of(t.y)), rg_square(t.y));
    for (size_t i = 0; i < n_x; i++) {
        v[i] = trial_input(&t, rg_shape_of(x[i]));
        u[i] = trial_input(&t, rg_shape_of(x[i]));
    }
    if (n_x) {
        rg_hvp(hv, root, x, v, n_x);
        rg_hvp(hu, root, x, u, n_x);
    }
    for (size_t i = 0; i < n_x; i++) {
        left += scalar(&t, trial_dot(u[i], hv[i]));
        right += scalar(&t, trial_dot(v[i], hu[i]));
    }
    trial_end(&t);
    return fabs(left - right) / (fabs(left) + 1);
}

/* ---- Kernels called directly ----------------------------------------------------------------- */

struct call {
    rg_shape       in_shape[TRIAL_MOST], out_shape;
    void          *in[TRIAL_MOST], *out;
    rg_kernel_args args;
};

/* Element of the operand that is read at place i of the result. */
static int64_t read_at(const rg_shape *from, const rg_shape *to, int64_t i)
{
    int64_t stride[RG_MAX_RANK], at = 0;
    rg_shape_strides(stride, from, to);
    for (int k = to->rank; k-- > 0; i /= to->dim[k])
        at += i % to->dim[k] * stride[k];
    return at;
}

/* Operands as the kernel for @p item bytes a real wants them: broadcast if elementwise. */
static void call_begin(struct call *c, const trial *t, size_t real)
{
    memset(c, 0, sizeof *c);
    c->out_shape = rg_shape_of(t->y);
    const int64_t n = rg_shape_count(c->out_shape);
    for (size_t k = 0; k < t->n_in; k++) {
        const rg_kind kind = t->sample->in[k].kind;
        const size_t item = kind == RG_F ? real : rg_kind_size(kind, RG_F64);
        const bool spread = t->op->flags & RG_OP_ELEMENTWISE;
        const int64_t have = spread ? n : t->n[k];
        c->in_shape[k] = t->sample->in[k].shape;
        c->in[k] = calloc((size_t)have + 1, item);
        RGT_CHECK(c->in[k] != NULL);
        for (int64_t i = 0; i < have; i++) {
            const int64_t from = spread ? read_at(&c->in_shape[k], &c->out_shape, i) : i;
            char *to = (char *)c->in[k] + (size_t)i * item;
            if (kind != RG_F)
                memcpy(to, (char *)t->lab.data[k] + (size_t)from * item, item);
            else if (real == sizeof(double))
                memcpy(to, (double *)t->lab.data[k] + from, sizeof(double));
            else if (real == sizeof(float))
                *(float *)(void *)to = (float)((double *)t->lab.data[k])[from];
            else
                *(double _Complex *)(void *)to = ((double *)t->lab.data[k])[from];
        }
    }
    const size_t item = rg_kind_of(t->y) == RG_F ? real : rg_kind_size(rg_kind_of(t->y), RG_F64);
    c->out = calloc((size_t)n + 1, item);
    RGT_CHECK(c->out != NULL);
    c->args = (rg_kernel_args){
        .n = n, .out = c->out, .in = (const void *const *)c->in, .n_in = t->n_in,
        .in_shape = c->in_shape, .out_shape = &c->out_shape, .attr = t->sample->attr, .item = item,
    };
}

static void call_end(struct call *c)
{
    for (size_t k = 0; k < TRIAL_MOST; k++)
        free(c->in[k]);
    free(c->out);
}

/* Im⟨c, y(x + ih)⟩/h where element e of operand k is moved: exact, no difference is taken. */
static double complex_step(const trial *t, size_t k, int64_t e, const double *c)
{
    const double h = 1e-30;
    const bool spread = t->op->flags & RG_OP_ELEMENTWISE;
    double sum = 0;
    struct call call;
    call_begin(&call, t, sizeof(double _Complex));
    const int64_t n = spread ? call.args.n : t->n[k];
    double _Complex *in = call.in[k];
    for (int64_t i = 0; i < n; i++)
        if (e == (spread ? read_at(&call.in_shape[k], &call.out_shape, i) : i))
            in[i] += h * I;
    RGT_CHECK(t->op->kernel_complex(&call.args) == 0);
    for (int64_t i = 0; i < call.args.n; i++)
        sum += c[i] * (cimag(((double _Complex *)call.out)[i]) / h);
    call_end(&call);
    return sum;
}

double error_of_complex_step(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    trial t;
    double worst = 0;
    trial_begin(&t, op, s, seed);
    rg_val c = trial_input(&t, rg_shape_of(t.y)), root = trial_dot(c, t.y);
    for (size_t k = 0; k < t.n_in; k++) {
        rg_val dx;
        if (s->in[k].kind != RG_F)
            continue;
        rg_grad(&dx, root, &t.lab.in[k], 1);
        rg_plan *plan = trial_plan(&t, &dx, 1);
        lab_run(plan);
        double *want = calloc((size_t)t.n[k] + 1, sizeof *want);
        RGT_CHECK(want != NULL);
        for (int64_t e = 0; e < t.n[k]; e++)
            want[e] = complex_step(&t, k, e, t.lab.data[t.n_in]);
        worst = fmax(worst, worst_error(rg_plan_data(plan, dx), want, t.n[k], input_scale(s)));
        free(want);
        rg_plan_destroy(&plan);
    }
    trial_end(&t);
    return worst;
}

/* Two calls of one operation on the same operands. */
struct twins {
    trial       t;
    struct call a, b;
};

static void twins_begin(struct twins *w, const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    trial_begin(&w->t, op, s, seed);
    call_begin(&w->a, &w->t, sizeof(double));
    call_begin(&w->b, &w->t, sizeof(double));
}

/* Is what both computed the same, to the bit? */
static bool twins_end(struct twins *w)
{
    const bool same = memcmp(w->a.out, w->b.out, (size_t)w->a.args.n * w->a.args.item) == 0;
    call_end(&w->a);
    call_end(&w->b);
    trial_end(&w->t);
    return same;
}

bool parts_make_the_whole(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    struct twins w;
    twins_begin(&w, op, s, seed);
    const int64_t n = w.a.args.n;
    bool done = op->kernel_f64(&w.a.args) == 0;
    for (int64_t first = 0; first < n; first += 3) {
        const void *in[TRIAL_MOST];
        rg_kernel_args part = w.b.args;
        part.first = first;
        part.n = n - first < 3 ? n - first : 3;
        part.in = in;
        part.out = (char *)w.b.out + (size_t)first * w.a.args.item;
        for (size_t k = 0; k < w.t.n_in; k++)
            in[k] = (char *)w.b.in[k] + (size_t)first * rg_kind_size(s->in[k].kind, RG_F64);
        done = op->kernel_f64(&part) == 0 && done;
    }
    return twins_end(&w) && done;
}

bool order_does_not_matter(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    struct twins w;
    twins_begin(&w, op, s, seed);
    void *swap = w.b.in[0];
    w.b.in[0] = w.b.in[1];
    w.b.in[1] = swap;
    const bool done = op->kernel_f64(&w.a.args) == 0 && op->kernel_f64(&w.b.args) == 0;
    return twins_end(&w) && done;
}

/* f32 against f64 on the same operands, which are floats. */
double error_of_precision(const rg_op *op, const rg_op_sample *s, uint64_t seed)
{
    trial t;
    trial_begin(&t, op, s, seed);
    for (size_t k = 0; k < t.n_in; k++)
        for (int64_t i = 0; s->in[k].kind == RG_F && i < t.n[k]; i++)
            ((double *)t.lab.data[k])[i] = (float)((double *)t.lab.data[k])[i];
    double *narrow = lab_values(&t.lab, t.y, RG_F32, RG_INTERPRET);
    double *wide = lab_values(&t.lab, t.y, RG_F64, RG_INTERPRET);
    const double error = worst_error(narrow, wide, rg_shape_count(rg_shape_of(t.y)),
                                     input_scale(s));
    free(narrow);
    free(wide);
    trial_end(&t);
    return error;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

const char *what_is_missing(const rg_op *op)
{
    const bool passes = !(op->flags & (RG_OP_NODIFF | RG_OP_BLOCK));
    if (!op->name || !*op->name)
        return "a name";
    if (passes && !op->vjp)
        return "a rule";
    if (!passes && op->vjp)
        return "an end to contradiction: it has a rule, and says that it has none";
    if (!op->kernel_f32 || !op->kernel_f64)
        return "a reference kernel";
    if (passes && !op->kernel_complex)
        return "a complex kernel";
    if (op->n_sample < 3)
        return "samples";
    if (op->n_error == 0 && op->infer)
        return "error samples";
    if (op->flags & RG_OP_COMMUTES && op->arity != 2)
        return "two operands to swap";
    for (size_t k = 0; k < op->n_sample; k++) {
        if ((op->sample[k].attr != NULL) != (op->attr_bytes != 0))
            return "attributes in a sample";
        if (!(op->sample[k].lo <= op->sample[k].hi))
            return "a range in a sample";
    }
    return NULL;
}

const char *how_refusal_fails(const rg_op *op, const rg_op_error *e)
{
    const size_t n = op->arity ? op->arity : e->n_in;
    rg_graph *g = NULL;
    rg_val in[TRIAL_MOST];
    const char *why = NULL;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    for (size_t k = 0; k < n; k++)
        in[k] = rg_input(g, NULL, e->in[k].kind, e->in[k].shape);
    RGT_CHECK(rg_graph_status(g) == RG_OK);
    rg_val y = rg_emit_in(g, op, e->attr, in, n);
    if (y.id || rg_graph_status(g) == RG_OK)
        why = "accepted";
    else if (rg_graph_status(g) != e->status)
        why = "another code";
    else if (!rgt_has(rg_graph_message(g), e->says) ||
             strncmp(rg_graph_message(g), op->name, strlen(op->name)) != 0)
        why = "other words";
    rg_graph_destroy(&g);
    return why;
}
