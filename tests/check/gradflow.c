/* tests/check/gradflow.c -- gradient flow: decays known exactly, and what is said of them. */
#include <retrograd/retrograd.h>

#include <math.h>
#include <string.h>

#include "tests/rgt.h"

/* A cell over a sequence, in f64. */
typedef struct seq {
    rg_params *params;
    rg_graph  *g;
    rg_cell    cell;
    rg_val     X, Y, last[2], state[2 * 200];
    int64_t    T;
} seq;

static seq open_seq(rg_cell_fn *make, const rg_cell_opts *opts, int64_t T, int64_t B, int64_t H,
                    uint64_t seed)
{
    seq s = { .T = T };
    rg_params_create(&s.params, seed, &(rg_params_opts){ .real = RG_F64 });
    rg_graph_create(&s.g, s.params, NULL);
    s.X = rg_input(s.g, "x", RG_F, RG_SHAPE(T, B, 8));
    s.cell = make(s.g, "l", 8, H, opts);
    s.Y = rg_unroll(s.last, &s.cell, s.X, NULL, &(rg_unroll_opts){ .states = s.state });
    return s;
}

static void close_seq(seq *s)
{
    rg_graph_destroy(&s->g);
    rg_params_destroy(&s->params);
}

/* Every element of a parameter times c. */
static void scale(rg_params *params, const char *name, double c)
{
    rg_param_info p = rg_params_find(params, name);
    for (int64_t i = 0; i < rg_shape_count(p.shape); i++)
        ((double *)p.data)[i] *= c;
}

static rg_gradflow_report *flow_of(seq *s, rg_gradflow_opts opts)
{
    rg_gradflow_report *r;
    opts.real = RG_F64;
    rg_status st = rg_gradflow(&r, s->Y, &opts);
    RGT_CHECK_MSG(st == RG_OK, "%s", r ? r->message : "no memory");
    return r;
}

/* The cell state where there is one. */
static const rg_flow_state *slow_state(const rg_gradflow_report *r)
{
    for (size_t i = 0; i < r->n_state; i++)
        if (strcmp(r->state[i].name, "l c") == 0)
            return &r->state[i];
    return &r->state[0];
}

/* ---- Known values (docs/MATH.md 14.4) -------------------------------------------------------- */

RGT_TEST(gradflow, without_input_the_slope_of_a_tanh_rnn_is_the_logarithm_of_its_radius)
{
    static const double radius[] = { 0.5, 0.9, 1.5 };
    static const rg_flow_verdict says[] = { RG_FLOW_VANISHING, RG_FLOW_FADING,
                                            RG_FLOW_EXPLODING };
    for (int i = 0; i < 3; i++) { /* h stays 0, so J_k = (W')^k, W orthogonal times the radius */
        seq s = open_seq(rg_rnn, NULL, 91, 3, 12, 5);
        scale(s.params, "l.U", 0);
        scale(s.params, "l.W", radius[i]);
        rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 2 });
        RGT_CHECK_MSG(fabs(r->state[0].slope - log(radius[i])) < 1e-12, "%g", r->state[0].slope);
        for (int64_t k = 0; k < r->state[0].lags; k++)
            RGT_CHECK(fabs(r->state[0].norm[k] / pow(radius[i], (double)k) - 1) < 1e-12);
        RGT_CHECK_MSG(r->verdict == says[i], "%s", r->message);
        RGT_CHECK(fabs(r->state[0].half_life * fabs(log(radius[i])) - log(2)) < 1e-9);
        RGT_CHECK(fabs(log(r->state[0].ratio) - 90 * log(radius[i])) < 1e-9);
        rg_gradflow_destroy(&r);
        close_seq(&s);
    }
}

static double small_slope(rg_cell_fn *make, const rg_cell_opts *opts)
{
    seq s = open_seq(make, opts, 200, 2, 16, 3);
    for (size_t i = 0; i < rg_params_count(s.params); i++) {
        const char *name = rg_params_at(s.params, i).name;
        if (name[2] != 'b')
            scale(s.params, name, 0.01);
    }
    rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 1 });
    const double slope = slow_state(r)->slope;
    rg_gradflow_destroy(&r);
    close_seq(&s);
    return slope;
}

