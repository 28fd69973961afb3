/* tests/layers/second.c -- a second source: the cells as loops in long double, forward, and
 * backward by formulas derived by hand. They share nothing with the library but the weights. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef long double real;

enum { MAX_G = 4, MAX_T = 7, MAX_B = 3, MAX_H = 17, MAX_I = 5 };

enum form { RNN, LSTM, BEFORE, AFTER };

/* One layer, unrolled; a gate is U [I,H], W [H,H], b [H], and d.. its gradient. */
struct net {
    enum form form;
    int  G, T, B, I, H;
    real U[MAX_G][MAX_I][MAX_H], W[MAX_G][MAX_H][MAX_H], b[MAX_G][MAX_H];
    real dU[MAX_G][MAX_I][MAX_H], dW[MAX_G][MAX_H][MAX_H], db[MAX_G][MAX_H];
    real x[MAX_T][MAX_B][MAX_I], dx[MAX_T][MAX_B][MAX_I];
    real h[MAX_T + 1][MAX_B][MAX_H], c[MAX_T + 1][MAX_B][MAX_H];  /* [0] is the start */
    real gate[MAX_T][MAX_G][MAX_B][MAX_H];                        /* after σ or tanh */
    real m[MAX_T][MAX_B][MAX_H];                                  /* after: h·Wg */
    real gh[MAX_T][MAX_B][MAX_H], gc[MAX_B][MAX_H];               /* cotangents of h_t, of c_T */
    real dh0[MAX_B][MAX_H], dc0[MAX_B][MAX_H];
};

static real sigma(real a)
{
    return 1 / (1 + expl(-a));
}

/* x·U + b of gate k */
static real from_x(const struct net *n, int t, int k, int b, int j)
{
    real a = n->b[k][j];
    for (int i = 0; i < n->I; i++)
        a += n->x[t][b][i] * n->U[k][i][j];
    return a;
}

/* v·W of gate k */
static real from_h(const struct net *n, int k, const real *v, int j)
{
    real a = 0;
    for (int i = 0; i < n->H; i++)
        a += v[i] * n->W[k][i][j];
    return a;
}

static void forward_row(struct net *n, int t, int b)
{
    const real *h = n->h[t][b];
    real reset[MAX_H];
    for (int j = 0; j < n->H; j++)
        for (int k = 0; k < n->G; k++) {
            real a = from_x(n, t, k, b, j) + from_h(n, k, h, j);
            bool squash = n->form == RNN || (n->form == LSTM && k == 2);
            n->gate[t][k][b][j] = squash ? tanhl(a) : sigma(a);
        }
    for (int j = 0; j < n->H; j++)
        reset[j] = n->form == BEFORE ? n->gate[t][0][b][j] * h[j] : 0;
    for (int j = 0; j < n->H; j++) {
        real *g0 = &n->gate[t][0][b][j], u = 0, c = 0;
        if (n->form == RNN) {
            n->h[t + 1][b][j] = *g0;
        } else if (n->form == LSTM) {
            c = n->gate[t][1][b][j] * n->c[t][b][j] + *g0 * n->gate[t][2][b][j];
            n->c[t + 1][b][j] = c;
            n->h[t + 1][b][j] = n->gate[t][3][b][j] * tanhl(c);
        } else {
            n->m[t][b][j] = from_h(n, 2, h, j);
            real inner = n->form == BEFORE ? from_h(n, 2, reset, j) : *g0 * n->m[t][b][j];
            c = tanhl(from_x(n, t, 2, b, j) + inner);
            u = n->gate[t][1][b][j];
            n->gate[t][2][b][j] = c;
            n->h[t + 1][b][j] = u * h[j] + (1 - u) * c;
        }
    }
}

/* Pre-activation gradients `a` of gate k: into U, W, b, x; @p v is what W multiplied, @p dv its
 * gradient, added to. */
static void spread(struct net *n, int t, int b, int k, const real *a, const real *v, const real *aw,
                   real *dv)
{
    for (int j = 0; j < n->H; j++) {
        n->db[k][j] += a[j];
        for (int i = 0; i < n->I; i++) {
            n->dU[k][i][j] += n->x[t][b][i] * a[j];
            n->dx[t][b][i] += a[j] * n->U[k][i][j];
        }
        for (int i = 0; i < n->H; i++) {
            n->dW[k][i][j] += v[i] * aw[j];
            dv[i] += aw[j] * n->W[k][i][j];
        }
    }
}

/* dh, dc: gradients of h_{t+1}, c_{t+1}; on return of h_t, c_t. */
static void backward_lstm(struct net *n, int t, int b, real *dh, real *dc)
{
    real a[4][MAX_H], before[MAX_H] = { 0 };
    for (int j = 0; j < n->H; j++) {
        real i = n->gate[t][0][b][j], f = n->gate[t][1][b][j], g = n->gate[t][2][b][j];
        real o = n->gate[t][3][b][j], s = tanhl(n->c[t + 1][b][j]);
        real D = dc[j] + dh[j] * o * (1 - s * s);
        a[0][j] = D * g * i * (1 - i);
        a[1][j] = D * n->c[t][b][j] * f * (1 - f);
        a[2][j] = D * i * (1 - g * g);
        a[3][j] = dh[j] * s * o * (1 - o);
        dc[j] = D * f;
    }
    for (int k = 0; k < 4; k++)
        spread(n, t, b, k, a[k], n->h[t][b], a[k], before);
    memcpy(dh, before, sizeof before);
}

