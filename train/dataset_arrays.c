/* train/dataset_arrays.c -- items from arrays: features, images, ids, with lengths or offsets. */
#include "train/dataset.h"

#include "base/checked.h"
#include "io/vocab.h"

#include <string.h>

static const char *const file_names[] = { "train", "valid", "test" };

/* One part's arrays, understood. */
typedef struct source {
    const rg_arrays *a;
    const char      *name;
    size_t           n;       /* items */
    size_t           steps;   /* of an item; with offsets, of all */
    size_t           width;   /* numbers of a step; 0 = ids */
    size_t           item;    /* bytes of a number */
} source;

static bool is_whole(rg_dtype dtype)
{
    return dtype == RG_I32 || dtype == RG_I64 || dtype == RG_U8;
}

static int64_t whole(const rg_array *a, size_t i)
{
    switch (a->dtype) {
    case RG_I32: return ((const int32_t *)a->data)[i];
    case RG_I64: return ((const int64_t *)a->data)[i];
    default:     return ((const uint8_t *)a->data)[i];
    }
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

static rg_status check_array(rg_maker *m, const source *s, const rg_array *a, const char *what,
                             size_t n)
{
    int64_t count;
    size_t bytes;
    if (!a->data || rg_numel(&a->shape, &count) ||
        rg_bytes(count, rg_dtype_size(a->dtype), &bytes) || bytes != a->bytes ||
        a->shape.rank < 1)
        return rg_fail(&m->err, RG_EARG, "%s.%s: an array that was not read", s->name, what);
    if (n != SIZE_MAX && (size_t)a->shape.dim[0] != n)
        return rg_fail(&m->err, RG_ESHAPE, "%s.%s: %lld entries where %zu are needed", s->name,
                       what, (long long)a->shape.dim[0], n);
    return RG_OK;
}

/* Items lie in a rectangle: the numbers of one, cut into steps. */
static rg_status cut(rg_maker *m, source *s, bool ids)
{
    const rg_shape *shape = &s->a->x->shape;
    size_t all = 1, deep = 1, width = (size_t)m->opts->in.width;
    for (int i = 1; i < shape->rank; i++) {
        all *= (size_t)shape->dim[i];
        deep *= i > 1 || shape->rank == 2 ? (size_t)shape->dim[i] : 1;
    }
    if (ids) {
        s->width = 0;
        s->steps = all;
        return shape->rank == 2 ? RG_OK
             : rg_fail(&m->err, RG_ESHAPE, "%s.x: ids are [N,T], not of %d axes", s->name,
                       shape->rank);
    }
    s->width = width ? width : deep;
    if (s->width == 0 || all % s->width != 0)
        return rg_fail(&m->err, RG_ESHAPE, "%s.x: items of %zu numbers make no steps of %zu",
                       s->name, all, s->width);
    if (s->a->lengths && s->width != deep)
        return rg_fail(&m->err, RG_ESHAPE, "%s.x: lengths count steps of %zu numbers, width is %zu",
                       s->name, deep, s->width);
    s->steps = all / s->width;
    return RG_OK;
}

static rg_status understand(rg_maker *m, source *s, const rg_arrays *a, const char *name)
{
    *s = (source){ .a = a, .name = name };
    if (!a->x)
        return rg_fail(&m->err, RG_EARG, "%s.x: there is no array", name);
    rg_status st = check_array(m, s, a->x, "x", SIZE_MAX);
    bool ids = a->x->dtype == RG_I32 || a->x->dtype == RG_I64;
    if (st)
        return st;
    s->item = rg_dtype_size(a->x->dtype);
    s->n = (size_t)a->x->shape.dim[0];
    if (a->lengths && a->offsets)
        return rg_fail(&m->err, RG_EARG, "%s: lengths or offsets, not both", name);
    if (!a->offsets) {
        st = cut(m, s, ids);
    } else {
        s->steps = s->n;
        s->width = ids ? 0 : a->x->shape.rank == 2 ? (size_t)a->x->shape.dim[1] : 0;
        if ((!ids && s->width == 0) || (ids && a->x->shape.rank != 1))
            return rg_fail(&m->err, RG_ESHAPE, "%s.x: with offsets numbers are [steps,D], ids "
                           "[steps]", name);
        if ((st = check_array(m, s, a->offsets, "offsets", SIZE_MAX)))
            return st;
        s->n = (size_t)a->offsets->shape.dim[0] - 1;
        if (a->offsets->shape.dim[0] < 1 || a->offsets->shape.rank != 1 ||
            !is_whole(a->offsets->dtype))
            return rg_fail(&m->err, RG_EDTYPE, "%s.offsets: N+1 integers are needed", name);
    }
    if (!st && a->lengths && !(st = check_array(m, s, a->lengths, "lengths", s->n)) &&
        (a->lengths->shape.rank != 1 || !is_whole(a->lengths->dtype)))
        st = rg_fail(&m->err, RG_EDTYPE, "%s.lengths: N integers are needed", name);
    return st;
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

/* Where item i of the source begins and how many steps it has. */
static rg_status place(rg_maker *m, const source *s, size_t i, size_t *start, int64_t *length)
{
    const rg_arrays *a = s->a;
    int64_t begin = a->offsets ? whole(a->offsets, i) : 0;
    *length = a->offsets ? whole(a->offsets, i + 1) : a->lengths ? whole(a->lengths, i)
            : (int64_t)s->steps;
    if (!a->offsets && (*length < 0 || *length > (int64_t)s->steps))
        return rg_fail(&m->err, RG_EINDEX, "%s.lengths: item %zu has length %lld, not 0 to %zu",
                       s->name, i, (long long)*length, s->steps);
    if (a->offsets && (begin < 0 || *length < begin || *length > (int64_t)s->steps ||
                       (i == 0 && begin != 0) ||
                       (i + 1 == s->n && *length != (int64_t)s->steps)))
        return rg_fail(&m->err, RG_EINDEX, "%s.offsets: item %zu reaches from %lld to %lld; they "
                       "rise from 0 to %zu", s->name, i, (long long)begin, (long long)*length,
                       s->steps);
    *length -= begin;
    *start = a->offsets ? (size_t)begin : i * s->steps;
    if (*length > (int64_t)m->longest)
        return rg_fail(&m->err, RG_ELIMIT, "%s: item %zu has %lld steps, more than %zu: cut "
                       "it, or raise `longest`", s->name, i, (long long)*length, m->longest);
    return RG_OK;
}

static size_t all_steps(const source *s)
{
    return s->a->offsets ? s->steps : s->n * s->steps;
}

/* Steps of one source behind those of the others; ids become int32_t. */
static rg_status copy_steps(rg_maker *m, rg_ragged *r, const source *s, size_t first)
{
    size_t n = all_steps(s);
    if (s->width) {
        size_t bytes = n * s->width * s->item;
        memcpy((char *)r->number + first * s->width * s->item, s->a->x->data, bytes);
        return RG_OK;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t id = whole(s->a->x, i);
        if (id < 0 || id >= INT32_MAX)
            return rg_fail(&m->err, RG_EINDEX, "%s.x: id %lld at %zu is negative or too large",
                           s->name, (long long)id, i);
        r->id[first + i] = (int32_t)id;
        if ((size_t)id >= m->d->in_vocab.n)
            m->d->in_vocab.n = (size_t)id + 1;
    }
    return RG_OK;
}

static rg_status take_items(rg_maker *m, const source *s, int k, size_t *at, size_t first)
{
    rg_dataset *d = m->d;
    size_t bytes = s->width ? s->width * s->item : s->item;
    rg_status st = copy_steps(m, &d->in, s, first);
    for (size_t i = 0; !st && i < s->n; i++, ++*at) {
        size_t start = 0;
        int64_t length = 0;
        if ((st = place(m, s, i, &start, &length)))
            break;
        d->in.start[*at] = first + start;
        d->in.length[*at] = (int32_t)length;
        d->part[*at] = (uint8_t)rg_maker_part(m, k, i, s->n,
                                              (const char *)s->a->x->data + start * bytes,
                                              (size_t)length * bytes);
        if (!rg_tell(&m->teller, *at, d->n))
            st = rg_told_to_stop(&m->err);
    }
    return st;
}

static rg_status inputs(rg_maker *m, const source *s)
{
    rg_dataset *d = m->d;
    rg_ragged *r = &d->in;
    size_t at = 0, first = 0;
    rg_status st = rg_maker_sequences(m, r, d->n);
    for (int k = 0; k < 3; k++)
        if (s[k].a)
            r->steps += all_steps(&s[k]);
    r->width = (int64_t)s[0].width;
    r->dtype = s[0].width ? s[0].a->x->dtype : RG_I32;
    if (!st && !(d->part = rg_maker_get(m, d->n, sizeof *d->part)))
        st = RG_ENOMEM;
    if (!st && s[0].width && !(r->number = rg_maker_get(m, r->steps, s[0].width * s[0].item)))
        st = RG_ENOMEM;
    if (!st && !s[0].width && !(r->id = rg_maker_get(m, r->steps, sizeof *r->id)))
        st = RG_ENOMEM;
    for (int k = 0; !st && k < 3; k++)
        if (s[k].a) {
            st = take_items(m, &s[k], k, &at, first);
            first += all_steps(&s[k]);
        }
    if (!st)
        st = rg_maker_count(m);
    if (!st && r->width)
        st = rg_maker_scale(m, r, r, d->part, &m->opts->in);
    return st ? st : rg_maker_lengths(m, r, "an input");
}

/* ---- Targets --------------------------------------------------------------------------------- */

/* Entries of y: one an item, or one a step. */
static rg_status check_y(rg_maker *m, const source *s)
{
    const rg_array *y = s->a->y;
    bool tags = m->d->target == RG_TARGET_TAGS, values = m->d->target == RG_TARGET_VALUES;
    bool flat = tags && s->a->offsets;
    int rank = tags && !flat ? 2 : 1;
    if (!y)
        return rg_fail(&m->err, RG_EARG, "%s.y: there is no array", s->name);
    rg_status st = check_array(m, s, y, "y", flat ? s->steps : s->n);
    if (st)
        return st;
    if (is_whole(y->dtype) == values)
        return rg_fail(&m->err, RG_EDTYPE, "%s.y: %s are needed", s->name,
                       values ? "real numbers" : "integers, the classes,");
    if (values ? y->shape.rank > 2 : y->shape.rank != rank ||
                 (rank == 2 && (size_t)y->shape.dim[1] != s->steps))
        return rg_fail(&m->err, RG_ESHAPE, "%s.y: %s", s->name, values ? "[N] or [N,K] is needed"
                       : tags && !flat ? "tags are [N,T] as x is" : "classes are [N]");
    return RG_OK;
}

/* Classes of the training part are 0 .. the largest, unless named. */
static rg_status check_classes(rg_maker *m)
{
    rg_dataset *d = m->d;
    size_t n = d->out_vocab.n;
    if (n == 0)
        for (size_t i = 0; i < d->n; i++)
            for (int32_t t = 0; d->part[i] == RG_PART_TRAIN && t < d->out.length[i]; t++)
                if ((size_t)d->out.id[d->out.start[i] + (size_t)t] >= n)
                    n = (size_t)d->out.id[d->out.start[i] + (size_t)t] + 1;
    d->out_vocab.n = n;
    for (size_t i = 0; i < d->n; i++)
        for (int32_t t = 0; t < d->out.length[i]; t++) {
            int32_t c = d->out.id[d->out.start[i] + (size_t)t];
            if ((size_t)c >= n)
                return rg_fail(&m->err, RG_EINDEX, "item %zu: class %d is none of the %zu that "
                               "the training part has", i, c, n);
        }
    return RG_OK;
}

static rg_status take_classes(rg_maker *m, const source *s, size_t *to)
{
    const rg_array *y = s->a->y;
    int64_t n = rg_shape_count(y->shape);
    for (size_t i = 0; i < (size_t)n; i++) {
        int64_t c = whole(y, i);
        if (c < 0 || c >= INT32_MAX)
            return rg_fail(&m->err, RG_EINDEX, "%s.y: class %lld at %zu is negative or too large",
                           s->name, (long long)c, i);
        m->d->out.id[(*to)++] = (int32_t)c;
    }
    return RG_OK;
}

static rg_status classes(rg_maker *m, const source *s)
{
    rg_dataset *d = m->d;
    bool tags = d->target == RG_TARGET_TAGS;
    size_t to = 0;
    rg_status st = rg_maker_sequences(m, &d->out, d->n);
    d->out.steps = tags ? d->in.steps : d->n;
    if (!st && !(d->out.id = rg_maker_get(m, d->out.steps, sizeof *d->out.id)))
        st = RG_ENOMEM;
    for (int k = 0; !st && k < 3; k++)
        if (s[k].a)
            st = take_classes(m, &s[k], &to);
    for (size_t i = 0; !st && i < d->n; i++) {
        d->out.start[i] = tags ? d->in.start[i] : i;
        d->out.length[i] = tags ? d->in.length[i] : 1;
    }
    if (!st && m->opts->out.vocab)
        st = rg_vocab_copy(&d->out_vocab, m->opts->out.vocab, &m->alloc, &m->err);
    return st || (st = rg_maker_lengths(m, &d->out, "a target")) ? st : check_classes(m);
}

static rg_status values(rg_maker *m, const source *s)
{
    rg_dataset *d = m->d;
    rg_ragged *r = &d->out;
    const rg_shape *shape = &s[0].a->y->shape;
    size_t item = rg_dtype_size(s[0].a->y->dtype), at = 0;
    r->dtype = s[0].a->y->dtype;
    r->width = shape->rank == 2 ? shape->dim[1] : 1;
    r->steps = d->n;
    if (r->width < 1)
        return rg_fail(&m->err, RG_ESHAPE, "train.y: rows of no number");
    rg_status st = rg_maker_sequences(m, r, d->n);
    if (!st && !(r->number = rg_maker_get(m, d->n, (size_t)r->width * item)))
        st = RG_ENOMEM;
    for (int k = 0; !st && k < 3; k++) {
        const rg_array *y = s[k].a ? s[k].a->y : NULL;
        if (y && (y->dtype != r->dtype || (y->shape.rank == 2 ? y->shape.dim[1] : 1) != r->width))
            return rg_fail(&m->err, RG_ESHAPE, "%s.y: not of the type and width of train.y",
                           s[k].name);
        if (y)
            memcpy((char *)r->number + at, y->data, y->bytes);
        at += y ? y->bytes : 0;
    }
    for (size_t i = 0; !st && i < d->n; i++) {
        r->start[i] = i;
        r->length[i] = 1;
    }
    return st || (st = rg_maker_lengths(m, r, "a target")) ? st
         : rg_maker_scale(m, r, r, d->part, &m->opts->out);
}

static rg_status make(rg_maker *m, const rg_arrays *const files[3])
{
    rg_dataset *d = m->d;
    source s[3] = { { .n = 0 } };
    if (d->target == RG_TARGET_SEQUENCE)
        return rg_fail(&m->err, RG_EARG, "arrays have no target sequences: use a table");
    for (int k = 0; k < 3; k++) {
        rg_status st = files[k] ? understand(m, &s[k], files[k], file_names[k]) : RG_OK;
        if (!st && files[k] && d->target != RG_TARGET_NONE)
            st = check_y(m, &s[k]);
        if (!st && files[k] && (s[k].width != s[0].width || s[k].a->x->dtype != s[0].a->x->dtype))
            st = rg_fail(&m->err, RG_ESHAPE, "%s.x: not of the type and width of train.x",
                         file_names[k]);
        if (st)
            return st;
        d->n += s[k].n;
    }
    if (d->n > INT32_MAX)
        return rg_fail(&m->err, RG_ELIMIT, "%zu items, 2^31 or more", d->n);
    rg_status st = inputs(m, s);
    if (st || d->target == RG_TARGET_NONE)
        return st;
    return d->target == RG_TARGET_VALUES ? values(m, s) : classes(m, s);
}

rg_status rg_dataset_arrays(rg_dataset *dataset, const rg_arrays *train, const rg_arrays *valid,
                            const rg_arrays *test, const rg_dataset_opts *opts)
{
    rg_maker m;
    const rg_arrays *const files[3] = { train, valid, test };
    const bool has[3] = { train != NULL, valid != NULL, test != NULL };
    if (!dataset)
        return RG_EARG;
    rg_status st = rg_maker_begin(&m, dataset, opts, has);
    return rg_maker_end(&m, st ? st : make(&m, files));
}
