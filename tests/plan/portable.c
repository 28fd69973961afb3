/* tests/plan/portable.c -- one plan, the same bits with every instruction set and any number of
 * threads. The linker's --wrap sends rg_cpu_isa() here, so that tests say which tables are used. */
#include "base/cpu.h"
#include "tests/plan/random_graph.h"
#include "tests/rgt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rg_isa __real_rg_cpu_isa(void);
rg_isa __wrap_rg_cpu_isa(void);

static rg_isa forced;
static int asked;

rg_isa __wrap_rg_cpu_isa(void)
{
    asked++;
    return forced;
}

/* Everything that a computation left, one behind the other. */
typedef struct bits {
    char  *data;
    size_t n;
} bits;

static void add(bits *b, const void *data, size_t n)
{
    b->data = realloc(b->data, b->n + n + 1);
    RGT_CHECK(b->data && (data || !n));
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

/* IEEE 754 leaves open which of two NaN an operation hands on: they count as one. */
static void add_reals(bits *b, const float *x, size_t n)
{
    const float nan = NAN;
    for (size_t i = 0; i < n; i++)
        add(b, isnan(x[i]) ? &nan : &x[i], sizeof nan);
}

static bool same(const bits *a, const bits *b)
{
    return a->n == b->n && memcmp(a->data, b->data, a->n) == 0;
}

/* ---- Random graphs -------------------------------------------------------------------------- */

static bits run_graph(const random_graph *r, bool portable, int threads)
{
    bits b = { .data = NULL };
    rg_plan *plan;
    const rg_plan_opts opts = { .mode = RG_TRAIN, .threads = threads, .portable = portable,
                                .disable = "solo" };
    RGT_CHECK_MSG(!rg_plan_create(&plan, r->root, r->n_root, &opts), "%s",
                  rg_graph_message(r->graph));
    void *bound = random_graph_bind(r, plan, RG_F32);
    RGT_CHECK_MSG(!rg_plan_run(plan), "%s", rg_plan_message(plan));
    for (size_t i = 0; i < r->n_root; i++) {
        const rg_kind kind = rg_kind_of(r->root[i]);
        const void *data = rg_plan_data(plan, r->root[i]);
        const size_t n = (size_t)rg_shape_count(rg_shape_of(r->root[i]));
        if (kind == RG_F)
            add_reals(&b, data, n);
        else
            add(&b, data, n * (kind == RG_INT ? sizeof(int32_t) : 1));
    }
    rg_plan_destroy(&plan);
    free(bound);
    return b;
}

RGT_TEST(portable, random_graphs_have_the_same_bits_with_every_table)
{
    const rg_isa best = __real_rg_cpu_isa();
    for (uint64_t seed = 1; seed <= 300; seed++) {
        random_graph r;
        random_graph_make(&r, seed, 1 + (int)(seed % 12));
        RGT_CHECK(!r.broken);
        forced = RG_ISA_PORTABLE;
        bits want = run_graph(&r, true, 1);
        for (int isa = RG_ISA_AVX2; isa <= (int)best; isa++) {
            forced = (rg_isa)isa;
            bits have = run_graph(&r, true, isa == RG_ISA_AVX2 ? 1 : 2);
            RGT_CHECK_MSG(same(&want, &have), "seed %llu, %s", (unsigned long long)seed,
                          rg_isa_text(forced));
            free(have.data);
        }
        free(want.data);
        random_graph_free(&r);
    }
    RGT_CHECK(asked > 0);
}

/* ---- Training ------------------------------------------------------------------------------- */

typedef struct kind {
    const char  *name;
    rg_cell_fn  *make;
    rg_cell_opts opts;
} kind;

static const kind kinds[] = {
    { "lstm", rg_lstm, { .bias = RG_BIAS_SINGLE } },
    { "gru", rg_gru, { .bias = RG_BIAS_SINGLE } },
    { "gru after", rg_gru, { .reset_after = true, .bias = RG_BIAS_SPLIT } },
    { "rnn", rg_rnn, { .bias = RG_BIAS_SINGLE } },
    { "rnn relu", rg_rnn, { .nonlinearity = RG_RELU } },
};
enum { N_KIND = sizeof kinds / sizeof *kinds, T = 7 };

/* Three steps of Adam on a network that reads and writes classes: loss and parameters. */
static bits train(const kind *k, int64_t B, int64_t H, bool portable, int threads)
{
    enum { V = 19 };
    int32_t x[T * 40], y[T * 40];
    bits b = { .data = NULL };
    rg_params *ps;
    rg_graph *g;
    rg_plan *plan;
    rg_optim *optim;
    RGT_CHECK(!rg_params_create(&ps, 5, NULL) && !rg_graph_create(&g, ps, NULL));
    rg_val X = rg_input(g, "x", RG_INT, RG_SHAPE(T, B));
    rg_val Y = rg_input(g, "y", RG_INT, RG_SHAPE(T, B));
    rg_val E = rg_param(g, NULL, "embed", RG_SHAPE(V, 13), rg_init_normal(1));
    rg_cell cell = k->make(g, "cell", 13, H, &k->opts);
    rg_val hs = rg_unroll(NULL, &cell, rg_gather(E, X), NULL, NULL);
    rg_val loss = rg_mean(rg_softmax_cross_entropy(rg_dense(hs, "out", V), Y));
    const rg_plan_opts opts = { .threads = threads, .portable = portable, .disable = "solo" };
    RGT_CHECK_MSG(!rg_plan_create_train(&plan, loss, NULL, 0, &opts), "%s", rg_graph_message(g));
    RGT_CHECK(!rg_optim_create(&optim, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 }));
    for (int64_t i = 0; i < T * B; i++) {
        x[i] = (int32_t)(i * 7 % V);
        y[i] = (int32_t)(i * i % V);
    }
    const size_t n = (size_t)(T * B) * sizeof *x;
    RGT_CHECK(!rg_plan_bind(plan, X, x, n) && !rg_plan_bind(plan, Y, y, n));
    for (int step = 0; step < 3; step++) {
        RGT_CHECK(!rg_plan_run(plan) && !rg_optim_step(optim, plan));
        add(&b, rg_plan_data(plan, loss), sizeof(float));
    }
    for (size_t i = 0; i < rg_params_count(ps); i++) {
        const rg_param_info p = rg_params_at(ps, i);
        if (p.dtype == RG_F32)
            add(&b, p.data, (size_t)rg_shape_count(p.shape) * sizeof(float));
    }
    rg_optim_destroy(&optim);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return b;
}

