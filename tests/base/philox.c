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

RGT_TEST(philox, numbers_and_normals_are_the_halves_of_a_block)
{
    uint64_t h = rg_fnv1a("enc.Ur");
    static const double u[] = { 0.620439853745119, 0.8601872543995012 };
    static const double z[] = { 0.8885143200359306, -1.071460086139249 };
    for (uint64_t i = 0; i < 2; i++) {
        RGT_CHECK(fabs(rg_draw_uniform(42, RG_DOMAIN_INIT, h, i) - u[i]) <= 0x1p-53);
        RGT_CHECK(fabs(rg_draw_normal(42, RG_DOMAIN_INIT, h, i) - z[i]) <= 1e-15);
    }
}

/* Mean and variance of n draws within five standard errors. */
static bool moments(double (*draw)(uint64_t, rg_domain, uint64_t, uint64_t), double mean,
                    double variance, double fourth)
{
    enum { N = 200000 };
    double sum = 0, square = 0;
    for (uint64_t i = 0; i < N; i++) {
        double d = draw(7, RG_DOMAIN_USER, 3, i) - mean;
        sum += d;
        square += d * d;
    }
    return fabs(sum / N) < 5 * sqrt(variance / N) &&
           fabs(square / N - variance) < 5 * sqrt((fourth - variance * variance) / N);
}

RGT_TEST(philox, uniform_and_normal_have_their_moments)
{
    RGT_CHECK(moments(rg_draw_uniform, 0.5, 1.0 / 12, 1.0 / 80));
    RGT_CHECK(moments(rg_draw_normal, 0, 1, 3));
    RGT_CHECK(!moments(rg_draw_normal, 0.02, 1, 3)); /* the check sees a shift of two per cent */
}

RGT_TEST(philox, uniform_lies_in_its_half_open_interval)
{
    for (uint64_t i = 0; i < 100000; i++) {
        double u = rg_draw_uniform(1, RG_DOMAIN_NOISE, 0, i);
        RGT_CHECK(u >= 0 && u < 1);
    }
}

RGT_TEST(philox, integers_are_the_high_half_of_a_product)
{
    __extension__ typedef unsigned __int128 wide;
    static const uint64_t n[] = { 1, 2, 3, 10, 1000003, UINT64_C(1) << 33, UINT64_MAX };
    for (size_t k = 0; k < sizeof n / sizeof *n; k++)
        for (uint64_t i = 0; i < 1000; i++) {
            rg_philox_block b = rg_draw(9, RG_DOMAIN_SHUFFLE, 5, (uint32_t)(i / 2));
            const uint32_t *w = b.w + 2 * (i % 2);
            uint64_t bits = (uint64_t)w[0] << 32 | w[1];
            uint64_t got = rg_draw_below(9, RG_DOMAIN_SHUFFLE, 5, i, n[k]);
            RGT_CHECK(got == (uint64_t)((wide)bits * n[k] >> 64) && got < n[k]);
        }
}

RGT_TEST(philox, purposes_names_runs_and_seeds_do_not_meet)
{
    double first = rg_draw_uniform(1, RG_DOMAIN_INIT, rg_stream_tail(1, 1), 0);
    RGT_CHECK(first != rg_draw_uniform(2, RG_DOMAIN_INIT, rg_stream_tail(1, 1), 0));
    RGT_CHECK(first != rg_draw_uniform(1, RG_DOMAIN_STATE, rg_stream_tail(1, 1), 0));
    RGT_CHECK(first != rg_draw_uniform(1, RG_DOMAIN_INIT, rg_stream_tail(2, 1), 0));
    RGT_CHECK(first != rg_draw_uniform(1, RG_DOMAIN_INIT, rg_stream_tail(1, 2), 0));
    RGT_CHECK(first == rg_draw_uniform(1, RG_DOMAIN_INIT, rg_stream_tail(1, 1), 0));
}
