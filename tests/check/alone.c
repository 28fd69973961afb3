/* tests/check/alone.c -- wrong gradients that one check alone can see: the cell as a whole, forward
 * against reverse mode, single precision; and that it lets right ones pass. */
#include "tests/check/lab.h"

#include "graph/graph.h"
#include "tests/rgt.h"

#include <math.h>
#include <string.h>

/* Every law but this one holds; it has this verdict. */
static void only(const net *n, const char *law, rg_verdict verdict)
{
    for (size_t i = 0; i < n->report->n_law; i++) {
        const rg_gradcheck_law *l = &n->report->law[i];
        const rg_verdict want = strcmp(l->name, law) == 0 ? verdict : RG_PASS;
        RGT_CHECK_MSG(l->verdict == want, "%s: %d, %s", l->name, (int)l->verdict, l->reason);
        RGT_CHECK((l->verdict == RG_FAIL) == !(l->error <= l->bound));
    }
    RGT_CHECK(net_law(n, law) && n->report->failed + n->report->inconclusive == 0);
}

/* ---- A cell --------------------------------------------------------------------------------- */

struct company { int32_t bad, step; };

/* Right of an input; at early steps wrong of anything that was computed. */
static void company_vjp(const rg_vjp_ctx *v)
{
    const struct company *a = v->attr;
    const bool wrong = a->bad && a->step < 3 && rg_node_of(v->in[0])->n_in;
    rg_val g = rg_mul(v->gy, rg_one_minus(rg_square(v->out)));
    rg_vjp_add(v, 0, wrong ? rg_scale(g, 0.5) : g);
}

static const rg_op shy = { .name = "shy", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                           .attr_bytes = sizeof(struct company), .vjp = company_vjp,
                           .kernel_f64 = lab_tanh_f64 };
static struct company company;

static rg_val shy_fn(rg_val x)
{
    rg_val y = rg_emit(&shy, &company, &x, 1);
    company.step++;
    return y;
}

static rg_verdict check_company(net *n, bool bad)
{
    company = (struct company){ bad, 0 };
    net_open(n, 1);
    rg_val loss = net_build(n, &(net_shape){ NET_RNN, 60, 2, 3, 4, 0.3, shy_fn }, NULL);
    return net_check(n, loss, NULL, 0, NULL);
}

RGT_TEST(gradcheck, a_cell_that_is_wrong_as_a_whole_fails_though_each_op_alone_is_right)
{
    net n;
    RGT_CHECK(check_company(&n, true) == RG_FAIL);
    for (int64_t t = 0; t < 60; t++) {
        const rg_gradcheck_block *b = net_block(&n, "cell.W", t);
        RGT_CHECK(!b || b->verdict == (t < 3 ? RG_FAIL : RG_PASS));
        RGT_CHECK(!b || t >= 3 || strcmp(b->oracle, "local step") == 0);
    }
    RGT_CHECK_MSG(rgt_has(n.report->message, "; the cell of 'matmul' (cell step 0) is wrong, "
                  "each op of it alone is right"), "%s", n.report->message);
    net_close(&n);
    RGT_CHECK_MSG(check_company(&n, false) == RG_PASS, "%s", n.report->message);
    RGT_CHECK(strcmp(net_block(&n, "cell.W", 0)->oracle, "local step") == 0);
    net_close(&n);
}

static void scaled_vjp(const rg_vjp_ctx *v)
{
    const struct company *a = v->attr;
    rg_val g = rg_mul(v->gy, rg_one_minus(rg_square(v->out)));
    rg_vjp_add(v, 0, a->bad ? rg_neg(g) : g);
}

static const rg_op shrunk = { .name = "shrunk", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                              .attr_bytes = sizeof(struct company), .vjp = scaled_vjp,
                              .kernel_f64 = lab_tanh_f64 };

RGT_TEST(gradcheck, within_a_cell_whose_own_parts_vanish_each_op_is_asked)
{
    for (int bad = 0; bad < 2; bad++) {
        net n;
        net_open(&n, 1);
        rg_val h = lab_vector(&n, "h"), w = lab_vector(&n, "w");
        const struct company attr = { bad, 0 };
        rg_scope_push(n.g, "cell", 0);
        h = rg_add(rg_tanh(h), rg_scale(rg_emit1(&shrunk, &attr, w), 1e-25));
        rg_scope_pop(n.g);
        RGT_CHECK(net_check(&n, rg_sum(h), NULL, 0, NULL) == (bad ? RG_FAIL : RG_PASS));
        const rg_gradcheck_block *b = net_block(&n, "w", 0);
        RGT_CHECK(strcmp(b->oracle, "local op") == 0 && fabs(b->got) < 1e-24 && b->got != 0);
        RGT_CHECK(!bad || rgt_has(n.report->message, "the rule of op 'shrunk' (cell step 0)"));
        net_close(&n);
    }
}

