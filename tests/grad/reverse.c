/* tests/grad/reverse.c -- outcomes, fan-out, slices, Jacobian and Hessian products, errors. */
#include <retrograd/retrograd.h>

#include "graph/graph.h"
#include "tests/rgt.h"

#include <math.h>
#include <string.h>

struct bed {
    rg_params *ps;
    rg_graph  *g;
};

static struct bed bed_make(void)
{
    struct bed b = { NULL, NULL };
    RGT_CHECK(!rg_params_create(&b.ps, 5, &(rg_params_opts){ .real = RG_F64 }));
    RGT_CHECK(!rg_graph_create(&b.g, b.ps, NULL));
    return b;
}

static void bed_drop(struct bed *b)
{
    rg_graph_destroy(&b->g);
    rg_params_destroy(&b->ps);
}

/* The n values, evaluated in f64 by the interpreter, one after the other into out. */
static void evaluate(const rg_val *v, size_t n, const rg_val *in, const double *const *data,
                     size_t n_in, double *out)
{
    rg_plan *plan = NULL;
    rg_status st = rg_plan_create(&plan, v, n, &(rg_plan_opts){ .real = RG_F64, .verify = true,
                                                                .effort = RG_INTERPRET });
    RGT_CHECK_MSG(!st, "%s", rg_graph_message(v[0].graph));
    for (size_t i = 0; i < n_in; i++)
        rg_plan_bind(plan, in[i], data[i],
                     (size_t)rg_shape_count(rg_shape_of(in[i])) * sizeof(double));
    st = rg_plan_run(plan);
    RGT_CHECK_MSG(!st, "%s", rg_plan_message(plan));
    for (size_t i = 0; i < n; i++) {
        size_t count = (size_t)rg_shape_count(rg_shape_of(v[i]));
        memcpy(out, rg_plan_data(plan, v[i]), count * sizeof *out);
        out += count;
    }
    rg_plan_destroy(&plan);
}

RGT_TEST(grad, a_gradient_no_path_and_a_blocked_path_are_told_apart)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(3)), y = rg_input(b.g, "y", RG_F, RG_SHAPE(3));
    rg_val z = rg_input(b.g, "z", RG_F, RG_SHAPE(3)), u = rg_input(b.g, "u", RG_F, RG_SHAPE(3));
    rg_val gate = rg_real(rg_less(u, x));
    rg_val loss = rg_sum(rg_mul(rg_mul(x, rg_detach(z)), gate));
    rg_val all[5] = { x, y, z, u, RG_NONE }, d[5];
    rg_grad(d, loss, all, 4);
    RGT_CHECK(rg_outcome_of(d[0]) == RG_GRADIENT && rg_outcome_of(d[1]) == RG_NO_PATH);
    RGT_CHECK(rg_outcome_of(d[2]) == RG_BLOCKED && rg_outcome_of(d[3]) == RG_BLOCKED);
    static const double X[] = { 1, 2, 3 }, Z[] = { 4, 5, 6 }, U[] = { 0, 9, 0 }, Y[3] = { 0 };
    double out[12];
    evaluate(d, 4, all, (const double *const[]){ X, Y, Z, U }, 4, out);
    static const double want[12] = { 4, 0, 6 };
    RGT_CHECK(!memcmp(out, want, sizeof want));
    rg_val late = rg_input(b.g, "late", RG_F, RG_SHAPE(2));
    rg_grad(d, loss, &late, 1);
    RGT_CHECK(rg_outcome_of(d[0]) == RG_NO_PATH && rg_dim(d[0], 0) == 2);
    bed_drop(&b);
}

RGT_TEST(grad, a_detached_value_has_a_gradient_and_what_lies_behind_it_none)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(2)), h = rg_square(x), cut = rg_detach(h);
    rg_val asked[3] = { cut, h, x }, d[3];
    rg_grad(d, rg_sum(rg_square(cut)), asked, 3);
    RGT_CHECK_MSG(!rg_graph_status(b.g), "%s", rg_graph_message(b.g));
    RGT_CHECK(rg_outcome_of(d[0]) == RG_GRADIENT && rg_outcome_of(d[1]) == RG_BLOCKED);
    RGT_CHECK(rg_outcome_of(d[2]) == RG_BLOCKED);
    static const double X[2] = { 2, 3 }, want[6] = { 8, 18 };
    double out[6];
    evaluate(d, 3, &x, (const double *const[]){ X }, 1, out);
    RGT_CHECK(!memcmp(out, want, sizeof want));
    bed_drop(&b);
}

