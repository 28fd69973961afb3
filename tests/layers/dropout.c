/* tests/layers/dropout.c -- every kind of dropout, and zoneout: what is dropped, when it is drawn,
 * what evaluation makes of it, its derivatives. docs/MATH.md 9. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 4, B = 3, I = 3, H = 5 };
static const double P = 0.4;

/* Run in training mode: all values below are roots of one plan, no gradient among them. */
static void train_run(lab *l, const rg_val *root, size_t n, rg_mode mode)
{
    rg_plan_opts opts = { .real = RG_F64, .effort = l->effort, .mode = mode };
    rg_plan_destroy(&l->plan);
    RGT_CHECK_MSG(rg_plan_create(&l->plan, root, n, &opts) == RG_OK, "%s", rg_graph_message(l->g));
    lab_again(l);
}

/* ---- What is dropped, against cells by hand -------------------------------------------------- */

/* The cells with recurrent dropout as three lines of operations, masks asked for once, outside. */
struct hand {
    rg_gate gate[4];
    rg_val  h, W[4]; /* masks */
    double  candidate;
};

static rg_val sum_of(const struct hand *p, int k, rg_val x, rg_val h)
{
    const rg_gate *g = &p->gate[k];
    return rg_affine2(x, g->U, rg_mul(h, p->h), rg_mul(g->W, p->W[k]), g->b);
}

static void hand_rnn(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    next[0] = rg_tanh(sum_of(weights, 0, x, s[0]));
}

static void hand_gru(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct hand *p = weights;
    rg_val r = rg_sigmoid(sum_of(p, 0, x, s[0])), u = rg_sigmoid(sum_of(p, 1, x, s[0]));
    rg_val c = rg_tanh(sum_of(p, 2, x, rg_mul(r, s[0])));
    c = rg_dropout(c, p->candidate, "by hand");
    next[0] = rg_add(rg_mul(u, s[0]), rg_mul(rg_one_minus(u), c));
}

static void hand_lstm(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct hand *p = weights;
    rg_val i = rg_sigmoid(sum_of(p, 0, x, s[0])), f = rg_sigmoid(sum_of(p, 1, x, s[0]));
    rg_val g = rg_tanh(sum_of(p, 2, x, s[0])), o = rg_sigmoid(sum_of(p, 3, x, s[0]));
    next[1] = rg_add(rg_mul(f, s[1]), rg_mul(i, g));
    next[0] = rg_mul(o, rg_tanh(next[1]));
}

static const struct kind {
    const char *name;
    rg_cell_fn *make;
    size_t      gates, n_state;
    const char *suffix[4];
    rg_step_fn *step;
} kinds[] = {
    { "rnn", rg_rnn, 1, 1, { "" }, hand_rnn },
    { "gru", rg_gru, 3, 1, { "r", "u", "g" }, hand_gru },
    { "lstm", rg_lstm, 4, 2, { "i", "f", "c", "o" }, hand_lstm },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static rg_cell by_hand(struct hand *p, lab *l, const struct kind *k, bool recurrent, bool weight)
{
    static const int64_t width[2] = { H, H };
    memset(p, 0, sizeof *p);
    p->h = recurrent ? rg_dropout_mask(l->g, RG_SHAPE(B, H), P, "c.h") : rg_const(l->g, 1);
    for (size_t i = 0; i < k->gates; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "c.W%s", k->suffix[i]);
        p->gate[i] = rg_gate_declare(l->g, "c", k->suffix[i], I, H, 0);
        p->W[i] = weight ? rg_dropout_mask(l->g, RG_SHAPE(H, H), P, name) : rg_const(l->g, 1);
    }
    return (rg_cell){ k->name, k->n_state, width, k->step, p };
}