RGT_TEST(gradflow, with_small_weights_only_the_gated_path_is_left)
{
    const double b0 = small_slope(rg_lstm, &(rg_cell_opts){ .forget_bias_0 = true });
    const double b1 = small_slope(rg_lstm, NULL), gru = small_slope(rg_gru, NULL);
    const double chrono = small_slope(rg_lstm, &(rg_cell_opts){ .init = RG_INIT_CHRONO,
                                                                .chrono_T = 200 });
    RGT_CHECK_MSG(fabs(b0 + 0.693) < 0.005, "forget bias 0: %g", b0);
    RGT_CHECK_MSG(fabs(b1 + 0.313) < 0.005, "forget bias 1: %g", b1);
    RGT_CHECK_MSG(fabs(gru + 0.693) < 0.005, "gru: %g", gru);
    RGT_CHECK_MSG(chrono > -0.010 && chrono < -0.007, "chrono: %g", chrono);
}

RGT_TEST(gradflow, cells_start_with_the_slopes_that_are_known)
{
    static const struct { rg_cell_fn *make; rg_cell_opts opts; double want, tolerance; } row[] = {
        { rg_rnn, { .init = RG_INIT_TORCH }, -0.55, 0.06 },
        { rg_rnn, { .bias = RG_BIAS_SINGLE }, -0.25, 0.03 },
        { rg_gru, { .bias = RG_BIAS_SINGLE }, -0.34, 0.03 },
        { rg_lstm, { .forget_bias_0 = true }, -0.36, 0.03 },
        { rg_lstm, { .bias = RG_BIAS_SINGLE }, -0.10, 0.03 },
        { rg_lstm, { .init = RG_INIT_CHRONO, .chrono_T = 200 }, -0.01, 0.03 },
    };
    enum { SEEDS = 2 }; /* of six; all of them: rg_bench --row N5 */
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            seq s = open_seq(row[i].make, &row[i].opts, 200, 16, 64, seed);
            rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 1, .seed = seed });
            sum += slow_state(r)->slope;
            rg_gradflow_destroy(&r);
            close_seq(&s);
        }
        RGT_CHECK_MSG(fabs(sum / SEEDS - row[i].want) <= row[i].tolerance, "row %zu: %g, not %g", i,
                      sum / SEEDS, row[i].want);
    }
}

/* ---- Within training ------------------------------------------------------------------------- */

/* The loss of a sequence whose rows may end early. */
static rg_val loss_of(seq *s)
{
    return rg_mean(rg_square(rg_dense(s->Y, "out", 3)));
}

RGT_TEST(gradflow, roots_of_a_training_plan_show_what_the_probe_loss_does_and_change_no_bit)
{
    static const rg_dtype real[] = { RG_F64, RG_F32 };
    for (int i = 0; i < 2; i++) {
        seq s = open_seq(i ? rg_gru : rg_lstm, NULL, 30, 4, 8, 7);
        rg_val loss = loss_of(&s);
        rg_gradflow_opts given = { .states = s.state, .n_state = s.cell.n_state, .T = s.T };
        rg_val *norm;
        rg_plan *plain, *sampled;
        static double x64[30 * 4 * 8];
        static float x32[30 * 4 * 8];
        for (int k = 0; k < 30 * 4 * 8; k++)
            x32[k] = (float)(x64[k] = sin(k * k));
        rg_plan_opts opts = { .real = real[i] };
        rg_plan_create_train(&plain, loss, NULL, 0, &opts);
        RGT_CHECK_MSG(rg_gradflow_train(&sampled, &norm, loss, NULL, 0, &given, &opts) == RG_OK,
                      "%s", rg_graph_message(s.g));
        rg_plan *both[] = { plain, sampled };
        for (int k = 0; k < 2; k++)
            RGT_CHECK((i ? rg_plan_bind(both[k], s.X, x32, sizeof x32)
                         : rg_plan_bind(both[k], s.X, x64, sizeof x64)) == RG_OK &&
                      rg_plan_run(both[k]) == RG_OK);
        RGT_CHECK(rg_plan_scalar(plain, loss) == rg_plan_scalar(sampled, loss));
        rg_gradflow_report *a, *b;
        RGT_CHECK(rg_gradflow_read(&a, sampled, loss, norm, &given) == RG_OK);
        given.probe = RG_PROBE_LOSS;
        given.data = plain;
        given.real = real[i];
        RGT_CHECK(rg_gradflow(&b, loss, &given) == RG_OK);
        RGT_CHECK(a->n_state == b->n_state && a->verdict == b->verdict);
        for (size_t k = 0; k < a->n_state; k++)
            for (int64_t lag = 0; lag < 30; lag++)
                RGT_CHECK_MSG(fabs(a->state[k].norm[lag] / b->state[k].norm[lag] - 1) < 1e-5,
                              "state %zu lag %d", k, (int)lag);
        rg_gradflow_destroy(&a);
        rg_gradflow_destroy(&b);
        rg_plan_destroy(&plain);
        rg_plan_destroy(&sampled);
        close_seq(&s);
    }
}

