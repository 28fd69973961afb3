/* tests/graph/build.c -- appending nodes: leaves, operations, sticky errors, scopes, limits. */
#include "tests/graph/support.h"

#include "base/philox.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

RGT_TEST(graph, values_know_their_type)
{
    world w = world_new();
    rg_val x = rg_input(w.g, "x", RG_F, RG_SHAPE(5, 1, 3));
    rg_val i = rg_input(w.g, "i", RG_INT, RG_SCALAR);
    rg_val y = rg_emit2(&test_add, NULL, x, rg_input(w.g, NULL, RG_F, RG_SHAPE(7, 1)));
    RGT_CHECK(rg_shape_equal(rg_shape_of(y), RG_SHAPE(5, 7, 3)));
    RGT_CHECK(rg_dim(y, 0) == 5 && rg_dim(y, -1) == 3 && rg_dim(y, 3) == -1 && rg_dim(y, -4) == -1);
    RGT_CHECK(rg_kind_of(y) == RG_F && rg_kind_of(i) == RG_INT && rg_dim(i, 0) == -1);
    RGT_CHECK(rg_shape_of(RG_NONE).rank == -1 && rg_dim(RG_NONE, 0) == -1);
    RGT_CHECK(rg_shape_of((rg_val){ w.g, 99 }).rank == -1 && rg_graph_status(w.g) == RG_OK);
    RGT_CHECK(strcmp(rg_graph_message(w.g), "") == 0 && rg_graph_verify(w.g) == RG_OK);
    world_free(&w);
}

RGT_TEST(graph, the_first_error_sticks_and_all_that_follows_is_inert)
{
    world w = world_new();
    rg_val x = rg_input(w.g, "x", RG_F, RG_SHAPE(16, 8)), y = rg_input(w.g, "y", RG_F, RG_SHAPE(9));
    const char *message = rg_graph_message(w.g);
    uint32_t before = w.g->n_node;
    rg_val bad = rg_emit2(&test_add, NULL, x, y);
    RGT_CHECK(!bad.id && bad.graph == w.g);
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "test_add: shapes do not broadcast: [16,8] and [9]"));
    rg_val later = rg_emit2(&test_add, NULL, bad, x);
    RGT_CHECK(!later.id && !rg_input(w.g, "x", RG_F, RG_SCALAR).id && !rg_const(w.g, 1).id);
    RGT_CHECK(!rg_param(w.g, NULL, "p", RG_SCALAR, rg_init_zeros()).id);
    RGT_CHECK(!rg_constant(w.g, RG_F, RG_SCALAR, NULL, 1).id && !rg_graph_alloc(w.g, 8));
    rg_scope_push(w.g, "late", 1);
    rg_scope_pop(w.g);
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "[16,8] and [9]") && rg_graph_message(w.g) == message);
    RGT_CHECK(w.g->n_node == before && rg_graph_verify(w.g) == RG_OK);
    world_free(&w);
}

RGT_TEST(graph, operands_of_two_graphs_poison_the_first)
{
    world a = world_new(), b = world_new();
    rg_val x = rg_const(a.g, 1), y = rg_const(b.g, 1);
    rg_val z = rg_emit2(&test_add, NULL, x, y);
    RGT_CHECK(z.graph == a.g && !z.id);
    RGT_CHECK(poisoned(a.g, RG_EARG, "test_add: operands live in different graphs"));
    RGT_CHECK(rg_graph_status(b.g) == RG_OK);
    world_free(&a);
    world_free(&b);
}

RGT_TEST(graph, an_unset_value_beside_a_good_one_is_that_graphs_error)
{
    for (int side = 0; side < 2; side++) {
        world w = world_new();
        rg_val x = rg_const(w.g, 1);
        rg_val z = rg_emit2(&test_add, NULL, side ? x : RG_NONE, side ? RG_NONE : x);
        RGT_CHECK(!z.id && z.graph == w.g);
        RGT_CHECK(poisoned(w.g, RG_EGRAPH, side ? "operand 1 is an unset value"
                                                : "operand 0 is an unset value"));
        world_free(&w);
    }
    rg_val none = rg_emit2(&test_add, NULL, RG_NONE, RG_NONE);
    RGT_CHECK(!none.graph && !none.id);
}

RGT_TEST(graph, an_id_that_was_never_given_is_refused)
{
    world w = world_new();
    rg_emit1(&test_fixed, NULL, (rg_val){ w.g, 5 });
    RGT_CHECK(poisoned(w.g, RG_EGRAPH, "test_fixed: operand 0 is no value of this graph"));
    world_free(&w);
}

