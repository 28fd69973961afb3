/* io/npy.c -- NumPy's arrays in files.
 *
 *     \x93NUMPY, version, length of the header, {'descr': '<f4', 'fortran_order': False,
 *     'shape': (3, 4), } padded with spaces to a multiple of 64 and ended by a newline, data.
 *
 * Format: NumPy Enhancement Proposal 1. Data only: what needs Python to be read is refused. */
#include "io/npy.h"

#include "base/checked.h"
#include "io/json.h"
#include "io/npz.h"
#include "io/replace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_HEADER = 10000 };

static const struct { const char *descr; rg_dtype dtype; } types[] = {
    { "<f4", RG_F32 }, { "<f8", RG_F64 }, { "<i4", RG_I32 }, { "<i8", RG_I64 }, { "|u1", RG_U8 },
    { "|b1", RG_U8 },
};
enum { TYPES = sizeof types / sizeof *types, TYPE_BOOL = TYPES - 1 };

typedef struct header {
    int      type;     /* index into types */
    bool     fortran;  /* column-major */
    rg_shape shape;
} header;

/* ---- Header ---------------------------------------------------------------------------------- */

/* A Python string without escapes, in either quotes. */
static rg_status take_string(rg_json *j, rg_json_text *out)
{
    const char *end;
    char quote = rg_json_next(j, '\'') ? '\'' : rg_json_next(j, '"') ? '"' : '\0';
    if (!quote)
        return rg_json_fail(j, "a string is missing");
    if (!(end = memchr(j->at, quote, (size_t)(j->end - j->at))))
        return rg_json_fail(j, "a string without end");
    *out = (rg_json_text){ j->at, (size_t)(end - j->at) };
    j->at = end + 1;
    return RG_OK;
}

static bool is(rg_json_text text, const char *word)
{
    return text.n == strlen(word) && memcmp(text.at, word, text.n) == 0;
}

static rg_status take_descr(rg_json *j, header *h)
{
    rg_json_text text = { NULL, 0 };
    if (rg_json_next(j, '['))
        return rg_json_fail(j, "a structured type");
    rg_status st = take_string(j, &text);
    if (st)
        return st;
    for (h->type = 0; h->type < TYPES; h->type++)
        if (is(text, types[h->type].descr))
            return RG_OK;
    bool number = text.n > 2 && memchr("<>|=", text.at[0], 4) && memchr("fiubc", text.at[1], 5);
    for (size_t i = 2; i < text.n; i++)
        number &= text.at[i] >= '0' && text.at[i] <= '9';
    if (!number)
        return rg_json_fail(j, "a type that is no number (objects and texts are not read)");
    return rg_fail(j->err, RG_EDTYPE, "type '%.*s' is none of <f4 <f8 <i4 <i8 |u1 |b1",
                   text.n < 8 ? (int)text.n : 8, text.at);
}

static rg_status take_order(rg_json *j, header *h)
{
    static const char *const word[] = { "False", "True" };
    rg_json_skip(j);
    for (int k = 0; k < 2; k++) {
        size_t n = strlen(word[k]);
        if ((size_t)(j->end - j->at) > n && memcmp(j->at, word[k], n) == 0) {
            h->fortran = k;
            j->at += n;
            return RG_OK;
        }
    }
    return rg_json_fail(j, "True or False is missing");
}

static rg_status take_shape(rg_json *j, header *h)
{
    rg_status st = rg_json_expect(j, '(');
    bool comma = true;
    h->shape = RG_SCALAR;
    while (!st && !rg_json_next(j, ')')) {
        if (!comma)
            return rg_json_fail(j, "',' or ')' is missing");
        if (h->shape.rank == RG_MAX_RANK)
            return rg_fail(j->err, RG_ELIMIT, "shape: more than %d axes", RG_MAX_RANK);
        st = rg_json_natural(j, &h->shape.dim[h->shape.rank]);
        h->shape.rank += st == RG_OK;
        comma = !st && rg_json_next(j, ',');
    }
    if (!st && h->shape.rank == 1 && !comma)
        st = rg_json_fail(j, "one extent without a comma is no tuple");
    return st;
}

static rg_status take_header(rg_json *j, header *h)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    rg_status (*const take[])(rg_json *, header *) = { take_descr, take_order, take_shape };
    bool have[3] = { false, false, false }, comma = true;
    rg_json_text key = { NULL, 0 };
    rg_status st = rg_json_expect(j, '{');
    while (!st && !rg_json_next(j, '}')) {
        int i = 0;
        if (!comma)
            return rg_json_fail(j, "',' or '}' is missing");
        if ((st = take_string(j, &key)) || (st = rg_json_expect(j, ':')))
            return st;
        while (i < 3 && !is(key, keys[i]))
            i++;
        if (i == 3 || have[i])
            return rg_json_fail(j, i == 3 ? "a key that arrays do not have" : "a key twice");
        have[i] = true;
        j->field = keys[i];
        st = take[i](j, h);
        j->field = NULL;
        comma = !st && rg_json_next(j, ',');
    }
    if (!st && !(have[0] && have[1] && have[2]))
        st = rg_json_fail(j, "descr, fortran_order or shape is missing");
    rg_json_skip(j);
    if (!st && j->at != j->end)
        st = rg_json_fail(j, "something follows the header");
    return st;
}

