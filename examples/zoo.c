/* examples/zoo.c -- cells that are not in the library, each a few lines: its equations are printed
 * from those lines, its gradients checked to second order, and it is trained on a short task.
 *
 *     zoo [CELL]
 *
 * A cell that is in the library has its own function there: rg_mgu(), rg_janet(), rg_sru() … */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

/* What a step knows: rg_param() gives the same weight at every step, so it may ask there. */
typedef struct site { const char *group; int64_t I, H; } site;

/* x·U + h·W + b, below names that end in k */
static rg_val sum(const site *w, const char *k, rg_val x, rg_val h)
{
    rg_gate gate = rg_gate_declare(x.graph, w->group, k, w->I, w->H, 0);
    return rg_gate_sum(&gate, x, h);
}

/* x·name [I,H] */
static rg_val of_x(const site *w, const char *name, rg_val x)
{
    return rg_matmul(x, rg_param(x.graph, w->group, name, RG_SHAPE(w->I, w->H), rg_init_glorot()));
}

static rg_val square(const site *w, const char *name, rg_graph *g)
{
    return rg_param(g, w->group, name, RG_SHAPE(w->H, w->H), rg_init_orthogonal(1));
}

/* h·name [H,H] */
static rg_val of_h(const site *w, const char *name, rg_val h)
{
    return rg_matmul(h, square(w, name, h.graph));
}

/* name [H], c at first */
static rg_val vector(const site *w, const char *name, rg_graph *g, double c)
{
    return rg_param(g, w->group, name, RG_SHAPE(w->H), rg_init_const(c));
}

/* k∘a + (1 - k)∘b */
static rg_val mix(rg_val k, rg_val a, rg_val b)
{
    rg_val first = rg_mul(k, a);
    return rg_add(first, rg_mul(rg_one_minus(k), b));
}

/* ---- Gated cells ---------------------------------------------------------------------------- */

static void li_gru(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val z = rg_sigmoid(sum(weights, "z", x, s[0]));
    rg_val g = rg_relu(sum(weights, "g", x, s[0]));
    next[0] = mix(z, s[0], g);
}

static void minimal(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val z = rg_tanh(rg_add(of_x(weights, "Uz", x), vector(weights, "bz", x.graph, 0)));
    rg_val a = rg_add(of_h(weights, "Wu", s[0]), of_h(weights, "Vu", z));
    rg_val u = rg_sigmoid(rg_add(a, vector(weights, "bu", x.graph, 0)));
    next[0] = mix(u, s[0], z);
}

static void ran(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val h = s[0], c = s[1];
    rg_val i = rg_sigmoid(sum(weights, "i", x, h));
    rg_val f = rg_sigmoid(sum(weights, "f", x, h));
    rg_val new = rg_mul(i, of_x(weights, "Uc", x));
    next[1] = rg_add(new, rg_mul(f, c));
    next[0] = rg_tanh(next[1]);
}

/* Cells whose units hold two stable states. @p own: a unit's gates see its own state only. */
static void bistable(const site *w, rg_val x, rg_val h, rg_val *next, bool own)
{
    rg_val ha = own ? rg_mul(vector(w, "wa", x.graph, 1), h) : of_h(w, "Wa", h);
    rg_val hk = own ? rg_mul(vector(w, "wk", x.graph, 1), h) : of_h(w, "Wk", h);
    rg_val a = rg_shift(rg_tanh(rg_add(of_x(w, "Ua", x), ha)), 1);
    rg_val k = rg_sigmoid(rg_add(of_x(w, "Uk", x), hk));
    rg_val g = rg_tanh(rg_add(of_x(w, "Ug", x), rg_mul(a, h)));
    *next = mix(k, h, g);
}

static void brc(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    bistable(weights, x, s[0], next, true);
}

static void nbrc(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    bistable(weights, x, s[0], next, false);
}

/* One product for gate and candidate. */
static void fastgrnn(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_graph *g = x.graph;
    rg_val a = rg_add(of_x(weights, "U", x), of_h(weights, "W", s[0]));
    rg_val z = rg_sigmoid(rg_add(a, vector(weights, "bz", g, 1)));
    rg_val c = rg_tanh(rg_add(a, vector(weights, "bh", g, 1)));
    rg_val zeta = rg_sigmoid(rg_param(g, ((const site *)weights)->group, "zeta", RG_SCALAR,
                                      rg_init_const(1)));
    rg_val nu = rg_sigmoid(rg_param(g, ((const site *)weights)->group, "nu", RG_SCALAR,
                                    rg_init_const(-4)));
    rg_val share = rg_add(rg_mul(zeta, rg_one_minus(z)), nu);
    rg_val new = rg_mul(share, c);
    next[0] = rg_add(new, rg_mul(z, s[0]));
}

static void star(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val z = rg_tanh(of_x(weights, "Uz", x));
    rg_val k = rg_sigmoid(sum(weights, "k", x, s[0]));
    next[0] = rg_tanh(mix(k, z, s[0]));
}

