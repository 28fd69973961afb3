/* io/idx.c -- images and labels in the format of MNIST: two zero bytes, a type, a rank, extents as
 * big-endian 32-bit numbers, data. Source: LeCun, Cortes, Burges, "The MNIST database". */
#include <retrograd/data.h>

#include "base/checked.h"
#include "io/npz.h"

#include <errno.h>
#include <string.h>

static const struct { unsigned char code; rg_dtype dtype; } types[] = {
    { 0x08, RG_U8 }, { 0x0c, RG_I32 }, { 0x0d, RG_F32 }, { 0x0e, RG_F64 },
};
enum { TYPES = sizeof types / sizeof *types };

static uint32_t big(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static rg_status take_header(rg_stream *s, rg_err *err, rg_array *out)
{
    unsigned char b[4 + 4 * RG_MAX_RANK];
    int type = 0;
    if (s->left < 4)
        return rg_fail(err, RG_EFORMAT, "shorter than the start of an IDX file");
    rg_status st = rg_stream_take(s, b, 4);
    if (st)
        return st;
    while (type < TYPES && types[type].code != b[2])
        type++;
    if (b[0] || b[1])
        return rg_fail(err, RG_EFORMAT, "byte 0: this is no IDX file");
    if (type == TYPES)
        return rg_fail(err, RG_EDTYPE, "byte 2: type 0x%02x is none of 0x08 (bytes), 0x0c (32-bit "
                       "integers), 0x0d, 0x0e (reals)", b[2]);
    if (b[3] < 1 || b[3] > RG_MAX_RANK)
        return rg_fail(err, RG_ELIMIT, "byte 3: %d axes, not 1 to %d", b[3], RG_MAX_RANK);
    if (s->left < 4u * b[3])
        return rg_fail(err, RG_EFORMAT, "its header reaches past the end");
    if ((st = rg_stream_take(s, b + 4, 4u * b[3])))
        return st;
    out->dtype = types[type].dtype;
    out->shape.rank = b[3];
    for (int i = 0; i < b[3]; i++)
        out->shape.dim[i] = big(b + 4 + 4 * i);
    return RG_OK;
}

/* Elements as this machine has them. */
static void turn(unsigned char *data, size_t bytes, size_t item)
{
    for (unsigned char *e = data; e < data + bytes; e += item)
        for (size_t i = 0; i < item / 2; i++) {
            unsigned char c = e[i];
            e[i] = e[item - 1 - i];
            e[item - 1 - i] = c;
        }
}

static rg_status take_data(rg_stream *s, rg_err *err, rg_array *out)
{
    int64_t count;
    size_t item = rg_dtype_size(out->dtype);
    if (rg_numel(&out->shape, &count) || rg_bytes(count, item, &out->bytes))
        return rg_fail(err, RG_ELIMIT, "the array is too large");
    if (out->bytes != s->left)
        return rg_fail(err, RG_EFORMAT, "%zu bytes of data where type and extents need %zu",
                       s->left, out->bytes);
    if (!(out->data = rg_get_raw(&s->alloc, out->bytes)))
        return rg_fail(err, RG_ENOMEM, "no memory for %zu bytes", out->bytes);
    rg_status st = rg_stream_take(s, out->data, out->bytes);
    if (!st)
        st = rg_stream_done(s);
    if (!st && item > 1)
        turn(out->data, out->bytes, item);
    return st;
}

rg_status rg_idx_load(rg_array *out, const char *path)
{
    char quoted[RG_QUOTED];
    rg_stream s;
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    int before = errno;
    if (!out)
        return RG_EARG;
    *out = (rg_array){ .data = NULL };
    (void)rg_alloc_resolve(&alloc, NULL);
    rg_status st = path ? rg_stream_open(&s, &rg_disk_posix, &alloc, path, NULL, &err)
                        : rg_fail(&err, RG_EARG, "no path");
    if (!st)
        st = rg_stream_gunzip(&s);
    if (!st)
        st = take_header(&s, &err, out);
    if (!st)
        st = take_data(&s, &err, out);
    if (path)
        rg_stream_close(&s);
    if (st) {
        rg_array_destroy(out);
        rg_err_prefix(&err, rg_quoted(quoted, path ? path : "", path ? strlen(path) : 0));
        memcpy(out->message, err.text, sizeof err.text);
        return st;
    }
    errno = before;
    return RG_OK;
}
