/* tests/ops/refuse.c -- what expressions refuse, with which code, in which words; and that a graph
 * once poisoned keeps its first message and grows no further. */
#include "tests/ops/lab.h"

#include "graph/graph.h"
#include "ops/ops.h"
#include "tests/rgt.h"

#include <math.h>

/* A fresh graph with an x [3,4], n [3,4] of integers, a scalar s; one wrong call; its message. */
#define REFUSES(call, code, words)                                                             \
    do {                                                                                       \
        rg_graph *g = NULL;                                                                    \
        RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);                                   \
        rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3, 4)), s = rg_const(g, 1);                 \
        rg_val n = rg_input(g, "n", RG_INT, RG_SHAPE(3, 4));                                   \
        rg_val m = rg_input(g, "m", RG_BOOL, RG_SHAPE(3, 4));                                  \
        (void)s, (void)n, (void)m, (void)x;                                                    \
        rg_scope_push(g, "cell", 7);                                                           \
        rg_val y = (call);                                                                     \
        RGT_CHECK_MSG(!y.id && rg_graph_status(g) == (code), "%s: code %d", #call,             \
                      (int)rg_graph_status(g));                                                \
        RGT_CHECK_MSG(rgt_has(rg_graph_message(g), "cell step 7: " words), "%s: '%s'", #call,  \
                      rg_graph_message(g));                                                    \
        const uint32_t nodes = g->n_node;                                                      \
        RGT_CHECK(!rg_add(x, x).id && g->n_node == nodes);                                     \
        RGT_CHECK(!rg_mul(y, x).id);                                                           \
        RGT_CHECK(rgt_has(rg_graph_message(g), words));                                        \
        rg_graph_destroy(&g);                                                                  \
    } while (0)

RGT_TEST(refuse, axes_and_indices_out_of_range)
{
    REFUSES(rg_sum_over(x, 2, false), RG_EINDEX, "sum_over: axis 2 is out of range for [3,4]");
    REFUSES(rg_sum_over(x, -3, false), RG_EINDEX, "sum_over: axis -3 is out of range for [3,4]");
    REFUSES(rg_mean_over(x, 2, false), RG_EINDEX, "sum_over: axis 2");
    REFUSES(rg_max_over(x, 5, true), RG_EINDEX, "max_over: axis 5");
    REFUSES(rg_argmax(s, 0), RG_EINDEX, "argmax: axis 0 is out of range for []");
    REFUSES(rg_softmax(x, 2), RG_EINDEX, "softmax: axis 2");
    REFUSES(rg_cumsum(x, 2), RG_EINDEX, "cumsum: axis 2");
    REFUSES(rg_reverse(x, 2), RG_EINDEX, "reverse: axis 2");
    REFUSES(rg_slice(x, 2, 0, 1), RG_EINDEX, "slice: axis 2");
    REFUSES(rg_concat(&x, 1, 2), RG_EINDEX, "concat: axis 2");
    REFUSES(rg_pad(x, 2, 1, 1, 0), RG_EINDEX, "concat: axis 2");
    REFUSES(rg_select(x, 0, 3), RG_EINDEX, "select: index 3 is out of range for axis 0 of [3,4]");
    REFUSES(rg_select(x, 1, -5), RG_EINDEX, "select: index -5 is out of range for axis 1 of [3,4]");
    REFUSES(rg_select(x, 3, 0), RG_EINDEX, "slice: axis 3");
    REFUSES(rg_unsqueeze(x, 4), RG_EINDEX, "unsqueeze: axis 4 is out of range for [3,4]");
    REFUSES(rg_squeeze(x, 2), RG_EINDEX, "squeeze: axis 2 is out of range for [3,4]");
    REFUSES(rg_stack(&x, 1, 4), RG_EINDEX, "unsqueeze: axis 4");
    REFUSES(rg_transpose(x, ((const int[]){ 0, 2 }), 2), RG_EINDEX, "transpose: axis 2");
    REFUSES(rg_gather(s, n), RG_EINDEX, "gather: axis 0 is out of range for []");
}

