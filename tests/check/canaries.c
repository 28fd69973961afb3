/* tests/check/canaries.c -- gradients that are wrong, and what else a check must not pass. */
#include "tests/check/lab.h"

#include "graph/graph.h"
#include "tests/rgt.h"

#include <complex.h>
#include <math.h>
#include <string.h>

/* ---- A tanh of the tests' own, whose rule may err ------------------------------------------- */

enum { RIGHT, NEGATED, HALVED, NO_EARLY, FAULTS, SLIGHT };

static LAB_KERNEL_1(my_tanh_complex, double _Complex, ctanh(x))

/* Which fault, and where: rules see their attributes. */
struct fault { int32_t kind, step; };

static void my_tanh_vjp(const rg_vjp_ctx *v)
{
    const struct fault *f = v->attr;
    rg_val g = rg_mul(v->gy, rg_one_minus(rg_square(v->out)));
    if (f->kind == NEGATED)
        g = rg_neg(g);
    else if (f->kind == HALVED)
        g = rg_scale(g, 0.5);
    else if (f->kind == SLIGHT)
        g = rg_scale(g, 1 + 1e-5);
    else if (f->kind == NO_EARLY && f->step < 3)
        g = rg_scale(g, 0);
    rg_vjp_add(v, 0, g);
}

static const rg_op my_tanh = {
    .name = "my_tanh", .arity = 1, .flags = RG_OP_ELEMENTWISE, .attr_bytes = sizeof(struct fault),
    .vjp = my_tanh_vjp, .kernel_f64 = lab_tanh_f64, .kernel_complex = my_tanh_complex,
};
static const rg_op my_real_tanh = {
    .name = "my_real_tanh", .arity = 1, .flags = RG_OP_ELEMENTWISE,
    .attr_bytes = sizeof(struct fault), .vjp = my_tanh_vjp, .kernel_f64 = lab_tanh_f64,
};

static const rg_op *tanh_op;
static struct fault fault;

static rg_val faulty(rg_val x)
{
    rg_val y = rg_emit(tanh_op, &fault, &x, 1);
    fault.step++;
    return y;
}

/* A tanh RNN over T steps with that function. */
static rg_verdict check_faulty(net *n, const rg_op *op, int kind, int64_t T, double gain)
{
    tanh_op = op;
    fault = (struct fault){ kind, 0 };
    net_open(n, 1);
    rg_val loss = net_build(n, &(net_shape){ NET_RNN, T, 2, 3, 4, gain, faulty }, NULL);
    return net_check(n, loss, NULL, 0, NULL);
}

RGT_TEST(gradcheck, an_op_of_ones_own_passes_with_an_f64_kernel_alone)
{
    net n;
    RGT_CHECK(check_faulty(&n, &my_real_tanh, RIGHT, 6, 1) == RG_PASS);
    net_close(&n);
}

RGT_TEST(gradcheck, a_wrong_sign_a_lost_factor_and_zeros_at_early_steps_fail)
{
    for (int kind = NEGATED; kind < FAULTS; kind++) {
        net n;
        RGT_CHECK(check_faulty(&n, &my_tanh, kind, 6, 1) == RG_FAIL);
        const char *who = kind == NEGATED ? "the rule of op 'my_tanh' (cell step 1) is wrong"
                                          : "the rule of op 'my_tanh' (cell step 0) is wrong";
        RGT_CHECK_MSG(rgt_has(n.report->message, who), "%s", n.report->message);
        RGT_CHECK(n.report->block[0].verdict == RG_FAIL && n.report->block[0].error > 0.1);
        for (int64_t t = 0; t < 6; t++) { /* two wrong signs are right, and said to be */
            bool right = kind == NO_EARLY ? t >= 3 : kind == NEGATED && t % 2 == 0;
            RGT_CHECK(net_block(&n, "cell.W", t)->verdict == (right ? RG_PASS : RG_FAIL));
        }
        RGT_CHECK(net_block(&n, "out.W", RG_NO_STEP)->verdict == RG_PASS);
        net_close(&n);
    }
}

RGT_TEST(gradcheck, a_rule_that_is_off_by_a_hundred_thousandth_fails)
{
    static const int64_t T[] = { 2, 6, 60 };
    for (size_t i = 0; i < 3; i++)
        for (int complex_too = 0; complex_too < 2; complex_too++) {
            net n;
            const rg_op *op = complex_too ? &my_tanh : &my_real_tanh;
            RGT_CHECK(check_faulty(&n, op, SLIGHT, T[i], 0.6) == RG_FAIL);
            for (int64_t t = 0; t < 2; t++)
                RGT_CHECK_MSG(net_block(&n, "cell.W", t)->verdict == RG_FAIL, "%s",
                              n.report->message);
            net_close(&n);
        }
}

