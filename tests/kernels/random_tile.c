/* tests/kernels/random_tile.c -- see random_tile.h. */
#include "tests/kernels/random_tile.h"

#include "kernels/rows.h"
#include "tests/kernels/help.h"

static int user_kernel(const rg_kernel_args *k)
{
    const double *a = k->in[0], *b = k->in[1];
    double *y = k->out;
    const double *forbidden = k->attr;
    for (int64_t i = 0; i < k->n; i++) {
        if (forbidden && a[i] == *forbidden)
            return 42;
        y[i] = a[i] - 2 * b[i];
    }
    return 0;
}

const rg_op random_user_op = { .name = "user", .arity = 2, .flags = RG_OP_ELEMENTWISE,
                               .kernel_f64 = user_kernel };
static const rg_shape any_shape = { 0, { 0 } };
static const rg_tile_call user_call = { .op = &random_user_op, .in_shape = &any_shape,
                                        .out_shape = &any_shape, .n_in = 2,
                                        .in_kind = { RG_F, RG_F }, .out_kind = RG_F };

static const char *signature(rg_tile_code code)
{
#define SIGNATURE(CODE, name, signature) signature,
    static const char *const text[] = { RG_TILE_CODES(SIGNATURE) "R:RR" };
    return code > RG_TILE_CALL ? "R:R" : text[code];
}

/* Has a value one element a row? Is it one number everywhere? */
static bool is_narrow(const random_program *p, uint32_t v)
{
    if (v >= p->s.n_in)
        return p->ins[v - p->s.n_in].narrow;
    return p->s.rows > 1 && p->s.cols > 1 && p->in[v].row != 0 && p->in[v].col == 0;
}

static bool is_number(const random_program *p, uint32_t v)
{
    if (v >= p->s.n_in)
        return p->ins[v - p->s.n_in].code == RG_TILE_FILL;
    return (p->s.rows <= 1 || p->in[v].row == 0) && (p->s.cols <= 1 || p->in[v].col == 0);
}

bool random_in_rows(const random_program *p)
{
    bool whole = false;
    for (size_t k = 0; k < p->s.n_ins; k++)
        whole = whole || p->ins[k].narrow || p->ins[k].code > RG_TILE_CALL;
    for (size_t j = 0; j < p->s.n_out; j++)
        whole = whole || (p->out[j].col == 0 && is_narrow(p, p->out[j].value));
    return whole;
}

static rg_kind kind_of_value(const random_program *p, uint32_t v)
{
    if (v < p->s.n_in)
        return p->in[v].kind;
    return signature(p->ins[v - p->s.n_in].code)[0] == 'B' ? RG_BOOL : RG_F;
}

static size_t size_of_kind(const random_program *p, rg_kind kind)
{
    return kind == RG_BOOL ? 1 : kind == RG_INT ? 4 : p->s.real == RG_F32 ? 4 : 8;
}

/* A value of the kind that the letter says, rather one of the latest; the first operands have all
 * kinds, so there is one. */
static uint32_t pick_value(const random_program *p, uint32_t v, char letter, uint64_t seed)
{
    const rg_kind kind = letter == 'B' ? RG_BOOL : letter == 'I' ? RG_INT : RG_F;
    for (uint64_t i = 0;; i++) {
        uint32_t near = v < 5 ? v : 5;
        uint32_t w = draw_below(seed, 3 * i, 2)
                         ? v - 1 - (uint32_t)draw_below(seed, 3 * i + 1, near)
                                                : (uint32_t)draw_below(seed, 3 * i + 2, v);
        if (kind_of_value(p, w) == kind)
            return w;
    }
}

/* Mostly those that merge. */
static rg_tile_code pick_code(uint64_t seed, uint64_t k)
{
    static const rg_tile_code common[] = { RG_TILE_MUL, RG_TILE_MUL, RG_TILE_ADD, RG_TILE_ONE_MINUS,
                                           RG_TILE_SHIFT, RG_TILE_SIGMOID, RG_TILE_TANH };
    if (draw_below(seed, k, 3))
        return common[draw_below(seed, k + 1000, 7)];
    return (rg_tile_code)draw_below(seed, k + 2000, seed % 2 ? RG_TILE_CALL + 1
                                                             : RG_TILE_CODE_COUNT);
}

