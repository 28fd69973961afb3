/* tests/train/dataset.c -- items from tables, series and arrays; parts, scaling, faults. */
#include "tests/rgt.h"

#include <retrograd/data.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static rg_table table_of(const char *text)
{
    rg_table t;
    rg_status st = rg_table_decode(&t, "t.csv", text, strlen(text), NULL);
    RGT_CHECK_MSG(st == RG_OK, "%s", t.message);
    return t;
}

static const char names[] = "name,language,n\nAnna,x,1\nBo,y,2\n\xc3\x89va,x,3\nOtto,y,4\n";

RGT_TEST(dataset, text_becomes_ids_of_the_training_vocabulary)
{
    rg_table train = table_of(names), test = table_of("name,language,n\nBoz,y,2\n");
    rg_dataset d;
    const rg_dataset_opts opts = { .in = { .columns = "name" }, .valid = -1,
                                   .out = { .columns = "language", .unit = RG_UNIT_WHOLE } };
    RGT_CHECK_MSG(rg_dataset_table(&d, &train, NULL, &test, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.n == 5 && d.count[RG_PART_TRAIN] == 4 && d.count[RG_PART_TEST] == 1);
    RGT_CHECK(d.in_vocab.n == 10 && !strcmp(d.in_vocab.word[0], RG_UNKNOWN));
    RGT_CHECK(!strcmp(d.in_vocab.word[1], "A") && !strcmp(d.in_vocab.word[9], "\xc3\x89"));
    RGT_CHECK(d.out_vocab.n == 2 && !strcmp(d.out_vocab.word[1], "y"));
    RGT_CHECK(d.in.length[2] == 3 && d.in.id[d.in.start[2]] == 9 && d.in.longest == 4);
    RGT_CHECK(d.in.length[4] == 3 && d.in.id[d.in.start[4] + 2] == 0); /* z is unknown */
    RGT_CHECK(d.out.id[d.out.start[4]] == 1 && d.out.length[4] == 1 && d.part[4] == RG_PART_TEST);
    rg_dataset_destroy(&d);
    rg_table_destroy(&train);
    rg_table_destroy(&test);
}

RGT_TEST(dataset, items_go_to_parts_by_the_first_byte_of_their_hash)
{
    /* first bytes of SHA-256, by Python's hashlib: 204, 205, 229, 230, 255, 0 */
    rg_table t = table_of("w,y\ner,p\ng,p\ngj,p\nce,p\ncn,p\nli,p\n");
    static const rg_part want[6] = { RG_PART_TRAIN, RG_PART_VALID, RG_PART_VALID, RG_PART_TEST,
                                     RG_PART_TEST, RG_PART_TRAIN };
    rg_table other = table_of("w,y\nq,p\n");
    rg_dataset d;
    rg_dataset_opts opts = { .in = { .columns = "w" },
                             .out = { .columns = "y", .unit = RG_UNIT_WHOLE } };
    RGT_CHECK_MSG(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    for (int i = 0; i < 6; i++)
        RGT_CHECK_MSG(d.part[i] == want[i], "%d: %d", i, d.part[i]);
    rg_dataset_destroy(&d);
    /* a file of its own for the test: the other is divided among train and valid; and so on */
    RGT_CHECK(rg_dataset_table(&d, &t, NULL, &other, &opts) == RG_OK);
    RGT_CHECK(d.count[RG_PART_TRAIN] == 4 && d.count[RG_PART_VALID] == 2 && d.part[6] == 3);
    rg_dataset_destroy(&d);
    RGT_CHECK(rg_dataset_table(&d, &t, &other, NULL, &opts) == RG_OK);
    RGT_CHECK(d.count[RG_PART_TRAIN] == 4 && d.count[RG_PART_TEST] == 2 && d.part[6] == 2);
    rg_dataset_destroy(&d);
    RGT_CHECK(rg_dataset_table(&d, &t, &other, &other, &opts) == RG_OK);
    RGT_CHECK(d.count[RG_PART_TRAIN] == 6 && d.n == 8);
    rg_dataset_destroy(&d);
    rg_table_destroy(&t);
    rg_table_destroy(&other);
}

RGT_TEST(dataset, target_sequences_end_and_begin)
{
    rg_table t = table_of("word,phones\nab,X Y X\nb,Y\nc,\n");
    rg_dataset d;
    const rg_dataset_opts opts = { .in = { .columns = "word" }, .valid = -1, .test = -1,
                                   .out = { .columns = "phones", .unit = RG_UNIT_WORD },
                                   .target = RG_TARGET_SEQUENCE };
    RGT_CHECK_MSG(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.end == 0 && d.begin == 1 && d.out_vocab.n == 5);
    RGT_CHECK(d.out.length[0] == 4 && d.out.length[1] == 2 && d.out.length[2] == 1);
    const int32_t want[] = { 3, 4, 3, 0, 4, 0, 0 };
    RGT_CHECK(d.out.steps == 7 && !memcmp(d.out.id, want, sizeof want));
    rg_batches *b;
    rg_batch x;
    RGT_CHECK(rg_batches_create(&b, &d, &(rg_batches_opts){ .in_order = true, .lengths = 1 }) ==
              RG_OK);
    RGT_CHECK(rg_batches_count(b) == 1 && rg_batches_get(&x, b, 0, 0) == RG_OK);
    RGT_CHECK(x.T == 2 && x.U == 4 && x.B == 3);
    const int32_t y[] = { 4, 0, 3, 0, 0, 4, 0, 0, 3, 0, 0, 0 }; /* b, c, ab: by length */
    const int32_t feed[] = { 1, 1, 1, 4, 0, 3, 0, 0, 4, 0, 0, 3 };
    const uint8_t mask[] = { 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1 };
    RGT_CHECK(!memcmp(x.y, y, sizeof y) && !memcmp(x.feed, feed, sizeof feed));
    RGT_CHECK(!memcmp(x.y_mask, mask, sizeof mask));
    rg_batches_destroy(&b);
    rg_dataset_destroy(&d);
    rg_table_destroy(&t);
}

RGT_TEST(dataset, tags_are_as_many_as_steps)
{
    rg_table t = table_of("text,tags\nabc,010\nde,00\n");
    rg_table bad = table_of("text,tags\nabc,010\nde,0\n");
    rg_dataset d;
    const rg_dataset_opts opts = { .in = { .columns = "text" }, .out = { .columns = "tags" },
                                   .target = RG_TARGET_TAGS, .valid = -1, .test = -1 };
    RGT_CHECK_MSG(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.out_vocab.n == 2 && d.out.id[1] == 1);
    rg_dataset_destroy(&d);
    RGT_CHECK(rg_dataset_table(&d, &bad, NULL, NULL, &opts) == RG_EFORMAT);
    RGT_CHECK_MSG(rgt_has(d.message, "t.csv:3: 2 steps and 1 tags"), "%s", d.message);
    rg_table_destroy(&t);
    rg_table_destroy(&bad);
}

RGT_TEST(dataset, numbers_are_scaled_by_the_training_part_alone)
{
    rg_table t = table_of("a,b,y\n1,10,0.5\n3,10,1.5\n100,,2\n");
    rg_dataset d;
    rg_dataset_opts opts = { .in = { .columns = "a,b", .unit = RG_UNIT_NUMBER },
                             .out = { .columns = "y", .unit = RG_UNIT_NUMBER,
                                      .scaling = RG_SCALE_NONE },
                             .target = RG_TARGET_VALUES, .split = RG_SPLIT_ORDER, .valid = -1,
                             .test = 0.34 };
    RGT_CHECK_MSG(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.count[RG_PART_TRAIN] == 1 && d.count[RG_PART_TEST] == 2);
    rg_dataset_destroy(&d);
    opts.test = 1 / 3.0;
    RGT_CHECK_MSG(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.count[RG_PART_TRAIN] == 2 && d.count[RG_PART_TEST] == 1);
    RGT_CHECK(d.in.shift[0] == 2 && d.in.scale[0] == 1 && d.in.shift[1] == 10);
    rg_batches *b;
    rg_batch x;
    RGT_CHECK(rg_batches_create(&b, &d, &(rg_batches_opts){ .in_order = true, .real = RG_F64 }) ==
              RG_OK);
    RGT_CHECK(rg_batches_get(&x, b, 0, 0) == RG_OK && x.B == 3 && x.T == 1 && x.U == 1);
    const double want[] = { -1, 0, 1, 0, 0, 0 }, y[] = { 0.5, 1.5, 2 };
    RGT_CHECK(!memcmp(x.x, want, sizeof want) && !memcmp(x.value, y, sizeof y));
    RGT_CHECK(x.mask[0] && x.mask[1] && !x.mask[2] && x.y_mask[2]);
    rg_batches_destroy(&b);
    rg_dataset_destroy(&d);
    rg_table_destroy(&t);
}

RGT_TEST(dataset, a_series_becomes_windows_and_what_follows_them)
{
    char text[400] = "v,label\n";
    for (int i = 0; i < 10; i++)
        (void)snprintf(text + strlen(text), 32, "%d,%s\n", i, i % 2 ? "odd" : "even");
    rg_table t = table_of(text);
    rg_dataset d;
    rg_dataset_opts opts = { .in = { .columns = "v", .unit = RG_UNIT_NUMBER,
                                     .scaling = RG_SCALE_NONE },
                             .out = { .columns = "v", .unit = RG_UNIT_NUMBER },
                             .target = RG_TARGET_VALUES, .steps = 3, .horizon = 2, .valid = -1 };
    RGT_CHECK_MSG(rg_dataset_series(&d, &t, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.n == 6 && d.count[RG_PART_TEST] == 2 && d.out.width == 1);
    RGT_CHECK(d.out.shift[0] == 3.5 && d.in.shift[0] == 0); /* the mean of 0 .. 7 */
    RGT_CHECK(d.in.start[5] == 5 && d.in.length[5] == 3 && d.out.start[5] == 8);
    RGT_CHECK(d.out.length[5] == 2 && d.line[5] == 11 && d.part[4] == RG_PART_TEST);
    RGT_CHECK(d.part[3] == RG_PART_TRAIN);
    rg_dataset_destroy(&d);
    opts.out = (rg_field){ .columns = "label", .unit = RG_UNIT_WHOLE };
    opts.target = RG_TARGET_CLASS;
    RGT_CHECK_MSG(rg_dataset_series(&d, &t, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.n == 6 && d.out.length[0] == 1 && d.out.id[d.out.start[0]] == 0);
    RGT_CHECK(d.out.id[d.out.start[1]] == 1 && !strcmp(d.out_vocab.word[1], "odd"));
    rg_dataset_destroy(&d);
    opts.steps = 9;
    RGT_CHECK(rg_dataset_series(&d, &t, &opts) == RG_ELIMIT);
    RGT_CHECK_MSG(rgt_has(d.message, "10 rows are fewer than a window of 9"), "%s", d.message);
    rg_table_destroy(&t);
}

RGT_TEST(dataset, arrays_are_cut_into_steps_and_keep_their_lengths)
{
    static uint8_t pixels[2][2][3] = { { { 0, 51, 102 }, { 153, 204, 255 } } };
    static uint8_t labels[2] = { 1, 0 };
    static int64_t lengths[2] = { 2, 0 };
    rg_array x = { RG_U8, RG_SHAPE(2, 2, 3), pixels, sizeof pixels, "" };
    rg_array y = { RG_U8, RG_SHAPE(2), labels, sizeof labels, "" };
    rg_array n = { RG_I64, RG_SHAPE(2), lengths, sizeof lengths, "" };
    rg_arrays a = { .x = &x, .y = &y };
    rg_dataset_opts opts = { .in = { .scaling = RG_SCALE_UNIT }, .valid = -1, .test = -1 };
    rg_dataset d;
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.in.width == 3 && d.in.length[0] == 2 && d.out_vocab.n == 2 && d.out.longest == 1);
    RGT_CHECK(d.in.scale[2] == 1 / 255.0 && d.in.shift[0] == 0);
    rg_dataset_destroy(&d);
    opts.in.width = 1;
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.in.width == 1 && d.in.length[0] == 6);
    rg_dataset_destroy(&d);
    a.lengths = &n;
    opts.in.width = 0;
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.in.length[0] == 2 && d.in.length[1] == 0);
    rg_dataset_destroy(&d);
    lengths[1] = 3;
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(d.message, "train.lengths: item 1 has length 3, not 0 to 2"), "%s",
                  d.message);
    lengths[1] = 0;
}

