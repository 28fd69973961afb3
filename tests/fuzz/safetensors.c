/* tests/fuzz/safetensors.c -- any bytes as a checkpoint: looked at, loaded into stores that expect
 * something and into empty ones; what loads is saved and must come back. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include <retrograd/io.h>

#include "graph/params.h"
#include "io/crc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const expected[] = {
    "r.U", "r.W", "r.b", "e.E",
    "g.Ur", "g.Uu", "g.Ug", "g.Wr", "g.Wu", "g.Wg", "g.br", "g.bu", "g.bg"
};

static rg_params *store(int kind)
{
    rg_params *ps;
    rg_slot *slot;
    rg_params_opts opts = { .real = kind & 1 ? RG_F64 : RG_F32 };
    FUZZ_CHECK(rg_params_create(&ps, 0, &opts) == RG_OK);
    for (size_t i = 0; kind & 2 && i < sizeof expected / sizeof *expected; i++) {
        bool vector = strchr(expected[i], 'b') != NULL;
        rg_shape shape = vector ? RG_SHAPE(2) : RG_SHAPE(2, 2);
        FUZZ_CHECK(rg_params_declare(&slot, ps, expected[i], shape, ps->real, NULL) == RG_OK);
    }
    return ps;
}

static bool equal(const rg_params *a, const rg_params *b)
{
    if (a->n_slot != b->n_slot)
        return false;
    for (size_t i = 0; i < a->n_slot; i++) {
        const rg_slot *s = a->slot[a->order[i]], *t = b->slot[b->order[i]];
        if (strcmp(s->name, t->name) != 0 || s->bytes != t->bytes ||
            memcmp(s->data, t->data, s->bytes))
            return false;
    }
    return true;
}

/* parse(write(x)) = x */
static void round_trip(rg_params *model, const char *folder)
{
    char path[64];
    rg_params *again;
    rg_params_opts opts = { .real = model->real };
    strcpy(path, folder);
    strcat(path, "/x");
    FUZZ_CHECK(rg_params_create(&again, 0, &opts) == RG_OK);
    rg_status st = rg_params_save(&model, 1, path, NULL);
    FUZZ_CHECK(st == RG_OK || st == RG_ELIMIT || st == RG_EARG); /* names meet, grow too long */
    if (st == RG_OK) {
        FUZZ_CHECK(rg_params_load(&again, 1, path, NULL) == RG_OK);
        FUZZ_CHECK(equal(model, again));
        (void)unlink(path);
    }
    rg_params_destroy(&again);
}

static void load(const char *path, int kind, const char *folder)
{
    static const rg_layer_desc layer = { .group = "g", .kind = "gru-after" };
    rg_load_opts opts = { .partial = kind & 4, .widen = kind & 8, .layers = &layer,
                          .n_layers = kind & 16 ? 1 : 0 };
    rg_params *stores[3] = { store(kind), store(0), store(0) }, *before = store(kind);
    rg_status st = rg_params_load(stores, kind & 32 ? 3 : 1, path, &opts);
    FUZZ_CHECK(st == RG_OK || (equal(stores[0], before) && stores[1]->n_slot == 0));
    FUZZ_CHECK(st == RG_OK || rg_params_message(stores[0])[0] != '\0');
    if (st == RG_OK)
        round_trip(stores[0], folder);
    for (int i = 0; i < 3; i++)
        rg_params_destroy(&stores[i]);
    rg_params_destroy(&before);
}

/* Puts the header's right checksum where it has a place for one, or no mutant would get past. */
static void repair(uint8_t *data, size_t n)
{
    static const char key[] = "\"retrograd.header_crc32c\":\"", zeros[] = "00000000";
    char digits[9];
    uint64_t header;
    if (n < 8 || (memcpy(&header, data, 8), header > n - 8))
        return;
    uint8_t *at = memmem(data + 8, header, key, sizeof key - 1);
    if (!at || (size_t)(at - data) + sizeof key - 1 + 8 > 8 + header)
        return;
    rg_crc *crc = malloc(sizeof *crc);
    FUZZ_CHECK(crc != NULL);
    rg_crc_init(crc, RG_CRC32C);
    at += sizeof key - 1;
    memcpy(at, zeros, 8);
    (void)snprintf(digits, sizeof digits, "%08x", rg_crc_add(crc, 0, data + 8, header));
    memcpy(at, digits, 8);
    free(crc);
}

static void look(const char *path)
{
    rg_file info;
    rg_status st = rg_file_info(&info, path);
    FUZZ_CHECK((st == RG_OK) == (info.message[0] == '\0'));
    for (size_t i = 1; i < info.n_arrays; i++)
        FUZZ_CHECK(strcmp(info.arrays[i - 1].name, info.arrays[i].name) <= 0);
    rg_file_destroy(&info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *folder = fuzz_folder();
    char path[64];
    int kind = n > 0 ? data[n - 1] : 0;
    uint8_t *copy = malloc(n + 1);
    FUZZ_CHECK(copy != NULL);
    if (n > 0)
        memcpy(copy, data, n);
    repair(copy, n);
    int fd = fuzz_file(path, copy, n);
    look(path);
    load(path, kind & 0x3d, folder);
    load(path, 2 | (kind & 0x3d), folder);
    load(path, 13, folder);
    (void)close(fd);
    free(copy);
    return 0;
}
