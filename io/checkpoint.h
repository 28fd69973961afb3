/* io/checkpoint.h -- rg_params_save() and rg_params_load() on a file system of the caller's. */
#ifndef RG_IO_CHECKPOINT_H
#define RG_IO_CHECKPOINT_H

#include "io/layout.h"

rg_status rg_params_save_on(const rg_disk *disk, rg_params *const *stores, size_t n,
                            const char *path, const rg_save_opts *opts);
rg_status rg_params_load_on(const rg_disk *disk, rg_params *const *stores, size_t n,
                            const char *path, const rg_load_opts *opts);

/* The family of each store ("", "optim.", "plan."): by its names, else by its place in the list.
 * RG_EARG: no store, one of two families, a model that uses a state's prefix. */
rg_status rg_families(const char **family, rg_params *const *stores, size_t n, rg_err *err);
enum { RG_MAX_STORES = 16 };

/* adopt.c: declare in the stores what the file holds for them and they lack: everything for an
 * empty one, arrays of its family for a state. Stores that were full stay as they are. */
rg_status rg_adopt(rg_tensors *f, rg_layout *y, rg_params *const *stores, const char *const *family,
                   size_t n, bool widen);
/* Can the file's type be read into this dtype? Never narrower, other widths only if @p widen. */
bool rg_type_reads(const rg_file_type *type, rg_dtype dtype, bool widen);

#endif
