/* tests/plan/programs.c -- an evaluator of programs that shares nothing with plans but the kernels
 * that each operation is defined by. */
#include "tests/plan/programs.h"

#include "base/checked.h"
#include "ops/ops.h"
#include "plan/pipeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const tested_pass tested_passes[] = {
    { "fold", rg_pass_fold, false },
    { "cse", rg_pass_cse, true },
    { "dce", rg_pass_dce, true },
    { "split", rg_pass_split, false },
    { "join", rg_pass_join, false },
    { "reduce", rg_pass_reduce, false },
    { "pack", rg_pass_pack, true },
    { "batch", rg_pass_batch, true },
    { "accumulate", rg_pass_accumulate, true },
    { "recompute", rg_pass_recompute, false }, /* the order of sums */
    { "chunk", rg_pass_chunk, false },
    { "columns", rg_pass_columns, true },
    { "remat", rg_pass_remat, true },
    { "fuse", rg_pass_fuse, true },
};
const size_t n_tested_passes = sizeof tested_passes / sizeof *tested_passes;

bool tested_passes_are_all(void)
{
    size_t k = 0;
    for (size_t i = 0; rg_pipeline_name(i); i++)
        if (rg_pipeline_pass(i) && (k == n_tested_passes ||
                                    rg_pipeline_pass(i) != tested_passes[k].run ||
                                    strcmp(rg_pipeline_name(i), tested_passes[k++].name) != 0))
            return false;
    return k == n_tested_passes;
}

/* ---- Programs ------------------------------------------------------------------------------- */

static void *count_get(void *user, size_t bytes, size_t align)
{
    program *p = user;
    void *block = p->under.get(p->under.user, bytes, align);
    p->taken += block ? bytes : 0;
    return block;
}

static void count_release(void *user, void *block, size_t bytes)
{
    program *p = user;
    p->taken -= bytes;
    p->under.release(p->under.user, block, bytes);
}

rg_status program_make(program *p, const random_graph *r, bool fold, bool cse, bool dce)
{
    const rg_alloc alloc = { count_get, count_release, p };
    *p = (program){ .made = false };
    (void)rg_alloc_resolve(&p->under, NULL);
    rg_status st = rg_prog_create(&p->prog, r->graph, r->root, r->n_root, RG_TRAIN, RG_F64, &alloc,
                                  &alloc, &p->err);
    p->made = !st;
    p->prog.recompute = r->again;
    p->prog.fold = fold;
    p->prog.cse = cse;
    p->prog.dce = dce;
    p->prog.chunk = 2; /* graphs here are small */
    return st;
}

rg_status program_pass(program *p, const tested_pass *pass)
{
    rg_status st = pass->run(&p->prog, &p->err);
    return st ? st : rg_prog_verify(&p->prog, &p->err);
}

bool program_free(program *p)
{
    if (p->made)
        rg_prog_destroy(&p->prog);
    p->made = false;
    return p->taken == 0;
}

void program_print(const program *p)
{
    for (uint32_t id = 1; id < p->prog.n_node; id++) {
        const rg_node *node = &p->prog.node[id];
        char text[RG_SHAPE_TEXT];
        (void)printf("  %%%u %s", (unsigned)id, rg_shape_text(text, node->shape));
        (void)printf(" = %s", node->op->name);
        for (uint32_t k = 0; k < node->n_in; k++)
            (void)printf(" %%%u", (unsigned)node->in[k]);
        (void)printf("\n");
    }
}

/* ---- Running -------------------------------------------------------------------------------- */

/* One evaluation; memory is taken from one block, in order. */
struct machine {
    const rg_prog      *p;
    const random_graph *r;
    void  **value;
    char   *memory;
    size_t  used;
    uint64_t blur;    /* state of the noise, 0 = none */
    bool     coherent;
};

static size_t bytes_of(const rg_node *node)
{
    return ((size_t)rg_shape_count(*node->shape) * rg_kind_size((rg_kind)node->kind, RG_F64) + 16) /
           16 * 16;
}

static void *take(struct machine *m, size_t bytes)
{
    void *out = m->memory + m->used;
    m->used += bytes;
    return out;
}

static void fill_input(struct machine *m, uint32_t id)
{
    const rg_node *node = &m->p->node[id];
    const int64_t n = rg_shape_count(*node->shape);
    for (size_t i = 0; i < m->r->n_input; i++) {
        const uint32_t at = m->r->input[i].id;
        if (at >= m->p->n_of_graph || m->p->of_graph[at] != id)
            continue;
        const double *x = m->r->data[i];
        for (int64_t k = 0; k < n; k++)
            if (node->kind == RG_F)
                ((double *)m->value[id])[k] = x[k];
            else if (node->kind == RG_INT)
                ((int32_t *)m->value[id])[k] = (int32_t)x[k];
            else
                ((uint8_t *)m->value[id])[k] = x[k] != 0;
        return;
    }
    abort();
}

static const void *operand(struct machine *m, const rg_node *node, uint32_t k)
{
    const rg_node *from = &m->p->node[node->in[k]];
    const void *data = m->value[node->in[k]];
    if (!(node->op->flags & RG_OP_ELEMENTWISE) || rg_shape_equal(*from->shape, *node->shape))
        return data;
    const size_t item = rg_kind_size((rg_kind)from->kind, RG_F64);
    void *wide = take(m, (size_t)rg_shape_count(*node->shape) * item / 16 * 16 + 32);
    rg_shape_spread(wide, data, from->shape, node->shape, item);
    return wide;
}

