/* plan/lower_tile.c -- an elementwise unit as a tile program (kernels/tile.h). */
#include "plan/lower.h"

#include "base/checked.h"
#include "kernels/tile.h"
#include "ops/ops.h"
#include "plan/passes/fusible.h"

#include <string.h>

/* Which instruction computes an op; what its constants are. Any other op is called by its
 * kernel. */
enum constants { NONE, NUMBER, RANGE };
static const struct tile_op {
    const rg_op   *op;
    rg_tile_code   code;
    enum constants constants;
} tile_op[] = {
    { &rg_op_add, RG_TILE_ADD, NONE },             { &rg_op_mul, RG_TILE_MUL, NONE },
    { &rg_op_sub, RG_TILE_SUB, NONE },             { &rg_op_one_minus, RG_TILE_ONE_MINUS, NONE },
    { &rg_op_sigmoid, RG_TILE_SIGMOID, NONE },     { &rg_op_tanh, RG_TILE_TANH, NONE },
    { &rg_op_scale, RG_TILE_SCALE, NUMBER },       { &rg_op_shift, RG_TILE_SHIFT, NUMBER },
    { &rg_op_neg, RG_TILE_NEG, NONE },             { &rg_op_div, RG_TILE_DIV, NONE },
    { &rg_op_minimum, RG_TILE_MINIMUM, NONE },         { &rg_op_maximum, RG_TILE_MAXIMUM, NONE },
    { &rg_op_square, RG_TILE_SQUARE, NONE },       { &rg_op_sqrt, RG_TILE_SQRT, NONE },
    { &rg_op_abs, RG_TILE_ABS, NONE },             { &rg_op_relu, RG_TILE_RELU, NONE },
    { &rg_op_exp, RG_TILE_EXP, NONE },             { &rg_op_log, RG_TILE_LOG, NONE },
    { &rg_op_softplus, RG_TILE_SOFTPLUS, NONE },   { &rg_op_elu, RG_TILE_ELU, NUMBER },
    { &rg_op_leaky_relu, RG_TILE_LEAKY_RELU, NUMBER }, { &rg_op_clip, RG_TILE_CLIP, RANGE },
    { &rg_op_binary_cross_entropy, RG_TILE_BINARY_CROSS_ENTROPY, NONE },
    { &rg_op_less, RG_TILE_LESS, NONE },           { &rg_op_less_equal, RG_TILE_LESS_EQUAL, NONE },
    { &rg_op_equal, RG_TILE_EQUAL, NONE },         { &rg_op_and, RG_TILE_AND, NONE },
    { &rg_op_not, RG_TILE_NOT, NONE },             { &rg_op_where, RG_TILE_WHERE, NONE },
    { &rg_op_bool_to_real, RG_TILE_BOOL_TO_REAL, NONE },
    { &rg_op_int_to_real, RG_TILE_INT_TO_REAL, NONE },
    { &rg_op_sum_over, RG_TILE_SUM, NONE },        { &rg_op_max_over, RG_TILE_MAX, NONE },
    { &rg_op_logsumexp_over, RG_TILE_LOGSUMEXP, NONE }, { &rg_op_softmax, RG_TILE_SOFTMAX, NONE },
    { &rg_op_log_softmax, RG_TILE_LOG_SOFTMAX, NONE },
};

/* A unit on its way to a program. */
struct tile {
    rg_code         *c;
    uint32_t         unit;
    const rg_shape  *space;
    bool             whole;      /* tiles are whole rows */
    uint32_t        *operand, *result, *node;  /* ids; node: which one an instruction computes */
    rg_tile_ins     *ins;
    rg_tile_operand *in;
    rg_tile_result  *out;
    size_t           n_operand, n_result, n_ins;
    rg_nest          nest;
    void            *memory;
    size_t           bytes;
};

/* What a run needs to know. Offsets of the outer loops are in elements, for all data. */
struct detail {
    const rg_tile_program *program;
    const uint32_t        *node;      /* by instruction */
    rg_nest                nest;
    size_t                *item;      /* bytes of an element, by datum */
    size_t                 n_data, head;  /* head: bytes of scratch for their addresses */
    int64_t                rows, cols, a_part, parts_a_turn;
    bool                   by_cols;   /* parts are columns of all rows, else rows */
};

