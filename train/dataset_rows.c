/* train/dataset_rows.c -- a part of a data set as rows for the trainers of tasks. */
#include <retrograd/task.h>

#include "train/dataset.h"

#include <string.h>

/* All numbers of one side, scaled, made once; *to stays NULL where the side has ids. */
static bool scaled(float **to, rg_arena *arena, const rg_ragged *r)
{
    size_t w = (size_t)r->width;
    if (*to || w == 0)
        return true;
    if (r->steps > SIZE_MAX / sizeof **to / w ||
        !(*to = rg_arena_get(arena, r->steps * w * sizeof **to)))
        return false;
    for (size_t i = 0, k = 0; i < r->steps * w; i++, k = k + 1 < w ? k + 1 : 0)
        (*to)[i] = (float)((rg_ragged_number(r, i) - r->shift[k]) * r->scale[k]);
    return true;
}

static const void *sequence(const rg_ragged *r, const float *number, size_t i)
{
    return r->width ? (const void *)(number + r->start[i] * (size_t)r->width)
                    : (const void *)(r->id + r->start[i]);
}

static rg_status make(rg_rows *rows, rg_dataset *d, rg_part part, rg_err *err)
{
    rg_behind *behind = d->memory;
    bool targets = d->target != RG_TARGET_NONE;
    size_t at = 0;
    if (!behind || (unsigned)part > RG_PART_TEST)
        return rg_fail(err, RG_EARG, "rows: no data set, or no part of one");
    const size_t n = d->count[part];
    int32_t *length = rg_arena_get(&behind->arena, n * sizeof *length);
    const void **x = rg_arena_get(&behind->arena, n * sizeof *x);
    const void **y = targets ? rg_arena_get(&behind->arena, n * sizeof *y) : NULL;
    int32_t *y_length = d->target == RG_TARGET_SEQUENCE
                      ? rg_arena_get(&behind->arena, n * sizeof *y_length) : NULL;
    if (!length || !x || (targets && !y) ||
        (d->target == RG_TARGET_SEQUENCE && !y_length) ||
        !scaled(&behind->in, &behind->arena, &d->in) ||
        (targets && !scaled(&behind->out, &behind->arena, &d->out)))
        return rg_fail(err, RG_ENOMEM, "rows: no memory for %zu", n);
    for (size_t i = 0; i < d->n; i++)
        if (rg_dataset_has(d, i, part)) {
            length[at] = d->in.length[i];
            x[at] = sequence(&d->in, behind->in, i);
            if (targets)
                y[at] = sequence(&d->out, behind->out, i);
            if (y_length)
                y_length[at] = d->out.length[i];
            at++;
        }
    *rows = (rg_rows){ .n = n, .length = length, .x = x, .y = y, .y_length = y_length };
    return RG_OK;
}

rg_status rg_dataset_rows(rg_rows *rows, rg_dataset *dataset, rg_part part)
{
    rg_err err = { .status = RG_OK };
    if (!rows || !dataset)
        return RG_EARG;
    memset(rows, 0, sizeof *rows);
    rg_status st = make(rows, dataset, part, &err);
    if (st)
        memcpy(dataset->message, err.text, sizeof dataset->message);
    return st;
}
