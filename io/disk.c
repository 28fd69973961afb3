/* io/disk.c -- POSIX behind the table of disk.h, reading in full, errors in words. */
#define _POSIX_C_SOURCE 200809L
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "io/ reads and writes arrays as they lie in memory: little-endian machines only"
#endif

static int posix_openat(int dir, const char *path, int flags, mode_t mode)
{
    return openat(dir, path, flags, mode);
}

static int posix_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int posix_dup(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

const rg_disk rg_disk_posix = {
    posix_openat, fstat, fstatat, pread, write, fchmod, fsync, posix_lock, posix_dup, close,
    renameat, unlinkat
};

/* ---- Reading -------------------------------------------------------------------------------- */

static rg_status io_error(rg_source *s, const char *what)
{
    char text[RG_ERRNO_TEXT];
    return rg_fail(s->err, RG_EIO, "%s: %s", what, rg_errno_text(text, errno));
}

rg_status rg_source_open(rg_source *s, const rg_disk *disk, const char *path, rg_err *err)
{
    *s = (rg_source){ .disk = disk, .err = err, .fd = -1 };
    do
        s->fd = disk->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    while (s->fd < 0 && errno == EINTR);
    if (s->fd < 0)
        return io_error(s, "open");
    rg_status st = RG_OK;
    if (disk->fstat(s->fd, &s->seen))
        st = io_error(s, "fstat");
    else if (!S_ISREG(s->seen.st_mode))
        st = rg_fail(err, RG_EIO, "this is a %s, not a file",
                     S_ISDIR(s->seen.st_mode) ? "folder" : S_ISFIFO(s->seen.st_mode) ? "pipe"
                                                                                      : "device");
    if (st)
        rg_source_close(s);
    s->bytes = (size_t)s->seen.st_size;
    return st;
}

rg_status rg_source_read(rg_source *s, size_t at, void *data, size_t n)
{
    const size_t most = (size_t)1 << 30;
    char *to = data;
    while (n > 0) {
        ssize_t got = s->disk->pread(s->fd, to, n < most ? n : most, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_error(s, "read");
        if (got == 0)
            return rg_fail(s->err, RG_ECORRUPT, "the file became shorter while it was read");
        to += got;
        at += (size_t)got;
        n -= (size_t)got;
    }
    return RG_OK;
}

rg_status rg_source_unchanged(rg_source *s)
{
    struct stat now;
    if (s->disk->fstat(s->fd, &now))
        return io_error(s, "fstat");
    if (now.st_size != s->seen.st_size || now.st_mtim.tv_sec != s->seen.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != s->seen.st_mtim.tv_nsec)
        return rg_fail(s->err, RG_ECORRUPT, "the file changed while it was read");
    return RG_OK;
}

void rg_source_close(rg_source *s)
{
    if (s->disk && s->fd >= 0)
        (void)s->disk->close(s->fd);
    s->fd = -1;
}

/* ---- Words ---------------------------------------------------------------------------------- */

static const struct { int number; const char *text; } errnos[] = {
    { EACCES, "EACCES (no permission)" },
    { EAGAIN, "EAGAIN (in use)" },
    { EBUSY, "EBUSY (in use)" },
    { EDQUOT, "EDQUOT (quota exceeded)" },
    { EFBIG, "EFBIG (size limit of files exceeded)" },
    { EINTR, "EINTR (interrupted)" },
    { EINVAL, "EINVAL (invalid argument)" },
    { EIO, "EIO (input or output error)" },
    { EISDIR, "EISDIR (is a folder)" },
    { ELOOP, "ELOOP (too many symbolic links)" },
    { EMFILE, "EMFILE (too many open files)" },
    { ENAMETOOLONG, "ENAMETOOLONG (name too long)" },
    { ENFILE, "ENFILE (too many open files in the system)" },
    { ENODEV, "ENODEV (no such device)" },
    { ENOENT, "ENOENT (no such file or folder)" },
    { ENOMEM, "ENOMEM (no memory)" },
    { ENOSPC, "ENOSPC (disk full)" },
    { ENOTDIR, "ENOTDIR (not a folder)" },
    { ENXIO, "ENXIO (no such device)" },
    { EPERM, "EPERM (not permitted)" },
    { EROFS, "EROFS (read-only file system)" },
    { ESTALE, "ESTALE (stale file handle)" },
    { EXDEV, "EXDEV (other file system)" },
};

const char *rg_errno_text(char text[RG_ERRNO_TEXT], int number)
{
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++)
        if (errnos[i].number == number) {
            (void)snprintf(text, RG_ERRNO_TEXT, "%s", errnos[i].text);
            return text;
        }
    (void)snprintf(text, RG_ERRNO_TEXT, "errno %d", number);
    return text;
}

rg_status rg_errno_status(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG ? RG_ENOSPC : RG_EIO;
}

static size_t quoted_width(char c)
{
    return c >= 0x20 && c < 0x7f && c != '\\' ? 1 : 4;
}

/* Appends the bytes that fit into @p room; returns how many they are. */
static size_t quote(char *text, size_t room, const char *name, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0, i = 0;
    for (; i < n && at + quoted_width(name[i]) <= room; i++) {
        unsigned char c = (unsigned char)name[i];
        if (quoted_width(name[i]) == 1) {
            text[at++] = name[i];
            continue;
        }
        text[at++] = '\\';
        text[at++] = 'x';
        text[at++] = hex[c >> 4];
        text[at++] = hex[c & 15];
    }
    text[at] = '\0';
    return i;
}

const char *rg_quoted(char text[RG_QUOTED], const char *name, size_t n)
{
    enum { HEAD = 40, TAIL = RG_QUOTED - 1 - HEAD - 3 };
    size_t from = n, width = 0;
    if (quote(text, RG_QUOTED - 1, name, n) == n)
        return text;
    while (from > 0 && width + quoted_width(name[from - 1]) <= TAIL)
        width += quoted_width(name[--from]);
    (void)quote(text, HEAD, name, n);
    size_t at = strlen(text);
    memcpy(text + at, "...", 3);
    (void)quote(text + at + 3, TAIL, name + from, n - from);
    return text;
}
