/* graph/params.h -- the parameter store's insides, for io/, optim/ and plan/. */
#ifndef RG_GRAPH_PARAMS_H
#define RG_GRAPH_PARAMS_H

#include <retrograd/graph.h>

#include "base/error.h"
#include "base/index.h"
#include "base/memory.h"

/* One named array. Its address never changes. */
typedef struct rg_slot {
    const char *name;
    rg_shape    shape;
    rg_dtype    dtype;
    void       *data;    /* aligned to RG_ALIGN */
    size_t      bytes;
    int64_t     count;
    uint32_t    index;   /* order of declaration */
    bool        frozen;
    double      bound;   /* optimizers keep elements within ±this; 0 = free */
    bool        loaded;  /* came from a file before anybody declared it */
} rg_slot;

struct rg_params {
    rg_alloc   alloc;
    rg_arena   arena;      /* slots and names */
    uint64_t   seed;
    rg_dtype   real;
    rg_slot  **slot;       /* by index */
    size_t     n_slot, slot_cap;
    rg_index   by_name;    /* name -> index + 1 */
    uint32_t  *order;      /* indices by name */
    size_t     order_cap;
    bool       sealed;
    uint64_t   written;    /* how often values have changed, as far as the library knows */
    const char *prefix;    /* of the names it may take from a file undeclared: "optim.", "plan.";
                              NULL: only an empty store takes what it did not declare */
    rg_err     err;        /* rg_params_message() */
};

enum { RG_NAME_BYTES = 255 };

/* The slot of that name, or NULL. */
rg_slot *rg_params_slot(const rg_params *ps, const char *name);
/* Declare or share. @p init NULL = zeros. On failure nothing changed and ps->err says why. */
rg_status rg_params_declare(rg_slot **out, rg_params *ps, const char *name, rg_shape shape,
                            rg_dtype dtype, const rg_init *init);
/* Forget the arrays declared since the store had @p n, for a load that cannot be completed. Nobody
 * may hold one of them. */
void rg_params_forget(rg_params *ps, size_t n);
/* The name in the store that looks most like @p name, or NULL. */
const char *rg_params_nearest(const rg_params *ps, const char *name);
/* Is @p name equal to @p prefix, or below "prefix."? NULL prefix: always. */
bool rg_name_below(const char *name, const char *prefix);

#endif