/* Of the widest member, or of what a member sums. */
static const rg_shape *space_of(const rg_code *c, uint32_t unit)
{
    const rg_shape *widest = NULL;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1]; m++) {
        const rg_node *node = &c->p->node[c->member[m]];
        if (rg_node_is_along_rows(c->p, node))
            return c->p->node[node->in[0]].shape;
        if (!widest || rg_shape_count(*node->shape) > rg_shape_count(*widest))
            widest = node->shape;
    }
    return widest;
}

/* ---- Running -------------------------------------------------------------------------------- */

/* Rows, or columns of all rows, begin .. end of a turn. */
static int run_turn(const rg_machine *m, const rg_task *s, int64_t turn, bool cols, int64_t begin,
                    int64_t end, int rank)
{
    const struct detail *d = s->detail;
    void **data = rg_scratch_of(m, rank);
    rg_tile_run run = {
        .data = data, .row0 = cols ? 0 : begin, .row1 = cols ? d->rows : end,
        .col0 = cols ? begin : 0, .col1 = cols ? end : d->cols,
        .first = turn * d->rows * d->cols, .seed = m->seed, .run = m->run,
        .scratch = (char *)data + d->head,
    };
    for (size_t k = 0; k < d->n_data; k++)
        data[k] = rg_at(m, &s->arg[k]);
    for (size_t k = 0; k < d->n_data && turn > 0; k++)
        data[k] = (char *)data[k] + rg_nest_offset(&d->nest, k, turn) * (int64_t)d->item[k];
    const int code = rg_tile_execute(d->program, &run);
    return code ? rg_fail_step(m, rank, d->node[run.failed], code) : 0;
}

static int run_tile(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct detail *d = s->detail;
    const int64_t all = d->by_cols ? d->cols : d->rows;
    int code = 0;
    if (last == d->parts_a_turn && first == 0)
        return run_turn(m, s, 0, d->by_cols, 0, all, rank);
    while (first < last && !code) {
        const int64_t turn = first / d->parts_a_turn, begin = first % d->parts_a_turn;
        const int64_t left = d->parts_a_turn - begin, n = last - first < left ? last - first : left;
        const int64_t end = (begin + n) * d->a_part;
        code = run_turn(m, s, turn, d->by_cols, begin * d->a_part, end < all ? end : all,
                        rank);
        first += n;
    }
    return code;
}

static int run_tile_rows(const rg_machine *m, const rg_task *s, int64_t first, int64_t last,
                         int rank)
{
    const struct detail *d = s->detail;
    const int64_t turns = rg_nest_outer(&d->nest) / s->rows;
    int code = 0;
    if (d->nest.rank == 2)
        return run_turn(m, s, 0, d->rows == 1 && !d->nest.rows, first, last, rank);
    for (int64_t turn = first * turns; turn < last * turns && !code; turn++)
        code = run_turn(m, s, turn, false, 0, d->rows, rank);
    return code;
}

/* ---- Operands, instructions, results -------------------------------------------------------- */

/* How many uses of operands, for room. */
static size_t count_uses(const rg_code *c, uint32_t unit)
{
    size_t n = 0;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1]; m++)
        n += c->p->node[c->member[m]].n_in;
    return n;
}

