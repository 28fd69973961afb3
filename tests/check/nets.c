/* tests/check/nets.c -- the three founding cells from their equations. */
#include "tests/check/lab.h"

#include "tests/rgt.h"

#include <stdio.h>
#include <string.h>

void net_open(net *n, uint64_t seed)
{
    *n = (net){ .ps = NULL };
    RGT_CHECK(!rg_params_create(&n->ps, seed, &(rg_params_opts){ .real = RG_F64 }));
    RGT_CHECK(!rg_graph_create(&n->g, n->ps, NULL));
}

void net_close(net *n)
{
    rg_gradcheck_destroy(&n->report);
    rg_graph_destroy(&n->g);
    rg_params_destroy(&n->ps);
}

rg_verdict net_check(net *n, rg_val loss, const rg_val *x, size_t n_x,
                     const rg_gradcheck_opts *opts)
{
    rg_gradcheck_destroy(&n->report);
    rg_verdict v = rg_gradcheck(&n->report, loss, x, n_x, opts);
    RGT_CHECK(n->report && n->report->verdict == v);
    RGT_CHECK((v == RG_NOT_RUN) == (n->report->status != RG_OK));
    RGT_CHECK(strlen(n->report->message) > 0 && !strchr(n->report->message, '\n'));
    RGT_CHECK(n->report->passed + n->report->failed + n->report->inconclusive ==
              n->report->n_block);
    return v;
}

const rg_gradcheck_block *net_block(const net *n, const char *name, int64_t step)
{
    for (size_t i = 0; i < n->report->n_block; i++) {
        const rg_gradcheck_block *b = &n->report->block[i];
        if (strcmp(b->name, name) == 0 && b->step == step && strcmp(b->oracle, "second order") != 0)
            return b;
    }
    return NULL;
}

const rg_gradcheck_law *net_law(const net *n, const char *name)
{
    for (size_t i = 0; i < n->report->n_law; i++)
        if (strcmp(n->report->law[i].name, name) == 0)
            return &n->report->law[i];
    return NULL;
}

static void no_vjp(const rg_vjp_ctx *v)
{
    (void)v;
}

const rg_op net_lost = { .name = "lost", .arity = 1, .flags = RG_OP_ELEMENTWISE, .vjp = no_vjp,
                         .kernel_f64 = lab_copy_f64 };

struct gate { rg_val U, W, b; };

static struct gate gate(net *n, const net_shape *s, const char *suffix)
{
    char U[8], W[8], b[8];
    (void)snprintf(U, sizeof U, "U%s", suffix);
    (void)snprintf(W, sizeof W, "W%s", suffix);
    (void)snprintf(b, sizeof b, "b%s", suffix);
    return (struct gate){ rg_param(n->g, "cell", U, RG_SHAPE(s->I, s->H), rg_init_glorot()),
                          rg_param(n->g, "cell", W, RG_SHAPE(s->H, s->H),
                                   rg_init_orthogonal(s->gain)),
                          rg_param(n->g, "cell", b, RG_SHAPE(s->H), rg_init_normal(0.3)) };
}

static rg_val sum(struct gate g, rg_val x, rg_val h)
{
    return rg_affine2(x, g.U, h, g.W, g.b);
}

/* h' = f(x·U + h·W + b) */
static void rnn(const struct gate *k, const net_shape *s, rg_val x, rg_val *h)
{
    *h = (s->fn ? s->fn : rg_tanh)(sum(k[0], x, *h));
}

/* r,u = σ(…)   ĥ = tanh(x·U + (r∘h)·W + b)   h' = u∘h + (1-u)∘ĥ */
static void gru(const struct gate *k, rg_val x, rg_val *h)
{
    rg_val r = rg_sigmoid(sum(k[0], x, *h)), u = rg_sigmoid(sum(k[1], x, *h));
    rg_val c = rg_tanh(sum(k[2], x, rg_mul(r, *h)));
    rg_val kept = rg_mul(u, *h);
    *h = rg_add(kept, rg_mul(rg_one_minus(u), c));
}

/* i,f,o = σ(…)   g = tanh(…)   c' = f∘c + i∘g   h' = o∘tanh(c') */
static void lstm(const struct gate *k, rg_val x, rg_val *h, rg_val *c)
{
    rg_val i = rg_sigmoid(sum(k[0], x, *h)), f = rg_sigmoid(sum(k[1], x, *h));
    rg_val o = rg_sigmoid(sum(k[2], x, *h)), g = rg_tanh(sum(k[3], x, *h));
    rg_val kept = rg_mul(f, *c);
    *c = rg_add(kept, rg_mul(i, g));
    *h = rg_mul(o, rg_tanh(*c));
}

rg_val net_build(net *n, const net_shape *s, rg_val *out)
{
    static const char *const suffix[3][4] = { { "" }, { "r", "u", "g" }, { "i", "f", "o", "c" } };
    static const size_t n_gate[3] = { 1, 3, 4 };
    struct gate k[4];
    rg_val X = rg_input(n->g, "x", RG_F, RG_SHAPE(s->T, s->B, s->I));
    rg_val y = rg_input(n->g, "y", RG_INT, RG_SHAPE(s->B));
    for (size_t i = 0; i < n_gate[s->cell]; i++)
        k[i] = gate(n, s, suffix[s->cell][i]);
    rg_val c = rg_zeros(n->g, RG_SHAPE(s->B, s->H));
    rg_val h = rg_add(c, rg_param(n->g, "cell", "h0", RG_SHAPE(s->H), rg_init_normal(0.5)));
    for (int64_t t = 0; t < s->T; t++) {
        rg_scope_push(n->g, "cell", t);
        rg_val x = rg_select(X, 0, t);
        if (s->cell == NET_RNN)
            rnn(k, s, x, &h);
        else if (s->cell == NET_GRU)
            gru(k, x, &h);
        else
            lstm(k, x, &h, &c);
        rg_scope_pop(n->g);
        if (out)
            out[t] = h;
    }
    rg_val V = rg_param(n->g, "out", "W", RG_SHAPE(s->H, 5), rg_init_glorot());
    return rg_mean(rg_softmax_cross_entropy(rg_matmul(h, V), y));
}
