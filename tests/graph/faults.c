/* tests/graph/faults.c -- every allocation of the store and of building fails once: the error is
 * RG_ENOMEM, nothing leaks, and trying again gives the same. */
#include "tests/graph/support.h"

#include <stdio.h>

static rg_status store(const rg_alloc *hooks, rgt_text *result)
{
    rg_params *ps;
    rg_slot *slot;
    char name[32];
    rg_init init = rg_init_normal(1);
    rg_status st = rg_params_create(&ps, 3, &(rg_params_opts){ .alloc = *hooks });
    for (int i = 0; !st && i < 100; i++) {
        (void)snprintf(name, sizeof name, "w%d", i * 37 % 100);
        st = rg_params_declare(&slot, ps, name, RG_SHAPE(3, 5), RG_F32, &init);
        RGT_CHECK(!st || rgt_has(rg_params_message(ps), "no memory"));
        RGT_CHECK(rg_params_count(ps) == (size_t)i + !st); /* the failed one is not there */
    }
    for (size_t i = 0; !st && i < rg_params_count(ps); i++)
        rgt_write(result, rg_params_at(ps, i).data, 60);
    rg_params_destroy(&ps);
    return st;
}

RGT_TEST(faults, the_store_survives_every_failed_allocation)
{
    RGT_CHECK(rgt_fail_each(store) > 400);
}

/* A store that failed goes on: the same declaration succeeds afterwards. */
RGT_TEST(faults, a_failed_declaration_can_be_repeated_in_the_same_store)
{
    for (long at = 1; at < 60; at++) {
        rgt_alloc state = { 0 };
        rg_params *ps;
        rg_slot *slot;
        char name[32];
        RGT_CHECK(rg_params_create(&ps, 3, &(rg_params_opts){ .alloc = rgt_hooks(&state) }) == 0);
        state.fail_at = state.calls + at;
        for (int i = 0; i < 40; i++) {
            (void)snprintf(name, sizeof name, "w%d", i);
            if (rg_params_declare(&slot, ps, name, RG_SHAPE(2), RG_F64, NULL))
                RGT_CHECK(rg_params_declare(&slot, ps, name, RG_SHAPE(2), RG_F64, NULL) == RG_OK);
        }
        RGT_CHECK(rg_params_count(ps) == 40 && rg_params_find(ps, "w39").name);
        rg_params_destroy(&ps);
        RGT_CHECK(state.live == 0 && !state.corrupt);
    }
}

/* Into a second chunk of nodes; but not with a block for every object. */
#if defined(RG_DEBUG_ARENA)
enum { MORE = 50 };
#else
enum { MORE = 5000 };
#endif

static void build(rg_graph *g)
{
    enum { N = 40 };
    const int32_t classes[] = { 1, 2, 3 };
    rg_val x[N];
    rg_constant(g, RG_INT, RG_SHAPE(3), classes, 3);
    for (size_t i = 0; i < N; i++) {
        rg_scope_push(g, "step", (int64_t)i);
        rg_val a = rg_input(g, NULL, RG_F, RG_SHAPE(2, 3));
        rg_val b = rg_param(g, "group", i % 2 ? "odd" : "even", RG_SHAPE(3), rg_init_glorot());
        x[i] = rg_emit2(&test_add, NULL, a, b);
        rg_scope_pop(g);
    }
    rg_graph_alloc(g, 100000);
    rg_val y = rg_emit(&test_join, NULL, x, N);
    for (int i = 0; i < MORE; i++)
        y = rg_emit1(&test_scaled, &(test_attr){ i }, y);
}

static rg_status graph(const rg_alloc *hooks, rgt_text *result)
{
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_status st = rg_params_create(&ps, 3, &(rg_params_opts){ .alloc = *hooks });
    if (!st)
        st = rg_graph_create(&g, ps, &(rg_graph_opts){ .alloc = *hooks });
    if (!st) {
        build(g);
        st = rg_graph_status(g);
        RGT_CHECK(st == RG_OK || rgt_has(rg_graph_message(g), "no memory"));
    }
    if (!st)
        st = rg_graph_verify(g);
    if (!st) {
        rg_graph_print(g, rgt_write, result);
        rg_graph_dot(g, rgt_write, result);
    }
    if (rgt_has(result->data, "cut short: no memory"))
        st = RG_ENOMEM;
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return st;
}

RGT_TEST(faults, building_survives_every_failed_allocation)
{
    long failures = rgt_fail_each(graph);
    rgt_note("# %ld failed allocations\n", failures);
    RGT_CHECK(failures >= 40);
}
