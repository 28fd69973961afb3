/* cli/doctor.c -- `retrograd doctor`: is this installation sound? One line per test. */
#include "cli/cells.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The outcome of one test. */
typedef struct finding {
    const char *name;
    bool        good;
    char        what[256];
    const char *remedy;
} finding;

static const char report_it[] = "report this with the output of `retrograd info`";

static void show(const settings *s, const finding *f)
{
    if (s->json) {
        json_t *o = json_pack("{s:i, s:s, s:b, s:s, s:s}", "v", 1, "test", f->name, "good", f->good,
                              "what", f->what, "remedy", f->good ? "" : f->remedy);
        (void)json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    } else {
        printf("%-5s %-9s %s%s%s\n", f->good ? "good" : "BAD", f->name, f->what,
               f->good ? "" : "\n      remedy: ", f->good ? "" : f->remedy);
    }
    (void)fflush(stdout);
}

static void test_blas(finding *f, const settings *s)
{
    rg_build b = rg_build_info();
    int t = b.blas_threading;
    (void)s;
    *f = (finding){ .name = "blas", .good = t == 2 || t == 0, .remedy =
        "install libopenblas0-openmp and choose it: update-alternatives --config "
        "libopenblas.so.0-x86_64-linux-gnu" };
    (void)snprintf(f->what, sizeof f->what, "OpenBLAS %s, core %s", blas_name(t), b.blas_core);
}

/* What the library's self-test says, line by line. */
typedef struct lines {
    char   text[4096];
    size_t n;
} lines;

static void take_text(void *user, const char *text, size_t n)
{
    lines *l = user;
    size_t room = sizeof l->text - 1 - l->n;
    n = n < room ? n : room;
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

/* BLAS and every vector loop against plain ones. */
static bool test_kernels(const settings *s)
{
    lines l = { .n = 0 };
    bool good = rg_selftest(take_text, &l) == RG_OK;
    for (char *line = strtok(l.text, "\n"); line; line = strtok(NULL, "\n")) {
        finding f = { .name = "kernels", .good = strncmp(line, "ok", 2) == 0, .remedy =
            "report this with the output of `retrograd info`; until then build with -Disa=" };
        const char *what = line + strcspn(line, " ");
        (void)snprintf(f.what, sizeof f.what, "%.250s", what + strspn(what, " "));
        show(s, &f);
    }
    return good;
}

/* ---- The same bits on one thread and on all -------------------------------------------------- */

enum { T = 12, B = 8, V = 23, STEPS = 5 };

/* What a few updates of a small model end with. */
typedef struct ending {
    uint64_t bits;       /* hash of all weights; 0: failed */
    double   loss;
    char     message[96];
} ending;

static uint64_t hash_of(rg_params *params)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < rg_params_count(params); i++) {
        rg_param_info p = rg_params_at(params, i);
        size_t bytes = (size_t)rg_shape_count(p.shape) * sizeof(float);
        for (size_t k = 0; k < bytes; k++)
            hash = (hash ^ ((const unsigned char *)p.data)[k]) * 1099511628211u;
    }
    return hash;
}

static ending train_with(rg_plan_opts plan)
{
    int32_t text[T * B * (STEPS + 1) + 1];
    size_t n = sizeof text / sizeof *text;
    rg_params *params = NULL;
    rg_trainer *trainer = NULL;
    ending e = { .bits = 0 };
    for (size_t i = 0; i < n; i++)
        text[i] = (int32_t)(i * i % V);
    rg_trainer_opts opts = {
        .model = { .V = V, .hidden = 48, .layers = 2, .embed = 8, .dropout = 0.2 },
        .optim = { .lr = 1e-3, .clip_norm = 1 }, .T = T, .B = B, .plan = plan,
    };
    rg_status st = rg_params_create(&params, 3, NULL);
    if (st == RG_OK)
        st = rg_trainer_create(&trainer, params, (rg_span){ text, n }, &opts);
    for (int i = 0; st == RG_OK && i < STEPS; i++)
        st = rg_trainer_step(trainer);
    if (st)
        (void)snprintf(e.message, sizeof e.message, ": %.90s",
                       trainer ? rg_trainer_message(trainer) : rg_params_message(params));
    else
        e.bits = hash_of(params);
    e.loss = rg_trainer_facts(trainer).loss;
    rg_trainer_destroy(&trainer);
    rg_params_destroy(&params);
    return e;
}

