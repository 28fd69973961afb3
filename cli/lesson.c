/* cli/lesson.c -- tables, images and arrays as the data set of a task. */
#define _POSIX_C_SOURCE 200809L
#include "cli/lesson.h"
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const part_names[] = { "all", "train", "valid", "test" };

enum { TABLE, IMAGES, ARRAYS };

/* What a file is, by its name. */
static int kind_of(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (strstr(name, ".npy") || strstr(name, ".npz"))
        return ARRAYS;
    return strstr(name, "ubyte") || strstr(name, ".idx") || strstr(name, "-idx") ? IMAGES : TABLE;
}

/* ---- Fingerprint ---------------------------------------------------------------------------- */

/* SHA-256 of a text. */
static int digest(char sha256[65], const char *text, size_t n)
{
    rg_corpus c;
    if (rg_corpus_decode(&c, "", text, n, &(rg_corpus_opts){ .bytes = true }))
        return fail(RUN_TIME, "%s", c.message);
    memcpy(sha256, c.sha256, 65);
    rg_corpus_destroy(&c);
    return DONE;
}

/* One file: its own; several: of theirs. */
static int combine(char sha256[65], char each[3][65])
{
    char all[3 * 64 + 1] = "";
    int n = 0;
    for (int k = 0; k < 3; k++)
        if (*each[k]) {
            memcpy(all + 64 * n, each[k], 65);
            n++;
        }
    if (n > 1)
        return digest(sha256, all, strlen(all));
    memcpy(sha256, all, 65);
    return DONE;
}

static int file_digest(char sha256[65], const char *path)
{
    char plain[PATH_BYTES];
    const char *member = strstr(path, ".npz:");
    rg_corpus c;
    (void)snprintf(plain, sizeof plain, "%.*s", member ? (int)(member - path) + 4 : PATH_BYTES - 1,
                   path);
    rg_status st = rg_corpus_load(&c, plain, &(rg_corpus_opts){ .bytes = true });
    if (st)
        return fail(exit_code(st), "%s", c.message);
    memcpy(sha256, c.sha256, 65);
    rg_corpus_destroy(&c);
    return DONE;
}

/* ---- What is asked for ---------------------------------------------------------------------- */

static rg_dataset_opts opts_of(const settings *s, const net *known, const rg_vocab *words)
{
    static const rg_target target[] = {
        [CLASSIFY] = RG_TARGET_CLASS, [TAG] = RG_TARGET_TAGS, [SEQ2SEQ] = RG_TARGET_SEQUENCE,
        [FORECAST] = RG_TARGET_VALUES,
    };
    rg_dataset_opts o = {
        .in = { .unit = net_unit(s), .width = s->width, .vocab = words,
                .most = (size_t)s->vocab_size, .least = (size_t)s->min_count },
        .out = { .unit = net_label_unit(s) },
        .target = target[s->task], .steps = s->seq_len, .horizon = s->horizon,
        .split = (rg_split_rule)s->split,
    };
    if (!known)
        return o;
    o.valid = o.test = -1;
    o.in.vocab = known->in.word ? &known->in : NULL;
    o.out.vocab = known->out.word ? &known->out : NULL;
    if (known->columns[0]) {
        o.in.shift = known->shift[0];
        o.in.scale = known->scale[0];
    }
    if (known->columns[1]) {
        o.out.shift = known->shift[1];
        o.out.scale = known->scale[1];
    }
    return o;
}

/* ---- Tables --------------------------------------------------------------------------------- */

/* Columns: as given; else the first is read and the second said, or the last is both (a series). */
static int choose_columns(lesson *l, const settings *s, const rg_table *t)
{
    const bool series = s->task == FORECAST;
    const char *in = s->input_column ? s->input_column : t->name[series ? t->columns - 1 : 0];
    const char *out = s->label_column ? s->label_column : series ? in
                    : t->columns > 1 ? t->name[1] : NULL;
    if (!out)
        return fail(BAD_DATA, "%s: the only column is '%s'; --task %s needs two, of inputs and "
                    "labels", s->data, t->name[0], net_tasks[s->task]);
    l->name[0] = strdup(in);
    l->name[1] = strdup(out);
    return l->name[0] && l->name[1] ? DONE : fail(RUN_TIME, "no memory");
}

