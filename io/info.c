/* io/info.c -- what a safetensors file holds, for people. */
#include "io/layers.h"
#include "io/tensors.h"

#include <errno.h>
#include <string.h>

/* Behind rg_file.memory. */
typedef struct holder {
    rg_tensors file;
    rg_arena   arena;
} holder;

static rg_status fill(rg_file *out, holder *h, rg_err *err)
{
    const rg_tensors *f = &h->file;
    rg_file_array *arrays = rg_arena_get(&h->arena, f->n * sizeof *arrays);
    rg_text_pair *meta = rg_arena_get(&h->arena, f->n_meta * sizeof *meta);
    const char *json = rg_tensors_meta(f, RG_KEY_LAYERS);
    if (!arrays || !meta)
        return rg_fail(err, RG_ENOMEM, "no memory for the list");
    for (size_t i = 0; i < f->n; i++) {
        const rg_tensor *t = &f->tensor[f->by_name[i]];
        arrays[i] = (rg_file_array){ t->name, t->type->name, t->shape, t->bytes };
    }
    for (size_t i = 0; i < f->n_meta; i++) {
        const rg_meta *m = &f->meta[f->by_key[i]];
        meta[i] = (rg_text_pair){ m->key, m->value };
    }
    out->arrays = arrays;
    out->n_arrays = f->n;
    out->meta = meta;
    out->n_meta = f->n_meta;
    out->bytes = f->source.bytes;
    out->version = f->version;
    return json ? rg_layers_parse(&out->layers, &out->n_layers, &h->arena, json, err) : RG_OK;
}

rg_status rg_file_info(rg_file *out, const char *path)
{
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    char quoted[RG_QUOTED];
    int before = errno;
    if (!out)
        return RG_EARG;
    *out = (rg_file){ .n_arrays = 0 };
    rg_status st = rg_alloc_resolve(&alloc, NULL);
    holder *h = st ? NULL : rg_get(&alloc, sizeof *h);
    if (!h) {
        st = rg_fail(&err, RG_ENOMEM, "no memory");
    } else if (!path) {
        st = rg_fail(&err, RG_EARG, "no path");
    } else {
        rg_arena_init(&h->arena, &alloc);
        if (!(st = rg_tensors_open(&h->file, &rg_disk_posix, path, &alloc, &err)))
            st = fill(out, h, &err);
        rg_source_close(&h->file.source);
    }
    out->memory = h;
    if (st) {
        rg_err_prefix(&err, path ? rg_quoted(quoted, path, strlen(path)) : "file");
        rg_file_destroy(out);
        memcpy(out->message, err.text, sizeof out->message);
    } else {
        errno = before;
    }
    return st;
}

void rg_file_destroy(rg_file *file)
{
    rg_alloc alloc;
    holder *h = file ? file->memory : NULL;
    if (h && rg_alloc_resolve(&alloc, NULL) == RG_OK) {
        rg_tensors_close(&h->file);
        rg_arena_free(&h->arena);
        rg_release(&alloc, h, sizeof *h);
    }
    if (file)
        *file = (rg_file){ .n_arrays = 0 };
}
