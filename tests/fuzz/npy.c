/* tests/fuzz/npy.c -- any bytes as an array of NumPy's and as an archive of them; what loads is
 * saved and must come back. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <retrograd/io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void round_trip(rg_array *a, const char *folder)
{
    char path[64];
    rg_array again;
    (void)snprintf(path, sizeof path, "%s/x.npy", folder);
    FUZZ_CHECK(rg_npy_save(a, path) == RG_OK);
    FUZZ_CHECK(rg_npy_load(&again, path) == RG_OK);
    FUZZ_CHECK(again.dtype == a->dtype && rg_shape_equal(again.shape, a->shape));
    FUZZ_CHECK(again.bytes == a->bytes && memcmp(again.data, a->data, a->bytes) == 0);
    rg_array_destroy(&again);
    (void)unlink(path);
}

static void load(const char *path, const char *folder)
{
    rg_array a;
    rg_status st = rg_npy_load(&a, path);
    FUZZ_CHECK((st == RG_OK) == (a.data != NULL) && (st == RG_OK) == (a.message[0] == '\0'));
    if (st == RG_OK)
        round_trip(&a, folder);
    rg_array_destroy(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *folder = fuzz_folder();
    char path[64], name[96], member[128];
    int fd = fuzz_file(path, data, n);
    load(path, folder);
    (void)snprintf(name, sizeof name, "%s/x.npz", folder); /* a member needs the archive's suffix */
    FUZZ_CHECK(symlink(path, name) == 0);
    (void)snprintf(member, sizeof member, "%s:f4", name);
    load(member, folder);
    (void)unlink(name);
    (void)close(fd);
    return 0;
}
