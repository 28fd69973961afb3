/* tests/graph/verify.c -- canaries: each invariant broken by hand is found. */
#include "tests/graph/support.h"

static rg_node *node_at(world *w, uint32_t id)
{
    return (rg_node *)rg_node_at(w->g, id);
}

/* 1 input, 2 param, 3 add in scope 1, 4 input, 5 scaled. */
static world sound(void)
{
    world w = world_new();
    rg_val x = rg_input(w.g, "x", RG_F, RG_SHAPE(4, 3));
    rg_val p = rg_param(w.g, NULL, "p", RG_SHAPE(3), rg_init_zeros());
    rg_scope_push(w.g, "cell", 2);
    rg_val y = rg_emit2(&test_add, NULL, x, p);
    rg_scope_pop(w.g);
    rg_input(w.g, "z", RG_INT, RG_SCALAR);
    rg_emit1(&test_scaled, &(test_attr){ 2 }, y);
    RGT_CHECK(rg_graph_verify(w.g) == RG_OK);
    return w;
}

/* Breaks a sound graph with @p damage: verify must say so. */
#define CANARY(name, says, damage)                                                              \
    RGT_TEST(verify, finds_##name)                                                              \
    {                                                                                           \
        world w = sound();                                                                      \
        damage;                                                                                 \
        rg_status st = rg_graph_verify(w.g);                                                    \
        RGT_CHECK_MSG(st == RG_EINTERNAL && rgt_has(rg_graph_message(w.g), says), "%d: %s",     \
                      (int)st, rg_graph_message(w.g));                                          \
        world_free(&w);                                                                         \
    }

static const rg_op nameless = { .arity = 2, .flags = RG_OP_NODIFF };
static const rg_op ruleless = { .name = "ruleless", .arity = 2 };
static const uint32_t forward_edge[] = { 1, 5 }, to_itself[] = { 1, 3 }, to_nothing[] = { 0, 1 };
static const rg_shape other_shape = { 2, { 4, 4 } }, bad_shape = { 2, { -1, 3 } };

CANARY(a_node_without_op, "node 3 has no op", node_at(&w, 3)->op = NULL)
CANARY(an_op_without_name, "node 3 has no op", node_at(&w, 3)->op = &nameless)
CANARY(an_op_without_rule, "needs a vjp", node_at(&w, 3)->op = &ruleless)
CANARY(a_wrong_count_of_operands, "node 3 test_add: takes 2 operands, has 1",
       node_at(&w, 3)->n_in = 1)
CANARY(a_missing_operand_list, "no operand list", node_at(&w, 3)->in = NULL)
CANARY(an_edge_that_goes_forward, "operand 1 is node 5, not above",
       node_at(&w, 3)->in = forward_edge)
CANARY(an_edge_to_itself, "operand 1 is node 3, not above", node_at(&w, 3)->in = to_itself)
CANARY(an_inert_operand, "operand 0 is node 0", node_at(&w, 3)->in = to_nothing)
CANARY(missing_attributes, "attributes do not fit", node_at(&w, 5)->attr = NULL)
CANARY(surplus_attributes, "attributes do not fit", node_at(&w, 3)->attr = &other_shape)
CANARY(a_missing_shape, "bad shape", node_at(&w, 3)->shape = NULL)
CANARY(an_impossible_shape, "bad shape", node_at(&w, 3)->shape = &bad_shape)
CANARY(a_shape_that_was_not_inferred, "node 3 test_add: shape [4,4], inferred [4,3]",
       node_at(&w, 3)->shape = &other_shape)
CANARY(a_kind_that_was_not_inferred, "kind bool, inferred real", node_at(&w, 3)->kind = RG_BOOL)
CANARY(an_unknown_kind, "unknown kind 9", node_at(&w, 3)->kind = 9)
CANARY(operands_that_inference_refuses, "inference refuses it", node_at(&w, 1)->kind = RG_INT;
       ((rg_attr_input *)node_at(&w, 1)->attr)->sig.kind = RG_INT)
CANARY(an_unknown_scope, "unknown scope 7", node_at(&w, 3)->scope = 7)
CANARY(an_origin_below, "origin 5 is not above", node_at(&w, 3)->origin = 5)
CANARY(an_unknown_outcome, "unknown outcome 3", node_at(&w, 3)->outcome = 3)
CANARY(a_lost_input, "2 input nodes, 1 in the list", w.g->n_input = 1)
CANARY(an_input_listed_twice, "input 1: bad node 1", w.g->input[1] = 1)
CANARY(a_node_listed_as_input, "input 1: bad node 3", w.g->input[1] = 3)
CANARY(an_input_renamed, "input 'y': node 1 is not found by name",
       ((rg_attr_input *)node_at(&w, 1)->attr)->name = "y")
CANARY(a_parameter_of_another_node, "listed as another node", w.g->param_node[0] = 3)
CANARY(a_parameter_too_many, "1 parameter nodes, 2 in the list", w.g->param_node[1] = 3)
CANARY(a_parameter_of_no_store, "parameter of no store", w.g->params = NULL)
CANARY(a_scope_above_its_parent, "parent 1 is not above", w.g->scope[1].parent = 1)
CANARY(a_current_scope_that_is_none, "scope 5 of 2", w.g->in_scope = 5)
CANARY(a_scope_missing_from_the_index, "1 scopes, 0 in the index", w.g->scope_index.n = 0)
CANARY(too_many_nodes, "5 nodes of at most 3", w.g->max_nodes = 3)

static void note(world *w, uint32_t gradient, uint32_t param, uint32_t objective)
{
    RGT_CHECK(rg_reserve(&w->g->alloc, &w->g->note, &w->g->note_cap, 1, sizeof *w->g->note));
    w->g->note[0] = (rg_gradient_note){ gradient, param, objective };
    w->g->n_note = 1;
}

CANARY(a_note_of_no_parameter, "gradient note 0", note(&w, 3, 1, 3))
CANARY(a_note_of_no_node, "gradient note 0", note(&w, 99, 2, 3))
CANARY(a_gradient_of_another_shape, "node 3 has not its parameter's shape", note(&w, 3, 2, 3))

RGT_TEST(verify, sound_graphs_pass_also_when_poisoned)
{
    world w = sound();
    rg_val g = rg_zeros(w.g, RG_SHAPE(3));
    note(&w, g.id, 2, 3);
    RGT_CHECK(rg_graph_verify(w.g) == RG_OK);
    rg_emit1(&test_fixed, NULL, (rg_val){ w.g, 99 });
    RGT_CHECK(rg_graph_status(w.g) == RG_EGRAPH && rg_graph_verify(w.g) == RG_OK);
    RGT_CHECK(rgt_has(rg_graph_message(w.g), "operand 0 is no value"));
    world_free(&w);
}

RGT_TEST(verify, says_when_it_has_no_memory)
{
    enum { N = 20 };
    rgt_alloc state = { 0 };
    rg_graph *g;
    rg_val x[N];
    RGT_CHECK(rg_graph_create(&g, NULL, &(rg_graph_opts){ .alloc = rgt_hooks(&state) }) == RG_OK);
    for (size_t i = 0; i < N; i++)
        x[i] = rg_const(g, 1);
    rg_emit(&test_join, NULL, x, N);
    RGT_CHECK(rg_graph_verify(g) == RG_OK);
    state.fail_at = state.calls + 1;
    RGT_CHECK(rg_graph_verify(g) == RG_ENOMEM);
    RGT_CHECK(rg_graph_verify(g) == RG_OK);
    rg_graph_destroy(&g);
}