RGT_TEST(dataset, numbers_that_no_float_holds_are_refused_with_their_place)
{
    static double numbers[3][2] = { { 1, 2 }, { 3, INFINITY }, { 5, 6 } };
    static int64_t offsets[3] = { 0, 1, 3 };
    rg_array x = { RG_F64, RG_SHAPE(3, 2), numbers, sizeof numbers, "" };
    rg_array n = { RG_I64, RG_SHAPE(3), offsets, sizeof offsets, "" };
    const rg_arrays a = { .x = &x, .offsets = &n };
    const rg_dataset_opts opts = { .target = RG_TARGET_NONE, .valid = -1, .test = -1 };
    rg_dataset d;
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_EFORMAT);
    RGT_CHECK_MSG(!strcmp(d.message, "item 1: inf is among its numbers; what is missing is NaN"),
                  "%s", d.message);
    numbers[1][1] = 1e200;
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_EFORMAT);
    RGT_CHECK_MSG(!strcmp(d.message, "item 1: 1e+200 is too large to be scaled"), "%s", d.message);
    numbers[1][1] = NAN;
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(isfinite(d.in.shift[1]) && isfinite(d.in.scale[1]));
    rg_dataset_destroy(&d);
    offsets[2] = 2; /* a step that belongs to nobody */
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, NULL, &opts) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(d.message, "item 1 reaches from 1 to 2; they rise from 0 to 3"), "%s",
                  d.message);
}

