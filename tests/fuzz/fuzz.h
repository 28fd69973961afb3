/* tests/fuzz/fuzz.h -- what a fuzz target is: one function, fed by libFuzzer or by replay.c. */
#ifndef RGT_FUZZ_H
#define RGT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return, whatever the bytes are; a broken promise ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The bytes as a file of this process that has a path; close the descriptor afterwards. */
int fuzz_file(char path[64], const uint8_t *data, size_t n);

/* A folder for files of this process, made on the first call, removed at its end. */
const char *fuzz_folder(void);

#define FUZZ_CHECK(condition) \
    do { if (!(condition)) __builtin_trap(); } while (0)

#endif
