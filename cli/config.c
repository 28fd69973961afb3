/* cli/config.c -- options as JSON, by the option table. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 1 << 20, VALUE = 4096 };

static json_t *value_of(const settings *s, const option_spec *o)
{
    const void *at = (const char *)s + o->at;
    char text[VALUE];
    switch (o->type) {
    case FLAG:
        return json_boolean(*(const bool *)at);
    case WHOLE:
        return *(const int64_t *)at || o->fallback ? json_integer(*(const int64_t *)at) : NULL;
    case REAL:
        if (*(const double *)at != 0)
            return json_real(*(const double *)at);
        return o->flags & NONE ? json_string("none") : o->fallback ? json_real(0) : NULL;
    default:
        option_text(text, sizeof text, o, s);
        return *text ? json_string(text) : NULL;
    }
}

json_t *config_options(const settings *s)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < n_options; i++) {
        if (!(options[i].flags & KEPT) || !option_of(&options[i], s->command))
            continue;
        json_t *value = value_of(s, &options[i]);
        if (value && json_object_set_new(object, options[i].name, value)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* 15 digits show what people typed; where they do not suffice, 17 do. */
int config_windows(int64_t *T, int64_t *B, const settings *s, json_t *config, const char *path)
{
    json_int_t steps = *T, rows = *B;
    (void)json_unpack(config, "{s:{s?I, s?I}}", "options", "seq-len", &steps, "batch", &rows);
    if (steps < 1 || steps > 65536 || rows < 1 || rows > 65536)
        return fail(BAD_DATA, "%s: no batch and length that train could have had", path);
    *T = option_origin(s, "seq-len") == FROM_LINE ? *T : steps;
    *B = option_origin(s, "batch") == FROM_LINE ? *B : rows;
    return DONE;
}

char *config_text(const json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    json_t *again = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_equal(object, again)) {
        free(text);
        text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    }
    json_decref(again);
    return text;
}

json_t *config_read(const char *path, int *code)
{
    struct stat st;
    json_error_t error;
    if (stat(path, &st)) {
        *code = fail(RUN_TIME, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > LARGEST) {
        *code = fail(BAD_DATA, "%s: %s", path, S_ISREG(st.st_mode) ? "larger than 1 MiB"
                                                                   : "not a regular file");
        return NULL;
    }
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (object && json_is_object(object))
        return object;
    if (object)
        *code = fail(BAD_DATA, "%s: not a JSON object", path);
    else
        *code = fail(BAD_DATA, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    json_decref(object);
    return NULL;
}

json_t *config_of_run(char path[PATH_BYTES], const char *run, int *code)
{
    folder f = { .lock = -1 };
    (void)snprintf(f.path, sizeof f.path, "%s", run);
    *code = DONE;
    return file_exists(folder_file(path, &f, "config.json")) ? config_read(path, code) : NULL;
}

/* A JSON value as it would be typed; NULL: of a kind that no option has. */
static const char *typed(char *out, size_t size, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        (void)snprintf(out, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(out, size, "%.17g", json_real_value(value));
    else
        return NULL;
    return out;
}

static int apply_one(settings *s, const option_spec *o, const json_t *value, const char *where)
{
    char buffer[64];
    const char *text = typed(buffer, sizeof buffer, value);
    if (o->type == FLAG) {
        if (!json_is_boolean(value))
            return fail(USAGE, "%s: neither true nor false", where);
        *(bool *)((char *)s + o->at) = json_is_true(value);
        return DONE;
    }
    if (!text || ((o->type == WHOLE || o->type == REAL) && json_is_string(value) &&
                  !(o->flags & NONE && strcmp(text, "none") == 0)))
        return fail(USAGE, "%s: a value of the wrong kind", where);
    return option_set(s, o, text, where);
}

/* The settings with one more from the file, whose text must outlive it. */
static int accept(settings *s, const settings *run, const option_spec *o)
{
    size_t row = (size_t)(o - options);
    *s = *run;
    s->from[row] = FROM_CONFIG;
    if (o->type != TEXT)
        return DONE;
    const char **text = (const char **)((char *)s + o->at);
    s->kept[row] = strdup(*text);
    *text = s->kept[row];
    return *text ? DONE : fail(RUN_TIME, "no memory");
}

/* A fixed option was typed again: it must say what the run already is. */
static int agree(const settings *s, const settings *run, const option_spec *o)
{
    char typed_now[VALUE], before[VALUE];
    option_text(typed_now, sizeof typed_now, o, s);
    option_text(before, sizeof before, o, run);
    if (strcmp(typed_now, before) == 0)
        return DONE;
    return fail(USAGE, "--%s: the run was started with %s and cannot go on with %s", o->name,
                before, typed_now);
}

int config_apply(settings *s, const json_t *object, const char *path, bool resumed)
{
    const json_t *inner = json_object_get(object, "options");
    const char *key;
    json_t *value;
    object = json_is_object(inner) ? inner : object;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char where[512];
        settings run = *s;
        const option_spec *o = option_find(s->command, key, strlen(key));
        (void)snprintf(where, sizeof where, "%s: %s", path, key);
        if (!o || !(o->flags & KEPT)) {
            o = option_nearest(s->command, key);
            return fail(USAGE, "%s: unknown option%s%s", where, o ? "; did you mean " : "",
                        o ? o->name : "");
        }
        int code = apply_one(&run, o, value, where);
        if (code == DONE && s->from[o - options] != FROM_LINE)
            code = accept(s, &run, o);
        else if (code == DONE && resumed && o->flags & FIXED)
            code = agree(s, &run, o);
        if (code)
            return code;
    }
    return DONE;
}
