/* tests/kernels/row_tiles.c -- tile programs along rows: the bits of the row kernels alone, for
 * every length, pitch and instruction set. */
#include "tests/rgt.h"
#include "tests/kernels/help.h"
#include "tests/kernels/tile_status.h"

#include "kernels/rows.h"
#include "kernels/tile.h"

#include <stdlib.h>

enum { ROWS = 5, MOST = 130, PITCH = MOST + 7, ROOM = ROWS * PITCH };

/* d = x - Σx/n, v = √(Σd²/n + ε), y = d/v; softmax(x)·max(x), whose operands are n long. */
enum { SUM = 1, MEAN, CENTRED, SQUARED, POWER, VARIANCE, DEVIATION, Y, SOFT, TOP, Z, N_VALUE };
static rg_tile_ins ins[] = {
    { .code = RG_TILE_SUM, .in = { 0 }, .narrow = true },
    { .code = RG_TILE_SCALE, .in = { SUM }, .narrow = true },
    { .code = RG_TILE_SUB, .in = { 0, MEAN } },
    { .code = RG_TILE_SQUARE, .in = { CENTRED } },
    { .code = RG_TILE_SUM, .in = { SQUARED }, .narrow = true },
    { .code = RG_TILE_SHIFT, .in = { POWER }, .c0 = 1e-5, .narrow = true },
    { .code = RG_TILE_SQRT, .in = { VARIANCE }, .narrow = true },
    { .code = RG_TILE_DIV, .in = { CENTRED, DEVIATION } },
    { .code = RG_TILE_SOFTMAX, .in = { 0 } },
    { .code = RG_TILE_MAX, .in = { 0 }, .narrow = true },
    { .code = RG_TILE_MUL, .in = { SOFT, TOP } },
};

/* Of one precision: x, the results of a program, and what kernels give one after the other. */
struct data {
    double x[ROOM], y[ROOM], z[ROOM], v[ROWS], value[N_VALUE][ROOM];
};

static double get(rg_dtype real, const void *x, int64_t i)
{
    return real == RG_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void put(rg_dtype real, void *x, int64_t i, double value)
{
    if (real == RG_F32)
        ((float *)x)[i] = (float)value;
    else
        ((double *)x)[i] = value;
}

/* The last rows have an infinity, a NaN, nothing but -∞. */
static void fill(struct data *d, rg_dtype real, int64_t n, int64_t pitch)
{
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < n; c++)
            put(real, d->x, r * pitch + c,
                r == ROWS - 1 ? -INFINITY : draw(3, (uint64_t)(r * n + c), -4, 4));
    put(real, d->x, (ROWS - 3) * pitch + n / 2, INFINITY);
    put(real, d->x, (ROWS - 2) * pitch + n - 1, NAN);
}

/* Instruction by instruction over all rows, dense; one element a row stands in all columns. */
static void want(struct data *d, rg_dtype real, int64_t n, int64_t pitch, rg_isa isa)
{
    const rg_row_kernels *rows = rg_row_table(isa);
    const size_t size = real == RG_F32 ? 4 : 8;
    for (int64_t i = 0; i < ROWS * n; i++)
        put(real, d->value[0], i, get(real, d->x, i / n * pitch + i % n));
    for (uint32_t k = 1; k < N_VALUE; k++) {
        const rg_tile_ins *p = &ins[k - 1];
        double each[ROWS];
        const rg_rows a = { ROWS, n, d->value[p->in[0]], n, p->narrow ? each : d->value[k], n, 0 };
        const void *in[2] = { d->value[p->in[0]], d->value[p->in[1]] };
        if (p->code < RG_TILE_CALL)
            rg_tile_table(isa)->loop[real][p->code](ROWS * n, d->value[k], in,
                                                    (double[2]){ p->c0, 0 });
        else
            (p->code == RG_TILE_SUM ? rows->sum : p->code == RG_TILE_MAX ? rows->max
                                                                         : rows->softmax)[real](&a);
        for (int64_t i = 0; i < ROWS * n && p->code > RG_TILE_CALL && p->narrow; i++)
            memcpy((char *)d->value[k] + (size_t)i * size, (char *)each + (size_t)(i / n) * size,
                   size);
    }
}

static bool same(rg_dtype real, double a, double b)
{
    return real == RG_F32 ? same_f32((float)a, (float)b) : same_f64(a, b);
}

