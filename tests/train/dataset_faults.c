/* tests/train/dataset_faults.c -- data sets that cannot be: one message each, nothing left. */
#include "tests/rgt.h"

#include <retrograd/data.h>

#include <stdio.h>
#include <string.h>

static void read_table(rg_table *t, const char *name, const char *text)
{
    *t = (rg_table){ .rows = 0 };
    rg_status st = text ? rg_table_decode(t, name, text, strlen(text), NULL) : RG_OK;
    RGT_CHECK_MSG(st == RG_OK, "%s", t->message);
}

#define LABELS .out = { .columns = "label", .unit = RG_UNIT_WHOLE }
#define ALL    .valid = -1, .test = -1

static const char train[] = "text,label,n\nabc,x,1\nde,y,2\nf,x,3\n";

typedef struct fault {
    const char     *train, *test;
    rg_dataset_opts opts;
    rg_status       want;
    const char     *says;
} fault;

static const fault faults[] = {
    { train, NULL, { ALL }, RG_EARG, "in: no columns are named" },
    { NULL, NULL, { ALL, .in = { .columns = "text" } }, RG_EARG, "there is nothing to train on" },
    { train, NULL, { ALL, .in = { .columns = "txt" }, LABELS }, RG_EARG,
      "train.csv:1: there is no column 'txt'; there are: text, label, n" },
    { train, NULL, { ALL, .in = { .columns = "text" },
      .out = { .columns = "lab", .unit = RG_UNIT_WHOLE } }, RG_EARG,
      "train.csv:1: there is no column 'lab'" },
    { train, NULL, { ALL, .in = { .columns = "z*" }, LABELS }, RG_EARG, "no column 'z*'" },
    { train, NULL, { ALL, .in = { .columns = "text,text" }, LABELS }, RG_EARG, "is named twice" },
    { train, NULL, { ALL, .in = { .columns = "text,n" }, LABELS }, RG_EARG,
      "'text,n' are 2 columns: text and labels come from one" },
    { train, "text,n\na,1\n", { ALL, .in = { .columns = "text" }, LABELS }, RG_EARG,
      "test.csv:1: there is no column 'label'; there are: text, n" },
    { train, "text,label\nab,x\ncd,z\n", { ALL, .in = { .columns = "text" }, LABELS }, RG_EINDEX,
      "test.csv:3: column 'label': 'z' is none of the 2 that the training part has" },
    { train, "text,label\nab,\n", { ALL, .in = { .columns = "text" }, LABELS }, RG_EFORMAT,
      "test.csv:2: column 'label': the label is missing" },
    { train, NULL, { ALL, .in = { .columns = "text", .unit = RG_UNIT_NUMBER }, LABELS }, RG_EFORMAT,
      "train.csv:2: column 'text': 'abc' is no finite number" },
    { train, NULL, { ALL, .in = { .columns = "n", .unit = RG_UNIT_NUMBER, .width = 2 }, LABELS },
      RG_EARG, "1 columns make no steps of 2" },
    { train, NULL, { ALL, .longest = 2, .in = { .columns = "text" }, LABELS }, RG_ELIMIT,
      "train.csv:2: column 'text': 3 steps, more than 2: cut it, or raise `longest`" },
    { train, NULL, { ALL, .in = { .columns = "text" }, .out = { .columns = "label" } }, RG_EARG,
      "RG_UNIT_WHOLE and RG_TARGET_CLASS go together" },
    { train, NULL, { ALL, .in = { .columns = "text" }, .target = RG_TARGET_VALUES,
      .out = { .columns = "n" } }, RG_EARG, "RG_UNIT_NUMBER and RG_TARGET_VALUES go together" },
    { train, NULL, { ALL, .in = { .columns = "text" }, .target = RG_TARGET_TAGS,
      .out = { .columns = "n", .unit = RG_UNIT_BYTE } }, RG_EARG, "targets are characters, words" },
    { train, NULL, { ALL, .in = { .columns = "label", .unit = RG_UNIT_WHOLE },
      .target = RG_TARGET_TAGS, .out = { .columns = "n" } }, RG_EARG, "has one step, and no tags" },
    { train, NULL, { ALL, .in = { .columns = "text" }, .target = RG_TARGET_TAGS,
      .out = { .columns = "label" } }, RG_EFORMAT, "train.csv:2: 3 steps and 1 tags" },
    { train, NULL, { .split = RG_SPLIT_ORDER, .valid = 0.5, .test = 0.5,
      .in = { .columns = "text" }, LABELS }, RG_EARG, "valid 0.5 and test 0.5 leave nothing" },
    { train, NULL, { .split = RG_SPLIT_ORDER, .valid = 0.1, .test = 0.8,
      .in = { .columns = "text" }, LABELS }, RG_ESTATE,
      "none of the 3 items is in the training part" },
    { train, NULL, { ALL, .in = { .columns = "text", .unit = (rg_unit)9 } }, RG_EARG,
      "unit or scaling is none of its names" },
    { train, NULL, { ALL, .steps = -1, .in = { .columns = "text" } }, RG_EARG, "is negative" },
};

