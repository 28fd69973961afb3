/* tests/io/help.h -- files, folders and models for the tests of io/. */
#ifndef RGT_IO_HELP_H
#define RGT_IO_HELP_H

#include <retrograd/io.h>

#include "tests/rgt.h"

/* A folder of this test's own; leave it with rgt_folder_end(). */
typedef struct rgt_folder {
    char path[64];
    char file[96];  /* the last rgt_in() */
} rgt_folder;

void rgt_folder_begin(rgt_folder *d);
/* "folder/name"; valid until the next call. */
const char *rgt_in(rgt_folder *d, const char *name);
/* Entries but "." and "..". */
int rgt_entries(const rgt_folder *d);
void rgt_folder_end(rgt_folder *d);

/* A whole file in memory, to be freed. */
typedef struct rgt_bytes {
    unsigned char *data;
    size_t         n;
} rgt_bytes;

rgt_bytes rgt_read(const char *path);
void rgt_write_file(const char *path, const void *data, size_t n);
/* A safetensors file of this header text and so many bytes of data behind it, 1, 2, 3, ... */
void rgt_write_tensors(const char *path, const char *header, size_t data);

/* A store of these arrays, "name:3,4 other:5 scalar:", each element another number. */
rg_params *rgt_store(const char *arrays, rg_dtype real);
/* Names, shapes, types and bytes agree. */
bool rgt_equal(const rg_params *a, const rg_params *b);
/* An empty one of the same arrays, zeros. */
rg_params *rgt_like(const rg_params *ps);
/* Of an lstm of two layers, embedding and output: names as a character model has. */
extern const char rgt_model[];

#endif
