/* tests/layers/laws_sequences.c -- what every cell obeys in every wrapper: padding, rows, memory,
 * reach, dropout. Equalities of bits are the interpreter's, whose products are row-stable. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 4, I = 4, H = 4, MAX = 160, STATES = 12 };

/* Row 1 is full, row 2 empty, row 3 has one step. */
static const int32_t length[B] = { 3, T, 0, 1 };

/* ---- Subjects: a cell in a wrapper ----------------------------------------------------------- */

struct net {
    lab     l;
    rg_val  X, mask, Y, last[STATES], root[MAX];
    size_t  n_last, n;
    int64_t rows;
};

typedef rg_val wrap_fn(struct net *n, const lab_cell *c);

static rg_cell cell_of(struct net *n, const lab_cell *c, const char *group, int64_t width)
{
    return c->make(n->l.g, group, width, H, &c->opts);
}

static rg_val forward(struct net *n, const lab_cell *c)
{
    rg_cell cell = cell_of(n, c, "c", I);
    n->n_last = cell.n_state;
    return rg_unroll(n->last, &cell, n->X, NULL, &(rg_unroll_opts){ .mask = n->mask });
}

static rg_val backward(struct net *n, const lab_cell *c)
{
    rg_cell cell = cell_of(n, c, "c", I);
    n->n_last = cell.n_state;
    return rg_unroll(n->last, &cell, n->X, NULL,
                     &(rg_unroll_opts){ .mask = n->mask, .reverse = true });
}

/* As wide as a layer's output, which a projection makes narrower. */
static int64_t width_of(const rg_cell *cell)
{
    return cell->width[rg_cell_output(cell)];
}

static rg_val stacked(struct net *n, const lab_cell *c)
{
    rg_cell cell[2] = { cell_of(n, c, "a", I) };
    cell[1] = cell_of(n, c, "b", width_of(&cell[0]));
    rg_cell both = rg_stacked(n->l.g, cell, 2, 0);
    n->n_last = both.n_state;
    return rg_unroll(n->last, &both, n->X, NULL, &(rg_unroll_opts){ .mask = n->mask });
}

static rg_val two_ways(struct net *n, const lab_cell *c)
{
    rg_cell cell[2] = { cell_of(n, c, "f", I), cell_of(n, c, "b", I) };
    n->n_last = 2 * cell[0].n_state;
    return rg_bidirectional(n->last, NULL, cell, n->X, NULL, RG_MERGE_CONCAT,
                            &(rg_unroll_opts){ .mask = n->mask });
}

static rg_val layers(struct net *n, const lab_cell *c, bool residual, const char *highway)
{
    rg_cell cell[4] = { cell_of(n, c, "l0f", I), cell_of(n, c, "l0b", I) };
    cell[2] = cell_of(n, c, "l1f", width_of(&cell[0]));
    cell[3] = cell_of(n, c, "l1b", width_of(&cell[0]));
    n->n_last = 4 * cell[0].n_state;
    return rg_layers(n->last, cell, 2, n->X, NULL,
                     &(rg_layers_opts){ .mask = n->mask, .bidirectional = true,
                                        .merge = RG_MERGE_MEAN, .residual = residual,
                                        .highway = highway });
}

static rg_val deep(struct net *n, const lab_cell *c)
{
    return layers(n, c, true, NULL);
}

static rg_val gated(struct net *n, const lab_cell *c)
{
    return layers(n, c, false, "way");
}

static rg_val dense(const void *weights, rg_val x)
{
    return rg_tanh(rg_dense(x, weights, 3));
}

static rg_val read_out(struct net *n, const lab_cell *c)
{
    return rg_time_distributed(dense, "out", forward(n, c), n->mask);
}

