/* io/inflate.c -- compressed members of archives and files of gzip, by zlib where there is one. */
#include "io/npz.h"

#if defined(RG_HAVE_ZLIB)

#include <string.h>
#include <zlib.h>

enum { INPUT = 32 * 1024 };

typedef struct inflater {
    z_stream      z;
    unsigned char input[INPUT];
} inflater;

rg_status rg_inflate_begin(rg_stream *s, bool gzip)
{
    inflater *f = rg_get(&s->alloc, sizeof *f);
    if (!f || inflateInit2(&f->z, gzip ? 16 + MAX_WBITS : -MAX_WBITS) != Z_OK) {
        rg_release(&s->alloc, f, sizeof *f);
        return rg_fail(s->source.err, RG_ENOMEM, "no memory to decompress");
    }
    s->inflate = f;
    return RG_OK;
}

/* Some input, if all of it is used up and more is there. */
static rg_status refill(rg_stream *s, inflater *f)
{
    size_t n = s->end - s->at < INPUT ? s->end - s->at : INPUT;
    if (f->z.avail_in > 0 || n == 0)
        return RG_OK;
    rg_status st = rg_source_read(&s->source, s->at, f->input, n);
    f->z.next_in = f->input;
    f->z.avail_in = st ? 0 : (uInt)n;
    s->at += n;
    return st;
}

rg_status rg_inflate_take(rg_stream *s, void *data, size_t n)
{
    const size_t most = (size_t)1 << 30;
    inflater *f = s->inflate;
    f->z.next_out = data;
    while (n > 0) {
        size_t part = n < most ? n : most;
        rg_status st = refill(s, f);
        if (st)
            return st;
        f->z.avail_out = (uInt)part;
        int z = inflate(&f->z, Z_NO_FLUSH);
        n -= part - f->z.avail_out;
        if (z == Z_MEM_ERROR)
            return rg_fail(s->source.err, RG_ENOMEM, "no memory to decompress");
        if ((z != Z_OK && z != Z_STREAM_END) || (n > 0 && (z == Z_STREAM_END ||
                                                          (f->z.avail_in == 0 && s->at == s->end))))
            return rg_fail(s->source.err, RG_EFORMAT, "its compressed data are damaged");
    }
    return RG_OK;
}

/* Nothing comes any more: neither output nor input is left. */
rg_status rg_inflate_done(rg_stream *s)
{
    inflater *f = s->inflate;
    unsigned char byte;
    rg_status st = refill(s, f);
    f->z.next_out = &byte;
    f->z.avail_out = 1;
    if (!st && (inflate(&f->z, Z_FINISH) != Z_STREAM_END || f->z.avail_out != 1 ||
                f->z.avail_in > 0 || s->at < s->end))
        st = rg_fail(s->source.err, RG_EFORMAT, "its compressed data are too long");
    return st;
}

void rg_inflate_end(rg_stream *s)
{
    inflater *f = s->inflate;
    if (f)
        (void)inflateEnd(&f->z);
    rg_release(&s->alloc, f, sizeof *f);
    s->inflate = NULL;
}

#else

rg_status rg_inflate_begin(rg_stream *s, bool gzip)
{
    (void)gzip;
    return rg_fail(s->source.err, RG_EFORMAT, "compressed; this library was built without zlib");
}

rg_status rg_inflate_take(rg_stream *s, void *data, size_t n)
{
    (void)data;
    (void)n;
    return rg_inflate_begin(s, false);
}

rg_status rg_inflate_done(rg_stream *s)
{
    return rg_inflate_begin(s, false);
}

void rg_inflate_end(rg_stream *s)
{
    (void)s;
}

#endif
