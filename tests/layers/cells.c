/* tests/layers/cells.c -- what each built-in cell is: its equations, its options, its start. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 2, I = 3, H = 4 };

/* name <- factor · from */
static void set(lab *l, const char *name, lab *other, const char *from, double factor)
{
    size_t n, m;
    double *to = lab_param(l, name, &n), *is = lab_param(other, from, &m);
    RGT_CHECK(n == m);
    for (size_t i = 0; i < n; i++)
        to[i] = factor * is[i];
}

/* A cell over x from drawn states. */
struct net {
    lab    l;
    rg_val s0[LAB_STATES], last[LAB_STATES], Y;
};

static void build(struct net *n, rg_cell_fn *make, const rg_cell_opts *opts, int64_t width)
{
    memset(n, 0, sizeof *n);
    n->l.seed = 21;
    lab_open(&n->l, RG_F64);
    rg_cell cell = make(n->l.g, "c", I, width, opts);
    lab_fill(&n->l, 0.8);
    rg_val X = lab_drawn(&n->l, "x", RG_SHAPE(T, B, I));
    for (size_t k = 0; k < cell.n_state; k++)
        n->s0[k] = lab_start(&n->l, &cell, k, B);
    n->Y = rg_unroll(n->last, &cell, X, n->s0, NULL);
}

static void run(struct net *n)
{
    rg_val root[5] = { n->Y, n->last[0], n->s0[0], n->last[1], n->s0[1] };
    lab_run(&n->l, root, n->last[1].graph ? 5 : 3);
}

/* ---- A user's cell is the library's ---------------------------------------------------------- */

static void user_lstm_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *p = weights;
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(rg_gate_sum(&p[0], x, h));
    rg_val f = rg_sigmoid(rg_gate_sum(&p[1], x, h));
    rg_val g = rg_tanh(rg_gate_sum(&p[2], x, h));
    rg_val o = rg_sigmoid(rg_gate_sum(&p[3], x, h));
    rg_val a = rg_mul(f, c);
    rg_val b = rg_mul(i, g);
    next[1] = rg_add(a, b);
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

static void user_gru_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *p = weights;
    rg_val h = s[0];
    rg_val r = rg_sigmoid(rg_gate_sum(&p[0], x, h));
    rg_val u = rg_sigmoid(rg_gate_sum(&p[1], x, h));
    rg_val c = rg_tanh(rg_gate_sum(&p[2], x, rg_mul(r, h)));
    rg_val a = rg_mul(u, h);
    rg_val b = rg_mul(rg_one_minus(u), c);
    next[0] = rg_add(a, b);
}

static void user_rnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    next[0] = rg_tanh(rg_gate_sum(weights, x, s[0]));
}

static const struct twin {
    const char *name;
    rg_cell_fn *make;
    rg_step_fn *step;
    const char *gate;
    size_t      n_state;
} twins[] = {
    { "lstm", rg_lstm, user_lstm_step, "ifco", 2 },
    { "gru", rg_gru, user_gru_step, "rug", 1 },
    { "rnn", rg_rnn, user_rnn_step, "", 1 },
};

/* The printout of a graph with its gradient, cell by the library or by the user. */
static void print(rgt_text *text, const struct twin *t, bool own)
{
    lab l = { .seed = 4 };
    rg_gate gate[4];
    rg_val dw[16], w[16];
    lab_open(&l, RG_F64);
    rg_cell cell = { t->name, t->n_state, (int64_t[]){ H, H }, t->step, gate };
    for (size_t k = 0; own && k < strlen(t->gate) + !*t->gate; k++) {
        char suffix[2] = { t->gate[k], '\0' };
        gate[k] = rg_gate_declare(l.g, "c", suffix, I, H, suffix[0] == 'f' ? 1 : 0);
    }
    if (!own)
        cell = t->make(l.g, "c", I, H, NULL);
    rg_val y = rg_unroll(NULL, &cell, rg_input(l.g, "x", RG_F, RG_SHAPE(T, B, I)), NULL, NULL);
    rg_grad(dw, rg_sum(y), w, rg_graph_params(w, 16, l.g));
    RGT_CHECK(rg_graph_status(l.g) == RG_OK);
    rg_graph_print(l.g, rgt_write, text);
    for (size_t i = 0; i < rg_params_count(l.ps); i++) { /* and the numbers they start with */
        rg_param_info p = rg_params_at(l.ps, i);
        for (int64_t e = 0; e < rg_shape_count(p.shape); e++) {
            char number[32];
            int n = snprintf(number, sizeof number, "%a ", ((double *)p.data)[e]);
            rgt_write(text, number, (size_t)n);
        }
    }
    lab_close(&l);
}

