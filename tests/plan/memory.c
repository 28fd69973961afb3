/* tests/plan/memory.c -- what a training step keeps: no more than a person would, and the same bits
 * whether it keeps or computes again. */
#include "kernels/product.h"
#include "plan/code.h"
#include "tests/rgt.h"

#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

enum { T = 40, B = 16, I = 24, H = 48, MOST = 16 };

typedef struct layer {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, loss, root[MOST];
    size_t     n;
} layer;

/* An LSTM over so many steps, rows, inputs, units, the mean of its squares, and every gradient. */
static void layer_of(layer *l, int64_t steps, int64_t rows, int64_t in, int64_t units)
{
    rg_val of[MOST];
    memset(l, 0, sizeof *l);
    RGT_CHECK(rg_params_create(&l->params, 7, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&l->graph, l->params, NULL) == RG_OK);
    l->x = rg_input(l->graph, "x", RG_F, RG_SHAPE(steps, rows, in));
    rg_cell cell = rg_lstm(l->graph, "a", in, units, NULL);
    l->root[0] = l->loss = rg_mean(rg_square(rg_unroll(NULL, &cell, l->x, NULL, NULL)));
    l->n = rg_graph_params(of, MOST - 2, l->graph);
    of[l->n++] = l->x;
    rg_grad(l->root + 1, l->loss, of, l->n++);
}

static void layer_begin(layer *l)
{
    layer_of(l, T, B, I, H);
}

static void layer_end(layer *l)
{
    rg_graph_destroy(&l->graph);
    rg_params_destroy(&l->params);
}

static rg_plan *plan_of(layer *l, rg_dtype real, const char *disable)
{
    rg_plan *plan;
    const rg_plan_opts opts = { .real = real, .threads = 1, .disable = disable, .verify = true,
                                .poison = true };
    RGT_CHECK_MSG(rg_plan_create(&plan, l->root, l->n, &opts) == RG_OK, "%s",
                  rg_graph_message(l->graph));
    return plan;
}

static size_t bytes_of(layer *l, rg_dtype real, const char *disable)
{
    rg_plan *plan = plan_of(l, real, disable);
    const size_t bytes = rg_plan_facts(plan).arena_bytes;
    rg_plan_destroy(&plan);
    return bytes;
}

/* All roots, one after the other. */
static float *values_of(layer *l, const char *disable, size_t *n)
{
    static float x[T * B * I];
    rg_plan *plan = plan_of(l, RG_F32, disable);
    float *all = NULL;
    for (size_t i = 0; i < T * B * I; i++)
        x[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000 - 1;
    RGT_CHECK(rg_plan_bind(plan, l->x, x, sizeof x) == RG_OK && rg_plan_run(plan) == RG_OK);
    *n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const size_t count = (size_t)rg_shape_count(rg_shape_of(l->root[i]));
        all = realloc(all, (*n + count) * sizeof *all);
        RGT_CHECK(all != NULL);
        memcpy(all + *n, rg_plan_data(plan, l->root[i]), count * sizeof *all);
        *n += count;
    }
    rg_plan_destroy(&plan);
    return all;
}

/* Gates, c, h and the gradient of x for every step; weights, their gradients and packed weights
 * once each. */
RGT_TEST(memory, an_lstm_step_keeps_six_words_a_unit)
{
    layer l;
    layer_begin(&l);
    const size_t states = (size_t)T * B * (6 * H + I), weights = 4 * H * (I + H + 1);
    const size_t bytes = bytes_of(&l, RG_F32, NULL);
    RGT_CHECK_MSG(bytes < 11 * (states + 3 * weights) * sizeof(float) / 10, "%zu bytes", bytes);
    layer_end(&l);
}

RGT_TEST(memory, gates_take_the_place_of_what_they_are_made_of)
{
    layer l;
    layer_begin(&l);
    const size_t gates = (size_t)T * B * 4 * H * sizeof(float);
    const size_t with = bytes_of(&l, RG_F32, NULL), without = bytes_of(&l, RG_F32, "inplace");
    RGT_CHECK_MSG(4 * without > 4 * with + 3 * gates, "%zu and %zu bytes", with, without);
    layer_end(&l);
}

static size_t most_alive(const rg_code *c)
{
    size_t most = 0;
    for (uint32_t t = 0; t < c->n_interval; t++) {
        size_t alive = 0;
        for (size_t i = 1; i < c->n_buffer; i++) {
            const rg_buffer *b = &c->buffer[i];
            const bool lives = b->constant || (b->birth <= t && t <= b->death);
            alive += !b->same_as && lives ? b->bytes : 0;
        }
        most = alive > most ? alive : most;
    }
    return most;
}

/* Weights packed in three forms, and gradients of all of them, beside few rows: as they come they
 * would leave 14 % of gaps. */
RGT_TEST(memory, few_large_buffers_leave_few_gaps)
{
    layer l;
    layer_of(&l, 35, 20, 325, 325);
    rg_plan *plan = plan_of(&l, RG_F32, NULL);
    const rg_code *c = (const rg_code *)plan->exec;
    RGT_CHECK_MSG(100 * c->arena_bytes < 107 * most_alive(c), "%zu for %zu bytes", c->arena_bytes,
                  most_alive(c));
    rg_plan_destroy(&plan);
    layer_end(&l);
}

/* What is kept is h and c of every step, a third of what a whole plan keeps; beside it the gates of
 * one chunk, never of two. */
RGT_TEST(memory, little_more_than_the_states_is_enough)
{
    enum { STEPS = 250, ROWS = 32, UNITS = 256 };
    layer l;
    rg_plan *plan;
    rg_plan_opts opts = { .threads = 1, .dry_run = true };
    layer_of(&l, STEPS, ROWS, 128, UNITS);
    RGT_CHECK(!rg_plan_create(&plan, l.root, l.n, &opts));
    const size_t kept = sizeof(float) * 6 * STEPS * ROWS * UNITS;
    opts.budget_bytes = rg_plan_facts(plan).arena_bytes - kept * 65 / 100;
    rg_plan_destroy(&plan);
    if (rg_product_table(rg_cpu_isa())->fused) { /* else nothing is computed again */
        RGT_CHECK_MSG(!rg_plan_create(&plan, l.root, l.n, &opts), "%s", rg_graph_message(l.graph));
        rg_plan_destroy(&plan);
    }
    layer_end(&l);
}

/* tanh(c) in f32; the windows of the loss's gradient in both. */
RGT_TEST(memory, what_is_cheap_is_computed_again)
{
    layer l;
    layer_begin(&l);
    const size_t state = (size_t)T * B * H * sizeof(float);
    const size_t f32 = bytes_of(&l, RG_F32, "remat") - bytes_of(&l, RG_F32, NULL);
    const size_t f64 = bytes_of(&l, RG_F64, "remat") - bytes_of(&l, RG_F64, NULL);
    RGT_CHECK_MSG(10 * f32 > 13 * state, "f32: %zu bytes fewer", f32);
    RGT_CHECK_MSG(f64 < 3 * state, "f64: %zu bytes fewer", f64);
    layer_end(&l);
}

RGT_TEST(memory, bits_do_not_depend_on_what_is_kept)
{
    static const char *const disable[] = { "remat", "inplace", "remat inplace" };
    layer l;
    size_t n, m;
    layer_begin(&l);
    float *want = values_of(&l, NULL, &n);
    for (int i = 0; i < 3; i++) {
        float *have = values_of(&l, disable[i], &m);
        RGT_CHECK_MSG(n == m && memcmp(want, have, n * sizeof *want) == 0, "%s", disable[i]);
        free(have);
    }
    free(want);
    layer_end(&l);
}
