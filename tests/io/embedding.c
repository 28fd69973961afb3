/* tests/io/embedding.c -- word vectors from text. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "graph/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "zebra", "the", "of", ". .", "none", "\xc3\xa9t\xc3\xa9" };
enum { WORDS = sizeof words / sizeof *words };

/* Load this text into a table [6,3]; the status, and the number of words found. */
static rg_status load(rgt_folder *d, rg_params *ps, const char *text, size_t *found)
{
    rgt_write_file(rgt_in(d, "vectors.txt"), text, strlen(text));
    return rg_embedding_load(ps, "e.E", d->file, words, WORDS, found);
}

static bool row_is(const rg_params *ps, int row, double a, double b, double c)
{
    rg_param_info p = rg_params_find(ps, "e.E");
    double x[3];
    for (int k = 0; k < 3; k++)
        x[k] = p.dtype == RG_F64 ? ((double *)p.data)[3 * row + k] : ((float *)p.data)[3 * row + k];
    return x[0] == a && x[1] == b && x[2] == c;
}

RGT_TEST(embedding, rows_of_known_words_are_filled_and_the_others_stay)
{
    static const char *const forms[] = {
        "the 1 -2.5 3e-1\nof 4 5 6\nunknown 7 8 9\n. . 0.5 0.25 0.125\nunknown 9 9 9\nzebra 1 2 3",
        "5 3\nthe 1 -2.5 3e-1 \nof 4 5 6 \nunknown 7 8 9 \n. . 0.5 0.25 0.125 \nzebra 1 2 3 \n\n",
        "the 1 -2.5 3e-1\r\n\r\nof\t4\t5\t6\r\nunknown 7 8 9\r\n. . 0.5  0.25 0.125\r\n"
        "zebra 1 2 3\r\n",
        "\xef\xbb\xbfthe 1 -2.5 3e-1\nof 4 5 6\n. . 0.5 0.25 0.125\nzebra 1 2 3\n",
        "\xef\xbb\xbf" "4 3\nthe 1 -2.5 3e-1\nof 4 5 6\n. . 0.5 0.25 0.125\nzebra 1 2 3\n",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (int real = RG_F32; real <= RG_F64; real++) {
            rgt_folder d;
            size_t found;
            rg_params *ps = rgt_store("e.E:6,3", (rg_dtype)real);
            rgt_folder_begin(&d);
            RGT_CHECK_MSG(load(&d, ps, forms[i], &found) == RG_OK, "%s", rg_params_message(ps));
            RGT_CHECK(found == 4 && row_is(ps, 0, 1, 2, 3) && row_is(ps, 2, 4, 5, 6));
            RGT_CHECK(row_is(ps, 1, 1, -2.5, real == RG_F64 ? 0.3 : (double)0.3f));
            RGT_CHECK(row_is(ps, 3, 0.5, 0.25, 0.125));
            RGT_CHECK(row_is(ps, 4, 1 + 12 / 64.0, 1 + 13 / 64.0, 1 + 14 / 64.0));
            rg_params_destroy(&ps);
            rgt_folder_end(&d);
        }
}

RGT_TEST(embedding, faults_are_named_with_their_line_and_nothing_changes)
{
    static const struct { const char *text; rg_status want; const char *says; } row[] = {
        { "", RG_EFORMAT, "the file is empty" },
        { "\n\n", RG_EFORMAT, "the file is empty" },
        { "the 1 2\n", RG_EMISMATCH, "line 1: the file's vectors have 2 numbers, 'e.E' has rows" },
        { "the 1 2 3 4\n", RG_EMISMATCH, "line 1: the file's vectors have 4 numbers" },
        { "10 300\nthe 1 2 3\n", RG_EMISMATCH, "line 1: the file's vectors have 300 numbers" },
        { "of 1 2 3\nthe 1 2\n", RG_EFORMAT, "line 2: a word and 3 numbers are expected" },
        { "of 1 2 3\n1 2 3\n", RG_EFORMAT, "line 2: a word and 3 numbers are expected" },
        { "of 1 2 3\nthe 1 x 3\n", RG_EFORMAT, "line 2: value 2 is no finite number" },
        { "of 1 2 3\nthe 1 2 nan\n", RG_EFORMAT, "line 2: value 3 is no finite number" },
        { "of 1 2 3\nthe 1e999 2 3\n", RG_EFORMAT, "line 2: value 1 is no finite number" },
        { "of 1 2 3\nthe 0x1 2 3\n", RG_EFORMAT, "line 2: value 1 is no finite number" },
        { "of 1 2 3\nthe 1,5 2 3\n", RG_EFORMAT, "line 2: value 1 is no finite number" },
        { "of 1 2 3\nthe 1 2 3\nof 4 5 6\n", RG_EFORMAT,
          "line 3: the word 'of' is there twice, first on line 1: drop one of them" },
        { "3 3\nof 1 2 3\n\nof 4 5 6\nthe 1 2 3\n", RG_EFORMAT,
          "line 4: the word 'of' is there twice, first on line 2" },
        { "of 1 2 3\n\xe9t\xe9 1 2 3\n", RG_EFORMAT,
          "line 2: the word '\\xe9t\\xe9' is not UTF-8: convert the file, or drop the line" },
        { "3 3\nof 1 2 3\nthe 1 2 3\n", RG_EFORMAT,
          "line 1 promises 3 words, the file has 2: it is cut, or line 1 is none of a header" },
        { "1 3\nof 1 2 3\nthe 1 2 3\n", RG_EFORMAT, "line 1 promises 1 words, the file has 2" },
        { "0 3\n", RG_OK, "" },
        { "3 2\nof 1 2\n", RG_EMISMATCH, "line 1: the file's vectors have 2 numbers" },
    };
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        size_t found = 99;
        rg_params *ps = rgt_store("e.E:6,3", RG_F32), *same = rgt_store("e.E:6,3", RG_F32);
        rg_status st = load(&d, ps, row[i].text, &found);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(rg_params_message(ps), row[i].says), "%d: %s",
                      st, rg_params_message(ps));
        RGT_CHECK(rgt_equal(ps, same) && found == 0);
        rg_params_destroy(&ps);
        rg_params_destroy(&same);
    }
    rgt_folder_end(&d);
}