RGT_TEST(dataset, arrays_of_ids_have_tags_and_ragged_ones_have_values)
{
    static int64_t id[2][3] = { { 4, 1, 2 }, { 3, 9, 9 } }, offset[3] = { 0, 1, 3 };
    static int32_t length[2] = { 3, 1 }, tag[2][3] = { { 0, 1, 1 }, { 1, 0, 0 } };
    static float step[3][2] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };
    static double value[2] = { 10, 30 };
    rg_array x = { RG_I64, RG_SHAPE(2, 3), id, sizeof id, "" };
    rg_array n = { RG_I32, RG_SHAPE(2), length, sizeof length, "" };
    rg_array y = { RG_I32, RG_SHAPE(2, 3), tag, sizeof tag, "" };
    rg_dataset d;
    rg_batches *b;
    rg_batch at;
    rg_dataset_opts opts = { .target = RG_TARGET_TAGS, .valid = -1, .test = -1 };
    const rg_batches_opts order = { .in_order = true, .lengths = 1 };
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &(rg_arrays){ .x = &x, .lengths = &n, .y = &y }, NULL, NULL,
                                    &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.in_vocab.n == 10 && d.out_vocab.n == 2 && !d.in_vocab.word);
    RGT_CHECK(rg_batches_create(&b, &d, &order) == RG_OK && rg_batches_get(&at, b, 0, 0) == RG_OK);
    static const int32_t ids[] = { 3, 4, 0, 1, 0, 2 }, tags[] = { 1, 0, 0, 1, 0, 1 };
    static const uint8_t mask[] = { 1, 1, 0, 1, 0, 1 };
    RGT_CHECK(at.T == 3 && at.U == 3 && !memcmp(at.id, ids, sizeof ids));
    RGT_CHECK(!memcmp(at.y, tags, sizeof tags) && !memcmp(at.y_mask, mask, sizeof mask));
    rg_batches_destroy(&b);
    rg_dataset_destroy(&d);
    x = (rg_array){ RG_F32, RG_SHAPE(3, 2), step, sizeof step, "" };
    n = (rg_array){ RG_I64, RG_SHAPE(3), offset, sizeof offset, "" };
    y = (rg_array){ RG_F64, RG_SHAPE(2), value, sizeof value, "" };
    opts.target = RG_TARGET_VALUES;
    opts.in.scaling = RG_SCALE_NONE;
    RGT_CHECK_MSG(rg_dataset_arrays(&d, &(rg_arrays){ .x = &x, .offsets = &n, .y = &y }, NULL, NULL,
                                    &opts) == RG_OK, "%s", d.message);
    RGT_CHECK(d.n == 2 && d.in.length[1] == 2 && d.out.shift[0] == 20 && d.out.scale[0] == 0.1);
    RGT_CHECK(rg_batches_create(&b, &d, &order) == RG_OK && rg_batches_get(&at, b, 0, 0) == RG_OK);
    static const float numbers[] = { 1, 2, 3, 4, 0, 0, 5, 6 }, values[] = { -1, 1 };
    RGT_CHECK(at.T == 2 && at.U == 1 && !memcmp(at.x, numbers, sizeof numbers));
    RGT_CHECK(!memcmp(at.value, values, sizeof values));
    rg_batches_destroy(&b);
    rg_dataset_destroy(&d);
}
