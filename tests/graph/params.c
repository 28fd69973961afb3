/* tests/graph/params.c -- the parameter store: arrays by name, shared by graphs. */
#include "tests/graph/support.h"

#include "graph/params.h"

#include <math.h>
#include <stdio.h>

RGT_TEST(params, a_name_is_one_array_in_every_graph)
{
    world w = world_new();
    rg_graph *other;
    RGT_CHECK(rg_graph_create(&other, w.ps, NULL) == RG_OK);
    rg_val a = rg_param(w.g, "enc", "Ur", RG_SHAPE(3, 5), rg_init_normal(1));
    rg_val b = rg_param(w.g, "enc", "Ur", RG_SHAPE(3, 5), rg_init_zeros());
    rg_val c = rg_param(other, NULL, "enc.Ur", RG_SHAPE(3, 5), rg_init_const(7));
    RGT_CHECK(a.id && a.id == b.id && c.id && rg_params_count(w.ps) == 1);
    rg_param_info info = rg_params_find(w.ps, "enc.Ur");
    RGT_CHECK(strcmp(info.name, "enc.Ur") == 0 && info.dtype == RG_F64 && !info.frozen);
    RGT_CHECK(rg_shape_equal(info.shape, RG_SHAPE(3, 5)) && ((double *)info.data)[0] != 0);
    RGT_CHECK((uintptr_t)info.data % RG_ALIGN == 0);
    rg_graph_destroy(&other);
    world_free(&w);
}

RGT_TEST(params, another_shape_is_refused_with_both)
{
    world w = world_new();
    rg_param(w.g, "gru", "Uu", RG_SHAPE(8, 64), rg_init_zeros());
    rg_val v = rg_param(w.g, "gru", "Uu", RG_SHAPE(9, 64), rg_init_zeros());
    RGT_CHECK(!v.id && poisoned(w.g, RG_ESHAPE, "param 'gru.Uu' exists with shape [8,64], asked "
                                                "for [9,64]"));
    world_free(&w);
}

RGT_TEST(params, a_graph_without_store_has_none)
{
    rg_graph *g;
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_param(g, NULL, "w", RG_SCALAR, rg_init_zeros());
    RGT_CHECK(poisoned(g, RG_EARG, "param 'w': the graph has no parameter store"));
    rg_graph_destroy(&g);
}

RGT_TEST(params, names_are_utf8_of_one_to_255_bytes)
{
    char name[300];
    static const char *const bad[] = { "", NULL, "\xff", "a\xc3" };
    memset(name, 'n', sizeof name);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        world w = world_new();
        rg_param(w.g, "enc", bad[i], RG_SCALAR, rg_init_zeros());
        RGT_CHECK(poisoned(w.g, RG_EARG, "1 to 255 bytes") && rg_params_count(w.ps) == 0);
        world_free(&w);
    }
    for (int over = 0; over < 2; over++) { /* "g." and 253 or 254 more */
        world w = world_new();
        name[253 + over] = '\0';
        rg_val v = rg_param(w.g, "g", name, RG_SCALAR, rg_init_zeros());
        RGT_CHECK(over ? poisoned(w.g, RG_EARG, "1 to 255 bytes") : v.id != 0);
        name[253 + over] = 'n';
        world_free(&w);
    }
}

RGT_TEST(params, sizes_are_capped_before_memory_is_asked_for)
{
    const int64_t cap = INT64_C(1) << 48;
    world w = world_new();
    rg_param(w.g, NULL, "w", RG_SHAPE(cap), rg_init_zeros());
    RGT_CHECK(poisoned(w.g, RG_ELIMIT, "param 'w': shape [281474976710656] is too large"));
    world_free(&w);
    w = world_new();
    rg_param(w.g, NULL, "w", RG_SHAPE(cap / 16), rg_init_zeros());
    RGT_CHECK(poisoned(w.g, RG_ELIMIT, "too large"));
    world_free(&w);
    w = world_new();
    rg_param(w.g, NULL, "w", RG_SHAPE(3, -1), rg_init_zeros());
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "[3,-1] is of negative extent"));
    world_free(&w);
}

RGT_TEST(params, empty_and_scalar_arrays_exist)
{
    world w = world_new();
    RGT_CHECK(rg_param(w.g, NULL, "empty", RG_SHAPE(0, 5), rg_init_normal(1)).id);
    RGT_CHECK(rg_param(w.g, NULL, "scalar", RG_SCALAR, rg_init_const(2.5)).id);
    RGT_CHECK(rg_params_find(w.ps, "empty").data != NULL);
    RGT_CHECK(*(double *)rg_params_find(w.ps, "scalar").data == 2.5);
    world_free(&w);
}