RGT_TEST(refuse, shapes_that_do_not_fit)
{
    REFUSES(rg_add(x, rg_zeros(g, RG_SHAPE(3))), RG_ESHAPE,
            "add: shapes do not broadcast: [3,4] and [3] differ on axis -1");
    REFUSES(rg_mul(rg_zeros(g, RG_SHAPE(5, 1, 4)), rg_zeros(g, RG_SHAPE(6, 3, 1))), RG_ESHAPE,
            "mul: shapes do not broadcast: [5,1,4] and [6,3,1] differ on axis -3");
    REFUSES(rg_matmul(x, x), RG_ESHAPE, "matmul: inner extents differ: [3,4] x [3,4]");
    REFUSES(rg_matmul_t(x, x, true, true), RG_ESHAPE,
            "matmul: inner extents differ: [3,4] transposed x [3,4] transposed");
    REFUSES(rg_matmul(x, rg_zeros(g, RG_SHAPE(4))), RG_ESHAPE,
            "matmul: operands need two axes or more");
    REFUSES(rg_affine(x, rg_zeros(g, RG_SHAPE(4, 5)), rg_zeros(g, RG_SHAPE(4))), RG_ESHAPE,
            "affine: bias [4] does not fit the product [3,5]");
    REFUSES(rg_affine(x, rg_zeros(g, RG_SHAPE(4, 5)), rg_zeros(g, RG_SHAPE(1))), RG_ESHAPE,
            "affine: bias [1] does not fit the product [3,5]");
    REFUSES(rg_reshape(x, RG_SHAPE(5, 3)), RG_ESHAPE,
            "reshape: [3,4] has 12 elements, which [5,3]");
    REFUSES(rg_reshape(x, RG_SHAPE(-1, -1)), RG_ESHAPE,
            "reshape: [3,4] has 12 elements, which [-1,-1]");
    REFUSES(rg_squeeze(x, 1), RG_ESHAPE, "squeeze: axis 1 of [3,4] is not 1");
    REFUSES(rg_broadcast(x, RG_SHAPE(4, 3)), RG_ESHAPE,
            "broadcast: [3,4] does not expand to [4,3]");
    REFUSES(rg_concat(((const rg_val[]){ x, rg_zeros(g, RG_SHAPE(3, 5)) }), 2, 0), RG_ESHAPE,
            "concat: part 1 is [3,5], part 0 is [3,4]: they differ on axis 1");
    REFUSES(rg_stack(((const rg_val[]){ x, rg_zeros(g, RG_SHAPE(3, 5)) }), 2, 0), RG_ESHAPE,
            "concat: part 1 is [1,3,5], part 0 is [1,3,4]");
    REFUSES((rg_split(((rg_val[5]){ { 0 } }), 5, x, 1), rg_neg(x)), RG_ESHAPE,
            "split: axis 1 of [3,4] does not split into 5 equal parts");
    REFUSES(rg_mean(rg_zeros(g, RG_SHAPE(0, 3))), RG_ESHAPE, "mean_over: axis 0 of [0] is empty");
    REFUSES(rg_mean_over(rg_zeros(g, RG_SHAPE(0, 3)), 0, true), RG_ESHAPE,
            "mean_over: axis 0 of [0,3] is empty");
    REFUSES(rg_max(rg_zeros(g, RG_SHAPE(0))), RG_ESHAPE, "max_over: axis 0 of [0] is empty");
    REFUSES(rg_argmax(rg_zeros(g, RG_SHAPE(0, 2)), 0), RG_ESHAPE,
            "argmax: axis 0 of [0,2] is empty");
    REFUSES(rg_softmax(rg_zeros(g, RG_SHAPE(2, 0)), 1), RG_ESHAPE,
            "softmax: axis 1 of [2,0] is empty");
    REFUSES(rg_softmax_cross_entropy(x, n), RG_ESHAPE,
            "softmax_cross_entropy: classes [3,4] do not fit logits [3,4]");
    REFUSES(rg_scatter_add(x, rg_slice(n, 0, 0, 2), 9), RG_ESHAPE,
            "scatter_add: rows [2,4] are not");
    REFUSES(rg_uniform(g, "u", RG_SHAPE(-2)), RG_ESHAPE, "uniform: [-2] cannot be filled");
}

