/* train/file.h -- a whole regular file in memory. */
#ifndef RG_TRAIN_FILE_H
#define RG_TRAIN_FILE_H

#include "base/error.h"

/* RG_EIO: cannot be opened or read, is not a regular file; RG_ELIMIT more than @p limit bytes;
 * RG_ECORRUPT changed while being read. Never blocks on a pipe. */
rg_status rg_file_read(uint8_t **out, size_t *n, const char *path, size_t limit, rg_err *err);
void rg_file_free(uint8_t *data, size_t n);

#endif
