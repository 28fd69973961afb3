/* tests/graph/init.c -- initialisers: their distributions, their algebra, and that a draw depends
 * on seed, name and element only. */
#include "tests/graph/support.h"

#include "base/philox.h"
#include "graph/init_matrix.h"

#include <math.h>
#include <stdlib.h>

/* A new parameter's values; the world keeps them. */
static const double *fill(world *w, const char *name, rg_shape shape, rg_init init)
{
    RGT_CHECK(rg_param(w->g, NULL, name, shape, init).id);
    return rg_params_find(w->ps, name).data;
}

static void moments(const double *x, int64_t n, double *mean, double *variance, double *largest)
{
    double sum = 0, square = 0;
    *largest = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        square += x[i] * x[i];
        *largest = fmax(*largest, fabs(x[i]));
    }
    *mean = sum / (double)n;
    *variance = square / (double)n - *mean * *mean;
}

/* Mean 0, this variance (to 2 %, of 120000 values), none beyond @p limit. */
static bool distributed(const double *x, double variance, double limit)
{
    double m, v, largest;
    moments(x, 300 * 400, &m, &v, &largest);
    return fabs(m) < 5 * sqrt(variance / 120000) && fabs(v / variance - 1) < 0.02 &&
           largest <= limit && largest > 0.9 * fmin(limit, 4 * sqrt(variance));
}

RGT_TEST(init, distributions_have_their_moments_and_bounds)
{
    world w = world_new();
    const rg_shape s = RG_SHAPE(300, 400);
    const double glorot = sqrt(6.0 / 700), cut = 0.8796256610342398;
    RGT_CHECK(distributed(fill(&w, "u", s, rg_init_uniform(0.3)), 0.03, 0.3));
    RGT_CHECK(distributed(fill(&w, "n", s, rg_init_normal(0.5)), 0.25, 3));
    RGT_CHECK(distributed(fill(&w, "t", s, rg_init_truncated(0.5)), 0.25 * cut * cut, 1));
    RGT_CHECK(distributed(fill(&w, "g", s, rg_init_glorot()), glorot * glorot / 3, glorot));
    RGT_CHECK(distributed(fill(&w, "h", s, rg_init_he()), 2.0 / 300, 1));
    RGT_CHECK(distributed(fill(&w, "l", s, rg_init_lecun()), 1.0 / 300, 1));
    /* the check sees three per cent */
    RGT_CHECK(!distributed(fill(&w, "v", s, rg_init_lecun()), 1.0 / 290, 1));
    world_free(&w);
}

RGT_TEST(init, a_draw_is_the_stream_of_the_full_name)
{
    world w = world_with(42, RG_F64);
    RGT_CHECK(rg_param(w.g, "enc", "Ur", RG_SHAPE(2), rg_init_normal(1)).id);
    const double *x = rg_params_find(w.ps, "enc.Ur").data;
    RGT_CHECK(fabs(x[0] - 0.8885143200359306) < 1e-15);
    RGT_CHECK(fabs(x[1] + 1.071460086139249) < 1e-15);
    world_free(&w);
}

RGT_TEST(init, truncated_takes_the_first_draw_within_two_deviations)
{
    enum { N = 1000 };
    world w = world_with(5, RG_F64);
    const double *x = fill(&w, "t", RG_SHAPE(N), rg_init_truncated(2));
    uint64_t tail = rg_fnv1a("t");
    int redrawn = 0;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t draw = i;
        while (fabs(rg_draw_normal(5, RG_DOMAIN_INIT, tail, draw)) > 2)
            draw += N;
        redrawn += draw != i;
        RGT_CHECK(x[i] == 2 * rg_draw_normal(5, RG_DOMAIN_INIT, tail, draw));
    }
    RGT_CHECK(redrawn > 20 && redrawn < 80);
    world_free(&w);
}