/* ---- The probe `jacobian` -------------------------------------------------------------------- */

RGT_TEST(gradflow, singular_values_are_those_of_the_powers_of_the_weights)
{
    enum { H = 5, T = 24 };
    const rg_cell_opts identity = { .nonlinearity = RG_IDENTITY };
    seq s = open_seq(rg_rnn, &identity, T, 2, H, 9);
    double *W = rg_params_find(s.params, "l.W").data;
    for (int i = 0; i < H * H; i++)
        W[i] *= 1 + 0.3 * sin(i); /* not orthogonal any more */
    rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .probe = RG_PROBE_JACOBIAN });
    const rg_flow_state *f = &r->state[0];
    double det = 1;
    RGT_CHECK(f->n_singular == 16 && f->width == H && f->singular_lag[15] == T - 1);
    for (int j = 0; j < H; j++)
        det *= f->singular[(size_t)H + (size_t)j]; /* |det W|: singular values of lag 1 */
    RGT_CHECK(f->singular_lag[1] == 1);
    for (size_t i = 0; i < f->n_singular; i++) {
        const int64_t k = f->singular_lag[i];
        double product = 1, squares = 0;
        for (int j = 0; j < H; j++) {
            const double x = f->singular[i * H + (size_t)j];
            RGT_CHECK(j == 0 || x <= f->singular[i * H + (size_t)j - 1]);
            product *= x;
            squares += x * x;
        }
        RGT_CHECK_MSG(fabs(product / pow(det, (double)k) - 1) < 1e-9, "lag %d", (int)k);
        RGT_CHECK(fabs(sqrt(squares) / f->frobenius[k] - 1) < 1e-12);
        RGT_CHECK_MSG(fabs(f->singular[i * H] / f->spectral[k] - 1) < 1e-6, "lag %d: %.9g, %.9g",
                      (int)k, f->singular[i * H], f->spectral[k]);
        RGT_CHECK(fabs(f->norm[k] * sqrt(H) / f->frobenius[k] - 1) < 1e-12); /* rows alike */
    }
    rg_gradflow_destroy(&r);
    close_seq(&s);
}

/* ---- States, small numbers ------------------------------------------------------------------- */

RGT_TEST(gradflow, states_given_and_states_found_are_the_same)
{
    static rg_cell_fn *const make[] = { rg_rnn, rg_gru, rg_lstm };
    for (int i = 0; i < 3; i++) {
        seq s = open_seq(make[i], NULL, 15, 3, 6, 2);
        rg_gradflow_report *found = flow_of(&s, (rg_gradflow_opts){ .draws = 3 });
        rg_gradflow_report *given = flow_of(&s, (rg_gradflow_opts){
            .draws = 3, .states = s.state, .n_state = s.cell.n_state, .T = 15, .threads = 1 });
        RGT_CHECK(found->n_state == given->n_state && found->n_gate == given->n_gate);
        for (size_t k = 0; k < given->n_state; k++) {
            const rg_flow_state *a = &given->state[k], *b = &found->state[0];
            for (size_t j = 0; j < found->n_state; j++)
                b = strcmp(found->state[j].name, a->name) == 0 ? &found->state[j] : b;
            RGT_CHECK(strcmp(a->name, b->name) == 0);
            RGT_CHECK(memcmp(a->norm, b->norm, 15 * sizeof *a->norm) == 0);
        }
        rg_gradflow_destroy(&found);
        rg_gradflow_destroy(&given);
        close_seq(&s);
    }
}