/* Twin gates from one sum and one difference. */
static void atr(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val p = rg_add(of_x(weights, "U", x), vector(weights, "b", x.graph, 0));
    rg_val q = of_h(weights, "W", s[0]);
    rg_val i = rg_sigmoid(rg_add(p, q));
    rg_val f = rg_sigmoid(rg_sub(p, q));
    rg_val new = rg_mul(i, p);
    next[0] = rg_add(new, rg_mul(f, s[0]));
}

/* ---- Steps of a differential equation ------------------------------------------------------- */

static void antisym(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    static const int swap[2] = { 1, 0 };
    const double step = 0.5, friction = 0.01;
    rg_val h = s[0], W = square(weights, "W", x.graph);
    rg_val turn = rg_matmul(h, rg_sub(W, rg_transpose(W, swap, 2)));
    rg_val a = rg_sub(rg_add(of_x(weights, "U", x), turn), rg_scale(h, friction));
    a = rg_add(a, vector(weights, "b", x.graph, 0));
    next[0] = rg_add(h, rg_scale(rg_tanh(a), step));
}

/* Coupled oscillators: place y and speed z. */
static void cornn(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const double step = 0.3, stiffness = 1, friction = 0.5;
    rg_val y = s[0], z = s[1];
    rg_val a = rg_add(sum(weights, "y", x, y), of_h(weights, "V", z));
    rg_val pull = rg_add(rg_scale(y, stiffness), rg_scale(z, friction));
    next[1] = rg_add(z, rg_scale(rg_sub(rg_tanh(a), pull), step));
    next[0] = rg_add(y, rg_scale(next[1], step));
}

/* Two states, each unit at a pace of its own; the time step is 1. */
static void lem(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val y = s[0], z = s[1];
    rg_val d = rg_sigmoid(sum(weights, "d", x, y));
    rg_val e = rg_sigmoid(sum(weights, "e", x, y));
    next[1] = mix(e, rg_tanh(sum(weights, "z", x, y)), z);
    next[0] = mix(d, rg_tanh(sum(weights, "y", x, next[1])), y);
}

/* ---- Exponential gates, complex states ------------------------------------------------------ */

/* States h, c, n, m: i and f are exponentials, kept small by e^-m, which divides out of c/n. */
static void slstm(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val h = s[0], c = s[1], n = s[2], m = s[3];
    rg_val log_i = sum(weights, "i", x, h);
    rg_val log_f = rg_neg(rg_softplus(rg_neg(sum(weights, "f", x, h)))); /* ln σ */
    rg_val z = rg_tanh(sum(weights, "z", x, h));
    rg_val o = rg_sigmoid(sum(weights, "o", x, h));
    next[3] = rg_maximum(log_i, rg_add(log_f, m));
    rg_val i = rg_exp(rg_sub(log_i, next[3]));
    rg_val f = rg_exp(rg_sub(rg_add(log_f, m), next[3]));
    rg_val kept = rg_mul(f, c);
    next[1] = rg_add(kept, rg_mul(i, z));
    next[2] = rg_add(rg_mul(f, n), i);
    next[0] = rg_mul(o, rg_div(next[1], next[2]));
}

/* A linear recurrence of complex units: s' = λ∘s + γ∘(x·B), y = Re(s'·C) + x·D, λ = e^(-e^ν + iθ).
 * States y, and the parts of s. */
static void lru(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const site *w = weights;
    rg_val theta = rg_param(x.graph, w->group, "theta", RG_SHAPE(w->H), rg_init_uniform(0.5));
    rg_val r = rg_exp(rg_neg(rg_exp(vector(w, "nu", x.graph, -3))));
    rg_val a = rg_mul(r, rg_cos(theta)), b = rg_mul(r, rg_sin(theta));
    rg_val gain = rg_sqrt(rg_one_minus(rg_square(r)));
    rg_val re = rg_sub(rg_mul(a, s[1]), rg_mul(b, s[2]));
    rg_val im = rg_add(rg_mul(a, s[2]), rg_mul(b, s[1]));
    next[1] = rg_add(re, rg_mul(gain, of_x(w, "Br", x)));
    next[2] = rg_add(im, rg_mul(gain, of_x(w, "Bi", x)));
    rg_val y = rg_sub(of_h(w, "Cr", next[1]), of_h(w, "Ci", next[2]));
    next[0] = rg_add(y, of_x(w, "D", x));
}