RGT_TEST(init, order_of_declaration_changes_nothing)
{
    world a = world_new(), b = world_new(), other = world_with(2, RG_F64);
    const double *x = fill(&a, "x", RG_SHAPE(5, 7), rg_init_orthogonal(1));
    const double *y = fill(&a, "y", RG_SHAPE(5, 7), rg_init_orthogonal(1));
    const double *y2 = fill(&b, "y", RG_SHAPE(5, 7), rg_init_orthogonal(1));
    const double *x2 = fill(&b, "x", RG_SHAPE(5, 7), rg_init_orthogonal(1));
    const double *x3 = fill(&other, "x", RG_SHAPE(5, 7), rg_init_orthogonal(1));
    RGT_CHECK(memcmp(x, x2, 35 * sizeof *x) == 0 && memcmp(y, y2, 35 * sizeof *y) == 0);
    RGT_CHECK(memcmp(x, y, 35 * sizeof *x) != 0 && memcmp(x, x3, 35 * sizeof *x) != 0);
    world_free(&a);
    world_free(&b);
    world_free(&other);
}

RGT_TEST(init, an_f32_store_holds_the_rounded_draws)
{
    world a = world_with(3, RG_F64), b = world_with(3, RG_F32);
    const rg_init init[] = { rg_init_normal(1), rg_init_glorot(), rg_init_orthogonal(2),
                             rg_init_spectral(0.9), rg_init_const(0.1) };
    static const char *const name[] = { "n", "g", "o", "s", "c" };
    for (size_t k = 0; k < 5; k++) {
        const double *x = fill(&a, name[k], RG_SHAPE(9, 9), init[k]);
        const float *y = (const float *)(const void *)fill(&b, name[k], RG_SHAPE(9, 9), init[k]);
        for (size_t i = 0; i < 81; i++)
            RGT_CHECK(y[i] == (float)x[i]);
    }
    world_free(&a);
    world_free(&b);
}

/* Largest deviation of the Gram matrix of the fewer of rows and columns from gain²·Id. */
static double gram_error(const double *w, int64_t m, int64_t n, double gain)
{
    int64_t few = m < n ? m : n, many = m < n ? n : m;
    int64_t along = m < n ? 1 : n, across = m < n ? n : 1;
    double worst = 0;
    for (int64_t i = 0; i < few; i++)
        for (int64_t j = 0; j < few; j++) {
            double dot = 0;
            for (int64_t k = 0; k < many; k++)
                dot += w[i * across + k * along] * w[j * across + k * along];
            worst = fmax(worst, fabs(dot - (i == j ? gain * gain : 0)));
        }
    return worst;
}

RGT_TEST(init, orthogonal_has_orthonormal_rows_or_columns_times_gain)
{
    static const int64_t size[][2] = { { 1, 1 }, { 2, 2 }, { 5, 5 }, { 7, 3 }, { 3, 7 }, { 64, 64 },
                                       { 65, 130 }, { 131, 64 }, { 1, 9 }, { 9, 1 } };
    world w = world_new();
    char name[] = "a";
    for (size_t i = 0; i < sizeof size / sizeof *size; i++, name[0]++) {
        int64_t m = size[i][0], n = size[i][1];
        const double *q = fill(&w, name, RG_SHAPE(m, n), rg_init_orthogonal(1.5));
        RGT_CHECK_MSG(gram_error(q, m, n, 1.5) < 1e-12, "%d x %d", (int)m, (int)n);
    }
    const double *stack = fill(&w, "stack", RG_SHAPE(3, 6, 6), rg_init_orthogonal(1));
    for (int64_t k = 0; k < 3; k++)
        RGT_CHECK(gram_error(stack + 36 * k, 6, 6, 1) < 1e-12);
    RGT_CHECK(memcmp(stack, stack + 36, 36 * sizeof *stack) != 0);
    RGT_CHECK(gram_error(fill(&w, "vector", RG_SHAPE(9), rg_init_orthogonal(2)), 9, 1, 2) < 1e-12);
    RGT_CHECK(fabs(*fill(&w, "scalar", RG_SCALAR, rg_init_orthogonal(2))) == 2);
    world_free(&w);
}

