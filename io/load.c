/* io/load.c -- a safetensors file into stores: all of them or none. */
#include "io/checkpoint.h"

#include "base/checked.h"
#include "base/shape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct rg_loader {
    rg_tensors         file;
    rg_layout          layout;
    rg_alloc           alloc;
    rg_err            *err;
    rg_params *const  *stores;
    const char        *family[RG_MAX_STORES];
    size_t             before[RG_MAX_STORES];  /* slots that the store had */
    size_t             n;
    const rg_load_opts *opts;
    rg_differences     differences;
} rg_loader;

rg_status rg_families(const char **family, rg_params *const *stores, size_t n, rg_err *err)
{
    static const char *const by_place[] = { "", "optim.", "plan." };
    if (n > RG_MAX_STORES)
        return rg_fail(err, RG_EARG, "%zu stores, more than %d", n, RG_MAX_STORES);
    for (size_t i = 0; i < n; i++) {
        const rg_params *ps = stores[i];
        if (!ps)
            return rg_fail(err, RG_EARG, "store %zu of the list is NULL", i);
        family[i] = ps->prefix ? ps->prefix : ps->n_slot ? rg_family_of(ps->slot[0]->name)
                  : i < 3 ? by_place[i] : "";
        for (size_t k = 0; k < ps->n_slot; k++)
            if (strcmp(rg_family_of(ps->slot[k]->name), i ? family[i] : "") != 0)
                return rg_fail(err, RG_EARG, "store %zu: '%.60s' begins with a prefix that only %s "
                               "may have", i, ps->slot[k]->name,
                               i ? "all of its names" : "optimizer and plan states");
    }
    return RG_OK;
}

/* ---- Matching -------------------------------------------------------------------------------- */

bool rg_type_reads(const rg_file_type *type, rg_dtype dtype, bool widen)
{
    if (type == rg_file_type_of(dtype) || (type->store == RG_U8 && dtype == RG_U8))
        return true;
    bool half = strcmp(type->name, "F16") == 0 || strcmp(type->name, "BF16") == 0;
    return widen && ((dtype <= RG_F64 && half) || (dtype == RG_F64 && type->store == RG_F32));
}

static void match_one(rg_loader *l, rg_record *r)
{
    char name[RG_QUOTED], have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    rg_tensor *t = rg_tensors_find(&l->file, r->name);
    (void)rg_quoted(name, r->name, strlen(r->name));
    if (!t) {
        if (!l->opts->partial)
            rg_differ(&l->differences, "missing '%s' %s", name, rg_shape_text(want, &r->shape));
        return;
    }
    t->taken = true;
    if (!rg_shape_equal(t->shape, r->shape))
        rg_differ(&l->differences, "'%s' is %s in the file, %s here", name,
                  rg_shape_text(have, &t->shape), rg_shape_text(want, &r->shape));
    else if (!rg_type_reads(t->type, r->dtype, l->opts->widen))
        rg_differ(&l->differences, "'%s' is %s in the file, %s here%s", name, t->type->name,
                  rg_file_type_of(r->dtype)->name, rg_type_reads(t->type, r->dtype, true)
                  ? " (ask for widening)" : "");
    else
        r->tensor = t;
}

/* Does a store of the list want arrays of this family? */
static bool asked_for(const rg_loader *l, const char *family)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->family[i], family) == 0)
            return true;
    return false;
}

/* An optimizer's state names its kind: another's is refused as a whole, alike as arrays may be. */
static rg_status match_kinds(rg_loader *l)
{
    static const char stem[] = "optim.kind.";
    const size_t n = sizeof stem - 1;
    const char *here = NULL, *there = NULL;
    char name[RG_QUOTED];
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->stores[i]->n_slot; k++)
            if (strncmp(l->stores[i]->slot[k]->name, stem, n) == 0)
                here = l->stores[i]->slot[k]->name + n;
    for (size_t i = 0; i < l->file.n; i++)
        if (l->file.tensor[i].name_bytes > n && strncmp(l->file.tensor[i].name, stem, n) == 0)
            there = l->file.tensor[i].name + n;
    if (!here || !there || strcmp(here, there) == 0)
        return RG_OK;
    return rg_fail(l->err, RG_EMISMATCH, "the file holds the state of optimizer %s, here it is %s: "
                   "create that kind, or load the weights alone",
                   rg_quoted(name, there, strlen(there)), here);
}