static const struct wrapper {
    const char *name;
    wrap_fn    *make;
} wrappers[] = {
    { "forward", forward }, { "reverse", backward }, { "stack", stacked },
    { "bidirectional", two_ways }, { "residual layers", deep }, { "highway layers", gated },
    { "time-distributed", read_out },
};
enum { WRAPPERS = sizeof wrappers / sizeof *wrappers };

/* Case k of all of them. */
static const lab_cell *cell_at(size_t k) { return &lab_cells[k / WRAPPERS]; }
static const struct wrapper *wrapper_at(size_t k) { return &wrappers[k % WRAPPERS]; }
#define CASES (WRAPPERS * lab_n_cells)

/* The whole batch, or row b of it cut to its length; all weights drawn by name. */
static void net_open(struct net *n, size_t k, rg_dtype real, int b)
{
    memset(n, 0, sizeof *n);
    n->l.seed = 17;
    n->rows = b < 0 ? B : 1;
    lab_open(&n->l, real);
    n->X = lab_drawn(&n->l, "x", RG_SHAPE(T, B, I));
    if (b < 0)
        n->mask = rg_length_mask(lab_bits(&n->l, "n", RG_INT, RG_SHAPE(B), length), T);
    else
        n->X = rg_slice(rg_slice(n->X, 1, b, b + 1), 0, 0, length[b]);
    n->Y = wrapper_at(k)->make(n, cell_at(k));
    RGT_CHECK_MSG(rg_graph_status(n->l.g) == RG_OK, "%s", rg_graph_message(n->l.g));
    lab_fill(&n->l, 0.7);
}

/* <gY, Y> + Σ <g, last>, cotangents being those of the rows at hand. */
static rg_val loss_of(struct net *n, int b)
{
    rg_val g = lab_drawn(&n->l, "gY", RG_SHAPE(T, B, rg_dim(n->Y, -1)));
    if (b >= 0)
        g = rg_slice(rg_slice(g, 1, b, b + 1), 0, 0, length[b]);
    rg_val loss = rg_sum(rg_mul(n->Y, g));
    for (size_t s = 0; s < n->n_last; s++) {
        char name[8];
        (void)snprintf(name, sizeof name, "g%zu", s % 3);
        rg_val at = s < 3 ? lab_drawn(&n->l, name, RG_SHAPE(B, rg_dim(n->last[s], -1)))
                          : rg_full(n->l.g, RG_SHAPE(B, rg_dim(n->last[s], -1)), 0.3);
        at = b < 0 ? at : rg_slice(at, 0, b, b + 1);
        loss = rg_add(loss, rg_sum(rg_mul(n->last[s], at)));
    }
    return loss;
}

/* Roots: Y, last, gradients of the parameters by name, dX last. */
static void net_roots(struct net *n, int b)
{
    rg_val x[MAX];
    size_t m = rg_graph_params(x, MAX, n->l.g);
    x[m++] = n->X;
    n->root[0] = n->Y;
    memcpy(n->root + 1, n->last, n->n_last * sizeof *x);
    n->n = 1 + n->n_last;
    rg_grad(n->root + n->n, loss_of(n, b), x, m);
    n->n += m;
}

static void net_run(struct net *n, int b)
{
    net_roots(n, b);
    lab_run(&n->l, n->root, n->n);
}

/* ---- Padding --------------------------------------------------------------------------------- */

static void poke_padding(struct net *n, double garbage)
{
    for (size_t e = 0; e < T * B * I; e++)
        if ((int32_t)(e / (B * I)) >= length[e / I % B])
            lab_poke(&n->l, n->X, e, garbage);
}