/* Magic, version and length; the header's text stays in the stream. */
static rg_status take_start(rg_stream *s, rg_err *err, size_t *start, size_t *n)
{
    unsigned char b[12];
    uint32_t wide;
    rg_status st;
    if (s->left < 10)
        return rg_fail(err, RG_EFORMAT, "shorter than the start of an array");
    if ((st = rg_stream_take(s, b, 10)))
        return st;
    if (memcmp(b, "PK", 2) == 0)
        return rg_fail(err, RG_EFORMAT, "this is an archive: name a member, as in 'file.npz:name'");
    if (memcmp(b, "\x93NUMPY", 6) != 0)
        return rg_fail(err, RG_EFORMAT, "byte 0: this is no array of NumPy's");
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return rg_fail(err, RG_EVERSION, "version %d.%d of the format is none of 1.0, 2.0, 3.0",
                       b[6], b[7]);
    *start = b[6] == 1 ? 10 : 12;
    if (b[6] > 1 && (st = rg_stream_take(s, b + 10, 2)))
        return st;
    memcpy(&wide, b + 8, 4);
    *n = b[6] == 1 ? (size_t)(b[8] | b[9] << 8) : wide;
    if (*n > MAX_HEADER)
        return rg_fail(err, RG_ELIMIT, "byte 8: header of %zu bytes, more than %d", *n, MAX_HEADER);
    if (*n > s->left)
        return rg_fail(err, RG_EFORMAT, "byte 8: header of %zu bytes reaches past the end", *n);
    return RG_OK;
}

static rg_status read_header(rg_stream *s, rg_err *err, header *h)
{
    size_t start = 0, n = 0;
    rg_status st = take_start(s, err, &start, &n);
    if (st)
        return st;
    char *text = rg_get(&s->alloc, n);
    st = text ? rg_stream_take(s, text, n) : rg_fail(err, RG_ENOMEM, "no memory");
    rg_json j = { text, text, text, start, NULL, err };
    if (!st && (n == 0 || text[n - 1] != '\n'))
        st = rg_json_fail(&j, "the header does not end with a newline");
    for (; !st && j.at < text + n; j.at++)
        if ((unsigned char)*j.at > 0x7e || *j.at == '\0')
            st = rg_json_fail(&j, "the header is not ASCII");
    if (!st) {
        j.at = text;
        j.end = text + n - 1;
        st = take_header(&j, h);
    }
    rg_release(&s->alloc, text, n);
    return st;
}

/* ---- Data ------------------------------------------------------------------------------------ */

/* Row-major @p to from column-major @p from. */
static void from_fortran(char *to, const char *from, const rg_shape *shape, size_t item)
{
    int64_t index[RG_MAX_RANK] = { 0 }, n = rg_shape_count(*shape);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int axis = shape->rank - 1; axis >= 0; axis--)
            at = at * shape->dim[axis] + index[axis];
        memcpy(to + (size_t)i * item, from + (size_t)at * item, item);
        for (int axis = shape->rank - 1; axis >= 0 && ++index[axis] == shape->dim[axis]; axis--)
            index[axis] = 0;
    }
}

static rg_status read_data(rg_stream *s, rg_err *err, const header *h, rg_array *out)
{
    int64_t count;
    size_t item = rg_dtype_size(types[h->type].dtype), bytes;
    if (rg_numel(&h->shape, &count) || rg_bytes(count, item, &bytes))
        return rg_fail(err, RG_ELIMIT, "shape: the array is too large");
    if (bytes != s->left)
        return rg_fail(err, RG_EFORMAT, "%zu bytes of data where type and shape need %zu", s->left,
                       bytes);
    char *data = rg_get_raw(&s->alloc, bytes), *turned = NULL;
    if (!data)
        return rg_fail(err, RG_ENOMEM, "no memory for %zu bytes", bytes);
    rg_status st = rg_stream_take(s, data, bytes);
    for (size_t i = 0; !st && h->type == TYPE_BOOL && i < bytes; i++)
        if (data[i] != 0 && data[i] != 1)
            st = rg_fail(err, RG_EFORMAT, "a truth value other than 0 and 1");
    if (!st)
        st = rg_stream_done(s);
    if (!st && h->fortran && h->shape.rank > 1) {
        if ((turned = rg_get_raw(&s->alloc, bytes)))
            from_fortran(turned, data, &h->shape, item);
        else
            st = rg_fail(err, RG_ENOMEM, "no memory for %zu bytes", bytes);
    }
    if (st || turned)
        rg_release(&s->alloc, data, bytes);
    if (!st)
        *out = (rg_array){ types[h->type].dtype, h->shape, turned ? turned : data, bytes, "" };
    return st;
}