RGT_TEST(gradcheck, a_vanished_gradient_is_proven_right_by_complex_steps)
{
    net n;
    RGT_CHECK_MSG(check_faulty(&n, &my_tanh, RIGHT, 60, 0.3) == RG_PASS, "%s", n.report->message);
    const rg_gradcheck_block *b = net_block(&n, "cell.W", 0);
    RGT_CHECK_MSG(fabs(b->got) < 1e-20 && b->got != 0 && strcmp(b->oracle, "complex step") == 0,
                  "%g by %s", b->got, b->oracle);
    RGT_CHECK(b->error < 1e-10 && b->verdict == RG_PASS);
    net_close(&n);
}

RGT_TEST(gradcheck, a_vanished_gradient_is_proven_wrong_as_well)
{
    for (int kind = NEGATED; kind < FAULTS; kind++) {
        net n;
        RGT_CHECK(check_faulty(&n, &my_tanh, kind, 60, 0.3) == RG_FAIL);
        const rg_gradcheck_block *b = net_block(&n, "cell.W", 1);
        RGT_CHECK_MSG(b->verdict == RG_FAIL && b->error > 0.4, "%g", b->error);
        RGT_CHECK(strcmp(b->oracle, "complex step") == 0 && fabs(b->want) < 1e-20);
        net_close(&n);
    }
}

RGT_TEST(gradcheck, without_a_complex_kernel_each_operation_is_asked_alone)
{
    net n;
    RGT_CHECK_MSG(check_faulty(&n, &my_real_tanh, RIGHT, 60, 0.3) == RG_PASS, "%s",
                  n.report->message);
    RGT_CHECK(strcmp(net_block(&n, "cell.W", 0)->oracle, "local step") == 0);
    net_close(&n);
    RGT_CHECK(check_faulty(&n, &my_real_tanh, NO_EARLY, 60, 0.3) == RG_FAIL);
    RGT_CHECK(net_block(&n, "cell.W", 0)->verdict == RG_FAIL);
    RGT_CHECK(net_block(&n, "cell.W", 59)->verdict == RG_PASS);
    RGT_CHECK(rgt_has(n.report->message, "'my_real_tanh' (cell step 0)"));
    net_close(&n);
}

/* ---- Rules that pair the wrong things ------------------------------------------------------- */

/* y = a∘b, the third operand unused; the rule of b reads it in place of a. */
static void swapped_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
    rg_vjp_add(v, 1, rg_mul(v->gy, v->in[2]));
}

LAB_OP(swapped, 3, swapped_vjp, lab_product_f64);

RGT_TEST(gradcheck, gradients_of_two_steps_exchanged_fail_though_their_sum_is_right)
{
    net n;
    net_open(&n, 1);
    rg_val x[2], w = lab_vector(&n, "w"), s = rg_const(n.g, 0);
    for (int t = 0; t < 2; t++)
        x[t] = rg_input(n.g, NULL, RG_F, RG_SHAPE(3));
    for (int t = 0; t < 2; t++) {
        rg_scope_push(n.g, "loop", t);
        const rg_val in[3] = { x[t], w, x[1 - t] };
        s = rg_add(s, rg_sum(rg_emit(&swapped, NULL, in, 3)));
        rg_scope_pop(n.g);
    }
    RGT_CHECK(net_check(&n, s, NULL, 0, NULL) == RG_FAIL && n.report->failed == 2);
    RGT_CHECK(n.report->n_block == 2 && rgt_has(n.report->message, "op 'swapped'"));
    net_close(&n);
}

static void half_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
}

LAB_OP(half, 2, half_vjp, lab_product_f64);

RGT_TEST(gradcheck, a_missing_term_fails_even_where_the_graph_says_no_path)
{
    net n;
    RGT_CHECK(lab_check(&n, &half, 1) == RG_FAIL);
    RGT_CHECK(net_block(&n, "a", RG_NO_STEP)->verdict == RG_PASS);
    RGT_CHECK(net_block(&n, "b", RG_NO_STEP)->verdict == RG_FAIL);
    rg_val a = lab_vector(&n, "a");
    rg_val squares = rg_sum(rg_emit2(&half, NULL, a, a)); /* half of the gradient is there */
    RGT_CHECK(net_check(&n, squares, &a, 1, NULL) == RG_FAIL);
    RGT_CHECK(fabs(n.report->block[0].error - 0.5) < 1e-6);
    net_close(&n);
}

static int rule_calls;

/* Right but for the first time it is asked. */
static void moody_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rule_calls++ ? v->gy : rg_scale(v->gy, 2));
}

LAB_OP(moody, 1, moody_vjp, lab_copy_f64);

