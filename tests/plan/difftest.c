/* tests/plan/difftest.c -- every pass, placement and thread count against the interpreter, on
 * random graphs.
 *
 *     difftest [--graphs N] [--seed S] [--steps N] [--dump]
 *
 * Graph k of a run has the seed S + k. A graph that fails is cut down to its fewest steps,
 * printed with the plan that computed it, and the passes are left out one by one to find the
 * guilty one. */
#include "plan/pipeline.h"
#include "tests/plan/random_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct trial {
    rg_dtype    real;
    const char *disable;
    int         threads;
    bool        poison, keep;
};

/* What is held against what: values of all roots as double, one behind the other. */
struct values {
    double *x;
    size_t  n;
    int     status;
};

static char why[512];
static struct trial failed_trial; /* the last that did not hold */

static struct values read_roots(const random_graph *r, rg_plan *plan, rg_dtype real)
{
    struct values v = { .n = 0 };
    for (size_t i = 0; i < r->n_root; i++)
        v.n += (size_t)rg_shape_count(rg_shape_of(r->root[i]));
    if (!(v.x = calloc(v.n + 1, sizeof *v.x)))
        abort();
    size_t at = 0;
    for (size_t i = 0; i < r->n_root; i++) {
        const void *data = rg_plan_data(plan, r->root[i]);
        const size_t n = (size_t)rg_shape_count(rg_shape_of(r->root[i]));
        const rg_kind kind = rg_kind_of(r->root[i]);
        for (size_t k = 0; k < n; k++)
            v.x[at++] = kind == RG_INT ? ((const int32_t *)data)[k]
                      : kind == RG_BOOL ? ((const uint8_t *)data)[k]
                      : real == RG_F64 ? ((const double *)data)[k]
                                       : (double)((const float *)data)[k];
    }
    return v;
}

/* Two runs, so that memory of the first could leak into the second. */
static struct values compute(const random_graph *r, rg_effort effort, const struct trial *t)
{
    rg_plan *plan;
    struct values v = { .x = NULL };
    const rg_plan_opts opts = {
        .real = t->real, .mode = RG_TRAIN, .effort = effort, .threads = t->threads,
        .disable = t->disable, .verify = true, .poison = t->poison, .keep = t->keep,
    };
    if ((v.status = rg_plan_create(&plan, r->root, r->n_root, &opts))) {
        (void)snprintf(why, sizeof why, "plan: %s", rg_graph_message(r->graph));
        return v;
    }
    void *bound = random_graph_bind(r, plan, t->real);
    for (int run = 0; run < 2 && !v.status; run++)
        if ((v.status = rg_plan_run(plan)))
            (void)snprintf(why, sizeof why, "run: %s", rg_plan_message(plan));
    if (!v.status) {
        const int status = v.status;
        v = read_roots(r, plan, t->real);
        v.status = status;
    }
    rg_plan_destroy(&plan);
    free(bound);
    return v;
}

/* Largest finite difference, in units of the scale; infinite where one is finite or NaN alone. */
static double distance(const struct values *a, const struct values *b)
{
    double scale = 1, worst = 0;
    for (size_t i = 0; i < a->n; i++)
        if (isfinite(a->x[i]) && fabs(a->x[i]) > scale)
            scale = fabs(a->x[i]);
    for (size_t i = 0; i < a->n; i++) {
        const double x = a->x[i], y = b->x[i];
        if (isnan(x) != isnan(y) || isinf(x) != isinf(y) || (isinf(x) && x != y))
            return INFINITY;
        if (isfinite(x) && fabs(x - y) / scale > worst)
            worst = fabs(x - y) / scale;
    }
    return worst;
}

static bool same_bits(const struct values *a, const struct values *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(&a->x[i], &b->x[i], sizeof a->x[i]) && !(isnan(a->x[i]) && isnan(b->x[i])))
            return false;
    return true;
}

static double tolerance(rg_dtype real, bool nonfinite)
{
    (void)nonfinite;
    return real == RG_F64 ? 1e-11 : 2e-4;
}

static double worst_seen[2];

/* One plan against the interpreter, or bit for bit against another plan; true if it holds. */
static bool holds(const random_graph *r, const struct trial *t, const struct values *want,
                  bool bits)
{
    struct values have = compute(r, RG_OPTIMIZE, t);
    const double d = have.status ? INFINITY : distance(want, &have);
    const bool ok = !have.status && (bits ? same_bits(want, &have) : d <= tolerance(t->real, 0));
    if (ok && !bits && d > worst_seen[t->real])
        worst_seen[t->real] = d;
    if (!ok)
        failed_trial = *t;
    if (!ok && !have.status)
        (void)snprintf(why, sizeof why, "%s, without '%s', %d threads%s%s: off by %g%s",
                       t->real == RG_F64 ? "f64" : "f32", t->disable ? t->disable : "", t->threads,
                       t->poison ? ", poison" : "", t->keep ? ", keep" : "", d,
                       bits ? ", and bits should be equal" : "");
    free(have.x);
    return ok;
}

/* Interpreter against: everything; two threads, and often three or four with poison, bit for bit;
 * poison; keep; one pass off; all off. */