static bool take_memory(struct tile *t)
{
    const rg_code *c = t->c;
    const size_t uses = count_uses(c, t->unit), n = c->first[t->unit + 1] - c->first[t->unit];
    const size_t most = uses + n, align = sizeof(max_align_t);
    const size_t part[] = { most * sizeof *t->operand, n * sizeof *t->result,
                            most * sizeof *t->node, most * sizeof *t->ins, most * sizeof *t->in,
                            n * sizeof *t->out, most * RG_MAX_RANK * sizeof *t->nest.stride };
    size_t at[8] = { 0 };
    for (int i = 0; i < 7; i++)
        at[i + 1] = at[i] + rg_round_up(part[i], align);
    t->bytes = at[7];
    char *memory = t->memory = rg_get(&c->alloc, t->bytes);
    if (!memory)
        return false;
    t->operand = (void *)(memory + at[0]);
    t->result = (void *)(memory + at[1]);
    t->node = (void *)(memory + at[2]);
    t->ins = (void *)(memory + at[3]);
    t->in = (void *)(memory + at[4]);
    t->out = (void *)(memory + at[5]);
    t->nest.stride = (void *)(memory + at[6]);
    return true;
}

static bool is_number(const rg_code *c, uint32_t id)
{
    double x;
    return rg_node_is_number(&c->p->node[id], &x);
}

/* Values that come from memory first, then numbers, which instructions fill in; c->value says of
 * each id which value of the program it is, plus one. */
static void find_operands(struct tile *t)
{
    rg_code *c = t->c;
    for (int numbers = 0; numbers < 2; numbers++)
        for (uint32_t m = c->first[t->unit]; m < c->first[t->unit + 1]; m++) {
            const rg_node *node = &c->p->node[c->member[m]];
            for (uint32_t k = 0; k < node->n_in; k++) {
                const uint32_t id = node->in[k];
                if (c->value[id] || c->unit[id] == t->unit || is_number(c, id) != (numbers == 1))
                    continue;
                if (!numbers)
                    t->operand[t->n_operand++] = id;
                else
                    (void)rg_node_is_number(&c->p->node[id], &t->ins[t->n_ins].c0);
                if (numbers)
                    t->ins[t->n_ins++].code = RG_TILE_FILL;
                c->value[id] = (uint32_t)(t->n_operand + t->n_ins);
            }
        }
}

static const struct tile_op *op_of(const rg_node *node)
{
    if (node->op == &rg_op_where && node->kind != RG_F)
        return NULL;
    for (size_t i = 0; i < sizeof tile_op / sizeof *tile_op; i++)
        if (tile_op[i].op == node->op)
            return &tile_op[i];
    return NULL;
}

static const rg_tile_call *call_of(rg_code *c, const rg_node *node)
{
    rg_tile_call *call = rg_arena_get(c->arena, sizeof *call);
    rg_shape *shape = rg_arena_get(c->arena, node->n_in * sizeof *shape);
    if (!call || !shape)
        return NULL;
    for (uint32_t k = 0; k < node->n_in; k++) {
        shape[k] = *c->p->node[node->in[k]].shape;
        call->in_kind[k] = (rg_kind)c->p->node[node->in[k]].kind;
    }
    call->op = node->op;
    call->attr = node->attr;
    call->in_shape = shape;
    call->out_shape = node->shape;
    call->n_in = node->n_in;
    call->out_kind = (rg_kind)node->kind;
    return call;
}

static bool add_instruction(struct tile *t, uint32_t id)
{
    rg_code *c = t->c;
    const rg_node *node = &c->p->node[id];
    const struct tile_op *known = op_of(node);
    rg_tile_ins *ins = &t->ins[t->n_ins];
    ins->code = known ? known->code : RG_TILE_CALL;
    ins->narrow = !rg_shape_equal(*node->shape, *t->space);
    t->whole = t->whole || ins->narrow || ins->code > RG_TILE_CALL;
    if (ins->code == RG_TILE_SOFTMAX && ((const rg_attr_softmax *)node->attr)->or_zero)
        ins->code = RG_TILE_SOFTMAX_OR_ZERO;
    if (!known && !(ins->call = call_of(c, node)))
        return false;
    if (known && known->constants == NUMBER)
        ins->c0 = ((const rg_attr_real *)node->attr)->c;
    if (known && known->constants == RANGE) {
        ins->c0 = ((const rg_attr_range *)node->attr)->lo;
        ins->c1 = ((const rg_attr_range *)node->attr)->hi;
    }
    for (uint32_t k = 0; k < node->n_in; k++)
        ins->in[k] = c->value[node->in[k]] - 1;
    t->node[t->n_ins++] = id;
    c->value[id] = (uint32_t)(t->n_operand + t->n_ins);
    if (c->escapes[id])
        t->result[t->n_result++] = id;
    return true;
}