/* ---- Forward against reverse mode ------------------------------------------------------------ */

/* Right where gy is 1, and only there. */
static void bent_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_square(v->gy));
}

LAB_OP(bent, 1, bent_vjp, lab_copy_f64);

RGT_TEST(gradcheck, a_rule_that_is_not_linear_fails_in_the_dot_product_alone)
{
    net n;
    RGT_CHECK(lab_check(&n, &bent, 1) == RG_FAIL);
    only(&n, "dot product", RG_FAIL);
    RGT_CHECK_MSG(rgt_has(n.report->message, "fail: dot product: "), "%s", n.report->message);
    net_close(&n);
}

/* gx = 2·gy·x; what it is in gy is asked in forward mode only. */
static void half_back_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_mul(v->gy, v->in[1]));
    rg_vjp_add(v, 1, rg_scale(rg_mul(v->gy, v->in[0]), 2));
}

static void right_back_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_scale(rg_mul(v->gy, v->in[1]), 2));
    rg_vjp_add(v, 1, rg_scale(rg_mul(v->gy, v->in[0]), 2));
}

LAB_OP(half_back, 2, half_back_vjp, lab_square_back_f64);
LAB_OP(right_back, 2, right_back_vjp, lab_square_back_f64);

static void half_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit2(&half_back, NULL, v->gy, v->in[0]));
}

static void right_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit2(&right_back, NULL, v->gy, v->in[0]));
}

LAB_OP(half_square, 1, half_vjp, lab_square_f64);
LAB_OP(right_square, 1, right_vjp, lab_square_f64);

RGT_TEST(gradcheck, a_transpose_that_lost_a_factor_fails_in_the_dot_product_alone)
{
    net n;
    RGT_CHECK(lab_check(&n, &half_square, 1) == RG_FAIL);
    only(&n, "dot product", RG_FAIL);
    const rg_gradcheck_law *l = net_law(&n, "dot product");
    RGT_CHECK(l->want != 0 && fabs(l->got / l->want - 2) < 1e-9);
    net_close(&n);
    RGT_CHECK(lab_check(&n, &right_square, 1) == RG_PASS);
    only(&n, "dot product", RG_PASS);
    RGT_CHECK(net_law(&n, "dot product")->got != 0);
    net_close(&n);
}

/* ---- Single precision ----------------------------------------------------------------------- */

static LAB_KERNEL_1(square_f32, float, x * x)
static LAB_KERNEL_1(off_f32, float, x * x * 1.001f)

static void square_vjp(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_scale(rg_mul(v->gy, v->in[0]), 2));
}

static const rg_op single_right = { .name = "single", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                                    .vjp = square_vjp, .kernel_f32 = square_f32,
                                    .kernel_f64 = lab_square_f64 };
static const rg_op single_wrong = { .name = "single", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                                    .vjp = square_vjp, .kernel_f32 = off_f32,
                                    .kernel_f64 = lab_square_f64 };

RGT_TEST(gradcheck, an_f32_kernel_that_is_wrong_fails_in_the_f32_plan_alone)
{
    for (int wrong = 0; wrong < 2; wrong++) {
        net n;
        net_open(&n, 1);
        rg_val w = lab_vector(&n, "w");
        rg_val y = rg_emit1(wrong ? &single_wrong : &single_right, NULL, w);
        RGT_CHECK(net_check(&n, rg_sum(rg_square(y)), NULL, 0, NULL) ==
                  (wrong ? RG_FAIL : RG_PASS));
        only(&n, "f32 plan", wrong ? RG_FAIL : RG_PASS);
        const rg_gradcheck_law *l = net_law(&n, "f32 plan");
        RGT_CHECK(wrong ? fabs(l->error - 1e-3) < 1e-5 : l->error < 1e-6);
        RGT_CHECK(strcmp(l->tensor, "w") == 0);
        net_close(&n);
    }
}