/* Where it may compute one element a row, it mostly does. */
static bool pick_narrow(const random_program *p, const rg_tile_ins *ins, uint64_t seed)
{
    if (ins->code > RG_TILE_CALL)
        return ins->code <= RG_TILE_LOGSUMEXP;
    bool narrow = signature(ins->code)[2] != '\0' && draw_below(seed, 0, 4);
    for (size_t i = 0; signature(ins->code)[2 + i]; i++)
        narrow = narrow && (is_narrow(p, ins->in[i]) || is_number(p, ins->in[i]));
    return narrow;
}

static void random_view(int64_t *row, int64_t *col, int64_t rows, int64_t cols, uint64_t seed,
                        bool broadcast)
{
    switch (draw_below(seed, 0, broadcast ? 7 : 4)) {
    case 0: case 1: *row = cols, *col = 1; break;
    case 2: *row = cols + 3, *col = 1; break;
    case 3: *row = 1, *col = rows + 1; break;           /* transposed */
    case 4: *row = 0, *col = 1; break;
    case 5: *row = 1, *col = 0; break;
    default: *row = 0, *col = 0; break;
    }
    (void)rows;
}

static void random_shape(random_program *p, uint64_t seed)
{
    static const int64_t rows[] = { 1, 1, 2, 7, 33, 64, 3 };
    static const int64_t cols[] = { 1, 3, 10, 16, 64, 65, 200, 300, 1000 };
    p->s.rows = rows[draw_below(seed, 1, 7)];
    p->s.cols = cols[draw_below(seed, 2, 9)];
    while (p->s.rows * p->s.cols > MAX_ELEMENTS)
        p->s.rows = (p->s.rows + 1) / 2;
}

void random_source(random_program *p, uint64_t seed)
{
    random_shape(p, seed);
    p->s.real = draw_below(seed, 3, 2) ? RG_F64 : RG_F32;
    p->s.n_in = 3 + (size_t)draw_below(seed, 4, MAX_IN - 2);
    p->s.n_ins = 1 + (size_t)draw_below(seed, 5, MAX_INS);
    p->s.n_out = 1 + (size_t)draw_below(seed, 6, MAX_OUT);
    p->s.in = p->in, p->s.ins = p->ins, p->s.out = p->out;
    for (size_t j = 0; j < p->s.n_in; j++) {
        p->in[j].kind = j == 1 ? RG_BOOL : j == 2 ? RG_INT : RG_F;
        random_view(&p->in[j].row, &p->in[j].col, p->s.rows, p->s.cols, seed + 10 + j, true);
    }
    for (size_t k = 0; k < p->s.n_ins; k++) {
        rg_tile_ins *ins = &p->ins[k];
        const uint32_t v = (uint32_t)(p->s.n_in + k);
        *ins = (rg_tile_ins){ .code = pick_code(seed + 20, k), .call = NULL };
        ins->c0 = ins->code == RG_TILE_SHIFT ? 1 : draw(seed, k + 100, -1, 1);
        ins->c1 = ins->c0 + 0.5;
        if (ins->code == RG_TILE_CALL)
            ins->call = &user_call;
        const char *sig = signature(ins->code);
        for (size_t i = 0; sig[2 + i]; i++)
            ins->in[i] = pick_value(p, v, sig[2 + i], seed + 100 + 7 * k + i);
        ins->narrow = pick_narrow(p, ins, seed + 500 + k);
    }
    for (size_t j = 0; j < p->s.n_out; j++) {
        rg_tile_result *out = &p->out[j];
        const uint32_t value = (uint32_t)draw_below(seed + 30, j, p->s.n_in + p->s.n_ins);
        *out = (rg_tile_result){ .value = value };
        if (draw_below(seed + 33, j, 3)) /* rather late ones */
            out->value = (uint32_t)(p->s.n_in + p->s.n_ins - 1 - (size_t)draw_below(seed, j + 50,
                                    p->s.n_ins < 3 ? p->s.n_ins : 3));
        random_view(&out->row, &out->col, p->s.rows, p->s.cols, seed + 40 + j, false);
        if (is_narrow(p, out->value) && draw_below(seed + 45, j, 3)) {
            out->row = 1 + (int64_t)draw_below(seed + 46, j, 2);
            out->col = 0;
        }
    }
}

