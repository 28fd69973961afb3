/* io/npz.c -- members of a zip archive, which is what .npz is.
 *
 * Sizes and places come from the central directory at the end alone: NumPy puts other ones into the
 * headers before the members. Format: PKWARE, APPNOTE.TXT 6.3. */
#include "io/npz.h"

#include <stdio.h>
#include <string.h>

enum { END = 22, ENTRY = 46, LOCAL = 30, COMMENT = 65535 };

/* What the central directory says of a member. */
typedef struct member {
    unsigned flags, method;
    uint32_t sum;
    size_t   packed, bytes, header;
    unsigned found;
} member;

static unsigned u16(const unsigned char *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static uint32_t u32(const unsigned char *p)
{
    return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static rg_status bad(rg_stream *s, const char *what)
{
    return rg_fail(s->source.err, RG_EFORMAT, "%s", what);
}

/* ---- Central directory ----------------------------------------------------------------------- */

typedef struct directory {
    size_t   at, bytes;
    unsigned count;
} directory;

/* The end record is the last one whose comment ends with the file. */
static rg_status find_directory(rg_stream *s, directory *d)
{
    size_t n = s->source.bytes < END + COMMENT ? s->source.bytes : END + COMMENT, at;
    unsigned char *tail = rg_get_raw(&s->alloc, n), *e = tail;
    rg_status st = tail ? rg_source_read(&s->source, s->source.bytes - n, tail, n)
                        : rg_fail(s->source.err, RG_ENOMEM, "no memory");
    for (at = n < END ? 0 : n - END + 1; !st && at > 0; at--) {
        e = tail + at - 1;
        if (memcmp(e, "PK\5\6", 4) == 0 && u16(e + 20) == n - (at - 1) - END)
            break;
    }
    if (!st && at == 0)
        st = bad(s, "no zip archive: its end is missing");
    if (!st) {
        *d = (directory){ u32(e + 16), u32(e + 12), u16(e + 10) };
        size_t end = s->source.bytes - n + at - 1;
        if (d->count == 0xffff || d->at == 0xffffffff || d->bytes == 0xffffffff)
            st = rg_fail(s->source.err, RG_ELIMIT, "an archive beyond 4 GiB or 65534 members");
        else if (u16(e + 4) || u16(e + 6) || u16(e + 8) != d->count || d->at > end ||
                 d->bytes != end - d->at)
            st = bad(s, "the archive's directory is not where its end says");
    }
    rg_release(&s->alloc, tail, n);
    return st;
}

/* "wanted" or "wanted.npy"? */
static bool is_named(const unsigned char *name, size_t n, const char *wanted)
{
    size_t k = strlen(wanted);
    return n >= k && memcmp(name, wanted, k) == 0 &&
           (n == k || (n == k + 4 && memcmp(name + k, ".npy", 4) == 0));
}

/* Members lie in no folders. */
static bool is_path(const unsigned char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] == '/' || name[i] == '\\' || name[i] == '\0' ||
            (name[i] == '.' && i + 1 < n && name[i + 1] == '.'))
            return true;
    return n == 0;
}

static rg_status search(rg_stream *s, const directory *d, const unsigned char *p, const char *name,
                        member *m)
{
    size_t left = d->bytes;
    for (unsigned i = 0; i < d->count; i++) {
        size_t n = left < ENTRY ? 0 : u16(p + 28), all = ENTRY + n;
        if (left < ENTRY || memcmp(p, "PK\1\2", 4) != 0)
            return bad(s, "an entry of the archive's directory is damaged");
        all += u16(p + 30) + u16(p + 32);
        if (all > left)
            return bad(s, "an entry of the archive's directory is damaged");
        if (is_path(p + ENTRY, n))
            return bad(s, "a member's name is a path");
        if (is_named(p + ENTRY, n, name))
            *m = (member){ u16(p + 8), u16(p + 10), u32(p + 16), u32(p + 20), u32(p + 24),
                           u32(p + 42), m->found + 1 };
        p += all;
        left -= all;
    }
    return left ? bad(s, "the archive's directory is longer than its entries") : RG_OK;
}

static rg_status check_member(rg_stream *s, const char *name, const member *m)
{
    char quoted[RG_QUOTED];
    size_t most = ((size_t)64 << 20) + 4 * s->source.bytes;
    (void)rg_quoted(quoted, name, strlen(name));
    if (m->found != 1)
        return rg_fail(s->source.err, m->found ? RG_EFORMAT : RG_EARG, m->found
                       ? "two members are named '%s'" : "the archive has no member '%s'", quoted);
    if (m->flags & 1)
        return bad(s, "the member is encrypted");
    if (m->method != 0 && m->method != 8)
        return bad(s, "the member is compressed by a method other than deflate");
    if (m->packed == 0xffffffff || m->bytes == 0xffffffff || m->header == 0xffffffff)
        return rg_fail(s->source.err, RG_ELIMIT, "the member is larger than 4 GiB");
    if (m->bytes > most)
        return rg_fail(s->source.err, RG_ELIMIT, "the member expands to %zu bytes, more than "
                       "64 MiB and 4 times the archive", m->bytes);
    if (m->method == 0 && m->packed != m->bytes)
        return bad(s, "the member is not compressed, yet its sizes differ");
    return RG_OK;
}

