/* tests/layers/refuse.c -- what cells, unrolling, losses and sampling refuse, and in what words. */
#include "tests/layers/lab.h"

#include <math.h>
#include <string.h>

enum { T = 3, B = 2, I = 4, H = 5 };

/* A sound graph with what most calls need. */
struct bench {
    rg_params *ps;
    rg_graph  *g;
    rg_val     X;
    rg_cell    rnn;
};

static void bench_open(struct bench *b)
{
    RGT_CHECK(rg_params_create(&b->ps, 1, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&b->g, b->ps, NULL) == RG_OK);
    b->X = rg_input(b->g, "x", RG_F, RG_SHAPE(T, B, I));
    b->rnn = rg_rnn(b->g, "rnn", I, H, NULL);
}

/* The graph holds exactly this error; ends the bench. */
static void expect(struct bench *b, rg_status status, const char *says)
{
    lab_says(b->g, status, says);
    rg_graph_destroy(&b->g);
    rg_params_destroy(&b->ps);
}

RGT_TEST(refuse, widths_below_one)
{
    static rg_cell_fn *const make[] = { rg_rnn, rg_gru, rg_lstm };
    for (size_t k = 0; k < 6; k++) {
        struct bench b;
        bench_open(&b);
        rg_cell cell = make[k / 2](b.g, "enc", k % 2 ? 0 : 3, k % 2 ? 8 : -1, NULL);
        rg_val last[2], y = rg_unroll(last, &cell, b.X, NULL, NULL);
        RGT_CHECK(y.id == 0 && y.graph == b.g && last[0].id == 0 && last[0].graph == b.g);
        expect(&b, RG_EARG, "'enc': widths must be at least 1, got I = ");
    }
}

