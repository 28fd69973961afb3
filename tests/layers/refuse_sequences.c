/* tests/layers/refuse_sequences.c -- what masks, lengths, wrappers and dropout refuse, and in what
 * words. */
#include "tests/layers/lab.h"

#include <math.h>
#include <string.h>

enum { T = 3, B = 2, I = 4, H = 5 };

/* A sound graph, and what most calls need. */
struct bench {
    rg_params *ps;
    rg_graph  *g;
    rg_val     X;
    rg_cell    cell[2];
};

static void bench_open(struct bench *b)
{
    RGT_CHECK(rg_params_create(&b->ps, 1, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&b->g, b->ps, NULL) == RG_OK);
    b->X = rg_input(b->g, "x", RG_F, RG_SHAPE(T, B, I));
    b->cell[0] = rg_lstm(b->g, "fwd", I, H, NULL);
    b->cell[1] = rg_gru(b->g, "bwd", I, H, NULL);
}

/* The graph holds exactly this error; ends the bench. */
static void expect(struct bench *b, rg_status status, const char *says)
{
    lab_says(b->g, status, says);
    rg_graph_destroy(&b->g);
    rg_params_destroy(&b->ps);
}

/* ---- Numbers that a run is given ------------------------------------------------------------- */

/* A masked run whose input is what @p data says; @p says is part of the message, NULL: none. */
static void try_run(bool lengths, const void *data, rg_status status, const char *says)
{
    static const float x[T * B * I] = { 0 };
    struct bench b;
    rg_plan *plan = NULL;
    bench_open(&b);
    rg_val in = lengths ? rg_input(b.g, "lengths", RG_INT, RG_SHAPE(B))
                        : rg_input(b.g, "mask", RG_BOOL, RG_SHAPE(T, B));
    rg_val m = lengths ? rg_length_mask(in, T) : in;
    rg_val y = rg_unroll(NULL, &b.cell[1], b.X, NULL, &(rg_unroll_opts){ .mask = m });
    RGT_CHECK(rg_plan_create(&plan, &y, 1, NULL) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, b.X, x, sizeof x) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, in, data, lengths ? B * sizeof(int32_t) : T * B) == RG_OK);
    rg_status is = rg_plan_run(plan);
    RGT_CHECK_MSG(is == status, "%d: %s", is, rg_plan_message(plan));
    RGT_CHECK_MSG(!says || rgt_has(rg_plan_message(plan), says), "%s", rg_plan_message(plan));
    rg_plan_destroy(&plan);
    expect(&b, RG_OK, "");
}

RGT_TEST(refuse, lengths_beyond_the_sequence_and_below_zero)
{
    try_run(true, (const int32_t[]){ 0, T }, RG_OK, NULL);
    try_run(true, (const int32_t[]){ T + 1, 1 }, RG_EINDEX,
            "run: input 'lengths' holds 4 at [0]; length_mask allows 0 .. 3");
    try_run(true, (const int32_t[]){ 1, -1 }, RG_EINDEX,
            "run: input 'lengths' holds -1 at [1]; length_mask allows 0 .. 3");
}

RGT_TEST(refuse, masks_of_other_values_than_zero_and_one)
{
    try_run(false, (const uint8_t[]){ 1, 1, 0, 1, 0, 0 }, RG_OK, NULL);
    try_run(false, (const uint8_t[]){ 1, 1, 0, 2, 0, 0 }, RG_EINDEX,
            "run: input 'mask' holds 2 at [1,1]; a mask is 0 or 1");
    try_run(false, (const uint8_t[]){ 1, 1, 0, 1, 0, 255 }, RG_EINDEX, "holds 255 at [2,1]");
    struct bench b;
    bench_open(&b);
    rg_constant(b.g, RG_BOOL, RG_SHAPE(2), (const uint8_t[]){ 1, 7 }, 2);
    expect(&b, RG_EINDEX, "constant: element 1 is 7; a mask is 0 or 1");
}

RGT_TEST(refuse, lengths_and_masks_of_the_wrong_count)
{
    for (int k = 0; k < 3; k++) {
        struct bench b;
        bench_open(&b);
        rg_val n = rg_input(b.g, "n", RG_INT, RG_SHAPE(k == 0 ? B + 1 : B));
        rg_val m = rg_length_mask(n, k == 1 ? T + 1 : T);
        rg_unroll_opts o = { .mask = m };
        if (k == 2)
            o = (rg_unroll_opts){ .reset = rg_length_mask(n, T - 1) };
        rg_unroll(NULL, &b.cell[0], b.X, NULL, &o);
        expect(&b, RG_ESHAPE, k == 0   ? "unroll: mask is [3,3], the sequence wants [T,B] = [3,2]"
                              : k == 1 ? "unroll: mask is [4,2], the sequence wants [T,B] = [3,2]"
                                       : "unroll: reset is [2,2], the sequence wants [T,B]");
    }
}

