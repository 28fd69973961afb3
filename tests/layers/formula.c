/* tests/layers/formula.c -- the equations of a cell as they are printed, letter for letter. */
#include "tests/layers/lab.h"

#include <string.h>

enum { I = 6, H = 5 };

/* A graph, a cell in it, and what rg_formula_print() writes. */
static void expect(rg_graph *g, const rg_cell *cell, const char *name, const char *want)
{
    rgt_text text = { 0 };
    rg_status st = rg_formula_print(cell, rg_zeros(g, RG_SHAPE(1, I)), NULL, rgt_write, &text);
    RGT_CHECK_MSG(st == RG_OK, "%s: %s", name, rg_graph_message(g));
    RGT_CHECK_MSG(strcmp(text.data ? text.data : "", want) == 0, "%s:\n%s\nexpected:\n%s", name,
                  text.data, want);
    rgt_text_free(&text);
}

#define LN_3                                                                                      \
    "\nLN(v, γ, β):\n    s = v − detach(v₁)\n    d = s − mean(s)\n"                               \
    "    γ∘d/√(mean(d²) + 1e-05) + β\n"

static const struct {
    rg_cell_fn  *make;
    rg_cell_opts opts;
    const char  *text;
} row[] = {
    { rg_rnn, { .bias = RG_BIAS_SINGLE }, "h' = tanh(x·U + h·W + b)\n" },
    { rg_rnn, { .nonlinearity = RG_RELU, .bias = RG_BIAS_DOUBLE },
      "h' = relu(x·U + h·W + b + bh)\n" },
    { rg_rnn, { .nonlinearity = RG_IDENTITY, .bias = RG_BIAS_NONE }, "h' = x·U + h·W\n" },
    { rg_gru, { .bias = RG_BIAS_SINGLE },
      "r  = σ(x·Ur + h·Wr + br)\nu  = σ(x·Uu + h·Wu + bu)\ng  = tanh(x·Ug + (r∘h)·Wg + bg)\n"
      "h' = u∘h + (1 − u)∘g\n" },
    { rg_gru, { .reset_after = true, .update_take = true, .bias = RG_BIAS_SPLIT },
      "r  = σ(x·Ur + h·Wr + br)\nu  = σ(x·Uu + h·Wu + bu)\n"
      "g  = tanh(x·Ug + bg + r∘(h·Wg + bhg))\nh' = (1 − u)∘h + u∘g\n" },
    { rg_lstm, { .bias = RG_BIAS_SINGLE },
      "i  = σ(x·Ui + h·Wi + bi)\nf  = σ(x·Uf + h·Wf + bf)\nĉ  = tanh(x·Uc + h·Wc + bc)\n"
      "o  = σ(x·Uo + h·Wo + bo)\nc' = f∘c + i∘ĉ\nh' = o∘tanh(c')\n" },
    { rg_lstm, { .peephole = true, .cell_clip = 2.5 },
      "i  = σ(x·Ui + h·Wi + bi + Pi∘c)\nf  = σ(x·Uf + h·Wf + bf + Pf∘c)\n"
      "ĉ  = tanh(x·Uc + h·Wc + bc)\nc' = clip(f∘c + i∘ĉ, −2.5, 2.5)\n"
      "o  = σ(x·Uo + h·Wo + bo + Po∘c')\nh' = o∘tanh(c')\n" },
    { rg_lstm, { .coupled = RG_KEEP_F, .bias = RG_BIAS_NONE },
      "f  = σ(x·Uf + h·Wf)\nĉ  = tanh(x·Uc + h·Wc)\no  = σ(x·Uo + h·Wo)\n"
      "c' = f∘c + (1 − f)∘ĉ\nh' = o∘tanh(c')\n" },
    { rg_lstm, { .coupled = RG_KEEP_I, .proj = 3 },
      "i  = σ(x·Ui + h·Wi + bi)\nĉ  = tanh(x·Uc + h·Wc + bc)\no  = σ(x·Uo + h·Wo + bo)\n"
      "c' = (1 − i)∘c + i∘ĉ\nh' = (o∘tanh(c'))·proj\n" },
    { rg_lstm, { .norm = RG_NORM_BA },
      "s  = LN(x·[Ui, Uf, Uc, Uo], γx, βx)   in 4 blocks: s₁ …\n"
      "d  = LN(h·[Wi, Wf, Wc, Wo], γh, βh)   in 4 blocks: d₁ …\n"
      "i  = σ(s₁ + d₁ + bi)\nf  = σ(s₂ + d₂ + bf)\nĉ  = tanh(s₃ + d₃ + bc)\n"
      "o  = σ(s₄ + d₄ + bo)\nc' = f∘c + i∘ĉ\nh' = o∘tanh(LN(c', γcell, βcell))\n" LN_3 },
    { rg_lstm, { .norm = RG_NORM_HASTE },
      "s  = LN(x·[Ui, Uf, Uc, Uo], γx)   in 4 blocks: s₁ …\n"
      "d  = LN(h·[Wi, Wf, Wc, Wo], γh)   in 4 blocks: d₁ …\n"
      "i  = σ(s₁ + d₁ + bi)\nf  = σ(s₂ + d₂ + bf)\nĉ  = tanh(s₃ + d₃ + bc)\n"
      "o  = σ(s₄ + d₄ + bo)\nc' = f∘c + i∘ĉ\nh' = o∘tanh(LN(c', γcell, βcell))\n"
      "\nLN(v, γ):\n    s = v − detach(v₁)\n    d = s − mean(s)\n"
      "    γ∘d/√(mean(d²) + 1e-05)\n" LN_3 },
    { rg_lstm, { .norm = RG_NORM_TF_CONTRIB },
      "i  = σ(LN(x·Ui + h·Wi, γi, βi))\nf  = σ(LN(x·Uf + h·Wf, γf, βf))\n"
      "ĉ  = tanh(LN(x·Uc + h·Wc, γc, βc))\no  = σ(LN(x·Uo + h·Wo, γo, βo))\n"
      "c' = LN(f∘c + i∘ĉ, γcell, βcell)\nh' = o∘tanh(c')\n" LN_3 },
    { rg_lstm, { .norm = RG_NORM_ADDONS, .coupled = RG_KEEP_F },
      "s  = LN(x·[Uf, Uc, Uo], γx, βx)   in 3 blocks: s₁ …\n"
      "d  = LN(h·[Wf, Wc, Wo], γh, βh)   in 3 blocks: d₁ …\n"
      "f  = σ(s₁ + d₁ + bf)\nĉ  = tanh(s₂ + d₂ + bc)\no  = σ(s₃ + d₃ + bo)\n"
      "c' = LN(f∘c + (1 − f)∘ĉ, γcell, βcell)\nh' = o∘tanh(c')\n" LN_3 },
    { rg_rnn, { .preact_clip = 3 }, "h' = tanh(clip(x·U + h·W + b, −3, 3))\n" },
    { rg_gru, { .preact_clip = 2.5 },
      "r  = σ(clip(x·Ur + h·Wr + br, −2.5, 2.5))\nu  = σ(clip(x·Uu + h·Wu + bu, −2.5, 2.5))\n"
      "g  = tanh(clip(x·Ug + (r∘h)·Wg + bg, −2.5, 2.5))\nh' = u∘h + (1 − u)∘g\n" },
    { rg_lstm, { .preact_clip = 3, .coupled = RG_KEEP_I, .peephole = true, .bias = RG_BIAS_NONE },
      "i  = σ(clip(x·Ui + h·Wi + Pi∘c, −3, 3))\nĉ  = tanh(clip(x·Uc + h·Wc, −3, 3))\n"
      "c' = (1 − i)∘c + i∘ĉ\no  = σ(clip(x·Uo + h·Wo + Po∘c', −3, 3))\nh' = o∘tanh(c')\n" },
    { rg_gru, { .norm = RG_NORM_BA, .reset_after = true },
      "s  = LN(x·[Ur, Uu], γx, βx)   in 2 blocks: s₁ …\n"
      "d  = LN(h·[Wr, Wu], γh, βh)   in 2 blocks: d₁ …\n"
      "r  = σ(s₁ + d₁ + br)\nu  = σ(s₂ + d₂ + bu)\n"
      "g  = tanh(LN(x·Ug, γxg, βxg) + r∘LN(h·Wg, γhg, βhg) + bg)\n"
      "h' = u∘h + (1 − u)∘g\n" LN_3 },
    { rg_mgu, { .bias = RG_BIAS_SINGLE },
      "f  = σ(x·Uf + h·Wf + bf)\ng  = tanh(x·Ug + (f∘h)·Wg + bg)\nh' = (1 − f)∘h + f∘g\n" },
    { rg_janet, { .bias = RG_BIAS_SINGLE },
      "s  = x·Uf + h·Wf + bf\ng  = tanh(x·Ug + h·Wg + bg)\n"
      "h' = σ(s)∘h + (1 − σ(s − 1))∘g\n" },
    { rg_mingru, { .bias = RG_BIAS_SINGLE },
      "u  = σ(x·Uu + bu)\nh' = (1 − u)∘h + u∘(x·Ug + bg)\n" },
    { rg_mingru, { .log_form = true },
      "s  = x·Ug + bg\nu  = σ(x·Uu + bu)\n"
      "h' = (1 − u)∘h + u∘where(s < 0, σ(s), s + 0.5)\n" },
    { rg_minlstm, { .bias = RG_BIAS_SINGLE },
      "s  = softplus(−(x·Uf + bf))\nd  = softplus(−(x·Ui + bi))\nk  = σ(d − s)\n"
      "h' = k∘h + (1 − k)∘(x·Ug + bg)\n" },
    { rg_indrnn, { .bias = RG_BIAS_SINGLE }, "h' = relu(x·U + b + v∘h)\n" },
    { rg_sru, { .bias = RG_BIAS_SINGLE },
      "f  = σ(x·Uf + bf + vf∘c)\nr  = σ(x·Ur + br + vr∘c)\nc' = f∘c + (1 − f)∘(x·U)\n"
      "y' = r∘c' + (1 − r)∘(x·Ures)\n" },
    { rg_sru, { .sru_v1 = true },
      "f  = σ(x·Uf + bf)\nr  = σ(x·Ur + br)\nc' = f∘c + (1 − f)∘(x·U)\n"
      "y' = r∘tanh(c') + (1 − r)∘(x·Ures)\n" },
    { rg_qrnn, { .window = 1, .pool = RG_POOL_F },
      "z  = tanh(x·Uz + bz)\nf  = σ(x·Uf + bf)\nh' = f∘h + (1 − f)∘z\n" },
    { rg_qrnn, { .window = 3, .pool = RG_POOL_F },
      "z  = tanh(x·Uz + p·Vz + bz)\nf  = σ(x·Uf + p·Vf + bf)\nh' = f∘h + (1 − f)∘z\n"
      "p' = [x, p₁]\n" },
    { rg_qrnn, { .pool = RG_POOL_FO },
      "z  = tanh(x·Uz + p·Vz + bz)\nf  = σ(x·Uf + p·Vf + bf)\nc' = f∘c + (1 − f)∘z\n"
      "o  = σ(x·Uo + p·Vo + bo)\ny' = o∘c'\np' = x\n" },
    { rg_qrnn, { .pool = RG_POOL_F },
      "z  = tanh(x·Uz + p·Vz + bz)\nf  = σ(x·Uf + p·Vf + bf)\nh' = f∘h + (1 − f)∘z\np' = x\n" },
    { rg_qrnn, { .pool = RG_POOL_IFO, .bias = RG_BIAS_NONE },
      "z  = tanh(x·Uz + p·Vz)\nf  = σ(x·Uf + p·Vf)\ni  = σ(x·Ui + p·Vi)\nc' = f∘c + i∘z\n"
      "o  = σ(x·Uo + p·Vo)\ny' = o∘c'\np' = x\n" },
};