static void forget_values(struct tile *t)
{
    rg_code *c = t->c;
    for (uint32_t m = c->first[t->unit]; m < c->first[t->unit + 1]; m++) {
        const rg_node *node = &c->p->node[c->member[m]];
        c->value[c->member[m]] = 0;
        for (uint32_t k = 0; k < node->n_in; k++)
            c->value[node->in[k]] = 0;
    }
}

/* ---- Where they lie ------------------------------------------------------------------------- */

/* Strides of a value in the iteration space, 0 where it is broadcast. A sum may have lost its last
 * axis. */
static void strides_in(const struct tile *t, int64_t *stride, uint32_t id)
{
    const rg_code *c = t->c;
    const rg_shape *shape = c->p->node[id].shape, *space = t->space;
    int64_t own[RG_MAX_RANK] = { 0 };
    const int more = c->unit[id] == t->unit ? 0 : space->rank - shape->rank;
    rg_view_strides(own, &c->view[id], shape);
    for (int i = 0; i < space->rank; i++)
        stride[i] = i < more || i - more >= shape->rank || shape->dim[i - more] == 1
                        ? 0 : own[i - more];
}

static void find_strides(struct tile *t)
{
    rg_code *c = t->c;
    t->nest.n = t->n_operand + t->n_result;
    t->nest.rows = t->whole;
    for (size_t k = 0; k < t->n_operand; k++)
        strides_in(t, t->nest.stride + k * RG_MAX_RANK, t->operand[k]);
    for (size_t k = 0; k < t->n_result; k++)
        strides_in(t, t->nest.stride + (t->n_operand + k) * RG_MAX_RANK, t->result[k]);
    rg_nest_simplify(&t->nest, t->space);
    for (size_t k = 0; k < t->nest.n; k++) {
        const int64_t *s = t->nest.stride + k * RG_MAX_RANK + t->nest.rank - 2;
        if (k < t->n_operand) { /* one by one: holes stay zero, sources are compared by bytes */
            t->in[k].kind = (rg_kind)c->p->node[t->operand[k]].kind;
            t->in[k].row = s[0];
            t->in[k].col = s[1];
        } else {
            t->out[k - t->n_operand] = (rg_tile_result){
                .value = c->value[t->result[k - t->n_operand]] - 1, .row = s[0], .col = s[1] };
        }
    }
}

/* Alike in all loops? A window that outer ones read again is like a slab in the last two. */
static bool go_alike(const struct tile *t, size_t r, size_t k)
{
    const int64_t *in = t->nest.stride + k * RG_MAX_RANK;
    const int64_t *out = t->nest.stride + (t->n_operand + r) * RG_MAX_RANK;
    for (int i = 0; i < t->nest.rank; i++)
        if (t->nest.dim[i] != 1 && in[i] != out[i])
            return false;
    return true;
}

/* May this result take over that operand's memory? It dies here, is all of its buffer, nobody else
 * reads it now, and the program is done with an element before it writes there. */
static bool may_take_over(struct tile *t, const rg_tile_source *source, size_t r, size_t k)
{
    rg_code *c = t->c;
    const uint32_t out = t->result[r], in = t->operand[k], base = c->view[in].base;
    const rg_buffer *b = &c->buffer[base];
    if (c->view[out].base != out || base >= c->p->n_node || c->form[base] != RG_COMPUTED ||
        c->view[in].stride || b->bytes != c->buffer[out].bytes ||
        b->death != c->interval[t->unit] || b->readers != 1 || b->reader != t->unit ||
        !go_alike(t, r, k) || !rg_tile_may_overwrite(source, r, k) ||
        !rg_tile_overwrites_free(source, r, k))
        return false;
    for (size_t j = 0; j < t->n_operand; j++)
        if (j != k && c->view[t->operand[j]].base == base)
            return false;
    for (size_t j = 0; j < t->n_result; j++)
        if (t->out[j].over == k + 1)
            return false;
    return true;
}

