/* examples/user_op.c -- operations of one's own. snake: y = x + sin²(a·x)/a, with a rule that emits
 * nodes, so it has derivatives of any order. lookup: forward and backward exist as C loops only. */
#include <math.h>
#include <retrograd/retrograd.h>

struct snake { double a; };

static int snake_f64(const rg_kernel_args *k)
{
    const double a = ((const struct snake *)k->attr)->a, *x = k->in[0];
    double *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = x[i] + sin(a * x[i]) * sin(a * x[i]) / a;
    return 0;
}

static void snake_vjp(const rg_vjp_ctx *v)
{
    double a = ((const struct snake *)v->attr)->a;           /* dy/dx = 1 + sin(2a·x) */
    rg_val slope = rg_add(rg_const(v->gy.graph, 1), rg_sin(rg_scale(v->in[0], 2 * a)));
    rg_vjp_add(v, 0, rg_mul(v->gy, slope));
}

static const rg_op snake_op = {
    .name = "snake", .arity = 1, .flags = RG_OP_ELEMENTWISE, .attr_bytes = sizeof(struct snake),
    .vjp = snake_vjp, .kernel_f64 = snake_f64,               /* f32 plans convert */
};

static rg_val snake(rg_val x, double a) { return rg_emit(&snake_op, &(struct snake){ a }, &x, 1); }

/* A curve known as code only: slope 1 below 1, 1/4 above. */
static int lookup_f64(const rg_kernel_args *k)
{
    const double *x = k->in[0];
    double *y = k->out;
    for (int64_t i = 0; i < k->n; i++)
        y[i] = x[i] < 1 ? x[i] : 0.75 + 0.25 * x[i];
    return 0;
}

static int lookup_back_f64(const rg_kernel_args *k)          /* (gy, x) -> gx */
{
    const double *gy = k->in[0], *x = k->in[1];
    double *gx = k->out;
    for (int64_t i = 0; i < k->n; i++)
        gx[i] = gy[i] * (x[i] < 1 ? 1 : 0.25);
    return 0;
}

static const rg_op lookup_back_op = {
    .name = "lookup_back", .arity = 2, .flags = RG_OP_ELEMENTWISE | RG_OP_NODIFF,
    .kernel_f64 = lookup_back_f64,
};

static void lookup_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit(&lookup_back_op, NULL, (rg_val[]){ v->gy, v->in[0] }, 2));
}

static const rg_op lookup_op = {
    .name = "lookup", .arity = 1, .flags = RG_OP_ELEMENTWISE, .vjp = lookup_vjp,
    .kernel_f64 = lookup_f64,
};

int main(void)
{
    rg_graph *g = NULL;
    rg_gradcheck_report *report = NULL;

    rg_graph_create(&g, NULL, NULL);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(4, 5));
    rg_val y = rg_sum(rg_mul(x, snake(x, 0.7)));
    rg_gradcheck(&report, y, &x, 1, &(rg_gradcheck_opts){ .order = 2 });
    rg_gradcheck_print(report, rg_to_file, stdout);
    rg_gradcheck_destroy(&report);

    rg_val z = rg_sum(rg_emit(&lookup_op, NULL, &x, 1));
    rg_gradcheck(&report, z, &x, 1, NULL);                   /* first order: fine */
    rg_gradcheck_print(report, rg_to_file, stdout);
    rg_gradcheck_destroy(&report);
    if (rg_gradcheck(&report, z, &x, 1, &(rg_gradcheck_opts){ .order = 2 }))
        printf("%s\n", report->message);                     /* op 'lookup_back' has no gradient */
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&g);
    return 0;
}
