/* tests/layers/golden_digest.c -- reading known answers and holding tensors against them. */
#include "tests/layers/golden_digest.h"

#include "tests/layers/golden_dir.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 3 };

void golden_add(golden_trial *c, const char *before, const char *name, rg_val v)
{
    RGT_CHECK(c->n < GOLDEN_TENSORS);
    (void)snprintf(c->name[c->n], sizeof c->name[0], "%s%s", before, name);
    c->v[c->n++] = v;
}

double golden_off_by(golden_trial *c, const char *line)
{
    char name[24];
    double want[NUMBERS], got[NUMBERS] = { 0 }, off = 0;
    size_t k = 0, n;
    if (sscanf(line, "%23s %lf %lf %lf", name, want, want + 1, want + 2) != 4)
        return INFINITY;
    while (k < c->n && strcmp(c->name[k], name) != 0)
        k++;
    if (k == c->n)
        return INFINITY;
    double *v = lab_read(&c->l, c->v[k], &n);
    for (size_t i = 0; i < n; i++) {
        char stream[32];
        got[0] += v[i] * v[i];
        for (int p = 1; p < NUMBERS; p++) {
            (void)snprintf(stream, sizeof stream, "v%d.%s", p - 1, name);
            got[p] += v[i] * lab_draw(c->l.seed, stream, i);
        }
    }
    free(v);
    got[0] = sqrt(got[0]);
    for (int p = 0; p < NUMBERS; p++)
        off = fmax(off, isnan(got[p]) ? INFINITY : fabs(got[p] - want[p]));
    return off / (want[0] > 0 ? want[0] : 1);
}

char *golden_load(const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, GOLDEN_DIR "/%s", name);
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 17);
    RGT_CHECK(f && text);
    size_t n = fread(text, 1, (1 << 17) - 1, f);
    RGT_CHECK(fclose(f) == 0 && n > 0 && text[n - 1] == '\n');
    return text;
}

double golden_judge(golden_case_fn *run, const char *text, rg_effort how, size_t *cases,
                    size_t *tensors)
{
    golden_trial c = { .n = 0 };
    bool open = false;
    double worst = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (*line == '#' || strncmp(line, "sum ", 4) == 0)
            continue;
        if (strncmp(line, "case ", 5) == 0) {
            if (open)
                lab_close(&c.l);
            memset(&c, 0, sizeof c);
            open = run(&c, line, how);
            RGT_CHECK_MSG(open, "%.80s", line);
            ++*cases;
        } else {
            worst = fmax(worst, open ? golden_off_by(&c, line) : INFINITY);
            ++*tensors;
        }
    }
    if (open)
        lab_close(&c.l);
    return worst;
}

void golden_notices(golden_case_fn *run, const char *file, const char *line)
{
    size_t cases = 0, tensors = 0;
    char *text = golden_load(file), *at = strstr(text, line);
    RGT_CHECK_MSG(at, "%s", line + 1);
    char *digit = strchr(strchr(at + 1, ' '), '.') + 6;
    *digit = *digit == '7' ? '3' : '7';
    RGT_CHECK_MSG(golden_judge(run, text, RG_INTERPRET, &cases, &tensors) > 1e-8, "%s", line + 1);
    free(text);
}