RGT_TEST(refuse, kinds_that_do_not_fit)
{
    REFUSES(rg_add(x, n), RG_EDTYPE, "add: operand 1 is int, real is needed");
    REFUSES(rg_tanh(m), RG_EDTYPE, "tanh: operand 0 is bool, real is needed");
    REFUSES(rg_matmul(x, n), RG_EDTYPE, "matmul: operand 1 is int, real is needed");
    REFUSES(rg_where(x, x, x), RG_EDTYPE, "where: operand 0 is real, bool is needed");
    REFUSES(rg_where(m, x, n), RG_EDTYPE, "where: operands are real and int");
    REFUSES(rg_and(m, x), RG_EDTYPE, "and: operand 1 is real, bool is needed");
    REFUSES(rg_less(x, n), RG_EDTYPE, "less: operand 1 is int, real is needed");
    REFUSES(rg_less(n, x), RG_EDTYPE, "less_int: operand 1 is real, int is needed");
    REFUSES(rg_gather(x, x), RG_EDTYPE, "gather: operand 1 is real, int is needed");
    REFUSES(rg_one_hot(x, 5), RG_EDTYPE, "one_hot: operand 0 is real, int is needed");
    REFUSES(rg_softmax_cross_entropy(x, x), RG_EDTYPE,
            "softmax_cross_entropy: operand 1 is real, int is needed");
    REFUSES(rg_concat(((const rg_val[]){ x, n }), 2, 0), RG_EDTYPE,
            "concat: part 1 is int, part 0 is real");
    REFUSES(rg_sum(n), RG_EDTYPE, "sum_over: operand 0 is int, real is needed");
}

RGT_TEST(refuse, arguments_without_meaning)
{
    REFUSES(rg_slice(x, 1, 2, 5), RG_EARG, "slice: 2 .. 5 is no part of axis 1 of [3,4]");
    REFUSES(rg_slice(x, 1, -1, 2), RG_EARG, "slice: -1 .. 2 is no part of axis 1 of [3,4]");
    REFUSES(rg_slice(x, 1, 3, 2), RG_EARG, "slice: 3 .. 2 is no part of axis 1 of [3,4]");
    REFUSES(rg_transpose(x, ((const int[]){ 1, 1 }), 2), RG_EARG,
            "transpose: axis 1 is named twice");
    REFUSES(rg_transpose(x, ((const int[]){ 1 }), 1), RG_EARG,
            "transpose: 1 axes are given for [3,4]");
    REFUSES(rg_clip(x, 2, 1), RG_EARG, "clip: bounds 2 and 1 are no interval");
    REFUSES(rg_clip(x, NAN, 1), RG_EARG, "clip: bounds nan and 1 are no interval");
    REFUSES(rg_dropout(x, 1, "d"), RG_EARG, "dropout: probability 1 is not in [0, 1)");
    REFUSES(rg_dropout(x, -0.5, "d"), RG_EARG, "dropout: probability -0.5 is not in [0, 1)");
    REFUSES(rg_dropout(x, NAN, "d"), RG_EARG, "dropout: probability nan is not in [0, 1)");
    REFUSES(rg_pad(x, 0, -1, 0, 0), RG_EARG, "pad: -1 before and 0 after; neither is negative");
    REFUSES(rg_pad(n, 0, 1, 0, 0.5), RG_EARG, "pad: indices are padded with a whole number");
    REFUSES(rg_one_hot(n, 0), RG_EARG, "one_hot: 0 classes; at least one is needed");
}

RGT_TEST(refuse, too_much)
{
    REFUSES(rg_uniform(g, "u", RG_SHAPE(INT64_C(1) << 34)), RG_ELIMIT,
            "uniform: [17179869184] cannot");
    REFUSES(rg_broadcast(s, RG_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40)), RG_ELIMIT,
            "broadcast: []");
    REFUSES(rg_pad(x, 0, INT64_C(1) << 47, INT64_C(1) << 47, 0), RG_ELIMIT, "");
    REFUSES(rg_unsqueeze(rg_zeros(g, RG_SHAPE(1, 1, 1, 1, 1, 1, 1, 2)), 0), RG_ELIMIT,
            "unsqueeze: [1,1,1,1,1,1,1,2] has all 8 axes");
    REFUSES(rg_one_hot(rg_reshape(n, RG_SHAPE(1, 1, 1, 1, 1, 1, 3, 4)), 2), RG_ELIMIT,
            "one_hot: [1,1,1,1,1,1,3,4] has all 8 axes");
    REFUSES(rg_gather(rg_zeros(g, RG_SHAPE(2, 1, 1, 1, 1)), rg_reshape(n, RG_SHAPE(1, 1, 1, 3, 4))),
            RG_ELIMIT, "gather: rows [1,1,1,3,4] of [2,1,1,1,1] have more than 8 axes");
}

