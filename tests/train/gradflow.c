/* tests/train/gradflow.c -- what the gradient does while a trainer trains, and where a number
 * stopped being one. */
#include "tests/train/help.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <string.h>

enum { V = 7, N = 400 };

static int32_t text[N];

static rg_span some_text(void)
{
    return text_of(text, N, V);
}

static void scale(rg_params *params, const char *name, double c)
{
    rg_param_info p = rg_params_find(params, name);
    for (int64_t i = 0; i < rg_shape_count(p.shape); i++)
        if (p.dtype == RG_F64)
            ((double *)p.data)[i] *= c;
        else
            ((float *)p.data)[i] *= (float)c;
}

static rg_trainer *open_trainer(rg_params **params, rg_trainer_opts o)
{
    rg_trainer *t;
    rg_params_create(params, 5, &(rg_params_opts){ .real = o.plan.real });
    RGT_CHECK_MSG(rg_trainer_create(&t, *params, some_text(), &o) == RG_OK, "%s",
                  rg_params_message(*params));
    return t;
}

static void close_trainer(rg_trainer *t, rg_params *params)
{
    rg_trainer_destroy(&t);
    rg_params_destroy(&params);
}

static rg_gradflow_report *flow_of(rg_trainer *t, rg_probe probe)
{
    rg_gradflow_report *r;
    const rg_gradflow_opts o = { .draws = 2, .probe = probe, .real = RG_F64 };
    rg_status st = rg_trainer_gradflow(&r, t, &o);
    RGT_CHECK_MSG(st == RG_OK, "%s", r ? r->message : "no report");
    return r;
}

static const rg_trainer_opts tanh_rnn = {
    .model = { .cell = rg_rnn, .V = V, .hidden = 6 }, .optim = { .lr = 1e-3 }, .T = 30, .B = 4,
    .plan = { .real = RG_F64 },
};

/* ---- By the probe `end` ---------------------------------------------------------------------- */

RGT_TEST(train, a_radius_below_one_fades_and_one_of_one_and_a_half_explodes)
{
    static const double radius[] = { 0.5, 0.95, 1.5 };
    static const rg_flow_verdict says[] = { RG_FLOW_VANISHING, RG_FLOW_HEALTHY, RG_FLOW_GROWING };
    for (int i = 0; i < 3; i++) { /* no input: h stays 0, each step back multiplies by W' */
        rg_params *params;
        rg_trainer *t = open_trainer(&params, tanh_rnn);
        scale(params, "rnn.l0.U", 0);
        scale(params, "rnn.l0.W", radius[i]);
        rg_gradflow_report *r = flow_of(t, RG_PROBE_END);
        RGT_CHECK_MSG(fabs(r->state[0].slope - log(radius[i])) < 1e-9, "%s", r->message);
        RGT_CHECK_MSG(r->verdict == says[i], "%s", r->message);
        RGT_CHECK(strcmp(r->state[0].name, "rnn.l0 h") == 0);
        rg_gradflow_destroy(&r);
        close_trainer(t, params);
    }
}

RGT_TEST(train, layers_are_told_apart_and_a_cut_is_seen)
{
    rg_trainer_opts two = tanh_rnn;
    rg_params *params;
    two.model.layers = 2;
    two.T = 12;
    rg_trainer *t = open_trainer(&params, two);
    scale(params, "rnn.l1.U", 0); /* the upper layer no longer reads the lower one */
    rg_gradflow_report *r = flow_of(t, RG_PROBE_END);
    RGT_CHECK(r->n_layer == 2 && strcmp(r->layer[0].name, "rnn.l0") == 0);
    RGT_CHECK_MSG(r->layer[0].verdict == RG_FLOW_CUT && r->layer[0].slope == -INFINITY, "%s",
                  r->message);
    RGT_CHECK_MSG(fabs(r->layer[1].slope) < 1e-6, "%g", r->layer[1].slope); /* W is orthogonal */
    RGT_CHECK(r->verdict == RG_FLOW_CUT && rgt_has(r->message, "cut: rnn.l0"));
    rg_gradflow_destroy(&r);
    close_trainer(t, params);
}

enum { MANY = 11 };

/* A delay line: what is new in state 0 reaches state 10 ten steps later. */
static void delay_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    next[0] = rg_tanh(rg_gate_sum(weights, x, s[MANY - 1]));
    for (int k = 1; k < MANY; k++)
        next[k] = s[k - 1];
}

static rg_cell delay(rg_graph *g, const char *group, int64_t I, int64_t H, const rg_cell_opts *o)
{
    rg_gate *gate = rg_graph_alloc(g, sizeof *gate);
    int64_t *width = rg_graph_alloc(g, MANY * sizeof *width);
    (void)o;
    RGT_CHECK(gate && width);
    *gate = rg_gate_declare(g, group, "d", I, H, 0);
    for (int k = 0; k < MANY; k++)
        width[k] = H;
    return (rg_cell){ "delay", MANY, width, delay_step, gate };
}