RGT_TEST(gradflow, what_is_too_small_for_a_precision_is_underflow_and_no_cut)
{
    seq s = open_seq(rg_rnn, NULL, 180, 2, 6, 5);
    scale(s.params, "l.U", 0);
    scale(s.params, "l.W", 0.5); /* 0.5^117 is below 1e-35 */
    rg_gradflow_report *r;
    RGT_CHECK(rg_gradflow(&r, s.Y, NULL) == RG_OK);
    RGT_CHECK_MSG(r->verdict == RG_FLOW_VANISHING && r->layer[0].cut == RG_NO_STEP, "%s",
                  r->message);
    RGT_CHECK_MSG(r->layer[0].underflow == 117, "%d", (int)r->layer[0].underflow);
    RGT_CHECK(fabs(r->layer[0].slope - log(0.5)) < 1e-4);
    RGT_CHECK(strstr(r->message, "underflow from lag 117"));
    rg_gradflow_destroy(&r);
    close_seq(&s);
}

/* ---- Shares of parameters, gates, what the output depends on --------------------------------- */

RGT_TEST(gradflow, the_shares_of_the_time_steps_add_up_to_the_gradient)
{
    seq s = open_seq(rg_lstm, NULL, 9, 3, 4, 8);
    rg_val loss = loss_of(&s);
    rg_plan *plan;
    static double x[9 * 3 * 8];
    for (int i = 0; i < 9 * 3 * 8; i++)
        x[i] = sin(i);
    rg_val w[32], dw[32];
    const size_t n = rg_graph_params(w, 32, s.g);
    rg_grad(dw, loss, w, n);
    rg_plan_create(&plan, dw, n, &(rg_plan_opts){ .real = RG_F64 });
    rg_plan_bind(plan, s.X, x, sizeof x);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    rg_gradflow_report *r;
    RGT_CHECK(rg_gradflow(&r, loss, &(rg_gradflow_opts){ .probe = RG_PROBE_LOSS, .data = plan,
                                                         .real = RG_F64, .parameters = true })
              == RG_OK);
    RGT_CHECK(r->n_param == n);
    for (size_t i = 0; i < r->n_param; i++) {
        double want = 0, sum = r->param[i].outside;
        for (size_t k = 0; k < n; k++) {
            const double *d = rg_plan_data(plan, dw[k]);
            if (strcmp(rg_params_at(s.params, k).name, r->param[i].name) == 0)
                for (int64_t j = 0; j < rg_shape_count(rg_shape_of(w[k])); j++)
                    want = hypot(want, d[j]);
        }
        for (int t = 0; t < 9; t++)
            sum += r->param[i].norm[t];
        RGT_CHECK_MSG(fabs(r->param[i].total - want) < 1e-12 * want, "%s: %g, %g",
                      r->param[i].name, r->param[i].total, want);
        RGT_CHECK(sum >= want * (1 - 1e-12)); /* triangle */
        RGT_CHECK((strncmp(r->param[i].name, "out", 3) == 0) == (r->param[i].outside > 0));
    }
    rg_gradflow_destroy(&r);
    rg_plan_destroy(&plan);
    close_seq(&s);
}

static void set(rg_params *params, const char *name, double c)
{
    rg_param_info p = rg_params_find(params, name);
    for (int64_t i = 0; i < rg_shape_count(p.shape); i++)
        ((double *)p.data)[i] = c;
}

