/* io/save.c -- stores into a safetensors file. */
#include "io/checkpoint.h"

#include "base/checked.h"
#include "base/text.h"
#include "io/replace.h"
#include "io/sort.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char zeros[] = "00000000";

typedef struct rg_saver {
    rg_layout     layout;
    rg_alloc      alloc;
    rg_err       *err;
    rg_crc       *crc;
    rg_text       header;
    size_t        header_crc;   /* where its digits stand in the header */
    uint32_t     *order, *scratch;
    char         *gathered;     /* one record as the file has it */
    size_t        most;         /* its bytes */
    const rg_text_pair *meta;
    size_t        n_meta;
} rg_saver;

static rg_status no_memory(rg_saver *s)
{
    return rg_fail(s->err, RG_ENOMEM, "no memory");
}

/* Wider elements first, so that all are aligned; then by name. As PyTorch's own writer does. */
static int by_place(const void *context, uint32_t a, uint32_t b)
{
    const rg_record *r = context;
    size_t m = rg_dtype_size(r[a].dtype), n = rg_dtype_size(r[b].dtype);
    return m != n ? (m > n ? -1 : 1) : strcmp(r[a].name, r[b].name);
}

static int by_key(const void *context, uint32_t a, uint32_t b)
{
    const rg_text_pair *m = context;
    return strcmp(m[a].key, m[b].key);
}

/* The record's bytes: the store's own where they are the same. */
static const void *bytes_of(rg_saver *s, const rg_record *r)
{
    if (r->n_part == 1 && r->part[0].how == RG_PART_COPY)
        return r->part[0].slot->data;
    rg_record_gather(r, s->gathered);
    return s->gathered;
}

/* ---- Header ---------------------------------------------------------------------------------- */

static rg_status check_meta(rg_saver *s)
{
    char quoted[RG_QUOTED];
    for (size_t i = 0; i < s->n_meta; i++) {
        const char *key = s->meta[i].key, *value = s->meta[i].value;
        if (!key || !value)
            return rg_fail(s->err, RG_EARG, "metadata %zu: no key or no value", i);
        (void)rg_quoted(quoted, key, strlen(key));
        if (strncmp(key, RG_KEY_PREFIX, strlen(RG_KEY_PREFIX)) == 0)
            return rg_fail(s->err, RG_EARG, "metadata '%s': keys that begin with '%s' are the "
                           "library's own", quoted, RG_KEY_PREFIX);
        if (!rg_is_utf8(key) || !rg_is_utf8(value))
            return rg_fail(s->err, RG_EARG, "metadata '%s': key or value is not UTF-8", quoted);
        s->order[i] = (uint32_t)i;
    }
    rg_sort(s->order, s->scratch, s->n_meta, by_key, s->meta);
    for (size_t i = 1; i < s->n_meta; i++)
        if (by_key(s->meta, s->order[i - 1], s->order[i]) == 0) {
            const char *key = s->meta[s->order[i]].key;
            return rg_fail(s->err, RG_EARG, "metadata '%s' is given twice",
                           rg_quoted(quoted, key, strlen(key)));
        }
    return RG_OK;
}

/* "__metadata__":{the caller's pairs, ours; the header's checksum last} */
static rg_status write_meta(rg_saver *s, rg_text *layers)
{
    rg_text *h = &s->header;
    rg_status st = check_meta(s);
    if (st)
        return st;
    rg_text_printf(h, "{\"__metadata__\":{");
    for (size_t i = 0; i < s->n_meta; i++) {
        rg_text_add_json(h, s->meta[s->order[i]].key);
        rg_text_add(h, ":", 1);
        rg_text_add_json(h, s->meta[s->order[i]].value);
        rg_text_add(h, ",", 1);
    }
    rg_layers_write(layers, s->layout.layer, s->layout.n_layer);
    rg_text_add(layers, "", 1);
    rg_text_printf(h, "\"" RG_KEY_VERSION "\":\"%d\",\"" RG_KEY_LAYERS "\":", RG_FILE_VERSION);
    if (layers->failed)
        return no_memory(s);
    rg_text_add_json(h, layers->data);
    return RG_OK;
}

static void write_entry(rg_text *h, const rg_record *r, size_t at)
{
    rg_text_add(h, ",", 1);
    rg_text_add_json(h, r->name);
    rg_text_printf(h, ":{\"dtype\":\"%s\",\"shape\":[", rg_file_type_of(r->dtype)->name);
    for (int i = 0; i < r->shape.rank; i++)
        rg_text_printf(h, "%s%lld", i ? "," : "", (long long)r->shape.dim[i]);
    rg_text_printf(h, "],\"data_offsets\":[%zu,%zu]}", at, at + r->bytes);
}

