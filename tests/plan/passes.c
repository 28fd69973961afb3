/* tests/plan/passes.c -- each pass on the smallest graph that it has something to say to, and on
 * one that it must leave alone: how many nodes of a kind there are before and after. That values
 * stay what they are is for build/tests/difftest to show; the whole of a network for products.c. */
#include <retrograd/retrograd.h>

#include "graph/graph.h"
#include "ops/ops.h"
#include "plan/made.h"
#include "plan/passes/passes.h"
#include "tests/rgt.h"

#include <string.h>

enum { B = 3, N = 4, MOST = 8 };

typedef struct lab {
    rg_params *ps;
    rg_graph  *g;
    rg_prog    p;
    rg_alloc   alloc;
    rg_err     err;
    rg_val     root[MOST];
    size_t     n;
} lab;

static void begin(lab *l)
{
    memset(l, 0, sizeof *l);
    RGT_CHECK(!rg_params_create(&l->ps, 1, NULL) && !rg_graph_create(&l->g, l->ps, NULL));
    (void)rg_alloc_resolve(&l->alloc, NULL);
}

static rg_val input(lab *l, const char *name)
{
    return rg_input(l->g, name, RG_F, RG_SHAPE(B, N));
}

static rg_val weight(lab *l, const char *name, int64_t rows)
{
    return rg_param(l->g, NULL, name, RG_SHAPE(rows, N), rg_init_glorot());
}

static void want(lab *l, rg_val root)
{
    l->root[l->n++] = root;
}

/* The program of the roots; folded, as the pipeline does first, unless a test says otherwise. */
static void make(lab *l, bool tidy)
{
    RGT_CHECK_MSG(!rg_graph_status(l->g) &&
                  !rg_prog_create(&l->p, l->g, l->root, l->n, RG_TRAIN, RG_F64, &l->alloc,
                                  &l->alloc, &l->err), "%s", rg_graph_message(l->g));
    l->p.fold = l->p.cse = l->p.dce = tidy;
    RGT_CHECK(!tidy || !rg_pass_fold(&l->p, &l->err));
}

static void pass(lab *l, rg_pass *run)
{
    RGT_CHECK_MSG(!run(&l->p, &l->err) && !rg_prog_verify(&l->p, &l->err), "%s", l->err.text);
}

static int count(const lab *l, const rg_op *op)
{
    int n = 0;
    for (uint32_t id = 1; id < l->p.n_node; id++)
        n += l->p.node[id].op == op;
    return n;
}

static int products(const lab *l)
{
    int n = 0;
    for (uint32_t id = 1; id < l->p.n_node; id++)
        n += rg_is_matmul(&l->p.node[id]);
    return n;
}

static void end(lab *l)
{
    rg_prog_destroy(&l->p);
    rg_graph_destroy(&l->g);
    rg_params_destroy(&l->ps);
}

RGT_TEST(passes, cse_makes_equal_nodes_one_and_no_others)
{
    lab l;
    begin(&l);
    rg_val x = input(&l, "x"), y = input(&l, "y");
    want(&l, rg_mul(x, y));
    want(&l, rg_mul(y, x)); /* commutes */
    want(&l, rg_sub(x, y));
    want(&l, rg_sub(y, x)); /* does not */
    want(&l, rg_scale(x, 2));
    want(&l, rg_scale(x, 3));
    want(&l, rg_dropout(x, 0.5, "a"));
    want(&l, rg_dropout(x, 0.5, "b"));
    make(&l, false);
    RGT_CHECK(count(&l, &rg_op_mul) == 2);
    l.p.cse = true;
    const uint32_t before = l.p.n_node;
    pass(&l, rg_pass_cse);
    RGT_CHECK(count(&l, &rg_op_mul) == 1 && l.p.root[0] == l.p.root[1]);
    RGT_CHECK(count(&l, &rg_op_sub) == 2 && count(&l, &rg_op_scale) == 2);
    RGT_CHECK(l.p.root[6] != l.p.root[7]);
    l.p.dce = true; /* the second product is still there, and nobody's */
    pass(&l, rg_pass_dce);
    RGT_CHECK(l.p.n_node == before - 1);
    end(&l);
}

RGT_TEST(passes, dce_drops_what_no_root_needs_and_keeps_the_rest_in_order)
{
    lab l;
    begin(&l);
    rg_val x = input(&l, "x");
    want(&l, rg_tanh(x));
    want(&l, rg_exp(rg_sigmoid(x)));
    make(&l, false);
    const uint32_t all = l.p.n_node;
    pass(&l, rg_pass_dce);
    RGT_CHECK(l.p.n_node == all);
    l.p.n_root = 1;
    l.p.n_of_graph = 0;
    pass(&l, rg_pass_dce);
    RGT_CHECK(l.p.n_node == 3 && count(&l, &rg_op_tanh) == 1 && l.p.root[0] == 2);
    end(&l);
}

/* Two steps of h' = tanh([a|b]·W). */
static void two_steps(lab *l, bool input_first)
{
    rg_val x[2] = { input(l, "x0"), input(l, "x1") }, W = weight(l, "W", 2 * N);
    rg_val h = input(l, "h");
    for (int t = 0; t < 2; t++) {
        rg_val part[2] = { input_first ? x[t] : h, h };
        h = rg_tanh(rg_matmul(rg_concat(part, 2, 1), W));
    }
    want(l, h);
    make(l, true);
}