RGT_TEST(refuse, values_of_two_graphs_and_unset_ones)
{
    rg_graph *a = NULL, *b = NULL;
    RGT_CHECK(rg_graph_create(&a, NULL, NULL) == RG_OK && rg_graph_create(&b, NULL, NULL) == RG_OK);
    rg_val x = rg_const(a, 1), y = rg_const(b, 2);
    RGT_CHECK(!rg_mul(x, y).id && rg_graph_status(a) == RG_EARG && rg_graph_status(b) == RG_OK);
    RGT_CHECK(rgt_has(rg_graph_message(a), "mul: operands live in different graphs"));
    RGT_CHECK(!rg_add(y, RG_NONE).id && rg_graph_status(b) == RG_EGRAPH);
    rg_graph_destroy(&a);
    rg_graph_destroy(&b);
}

/* With no graph anywhere there is nowhere to leave a message; nothing crashes. */
RGT_TEST(refuse, nothing_comes_of_nothing)
{
    rg_val none = RG_NONE, parts[2];
    const int axes[2] = { 1, 0 };
    RGT_CHECK(!rg_concat(NULL, 0, 0).graph && !rg_stack(NULL, 0, 0).graph);
    RGT_CHECK(!rg_uniform(NULL, "u", RG_SCALAR).graph && !rg_normal(NULL, NULL, RG_SCALAR).graph);
    rg_split(parts, 2, none, 0);
    const rg_val results[] = {
        rg_add(none, none), rg_tanh(none), rg_matmul(none, none), rg_affine(none, none, none),
        rg_affine2(none, none, none, none, none), rg_clip(none, 0, 1), rg_gelu(none), rg_silu(none),
        rg_hard_sigmoid_5(none), rg_hard_sigmoid_6(none), rg_safe_div(none, none),
        rg_safe_log(none), rg_safe_sqrt(none), rg_less(none, none), rg_not(none),
        rg_where(none, none, none), rg_real(none), rg_sum(none), rg_mean(none), rg_max(none),
        rg_norm(none), rg_sum_over(none, 0, true), rg_mean_over(none, 0, false),
        rg_argmax(none, 0), rg_cumsum(none, 0), rg_softmax(none, 0),
        rg_masked_softmax(none, none, 0), rg_log_softmax(none, 0),
        rg_softmax_cross_entropy(none, none), rg_binary_cross_entropy(none, none),
        rg_reshape(none, RG_SCALAR), rg_unsqueeze(none, 0), rg_squeeze(none, 0),
        rg_transpose(none, axes, 2), rg_slice(none, 0, 0, 1), rg_select(none, 0, 0),
        rg_concat(&none, 1, 0), rg_stack(&none, 1, 0), parts[0], rg_broadcast(none, RG_SCALAR),
        rg_pad(none, 0, 1, 1, 0), rg_reverse(none, 0), rg_gather(none, none),
        rg_scatter_add(none, none, 3), rg_one_hot(none, 3), rg_dropout(none, 0.5, "d"),
        rg_detach(none), rg_sum_to(none, RG_SCALAR),
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        RGT_CHECK_MSG(!results[i].id, "result %zu", i);
}

/* The same calls on inert values of a poisoned graph. */
RGT_TEST(refuse, a_poisoned_graph_stays_as_it_is)
{
    rg_graph *g = NULL;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(2, 3));
    rg_val bad = rg_matmul(x, x), parts[2];
    const uint32_t nodes = g->n_node;
    rg_split(parts, 2, bad, 0);
    (void)rg_select(bad, 0, 0), (void)rg_mean(bad), (void)rg_unsqueeze(bad, 0);
    (void)rg_affine(bad, x, bad), (void)rg_stack((const rg_val[]){ x, bad }, 2, 0);
    (void)rg_pad(bad, 0, 1, 1, 0), (void)rg_gelu(bad), (void)rg_safe_div(x, bad);
    (void)rg_masked_softmax(bad, bad, 0), (void)rg_sum_to(bad, RG_SCALAR);
    RGT_CHECK(g->n_node == nodes && rg_graph_status(g) == RG_ESHAPE);
    RGT_CHECK(rgt_has(rg_graph_message(g), "matmul: inner extents differ: [2,3] x [2,3]"));
    rg_graph_destroy(&g);
}

