/* tests/check/alarms.c -- right gradients must never be called wrong: random cells and the built-in
 * ones, random sizes, weights from vanishing to exploding, checked to first and second order.
 *
 *     alarms [--blocks N] [--seed S] [--verbose]
 *
 * Checks networks until N blocks of random cells and N of built-in ones were judged in each order,
 * prints the counts, and fails if one was called wrong. */
#include <retrograd/retrograd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_GATES = 4 };

static uint64_t state;

static uint64_t draw(void)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 (Steele et al. 2014) */
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int below(int n)
{
    return (int)(draw() % (uint64_t)n);
}

static double between(double lo, double hi)
{
    return lo + (hi - lo) * (double)(draw() >> 11) * 0x1p-53;
}

/* ---- Cells ---------------------------------------------------------------------------------- */

/* Gates of any nonlinearity, joined in any way; the same at every step. */
struct random_cell {
    rg_gate gate[MOST_GATES];
    int     n_gate, fn[MOST_GATES], join[MOST_GATES], last, norm;
    bool    memory;           /* a second state */
    int64_t width[2];
};

static rg_val apply(int fn, rg_val x)
{
    switch (fn) {
    case 0: case 1: return rg_tanh(x);
    case 2: case 3: return rg_sigmoid(x);
    case 4: return rg_softplus(rg_neg(x));
    case 5: return rg_sin(x);
    case 6: return rg_relu(x);
    case 7: return rg_gelu(rg_tanh(x));
    case 8: return rg_softmax(x, -1);
    case 9: return rg_exp(rg_neg(rg_square(x)));
    default: return rg_div(x, rg_sqrt(rg_shift(rg_square(x), 1)));
    }
}

static rg_val join(int how, rg_val a, rg_val b, rg_val h)
{
    switch (how) {
    case 0: return rg_mul(a, b);
    case 1: return rg_add(rg_mul(b, a), rg_mul(rg_one_minus(b), h));
    case 2: return rg_add(a, rg_scale(b, 0.5));
    case 3: return rg_sub(a, rg_mul(b, h));
    default: return rg_maximum(a, b);
    }
}

static void random_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct random_cell *c = weights;
    rg_val out = s[0];
    for (int k = 0; k < c->n_gate; k++) {
        rg_val from = k && c->join[k] == 3 ? rg_mul(out, s[0]) : s[0];
        rg_val a = apply(c->fn[k], rg_gate_sum(&c->gate[k], x, from));
        out = k ? join(c->join[k], out, a, s[0]) : a;
    }
    if (c->memory) {
        next[1] = rg_add(rg_scale(s[1], 0.9), rg_scale(out, 0.3));
        out = rg_mul(rg_tanh(next[1]), rg_sigmoid(out));
    }
    if (c->norm) {
        rg_val centred = rg_sub(out, rg_mean_over(out, -1, true));
        rg_val var = rg_mean_over(rg_square(centred), -1, true);
        out = rg_div(centred, rg_sqrt(rg_shift(var, 1e-3)));
    }
    next[0] = out;
}

static rg_cell make_random(rg_graph *g, struct random_cell *c, int64_t I, int64_t H)
{
    static const char *const name[MOST_GATES] = { "a", "b", "c", "d" };
    c->n_gate = 1 + below(MOST_GATES);
    c->memory = below(3) == 0;
    c->norm = below(6) == 0 && H > 1;
    c->width[0] = c->width[1] = H;
    for (int k = 0; k < c->n_gate; k++) {
        c->gate[k] = rg_gate_declare(g, "cell", name[k], I, H, between(-1, 1));
        c->fn[k] = below(11);
        c->join[k] = below(5);
    }
    return (rg_cell){ "random", c->memory ? 2 : 1, c->width, random_step, c };
}

static rg_cell make_built_in(rg_graph *g, int64_t I, int64_t H)
{
    static const struct { rg_cell_fn *make; rg_cell_opts opts; } cells[] = {
        { rg_rnn, { .bias = RG_BIAS_SINGLE } },
        { rg_rnn, { .nonlinearity = RG_RELU, .init = RG_INIT_TORCH } },
        { rg_gru, { .bias = RG_BIAS_SINGLE } },
        { rg_gru, { .reset_after = true, .bias = RG_BIAS_SPLIT } },
        { rg_gru, { .update_take = true, .bias = RG_BIAS_DOUBLE } },
        { rg_lstm, { .bias = RG_BIAS_SINGLE } },
        { rg_lstm, { .bias = RG_BIAS_NONE, .init = RG_INIT_KERAS } },
    };
    const int k = below((int)(sizeof cells / sizeof *cells));
    return cells[k].make(g, "cell", I, H, &cells[k].opts);
}

/* ---- Networks ------------------------------------------------------------------------------- */

/* Weights of any size: recurrences that vanish, and that explode. */
static void scale_weights(rg_params *ps)
{
    const double scale = below(2) ? between(0.2, 1.2) : between(1, 4);
    for (size_t i = 0; i < rg_params_count(ps); i++) {
        rg_param_info p = rg_params_at(ps, i);
        for (int64_t k = 0; k < rg_shape_count(p.shape); k++)
            ((double *)p.data)[k] *= scale;
    }
}

