/* graph/params.c -- the parameter store: arrays by name. */
#include "graph/params.h"

#include "base/checked.h"
#include "base/philox.h"
#include "base/shape.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

rg_status rg_params_create(rg_params **out, uint64_t seed, const rg_params_opts *opts)
{
    rg_alloc alloc;
    rg_params *ps;
    if (!out)
        return RG_EARG;
    *out = NULL;
    if (rg_alloc_resolve(&alloc, opts ? &opts->alloc : NULL) ||
        (opts && opts->real != RG_F32 && opts->real != RG_F64))
        return RG_EARG;
    if (!(ps = rg_get(&alloc, sizeof *ps)))
        return RG_ENOMEM;
    ps->alloc = alloc;
    ps->seed = seed;
    ps->real = opts ? opts->real : RG_F32;
    rg_arena_init(&ps->arena, &alloc);
    *out = ps;
    return RG_OK;
}

void rg_params_destroy(rg_params **params)
{
    rg_params *ps = params ? *params : NULL;
    if (!ps)
        return;
    for (size_t i = 0; i < ps->n_slot; i++)
        rg_release(&ps->alloc, ps->slot[i]->data, ps->slot[i]->bytes);
    rg_release(&ps->alloc, ps->slot, ps->slot_cap * sizeof *ps->slot);
    rg_index_free(&ps->by_name, &ps->alloc);
    rg_release(&ps->alloc, ps->order, ps->order_cap * sizeof *ps->order);
    rg_arena_free(&ps->arena);
    rg_alloc alloc = ps->alloc;
    rg_release(&alloc, ps, sizeof *ps);
    *params = NULL;
}

const char *rg_params_message(const rg_params *params)
{
    return params ? params->err.text : "no parameter store";
}

size_t rg_params_count(const rg_params *params)
{
    return params ? params->n_slot : 0;
}

static rg_param_info info_of(const rg_slot *s)
{
    if (!s)
        return (rg_param_info){ .name = NULL };
    return (rg_param_info){ s->name, s->shape, s->dtype, s->data, s->frozen, s->bound };
}

rg_param_info rg_params_at(const rg_params *params, size_t i)
{
    return info_of(params && i < params->n_slot ? params->slot[params->order[i]] : NULL);
}

rg_param_info rg_params_find(const rg_params *params, const char *name)
{
    return info_of(params && name ? rg_params_slot(params, name) : NULL);
}

void rg_params_written(rg_params *params)
{
    if (params)
        params->written++;
}

rg_status rg_params_seal(rg_params *params)
{
    if (!params)
        return RG_EARG;
    params->sealed = true;
    return RG_OK;
}