static bool check(const random_graph *r, uint64_t seed)
{
    static char alone[64];
    const rg_dtype real = seed % 3 == 0 ? RG_F32 : RG_F64;
    const char *pass = rg_pipeline_name(seed / 3 % 15);
    struct trial t = { .real = real, .threads = 1 };
    struct values oracle = compute(r, RG_INTERPRET, &t);
    if (oracle.status)
        return false;
    struct values plan = compute(r, RG_OPTIMIZE, &t);
    bool ok = !plan.status && holds(r, &t, &oracle, false);
    t.disable = "solo";
    t.threads = 2;
    ok = ok && holds(r, &t, &plan, true);
    t.threads = seed % 8 == 0 ? 3 : 4;
    t.poison = true;
    ok = ok && (seed % 4 || holds(r, &t, &plan, true));
    t.disable = "";
    t.threads = 1;
    t.poison = true;
    ok = ok && holds(r, &t, &plan, true);
    t.keep = true;
    ok = ok && holds(r, &t, &oracle, false);
    t.keep = false;
    (void)snprintf(alone, sizeof alone, "%s", pass);
    t.disable = alone;
    ok = ok && holds(r, &t, &oracle, false);
    t.disable = "fold cse dce split join reduce pack batch accumulate fuse slots inplace regions";
    ok = ok && holds(r, &t, &oracle, false);
    free(oracle.x);
    free(plan.x);
    return ok;
}

static bool passes(uint64_t seed, int steps, size_t *nodes)
{
    random_graph r;
    random_graph_make(&r, seed, steps);
    bool ok = !r.broken && check(&r, seed);
    if (r.broken)
        (void)snprintf(why, sizeof why, "the generator: %s", rg_graph_message(r.graph));
    rg_val all[1];
    *nodes += rg_graph_params(all, 0, r.graph);
    random_graph_free(&r);
    return ok;
}

/* ---- When it does not ----------------------------------------------------------------------- */

static void print_case(const random_graph *r, const struct trial *t)
{
    rg_plan *plan;
    const rg_plan_opts opts = { .real = t->real, .mode = RG_TRAIN, .threads = 1,
                                .disable = t->disable };
    rg_graph_print(r->graph, rg_to_file, stdout);
    (void)printf("roots:");
    for (size_t i = 0; i < r->n_root; i++)
        (void)printf(" %%%u", (unsigned)r->root[i].id);
    (void)printf("\n");
    if (rg_plan_create(&plan, r->root, r->n_root, &opts))
        return;
    rg_print_nodes(plan, rg_to_file, stdout);
    rg_plan_print(plan, rg_to_file, stdout);
    rg_plan_destroy(&plan);
}

/* Which pass, left out, makes it right? */
static void find_guilty(const random_graph *r, const struct trial *t, const struct values *oracle)
{
    char both[128];
    struct trial one = *t;
    for (size_t i = 0; rg_pipeline_name(i); i++) {
        (void)snprintf(both, sizeof both, "%s %s", t->disable, rg_pipeline_name(i));
        one.disable = both;
        (void)printf("without %s: %s\n", both, holds(r, &one, oracle, false) ? "right" : "wrong");
    }
}

static void report(uint64_t seed, int steps, bool dump)
{
    random_graph r;
    size_t nodes = 0;
    int fewest = 0;
    while (fewest < steps && passes(seed, fewest, &nodes))
        fewest++;
    (void)passes(seed, fewest, &nodes);
    (void)printf("seed %llu fails with %d steps: %s\n", (unsigned long long)seed, fewest, why);
    random_graph_make(&r, seed, fewest);
    struct trial t = failed_trial;
    t.disable = t.disable ? t.disable : "";
    struct values oracle = compute(&r, RG_INTERPRET, &t);
    if (!r.broken && !oracle.status)
        find_guilty(&r, &t, &oracle);
    if (dump && !r.broken)
        print_case(&r, &t);
    free(oracle.x);
    random_graph_free(&r);
}

int main(int argc, char **argv)
{
    unsigned long long seed = 1, graphs = 2000;
    int steps = 0, failed = 0;
    bool dump = false;
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--graphs") == 0)
            graphs = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--steps") == 0)
            steps = atoi(argv[++i]);
        else if (strcmp(argv[i], "--dump") == 0)
            dump = true;
        else
            return (void)fprintf(stderr, "difftest [--graphs N] [--seed S] [--steps N] "
                                         "[--dump]\n"), 2;
    }
    const time_t start = time(NULL);
    size_t nodes = 0;
    for (unsigned long long k = 0; k < graphs && failed < 5; k++) {
        const int n = steps ? steps : 1 + (int)((seed + k) * 7 % 24);
        if (passes(seed + k, n, &nodes))
            continue;
        report(seed + k, n, dump);
        failed++;
    }
    (void)printf("difftest: %llu graphs from seed %llu, %d failed, worst %.2g (f64) %.2g (f32), "
                 "%lld s\n", graphs, seed, failed, worst_seen[RG_F64], worst_seen[RG_F32],
                 (long long)(time(NULL) - start));
    return failed != 0;
}