RGT_TEST(params, a_sealed_store_names_the_nearest)
{
    world w = world_new();
    rg_param(w.g, "enc", "Ur", RG_SHAPE(2, 3), rg_init_zeros());
    rg_param(w.g, "dec", "Wz", RG_SHAPE(2, 3), rg_init_zeros());
    RGT_CHECK(rg_params_seal(w.ps) == RG_OK);
    RGT_CHECK(rg_param(w.g, "enc", "Ur", RG_SHAPE(2, 3), rg_init_zeros()).id);
    rg_param(w.g, "enc", "Uq", RG_SHAPE(2, 3), rg_init_zeros());
    RGT_CHECK(poisoned(w.g, RG_EARG, "param 'enc.Uq': the store is sealed and has none of that "
                                     "name; nearest: enc.Ur"));
    RGT_CHECK(rg_params_count(w.ps) == 2);
    world_free(&w);
    w = world_new();
    rg_params_seal(w.ps);
    rg_param(w.g, NULL, "x", RG_SCALAR, rg_init_zeros());
    RGT_CHECK(poisoned(w.g, RG_EARG, "has none of that name"));
    world_free(&w);
}

RGT_TEST(params, freezing_takes_a_prefix_at_a_dot)
{
    world w = world_new();
    static const char *const name[] = { "enc", "enc.a", "enc.b.c", "encoder", "dec.a" };
    for (size_t i = 0; i < 5; i++)
        rg_param(w.g, NULL, name[i], RG_SCALAR, rg_init_zeros());
    RGT_CHECK(rg_params_freeze(w.ps, "enc", true) == RG_OK);
    for (size_t i = 0; i < 5; i++)
        RGT_CHECK(rg_params_find(w.ps, name[i]).frozen == (i < 3));
    RGT_CHECK(rg_params_freeze(w.ps, "enc.b", false) == RG_OK);
    RGT_CHECK(!rg_params_find(w.ps, "enc.b.c").frozen && rg_params_find(w.ps, "enc.a").frozen);
    RGT_CHECK(rg_params_freeze(w.ps, NULL, true) == RG_OK && rg_params_find(w.ps, "dec.a").frozen);
    RGT_CHECK(rg_params_freeze(w.ps, "encodr", true) == RG_EARG);
    RGT_CHECK(rgt_has(rg_params_message(w.ps), "nothing is named 'encodr' or 'encodr.*'; "
                                               "nearest: encoder"));
    world_free(&w);
}

RGT_TEST(params, a_bound_takes_a_prefix_at_a_dot_and_is_a_positive_number)
{
    world w = world_new();
    static const char *const name[] = { "enc", "enc.a", "encoder" };
    for (size_t i = 0; i < 3; i++)
        rg_param(w.g, NULL, name[i], RG_SCALAR, rg_init_zeros());
    RGT_CHECK(rg_params_bound(w.ps, "enc", 1.5) == RG_OK);
    for (size_t i = 0; i < 3; i++)
        RGT_CHECK(rg_params_find(w.ps, name[i]).bound == (i < 2 ? 1.5 : 0));
    RGT_CHECK(rg_params_bound(w.ps, NULL, 0) == RG_OK && rg_params_find(w.ps, "enc.a").bound == 0);
    RGT_CHECK(rg_params_bound(w.ps, "encodr", 1) == RG_EARG &&
              rgt_has(rg_params_message(w.ps), "bound: nothing is named 'encodr'"));
    RGT_CHECK(rg_params_bound(w.ps, "enc", -1) == RG_EARG &&
              rgt_has(rg_params_message(w.ps), "must be positive, or 0 for none, got -1"));
    RGT_CHECK(rg_params_bound(w.ps, "enc", NAN) == RG_EARG &&
              rg_params_bound(w.ps, "enc", INFINITY) == RG_EARG);
    world_free(&w);
}