/* ---- Indices, found when a plan runs -------------------------------------------------------- */

static rg_status run_with(rg_val (*use)(rg_val table, rg_val rows), double index, char *says)
{
    lab l;
    rg_plan *plan = NULL;
    lab_begin(&l);
    rg_val table = lab_input(&l, RG_F, RG_SHAPE(4, 3), NULL);
    rg_val rows = lab_input(&l, RG_INT, RG_SHAPE(4), (const double[]){ 0, 1, index, 2 });
    rg_val y = use(table, rows);
    plan = lab_plan(&l, &y, 1, RG_F32, RG_INTERPRET);
    rg_status st = rg_plan_run(plan);
    const char *message = rg_plan_message(plan);
    size_t n = 0;
    for (; message[n] && n < 255; n++)
        says[n] = message[n];
    says[n] = '\0';
    rg_plan_destroy(&plan);
    lab_end(&l);
    return st;
}

static rg_val pick(rg_val table, rg_val rows)
{
    return rg_pick(table, rows, 1);
}
static rg_val place(rg_val table, rg_val rows)
{
    return rg_place(rg_sum_over(table, 1, false), rows, 0, 3);
}
static rg_val scatter(rg_val table, rg_val rows)
{
    return rg_scatter_add(table, rows, 3);
}
static rg_val one_hot(rg_val table, rg_val rows)
{
    (void)table;
    return rg_one_hot(rows, 3);
}
static rg_val gather_of_a_part(rg_val table, rg_val rows)
{
    return rg_gather(table, rg_select(rg_reshape(rows, RG_SHAPE(2, 2)), 0, 1));
}
/* Its gradient reads the classes as well, by an operation that no user knows. */
static rg_val loss_and_gradient(rg_val table, rg_val rows)
{
    rg_val loss = rg_sum(rg_softmax_cross_entropy(table, rows)), d;
    rg_grad(&d, loss, &table, 1);
    return rg_add(loss, rg_sum(d));
}

RGT_TEST(refuse, indices_out_of_range_when_a_plan_runs)
{
    char says[256];
    RGT_CHECK(run_with(rg_gather, 3, says) == RG_OK);
    RGT_CHECK(run_with(rg_gather, 4, says) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(says, "holds 4 at [2]; gather allows 0 .. 3"), "%s", says);
    RGT_CHECK(run_with(rg_gather, -1, says) == RG_EINDEX);
    RGT_CHECK(run_with(rg_softmax_cross_entropy, 3, says) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(says, "softmax_cross_entropy allows 0 .. 2"), "%s", says);
    RGT_CHECK(run_with(loss_and_gradient, 3, says) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(says, "softmax_cross_entropy allows 0 .. 2"), "%s", says);
    RGT_CHECK(run_with(scatter, 3, says) == RG_EINDEX);
    RGT_CHECK(run_with(one_hot, 3, says) == RG_EINDEX);
    RGT_CHECK(run_with(gather_of_a_part, 4, says) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(says, "gather allows 0 .. 3"), "%s", says);
    RGT_CHECK(run_with(pick, 3, says) == RG_EINDEX);
    RGT_CHECK(run_with(place, 3, says) == RG_EINDEX);
}

/* Indices that are computed are found by the kernel. */
static rg_val (*used_by)(rg_val table, rg_val rows);
static int32_t instead;

/* The rows, every one replaced while a plan runs. */
static rg_val computed(rg_val table, rg_val rows)
{
    rg_val other = rg_constant(rows.graph, RG_INT, RG_SCALAR, &instead, 1);
    return used_by(table, rg_where(rg_less_equal(rows, rows), other, rows));
}

