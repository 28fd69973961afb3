/* tests/check/conditions.c -- what a check holds fixed, leaves out, refuses; and its control. */
#include "tests/check/lab.h"

#include "check/check.h"
#include "tests/rgt.h"

#include <math.h>
#include <string.h>

/* ---- Purity, detachment, kinks --------------------------------------------------------------- */

static double calls;
static LAB_KERNEL_1(counter_f64, double, x * (1 + (calls += 1e-9)))

static void counter_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, v->gy);
}

LAB_OP(counter, 1, counter_vjp, counter_f64);

RGT_TEST(gradcheck, a_loss_that_moves_by_itself_is_not_pure)
{
    net n;
    net_open(&n, 1);
    rg_val w = lab_vector(&n, "w");
    rg_scope_push(n.g, "loop", 4);
    rg_val y = rg_emit(&counter, NULL, (rg_val[]){ rg_sin(w) }, 1);
    rg_scope_pop(n.g);
    RGT_CHECK(net_check(&n, rg_sum(rg_square(y)), NULL, 0, NULL) == RG_NOT_RUN);
    RGT_CHECK(n.report->status == RG_EUSER && rgt_has(n.report->message, "not pure") &&
              rgt_has(n.report->message, "'counter' (loop step 4)"));
    net_close(&n);
}

RGT_TEST(gradcheck, what_is_detached_is_held_fixed_and_listed)
{
    net n;
    net_open(&n, 1);
    rg_val a = lab_vector(&n, "a"), b = lab_vector(&n, "b"), c = lab_vector(&n, "c");
    rg_val held = rg_detach(rg_tanh(rg_mul(a, b)));
    rg_val loss = rg_sum(rg_mul(rg_square(rg_add(a, held)), held));
    RGT_CHECK_MSG(net_check(&n, loss, (rg_val[]){ a, b, c }, 3, &(rg_gradcheck_opts){ .order = 2 })
                  == RG_PASS, "%s", n.report->message);
    RGT_CHECK(rgt_has(n.report->message, "; no path: c; blocked: b"));
    RGT_CHECK(net_block(&n, "a", RG_NO_STEP)->got != 0);
    RGT_CHECK(strcmp(net_block(&n, "b", RG_NO_STEP)->oracle, "blocked") == 0);
    RGT_CHECK(strcmp(net_block(&n, "c", RG_NO_STEP)->oracle, "no path") == 0);
    net_close(&n);
}

RGT_TEST(gradcheck, a_rule_that_says_nothing_is_not_taken_for_a_missing_path)
{
    net n;
    RGT_CHECK(lab_check(&n, &net_lost, 1) == RG_FAIL);
    RGT_CHECK(n.report->block[0].got == 0 && fabs(n.report->block[0].want - 1) < 1e-9);
    net_close(&n);
}

static LAB_KERNEL_1(my_relu_f64, double, x > 0 ? x : 0)

static void my_relu_vjp(const rg_vjp_ctx *v)
{
    rg_val zero = rg_const(v->gy.graph, 0);
    rg_vjp_add(v, 0, rg_where(rg_less(zero, v->in[0]), v->gy, zero));
}

LAB_OP(my_relu, 1, my_relu_vjp, my_relu_f64);

/* Σ relu(x) over 20 elements, so many of them 0. */
static rg_verdict check_relu(net *n, const rg_op *op, int zeros)
{
    double x[20];
    for (int i = 0; i < 20; i++)
        x[i] = i < zeros ? 0 : i % 2 ? i : -1 - i;
    net_open(n, 1);
    rg_val X = rg_input(n->g, "x", RG_F, RG_SHAPE(20));
    rg_val loss = rg_sum(op ? rg_emit(op, NULL, &X, 1) : rg_relu(X));
    return lab_check_at(n, loss, X, x, sizeof x);
}

