/* train/file.c -- reading a data file: bounded, regular files only. */
#define _GNU_SOURCE
#include "train/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static rg_status io_error(rg_err *err, const char *path, int code)
{
    const char *name = strerrorname_np(code), *text = strerrordesc_np(code);
    return rg_fail(err, RG_EIO, "%s: %s (%s)", path, text ? text : "input failed",
                   name ? name : "?");
}

static rg_status read_all(uint8_t *data, size_t n, int fd, const char *path, rg_err *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, data + at, n - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_error(err, path, errno);
        if (got == 0)
            return rg_fail(err, RG_ECORRUPT, "%s: became shorter while being read", path);
        at += (size_t)got;
    }
    return RG_OK;
}

static rg_status read_open(uint8_t **out, size_t *n, int fd, const char *path, size_t limit,
                           rg_err *err)
{
    rg_alloc a;
    struct stat s;
    (void)rg_alloc_resolve(&a, NULL);
    if (fstat(fd, &s))
        return io_error(err, path, errno);
    if (!S_ISREG(s.st_mode))
        return rg_fail(err, RG_EIO, "%s: not a regular file", path);
    if ((uintmax_t)s.st_size > limit)
        return rg_fail(err, RG_ELIMIT, "%s: larger than %zu bytes", path, limit);
    *n = (size_t)s.st_size;
    *out = rg_get_raw(&a, *n);
    if (!*out)
        return rg_fail(err, RG_ENOMEM, "%s: no memory for %zu bytes", path, *n);
    rg_status st = read_all(*out, *n, fd, path, err);
    if (st) {
        rg_file_free(*out, *n);
        *out = NULL;
    }
    return st;
}

rg_status rg_file_read(uint8_t **out, size_t *n, const char *path, size_t limit, rg_err *err)
{
    *out = NULL;
    *n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return io_error(err, path, errno);
    rg_status st = read_open(out, n, fd, path, limit, err);
    (void)close(fd);
    return st;
}

void rg_file_free(uint8_t *data, size_t n)
{
    rg_alloc a;
    (void)rg_alloc_resolve(&a, NULL);
    rg_release(&a, data, n);
}
