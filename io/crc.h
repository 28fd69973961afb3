/* io/crc.h -- cyclic redundancy checks of 32 bits, eight bytes at a time. */
#ifndef RG_IO_CRC_H
#define RG_IO_CRC_H

#include <stddef.h>
#include <stdint.h>

#define RG_CRC32C UINT32_C(0x82f63b78) /* Castagnoli's polynomial, bits reversed: checkpoints */
#define RG_CRC32  UINT32_C(0xedb88320) /* that of zip archives */

/* table[k][b]: what byte b becomes when k zero bytes follow. */
typedef struct rg_crc {
    uint32_t table[8][256];
} rg_crc;

void rg_crc_init(rg_crc *crc, uint32_t polynomial);
/* The checksum of what gave @p sum (0: of nothing) with n bytes appended. */
uint32_t rg_crc_add(const rg_crc *crc, uint32_t sum, const void *data, size_t n);

#endif