RGT_TEST(cells, one_built_by_a_user_is_the_library_s_node_by_node)
{
    for (size_t k = 0; k < sizeof twins / sizeof *twins; k++) {
        rgt_text library = { 0 }, user = { 0 };
        print(&library, &twins[k], false);
        print(&user, &twins[k], true);
        RGT_CHECK_MSG(strcmp(library.data, user.data) == 0, "%s", twins[k].name);
        RGT_CHECK(rgt_has(library.data, "matmul"));
        rgt_text_free(&library);
        rgt_text_free(&user);
    }
}

/* ---- Equations in corners -------------------------------------------------------------------- */

RGT_TEST(cells, a_gru_with_its_update_gate_shut_holds_the_state_to_the_bit)
{
    struct net n;
    build(&n, rg_gru, NULL, H);
    lab_set(&n.l, "c.bu", 50);
    run(&n);
    RGT_CHECK(lab_same(&n.l, n.last[0], &n.l, n.s0[0]));
    lab_set(&n.l, "c.bu", 0);
    lab_again(&n.l);
    RGT_CHECK(!lab_same(&n.l, n.last[0], &n.l, n.s0[0]));
    lab_close(&n.l);
}

RGT_TEST(cells, an_lstm_that_forgets_nothing_and_lets_nothing_in_holds_c_to_the_bit)
{
    struct net n;
    build(&n, rg_lstm, NULL, H);
    lab_set(&n.l, "c.bf", 50);
    lab_set(&n.l, "c.bi", -800);
    run(&n);
    RGT_CHECK(lab_same(&n.l, n.last[1], &n.l, n.s0[1]));
    RGT_CHECK(!lab_same(&n.l, n.last[0], &n.l, n.s0[0]));
    lab_close(&n.l);
}

/* The first rows and columns are those of a smaller array of equal rank, the others 0. */
static void pad(double *to, rg_shape wide, const double *from, rg_shape small)
{
    int64_t rows = small.rank == 2 ? small.dim[0] : 1, columns = small.dim[small.rank - 1];
    int64_t wide_rows = wide.rank == 2 ? wide.dim[0] : 1, width = wide.dim[wide.rank - 1];
    for (int64_t i = 0; i < wide_rows; i++)
        for (int64_t j = 0; j < width; j++)
            to[i * width + j] = i < rows && j < columns ? from[i * columns + j] : 0;
}

/* 6 units, of which the weights to and from the last two are 0, hold the 4 of a smaller cell. */
RGT_TEST(cells, units_without_weights_change_nothing_for_the_others)
{
    static const char *const state[LAB_STATES] = { "h0", "c0", "p0" };
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        enum { WIDE = H + 2 };
        if (lab_cells[k].traits & LAB_NORM)
            continue;
        build(&a, lab_cells[k].make, &lab_cells[k].opts, H);
        build(&b, lab_cells[k].make, &lab_cells[k].opts, WIDE);
        for (size_t p = 0; p < rg_params_count(a.l.ps); p++) {
            rg_param_info small = rg_params_at(a.l.ps, p);
            rg_param_info wide = rg_params_find(b.l.ps, small.name);
            pad(wide.data, wide.shape, small.data, small.shape);
        }
        for (size_t s = 0; s < lab_cells[k].n_state; s++) { /* the wide start begins as the small */
            int64_t w = rg_dim(a.s0[s], 1), wide = rg_dim(b.s0[s], 1);
            for (int64_t e = 0; e < B * w; e++)
                lab_poke(&b.l, b.s0[s], (size_t)(e / w * wide + e % w),
                         lab_draw(21, state[s], (size_t)e));
        }
        rg_val y = rg_slice(b.Y, -1, 0, rg_dim(a.Y, -1));
        lab_run(&a.l, &a.Y, 1);
        lab_run(&b.l, &y, 1);
        RGT_CHECK_MSG(lab_apart(&b.l, y, &a.l, a.Y) <= 1e-14, "%s", lab_cells[k].name);
        lab_close(&a.l);
        lab_close(&b.l);
    }
}

