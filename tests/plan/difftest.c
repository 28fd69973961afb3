/* tests/plan/difftest.c -- every pass, placement and thread count against the interpreter, on
 * random graphs.
 *
 *     difftest [--graphs N] [--seed S] [--jobs J]
 *     difftest --seed S --steps N [--roots ID,...] [--cut ID,...] [--dump]
 *
 * Graph k of a run has the seed S + k. Its program, run with reference kernels in f64, must be what
 * the interpreter says after every pass of the pipeline, after each pass alone, and after all of
 * them in a shuffled order: to the bit where the law of the pass says exact, else to 1e-12. Plans
 * must agree too: with one pass left out, all left out, dead memory poisoned, every value kept, any
 * number of threads. A graph that fails is cut down to the nodes that it takes and printed with
 * the line that makes it again. A run begins with passes that are wrong on purpose and must be
 * found. */
#include "tests/plan/diffchecks.h"
#include "tests/plan/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct hunt { uint64_t seed; size_t check; };

static bool fails_again(void *user, const random_graph *r)
{
    const struct hunt *h = user;
    return diff_failing(r, h->seed, h->check) == h->check;
}

/* ---- When it does not hold ------------------------------------------------------------------ */

static void print_data(const random_graph *r)
{
    enum { FEW = 12 };
    for (size_t i = 0; i < r->n_input; i++) {
        const int64_t n = rg_shape_count(rg_shape_of(r->input[i]));
        (void)printf("input %%%u =", (unsigned)r->input[i].id);
        for (int64_t k = 0; k < n && k < FEW; k++)
            (void)printf(" %.17g", r->data[i][k]);
        (void)printf("%s\n", n > FEW ? " ..." : "");
    }
}

static void print_roots(const random_graph *r)
{
    (void)printf("roots:");
    for (size_t i = 0; i < r->n_root; i++)
        (void)printf(" %%%u", (unsigned)r->root[i].id);
    (void)printf("\n");
}

/* The graph, its numbers, and what the pipeline makes of it. */
static void print_case(const random_graph *r)
{
    program p = { .made = false };
    rg_graph_print(r->graph, rg_to_file, stdout);
    print_roots(r);
    print_data(r);
    bool ok = !program_make(&p, r, true, true, true);
    for (size_t i = 0; i < n_tested_passes && ok; i++)
        ok = !program_pass(&p, &diff.passes[i]);
    (void)printf("after all passes%s:\n", ok ? "" : " up to one that is refused");
    program_print(&p);
    (void)program_free(&p);
}

static void print_ids(const char *option, const uint32_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)printf("%s%u", i ? "," : option, (unsigned)id[i]);
}

/* The fewest steps that fail, then the fewest nodes; -> how many nodes are left. */
static size_t report(uint64_t seed, int steps, bool print)
{
    random_graph r, left;
    int fewest = 0;
    size_t k = DIFF_CHECKS;
    for (; k == DIFF_CHECKS && fewest <= steps; fewest += k == DIFF_CHECKS) {
        random_graph_make(&r, seed, fewest);
        k = diff_failing(&r, seed, DIFF_CHECKS);
        if (k == DIFF_CHECKS)
            random_graph_free(&r);
    }
    if (k == DIFF_CHECKS)
        return 0;
    struct hunt hunt = { seed, k };
    if (r.broken) {
        random_graph_free(&r);
        return 0;
    }
    const edits e = shrink(&r, fails_again, &hunt);
    edited_make(&left, &r, &e);
    (void)diff_failing(&left, seed, k);
    const size_t n = edited_size(&left);
    if (print) {
        (void)printf("FAIL: difftest --seed %llu --steps %d", (unsigned long long)seed, fewest);
        print_ids(" --roots ", e.root, e.n_root);
        print_ids(" --cut ", e.cut, e.n_cut);
        (void)printf("\n%s\n", diff.why);
        print_case(&left);
    }
    edited_free(&left);
    random_graph_free(&r);
    return n;
}

/* Is each found, and cut down to a handful of nodes? */
static bool finds_what_is_wrong(void)
{
    tested_pass mine[16];
    bool ok = true;
    for (size_t w = 0; w < n_wrong_passes && ok; w++) {
        size_t found = DIFF_CHECKS, left = 0;
        memcpy(mine, tested_passes, n_tested_passes * sizeof *mine);
        for (size_t i = 0; i < n_tested_passes; i++)
            if (strcmp(mine[i].name, wrong_passes[w].in_place_of) == 0)
                mine[i].run = wrong_passes[w].run;
        diff.passes = mine;
        for (uint64_t seed = 1; seed < 200 && found == DIFF_CHECKS; seed++) {
            random_graph r;
            random_graph_make(&r, seed, 8);
            if ((found = diff_failing(&r, seed, DIFF_CHECKS)) < DIFF_CHECKS)
                left = report(seed, 8, false);
            random_graph_free(&r);
        }
        ok = found < 3 && left >= 1 && left <= wrong_passes[w].most;
        if (!ok)
            (void)printf("a wrong '%s' was %s; %zu nodes left\n", wrong_passes[w].in_place_of,
                         found < DIFF_CHECKS ? "found" : "not found", left);
    }
    diff.passes = tested_passes;
    return ok;
}

