/* tests/plan/chunk.c -- products over many steps, cut where time is: what the plans then compute is
 * what the interpreter does, in f32 the same bits for any team, dead memory being NaN. */
#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdlib.h>
#include <string.h>

/* Rows and gates enough to be cut; nothing is a multiple of anything. */
enum { T = 55, B = 31, I = 19, H = 131, CLASSES = 23, MOST = 32 };

enum kind { LSTM, GRU, GRU_AFTER, STACKED, BIDIRECTIONAL, LANGUAGE, KINDS, MGU = KINDS };

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, ids, root[MOST];
    size_t     n_root;
    float     *data;
    double    *wide;
    int32_t   *id;
} net;

static rg_val outputs(const net *n, enum kind kind)
{
    const rg_unroll_opts back = { .reverse = true };
    rg_graph *g = n->graph;
    rg_cell a = kind == GRU || kind == GRU_AFTER
                    ? rg_gru(g, "a", I, H, &(rg_cell_opts){ .reset_after = kind == GRU_AFTER })
                : kind == MGU
                    ? rg_mgu(g, "a", I, H, NULL)
                    : rg_lstm(g, "a", I, H, NULL);
    rg_val y = rg_unroll(NULL, &a, n->x, NULL, NULL);
    if (kind == STACKED) {
        const rg_cell b = rg_gru(g, "b", H, H, NULL);
        y = rg_unroll(NULL, &b, y, NULL, NULL);
    } else if (kind == BIDIRECTIONAL) {
        const rg_cell b = rg_lstm(g, "b", I, H, NULL);
        y = rg_add(y, rg_unroll(NULL, &b, n->x, NULL, &back));
    }
    return kind == LANGUAGE ? rg_dense(y, "out", CLASSES) : y;
}

/* With the gradient of the input, if asked. */
static void net_begin_for(net *n, enum kind kind, bool input)
{
    *n = (net){ .data = malloc(T * B * I * sizeof(float)),
                .wide = malloc(T * B * I * sizeof(double)),
                .id = malloc(T * B * sizeof(int32_t)) };
    RGT_CHECK(n->data && n->wide && n->id);
    RGT_CHECK(!rg_params_create(&n->params, 1, NULL));
    RGT_CHECK(!rg_graph_create(&n->graph, n->params, NULL));
    n->x = rg_input(n->graph, "x", RG_F, RG_SHAPE(T, B, I));
    n->ids = rg_input(n->graph, "ids", RG_INT, RG_SHAPE(T, B));
    const rg_val y = outputs(n, kind);
    rg_val of[MOST];
    n->root[0] = kind == LANGUAGE ? rg_mean(rg_softmax_cross_entropy(y, n->ids))
                                  : rg_mean(rg_square(y));
    size_t k = rg_graph_params(of, MOST - 2, n->graph);
    if (input)
        of[k++] = n->x;
    rg_grad(n->root + 1, n->root[0], of, k);
    n->n_root = k + 1;
    for (uint32_t i = 0; i < T * B * I; i++)
        n->wide[i] = n->data[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000 - 1;
    for (int i = 0; i < T * B; i++)
        n->id[i] = i * 7 % CLASSES;
}

static void net_begin(net *n, enum kind kind)
{
    net_begin_for(n, kind, true);
}

static void net_end(net *n)
{
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
    free(n->data), free(n->wide), free(n->id);
}

/* All roots of two runs, one behind the other; *steps: of the plan. */
static void *results(const net *n, rg_plan_opts opts, size_t *bytes, size_t *steps)
{
    const size_t item = opts.real == RG_F64 ? sizeof(double) : sizeof(float);
    rg_plan *plan = NULL;
    char *all = NULL;
    RGT_CHECK_MSG(!rg_plan_create(&plan, n->root, n->n_root, &opts), "%s",
                  rg_graph_message(n->graph));
    RGT_CHECK(!rg_plan_bind(plan, n->x, opts.real == RG_F64 ? (void *)n->wide : n->data,
                            T * B * I * item));
    RGT_CHECK(!rg_plan_bind(plan, n->ids, n->id, T * B * sizeof *n->id));
    *bytes = 0;
    *steps = rg_plan_facts(plan).steps;
    for (int run = 0; run < 2; run++) {
        RGT_CHECK_MSG(!rg_plan_run(plan), "%s", rg_plan_message(plan));
        for (size_t i = 0; i < n->n_root; i++) {
            const size_t size = (size_t)rg_shape_count(rg_shape_of(n->root[i])) * item;
            all = realloc(all, *bytes + size);
            RGT_CHECK(all != NULL);
            memcpy(all + *bytes, rg_plan_data(plan, n->root[i]), size);
            *bytes += size;
        }
    }
    rg_plan_destroy(&plan);
    return all;
}

RGT_TEST(chunk, plans_compute_what_the_interpreter_does)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        net n;
        size_t bytes, more, steps, fewer;
        net_begin(&n, kind);
        const rg_plan_opts f64 = { .real = RG_F64, .threads = 2, .verify = true };
        rg_plan_opts oracle = { .real = RG_F64, .effort = RG_INTERPRET, .threads = 1 };
        rg_plan_opts whole = f64;
        whole.disable = "chunk";
        double *got = results(&n, f64, &bytes, &steps);
        double *want = results(&n, oracle, &more, &fewer);
        free(results(&n, whole, &more, &fewer));
        RGT_CHECK_MSG(steps > fewer, "kind %d: %zu and %zu steps: nothing was cut", (int)kind,
                      steps, fewer);
        double most = 0, worst = 0;
        for (size_t i = 0; i < bytes / sizeof *got; i++) {
            most = fmax(most, fabs(want[i]));
            worst = fmax(worst, isnan(got[i]) ? INFINITY : fabs(got[i] - want[i]));
        }
        RGT_CHECK_MSG(worst < 1e-12 * most, "kind %d: %g of %g", (int)kind, worst, most);
        free(got), free(want);
        net_end(&n);
    }
}