RGT_TEST(dataset, faults_are_named_and_nothing_is_left)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const fault *f = &faults[i];
        rg_table a, b;
        rg_dataset d;
        read_table(&a, "train.csv", f->train);
        read_table(&b, "test.csv", f->test);
        rg_status st = rg_dataset_table(&d, f->train ? &a : NULL, NULL, f->test ? &b : NULL,
                                        &f->opts);
        RGT_CHECK_MSG(st == f->want && rgt_has(d.message, f->says), "%zu: %d: %s", i, st,
                      d.message);
        RGT_CHECK(!d.memory && d.n == 0 && !d.in.id && !d.out_vocab.memory);
        rg_table_destroy(&a);
        rg_table_destroy(&b);
    }
}

RGT_TEST(dataset, given_vocabularies_must_have_what_is_needed)
{
    static const char *const list[] = { "x", RG_BEGIN };
    rg_table t;
    rg_dataset d;
    rg_vocab v;
    read_table(&t, "train.csv", train);
    RGT_CHECK(rg_vocab_create(&v, list, 2) == RG_OK);
    rg_dataset_opts opts = { ALL, .in = { .columns = "text" }, .target = RG_TARGET_SEQUENCE,
                             .out = { .columns = "label", .vocab = &v } };
    RGT_CHECK(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_EARG);
    RGT_CHECK_MSG(rgt_has(d.message, "the vocabulary given lacks <bos> or <eos>"), "%s",
                  d.message);
    opts = (rg_dataset_opts){ ALL, .in = { .columns = "text", .vocab = &v }, LABELS };
    RGT_CHECK(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(d.message, "train.csv:2: column 'text': 'a' is none of the 2"), "%s",
                  d.message);
    rg_vocab_destroy(&v);
    RGT_CHECK(rg_dataset_table(&d, &t, NULL, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_dataset_table(NULL, &t, NULL, NULL, &opts) == RG_EARG);
    rg_table_destroy(&t);
    rg_table none = { .rows = 0 };
    opts = (rg_dataset_opts){ ALL, .in = { .columns = "text" } };
    RGT_CHECK(rg_dataset_table(&d, &none, NULL, NULL, &opts) == RG_EARG);
}

RGT_TEST(dataset, other_columns_in_the_test_file_are_refused)
{
    rg_table a, b;
    rg_dataset d;
    read_table(&a, "train.csv", "p0,p1,label\n1,2,x\n");
    read_table(&b, "test.csv", "p1,p0,label\n1,2,x\n");
    const rg_dataset_opts opts = { ALL, .in = { .columns = "p*", .unit = RG_UNIT_NUMBER }, LABELS };
    RGT_CHECK(rg_dataset_table(&d, &a, NULL, &b, &opts) == RG_EARG);
    RGT_CHECK_MSG(rgt_has(d.message, "test.csv:1: 'p*' are other columns, or in another order"),
                  "%s", d.message);
    rg_table_destroy(&a);
    rg_table_destroy(&b);
}

RGT_TEST(dataset, series_that_cannot_be_are_refused)
{
    static const struct { rg_dataset_opts opts; rg_status want; const char *says; } row[] = {
        { { .in = { .columns = "n" }, LABELS }, RG_EARG, "a series has columns of numbers" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, LABELS, .steps = 3 }, RG_ELIMIT,
          "3 rows are fewer than a window of 3 and its target 1 ahead" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, LABELS, .steps = 20000 }, RG_ELIMIT,
          "steps or horizon is more than 10000" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER, .width = 2 }, LABELS }, RG_EARG,
          "width: a step of a series is a row" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, .target = RG_TARGET_TAGS, LABELS },
          RG_EARG, "a series has RG_TARGET_VALUES of numbers" },
        { { .in = { .columns = "text", .unit = RG_UNIT_NUMBER }, LABELS }, RG_EFORMAT,
          "column 'text': 'abc' is no finite number" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, ALL,
            .out = { .columns = "text", .unit = RG_UNIT_WHOLE } }, RG_OK, "" },
        { { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, .valid = -1, .test = 0.3,
            .out = { .columns = "text", .unit = RG_UNIT_WHOLE } }, RG_EINDEX,
          "t.csv:4: column 'text': 'f' is none of the 2" },
    };
    rg_table t;
    read_table(&t, "t.csv", train);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_dataset d;
        rg_status st = rg_dataset_series(&d, &t, &row[i].opts);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(d.message, row[i].says), "%zu: %d: %s", i, st,
                      d.message);
        rg_dataset_destroy(&d);
    }
    rg_dataset d;
    RGT_CHECK(rg_dataset_series(&d, NULL, &row[1].opts) == RG_EARG);
    rg_table_destroy(&t);
}

