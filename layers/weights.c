/* layers/weights.c -- the parameters of built-in cells, and how they start (docs/MATH.md 7). */
#include "layers/cell.h"

#include "base/checked.h"
#include "base/philox.h"
#include "graph/init_matrix.h"

#include <math.h>
#include <stdio.h>

/* ---- Initialisers --------------------------------------------------------------------------- */

/* b = a·ln τ, τ ~ U(1, b-1): the lags that a unit starts with. All gates of a cell draw the same τ.
 * Tallec & Ollivier, "Can recurrent neural networks warp time?", 2018. */
static rg_status chrono_fill(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                             const char *name)
{
    uint64_t tail = rg_fnv1a(self->user);
    (void)name;
    for (int64_t i = 0; i < rg_shape_count(shape); i++) {
        double u = rg_draw_uniform(seed, RG_DOMAIN_INIT, tail, (uint64_t)i);
        w[i] = self->a * log(1 + u * (self->b - 2));
    }
    return RG_OK;
}

/* v ~ U(0, 1). */
static rg_status unit_fill(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                           const char *name)
{
    (void)self;
    for (int64_t i = 0; i < rg_shape_count(shape); i++)
        w[i] = rg_draw_uniform(seed, RG_DOMAIN_INIT, rg_fnv1a(name), (uint64_t)i);
    return RG_OK;
}

rg_init rg_init_unit(void)
{
    return (rg_init){ .fill = unit_fill };
}

void rg_param_bound(rg_val w, double bound)
{
    if (w.id)
        ((const rg_attr_param *)rg_node_at(w.graph, w.id)->attr)->slot->bound = bound;
}

/* Columns k·H .. (k+1)·H - 1 of one [R, G·H] matrix with orthonormal rows, as Keras makes it. */
typedef struct fused {
    const rg_alloc *alloc;
    const char     *name;    /* of the draw */
    size_t          gates;   /* G */
    double         *q;       /* drawn once per cell, by the first gate that is new */
    size_t          bytes;
} fused;

static bool fused_draw(fused *f, int64_t R, int64_t H, uint64_t seed)
{
    const rg_init normal = rg_init_normal(1);
    rg_shape shape = RG_SHAPE(R, (int64_t)f->gates * H);
    int64_t n;
    if (rg_numel(&shape, &n) || rg_bytes(n, sizeof *f->q, &f->bytes) ||
        !(f->q = rg_get(f->alloc, f->bytes)) ||
        normal.fill(&normal, f->q, shape, seed, f->name))
        return false;
    rg_orthonormalize(f->q, R, shape.dim[1]);
    return true;
}

static rg_status fused_fill(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                            const char *name)
{
    fused *f = *(fused *const *)self->user;
    int64_t R = shape.dim[0], H = shape.dim[1];
    int64_t width = (int64_t)f->gates * H, first = (int64_t)self->a * H;
    (void)name;
    if (!f->q && !fused_draw(f, R, H, seed))
        return RG_ENOMEM;
    for (int64_t i = 0; i < R; i++)
        for (int64_t j = 0; j < H; j++)
            w[i * H + j] = f->q[i * width + first + j];
    return RG_OK;
}

/* The three kinds of tensor of gate k, as the option `init` fills them. */

rg_init rg_cell_init_U(const rg_cell_site *s, size_t n)
{
    double H = (double)s->H;
    if (s->opts.init == RG_INIT_TORCH)
        return rg_init_uniform(1 / sqrt(H));
    if (s->opts.init == RG_INIT_KERAS)
        return rg_init_uniform(sqrt(6 / ((double)s->I + (double)n * H)));
    return rg_init_glorot();
}

static rg_init init_W(const rg_cell_site *s, size_t k, fused *const *shared)
{
    if (s->opts.init == RG_INIT_TORCH)
        return rg_init_uniform(1 / sqrt((double)s->H));
    if (s->opts.init == RG_INIT_KERAS)
        return (rg_init){ .fill = fused_fill, .a = (double)k, .user = shared };
    if (s->opts.init == RG_INIT_IRNN)
        return rg_init_identity(1);
    return rg_init_orthogonal(1);
}