bool rg_name_below(const char *name, const char *prefix)
{
    size_t n = prefix ? strlen(prefix) : 0;
    if (!prefix)
        return true;
    return strncmp(name, prefix, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

/* No slot of that name, nor below it. */
static rg_status unknown(rg_params *ps, const char *what, const char *prefix)
{
    const char *near = rg_params_nearest(ps, prefix);
    return rg_fail(&ps->err, RG_EARG, "%s: nothing is named '%s' or '%s.*'%s%s", what, prefix,
                   prefix, near ? "; nearest: " : "", near ? near : "");
}

rg_status rg_params_freeze(rg_params *params, const char *prefix, bool frozen)
{
    bool found = prefix == NULL;
    if (!params)
        return RG_EARG;
    for (size_t i = 0; i < params->n_slot; i++)
        if (rg_name_below(params->slot[i]->name, prefix)) {
            params->slot[i]->frozen = frozen;
            found = true;
        }
    return found ? RG_OK : unknown(params, "freeze", prefix);
}

rg_status rg_params_bound(rg_params *params, const char *prefix, double bound)
{
    char text[RG_NUMBER_TEXT];
    bool found = prefix == NULL;
    if (!params)
        return RG_EARG;
    if (!(bound >= 0) || isinf(bound))
        return rg_fail(&params->err, RG_EARG, "bound: it must be positive, or 0 for none, got %s",
                       rg_number(text, bound, 9));
    for (size_t i = 0; i < params->n_slot; i++)
        if (rg_name_below(params->slot[i]->name, prefix)) {
            params->slot[i]->bound = bound;
            found = true;
        }
    return found ? RG_OK : unknown(params, "bound", prefix);
}

/* ---- Names -> slots ------------------------------------------------------------------------- */

rg_slot *rg_params_slot(const rg_params *ps, const char *name)
{
    uint32_t i;
    for (size_t probe = 0; (i = rg_index_next(&ps->by_name, rg_fnv1a(name), &probe));)
        if (strcmp(ps->slot[i - 1]->name, name) == 0)
            return ps->slot[i - 1];
    return NULL;
}

/* Edits that turn a into b, both at most 63 bytes long; large otherwise. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), row[MAX];
    if (n >= MAX || m >= MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *rg_params_nearest(const rg_params *ps, const char *name)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < ps->n_slot; i++) {
        const char *other = ps->slot[ps->order[i]]->name;
        size_t d = distance(name, other);
        if (d < least) {
            least = d;
            best = other;
        }
    }
    return best;
}

/* ---- Declaring ------------------------------------------------------------------------------ */

static rg_status fill(rg_params *ps, rg_slot *s, const rg_init *init)
{
    size_t bytes = (size_t)s->count * sizeof(double);
    if (!init || !init->fill || s->count == 0)
        return RG_OK;
    double *w = rg_get(&ps->alloc, bytes);
    if (!w)
        return rg_fail(&ps->err, RG_ENOMEM, "param '%s': no memory to initialise it", s->name);
    rg_status st = init->fill(init, w, s->shape, ps->seed, s->name);
    if (st == RG_OK && s->dtype == RG_F64)
        memcpy(s->data, w, bytes);
    else if (st == RG_OK)
        for (int64_t i = 0; i < s->count; i++)
            ((float *)s->data)[i] = (float)w[i];
    rg_release(&ps->alloc, w, bytes);
    char shape[RG_SHAPE_TEXT];
    return st ? rg_fail(&ps->err, st, "param '%s' %s: its initialiser failed: %s", s->name,
                        rg_shape_text(shape, &s->shape), rg_status_text(st)) : RG_OK;
}

static rg_status share(rg_slot **out, rg_params *ps, rg_slot *s, const rg_shape *shape,
                       rg_dtype dtype)
{
    char have[RG_SHAPE_TEXT], want[RG_SHAPE_TEXT];
    if (!rg_shape_equal(s->shape, *shape))
        return rg_fail(&ps->err, RG_ESHAPE, "param '%s' exists with shape %s, asked for %s",
                       s->name, rg_shape_text(have, &s->shape), rg_shape_text(want, shape));
    if (s->dtype != dtype)
        return rg_fail(&ps->err, RG_EDTYPE, "param '%s' exists as %s, asked for %s", s->name,
                       rg_dtype_text(s->dtype), rg_dtype_text(dtype));
    *out = s;
    return RG_OK;
}

static rg_status refuse_new(rg_params *ps, const char *name, const rg_shape *shape, size_t *bytes,
                            int64_t *count, size_t item)
{
    char text[RG_SHAPE_TEXT];
    if (!*name || strlen(name) > RG_NAME_BYTES || !rg_is_utf8(name))
        return rg_fail(&ps->err, RG_EARG, "param: a name is UTF-8 of 1 to %d bytes", RG_NAME_BYTES);
    if (ps->sealed) {
        const char *near = rg_params_nearest(ps, name);
        return rg_fail(&ps->err, RG_EARG, "param '%s': the store is sealed and has none of that "
                       "name%s%s", name, near ? "; nearest: " : "", near ? near : "");
    }
    rg_status st = rg_numel(shape, count);
    if (!st)
        st = rg_bytes(*count, item, bytes);
    return st ? rg_fail(&ps->err, st, "param '%s': shape %s is %s", name,
                        rg_shape_text(text, shape),
                        st == RG_ESHAPE ? "of negative extent" : "too large") : RG_OK;
}

/* Where a new name goes in the order of names. */
static size_t order_place(const rg_params *ps, const char *name)
{
    size_t low = 0, high = ps->n_slot;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (strcmp(ps->slot[ps->order[mid]]->name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

rg_status rg_params_declare(rg_slot **out, rg_params *ps, const char *name, rg_shape shape,
                            rg_dtype dtype, const rg_init *init)
{
    rg_slot *s = rg_params_slot(ps, name);
    size_t bytes;
    int64_t count;
    rg_status st;
    if (s)
        return share(out, ps, s, &shape, dtype);
    if ((st = refuse_new(ps, name, &shape, &bytes, &count, rg_dtype_size(dtype))))
        return st;
    if (!rg_reserve(&ps->alloc, &ps->slot, &ps->slot_cap, ps->n_slot + 1, sizeof *ps->slot) ||
        !rg_reserve(&ps->alloc, &ps->order, &ps->order_cap, ps->n_slot + 1, sizeof *ps->order) ||
        !(s = rg_arena_get(&ps->arena, sizeof *s)) ||
        !(s->name = rg_arena_text(&ps->arena, name)) || !(s->data = rg_get(&ps->alloc, bytes)))
        return rg_fail(&ps->err, RG_ENOMEM, "param '%s': no memory for %zu bytes", name, bytes);
    s->shape = shape;
    s->dtype = dtype;
    s->bytes = bytes;
    s->count = count;
    s->index = (uint32_t)ps->n_slot;
    st = fill(ps, s, init);
    if (!st && !rg_index_put(&ps->by_name, &ps->alloc, rg_fnv1a(name), s->index + 1))
        st = rg_fail(&ps->err, RG_ENOMEM, "param '%s': no memory for its name", name);
    if (st) {
        rg_release(&ps->alloc, s->data, bytes);
        return st;
    }
    size_t at = order_place(ps, name);
    memmove(ps->order + at + 1, ps->order + at, (ps->n_slot - at) * sizeof *ps->order);
    ps->order[at] = s->index;
    ps->slot[ps->n_slot++] = s;
    *out = s;
    return RG_OK;
}

void rg_params_forget(rg_params *ps, size_t n)
{
    size_t kept = 0;
    if (!ps || n >= ps->n_slot)
        return;
    for (size_t i = n; i < ps->n_slot; i++)
        rg_release(&ps->alloc, ps->slot[i]->data, ps->slot[i]->bytes);
    for (size_t i = 0; i < ps->n_slot; i++)
        if (ps->order[i] < n)
            ps->order[kept++] = ps->order[i];
    ps->n_slot = n;
    memset(ps->by_name.slot, 0, ps->by_name.cap * sizeof *ps->by_name.slot);
    ps->by_name.n = 0;
    for (size_t i = 0; i < n; i++) /* there is room */
        (void)rg_index_put(&ps->by_name, &ps->alloc, rg_fnv1a(ps->slot[i]->name), (uint32_t)i + 1);
}