static void test_plan(finding *f, const settings *s)
{
    (void)s;
    *f = (finding){ .name = "plan", .remedy = report_it };
    ending fast = train_with((rg_plan_opts){ .threads = 1 });
    ending reference = train_with((rg_plan_opts){ .threads = 1, .effort = RG_INTERPRET });
    double off = fabs(fast.loss - reference.loss) / fabs(reference.loss);
    f->good = fast.bits && reference.bits && off < 1e-5;
    (void)snprintf(f->what, sizeof f->what, "loss after %d updates off the interpreter's by "
                   "%.1e%s%s", STEPS, off, fast.message, reference.message);
}

static void test_threads(finding *f, const settings *s)
{
    int threads = s->threads ? (int)s->threads : rg_build_info().max_threads;
    *f = (finding){ .name = "threads", .remedy = report_it };
    ending one = train_with((rg_plan_opts){ .threads = 1 });
    ending all = train_with((rg_plan_opts){ .threads = threads });
    f->good = one.bits == all.bits && one.bits != 0;
    (void)snprintf(f->what, sizeof f->what, "%s on 1 thread and on %d%s",
                   f->good ? "the same bits" : "other bits", threads, all.message);
}

static void test_gradient(finding *f, const settings *s)
{
    (void)s;
    rg_params *params = NULL;
    rg_graph *graph = NULL;
    rg_gradcheck_report *report = NULL;
    *f = (finding){ .name = "gradient", .remedy = "report this with `retrograd gradcheck --json`" };
    rg_status st = rg_params_create(&params, 1, &(rg_params_opts){ .real = RG_F64 });
    if (st == RG_OK)
        st = rg_graph_create(&graph, params, NULL);
    if (st == RG_OK) {
        rg_cell cell = rg_lstm(graph, "lstm", 3, 4, NULL);
        rg_val X = rg_input(graph, "x", RG_F, RG_SHAPE(4, 2, 3));
        rg_val hs = rg_unroll(NULL, &cell, X, NULL, NULL);
        f->good = rg_gradcheck(&report, rg_mean(rg_square(hs)), NULL, 0, NULL) == RG_PASS;
    }
    (void)snprintf(f->what, sizeof f->what, "lstm: %.240s", report ? report->message : "no memory");
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&graph);
    rg_params_destroy(&params);
}

/* What shares of the peak in `retrograd profile` refer to. */
static void test_speed(finding *f, const settings *s)
{
    int threads = s->threads ? (int)s->threads : rg_build_info().max_threads;
    double f32 = rg_measure_peak(RG_F32, threads), f64 = rg_measure_peak(RG_F64, threads);
    *f = (finding){ .name = "peak", .good = f32 > 0 && f64 > 0, .remedy = report_it };
    (void)snprintf(f->what, sizeof f->what, "%.0f GF/s in f32, %.0f in f64: multiply-adds in %s "
                   "registers on %d thread%s", f32, f64, rg_build_info().isa, threads,
                   threads == 1 ? "" : "s");
}

static bool one_test(void (*test)(finding *f, const settings *s), const settings *s)
{
    finding f;
    test(&f, s);
    show(s, &f);
    return f.good;
}

int doctor_main(settings *s)
{
    bool good = one_test(test_blas, s);
    good &= test_kernels(s);
    good &= one_test(test_plan, s);
    good &= one_test(test_threads, s);
    good &= one_test(test_gradient, s);
    good &= one_test(test_speed, s);
    return good ? DONE : RUN_TIME;
}