static rg_status wild(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)in, (void)n, (void)err;
    *out = (rg_sig){ RG_F, *(const rg_shape *)attr };
    return RG_OK;
}

static rg_status silent(rg_sig *out, const rg_sig *in, size_t n, const void *attr, rg_err *err)
{
    (void)out, (void)in, (void)n, (void)attr, (void)err;
    return RG_EINDEX;
}

RGT_TEST(graph, descriptors_and_what_they_infer_are_checked)
{
    const rg_op no_name = { .arity = 1, .flags = RG_OP_NODIFF };
    const rg_op no_rule = { .name = "ruleless", .arity = 1 };
    const rg_op huge = { .name = "huge", .arity = 1, .flags = RG_OP_NODIFF, .infer = wild,
                         .attr_bytes = sizeof(rg_shape) };
    const rg_op source = { .name = "source", .flags = RG_OP_NODIFF };
    const rg_op mute = { .name = "mute", .arity = 1, .flags = RG_OP_NODIFF, .infer = silent };
    static const rg_shape too_large = { 2, { INT64_C(1) << 24, INT64_C(1) << 24 } };
    static const rg_shape negative = { 1, { -2 } };
    const struct {
        const rg_op *op;
        const void  *attr;
        size_t       n;
        rg_status    st;
        const char  *says;
    } c[] = {
        { &no_name, NULL, 1, RG_EARG, "op: bad descriptor: an op needs a name" },
        { &no_rule, NULL, 1, RG_EARG, "ruleless: bad descriptor" },
        { &test_add, NULL, 1, RG_EARG, "test_add: takes 2 operands, got 1" },
        { &test_scaled, NULL, 1, RG_EARG, "test_scaled: attributes are missing" },
        { &huge, &too_large, 1, RG_ELIMIT, "huge: result [16777216,16777216] is too large" },
        { &huge, &negative, 1, RG_ESHAPE, "huge: result [-2] is of negative extent" },
        { &mute, NULL, 1, RG_EINDEX, "mute: " },
        { NULL, NULL, 1, RG_EARG, "rg_emit: no op" },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        world w = world_new();
        rg_val x = rg_const(w.g, 1);
        RGT_CHECK(!rg_emit(c[i].op, c[i].attr, &x, c[i].n).id);
        RGT_CHECK(poisoned(w.g, c[i].st, c[i].says));
        world_free(&w);
    }
    world w = world_new();
    RGT_CHECK(!rg_emit_in(w.g, &source, NULL, NULL, 0).id);
    RGT_CHECK(poisoned(w.g, RG_EARG, "source: an op without operands needs an infer function"));
    world_free(&w);
}

RGT_TEST(graph, kinds_must_agree)
{
    world w = world_new();
    rg_val x = rg_input(w.g, "x", RG_F, RG_SHAPE(3)), i = rg_input(w.g, "i", RG_INT, RG_SHAPE(3));
    rg_emit2(&test_add, NULL, x, i);
    RGT_CHECK(poisoned(w.g, RG_EDTYPE, "test_add: operands are real and int; one kind is needed"));
    world_free(&w);
}

RGT_TEST(graph, many_operands_are_one_node)
{
    enum { N = 1000 };
    world w = world_new();
    rg_val x[N];
    for (size_t i = 0; i < N; i++)
        x[i] = rg_full(w.g, i % 2 ? RG_SHAPE(4) : RG_SHAPE(3, 1), (double)i);
    rg_val y = rg_emit(&test_join, NULL, x, N);
    RGT_CHECK(rg_shape_equal(rg_shape_of(y), RG_SHAPE(3, 4)) && rg_graph_verify(w.g) == RG_OK);
    const rg_node *node = rg_node_of(y);
    RGT_CHECK(node->n_in == N && node->in[999] == x[999].id);
    world_free(&w);
}

RGT_TEST(graph, attributes_are_copied)
{
    world w = world_new();
    test_attr attr = { 0.5 };
    rg_val y = rg_emit1(&test_scaled, &attr, rg_const(w.g, 1));
    attr.c = 9;
    RGT_CHECK(((const test_attr *)rg_node_of(y)->attr)->c == 0.5);
    world_free(&w);
}

/* ---- Leaves --------------------------------------------------------------------------------- */

