/* tests/io/vocab.c -- vocabularies: lists, files, look-ups, texts as ids; IDX files. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "io/vocab.h"

#include <stdio.h>
#include <string.h>

RGT_TEST(vocab, ids_are_places_and_copies_are_the_librarys)
{
    char a[] = "the", b[] = "\xc3\xa9t\xc3\xa9";
    const char *const list[] = { RG_UNKNOWN, a, b };
    rg_vocab v;
    RGT_CHECK_MSG(rg_vocab_create(&v, list, 3) == RG_OK, "%s", v.message);
    memset(a, 'x', 3);
    RGT_CHECK(v.n == 3 && !strcmp(v.word[1], "the"));
    RGT_CHECK(rg_vocab_find(&v, "the", 3) == 1 && rg_vocab_find(&v, b, 5) == 2);
    RGT_CHECK(rg_vocab_find(&v, "th", 2) == -1 && rg_vocab_find(&v, "thee", 4) == -1);
    RGT_CHECK(rg_vocab_find(&v, "The", 3) == -1 && rg_vocab_find(NULL, "a", 1) == -1);
    rg_vocab_destroy(&v);
    RGT_CHECK(v.n == 0 && rg_vocab_find(&v, "the", 3) == -1);
    RGT_CHECK(rg_vocab_create(&v, NULL, 0) == RG_OK && v.n == 0);
    rg_vocab_destroy(&v);
}

RGT_TEST(vocab, lists_that_are_none_are_refused)
{
    static const struct { const char *word[3]; const char *says; } row[] = {
        { { "a", "", "b" }, "vocabulary: word 1: an empty word" },
        { { "a", "b", "a" }, "vocabulary: word 2: 'a' is there twice: word 0, and again" },
        { { "\xff", "b", "a" }, "vocabulary: word 0: '\\xff' is not UTF-8 text" },
        { { "a", NULL, "b" }, "vocabulary: word 1: NULL" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_vocab v;
        RGT_CHECK(rg_vocab_create(&v, row[i].word, 3) == RG_EARG && !v.memory && v.n == 0);
        RGT_CHECK_MSG(!strcmp(v.message, row[i].says), "%s", v.message);
    }
}

RGT_TEST(vocab, files_come_back_and_faults_are_named_with_their_line)
{
    static const char *const list[] = { RG_UNKNOWN, "the", "AC\\DC", "\xc3\xa9t\xc3\xa9" };
    static const char *const blank[] = { "a", " " };
    static const struct { const char *text; rg_status want; const char *says; } row[] = {
        { "", RG_EFORMAT, "v:1: the file is empty" },
        { "a\n\nb\n", RG_EFORMAT, "v:2: an empty word" },
        { "a\nb c\n", RG_EFORMAT, "v:2: white space within the line: a word a line" },
        { "a\tb\n", RG_EFORMAT, "v:1: white space within" },
        { "a\nb\r\n\xff\n", RG_EFORMAT, "v:3: '\\xff' is not UTF-8 text" },
        { "a\nb\na\n", RG_EFORMAT, "v:3: 'a' is there twice: word 0, and again" },
    };
    rgt_folder d;
    rg_vocab v, again;
    rgt_folder_begin(&d);
    RGT_CHECK(rg_vocab_create(&v, list, 4) == RG_OK);
    RGT_CHECK_MSG(rg_vocab_save(&v, rgt_in(&d, "v")) == RG_OK, "%s", v.message);
    RGT_CHECK_MSG(rg_vocab_load(&again, d.file) == RG_OK && again.n == 4, "%s", again.message);
    for (size_t i = 0; i < 4; i++)
        RGT_CHECK(!strcmp(again.word[i], list[i]));
    rg_vocab_destroy(&again);
    rg_vocab_destroy(&v);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rgt_write_file(rgt_in(&d, "v"), row[i].text, strlen(row[i].text));
        rg_status st = rg_vocab_load(&v, d.file);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(v.message, row[i].says), "%d: %s", st,
                      v.message);
        RGT_CHECK(!v.memory);
    }
    RGT_CHECK(rg_vocab_load(&v, rgt_in(&d, "none")) == RG_EIO && rgt_has(v.message, "ENOENT"));
    RGT_CHECK(rg_vocab_load(&v, NULL) == RG_EARG && rg_vocab_load(NULL, "x") == RG_EARG);
    RGT_CHECK(rg_vocab_create(&v, blank, 2) == RG_OK);
    RGT_CHECK(rg_vocab_save(&v, rgt_in(&d, "w")) == RG_EARG);
    RGT_CHECK_MSG(rgt_has(v.message, "word 1, ' ', has white space"), "%s", v.message);
    rg_vocab_destroy(&v);
    rgt_folder_end(&d);
}

RGT_TEST(vocab, texts_become_ids_by_character_word_byte_and_whole)
{
    static const char *const list[] = { RG_UNKNOWN, "a", "\xc3\xa9", "a\xc3\xa9", "b" };
    static const struct { rg_unit unit; const char *text; int64_t n; int32_t id[4]; } row[] = {
        { RG_UNIT_CHAR, "a\xc3\xa9x", 3, { 1, 2, 0 } },
        { RG_UNIT_CHAR, "", 0, { 0 } },
        { RG_UNIT_CHAR, "a\xff", -1, { 0 } },
        { RG_UNIT_WORD, "  a\xc3\xa9\tb \n c ", 3, { 3, 4, 0 } },
        { RG_UNIT_WORD, " \n", 0, { 0 } },
        { RG_UNIT_WORD, "a \xff", -1, { 0 } },
        { RG_UNIT_WHOLE, "a\xc3\xa9", 1, { 3 } },
        { RG_UNIT_WHOLE, "a b", 1, { 0 } },
        { RG_UNIT_NUMBER, "1", -1, { 0 } },
    };
    rg_vocab v, bytes = { .n = 256 };
    int32_t id[4];
    RGT_CHECK(rg_vocab_create(&v, list, 5) == RG_OK);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        int64_t n = rg_vocab_encode(id, 4, &v, row[i].unit, row[i].text, strlen(row[i].text));
        RGT_CHECK_MSG(n == row[i].n, "%zu: %lld", i, (long long)n);
        RGT_CHECK(n <= 0 || !memcmp(id, row[i].id, (size_t)n * sizeof *id));
    }
    RGT_CHECK(rg_vocab_encode(NULL, 0, &v, RG_UNIT_CHAR, "aab", 3) == 3);
    RGT_CHECK(rg_vocab_encode(id, 4, &bytes, RG_UNIT_BYTE, "a\xff\0z", 4) == 4);
    RGT_CHECK(id[0] == 'a' && id[1] == 255 && id[2] == 0 && id[3] == 'z');
    rg_vocab_destroy(&v);
    RGT_CHECK(rg_vocab_create(&v, list + 1, 1) == RG_OK); /* no <unk> */
    RGT_CHECK(rg_vocab_encode(id, 4, &v, RG_UNIT_CHAR, "ab", 2) == -1);
    rg_vocab_destroy(&v);
}