RGT_TEST(passes, split_frees_the_columns_that_do_not_depend_on_the_weight)
{
    for (int input_first = 0; input_first < 2; input_first++) {
        lab l;
        begin(&l);
        two_steps(&l, input_first);
        RGT_CHECK(products(&l) == 2);
        pass(&l, rg_pass_split);
        RGT_CHECK_MSG(products(&l) == (input_first ? 4 : 2), "%d", products(&l));
        RGT_CHECK((count(&l, &rg_op_concat) == 0) == (input_first != 0));
        end(&l);
    }
}

/* d·V' + e·W': gates of one state, if V and W meet one left operand elsewhere. */
RGT_TEST(passes, join_makes_one_product_of_a_sum_over_gates)
{
    for (int family = 0; family < 2; family++) {
        lab l;
        begin(&l);
        rg_val V = weight(&l, "V", N), W = weight(&l, "W", N), h = input(&l, "h");
        rg_val d = rg_sin(input(&l, "d")), e = rg_sin(input(&l, "e"));
        want(&l, rg_add(rg_matmul_t(d, V, false, true), rg_matmul_t(e, W, false, true)));
        want(&l, rg_matmul(h, V));
        want(&l, rg_matmul(family ? h : rg_cos(h), W));
        make(&l, true);
        RGT_CHECK(products(&l) == 4);
        pass(&l, rg_pass_join);
        RGT_CHECK_MSG(products(&l) == (family ? 3 : 4), "%d", products(&l));
        end(&l);
    }
}

/* The gradient of a weight that two steps use, and of two weights that one step uses. */
RGT_TEST(passes, reduce_makes_one_product_of_a_sum_over_time)
{
    lab l;
    begin(&l);
    rg_val W = weight(&l, "W", N), x = input(&l, "x"), y = input(&l, "y"), dW;
    rg_val loss = rg_add(rg_sum(rg_tanh(rg_matmul(x, W))), rg_sum(rg_sin(rg_matmul(y, W))));
    rg_grad(&dW, loss, &W, 1);
    want(&l, dW);
    make(&l, true);
    RGT_CHECK(products(&l) == 4);
    pass(&l, rg_pass_reduce);
    RGT_CHECK_MSG(products(&l) == 3, "%d", products(&l));
    const rg_node *sum = &l.p.node[l.p.root[0]];
    RGT_CHECK(rg_is_matmul(sum) && l.p.node[sum->in[0]].shape->dim[0] == 2 * B);
    end(&l);
}

RGT_TEST(passes, pack_makes_one_product_of_those_with_one_left_operand)
{
    for (int same = 0; same < 2; same++) {
        lab l;
        begin(&l);
        rg_val V = weight(&l, "V", N), W = weight(&l, "W", N), x = input(&l, "x");
        want(&l, rg_matmul(x, V));
        want(&l, rg_matmul(same ? x : rg_matmul(x, V), W)); /* or the second waits for the first */
        make(&l, true);
        pass(&l, rg_pass_pack);
        RGT_CHECK_MSG(products(&l) == (same ? 1 : 2), "%d", products(&l));
        RGT_CHECK(count(&l, &rg_op_slice) == (same ? 2 : 0));
        end(&l);
    }
}

RGT_TEST(passes, batch_makes_one_product_of_those_with_one_right_operand)
{
    for (int apart = 0; apart < 2; apart++) {
        lab l;
        begin(&l);
        rg_val W = weight(&l, "W", N), x = rg_matmul(input(&l, "x"), W);
        want(&l, x);
        want(&l, rg_matmul(apart ? input(&l, "y") : rg_tanh(x), W)); /* or a recurrence */
        make(&l, true);
        RGT_CHECK(products(&l) == 2);
        pass(&l, rg_pass_batch);
        RGT_CHECK_MSG(products(&l) == (apart ? 1 : 2), "%d", products(&l));
        end(&l);
    }
}

/* Onto a value of the program; an input's memory is not ours. */
RGT_TEST(passes, accumulate_computes_a_product_on_top_of_what_it_is_added_to)
{
    for (int ours = 0; ours < 2; ours++) {
        lab l;
        begin(&l);
        rg_val x = input(&l, "x"), y = input(&l, "y");
        want(&l, rg_add(rg_matmul(x, weight(&l, "W", N)), ours ? rg_tanh(y) : y));
        make(&l, true);
        pass(&l, rg_pass_accumulate);
        RGT_CHECK(count(&l, &rg_op_matmul_add) == ours && count(&l, &rg_op_add) == !ours);
        end(&l);
    }
}

/* A chain of functions is one program; a product on the way cuts it in two. */
RGT_TEST(passes, fuse_groups_what_one_loop_computes)
{
    for (int cut = 0; cut < 2; cut++) {
        lab l;
        begin(&l);
        rg_val x = input(&l, "x"), y = rg_tanh(rg_exp(x));
        want(&l, rg_sin(rg_mul(cut ? rg_matmul(y, weight(&l, "W", N)) : y, x)));
        make(&l, true);
        pass(&l, rg_pass_fuse);
        RGT_CHECK_MSG(l.p.n_cluster == (cut ? 3U : 2U), "%u", (unsigned)l.p.n_cluster);
        end(&l);
    }
}