static rg_status load(const rg_disk *disk, rg_array *out, const char *path, const char *member,
                      rg_err *err)
{
    rg_stream s;
    rg_alloc alloc;
    header h = { .type = 0 };
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = rg_stream_open(&s, disk, &alloc, path, member, err);
    if (!st)
        st = read_header(&s, err, &h);
    if (!st)
        st = read_data(&s, err, &h, out);
    rg_stream_close(&s);
    return st;
}

/* "file.npz:name" is split; all else is a file. */
static rg_status load_from(const rg_disk *disk, rg_array *out, const char *path, rg_err *err)
{
    rg_alloc alloc;
    const char *at = path, *colon = NULL;
    while ((at = strstr(at, ".npz:")))
        colon = (at += 5) - 1;
    if (!colon)
        return load(disk, out, path, NULL, err);
    size_t n = (size_t)(colon - path);
    (void)rg_alloc_resolve(&alloc, NULL);
    char *file = rg_get(&alloc, n + 1);
    if (!file)
        return rg_fail(err, RG_ENOMEM, "no memory");
    memcpy(file, path, n);
    rg_status st = load(disk, out, file, colon + 1, err);
    rg_release(&alloc, file, n + 1);
    return st;
}

/* The verb, the path and the reason as the array's message. */
static rg_status report(rg_array *array, rg_err *err, rg_status st, const char *verb,
                        const char *path)
{
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 8];
    (void)snprintf(prefix, sizeof prefix, "%s '%s'", verb, rg_quoted(quoted, path, strlen(path)));
    rg_err_prefix(err, prefix);
    memcpy(array->message, err->text, sizeof array->message);
    return st;
}

rg_status rg_npy_load_on(const rg_disk *disk, rg_array *out, const char *path)
{
    rg_err err = { .status = RG_OK };
    int before = errno;
    if (!out)
        return RG_EARG;
    *out = (rg_array){ .data = NULL };
    rg_status st = path ? load_from(disk, out, path, &err) : rg_fail(&err, RG_EARG, "no path");
    if (st)
        return report(out, &err, st, "load", path ? path : "");
    errno = before;
    return RG_OK;
}

rg_status rg_npy_load(rg_array *out, const char *path)
{
    return rg_npy_load_on(&rg_disk_posix, out, path);
}

void rg_array_destroy(rg_array *array)
{
    rg_alloc alloc;
    if (!array)
        return;
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_release(&alloc, array->data, array->bytes);
    *array = (rg_array){ .data = NULL };
}

/* ---- Saving ---------------------------------------------------------------------------------- */

/* Start and header, version 1.0: a multiple of 64 bytes. */
static size_t write_header(char text[320], const rg_array *a)
{
    int type = 0, n;
    while (types[type].dtype != a->dtype)
        type++;
    n = 10 + snprintf(text + 10, 300, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                      types[type].descr);
    for (int i = 0; i < a->shape.rank; i++)
        n += snprintf(text + n, 32, "%s%lld%s", i ? ", " : "", (long long)a->shape.dim[i],
                      a->shape.rank == 1 ? "," : "");
    n += snprintf(text + n, 8, "), }");
    while ((n + 1) % 64 != 0)
        text[n++] = ' ';
    text[n++] = '\n';
    memcpy(text, "\x93NUMPY\1", 8);
    text[8] = (char)((n - 10) & 0xff);
    text[9] = (char)((n - 10) >> 8);
    return (size_t)n;
}

static rg_status save(const rg_disk *disk, const rg_array *a, const char *path, rg_err *err)
{
    rg_replace file;
    rg_alloc alloc;
    int64_t count;
    size_t bytes;
    char text[320];
    if ((unsigned)a->dtype > RG_U8)
        return rg_fail(err, RG_EDTYPE, "%d is no element type", (int)a->dtype);
    if (rg_numel(&a->shape, &count) || rg_bytes(count, rg_dtype_size(a->dtype), &bytes))
        return rg_fail(err, RG_ESHAPE, "negative or too large extents");
    if (bytes != a->bytes || (!a->data && bytes > 0))
        return rg_fail(err, RG_EARG, "%zu bytes given where type and shape need %zu",
                       a->data ? a->bytes : 0, bytes);
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = rg_replace_begin(&file, disk, &alloc, path, err);
    if (!st)
        st = rg_replace_write(&file, text, write_header(text, a));
    if (!st)
        st = rg_replace_write(&file, a->data, bytes);
    if (!st)
        st = rg_replace_commit(&file);
    rg_replace_end(&file);
    return st;
}

rg_status rg_npy_save_on(const rg_disk *disk, rg_array *array, const char *path)
{
    rg_err err = { .status = RG_OK };
    int before = errno;
    if (!array)
        return RG_EARG;
    rg_status st = path ? save(disk, array, path, &err) : rg_fail(&err, RG_EARG, "no path");
    if (st)
        return report(array, &err, st, "save", path ? path : "");
    array->message[0] = '\0';
    errno = before;
    return RG_OK;
}

rg_status rg_npy_save(rg_array *array, const char *path)
{
    return rg_npy_save_on(&rg_disk_posix, array, path);
}
