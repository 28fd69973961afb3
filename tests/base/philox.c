/* tests/base/philox.c -- the generator's published vectors; streams, and maps to numbers. */
#include "tests/rgt.h"

#include "base/philox.h"

#include <math.h>
#include <string.h>

static bool block_is(rg_philox_block b, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
    return b.w[0] == w0 && b.w[1] == w1 && b.w[2] == w2 && b.w[3] == w3;
}

/* kat_vectors of Random123, philox4x32 with 10 rounds. */
RGT_TEST(philox, gives_the_published_vectors)
{
    static const struct { uint32_t counter[4], key[2], out[4]; } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        rg_philox_block b = rg_philox(kat[i].counter, kat[i].key);
        RGT_CHECK_MSG(memcmp(b.w, kat[i].out, sizeof b.w) == 0, "vector %zu", i);
    }
}

RGT_TEST(philox, streams_are_cut_by_name_purpose_and_run)
{
    uint64_t h = rg_fnv1a("enc.Ur");
    RGT_CHECK(h == UINT64_C(0x76e5985f61a362e4));
    RGT_CHECK(block_is(rg_draw(42, RG_DOMAIN_INIT, h, 0), 0x9ed5256f, 0x87c331ad, 0xdc353b5a,
                       0xf0a7b5f7));
    RGT_CHECK(block_is(rg_draw(42, RG_DOMAIN_DROPOUT, rg_stream_tail(7, 100), 0), 0xe68d8412,
                       0x1db1c1fe, 0xac9d8b90, 0xce386697));
}

RGT_TEST(philox, the_tail_keeps_half_of_the_hash_and_the_run_number)
{
    RGT_CHECK(rg_stream_tail(UINT64_C(0x1122334455667788), 0) == UINT64_C(0x55667788));
    RGT_CHECK(rg_stream_tail(1, UINT64_C(0x100000003)) == UINT64_C(0x0000000300000001));
}