/* ---- Arrays ---------------------------------------------------------------------------------- */

static float   reals[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static int32_t whole[12] = { 0, 1, 2, 3, 4, 5, 0, 1, 0, -1, 7, 2 };

static rg_array real_array(rg_shape shape)
{
    return (rg_array){ RG_F32, shape, reals, 4 * (size_t)rg_shape_count(shape), "" };
}

static rg_array whole_array(rg_shape shape, size_t first)
{
    return (rg_array){ RG_I32, shape, whole + first, 4 * (size_t)rg_shape_count(shape), "" };
}

static void refused(const rg_arrays *a, rg_dataset_opts opts, rg_status want, const char *says)
{
    rg_dataset d;
    opts.valid = opts.test = -1;
    rg_status st = rg_dataset_arrays(&d, a, NULL, NULL, &opts);
    RGT_CHECK_MSG(st == want && rgt_has(d.message, says), "%d: %s", st, d.message);
    RGT_CHECK(!d.memory && d.n == 0);
}

RGT_TEST(dataset, arrays_that_do_not_fit_are_refused)
{
    const rg_dataset_opts none = { .in = { .width = 0 } };
    rg_array x = real_array(RG_SHAPE(2, 3, 2)), flat = real_array(RG_SHAPE(6, 2)), gone = x;
    rg_array y = whole_array(RG_SHAPE(2), 0), three = whole_array(RG_SHAPE(3), 0);
    rg_array minus = whole_array(RG_SHAPE(2), 8), ids = whole_array(RG_SHAPE(2, 2), 6);
    rg_array tags = whole_array(RG_SHAPE(2, 2), 0), values = real_array(RG_SHAPE(2));
    rg_array deep = real_array(RG_SHAPE(2, 1, 2)), bad_ids = whole_array(RG_SHAPE(2, 2), 8);
    gone.data = NULL;
    refused(&(rg_arrays){ .y = &y }, none, RG_EARG, "train.x: there is no array");
    refused(&(rg_arrays){ .x = &gone, .y = &y }, none, RG_EARG, "train.x: an array that was not");
    refused(&(rg_arrays){ .x = &x }, none, RG_EARG, "train.y: there is no array");
    refused(&(rg_arrays){ .x = &x, .y = &three }, none, RG_ESHAPE,
            "train.y: 3 entries where 2 are needed");
    refused(&(rg_arrays){ .x = &x, .y = &values }, none, RG_EDTYPE, "train.y: integers, the clas");
    refused(&(rg_arrays){ .x = &x, .y = &tags }, none, RG_ESHAPE, "train.y: classes are [N]");
    refused(&(rg_arrays){ .x = &x, .y = &minus }, none, RG_EINDEX, "class -1 at 1 is negative");
    refused(&(rg_arrays){ .x = &x, .y = &y },
            (rg_dataset_opts){ .target = RG_TARGET_VALUES }, RG_EDTYPE, "real numbers are needed");
    refused(&(rg_arrays){ .x = &x, .y = &tags },
            (rg_dataset_opts){ .target = RG_TARGET_TAGS }, RG_ESHAPE, "tags are [N,T] as x is");
    refused(&(rg_arrays){ .x = &x, .y = &y }, (rg_dataset_opts){ .in = { .width = 4 } },
            RG_ESHAPE, "train.x: items of 6 numbers make no steps of 4");
    refused(&(rg_arrays){ .x = &x, .y = &y, .lengths = &three }, none, RG_ESHAPE,
            "train.lengths: 3 entries where 2 are needed");
    refused(&(rg_arrays){ .x = &x, .y = &y, .lengths = &values }, none, RG_EDTYPE,
            "train.lengths: N integers");
    refused(&(rg_arrays){ .x = &x, .y = &y, .lengths = &minus }, none, RG_EINDEX,
            "train.lengths: item 1 has length -1, not 0 to 3");
    refused(&(rg_arrays){ .x = &x, .y = &y, .lengths = &y, .offsets = &three }, none, RG_EARG,
            "lengths or offsets, not both");
    refused(&(rg_arrays){ .x = &deep, .y = &y, .offsets = &three }, none, RG_ESHAPE,
            "with offsets numbers are [steps,D]");
    refused(&(rg_arrays){ .x = &flat, .y = &y, .offsets = &values }, none, RG_EDTYPE,
            "train.offsets: N+1 integers");
    refused(&(rg_arrays){ .x = &bad_ids, .y = &y }, none, RG_EINDEX, "train.x: id -1 at 1");
    refused(&(rg_arrays){ .x = &ids, .y = &y }, (rg_dataset_opts){ .target = RG_TARGET_SEQUENCE },
            RG_EARG, "arrays have no target sequences");
    for (size_t first = 0; first < 3; first++) { /* offsets: 5 0 1 falls, 0 1 0 falls, 1 .. */
        rg_array off = whole_array(RG_SHAPE(3), first == 0 ? 5 : first == 1 ? 6 : 1);
        refused(&(rg_arrays){ .x = &flat, .y = &y, .offsets = &off }, none, RG_EINDEX,
                "train.offsets: item ");
    }
}

RGT_TEST(dataset, a_class_that_training_lacks_is_refused)
{
    rg_array x = real_array(RG_SHAPE(2, 2)), y = whole_array(RG_SHAPE(2), 0);
    rg_array other = whole_array(RG_SHAPE(2), 2);
    const rg_arrays a = { .x = &x, .y = &y }, b = { .x = &x, .y = &other };
    const rg_dataset_opts opts = { .valid = -1, .test = -1 };
    rg_array wide = real_array(RG_SHAPE(2, 3));
    const rg_arrays c = { .x = &wide, .y = &y };
    rg_dataset d;
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, &b, &opts) == RG_EINDEX);
    RGT_CHECK_MSG(rgt_has(d.message, "item 2: class 2 is none of the 2 that the training part"),
                  "%s", d.message);
    RGT_CHECK(rg_dataset_arrays(&d, &a, NULL, &c, &opts) == RG_ESHAPE);
    RGT_CHECK_MSG(rgt_has(d.message, "test.x: not of the type and width of train.x"), "%s",
                  d.message);
    RGT_CHECK(rg_dataset_arrays(&d, NULL, NULL, NULL, &opts) == RG_EARG);
    RGT_CHECK(rg_dataset_arrays(NULL, &a, NULL, NULL, &opts) == RG_EARG);
}

