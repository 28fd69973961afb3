/* plan/lower_product.c -- matrix products: packed weights, rows in place, or BLAS.
 *
 * f32 products run in our own kernel (kernels/product.h): its bits depend on a row alone. Right
 * operands are packed where it pays (lower_pack.c). f64 products, and small ones whose right
 * operand lies across, go to BLAS in fixed panels. */
#include "plan/lower_product.h"

#include "base/checked.h"
#include "kernels/gemm.h"
#include "kernels/product.h"
#include "ops/ops.h"
#include "plan/made.h"

#include <string.h>

/* Leading axes in which the rows of A and C go on become rows, if B is the same for them. */
static void merge_rows(struct rg_extents *e)
{
    while (e->batch > 0) {
        const int i = e->batch - 1;
        if (e->dim[i] != 1 && (e->stride[1][i] != 0 || e->stride[0][i] != e->a_m * e->m ||
                               e->stride[2][i] != e->c_m * e->m))
            return;
        e->m *= e->dim[i];
        e->batch--;
    }
}

struct rg_extents rg_extents_of(const rg_code *c, const rg_node *node, uint32_t id)
{
    const rg_attr_matmul *t = node->attr;
    const rg_node *a = &c->p->node[node->in[0]], *b = &c->p->node[node->in[1]];
    const int ra = a->shape->rank, rb = b->shape->rank;
    int64_t sa[RG_MAX_RANK], sb[RG_MAX_RANK], sc[RG_MAX_RANK];
    rg_view_strides(sa, &c->view[node->in[0]], a->shape);
    rg_view_strides(sb, &c->view[node->in[1]], b->shape);
    rg_view_strides(sc, &c->view[id], node->shape);
    struct rg_extents e = {
        .m = node->shape->dim[ra - 2], .n = node->shape->dim[ra - 1],
        .k = a->shape->dim[t->transpose_a ? ra - 2 : ra - 1],
        .a_m = sa[t->transpose_a ? ra - 1 : ra - 2], .a_k = sa[t->transpose_a ? ra - 2 : ra - 1],
        .b_k = sb[t->transpose_b ? rb - 1 : rb - 2], .b_n = sb[t->transpose_b ? rb - 2 : rb - 1],
        .c_m = sc[ra - 2], .c_n = sc[ra - 1], .batch = ra - 2,
    };
    for (int i = 0; i + 2 < ra; i++) {
        e.dim[i] = node->shape->dim[i];
        e.stride[0][i] = sa[i];
        e.stride[1][i] = rb > 2 ? sb[i] : 0;
        e.stride[2][i] = sc[i];
    }
    if (!t->transpose_a)
        merge_rows(&e);
    return e;
}

static int64_t turns(const struct rg_extents *e)
{
    int64_t n = 1;
    for (int i = 0; i < e->batch; i++)
        n *= e->dim[i];
    return n;
}

/* Elements from the start of an operand to where turn i of the batch begins. */
static int64_t turn_offset(const struct rg_extents *e, int operand, int64_t i)
{
    int64_t at = 0;
    for (int k = e->batch; k-- > 0; i /= e->dim[k])
        at += i % e->dim[k] * e->stride[operand][k];
    return at;
}

/* Rows m0 .. m1, columns n0 .. n1 of what a product adds to, to where it is added. */
static void bring(char *to, int64_t to_row, const char *from, int64_t from_row, int64_t m0,
                  int64_t m1, int64_t n0, int64_t n1, int64_t item)
{
    for (int64_t r = m0; r < m1; r++)
        memcpy(to + (r * to_row + n0) * item, from + (r * from_row + n0) * item,
               (size_t)((n1 - n0) * item));
}

/* ---- Our own kernel ------------------------------------------------------------------------- */

/* A part: some rows, some columns, of one turn of the batch. Columns fall into `bands` bands; a
 * part has the same columns of each. */
struct own {
    const rg_product_kernels *kernels;
    struct rg_extents            e;
    rg_product                p;
    int64_t                   a_first, b_first;  /* elements in front of the first row of the sum */
    bool                      onto;     /* what it adds to lies elsewhere: argument 2 */
    int64_t                   onto_row;
    int64_t                   rows_a_part, cols_a_part, row_parts, col_parts, bands;
};

