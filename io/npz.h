/* io/npz.h -- bytes of a file one after the other, plain or from a member of a zip archive. */
#ifndef RG_IO_NPZ_H
#define RG_IO_NPZ_H

#include "base/memory.h"
#include "io/crc.h"
#include "io/disk.h"

typedef struct rg_stream {
    rg_source  source;
    rg_alloc   alloc;
    size_t     at, end;   /* in the file: what has not been read of it */
    size_t     left;      /* bytes that have not been taken */
    rg_crc    *crc;       /* of a member; NULL = plain file */
    uint32_t   sum, want;
    void      *inflate;   /* of a compressed member */
} rg_stream;

/* A whole file, or with @p member the member "member" or "member.npy" of the archive: sizes from
 * its central directory. RG_EIO, RG_EFORMAT, RG_ELIMIT, RG_EARG (no such member). Whatever happens,
 * rg_stream_close() must follow. */
rg_status rg_stream_open(rg_stream *s, const rg_disk *disk, const rg_alloc *alloc, const char *path,
                         const char *member, rg_err *err);
/* Goes on with what a plain file holds packed, if gzip made it; of other files nothing changes. */
rg_status rg_stream_gunzip(rg_stream *s);
rg_status rg_stream_take(rg_stream *s, void *data, size_t n);
/* Everything has been taken and was what the archive says. */
rg_status rg_stream_done(rg_stream *s);
void rg_stream_close(rg_stream *s);

/* inflate.c; without zlib the first refuses. */
rg_status rg_inflate_begin(rg_stream *s, bool gzip);
rg_status rg_inflate_take(rg_stream *s, void *data, size_t n);
rg_status rg_inflate_done(rg_stream *s);
void rg_inflate_end(rg_stream *s);

#endif