/* Results that plan/over.c has put over an operand. */
static bool lies_over(const struct tile *t, size_t r, size_t k)
{
    const rg_view *out = &t->c->view[t->result[r]], *in = &t->c->view[t->operand[k]];
    return out->base == in->base && out->offset == in->offset;
}

static void take_over(struct tile *t, const rg_tile_source *source)
{
    for (size_t r = 0; r < t->n_result; r++)
        for (size_t k = 0; k < t->n_operand && !t->out[r].over; k++)
            if (lies_over(t, r, k))
                t->out[r].over = (uint32_t)k + 1;
    for (size_t r = 0; r < t->n_result && t->c->in_place; r++)
        for (size_t k = 0; k < t->n_operand && !t->out[r].over; k++)
            if (may_take_over(t, source, r, k)) {
                t->out[r].over = (uint32_t)k + 1;
                t->c->buffer[t->result[r]].same_as = t->c->view[t->operand[k]].base;
            }
}

/* ---- The step ------------------------------------------------------------------------------- */

static rg_share share_of(const rg_task *s, uint32_t k)
{
    const struct detail *d = s->detail;
    return rg_nest_share(&d->nest, k, d->item[k], d->by_cols, d->a_part);
}

/* Pieces of at least so many elements, few rows in narrower ones; neighbouring ones that a thread
 * owns run as one. */
enum { PIECE = 512, WIDE = 4096 };

/* Softmax and its like count ten an element. */
static double flop_of_row(const struct tile *t, int64_t cols)
{
    double flop = 0;
    for (size_t k = 0; k < t->n_ins; k++)
        flop += t->ins[k].code > RG_TILE_MAX ? 10.0 * (double)cols
              : t->ins[k].code <= RG_TILE_CALL && t->ins[k].narrow ? 1 : (double)cols;
    return flop;
}

static void cut(const struct tile *t, struct detail *d, rg_task *s)
{
    d->by_cols = !t->whole && (d->rows == 1 || (d->rows <= RG_FEW_ROWS && d->nest.rank == 2 &&
                                                d->cols >= 2 * RG_BLOCK));
    d->a_part = d->by_cols ? d->cols <= WIDE ? RG_BLOCK : PIECE
                           : d->cols ? rg_div_up(PIECE, d->cols) : PIECE;
    d->parts_a_turn = rg_div_up(d->by_cols ? d->cols : d->rows, d->a_part);
    s->parts = rg_nest_outer(&d->nest) * d->parts_a_turn;
    s->flop = (double)rg_nest_outer(&d->nest) * (double)d->rows * flop_of_row(t, d->cols);
    s->unit = 1 + (uint64_t)(s->flop / (double)s->parts / 8);
    s->blocks = d->by_cols && d->a_part == RG_BLOCK && d->nest.rank == 2;
    s->share = share_of;
}

/* Which member a step is named after: the last of those that are more, forward nodes or nodes of
 * gradients. */
static uint32_t speaker_of(const rg_code *c, uint32_t unit, const rg_shape *space)
{
    const uint32_t last = rg_unit_last(c, unit), n = c->first[unit + 1] - c->first[unit];
    uint32_t gradients = 0;
    for (uint32_t m = c->first[unit]; m < c->first[unit + 1]; m++)
        gradients += c->p->node[c->member[m]].origin != 0;
    for (uint32_t m = c->first[unit + 1]; m-- > c->first[unit];) {
        const rg_node *node = &c->p->node[c->member[m]];
        if ((node->origin != 0) == (2 * gradients > n) &&
            rg_shape_equal(*node->shape, *space))
            return c->member[m];
    }
    return last;
}