RGT_TEST(portable, three_steps_of_training_have_the_same_bits_with_every_table_and_thread_count)
{
    static const int threads[] = { 1, 2, 3, 4, 8 };
    static const int64_t sizes[][2] = { { 1, 8 }, { 5, 33 }, { 33, 48 } };
    const rg_isa best = __real_rg_cpu_isa();
    for (size_t k = 0; k < N_KIND; k++)
        for (size_t s = 0; s < 3; s++) {
            forced = RG_ISA_PORTABLE;
            bits want = train(&kinds[k], sizes[s][0], sizes[s][1], true, 1);
            for (int isa = RG_ISA_PORTABLE; isa <= (int)best; isa++)
                for (size_t t = 0; t < 5; t++) {
                    forced = (rg_isa)isa;
                    bits have = train(&kinds[k], sizes[s][0], sizes[s][1], true, threads[t]);
                    RGT_CHECK_MSG(same(&want, &have), "%s of %d: %s, %d threads", kinds[k].name,
                                  (int)sizes[s][1], rg_isa_text(forced), threads[t]);
                    free(have.data);
                }
            free(want.data);
        }
}

/* The comparison can fail: the plain loops round as BLAS does not. */
RGT_TEST(portable, without_it_bits_do_depend_on_the_instruction_set)
{
    if (__real_rg_cpu_isa() == RG_ISA_PORTABLE)
        return;
    forced = RG_ISA_PORTABLE;
    bits plain = train(&kinds[0], 33, 48, false, 1);
    forced = RG_ISA_AVX2;
    bits wide = train(&kinds[0], 33, 48, false, 1);
    RGT_CHECK(plain.n == wide.n && !same(&plain, &wide));
    free(plain.data);
    free(wide.data);
}
