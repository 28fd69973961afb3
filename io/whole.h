/* io/whole.h -- a whole text file in memory, and telling how far its reading is. */
#ifndef RG_IO_WHOLE_H
#define RG_IO_WHOLE_H

#include <retrograd/data.h>

#include "base/memory.h"
#include "io/disk.h"

/* Bytes of a text at most: places in it are 32-bit numbers. */
#define RG_MAX_TEXT ((size_t)INT32_MAX)

/* All bytes of a file, unpacked where gzip made it; *text has room for one more, which is NUL.
 * Release *n + 1 bytes. RG_EIO, RG_EFORMAT, RG_ELIMIT, RG_ENOMEM; *text is NULL then. */
rg_status rg_whole_load(char **text, size_t *n, const rg_alloc *alloc, const char *path,
                        rg_err *err);

/* Bytes of the byte order mark that UTF-8 text begins with: 3, or 0 without one. */
size_t rg_bom_bytes(const void *text, size_t n);

/* rg_progress with its clock. All zero but `progress` to start. */
typedef struct rg_teller {
    rg_progress progress;
    double      next;   /* when to tell again, in seconds; 0 = not yet looked at the clock */
    unsigned    calls;
} rg_teller;

/* Worth a look at the clock every 256 calls: the share that is done. false: the caller shall end
 * with RG_EUSER. */
bool rg_tell(rg_teller *t, size_t done, size_t all);
/* What it ends with. */
rg_status rg_told_to_stop(rg_err *err);

#endif
