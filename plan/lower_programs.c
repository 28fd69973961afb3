/* plan/lower_programs.c -- tile programs by their sources. */
#include "plan/lower.h"

#include "base/checked.h"

#include <string.h>

/* What a program was compiled from: the steps of a sequence have equal sources, which share one. */
struct rg_known_program {
    rg_tile_source         source;
    const rg_tile_program *program;
};

static uint64_t hash_source(const rg_tile_source *s)
{
    uint64_t h = rg_hash_mix((uint64_t)s->rows, (uint64_t)s->cols);
    h = rg_hash_bytes(h, s->in, s->n_in * sizeof *s->in);
    h = rg_hash_bytes(h, s->ins, s->n_ins * sizeof *s->ins);
    return rg_hash_bytes(h, s->out, s->n_out * sizeof *s->out);
}

/* Compared by bytes: all three arrays come zeroed and are filled member by member. */
static bool same_source(const rg_tile_source *a, const rg_tile_source *b)
{
    return a->rows == b->rows && a->cols == b->cols && a->n_in == b->n_in &&
           a->n_ins == b->n_ins && a->n_out == b->n_out &&
           (!a->n_in || !memcmp(a->in, b->in, a->n_in * sizeof *a->in)) &&
           (!a->n_ins || !memcmp(a->ins, b->ins, a->n_ins * sizeof *a->ins)) &&
           !memcmp(a->out, b->out, a->n_out * sizeof *a->out);
}

static void *kept(rg_code *c, const void *data, size_t bytes)
{
    void *copy = rg_arena_get(&c->work, bytes);
    if (copy && bytes)
        memcpy(copy, data, bytes);
    return copy;
}

static bool remember(rg_code *c, const rg_tile_source *s, uint64_t h,
                     const rg_tile_program *program)
{
    struct rg_known_program k = { *s, program };
    k.source.in = kept(c, s->in, s->n_in * sizeof *s->in);
    k.source.ins = kept(c, s->ins, s->n_ins * sizeof *s->ins);
    k.source.out = kept(c, s->out, s->n_out * sizeof *s->out);
    if (!c->n_known)
        c->n_known = 1;
    if (!k.source.in || !k.source.ins || !k.source.out ||
        !rg_reserve(&c->alloc, &c->known, &c->known_cap, (size_t)c->n_known + 1,
                    sizeof *c->known) ||
        !rg_index_put(&c->known_index, &c->alloc, h, c->n_known))
        return false;
    c->known[c->n_known++] = k;
    return true;
}

rg_status rg_lower_program(rg_code *c, const rg_tile_source *source, const rg_tile_program **out)
{
    rg_tile_program *program;
    const uint64_t h = hash_source(source);
    uint32_t i;
    for (size_t probe = 0; (i = rg_index_next(&c->known_index, h, &probe));)
        if (same_source(&c->known[i].source, source)) {
            *out = c->known[i].program;
            return RG_OK;
        }
    rg_status st = rg_tile_compile(&program, source, rg_tile_table(rg_cpu_isa()), c->arena, c->err);
    *out = program;
    return st || remember(c, source, h, program) ? st : rg_lower_no_memory(c);
}

void rg_forget_programs(rg_code *c)
{
    rg_release(&c->alloc, c->known, c->known_cap * sizeof *c->known);
    rg_index_free(&c->known_index, &c->alloc);
}