RGT_TEST(grad, fan_out_adds_in_a_fixed_order)
{
    static const int uses[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 64, 1000 };
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++) {
        struct bed b = bed_make();
        rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(2)), loss = RG_NONE, d;
        for (int i = 0; i < uses[k]; i++) {
            rg_val term = rg_sum(rg_scale(x, 1.0 / (i + 1)));
            loss = i ? rg_add(loss, term) : term;
        }
        rg_grad(&d, loss, &x, 1);
        static const double X[2] = { 1, 2 };
        double out[2], want = 0;
        evaluate(&d, 1, &x, (const double *const[]){ X }, 1, out);
        for (int i = uses[k]; i-- > 0;)    /* descending consumer */
            want += 1.0 / (i + 1);
        RGT_CHECK_MSG(out[0] == want && out[1] == want, "%d uses: %.17g, want %.17g", uses[k],
                      out[0], want);
        bed_drop(&b);
    }
}

RGT_TEST(grad, slices_of_one_value_close_into_one_concat)
{
    enum { T = 50 };
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(T, 2, 3)), loss = RG_NONE, d;
    for (int t = 0; t < T; t++) {
        if (t == 7 || t == T - 1)   /* gaps: no use at these steps */
            continue;
        rg_val term = rg_sum(rg_scale(rg_select(x, 0, t), t));
        loss = loss.id ? rg_add(loss, term) : term;
        if (t == 3)                 /* one step is used twice */
            loss = rg_add(loss, rg_sum(rg_select(x, 0, t)));
    }
    rg_grad(&d, loss, &x, 1);
    RGT_CHECK(!strcmp(rg_node_of(d)->op->name, "concat"));
    int concats = 0;
    for (uint32_t id = 1; id < b.g->n_node; id++)
        concats += !strcmp(rg_node_at(b.g, id)->op->name, "concat");
    RGT_CHECK(concats == 1);
    static double X[T * 6], out[T * 6];
    evaluate(&d, 1, &x, (const double *const[]){ X }, 1, out);
    for (int t = 0; t < T; t++)
        for (int i = 0; i < 6; i++)
            RGT_CHECK(out[t * 6 + i] == (t == 7 || t == T - 1 ? 0 : t == 3 ? 4 : t));
    bed_drop(&b);
}

RGT_TEST(grad, overlapping_slices_and_slices_along_two_axes_still_add_up)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(4, 5)), d;
    rg_val parts[4] = { rg_sum(rg_slice(x, 0, 0, 3)), rg_sum(rg_scale(rg_slice(x, 0, 2, 4), 10)),
                        rg_sum(rg_scale(rg_slice(x, 1, 1, 2), 100)), rg_sum(rg_scale(x, 1000)) };
    rg_val loss = rg_add(rg_add(parts[0], parts[1]), rg_add(parts[2], parts[3]));
    rg_grad(&d, loss, &x, 1);
    static const double X[20] = { 0 };
    double out[20];
    evaluate(&d, 1, &x, (const double *const[]){ X }, 1, out);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 5; j++)
            RGT_CHECK(out[i * 5 + j] == 1000 + (i < 3) + 10 * (i >= 2) + 100 * (j == 1));
    bed_drop(&b);
}

/* f = Σ tanh(x·A)∘y, and what its products must be by differences of its own gradient. */
RGT_TEST(grad, products_with_jacobian_and_hessian_agree_with_differences)
{
    struct bed b = bed_make();
    static const double A[6] = { 0.3, -1.2, 0.7, 0.1, 0.9, -0.4 };
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(2, 3));
    rg_val v = rg_input(b.g, "v", RG_F, RG_SHAPE(2, 3));
    rg_val w = rg_input(b.g, "w", RG_F, RG_SHAPE(2, 2));
    rg_val y = rg_tanh(rg_matmul(x, rg_constant(b.g, RG_F, RG_SHAPE(3, 2), A, 6)));
    rg_val f = rg_sum(rg_mul(y, rg_square(y))), jv, vj, hv, dx;
    rg_jvp(&jv, &y, 1, &x, &v, 1);
    rg_vjp(&vj, &y, &w, 1, &x, 1);
    rg_hvp(&hv, f, &x, &v, 1);
    rg_grad(&dx, f, &x, 1);
    double X[6] = { 0.2, -0.5, 1.1, 0.4, 0.6, -0.9 }, V[6] = { 1, -2, 0.5, 0.3, 0.7, -1.5 };
    double W[4] = { 0.5, -1, 2, 0.25 }, out[16], up[10], down[10], X2[6];
    const rg_val in[3] = { x, v, w };
    evaluate((rg_val[]){ jv, vj, hv }, 3, in, (const double *const[]){ X, V, W }, 3, out);
    double left = 0, right = 0, h = 1e-5;
    for (int i = 0; i < 4; i++)
        left += W[i] * out[i];
    for (int i = 0; i < 6; i++)
        right += V[i] * out[4 + i];
    RGT_CHECK(fabs(left - right) <= 1e-13);
    for (int s = -1; s <= 1; s += 2) {
        for (int i = 0; i < 6; i++)
            X2[i] = X[i] + s * h * V[i];
        evaluate((rg_val[]){ y, dx }, 2, in, (const double *const[]){ X2, V, W }, 3,
                 s > 0 ? up : down);
    }
    for (int i = 0; i < 4; i++)
        RGT_CHECK(fabs((up[i] - down[i]) / (2 * h) - out[i]) < 1e-8);
    for (int i = 0; i < 6; i++)
        RGT_CHECK(fabs((up[4 + i] - down[4 + i]) / (2 * h) - out[10 + i]) < 1e-8);
    bed_drop(&b);
}

