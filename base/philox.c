/* base/philox.c -- Philox4x32-10 and the maps from its words to numbers. */
#include "base/philox.h"

#include <math.h>

static const double TWO_PI = 6.28318530717958647692528676655900577;

rg_philox_block rg_philox(const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (rg_philox_block){ { c0, c1, c2, c3 } };
}

rg_philox_block rg_draw(uint64_t seed, rg_domain domain, uint64_t tail, uint32_t block)
{
    const uint32_t counter[4] = { block, (uint32_t)domain << 24, (uint32_t)tail,
                                  (uint32_t)(tail >> 32) };
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    return rg_philox(counter, key);
}

uint64_t rg_fnv1a(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t rg_stream_tail(uint64_t hash, uint64_t run)
{
    return (hash & 0xffffffffu) | run << 32;
}

static double unit(uint32_t high, uint32_t low)
{
    return ((double)(high >> 5) * 67108864.0 + (double)(low >> 6)) * 0x1p-53;
}

double rg_draw_uniform(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i)
{
    rg_philox_block b = rg_draw(seed, domain, tail, (uint32_t)(i / 2));
    return i % 2 ? unit(b.w[2], b.w[3]) : unit(b.w[0], b.w[1]);
}

double rg_draw_normal(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i)
{
    rg_philox_block b = rg_draw(seed, domain, tail, (uint32_t)(i / 2));
    double radius = sqrt(-2 * log(1 - unit(b.w[0], b.w[1])));
    double angle = TWO_PI * unit(b.w[2], b.w[3]);
    return radius * (i % 2 ? sin(angle) : cos(angle));
}

uint64_t rg_draw_below(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i, uint64_t n)
{
    rg_philox_block b = rg_draw(seed, domain, tail, (uint32_t)(i / 2));
    uint64_t bits = i % 2 ? (uint64_t)b.w[2] << 32 | b.w[3] : (uint64_t)b.w[0] << 32 | b.w[1];
    uint64_t low = (bits & 0xffffffffu) * (n & 0xffffffffu);
    uint64_t mid = (bits >> 32) * (n & 0xffffffffu) + (low >> 32);
    uint64_t mid2 = (bits & 0xffffffffu) * (n >> 32) + (mid & 0xffffffffu);
    return (bits >> 32) * (n >> 32) + (mid >> 32) + (mid2 >> 32);
}