RGT_TEST(leaf, input_names_are_unique_and_numbered_where_missing)
{
    world w = world_new();
    rg_input(w.g, "x", RG_F, RG_SCALAR);
    rg_val second = rg_input(w.g, NULL, RG_F, RG_SCALAR);
    RGT_CHECK(strcmp(((const rg_attr_input *)rg_node_of(second)->attr)->name, "input1") == 0);
    RGT_CHECK(rg_graph_verify(w.g) == RG_OK);
    rg_input(w.g, "x", RG_F, RG_SCALAR);
    RGT_CHECK(poisoned(w.g, RG_EARG, "input: the name 'x' is taken"));
    world_free(&w);
}

RGT_TEST(leaf, bad_inputs_are_refused)
{
    const rg_shape large = RG_SHAPE(INT64_C(1) << 47), negative = RG_SHAPE(2, -3);
    const struct {
        const char *name;
        int         kind;
        rg_shape    shape;
        rg_status   st;
        const char *says;
    } c[] = {
        { "x", 7, RG_SHAPE(1), RG_EDTYPE, "input: unknown kind 7" },
        { "x", RG_F, large, RG_ELIMIT, "too large" },
        { "x", RG_F, negative, RG_ESHAPE, "input: result [2,-3] is of negative extent" },
        { "x", RG_F, { .rank = 9 }, RG_ELIMIT, "input: " },
        { "x", RG_F, { .rank = -1 }, RG_ELIMIT, "input: " },
        { "", RG_F, RG_SHAPE(1), RG_EARG, "input: a name is UTF-8 of 1 to 255 bytes" },
        { "\xfe", RG_F, RG_SHAPE(1), RG_EARG, "input: a name is UTF-8" },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        world w = world_new();
        RGT_CHECK(!rg_input(w.g, c[i].name, (rg_kind)c[i].kind, c[i].shape).id);
        RGT_CHECK(poisoned(w.g, c[i].st, c[i].says));
        world_free(&w);
    }
}

RGT_TEST(leaf, constants_are_copied_and_counted)
{
    world w = world_new();
    double real[] = { 1, 2, 3, 4, 5, 6 };
    const int32_t whole[] = { 7, -8 };
    const uint8_t mask[] = { 1, 0, 1 };
    rg_val a = rg_constant(w.g, RG_F, RG_SHAPE(2, 3), real, 6);
    rg_val b = rg_constant(w.g, RG_INT, RG_SHAPE(2), whole, 2);
    rg_val c = rg_constant(w.g, RG_BOOL, RG_SHAPE(3), mask, 3);
    rg_val d = rg_constant(w.g, RG_F, RG_SHAPE(0, 4), NULL, 0);
    real[5] = 0;
    const rg_attr_constant *attr = rg_node_of(a)->attr;
    RGT_CHECK(((const double *)attr->data)[5] == 6 && attr->bytes == 48);
    RGT_CHECK(rg_kind_of(b) == RG_INT && rg_kind_of(c) == RG_BOOL && rg_dim(d, 1) == 4);
    RGT_CHECK(rg_graph_verify(w.g) == RG_OK);
    rg_constant(w.g, RG_F, RG_SHAPE(2, 3), real, 5);
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "constant: 5 elements do not fill [2,3]"));
    world_free(&w);
    w = world_new();
    rg_constant(w.g, RG_F, RG_SHAPE(2), NULL, 2);
    RGT_CHECK(poisoned(w.g, RG_EARG, "constant: data is NULL"));
    world_free(&w);
}

RGT_TEST(leaf, numbers_are_seen_as_such)
{
    world w = world_new();
    double c = 0, one[] = { 3 }, two[] = { 3, 3 };
    const int32_t whole[] = { 3 };
    RGT_CHECK(rg_node_is_number(rg_node_of(rg_const(w.g, 0.25)), &c) && c == 0.25);
    RGT_CHECK(rg_node_is_number(rg_node_of(rg_zeros(w.g, RG_SHAPE(3))), &c) && c == 0);
    RGT_CHECK(rg_node_is_number(rg_node_of(rg_full(w.g, RG_SHAPE(3), 7)), &c) && c == 7);
    RGT_CHECK(rg_node_is_number(rg_node_of(rg_constant(w.g, RG_F, RG_SHAPE(1), one, 1)), &c));
    RGT_CHECK(c == 3);
    RGT_CHECK(!rg_node_is_number(rg_node_of(rg_constant(w.g, RG_F, RG_SHAPE(2), two, 2)), &c));
    RGT_CHECK(!rg_node_is_number(rg_node_of(rg_constant(w.g, RG_INT, RG_SHAPE(1), whole, 1)), &c));
    RGT_CHECK(!rg_node_is_number(rg_node_of(rg_input(w.g, "x", RG_F, RG_SCALAR)), &c));
    world_free(&w);
}