/* The Q of a QR factorization with positive diagonal is one of a kind: Gram and Schmidt, twice,
 * must find it too. Vectors are those of the fewer of rows and columns. */
static double gram_schmidt_error(const double *q, double *a, int64_t m, int64_t n)
{
    int64_t few = m < n ? m : n, many = m < n ? n : m;
    int64_t along = m < n ? 1 : n, across = m < n ? n : 1;
    double worst = 0;
    for (int64_t i = 0; i < few; i++) {
        double norm = 0;
        for (int64_t j = 0; j < 2 * i; j++) {
            double dot = 0;
            for (int64_t k = 0; k < many; k++)
                dot += a[i * across + k * along] * a[j % i * across + k * along];
            for (int64_t k = 0; k < many; k++)
                a[i * across + k * along] -= dot * a[j % i * across + k * along];
        }
        for (int64_t k = 0; k < many; k++)
            norm += a[i * across + k * along] * a[i * across + k * along];
        for (int64_t k = 0; k < many; k++) {
            int64_t at = i * across + k * along;
            a[at] /= sqrt(norm);
            worst = fmax(worst, fabs(a[at] - q[at]));
        }
    }
    return worst;
}

RGT_TEST(init, orthogonal_is_the_q_of_the_normal_draws_with_positive_diagonal)
{
    static const int64_t size[][2] = { { 1, 1 }, { 6, 6 }, { 20, 13 }, { 13, 20 }, { 70, 70 } };
    world w = world_new();
    char q_name[] = "q0";
    for (size_t i = 0; i < sizeof size / sizeof *size; i++, q_name[1]++) {
        int64_t m = size[i][0], n = size[i][1];
        double draws[70 * 70];
        for (int64_t k = 0; k < m * n; k++)
            draws[k] = rg_draw_normal(1, RG_DOMAIN_INIT, rg_fnv1a(q_name), (uint64_t)k);
        const double *q = fill(&w, q_name, RG_SHAPE(m, n), rg_init_orthogonal(1));
        RGT_CHECK_MSG(gram_schmidt_error(q, draws, m, n) < 1e-10, "%d x %d", (int)m, (int)n);
    }
    world_free(&w);
}

RGT_TEST(init, identity_has_gain_on_each_diagonal)
{
    world w = world_new();
    const double *x = fill(&w, "i", RG_SHAPE(2, 3, 4), rg_init_identity(0.5));
    for (int64_t k = 0; k < 24; k++)
        RGT_CHECK(x[k] == (k % 12 / 4 == k % 4 ? 0.5 : 0));
    world_free(&w);
}

/* Gelfand: ρ = lim ‖A^k‖^(1/k), by squaring 2^30 times over, with the norms taken out. */
static double gelfand(const double *a, int64_t n)
{
    double *p = malloc((size_t)(n * n) * sizeof *p), *q = malloc((size_t)(n * n) * sizeof *q);
    double log_radius = 0, k = 1;
    memcpy(p, a, (size_t)(n * n) * sizeof *p);
    for (int square = 0; square <= 30; square++, k *= 2) {
        double norm = 0;
        for (int64_t i = 0; i < n * n; i++)
            norm = fmax(norm, fabs(p[i]));
        log_radius += log(norm) / k;
        for (int64_t i = 0; i < n * n; i++)
            p[i] /= norm, q[i] = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                for (int64_t l = 0; l < n; l++)
                    q[i * n + l] += p[i * n + j] * p[j * n + l];
        double *t = p;
        p = q;
        q = t;
    }
    free(p);
    free(q);
    return exp(log_radius);
}

