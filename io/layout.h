/* io/layout.h -- the arrays of a file, and which parts of which stores lie in them. The same list
 * serves writing (gather) and reading (scatter). */
#ifndef RG_IO_LAYOUT_H
#define RG_IO_LAYOUT_H

#include "io/layers.h"
#include "io/tensors.h"

/* How a parameter lies in a part of a file's array; parts follow along its first axis. */
typedef enum rg_part_how {
    RG_PART_COPY,        /* as it is */
    RG_PART_TRANSPOSED,  /* [I,H] there is [H,I] in the file */
    RG_PART_ADDED,       /* second bias: zeros when written, added to the first when read */
    RG_PART_ZERO         /* second bias that must be zero: it cannot be added to the first */
} rg_part_how;

typedef struct rg_part {
    rg_slot    *slot;
    rg_part_how how;
} rg_part;

typedef struct rg_record {
    const char *name;
    rg_shape    shape;
    rg_dtype    dtype;
    size_t      bytes;
    rg_part    *part;
    int         n_part;
    rg_tensor  *tensor;  /* reading: where it comes from; NULL = missing */
    void       *raw;     /* its bytes, in our dtype */
} rg_record;

/* What does not agree between file and stores: the first 20 go to the caller, as many as fit into
 * the message. */
typedef struct rg_differences {
    size_t n, shown;
    char   text[400];
    void (*call)(void *user, const char *line);
    void  *user;
} rg_differences;

void rg_differ(rg_differences *d, const char *format, ...) RG_PRINTF(2, 3);
/* RG_EMISMATCH and the message if there are any. */
rg_status rg_differences_end(const rg_differences *d, rg_err *err);

/* Arrays of a store belong to the model (""), an optimizer ("optim.") or a plan ("plan."). */
const char *rg_family_of(const char *name);

typedef struct rg_layout {
    rg_alloc   alloc;
    rg_arena   arena;     /* names, parts, layers' texts */
    rg_err    *err;
    rg_record *record;    /* a second bias comes right after its first */
    size_t     n, cap;
    uint32_t  *by_name;   /* after rg_layout_build() */
    rg_layer  *layer;     /* found */
    size_t     n_layer, layer_cap;
    /* what decides */
    rg_layers  given;     /* by the caller */
    rg_layers  filed;     /* by the file */
    const rg_tensors *file;  /* NULL when writing */
    bool       own_names;
    rg_differences *differences;
} rg_layout;

void rg_layout_init(rg_layout *y, const rg_alloc *alloc, rg_err *err);
/* Records of all stores' arrays. RG_EARG: a given layer does not fit, two arrays of one name. */
rg_status rg_layout_build(rg_layout *y, rg_params *const *stores, size_t n);
void rg_layout_free(rg_layout *y);

/* Name of PyTorch's array of a layer, "rnn.weight_ih_l0", "rnn.weight_ih_l0_reverse" or
 * "out.weight", in the arena; NULL: no memory. @p stem ends in "_l" where the layer's number and
 * direction follow. */
char *rg_layout_name(rg_arena *arena, const char *torch, const char *stem, int32_t index,
                     bool reverse);

/* The record's bytes as the file has them. */
void rg_record_gather(const rg_record *r, void *out);
/* From r->raw into the stores; additions in a second call with @p added. */
void rg_record_scatter(const rg_record *r, bool added);

#endif
