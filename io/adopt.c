/* io/adopt.c -- stores that take what a file holds: names and shapes from the file. */
#include "io/checkpoint.h"

#include "base/shape.h"

#include <string.h>

typedef struct adopter {
    rg_tensors        *file;
    rg_layout         *layout;
    rg_params *const  *stores;
    size_t             n;
    rg_params         *to;
    const char        *family;
    bool               widen;
} adopter;

/* The element type that the store gives to what the file has as @p t, or -1 and a difference. */
static int dtype_for(adopter *a, const rg_tensor *t)
{
    char name[RG_QUOTED];
    rg_dtype real = a->to->real;
    bool state = *a->family != '\0';
    if (t->type->store >= 0 && (state || t->type->store > (int)RG_F64))
        return t->type->store;
    if (rg_type_reads(t->type, real, a->widen))
        return (int)real;
    rg_differ(a->layout->differences, "'%s' is %s in the file, the store is of %s%s",
              rg_quoted(name, t->name, t->name_bytes), t->type->name, rg_file_type_of(real)->name,
              rg_type_reads(t->type, real, true) ? " (ask for widening)" : "");
    return -1;
}

static rg_status declare(adopter *a, const char *name, rg_shape shape, const rg_tensor *t)
{
    rg_slot *slot;
    rg_err *err = a->layout->err;
    int dtype = dtype_for(a, t);
    if (dtype < 0)
        return RG_OK;
    rg_status st = rg_params_declare(&slot, a->to, name, shape, (rg_dtype)dtype, NULL);
    if (st && err != &a->to->err)
        return rg_fail(err, st, "%.400s", a->to->err.text);
    if (!st)
        slot->loaded = true;
    return st;
}

/* ---- Layers of PyTorch's --------------------------------------------------------------------- */

static rg_status no_memory(const adopter *a)
{
    return rg_fail(a->layout->err, RG_ENOMEM, "no memory for a layer's names");
}

/* The layer's array in the file, or NULL. */
static rg_tensor *part_of(adopter *a, const rg_layer_desc *d, const char *stem, rg_status *st)
{
    char *name = rg_layout_name(&a->layout->arena, d->torch, stem, d->layer, d->reverse);
    if (!name)
        *st = no_memory(a);
    return name ? rg_tensors_find(a->file, name) : NULL;
}

/* `group.<stem><gate>`, like the file's array @p t, which is then spoken for. */
static rg_status declare_part(adopter *a, const rg_layer_desc *d, const char *stem,
                              const char *gate, rg_shape shape, rg_tensor *t)
{
    char quoted[RG_QUOTED];
    const char *group = d->group ? d->group : "";
    size_t n = strlen(group), k = strlen(stem), m = strlen(gate);
    char *name = rg_arena_get(&a->layout->arena, n + k + m + 2);
    if (!name)
        return no_memory(a);
    memcpy(name, group, n);
    if (n > 0)
        name[n++] = '.';
    memcpy(name + n, stem, k);
    memcpy(name + n + k, gate, m + 1);
    t->taken = true;
    if (*rg_family_of(name) || rg_params_slot(a->to, name)) {
        rg_differ(a->layout->differences, "layer '%s' has no name that a model may have",
                  rg_quoted(quoted, group, strlen(group)));
        return RG_OK;
    }
    return declare(a, name, shape, t);
}

static rg_status no_layer(adopter *a, const rg_layer_desc *d)
{
    char quoted[RG_QUOTED];
    rg_differ(a->layout->differences, "'%s' in the file has not the shapes of a %s",
              rg_quoted(quoted, d->torch, strlen(d->torch)), d->kind);
    return RG_OK;
}

