/* base/sha256.h -- the fingerprint of a data file (FIPS 180-4). */
#ifndef RG_BASE_SHA256_H
#define RG_BASE_SHA256_H

#include <stddef.h>

/* SHA-256 of n bytes as 64 hexadecimal digits, terminated. */
void rg_sha256(char hex[65], const void *data, size_t n);

#endif