/* ---- Memory and stopping --------------------------------------------------------------------- */

static rg_status scenario(const rg_alloc *hooks, rgt_text *result)
{
    static const char text[] = "text,phones,n\nab,X Y,1\ncde,Y,2\nf,Z X Y,3\n";
    rg_table t;
    rg_dataset d = { .n = 0 }, e = { .n = 0 };
    rg_batches *b = NULL;
    rg_batch x;
    const rg_table_opts table = { .alloc = *hooks };
    const rg_dataset_opts opts = { ALL, .in = { .columns = "text" }, .target = RG_TARGET_SEQUENCE,
                                   .out = { .columns = "phones", .unit = RG_UNIT_WORD },
                                   .alloc = *hooks };
    const rg_dataset_opts series = { .in = { .columns = "n", .unit = RG_UNIT_NUMBER }, ALL,
                                     .out = { .columns = "n", .unit = RG_UNIT_NUMBER },
                                     .target = RG_TARGET_VALUES, .alloc = *hooks };
    rg_status st = rg_table_decode(&t, "t", text, sizeof text - 1, &table);
    if (!st)
        st = rg_dataset_table(&d, &t, NULL, NULL, &opts);
    if (!st)
        st = rg_dataset_series(&e, &t, &series);
    if (!st)
        st = rg_batches_create(&b, &d, &(rg_batches_opts){ .alloc = *hooks, .seed = 3 });
    if (!st && !(st = rg_batches_get(&x, b, 1, 0)))
        rgt_write(result, (const char *)x.y, (size_t)(x.U * x.B) * sizeof *x.y);
    rg_batches_destroy(&b);
    rg_dataset_destroy(&d);
    rg_dataset_destroy(&e);
    rg_table_destroy(&t);
    return st;
}

RGT_TEST(dataset, without_memory_nothing_is_left)
{
    RGT_CHECK(rgt_fail_each(scenario) > 20);
}

static bool stop(void *user, double share)
{
    (void)share;
    return ++*(int *)user < 2;
}

RGT_TEST(dataset, making_one_can_be_stopped)
{
    static char text[6 * 1000 + 16] = "t,y\n";
    for (int i = 0; i < 1000; i++)
        (void)snprintf(text + strlen(text), 8, "a%d,x\n", i % 10);
    rg_table t;
    rg_dataset d;
    int calls = 0;
    read_table(&t, "t.csv", text);
    const rg_dataset_opts opts = { ALL, .in = { .columns = "t" }, .progress = { stop, &calls, -1 },
                                   .out = { .columns = "y", .unit = RG_UNIT_WHOLE } };
    RGT_CHECK(rg_dataset_table(&d, &t, NULL, NULL, &opts) == RG_EUSER && calls == 2 && !d.memory);
    rg_table_destroy(&t);
}
