/* layers/options.c -- what a built-in cell was asked for, and the parameters that follow. */
#include "layers/cell.h"

#include "base/checked.h"
#include "base/philox.h"
#include "graph/init_matrix.h"

#include <math.h>
#include <stdio.h>

/* ---- Checks --------------------------------------------------------------------------------- */

static bool refuse(const rg_cell_site *s, const char *what)
{
    rg_poison(s->graph, RG_EARG, "%s '%s': %s", s->cell, s->group ? s->group : "", what);
    return false;
}

static bool range_ok(const rg_cell_site *s)
{
    const rg_cell_opts *o = &s->opts;
    if (o->bias < RG_BIAS_SINGLE || o->bias > RG_BIAS_DOUBLE)
        return refuse(s, "bias is no member of rg_bias");
    if (o->init < RG_INIT_FOUNDING || o->init > RG_INIT_CHRONO)
        return refuse(s, "init is no member of rg_init_set");
    if (o->nonlinearity < RG_TANH || o->nonlinearity > RG_IDENTITY)
        return refuse(s, "nonlinearity is no member of rg_nonlinearity");
    return true;
}

static bool known_ok(const rg_cell_site *s, unsigned knows)
{
    const rg_cell_opts *o = &s->opts;
    if (o->nonlinearity && !(knows & RG_KNOWS_NONLINEARITY))
        return refuse(s, "nonlinearity is an option of rnn only; leave it 0");
    if ((o->reset_after || o->update_take) && !(knows & RG_KNOWS_RESET))
        return refuse(s, "reset_after and update_take are options of gru only; leave them 0");
    if (o->forget_bias_0 && !(knows & RG_KNOWS_FORGET))
        return refuse(s, "forget_bias_0 is an option of lstm only; leave it 0");
    if (o->init == RG_INIT_CHRONO && !(knows & RG_KNOWS_CHRONO))
        return refuse(s, "init chrono needs a cell with gates (gru, lstm)");
    if (o->bias == RG_BIAS_SPLIT && !o->reset_after)
        return refuse(s, "bias split exists for gru with reset_after only");
    return true;
}

static bool chrono_ok(const rg_cell_site *s)
{
    const rg_cell_opts *o = &s->opts;
    if (o->init != RG_INIT_CHRONO)
        return !o->chrono_T || refuse(s, "chrono_T is used with init chrono only; leave it 0");
    if (o->chrono_T < 2)
        return refuse(s, "init chrono needs chrono_T, the longest lag, of at least 2");
    return o->bias != RG_BIAS_NONE || refuse(s, "init chrono sets biases, but bias is none");
}

bool rg_cell_site_init(rg_cell_site *site, rg_graph *graph, const char *cell, const char *group,
                       int64_t I, int64_t H, const rg_cell_opts *opts, unsigned knows)
{
    *site = (rg_cell_site){ .graph = graph, .cell = cell, .group = group, .I = I, .H = H };
    if (opts)
        site->opts = *opts;
    return rg_widths_ok(graph, cell, group, I, H) && range_ok(site) && known_ok(site, knows) &&
           chrono_ok(site);
}

/* ---- Initialisers (docs/MATH.md 7) ---------------------------------------------------------- */

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

/* Columns k·H .. (k+1)·H - 1 of one [H, G·H] matrix with orthonormal rows, as Keras makes it. */
typedef struct fused {
    const rg_alloc *alloc;
    const char     *name;    /* of the draw */
    size_t          gates;   /* G */
    double         *q;       /* drawn once per cell, by the first gate that is new */
    size_t          bytes;
} fused;

static bool fused_draw(fused *f, int64_t H, uint64_t seed)
{
    const rg_init normal = rg_init_normal(1);
    rg_shape shape = RG_SHAPE(H, (int64_t)f->gates * H);
    int64_t n;
    if (rg_numel(&shape, &n) || rg_bytes(n, sizeof *f->q, &f->bytes) ||
        !(f->q = rg_get(f->alloc, f->bytes)) ||
        normal.fill(&normal, f->q, shape, seed, f->name))
        return false;
    rg_orthonormalize(f->q, H, shape.dim[1]);
    return true;
}

static rg_status fused_fill(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                            const char *name)
{
    fused *f = *(fused *const *)self->user;
    int64_t H = shape.dim[0], width = (int64_t)f->gates * H, first = (int64_t)self->a * H;
    (void)name;
    if (!f->q && !fused_draw(f, H, seed))
        return RG_ENOMEM;
    for (int64_t i = 0; i < H; i++)
        for (int64_t j = 0; j < H; j++)
            w[i * H + j] = f->q[i * width + first + j];
    return RG_OK;
}

/* The three kinds of tensor of gate k, as the option `init` fills them. */

static rg_init init_U(const rg_cell_site *s, size_t n)
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
    static const rg_gate_kind second = { "", 0, 0 };
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

void rg_gates_declare(rg_gate *gate, rg_val *bh, const rg_cell_site *site,
                      const rg_gate_kind *kind, size_t n)
{
    char chrono_name[RG_NAME_BYTES + 16], fused_name[RG_NAME_BYTES + 16];
    const char *group = site->group ? site->group : "";
    fused f = { .alloc = &site->graph->alloc, .name = fused_name, .gates = n };
    fused *const shared = &f;
    (void)snprintf(chrono_name, sizeof chrono_name, "%s.tau", group);
    (void)snprintf(fused_name, sizeof fused_name, "%s.W", group);
    if (bh)
        *bh = RG_NONE;
    for (size_t k = 0; k < n; k++) {
        gate[k].U = rg_gate_param(site->graph, site->group, "U", kind[k].suffix,
                                  RG_SHAPE(site->I, site->H), init_U(site, n));
        gate[k].W = rg_gate_param(site->graph, site->group, "W", kind[k].suffix,
                                  RG_SHAPE(site->H, site->H), init_W(site, k, &shared));
        gate[k].b = declare_bias(k == n - 1 ? bh : NULL, site, &kind[k], chrono_name);
    }
    rg_release(&site->graph->alloc, f.q, f.bytes);
}

/* ---- The cell itself ------------------------------------------------------------------------ */

/* Of a cell that could not be made: its own graph knows why, the one it runs in now does not. */
static void failed_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    (void)weights, (void)s, (void)next;
    if (x.graph)
        rg_poison(x.graph, RG_EGRAPH, "this cell could not be made; its own graph says why");
}

rg_cell rg_cell_of(const char *name, size_t n_state, const int64_t *width, rg_step_fn *step,
                   const void *weights)
{
    return (rg_cell){ name, n_state, width, weights ? step : failed_step, weights };
}
