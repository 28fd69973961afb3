/* io/replace.c -- temporary file, sync, close, rename, sync of the folder. */
#define _POSIX_C_SOURCE 200809L
#include "io/replace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, BASE_SHOWN = 180, TEMP_TRIES = 100 };

static rg_status io_error(rg_replace *r, const char *what)
{
    char text[RG_ERRNO_TEXT];
    int number = errno;
    return rg_fail(r->err, rg_errno_status(number), "%s: %s", what, rg_errno_text(text, number));
}

static int open_again(rg_replace *r, int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = r->disk->openat(dir, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* ---- Where it goes --------------------------------------------------------------------------- */

static rg_status open_folder(rg_replace *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = !slash ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = rg_get(&r->alloc, n + 1);
    if (!folder)
        return rg_fail(r->err, RG_ENOMEM, "no memory");
    memcpy(folder, slash ? path : ".", n);
    r->base = slash ? slash + 1 : path;
    r->dir = open_again(r, AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    rg_status st = r->dir < 0 ? io_error(r, "open its folder") : RG_OK;
    rg_release(&r->alloc, folder, n + 1);
    return st;
}

/* What stands under the target's name: nothing, or a file, whose mode is kept. */
static rg_status look_at_target(rg_replace *r, mode_t *mode, bool *exists)
{
    struct stat st;
    *exists = false;
    if (!*r->base)
        return rg_fail(r->err, RG_EARG, "this is the name of a folder");
    if (r->disk->fstatat(r->dir, r->base, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? RG_OK : io_error(r, "look for an older file");
    if (!S_ISREG(st.st_mode))
        return rg_fail(r->err, RG_EARG, "this is a %s, and only files are replaced",
                       S_ISLNK(st.st_mode) ? "symbolic link"
                       : S_ISDIR(st.st_mode) ? "folder" : "device or pipe");
    *exists = true;
    *mode = st.st_mode & 07777;
    return RG_OK;
}

/* ---- Temporary files ------------------------------------------------------------------------- */

/* ".NAME.PID-N.tmp", NAME cut so that it fits where NAME does. */
static void name_temp(rg_replace *r, int n)
{
    (void)snprintf(r->temp, sizeof r->temp, ".%.*s.%ld-%d.tmp", BASE_SHOWN, r->base, (long)getpid(),
                   n);
}

static bool is_temp(const rg_replace *r, const char *name)
{
    static const char digits[] = "0123456789";
    size_t n = strlen(r->base), pid, count;
    n = n < BASE_SHOWN ? n : BASE_SHOWN;
    if (name[0] != '.' || strncmp(name + 1, r->base, n) != 0 || name[n + 1] != '.')
        return false;
    name += n + 2;
    pid = strspn(name, digits);
    if (pid == 0 || name[pid] != '-')
        return false;
    name += pid + 1;
    count = strspn(name, digits);
    return count > 0 && strcmp(name + count, ".tmp") == 0;
}

/* Remove a temporary whose writer is gone: nobody holds its lock. */
static rg_status remove_stray(rg_replace *r, const char *name)
{
    char quoted[RG_QUOTED];
    int fd = open_again(r, r->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return RG_OK; /* gone meanwhile, or not ours to touch */
    bool alive = r->disk->lock(fd) && errno == EWOULDBLOCK;
    if (!alive)
        (void)r->disk->unlinkat(r->dir, name, 0);
    (void)r->disk->close(fd);
    return alive ? rg_fail(r->err, RG_EIO, "another writer is saving this file ('%s')",
                           rg_quoted(quoted, name, strlen(name))) : RG_OK;
}

static rg_status remove_strays(rg_replace *r)
{
    rg_status st = RG_OK;
    struct dirent *entry;
    int fd = open_again(r, r->dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list && fd >= 0)
        (void)r->disk->close(fd);
    while (list && !st && (entry = readdir(list)))
        if (is_temp(r, entry->d_name))
            st = remove_stray(r, entry->d_name);
    if (list)
        (void)closedir(list);
    return st;
}

static rg_status open_temp(rg_replace *r)
{
    for (int n = 0; n < TEMP_TRIES; n++) {
        name_temp(r, n);
        r->fd = open_again(r, r->dir, r->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
        if (r->fd >= 0 || errno != EEXIST)
            break;
    }
    if (r->fd >= 0)
        return RG_OK;
    r->temp[0] = '\0';
    return io_error(r, "create a temporary file");
}

rg_status rg_replace_begin(rg_replace *r, const rg_disk *disk, const rg_alloc *alloc,
                           const char *path, rg_err *err)
{
    mode_t mode = 0;
    bool exists;
    rg_status st;
    *r = (rg_replace){ .disk = disk, .alloc = *alloc, .err = err, .dir = -1, .fd = -1, .lock = -1 };
    if ((st = open_folder(r, path)) || (st = look_at_target(r, &mode, &exists)) ||
        (st = remove_strays(r)) || (st = open_temp(r)))
        return st;
    if (disk->lock(r->fd) && errno == EWOULDBLOCK) /* without locks, as on some networks, go on */
        return io_error(r, "lock the temporary file");
    if ((r->lock = disk->dup(r->fd)) < 0)
        return io_error(r, "lock the temporary file");
    if (exists && disk->fchmod(r->fd, mode))
        return io_error(r, "keep the older file's mode");
    if (!(r->buffer = rg_get_raw(alloc, BUFFER)))
        return rg_fail(err, RG_ENOMEM, "no memory");
    return RG_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static rg_status write_all(rg_replace *r, const char *data, size_t n)
{
    const size_t most = (size_t)1 << 30;
    while (n > 0) {
        ssize_t put = r->disk->write(r->fd, data, n < most ? n : most);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            errno = EIO; /* no progress and no reason */
        if (put <= 0)
            return io_error(r, "write");
        data += put;
        n -= (size_t)put;
    }
    return RG_OK;
}

static rg_status flush(rg_replace *r)
{
    size_t n = r->used;
    r->used = 0;
    return write_all(r, r->buffer, n);
}

rg_status rg_replace_write(rg_replace *r, const void *data, size_t n)
{
    rg_status st = RG_OK;
    if (n > BUFFER - r->used && (st = flush(r)))
        return st;
    if (n > BUFFER)
        return write_all(r, data, n);
    if (n > 0)
        memcpy(r->buffer + r->used, data, n);
    r->used += n;
    return RG_OK;
}

static int sync_again(rg_replace *r, int fd)
{
    int failed;
    do
        failed = r->disk->fsync(fd);
    while (failed && errno == EINTR);
    return failed;
}

rg_status rg_replace_commit(rg_replace *r)
{
    rg_status st = flush(r);
    if (st)
        return st;
    if (sync_again(r, r->fd))
        return io_error(r, "fsync");
    int fd = r->fd;
    r->fd = -1; /* closed whatever close() says */
    if (r->disk->close(fd) && errno != EINTR)
        return io_error(r, "close");
    if (r->disk->renameat(r->dir, r->temp, r->dir, r->base))
        return io_error(r, "rename");
    r->temp[0] = '\0';
    if (sync_again(r, r->dir) && errno != EINVAL) /* EINVAL: a file system that does not need it */
        return io_error(r, "the new file is there, but its folder could not be synced: fsync");
    return RG_OK;
}

void rg_replace_end(rg_replace *r)
{
    if (r->fd >= 0)
        (void)r->disk->close(r->fd);
    if (r->temp[0])
        (void)r->disk->unlinkat(r->dir, r->temp, 0);
    if (r->lock >= 0)
        (void)r->disk->close(r->lock);
    if (r->dir >= 0)
        (void)r->disk->close(r->dir);
    if (r->buffer)
        rg_release(&r->alloc, r->buffer, BUFFER);
    *r = (rg_replace){ .dir = -1, .fd = -1, .lock = -1 };
}
