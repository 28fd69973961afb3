/* io/tensors.c -- opening a safetensors file: nothing in it is believed before it is checked. */
#include "io/tensors.h"

#include "base/shape.h"
#include "io/crc.h"
#include "io/json.h"
#include "io/sort.h"

#include <stdio.h>
#include <string.h>

/* ---- Order ---------------------------------------------------------------------------------- */

static int compare_bytes(const char *a, size_t n, const char *b, size_t m)
{
    int c = memcmp(a, b, n < m ? n : m);
    return c ? c : n < m ? -1 : n > m;
}

static int by_name(const void *context, uint32_t a, uint32_t b)
{
    const rg_tensor *t = context;
    return compare_bytes(t[a].name, t[a].name_bytes, t[b].name, t[b].name_bytes);
}

static int by_key(const void *context, uint32_t a, uint32_t b)
{
    const rg_meta *m = context;
    return compare_bytes(m[a].key, m[a].key_bytes, m[b].key, m[b].key_bytes);
}

/* Empty arrays before the one that begins where they do. */
static int by_place(const void *context, uint32_t a, uint32_t b)
{
    const rg_tensor *s = (const rg_tensor *)context + a, *t = (const rg_tensor *)context + b;
    return s->begin != t->begin ? (s->begin < t->begin ? -1 : 1)
         : s->bytes < t->bytes ? -1 : s->bytes > t->bytes;
}

static rg_status sorted(rg_tensors *f, uint32_t **out, size_t n, rg_compare_fn *compare,
                        const void *items)
{
    uint32_t *scratch = rg_get_raw(&f->alloc, n * sizeof *scratch);
    *out = rg_get_raw(&f->alloc, n * sizeof **out);
    if (scratch && *out) {
        for (size_t i = 0; i < n; i++)
            (*out)[i] = (uint32_t)i;
        rg_sort(*out, scratch, n, compare, items);
    }
    bool good = scratch && *out;
    rg_release(&f->alloc, scratch, n * sizeof *scratch);
    return good ? RG_OK : rg_fail(f->err, RG_ENOMEM, "no memory for the header");
}

static rg_status named(rg_tensors *f, rg_status st, const rg_tensor *t, const char *what)
{
    char quoted[RG_QUOTED];
    return rg_fail(f->err, st, "'%s': %s", rg_quoted(quoted, t->name, t->name_bytes), what);
}

/* No name twice, no key twice. */
static rg_status check_names(rg_tensors *f)
{
    rg_status st;
    char quoted[RG_QUOTED];
    if ((st = sorted(f, &f->by_name, f->n, by_name, f->tensor)) ||
        (st = sorted(f, &f->by_key, f->n_meta, by_key, f->meta)))
        return st;
    for (size_t i = 1; i < f->n; i++)
        if (by_name(f->tensor, f->by_name[i - 1], f->by_name[i]) == 0)
            return named(f, RG_EFORMAT, &f->tensor[f->by_name[i]], "two arrays have this name");
    for (size_t i = 1; i < f->n_meta; i++)
        if (by_key(f->meta, f->by_key[i - 1], f->by_key[i]) == 0) {
            const rg_meta *m = &f->meta[f->by_key[i]];
            return rg_fail(f->err, RG_EFORMAT, "__metadata__: key '%s' twice",
                           rg_quoted(quoted, m->key, m->key_bytes));
        }
    return RG_OK;
}

/* The arrays lie one behind the other and fill the file: no hole, no overlap, no tail. */
static rg_status check_places(rg_tensors *f)
{
    uint32_t *order;
    size_t at = 0, data = f->source.bytes - 8 - f->header_bytes;
    rg_status st = sorted(f, &order, f->n, by_place, f->tensor);
    for (size_t i = 0; !st && i < f->n; i++) {
        const rg_tensor *t = &f->tensor[order[i]];
        if (t->begin != at)
            st = named(f, RG_EFORMAT, t, t->begin > at ? "data_offsets: a hole in front of it"
                                                       : "data_offsets: overlaps another array");
        else if (t->bytes > data - at)
            st = named(f, RG_EFORMAT, t, "data_offsets: ends beyond the file");
        at += t->bytes;
    }
    if (!st && at != data)
        st = rg_fail(f->err, RG_EFORMAT, "byte %zu: %zu bytes that belong to no array",
                     8 + f->header_bytes + at, data - at);
    rg_release(&f->alloc, order, f->n * sizeof *order);
    return st;
}

/* ---- What this library adds ------------------------------------------------------------------ */

