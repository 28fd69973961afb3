/* tests/fuzz/file.c -- bytes as a file in memory. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int fuzz_file(char path[64], const uint8_t *data, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    for (size_t at = 0; at < n;) {
        ssize_t put = write(fd, data + at, n - at);
        FUZZ_CHECK(put > 0);
        at += (size_t)put;
    }
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static char folder[32];

static void remove_folder(void)
{
    (void)rmdir(folder);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        bool memory = access("/dev/shm", W_OK) == 0;
        (void)snprintf(folder, sizeof folder, "%s/rgf-XXXXXX", memory ? "/dev/shm" : "/tmp");
        FUZZ_CHECK(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    }
    return folder;
}
