/* base/philox.h -- random numbers as a function of (seed, stream, run, element): Philox4x32-10.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef RG_BASE_PHILOX_H
#define RG_BASE_PHILOX_H

#include <retrograd/base.h>

typedef struct rg_philox_block { uint32_t w[4]; } rg_philox_block;

/* What a stream is for: the high byte of counter word 1, so that purposes never meet. */
typedef enum rg_domain {
    RG_DOMAIN_INIT = 1, RG_DOMAIN_DROPOUT, RG_DOMAIN_SHUFFLE, RG_DOMAIN_SAMPLING,
    RG_DOMAIN_STATE, RG_DOMAIN_CHECK, RG_DOMAIN_NOISE, RG_DOMAIN_USER
} rg_domain;

/* The raw generator. */
rg_philox_block rg_philox(const uint32_t counter[4], const uint32_t key[2]);
/* Block @p block of a stream: c0 = block, c1 = domain·2²⁴, (c2, c3) = the halves of @p tail. For
 * initialisation the tail is FNV-1a-64 of the full name, elsewhere rg_stream_tail(). */
rg_philox_block rg_draw(uint64_t seed, rg_domain domain, uint64_t tail, uint32_t block);
uint64_t rg_fnv1a(const char *text);
/* c2 = low half of the stream's hash, c3 = run number modulo 2³². */
uint64_t rg_stream_tail(uint64_t hash, uint64_t run);

/* Element i of a stream in [0, 1): half i mod 2 of block i/2, 53 bits. */
double rg_draw_uniform(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i);
/* Element i of N(0,1), by Box and Muller on the block's pair. */
double rg_draw_normal(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i);
/* Integer in [0, n): the high half of (64 bits)·n, two per block. */
uint64_t rg_draw_below(uint64_t seed, rg_domain domain, uint64_t tail, uint64_t i, uint64_t n);

#endif
