/* bench/against.c -- plans against each other: cells of users against the built-in one, two threads
 * against one, passes left out, less memory. */
#include "bench/nets.h"

#include <math.h>
#include <string.h>

/* ---- What a plan should take ---------------------------------------------------------------- */

/* Operations of products, and all others. */
struct work {
    double products, others;
};

static void count(void *user, const rg_timed_step *step)
{
    struct work *w = user;
    *(strstr(step->shapes, " x ") ? &w->products : &w->others) += step->flop;
}

/* An operation on an element costs as much as so many of a product: loads, stores and divisions are
 * in it. Measured once, on the forward and backward part of an lstm; it only serves to compare
 * cells of different elementwise shares. */
static const double ELEMENT = 8;

static double modelled(const rgb_shape *s, int threads)
{
    struct work w = { 0, 0 };
    rg_trace trace = { .user = &w, .step = count };
    rgb_net n;
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = threads, .trace = &trace });
    rgb_net_run(&n);
    rgb_net_close(&n);
    return w.products + ELEMENT * w.others;
}

/* ---- B3: cells that the library has not ----------------------------------------------------- */

static void run_user_cell(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_shape plain = *s;
    rgb_net n, base;
    plain.cell = "lstm";
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads });
    rgb_net_open(&base, &plain, &(rg_plan_opts){ .threads = opts->threads });
    const rgb_body body[] = { { rgb_net_run, &n }, { rgb_net_run, &base } };
    const rgb_race race = rgb_race_of(body, 2, opts);
    const double want = modelled(s, opts->threads) / modelled(&plain, opts->threads);
    const double t = race.time[0].min, least = race.time[1].min;
    rgb_begin(row);
    rgb_shape_line(s, opts->threads);
    rgb_times(race.time[0]);
    rgb_speed(s, t, race.peak);
    rgb_number("lstm_ms", 1e3 * least);
    rgb_number("per_flop", t / least / want);
    rgb_number("per_product_flop", t / least / (rgb_flop(s) / rgb_flop(&plain)));
    rgb_number("bytes", rgb_bytes(&n, s));
    rgb_number("compile_ms", 1e3 * n.compile);
    rgb_end();
    rgb_net_close(&n);
    rgb_net_close(&base);
}

/* ---- C: threads against one ----------------------------------------------------------------- */

static void run_threads(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_opts many = *opts;
    rgb_net one, all;
    many.threads = opts->threads > 1 ? opts->threads : 2;
    rgb_net_open(&one, s, &(rg_plan_opts){ .threads = 1 });
    rgb_net_open(&all, s, &(rg_plan_opts){ .threads = many.threads, .disable = "solo" });
    const rgb_body body[] = { { rgb_net_run, &all }, { rgb_net_run, &one } };
    const rgb_race race = rgb_race_of(body, 2, &many);
    rgb_begin(row);
    rgb_shape_line(s, many.threads);
    rgb_times(race.time[0]);
    rgb_speed(s, race.time[0].min, race.peak);
    rgb_number("one_thread_ms", 1e3 * race.time[1].min);
    rgb_number("speedup", race.time[1].min / race.time[0].min);
    rgb_end();
    rgb_net_close(&one);
    rgb_net_close(&all);
}

/* ---- F1: passes left out -------------------------------------------------------------------- */

static const struct ablation {
    const char *without;
    rg_effort   effort;
} ablations[] = {
    { "split", RG_OPTIMIZE }, { "join", RG_OPTIMIZE }, { "reduce", RG_OPTIMIZE },
    { "pack", RG_OPTIMIZE }, { "batch", RG_OPTIMIZE }, { "accumulate", RG_OPTIMIZE },
    { "chunk", RG_OPTIMIZE }, { "columns", RG_OPTIMIZE }, { "fuse", RG_OPTIMIZE },
    { "slots", RG_OPTIMIZE }, { "inplace", RG_OPTIMIZE }, { "regions", RG_OPTIMIZE },
    { "split join reduce pack batch accumulate chunk columns fuse slots "
      "inplace regions", RG_OPTIMIZE },
    { "", RG_INTERPRET },
};