RGT_TEST(leaf, a_hundred_thousand_inputs_are_quick)
{
    world w = world_new();
    for (int i = 0; i < 100000; i++)
        rg_input(w.g, NULL, RG_F, RG_SCALAR);
    RGT_CHECK(rg_graph_verify(w.g) == RG_OK && w.g->n_input == 100000);
    world_free(&w);
}

/* ---- Scopes --------------------------------------------------------------------------------- */

RGT_TEST(scope, names_and_steps_come_before_the_message)
{
    world w = world_new();
    rg_scope_push(w.g, "enc", RG_NO_STEP);
    rg_scope_push(w.g, "gru", 3);
    rg_scope_push(w.g, "gate", RG_NO_STEP);
    rg_emit2(&test_add, NULL, rg_zeros(w.g, RG_SHAPE(2)), rg_zeros(w.g, RG_SHAPE(3)));
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "enc/gru step 3/gate: test_add: shapes do not broadcast"));
    world_free(&w);
}

RGT_TEST(scope, the_same_scope_has_one_number_and_pops_to_its_parent)
{
    world w = world_new();
    char text[RG_SCOPE_TEXT];
    for (int i = 0; i < 3; i++) {
        rg_scope_push(w.g, "a", RG_NO_STEP);
        rg_scope_push(w.g, "b", i % 2);
        rg_val v = rg_const(w.g, 1);
        RGT_CHECK(rg_scope_step(w.g, rg_node_of(v)->scope) == i % 2);
        rg_scope_pop(w.g);
        RGT_CHECK(strcmp(rg_scope_text(text, w.g, w.g->in_scope), "a") == 0);
        rg_scope_pop(w.g);
    }
    RGT_CHECK(w.g->n_scope == 4 && w.g->in_scope == 0 && rg_graph_verify(w.g) == RG_OK);
    rg_scope_pop(w.g); /* one too many is harmless */
    RGT_CHECK(w.g->in_scope == 0 && rg_scope_step(w.g, 0) == RG_NO_STEP);
    world_free(&w);
}

RGT_TEST(scope, deep_nesting_is_cut_at_the_outside)
{
    world w = world_new();
    char text[RG_SCOPE_TEXT];
    for (int i = 0; i < 1000; i++)
        rg_scope_push(w.g, "level", i);
    rg_scope_text(text, w.g, w.g->in_scope);
    RGT_CHECK(strlen(text) < RG_SCOPE_TEXT && rgt_has(text, "level step 998/level step 999"));
    world_free(&w);
}

RGT_TEST(scope, a_name_must_be_text)
{
    static const char *const bad[] = { NULL, "\xff" };
    for (size_t i = 0; i < 2; i++) {
        world w = world_new();
        rg_scope_push(w.g, bad[i], RG_NO_STEP);
        RGT_CHECK(poisoned(w.g, RG_EARG, "scope: a name is UTF-8"));
        world_free(&w);
    }
}

RGT_TEST(scope, a_random_stream_belongs_to_scope_and_name)
{
    world w = world_new();
    uint64_t outside = rg_draw_stream(w.g, "drop");
    rg_scope_push(w.g, "cell", 0);
    uint64_t first = rg_draw_stream(w.g, "drop"), other = rg_draw_stream(w.g, "noise");
    rg_scope_pop(w.g);
    rg_scope_push(w.g, "cell", 1);
    RGT_CHECK(first != outside && first != other && first != rg_draw_stream(w.g, "drop"));
    RGT_CHECK(outside == rg_fnv1a("drop") && first == rg_fnv1a("cell step 0/drop"));
    world again = world_new(); /* a graph of its own has its own streams, of the same names */
    RGT_CHECK(outside == rg_draw_stream(again.g, "drop") && rg_graph_status(again.g) == RG_OK);
    RGT_CHECK(rg_graph_status(w.g) == RG_OK);
    world_free(&again);
    world_free(&w);
}

/* Names that agree in the half of their hash that counts would be one stream. */
RGT_TEST(scope, a_random_stream_is_taken_once)
{
    static const char twin[2][9] = { "s2055558", "s2398866" };
    world w = world_new();
    RGT_CHECK((uint32_t)rg_fnv1a(twin[0]) == (uint32_t)rg_fnv1a(twin[1]));
    rg_draw_stream(w.g, twin[0]);
    RGT_CHECK(rg_graph_status(w.g) == RG_OK);
    rg_draw_stream(w.g, twin[1]);
    RGT_CHECK(poisoned(w.g, RG_EARG, "random stream 's2398866' is taken already, by this name or "
                       "one of equal hash"));
    world_free(&w);
}

