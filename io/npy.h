/* io/npy.h -- rg_npy_load() and rg_npy_save() on a file system of the caller's. */
#ifndef RG_IO_NPY_H
#define RG_IO_NPY_H

#include <retrograd/io.h>

#include "io/disk.h"

rg_status rg_npy_load_on(const rg_disk *disk, rg_array *out, const char *path);
rg_status rg_npy_save_on(const rg_disk *disk, rg_array *array, const char *path);

#endif
