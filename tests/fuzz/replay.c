/* tests/fuzz/replay.c -- a fuzz target without libFuzzer: runs it on files, and on mutants of them.
 *
 *     fuzz_npy [--mutants N] [--seed S] FILE|FOLDER...
 *
 * Mutants: bits flipped, numbers replaced by unfavourable ones, parts cut, doubled, exchanged. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "base/philox.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SEEDS = 256, MAX_BYTES = 1 << 16 };

static struct { uint8_t *data; size_t n; } seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t seed = 1, draws;

/* An integer below n. */
static size_t below(size_t n)
{
    return n ? (size_t)rg_draw_below(seed, RG_DOMAIN_CHECK, 0, draws++, n) : 0;
}

static void add_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_BYTES);
    if (!f || !data || n_seeds == MAX_SEEDS) {
        (void)fprintf(stderr, "replay: cannot take %s\n", path);
        exit(2);
    }
    seeds[n_seeds].n = fread(data, 1, MAX_BYTES, f);
    seeds[n_seeds++].data = data;
    (void)fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add(const char *path)
{
    struct stat st;
    struct dirent **list;
    char name[4096];
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        add_file(path);
        return;
    }
    int n = scandir(path, &list, NULL, by_name);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.') {
            (void)snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
            add_file(name);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

/* One change; returns the new length. */
static size_t mutate(uint8_t *b, size_t n)
{
    static const uint64_t odd[] = { 0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff,
                                    UINT64_C(1) << 48, UINT64_C(1) << 63, UINT64_MAX };
    static const char *const word[] = { "[", "]", "{", "}", ",", "\"", "\\", "0", "-1", "1e9",
                                        "18446744073709551616", "F64", "BOOL", "PK\5\6",
                                        "\\u0000" };
    size_t at = below(n + 1), to = below(n + 1), size = below(16), width = (size_t)1 << below(4);
    size = size < n - at ? size : n - at;
    size = size < n - to ? size : n - to;
    switch (below(7)) {
    case 0:
        if (at < n)
            b[at] ^= (uint8_t)(1 << below(8));
        return n;
    case 1:
        if (width <= n - at)
            memcpy(b + at, &odd[below(sizeof odd / sizeof *odd)], width);
        return n;
    case 2:
        return at;
    case 3:
        memmove(b + at, b + at + size, n - at - size);
        return n - size;
    case 4:
        memmove(b + to, b + at, size);
        return n;
    case 5: {
        const char *w = word[below(sizeof word / sizeof *word)];
        size_t k = strlen(w);
        if (n + k > MAX_BYTES)
            return n;
        memmove(b + at + k, b + at, n - at);
        memcpy(b + at, w, k);
        return n + k;
    }
    default:
        if (at < n)
            b[at] = (uint8_t)('0' + below(10));
        return n;
    }
}

int main(int argc, char **argv)
{
    size_t mutants = 0;
    static uint8_t bytes[MAX_BYTES];
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--mutants") == 0 && i + 1 < argc)
            mutants = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            add(argv[i]);
    if (n_seeds == 0)
        return 2;
    for (size_t i = 0; i < n_seeds; i++)
        (void)LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].n);
    for (size_t i = 0; i < mutants; i++) {
        size_t k = below(n_seeds), n = seeds[k].n;
        memcpy(bytes, seeds[k].data, n);
        for (size_t changes = 1 + below(4); changes > 0; changes--)
            n = mutate(bytes, n);
        (void)LLVMFuzzerTestOneInput(bytes, n);
    }
    (void)printf("%zu files, %zu mutants, seed %llu: nothing found\n", n_seeds, mutants,
                 (unsigned long long)seed);
    for (size_t i = 0; i < n_seeds; i++)
        free(seeds[i].data);
    return 0;
}
