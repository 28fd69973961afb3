/* tests/graph/show.c -- print and DOT: golden texts, folding, and that Graphviz takes them. */
#define _GNU_SOURCE
#include "tests/graph/support.h"

#include <stdio.h>
#include <stdlib.h>

/* x -> three steps of "cell" within "enc", and a node outside. */
static world looped(int64_t T)
{
    world w = world_new();
    rg_val h = rg_input(w.g, "x \"0\"", RG_F, RG_SHAPE(4, 1));
    rg_val p = rg_param(w.g, "enc", "b", RG_SHAPE(3), rg_init_zeros());
    rg_scope_push(w.g, "enc", RG_NO_STEP);
    for (int64_t t = 0; t < T; t++) {
        rg_scope_push(w.g, "cell", t);
        rg_scope_push(w.g, "gate", RG_NO_STEP);
        h = rg_emit2(&test_add, NULL, h, p);
        rg_scope_pop(w.g);
        h = rg_emit1(&test_fixed, NULL, h);
        rg_scope_pop(w.g);
    }
    rg_scope_pop(w.g);
    rg_emit2(&test_add, NULL, h, rg_const(w.g, 0.5));
    return w;
}

RGT_TEST(show, print_has_a_line_per_node)
{
    world w = looped(2);
    rgt_text text = { .data = NULL };
    w.g->origin = 3; /* as while a derivative rule runs */
    rg_emit1(&test_fixed, NULL, (rg_val){ w.g, 3 });
    rg_graph_print(w.g, rgt_write, &text);
    RGT_CHECK(strcmp(text.data,
        "graph: 9 nodes, 1 inputs, 1 parameters\n"
        "     1  real [4,1]            input x \"0\"\n"
        "     2  real [3]              param enc.b\n"
        "     3  real [4,3]            test_add 1 2  (enc/cell step 0/gate)\n"
        "     4  real [4,3]            test_fixed 3  (enc/cell step 0)\n"
        "     5  real [4,3]            test_add 4 2  (enc/cell step 1/gate)\n"
        "     6  real [4,3]            test_fixed 5  (enc/cell step 1)\n"
        "     7  real []               full 0.5\n"
        "     8  real [4,3]            test_add 6 7\n"
        "     9  real [4,3]            test_fixed 3  <- 3\n") == 0);
    rgt_text_free(&text);
    world_free(&w);
}

RGT_TEST(show, print_says_why_a_graph_is_poisoned)
{
    world w = world_new();
    rgt_text text = { .data = NULL };
    rg_emit1(&test_fixed, NULL, (rg_val){ w.g, 5 });
    rg_graph_print(w.g, rgt_write, &text);
    RGT_CHECK(rgt_has(text.data, "poisoned: test_fixed: operand 0 is no value of this graph\n"));
    rgt_text_free(&text);
    world_free(&w);
}

RGT_TEST(show, dot_folds_the_steps_of_a_loop)
{
    world w = looped(64);
    rgt_text text = { .data = NULL };
    rg_graph_dot(w.g, rgt_write, &text);
    RGT_CHECK(strcmp(text.data,
        "digraph retrograd {\n"
        "node [shape=box, fontname=\"monospace\"];\n"
        "n1 [label=\"input x \\\"0\\\"\\n[4,1]\", style=filled];\n"
        "n2 [label=\"param enc.b\\n[3]\", style=filled];\n"
        "n131 [label=\"full\\n[]\", style=filled];\n"
        "n132 [label=\"test_add\\n[4,3]\"];\n"
        "subgraph cluster_1 {\nlabel=\"enc\";\n"
        "subgraph cluster_2 {\nlabel=\"cell x64\";\n"
        "n4 [label=\"test_fixed\\n[4,3] x64\"];\n"
        "subgraph cluster_3 {\nlabel=\"gate x64\";\n"
        "n3 [label=\"test_add\\n[4,3] x64\"];\n"
        "}\n}\n}\n"
        "n1 -> n3;\nn2 -> n3;\nn3 -> n4;\nn4 -> n3;\nn4 -> n132;\nn131 -> n132;\n"
        "}\n") == 0);
    rgt_text_free(&text);
    world_free(&w);
}

RGT_TEST(show, dot_of_one_step_keeps_its_number_and_steps_that_differ_stay_apart)
{
    world w = looped(1);
    rgt_text text = { .data = NULL };
    rg_graph_dot(w.g, rgt_write, &text);
    RGT_CHECK(rgt_has(text.data, "label=\"cell step 0\""));
    RGT_CHECK(rgt_has(text.data, "fixed\\n[4,3]\"]"));
    rgt_text_free(&text);
    for (int64_t t = 5; t < 8; t++) {
        rg_scope_push(w.g, "odd", t);
        rg_zeros(w.g, RG_SHAPE(t));
        rg_scope_pop(w.g);
    }
    rg_graph_dot(w.g, rgt_write, &text);
    RGT_CHECK(rgt_has(text.data, "label=\"odd x3\"") && rgt_has(text.data, "full\\n[5]\"") &&
              rgt_has(text.data, "full\\n[7]\""));
    rgt_text_free(&text);
    world_free(&w);
}

static bool graphviz_takes(const rgt_text *text)
{
    FILE *dot = popen("dot -Tsvg >/dev/null 2>&1", "w");
    if (!dot)
        return false;
    (void)fwrite(text->data, 1, text->n, dot);
    return pclose(dot) == 0;
}

RGT_TEST(show, graphviz_takes_the_result)
{
    world w = looped(5);
    rgt_text text = { .data = NULL }, half = { .data = NULL };
    rg_scope_push(w.g, "odd \\ \"name\"\n", 2);
    rg_input(w.g, "h\xc3\xa4\\", RG_F, RG_SCALAR);
    rg_graph_dot(w.g, rgt_write, &text);
    rgt_write(&half, text.data, text.n / 2);
    bool there = system("dot -V >/dev/null 2>&1") == 0; /* else the pipe breaks under us */
    bool whole = there && graphviz_takes(&text), cut = there && graphviz_takes(&half);
    rgt_text_free(&text);
    rgt_text_free(&half);
    world_free(&w);
    if (!there)
        RGT_SKIP("no dot (Debian package graphviz)");
    RGT_CHECK(whole && !cut);
}

static void count(void *user, const char *text, size_t n)
{
    (void)text;
    *(size_t *)user += n;
}

RGT_TEST(show, a_million_nodes_print_and_fold)
{
    world w = looped(500000);
    size_t printed = 0, drawn = 0;
    rg_graph_print(w.g, count, &printed);
    rg_graph_dot(w.g, count, &drawn);
    RGT_CHECK(printed > 50000000 && drawn < 1000);
    world_free(&w);
}

RGT_TEST(show, dot_without_memory_stays_a_drawing)
{
    rgt_alloc state = { 0 };
    rg_graph *g;
    rgt_text text = { .data = NULL };
    RGT_CHECK(rg_graph_create(&g, NULL, &(rg_graph_opts){ .alloc = rgt_hooks(&state) }) == RG_OK);
    rg_scope_push(g, "s", 1);
    rg_const(g, 1);
    state.fail_at = state.calls + 1;
    rg_graph_dot(g, rgt_write, &text);
    RGT_CHECK(rgt_has(text.data, "/* cut short: no memory */\n}\n"));
    rgt_text_free(&text);
    rg_graph_destroy(&g);
    RGT_CHECK(state.live == 0);
}
