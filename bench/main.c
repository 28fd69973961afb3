/* bench/main.c -- rg_bench: rows by name, one line of JSON per figure. */
#define _POSIX_C_SOURCE 200809L
#include "bench/bench.h"

#include "bench/commit.h"
#include "kernels/team.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const rgb_rows *const all[] = { &rgb_cells, &rgb_against, &rgb_gates, &rgb_planning,
                                       &rgb_elementwise, &rgb_optimizers, &rgb_products,
                                       &rgb_masks, &rgb_gradflow };

double rgb_cpu(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = ((const rgb_round *)a)->wall, y = ((const rgb_round *)b)->wall;
    return (x > y) - (x < y);
}

rgb_time rgb_summary(rgb_round *round, int n, int threads)
{
    double cpu = round[0].cpu;
    for (int i = 1; i < n; i++)
        cpu = fmin(cpu, round[i].cpu);
    qsort(round, (size_t)n, sizeof *round, ascending);
    return (rgb_time){ round[0].wall, round[n / 2].wall, cpu / threads, n };
}

static rgb_round timed(void (*body)(void *arg), void *arg, int64_t calls)
{
    const double begin = rg_seconds(), cpu = rgb_cpu();
    for (int64_t i = 0; i < calls; i++)
        body(arg);
    return (rgb_round){ (rg_seconds() - begin) / (double)calls, (rgb_cpu() - cpu) / (double)calls };
}

int64_t rgb_calls_of(const rgb_body *body)
{
    static const double ROUND = 20e-3;
    body->run(body->arg);
    const double once = timed(body->run, body->arg, 1).wall;
    return once < ROUND ? (int64_t)(ROUND / fmax(once, 1e-7)) : 1;
}

rgb_round rgb_one_round(const rgb_body *body, int64_t calls)
{
    if (calls > 1)
        body->run(body->arg);
    return timed(body->run, body->arg, calls);
}

rgb_race rgb_race_rounds(const rgb_body *body, size_t n, const rgb_opts *opts)
{
    rgb_round round[RGB_RACERS][RGB_ROUNDS];
    int64_t calls[RGB_RACERS];
    rgb_race race = { .peak = 0 };
    const int rounds = opts->quick ? RGB_QUICK : RGB_ROUNDS;
    for (size_t k = 0; k < n; k++)
        calls[k] = rgb_calls_of(&body[k]);
    for (int i = 0; i < rounds; i++)
        for (size_t k = 0; k < n; k++)
            round[k][i] = rgb_one_round(&body[k], calls[k]);
    for (size_t k = 0; k < n; k++)
        race.time[k] = rgb_summary(round[k], rounds, opts->threads);
    return race;
}

rgb_time rgb_measure(void (*body)(void *arg), void *arg, const rgb_opts *opts)
{
    return rgb_race_rounds(&(const rgb_body){ body, arg }, 1, opts).time[0];
}

/* ---- Output --------------------------------------------------------------------------------- */

void rgb_text(const char *key, const char *value)
{
    (void)printf(",\"%s\":\"%s\"", key, value);
}

void rgb_number(const char *key, double value)
{
    if (isfinite(value))
        (void)printf(",\"%s\":%.6g", key, value);
}

/* "0.3.21 OpenMP Cooperlake" */
static const char *blas_name(const rg_build *b)
{
    static const char *const threading[] = { "serial", "pthread", "OpenMP" };
    static char text[96];
    const char *version = b->blas_config + strcspn(b->blas_config, "0123456789");
    (void)snprintf(text, sizeof text, "%.*s %s %s", (int)strcspn(version, " "), version,
                   b->blas_threading >= 0 && b->blas_threading < 3 ? threading[b->blas_threading]
                                                                   : "?", b->blas_core);
    return text;
}