/* What the library says, with the options that change it. Options that name what is not there are
 * data's fault: the file is another than was meant. */
static int refused(rg_status st, const rg_dataset *d, const settings *s)
{
    const bool few = st == RG_ESTATE || st == RG_ELIMIT, arrays = kind_of(s->data) != TABLE;
    const bool test = s->test && strncmp(d->message, "test", 4) == 0;
    const char *remedy = few && s->task == FORECAST ? " (--seq-len, --horizon)"
                       : st == RG_ESTATE ? " (--split order)" : "";
    return fail(few ? BAD_DATA : exit_code(st), "%s%s%s%s", arrays ? test ? s->test : s->data : "",
                arrays ? ": " : "", d->message, remedy);
}

static int from_tables(lesson *l, const settings *s, rg_table table[3], const net *known,
                       const rg_vocab *words)
{
    rg_table *t[3] = { &table[0], s->valid ? &table[1] : NULL, s->test ? &table[2] : NULL };
    double told = seconds();
    rg_dataset_opts o = opts_of(s, known, words);
    int code = choose_columns(l, s, &table[0]);
    if (code)
        return code;
    o.progress = (rg_progress){ .tell = progress_reading, .user = &told };
    o.in.columns = l->name[0];
    o.out.columns = l->name[1];
    if (s->task == FORECAST && (s->valid || s->test))
        return fail(USAGE, "--%s: a series is cut by time into its parts",
                    s->valid ? "valid" : "test");
    rg_status st = s->task == FORECAST ? rg_dataset_series(&l->set, t[0], &o)
                                       : rg_dataset_table(&l->set, t[0], t[1], t[2], &o);
    return st ? refused(st, &l->set, s) : DONE;
}

static int load_tables(lesson *l, const settings *s, const net *known, const rg_vocab *words)
{
    const char *path[3] = { s->data, s->valid, s->test };
    double told = seconds();
    const rg_table_opts opts = { .progress = { .tell = progress_reading,
                                                      .user = &told } };
    rg_table table[3] = { { .rows = 0 } };
    char sha256[3][65] = { "" };
    int code = DONE;
    for (int k = 0; code == DONE && k < 3; k++) {
        rg_status st = path[k] ? rg_table_load(&table[k], path[k], &opts) : RG_OK;
        if (st)
            code = fail(exit_code(st), "%s", table[k].message);
        memcpy(sha256[k], table[k].sha256, 65);
    }
    if (code == DONE)
        code = combine(l->sha256, sha256);
    if (code == DONE)
        code = from_tables(l, s, table, known, words);
    for (int k = 0; k < 3; k++)
        rg_table_destroy(&table[k]);
    return code;
}

/* ---- Images and arrays ---------------------------------------------------------------------- */

enum { X, Y, LENGTHS, OFFSETS, MEMBERS };

typedef struct file_arrays {
    rg_array  array[MEMBERS];
    bool      here[MEMBERS];
    rg_arrays seen;
} file_arrays;

static int load_array(file_arrays *f, int which, const char *path, bool needed)
{
    rg_array *a = &f->array[which];
    rg_status st = kind_of(path) == IMAGES ? rg_idx_load(a, path) : rg_npy_load(a, path);
    f->here[which] = st == RG_OK;
    needed |= st != RG_EARG; /* the archive has no such member */
    return st && needed ? fail(exit_code(st), "%s", a->message) : DONE;
}