RGT_TEST(gradcheck, blocks_that_do_not_add_up_to_the_gradient_fail)
{
    net n;
    rule_calls = 0;
    RGT_CHECK(lab_check(&n, &moody, 1) == RG_FAIL && n.report->failed == 0);
    const rg_gradcheck_law *sum = net_law(&n, "sum over steps");
    RGT_CHECK(sum->verdict == RG_FAIL && sum->got == 2 && sum->want == 1);
    RGT_CHECK_MSG(rgt_has(n.report->message, "fail: sum over steps: w: 2, 1 expected"), "%s",
                  n.report->message);
    net_close(&n);
    RGT_CHECK(lab_check(&n, &moody, 1) == RG_PASS);
    net_close(&n);
}

/* Breaks its promise to work element by element, whatever the part. */
static LAB_KERNEL_1(part_f64, double, k->first ? 2 * x : x)

static void part_vjp(const rg_vjp_ctx *v);
LAB_OP(part, 1, part_vjp, part_f64);

static void part_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit1(&part, NULL, v->gy));
}

RGT_TEST(gradcheck, a_plan_that_computes_another_gradient_than_the_interpreter_fails)
{
    net n;
    net_open(&n, 1);
    rg_val x = rg_input(n.g, "x", RG_F, RG_SHAPE(100, 200));
    rg_val loss = rg_sum(rg_square(rg_emit(&part, NULL, &x, 1)));
    RGT_CHECK(net_check(&n, loss, &x, 1, NULL) == RG_FAIL && n.report->failed == 0);
    RGT_CHECK(net_law(&n, "optimized plan")->verdict == RG_FAIL);
    RGT_CHECK(net_law(&n, "sum over steps")->verdict == RG_PASS);
    net_close(&n);
}

/* ---- Second order ---------------------------------------------------------------------------- */

static void square_back_vjp(const rg_vjp_ctx *v) /* the 2 is lost for x */
{
    rg_vjp_add(v, 0, rg_scale(rg_mul(v->gy, v->in[1]), 2));
    rg_vjp_add(v, 1, rg_mul(v->gy, v->in[0]));
}

LAB_OP(square_back, 2, square_back_vjp, lab_square_back_f64);
static const rg_op square_last = { .name = "square_last", .arity = 2,
                                   .flags = RG_OP_ELEMENTWISE | RG_OP_NODIFF,
                                   .kernel_f64 = lab_square_back_f64 };

static void square_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit2(&square_back, NULL, v->gy, v->in[0]));
}

static void square_once_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit2(&square_last, NULL, v->gy, v->in[0]));
}

LAB_OP(my_square, 1, square_vjp, lab_square_f64);
LAB_OP(square_once, 1, square_once_vjp, lab_square_f64);

RGT_TEST(gradcheck, a_wrong_second_derivative_fails_in_second_order_only)
{
    net n;
    RGT_CHECK(lab_check(&n, &my_square, 1) == RG_PASS);
    net_close(&n);
    RGT_CHECK(lab_check(&n, &my_square, 2) == RG_FAIL);
    RGT_CHECK(net_block(&n, "w", RG_NO_STEP)->verdict == RG_PASS);
    RGT_CHECK(strcmp(n.report->block[0].oracle, "second order") == 0);
    RGT_CHECK_MSG(rgt_has(n.report->message, "the rule of op 'square_back'"), "%s",
                  n.report->message);
    net_close(&n);
}

static void product_last_vjp(const rg_vjp_ctx *v) /* nothing for the second operand */
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
}

LAB_OP(product_last, 2, product_last_vjp, lab_product_f64);

static void lopsided_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
    rg_vjp_add(v, 1, rg_emit2(&product_last, NULL, v->gy, v->in[0]));
}

LAB_OP(lopsided, 2, lopsided_vjp, lab_product_f64);

RGT_TEST(gradcheck, a_hessian_that_is_not_symmetric_fails)
{
    net n;
    RGT_CHECK(lab_check(&n, &lopsided, 1) == RG_PASS);
    net_close(&n);
    RGT_CHECK(lab_check(&n, &lopsided, 2) == RG_FAIL);
    RGT_CHECK(net_law(&n, "symmetry")->verdict == RG_FAIL);
    net_close(&n);
}

RGT_TEST(gradcheck, an_op_without_second_derivative_is_named_and_the_graph_stays_sound)
{
    net n;
    RGT_CHECK_MSG(lab_check(&n, &square_once, 1) == RG_PASS, "%s", n.report->message);
    const rg_gradcheck_law *dot = net_law(&n, "dot product");
    RGT_CHECK(dot->verdict == RG_NOT_RUN && rgt_has(dot->reason, "'square_last'"));
    net_close(&n);
    RGT_CHECK(lab_check(&n, &square_once, 2) == RG_NOT_RUN);
    RGT_CHECK(n.report->status == RG_ENOGRAD && rgt_has(n.report->message, "'square_last'"));
    RGT_CHECK(!rg_graph_status(n.g) && *rg_graph_message(n.g) == '\0');
    net_close(&n);
}
