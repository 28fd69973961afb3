/* cli/compare_data.c -- the digits: 8x8 images as sequences of rows and of pixels. */
#define _POSIX_C_SOURCE 200809L
#include "cli/compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 64, MOST = 4096, TEST_IN = 5 };

/* Every fifth image is for testing and goes to the end: neighbours are of one writer. */
static void split(comparison *c, size_t n)
{
    double *x = calloc(n * PIXELS, sizeof *x);
    int32_t *label = calloc(n, sizeof *label);
    size_t train = 0, test = n - (n + TEST_IN - 1) / TEST_IN;
    for (size_t i = 0; i < n && x && label; i++) {
        const size_t to = i % TEST_IN ? train++ : test++;
        memcpy(x + to * PIXELS, c->pixels + i * PIXELS, PIXELS * sizeof *x);
        label[to] = c->digit[i];
    }
    free(c->pixels);
    free(c->digit);
    c->pixels = x;
    c->digit = label;
    for (int k = 0; k < 2; k++)
        c->rows[k] = (rg_problem_data){ .x = x, .label = label, .n = n, .train = train };
}

/* 64 numbers 0 .. 16 and a class 0 .. 9, between commas; then its name. */
static bool parse(double *pixels, int32_t *label, const char *line)
{
    char *end;
    for (int i = 0; i <= PIXELS; i++) {
        const double v = strtod(line, &end);
        if (end == line || v < 0 || v > 16 || (i < PIXELS ? *end != ',' : v > 9))
            return false;
        if (i < PIXELS)
            pixels[i] = v / 16;
        else
            *label = (int32_t)v;
        line = end + 1;
    }
    return true;
}

static int read_all(comparison *c, FILE *file, const char *path)
{
    char line[1024];
    size_t n = 0;
    const bool head = fgets(line, sizeof line, file) && strncmp(line, "p0,p1,", 6) == 0;
    while (head && n < MOST && fgets(line, sizeof line, file)) {
        if (!parse(c->pixels + n * PIXELS, c->digit + n, line))
            return fail(BAD_DATA, "%s:%zu: not 64 numbers of 0 to 16 and a digit", path, n + 2);
        n++;
    }
    if (n < 20)
        return fail(BAD_DATA, "%s: %zu images under a head of p0,p1,... are too few "
                    "(tools/data/digits.py makes the file)", path, n);
    split(c, n);
    return c->pixels && c->digit ? DONE : fail(RUN_TIME, "no memory");
}

int digits_load(comparison *c, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return fail(RUN_TIME, "%s: %s", path, strerror(errno));
    c->pixels = calloc((size_t)MOST * PIXELS, sizeof *c->pixels);
    c->digit = calloc(MOST, sizeof *c->digit);
    int code = c->pixels && c->digit ? read_all(c, file, path) : fail(RUN_TIME, "no memory");
    (void)fclose(file);
    return code;
}