static int run_node(struct machine *m, uint32_t id)
{
    enum { MOST = 4096 };
    static rg_shape shape[MOST];
    static const void *in[MOST];
    const rg_node *node = &m->p->node[id];
    const size_t mark = m->used;
    if (node->n_in > MOST)
        abort();
    for (uint32_t k = 0; k < node->n_in; k++) {
        shape[k] = *m->p->node[node->in[k]].shape;
        in[k] = operand(m, node, k);
    }
    const rg_kernel_args args = {
        .n = rg_shape_count(*node->shape), .out = m->value[id], .in = in, .n_in = node->n_in,
        .in_shape = shape, .out_shape = node->shape, .attr = node->attr,
        .item = rg_kind_size((rg_kind)node->kind, RG_F64), .seed = m->r->params->seed, .run = 1,
    };
    const int code = node->op->kernel_f64(&args);
    m->used = mark;
    return code;
}

/* In [-1, 1). */
static double noise(struct machine *m)
{
    m->blur = m->blur * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(m->blur >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

/* A value as f32 could have it: each element off by up to four roundings. */
static void blur(struct machine *m, uint32_t id)
{
    const double ulp = 4 * 0x1p-24;
    double *x = m->value[id], same = m->blur ? noise(m) : 0;
    for (int64_t k = rg_shape_count(*m->p->node[id].shape); k-- > 0 && m->blur;)
        x[k] += ulp * x[k] * (m->coherent ? same : noise(m));
}

static int run_all(struct machine *m)
{
    int code = 0;
    for (uint32_t id = 1; id < m->p->n_node && !code; id++) {
        const rg_node *node = &m->p->node[id];
        if (node->op == &rg_op_param) {
            m->value[id] = ((const rg_attr_param *)node->attr)->slot->data;
            continue;
        }
        m->value[id] = take(m, bytes_of(node));
        if (node->op == &rg_op_input)
            fill_input(m, id);
        else if (rg_node_is_constant(node))
            rg_plan_fill_constant(m->value[id], node, RG_F64);
        else
            code = run_node(m, id);
        if (node->kind == RG_F && node->op != &rg_op_input)
            blur(m, id);
    }
    return code;
}

static void add_root(root_values *v, const void *data, rg_kind kind, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        v->x[v->n++] = kind == RG_INT ? ((const int32_t *)data)[k]
                     : kind == RG_BOOL ? ((const uint8_t *)data)[k] : ((const double *)data)[k];
}

static root_values run_blurred(program *p, const random_graph *r, uint64_t state, bool coherent)
{
    size_t total = 0, widest = 0, elements = 0;
    for (uint32_t id = 1; id < p->prog.n_node; id++) {
        const size_t n = bytes_of(&p->prog.node[id]) + 32;
        const size_t spread = 8 * n * (p->prog.node[id].n_in + 1); /* of bools to reals */
        total += n;
        widest = spread > widest ? spread : widest;
    }
    for (size_t i = 0; i < p->prog.n_root; i++)
        elements += (size_t)rg_shape_count(*p->prog.node[p->prog.root[i]].shape);
    struct machine m = { .p = &p->prog, .r = r, .blur = state, .coherent = coherent,
                         .value = calloc(p->prog.n_node, sizeof *m.value),
                         .memory = aligned_alloc(64, (total + widest + 63) / 64 * 64 + 64) };
    root_values v = { .x = calloc(elements + 1, sizeof *v.x) };
    if (!m.value || !m.memory || !v.x)
        abort();
    v.status = run_all(&m);
    for (size_t i = 0; i < p->prog.n_root && !v.status; i++) {
        const uint32_t id = p->prog.root[i];
        add_root(&v, m.value[id], (rg_kind)p->prog.node[id].kind,
                 rg_shape_count(*p->prog.node[id].shape));
    }
    free(m.value);
    free(m.memory);
    return v;
}

root_values program_run(program *p, const random_graph *r)
{
    return run_blurred(p, r, 0, false);
}

double program_spread(program *p, const random_graph *r)
{
    double worst = 0;
    root_values exact = program_run(p, r);
    for (uint64_t run = 0; run < 4 && !exact.status; run++) {
        root_values other = run_blurred(p, r, run + 1, run % 2);
        const double off = other.status ? 0 : values_apart(r, &exact, &other);
        worst = isfinite(off) ? fmax(worst, off) : worst;
        free(other.x);
    }
    free(exact.x);
    return worst;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static double apart(const double *a, const double *b, size_t n)
{
    double scale = 1, worst = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(a[i]))
            scale = fmax(scale, fabs(a[i]));
    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]) != isnan(b[i]) || isinf(a[i]) != isinf(b[i]) ||
            (isinf(a[i]) && a[i] != b[i]))
            return INFINITY;
        if (isfinite(a[i]))
            worst = fmax(worst, fabs(a[i] - b[i]) / scale);
    }
    return worst;
}

double values_apart(const random_graph *r, const root_values *a, const root_values *b)
{
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < r->n_root; i++) {
        const size_t n = (size_t)rg_shape_count(rg_shape_of(r->root[i]));
        worst = fmax(worst, apart(a->x + at, b->x + at, n));
        at += n;
    }
    return worst;
}

bool values_same(const root_values *a, const root_values *b, bool signs)
{
    for (size_t i = 0; i < a->n; i++) {
        const bool bits = memcmp(&a->x[i], &b->x[i], sizeof a->x[i]) == 0;
        if (!bits && !(isnan(a->x[i]) && isnan(b->x[i])) && (signs || a->x[i] != b->x[i]))
            return false;
    }
    return true;
}
