/* tests/fuzz/idx.c -- any bytes as an IDX file and as a file of words, plain or packed. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <retrograd/data.h>

#include <string.h>
#include <unistd.h>

static void words(const char *path)
{
    rg_vocab v;
    rg_status st = rg_vocab_load(&v, path);
    FUZZ_CHECK((st == RG_OK) == (v.n > 0) && (st == RG_OK) == (v.message[0] == '\0'));
    for (size_t i = 0; i < v.n; i++)
        FUZZ_CHECK(rg_vocab_find(&v, v.word[i], strlen(v.word[i])) == (int32_t)i);
    rg_vocab_destroy(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    rg_array a;
    int fd = fuzz_file(path, data, n);
    rg_status st = rg_idx_load(&a, path);
    FUZZ_CHECK((st == RG_OK) == (a.data != NULL) && (st == RG_OK) == (a.message[0] == '\0'));
    FUZZ_CHECK(st || rg_shape_count(a.shape) >= 0);
    rg_array_destroy(&a);
    words(path);
    (void)close(fd);
    return 0;
}