RGT_TEST(grad, a_gradient_may_be_differentiated_again_and_again)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SCALAR), y = rg_sin(x);
    for (int k = 0; k < 5; k++) {
        rg_val d;
        rg_grad(&d, y, &x, 1);
        y = d;
    }
    static const double X = 0.7;
    double out;
    evaluate(&y, 1, &x, (const double *const[]){ &X }, 1, &out);
    RGT_CHECK(fabs(out - cos(0.7)) < 1e-14);
    bed_drop(&b);
}

RGT_TEST(grad, gradient_nodes_know_their_origin_and_live_in_its_scope)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(2)), d;
    rg_scope_push(b.g, "cell", 4);
    rg_val y = rg_tanh(x);
    rg_scope_pop(b.g);
    rg_val loss = rg_sum(y);
    uint32_t before = b.g->n_node;
    rg_grad(&d, loss, &x, 1);
    int found = 0;
    for (uint32_t id = before; id < b.g->n_node; id++)
        if (rg_node_at(b.g, id)->origin == y.id) {
            RGT_CHECK(rg_scope_step(b.g, rg_node_at(b.g, id)->scope) == 4);
            found++;
        }
    RGT_CHECK(found >= 2 && b.g->in_scope == 0 && b.g->origin == 0);
    bed_drop(&b);
}

RGT_TEST(grad, two_backward_walks_give_equal_bits_and_leave_the_forward_part_alone)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(2, 3));
    rg_val W = rg_param(b.g, NULL, "W", RG_SHAPE(3, 3), rg_init_glorot());
    rg_val loss = rg_sum(rg_tanh(rg_matmul(rg_sigmoid(rg_matmul(x, W)), W))), d[2];
    rg_grad(&d[0], loss, &W, 1);
    rg_grad(&d[1], loss, &W, 1);
    static const double X[6] = { 1, -1, 2, 0.5, 0.25, -3 };
    double out[18];
    evaluate(d, 2, &x, (const double *const[]){ X }, 1, out);
    RGT_CHECK(!memcmp(out, out + 9, 9 * sizeof *out));
    RGT_CHECK(!rg_graph_verify(b.g));
    bed_drop(&b);
}

RGT_TEST(grad, errors_name_the_culprit)
{
    struct bed b = bed_make(), other = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(3)), d = x, y = rg_square(x);
    rg_grad(&d, y, &x, 1);
    RGT_CHECK(rg_graph_status(b.g) == RG_ESHAPE && !d.id && d.graph == b.g);
    RGT_CHECK(rgt_has(rg_graph_message(b.g), "[3]"));
    rg_val far = rg_input(other.g, "x", RG_F, RG_SHAPE(3));
    rg_val ids = rg_input(other.g, "ids", RG_INT, RG_SHAPE(3)), loss = rg_sum(far);
    rg_grad(&d, loss, &x, 1);
    RGT_CHECK(rg_graph_status(other.g) == RG_EGRAPH);
    bed_drop(&other);
    other = bed_make();
    far = rg_input(other.g, "x", RG_F, RG_SHAPE(3));
    ids = rg_input(other.g, "ids", RG_INT, RG_SHAPE(3));
    rg_grad(&d, rg_sum(far), &ids, 1);
    RGT_CHECK(rg_graph_status(other.g) == RG_EDTYPE);
    bed_drop(&other);
    other = bed_make();
    far = rg_input(other.g, "x", RG_F, RG_SHAPE(3));
    rg_val seed = rg_zeros(other.g, RG_SHAPE(2));
    rg_vjp(&d, &far, &seed, 1, &far, 1);
    RGT_CHECK(rg_graph_status(other.g) == RG_ESHAPE);
    RGT_CHECK(rgt_has(rg_graph_message(other.g), "[2]"));
    rg_grad(NULL, far, &far, 1);
    rg_grad(&d, RG_NONE, NULL, 0);
    bed_drop(&other);
    bed_drop(&b);
}

