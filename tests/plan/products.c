/* tests/plan/products.c -- the list of products that each network comes down to: what a person
 * would write by hand. T = 60, B = 4, I = 6, H = 8; every network is a plain composition, one
 * weight a gate, differentiated for all weights and its inputs. The rewritten program equals the
 * graph. */
#include <retrograd/retrograd.h>

#include "ops/ops.h"
#include "plan/made.h"
#include "plan/plan.h"
#include "tests/rgt.h"

#include <math.h>
#include <string.h>

enum { T = 60, B = 4, I = 6, H = 8, V = 7 };

struct net {
    rg_params *ps;
    rg_graph  *g;
    rg_val     X;      /* differentiated too, if set */
    rg_val     loss;
};

/* ---- Cells that the library does not have ---------------------------------------------------- */

static rg_val w(rg_graph *g, const char *group, const char *name, int64_t rows, int64_t cols)
{
    return rg_param(g, group, name, RG_SHAPE(rows, cols), rg_init_glorot());
}

struct gates { rg_gate i, f, o, c; rg_val P[3], proj, W[4], b[4]; };

static struct gates declare(rg_graph *g, const char *name, int64_t in)
{
    return (struct gates){ .i = rg_gate_declare(g, name, "i", in, H, 0),
                           .f = rg_gate_declare(g, name, "f", in, H, 1),
                           .o = rg_gate_declare(g, name, "o", in, H, 0),
                           .c = rg_gate_declare(g, name, "c", in, H, 0) };
}

static void finish(rg_val *next, rg_val i, rg_val f, rg_val o, rg_val g, rg_val c)
{
    rg_val keep = rg_mul(f, c);
    next[1] = rg_add(keep, rg_mul(i, g));
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

static void peephole_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val i = rg_sigmoid(rg_add(rg_gate_sum(&p->i, x, s[0]), rg_mul(p->P[0], s[1])));
    rg_val f = rg_sigmoid(rg_add(rg_gate_sum(&p->f, x, s[0]), rg_mul(p->P[1], s[1])));
    rg_val c = rg_add(rg_mul(f, s[1]), rg_mul(i, rg_tanh(rg_gate_sum(&p->c, x, s[0]))));
    rg_val o = rg_sigmoid(rg_add(rg_gate_sum(&p->o, x, s[0]), rg_mul(p->P[2], c)));
    next[0] = rg_mul(o, rg_tanh(c));
    next[1] = c;
}

static void coupled_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val i = rg_sigmoid(rg_gate_sum(&p->i, x, s[0])), o = rg_sigmoid(rg_gate_sum(&p->o, x, s[0]));
    finish(next, i, rg_one_minus(i), o, rg_tanh(rg_gate_sum(&p->c, x, s[0])), s[1]);
}

/* One weight a gate over [x|h]. */
static void beside_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val xh = rg_concat((rg_val[]){ x, s[0] }, 2, 1), a[4];
    for (int k = 0; k < 4; k++)
        a[k] = rg_affine(xh, p->W[k], p->b[k]);
    finish(next, rg_sigmoid(a[0]), rg_sigmoid(a[1]), rg_sigmoid(a[2]), rg_tanh(a[3]), s[1]);
}

/* One wide weight for all gates. */
static void wide_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val all = rg_affine2(x, p->W[0], s[0], p->W[1], p->b[0]), a[4];
    rg_split(a, 4, all, 1);
    finish(next, rg_sigmoid(a[0]), rg_sigmoid(a[1]), rg_sigmoid(a[2]), rg_tanh(a[3]), s[1]);
}

static void mgu_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val f = rg_sigmoid(rg_gate_sum(&p->f, x, s[0]));
    rg_val g = rg_tanh(rg_gate_sum(&p->c, x, rg_mul(f, s[0])));
    rg_val keep = rg_mul(rg_one_minus(f), s[0]);
    next[0] = rg_add(keep, rg_mul(f, g));
}