RGT_TEST(formula, every_cell_of_the_library_is_printed_as_a_person_would_write_it)
{
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        lab l = { .seed = 1 };
        char name[16];
        (void)snprintf(name, sizeof name, "row %zu", k);
        lab_open(&l, RG_F64);
        rg_cell cell = row[k].make(l.g, "enc.l0", I, H, &row[k].opts);
        expect(l.g, &cell, name, row[k].text);
        expect(l.g, &cell, name, row[k].text); /* as often as one likes */
        lab_close(&l);
    }
}

RGT_TEST(formula, a_stack_names_its_layers)
{
    lab l = { .seed = 1 };
    lab_open(&l, RG_F64);
    rg_cell layer[2] = { rg_gru(l.g, "rnn.l0", I, H, NULL), rg_rnn(l.g, "rnn.l1", H, H, NULL) };
    rg_cell cell = rg_stacked(l.g, layer, 2, 0.25);
    expect(l.g, &cell, "stack",
           "l0.r = σ(x·l0.Ur + s0·l0.Wr + l0.br)\nl0.u = σ(x·l0.Uu + s0·l0.Wu + l0.bu)\n"
           "l0.g = tanh(x·l0.Ug + (l0.r∘s0)·l0.Wg + l0.bg)\n"
           "s0'  = l0.u∘s0 + (1 − l0.u)∘l0.g\n"
           "s1'  = tanh(dropout(s0', 0.25)·l1.U + s1·l1.W + l1.b)\n");
    lab_close(&l);
}