static rg_status add_step(struct tile *t, const rg_tile_program *program)
{
    rg_code *c = t->c;
    const size_t n = t->nest.n;
    struct detail d = { .program = program, .nest = t->nest, .n_data = n,
                        .head = rg_round_up(n * sizeof(void *), RG_ALIGN),
                        .rows = t->nest.dim[t->nest.rank - 2],
                        .cols = t->nest.dim[t->nest.rank - 1] };
    rg_task *s = rg_task_new(c, run_tile, "tile", speaker_of(c, t->unit, t->space), n,
                              sizeof d);
    uint32_t *node = rg_arena_get(c->arena, t->n_ins * sizeof *node);
    d.nest.stride = rg_arena_get(c->arena, n * RG_MAX_RANK * sizeof *d.nest.stride);
    d.item = rg_arena_get(c->arena, n * sizeof *d.item);
    if (!s || !node || !d.nest.stride || !d.item)
        return rg_lower_no_memory(c);
    memcpy(node, t->node, t->n_ins * sizeof *node);
    memcpy(d.nest.stride, t->nest.stride, n * RG_MAX_RANK * sizeof *d.nest.stride);
    d.node = node;
    s->n_in = (uint32_t)t->n_operand;
    s->n_out = (uint32_t)t->n_result;
    for (size_t k = 0; k < n; k++) {
        const uint32_t id = k < t->n_operand ? t->operand[k] : t->result[k - t->n_operand];
        d.item[k] = rg_kind_size((rg_kind)c->p->node[id].kind, c->p->real);
        s->arg[k] = rg_ref_of(c, id);
        s->bytes += (double)rg_shape_count(*c->p->node[id].shape) * (double)d.item[k];
    }
    cut(t, &d, s);
    memcpy((void *)(uintptr_t)s->detail, &d, sizeof d);
    rg_line *line = rg_task_rows(c, s, run_tile_rows, rg_nest_rows(&d.nest));
    for (size_t k = 0; k < n && line; k++)
        line[k] = rg_nest_line(&d.nest, k, d.item[k]);
    if (!line)
        return rg_lower_no_memory(c);
    rg_need_scratch(c, d.head + rg_tile_scratch(program));
    return RG_OK;
}

/* Those that no other member reads come last: a result that lies over an operand is best written
 * when that has been read. */
static bool add_instructions(struct tile *t)
{
    rg_code *c = t->c;
    const uint32_t *member = c->member + c->first[t->unit];
    const uint32_t n = c->first[t->unit + 1] - c->first[t->unit];
    enum { READ = UINT32_MAX };
    for (uint32_t m = 0; m < n; m++)
        for (uint32_t k = 0; k < c->p->node[member[m]].n_in; k++)
            if (c->unit[c->p->node[member[m]].in[k]] == t->unit)
                c->value[c->p->node[member[m]].in[k]] = READ;
    for (int last = 0; last < 2; last++)
        for (uint32_t m = 0; m < n; m++)
            if ((last ? c->value[member[m]] == 0 : c->value[member[m]] == READ) &&
                !add_instruction(t, member[m]))
                return false;
    return true;
}

static rg_status build(struct tile *t)
{
    rg_code *c = t->c;
    const rg_tile_program *program;
    find_operands(t);
    if (!add_instructions(t))
        return rg_lower_no_memory(c);
    if (t->n_result == 0)
        return RG_OK;
    find_strides(t);
    const rg_tile_source source = {
        .real = c->p->real, .rows = t->nest.dim[t->nest.rank - 2],
        .cols = t->nest.dim[t->nest.rank - 1], .in = t->in, .n_in = t->n_operand, .ins = t->ins,
        .n_ins = t->n_ins, .out = t->out, .n_out = t->n_result,
    };
    take_over(t, &source);
    rg_status st = rg_lower_program(c, &source, &program);
    return st ? st : add_step(t, program);
}

rg_status rg_lower_tile(rg_code *c, uint32_t unit)
{
    struct tile t = { .c = c, .unit = unit, .space = space_of(c, unit) };
    if (rg_shape_count(*t.space) == 0)
        return RG_OK;
    rg_status st = take_memory(&t) ? build(&t) : rg_lower_no_memory(c);
    forget_values(&t);
    rg_release(&c->alloc, t.memory, t.bytes);
    return st;
}