RGT_TEST(refuse, options_that_a_cell_does_not_know)
{
    static const struct { rg_cell_fn *make; rg_cell_opts opts; const char *says; } row[] = {
        { rg_gru, { .nonlinearity = RG_RELU }, "gru 'c': nonlinearity is an option of rnn only" },
        { rg_lstm, { .nonlinearity = RG_IDENTITY }, "lstm 'c': nonlinearity" },
        { rg_rnn, { .reset_after = true }, "rnn 'c': reset_after and update_take are options" },
        { rg_lstm, { .update_take = true }, "lstm 'c': reset_after and update_take" },
        { rg_gru, { .forget_bias_0 = true }, "gru 'c': forget_bias_0 is an option of lstm, mgu" },
        { rg_mgu, { .peephole = true }, "mgu 'c': peephole, coupled, proj and cell_clip are" },
        { rg_gru, { .coupled = RG_KEEP_F }, "gru 'c': peephole, coupled, proj and cell_clip are" },
        { rg_rnn, { .proj = 2 }, "rnn 'c': peephole, coupled, proj and cell_clip are options of" },
        { rg_qrnn, { .cell_clip = 3 }, "qrnn 'c': peephole, coupled, proj and cell_clip are" },
        { rg_rnn, { .norm = RG_NORM_BA }, "norm and norm_eps are options of lstm and gru only" },
        { rg_sru, { .norm_eps = 1e-5 }, "sru 'c': norm and norm_eps are options of lstm and gru" },
        { rg_gru, { .norm = RG_NORM_HASTE }, "norm of a gru is RG_NORM_BA" },
        { rg_gru, { .norm = RG_NORM_BA }, "resets after the product; set reset_after" },
        { rg_gru, { .norm = RG_NORM_BA, .reset_after = true, .bias = RG_BIAS_SPLIT },
          "beta_hg inside the reset product: bias must be single or none" },
        { rg_mgu, { .preact_clip = 1 }, "preact_clip is an option of rnn, gru and lstm only" },
        { rg_lstm, { .preact_clip = -1 }, "preact_clip is a positive bound, or 0 for none" },
        { rg_rnn, { .preact_clip = NAN }, "preact_clip is a positive bound, or 0 for none" },
        { rg_sru, { .window = 2 }, "sru 'c': pool and window are options of qrnn only" },
        { rg_qrnn, { .window = -1 }, "window is how many inputs a step sees, or 0 for 2" },
        { rg_qrnn, { .window = INT64_MAX }, "window is how many inputs a step sees" },
        { rg_qrnn, { .sru_v1 = true }, "qrnn 'c': sru_v1 is an option of sru only" },
        { rg_minlstm, { .log_form = true }, "minlstm 'c': log_form is an option of mingru only" },
        { rg_rnn, { .bound_T = 9 }, "rnn 'c': bound_T is an option of indrnn only" },
        { rg_indrnn, { .bound_T = -9 }, "bound_T is the longest lag, or 0 for no bound" },
        { rg_lstm, { .norm_eps = 1e-5 }, "norm_eps is used with norm only" },
        { rg_lstm, { .pool = RG_POOL_F }, "lstm 'c': pool and window are options of qrnn" },
        { rg_indrnn, { .nonlinearity = RG_RELU }, "indrnn 'c': nonlinearity is an option of rnn" },
        { rg_lstm, { .init = RG_INIT_IRNN }, "lstm 'c': init irnn is for rnn only" },
        { rg_indrnn, { .init = RG_INIT_CHRONO, .chrono_T = 9 }, "chrono needs a cell with gates" },
        { rg_mingru, { .bias = RG_BIAS_SPLIT }, "bias split exists for gru with reset_after" },
        { rg_lstm, { .norm = RG_NORM_TF_CONTRIB, .bias = RG_BIAS_DOUBLE }, "bias must be 0" },
        { rg_lstm, { .norm = RG_NORM_TF_CONTRIB, .init = RG_INIT_CHRONO, .chrono_T = 9 },
          "norm tf_contrib has betas instead of biases" },
        { rg_lstm, { .proj = -1 }, "proj is a width, or 0" },
        { rg_lstm, { .cell_clip = -1 }, "cell_clip is a positive bound, or 0 for none" },
        { rg_lstm, { .cell_clip = INFINITY }, "cell_clip is a positive bound" },
        { rg_lstm, { .norm = RG_NORM_BA, .norm_eps = NAN }, "norm_eps is positive, or 0" },
        { rg_lstm, { .coupled = (rg_coupling)3 }, "coupled is no member of rg_coupling" },
        { rg_lstm, { .norm = (rg_norm_kind)5 }, "norm is no member of rg_norm_kind" },
        { rg_qrnn, { .pool = (rg_pooling)3 }, "pool is no member of rg_pooling" },
        { rg_rnn, { .init = RG_INIT_CHRONO, .chrono_T = 9 }, "chrono needs a cell with gates" },
        { rg_lstm, { .init = RG_INIT_CHRONO }, "chrono needs chrono_T" },
        { rg_lstm, { .chrono_T = 9 }, "chrono_T is used with init chrono only" },
        { rg_gru, { .init = RG_INIT_CHRONO, .chrono_T = 9, .bias = RG_BIAS_NONE }, "bias is none" },
        { rg_gru, { .bias = RG_BIAS_SPLIT }, "bias split exists for gru with reset_after only" },
        { rg_lstm, { .bias = RG_BIAS_SPLIT }, "bias split exists for gru" },
        { rg_rnn, { .bias = (rg_bias)9 }, "bias is no member of rg_bias" },
        { rg_rnn, { .init = (rg_init_set)9 }, "init is no member of rg_init_set" },
        { rg_rnn, { .nonlinearity = (rg_nonlinearity)9 }, "nonlinearity is no member" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct bench b;
        bench_open(&b);
        row[k].make(b.g, "c", I, H, &row[k].opts);
        expect(&b, RG_EARG, row[k].says);
    }
}

RGT_TEST(refuse, a_name_that_exists_with_other_widths)
{
    struct bench b;
    bench_open(&b);
    rg_rnn(b.g, "rnn", I + 1, H, NULL);
    expect(&b, RG_ESHAPE, "'rnn.U' exists with shape [4,5], asked for [5,5]");
}

RGT_TEST(refuse, a_cell_made_in_a_graph_that_failed)
{
    struct bench a, b;
    bench_open(&a);
    bench_open(&b);
    rg_cell broken = rg_gru(a.g, "c", 0, H, NULL);
    rg_val s0 = rg_zeros(b.g, RG_SHAPE(B, H));
    rg_unroll(NULL, &broken, b.X, &s0, NULL);
    expect(&a, RG_EARG, "gru 'c'");
    expect(&b, RG_EGRAPH, "gru step 0: this cell could not be made");
}

static void lazy_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)x;
    next[0] = s[0]; /* and leaves the second */
}