static void backward_gru(struct net *n, int t, int b, real *dh)
{
    real a[3][MAX_H], m[MAX_H], q[MAX_H], dq[MAX_H] = { 0 }, before[MAX_H];
    const real *h = n->h[t][b];
    for (int j = 0; j < n->H; j++) {
        real r = n->gate[t][0][b][j], u = n->gate[t][1][b][j], g = n->gate[t][2][b][j];
        a[1][j] = dh[j] * (h[j] - g) * u * (1 - u);
        a[2][j] = dh[j] * (1 - u) * (1 - g * g);
        m[j] = a[2][j] * r;
        q[j] = r * h[j];
        before[j] = dh[j] * u;
    }
    if (n->form == BEFORE)
        spread(n, t, b, 2, a[2], q, a[2], dq);
    else
        spread(n, t, b, 2, a[2], h, m, before);
    for (int j = 0; j < n->H; j++) {
        real r = n->gate[t][0][b][j], slope = r * (1 - r);
        a[0][j] = (n->form == BEFORE ? dq[j] * h[j] : a[2][j] * n->m[t][b][j]) * slope;
        before[j] += n->form == BEFORE ? dq[j] * r : 0;
    }
    spread(n, t, b, 0, a[0], h, a[0], before);
    spread(n, t, b, 1, a[1], h, a[1], before);
    memcpy(dh, before, sizeof before);
}

static void backward_rnn(struct net *n, int t, int b, real *dh)
{
    real a[MAX_H], before[MAX_H] = { 0 };
    for (int j = 0; j < n->H; j++)
        a[j] = dh[j] * (1 - n->h[t + 1][b][j] * n->h[t + 1][b][j]);
    spread(n, t, b, 0, a, n->h[t][b], a, before);
    memcpy(dh, before, sizeof before);
}

static void run(struct net *n)
{
    for (int b = 0; b < n->B; b++) {
        real dh[MAX_H] = { 0 }, dc[MAX_H];
        for (int t = 0; t < n->T; t++)
            forward_row(n, t, b);
        memcpy(dc, n->gc[b], sizeof dc);
        for (int t = n->T - 1; t >= 0; t--) {
            for (int j = 0; j < n->H; j++)
                dh[j] += n->gh[t][b][j];
            if (n->form == LSTM)
                backward_lstm(n, t, b, dh, dc);
            else if (n->form == RNN)
                backward_rnn(n, t, b, dh);
            else
                backward_gru(n, t, b, dh);
        }
        memcpy(n->dh0[b], dh, sizeof dh);
        memcpy(n->dc0[b], dc, sizeof dc);
    }
}

/* ---- The same by the library ----------------------------------------------------------------- */

/* Element i of a [..][b][j] or [..][i][j] array of the net, whose rows are longer than needed. */
static real at(const real *base, size_t i, int cols, int stride, int rows, int plane)
{
    size_t j = i % (size_t)cols, r = i / (size_t)cols;
    return base[(r / (size_t)rows) * (size_t)plane + r % (size_t)rows * (size_t)stride + j];
}

static double worst(lab *l, rg_val v, const real *base, int cols, int stride, int rows, int plane)
{
    size_t n;
    double *got = lab_read(l, v, &n), off = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double want = (double)at(base, i, cols, stride, rows, plane);
        off = fmax(off, fabs(got[i] - want));
        scale = fmax(scale, fabs(want));
    }
    free(got);
    RGT_CHECK(scale > 0);
    return off / scale;
}

static void copy_in(lab *l, const char *name, real *base, int cols, int stride, int rows, int plane,
                    int n)
{
    for (size_t i = 0; i < (size_t)n; i++) {
        size_t j = i % (size_t)cols, r = i / (size_t)cols;
        base[(r / (size_t)rows) * (size_t)plane + r % (size_t)rows * (size_t)stride + j] =
            lab_draw(l->seed, name, i);
    }
}

static void copy_param(lab *l, const char *letter, const char *gate, real *base, int cols,
                       int stride)
{
    char name[16] = "c.";
    strcat(strcat(name, letter), gate);
    rg_param_info p = rg_params_find(l->ps, name);
    RGT_CHECK(p.data);
    for (int64_t i = 0; i < rg_shape_count(p.shape); i++)
        base[i / cols * stride + i % cols] = ((double *)p.data)[i];
}

static const struct {
    enum form    form;
    rg_cell_fn  *make;
    rg_cell_opts opts;
    const char  *gate[MAX_G];
    int          G;
} forms[] = {
    { RNN, rg_rnn, { .reset_after = false }, { "" }, 1 },
    { LSTM, rg_lstm, { .reset_after = false }, { "i", "f", "c", "o" }, 4 },
    { BEFORE, rg_gru, { .reset_after = false }, { "r", "u", "g" }, 3 },
    { AFTER, rg_gru, { .reset_after = true }, { "r", "u", "g" }, 3 },
};