RGT_TEST(dropout, recurrent_and_weight_masks_are_one_for_all_steps_and_gates)
{
    for (size_t i = 0; i < 3 * KINDS; i++) {
        const struct kind *k = &kinds[i / 3];
        struct hand hand;
        lab l = { .seed = 8 };
        rg_val last[2], want[2], s0[2], root[3];
        bool recurrent = i % 3 != 1, weight = i % 3 != 0;
        lab_open(&l, RG_F64);
        rg_cell cell = k->make(l.g, "c", I, H,
                               &(rg_cell_opts){ .drop_recurrent = recurrent ? P : 0,
                                                .drop_weight = weight ? P : 0 });
        rg_cell mine = by_hand(&hand, &l, k, recurrent, weight);
        lab_fill(&l, 0.7);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
        s0[0] = lab_drawn(&l, "h0", RG_SHAPE(B, H));
        s0[1] = lab_drawn(&l, "c0", RG_SHAPE(B, H));
        root[0] = lab_off(rg_unroll(last, &cell, X, s0, NULL), rg_unroll(want, &mine, X, s0, NULL));
        root[1] = lab_off(last[k->n_state - 1], want[k->n_state - 1]);
        rg_cell plain = k->make(l.g, "c", I, H, NULL);
        root[2] = lab_off(rg_unroll(NULL, &plain, X, s0, NULL),
                          rg_unroll(NULL, &cell, X, s0, NULL));
        train_run(&l, root, 3, RG_TRAIN);
        RGT_CHECK_MSG(rg_plan_scalar(l.plan, root[0]) == 0, "%s %zu", k->name, i % 3);
        RGT_CHECK(rg_plan_scalar(l.plan, root[1]) == 0 && rg_plan_scalar(l.plan, root[2]) > 0.1);
        train_run(&l, root, 3, RG_EVALUATE);
        RGT_CHECK_MSG(rg_plan_scalar(l.plan, root[2]) == 0, "%s %zu", k->name, i % 3);
        lab_close(&l);
    }
}

/* A user's cell, of gates with recurrent dropout in them. */
static void user_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const rg_gate *gate = weights;
    rg_val f = rg_sigmoid(rg_gate_sum(&gate[0], x, s[0]));
    rg_val g = rg_tanh(rg_gate_sum(&gate[1], x, rg_mul(f, s[0])));
    next[0] = rg_add(rg_mul(rg_one_minus(f), s[0]), rg_mul(f, g));
}

static rg_cell user_cell(rg_gate gate[2], rg_graph *g, double p)
{
    static const int64_t width[1] = { H };
    gate[0] = rg_gate_declare(g, "c", "f", I, H, 1);
    gate[1] = rg_gate_declare(g, "c", "g", I, H, 0);
    gate[0].drop = gate[1].drop = p;
    return (rg_cell){ "mine", 1, width, user_step, gate };
}

RGT_TEST(dropout, of_gates_works_in_a_cell_of_the_user)
{
    lab l = { .seed = 8 };
    rg_gate gate[2];
    rg_val root;
    lab_open(&l, RG_F64);
    rg_cell mine = user_cell(gate, l.g, P);
    rg_cell mgu = rg_mgu(l.g, "c", I, H, &(rg_cell_opts){ .drop_recurrent = P });
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    lab_fill(&l, 0.7);
    root = lab_off(rg_unroll(NULL, &mine, X, NULL, NULL), rg_unroll(NULL, &mgu, X, NULL, NULL));
    train_run(&l, &root, 1, RG_TRAIN);
    RGT_CHECK(rg_plan_scalar(l.plan, root) == 0);
    lab_close(&l);
}

/* With U = 0, W = Id and the identity, h_t = d^t: kept or dropped for good, and anew every run. */
RGT_TEST(dropout, recurrent_masks_last_a_run_and_no_longer)
{
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_cell cell = rg_rnn(l.g, "c", I, H, &(rg_cell_opts){ .nonlinearity = RG_IDENTITY,
                                                           .drop_recurrent = 0.5 });
    double *W = rg_params_find(l.ps, "c.W").data;
    for (int i = 0; i < H * H; i++)
        W[i] = i % (H + 1) == 0;
    rg_val h0 = rg_full(l.g, RG_SHAPE(B, H), 1);
    rg_val y = rg_unroll(NULL, &cell, rg_zeros(l.g, RG_SHAPE(T, B, I)), &h0, NULL);
    train_run(&l, &y, 1, RG_TRAIN);
    double *first = lab_read(&l, y, NULL), *second;
    size_t dropped = 0;
    for (int e = 0; e < T * B * H; e++) {
        double kept = pow(2, e / (B * H) + 1);
        RGT_CHECK(first[e] == (first[e % (B * H)] == 0 ? 0 : kept));
        dropped += e < B * H && first[e] == 0;
    }
    RGT_CHECK(dropped > 0 && dropped < B * H);
    lab_again(&l);
    second = lab_read(&l, y, NULL);
    RGT_CHECK(memcmp(first, second, B * H * sizeof *first) != 0);
    free(first);
    free(second);
    lab_close(&l);
}

/* Share of zeros among the elements of step t. */
static double zeros(const double *y, int t, int n)
{
    double count = 0;
    for (int e = 0; e < n; e++)
        count += y[t * n + e] == 0;
    return count / n;
}