/* ---- Cells of a user ------------------------------------------------------------------------- */

/* Every way of writing that the built-in cells have no use for. */
static void odd_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_val *w = weights; /* A [H,H], lambda [H] */
    rg_val h = s[0], c = s[1];
    rg_val a = rg_sub(h, rg_sub(c, rg_neg(h)));
    rg_val b = rg_div(rg_mul(a, h), rg_sqrt(rg_shift(rg_square(h), 1)));
    rg_val d = rg_matmul_t(rg_scale(h, 0.5), w[0], false, true);
    rg_val m = rg_where(rg_less(h, c), rg_maximum(h, c), rg_power(c, 3));
    next[0] = rg_add(rg_sub(b, d), rg_mul(w[1], m));
    next[1] = rg_add(rg_concat((rg_val[]){ rg_slice(h, 1, 1, 3), rg_slice(x, 1, 0, 3) }, 2, 1),
                     rg_leaky_relu(rg_neg(c), 0.1));
    next[2] = s[2];
    next[3] = next[1];
}

/* A function of a user's own, in a scope: a soft choice between two values. */
static rg_val blend(rg_val p, rg_val a, rg_val b)
{
    rg_scope_push(p.graph, "blend", RG_NO_STEP);
    rg_val k = rg_sigmoid(rg_scale(p, 2));
    rg_val first = rg_mul(k, a);
    rg_val y = rg_add(first, rg_mul(rg_one_minus(k), b));
    rg_scope_pop(p.graph);
    return y;
}