static void growing_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)x;
    next[0] = rg_concat((rg_val[]){ s[0], s[0] }, 2, -1);
}

static void masking_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)x;
    next[0] = rg_less(s[0], s[0]);
}

static void stray_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)x, (void)s;
    next[0] = *(const rg_val *)weights;
}

static void wrong_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights;
    next[0] = rg_matmul(s[0], x); /* [B,H]·[B,I] */
}

RGT_TEST(refuse, what_a_users_step_does_wrong_with_its_name_and_step)
{
    rg_params *other_ps;
    rg_graph *other;
    RGT_CHECK(rg_params_create(&other_ps, 1, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&other, other_ps, NULL) == RG_OK);
    rg_val stray = rg_zeros(other, RG_SHAPE(B, H));
    const int64_t width[2] = { H, H };
    const struct { rg_cell cell; rg_status status; const char *says; } row[] = {
        { { "lazy", 2, width, lazy_step, NULL }, RG_EUSER,
          "lazy step 0: the step left state 1 unset" },
        { { "growing", 1, width, growing_step, NULL }, RG_ESHAPE,
          "growing step 0: state 0 was [2,5], the step made it [2,10]" },
        { { "masking", 1, width, masking_step, NULL }, RG_EDTYPE,
          "masking step 0: state 0 was real, the step made it bool" },
        { { "stray", 1, width, stray_step, &stray }, RG_EARG,
          "stray step 0: the step made state 0 in another graph" },
        { { "wrong", 1, width, wrong_step, NULL }, RG_ESHAPE, "wrong step 0: matmul: " },
        { { "none", 1, width, NULL, NULL }, RG_EARG, "a cell has a step function" },
        { { "empty", 0, width, lazy_step, NULL }, RG_EARG, "at least one state" },
        { { "loose", 1, NULL, lazy_step, NULL }, RG_EARG,
          "cell 'loose' has no widths, so its initial states must be given" },
    };
    for (size_t k = 0; k < 2 * (sizeof row / sizeof *row); k++) {
        struct bench b;
        rg_val next[2];
        bench_open(&b);
        if (k % 2)
            rg_unroll(NULL, &row[k / 2].cell, b.X, NULL, NULL);
        else
            rg_step(next, &row[k / 2].cell, rg_select(b.X, 0, 0), NULL, 0);
        expect(&b, row[k / 2].status, row[k / 2].says);
    }
    rg_graph_destroy(&other);
    rg_params_destroy(&other_ps);
}

