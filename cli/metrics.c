/* cli/metrics.c -- one row, one write; what a resumed run has not reached is cut. */
#define _POSIX_C_SOURCE 200809L
#include "cli/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A row as text -------------------------------------------------------------------------- */

static void put(json_t *object, json_t *nonfinite, const char *name, double x)
{
    if (isfinite(x)) {
        json_object_set_new(object, name, json_real(x));
    } else {
        json_object_set_new(object, name, json_null());
        json_array_append_new(nonfinite, json_string(name));
    }
}

/* The line for metrics.jsonl, to be freed; NULL without memory. */
static char *json_line(const metrics *m, const metrics_row *r)
{
    if (r->line)
        return strdup(r->line);
    json_t *object = json_object(), *nonfinite = json_array();
    json_object_set_new(object, "v", json_integer(1));
    json_object_set_new(object, "time", json_real(r->time));
    json_object_set_new(object, "step", json_integer((json_int_t)r->step));
    json_object_set_new(object, "epoch", json_real(r->epoch));
    json_object_set_new(object, "split", json_string(r->split));
    put(object, nonfinite, "loss", r->loss);
    for (size_t i = 0; m->name[i]; i++)
        if (!(r->measure[i] < 0))
            put(object, nonfinite, m->name[i], r->measure[i]);
    if (!(r->grad_norm < 0))
        put(object, nonfinite, "grad_norm", r->grad_norm);
    if (r->lr >= 0)
        put(object, nonfinite, "lr", r->lr);
    if (r->tok_s >= 0)
        put(object, nonfinite, "tok_s", r->tok_s);
    if (json_array_size(nonfinite))
        json_object_set(object, "nonfinite", nonfinite);
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(nonfinite);
    json_decref(object);
    return text;
}

static void csv_number(char *out, size_t size, double x)
{
    if (x < 0)
        (void)snprintf(out, size, ",");
    else
        (void)snprintf(out, size, ",%.9g", x);
}

static void csv_line(char *out, size_t size, const metrics *m, const metrics_row *r)
{
    char norm[32], lr[32], speed[32], measure[32 * MEASURES] = "";
    csv_number(norm, sizeof norm, r->grad_norm);
    csv_number(lr, sizeof lr, r->lr);
    csv_number(speed, sizeof speed, r->tok_s);
    for (size_t i = 0, n = 0; m->name[i]; i++, n = strlen(measure))
        csv_number(measure + n, sizeof measure - n, r->measure[i]);
    (void)snprintf(out, size, "%.9g,%llu,%.9g,%s,%.9g%s%s%s%s\n", r->time,
                   (unsigned long long)r->step, r->epoch, r->split, r->loss, measure, norm, lr,
                   speed);
}

static void csv_header(FILE *out, const metrics *m)
{
    (void)fputs("time,step,epoch,split,loss", out);
    for (size_t i = 0; m->name[i]; i++)
        (void)fprintf(out, ",%s", m->name[i]);
    (void)fputs(",grad_norm,lr,tok_s\n", out);
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int append(int fd, const char *text, size_t n, const char *what)
{
    ssize_t done;
    do
        done = write(fd, text, n);
    while (done < 0 && errno == EINTR);
    if (done == (ssize_t)n)
        return DONE;
    return fail(RUN_TIME, "%s: %s", what, strerror(done < 0 ? errno : ENOSPC));
}

static int keep(metrics *m, const metrics_row *row)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 256;
        metrics_row *grown = realloc(m->row, cap * sizeof *grown);
        if (!grown)
            return fail(RUN_TIME, "no memory");
        m->row = grown;
        m->cap = cap;
    }
    m->row[m->n++] = *row;
    return DONE;
}

int metrics_add(metrics *m, const metrics_row *given, bool echo)
{
    metrics_row whole = *given, *row = &whole;
    if (m->first)
        row->measure[0] = m->first(row->loss);
    char csv[512], *json = json_line(m, row);
    int code = json ? keep(m, row) : fail(RUN_TIME, "no memory");
    if (code) {
        free(json);
        free(row->line);
        return code;
    }
    size_t n = strlen(json);
    if (echo) {
        puts(json);
        fflush(stdout);
    }
    json[n] = '\n'; /* in place of the terminator: one write */
    code = append(m->jsonl, json, n + 1, "metrics.jsonl");
    csv_line(csv, sizeof csv, m, row);
    if (code == DONE && !row->line)
        code = append(m->csv, csv, strlen(csv), "metrics.csv");
    free(json);
    return code;
}

int metrics_line(metrics *m, char *line, uint64_t step, bool echo)
{
    const metrics_row row = { .step = step, .split = "gradflow", .line = line };
    return line ? metrics_add(m, &row, echo) : fail(RUN_TIME, "no memory");
}

/* A number that a row may lack. */
static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return !value ? -1 : json_is_number(value) ? json_number_value(value) : NAN;
}

/* A row of an earlier session; false: torn, or of another version. */
static bool parse(const metrics *m, metrics_row *r, const char *line, size_t n)
{
    json_error_t error;
    json_t *object = json_loadb(line, n, 0, &error);
    const char *split = json_string_value(json_object_get(object, "split"));
    const json_t *at = json_object_get(object, "step"), *loss = json_object_get(object, "loss");
    bool good = split && json_is_integer(at);
    if (good && strcmp(split, "gradflow") == 0) {
        *r = (metrics_row){ .time = json_number_value(json_object_get(object, "time")),
                            .step = (uint64_t)json_integer_value(at), .split = "gradflow",
                            .line = strndup(line, n - 1) };
        json_decref(object);
        return r->line != NULL;
    }
    if (good)
        *r = (metrics_row){
            .time = json_number_value(json_object_get(object, "time")),
            .step = (uint64_t)json_integer_value(at),
            .epoch = json_number_value(json_object_get(object, "epoch")),
            .split = strcmp(split, "train") == 0 ? "train" : strcmp(split, "valid") == 0 ? "valid"
                   : "test",
            .loss = json_is_number(loss) ? json_number_value(loss) : NAN,
            .grad_norm = number_of(object, "grad_norm"), .lr = number_of(object, "lr"),
            .tok_s = number_of(object, "tok_s"),
        };
    for (size_t i = 0; good && m->name[i]; i++)
        r->measure[i] = number_of(object, m->name[i]);
    json_decref(object);
    return good;
}