RGT_TEST(dropout, locked_is_the_same_at_every_step_and_fresh_is_not)
{
    enum { WIDE = 40 };
    lab l = { .seed = 8 };
    rg_val root[2];
    lab_open(&l, RG_F64);
    rg_val X = rg_full(l.g, RG_SHAPE(T, B, WIDE), 1);
    root[0] = rg_dropout_locked(X, P, "input");
    root[1] = rg_dropout(X, P, "output");
    train_run(&l, root, 2, RG_TRAIN);
    double *locked = lab_read(&l, root[0], NULL), *fresh = lab_read(&l, root[1], NULL);
    size_t step = B * WIDE * sizeof *locked;
    for (int t = 0; t < T; t++) {
        RGT_CHECK(fabs(zeros(locked, t, B * WIDE) - P) < 0.15);
        RGT_CHECK(t == 0 || memcmp(locked, locked + t * B * WIDE, step) == 0);
        RGT_CHECK(t == 0 || memcmp(fresh, fresh + t * B * WIDE, step) != 0);
    }
    free(locked);
    free(fresh);
    lab_close(&l);
}

RGT_TEST(dropout, of_an_embedding_drops_a_word_everywhere_or_nowhere)
{
    enum { V = 12 };
    lab l = { .seed = 8 };
    rg_val root[2];
    int32_t id[T * B * 4];
    lab_open(&l, RG_F64);
    for (int i = 0; i < T * B * 4; i++)
        id[i] = i * 5 % V;
    rg_val ids = lab_bits(&l, "ids", RG_INT, RG_SHAPE(T, B * 4), id);
    rg_val rows = rg_full(l.g, RG_SHAPE(T, B * 4, 2), 1);
    root[0] = rg_embedding_dropout(rows, ids, "embed", V, 0.5);
    root[1] = rg_embedding_dropout(rg_one_hot(ids, V), ids, "embed", V, 0.5);
    train_run(&l, root, 2, RG_TRAIN);
    double *y = lab_read(&l, root[0], NULL), *hot = lab_read(&l, root[1], NULL), of[V];
    size_t dropped = 0;
    for (int i = 0; i < T * B * 4; i++) {
        of[id[i]] = i < V ? y[2 * i] : of[id[i]];
        RGT_CHECK(y[2 * i] == of[id[i]] && y[2 * i + 1] == of[id[i]]);
        RGT_CHECK(hot[i * V + id[i]] == of[id[i]] && (of[id[i]] == 0 || of[id[i]] == 2));
        dropped += i < V && y[2 * i] == 0;
    }
    RGT_CHECK(dropped > 0 && dropped < V);
    free(y);
    free(hot);
    lab_close(&l);
}

RGT_TEST(dropout, of_the_candidate_leaves_what_is_kept_alone)
{
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_cell cell = rg_lstm(l.g, "c", I, H, &(rg_cell_opts){ .drop_candidate = 0.5 });
    lab_fill(&l, 0.7);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), last[2], states[2 * T], c[T];
    rg_val y = rg_unroll(last, &cell, X, NULL, &(rg_unroll_opts){ .states = states });
    for (int t = 0; t < T; t++)
        c[t] = states[2 * t + 1];
    rg_val root[2] = { rg_stack(c, T, 0), y };
    train_run(&l, root, 2, RG_TRAIN);
    double *v = lab_read(&l, root[0], NULL);
    double share = zeros(v, 0, B * H); /* c_1 = i∘d(g), from c_0 = 0 */
    RGT_CHECK(share > 0.2 && share < 0.8);
    bool differs = false;
    for (int e = 0; e < B * H; e++) /* what was 0 need not stay so: the mask is fresh */
        differs = differs || (v[e] == 0 && v[B * H + e] != 0);
    RGT_CHECK(differs);
    free(v);
    lab_close(&l);
}

RGT_TEST(dropout, of_nothing_is_the_plain_cell_node_by_node)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 8 };
        lab_open(&l, RG_F64);
        rg_cell cell = lab_cells[k].make(l.g, "c", I, H, &lab_cells[k].opts);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
        const double none[4] = { 0, 0, 0, 0 };
        rg_val root[2] = { rg_unroll(NULL, &cell, X, NULL, NULL) };
        root[1] = rg_unroll(NULL, &cell, X, NULL, &(rg_unroll_opts){ .zoneout = none });
        train_run(&l, root, 2, RG_TRAIN);
        RGT_CHECK_MSG(lab_same(&l, root[0], &l, root[1]), "%s", lab_cells[k].name);
        RGT_CHECK(rg_dropout_locked(X, 0, "in").id == X.id);
        lab_close(&l);
    }
}