RGT_TEST(cells, the_two_resets_differ_but_for_a_diagonal_weight)
{
    struct net before, after;
    build(&before, rg_gru, NULL, H);
    build(&after, rg_gru, &(rg_cell_opts){ .reset_after = true }, H);
    run(&before);
    run(&after);
    RGT_CHECK(lab_apart(&before.l, before.Y, &after.l, after.Y) > 0.01);
    for (struct net *n = &before; n; n = n == &before ? &after : NULL)
        for (size_t e = 0; e < H * H; e++)
            lab_param(&n->l, "c.Wg", NULL)[e] = e % (H + 1) == 0 ? 0.1 * (double)e - 0.5 : 0;
    lab_again(&before.l);
    lab_again(&after.l);
    RGT_CHECK(lab_apart(&before.l, before.Y, &after.l, after.Y) <= 1e-14);
    lab_close(&before.l);
    lab_close(&after.l);
}

RGT_TEST(cells, an_update_that_takes_is_one_that_keeps_with_the_gate_negated)
{
    struct net keep, take;
    build(&keep, rg_gru, NULL, H);
    build(&take, rg_gru, &(rg_cell_opts){ .update_take = true }, H);
    set(&take.l, "c.Uu", &keep.l, "c.Uu", -1);
    set(&take.l, "c.Wu", &keep.l, "c.Wu", -1);
    set(&take.l, "c.bu", &keep.l, "c.bu", -1);
    run(&keep);
    run(&take);
    RGT_CHECK(lab_apart(&take.l, take.Y, &keep.l, keep.Y) <= 8 * T * 0x1p-53);
    lab_close(&keep.l);
    lab_close(&take.l);
}

/* Two biases are one, their sum, except inside the reset product. */
RGT_TEST(cells, a_double_bias_is_the_sum_of_both_but_for_gru_after)
{
    static const struct { rg_cell_fn *make; bool after; const char *gate; } row[] = {
        { rg_rnn, false, "" }, { rg_lstm, false, "ifco" }, { rg_gru, false, "rug" },
        { rg_gru, true, "rug" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct net one, two;
        rg_cell_opts opts = { .reset_after = row[k].after };
        build(&one, row[k].make, &opts, H);
        opts.bias = RG_BIAS_DOUBLE;
        build(&two, row[k].make, &opts, H);
        for (size_t g = 0; g < strlen(row[k].gate) + !*row[k].gate; g++)
            for (size_t e = 0; e < H; e++) {
                char b[] = { 'c', '.', 'b', row[k].gate[g], 0 };
                char bh[] = { 'c', '.', 'b', 'h', row[k].gate[g], 0 };
                lab_param(&one.l, b, NULL)[e] = lab_param(&two.l, b, NULL)[e] +
                                                lab_param(&two.l, bh, NULL)[e];
            }
        run(&one);
        run(&two);
        double off = lab_apart(&one.l, one.Y, &two.l, two.Y);
        RGT_CHECK(row[k].after ? off > 0.01 : off <= 1e-14);
        lab_close(&one.l);
        lab_close(&two.l);
    }
}

RGT_TEST(cells, the_founding_preset_has_no_bias_at_all)
{
    lab l = { .seed = 1 };
    rg_cell_opts founding = { .bias = RG_BIAS_NONE };
    lab_open(&l, RG_F64);
    rg_rnn(l.g, "rnn", I, H, &founding);
    rg_gru(l.g, "gru", I, H, &founding);
    rg_lstm(l.g, "lstm", I, H, &founding);
    RGT_CHECK(rg_params_count(l.ps) == 2 * (1 + 3 + 4));
    for (size_t i = 0; i < rg_params_count(l.ps); i++)
        RGT_CHECK(!strstr(rg_params_at(l.ps, i).name, ".b"));
    RGT_CHECK(rg_params_find(l.ps, "rnn.U").data && rg_params_find(l.ps, "gru.Wg").data &&
              rg_params_find(l.ps, "lstm.Uc").data);
    lab_close(&l);
}

/* ---- How they start -------------------------------------------------------------------------- */

/* W·Wᵀ or WᵀW is the identity; rows of `stride`. */
static double off_identity(const double *w, int64_t m, int64_t n, int64_t stride)
{
    double worst = 0;
    for (int64_t a = 0; a < m; a++)
        for (int64_t b = 0; b < m; b++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++)
                sum += w[a * stride + j] * w[b * stride + j];
            worst = fmax(worst, fabs(sum - (a == b)));
        }
    return worst;
}