/* ---- Wrappers -------------------------------------------------------------------------------- */

RGT_TEST(refuse, two_directions_that_do_not_go_together)
{
    static const struct { rg_merge merge; bool room; int what; rg_status st; const char *says; }
    row[] = {
        { RG_MERGE_NONE, false, 0, RG_EARG, "with RG_MERGE_NONE there must be room for both" },
        { (rg_merge)9, true, 0, RG_EARG, "bidirectional: merge is no member of rg_merge" },
        { RG_MERGE_SUM, true, 1, RG_EARG, "reverse, run_order and states are for one direction" },
        { RG_MERGE_SUM, true, 2, RG_ESHAPE, "outputs [3,2,5] and [3,2,6] differ; only "
                                            "RG_MERGE_CONCAT" },
        { RG_MERGE_SUM, true, 3, RG_EARG, "bidirectional: two cells are needed" },
        { RG_MERGE_SUM, true, 4, RG_EARG, "fwd: zoneout: the share of state 1 must be in [0, 1], "
                                          "got 1.5" },
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        const double share[3] = { 0, 1.5, 0 };
        struct bench b;
        rg_val both[2], last[3];
        bench_open(&b);
        rg_unroll_opts o = { .reverse = row[k].what == 1,
                             .zoneout = row[k].what == 4 ? share : NULL };
        if (row[k].what == 2)
            b.cell[1] = rg_gru(b.g, "wide", I, H + 1, NULL);
        if (row[k].what == 3)
            b.cell[1] = (rg_cell){ .name = "none", .n_state = 1 };
        rg_val y = rg_bidirectional(last, row[k].room ? both : NULL, b.cell, b.X, NULL,
                                    row[k].merge, &o);
        RGT_CHECK(y.id == 0 && y.graph == b.g);
        RGT_CHECK(row[k].what == 2 || (last[0].id == 0 && last[2].graph == b.g));
        expect(&b, row[k].st, row[k].says);
    }
}

RGT_TEST(refuse, layers_that_do_not_fit)
{
    static const struct { rg_layers_opts o; size_t n; rg_status st; const char *says; } row[] = {
        { { .between = 1 }, 1, RG_EARG, "layers: dropout 'between' must be in [0, 1), got 1" },
        { { .input = -0.5 }, 1, RG_EARG, "layers: dropout 'input' must be in [0, 1), got -0.5" },
        { { .output = NAN }, 1, RG_EARG, "layers: dropout 'output' must be in [0, 1), got nan" },
        { { .merge = RG_MERGE_SUM }, 1, RG_EARG, "layers: merge is for two directions" },
        { { .bidirectional = true, .merge = RG_MERGE_NONE }, 1, RG_EARG, "merge must not be" },
        { { .residual = false }, 0, RG_EARG, "layers: no cells" },
        { { .residual = true }, 2, RG_ESHAPE, "l1: residual: a layer from [3,2,5] to [3,2,7] "
          "cannot be added to its input; their widths must be equal" },
        { { .highway = "way" }, 2, RG_ESHAPE, "l1: highway: a layer from [3,2,5] to [3,2,7] "
          "cannot be mixed with its input; their widths must be equal" },
        { { .highway = "way", .residual = true }, 2, RG_EARG, "residual or a highway, not both" },
        { { .residual = false }, 3, RG_ESHAPE, "l2/rnn step 0: matmul" }, /* reads 7, made for 9 */
    };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        struct bench b;
        bench_open(&b);
        rg_cell cell[3] = { b.cell[0], rg_rnn(b.g, "up", H, 7, NULL),
                            rg_rnn(b.g, "off", 9, H, NULL) };
        rg_val y = rg_layers(NULL, cell, row[k].n, b.X, NULL, &row[k].o);
        RGT_CHECK(y.id == 0 && y.graph == b.g);
        expect(&b, row[k].st, row[k].says);
    }
}

static rg_val narrower(const void *weights, rg_val x)
{
    return rg_slice(x, 0, *(const int64_t *)weights, rg_dim(x, 0));
}

static rg_val nothing(const void *weights, rg_val x)
{
    (void)weights, (void)x;
    return RG_NONE;
}