/* ---- Zoneout --------------------------------------------------------------------------------- */

static void count_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)x;
    next[0] = rg_shift(s[0], 1);
}

RGT_TEST(zoneout, draws_anew_at_every_step_and_evaluates_to_the_mean)
{
    enum { STEPS = 40, WIDE = 50 };
    static const int64_t width[1] = { WIDE };
    static const rg_cell count = { "count", 1, width, count_step, NULL };
    const double p = 0.3;
    lab l = { .seed = 8 };
    lab_open(&l, RG_F64);
    rg_val X = rg_zeros(l.g, RG_SHAPE(STEPS, 1, 1));
    rg_val y = rg_unroll(NULL, &count, X, NULL, &(rg_unroll_opts){ .zoneout = &p });
    train_run(&l, &y, 1, RG_TRAIN);
    double *v = lab_read(&l, y, NULL), total = 0;
    for (int t = 0; t < STEPS; t++) {
        int grown = 0, otherwise = 0;
        for (int e = 0; e < WIDE; e++) {
            double by = v[t * WIDE + e] - (t ? v[(t - 1) * WIDE + e] : 0);
            double before = t ? v[(t - 1) * WIDE + e] - (t > 1 ? v[(t - 2) * WIDE + e] : 0) : 2;
            RGT_CHECK(by == 0 || by == 1);
            grown += by == 1;
            otherwise += by != before;
        }
        RGT_CHECK(grown > WIDE / 3 && grown < WIDE && otherwise > WIDE / 8);
        total += grown;
    }
    RGT_CHECK(fabs(total / (STEPS * WIDE) - 0.7) < 0.04);
    free(v);
    train_run(&l, &y, 1, RG_EVALUATE);
    v = lab_read(&l, y, NULL);
    for (int e = 0; e < STEPS * WIDE; e++)
        RGT_CHECK(fabs(v[e] - 0.7 * (e / WIDE + 1)) < 1e-12);
    free(v);
    lab_close(&l);
}

RGT_TEST(zoneout, of_everything_freezes_the_state_and_passes_its_gradient_whole)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 8 };
        const double all[3] = { 1, 1, 1 };
        rg_val last[3], s0[3], root[6], d[3];
        lab_open(&l, RG_F64);
        rg_cell cell = lab_cells[k].make(l.g, "c", I, H, &lab_cells[k].opts);
        rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I)), loss = rg_const(l.g, 0);
        for (size_t s = 0; s < cell.n_state; s++)
            s0[s] = rg_input(l.g, (const char *[]){ "a", "b", "c" }[s], RG_F,
                             RG_SHAPE(B, cell.width[s]));
        rg_unroll(last, &cell, X, s0, &(rg_unroll_opts){ .zoneout = all });
        for (size_t s = 0; s < cell.n_state; s++)
            loss = rg_add(loss, rg_sum(last[s]));
        rg_grad(d, loss, s0, cell.n_state);
        for (size_t s = 0; s < cell.n_state; s++) {
            RGT_CHECK(last[s].id == s0[s].id); /* not even a node */
            root[s] = lab_off(d[s], rg_full(l.g, rg_shape_of(d[s]), 1));
        }
        RGT_CHECK(rg_plan_create(&l.plan, root, cell.n_state, &(rg_plan_opts){ .real = RG_F64 }) ==
                  RG_OK);
        lab_close(&l);
    }
}

/* c stays at c0 for good, yet h is o∘tanh of the c that the step made. */
RGT_TEST(zoneout, of_the_cell_state_leaves_h_to_the_new_one)
{
    lab l = { .seed = 8 };
    const double p[2] = { 0, 1 };
    rg_val s0[2], states[2 * T], y[T], root[2];
    lab_open(&l, RG_F64);
    rg_cell cell = rg_lstm(l.g, "c", I, H, NULL);
    lab_fill(&l, 0.7);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    s0[0] = lab_drawn(&l, "h0", RG_SHAPE(B, H));
    s0[1] = lab_drawn(&l, "c0", RG_SHAPE(B, H));
    rg_val out = rg_unroll(NULL, &cell, X, s0,
                           &(rg_unroll_opts){ .zoneout = p, .states = states });
    rg_val s[2] = { s0[0], s0[1] };
    for (int t = 0; t < T; t++) {
        rg_step(s, &cell, rg_select(X, 0, t), s, t);
        s[1] = s0[1];
        y[t] = s[0];
        RGT_CHECK(states[2 * t + 1].id == s0[1].id);
    }
    root[0] = out;
    root[1] = rg_stack(y, T, 0);
    train_run(&l, root, 2, RG_TRAIN);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    lab_close(&l);
}