static rg_status counted(const rg_alloc *hooks, rgt_text *result)
{
    static const char *const text[] = { "b", "a", "c", "b", "c", "d", "b", "<unk>" };
    static const char *const first[] = { RG_UNKNOWN };
    static const rg_vocab_rule rule[] = {
        { first, 1, 0, 0, true }, { first, 1, 3, 0, true }, { NULL, 0, 0, 2, false },
        { NULL, 0, 3, 0, false },
    };
    rg_lexicon lex;
    rg_vocab v;
    rg_err err = { .status = RG_OK };
    rg_status st = RG_OK;
    rg_lexicon_init(&lex, hooks);
    for (size_t i = 0; !st && i < 8; i++)
        st = rg_lexicon_add(&lex, text[i], strlen(text[i])) < 0 ? RG_ENOMEM : RG_OK;
    for (size_t i = 0; !st && i < 4; i++) {
        if (!(st = rg_vocab_from(&v, &lex, &rule[i], hooks, &err)))
            for (size_t k = 0; k < v.n; k++)
                rgt_write(result, v.word[k], strlen(v.word[k]));
        rg_vocab_destroy(&v);
        rgt_write(result, ";", 1);
    }
    rg_lexicon_free(&lex);
    return st;
}

RGT_TEST(vocab, the_most_frequent_come_first_or_stay_in_order)
{
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state);
    rgt_text text = { 0 };
    RGT_CHECK(counted(&hooks, &text) == RG_OK);
    RGT_CHECK_MSG(!strcmp(text.data, "<unk>bcad;<unk>bc;bc;<unk>bc;"), "%s", text.data);
    rgt_text_free(&text);
    RGT_CHECK(rgt_fail_each(counted) > 4);
}