RGT_TEST(init, spectral_has_its_radius)
{
    static const int64_t size[] = { 1, 2, 3, 4, 5, 17, 64, 101 };
    world w = world_new();
    char name[] = "a";
    for (size_t i = 0; i < sizeof size / sizeof *size; i++, name[0]++) {
        const double *x = fill(&w, name, RG_SHAPE(size[i], size[i]), rg_init_spectral(0.95));
        double r = gelfand(x, size[i]);
        RGT_CHECK_MSG(fabs(r - 0.95) < 1e-7, "%d: off by %d e-9", (int)size[i],
                      (int)((r - 0.95) * 1e9));
    }
    const double *stack = fill(&w, "stack", RG_SHAPE(2, 6, 6), rg_init_spectral(2));
    RGT_CHECK(fabs(gelfand(stack, 6) - 2) < 1e-7 && fabs(gelfand(stack + 36, 6) - 2) < 1e-7);
    world_free(&w);
}

static bool radius_is(const double *matrix, int64_t n, double want)
{
    double copy[36], radius = -1;
    memcpy(copy, matrix, (size_t)(n * n) * sizeof *copy);
    return rg_spectral_radius(&radius, copy, n) && fabs(radius - want) <= 1e-7 * (1 + want);
}

RGT_TEST(init, the_radius_of_awkward_matrices_is_found)
{
    const double turn[] = { 0, -3, 3, 0 }, zero[9] = { 0 };
    const double jordan[] = { 2, 1, 0, 0, 2, 1, 0, 0, 2 };
    const double cycle[] = { 0, 0, 0, 1,  1, 0, 0, 0,  0, 1, 0, 0,  0, 0, 1, 0 };
    const double nilpotent[] = { 0, 1, 5, 0, 0, 1, 0, 0, 0 };
    const double far_apart[] = { 1e-200, 1, 0, 1e150 };
    const double companion[] = { 6, -11, 6, 1, 0, 0, 0, 1, 0 }; /* roots 1, 2, 3 */
    RGT_CHECK(radius_is(turn, 2, 3) && radius_is(zero, 3, 0) && radius_is(cycle, 4, 1));
    RGT_CHECK(radius_is(jordan, 3, 2) && radius_is(nilpotent, 3, 0));
    RGT_CHECK(radius_is(far_apart, 2, 1e150) && radius_is(companion, 3, 3));
}

RGT_TEST(init, what_cannot_be_is_refused)
{
    const rg_init bad[] = { rg_init_const(NAN), rg_init_uniform(INFINITY), rg_init_normal(NAN),
                            rg_init_truncated(NAN), rg_init_orthogonal(-INFINITY),
                            rg_init_identity(NAN), rg_init_spectral(NAN) };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        world w = world_new();
        rg_param(w.g, NULL, "w", RG_SHAPE(3, 3), bad[i]);
        RGT_CHECK(poisoned(w.g, RG_EARG, "param 'w' [3,3]: its initialiser failed"));
        world_free(&w);
    }
    world w = world_new();
    rg_param(w.g, NULL, "w", RG_SHAPE(3, 4), rg_init_spectral(1));
    RGT_CHECK(poisoned(w.g, RG_ESHAPE, "param 'w' [3,4]: its initialiser failed: shapes do not "
                                       "fit"));
    world_free(&w);
}

static rg_status ones(const rg_init *self, double *w, rg_shape shape, uint64_t seed,
                      const char *name)
{
    (void)seed, (void)name;
    for (int64_t i = 0; i < rg_shape_count(shape); i++)
        w[i] = self->a + *(const double *)self->user;
    return RG_OK;
}

RGT_TEST(init, one_of_the_users_own_is_called)
{
    world w = world_new();
    const double *x = fill(&w, "w", RG_SHAPE(3), (rg_init){ ones, 1, 0, &(double){ 0.25 } });
    RGT_CHECK(x[0] == 1.25 && x[2] == 1.25);
    const double *z = fill(&w, "z", RG_SHAPE(3), (rg_init){ .fill = NULL });
    RGT_CHECK(z[0] == 0 && z[2] == 0);
    world_free(&w);
}