/* In every wrapper, with the interpreter in f64 and with optimized plans in f32. */
static void try_garbage(size_t k, rg_dtype real, rg_effort effort)
{
    static const double garbage[] = { NAN, INFINITY, -INFINITY, 1e30, -0.0 };
    struct net n;
    double *was[MAX];
    net_open(&n, k, real, -1);
    n.l.effort = effort;
    net_run(&n, -1);
    lab_keep(&n.l, n.root, n.n, was);
    for (size_t g = 0; g < sizeof garbage / sizeof *garbage; g++) {
        poke_padding(&n, garbage[g]);
        lab_again(&n.l);
        RGT_CHECK_MSG(lab_kept(&n.l, n.root, n.n, was), "%s, %s, %g", cell_at(k)->name,
                      wrapper_at(k)->name, garbage[g]);
    }
    lab_poke(&n.l, n.X, B * I * 0 + I, 0.4); /* what is real does change them */
    lab_again(&n.l);
    RGT_CHECK(!lab_kept(&n.l, n.root, n.n, was));
    lab_forget(was, n.n);
    lab_close(&n.l);
}

RGT_TEST(laws, what_padding_holds_changes_no_bit_in_any_wrapper)
{
    for (size_t k = 0; k < CASES; k++)
        try_garbage(k, RG_F64, RG_INTERPRET);
}

RGT_TEST(laws, what_padding_holds_changes_no_bit_of_optimized_plans)
{
    for (size_t k = 0; k < CASES; k++)
        if (k / WRAPPERS % 3 == 2 || k / WRAPPERS == LAB_LSTM)
            try_garbage(k, RG_F32, RG_OPTIMIZE);
}

/* Values of a padded batch are those of its rows alone, to the bit; gradients their sum. */
RGT_TEST(laws, a_padded_batch_is_its_rows_one_by_one_and_its_gradient_their_sum)
{
    for (size_t k = 0; k < CASES; k++) {
        struct net all, one;
        double *sum[MAX], *Y, worst = 0;
        size_t values, count[MAX];
        net_open(&all, k, RG_F64, -1);
        net_run(&all, -1);
        values = 1 + all.n_last;
        Y = lab_read(&all.l, all.Y, NULL);
        for (size_t i = values; i < all.n; i++)
            sum[i] = lab_read(&all.l, all.root[i], &count[i]);
        for (int b = 0; b < B; b++) {
            net_open(&one, k, RG_F64, b);
            net_run(&one, b);
            double *y = lab_read(&one.l, one.Y, NULL);
            size_t W = (size_t)rg_dim(one.Y, -1);
            for (int t = 0; t < length[b]; t++)
                RGT_CHECK(memcmp(y + (size_t)t * W, Y + (size_t)(t * B + b) * W, W * 8) == 0);
            free(y);
            for (size_t i = values; i + 1 < one.n; i++) { /* but dX, which is of one row */
                double *d = lab_read(&one.l, one.root[i], NULL);
                for (size_t e = 0; e < count[i]; e++)
                    sum[i][e] -= d[e];
                free(d);
            }
            lab_close(&one.l);
        }
        for (size_t i = values; i < all.n; i++) {
            for (size_t e = 0; i + 1 < all.n && e < count[i]; e++)
                worst = fmax(worst, fabs(sum[i][e]));
            free(sum[i]);
        }
        RGT_CHECK_MSG(worst <= 1e-13, "%s, %s: %g", cell_at(k)->name, wrapper_at(k)->name, worst);
        free(Y);
        lab_close(&all.l);
    }
}

/* ---- Rows, seeds, reach ---------------------------------------------------------------------- */

RGT_TEST(laws, a_seed_scaled_by_a_power_of_two_scales_gradients_exactly_in_any_wrapper)
{
    for (size_t k = 0; k < CASES; k++) {
        struct net n;
        rg_val x[MAX], d[2][MAX], root[MAX];
        net_open(&n, k, RG_F64, -1);
        rg_val loss = loss_of(&n, -1);
        size_t m = rg_graph_params(x, MAX, n.l.g);
        rg_grad(d[0], loss, x, m);
        rg_grad(d[1], rg_scale(loss, 4096), x, m);
        for (size_t i = 0; i < m; i++)
            root[i] = lab_off(d[1][i], rg_scale(d[0][i], 4096));
        lab_run(&n.l, root, m);
        for (size_t i = 0; i < m; i++)
            RGT_CHECK(rg_plan_scalar(n.l.plan, root[i]) == 0);
        lab_close(&n.l);
    }
}

