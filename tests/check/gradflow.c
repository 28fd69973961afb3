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
        rg_val loss = loss_of(&s), norm[2];
        rg_plan *plain, *sampled;
        static double x64[30 * 4 * 8];
        static float x32[30 * 4 * 8];
        for (int k = 0; k < 30 * 4 * 8; k++)
            x32[k] = (float)(x64[k] = sin(k * k));
        rg_plan_opts opts = { .real = real[i] };
        rg_plan_create_train(&plain, loss, NULL, 0, &opts);
        rg_gradflow_roots(norm, loss, s.state, s.cell.n_state, s.T);
        RGT_CHECK_MSG(rg_plan_create_train(&sampled, loss, norm, s.cell.n_state, &opts) == RG_OK,
                      "%s", rg_graph_message(s.g));
        rg_plan *both[] = { plain, sampled };
        for (int k = 0; k < 2; k++)
            RGT_CHECK((i ? rg_plan_bind(both[k], s.X, x32, sizeof x32)
                         : rg_plan_bind(both[k], s.X, x64, sizeof x64)) == RG_OK &&
                      rg_plan_run(both[k]) == RG_OK);
        RGT_CHECK(rg_plan_scalar(plain, loss) == rg_plan_scalar(sampled, loss));
        rg_gradflow_opts given = { .states = s.state, .n_state = s.cell.n_state, .T = s.T };
        rg_gradflow_report *a, *b;
        RGT_CHECK(rg_gradflow_read(&a, sampled, norm, &given) == RG_OK);
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
