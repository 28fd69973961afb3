/* bench/bench.h -- the harness: rows by name, rounds, lines of JSON. */
#ifndef RG_BENCH_BENCH_H
#define RG_BENCH_BENCH_H

#include <retrograd/retrograd.h>

#include "base/clock.h"
#include "base/cpu.h"

typedef struct rgb_opts {
    int  threads;
    bool quick;       /* fewer rounds */
} rgb_opts;

/* A row prints one line or several. */
typedef struct rgb_row rgb_row;
struct rgb_row {
    const char *name, *about;
    void      (*run)(const rgb_row *row, const rgb_opts *opts);
    const void *arg;
};

typedef struct rgb_rows {
    const rgb_row *row;
    size_t         n;
} rgb_rows;

extern const rgb_rows rgb_cells, rgb_against, rgb_gates, rgb_planning, rgb_elementwise,
    rgb_optimizers, rgb_products, rgb_masks, rgb_gradflow;

/* ---- Time ----------------------------------------------------------------------------------- */

/* Seconds that this process has computed, all threads together. */
double rgb_cpu(void);

typedef struct rgb_time {
    double min, median;  /* seconds a call */
    double cpu;          /* least processor time a call, of each thread */
    int    rounds;
} rgb_time;

/* One round, and what many of them come to. */
typedef struct rgb_round {
    double wall, cpu;
} rgb_round;
rgb_time rgb_summary(rgb_round *round, int n, int threads);
enum { RGB_ROUNDS = 15, RGB_QUICK = 5 };

/* Call @p body until it is warm, then at least 15 rounds (5 when quick); a round of a short one is
 * many calls. */
rgb_time rgb_measure(void (*body)(void *arg), void *arg, const rgb_opts *opts);

/* ---- What the machine can do ---------------------------------------------------------------- */

/* A copy that no cache holds, by so many threads: its time, and the bytes read and written. */
rgb_time rgb_copy(double *bytes, const rgb_opts *opts);

/* A measurement, rg_measure_peak() in f32 taken before and after; repeated while that moves by more
 * than 5 %. */
typedef struct rgb_flops {
    rgb_time time;
    double   peak;
} rgb_flops;
rgb_flops rgb_measure_flops(void (*body)(void *arg), void *arg, const rgb_opts *opts);

/* Several in turns, round by round, so that a slow moment meets all of them; the peak likewise. */
enum { RGB_RACERS = 4 };
typedef struct rgb_body {
    void (*run)(void *arg);
    void  *arg;
} rgb_body;
typedef struct rgb_race {
    rgb_time time[RGB_RACERS];
    double   peak;
} rgb_race;
/* Calls of a round: a body that is short is called many times, so that it finds the caches as it
 * leaves them, not as its rivals do. */
int64_t rgb_calls_of(const rgb_body *body);
rgb_round rgb_one_round(const rgb_body *body, int64_t calls);
rgb_race rgb_race_of(const rgb_body *body, size_t n, const rgb_opts *opts);
/* The same without the peak. */
rgb_race rgb_race_rounds(const rgb_body *body, size_t n, const rgb_opts *opts);

/* OpenBLAS's product of 2048 x 2048 matrices in f32, columns over so many threads: GF/s. Once per
 * program. */
double rgb_gemm_speed(const rgb_opts *opts);

/* ---- Output --------------------------------------------------------------------------------- */

/* A line begins with the row's name, the machine and the commit, and ends with rgb_end(). */
void rgb_begin(const rgb_row *row);
void rgb_text(const char *key, const char *value);
void rgb_number(const char *key, double value);
/* "ms_min", "ms_med", "cpu_ms", "rounds"; "disturbed" where others had much of the processor. */
void rgb_times(rgb_time t);
/* "share" of what is possible, a time against the least; of one thread also "share_cpu", from
 * processor time. */
void rgb_share(rgb_time t, double least, double least_cpu, int threads);
void rgb_end(void);
/* serve.c: rounds as they are asked for on stdin. */
int rgb_serve(void);
/* check.c: is what is measured right? TAP; what the program ends with. */
int rgb_check_all(void);
/* A failed call of the library ends the program. */
void rgb_check(rg_status status, const char *message);

#endif