static void indrnn_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct gates *p = weights;
    rg_val a = rg_add(rg_matmul(x, p->i.U), rg_mul(p->P[0], s[0]));
    next[0] = rg_relu(rg_add(a, p->i.b));
}

static const int64_t two[2] = { H, H };

/* ---- Networks -------------------------------------------------------------------------------- */

static rg_val weighed(struct net *n, rg_val y)
{
    return rg_sum(rg_mul(y, rg_input(n->g, "R", RG_F, rg_shape_of(y))));
}

static void one_cell(struct net *n, rg_cell cell)
{
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    n->loss = weighed(n, rg_unroll(NULL, &cell, n->X, NULL, NULL));
}

static void lstm(struct net *n) { one_cell(n, rg_lstm(n->g, "l", I, H, NULL)); }
static void gru(struct net *n) { one_cell(n, rg_gru(n->g, "l", I, H, NULL)); }
static void rnn(struct net *n) { one_cell(n, rg_rnn(n->g, "l", I, H, NULL)); }
static void gru_after(struct net *n)
{
    one_cell(n, rg_gru(n->g, "l", I, H, &(rg_cell_opts){ .reset_after = true }));
}

static void peephole(struct net *n)
{
    struct gates p = declare(n->g, "p", I);
    for (int k = 0; k < 3; k++)
        p.P[k] = rg_param(n->g, "p", (const char *[]){ "Pi", "Pf", "Po" }[k], RG_SHAPE(H),
                          rg_init_normal(0.1));
    one_cell(n, (rg_cell){ "peephole", 2, two, peephole_step, &p });
}

static void coupled(struct net *n)
{
    struct gates p = declare(n->g, "p", I);
    one_cell(n, (rg_cell){ "coupled", 2, two, coupled_step, &p });
}

static void beside(struct net *n)
{
    static const char *const W[] = { "Wi", "Wf", "Wo", "Wc" };
    static const char *const b[] = { "bi", "bf", "bo", "bc" };
    struct gates p = { .proj = RG_NONE };
    for (int k = 0; k < 4; k++) {
        p.W[k] = w(n->g, "p", W[k], I + H, H);
        p.b[k] = rg_param(n->g, "p", b[k], RG_SHAPE(H), rg_init_zeros());
    }
    one_cell(n, (rg_cell){ "beside", 2, two, beside_step, &p });
}

static void wide(struct net *n)
{
    struct gates p = { .W = { w(n->g, "p", "U", I, 4 * H), w(n->g, "p", "W", H, 4 * H) },
                       .b = { rg_param(n->g, "p", "b", RG_SHAPE(4 * H), rg_init_zeros()) } };
    one_cell(n, (rg_cell){ "wide", 2, two, wide_step, &p });
}

static void mgu(struct net *n)
{
    struct gates p = { .f = rg_gate_declare(n->g, "p", "f", I, H, 1),
                       .c = rg_gate_declare(n->g, "p", "c", I, H, 0) };
    one_cell(n, (rg_cell){ "mgu", 1, two, mgu_step, &p });
}

static void indrnn(struct net *n)
{
    struct gates p = { .i.U = w(n->g, "p", "U", I, H),
                       .i.b = rg_param(n->g, "p", "b", RG_SHAPE(H), rg_init_zeros()),
                       .P = { rg_param(n->g, "p", "v", RG_SHAPE(H), rg_init_normal(0.5)) } };
    one_cell(n, (rg_cell){ "indrnn", 1, two, indrnn_step, &p });
}

static void masked(struct net *n)
{
    rg_cell cell = rg_lstm(n->g, "l", I, H, NULL);
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val mask = rg_input(n->g, "m", RG_BOOL, RG_SHAPE(T, B));
    n->loss = weighed(n, rg_unroll(NULL, &cell, n->X, NULL, &(rg_unroll_opts){ .mask = mask }));
}

static void layer_by_layer(struct net *n)
{
    rg_cell one = rg_lstm(n->g, "l0", I, H, NULL), other = rg_lstm(n->g, "l1", H, H, NULL);
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val h = rg_unroll(NULL, &one, n->X, NULL, NULL);
    n->loss = weighed(n, rg_unroll(NULL, &other, h, NULL, NULL));
}