RGT_TEST(embedding, arguments_that_do_not_fit_are_refused)
{
    static const char *const twice[] = { "a", "b", "a" }, *const hole[] = { "a", NULL };
    rg_params *ps = rgt_store("e.E:6,3 flat:6 wide:2,0", RG_F32);
    rgt_folder d;
    rgt_folder_begin(&d);
    rgt_write_file(rgt_in(&d, "v"), "a 1 2 3\n", 8);
    static const struct {
        const char *name, *const *words;
        size_t n;
        rg_status want;
        const char *says;
    } row[] = {
        { "e.F", words, WORDS, RG_EARG, "there is no parameter 'e.F'; nearest: e.E" },
        { NULL, words, WORDS, RG_EARG, "there is no parameter ''" },
        { "flat", words, WORDS, RG_ESHAPE, "'flat' is no table of 6 rows" },
        { "wide", words, 1, RG_ESHAPE, "'wide' is no table of 1 rows" },
        { "e.E", words, 7, RG_ESHAPE, "'e.E' is no table of 7 rows" },
        { "e.E", twice, 3, RG_EARG, "words 0 and 2 are both 'a'" },
        { "e.E", hole, 2, RG_EARG, "word 1 is NULL" },
        { "e.E", NULL, 2, RG_EARG, "no path or no words" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_status st = rg_embedding_load(ps, row[i].name, d.file, row[i].words, row[i].n, NULL);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(rg_params_message(ps), row[i].says), "%d: %s",
                      st, rg_params_message(ps));
    }
    RGT_CHECK(rg_embedding_load(NULL, "e.E", d.file, words, 2, NULL) == RG_EARG);
    RGT_CHECK(rg_embedding_load(ps, "e.E", NULL, words, 2, NULL) == RG_EARG);
    RGT_CHECK(rg_embedding_load(ps, "e.E", rgt_in(&d, "none"), words, 2, NULL) == RG_EIO);
    RGT_CHECK(rgt_has(rg_params_message(ps), "embedding '"));
    RGT_CHECK(rgt_has(rg_params_message(ps), "ENOENT"));
    RGT_CHECK(rg_embedding_load(ps, "e.E", d.path, words, 2, NULL) == RG_EIO);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(embedding, long_files_are_read_in_parts_and_long_lines_refused)
{
    enum { LINES = 60000 };
    rgt_folder d;
    size_t found;
    rg_params *ps = rgt_store("e.E:6,3", RG_F32);
    rgt_folder_begin(&d);
    FILE *f = fopen(rgt_in(&d, "v"), "w");
    RGT_CHECK(f != NULL);
    for (int i = 0; i < LINES; i++)
        (void)fprintf(f, "word-number-%d 0.%d 0.%d 0.5\n", i, i, i + 1);
    (void)fprintf(f, "zebra 1 2 3\n");
    RGT_CHECK(ftell(f) > 2 * 1024 * 1024 && fclose(f) == 0);
    RGT_CHECK_MSG(rg_embedding_load(ps, "e.E", d.file, words, WORDS, &found) == RG_OK, "%s",
                  rg_params_message(ps));
    RGT_CHECK(found == 1 && row_is(ps, 0, 1, 2, 3));
    char *line = malloc(1024 * 1024 + 100);
    RGT_CHECK(line != NULL);
    memset(line, 'x', 1024 * 1024 + 100);
    memcpy(line, "of 1 2 3\n", 9);
    rgt_write_file(d.file, line, 1024 * 1024 + 100);
    RGT_CHECK(rg_embedding_load(ps, "e.E", d.file, words, WORDS, &found) == RG_ELIMIT);
    RGT_CHECK_MSG(rgt_has(rg_params_message(ps), "line 2 is longer than 1 MiB"), "%s",
                  rg_params_message(ps));
    free(line);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}