static rg_init init_b(const rg_cell_site *s, const rg_gate_kind *kind, const char *chrono_name)
{
    if (s->opts.init == RG_INIT_TORCH)
        return rg_init_uniform(1 / sqrt((double)s->H));
    if (s->opts.init == RG_INIT_CHRONO && kind->chrono != 0)
        return (rg_init){ .fill = chrono_fill, .a = kind->chrono, .b = (double)s->opts.chrono_T,
                          .user = chrono_name };
    return rg_init_const(kind->bias);
}

/* ---- Declaring ------------------------------------------------------------------------------ */

/* b, plus the second bias where it may be added at once; else that goes to *inner. */
static rg_val declare_bias(rg_val *inner, const rg_cell_site *s, const rg_gate_kind *kind,
                           const char *chrono_name)
{
    static const rg_gate_kind second = { .suffix = "" };
    rg_shape shape = RG_SHAPE(s->H);
    bool doubled = s->opts.bias == RG_BIAS_DOUBLE || (s->opts.bias == RG_BIAS_SPLIT && inner);
    if (s->opts.bias == RG_BIAS_NONE)
        return RG_NONE;
    rg_val b = rg_gate_param(s->graph, s->group, "b", kind->suffix, shape,
                             init_b(s, kind, chrono_name));
    if (!doubled)
        return b;
    rg_val bh = rg_gate_param(s->graph, s->group, "bh", kind->suffix, shape,
                              init_b(s, &second, chrono_name));
    if (!inner)
        return rg_add(b, bh);
    *inner = bh;
    return b;
}

/* DropConnect: W∘d, one mask a run. Merity, Keskar, Socher, "Regularizing and optimizing LSTM
 * language models", 2018. */
static rg_val drop_weight(const rg_cell_site *s, const char *suffix, rg_val W)
{
    char name[2 * RG_NAME_BYTES];
    if (s->opts.drop_weight == 0)
        return W;
    (void)snprintf(name, sizeof name, "%s.W%s", s->group ? s->group : "", suffix);
    return rg_mul(W, rg_dropout_mask(s->graph, rg_shape_of(W), s->opts.drop_weight, name));
}

static rg_val declare_W(const rg_cell_site *s, const char *suffix, size_t k, fused *const *shared)
{
    rg_shape shape = RG_SHAPE(s->R, s->H);
    rg_val W = rg_gate_param(s->graph, s->group, "W", suffix, shape, init_W(s, k, shared));
    return drop_weight(s, suffix, W);
}

void rg_gates_declare(rg_gate *gate, rg_val *bh, const rg_cell_site *site,
                      const rg_gate_kind *kind, size_t n)
{
    char chrono_name[RG_NAME_BYTES + 16], fused_name[RG_NAME_BYTES + 16];
    const char *group = site->group ? site->group : "";
    fused f = { .alloc = &site->graph->alloc, .name = fused_name, .gates = n };
    fused *const shared = &f;
    const char *stream = rg_gate_stream(site->graph, site->group);
    (void)snprintf(chrono_name, sizeof chrono_name, "%s.tau", group);
    (void)snprintf(fused_name, sizeof fused_name, "%s.W", group);
    if (bh)
        *bh = RG_NONE;
    for (size_t k = 0; k < n; k++) {
        const char *suffix = kind[k].suffix;
        gate[k] = (rg_gate){ .U = rg_gate_param(site->graph, site->group, "U", suffix,
                                                RG_SHAPE(site->I, site->H),
                                                rg_cell_init_U(site, n)),
                             .drop = site->opts.drop_recurrent, .stream = stream };
        if (!(kind[k].without & RG_NO_W))
            gate[k].W = declare_W(site, suffix, k, &shared);
        if (!(kind[k].without & RG_NO_B))
            gate[k].b = declare_bias(k == n - 1 ? bh : NULL, site, &kind[k], chrono_name);
    }
    rg_release(&site->graph->alloc, f.q, f.bytes);
}
