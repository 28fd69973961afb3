/* tests/plan/budget.c -- plans within a byte budget: the same bits as without, in the memory that
 * was asked for, or a refusal with both numbers. */
#include "tests/rgt.h"
#include "tests/plan/own_cell.h"

#include <retrograd/retrograd.h>

#include "kernels/product.h"
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 40, B = 32, I = 16, H = 32, ROOTS = 64 };

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    struct own_weights own;
    rg_val     x, root[ROOTS];
    size_t     n_root;
    float      data[T * B * I];
} net;

static rg_cell cell_of(net *n, const char *kind, const char *name, int64_t in)
{
    static const int64_t width[] = { H };
    const rg_cell_opts after = { .reset_after = true };
    if (strcmp(kind, "own") == 0) {
        n->own = (struct own_weights){ rg_gate_declare(n->graph, name, "f", in, H, 0),
                                   rg_gate_declare(n->graph, name, "c", in, H, 0) };
        return (rg_cell){ "own", 1, width, own_step, &n->own };
    }
    return strcmp(kind, "lstm") == 0  ? rg_lstm(n->graph, name, in, H, NULL)
           : strcmp(kind, "mgu") == 0 ? rg_mgu(n->graph, name, in, H, NULL)
           : strcmp(kind, "rnn") == 0 ? rg_rnn(n->graph, name, in, H, NULL)
                                      : rg_gru(n->graph, name, in, H,
                                               strcmp(kind, "after") == 0 ? &after : NULL);
}

/* Gradients of parameters, of the input too, or also of a penalty on that of the input. */
enum wanted { WEIGHTS, INPUT, SECOND };

