/* bench/cells.c -- recurrent layers: plans beside the same step written by hand. */
#include "bench/nets.h"
#include "bench/ref/cell.h"
#include "bench/ref/lstm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void by_hand(void *arg) { ref_lstm_train(arg); }
static void products(void *arg) { ref_lstm_products(arg); }

/* Is there a hand-written program for it? */
static bool has_hand(const rgb_shape *s)
{
    return strcmp(s->cell, "lstm") == 0 && s->layers == 1 && !s->forward && !s->both;
}

static ref_lstm *hand(const rgb_shape *s, ref_products which, int threads)
{
    int64_t ld;
    ref_lstm *r = ref_lstm_create(s->T, s->B, s->I, s->H, which, threads);
    if (!r)
        rgb_check(RG_ENOMEM, "the step by hand");
    const int64_t n[] = { s->T * s->B * s->I, s->I * 4 * s->H, s->H * 4 * s->H };
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < n[k]; i++)
            ref_lstm_array(r, (ref_array)k, &ld)[i] = rgb_value(k, i, k ? 0.05 : 1);
    return r;
}

/* Seconds in which so many weights are read, from wherever they lie after a first reading. */
struct reading { float *x; int64_t n; float sink; };

static void read_all(void *arg)
{
    struct reading *r = arg;
    r->sink += ref_cell_table()->read(r->n, r->x);
}

/* Forward, a row at a time: every step reads all recurrent weights. */
static double roof(const rgb_shape *s, double flop, double peak, const rgb_opts *opts)
{
    const int64_t n = rgb_cell_of(s->cell)->gates * s->H * s->H;
    struct reading r = { aligned_alloc(64, (size_t)n * sizeof(float)), n, 0 };
    if (!r.x)
        rgb_check(RG_ENOMEM, "weights");
    memset(r.x, 0, (size_t)n * sizeof(float));
    const double once = rgb_measure(read_all, &r, opts).min;
    free(r.x);
    return fmax(flop * 1e-9 / peak, (double)s->T * once / opts->threads);
}

static void memory_line(const rgb_net *n, const rgb_shape *s)
{
    const double bytes = rgb_bytes(n, s);
    rgb_number("bytes", bytes);
    if (s->layers == 1 && !s->forward && !s->both) {
        rgb_number("bytes_bound", rgb_bytes_bound(s));
        rgb_number("bytes_ratio", bytes / rgb_bytes_bound(s));
    }
}

static void line(const rgb_row *row, const rgb_net *n, const rgb_race *race, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    const double flop = rgb_flop(s), t = race->time[0].min;
    rgb_begin(row);
    rgb_shape_line(s, opts->threads);
    rgb_text("effort", "optimize");
    rgb_times(race->time[0]);
    rgb_speed(s, t, race->peak);
    rgb_number("p_gemm", rgb_gemm_speed(opts));
    if (opts->threads == 1)
        rgb_number("f_peak_cpu", flop * 1e-9 / race->peak / race->time[0].cpu);
    if (has_hand(s)) {
        rgb_number("f_shape", race->time[3].min / t);
        rgb_number("f_hand", race->time[1].min / t);
        rgb_number("f_hand_own", race->time[2].min / t);
        rgb_number("hand_ms", 1e3 * race->time[1].min);
        rgb_number("hand_own_ms", 1e3 * race->time[2].min);
    }
    if (s->forward && s->B == 1)
        rgb_number("f_roof", roof(s, flop, race->peak, opts) / t);
    memory_line(n, s);
    rgb_number("compile_ms", 1e3 * n->compile);
    rgb_end();
}

static void run(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_net n;
    ref_lstm *blas = NULL, *own = NULL;
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads });
    if (has_hand(s)) {
        blas = hand(s, REF_BLAS, opts->threads);
        own = hand(s, REF_OWN, opts->threads);
    }
    const rgb_body body[] = { { rgb_net_run, &n }, { by_hand, blas }, { by_hand, own },
                              { products, blas } };
    const rgb_race race = rgb_race_of(body, blas ? 4 : 1, opts);
    line(row, &n, &race, opts);
    ref_lstm_destroy(blas);
    ref_lstm_destroy(own);
    rgb_net_close(&n);
}

/* C5: what it costs that cuts follow from shapes alone. The step by hand, over the same kernel, is
 * cut by the number of threads, and no law holds its sums. */
