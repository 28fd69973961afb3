/* io/whole.c -- a whole text file in memory, and telling how far its reading is. */
#include "io/whole.h"

#include "base/clock.h"
#include "io/npz.h"

#include <string.h>

rg_status rg_whole_load(char **text, size_t *n, const rg_alloc *alloc, const char *path,
                        rg_err *err)
{
    rg_stream s;
    *text = NULL;
    rg_status st = rg_stream_open(&s, &rg_disk_posix, alloc, path, NULL, err);
    if (!st)
        st = rg_stream_gunzip(&s);
    *n = s.left;
    if (!st && *n > RG_MAX_TEXT)
        st = rg_fail(err, RG_ELIMIT, "2^31 bytes or more");
    if (!st && !(*text = rg_get_raw(alloc, *n + 1)))
        st = rg_fail(err, RG_ENOMEM, "no memory for %zu bytes", *n);
    if (!st)
        st = rg_stream_take(&s, *text, *n);
    if (!st)
        st = rg_stream_done(&s);
    rg_stream_close(&s);
    if (st) {
        rg_release(alloc, *text, *n + 1);
        *text = NULL;
        return st;
    }
    (*text)[*n] = '\0';
    return RG_OK;
}

size_t rg_bom_bytes(const void *text, size_t n)
{
    return n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

bool rg_tell(rg_teller *t, size_t done, size_t all)
{
    const double usual = 0.5, pause = 0.25;
    const rg_progress *p = &t->progress;
    if (!p->tell || t->calls++ % 256 != 0)
        return true;
    double now = rg_seconds();
    if (t->next <= 0)
        t->next = now + (p->after > 0 ? p->after : p->after < 0 ? 0 : usual);
    if (now < t->next)
        return true;
    t->next = p->after < 0 ? now : now + pause;
    return p->tell(p->user, all ? (double)done / (double)all : 1.0);
}

rg_status rg_told_to_stop(rg_err *err)
{
    return rg_fail(err, RG_EUSER, "stopped by the progress callback");
}
