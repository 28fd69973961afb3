/* io/tensors.h -- a safetensors file, read and checked: everything but the arrays' bytes. */
#ifndef RG_IO_TENSORS_H
#define RG_IO_TENSORS_H

#include <retrograd/io.h>

#include "io/crc.h"
#include "io/disk.h"

enum {
    RG_FILE_VERSION = 1,
    RG_MAX_HEADER   = 100000000,
    RG_MAX_TENSORS  = 1000000,
};

/* Keys of ours in __metadata__. */
#define RG_KEY_PREFIX   "retrograd."
#define RG_KEY_VERSION  "retrograd.version"
#define RG_KEY_LAYERS   "retrograd.layers"   /* JSON list, see layers.c */
#define RG_KEY_CRC      "retrograd.crc32c"   /* of each array in order of data, 8 hex digits each */
#define RG_KEY_HEADER   "retrograd.header_crc32c" /* of the header with these 8 digits as '0' */

/* Element types that a file may have. Those that no rg_dtype holds have store = -1. */
typedef struct rg_file_type {
    const char *name;
    size_t      item;
    int         store;
} rg_file_type;

extern const rg_file_type rg_file_types[];
const rg_file_type *rg_file_type_of(rg_dtype dtype);

typedef struct rg_tensor {
    const char         *name;
    size_t              name_bytes;
    const rg_file_type *type;
    rg_shape            shape;
    size_t              begin, bytes;  /* from the end of the header */
    uint32_t            crc;           /* if the file has them */
    bool                taken;         /* loading: somebody wants it */
} rg_tensor;

/* A pair of __metadata__; both end in NUL. */
typedef struct rg_meta {
    const char *key, *value;
    size_t      key_bytes, value_bytes;
} rg_meta;

typedef struct rg_tensors {
    rg_source      source;
    rg_alloc       alloc;
    rg_err        *err;
    char          *header;
    size_t         header_bytes;
    rg_tensor     *tensor;     /* as they stand in the header */
    size_t         n, cap;
    uint32_t      *by_name;    /* indices */
    rg_meta       *meta;
    size_t         n_meta, meta_cap;
    uint32_t      *by_key;
    int            version;    /* 0: not ours, no checksums */
} rg_tensors;

/* Opens, reads and checks the header; on failure nothing is left open or allocated. */
rg_status rg_tensors_open(rg_tensors *f, const rg_disk *disk, const char *path,
                          const rg_alloc *alloc, rg_err *err);
void rg_tensors_close(rg_tensors *f);
/* By name; NULL if there is none. */
rg_tensor *rg_tensors_find(const rg_tensors *f, const char *name);
const char *rg_tensors_meta(const rg_tensors *f, const char *key);
/* The array's bytes, all of them, checksum and truth values checked; @p crc is CRC-32C. */
rg_status rg_tensors_read(rg_tensors *f, const rg_tensor *t, const rg_crc *crc, void *data);

/* Of header.c: fill tensor[] and meta[] from the header's text, which then holds the names. Checks
 * all that one entry can tell; RG_EFORMAT with byte offset and field. */
rg_status rg_header_parse(rg_tensors *f);

#endif