/* From the member's own header to its bytes. */
static rg_status enter(rg_stream *s, const directory *d, const member *m)
{
    unsigned char h[LOCAL];
    rg_status st;
    if (m->header > d->at || d->at - m->header < LOCAL)
        return bad(s, "the member lies outside of the archive");
    if ((st = rg_source_read(&s->source, m->header, h, LOCAL)))
        return st;
    if (memcmp(h, "PK\3\4", 4) != 0)
        return bad(s, "the member's header is damaged");
    /* where its header has sizes at all, they are those of the directory */
    bool here = !(u16(h + 6) & 8) && u32(h + 18) != 0xffffffff && u32(h + 22) != 0xffffffff;
    if (here && (u32(h + 18) != m->packed || u32(h + 22) != m->bytes))
        return bad(s, "the member's header and the archive's directory give other sizes");
    s->at = m->header + LOCAL + u16(h + 26) + u16(h + 28);
    if (s->at > d->at || m->packed > d->at - s->at)
        return bad(s, "the member reaches into the archive's directory");
    s->end = s->at + m->packed;
    s->left = m->bytes;
    s->want = m->sum;
    if (!(s->crc = rg_get(&s->alloc, sizeof *s->crc)))
        return rg_fail(s->source.err, RG_ENOMEM, "no memory");
    rg_crc_init(s->crc, RG_CRC32);
    return m->method ? rg_inflate_begin(s, false) : RG_OK;
}

static rg_status open_member(rg_stream *s, const char *name)
{
    directory d = { 0, 0, 0 };
    member m = { .found = 0 };
    rg_status st = find_directory(s, &d);
    if (st)
        return st;
    unsigned char *entries = rg_get_raw(&s->alloc, d.bytes);
    st = entries ? rg_source_read(&s->source, d.at, entries, d.bytes)
                 : rg_fail(s->source.err, RG_ENOMEM, "no memory");
    if (!st)
        st = search(s, &d, entries, name, &m);
    rg_release(&s->alloc, entries, d.bytes);
    if (st || (st = check_member(s, name, &m)))
        return st;
    return enter(s, &d, &m);
}

/* ---- Stream ---------------------------------------------------------------------------------- */

rg_status rg_stream_open(rg_stream *s, const rg_disk *disk, const rg_alloc *alloc, const char *path,
                         const char *name, rg_err *err)
{
    *s = (rg_stream){ .alloc = *alloc };
    rg_status st = rg_source_open(&s->source, disk, path, err);
    s->end = s->left = s->source.bytes;
    return st || !name ? st : open_member(s, name);
}

/* A file of gzip's ends with the number of bytes it holds, modulo 2^32 (RFC 1952); deflate makes at
 * most 1032 bytes of one, so another number is none. */
rg_status rg_stream_gunzip(rg_stream *s)
{
    enum { LEAST = 18, MOST = 1032 };
    unsigned char b[4];
    rg_status st = RG_OK;
    if (s->left < 2 || (st = rg_source_read(&s->source, 0, b, 2)) || b[0] != 0x1f || b[1] != 0x8b)
        return st;
    if (s->left < LEAST)
        return bad(s, "packed by gzip, yet shorter than its frame");
    if ((st = rg_source_read(&s->source, s->end - 4, b, 4)))
        return st;
    if (u32(b) / MOST > s->left)
        return bad(s, "packed by gzip, and its last four bytes are no size: cut, or several files "
                      "in one");
    s->left = u32(b);
    return rg_inflate_begin(s, true);
}

rg_status rg_stream_take(rg_stream *s, void *data, size_t n)
{
    rg_status st;
    if (n > s->left)
        return bad(s, "shorter than its header says");
    if (s->inflate) {
        st = rg_inflate_take(s, data, n);
    } else {
        st = rg_source_read(&s->source, s->at, data, n);
        s->at += n;
    }
    s->left -= n;
    if (!st && s->crc)
        s->sum = rg_crc_add(s->crc, s->sum, data, n);
    return st;
}

rg_status rg_stream_done(rg_stream *s)
{
    rg_status st = s->inflate ? rg_inflate_done(s) : RG_OK;
    if (!st && s->crc && s->sum != s->want)
        st = rg_fail(s->source.err, RG_EFORMAT, "the member is damaged: its checksum is wrong");
    return st ? st : rg_source_unchanged(&s->source);
}

void rg_stream_close(rg_stream *s)
{
    rg_inflate_end(s);
    rg_release(&s->alloc, s->crc, sizeof *s->crc);
    rg_source_close(&s->source);
    s->crc = NULL;
}