RGT_TEST(refuse, computed_indices_out_of_range_when_a_plan_runs)
{
    static rg_val (*const uses[])(rg_val, rg_val) = { rg_gather, scatter, one_hot, pick, place,
                                                      rg_softmax_cross_entropy };
    char says[256];
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        used_by = uses[i];
        for (instead = -1; instead < 5; instead++) {
            const bool fits = instead >= 0 && instead < (uses[i] == rg_gather ? 4 : 3);
            RGT_CHECK_MSG(run_with(computed, 2, says) == (fits ? RG_OK : RG_EINDEX),
                          "use %zu of %d: %s", i, (int)instead, says);
        }
    }
}

/* ---- No derivative --------------------------------------------------------------------------- */

static int halve(const rg_kernel_args *k)
{
    for (int64_t i = 0; i < k->n; i++)
        ((double *)k->out)[i] = ((const double *)k->in[0])[i] / 2;
    return 0;
}

static const rg_op no_rule = { .name = "halve", .arity = 1,
                               .flags = RG_OP_ELEMENTWISE | RG_OP_NODIFF,
                               .kernel_f64 = halve };

static void first_order_only(const rg_vjp_ctx *v)
{
    rg_vjp_add(v, 0, rg_emit1(&no_rule, NULL, v->gy));
}

static const rg_op one_rule = { .name = "halve_once", .arity = 1, .flags = RG_OP_ELEMENTWISE,
                                .vjp = first_order_only, .kernel_f64 = halve };

RGT_TEST(refuse, a_derivative_that_does_not_exist_is_named)
{
    rg_graph *g = NULL;
    rg_val dx;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3));
    rg_grad(&dx, rg_sum(rg_mul(x, rg_emit1(&no_rule, NULL, x))), &x, 1);
    RGT_CHECK(!dx.id && rg_graph_status(g) == RG_ENOGRAD);
    RGT_CHECK_MSG(rgt_has(rg_graph_message(g), "op 'halve' has no gradient"), "%s",
                  rg_graph_message(g));
    rg_graph_destroy(&g);
}

RGT_TEST(refuse, a_second_derivative_that_does_not_exist_is_named)
{
    rg_graph *g = NULL;
    rg_val dx, ddx;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3));
    rg_grad(&dx, rg_sum(rg_square(rg_emit1(&one_rule, NULL, x))), &x, 1);
    RGT_CHECK(dx.id && rg_outcome_of(dx) == RG_GRADIENT);
    rg_grad(&ddx, rg_sum(rg_mul(x, dx)), &x, 1);
    RGT_CHECK(!ddx.id && rg_graph_status(g) == RG_ENOGRAD);
    RGT_CHECK_MSG(rgt_has(rg_graph_message(g), "op 'halve' has no gradient"), "%s",
                  rg_graph_message(g));
    rg_graph_destroy(&g);
}

/* Through comparisons and indices, and what stops on purpose, there is no path: exact zeros. */
RGT_TEST(refuse, ops_that_block_give_zeros_and_say_so)
{
    size_t count = 0;
    for (size_t o = 0; o < rg_op_count(); o++) {
        const rg_op *op = rg_op_at(o);
        for (size_t k = 0; k < op->n_sample && op->flags & RG_OP_BLOCK; k++) {
            const rg_op_sample *s = &op->sample[k];
            const size_t n = op->arity ? op->arity : s->n_in;
            lab l;
            rg_val in[3], dx;
            lab_begin(&l);
            for (size_t i = 0; i < n; i++)
                in[i] = lab_input(&l, s->in[i].kind, s->in[i].shape, NULL);
            rg_val y = rg_emit_in(l.graph, op, s->attr, in, n);
            for (size_t i = 0; i < n; i++)
                if (s->in[i].kind == RG_F) {
                    rg_grad(&dx, rg_sum(rg_add(rg_real(y), rg_const(l.graph, 1))), &in[i], 1);
                    RGT_CHECK_MSG(rg_outcome_of(dx) == RG_BLOCKED, "%s: %s", op->name,
                                  rg_graph_message(l.graph));
                    count++;
                }
            lab_end(&l);
        }
    }
    RGT_CHECK(count > 20);
}
