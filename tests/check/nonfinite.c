/* tests/check/nonfinite.c -- NaN and infinity are traced to operation, layer, time step and row. */
#include <retrograd/retrograd.h>

#include <math.h>
#include <string.h>

#include "tests/rgt.h"

typedef struct net {
    rg_params *params;
    rg_graph  *g;
    rg_plan   *plan;
    rg_nonfinite_place at;
} net;

static net open_net(void)
{
    net n = { .plan = NULL };
    rg_params_create(&n.params, 1, NULL);
    rg_graph_create(&n.g, n.params, NULL);
    return n;
}

static void close_net(net *n)
{
    rg_plan_destroy(&n->plan);
    rg_graph_destroy(&n->g);
    rg_params_destroy(&n->params);
}

/* Train a step on x, and look. */
static void look(net *n, rg_val loss, rg_val X, const float *x, size_t bytes)
{
    RGT_CHECK_MSG(rg_plan_create_train(&n->plan, loss, NULL, 0, NULL) == RG_OK, "%s",
                  rg_graph_message(n->g));
    RGT_CHECK(rg_plan_bind(n->plan, X, x, bytes) == RG_OK && rg_plan_run(n->plan) == RG_OK);
    RGT_CHECK_MSG(rg_find_nonfinite(&n->at, n->plan, NULL, 0) == RG_OK, "%s", n->at.message);
}

static bool says(const net *n, const char *text)
{
    return strstr(n->at.message, text) != NULL;
}

enum { T = 12, B = 3 };

/* h' = ln(x + h + 2), two layers of it in one scope each */
static void log_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights;
    next[0] = rg_log(rg_add(rg_add(x, s[0]), rg_const(x.graph, 2)));
}

RGT_TEST(nonfinite, the_logarithm_of_a_negative_number_is_named_with_step_and_row)
{
    net n = open_net();
    float x[T][B][1] = { { { 0 } } };
    rg_val last, X = rg_input(n.g, "x", RG_F, RG_SHAPE(T, B, 1));
    rg_val w = rg_param(n.g, NULL, "w", RG_SHAPE(1), rg_init_const(1));
    rg_unroll(&last, &(rg_cell){ "logs", 1, (int64_t[]){ 1 }, log_step, NULL }, rg_mul(X, w), NULL,
              NULL);
    x[7][1][0] = -5;
    look(&n, rg_mean(last), X, &x[0][0][0], sizeof x);
    RGT_CHECK_MSG(n.at.found && strcmp(n.at.op, "log") == 0, "%s", n.at.message);
    RGT_CHECK(n.at.step == 7 && n.at.row == 1 && isnan(n.at.value) && !n.at.gradient);
    RGT_CHECK(strcmp(n.at.scope, "logs step 7") == 0);
    RGT_CHECK_MSG(n.at.operand < 0 && n.at.operand > -3, "%g", n.at.operand);
    RGT_CHECK(isfinite(n.at.norm) && n.at.norm > 2);
    RGT_CHECK(says(&n, "'log'") && says(&n, "logs step 7") && says(&n, "row 1"));
    close_net(&n);
}

RGT_TEST(nonfinite, a_division_by_zero_shows_both_operands)
{
    net n = open_net();
    const float x[4][2] = { { 1, 2 }, { 3, 4 }, { 5, 0 }, { 7, 8 } };
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(4, 2));
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_const(3));
    look(&n, rg_mean(rg_div(w, X)), X, &x[0][0], sizeof x);
    RGT_CHECK_MSG(n.at.found && strcmp(n.at.op, "div") == 0, "%s", n.at.message);
    RGT_CHECK(n.at.row == 2 && n.at.index == 5 && n.at.step == RG_NO_STEP);
    RGT_CHECK(n.at.value == INFINITY && n.at.operand == 3);
    RGT_CHECK(says(&n, "operands are 3 and 0"));
    close_net(&n);
}

static void linear_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    next[0] = rg_gate_sum(weights, x, s[0]);
}

RGT_TEST(nonfinite, an_exploding_recurrence_is_named_where_it_overflows)
{
    enum { LONG = 120 };
    net n = open_net();
    static float x[LONG][B][2];
    rg_val last, X = rg_input(n.g, "x", RG_F, RG_SHAPE(LONG, B, 2));
    rg_gate w = rg_gate_declare(n.g, "deep", "", 2, 4, 0);
    rg_unroll(&last, &(rg_cell){ "linear", 1, (int64_t[]){ 4 }, linear_step, &w }, X, NULL, NULL);
    float *W = rg_params_find(n.params, "deep.W").data;
    for (int i = 0; i < 16; i++)
        W[i] *= 3;
    x[0][2][0] = 1; /* the other rows stay 0 */
    look(&n, rg_mean(rg_square(last)), X, &x[0][0][0], sizeof x);
    RGT_CHECK_MSG(n.at.found && n.at.row == 2 && strcmp(n.at.op, "matmul") == 0, "%s",
                  n.at.message);
    /* 3^81 = 4e38 */
    RGT_CHECK_MSG(n.at.step > 70 && n.at.step < 90, "%s", n.at.message);
    RGT_CHECK(n.at.norm > 1e36 && isfinite(n.at.norm));
    close_net(&n);
}

