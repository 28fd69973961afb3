/* kernels/tile_run.c -- runs a tile program over a part of its iteration space. */
#include "kernels/tile_program.h"

#include <string.h>

/* The tile at hand: rows r .. r+nr of columns c .. c+nc, n = nr·nc elements. */
struct tile {
    int64_t r, nr, c, nc, n;
};

/* Pointers to every place, in the scratch memory behind the slots. */
struct machine {
    const rg_tile_program *p;
    rg_tile_run *run;
    void       **place;
};

#define COPY(type)                                                                               \
    do {                                                                                         \
        type *y = to;                                                                            \
        const type *x = from;                                                                    \
        for (int64_t r = 0; r < t->nr; r++, y += to_row, x += from_row)                          \
            for (int64_t c = 0; c < t->nc; c++)                                                  \
                y[c * to_col] = x[c * from_col];                                                 \
    } while (0)

/* Move a tile between two strided places; its first column, if that is all. */
static void copy(const struct tile *tile, bool narrow, size_t size, void *to, int64_t to_row,
                 int64_t to_col, const void *from, int64_t from_row, int64_t from_col)
{
    const struct tile part = { .nr = tile->nr, .nc = narrow ? 1 : tile->nc }, *t = &part;
    if (to_col == 1 && from_col == 1) {
        for (int64_t r = 0; r < t->nr; r++)
            memcpy((char *)to + r * to_row * (int64_t)size,
                   (const char *)from + r * from_row * (int64_t)size, (size_t)t->nc * size);
    } else if (size == 1)
        COPY(uint8_t);
    else if (size == 4)
        COPY(uint32_t);
    else
        COPY(uint64_t);
}

static void *data_at(const struct machine *m, uint32_t j, const struct tile *t)
{
    const rg_tile_data *d = &m->p->data[j];
    return (char *)m->run->data[j] + (t->r * d->row + t->c * d->col) * (int64_t)d->size;
}

static void load(const struct machine *m, const rg_tile_move *move, const struct tile *t)
{
    const rg_tile_data *d = &m->p->data[move->data];
    copy(t, d->narrow, d->size, m->place[move->place], d->narrow ? 1 : t->nc, 1,
         data_at(m, move->data, t), d->row, d->col);
}

static void store(const struct machine *m, const rg_tile_move *move, const struct tile *t)
{
    const rg_tile_data *d = &m->p->data[move->data];
    const bool apart = m->p->apart && t->nr > 1;
    const int64_t row = apart ? rg_tile_row_of(m->p, move->place) : move->narrow ? 1 : t->nc;
    copy(t, d->narrow, d->size, data_at(m, move->data, t), d->row, d->col, m->place[move->place],
         row, !move->narrow);
}

/* A reference kernel on a tile; an f32 program converts for a kernel that is f64 only. */
static int call(const struct machine *m, const rg_tile_step *step, const struct tile *t)
{
    const rg_tile_program *p = m->p;
    const rg_tile_call *call = step->call;
    const bool convert = p->real == RG_F32 && !call->op->kernel_f32;
    const int64_t room = p->block * p->width, n = step->narrow ? t->nr : t->n;
    double *wide = (double *)(void *)(m->place + p->n_slot + p->n_data);
    const void *in[RG_TILE_MAX_IN];
    for (uint32_t i = 0; i < step->n_in; i++) {
        in[i] = m->place[step->in[i]];
        if (convert && call->in_kind[i] == RG_F) {
            double *x = wide + (i + 1) * room;
            for (int64_t e = 0; e < n; e++)
                x[e] = (double)((const float *)in[i])[e];
            in[i] = x;
        }
    }
    void *out = m->place[step->out];
    const bool narrow = convert && call->out_kind == RG_F;
    const int64_t first = m->run->first + t->r * p->cols + t->c;
    rg_kernel_args args = { .n = n, .first = step->narrow ? first / p->cols : first,
                            .out = narrow ? wide : out, .in = in, .n_in = step->n_in,
                            .in_shape = call->in_shape, .out_shape = call->out_shape,
                            .attr = call->attr, .item = step->out_size, .seed = m->run->seed,
                            .run = m->run->run };
    rg_kernel_fn *kernel = p->real == RG_F32 && !convert ? call->op->kernel_f32
                                                          : call->op->kernel_f64;
    int status = kernel(&args);
    if (status == 0 && narrow)
        for (int64_t e = 0; e < n; e++)
            ((float *)out)[e] = (float)wide[e];
    if (status != 0)
        m->run->failed = step->source;
    return status;
}

/* Row by row: operand 1 has one element for each, or operand 0, which is a mask. */
static void apply_each(const struct tile *t, const rg_tile_step *step, char *out, const void **in)
{
    const size_t row = (size_t)t->nc * step->out_size, size = step->each == 1 ? 1 : step->out_size;
    for (int64_t r = 0; r < t->nr; r++) {
        step->loop(t->nc, out + (size_t)r * row, in, step->c);
        for (uint32_t i = 0; i < step->n_in; i++)
            in[i] = (const char *)in[i] + (i + 1 == step->each ? size : row);
    }
}

static void apply_rows(const struct machine *m, const rg_tile_step *step, const struct tile *t)
{
    step->rows(&(rg_rows){ t->nr, t->nc, m->place[step->in[0]], t->nc, m->place[step->out], t->nc,
                           step->c[0] });
}

static void apply(const struct machine *m, const rg_tile_step *step, const struct tile *t)
{
    const void *in[RG_TILE_MAX_IN];
    if (step->rows) {
        apply_rows(m, step, t);
        return;
    }
    for (uint32_t i = 0; i < step->n_in; i++)
        in[i] = m->place[step->in[i]];
    if (step->each)
        apply_each(t, step, m->place[step->out], in);
    else
        step->loop(step->narrow ? t->nr : t->n, m->place[step->out], in, step->c);
}