/* The upper layer reads what zoneout left of the lower one's output. */
RGT_TEST(zoneout, in_a_stack_is_zoneout_of_its_layers)
{
    lab l = { .seed = 8 };
    const double p[3] = { 1, 0, 0 };
    rg_val root[2], s0[3];
    lab_open(&l, RG_F64);
    rg_cell cell[2] = { rg_gru(l.g, "a", I, H, NULL), rg_lstm(l.g, "b", H, H, NULL) };
    rg_cell stack = rg_stacked(l.g, cell, 2, 0);
    lab_fill(&l, 0.7);
    rg_val X = lab_drawn(&l, "x", RG_SHAPE(T, B, I));
    for (int k = 0; k < 3; k++)
        s0[k] = rg_full(l.g, RG_SHAPE(B, H), 0.2 * (k + 1));
    root[0] = rg_unroll(NULL, &stack, X, s0, &(rg_unroll_opts){ .zoneout = p });
    root[1] = rg_layers(NULL, cell, 2, X, s0, &(rg_layers_opts){ .zoneout = p });
    train_run(&l, root, 2, RG_TRAIN);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]));
    rg_cell zoned = rg_zoneout(l.g, &stack, p);
    RGT_CHECK(zoned.n_state == 3 && rg_cell_output(&zoned) == 1);
    lab_close(&l);
}

/* ---- Derivatives, with the draw held --------------------------------------------------------- */

static void checked(lab *l, rg_val y, const char *what)
{
    rg_gradcheck_report *report = NULL;
    rg_verdict v = rg_gradcheck(&report, rg_sum(rg_square(y)), NULL, 0,
                                &(rg_gradcheck_opts){ .order = 2, .rtol = 1e-7 });
    RGT_CHECK_MSG(v == RG_PASS, "%s: %s", what, report ? report->message : "");
    rg_gradcheck_destroy(&report);
    lab_close(l);
}

RGT_TEST(dropout, of_every_kind_passes_a_gradient_check_over_four_steps)
{
    static const rg_cell_opts opts[] = { { .drop_recurrent = 0.4 }, { .drop_weight = 0.4 },
                                         { .drop_candidate = 0.4 } };
    static rg_cell_fn *const make[] = { rg_gru, rg_lstm, rg_mgu, rg_janet };
    for (size_t k = 0; k < 12; k++) {
        lab l = { .seed = 4 };
        lab_open(&l, RG_F64);
        rg_cell cell = make[k / 3](l.g, "c", 2, 3, &opts[k % 3]);
        lab_fill(&l, 0.7);
        rg_val X = rg_normal(l.g, "x", RG_SHAPE(T, 2, 2));
        X = rg_dropout_locked(X, 0.3, "input");
        rg_val y = rg_unroll(NULL, &cell, X, NULL, NULL);
        checked(&l, rg_dropout(y, 0.3, "output"), cell.name);
    }
    lab l = { .seed = 4 };
    lab_open(&l, RG_F64);
    static const int32_t id[T * 2] = { 0, 1, 2, 3, 3, 2, 4, 0 };
    rg_val ids = rg_constant(l.g, RG_INT, RG_SHAPE(T, 2), id, T * 2);
    rg_val X = rg_embedding_dropout(rg_embedding(ids, "embed", 5, 2), ids, "embed", 5, 0.4);
    rg_cell cell = rg_rnn(l.g, "c", 2, 3, &(rg_cell_opts){ .drop_recurrent = 0.4 });
    lab_fill(&l, 0.7);
    checked(&l, rg_unroll(NULL, &cell, X, NULL, NULL), "embedding");
}

RGT_TEST(zoneout, passes_a_gradient_check_over_four_steps_with_every_cell)
{
    static const double p[3] = { 0.3, 0.5, 0.4 };
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 4 };
        lab_open(&l, RG_F64);
        rg_cell cell = lab_cells[k].make(l.g, "c", 2, 3, &lab_cells[k].opts);
        lab_fill(&l, 0.7);
        rg_val mask = rg_constant(l.g, RG_BOOL, RG_SHAPE(T, 2),
                                  (const uint8_t[]){ 1, 1, 1, 1, 1, 0, 1, 0 }, T * 2);
        rg_val X = rg_normal(l.g, "x", RG_SHAPE(T, 2, 2));
        checked(&l, rg_unroll(NULL, &cell, X, NULL,
                              &(rg_unroll_opts){ .mask = mask, .zoneout = p }),
                lab_cells[k].name);
    }
}