/* Loss and gradients. */
static net *net_new(const char *kind, int layers, enum wanted wanted)
{
    net *n = calloc(1, sizeof *n);
    rg_val wrt[ROOTS];
    rg_cell cell[2];
    RGT_CHECK(n && rg_params_create(&n->params, 3, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(T, B, I));
    for (int k = 0; k < layers; k++)
        cell[k] = cell_of(n, kind, k ? "b" : "a", k ? H : I);
    rg_cell whole = layers == 1 ? cell[0] : rg_stacked(n->graph, cell, 2, 0);
    rg_val loss = rg_mean(rg_square(rg_unroll(NULL, &whole, n->x, NULL, NULL)));
    if (wanted == SECOND) {
        rg_val dx;
        rg_grad(&dx, loss, &n->x, 1);
        loss = rg_add(loss, rg_mean(rg_square(dx)));
    }
    size_t of = rg_graph_params(wrt, ROOTS - 2, n->graph);
    if (wanted != WEIGHTS)
        wrt[of++] = n->x;
    n->root[0] = loss;
    n->n_root = of + 1;
    rg_grad(n->root + 1, loss, wrt, of);
    for (size_t i = 0; i < T * B * I; i++)
        n->data[i] = (float)(i * 7919 % 1009) / 504.5F - 1;
    return n;
}

static void net_free(net *n)
{
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
    free(n);
}

/* Bits of all roots after a run, as a number. */
static uint64_t run(const net *n, rg_plan *plan)
{
    uint64_t h = 1469598103934665603U;
    RGT_CHECK(rg_plan_bind(plan, n->x, n->data, sizeof n->data) == RG_OK);
    RGT_CHECK_MSG(rg_plan_run(plan) == RG_OK, "%s", rg_plan_message(plan));
    for (size_t i = 0; i < n->n_root; i++) {
        const rg_shape shape = rg_shape_of(n->root[i]);
        const unsigned char *x = rg_plan_data(plan, n->root[i]);
        for (size_t k = 0; k < (size_t)rg_shape_count(shape) * sizeof(float); k++)
            h = (h ^ x[k]) * 1099511628211U;
    }
    rg_plan_destroy(&plan);
    return h;
}

/* And *bytes of the arena. 0 = refused. */
static uint64_t bits_of(const net *n, const rg_plan_opts *opts, size_t *bytes)
{
    rg_plan *plan;
    const rg_status st = rg_plan_create(&plan, n->root, n->n_root, opts);
    if (st == RG_ELIMIT)
        return 0;
    RGT_CHECK_MSG(st == RG_OK, "%s", rg_graph_message(n->graph));
    *bytes = rg_plan_facts(plan).arena_bytes;
    RGT_CHECK_MSG(plan->memory_bytes <= *bytes + *bytes / 100 && plan->memory_bytes >= *bytes,
                  "%zu bytes are taken, %zu were foretold", plan->memory_bytes, *bytes);
    return run(n, plan);
}

static bool may_recompute(void)
{
    return rg_product_table(rg_cpu_isa())->fused;
}

/* With this part of the whole plan's arena. */
static void same_within(const char *kind, int layers, enum wanted wanted, double part)
{
    static const int threads[] = { 1, 2, 3, 4, 8 };
    net *n = net_new(kind, layers, wanted);
    size_t whole = 0, bytes = 0;
    rg_plan_opts opts = { .threads = 1, .disable = "solo" };
    const uint64_t want = bits_of(n, &opts, &whole);
    RGT_CHECK(want);
    for (int i = 0; i < 5; i++) {
        opts.threads = threads[i];
        opts.poison = i == 1;
        opts.verify = i == 1 && layers == 1;
        opts.budget_bytes = (size_t)(part * (double)whole) + (size_t)opts.threads * 16384;
        const uint64_t got = bits_of(n, &opts, &bytes);
        RGT_CHECK_MSG(got == want, "%s, %d layers, %d threads, wanted %d, %zu of %zu bytes: %s",
                      kind, layers, opts.threads, (int)wanted, opts.budget_bytes, whole,
                      got ? "other bits" : rg_graph_message(n->graph));
        RGT_CHECK_MSG(bytes <= opts.budget_bytes, "%s: %zu bytes, budget %zu", kind, bytes,
                      opts.budget_bytes);
    }
    net_free(n);
}

RGT_TEST(budget, gradients_have_the_bits_that_they_have_without)
{
    if (!may_recompute())
        return;
    same_within("lstm", 1, INPUT, 0.85);
    same_within("lstm", 1, INPUT, 0.6);
    same_within("lstm", 1, WEIGHTS, 0.6);
    same_within("lstm", 2, INPUT, 0.6);
    same_within("gru", 1, INPUT, 0.8);
    same_within("gru", 1, INPUT, 0.5);
    same_within("gru", 1, WEIGHTS, 0.6);
    same_within("gru", 2, INPUT, 0.6);
    same_within("gru", 2, WEIGHTS, 0.7);
    same_within("after", 1, INPUT, 0.6);
    same_within("after", 1, WEIGHTS, 0.6);
    same_within("mgu", 1, INPUT, 0.7);
    same_within("mgu", 1, WEIGHTS, 0.7);
    same_within("rnn", 1, INPUT, 0.9);
    same_within("rnn", 1, WEIGHTS, 0.9);
    same_within("rnn", 2, INPUT, 0.9);
    same_within("own", 1, INPUT, 0.75);
    same_within("own", 1, WEIGHTS, 0.75);
}

/* Whether it spares memory or not. */
static void same_again(net *n, int64_t rows, uint32_t share)
{
    rg_alloc alloc;
    rg_plan *plan;
    rg_err err = { .status = RG_OK };
    size_t bytes;
    (void)rg_alloc_resolve(&alloc, NULL);
    const rg_plan_opts opts = { .threads = 2, .mode = RG_TRAIN, .verify = true, .alloc = alloc };
    uint64_t bits[2];
    for (int i = 0; i < 2; i++) {
        const rg_again again = { i ? rows : 0, share };
        RGT_CHECK_MSG(rg_plan_make(&plan, n->graph, n->root, n->n_root, &opts, &again, &bytes,
                                   &err) == RG_OK, "%s", err.text);
        bits[i] = run(n, plan);
    }
    RGT_CHECK(bits[0] == bits[1]);
}

RGT_TEST(budget, gradients_of_gradients_too)
{
    net *lstm = net_new("lstm", 1, SECOND), *own = net_new("own", 1, SECOND);
    if (may_recompute()) {
        same_again(lstm, 100, 1024);
        same_again(own, 64, 700);
        same_again(own, 1, 1024);
    }
    net_free(lstm);
    net_free(own);
}

RGT_TEST(budget, what_cannot_be_met_is_refused_with_both_numbers)
{
    net *n = net_new("lstm", 1, INPUT);
    rg_plan_opts opts = { .threads = 1, .budget_bytes = 1000 };
    size_t bytes = 0, least = 0;
    char text[32];
    RGT_CHECK(bits_of(n, &opts, &bytes) == 0);
    RGT_CHECK(rgt_has(rg_graph_message(n->graph), "the budget is 1000"));
    const char *at = strstr(rg_graph_message(n->graph), "at least ");
    RGT_CHECK((at != NULL) == may_recompute());
    if (at) {
        RGT_CHECK(sscanf(at, "at least %zu", &least) == 1);
        opts.budget_bytes = least;
        RGT_CHECK(bits_of(n, &opts, &bytes) != 0 && bytes == least);
    }
    opts.disable = "recompute";
    RGT_CHECK(bits_of(n, &opts, &bytes) == 0);
    (void)snprintf(text, sizeof text, "the budget is %zu", opts.budget_bytes);
    RGT_CHECK(rgt_has(rg_graph_message(n->graph), text));
    RGT_CHECK(!rgt_has(rg_graph_message(n->graph), "recomputing"));
    net_free(n);
}

/* Plans that compute nothing again have a budget too, and what runs add up is part of it. */
RGT_TEST(budget, holds_for_every_kind_of_plan)
{
    static const rg_plan_opts kinds[] = {
        { .effort = RG_INTERPRET }, { .disable = "steps" }, { .disable = "recompute" },
        { .keep = true }, { .real = RG_F64 }, { .disable = "recompute", .accumulate = true },
    };
    net *n = net_new("lstm", 1, WEIGHTS);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int dry = 0; dry < 2; dry++) {
            rg_plan *plan;
            rg_plan_opts opts = kinds[k];
            char text[64];
            opts.dry_run = dry;
            RGT_CHECK(rg_plan_create(&plan, n->root, n->n_root, &opts) == RG_OK);
            const size_t bytes = rg_plan_facts(plan).arena_bytes;
            rg_plan_destroy(&plan);
            opts.budget_bytes = bytes;
            RGT_CHECK(rg_plan_create(&plan, n->root, n->n_root, &opts) == RG_OK);
            rg_plan_destroy(&plan);
            opts.budget_bytes = bytes - 1;
            (void)snprintf(text, sizeof text, "needs %zu bytes, the budget is %zu", bytes,
                           bytes - 1);
            RGT_CHECK(rg_plan_create(&plan, n->root, n->n_root, &opts) == RG_ELIMIT && !plan);
            RGT_CHECK_MSG(rgt_has(rg_graph_message(n->graph), text), "kind %zu: %s", k,
                          rg_graph_message(n->graph));
        }
    net_free(n);
}

RGT_TEST(budget, without_memory_it_says_so_and_leaves_nothing)
{
    net *n = net_new("gru", 1, INPUT);
    rg_status st = RG_ENOMEM;
    for (long at = 1; st && may_recompute(); at++) {
        rgt_alloc state = { .fail_at = at, .fail_on = at % 2 };
        rg_plan *plan;
        rg_err err = { .status = RG_OK };
        size_t bytes;
        const rg_plan_opts opts = { .threads = 1, .mode = RG_TRAIN, .alloc = rgt_hooks(&state) };
        st = rg_plan_make(&plan, n->graph, n->root, n->n_root, &opts, &(rg_again){ 64, 800 },
                          &bytes, &err);
        RGT_CHECK_MSG(st == RG_OK || st == RG_ENOMEM, "call %ld: %s", at, err.text);
        rg_plan_destroy(&plan);
        RGT_CHECK_MSG(state.live == 0 && !state.corrupt, "call %ld: %ld blocks", at, state.live);
    }
    net_free(n);
}
