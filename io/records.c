/* io/records.c -- moving numbers between stores and records; what differs, in words. */
#include "io/layout.h"

#include "base/checked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* to [cols,rows] = from [rows,cols] transposed, in tiles that stay in the cache. */
static void transpose(char *to, const char *from, int64_t rows, int64_t cols, size_t item)
{
    enum { TILE = 16 };
    for (int64_t r0 = 0; r0 < rows; r0 += TILE)
        for (int64_t c0 = 0; c0 < cols; c0 += TILE)
            for (int64_t r = r0; r < rows && r < r0 + TILE; r++)
                for (int64_t c = c0; c < cols && c < c0 + TILE; c++)
                    if (item == 4)
                        memcpy(to + 4 * (c * rows + r), from + 4 * (r * cols + c), 4);
                    else
                        memcpy(to + 8 * (c * rows + r), from + 8 * (r * cols + c), 8);
}

void rg_record_gather(const rg_record *r, void *out)
{
    size_t item = rg_dtype_size(r->dtype);
    char *at = out;
    for (int k = 0; k < r->n_part; k++) {
        const rg_slot *s = r->part[k].slot;
        if (r->part[k].how == RG_PART_TRANSPOSED)
            transpose(at, s->data, s->shape.dim[0], s->shape.dim[1], item);
        else if (r->part[k].how == RG_PART_COPY)
            memcpy(at, s->data, s->bytes);
        else
            memset(at, 0, s->bytes);
        at += s->bytes;
    }
}

/* Zeros are passed over, so that they change no bit: -0 + 0 would be 0. */
static void add_to(const rg_slot *s, const char *from)
{
    for (int64_t i = 0; i < s->count; i++) {
        float x;
        double y;
        if (s->dtype == RG_F32) {
            memcpy(&x, from + 4 * i, 4);
            if (x != 0)
                ((float *)s->data)[i] += x;
        } else {
            memcpy(&y, from + 8 * i, 8);
            if (y != 0)
                ((double *)s->data)[i] += y;
        }
    }
}

void rg_record_scatter(const rg_record *r, bool added)
{
    size_t item = rg_dtype_size(r->dtype);
    const char *at = r->raw;
    for (int k = 0; k < r->n_part; k++) {
        const rg_slot *s = r->part[k].slot;
        rg_part_how how = r->part[k].how;
        if (added && how == RG_PART_ADDED)
            add_to(s, at);
        else if (!added && how == RG_PART_TRANSPOSED)
            transpose(s->data, at, s->shape.dim[1], s->shape.dim[0], item);
        else if (!added && how == RG_PART_COPY)
            memcpy(s->data, at, s->bytes);
        at += s->bytes;
    }
}

/* ---- Differences ----------------------------------------------------------------------------- */

void rg_differ(rg_differences *d, const char *format, ...)
{
    enum { CALLED = 20 };
    char line[512];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (d->n++ < CALLED && d->call)
        d->call(d->user, line);
    size_t have = strlen(d->text), more = strlen(line);
    if (d->shown + 1 != d->n || have + more + 3 > sizeof d->text)
        return;
    d->shown++;
    (void)snprintf(d->text + have, sizeof d->text - have, "%s%s", have ? "; " : "", line);
}

rg_status rg_differences_end(const rg_differences *d, rg_err *err)
{
    if (d->n == 0)
        return RG_OK;
    if (d->shown < d->n)
        return rg_fail(err, RG_EMISMATCH, "%zu differences: %s%s... and %zu more", d->n, d->text,
                       d->shown ? "; " : "", d->n - d->shown);
    return rg_fail(err, RG_EMISMATCH, "%zu difference%s: %s", d->n, d->n > 1 ? "s" : "", d->text);
}