static bool reached(const metrics_row *r, uint64_t step, uint64_t evaluated)
{
    return strcmp(r->split, "train") == 0 || r->line ? r->step <= step
         : strcmp(r->split, "valid") == 0 && r->step <= evaluated;
}

/* The rows of metrics.jsonl that still hold; a missing file has none. */
static int read_rows(metrics *m, const char *path, uint64_t step, uint64_t evaluated)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    int code = DONE;
    if (!file)
        return DONE;
    for (ssize_t n; code == DONE && (n = getline(&line, &cap, file)) > 0;) {
        metrics_row row;
        if (line[n - 1] != '\n' || !parse(m, &row, line, (size_t)n))
            continue;
        if (row.step > step) {
            free(row.line);
            continue;
        }
        m->time = row.time > m->time ? row.time : m->time; /* of results, too, which are cut */
        if (reached(&row, step, evaluated))
            code = keep(m, &row);
    }
    free(line);
    (void)fclose(file);
    return code;
}

static int rewrite(metrics *m, const char *jsonl, const char *csv)
{
    char *text[2] = { NULL, NULL }, row[512];
    size_t n[2];
    FILE *file[2] = { open_memstream(&text[0], &n[0]), open_memstream(&text[1], &n[1]) };
    int code = file[0] && file[1] ? DONE : fail(RUN_TIME, "no memory");
    if (code == DONE)
        csv_header(file[1], m);
    for (size_t i = 0; code == DONE && i < m->n; i++) {
        char *json = json_line(m, &m->row[i]);
        (void)fprintf(file[0], "%s\n", json ? json : "");
        if (!m->row[i].line) {
            csv_line(row, sizeof row, m, &m->row[i]);
            (void)fputs(row, file[1]);
        }
        free(json);
    }
    for (int i = 0; i < 2; i++)
        if (file[i] && fclose(file[i]) && code == DONE)
            code = fail(RUN_TIME, "no memory");
    if (code == DONE)
        code = file_replace(jsonl, text[0], n[0]);
    if (code == DONE)
        code = file_replace(csv, text[1], n[1]);
    free(text[0]);
    free(text[1]);
    return code;
}

int metrics_open(metrics *m, const folder *f, const char *const *name,
                 double (*first)(double loss), uint64_t step, uint64_t evaluated)
{
    char jsonl[PATH_BYTES], csv[PATH_BYTES];
    *m = (metrics){ .name = name, .first = first, .jsonl = -1, .csv = -1 };
    folder_file(jsonl, f, "metrics.jsonl");
    folder_file(csv, f, "metrics.csv");
    int code = read_rows(m, jsonl, step, evaluated);
    if (code == DONE)
        code = rewrite(m, jsonl, csv);
    if (code)
        return code;
    m->jsonl = open(jsonl, O_WRONLY | O_APPEND | O_CLOEXEC);
    m->csv = open(csv, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (m->jsonl < 0 || m->csv < 0)
        return fail(RUN_TIME, "%s: %s", f->path, strerror(errno));
    return DONE;
}

void metrics_close(metrics *m)
{
    if (m->jsonl >= 0)
        (void)close(m->jsonl);
    if (m->csv >= 0)
        (void)close(m->csv);
    for (size_t i = 0; i < m->n; i++)
        free(m->row[i].line);
    free(m->row);
    *m = (metrics){ .jsonl = -1, .csv = -1 };
}

/* ---- The picture ---------------------------------------------------------------------------- */

static size_t curve_of(const metrics *m, const char *split, double *x, double *y)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->row[i].split, split) == 0) {
            x[n] = (double)m->row[i].step;
            y[n++] = m->first ? m->row[i].measure[0] : m->row[i].loss;
        }
    return n;
}

int metrics_plot(const metrics *m, const folder *f, const rg_svg_opts *opts, double baseline,
                 const char *baseline_label)
{
    char path[PATH_BYTES], *text = NULL;
    size_t n = 0, rows = m->n ? m->n : 1;
    double *xy = malloc(4 * rows * sizeof *xy);
    double last = m->n ? (double)m->row[m->n - 1].step : 1;
    double line_x[2] = { 0, last > 0 ? last : 1 }, line_y[2] = { baseline, baseline };
    FILE *file = open_memstream(&text, &n);
    if (!xy || !file) {
        free(xy);
        return fail(RUN_TIME, "no memory");
    }
    rg_curve curve[3] = {
        { .label = "training", .x = xy, .y = xy + rows },
        { .label = "validation", .x = xy + 2 * rows, .y = xy + 3 * rows },
        { .label = baseline_label, .x = line_x, .y = line_y, .n = 2 },
    };
    curve[0].n = curve_of(m, "train", xy, xy + rows);
    curve[1].n = curve_of(m, "valid", xy + 2 * rows, xy + 3 * rows);
    (void)rg_svg_curves(curve, isnan(baseline) ? 2 : 3, opts, rg_to_file, file);
    int code = fclose(file) ? fail(RUN_TIME, "no memory")
                            : file_replace(folder_file(path, f, "plot.svg"), text, n);
    free(text);
    free(xy);
    return code;
}
