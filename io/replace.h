/* io/replace.h -- writing a file whole or not at all.
 *
 * The bytes go to a temporary file beside the target, which is synced, closed, and renamed over it;
 * then the folder is synced. A lock on the temporary tells the living writer from a dead one. Order
 * and reasons: Pillai et al., "All file systems are not created equal", OSDI 2014. */
#ifndef RG_IO_REPLACE_H
#define RG_IO_REPLACE_H

#include "base/memory.h"
#include "io/disk.h"

enum { RG_TEMP_NAME = 240 };

typedef struct rg_replace {
    const rg_disk *disk;
    rg_alloc       alloc;
    rg_err        *err;
    const char    *base;   /* the target's name within its folder */
    int            dir;    /* the folder; -1 as the others when not open */
    int            fd;     /* the temporary */
    int            lock;   /* the same file once more, which keeps the lock until it is renamed */
    char           temp[RG_TEMP_NAME];  /* its name; "" if there is none */
    char          *buffer;
    size_t         used;
} rg_replace;

/* RG_EARG: the target is a link, a folder, a device; RG_EIO: somebody else is writing it. Whatever
 * fails, here or below, rg_replace_end() must follow. @p path must live until then. */
rg_status rg_replace_begin(rg_replace *r, const rg_disk *disk, const rg_alloc *alloc,
                           const char *path, rg_err *err);
rg_status rg_replace_write(rg_replace *r, const void *data, size_t n);
/* The file is there under its name, for good. */
rg_status rg_replace_commit(rg_replace *r);
/* Closes and frees everything; what has not been committed leaves no trace. */
void rg_replace_end(rg_replace *r);

#endif
