/* graph/init.c -- initialisers. All draws are made in double and depend on seed, full name and
 * element only; the store rounds them. Formulas: docs/MATH.md 7.
 *
 * A parameter of shape [..., in, out] is a stack of matrices, each with fans in and out; a vector
 * [n] counts as the column [n,1], a scalar as [1,1]. */
#include <retrograd/graph.h>

#include "base/philox.h"
#include "base/shape.h"
#include "graph/init_matrix.h"

#include <math.h>

/* A parameter about to be filled: count matrices w [in,out]. */
typedef struct target {
    double  *w;
    int64_t  n, count, in, out;
    uint64_t seed, tail;
} target;

static target target_of(double *w, rg_shape s, uint64_t seed, const char *name)
{
    target t = { .w = w, .n = rg_shape_count(s), .count = 1, .in = 1, .out = 1, .seed = seed,
                 .tail = rg_fnv1a(name) };
    if (s.rank >= 1)
        t.in = s.dim[s.rank == 1 ? 0 : s.rank - 2];
    if (s.rank >= 2) {
        t.out = s.dim[s.rank - 1];
        t.count = rg_shape_outer(&s, s.rank - 2);
    }
    return t;
}

/* How each kind fills its target; c is the number it was made with. */

static rg_status constant(const target *t, double c)
{
    for (int64_t i = 0; i < t->n; i++)
        t->w[i] = c;
    return RG_OK;
}

/* U(-a, a) */
static rg_status uniform(const target *t, double a)
{
    for (int64_t i = 0; i < t->n; i++)
        t->w[i] = a * (2 * rg_draw_uniform(t->seed, RG_DOMAIN_INIT, t->tail, (uint64_t)i) - 1);
    return RG_OK;
}

/* N(0, s²), elements first .. first + n - 1 */
static void normal_part(const target *t, int64_t first, int64_t n, double s)
{
    for (int64_t i = first; i < first + n; i++)
        t->w[i] = s * rg_draw_normal(t->seed, RG_DOMAIN_INIT, t->tail, (uint64_t)i);
}

static rg_status normal(const target *t, double s)
{
    normal_part(t, 0, t->n, s);
    return RG_OK;
}

/* Element i takes the first of the draws i, i + N, i + 2N ... within two deviations. */
static rg_status truncated(const target *t, double s)
{
    for (int64_t i = 0; i < t->n; i++) {
        double x;
        uint64_t draw = (uint64_t)i;
        do {
            x = rg_draw_normal(t->seed, RG_DOMAIN_INIT, t->tail, draw);
            draw += (uint64_t)t->n;
        } while (fabs(x) > 2);
        t->w[i] = s * x;
    }
    return RG_OK;
}

static rg_status glorot(const target *t, double unused)
{
    (void)unused;
    return uniform(t, sqrt(6 / ((double)t->in + (double)t->out)));
}

/* N(0, c/in): c = 2 after He, 1 after LeCun */
static rg_status fan_in(const target *t, double c)
{
    return normal(t, sqrt(c / (double)t->in));
}

static rg_status orthogonal(const target *t, double gain)
{
    normal_part(t, 0, t->n, 1);
    for (int64_t k = 0; k < t->count; k++)
        rg_orthonormalize(t->w + k * t->in * t->out, t->in, t->out);
    for (int64_t i = 0; i < t->n; i++)
        t->w[i] *= gain;
    return RG_OK;
}

static rg_status identity(const target *t, double gain)
{
    for (int64_t i = 0; i < t->n; i++)
        t->w[i] = i / t->out % t->in == i % t->out ? gain : 0;
    return RG_OK;
}

/* The radius is found in place, which destroys the matrix: it is drawn again, and scaled. */
static rg_status spectral(const target *t, double radius)
{
    int64_t n = t->in * t->out;
    double found;
    if (t->in != t->out)
        return RG_ESHAPE;
    for (int64_t k = 0; k < t->count; k++) {
        normal_part(t, k * n, n, 1);
        if (!rg_spectral_radius(&found, t->w + k * n, t->in))
            return RG_EINTERNAL;
        normal_part(t, k * n, n, found > 0 ? radius / found : 0);
    }
    return RG_OK;
}

/* ---- The public ones ------------------------------------------------------------------------ */

typedef struct recipe {
    rg_status (*draw)(const target *t, double c);
} recipe;

/* rg_init.fill of them all. A number that is not finite makes no parameter. */
static rg_status fill(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                      const char *name)
{
    const recipe *r = self->user;
    target t = target_of(w, shape, seed, name);
    return isfinite(self->a) ? r->draw(&t, self->a) : RG_EARG;
}

static const recipe by_constant = { constant },
                    by_uniform = { uniform },
                    by_normal = { normal },
                    by_truncated = { truncated },
                    by_glorot = { glorot },
                    by_fan_in = { fan_in },
                    by_orthogonal = { orthogonal },
                    by_identity = { identity },
                    by_spectral = { spectral };

rg_init rg_init_zeros(void)
{
    return (rg_init){ .fill = NULL };
}

rg_init rg_init_const(double c)
{
    return (rg_init){ .fill = fill, .a = c, .user = &by_constant };
}

rg_init rg_init_uniform(double a)
{
    return (rg_init){ .fill = fill, .a = a, .user = &by_uniform };
}

rg_init rg_init_normal(double s)
{
    return (rg_init){ .fill = fill, .a = s, .user = &by_normal };
}

rg_init rg_init_truncated(double s)
{
    return (rg_init){ .fill = fill, .a = s, .user = &by_truncated };
}

rg_init rg_init_glorot(void)
{
    return (rg_init){ .fill = fill, .a = 0, .user = &by_glorot };
}

rg_init rg_init_he(void)
{
    return (rg_init){ .fill = fill, .a = 2, .user = &by_fan_in };
}

rg_init rg_init_lecun(void)
{
    return (rg_init){ .fill = fill, .a = 1, .user = &by_fan_in };
}

rg_init rg_init_orthogonal(double gain)
{
    return (rg_init){ .fill = fill, .a = gain, .user = &by_orthogonal };
}

rg_init rg_init_identity(double gain)
{
    return (rg_init){ .fill = fill, .a = gain, .user = &by_identity };
}

rg_init rg_init_spectral(double radius)
{
    return (rg_init){ .fill = fill, .a = radius, .user = &by_spectral };
}