RGT_TEST(train, a_cell_may_have_any_number_of_states)
{
    rg_params *params;
    rg_trainer_opts o = tanh_rnn;
    o.model = (rg_lm_opts){ .cell = delay, .V = V, .hidden = 2, .layers = 2 };
    o.gradflow_every = 1;
    rg_trainer *t = open_trainer(&params, o);
    RGT_CHECK(rg_trainer_step(t) == RG_OK);
    rg_gradflow_report *r;
    RGT_CHECK_MSG(rg_trainer_sampled(&r, t) == RG_OK, "%s", r ? r->message : "");
    RGT_CHECK(r->n_state == 2 * MANY && r->n_layer == 2);
    RGT_CHECK(strcmp(r->state[MANY].name, "rnn.l1 s0") == 0);
    rg_gradflow_destroy(&r);
    rg_lm_score score;
    RGT_CHECK(rg_lm_evaluate(&score, params, &o.model, some_text(), NULL) == RG_OK &&
              score.count == N - 1);
    close_trainer(t, params);
}

/* ---- Sampled steps --------------------------------------------------------------------------- */

RGT_TEST(train, sampling_every_third_step_changes_no_bit_of_the_run)
{
    static const rg_dtype real[] = { RG_F32, RG_F64 };
    for (int i = 0; i < 2; i++) {
        rg_params *params[2];
        rg_trainer *t[2];
        rg_trainer_opts o = {
            .model = { .V = V, .hidden = 9, .embed = 3, .layers = 2, .dropout = 0.25 },
            .optim = { .lr = 0.01, .clip_norm = 0.5 }, .T = 8, .B = 3, .plan = { .real = real[i] },
        };
        for (int k = 0; k < 2; k++) {
            o.gradflow_every = k ? 3 : 0;
            t[k] = open_trainer(&params[k], o);
        }
        for (int step = 0; step < 20; step++) {
            rg_gradflow_report *r;
            RGT_CHECK(rg_trainer_step(t[0]) == RG_OK && rg_trainer_step(t[1]) == RG_OK);
            RGT_CHECK(rg_trainer_facts(t[0]).loss == rg_trainer_facts(t[1]).loss);
            RGT_CHECK(rg_trainer_sampled(&r, t[0]) == RG_ESTATE && !r);
            rg_status st = rg_trainer_sampled(&r, t[1]);
            RGT_CHECK_MSG(st == (step % 3 ? RG_ESTATE : RG_OK), "step %d: %d", step, (int)st);
            RGT_CHECK(!r || (r->n_state == 4 && r->state[0].norm[0] > 0 && r->T == 8));
            rg_gradflow_destroy(&r);
        }
        same_weights(params[0], params[1], i);
        close_trainer(t[0], params[0]);
        close_trainer(t[1], params[1]);
    }
}

RGT_TEST(train, what_is_sampled_is_the_probe_loss_of_that_step)
{
    rg_params *params;
    rg_trainer_opts o = tanh_rnn;
    rg_gradflow_report *a, *b;
    o.gradflow_every = 1;
    o.optim = (rg_optim_opts){ .kind = RG_SGD, .lr = 1e-30 }; /* the weights stay */
    rg_trainer *t = open_trainer(&params, o);
    RGT_CHECK(rg_trainer_step(t) == RG_OK && rg_trainer_sampled(&a, t) == RG_OK);
    rg_plan_restart(rg_trainer_plan(t));
    b = flow_of(t, RG_PROBE_LOSS);
    for (int64_t k = 0; k < 30; k++)
        RGT_CHECK_MSG(fabs(a->state[0].norm[k] / b->state[0].norm[k] - 1) < 0.05, "lag %d: %g, %g",
                      (int)k, a->state[0].norm[k], b->state[0].norm[k]);
    rg_gradflow_destroy(&a);
    rg_gradflow_destroy(&b);
    close_trainer(t, params);
}

/* ---- Not finite ------------------------------------------------------------------------------ */

RGT_TEST(train, a_step_that_is_not_finite_names_operation_step_and_row)
{
    static const rg_cell_opts relu = { .nonlinearity = RG_RELU };
    rg_params *params;
    rg_nonfinite_place at;
    rg_trainer_opts o = tanh_rnn;
    o.model.cell_opts = &relu;
    o.plan.real = RG_F32;
    o.gradflow_every = 2; /* in a sampled step, and in one that is not */
    rg_trainer *t = open_trainer(&params, o);
    for (int step = 0; step < 2; step++) {
        RGT_CHECK(rg_trainer_step(t) == RG_OK && rg_trainer_facts(t).optim.applied);
        RGT_CHECK(rg_trainer_nonfinite(&at, t) == RG_OK && !at.found);
        scale(params, "rnn.l0.W", 1000); /* 1000^13 is beyond f32 */
        RGT_CHECK(rg_trainer_step(t) == RG_OK && !rg_trainer_facts(t).optim.applied);
        RGT_CHECK(rg_trainer_nonfinite(&at, t) == RG_OK);
        RGT_CHECK_MSG(at.found && at.step >= 8 && at.step < 25 && at.row >= 0, "%s", at.message);
        RGT_CHECK_MSG(rgt_has(at.scope, "rnn step") && !at.gradient, "%s", at.message);
        scale(params, "rnn.l0.W", 1e-3);
    }
    close_trainer(t, params);
}