static rg_status match(rg_loader *l)
{
    char name[RG_QUOTED], have[RG_SHAPE_TEXT];
    rg_layout *y = &l->layout;
    for (size_t i = 0; i < y->n; i++)
        match_one(l, &y->record[y->by_name[i]]);
    for (size_t i = 0; !l->opts->partial && !l->file.version && i < l->n; i++)
        if (*l->family[i] && l->stores[i]->n_slot == 0)
            rg_differ(&l->differences, "no '%s*': this file holds no state", l->family[i]);
    for (size_t i = 0; !l->opts->partial && i < l->file.n; i++) {
        const rg_tensor *t = &l->file.tensor[l->file.by_name[i]];
        if (!t->taken && asked_for(l, rg_family_of(t->name)))
            rg_differ(&l->differences, "extra '%s' %s", rg_quoted(name, t->name, t->name_bytes),
                      rg_shape_text(have, &t->shape));
    }
    /* a second bias counts beside its first only */
    for (size_t i = 1; i < y->n; i++)
        for (int k = 0; k < y->record[i].n_part; k++)
            if (y->record[i].part[k].how >= RG_PART_ADDED && !y->record[i - 1].tensor)
                y->record[i].tensor = NULL;
    return rg_differences_end(&l->differences, l->err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    uint32_t bits = exponent == 31 ? 0x7f800000 | fraction << 13
                                   : (exponent + 112) << 23 | fraction << 13;
    float x;
    if (exponent == 0) { /* zero or subnormal: fraction · 2^-24 */
        x = (float)fraction * 0x1p-24f;
        return sign ? -x : x;
    }
    bits |= sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float brain_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* count numbers of 16 or 32 bits to the record's type, exactly. */
static void widen(const rg_record *r, const char *from)
{
    const char *type = r->tensor->type->name;
    size_t n = r->bytes / rg_dtype_size(r->dtype);
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        float x;
        if (r->tensor->type->item == 2) {
            memcpy(&h, from + 2 * i, 2);
            x = type[0] == 'B' ? brain_to_float(h) : half_to_float(h);
        } else {
            memcpy(&x, from + 4 * i, 4);
        }
        if (r->dtype == RG_F64)
            ((double *)r->raw)[i] = x;
        else
            ((float *)r->raw)[i] = x;
    }
}

static rg_status read_one(rg_loader *l, rg_record *r, const rg_crc *crc)
{
    bool same = r->tensor->bytes == r->bytes;
    char *bytes = same ? NULL : rg_get_raw(&l->alloc, r->tensor->bytes);
    r->raw = rg_get_raw(&l->alloc, r->bytes);
    rg_status st = r->raw && (same || bytes)
                 ? rg_tensors_read(&l->file, r->tensor, crc, same ? r->raw : bytes)
                 : rg_fail(l->err, RG_ENOMEM, "no memory for %zu bytes", r->bytes);
    if (!st && !same)
        widen(r, bytes);
    rg_release(&l->alloc, bytes, r->tensor->bytes);
    return st;
}

/* A second bias where we have none and it could not be added: it must be zero. */
static void check_zeros(rg_loader *l, const rg_record *r)
{
    char name[RG_QUOTED];
    const char *at = r->raw;
    for (int k = 0; k < r->n_part; at += r->part[k].slot->bytes, k++) {
        const rg_slot *s = r->part[k].slot;
        bool zero = true;
        if (r->part[k].how != RG_PART_ZERO)
            continue;
        for (int64_t i = 0; i < s->count; i++)
            zero &= s->dtype == RG_F64 ? ((const double *)(const void *)at)[i] == 0
                                       : ((const float *)(const void *)at)[i] == 0;
        if (!zero)
            rg_differ(&l->differences, "'%s' has a second bias for the candidate, inside the reset "
                      "product, which '%.60s' cannot hold: give the cell a split or double bias",
                      rg_quoted(name, r->name, strlen(r->name)), s->name);
    }
}

static rg_status read_all(rg_loader *l)
{
    rg_layout *y = &l->layout;
    rg_crc *crc = rg_arena_get(&y->arena, sizeof *crc);
    rg_status st = crc ? RG_OK : rg_fail(l->err, RG_ENOMEM, "no memory");
    if (crc)
        rg_crc_init(crc, RG_CRC32C);
    for (size_t i = 0; !st && i < y->n; i++)
        if (y->record[i].tensor)
            st = read_one(l, &y->record[i], crc);
    for (size_t i = 0; !st && i < y->n; i++)
        if (y->record[i].raw)
            check_zeros(l, &y->record[i]);
    if (!st)
        st = rg_source_unchanged(&l->file.source);
    return st ? st : rg_differences_end(&l->differences, l->err);
}

/* Nothing can fail any more. */
static void commit(rg_loader *l)
{
    rg_layout *y = &l->layout;
    for (int added = 0; added < 2; added++)
        for (size_t i = 0; i < y->n; i++)
            if (y->record[i].raw)
                rg_record_scatter(&y->record[i], added);
    for (size_t i = 0; i < l->n; i++)
        rg_params_written(l->stores[i]);
    for (size_t i = 0; l->opts->meta && i < l->file.n_meta; i++) {
        const rg_meta *m = &l->file.meta[l->file.by_key[i]];
        l->opts->meta(l->opts->user, m->key, m->value);
    }
}

static rg_status load(rg_loader *l, const rg_disk *disk, const char *path)
{
    const rg_load_opts *o = l->opts;
    rg_layout *y = &l->layout;
    const rg_layer_desc *filed = NULL;
    const char *json;
    size_t n_filed = 0;
    rg_status st;
    if ((st = rg_families(l->family, l->stores, l->n, l->err)) ||
        (st = rg_layers_init(&y->given, &y->arena, o->layers, o->layers ? o->n_layers : 0, true,
                             l->err)) ||
        (st = rg_tensors_open(&l->file, disk, path, &l->alloc, l->err)) || (st = match_kinds(l)))
        return st;
    if ((json = rg_tensors_meta(&l->file, RG_KEY_LAYERS)) &&
        (st = rg_layers_parse(&filed, &n_filed, &y->arena, json, l->err)))
        return st;
    if ((st = rg_layers_init(&y->filed, &y->arena, filed, n_filed, false, l->err)))
        return st == RG_EARG ? RG_EFORMAT : st;
    y->file = &l->file;
    y->differences = &l->differences;
    if ((st = rg_adopt(&l->file, y, l->stores, l->family, l->n, o->widen)) ||
        (st = rg_differences_end(&l->differences, l->err)) ||
        (st = rg_layout_build(y, l->stores, l->n)) || (st = match(l)) || (st = read_all(l)))
        return st;
    commit(l);
    return RG_OK;
}

rg_status rg_params_load_on(const rg_disk *disk, rg_params *const *stores, size_t n,
                            const char *path, const rg_load_opts *opts)
{
    const rg_load_opts none = { .partial = false };
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 8];
    int before = errno;
    if (!stores || n == 0 || !stores[0])
        return RG_EARG;
    rg_params *first = stores[0];
    if (!path)
        return rg_fail(&first->err, RG_EARG, "load: no path");
    rg_loader l = { .alloc = first->alloc, .err = &first->err, .stores = stores, .n = n,
                    .opts = opts ? opts : &none, .file = { .source = { .fd = -1 } } };
    l.differences.call = l.opts->difference;
    l.differences.user = l.opts->user;
    rg_layout_init(&l.layout, &l.alloc, l.err);
    for (size_t i = 0; i < n && i < RG_MAX_STORES; i++)
        l.before[i] = rg_params_count(stores[i]);
    rg_status st = load(&l, disk, path);
    for (size_t i = 0; st && i < n && i < RG_MAX_STORES; i++)
        rg_params_forget(stores[i], l.before[i]);
    rg_layout_free(&l.layout);
    rg_tensors_close(&l.file);
    if (st) {
        (void)snprintf(prefix, sizeof prefix, "load '%s'", rg_quoted(quoted, path, strlen(path)));
        rg_err_prefix(l.err, prefix);
        return st;
    }
    errno = before;
    return RG_OK;
}

rg_status rg_params_load(rg_params *const *stores, size_t n, const char *path,
                         const rg_load_opts *opts)
{
    return rg_params_load_on(&rg_disk_posix, stores, n, path, opts);
}