/* Y, h_T, c_T and the gradients of ⟨gY, Y⟩ + ⟨gc, c_T⟩: worst relative difference. */
static double trial(size_t form, int T, int B, int I, int H)
{
    static struct net n;
    lab l = { .seed = 40 + form + (uint64_t)(T * H) };
    rg_val last[2], s0[2], dx[3 * MAX_G + 3], x[3 * MAX_G + 3], root[3 * MAX_G + 6];
    size_t k = 0;
    memset(&n, 0, sizeof n);
    n.form = forms[form].form;
    n.G = forms[form].G, n.T = T, n.B = B, n.I = I, n.H = H;
    lab_open(&l, RG_F64);
    rg_cell cell = forms[form].make(l.g, "c", I, H, &forms[form].opts);
    lab_fill(&l, 0.8);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    for (size_t s = 0; s < cell.n_state; s++)
        s0[s] = lab_drawn(&l, s ? "c0" : "h0", RG_SHAPE(B, H));
    rg_val Y = rg_unroll(last, &cell, X, s0, NULL);
    rg_val loss = rg_sum(rg_mul(Y, lab_drawn(&l, "gY", RG_SHAPE(T, B, H))));
    if (cell.n_state > 1)
        loss = rg_add(loss, rg_sum(rg_mul(last[1], lab_drawn(&l, "gc", RG_SHAPE(B, H)))));
    for (int g = 0; g < n.G; g++) {
        char name[8];
        static const char *const letter[3] = { "U", "W", "b" };
        for (int i = 0; i < 3; i++) {
            strcat(strcpy(name, letter[i]), forms[form].gate[g]);
            x[k++] = rg_param(l.g, "c", name, i == 2 ? RG_SHAPE(H) : RG_SHAPE(i ? H : I, H),
                              rg_init_zeros());
        }
        copy_param(&l, "U", forms[form].gate[g], n.U[g][0], H, MAX_H);
        copy_param(&l, "W", forms[form].gate[g], n.W[g][0], H, MAX_H);
        copy_param(&l, "b", forms[form].gate[g], n.b[g], H, MAX_H);
    }
    x[k++] = X;
    memcpy(x + k, s0, cell.n_state * sizeof *x);
    k += cell.n_state;
    rg_grad(dx, loss, x, k);
    memcpy(root, dx, k * sizeof *root);
    root[k] = Y;
    memcpy(root + k + 1, last, cell.n_state * sizeof *root);
    lab_run(&l, root, k + 1 + cell.n_state);

    copy_in(&l, "x", n.x[0][0], I, MAX_I, B, MAX_B * MAX_I, T * B * I);
    copy_in(&l, "h0", n.h[0][0], H, MAX_H, B, 0, B * H);
    copy_in(&l, "gY", n.gh[0][0], H, MAX_H, B, MAX_B * MAX_H, T * B * H);
    if (cell.n_state > 1) {
        copy_in(&l, "c0", n.c[0][0], H, MAX_H, B, 0, B * H);
        copy_in(&l, "gc", n.gc[0], H, MAX_H, B, 0, B * H);
    }
    run(&n);
    double off = worst(&l, Y, n.h[1][0], H, MAX_H, B, MAX_B * MAX_H);
    for (int g = 0; g < n.G; g++) {
        off = fmax(off, worst(&l, dx[3 * g], n.dU[g][0], H, MAX_H, I, 0));
        off = fmax(off, worst(&l, dx[3 * g + 1], n.dW[g][0], H, MAX_H, H, 0));
        off = fmax(off, worst(&l, dx[3 * g + 2], n.db[g], H, MAX_H, 1, 0));
    }
    off = fmax(off, worst(&l, dx[3 * n.G], n.dx[0][0], I, MAX_I, B, MAX_B * MAX_I));
    off = fmax(off, worst(&l, dx[3 * n.G + 1], n.dh0[0], H, MAX_H, B, 0));
    if (cell.n_state > 1) {
        off = fmax(off, worst(&l, last[1], n.c[T][0], H, MAX_H, B, 0));
        off = fmax(off, worst(&l, dx[3 * n.G + 2], n.dc0[0], H, MAX_H, B, 0));
    }
    lab_close(&l);
    return off;
}

RGT_TEST(second_source, cells_equal_loops_in_long_double_with_a_backward_by_hand)
{
    static const int sizes[][4] = { { 1, 1, 2, 1 }, { 2, 3, 2, 4 }, { 7, 2, 5, 4 }, { 7, 3, 5, 17 },
                                    { 3, 1, 1, 17 } };
    double off = 0;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            off = fmax(off, trial(f, sizes[k][0], sizes[k][1], sizes[k][2], sizes[k][3]));
    rgt_note("worst %.1e\n", off);
    RGT_CHECK(off <= 1e-12);
}