static const struct row {
    const char *name;
    rg_step_fn *step;
    size_t      n_state;
    const char *source;
} zoo[] = {
    { "li_gru", li_gru, 1, "Ravanelli, Brakel, Omologo, Bengio 2018, Light gated recurrent units" },
    { "minimal", minimal, 1, "Chen 2017, MinimalRNN" },
    { "ran", ran, 2, "Lee, Levy, Zettlemoyer 2017, Recurrent additive networks" },
    { "brc", brc, 1, "Vecoven, Ernst, Drion 2021, A bio-inspired bistable recurrent cell" },
    { "nbrc", nbrc, 1, "the same, with matrices in the gates" },
    { "fastgrnn", fastgrnn, 1, "Kusupati et al. 2018, FastGRNN" },
    { "star", star, 1, "Turkoglu, D'Aronco, Wegner, Schindler 2021, Gating revisited" },
    { "atr", atr, 1, "Zhang et al. 2018, Addition-subtraction twin-gated recurrent network" },
    { "antisym", antisym, 1, "Chang, Chen, Haber, Chi 2019, AntisymmetricRNN" },
    { "cornn", cornn, 2, "Rusch, Mishra 2021, Coupled oscillatory recurrent neural network" },
    { "lem", lem, 2, "Rusch, Mishra, Erichson, Mahoney 2022, Long expressive memory" },
    { "slstm", slstm, 4, "Beck et al. 2024, xLSTM" },
    { "lru", lru, 3, "Orvieto et al. 2023, Resurrecting recurrent neural networks" },
};

/* ---- The tour ------------------------------------------------------------------------------- */

enum { T = 10, B = 32, I = 2, H = 16, UPDATES = 500 };

/* A value in ±1/2, then silence; at the last step it is asked for. */
static void batch(float x[T][B][I], float y[B][1])
{
    memset(x, 0, sizeof(float[T][B][I]));
    for (int b = 0; b < B; b++) {
        x[0][b][0] = y[b][0] = (float)rand() / (float)RAND_MAX - 0.5f;
        x[T - 1][b][1] = 1;
    }
}

/* First and second derivatives of a small one, block by block. */
static bool check(const struct row *row)
{
    const site small = { row->name, I, 3 };
    const rg_cell cell = { row->name, row->n_state, (int64_t[]){ 3, 3, 3, 3 }, row->step, &small };
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_gradcheck_report *report = NULL;
    rg_params_create(&ps, 1, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val y = rg_unroll(NULL, &cell, rg_normal(g, "x", RG_SHAPE(3, 2, I)), NULL, NULL);
    rg_verdict verdict = rg_gradcheck(&report, rg_sum(rg_square(y)), NULL, 0,
                                      &(rg_gradcheck_opts){ .order = 2 });
    printf("    gradients: %s\n", report ? report->message : "no memory");
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return verdict == RG_PASS;
}

/* A graph with the loss, planned; its equations printed. */
static rg_status build(rg_plan **plan, rg_val *loss, rg_graph *g, const rg_cell *cell,
                       float x[T][B][I], float y[B][1])
{
    rg_val last[4], X = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I));
    rg_val Y = rg_input(g, "y", RG_F, RG_SHAPE(B, 1));
    rg_val out = rg_unroll(last, cell, X, NULL, NULL);
    *loss = rg_mean(rg_mse(rg_dense(rg_select(out, 0, -1), "out", 1), Y));
    rg_formula_print(cell, rg_zeros(g, RG_SHAPE(1, I)), NULL, rg_to_file, stdout);
    rg_status st = rg_plan_create_train(plan, *loss, NULL, 0, &(rg_plan_opts){ .threads = 1 });
    if (!st)
        st = rg_plan_bind(*plan, X, x, sizeof(float[T][B][I]));
    return st ? st : rg_plan_bind(*plan, Y, y, sizeof(float[B][1]));
}

static bool train(const struct row *row)
{
    static float x[T][B][I], y[B][1];
    const site w = { row->name, I, H };
    const rg_cell cell = { row->name, row->n_state, (int64_t[]){ H, H, H, H }, row->step, &w };
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rg_plan *plan = NULL;
    rg_optim *opt = NULL;
    rg_val loss;
    double mse = 0;
    rg_params_create(&ps, 1, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_status st = build(&plan, &loss, g, &cell, x, y);
    if (!st)
        st = rg_optim_create(&opt, ps, &(rg_optim_opts){ .lr = 1e-2, .clip_norm = 1 });
    for (int k = 0; k < UPDATES && !st; k++) {
        batch(x, y);
        if (!(st = rg_plan_run(plan)))
            st = rg_optim_step(opt, plan);
        if (k >= UPDATES - 50)
            mse += rg_plan_scalar(plan, loss) / 50;
    }
    if (st)
        printf("    failed: %s\n", rg_graph_message(g));
    else
        printf("    trained: mse %.4f, a constant has %.4f\n", mse, 1 / 12.0);
    rg_optim_destroy(&opt);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return !st && mse < 0.2 / 12;
}

int main(int argc, char **argv)
{
    bool good = true, any = false;
    for (size_t k = 0; k < sizeof zoo / sizeof *zoo; k++) {
        if (argc > 1 && strcmp(argv[1], zoo[k].name) != 0)
            continue;
        printf("%s%s: %s\n", any ? "\n" : "", zoo[k].name, zoo[k].source);
        any = true;
        good = train(&zoo[k]) && good; /* prints the equations first */
        good = check(&zoo[k]) && good;
    }
    if (!any)
        fprintf(stderr, "zoo: no cell '%s'\n", argv[1]);
    else if (good)
        printf("\nall learn, all gradients are proven\n");
    return any && good ? 0 : 1;
}