/* ---- Limits --------------------------------------------------------------------------------- */

RGT_TEST(graph, the_cap_on_nodes_holds_on_both_sides)
{
    rg_graph *g;
    RGT_CHECK(rg_graph_create(&g, NULL, &(rg_graph_opts){ .max_nodes = 10 }) == RG_OK);
    for (int i = 0; i < 10; i++)
        RGT_CHECK(rg_const(g, i).id);
    RGT_CHECK(rg_graph_status(g) == RG_OK && rg_graph_verify(g) == RG_OK);
    RGT_CHECK(!rg_const(g, 10).id && poisoned(g, RG_ELIMIT, "full: the graph has its 10 nodes"));
    rg_graph_destroy(&g);
}

RGT_TEST(graph, a_chain_of_a_million_nodes_is_built_checked_and_freed)
{
    rg_graph *g;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(2));
    for (int t = 0; t < 500000; t++) {
        rg_scope_push(g, "step", t);
        x = rg_emit2(&test_add, NULL, x, x);
        x = rg_emit1(&test_scaled, &(test_attr){ 0.5 }, x);
        rg_scope_pop(g);
    }
    RGT_CHECK(x.id == 1000001 && rg_graph_verify(g) == RG_OK);
    rg_graph_destroy(&g);
}

RGT_TEST(graph, memory_lives_as_long_as_the_graph)
{
    world w = world_new();
    char *block = rg_graph_alloc(w.g, 100), *none = rg_graph_alloc(w.g, 0);
    RGT_CHECK(block && none && block[0] == 0 && block[99] == 0);
    RGT_CHECK(!rg_graph_alloc(w.g, SIZE_MAX) && rg_graph_status(w.g) == RG_ENOMEM);
    world_free(&w);
}

/* ---- Nothing is there ----------------------------------------------------------------------- */

RGT_TEST(null, every_function_of_graph_h_takes_a_null_object)
{
    rg_params *no_store = NULL;
    rg_graph *no_graph = NULL;
    rg_val v;
    RGT_CHECK(rg_params_create(NULL, 1, NULL) == RG_EARG);
    rg_params_destroy(NULL);
    rg_params_destroy(&no_store);
    RGT_CHECK(strcmp(rg_params_message(NULL), "no parameter store") == 0);
    RGT_CHECK(rg_params_count(NULL) == 0 && !rg_params_at(NULL, 0).name);
    RGT_CHECK(!rg_params_find(NULL, "x").name && rg_params_seal(NULL) == RG_EARG);
    RGT_CHECK(rg_params_freeze(NULL, "x", true) == RG_EARG);
    RGT_CHECK(rg_params_bound(NULL, "x", 1) == RG_EARG);
    RGT_CHECK(rg_graph_create(NULL, NULL, NULL) == RG_EARG);
    rg_graph_destroy(NULL);
    rg_graph_destroy(&no_graph);
    RGT_CHECK(rg_graph_status(NULL) == RG_EARG && strcmp(rg_graph_message(NULL), "no graph") == 0);
    rg_graph_print(NULL, rgt_write, NULL);
    rg_graph_dot(NULL, rgt_write, NULL);
    RGT_CHECK(rg_graph_verify(NULL) == RG_EARG && rg_graph_params(&v, 1, NULL) == 0);
    RGT_CHECK(!rg_graph_alloc(NULL, 8));
    RGT_CHECK(!rg_input(NULL, "x", RG_F, RG_SCALAR).id && !rg_const(NULL, 1).id);
    RGT_CHECK(!rg_param(NULL, NULL, "x", RG_SCALAR, rg_init_zeros()).id);
    RGT_CHECK(!rg_full(NULL, RG_SCALAR, 1).id && !rg_zeros(NULL, RG_SCALAR).id);
    RGT_CHECK(!rg_constant(NULL, RG_F, RG_SCALAR, NULL, 0).id);
    rg_scope_push(NULL, "x", 0);
    rg_scope_pop(NULL);
    RGT_CHECK(!rg_emit(NULL, NULL, NULL, 0).id && !rg_emit(&test_add, NULL, NULL, 0).id);
}

RGT_TEST(null, optional_arguments_may_be_null)
{
    world w = world_new();
    RGT_CHECK(!rg_params_find(w.ps, NULL).name);
    rg_graph_print(w.g, NULL, NULL);
    rg_graph_dot(w.g, NULL, NULL);
    RGT_CHECK(rg_graph_params(NULL, 10, w.g) == 0);
    world_free(&w);
    world_free(&w); /* destroying twice is harmless */
}