RGT_TEST(refuse, masks_and_initial_states_of_another_form)
{
    static const struct {
        int         what;  /* 0 mask, 1 reset, 2 start */
        rg_kind     kind;
        rg_shape    shape;
        rg_status   status;
        const char *says;
    } row[] = {
        { 0, RG_BOOL, { 2, { B, T } }, RG_ESHAPE,
          "mask is [2,3], the sequence wants [T,B] = [3,2]" },
        { 1, RG_BOOL, { 1, { T } }, RG_ESHAPE, "reset is [3], the sequence wants [T,B] = [3,2]" },
        { 0, RG_INT, { 2, { T, B } }, RG_EDTYPE, "mask is int; a mask is RG_BOOL" },
        { 2, RG_F, { 2, { T, H } }, RG_ESHAPE,
          "initial state 0 is [3,5], which does not broadcast to [2,5]" },
        { 2, RG_F, { 3, { T, B, H } }, RG_ESHAPE, "does not broadcast" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct bench b;
        bench_open(&b);
        rg_val v = rg_input(b.g, "v", row[k].kind, row[k].shape);
        rg_unroll_opts opts = { .mask = row[k].what == 0 ? v : RG_NONE,
                                .reset = row[k].what == 1 ? v : RG_NONE };
        rg_unroll(NULL, &b.rnn, b.X, row[k].what == 2 ? &v : NULL, &opts);
        expect(&b, row[k].status, row[k].says);
    }
}

RGT_TEST(refuse, sequences_and_states_that_are_none)
{
    struct bench b;
    bench_open(&b);
    rg_unroll(NULL, &b.rnn, rg_zeros(b.g, RG_SHAPE(T)), NULL, NULL);
    expect(&b, RG_ESHAPE, "a sequence is [T,B,...], this is of rank 1");
    bench_open(&b);
    rg_val none = RG_NONE;
    rg_unroll(NULL, &b.rnn, b.X, &none, NULL);
    expect(&b, RG_EGRAPH, "initial state 0 is an unset value");
    bench_open(&b);
    rg_unroll(NULL, NULL, b.X, NULL, NULL);
    expect(&b, RG_EARG, "a cell has a step function");
    bench_open(&b);
    rg_cell loose = { "loose", 1, NULL, lazy_step, NULL };
    rg_val s0 = rg_zeros(b.g, RG_SHAPE(B + 1, H));
    rg_unroll(NULL, &loose, b.X, &s0, NULL);
    expect(&b, RG_ESHAPE, "initial state 0 is [3,5]; its first extent is the batch, 2");
}

/* No step is called on a poisoned graph, and every value it would have made is inert. */
static void counting_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)x;
    ++**(int *const *)weights;
    next[0] = s[0];
}

RGT_TEST(refuse, nothing_runs_on_a_poisoned_graph)
{
    struct bench b;
    int calls = 0, *counter = &calls;
    rg_val last, states[T];
    bench_open(&b);
    rg_cell cell = { "counting", 1, (int64_t[]){ H }, counting_step, &counter };
    rg_unroll(&last, &cell, b.X, NULL, &(rg_unroll_opts){ .states = states });
    RGT_CHECK(calls == T && last.id && states[T - 1].id == last.id);
    rg_add(b.X, rg_zeros(b.g, RG_SHAPE(7)));
    RGT_CHECK(rg_unroll(&last, &cell, b.X, NULL, &(rg_unroll_opts){ .states = states }).id == 0);
    rg_step(&last, &cell, b.X, NULL, 0);
    RGT_CHECK(calls == T && last.id == 0 && states[0].id == 0 && states[T - 1].id == 0);
    expect(&b, RG_ESHAPE, "add: ");
}

RGT_TEST(refuse, a_stack_of_nothing_or_of_less_than_cells)
{
    struct bench b;
    rg_cell cells[2];
    bench_open(&b);
    rg_stacked(b.g, NULL, 0, 0);
    expect(&b, RG_EARG, "stacked: no cells");
    bench_open(&b);
    rg_stacked(b.g, &b.rnn, 1, 1);
    expect(&b, RG_EARG, "dropout between layers must be in [0, 1), got 1");
    bench_open(&b);
    cells[0] = b.rnn;
    memset(&cells[1], 0, sizeof cells[1]);
    rg_stacked(b.g, cells, 2, 0);
    expect(&b, RG_EARG, "cell 1 has no step function");
    bench_open(&b);
    cells[0] = cells[1] = b.rnn; /* the second wants H inputs, has weights for I */
    rg_cell stack = rg_stacked(b.g, cells, 2, 0);
    rg_unroll(NULL, &stack, b.X, NULL, NULL);
    expect(&b, RG_ESHAPE, "stacked step 0/l1: matmul: ");
}