static int twice_f64(const rg_kernel_args *k)
{
    for (int64_t i = 0; i < k->n; i++)
        ((double *)k->out)[i] = 2 * ((const double *)k->in[0])[i];
    return 0;
}

static const rg_op plain_op = {
    .name = "plain", .arity = 1, .flags = RG_OP_ELEMENTWISE | RG_OP_NODIFF, .kernel_f64 = twice_f64,
};

static void forgetful_rule(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, RG_NONE);
}

static const rg_op forgetful_op = {
    .name = "forgetful", .arity = 1, .flags = RG_OP_ELEMENTWISE, .vjp = forgetful_rule,
    .kernel_f64 = twice_f64,
};

RGT_TEST(grad, an_op_without_derivative_on_the_path_is_refused_by_name)
{
    struct bed b = bed_make();
    rg_val x = rg_input(b.g, "x", RG_F, RG_SHAPE(3)), d;
    rg_scope_push(b.g, "enc", 2);
    rg_val y = rg_emit(&plain_op, NULL, &x, 1);
    rg_scope_pop(b.g);
    rg_val z = rg_sum(rg_mul(rg_detach(y), x));
    rg_grad(&d, z, &x, 1);   /* not on the path: fine */
    RGT_CHECK(!rg_graph_status(b.g) && rg_outcome_of(d) == RG_GRADIENT);
    rg_grad(&d, rg_sum(y), &x, 1);
    RGT_CHECK(rg_graph_status(b.g) == RG_ENOGRAD);
    RGT_CHECK(rgt_has(rg_graph_message(b.g), "enc step 2"));
    RGT_CHECK(rgt_has(rg_graph_message(b.g), "'plain'") && rgt_has(rg_graph_message(b.g), "'x'"));
    bed_drop(&b);
    b = bed_make();
    x = rg_input(b.g, "x", RG_F, RG_SHAPE(3));
    rg_grad(&d, rg_sum(rg_emit(&forgetful_op, NULL, &x, 1)), &x, 1);
    RGT_CHECK(rg_graph_status(b.g) == RG_EUSER && rgt_has(rg_graph_message(b.g), "forgetful"));
    bed_drop(&b);
}

RGT_TEST(grad, an_inner_value_needs_no_rule_of_its_own)
{
    struct bed b = bed_make();
    rg_val ids = rg_input(b.g, "ids", RG_INT, RG_SHAPE(3)), x = rg_one_hot(ids, 2), d;
    rg_grad(&d, rg_sum(rg_scale(x, 7)), &x, 1);
    RGT_CHECK_MSG(rg_graph_status(b.g) == RG_OK, "%s", rg_graph_message(b.g));
    RGT_CHECK(rg_outcome_of(d) == RG_GRADIENT && rg_shape_equal(rg_shape_of(d), RG_SHAPE(3, 2)));
    bed_drop(&b);
}

RGT_TEST(grad, every_allocation_may_fail)
{
    for (long n = 1; n < 400; n++) {
        rgt_alloc state = { .fail_at = n };
        rg_graph *g = NULL;
        if (!rg_graph_create(&g, NULL, &(rg_graph_opts){ .alloc = rgt_hooks(&state) })) {
            rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(9, 2)), d[2];
            rg_val s = rg_sum(rg_square(rg_select(x, 0, 1)));
            rg_val t = rg_sum(rg_tanh(rg_select(x, 0, 5)));
            rg_val v = rg_full(g, RG_SHAPE(9, 2), 1);
            rg_grad(&d[0], rg_add(s, t), &x, 1);
            rg_hvp(&d[1], rg_add(s, t), &x, &v, 1);
            rg_status st = rg_graph_status(g);
            RGT_CHECK(st == RG_OK || st == RG_ENOMEM);
            RGT_CHECK(st == RG_OK || (!d[0].id || !d[1].id));
            rg_graph_destroy(&g);
            RGT_CHECK(state.live == 0 && !state.corrupt);
            if (!st && state.calls < n)
                return;
        }
        RGT_CHECK(state.live == 0);
    }
    RGT_CHECK(false);
}