static void interleaved(struct net *n)
{
    rg_cell l[2] = { rg_lstm(n->g, "l0", I, H, NULL), rg_lstm(n->g, "l1", H, H, NULL) };
    one_cell(n, rg_stacked(n->g, l, 2, 0));
}

/* Both layers the same weights (I = H). */
static void shared_layers(struct net *n)
{
    rg_cell l[2] = { rg_lstm(n->g, "l", H, H, NULL), rg_lstm(n->g, "l", H, H, NULL) };
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, H));
    rg_val h = rg_unroll(NULL, &l[0], n->X, NULL, NULL);
    n->loss = weighed(n, rg_unroll(NULL, &l[1], h, NULL, NULL));
}

static rg_val both_ways(rg_graph *g, rg_val x, const char *fwd, const char *bwd)
{
    const int64_t in = rg_dim(x, -1);
    rg_cell f = rg_lstm(g, fwd, in, H, NULL), b = rg_lstm(g, bwd, in, H, NULL);
    rg_val y[2];
    y[0] = rg_unroll(NULL, &f, x, NULL, NULL);
    y[1] = rg_unroll(NULL, &b, x, NULL, &(rg_unroll_opts){ .reverse = true });
    return rg_concat(y, 2, 2);
}

static void bidirectional(struct net *n)
{
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    n->loss = weighed(n, both_ways(n->g, n->X, "f", "b"));
}

static void bidirectional_twice(struct net *n)
{
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val h = both_ways(n->g, n->X, "f0", "b0");
    n->loss = weighed(n, both_ways(n->g, h, "f1", "b1"));
}

static void bidirectional_shared(struct net *n)
{
    n->X = rg_input(n->g, "x", RG_F, RG_SHAPE(T, B, I));
    n->loss = weighed(n, both_ways(n->g, n->X, "f", "f"));
}

static void language(struct net *n, bool hot, bool tied)
{
    rg_val ids = rg_input(n->g, "ids", RG_INT, RG_SHAPE(T, B));
    rg_val next = rg_input(n->g, "next", RG_INT, RG_SHAPE(T, B));
    rg_cell cell = rg_lstm(n->g, "l", hot ? V : tied ? H : I, H, NULL);
    rg_val x = hot ? rg_one_hot(ids, V) : rg_embedding(ids, "emb", V, tied ? H : I);
    rg_val y = rg_unroll(NULL, &cell, x, NULL, NULL);
    rg_val E = tied ? w(n->g, "emb", "E", V, H) : RG_NONE;
    rg_val z = tied ? rg_matmul_t(y, E, false, true) : rg_dense(y, "out", V);
    n->loss = rg_mean(rg_softmax_cross_entropy(z, next));
}

static void lm(struct net *n) { language(n, false, false); }
static void lm_one_hot(struct net *n) { language(n, true, false); }
static void lm_tied(struct net *n) { language(n, false, true); }

/* ---- What each comes down to ----------------------------------------------------------------- */

static const struct expected {
    const char *name;
    void      (*build)(struct net *n);
    int         products;
} table[] = {
    { "lstm", lstm, 123 },
    { "lstm, one wide weight", wide, 123 },
    { "lstm, masked", masked, 123 },
    { "lstm, [x|h]", beside, 123 },
    { "lstm, peephole", peephole, 123 },
    { "lstm, coupled", coupled, 123 },
    { "gru, reset before", gru, 244 },
    { "gru, reset after", gru_after, 123 },
    { "mgu", mgu, 244 },
    { "rnn", rnn, 123 },
    { "indrnn", indrnn, 3 },
    { "two layers, one after the other", layer_by_layer, 246 },
    { "two layers, step by step", interleaved, 246 },
    { "two layers of one weight", shared_layers, 243 },
    { "bidirectional", bidirectional, 243 },
    { "bidirectional, twice", bidirectional_twice, 486 },
    { "bidirectional, one weight", bidirectional_shared, 123 },
    { "language model", lm, 126 },
    { "language model, tied", lm_tied, 126 },
    { "language model, one-hot", lm_one_hot, 123 },
};