RGT_TEST(chunk, any_team_computes_the_same_bits_beside_dead_memory)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        net n;
        size_t bytes, more, steps;
        net_begin(&n, kind);
        char *one = results(&n, (rg_plan_opts){ .threads = 1, .portable = true }, &bytes, &steps);
        for (int threads = 2; threads <= 3; threads++) {
            const rg_plan_opts opts = { .threads = threads, .portable = true, .verify = true,
                                        .poison = true };
            char *many = results(&n, opts, &more, &steps);
            RGT_CHECK_MSG(more == bytes && memcmp(one, many, bytes) == 0, "kind %d, %d threads",
                          (int)kind, threads);
            free(many);
        }
        free(one);
        net_end(&n);
    }
}

static void count_copy(void *user, const rg_timed_step *step)
{
    *(int *)user += strcmp(step->kernel, "copy") == 0;
}

/* Steps of a run that do nothing but copy. */
static int copies(const net *n, const char *disable)
{
    int count = 0;
    size_t bytes, steps;
    const rg_trace trace = { .user = &count, .step = count_copy };
    free(results(n, (rg_plan_opts){ .threads = 1, .disable = disable, .trace = &trace }, &bytes,
                 &steps));
    return count / 2;
}

/* Three gradients of gates lie side by side for x, two of them for h, the third alone. */
RGT_TEST(chunk, gradients_of_gates_that_two_products_want_are_not_copied)
{
    net n;
    net_begin(&n, GRU);
    const int with = copies(&n, NULL), without = copies(&n, "columns");
    RGT_CHECK_MSG(without >= with + T, "%d and %d copies", with, without);
    RGT_CHECK_MSG(with < T, "%d copies", with);
    net_end(&n);
}

/* Sums over steps keep their order, whatever lies beside what. */
RGT_TEST(chunk, columns_and_cuts_change_no_bit_with_the_gradient_of_the_input_or_without)
{
    static const char *const left_out[] = { "columns", "chunk", "chunk columns" };
    for (int i = 0; i < 2 * (KINDS + 1); i++) {
        net n;
        size_t bytes, more, steps;
        net_begin_for(&n, (enum kind)(i / 2), i % 2);
        char *all = results(&n, (rg_plan_opts){ .threads = 2, .portable = true }, &bytes, &steps);
        for (int k = 0; k < 3; k++) {
            char *few = results(&n, (rg_plan_opts){ .threads = 2, .portable = true,
                                                    .disable = left_out[k] }, &more, &steps);
            RGT_CHECK_MSG(more == bytes && memcmp(all, few, bytes) == 0,
                          "kind %d, without %s, input %d", i / 2, left_out[k], i % 2);
            free(few);
        }
        free(all);
        net_end(&n);
    }
}