RGT_TEST(refuse, functions_of_a_step_that_lose_rows_or_return_nothing)
{
    static const int64_t cut = 1;
    struct bench b;
    bench_open(&b);
    rg_time_distributed(narrower, &cut, b.X, RG_NONE);
    expect(&b, RG_ESHAPE, "time distributed: of 6 rows the function made [5,4]");
    bench_open(&b);
    rg_time_distributed(nothing, NULL, b.X, RG_NONE);
    expect(&b, RG_EUSER, "time distributed: the function returned no value");
    bench_open(&b);
    rg_time_distributed(NULL, NULL, b.X, RG_NONE);
    expect(&b, RG_EARG, "time distributed: needs a function, and a sequence [T,B,...]");
    bench_open(&b);
    rg_time_distributed(narrower, &cut, rg_zeros(b.g, RG_SHAPE(3)), RG_NONE);
    expect(&b, RG_ESHAPE, "a sequence [T,B,...], this is [3]");
    bench_open(&b);
    rg_time_distributed(narrower, &cut, b.X, rg_zeros(b.g, RG_SHAPE(T, B)));
    expect(&b, RG_EDTYPE, "time distributed: mask is real; a mask is RG_BOOL");
}

/* ---- Dropout --------------------------------------------------------------------------------- */

RGT_TEST(refuse, dropout_out_of_range_wherever_it_is_asked_for)
{
    static const struct { rg_cell_opts o; const char *says; } row[] = {
        { { .drop_recurrent = 1 }, "lstm 'c': drop_recurrent must be in [0, 1), got 1" },
        { { .drop_weight = -1 }, "lstm 'c': drop_weight must be in [0, 1), got -1" },
        { { .drop_candidate = INFINITY }, "lstm 'c': drop_candidate must be in [0, 1), got inf" },
    };
    struct bench b;
    for (size_t k = 0; k < 3; k++) {
        bench_open(&b);
        rg_lstm(b.g, "c", I, H, &row[k].o);
        expect(&b, RG_EARG, row[k].says);
    }
    bench_open(&b);
    rg_gate gate = rg_gate_declare(b.g, "c", "", I, H, 0);
    gate.drop = 1.25;
    rg_gate_sum(&gate, rg_select(b.X, 0, 0), rg_zeros(b.g, RG_SHAPE(B, H)));
    expect(&b, RG_EARG, "gate sum: recurrent dropout must be in [0, 1), got 1.25");
    bench_open(&b);
    rg_dropout_locked(b.X, 2, "in");
    expect(&b, RG_EARG, "dropout: probability 2 is not in [0, 1)");
    bench_open(&b);
    rg_dropout_locked(rg_const(b.g, 1), 0.5, "in");
    expect(&b, RG_ESHAPE, "locked dropout: a scalar has no steps");
    bench_open(&b);
    const double share[2] = { -0.1, 0 };
    rg_unroll(NULL, &b.cell[0], b.X, NULL, &(rg_unroll_opts){ .zoneout = share });
    expect(&b, RG_EARG, "zoneout: the share of state 0 must be in [0, 1], got -0.1");
    bench_open(&b);
    const double none[4] = { 0, 0, 0, 0.5 };
    rg_cell inner = rg_stacked(b.g, b.cell, 2, 0), pair[2] = { b.cell[1], inner };
    rg_cell outer = rg_stacked(b.g, pair, 2, 0);
    rg_zoneout(b.g, &outer, none);
    expect(&b, RG_EARG, "zoneout: layer 1 of the stack is a stack itself; make one stack of all");
    bench_open(&b);
    rg_zoneout(b.g, &b.cell[0], NULL);
    expect(&b, RG_EARG, "zoneout: a cell and a share for each of its states are needed");
}

RGT_TEST(refuse, dropout_that_a_cell_has_no_place_for)
{
    static rg_cell_fn *const make[] = { rg_mingru, rg_minlstm, rg_indrnn, rg_sru, rg_qrnn };
    struct bench b;
    for (size_t k = 0; k < 10; k++) {
        bench_open(&b);
        make[k / 2](b.g, "c", I, H, k % 2 ? &(rg_cell_opts){ .drop_recurrent = 0.5 }
                                          : &(rg_cell_opts){ .drop_weight = 0.5 });
        expect(&b, RG_EARG, "'c': it has no products with the state to drop from");
    }
    bench_open(&b);
    rg_rnn(b.g, "c", I, H, &(rg_cell_opts){ .drop_candidate = 0.5 });
    expect(&b, RG_EARG, "rnn 'c': drop_candidate is for lstm, gru, mgu and janet; leave it 0");
}

RGT_TEST(refuse, a_locked_stream_that_another_draw_has)
{
    struct bench b;
    bench_open(&b);
    rg_dropout_mask(b.g, RG_SHAPE(2), 0.5, "d");
    rg_dropout_mask(b.g, RG_SHAPE(2), 0.5, "d"); /* its own, again */
    RGT_CHECK(rg_graph_status(b.g) == RG_OK);
    rg_dropout(b.X, 0.5, "d");
    expect(&b, RG_EARG, "random stream 'd' is taken already");
    bench_open(&b);
    rg_dropout(b.X, 0.5, "d");
    rg_dropout_mask(b.g, RG_SHAPE(2), 0.5, "d");
    expect(&b, RG_EARG, "random stream 'd' is taken already");
}