static void blend_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    rg_val a = rg_matmul(x, *(const rg_val *)weights);
    next[0] = rg_neg(blend(a, rg_relu(blend(s[0], a, s[0])), s[0]));
}

RGT_TEST(formula, a_cell_of_a_user_is_printed_too)
{
    lab l = { .seed = 1 };
    lab_open(&l, RG_F64);
    rg_val w[2] = { rg_param(l.g, "odd", "A", RG_SHAPE(H, H), rg_init_glorot()),
                    rg_param(l.g, "odd", "lambda", RG_SHAPE(H), rg_init_zeros()) };
    rg_cell odd = { "odd", 4, (int64_t[]){ H, H, H, H }, odd_step, w };
    expect(l.g, &odd, "odd",
           "h' = (h − (c − (−h)))∘h/√(h² + 1) − 0.5·h·Aᵀ + λ∘where(h < c, max(h, c), c^3)\n"
           "m' = [h[1:3], x₁] + leaky_relu(−c, 0.1)\nc' = m'\nn' = n\n");
    rg_val U = rg_param(l.g, NULL, "U", RG_SHAPE(I, H), rg_init_glorot());
    rg_cell mixed = { "mixed", 1, (int64_t[]){ H }, blend_step, &U };
    expect(l.g, &mixed, "mixed",
           "s  = x·U\nh' = −blend(s, relu(blend(h, s)), h)\n"
           "\nblend(v, w):\n    k = σ(2·v)\n    k∘w + (1 − k)∘v\n"
           "\nblend(v, w, u):\n    k = σ(2·v)\n    k∘w + (1 − k)∘u\n");
    lab_close(&l);
}