static rg_status write_header(rg_saver *s)
{
    rg_text *h = &s->header, layers = { .alloc = s->alloc };
    const rg_record *r = s->layout.record;
    char digits[sizeof zeros];
    size_t n = s->layout.n, at = 0;
    rg_status st = write_meta(s, &layers);
    rg_text_free(&layers);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        s->order[i] = (uint32_t)i;
    rg_sort(s->order, s->scratch, n, by_place, r);
    rg_text_printf(h, ",\"" RG_KEY_CRC "\":\"");
    for (size_t i = 0; i < n; i++) {
        const rg_record *one = &r[s->order[i]];
        uint32_t sum = rg_crc_add(s->crc, 0, bytes_of(s, one), one->bytes);
        rg_text_printf(h, "%08lx", (unsigned long)sum);
    }
    rg_text_printf(h, "\",\"" RG_KEY_HEADER "\":\"");
    s->header_crc = h->n;
    rg_text_printf(h, "%s\"}", zeros);
    for (size_t i = 0; i < n; at += r[s->order[i]].bytes, i++)
        write_entry(h, &r[s->order[i]], at);
    rg_text_add(h, "}", 1);
    while (h->n % 8 != 0 && !h->failed)
        rg_text_add(h, " ", 1);
    if (h->failed)
        return no_memory(s);
    if (h->n > RG_MAX_HEADER || n > RG_MAX_TENSORS)
        return rg_fail(s->err, RG_ELIMIT, "%zu arrays with a header of %zu bytes are too many", n,
                       h->n);
    (void)snprintf(digits, sizeof digits, "%08lx",
                   (unsigned long)rg_crc_add(s->crc, 0, h->data, h->n));
    memcpy(h->data + s->header_crc, digits, sizeof zeros - 1);
    return RG_OK;
}

/* ---- The file -------------------------------------------------------------------------------- */

static rg_status write_file(rg_saver *s, const rg_disk *disk, const char *path)
{
    rg_replace file;
    uint64_t n = s->header.n;
    const rg_record *r = s->layout.record;
    rg_status st = rg_replace_begin(&file, disk, &s->alloc, path, s->err);
    if (!st)
        st = rg_replace_write(&file, &n, 8);
    if (!st)
        st = rg_replace_write(&file, s->header.data, s->header.n);
    for (size_t i = 0; !st && i < s->layout.n; i++)
        st = rg_replace_write(&file, bytes_of(s, &r[s->order[i]]), r[s->order[i]].bytes);
    if (!st)
        st = rg_replace_commit(&file);
    rg_replace_end(&file);
    return st;
}

static rg_status prepare(rg_saver *s, rg_params *const *stores, size_t n, const rg_save_opts *opts)
{
    const char *family[RG_MAX_STORES];
    rg_layout *y = &s->layout;
    rg_status st = rg_families(family, stores, n, s->err);
    if (st)
        return st;
    y->own_names = opts->own_names;
    if ((st = rg_layers_init(&y->given, &y->arena, opts->layers, opts->n_layers, true, s->err)) ||
        (st = rg_layout_build(y, stores, n)))
        return st;
    for (size_t i = 0; i < y->n; i++)
        if (y->record[i].bytes > s->most && (y->record[i].n_part > 1 ||
                                             y->record[i].part[0].how != RG_PART_COPY))
            s->most = y->record[i].bytes;
    size_t items = y->n > opts->n_meta ? y->n : opts->n_meta;
    s->order = rg_arena_get(&y->arena, items * sizeof *s->order);
    s->scratch = rg_arena_get(&y->arena, items * sizeof *s->scratch);
    s->crc = rg_arena_get(&y->arena, sizeof *s->crc);
    s->gathered = rg_get_raw(&s->alloc, s->most);
    if (!s->order || !s->scratch || !s->crc || !s->gathered)
        return no_memory(s);
    rg_crc_init(s->crc, RG_CRC32C);
    return write_header(s);
}

rg_status rg_params_save_on(const rg_disk *disk, rg_params *const *stores, size_t n,
                            const char *path, const rg_save_opts *opts)
{
    const rg_save_opts none = { .own_names = false };
    char quoted[RG_QUOTED], prefix[RG_QUOTED + 8];
    int before = errno;
    if (!stores || n == 0 || !stores[0])
        return RG_EARG;
    rg_params *first = stores[0];
    if (!path)
        return rg_fail(&first->err, RG_EARG, "save: no path");
    opts = opts ? opts : &none;
    rg_saver s = { .alloc = first->alloc, .err = &first->err, .header = { .alloc = first->alloc },
                   .meta = opts->meta, .n_meta = opts->meta ? opts->n_meta : 0 };
    rg_layout_init(&s.layout, &s.alloc, s.err);
    rg_status st = prepare(&s, stores, n, opts);
    if (!st)
        st = write_file(&s, disk, path);
    rg_text_free(&s.header);
    rg_release(&s.alloc, s.gathered, s.most);
    rg_layout_free(&s.layout);
    if (st) {
        (void)snprintf(prefix, sizeof prefix, "save '%s'", rg_quoted(quoted, path, strlen(path)));
        rg_err_prefix(s.err, prefix);
        return st;
    }
    errno = before;
    return RG_OK;
}

rg_status rg_params_save(rg_params *const *stores, size_t n, const char *path,
                         const rg_save_opts *opts)
{
    return rg_params_save_on(&rg_disk_posix, stores, n, path, opts);
}
