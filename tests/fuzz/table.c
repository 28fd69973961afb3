/* tests/fuzz/table.c -- any bytes as a table; what is read is written and must come back. */
#include "tests/fuzz/fuzz.h"

#include <retrograd/data.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A cell with its quotes doubled; returns the end. */
static char *quote(char *to, const char *cell)
{
    *to++ = '"';
    for (; *cell; cell++) {
        if (*cell == '"')
            *to++ = '"';
        *to++ = *cell;
    }
    *to++ = '"';
    return to;
}

static char *write_row(char *to, const char *const *cell, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to = quote(to, cell[i]);
        *to++ = i + 1 < n ? ',' : '\n';
    }
    return to;
}

static void round_trip(const rg_table *t, size_t bytes)
{
    rg_table again;
    const rg_table_opts opts = { .separator = ',' };
    char *text = malloc(2 * bytes + 4 * (t->rows + 1) * t->columns + 1), *end;
    FUZZ_CHECK(text != NULL);
    end = write_row(text, t->name, t->columns);
    for (size_t i = 0; i < t->rows; i++)
        end = write_row(end, t->cell + i * t->columns, t->columns);
    FUZZ_CHECK(rg_table_decode(&again, "x", text, (size_t)(end - text), &opts) == RG_OK);
    FUZZ_CHECK(again.rows == t->rows && again.columns == t->columns);
    for (size_t i = 0; i < t->rows * t->columns; i++)
        FUZZ_CHECK(strcmp(again.cell[i], t->cell[i]) == 0);
    rg_table_destroy(&again);
    free(text);
}

static void numbers(rg_table *t)
{
    double *x = malloc(t->rows * sizeof *x);
    FUZZ_CHECK(x != NULL);
    for (size_t j = 0; j < t->columns; j++) {
        rg_status st = rg_table_numbers(x, t, j);
        FUZZ_CHECK(st == RG_OK || st == RG_EFORMAT);
    }
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    rg_table t;
    const rg_table_opts opts = { .separator = n > 0 && data[n - 1] % 4 == 0 ? ';' : '\0' };
    rg_status st = rg_table_decode(&t, "x", data, n, &opts);
    FUZZ_CHECK((st == RG_OK) == (t.memory != NULL) && (st == RG_OK) == (t.message[0] == '\0'));
    for (size_t i = 0; i < t.rows; i++)
        FUZZ_CHECK(t.line[i] > (i ? t.line[i - 1] : 1));
    if (st == RG_OK) {
        round_trip(&t, n);
        numbers(&t);
    }
    rg_table_destroy(&t);
    return 0;
}