static int products_of(const rg_prog *p)
{
    int n = 0;
    for (uint32_t id = 1; id < p->n_node; id++)
        n += rg_is_matmul(&p->node[id]);
    return n;
}

static int64_t size_of(rg_val v)
{
    return rg_shape_count(rg_shape_of(v));
}

/* Fill every input of the plan: reals, small indices, ones. */
static void bind_all(rg_plan *plan, struct net *n, double *data, int32_t *ids, uint8_t *mask)
{
    for (size_t i = 0; i < n->g->n_input; i++) {
        const rg_val v = { n->g, n->g->input[i] };
        const size_t count = (size_t)size_of(v);
        if (rg_kind_of(v) == RG_INT)
            rg_plan_bind(plan, v, ids, count * sizeof *ids);
        else if (rg_kind_of(v) == RG_BOOL)
            rg_plan_bind(plan, v, mask, count);
        else
            rg_plan_bind(plan, v, data + 13 * i, count * sizeof *data);
    }
}

static double largest_difference(rg_plan *a, rg_plan *b, rg_val v)
{
    const double *x = rg_plan_data(a, v), *y = rg_plan_data(b, v);
    double off = 0, size = 0;
    RGT_CHECK(x && y);
    for (int64_t i = 0; i < size_of(v); i++) {
        off = fmax(off, fabs(x[i] - y[i]));
        size = fmax(size, fabs(x[i]));
    }
    return size > 0 ? off / size : off;
}

static void check(const struct expected *e)
{
    enum { MOST = 64, DATA = 2 * T * B * 16 };
    static double data[DATA];
    static int32_t ids[T * B];
    static uint8_t mask[T * B];
    struct net n = { NULL, NULL, RG_NONE, RG_NONE };
    rg_val x[MOST], root[MOST + 1];
    rg_plan *plan[2] = { NULL, NULL };
    for (int i = 0; i < DATA; i++)
        data[i] = sin(0.7 * i) + 0.4 * cos(1.3 * i);
    for (int i = 0; i < T * B; i++) {
        ids[i] = (i * 5 + i / 7) % V;
        mask[i] = i % 5 != 3;
    }
    rg_params_create(&n.ps, 3, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&n.g, n.ps, NULL);
    e->build(&n);
    size_t count = rg_graph_params(x, MOST, n.g);
    if (n.X.id)
        x[count++] = n.X;
    rg_grad(root, n.loss, x, count);
    root[count++] = n.loss;
    for (int k = 0; k < 2; k++) {
        const rg_plan_opts o = { .real = RG_F64, .effort = k ? RG_OPTIMIZE : RG_INTERPRET,
                                 .verify = true };
        rg_status st = rg_plan_create(&plan[k], root, count, &o);
        RGT_CHECK_MSG(!st, "%s: %s", e->name, rg_graph_message(n.g));
        bind_all(plan[k], &n, data, ids, mask);
        st = rg_plan_run(plan[k]);
        RGT_CHECK_MSG(!st, "%s: %s", e->name, rg_plan_message(plan[k]));
    }
    for (size_t i = 0; i < count; i++) {
        const double off = largest_difference(plan[0], plan[1], root[i]);
        RGT_CHECK_MSG(off < 1e-12, "%s: root %zu off by %g", e->name, i, off);
    }
    const int products = products_of(&plan[1]->prog);
    RGT_CHECK_MSG(products == e->products, "%s: %d products, not %d", e->name, products,
                  e->products);
    rg_plan_destroy(&plan[0]);
    rg_plan_destroy(&plan[1]);
    rg_graph_destroy(&n.g);
    rg_params_destroy(&n.ps);
}

RGT_TEST(products, every_network_comes_down_to_the_list_of_a_hand_written_program)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(&table[i]);
}