static rg_status adopt_recurrent(adopter *a, const rg_layer_desc *d, const rg_layer_kind *kind)
{
    rg_status st = RG_OK;
    rg_tensor *ih = part_of(a, d, "weight_ih_l", &st), *hh = part_of(a, d, "weight_hh_l", &st);
    rg_tensor *b = part_of(a, d, "bias_ih_l", &st), *bh = part_of(a, d, "bias_hh_l", &st);
    rg_tensor *hr = kind->proj ? part_of(a, d, "weight_hr_l", &st) : NULL;
    if (st || (!ih && !hh) || (ih && ih->taken))
        return st;
    int64_t gates = kind->gates, R = hh && hh->shape.rank == 2 ? hh->shape.dim[1] : -1;
    int64_t H = !kind->proj ? R : hr && hr->shape.rank == 2 ? hr->shape.dim[1] : -1;
    if (!ih || R < 1 || H < 1 || ih->shape.rank != 2 || hh->shape.dim[0] / gates != H ||
        hh->shape.dim[0] % gates != 0 || ih->shape.dim[0] != hh->shape.dim[0] ||
        (hr && hr->shape.dim[0] != R))
        return no_layer(a, d);
    int64_t filed = rg_layers_of_torch(&a->layout->filed, d->torch, d->layer,
                                       d->reverse);
    rg_layer_bias bias = rg_layer_bias_find(filed < 0 ? NULL : a->layout->filed.desc[filed].bias);
    if (bias == RG_LAYER_BIASES || !b || !bh)
        bias = b && bh ? RG_LAYER_DOUBLE : b ? RG_LAYER_SINGLE : RG_LAYER_NONE;
    for (int k = 0; !st && k < gates; k++) {
        const char *gate = kind->gate[k];
        bool second = bias == RG_LAYER_DOUBLE || (bias == RG_LAYER_SPLIT && k == gates - 1);
        st = declare_part(a, d, "U", gate, RG_SHAPE(ih->shape.dim[1], H), ih);
        if (!st)
            st = declare_part(a, d, "W", gate, RG_SHAPE(R, H), hh);
        if (!st && bias != RG_LAYER_NONE)
            st = declare_part(a, d, "b", gate, RG_SHAPE(H), b);
        if (!st && second)
            st = declare_part(a, d, "bh", gate, RG_SHAPE(H), bh);
    }
    if (!st && hr)
        st = declare_part(a, d, "proj", "", RG_SHAPE(H, R), hr);
    if (bias != RG_LAYER_NONE && bh)
        bh->taken = true;
    return st;
}

static rg_status adopt_simple(adopter *a, const rg_layer_desc *d, const rg_layer_kind *kind)
{
    rg_status st = RG_OK;
    bool dense = kind == &rg_layer_dense;
    rg_tensor *w = part_of(a, d, "weight", &st), *b = part_of(a, d, "bias", &st);
    if (st || !w || w->taken)
        return st;
    if (w->shape.rank != 2)
        return no_layer(a, d);
    rg_shape s = dense ? RG_SHAPE(w->shape.dim[1], w->shape.dim[0]) : w->shape;
    st = declare_part(a, d, dense ? "W" : "E", "", s, w);
    if (!st && dense && b)
        st = declare_part(a, d, "b", "", RG_SHAPE(s.dim[1]), b);
    return st;
}

/* Those that the caller describes, then those that only the file does. */
static rg_status adopt_layers(adopter *a)
{
    const rg_layers *given = &a->layout->given, *filed = &a->layout->filed;
    rg_status st = RG_OK;
    for (size_t i = 0; !st && i < given->n + filed->n; i++) {
        const rg_layer_desc *d = i < given->n ? &given->desc[i] : &filed->desc[i - given->n];
        const rg_layer_kind *kind = rg_layer_kind_find(d->kind);
        const char *group = d->group ? d->group : "";
        if (!kind || (i >= given->n && rg_layers_of_group(given, group, strlen(group)) >= 0))
            continue;
        st = kind->gates ? adopt_recurrent(a, d, kind) : adopt_simple(a, d, kind);
    }
    return st;
}

/* ---- Everything else ------------------------------------------------------------------------- */

static bool declared(const adopter *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (rg_params_slot(a->stores[i], name))
            return true;
    return false;
}

static rg_status adopt_plain(adopter *a)
{
    char quoted[RG_QUOTED];
    rg_status st = RG_OK;
    for (size_t i = 0; !st && i < a->file->n; i++) {
        const rg_tensor *t = &a->file->tensor[a->file->by_name[i]];
        if (t->taken || strcmp(rg_family_of(t->name), a->family) != 0 || declared(a, t->name))
            continue;
        if (t->name_bytes == 0 || strlen(t->name) != t->name_bytes)
            rg_differ(a->layout->differences, "'%s' is a name that no store can have",
                      rg_quoted(quoted, t->name, t->name_bytes));
        else
            st = declare(a, t->name, t->shape, t);
    }
    return st;
}

rg_status rg_adopt(rg_tensors *f, rg_layout *y, rg_params *const *stores, const char *const *family,
                   size_t n, bool widen)
{
    rg_status st = RG_OK;
    for (size_t i = 0; !st && i < n; i++) {
        adopter a = { f, y, stores, n, stores[i], family[i], widen };
        if (stores[i]->sealed || (!*family[i] && stores[i]->n_slot > 0))
            continue;
        if (!*family[i])
            st = adopt_layers(&a);
        if (!st)
            st = adopt_plain(&a);
    }
    return st;
}