const char *rg_tensors_meta(const rg_tensors *f, const char *key)
{
    size_t low = 0, high = f->n_meta, n = strlen(key);
    while (low < high) {
        size_t mid = (low + high) / 2;
        const rg_meta *m = &f->meta[f->by_key[mid]];
        int c = compare_bytes(m->key, m->key_bytes, key, n);
        if (c == 0)
            return m->value;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Eight hexadecimal digits per array, as they stand in the header. */
static bool take_sums(rg_tensors *f, const char *digits)
{
    for (size_t i = 0; i < f->n; i++)
        for (int k = 0; k < 8; k++, digits++) {
            int digit = *digits >= '0' && *digits <= '9' ? *digits - '0'
                      : *digits >= 'a' && *digits <= 'f' ? *digits - 'a' + 10 : -1;
            if (digit < 0)
                return false;
            f->tensor[i].crc = f->tensor[i].crc << 4 | (uint32_t)digit;
        }
    return *digits == '\0';
}

/* A file with any key of ours must have all of them: a damaged key is no foreign file. */
static rg_status check_ours(rg_tensors *f)
{
    const char *version = rg_tensors_meta(f, RG_KEY_VERSION);
    const char *sums = rg_tensors_meta(f, RG_KEY_CRC);
    bool ours = false;
    for (size_t i = 0; i < f->n_meta; i++)
        ours |= strncmp(f->meta[i].key, RG_KEY_PREFIX, strlen(RG_KEY_PREFIX)) == 0;
    if (!ours)
        return RG_OK;
    if (version && strcmp(version, "1") != 0)
        return rg_fail(f->err, RG_EVERSION, "written in version %.20s of the format; this library "
                       "knows version %d", version, RG_FILE_VERSION);
    if (!version || !sums || !rg_tensors_meta(f, RG_KEY_HEADER) || !take_sums(f, sums))
        return rg_fail(f->err, RG_ECORRUPT, "checksums or format version are missing");
    f->version = RG_FILE_VERSION;
    return RG_OK;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static rg_status read_header(rg_tensors *f)
{
    uint64_t n;
    rg_status st;
    if (f->source.bytes < 8)
        return rg_fail(f->err, RG_EFORMAT, "shorter than the 8 bytes of a header's length");
    if ((st = rg_source_read(&f->source, 0, &n, 8)))
        return st;
    if (n < 2 || n > f->source.bytes - 8)
        return rg_fail(f->err, RG_EFORMAT, "byte 0: header of %llu bytes in a file of %zu: no "
                       "safetensors file", (unsigned long long)n, f->source.bytes);
    if (n > RG_MAX_HEADER)
        return rg_fail(f->err, RG_ELIMIT, "byte 0: header of %llu bytes, more than %d",
                       (unsigned long long)n, RG_MAX_HEADER);
    f->header_bytes = (size_t)n;
    if (!(f->header = rg_get_raw(&f->alloc, f->header_bytes)))
        return rg_fail(f->err, RG_ENOMEM, "no memory for a header of %zu bytes", f->header_bytes);
    return rg_source_read(&f->source, 8, f->header, f->header_bytes);
}

rg_status rg_tensors_open(rg_tensors *f, const rg_disk *disk, const char *path,
                          const rg_alloc *alloc, rg_err *err)
{
    rg_status st;
    *f = (rg_tensors){ .alloc = *alloc, .err = err };
    if ((st = rg_source_open(&f->source, disk, path, err)) || (st = read_header(f)) ||
        (st = rg_header_parse(f)) || (st = check_names(f)) || (st = check_places(f)) ||
        (st = check_ours(f)) || (st = rg_source_unchanged(&f->source)))
        rg_tensors_close(f);
    return st;
}

void rg_tensors_close(rg_tensors *f)
{
    rg_source_close(&f->source);
    rg_release(&f->alloc, f->header, f->header_bytes);
    rg_release(&f->alloc, f->tensor, f->cap * sizeof *f->tensor);
    rg_release(&f->alloc, f->by_name, f->n * sizeof *f->by_name);
    rg_release(&f->alloc, f->meta, f->meta_cap * sizeof *f->meta);
    rg_release(&f->alloc, f->by_key, f->n_meta * sizeof *f->by_key);
    *f = (rg_tensors){ .source = { .fd = -1 } };
}

rg_tensor *rg_tensors_find(const rg_tensors *f, const char *name)
{
    size_t low = 0, high = f->n, n = strlen(name);
    while (low < high) {
        size_t mid = (low + high) / 2;
        rg_tensor *t = &f->tensor[f->by_name[mid]];
        int c = compare_bytes(t->name, t->name_bytes, name, n);
        if (c == 0)
            return t;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

rg_status rg_tensors_read(rg_tensors *f, const rg_tensor *t, const rg_crc *crc, void *data)
{
    const unsigned char *byte = data;
    rg_status st = rg_source_read(&f->source, 8 + f->header_bytes + t->begin, data, t->bytes);
    if (st)
        return st;
    if (f->version && rg_crc_add(crc, 0, data, t->bytes) != t->crc)
        return named(f, RG_ECORRUPT, t, "damaged: its checksum is wrong");
    if (strcmp(t->type->name, "BOOL") == 0)
        for (size_t i = 0; i < t->bytes; i++)
            if (byte[i] > 1)
                return named(f, RG_EFORMAT, t, "a truth value other than 0 and 1");
    return RG_OK;
}
