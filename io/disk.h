/* io/disk.h -- the file system behind one table of functions, so that tests can make each fail. */
#ifndef RG_IO_DISK_H
#define RG_IO_DISK_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"

/* Each as in POSIX; `lock` is flock(fd, LOCK_EX | LOCK_NB), `dup` sets close-on-exec. */
typedef struct rg_disk {
    int     (*openat)(int dir, const char *path, int flags, mode_t mode);
    int     (*fstat)(int fd, struct stat *st);
    int     (*fstatat)(int dir, const char *path, struct stat *st, int flags);
    ssize_t (*pread)(int fd, void *data, size_t n, off_t at);
    ssize_t (*write)(int fd, const void *data, size_t n);
    int     (*fchmod)(int fd, mode_t mode);
    int     (*fsync)(int fd);
    int     (*lock)(int fd);
    int     (*dup)(int fd);
    int     (*close)(int fd);
    int     (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
    int     (*unlinkat)(int dir, const char *path, int flags);
} rg_disk;

extern const rg_disk rg_disk_posix;

/* A regular file open for reading; what it was when opened tells later whether it changed. */
typedef struct rg_source {
    const rg_disk *disk;
    rg_err        *err;
    int            fd;
    struct stat    seen;
    size_t         bytes;
} rg_source;

/* Never blocks. RG_EIO: it cannot be opened, or is a folder, a pipe, a device. */
rg_status rg_source_open(rg_source *s, const rg_disk *disk, const char *path, rg_err *err);
/* All n bytes at @p at, which the file had when it was opened; RG_ECORRUPT: it has no longer. */
rg_status rg_source_read(rg_source *s, size_t at, void *data, size_t n);
/* RG_ECORRUPT: size or time stamp are not what they were. */
rg_status rg_source_unchanged(rg_source *s);
void rg_source_close(rg_source *s);

/* "EIO (input or output error)" to @p text and back; the system's own texts follow the locale. */
enum { RG_ERRNO_TEXT = 64 };
const char *rg_errno_text(char text[RG_ERRNO_TEXT], int number);
/* RG_ENOSPC for what says that there is no room, else RG_EIO. */
rg_status rg_errno_status(int number);

/* Printable ASCII of a path or a name for messages: other bytes as \xNN, the middle of a long one
 * left out. Writes to and returns @p text. */
enum { RG_QUOTED = 132 };
const char *rg_quoted(char text[RG_QUOTED], const char *name, size_t n);

#endif