RGT_TEST(refuse, losses_of_unequal_shapes)
{
    static const struct { rg_val (*loss)(rg_val, rg_val); const char *says; } row[] = {
        { rg_mse, "mse: prediction is [3,2], target is [3]; they must be equal" },
        { rg_mae, "mae: prediction is [3,2], target is [3]" },
        { rg_masked_mean, "masked_mean: the loss is [3,2], the mask is [3]" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct bench b;
        bench_open(&b);
        row[k].loss(rg_zeros(b.g, RG_SHAPE(3, 2)), rg_zeros(b.g, RG_SHAPE(3)));
        expect(&b, RG_ESHAPE, row[k].says);
    }
    struct bench b;
    bench_open(&b);
    rg_mse(rg_const(b.g, 1), rg_const(b.g, 2));
    expect(&b, RG_ESHAPE, "mse: a scalar has no axis");
    bench_open(&b);
    rg_huber(b.X, b.X, 0);
    expect(&b, RG_EARG, "huber: delta must be positive, got 0");
    bench_open(&b);
    rg_masked_mean(rg_zeros(b.g, RG_SHAPE(3)), rg_zeros(b.g, RG_SHAPE(3)));
    expect(&b, RG_EDTYPE, "where: ");
}

RGT_TEST(refuse, temperatures_that_are_none)
{
    static const double temperature[] = { -1, NAN, INFINITY, 1e-320 };
    for (size_t k = 0; k < sizeof temperature / sizeof *temperature; k++) {
        struct bench b;
        bench_open(&b);
        rg_sample(b.X, temperature[k], "drawn");
        expect(&b, RG_EARG, "sample: the temperature must be finite and not negative");
    }
}

RGT_TEST(refuse, dense_layers_and_embeddings_without_width)
{
    struct bench b;
    bench_open(&b);
    rg_dense(b.X, "out", 0);
    expect(&b, RG_EARG, "dense 'out': widths must be at least 1");
    bench_open(&b);
    rg_dense(rg_const(b.g, 1), "out", 3);
    expect(&b, RG_ESHAPE, "dense 'out': the input is a scalar");
    bench_open(&b);
    rg_embedding(rg_input(b.g, "ids", RG_INT, RG_SHAPE(3)), "emb", 0, 4);
    expect(&b, RG_EARG, "embedding 'emb': widths must be at least 1");
    bench_open(&b);
    rg_embedding(b.X, "emb", 5, 4);
    expect(&b, RG_EDTYPE, "gather: ");
}

RGT_TEST(refuse, no_graph_at_all)
{
    rg_val none = RG_NONE, last[2] = { { .id = 7 }, { .id = 7 } };
    rg_cell cell = rg_lstm(NULL, "c", 3, 4, NULL);
    rg_gate gate = rg_gate_declare(NULL, "c", "i", 3, 4, 0);
    RGT_CHECK(rg_unroll(last, &cell, none, NULL, NULL).id == 0);
    RGT_CHECK(last[1].id == 0 && !last[1].graph);
    RGT_CHECK(rg_gate_sum(&gate, none, none).id == 0 && rg_gate_sum(NULL, none, none).id == 0);
    RGT_CHECK(rg_dense(none, "d", 3).id == 0 && rg_embedding(none, "e", 3, 4).id == 0);
    RGT_CHECK(rg_mse(none, none).id == 0 && rg_mae(none, none).id == 0);
    RGT_CHECK(rg_huber(none, none, 1).id == 0 && rg_masked_mean(none, none).id == 0);
    RGT_CHECK(rg_sample(none, 1, "s").id == 0 && rg_length_mask(none, 3).id == 0);
    RGT_CHECK(rg_stacked(NULL, &cell, 1, 0).n_state == 0 && rg_cell_output(NULL) == 0);
    rg_step(last, &cell, none, NULL, 0);
    RGT_CHECK(last[0].id == 0);
}