/* Does the largest element come close to the bound without passing it? */
static bool within(lab *l, const char *name, double bound)
{
    size_t n;
    double *w = lab_param(l, name, &n), most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(w[i]));
    return most <= bound && most > 0.8 * bound;
}

RGT_TEST(cells, the_default_start_is_glorot_orthogonal_and_a_forget_bias_of_one)
{
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_lstm(l.g, "a", 6, 20, NULL);
    rg_lstm(l.g, "b", 6, 20, &(rg_cell_opts){ .forget_bias_0 = true });
    RGT_CHECK(within(&l, "a.Ui", sqrt(6.0 / 26)));
    RGT_CHECK(off_identity(lab_param(&l, "a.Wc", NULL), 20, 20, 20) < 1e-12);
    RGT_CHECK(lab_all(&l, "a.bf", 1) && lab_all(&l, "a.bi", 0) && lab_all(&l, "a.bo", 0) &&
              lab_all(&l, "b.bf", 0));
    lab_close(&l);
}

RGT_TEST(cells, the_torch_start_is_uniform_biases_too)
{
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_lstm(l.g, "a", 6, 25, &(rg_cell_opts){ .init = RG_INIT_TORCH, .bias = RG_BIAS_DOUBLE });
    for (size_t i = 0; i < rg_params_count(l.ps); i++)
        RGT_CHECK(within(&l, rg_params_at(l.ps, i).name, 0.2));
    lab_close(&l);
}

RGT_TEST(cells, the_keras_start_draws_all_gates_as_one_matrix)
{
    enum { W = 12 };
    static const char gate[] = "ifco";
    double row[W][4 * W];
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_lstm(l.g, "a", 6, W, &(rg_cell_opts){ .init = RG_INIT_KERAS });
    for (size_t g = 0; g < 4; g++) {
        char name[] = { 'a', '.', 'W', gate[g], 0 };
        for (size_t i = 0; i < W; i++)
            memcpy(&row[i][g * W], lab_param(&l, name, NULL) + i * W, W * sizeof(double));
    }
    RGT_CHECK(off_identity(row[0], W, 4 * W, 4 * W) < 1e-12);
    RGT_CHECK(off_identity(lab_param(&l, "a.Wi", NULL), W, W, W) > 0.1);
    RGT_CHECK(within(&l, "a.Uo", sqrt(6.0 / (6 + 4 * W))) && lab_all(&l, "a.bf", 1));
    lab_close(&l);
}

RGT_TEST(cells, the_chrono_start_spreads_lags_up_to_the_longest)
{
    lab l = { .seed = 8 };
    rg_cell_opts chrono = { .init = RG_INIT_CHRONO, .chrono_T = 100 };
    size_t n;
    double most = 0;
    lab_open(&l, RG_F64);
    rg_lstm(l.g, "a", 6, 50, &chrono);
    rg_gru(l.g, "b", 6, 50, &chrono);
    chrono.update_take = true;
    rg_gru(l.g, "c", 6, 50, &chrono);
    double *f = lab_param(&l, "a.bf", &n), *i = lab_param(&l, "a.bi", NULL);
    double *u = lab_param(&l, "b.bu", NULL);
    for (size_t k = 0; k < n; k++) {
        RGT_CHECK(f[k] == -i[k] && f[k] >= 0 && f[k] <= log(99) && u[k] >= 0 && u[k] <= log(99));
        RGT_CHECK(lab_param(&l, "c.bu", NULL)[k] <= 0);
        most = fmax(most, f[k]);
    }
    RGT_CHECK(most > log(80) && lab_all(&l, "a.bo", 0) && lab_all(&l, "b.br", 0));
    lab_close(&l);
}