enum { COLUMNS = 1 << 20 };  /* operations that are worth a part */
enum { ROWS = 256, TALL = 128 };

enum { SOON = 16 };

/* What to fetch meanwhile of what the next steps read: as large a share of it as rows m0 .. m1,
 * columns n0 .. n1 are of all. Returns how much it is. */
static int64_t share_of_next(const rg_machine *m, const rg_task *s, rg_soon soon[SOON], int64_t m0,
                             int64_t m1, int64_t n0, int64_t n1)
{
    const rg_product *p = &((const struct own *)s->detail)->p;
    const int64_t first = m0 + (m1 - m0) * n0 / p->n, last = m0 + (m1 - m0) * n1 / p->n;
    const int64_t r0 = first * s->next_rows / p->m, r1 = last * s->next_rows / p->m;
    int64_t n = 0;
    for (uint32_t k = 0; k < s->n_next && k < SOON && r0 < r1; k++) {
        const rg_line l = s->next[k].line;
        const bool dense = l.width == l.pitch;
        const char *at = (const char *)rg_at(m, &s->next[k].ref) + r0 * l.pitch;
        soon[n++] = (rg_soon){ at, dense ? 1 : r1 - r0, l.pitch,
                               dense ? (r1 - r0) * l.width : l.width };
    }
    return n;
}