static void run_ablation(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_net whole;
    rgb_net_open(&whole, s, &(rg_plan_opts){ .threads = opts->threads });
    for (size_t k = 0; k < sizeof ablations / sizeof *ablations; k++) {
        const struct ablation *a = &ablations[k];
        rgb_net n;
        if (a->effort == RG_INTERPRET && rgb_flop(s) > 1e9)
            continue; /* minutes */
        rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads, .disable = a->without,
                                             .effort = a->effort });
        const rgb_body body[] = { { rgb_net_run, &n }, { rgb_net_run, &whole } };
        const rgb_race race = rgb_race_of(body, 2, opts);
        rgb_begin(row);
        rgb_shape_line(s, opts->threads);
        rgb_text("effort", a->effort ? "interpret" : "optimize");
        rgb_text("disable", a->without);
        rgb_times(race.time[0]);
        rgb_number("p_fma", race.peak);
        rgb_number("whole_ms", 1e3 * race.time[1].min);
        rgb_number("gain", race.time[0].min / race.time[1].min);
        rgb_number("bytes", rgb_bytes(&n, s));
        rgb_number("whole_bytes", rgb_bytes(&whole, s));
        rgb_end();
        rgb_net_close(&n);
    }
    rgb_net_close(&whole);
}

/* ---- G3, G4: what a step of the plan costs beside its work; does time grow with T only? ------ */

static void run_overhead(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_net n;
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads });
    const rgb_time t = rgb_measure(rgb_net_run, &n, opts);
    const rg_plan_report r = rg_plan_facts(n.plan);
    rgb_begin(row);
    rgb_shape_line(s, r.threads);
    rgb_times(t);
    rgb_number("steps", (double)r.steps);
    rgb_number("ns_instr", 1e9 * t.min / (double)r.steps);
    rgb_end();
    rgb_net_close(&n);
}

static void run_lengths(const rgb_row *row, const rgb_opts *opts)
{
    static const int64_t T[] = { 50, 200, 1000, 4000 };
    double first = 0;
    for (size_t i = 0; i < sizeof T / sizeof *T; i++) {
        rgb_shape s = *(const rgb_shape *)row->arg;
        rgb_net n;
        s.T = T[i];
        rgb_net_open(&n, &s, &(rg_plan_opts){ .threads = opts->threads });
        const rgb_time t = rgb_measure(rgb_net_run, &n, opts);
        const double each = 1e6 * t.min / (double)T[i];
        first = i ? first : each;
        rgb_begin(row);
        rgb_shape_line(&s, opts->threads);
        rgb_times(t);
        rgb_number("us_per_step", each);
        rgb_number("to_first", each / first);
        rgb_end();
        rgb_net_close(&n);
    }
}

/* ---- H: memory ------------------------------------------------------------------------------ */

static void run_memory(const rgb_row *row, const rgb_opts *opts)
{
    const rgb_shape *s = row->arg;
    rgb_net n;
    rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads });
    rgb_begin(row);
    rgb_shape_line(s, opts->threads);
    rgb_number("bytes", rgb_bytes(&n, s));
    rgb_number("bytes_bound", rgb_bytes_bound(s));
    rgb_number("bytes_ratio", rgb_bytes(&n, s) / rgb_bytes_bound(s));
    rgb_end();
    rgb_net_close(&n);
}

/* States at so many parts of those of the full plan; the rest of its memory stays. */
static void run_budget(const rgb_row *row, const rgb_opts *opts)
{
    static const double part[] = { 0.50, 0.35 };
    const rgb_shape *s = row->arg;
    const double states = sizeof(float) * rgb_cell_of(s->cell)->states *
                          (double)(s->T * s->B * s->H);
    rgb_net whole, n;
    rgb_net_open(&whole, s, &(rg_plan_opts){ .threads = opts->threads });
    const size_t arena = rg_plan_facts(whole.plan).arena_bytes;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        const size_t budget = arena - (size_t)((1 - part[i]) * states);
        rgb_net_open(&n, s, &(rg_plan_opts){ .threads = opts->threads, .budget_bytes = budget });
        rgb_begin(row);
        rgb_shape_line(s, opts->threads);
        rgb_number("states", part[i]);
        rgb_number("budget", (double)budget);
        rgb_number("whole_bytes", (double)arena);
        if (n.plan) {
            const rgb_body body[] = { { rgb_net_run, &n }, { rgb_net_run, &whole } };
            const rgb_race race = rgb_race_of(body, 2, opts);
            rgb_number("bytes", (double)rg_plan_facts(n.plan).arena_bytes);
            rgb_times(race.time[0]);
            rgb_number("whole_ms", 1e3 * race.time[1].min);
            rgb_number("time", race.time[0].min / race.time[1].min);
        } else {
            rgb_text("refused", rg_graph_message(n.graph));
        }
        rgb_end();
        rgb_net_close(&n);
    }
    rgb_net_close(&whole);
}