static const char *cpu_name(void)
{
    static char line[256];
    FILE *f = *line ? NULL : fopen("/proc/cpuinfo", "r");
    char *name = NULL;
    while (f && !name && fgets(line, sizeof line, f))
        name = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
    if (f)
        (void)fclose(f);
    if (name) {
        name[strcspn(name, "\n\"\\")] = '\0';
        memmove(line, name + 2, strlen(name + 2) + 1);
    }
    return line;
}

void rgb_begin(const rgb_row *row)
{
    const rg_build b = rg_build_info();
    (void)printf("{\"row\":\"%s\"", row->name);
    rgb_text("isa", b.isa);
    rgb_text("blas", blas_name(&b));
    rgb_text("cpu", cpu_name());
    rgb_text("commit", RGB_COMMIT);
}

void rgb_share(rgb_time t, double least, double least_cpu, int threads)
{
    rgb_number("share", least / t.min);
    if (threads == 1)
        rgb_number("share_cpu", least_cpu / t.cpu);
}

void rgb_times(rgb_time t)
{
    rgb_number("ms_min", 1e3 * t.min);
    rgb_number("ms_med", 1e3 * t.median);
    rgb_number("cpu_ms", 1e3 * t.cpu);
    if (t.cpu < 0.9 * t.min)
        (void)printf(",\"disturbed\":true");
    rgb_number("rounds", t.rounds);
}

void rgb_end(void)
{
    (void)puts("}");
    (void)fflush(stdout);
}

void rgb_check(rg_status status, const char *message)
{
    if (!status)
        return;
    (void)fprintf(stderr, "rg_bench: %s: %s\n", rg_status_text(status), message);
    exit(1);
}

/* ---- The program ----------------------------------------------------------------------------- */

static int usage(int code)
{
    (void)fprintf(code ? stderr : stdout,
                  "usage: rg_bench [--list] [--row NAME]... [--threads N] [--quick] [--check]\n"
                  "NAME is a row, or the beginning of several; without one, all rows run.\n"
                  "One line of JSON per figure; see bench/README.md.\n");
    return code;
}

static bool is_row(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < all[i]->n; k++)
            if (strcmp(all[i]->row[k].name, name) == 0)
                return true;
    return false;
}

static bool wanted(const char *name, char *const *argv)
{
    bool any = false;
    for (size_t i = 1; argv[i]; i++)
        if (strcmp(argv[i], "--row") == 0 && argv[i + 1]) {
            const char *asked = argv[i + 1];
            any = true;
            if (is_row(asked) ? strcmp(name, asked) == 0 : strncmp(name, asked, strlen(asked)) == 0)
                return true;
        }
    return !any;
}

static int run_rows(char *const *argv, const rgb_opts *opts, bool list)
{
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < all[i]->n; k++) {
            const rgb_row *row = &all[i]->row[k];
            if (!wanted(row->name, argv))
                continue;
            n++;
            if (list)
                (void)printf("%-12s %s\n", row->name, row->about);
            else
                row->run(row, opts);
        }
    if (!n)
        (void)fprintf(stderr, "rg_bench: no row of that name; see --list\n");
    return n ? 0 : 2;
}

int main(int argc, char **argv)
{
    rgb_opts opts = { .threads = 1 };
    bool list = false;
    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0)
            return usage(0);
        if (strcmp(argv[i], "--check") == 0)
            return rgb_check_all();
        if (strcmp(argv[i], "--serve") == 0)
            return rgb_serve();
        if (strcmp(argv[i], "--list") == 0)
            list = true;
        else if (strcmp(argv[i], "--quick") == 0)
            opts.quick = true;
        else if (strcmp(argv[i], "--row") == 0 && more)
            i++;
        else if (strcmp(argv[i], "--threads") == 0 && more)
            opts.threads = atoi(argv[++i]);
        else
            return usage(2);
    }
    if (opts.threads < 1 || opts.threads > RG_TEAM_MAX) {
        (void)fprintf(stderr, "rg_bench: --threads takes 1 .. %d\n", RG_TEAM_MAX);
        return 2;
    }
    return run_rows(argv, &opts, list);
}