/* ---- The run -------------------------------------------------------------------------------- */

struct run {
    unsigned long long seed, graphs;
    int      steps, jobs;
    bool     dump;
    edits    edit;
};

static int steps_of(const struct run *o, uint64_t seed)
{
    return o->steps >= 0 ? o->steps : 1 + (int)(seed * 7 % 16);
}

/* One graph as the options say, cut or not. */
static bool single(const struct run *o)
{
    random_graph r, left;
    random_graph_make(&r, o->seed, steps_of(o, o->seed));
    edits e = o->edit.n_root ? o->edit : edits_none(&r);
    edited_make(&left, &r, &e);
    const bool ok = diff_failing(&left, o->seed, DIFF_CHECKS) == DIFF_CHECKS;
    (void)printf("%s\n", ok ? "holds" : diff.why);
    if (o->dump)
        print_case(&left);
    edited_free(&left);
    random_graph_free(&r);
    return ok;
}

/* The graph of a seed; what is wrong with it is told. */
static bool holds(const struct run *o, uint64_t seed, unsigned long long *nodes)
{
    random_graph r;
    random_graph_make(&r, seed, steps_of(o, seed));
    *nodes += r.graph->n_node;
    const bool ok = diff_failing(&r, seed, DIFF_CHECKS) == DIFF_CHECKS;
    random_graph_free(&r);
    if (ok)
        return true;
    (void)printf("seed %llu with %d steps: %s\n", (unsigned long long)seed, steps_of(o, seed),
                 diff.why);
    (void)fflush(stdout);
    if (!report(seed, steps_of(o, seed), true))
        (void)printf("and not again\n");
    (void)fflush(stdout);
    return false;
}

/* Graphs that found something once, where few do. */
static const uint64_t once_failed[] = { 780900,   92022413, 95034982, 95036769,
                                        95308826, 95316826, 95328438, 97042692,
                                        4242038488, 4242079337 };

/* Every jobs-th graph, beginning with the job-th. */
static int work(const struct run *o, int job)
{
    const time_t start = time(NULL);
    unsigned long long done = 0, nodes = 0;
    int failed = job == 0 && !finds_what_is_wrong() ? 5 : 0;
    for (size_t i = 0; job == 0 && i < sizeof once_failed / sizeof *once_failed; i++)
        failed += !holds(o, once_failed[i], &nodes);
    for (unsigned long long k = (unsigned)job; k < o->graphs && failed < 5;
         k += (unsigned)o->jobs, done++)
        failed += !holds(o, o->seed + k, &nodes);
    (void)printf("difftest: %llu graphs of %llu nodes from seed %llu, %d failed; worst %.2g "
                 "(programs) %.2g (f64 plans) %.2g (f32 plans); %lld s\n", done, nodes,
                 o->seed + (unsigned)job, failed, diff.worst_program, diff.worst_plan[RG_F64],
                 diff.worst_plan[RG_F32], (long long)(time(NULL) - start));
    return failed != 0;
}

/* So many processes. This one stays without threads, which would not survive the fork. */
static int all(const struct run *o)
{
    int status, bad = 0;
    for (int job = 0; job < o->jobs; job++) {
        const pid_t pid = fork();
        if (pid < 0)
            return perror("difftest: fork"), 1;
        if (pid == 0) {
            const int code = work(o, job);
            (void)fflush(stdout);
            _exit(code);
        }
    }
    while (wait(&status) > 0) {
        bad |= !WIFEXITED(status) || WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            (void)printf("a job died of signal %d\n", WTERMSIG(status));
    }
    return bad;
}

static size_t read_ids(uint32_t *id, size_t most, char *list)
{
    size_t n = 0;
    for (char *at = strtok(list, ","); at && n < most; at = strtok(NULL, ","))
        id[n++] = (uint32_t)strtoul(at, NULL, 10);
    return n;
}

static bool read_options(struct run *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--dump") == 0) {
            o->dump = true;
            continue;
        }
        if (!value)
            return false;
        if (strcmp(argv[i], "--graphs") == 0)
            o->graphs = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            o->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--steps") == 0)
            o->steps = atoi(value);
        else if (strcmp(argv[i], "--jobs") == 0)
            o->jobs = atoi(value);
        else if (strcmp(argv[i], "--roots") == 0)
            o->edit.n_root = read_ids(o->edit.root, RG_RANDOM_ROOTS, value);
        else if (strcmp(argv[i], "--cut") == 0)
            o->edit.n_cut = read_ids(o->edit.cut, SHRINK_CUTS, value);
        else
            return false;
        i++;
    }
    return o->jobs >= 1 && o->jobs <= 64;
}

int main(int argc, char **argv)
{
    struct run o = { .seed = 1, .graphs = 5000, .steps = -1, .jobs = 2 };
    if (!read_options(&o, argc, argv))
        return (void)fprintf(stderr, "difftest [--graphs N] [--seed S] [--jobs J] [--steps N] "
                             "[--roots ID,...] [--cut ID,...] [--dump]\n"), 2;
    if (!tested_passes_are_all())
        return (void)printf("a pass of the pipeline is not tested\n"), 1;
    if (o.steps >= 0)
        return !single(&o);
    return all(&o);
}
