/* train/problems.c -- sequences with an answer, made row by row from (seed, row), and batches of
 * them from (seed, step). */
#include <retrograd/experiments.h>

#include "base/philox.h"

#include <math.h>
#include <string.h>

/* Random numbers of one row: element i of the stream (problem, row). */
typedef struct source {
    uint64_t seed, tail;
} source;

/* A row's number goes into the stream's hash, all 64 bits of it. */
static source source_of(const char *name, uint64_t seed, uint64_t row)
{
    return (source){ seed, rg_fnv1a(name) ^ (row * UINT64_C(0x9e3779b97f4a7c15)) };
}

static double uniform(const source *s, uint64_t i)
{
    return rg_draw_uniform(s->seed, RG_DOMAIN_USER, s->tail, i);
}

static int64_t below(const source *s, uint64_t i, int64_t n)
{
    return (int64_t)rg_draw_below(s->seed, RG_DOMAIN_USER, s->tail, i, (uint64_t)n);
}

static void put_symbol(const rg_problem_row *out, int64_t t, int64_t symbol, int64_t I)
{
    double *x = out->x + (size_t)t * out->x_step;
    memset(x, 0, (size_t)I * sizeof *x);
    x[symbol] = 1;
}

/* ---- Adding --------------------------------------------------------------------------------- */

static void adding_row(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r)
{
    const source s = source_of("adding", seed, r);
    const int64_t T = p->T, half = T / 2;
    const int64_t first = below(&s, 0, half), second = half + below(&s, 1, T - half);
    out->number[0] = 0;
    for (int64_t t = 0; t < T; t++) {
        double *x = out->x + (size_t)t * out->x_step;
        const bool marked = t == first || t == second;
        x[0] = uniform(&s, 2 + (uint64_t)t);
        x[1] = marked;
        out->number[0] += marked ? x[0] : 0;
    }
}

rg_problem rg_problem_adding(int64_t T)
{
    if (T < 2)
        return (rg_problem){ .name = NULL };
    return (rg_problem){ .name = "adding", .T = T, .I = 2, .O = 1, .blind_loss = 1.0 / 6,
                         .blind_accuracy = NAN, .train = 16000, .test = 2000, .row = adding_row };
}

/* ---- Copy ----------------------------------------------------------------------------------- */

enum { SYMBOLS = 8, LENGTH = 10, BLANK = 0, SIGN = SYMBOLS + 1 };

static void copy_row(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r)
{
    const source s = source_of("copy", seed, r);
    const int64_t T = p->T, again = T - LENGTH;
    for (int64_t t = 0; t < T; t++) {
        int64_t in = t < LENGTH ? 1 + below(&s, (uint64_t)t, SYMBOLS) : t == again - 1 ? SIGN
                   : BLANK;
        int64_t said = t < again ? BLANK : 1 + below(&s, (uint64_t)(t - again), SYMBOLS);
        put_symbol(out, t, in, p->I);
        out->label[(size_t)t * out->label_step] = (int32_t)said;
    }
}

rg_problem rg_problem_copy(int64_t T)
{
    if (T < 1)
        return (rg_problem){ .name = NULL };
    return (rg_problem){ .name = "copy", .T = T + 2 * LENGTH, .I = SYMBOLS + 2, .O = SYMBOLS + 1,
                         .classes = true, .every_step = true, .scored = LENGTH,
                         .blind_loss = LENGTH * log(SYMBOLS) / (double)(T + 2 * LENGTH),
                         .blind_accuracy = 1.0 / SYMBOLS, .test = 1000, .row = copy_row };
}

/* ---- Temporal order ------------------------------------------------------------------------- */

static void order_row(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r)
{
    const source s = source_of("order", seed, r);
    const int64_t T = p->T, tenth = T / 10, half = T / 2;
    const int64_t label = below(&s, 0, 4);
    const int64_t one = tenth + below(&s, 1, T / 5 - tenth);
    const int64_t two = half + below(&s, 2, 3 * T / 5 - half);
    for (int64_t t = 0; t < T; t++) {
        int64_t symbol = t == one ? 4 + label / 2 : t == two ? 4 + label % 2
                       : below(&s, 3 + (uint64_t)t, 4);
        put_symbol(out, t, symbol, p->I);
    }
    out->label[0] = (int32_t)label;
}

rg_problem rg_problem_order(int64_t T)
{
    if (T < 10)
        return (rg_problem){ .name = NULL };
    return (rg_problem){ .name = "order", .T = T, .I = 6, .O = 4, .classes = true,
                         .blind_loss = log(4), .blind_accuracy = 0.25, .test = 2000,
                         .row = order_row };
}

/* ---- Data in memory ------------------------------------------------------------------------- */

static void series_row(const rg_problem *p, const rg_problem_row *out, uint64_t seed, uint64_t r)
{
    const rg_problem_data *d = p->data;
    const uint64_t i = r < RG_TEST_ROWS ? r : d->train + (r - RG_TEST_ROWS);
    const double *x = d->x + (size_t)i * (size_t)(p->T * p->I);
    (void)seed;
    for (int64_t t = 0; t < p->T; t++)
        memcpy(out->x + (size_t)t * out->x_step, x + t * p->I, (size_t)p->I * sizeof *x);
    out->label[0] = d->label[i];
}

rg_problem rg_problem_series(const char *name, const rg_problem_data *data, int64_t T, int64_t I,
                             int64_t classes)
{
    if (!name || !data || !data->x || !data->label || data->train < 1 || data->n <= data->train ||
        T < 1 || I < 1 || classes < 2)
        return (rg_problem){ .name = NULL };
    return (rg_problem){ .name = name, .T = T, .I = I, .O = classes, .classes = true,
                         .blind_loss = log((double)classes), .blind_accuracy = 1 / (double)classes,
                         .train = data->train, .test = data->n - data->train, .row = series_row,
                         .data = data };
}

/* ---- Batches -------------------------------------------------------------------------------- */

/* Place i of 0 .. n-1 in the order of an epoch: a Feistel cipher of four rounds on the next even
 * number of bits, again until it falls below n (Black & Rogaway, "Ciphers with arbitrary finite
 * domains", 2002). */
static uint64_t shuffled(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch)
{
    unsigned half = 1;
    while (half < 24 && UINT64_C(1) << 2 * half < n)
        half++;
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    const uint64_t tail = rg_stream_tail(rg_fnv1a("epoch"), epoch);
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            const rg_philox_block b = rg_draw(seed, RG_DOMAIN_SHUFFLE, tail,
                                              (uint32_t)(round << 28 | right));
            const uint64_t next = left ^ (b.w[0] & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

/* Which row is row b of a step? */
static uint64_t row_of(const rg_problem *p, uint64_t seed, uint64_t place, bool test)
{
    if (test)
        return RG_TEST_ROWS + (p->test ? place % p->test : place);
    return p->train ? shuffled(place % p->train, p->train, seed, place / p->train)
                       : place;
}

void rg_problem_batch(const rg_problem *p, double *x, double *number, int32_t *label, int64_t B,
                      uint64_t seed, uint64_t step, bool test)
{
    if (!p || !p->row || !x || B < 1)
        return;
    for (int64_t b = 0; b < B; b++) {
        const rg_problem_row out = {
            .x = x + b * p->I, .x_step = (size_t)(B * p->I),
            .number = number ? number + b * p->O : NULL,
            .label = label ? label + b : NULL, .label_step = (size_t)B,
        };
        p->row(p, &out, seed, row_of(p, seed, step * (uint64_t)B + (uint64_t)b, test));
    }
}
