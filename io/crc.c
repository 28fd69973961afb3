/* io/crc.c -- the checksum of crc.h by eight tables of 256.
 * Source: Kounavis and Berry, "Novel table lookup-based algorithms for high-performance CRC
 * generation", IEEE Transactions on Computers 57(11), 2008. */
#include "io/crc.h"

#include <string.h>

void rg_crc_init(rg_crc *crc, uint32_t polynomial)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t sum = b;
        for (int bit = 0; bit < 8; bit++)
            sum = sum >> 1 ^ (sum & 1 ? polynomial : 0);
        crc->table[0][b] = sum;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++) {
            uint32_t sum = crc->table[k - 1][b];
            crc->table[k][b] = sum >> 8 ^ crc->table[0][sum & 255];
        }
}

uint32_t rg_crc_add(const rg_crc *crc, uint32_t sum, const void *data, size_t n)
{
    const unsigned char *p = data;
    sum = ~sum;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= sum;
        sum = 0;
        for (int k = 0; k < 8; k++)
            sum ^= crc->table[7 - k][w >> 8 * k & 255];
    }
    for (; n > 0; n--, p++)
        sum = sum >> 8 ^ crc->table[0][(sum ^ *p) & 255];
    return ~sum;
}