static void put(const random_program *p, void *base, rg_kind kind, int64_t i, double x)
{
    if (kind == RG_BOOL)
        ((uint8_t *)base)[i] = x > 0;
    else if (kind == RG_INT)
        ((int32_t *)base)[i] = (int32_t)(x * 100);
    else if (p->s.real == RG_F32)
        ((float *)base)[i] = (float)x;
    else
        ((double *)base)[i] = x;
}

void random_operands(random_program *p, uint64_t seed)
{
    memset(p->data, 0x33, sizeof p->data);
    for (size_t j = 0; j < p->s.n_in; j++) {
        const rg_kind kind = p->in[j].kind;
        const size_t size = size_of_kind(p, kind);
        for (int64_t i = 0; i < ROOM / 2; i++)
            put(p, p->data[j], kind, i, draw(seed + j, (uint64_t)i, -3, 3));
        for (int64_t r = 0; r < p->s.rows; r++)
            for (int64_t c = 0; c < p->s.cols; c++)
                memcpy((char *)p->value[j] + (size_t)(r * p->s.cols + c) * size,
                       (char *)p->data[j] + (size_t)(r * p->in[j].row + c * p->in[j].col) * size,
                       size);
    }
}

/* A row kernel over the whole space; one element a row stands in all columns. */
static void evaluate_rows(random_program *p, const rg_tile_ins *ins, void *y, rg_isa isa)
{
    const rg_row_kernels *k = rg_row_table(isa);
#define ROW_KERNEL(CODE, name) [RG_TILE_##CODE - RG_TILE_CALL] = k->name[p->s.real],
    rg_rows_fn *const fn[] = { RG_TILE_ROW_CODES(ROW_KERNEL) };
    static double narrow[MAX_ELEMENTS];
    const int64_t rows = p->s.rows, cols = p->s.cols;
    const size_t size = p->s.real == RG_F32 ? 4 : 8;
    fn[ins->code - RG_TILE_CALL](&(rg_rows){ rows, cols, p->value[ins->in[0]], cols,
                                             ins->narrow ? narrow : y, cols, ins->c0 });
    for (int64_t i = 0; i < rows * cols && ins->narrow; i++)
        memcpy((char *)y + (size_t)i * size, (char *)narrow + (size_t)(i / cols) * size, size);
}

void random_evaluate(random_program *p, const rg_tile_kernels *kernels)
{
    const int64_t n = p->s.rows * p->s.cols;
    for (size_t k = 0; k < p->s.n_ins; k++) {
        const rg_tile_ins *ins = &p->ins[k];
        const void *in[4];
        for (size_t i = 0; i < 4; i++)
            in[i] = p->value[ins->in[i]];
        void *y = p->value[p->s.n_in + k];
        const double c[2] = { ins->c0, ins->c1 };
        if (ins->code > RG_TILE_CALL) {
            evaluate_rows(p, ins, y, kernels->isa);
        } else if (ins->code != RG_TILE_CALL) {
            kernels->loop[p->s.real][ins->code](n, y, in, c);
        } else if (p->s.real == RG_F64) {
            (void)user_kernel(&(rg_kernel_args){ .n = n, .out = y, .in = in });
        } else {
            for (int64_t i = 0; i < n; i++)
                ((float *)y)[i] = (float)((double)((const float *)in[0])[i] -
                                          2 * (double)((const float *)in[1])[i]);
        }
    }
}

size_t random_size_of(const random_program *p, uint32_t v)
{
    return size_of_kind(p, kind_of_value(p, v));
}