/* Nothing but loops over all elements: for small tiles, every choice counts. */
static void run_plain(const struct machine *m, int64_t n)
{
    const rg_tile_step *step = m->p->step + m->p->n_fill, *end = m->p->step + m->p->n_step;
    void *const *place = m->place;
    for (; step < end; step++) {
        const rg_tile_place *from = step->in;
        const void *const in[RG_TILE_FEW] = { place[from[0]], place[from[1]], place[from[2]],
                                              place[from[3]] };
        step->loop(n, place[step->out], in, step->c);
    }
}

/* The same for several rows that may be apart. */
static void run_apart(const struct machine *m, const struct tile *t)
{
    const rg_tile_step *step = m->p->step + m->p->n_fill, *end = m->p->step + m->p->n_step;
    void *const *place = m->place;
    for (; step < end; step++) {
        const rg_tile_place *from = step->in;
        const void *const in[RG_TILE_FEW] = { place[from[0]], place[from[1]], place[from[2]],
                                              place[from[3]] };
        if (step->many)
            step->many(t->nr, t->nc, place[step->out], in, step->row, step->c);
        else
            step->loop(t->n, place[step->out], in, step->c);
    }
}

/* A tile of one row. */
static void run_row(const struct machine *m, const struct tile *t)
{
    const rg_tile_step *step = m->p->step + m->p->n_fill, *end = m->p->step + m->p->n_step;
    void *const *place = m->place;
    for (; step < end; step++) {
        const rg_tile_place *from = step->in;
        const void *const in[RG_TILE_FEW] = { place[from[0]], place[from[1]], place[from[2]],
                                              place[from[3]] };
        if (step->rows)
            apply_rows(m, step, t);
        else
            step->loop(step->narrow ? 1 : t->nc, place[step->out], in, step->c);
    }
}

/* One tile, between its loads and its stores. */
static int run_steps(const struct machine *m, const struct tile *t)
{
    const rg_tile_program *p = m->p;
    for (uint32_t k = p->n_fill; k < p->n_step; k++) {
        const rg_tile_step *step = &p->step[k];
        const int status = step->call ? call(m, step, t) : 0;
        if (status != 0)
            return status;
        if (!step->call)
            apply(m, step, t);
    }
    return 0;
}

static int run_tile(const struct machine *m, const struct tile *t)
{
    const rg_tile_program *p = m->p;
    int status = 0;
    if (t->r == 0 && t->c == 0)
        memcpy(m->place + p->n_slot, m->run->data, p->n_data * sizeof *m->place);
    else
        for (uint32_t j = 0; j < p->n_data; j++)
            m->place[p->n_slot + j] = data_at(m, j, t);
    for (uint32_t i = p->n_once; i < p->n_load; i++)
        load(m, &p->load[i], t);
    if (p->plain && (t->nr == 1 || !p->apart))
        run_plain(m, t->n);
    else if (p->plain)
        run_apart(m, t);
    else if (p->by_row)
        run_row(m, t);
    else
        status = run_steps(m, t);
    if (status != 0)
        return status;
    for (uint32_t i = 0; i < p->n_store; i++)
        store(m, &p->store[i], t);
    return 0;
}

/* Columns c0 .. c1 of rows r0 .. r1, in tiles of `block` rows. */
static int run_part(const struct machine *m, int64_t r0, int64_t r1, int64_t c0, int64_t c1,
                    int64_t block)
{
    const rg_tile_program *p = m->p;
    struct tile t = { r0, block, c0, c1 - c0 < p->width ? c1 - c0 : p->width, 0 };
    t.n = t.nr * t.nc;
    for (uint32_t i = 0; i < p->n_once; i++)
        load(m, &p->load[i], &t);
    for (uint32_t k = 0; k < p->n_fill; k++)
        apply(m, &p->step[k], &t);
    for (t.r = r0; t.r < r1; t.r += block) {
        t.nr = r1 - t.r < block ? r1 - t.r : block;
        for (t.c = c0; t.c < c1; t.c += p->width) {
            t.nc = c1 - t.c < p->width ? c1 - t.c : p->width;
            t.n = t.nr * t.nc;
            int status = run_tile(m, &t);
            if (status != 0)
                return status;
        }
    }
    return 0;
}

int rg_tile_execute(const rg_tile_program *p, rg_tile_run *run)
{
    char *scratch = run->scratch;
    struct machine m = { p, run, (void **)(void *)(scratch + p->n_slot * p->slot_bytes) };
    for (uint32_t k = 0; k < p->n_slot; k++)
        m.place[k] = scratch + k * p->slot_bytes;
    const int64_t r0 = run->row0, r1 = run->row1, c0 = run->col0, c1 = run->col1;
    if (r0 >= r1 || c0 >= c1)
        return 0;
    const bool whole = c0 == 0 && c1 == p->cols;
    if (p->bare && whole && r0 == 0 && r1 * c1 <= p->width) { /* one tile, nothing else to do */
        memcpy(m.place + p->n_slot, run->data, p->n_data * sizeof *m.place);
        run_plain(&m, r1 * c1);
        return 0;
    }
    if (p->flat && whole)
        return run_part(&m, 0, 1, r0 * c1, r1 * c1, 1);
    if (!p->flat)
        return run_part(&m, r0, r1, c0, c1, whole ? p->block : 1);
    int status = 0;
    for (int64_t r = r0; r < r1 && status == 0; r++)
        status = run_part(&m, 0, 1, r * p->cols + c0, r * p->cols + c1, 1);
    return status;
}
