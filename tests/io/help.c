/* tests/io/help.c -- files, folders and models for the tests of io/. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "graph/params.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void rgt_folder_begin(rgt_folder *d)
{
    bool memory = access("/dev/shm", W_OK) == 0; /* where syncing costs nothing */
    (void)snprintf(d->path, sizeof d->path, "%s/rgt-io-XXXXXX", memory ? "/dev/shm" : "/tmp");
    RGT_CHECK(mkdtemp(d->path) != NULL);
}

const char *rgt_in(rgt_folder *d, const char *name)
{
    (void)snprintf(d->file, sizeof d->file, "%s/%s", d->path, name);
    return d->file;
}

static int each(const rgt_folder *d, bool remove)
{
    int n = 0;
    struct dirent *e;
    DIR *list = opendir(d->path);
    RGT_CHECK(list != NULL);
    while ((e = readdir(list))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        n++;
        if (remove && unlinkat(dirfd(list), e->d_name, 0))
            (void)unlinkat(dirfd(list), e->d_name, AT_REMOVEDIR);
    }
    closedir(list);
    return n;
}

int rgt_entries(const rgt_folder *d)
{
    return each(d, false);
}

void rgt_folder_end(rgt_folder *d)
{
    (void)chmod(d->path, 0700);
    (void)each(d, true);
    (void)rmdir(d->path);
}

rgt_bytes rgt_read(const char *path)
{
    rgt_bytes b = { NULL, 0 };
    FILE *f = fopen(path, "rb");
    RGT_CHECK_MSG(f != NULL, "cannot open %s", path);
    (void)fseek(f, 0, SEEK_END);
    b.n = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.n + 1);
    RGT_CHECK(b.data && fread(b.data, 1, b.n, f) == b.n);
    b.data[b.n] = 0;
    (void)fclose(f);
    return b;
}

void rgt_write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    RGT_CHECK_MSG(f != NULL, "cannot open %s", path);
    RGT_CHECK(n == 0 || fwrite(data, 1, n, f) == n);
    RGT_CHECK(fclose(f) == 0);
}

void rgt_write_tensors(const char *path, const char *header, size_t data)
{
    uint64_t n = strlen(header);
    unsigned char *all = malloc(8 + n + data);
    RGT_CHECK(all != NULL);
    memcpy(all, &n, 8);
    memcpy(all + 8, header, n);
    for (size_t i = 0; i < data; i++)
        all[8 + n + i] = (unsigned char)(i + 1);
    rgt_write_file(path, all, 8 + n + data);
    free(all);
}

const char rgt_model[] =
    "embed.E:11,3 rnn.l0.Ui:3,4 rnn.l0.Uf:3,4 rnn.l0.Uc:3,4 rnn.l0.Uo:3,4 rnn.l0.Wi:4,4 "
    "rnn.l0.Wf:4,4 rnn.l0.Wc:4,4 rnn.l0.Wo:4,4 rnn.l0.bi:4 rnn.l0.bf:4 rnn.l0.bc:4 rnn.l0.bo:4 "
    "rnn.l1.Ui:4,5 rnn.l1.Uf:4,5 rnn.l1.Uc:4,5 rnn.l1.Uo:4,5 rnn.l1.Wi:5,5 rnn.l1.Wf:5,5 "
    "rnn.l1.Wc:5,5 rnn.l1.Wo:5,5 rnn.l1.bi:5 rnn.l1.bf:5 rnn.l1.bc:5 rnn.l1.bo:5 "
    "out.W:5,11 out.b:11";

static rg_status numbered(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                          const char *name)
{
    int64_t n = rg_shape_count(shape);
    double start = seed == 0 ? 0 : self->a;
    (void)name;
    for (int64_t i = 0; i < n; i++)
        w[i] = seed == 0 ? 0 : start + (double)i / 64;
    return RG_OK;
}

static void declare(rg_params *ps, const char *name, rg_shape shape, rg_dtype dtype, double start)
{
    rg_slot *slot;
    rg_init init = { .fill = numbered, .a = start };
    RGT_CHECK_MSG(rg_params_declare(&slot, ps, name, shape, dtype, dtype > RG_F64 ? NULL : &init)
                  == RG_OK, "%s", rg_params_message(ps));
}

rg_params *rgt_store(const char *arrays, rg_dtype real)
{
    rg_params *ps;
    char name[300];
    int k = 0;
    RGT_CHECK(rg_params_create(&ps, 1, &(rg_params_opts){ .real = real }) == RG_OK);
    for (const char *c = arrays; *c; k++) {
        rg_shape shape = RG_SCALAR;
        size_t n = strcspn(c, ":");
        memcpy(name, c, n);
        name[n] = '\0';
        for (c += n; *c == ':' || *c == ',';) {
            char *end;
            long dim = strtol(c + 1, &end, 10);
            if (end != c + 1)
                shape.dim[shape.rank++] = dim;
            c = end > c + 1 ? end : c + 1;
        }
        while (*c == ' ')
            c++;
        declare(ps, name, shape, real, k + 1);
    }
    return ps;
}

rg_params *rgt_like(const rg_params *ps)
{
    rg_params *like;
    RGT_CHECK(rg_params_create(&like, 0, &(rg_params_opts){ .real = ps->real }) == RG_OK);
    for (size_t i = 0; i < ps->n_slot; i++)
        declare(like, ps->slot[i]->name, ps->slot[i]->shape, ps->slot[i]->dtype, 0);
    return like;
}

bool rgt_equal(const rg_params *a, const rg_params *b)
{
    if (a->n_slot != b->n_slot)
        return false;
    for (size_t i = 0; i < a->n_slot; i++) {
        const rg_slot *s = a->slot[a->order[i]], *t = b->slot[b->order[i]];
        if (strcmp(s->name, t->name) != 0 || s->dtype != t->dtype ||
            !rg_shape_equal(s->shape, t->shape) || memcmp(s->data, t->data, s->bytes) != 0)
            return false;
    }
    return true;
}