static void run_freely(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_opts team = *opts;
    rgb_net n;
    team.threads = opts->threads > 1 ? opts->threads : 2;
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = team.threads });
    ref_lstm *own = hand(s, REF_OWN, team.threads);
    const rgb_body body[] = { { rgb_net_run, &n }, { by_hand, own } };
    const rgb_race race = rgb_race_of(body, 2, &team);
    rgb_begin(row);
    rgb_shape_line(s, team.threads);
    rgb_times(race.time[0]);
    rgb_speed(s, race.time[0].min, race.peak);
    rgb_number("hand_own_ms", 1e3 * race.time[1].min);
    rgb_number("time", race.time[0].min / race.time[1].min);
    rgb_end();
    ref_lstm_destroy(own);
    rgb_net_close(&n);
}

#define ROW(name, about, cell, ...) \
    { name, about, run, &(const rgb_shape)RGB_SHAPE(cell, __VA_ARGS__) }
#define FREELY(name, about, ...) \
    { name, about, run_freely, &(const rgb_shape)RGB_SHAPE("lstm", __VA_ARGS__) }
static const rgb_shape both_ways = { "lstm", 50, 64, 256, 256, 1, false, true };
static const rgb_row rows[] = {
    ROW("A1", "train lstm T64 B64 I128 H256", "lstm", 64, 64, 128, 256, 1, false),
    ROW("A2", "train lstm T35 B20 I200 H200", "lstm", 35, 20, 200, 200, 1, false),
    ROW("A3", "train lstm T100 B32 I512 H512", "lstm", 100, 32, 512, 512, 1, false),
    ROW("A4", "train lstm T50 B64 I256 H256", "lstm", 50, 64, 256, 256, 1, false),
    ROW("A5", "train lstm T50 B128 I256 H1024", "lstm", 50, 128, 256, 1024, 1, false),
    ROW("A6", "train lstm T35 B20 I650 H650", "lstm", 35, 20, 650, 650, 1, false),
    ROW("A7", "train lstm T28 B128 I28 H128", "lstm", 28, 128, 28, 128, 1, false),
    ROW("A8", "train lstm T784 B64 I1 H128", "lstm", 784, 64, 1, 128, 1, false),
    ROW("A9", "train lstm T50 B64 I64 H64", "lstm", 50, 64, 64, 64, 1, false),
    ROW("A11", "train lstm T64 B8 I64 H64", "lstm", 64, 8, 64, 64, 1, false),
    ROW("A12", "train lstm T50 B16 I128 H128", "lstm", 50, 16, 128, 128, 1, false),
    ROW("B1-before", "train gru T64 B64 I128 H256", "gru", 64, 64, 128, 256, 1, false),
    ROW("B1-after", "train gru, reset after, same", "gru-after", 64, 64, 128, 256, 1, false),
    ROW("B1-small", "train gru T64 B8 I64 H64", "gru", 64, 8, 64, 64, 1, false),
    ROW("B2", "train rnn T64 B64 I128 H256", "rnn", 64, 64, 128, 256, 1, false),
    ROW("B4", "train two layers of lstm T35 B20 I650 H650", "lstm", 35, 20, 650, 650, 2, false),
    { "B4-both", "train both directions of lstm T50 B64 I256 H256", run, &both_ways },
    FREELY("C5-A1", "cut by shape, against a step by hand that is cut by threads: A1", 64, 64, 128,
           256, 1, false),
    FREELY("C5-A12", "the same: A12", 50, 16, 128, 128, 1, false),
    ROW("D1-256", "forward lstm T64 B1 I256 H256", "lstm", 64, 1, 256, 256, 1, true),
    ROW("D1-64", "forward lstm T64 B1 I64 H64", "lstm", 64, 1, 64, 64, 1, true),
    ROW("D3-1", "forward lstm T50 B1 I256 H256", "lstm", 50, 1, 256, 256, 1, true),
    ROW("D3-16", "forward lstm T50 B16 I256 H256", "lstm", 50, 16, 256, 256, 1, true),
    ROW("D3-128", "forward lstm T50 B128 I256 H256", "lstm", 50, 128, 256, 256, 1, true),
    ROW("D4-gru", "forward gru T50 B128 I256 H256", "gru", 50, 128, 256, 256, 1, true),
    ROW("D4-rnn", "forward rnn T50 B128 I256 H256", "rnn", 50, 128, 256, 256, 1, true),
};

const rgb_rows rgb_cells = { rows, sizeof rows / sizeof *rows };