/* Cotangents on all outputs, on the last states, or on one of them. */
static rg_val make_loss(rg_graph *g, rg_val hs, const rg_val *last, size_t n_state)
{
    const int64_t T = rg_dim(hs, 0);
    rg_val y;
    switch (below(5)) {
    case 0: return rg_mean(rg_square(hs));
    case 1: return rg_sum(rg_mul(last[n_state - 1], rg_sin(last[0])));
    case 2:
        y = rg_input(g, "y", RG_INT, RG_SHAPE(rg_dim(hs, 1)));
        return rg_mean(rg_softmax_cross_entropy(rg_dense(last[0], "out", 3), y));
    case 3: return rg_sum(rg_mul(rg_select(hs, 0, T / 2), rg_normal(g, "w", RG_SHAPE(1))));
    default: return rg_mean(rg_mse(hs, rg_input(g, "target", RG_F, rg_shape_of(hs))));
    }
}

static rg_val make_network(rg_graph *g, bool random, struct random_cell *c)
{
    static const int64_t some[] = { 1, 2, 3, 4, 5, 7, 12, 40 };
    const int64_t T = some[below(8)], B = 1 + below(3), I = 1 + below(3), H = 1 + below(5);
    rg_val last[4] = { RG_NONE }, s0[4], X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_cell cell = random ? make_random(g, c, I, H) : make_built_in(g, I, H);
    rg_unroll_opts opts = { .reverse = below(4) == 0 };
    for (size_t k = 0; k < cell.n_state; k++)
        s0[k] = rg_param(g, "start", k ? "c" : "h", RG_SHAPE(H), rg_init_normal(0.5));
    if (below(4) == 0)
        opts.mask = rg_length_mask(rg_input(g, "lengths", RG_INT, RG_SHAPE(B)), T);
    rg_val hs = rg_unroll(last, &cell, X, below(2) ? s0 : NULL, &opts);
    return make_loss(g, hs, last, cell.n_state);
}

/* ---- Counting ------------------------------------------------------------------------------- */

struct count {
    size_t nets, blocks, failed, undecided, not_run;
    size_t law_failed, law_open, law_not_run;
};

static void tell(uint64_t seed, int order, const char *what)
{
    (void)printf("seed %llu, order %d: %.400s\n", (unsigned long long)seed, order, what);
}

static void add_laws(struct count *n, const rg_gradcheck_report *r, uint64_t seed, int order)
{
    for (size_t i = 0; i < r->n_law; i++) {
        const rg_gradcheck_law *l = &r->law[i];
        char text[200];
        n->law_failed += l->verdict == RG_FAIL;
        n->law_open += l->verdict == RG_INCONCLUSIVE;
        n->law_not_run += l->verdict == RG_NOT_RUN;
        (void)snprintf(text, sizeof text, "%s: %s: %g, bound %g", l->name, l->tensor, l->error,
                       l->bound);
        if (l->verdict == RG_FAIL)
            tell(seed, order, text);
    }
}

static void check(struct count *n, uint64_t seed, bool random, int order, bool verbose)
{
    struct random_cell cell;
    rg_params *ps;
    rg_graph *g;
    rg_gradcheck_report *r = NULL;
    state = seed * 2 + random;
    if (rg_params_create(&ps, seed, &(rg_params_opts){ .real = RG_F64 }) ||
        rg_graph_create(&g, ps, NULL))
        abort();
    rg_val loss = make_network(g, random, &cell);
    scale_weights(ps);
    rg_verdict v = rg_gradcheck(&r, loss, NULL, 0,
                                &(rg_gradcheck_opts){ .order = order, .seed = seed });
    n->nets++;
    n->blocks += r->n_block;
    n->failed += r->failed;
    n->undecided += r->inconclusive;
    n->not_run += v == RG_NOT_RUN;
    if (r->failed || v == RG_NOT_RUN || (verbose && v != RG_PASS))
        tell(seed, order, r->message);
    add_laws(n, r, seed, order);
    rg_gradcheck_destroy(&r);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
}

static bool sound(const struct count *n, bool random, int order)
{
    (void)printf("%s, order %d: %zu networks, %zu blocks: %zu called wrong, %zu undecided; laws: "
                 "%zu called broken, %zu undecided, %zu not asked; %zu not run\n",
                 random ? "random cells" : "built-in cells", order, n->nets, n->blocks, n->failed,
                 n->undecided, n->law_failed, n->law_open, n->law_not_run, n->not_run);
    return !n->failed && !n->law_failed && !n->not_run && n->blocks &&
           n->undecided * 5 <= n->blocks;
}

int main(int argc, char **argv)
{
    unsigned long long seed = 1, blocks = 500;
    bool ok = true, verbose = false;
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--blocks") == 0)
            blocks = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else
            return (void)fprintf(stderr, "alarms [--blocks N] [--seed S] [--verbose]\n"), 2;
    }
    for (int random = 0; random < 2; random++)
        for (int order = 1; order <= 2; order++) {
            struct count n = { .nets = 0 };
            for (uint64_t k = 0; n.blocks < blocks && n.failed + n.law_failed < 20; k++)
                check(&n, seed + k, random, order, verbose);
            ok = sound(&n, random, order) && ok;
        }
    return !ok;
}