/* From the outputs to every parameter, and to every real step of the input but where units rest. */
RGT_TEST(laws, outputs_of_any_wrapper_reach_every_parameter)
{
    for (size_t k = 0; k < CASES; k++) {
        struct net n;
        rg_val x[MAX], d[MAX];
        net_open(&n, k, RG_F64, -1);
        size_t m = rg_graph_params(x, MAX, n.l.g);
        rg_grad(d, rg_sum(rg_square(n.Y)), x, m);
        lab_run(&n.l, d, m);
        for (size_t i = 0; i < m; i++) {
            bool some = lab_nonzero(&n.l, d[i]) > 0;
            RGT_CHECK_MSG(some && rg_outcome_of(d[i]) == RG_GRADIENT, "%s, %s: %zu",
                          cell_at(k)->name, wrapper_at(k)->name, i);
        }
        lab_close(&n.l);
    }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What an f32 plan of the net's roots computes, malloc'ed. Its bytes; 0: refused for the budget. */
static size_t planned(lab *l, const rg_val *root, size_t n, const rg_plan_opts *opts, double **out)
{
    rg_plan_destroy(&l->plan);
    rg_status st = rg_plan_create(&l->plan, root, n, opts);
    if (st == RG_ELIMIT)
        return 0;
    RGT_CHECK_MSG(st == RG_OK, "%s", rg_graph_message(l->g));
    lab_again(l);
    for (size_t k = 0; k < n; k++)
        out[k] = lab_read(l, root[k], NULL);
    return rg_plan_facts(l->plan).arena_bytes;
}

/* Frees what the second holds. */
static bool same_values(const rg_val *root, size_t n, double *const *a, double **b)
{
    bool same = true;
    for (size_t k = 0; k < n; k++) {
        same = same && memcmp(a[k], b[k], (size_t)rg_shape_count(rg_shape_of(root[k])) * 8) == 0;
        free(b[k]);
    }
    return same;
}

RGT_TEST(laws, memory_that_is_used_again_changes_no_bit_in_any_wrapper)
{
    static const size_t cells[] = { 0, 2, LAB_LSTM };
    for (size_t i = 0; i < 3 * WRAPPERS; i++) {
        size_t k = cells[i / WRAPPERS] * WRAPPERS + i % WRAPPERS;
        struct net n;
        double *plain[MAX], *poisoned[MAX];
        net_open(&n, k, RG_F32, -1);
        net_roots(&n, -1);
        planned(&n.l, n.root, n.n, &(rg_plan_opts){ .threads = 1 }, plain);
        planned(&n.l, n.root, n.n, &(rg_plan_opts){ .threads = 2, .poison = true }, poisoned);
        RGT_CHECK_MSG(same_values(n.root, n.n, plain, poisoned), "%s, %s", cell_at(k)->name,
                      wrapper_at(k)->name);
        lab_forget(plain, n.n);
        lab_close(&n.l);
    }
}

/* A masked net that is long enough for a budget to save something. */
RGT_TEST(laws, what_is_computed_again_within_a_budget_is_what_it_was)
{
    enum { LONG = 48, ROWS = 16, WIDE = 16 };
    static const size_t cells[] = { 0, LAB_GRU, LAB_GRU + 1, LAB_LSTM };
    size_t squeezed = 0;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        lab l = { .seed = 4 };
        rg_val x[MAX], root[MAX];
        double *whole[MAX], *again[MAX];
        int32_t steps[ROWS];
        for (int b = 0; b < ROWS; b++)
            steps[b] = b * 7 % (LONG + 1);
        lab_open(&l, RG_F32);
        const lab_cell *c = &lab_cells[cells[i]];
        rg_cell cell = c->make(l.g, "c", I, WIDE, &c->opts);
        rg_val n = lab_bits(&l, "n", RG_INT, RG_SHAPE(ROWS), steps);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(LONG, ROWS, I));
        root[0] = rg_sum(rg_square(rg_unroll(NULL, &cell, X, NULL,
                                  &(rg_unroll_opts){ .mask = rg_length_mask(n, LONG) })));
        size_t m = rg_graph_params(x, MAX, l.g);
        rg_grad(root + 1, root[0], x, m);
        size_t bytes = planned(&l, root, m + 1, &(rg_plan_opts){ .threads = 2, .portable = true },
                               whole);
        for (size_t share = 6; share < 10; share++)
            if (planned(&l, root, m + 1, &(rg_plan_opts){ .budget_bytes = bytes * share / 10,
                                                          .portable = true }, again)) {
                squeezed++;
                RGT_CHECK_MSG(same_values(root, m + 1, whole, again), "%s", c->name);
            }
        lab_forget(whole, m + 1);
        lab_close(&l);
    }
    RGT_CHECK_MSG(squeezed >= 6, "%zu", squeezed);
}