RGT_TEST(params, order_is_that_of_names_not_of_declaration)
{
    world w = world_new();
    static const char *const name[] = { "m", "b", "z", "a.b", "a", "a.a", "a.b.c", "B" };
    static const char *const sorted[] = { "B", "a", "a.a", "a.b", "a.b.c", "b", "m", "z" };
    for (size_t i = 0; i < 8; i++)
        rg_param(w.g, NULL, name[i], RG_SHAPE(2), rg_init_zeros());
    for (size_t i = 0; i < 8; i++)
        RGT_CHECK(strcmp(rg_params_at(w.ps, i).name, sorted[i]) == 0);
    RGT_CHECK(!rg_params_at(w.ps, 8).name && !rg_params_find(w.ps, "c").name);
    rg_val v[8];
    RGT_CHECK(rg_graph_params(v, 3, w.g) == 8 && rg_graph_params(v, 8, w.g) == 8);
    for (size_t i = 0; i < 8; i++) {
        const rg_attr_param *a = rg_node_of(v[i])->attr;
        RGT_CHECK(strcmp(a->slot->name, sorted[i]) == 0);
    }
    world_free(&w);
}

RGT_TEST(params, a_graph_lists_only_its_own)
{
    world w = world_new();
    rg_graph *other;
    rg_val v[4];
    RGT_CHECK(rg_graph_create(&other, w.ps, NULL) == RG_OK);
    rg_param(w.g, NULL, "a", RG_SCALAR, rg_init_zeros());
    rg_param(other, NULL, "b", RG_SCALAR, rg_init_zeros());
    rg_param(other, NULL, "a", RG_SCALAR, rg_init_zeros());
    rg_param(w.g, NULL, "c", RG_SCALAR, rg_init_zeros());
    RGT_CHECK(rg_graph_params(v, 4, w.g) == 2 && rg_graph_params(v, 4, other) == 2);
    rg_graph_destroy(&other);
    world_free(&w);
}

RGT_TEST(params, many_names_are_found)
{
    enum { N = 20000 };
    world w = world_new();
    char name[32];
    for (int i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "p%d", (int)((i * INT64_C(7919)) % N));
        rg_val p = rg_param(w.g, "group", name, RG_SHAPE(1), rg_init_const(i));
        RGT_CHECK(p.id == (uint32_t)i + 1);
    }
    for (int i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "group.p%d", (int)((i * INT64_C(7919)) % N));
        RGT_CHECK(*(double *)rg_params_find(w.ps, name).data == i);
    }
    RGT_CHECK(rg_params_count(w.ps) == N && rg_graph_verify(w.g) == RG_OK);
    world_free(&w);
}

static rg_status failing(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                         const char *name)
{
    (void)self, (void)w, (void)shape, (void)seed, (void)name;
    return RG_EUSER;
}

RGT_TEST(params, a_failing_initialiser_leaves_no_parameter)
{
    world w = world_new();
    rg_param(w.g, "a", "b", RG_SHAPE(2, 3), (rg_init){ .fill = failing });
    RGT_CHECK(poisoned(w.g, RG_EUSER, "param 'a.b' [2,3]: its initialiser failed"));
    RGT_CHECK(rg_params_count(w.ps) == 0 && !rg_params_find(w.ps, "a.b").name);
    world_free(&w);
}

RGT_TEST(params, one_dtype_per_name)
{
    world w = world_new();
    rg_slot *slot;
    RGT_CHECK(rg_params_declare(&slot, w.ps, "t", RG_SCALAR, RG_I64, NULL) == RG_OK);
    RGT_CHECK(slot->bytes == 8 && slot->dtype == RG_I64);
    RGT_CHECK(rg_params_declare(&slot, w.ps, "t", RG_SCALAR, RG_F64, NULL) == RG_EDTYPE);
    RGT_CHECK(rgt_has(rg_params_message(w.ps), "param 't' exists as i64, asked for f64"));
    world_free(&w);
}

RGT_TEST(params, a_store_of_another_type_or_half_an_allocator_is_refused)
{
    rg_params *ps = (rg_params *)(uintptr_t)1;
    rgt_alloc state = { 0 };
    rg_alloc half = rgt_hooks(&state);
    half.release = NULL;
    RGT_CHECK(rg_params_create(&ps, 1, &(rg_params_opts){ .real = RG_I32 }) == RG_EARG && !ps);
    RGT_CHECK(rg_params_create(&ps, 1, &(rg_params_opts){ .alloc = half }) == RG_EARG && !ps);
    rg_graph *g = (rg_graph *)(uintptr_t)1;
    RGT_CHECK(rg_graph_create(&g, NULL, &(rg_graph_opts){ .alloc = half }) == RG_EARG && !g);
}