/* ---- What it costs, what it refuses ---------------------------------------------------------- */

RGT_TEST(formula, operations_are_counted_as_products_and_elements)
{
    lab l = { .seed = 1 };
    lab_open(&l, RG_F64);
    rg_val x = rg_zeros(l.g, RG_SHAPE(3, I));
    rg_cell lstm = rg_lstm(l.g, "a", I, H, NULL), rnn = rg_rnn(l.g, "b", I, H, NULL);
    rg_cell qrnn = rg_qrnn(l.g, "c", I, H, &(rg_cell_opts){ .pool = RG_POOL_F });
    RGT_CHECK(rg_step_flop(&lstm, x, NULL) == 3 * (8 * (I + H) * H + 17 * H));
    RGT_CHECK(rg_step_flop(&rnn, x, NULL) == 3 * (2 * (I + H) * H + 3 * H));
    RGT_CHECK(rg_step_flop(&qrnn, x, NULL) == 3 * (8 * I * H + 10 * H));
    lab_close(&l);
}

static void lazy_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)x, (void)s, (void)next;
}

RGT_TEST(formula, what_is_no_cell_is_refused_and_prints_nothing)
{
    rgt_text text = { 0 };
    const int64_t width[1] = { H };
    const rg_cell cells[] = { { "none", 1, width, NULL, NULL }, { "empty", 0, width, lazy_step, 0 },
                              { "loose", 1, NULL, lazy_step, NULL },
                              { "lazy", 1, width, lazy_step, NULL } };
    for (size_t k = 0; k < 4; k++) {
        lab l = { .seed = 1 };
        lab_open(&l, RG_F64);
        rg_val x = rg_zeros(l.g, RG_SHAPE(1, I));
        rg_status st = rg_formula_print(&cells[k], x, NULL, rgt_write, &text);
        RGT_CHECK(st == (k == 3 ? RG_EUSER : RG_EARG) && st == rg_graph_status(l.g));
        RGT_CHECK(rg_formula_print(&cells[k], x, NULL, rgt_write, &text) == st && !text.data);
        RGT_CHECK(rg_step_flop(&cells[k], x, NULL) == -1);
        lab_close(&l);
    }
    RGT_CHECK(rg_formula_print(&cells[0], RG_NONE, NULL, rgt_write, &text) == RG_EARG);
    RGT_CHECK(rg_step_flop(NULL, RG_NONE, NULL) == -1);
}

/* Equations of an LSTM with layer norms, through the caller's memory. */
static rg_status normed(const rg_alloc *hooks, rgt_text *result)
{
    rg_params *ps = NULL;
    rg_graph *g = NULL;
    rgt_text text = { 0 };
    rg_status st = rg_params_create(&ps, 1, &(rg_params_opts){ .alloc = *hooks });
    if (!st)
        st = rg_graph_create(&g, ps, &(rg_graph_opts){ .alloc = *hooks });
    if (!st) {
        rg_cell cell = rg_lstm(g, "c", 2, 1, &(rg_cell_opts){ .norm = RG_NORM_BA });
        st = rg_formula_print(&cell, rg_zeros(g, RG_SHAPE(1, 2)), NULL, rgt_write, &text);
    }
    if (!st)
        rgt_write(result, text.data, text.n);
    rgt_text_free(&text);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return st;
}

RGT_TEST(formula, every_failed_allocation_is_survived)
{
    RGT_CHECK(rgt_fail_each(normed) > 20);
}
