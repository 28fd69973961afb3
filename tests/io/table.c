/* tests/io/table.c -- CSV and TSV: what is read, what is refused and where. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include <retrograd/data.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rg_status decode(rg_table *t, const char *text)
{
    return rg_table_decode(t, "t.csv", text, strlen(text), NULL);
}

/* Cells between | and rows between ;. */
static const char *cells(const rg_table *t)
{
    static char text[512];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < t->rows * t->columns; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s",
                               i == 0 ? "" : i % t->columns ? "|" : ";", t->cell[i]);
    return text;
}

RGT_TEST(table, cells_are_read_as_rfc_4180_says)
{
    static const struct { const char *text, *cells; size_t columns, rows; } row[] = {
        { "a,b\n1,2\n", "1|2", 2, 1 },
        { "a,b\n1,2", "1|2", 2, 1 },
        { "a,b\r\n1,2\r\n3,4\r\n", "1|2;3|4", 2, 2 },
        { "\xef\xbb\xbf" "a,b\n1,2\n", "1|2", 2, 1 },
        { "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "x,y|say \"hi\"", 2, 1 },
        { "a,b\n\"two\nlines\",2\n3,4\n", "two\nlines|2;3|4", 2, 2 },
        { "a,b\n\"two\r\nlines\",2\r\n", "two\r\nlines|2", 2, 1 },
        { "a,b\n,\n", "|", 2, 1 },
        { "a,b\n\"\",\"\"\n1,", "|;1|", 2, 2 },
        { "a\tb\n1,5\t2 \n", "1,5|2 ", 2, 1 },
        { "a\n\n1\n\r\n2\n\n", "1;2", 1, 2 },
        { "a,b\n5\" pipe,x\"y\n", "5\" pipe|x\"y", 2, 1 },
        { "\"a,1\",b\n1,2\n", "1|2", 2, 1 },
        { "a,b\n\xc3\xa9,\xf0\x9f\x98\x80\n", "\xc3\xa9|\xf0\x9f\x98\x80", 2, 1 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_table t;
        RGT_CHECK_MSG(decode(&t, row[i].text) == RG_OK, "%zu: %s", i, t.message);
        RGT_CHECK_MSG(t.columns == row[i].columns && t.rows == row[i].rows, "%zu: [%zu,%zu]", i,
                      t.rows, t.columns);
        RGT_CHECK_MSG(strcmp(cells(&t), row[i].cells) == 0, "%zu: %s", i, cells(&t));
        rg_table_destroy(&t);
    }
}

RGT_TEST(table, faults_are_named_with_their_line)
{
    static const struct { const char *text; rg_status want; const char *says; } row[] = {
        { "", RG_EFORMAT, "t.csv:1: the file is empty" },
        { "\n\n", RG_EFORMAT, "t.csv:3: the file is empty" },
        { "a,b\n", RG_EFORMAT, "t.csv:2: no row follows the names of the columns" },
        { "a,b", RG_EFORMAT, "no row follows" },
        { "a,b\n1,2\n3\n", RG_EFORMAT, "t.csv:3: 1 cell, the first line has 2" },
        { "a,b\n1,2,3\n", RG_EFORMAT, "t.csv:2: 3 cells, the first line has 2" },
        { "a,b\n\"1\n2\",3\n4,5,\n", RG_EFORMAT, "t.csv:4: 3 cells, the first line has 2" },
        { "a,b\n1,\"2\n3\n", RG_EFORMAT, "t.csv:2: a quote without its end" },
        { "a,b\n\"1\"x,2\n", RG_EFORMAT, "t.csv:2: text after a closing quote" },
        { "a,b\n\"1\" ,2\n", RG_EFORMAT, "t.csv:2: text after a closing quote" },
        { "a,b\r1,2\r", RG_EFORMAT, "t.csv:1: a carriage return within the line" },
        { "a,,c\n1,2,3\n", RG_EFORMAT, "t.csv:1: column 2 has no name" },
        { "a,b,a\n1,2,3\n", RG_EFORMAT, "t.csv:1: columns 1 and 3 are both named 'a'" },
        { "a,b\n1,\xff\n", RG_EFORMAT, "t.csv:2: byte 0xff is not UTF-8" },
        { "a,b\n1,\xc0\x80\n", RG_EFORMAT, "t.csv:2: byte 0xc0 is not UTF-8" },
        { "a,b\n1,\xed\xa0\x80\n", RG_EFORMAT, "byte 0xed is not UTF-8" },
        { "a,b\n1,\xe2\x82", RG_EFORMAT, "t.csv:2: byte 0xe2 is not UTF-8" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_table t;
        rg_status st = decode(&t, row[i].text);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(t.message, row[i].says), "%zu: %d: %s", i, st,
                      t.message);
        RGT_CHECK(t.rows == 0 && !t.memory && !t.cell);
    }
    rg_table t;
    RGT_CHECK(rg_table_decode(&t, "t.csv", "a\n1\0" "2\n", 6, NULL) == RG_EFORMAT);
    RGT_CHECK_MSG(rgt_has(t.message, "t.csv:2: byte 0x00 is not UTF-8 text (NUL)"), "%s",
                  t.message);
    RGT_CHECK(rg_table_decode(&t, NULL, "a", 1, NULL) == RG_EARG);
    RGT_CHECK(rg_table_decode(&t, "t", NULL, 1, NULL) == RG_EARG);
    RGT_CHECK(rg_table_decode(&t, "t", "a\n1", 3, &(rg_table_opts){ .separator = '"' }) == RG_EARG);
    RGT_CHECK(rg_table_decode(NULL, "t", "a", 1, NULL) == RG_EARG);
}

RGT_TEST(table, too_many_columns_are_refused)
{
    enum { MANY = 65537 };
    char *text = malloc(8 * MANY), *at = text;
    rg_table t;
    RGT_CHECK(text != NULL);
    for (int i = 0; i < MANY; i++)
        at += sprintf(at, "%s%d", i ? "," : "", i);
    RGT_CHECK(rg_table_decode(&t, "t.csv", text, (size_t)(at - text), NULL) == RG_ELIMIT);
    RGT_CHECK_MSG(rgt_has(t.message, "more than 65536 columns"), "%s", t.message);
    free(text);
}

RGT_TEST(table, a_column_that_is_missing_is_named_beside_those_there_are)
{
    rg_table t;
    RGT_CHECK(decode(&t, "name,language\nx,y\n") == RG_OK);
    RGT_CHECK(rg_table_column(&t, "language") == 1 && rg_table_column(&t, "name") == 0);
    RGT_CHECK(rg_table_column(&t, "lang") == -1);
    RGT_CHECK_MSG(!strcmp(t.message, "t.csv:1: there is no column 'lang'; there are: name, "
                          "language"), "%s", t.message);
    RGT_CHECK(rg_table_column(&t, NULL) == -1 && rg_table_column(NULL, "x") == -1);
    rg_table_destroy(&t);
}

RGT_TEST(table, numbers_are_read_in_full_and_missing_ones_are_nan)
{
    double x[4];
    rg_table t;
    RGT_CHECK(decode(&t, "a,b\n1.5,NA\n-2e-3,\n0,?\n7,null\n") == RG_OK);
    RGT_CHECK(rg_table_numbers(x, &t, 0) == RG_OK && x[0] == 1.5 && x[1] == -2e-3 && x[3] == 7);
    RGT_CHECK(rg_table_numbers(x, &t, 1) == RG_OK);
    for (int i = 0; i < 4; i++)
        RGT_CHECK(isnan(x[i]));
    RGT_CHECK(rg_table_numbers(x, &t, 2) == RG_EARG);
    rg_table_destroy(&t);
    static const char *const bad[] = { "1,5", "x", "0x10", "inf", " 1", "1 ", "1e999", "--1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64], says[96];
        (void)snprintf(text, sizeof text, "a\n1\n\"%s\"\n", bad[i]);
        (void)snprintf(says, sizeof says, "t.csv:3: column 'a': '%s' is no finite number", bad[i]);
        RGT_CHECK(decode(&t, text) == RG_OK && rg_table_numbers(x, &t, 0) == RG_EFORMAT);
        RGT_CHECK_MSG(!strcmp(t.message, says), "%s", t.message);
        rg_table_destroy(&t);
    }
}

RGT_TEST(table, files_are_read_plain_and_packed)
{
    static const unsigned char packed[] = { /* gzip of "a,b\n1,2\n" */
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x4b, 0xd4, 0x49, 0xe2, 0x32,
        0xd4, 0x31, 0xe2, 0x02, 0x00, 0x7b, 0x07, 0x97, 0x0a, 0x08, 0x00, 0x00, 0x00 };
    unsigned char bad[sizeof packed];
    rgt_folder d;
    rg_table t;
    rgt_folder_begin(&d);
    rgt_write_file(rgt_in(&d, "t.csv"), "a,b\n1,2\n", 8);
    RGT_CHECK_MSG(rg_table_load(&t, d.file, NULL) == RG_OK, "%s", t.message);
    RGT_CHECK(t.rows == 1 && !strcmp(t.sha256, "492d5ea496056f1a6a6592241032fab764c321596317930b4f"
                                     "a0e1e8bc3b7470"));
    rg_table_destroy(&t);
    rgt_write_file(rgt_in(&d, "t.csv.gz"), packed, sizeof packed);
    rg_status st = rg_table_load(&t, d.file, NULL);
    if (st == RG_EFORMAT && rgt_has(t.message, "without zlib"))
        RGT_SKIP("built without zlib");
    RGT_CHECK_MSG(st == RG_OK && t.rows == 1 && !strcmp(t.cell[1], "2"), "%s", t.message);
    rg_table_destroy(&t);
    for (size_t i = 0; i < sizeof packed; i++) /* any byte cut off, any byte of the data changed */
        for (int cut = 0; cut < 2; cut++) {
            memcpy(bad, packed, sizeof bad);
            bad[i] ^= 0x55;
            rgt_write_file(rgt_in(&d, "t.csv.gz"), cut ? packed : bad, cut ? i : sizeof bad);
            st = rg_table_load(&t, d.file, NULL);
            bool header = i > 3 && i < 10 && !cut; /* time, flags, system: of no account */
            RGT_CHECK_MSG(header || st != RG_OK, "byte %zu", i);
            rg_table_destroy(&t);
        }
    RGT_CHECK(rg_table_load(&t, rgt_in(&d, "none.csv"), NULL) == RG_EIO);
    RGT_CHECK_MSG(rgt_has(t.message, "none.csv: open: ENOENT"), "%s", t.message);
    RGT_CHECK(rg_table_load(&t, d.path, NULL) == RG_EIO && rgt_has(t.message, "this is a folder"));
    RGT_CHECK(rg_table_load(&t, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_table_load(NULL, "x", NULL) == RG_EARG);
    rgt_folder_end(&d);
}

static rg_status scenario(const rg_alloc *hooks, rgt_text *result)
{
    static const char text[] = "a,b\n\"1\n2\",3\n4,5\n6,7\n";
    rg_table t;
    rg_table_opts opts = { .alloc = *hooks };
    rg_status st = rg_table_decode(&t, "t.csv", text, sizeof text - 1, &opts);
    if (!st)
        rgt_write(result, cells(&t), strlen(cells(&t)));
    rg_table_destroy(&t);
    return st;
}

RGT_TEST(table, without_memory_nothing_is_left)
{
    RGT_CHECK(rgt_fail_each(scenario) > 4);
}

/* Counts, and stops at the third call. */
typedef struct listener {
    int    calls, stop_at;
    double last;
} listener;

static bool listen(void *user, double share)
{
    listener *l = user;
    RGT_CHECK(share >= l->last && share <= 1);
    l->last = share;
    return ++l->calls != l->stop_at;
}

RGT_TEST(table, reading_tells_how_far_it_is_and_can_be_stopped)
{
    enum { ROWS = 2000 };
    static char text[2 * ROWS + 3];
    rg_table t;
    for (int after = -1; after <= 1; after++) /* at once; in half a second; in one */
        for (int stop = 0; stop <= 3; stop += 3) {
            listener l = { 0, stop, 0 };
            rg_table_opts opts = { .progress = { listen, &l, after } };
            memcpy(text, "a\n", 2);
            for (size_t i = 1; i <= ROWS; i++)
                memcpy(text + 2 * i, "1\n", 2);
            rg_status st = rg_table_decode(&t, "t.csv", text, 2 * ROWS + 2, &opts);
            RGT_CHECK(after < 0 ? l.calls == (stop ? 3 : 8) : l.calls == 0);
            RGT_CHECK_MSG(st == (stop && after < 0 ? RG_EUSER : RG_OK), "%s", t.message);
            RGT_CHECK(!st || !strcmp(t.message, "stopped by the progress callback"));
            rg_table_destroy(&t);
        }
}