RGT_TEST(nonfinite, a_gradient_names_the_operation_that_it_is_of)
{
    net n = open_net();
    const float x[4][2] = { { 1, 2 }, { 3, 4 }, { 5, 0 }, { 7, 8 } };
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(4, 2));
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_const(3));
    look(&n, rg_mean(rg_sqrt(rg_mul(w, X))), X, &x[0][0], sizeof x);
    RGT_CHECK_MSG(n.at.found && n.at.gradient && says(&n, "gradient of 'sqrt'"), "%s",
                  n.at.message);
    RGT_CHECK(n.at.row == 2);
    close_net(&n);
}

RGT_TEST(nonfinite, numbers_that_came_as_they_are_are_named_by_their_leaf)
{
    net n = open_net();
    float x[4][2] = { { 1, 2 }, { 3, NAN }, { 5, 0 }, { 7, 8 } };
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(4, 2));
    rg_val loss = rg_mean(rg_dense(X, "out", 3));
    look(&n, loss, X, &x[0][0], sizeof x);
    RGT_CHECK_MSG(n.at.found && says(&n, "input 'x' holds nan at [1,1]"), "%s", n.at.message);
    x[1][1] = 0;
    ((float *)rg_params_find(n.params, "out.W").data)[4] = INFINITY;
    RGT_CHECK(rg_plan_run(n.plan) == RG_OK && rg_find_nonfinite(&n.at, n.plan, NULL, 0) == RG_OK);
    RGT_CHECK_MSG(says(&n, "parameter 'out.W' holds inf at [1,1]"), "%s", n.at.message);
    close_net(&n);
}

RGT_TEST(nonfinite, what_only_passes_by_is_not_blamed_and_finite_runs_have_nothing)
{
    net n = open_net();
    const float x[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    rg_val X = rg_input(n.g, "x", RG_F, RG_SHAPE(2, 3));
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_const(1));
    rg_val cut = rg_where(rg_less(X, rg_const(n.g, 3)), rg_mul(X, w), rg_const(n.g, -1));
    rg_val never = rg_mul(rg_log(rg_sub(X, X)), rg_const(n.g, 1)); /* -inf, not chosen */
    look(&n, rg_mean(rg_where(rg_less(X, rg_const(n.g, 100)), cut, never)), X, &x[0][0], sizeof x);
    RGT_CHECK_MSG(!n.at.found && n.at.message[0] == '\0', "%s", n.at.message);
    close_net(&n);
}

RGT_TEST(nonfinite, carried_states_are_those_of_before_the_run)
{
    net n = open_net();
    float before[2] = { 1, -3 };
    rg_val s = rg_input(n.g, "s", RG_F, RG_SHAPE(2, 1));
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_const(1));
    rg_val next = rg_log(rg_mul(w, s));
    rg_val loss = rg_mean(next);
    rg_plan_create_train(&n.plan, loss, &next, 1, NULL);
    rg_plan_bind(n.plan, s, before, sizeof before);
    RGT_CHECK(rg_plan_carry(n.plan, &next, &s, 1) == RG_OK && rg_plan_run(n.plan) == RG_OK);
    rg_find_nonfinite(&n.at, n.plan, NULL, 0); /* the state is NaN now */
    RGT_CHECK_MSG(strcmp(n.at.op, "input") == 0, "%s", n.at.message);
    rg_held_input held = { s, before };
    RGT_CHECK(rg_find_nonfinite(&n.at, n.plan, &held, 1) == RG_OK);
    RGT_CHECK_MSG(strcmp(n.at.op, "log") == 0 && n.at.operand == -3 && n.at.row == 1, "%s",
                  n.at.message);
    close_net(&n);
}

RGT_TEST(nonfinite, a_plan_that_has_not_run_is_refused)
{
    net n = open_net();
    rg_nonfinite_place at;
    rg_val w = rg_param(n.g, NULL, "w", RG_SCALAR, rg_init_const(1));
    rg_plan_create_train(&n.plan, rg_log(w), NULL, 0, NULL);
    RGT_CHECK(rg_find_nonfinite(&at, n.plan, NULL, 0) == RG_ESTATE && at.message[0]);
    RGT_CHECK(rg_find_nonfinite(&at, NULL, NULL, 0) == RG_EARG);
    RGT_CHECK(rg_find_nonfinite(NULL, n.plan, NULL, 0) == RG_EARG);
    close_net(&n);
}