/* ---- IDX ------------------------------------------------------------------------------------- */

RGT_TEST(vocab, idx_images_and_labels_are_read)
{
    static const unsigned char images[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3,
                                            1, 2, 3, 4, 5, 255 };
    static const unsigned char real[] = { 0, 0, 13, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0,
                                          0xc0, 0, 0, 0 };
    rgt_folder d;
    rg_array a;
    rgt_folder_begin(&d);
    rgt_write_file(rgt_in(&d, "x"), images, sizeof images);
    RGT_CHECK_MSG(rg_idx_load(&a, d.file) == RG_OK, "%s", a.message);
    RGT_CHECK(a.dtype == RG_U8 && rg_shape_equal(a.shape, RG_SHAPE(2, 1, 3)));
    RGT_CHECK(a.bytes == 6 && !memcmp(a.data, images + 16, 6));
    rg_array_destroy(&a);
    rgt_write_file(d.file, real, sizeof real);
    RGT_CHECK_MSG(rg_idx_load(&a, d.file) == RG_OK, "%s", a.message);
    RGT_CHECK(a.dtype == RG_F32 && ((float *)a.data)[0] == 1 && ((float *)a.data)[1] == -2);
    rg_array_destroy(&a);
    rgt_folder_end(&d);
}

RGT_TEST(vocab, idx_files_that_are_none_are_refused)
{
    static const struct {
        unsigned char b[16];
        size_t        n;
        rg_status     want;
        const char   *says;
    } row[] = {
        { { 0 }, 0, RG_EFORMAT, "shorter than the start" },
        { { 0, 0, 8 }, 3, RG_EFORMAT, "shorter than the start" },
        { { 1, 0, 8, 1 }, 4, RG_EFORMAT, "byte 0: this is no IDX file" },
        { { 0, 0, 9, 1, 0, 0, 0, 1, 5 }, 9, RG_EDTYPE, "byte 2: type 0x09 is none of" },
        { { 0, 0, 8, 0 }, 4, RG_ELIMIT, "byte 3: 0 axes" },
        { { 0, 0, 8, 9 }, 4, RG_ELIMIT, "byte 3: 9 axes" },
        { { 0, 0, 8, 3, 0, 0, 0, 1 }, 8, RG_EFORMAT, "header reaches past the end" },
        { { 0, 0, 8, 1, 0, 0, 0, 2, 7 }, 9, RG_EFORMAT, "1 bytes of data where type and extents" },
        { { 0, 0, 8, 1, 0, 0, 0, 1, 7, 7 }, 10, RG_EFORMAT, "2 bytes of data where" },
        { { 0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255 }, 12, RG_ELIMIT, "too large" },
    };
    rgt_folder d;
    rg_array a;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rgt_write_file(rgt_in(&d, "images"), row[i].b, row[i].n);
        rg_status st = rg_idx_load(&a, d.file);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(a.message, row[i].says) &&
                      rgt_has(a.message, "images: "), "%zu: %d: %s", i, st, a.message);
        RGT_CHECK(!a.data);
    }
    RGT_CHECK(rg_idx_load(&a, rgt_in(&d, "none")) == RG_EIO);
    RGT_CHECK(rg_idx_load(&a, NULL) == RG_EARG && rg_idx_load(NULL, "x") == RG_EARG);
    rgt_folder_end(&d);
}