RGT_TEST(gradflow, forced_gates_are_told_as_saturated_dead_and_as_memory)
{
    seq s = open_seq(rg_lstm, NULL, 10, 2, 4, 8);
    for (size_t i = 0; i < rg_params_count(s.params); i++)
        set(s.params, rg_params_at(s.params, i).name, 0);
    set(s.params, "l.bf", log(9));     /* f = 0.9 */
    set(s.params, "l.bi", -20);        /* i = 0 */
    set(s.params, "l.bo", 3);          /* o = 0.95 */
    rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 1 });
    RGT_CHECK(r->n_gate == 3);
    for (size_t i = 0; i < 3; i++) {
        const rg_flow_gate *g = &r->gate[i];
        const char which = g->name[2];
        RGT_CHECK_MSG(which == 'i' || which == 'f' || which == 'o', "%s", g->name);
        RGT_CHECK(g->T == 10 && g->width == 4);
        RGT_CHECK(g->low == (which == 'i') && g->high == (which == 'o'));
        RGT_CHECK((g->stuck == 1) == (which == 'i'));
        RGT_CHECK((which == 'f') == !isnan(g->keeps));
        if (which == 'f')
            RGT_CHECK(fabs(g->mean - 0.9) < 1e-12 && fabs(g->memory - 10) < 1e-9);
        RGT_CHECK(fabs(g->over_time[9] - g->mean) < 1e-12 && g->first_row[39] == g->first_row[0]);
    }
    rg_gradflow_destroy(&r);
    close_seq(&s);
}

RGT_TEST(gradflow, a_gate_that_takes_keeps_one_minus_itself)
{
    for (int take = 0; take < 2; take++) {
        const rg_cell_opts opts = { .update_take = take };
        seq s = open_seq(rg_gru, &opts, 8, 2, 3, 8);
        scale(s.params, "l.Uu", 0);
        scale(s.params, "l.Wu", 0);
        set(s.params, "l.bu", log(3)); /* u = 0.75 */
        rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 1 });
        for (size_t i = 0; i < r->n_gate; i++)
            if (strcmp(r->gate[i].name, "l.u") == 0)
                RGT_CHECK_MSG(fabs(r->gate[i].keeps - (take ? 0.25 : 0.75)) < 1e-12, "%g",
                              r->gate[i].keeps);
        rg_gradflow_destroy(&r);
        close_seq(&s);
    }
}

RGT_TEST(gradflow, the_output_depends_on_the_input_as_its_own_gradient_says)
{
    seq s = open_seq(rg_rnn, NULL, 11, 2, 5, 8);
    set(s.params, "l.U", 0.1);
    scale(s.params, "l.W", 0);
    rg_gradflow_report *r = flow_of(&s, (rg_gradflow_opts){ .draws = 1 });
    RGT_CHECK(r->x && r->x_lags == 11 && r->x[0] > 0);
    for (int k = 1; k < 11; k++)
        RGT_CHECK(r->x[k] == 0); /* without W nothing but the last step's input counts */
    rg_gradflow_destroy(&r);
    close_seq(&s);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void refused(rg_status want, const char *says, rg_val y, rg_gradflow_opts opts)
{
    rg_gradflow_report *r;
    rg_status st = rg_gradflow(&r, y, &opts);
    RGT_CHECK_MSG(st == want && r && r->status == want && strstr(r->message, says), "%d: %s",
                  (int)st, r ? r->message : "");
    rg_gradflow_destroy(&r);
}

RGT_TEST(gradflow, refusals_say_what_is_missing)
{
    seq s = open_seq(rg_lstm, NULL, 6, 2, 4, 8);
    rg_val flat = rg_mean(rg_square(rg_input(s.g, "z", RG_F, RG_SHAPE(3))));
    rg_gradflow_report *r;
    refused(RG_EARG, "no time step", flat, (rg_gradflow_opts){ .draws = 1 });
    refused(RG_ESHAPE, "scalar", s.Y, (rg_gradflow_opts){ .probe = RG_PROBE_LOSS });
    refused(RG_EARG, "draws", s.Y, (rg_gradflow_opts){ .draws = -1 });
    refused(RG_EARG, "lag", s.Y, (rg_gradflow_opts){ .lag = -1 });
    refused(RG_EARG, "n_state", s.Y, (rg_gradflow_opts){ .states = s.state });
    refused(RG_ESHAPE, "x is", s.Y, (rg_gradflow_opts){ .x = flat });
    RGT_CHECK(rg_gradflow(NULL, s.Y, NULL) == RG_EARG);
    RGT_CHECK(rg_gradflow(&r, RG_NONE, NULL) == RG_EARG && r && r->message[0]);
    rg_gradflow_destroy(&r);
    rg_gradflow_destroy(&r);
    close_seq(&s);
}