/* ---- Training and evaluation in turns -------------------------------------------------------- */

/* Four updates with everything that draws; between them, if asked, evaluations. The last loss. */
static double trained(bool evaluate)
{
    lab l = { .seed = 3 };
    rg_plan *train, *test;
    rg_optim *optim;
    const double zone[6] = { 0.2, 0.3, 0.2, 0.3, 0.1, 0.1 };
    static float x[T * B * I];
    lab_open(&l, RG_F32);
    const rg_cell_opts drop = { .drop_recurrent = 0.3, .drop_weight = 0.2, .drop_candidate = 0.1 };
    rg_cell cell[4] = { rg_lstm(l.g, "a", I, H, &drop), rg_lstm(l.g, "b", I, H, &drop),
                        rg_gru(l.g, "c", 2 * H, H, &drop), rg_gru(l.g, "d", 2 * H, H, &drop) };
    rg_val X = rg_input(l.g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val y = rg_layers(NULL, cell, 2, X, NULL,
                         &(rg_layers_opts){ .bidirectional = true, .input = 0.2, .between = 0.2,
                                            .output = 0.2, .zoneout = zone });
    rg_val loss = rg_mean(rg_square(y));
    for (int i = 0; i < T * B * I; i++)
        x[i] = (float)lab_draw(3, "x", (size_t)i);
    RGT_CHECK(rg_plan_create_train(&train, loss, NULL, 0, NULL) == RG_OK);
    RGT_CHECK(rg_plan_create(&test, &loss, 1, &(rg_plan_opts){ .mode = RG_EVALUATE }) == RG_OK);
    RGT_CHECK(rg_optim_create(&optim, l.ps, &(rg_optim_opts){ .lr = 0.05 }) == RG_OK);
    rg_plan_bind(train, X, x, sizeof x);
    rg_plan_bind(test, X, x, sizeof x);
    for (int step = 0; step < 4; step++) {
        RGT_CHECK(rg_plan_run(train) == RG_OK && rg_optim_step(optim, train) == RG_OK);
        double first = 0, again = 0;
        for (int i = 0; evaluate && i < 2; i++) {
            RGT_CHECK(rg_plan_run(test) == RG_OK);
            *(i ? &again : &first) = rg_plan_scalar(test, loss);
        }
        RGT_CHECK(first == again); /* nothing is drawn */
    }
    double out = rg_plan_scalar(train, loss);
    rg_optim_destroy(&optim);
    rg_plan_destroy(&test);
    rg_plan_destroy(&train);
    lab_close(&l);
    return out;
}

RGT_TEST(laws, evaluating_between_updates_changes_nothing)
{
    RGT_CHECK(trained(true) == trained(false));
}