/* x of a file, and its y: --labels, or the member `y` of an npz. */
static int load_arrays_of(file_arrays *f, const char *path, const char *labels)
{
    static const char *const member[] = { "x", "y", "lengths", "offsets" };
    char name[PATH_BYTES];
    const size_t n = strlen(path);
    const bool bundle = n > 4 && strcmp(path + n - 4, ".npz") == 0;
    int code = DONE;
    for (int i = 0; bundle && code == DONE && i < MEMBERS; i++) {
        (void)snprintf(name, sizeof name, "%.4000s:%s", path, member[i]);
        if (i != Y || !labels)
            code = load_array(f, i, name, i <= Y);
    }
    if (!bundle)
        code = load_array(f, X, path, true);
    if (code == DONE && labels)
        code = load_array(f, Y, labels, true);
    if (code == DONE && !f->here[Y])
        code = fail(USAGE, "--labels is missing: the array of the classes of %s", path);
    f->seen = (rg_arrays){ &f->array[X], f->here[LENGTHS] ? &f->array[LENGTHS] : NULL,
                           f->here[OFFSETS] ? &f->array[OFFSETS] : NULL, &f->array[Y] };
    return code;
}

static void destroy_arrays(file_arrays *f)
{
    for (int i = 0; i < MEMBERS; i++)
        rg_array_destroy(&f->array[i]);
}

static int from_arrays(lesson *l, const settings *s, const file_arrays *train,
                       const file_arrays *test, const net *known)
{
    rg_dataset_opts o = opts_of(s, known, NULL);
    o.in.unit = RG_UNIT_NUMBER;
    o.in.scaling = kind_of(s->data) == IMAGES ? RG_SCALE_UNIT : RG_SCALE_STANDARD;
    rg_status st = rg_dataset_arrays(&l->set, &train->seen, NULL, test ? &test->seen : NULL, &o);
    return st ? refused(st, &l->set, s) : DONE;
}

static int load_files(lesson *l, const settings *s, const net *known)
{
    file_arrays train = { .seen = { NULL } }, test = { .seen = { NULL } };
    char sha256[3][65] = { "" };
    int code = DONE;
    if (s->task == SEQ2SEQ || s->task == FORECAST)
        return fail(USAGE, "--task %s reads tables: CSV or TSV", net_tasks[s->task]);
    if (s->valid)
        return fail(USAGE, "--valid: of arrays and images a part of --data validates");
    if (s->test && s->labels && !s->test_labels)
        return fail(USAGE, "--test-labels is missing: the array of the classes of %s", s->test);
    code = load_arrays_of(&train, s->data, s->labels);
    if (code == DONE && s->test)
        code = load_arrays_of(&test, s->test, s->test_labels);
    if (code == DONE)
        code = file_digest(sha256[0], s->data);
    if (code == DONE && s->test)
        code = file_digest(sha256[1], s->test);
    if (code == DONE)
        code = combine(l->sha256, sha256);
    if (code == DONE)
        code = from_arrays(l, s, &train, s->test ? &test : NULL, known);
    destroy_arrays(&train);
    destroy_arrays(&test);
    return code;
}

/* ---- All ------------------------------------------------------------------------------------ */

int lesson_load(lesson *l, const settings *s, const net *known, const rg_vocab *words)
{
    const bool table = kind_of(s->data) == TABLE;
    rg_vocab given = { .n = 0 };
    *l = (lesson){ .sha256 = "" };
    if (s->labels && table)
        return fail(USAGE, "--labels: %s is a table by its name, which has --label-column; images "
                    "have 'ubyte' or 'idx' in theirs, arrays .npy or .npz", s->data);
    if (!table && net_unit(s) == RG_UNIT_WORD)
        return fail(USAGE, "--units word goes with tables; arrays and images have no words");
    rg_status st = s->vocab && !words ? rg_vocab_load(&given, s->vocab) : RG_OK;
    if (st)
        return fail(exit_code(st), "%s", given.message);
    int code = table ? load_tables(l, s, known, s->vocab && !words ? &given : words)
                     : load_files(l, s, known);
    rg_vocab_destroy(&given);
    for (int part = RG_PART_ALL; code == DONE && part <= RG_PART_TEST; part++)
        if (rg_dataset_rows(&l->part[part], &l->set, (rg_part)part))
            code = fail(RUN_TIME, "%s", l->set.message);
    return code;
}

void lesson_close(lesson *l)
{
    rg_dataset_destroy(&l->set);
    free(l->name[0]);
    free(l->name[1]);
    *l = (lesson){ .sha256 = "" };
}