/* Rows m0 .. m1, columns n0 .. n1 of a turn. */
static void multiply(const rg_machine *m, const rg_task *s, int rank, int64_t turn, int64_t m0,
                     int64_t m1, int64_t n0, int64_t n1)
{
    const struct own *d = s->detail;
    const float *a = (const float *)rg_at(m, &s->arg[0]) + d->a_first;
    const float *b = (const float *)rg_at(m, &s->arg[1]) + d->b_first;
    float *c = rg_at(m, &s->arg[s->n_in]);
    rg_product p = d->p;
    rg_soon soon[SOON];
    if (d->onto)
        bring((char *)c, p.ldc, rg_at(m, &s->arg[2]), d->onto_row, m0, m1, n0, n1, 4);
    p.room = rg_scratch_of(m, rank);
    if (s->n_next) {
        p.soon = soon;
        p.n_soon = share_of_next(m, s, soon, m0, m1, n0, n1);
    }
    d->kernels->run(&p, a + turn_offset(&d->e, 0, turn), b + turn_offset(&d->e, 1, turn),
                    c + turn_offset(&d->e, 2, turn), m0, m1, n0, n1);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Neighbouring columns of the same rows run as one; all of them, as one without bands; and so do
 * neighbouring rows, up to ROWS. */
static int run_own(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct own *d = s->detail;
    const int64_t parts = d->row_parts * d->col_parts;
    if (d->row_parts == 1 && first == 0 && last == parts) { /* small ones should take no time */
        multiply(m, s, rank, 0, 0, d->p.m, 0, d->p.n);
        first = last;
    }
    while (first < last) {
        const int64_t turn = first / parts, row = first % parts / d->col_parts;
        const int64_t col = first % d->col_parts, n = smaller(last - first, d->col_parts - col);
        const int64_t whole = smaller((last - first) / d->col_parts, d->row_parts - row);
        const int64_t most = ROWS / d->rows_a_part;
        const int64_t rows = col || !whole || !most ? 1 : smaller(whole, most);
        const int64_t m0 = row * d->rows_a_part, m1 = smaller(m0 + rows * d->rows_a_part, d->p.m);
        const int64_t bands = n == d->col_parts ? 1 : d->bands, band = d->p.n / bands;
        const int64_t from = col * d->cols_a_part;
        const int64_t to = bands < d->bands ? band : smaller(from + n * d->cols_a_part, band);
        for (int64_t i = 0; i < bands; i++) {
            const int64_t at = (d->p.descending ? bands - 1 - i : i) * band;
            multiply(m, s, rank, turn, m0, m1, at + from, at + to);
        }
        first += n + (rows - 1) * d->col_parts;
    }
    return 0;
}

/* Rows of the matrix, or of the first axis of the batch. */
static int run_own_rows(const rg_machine *m, const rg_task *s, int64_t first, int64_t last,
                        int rank)
{
    const struct own *d = s->detail;
    const int64_t turns = s->parts / s->rows;
    if (d->e.batch > 0)
        return run_own(m, s, first * turns, last * turns, rank);
    multiply(m, s, rank, 0, first, last, 0, d->p.n);
    return 0;
}

/* Bytes of one index of the batch from its first axis on, or of one row. */
static rg_line line_of(const struct rg_extents *e, int operand, int64_t rows, int64_t cols,
                       int64_t row_step, int64_t col_step)
{
    const int64_t item = sizeof(float);
    int64_t width = (cols - 1) * col_step + 1;
    if (e->batch == 0)
        return (rg_line){ row_step * item, width * item };
    width += (rows - 1) * row_step;
    for (int i = 1; i < e->batch; i++)
        width += (e->dim[i] - 1) * e->stride[operand][i];
    return (rg_line){ e->stride[operand][0] * item, width * item };
}

static bool add_rows(rg_code *c, rg_task *s, const struct own *d)
{
    const struct rg_extents *e = &d->e;
    rg_line *line = rg_task_rows(c, s, run_own_rows, e->batch > 0 ? e->dim[0] : e->m);
    if (!line)
        return false;
    line[0] = line_of(e, 0, e->m, e->k, e->a_m, e->a_k);
    if (e->batch > 0)
        line[1] = line_of(e, 1, e->k, e->n, e->b_k, e->b_n);
    if (d->onto)
        line[2] = line_of(e, 2, e->m, e->n, d->onto_row, 1);
    line[s->n_in] = line_of(e, 2, e->m, e->n, e->c_m, e->c_n);
    s->shared = line[1].pitch ? 0 : (double)e->k * (double)e->n * sizeof(float);
    return true;
}

/* What parts touch of an argument. Padded rows of several bands have no slot in common. */
static rg_share share_of_own(const rg_task *s, uint32_t k)
{
    const struct own *d = s->detail;
    const int64_t item = sizeof(float), band = d->p.n / d->bands;
    const int64_t ld = k == 2 && d->onto ? d->onto_row : d->p.ldc;
    rg_share share = { .pitch = 0 };
    if (d->e.batch > 0 || k == 1)
        return share;
    if (k == 0) {
        share.bytes = ((d->p.m - 1) * d->p.a_row + (d->p.k - 1) * d->p.a_k + 1) * item;
        return share;
    }
    share.bytes = ((d->p.m - 1) * ld + d->p.n) * item;
    if (d->row_parts > 1 || (d->bands > 1 && d->p.m > 1 && ld != d->p.n))
        return share;
    share.pitch = d->cols_a_part * item;
    share.slot = d->bands > 1 ? band * item : d->p.m > 1 ? ld * item : 0;
    return share;
}

/* Parts of about COLUMNS operations: at most ROWS rows, then as many panels as make one up. Few
 * rows take longer than their operations, for weights are read for them alone. */
static void cut_own(struct own *d, rg_task *s, int64_t bands)
{
    const int64_t panel = d->kernels->panel;
    /* of a tall A, cut by rows, each thread reads its own share alone */
    const int64_t most = d->p.m > d->p.n && d->p.m >= TALL ? TALL / 2 : ROWS;
    d->rows_a_part = rg_div_up(d->p.m, rg_div_up(d->p.m, most));
    const double work = 2.0 * (double)d->rows_a_part * (double)panel * (double)(d->p.k + 1);
    const int64_t panels = work < COLUMNS ? (int64_t)(COLUMNS / work) : 1;
    const bool few = d->e.batch == 0 && d->p.m <= RG_FEW_ROWS;
    d->bands = few && d->p.n / bands % RG_BLOCK == 0 ? bands : 1;
    d->cols_a_part = few ? RG_BLOCK : panels * panel;
    d->row_parts = rg_div_up(d->p.m, d->rows_a_part);
    d->col_parts = rg_div_up(d->p.n / d->bands, d->cols_a_part);
    s->parts = turns(&d->e) * d->row_parts * d->col_parts;
    s->blocks = few;
    s->share = share_of_own;
}

/* ---- BLAS ----------------------------------------------------------------------------------- */

struct blas {
    struct rg_extents e;
    rg_gemm_shape  shape;
    int64_t        panels, onto_row;
    size_t         item;
    bool           onto;     /* argument 2 is brought first; then the product is one part */
};

static int run_blas(const rg_machine *m, const rg_task *s, int64_t first, int64_t last, int rank)
{
    const struct blas *d = s->detail;
    const int64_t item = (int64_t)d->item;
    (void)rank;
    if (d->onto) {
        bring(rg_at(m, &s->arg[s->n_in]), d->shape.ldc, rg_at(m, &s->arg[2]), d->onto_row, 0,
              d->shape.m, 0, d->shape.n, item);
        last = d->panels;
    }
    for (; first < last; first++) {
        const int64_t turn = first / d->panels;
        rg_gemm_panel(&d->shape, first % d->panels,
                      (const char *)rg_at(m, &s->arg[0]) + turn_offset(&d->e, 0, turn) * item,
                      (const char *)rg_at(m, &s->arg[1]) + turn_offset(&d->e, 1, turn) * item,
                      (char *)rg_at(m, &s->arg[s->n_in]) + turn_offset(&d->e, 2, turn) * item);
    }
    return 0;
}

/* Rows apart by `outer`, elements of a row beside each other? Extents of one have no stride. */
static bool lies_along(int64_t rows, int64_t cols, int64_t outer, int64_t inner)
{
    return (cols == 1 || inner == 1) && (rows == 1 || outer >= cols);
}

static int64_t leading(int64_t rows, int64_t cols, int64_t outer)
{
    return rows == 1 || outer < cols ? (cols > 0 ? cols : 1) : outer;
}

bool rg_matrix_lies(const int64_t *stride, const rg_shape *shape)
{
    const int64_t r = shape->dim[shape->rank - 2], k = shape->dim[shape->rank - 1];
    const int64_t s = stride[shape->rank - 2], t = stride[shape->rank - 1];
    return lies_along(r, k, s, t) || lies_along(k, r, t, s);
}

static rg_gemm_shape gemm_shape(const rg_code *c, const struct rg_extents *e, bool accumulate)
{
    rg_gemm_shape s = { .real = c->p->real, .accumulate = accumulate, .isa = rg_cpu_isa(),
                        .m = e->m, .n = e->n, .k = e->k };
    s.transpose_a = !lies_along(e->m, e->k, e->a_m, e->a_k);
    s.transpose_b = !lies_along(e->k, e->n, e->b_k, e->b_n);
    s.lda = s.transpose_a ? leading(e->k, e->m, e->a_k) : leading(e->m, e->k, e->a_m);
    s.ldb = s.transpose_b ? leading(e->n, e->k, e->b_n) : leading(e->k, e->n, e->b_k);
    s.ldc = leading(e->m, e->n, e->c_m);
    return s;
}

/* ---- The step ------------------------------------------------------------------------------- */

static void set_costs(rg_task *s, const struct rg_extents *e, size_t item)
{
    const double turn = (double)turns(e);
    s->flop = 2 * turn * (double)e->m * (double)e->n * (double)e->k;
    s->bytes = turn * (double)item * ((double)e->m * (double)e->k + (double)e->k * (double)e->n +
                                      (double)e->m * (double)e->n);
    s->unit = 1 + (uint64_t)(s->flop / (double)(s->parts ? s->parts : 1) / 100);
}

/* Operands and result; what is added to is an operand where it lies elsewhere. */
static void set_args(rg_code *c, rg_task *s, uint32_t id, const rg_packed *packed, bool onto)
{
    const rg_node *node = &c->p->node[id];
    s->n_in = onto ? 3 : 2;
    s->n_out = 1;
    s->arg[0] = rg_ref_of(c, node->in[0]);
    s->arg[1] = packed ? (rg_ref){ packed->buffer, 0 } : rg_ref_of(c, node->in[1]);
    if (onto)
        s->arg[2] = rg_ref_of(c, node->in[2]);
    s->arg[s->n_in] = rg_ref_of(c, id);
}

/* Elements from one row to the next of what a product adds to. */
static int64_t onto_row(const rg_code *c, const rg_node *node)
{
    int64_t stride[RG_MAX_RANK];
    rg_view_strides(stride, &c->view[node->in[2]], node->shape);
    return stride[node->shape->rank - 2];
}

static bool lies_elsewhere(const rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    return rg_is_onto(node) && (c->view[node->in[2]].base != c->view[id].base ||
                                             c->view[node->in[2]].offset != c->view[id].offset);
}

/* The sum over k from the last row to the first. What is packed lies so already. */
static void turn_round(struct own *d)
{
    d->a_first = (d->p.k - 1) * d->p.a_k;
    d->b_first = (d->p.k - 1) * d->p.b_k;
    d->p.a_k = -d->p.a_k;
    d->p.b_k = -d->p.b_k;
}

static rg_status lower_own(rg_code *c, uint32_t id, const struct rg_extents *e, rg_packed *packed)
{
    const rg_node *node = &c->p->node[id];
    const uint32_t interval = c->interval[c->unit[id]];
    struct own d = { .kernels = rg_product_table(rg_cpu_isa()), .e = *e,
                     .onto = lies_elsewhere(c, id) };
    if (packed && !packed->buffer) {
        rg_status st = rg_lower_pack(c, packed, e, interval);
        if (st)
            return st;
    }
    rg_task *s = rg_task_new(c, run_own, "product", id, 4, sizeof d);
    if (!s)
        return rg_lower_no_memory(c);
    d.p = (rg_product){ .m = e->m, .n = e->n, .k = e->k, .a_row = e->a_m, .a_k = e->a_k,
                        .b_k = packed ? 0 : leading(e->k, e->n, e->b_k),
                        .ldc = leading(e->m, e->n, e->c_m),
                        .accumulate = node->op == &rg_op_matmul_add,
                        .resume = rg_is_onto(node) && node->op == &rg_op_matmul_stretch,
                        .descending = packed && packed->descending };
    rg_need_scratch(c, (size_t)rg_product_room(d.kernels, &d.p) * sizeof(float));
    if (packed)
        packed->descending = !packed->descending;
    if (rg_sums_backwards(c->p, node))
        turn_round(&d);
    s->fetches = e->batch == 0 && e->m > 1; /* one row waits for memory itself */
    d.onto_row = d.onto ? onto_row(c, node) : 0;
    set_args(c, s, id, packed, d.onto);
    if (packed && c->buffer[packed->buffer].death < interval)
        c->buffer[packed->buffer].death = interval;
    cut_own(&d, s, rg_bands_of(c, id));
    set_costs(s, e, sizeof(float));
    *(struct own *)(uintptr_t)s->detail = d;
    return add_rows(c, s, &d) ? RG_OK : rg_lower_no_memory(c);
}

static rg_status lower_blas(rg_code *c, uint32_t id, const struct rg_extents *e)
{
    const rg_node *node = &c->p->node[id];
    struct blas d = { .e = *e, .shape = gemm_shape(c, e, rg_is_onto(node)),
                      .item = rg_dtype_size(c->p->real), .onto = lies_elsewhere(c, id) };
    char scope[RG_SCOPE_TEXT];
    rg_status st = rg_gemm_check(&d.shape, c->err);
    if (st) {
        rg_scope_text(scope, c->p->graph, node->scope);
        if (*scope)
            rg_err_prefix(c->err, scope);
        return st;
    }
    rg_task *s = rg_task_new(c, run_blas, "blas", id, 4, sizeof d);
    if (!s)
        return rg_lower_no_memory(c);
    d.panels = rg_gemm_panels(&d.shape);
    d.onto_row = d.onto ? onto_row(c, node) : 0;
    set_args(c, s, id, NULL, d.onto);
    s->parts = d.onto ? 1 : turns(e) * d.panels;
    set_costs(s, e, d.item);
    *(struct blas *)(uintptr_t)s->detail = d;
    return RG_OK;
}

rg_status rg_lower_matmul(rg_code *c, uint32_t id)
{
    const rg_node *node = &c->p->node[id];
    const struct rg_extents e = rg_extents_of(c, node, id);
    rg_packed *packed = rg_find_packed(c, node);
    if (packed && !packed->on)
        packed = NULL;
    const bool along = e.b_n == 1 || e.n == 1 || packed;
    const bool own = rg_own_kernel(c) && e.k > 0 && along &&
                     (c->opts->portable || packed || e.n > 1);
    return own ? lower_own(c, id, &e, packed) : lower_blas(c, id, &e);
}