RGT_TEST(gradcheck, a_growing_network_may_be_as_far_off_in_f32_as_rounding_makes_it)
{
    net n;
    net_open(&n, 2);
    rg_val loss = net_build(&n, &(net_shape){ NET_RNN, 60, 3, 4, 8, 2.2, NULL }, NULL);
    (void)net_check(&n, loss, NULL, 0, NULL);
    const rg_gradcheck_law *l = net_law(&n, "f32 plan");
    RGT_CHECK_MSG(l->verdict == RG_PASS && l->bound > 1e-4, "%d: %g of %g", (int)l->verdict,
                  l->error, l->bound);
    net_close(&n);
}

/* Σ relu(x - 1) over 20 elements, the first being 1 and a little. */
static rg_verdict check_near(net *n, double first, bool squared)
{
    double x[20];
    for (int i = 0; i < 20; i++)
        x[i] = i ? (double)i + 2 : first;
    net_open(n, 1);
    rg_val X = rg_input(n->g, "x", RG_F, RG_SHAPE(20));
    rg_val far = squared ? rg_sub(rg_square(X), rg_const(n->g, 1 + 0x1p-22)) : rg_shift(X, -1);
    rg_val loss = rg_sum(rg_relu(far));
    return lab_check_at(n, loss, X, x, sizeof x);
}

RGT_TEST(gradcheck, where_f32_is_on_another_side_of_a_kink_it_is_not_compared)
{
    net n;
    for (int squared = 0; squared < 2; squared++) {
        RGT_CHECK(check_near(&n, squared ? 1 + 0x1p-23 : 1 + 1e-10, squared) == RG_PASS);
        RGT_CHECK(rgt_has(net_law(&n, "f32 plan")->reason, "a comparison falls otherwise"));
        only(&n, "f32 plan", RG_NOT_RUN);
        net_close(&n);
    }
    RGT_CHECK(check_near(&n, 2, false) == RG_PASS);
    only(&n, "f32 plan", RG_PASS);
    net_close(&n);
}

RGT_TEST(gradcheck, what_f32_cannot_hold_is_not_compared)
{
    net n;
    net_open(&n, 1);
    rg_val w = lab_vector(&n, "w");
    rg_val far = rg_sum(rg_scale(rg_sin(w), 1e35)), tiny = rg_sum(rg_scale(rg_sin(w), 1e-35));
    RGT_CHECK(net_check(&n, far, NULL, 0, NULL) == RG_PASS);
    RGT_CHECK(rgt_has(net_law(&n, "f32 plan")->reason, "beyond single precision"));
    RGT_CHECK(net_check(&n, tiny, NULL, 0, NULL) == RG_PASS);
    RGT_CHECK(rgt_has(net_law(&n, "f32 plan")->reason, "no gradient has digits"));
    only(&n, "f32 plan", RG_NOT_RUN);
    net_close(&n);
}

/* ---- The report ----------------------------------------------------------------------------- */

RGT_TEST(gradcheck, a_report_tells_its_seed_its_steps_and_every_law)
{
    static const char *const laws[] = { "sum over steps", "optimized plan", "f32 plan",
                                        "dot product", "symmetry" };
    net n;
    rgt_text text = { .data = NULL };
    net_open(&n, 1);
    rg_val loss = net_build(&n, &(net_shape){ NET_GRU, 4, 2, 3, 5, 1, NULL }, NULL);
    RGT_CHECK(net_check(&n, loss, NULL, 0, &(rg_gradcheck_opts){ .order = 2, .seed = 7 }) ==
              RG_PASS);
    RGT_CHECK(n.report->seed == 7 && n.report->n_law == 5);
    for (size_t i = 0; i < 5; i++)
        RGT_CHECK(strcmp(n.report->law[i].name, laws[i]) == 0 &&
                  n.report->law[i].verdict == RG_PASS && *n.report->law[i].reason == '\0');
    RGT_CHECK(net_block(&n, "cell.Wr", 1)->h >= 7e-4 * (1 - 1e-9)); /* h0 or longer */
    rg_gradcheck_print(n.report, rgt_write, &text);
    for (size_t i = 0; i < 5; i++)
        RGT_CHECK(rgt_has(text.data, laws[i]));
    RGT_CHECK(rgt_has(text.data, "  seed 7\n"));
    rgt_text_free(&text);
    net_close(&n);
}