#define ROW(name, about, run, cell, ...) \
    { name, about, run, &(const rgb_shape)RGB_SHAPE(cell, __VA_ARGS__) }
#define A1 64, 64, 128, 256, 1, false
static const rgb_row rows[] = {
    ROW("B3-peephole", "a user's peephole lstm against the built-in one", run_user_cell,
        "peephole", A1),
    ROW("B3-coupled", "a user's lstm of coupled gates", run_user_cell, "coupled", A1),
    ROW("B3-norm", "a user's layer-norm lstm", run_user_cell, "layer-norm", A1),
    ROW("B3-minimal", "a user's minimal gated unit", run_user_cell, "minimal", A1),
    ROW("C1-A1", "threads against one: A1", run_threads, "lstm", A1),
    ROW("C1-A3", "threads against one: A3", run_threads, "lstm", 100, 32, 512, 512, 1, false),
    ROW("C1-A4", "threads against one: A4", run_threads, "lstm", 50, 64, 256, 256, 1, false),
    ROW("C1-A5", "threads against one: A5", run_threads, "lstm", 50, 128, 256, 1024, 1, false),
    ROW("C2-A2", "threads against one: A2", run_threads, "lstm", 35, 20, 200, 200, 1, false),
    ROW("C2-A12", "threads against one: A12", run_threads, "lstm", 50, 16, 128, 128, 1, false),
    ROW("C3", "threads against one: one row, T128 I512 H512", run_threads, "lstm", 128, 1, 512,
        512, 1, false),
    ROW("D2", "threads against one: D1-256", run_threads, "lstm", 64, 1, 256, 256, 1, true),
    ROW("F1-A1", "passes left out: A1", run_ablation, "lstm", A1),
    ROW("F1-small", "passes left out: T35 B20 I64 H64", run_ablation, "lstm", 35, 20, 64, 64, 1,
        false),
    ROW("G3", "time per step of the plan: T100 B1 I8 H8", run_overhead, "lstm", 100, 1, 8, 8, 1,
        false),
    ROW("G4", "time per time step, T 50 to 4000, B16 H128", run_lengths, "lstm", 50, 16, 128, 128,
        1, false),
    ROW("H1-A1", "memory against its bound: A1", run_memory, "lstm", A1),
    ROW("H1-A2", "memory: A2", run_memory, "lstm", 35, 20, 200, 200, 1, false),
    ROW("H1-A3", "memory: A3", run_memory, "lstm", 100, 32, 512, 512, 1, false),
    ROW("H1-A4", "memory: A4", run_memory, "lstm", 50, 64, 256, 256, 1, false),
    ROW("H1-A5", "memory: A5", run_memory, "lstm", 50, 128, 256, 1024, 1, false),
    ROW("H1-A6", "memory: A6", run_memory, "lstm", 35, 20, 650, 650, 1, false),
    ROW("H1-A7", "memory: A7", run_memory, "lstm", 28, 128, 28, 128, 1, false),
    ROW("H1-A8", "memory: A8", run_memory, "lstm", 784, 64, 1, 128, 1, false),
    ROW("H1-A9", "memory: A9", run_memory, "lstm", 50, 64, 64, 64, 1, false),
    ROW("H1-gru", "memory: B1", run_memory, "gru", A1),
    ROW("H1-rnn", "memory: B2", run_memory, "rnn", A1),
    ROW("H2", "time under a byte budget: T250 B32 I128 H256", run_budget, "lstm", 250, 32, 128,
        256, 1, false),
};

const rgb_rows rgb_against = { rows, sizeof rows / sizeof *rows };