/* Cut into rows 0 .. cut and the others, as two threads would. */
static void run(struct data *d, const rg_tile_source *s, rg_isa isa, int64_t cut)
{
    rg_alloc libc;
    rg_arena arena;
    rg_err err = { 0 };
    rg_tile_program *program;
    void *data[] = { d->x, d->y, d->z, d->v };
    RGT_CHECK(rg_alloc_resolve(&libc, NULL) == RG_OK);
    rg_arena_init(&arena, &libc);
    RGT_CHECK_MSG(rg_tile_compile(&program, s, rg_tile_table(isa), &arena, &err) == RG_OK, "%s",
                  err.text);
    void *scratch = aligned_alloc(64, (rg_tile_scratch(program) + 63) / 64 * 64);
    for (int part = 0; part < 2; part++) {
        rg_tile_run run = { .data = data, .row0 = part ? cut : 0, .row1 = part ? ROWS : cut,
                            .col1 = s->cols, .scratch = scratch };
        RGT_CHECK(rg_tile_execute(program, &run) == 0);
    }
    free(scratch);
    rg_arena_free(&arena);
}

static void try_length(struct data *d, rg_dtype real, int64_t n, int64_t pitch, rg_isa isa)
{
    const rg_tile_operand in = { RG_F, pitch, 1 };
    const rg_tile_result out[] = { { Y, 0, pitch, 1 }, { Z, 0, n, 1 }, { DEVIATION, 0, 1, 0 } };
    const rg_tile_source s = { real, ROWS, n, &in, 1, ins, N_VALUE - 1, out, 3 };
    ins[MEAN - 1].c0 = 1 / (double)n;
    fill(d, real, n, pitch);
    want(d, real, n, pitch, isa);
    run(d, &s, isa, n % (ROWS + 1));
    for (int64_t i = 0; i < ROWS * n; i++) {
        const int64_t r = i / n, at = r * pitch + i % n;
        RGT_CHECK_MSG(same(real, get(real, d->y, at), get(real, d->value[Y], i)) &&
                          same(real, get(real, d->z, i), get(real, d->value[Z], i)) &&
                          same(real, get(real, d->v, r), get(real, d->value[DEVIATION], i)),
                      "f%d, set %d: element %d of %d columns, %d apart", real == RG_F32 ? 32 : 64,
                      (int)isa, (int)i, (int)n, (int)pitch);
    }
}

RGT_TEST(row_tiles, sums_and_softmax_in_a_program_have_the_bits_of_their_kernels)
{
    static struct data d;
    for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++)
        for (int64_t n = 1; n <= MOST; n++)
            for (int real = 0; real < 2; real++) {
                try_length(&d, (rg_dtype)real, n, n, isa);
                try_length(&d, (rg_dtype)real, n, n + 1 + n % 7, isa);
            }
}

/* In f32 every instruction set gives one answer. */
RGT_TEST(row_tiles, instruction_sets_agree_bit_for_bit)
{
    static struct data d, portable;
    for (int64_t n = 1; n <= MOST; n++) {
        try_length(&portable, RG_F32, n, n + 3, RG_ISA_PORTABLE);
        for (rg_isa isa = RG_ISA_PORTABLE; isa <= rg_cpu_isa(); isa++) {
            try_length(&d, RG_F32, n, n + 3, isa);
            for (int64_t i = 0; i < ROWS * n; i++)
                RGT_CHECK(same_f32(((float *)d.value[Y])[i], ((float *)portable.value[Y])[i]) &&
                          same_f32(((float *)d.value[Z])[i], ((float *)portable.value[Z])[i]));
        }
    }
}

#if !defined(RG_TRAP_INVARIANTS) /* which would end the program */
RGT_TEST(row_tiles, forms_that_do_not_fit_are_refused)
{
    const rg_tile_operand in = { RG_F, 8, 1 };
    const rg_tile_ins sum = { .code = RG_TILE_SUM, .narrow = true },
                      wide_sum = { .code = RG_TILE_SUM },
                      square = { .code = RG_TILE_SQUARE, .narrow = true };
    const rg_tile_result narrow = { 1, 0, 1, 0 }, wide = { 1, 0, 8, 1 };
    RGT_CHECK(tile_status(&(rg_tile_source){ RG_F32, 4, 8, &in, 1, &sum, 1, &narrow, 1 }) == RG_OK);
    RGT_CHECK(tile_status(&(rg_tile_source){ RG_F32, 4, 8, &in, 1, &sum, 1, &wide, 1 }) == RG_OK);
    RGT_CHECK(tile_status(&(rg_tile_source){ RG_F32, 4, 8, &in, 1, &wide_sum, 1, &wide, 1 }) ==
              RG_EINTERNAL);
    RGT_CHECK(tile_status(&(rg_tile_source){ RG_F32, 4, 8, &in, 1, &square, 1, &narrow, 1 }) ==
              RG_EINTERNAL);
    const rg_tile_ins each = { .code = RG_TILE_SQUARE };
    RGT_CHECK(tile_status(&(rg_tile_source){ RG_F32, 4, 8, &in, 1, &each, 1, &narrow, 1 }) ==
              RG_EINTERNAL);
}
#endif