RGT_TEST(gradcheck, elements_at_a_kink_are_excluded_and_counted)
{
    net n;
    for (int zeros = 0; zeros <= 2; zeros++) {
        RGT_CHECK(check_relu(&n, NULL, zeros) == RG_PASS);
        RGT_CHECK(n.report->block[0].excluded == (size_t)zeros);
        RGT_CHECK(strcmp(n.report->block[0].oracle, "difference") == 0);
        net_close(&n);
    }
}

RGT_TEST(gradcheck, a_block_full_of_kinks_goes_to_complex_steps_or_stays_open)
{
    net n;
    RGT_CHECK(check_relu(&n, NULL, 3) == RG_PASS);
    RGT_CHECK(strcmp(n.report->block[0].oracle, "complex step") == 0);
    net_close(&n);
    RGT_CHECK(check_relu(&n, &my_relu, 3) == RG_INCONCLUSIVE);
    RGT_CHECK(n.report->inconclusive == 1 && n.report->block[0].excluded == 3);
    RGT_CHECK(rgt_has(n.report->block[0].reason, "next to kinks") &&
              rgt_has(n.report->block[0].reason, "'my_relu' has no kernel for complex"));
    net_close(&n);
    RGT_CHECK(check_relu(&n, &my_relu, 2) == RG_PASS);
    net_close(&n);
}

RGT_TEST(gradcheck, undecided_blocks_pass_only_where_the_caller_says_so)
{
    net n;
    net_open(&n, 1);
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_zeros());
    rg_val loss = rg_emit(&my_relu, NULL, &w, 1);
    RGT_CHECK(net_check(&n, loss, NULL, 0, NULL) == RG_INCONCLUSIVE);
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .allow_inconclusive = true }) ==
              RG_PASS);
    RGT_CHECK(n.report->inconclusive == 1);
    net_close(&n);
}

/* ---- The control ----------------------------------------------------------------------------- */

static void lenient(const rg_check *c, rg_check_result *r)
{
    rg_check_judge(c, r);
    if (r->verdict == RG_FAIL && r->error < 0.5)
        r->verdict = RG_PASS;
}

static void blind_to_zero(const rg_check *c, rg_check_result *r)
{
    rg_check_judge(c, r);
    if (r->got[0] == 0)
        r->verdict = RG_PASS;
}

static void blind_to_order(const rg_check *c, rg_check_result *r)
{
    rg_check_judge(c, r);
    if (r->got[0] == 1 || r->got[0] == 2)
        r->verdict = RG_PASS;
}

RGT_TEST(gradcheck, the_control_notices_a_judge_that_is_blind)
{
    double value[2] = { 1, 2 };
    uint8_t out[2] = { 0 };
    rg_check_tensor t = { .name = "w", .n = 1 };
    rg_check_block b[2] = { { .tensor = &t, .step = 0, .checked = true },
                            { .tensor = &t, .step = 1, .checked = true } };
    rg_check_result r[2];
    rg_check c = { .rtol = 1e-6, .n_block = 2, .block = b };
    rg_check_objective o = { .result = r };
    for (int i = 0; i < 2; i++) {
        r[i] = (rg_check_result){ .block = &b[i], .n = 1, .got = &value[i], .want = &value[i],
                                  .out = &out[i], .rtol = 1e-6 };
        rg_check_judge(&c, &r[i]);
        RGT_CHECK(r[i].verdict == RG_PASS);
    }
    RGT_CHECK(rg_check_control(&c, &o, rg_check_judge) == RG_OK);
    RGT_CHECK(rg_check_control(&c, &o, lenient) == RG_EINTERNAL && rgt_has(c.err.text, "scaled"));
    RGT_CHECK(rg_check_control(&c, &o, blind_to_zero) == RG_EINTERNAL &&
              rgt_has(c.err.text, "zeroed"));
    RGT_CHECK(rg_check_control(&c, &o, blind_to_order) == RG_EINTERNAL &&
              rgt_has(c.err.text, "swapped"));
}
