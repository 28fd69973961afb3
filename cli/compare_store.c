/* cli/compare_store.c -- an outcome as a file: what is finished need not be run again. */
#define _POSIX_C_SOURCE 200809L
#include "cli/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Everything that a trial's figures depend on but the machine. */
static void fingerprint(char out[512], const comparison *c, const study *st, size_t who, int seed)
{
    const contestant *w = &st->who[who];
    (void)snprintf(out, 512, "%s %s hidden %lld updates %llu/%llu batch %lld optimizer %d lr %g "
                   "clip %g omega %d scale %g init %d chrono %lld seed %lld data %.16s version %d",
                   st->row->key, w->label, (long long)w->hidden, (unsigned long long)st->updates,
                   (unsigned long long)w->updates, (long long)st->row->batch, (int)w->optim.kind,
                   w->optim.lr, w->optim.clip_norm, (int)w->omega, w->scale, (int)w->opts.init,
                   (long long)w->opts.chrono_T, (long long)c->s->seed + seed,
                   st->row->kind == CHARS ? c->corpus.sha256 : "-", rg_version());
}

/* DIR/trials/adding-100.lstm.1.json; what is no letter or digit of a label becomes '-'. */
static void path_of(char out[PATH_BYTES], const comparison *c, const study *st, size_t who,
                    int seed)
{
    char label[40];
    (void)snprintf(label, sizeof label, "%s", st->who[who].label);
    for (char *p = label; *p; p++)
        *p = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ? *p
           : '-';
    (void)snprintf(out, PATH_BYTES, "%.3800s/trials/%s.%s.%lld.json", c->folder, st->row->key,
                   label, (long long)c->s->seed + seed);
}

/* ---- Names of the numbers ------------------------------------------------------------------- */

typedef struct number_row {
    const char *name;
    size_t      at;
} number_row;

static const number_row numbers[] = {
    { "value", offsetof(outcome, value) }, { "loss", offsetof(outcome, loss) },
    { "accuracy", offsetof(outcome, accuracy) }, { "seconds", offsetof(outcome, seconds) },
    { "threshold_seconds", offsetof(outcome, enough_seconds) }, { "ms", offsetof(outcome, ms) },
    { "norm_median", offsetof(outcome, norm_median) }, { "norm_max", offsetof(outcome, norm_max) },
    { "flop", offsetof(outcome, flop) }, { "arena_bytes", offsetof(outcome, arena) },
    { "nodes", offsetof(outcome, nodes) }, { "slope_before", offsetof(outcome, slope[0]) },
    { "slope_after", offsetof(outcome, slope[1]) },
};

static const number_row counts[] = {
    { "updates", offsetof(outcome, updates) },
    { "threshold_update", offsetof(outcome, enough_update) },
    { "skipped", offsetof(outcome, skipped) }, { "clipped", offsetof(outcome, clipped) },
};

typedef struct list_row {
    const char *name;
    size_t      at, n, most;  /* n: where the length stands, 0 = always `most` */
} list_row;

static const list_row lists[] = {
    { "at", offsetof(outcome, at), offsetof(outcome, n_points), MAX_POINTS },
    { "train", offsetof(outcome, train), offsetof(outcome, n_points), MAX_POINTS },
    { "test", offsetof(outcome, test), offsetof(outcome, n_points), MAX_POINTS },
    { "ln_gradient_before", offsetof(outcome, flow[0]), offsetof(outcome, n_lags[0]), MAX_LAGS },
    { "ln_gradient_after", offsetof(outcome, flow[1]), offsetof(outcome, n_lags[1]), MAX_LAGS },
    { "by_length", offsetof(outcome, by_length), 0, MAX_LENGTHS },
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers, N_COUNTS = sizeof counts / sizeof *counts,
       N_LISTS = sizeof lists / sizeof *lists };

#define FIELD(type, o, at) ((type *)(void *)((char *)(o) + (at)))

static double number(const json_t *v)
{
    return json_is_number(v) ? json_number_value(v) : NAN;
}

json_t *outcome_json(const outcome *from)
{
    outcome copy = *from, *o = &copy;
    json_t *out = json_object();
    for (size_t i = 0; i < N_NUMBERS; i++)
        json_object_set_new(out, numbers[i].name, number_json(*FIELD(double, o, numbers[i].at)));
    for (size_t i = 0; i < N_COUNTS; i++)
        json_object_set_new(out, counts[i].name,
                            json_integer((json_int_t)*FIELD(uint64_t, o, counts[i].at)));
    for (size_t i = 0; i < N_LISTS; i++) {
        json_t *list = json_array();
        const size_t n = lists[i].n ? *FIELD(size_t, o, lists[i].n) : lists[i].most;
        for (size_t k = 0; k < n; k++)
            json_array_append_new(list, number_json(FIELD(double, o, lists[i].at)[k]));
        json_object_set_new(out, lists[i].name, list);
    }
    return out;
}

static bool outcome_of(outcome *o, const json_t *from)
{
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < N_NUMBERS; i++)
        *FIELD(double, o, numbers[i].at) = number(json_object_get(from, numbers[i].name));
    for (size_t i = 0; i < N_COUNTS; i++) {
        const json_t *v = json_object_get(from, counts[i].name);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return false;
        *FIELD(uint64_t, o, counts[i].at) = (uint64_t)json_integer_value(v);
    }
    for (size_t i = 0; i < N_LISTS; i++) {
        const json_t *list = json_object_get(from, lists[i].name);
        const size_t n = json_array_size(list);
        if (!json_is_array(list) || n > lists[i].most)
            return false;
        for (size_t k = 0; k < n; k++)
            FIELD(double, o, lists[i].at)[k] = number(json_array_get(list, k));
        if (lists[i].n)
            *FIELD(size_t, o, lists[i].n) = n;
    }
    return true;
}

/* ---- Files ---------------------------------------------------------------------------------- */

bool outcome_load(outcome *out, const comparison *c, const study *st, size_t who, int seed)
{
    char path[PATH_BYTES], want[512];
    path_of(path, c, st, who, seed);
    fingerprint(want, c, st, who, seed);
    json_t *o = json_load_file(path, 0, NULL);
    const char *is = json_string_value(json_object_get(o, "settings"));
    out->done = is && strcmp(is, want) == 0 && outcome_of(out, o);
    json_decref(o);
    return out->done;
}

int outcome_save(const outcome *out, const comparison *c, const study *st, size_t who, int seed)
{
    char path[PATH_BYTES], text[512];
    path_of(path, c, st, who, seed);
    fingerprint(text, c, st, who, seed);
    json_t *o = outcome_json(out);
    json_object_set_new(o, "settings", json_string(text));
    json_object_set_new(o, "v", json_integer(1));
    char *lines = json_dumps(o, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    json_decref(o);
    if (!lines)
        return fail(RUN_TIME, "no memory");
    int code = file_replace(path, lines, strlen(lines));
    free(lines);
    return code;
}
