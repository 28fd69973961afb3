/* tests/layers/losses.c -- losses against their formulas in C, gradients to second order, and the
 * reductions over ragged rows. */
#include "tests/layers/lab.h"

#include <retrograd/losses.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 3, B = 2, V = 4, N = T * B };

static const int32_t classes[N] = { 1, 3, 0, 0, 2, 1 };

typedef rg_val make_fn(lab *l, rg_val z, rg_val y);
typedef double want_fn(const double *z, const double *y, int i);

/* One loss: how it is made of z and y [T,B,V], and its formula for position i, or for element i. */
struct row {
    const char *name;
    make_fn    *make;
    want_fn    *want;
    bool        elementwise;
    double      lo, hi;       /* of y, drawn in [-1,1) */
};

static double lse(const double *z)
{
    double sum = 0;
    for (int k = 0; k < V; k++)
        sum += exp(z[k]);
    return log(sum);
}

static rg_val ids(lab *l)
{
    return lab_bits(l, "ids", RG_INT, RG_SHAPE(T, B), classes);
}

static rg_val make_smooth(lab *l, rg_val z, rg_val y)
{
    (void)y;
    return rg_smoothed_cross_entropy(z, ids(l), 0.1);
}

static double want_smooth(const double *z, const double *y, int i)
{
    double sum = 0.9 * (lse(z + i * V) - z[i * V + classes[i]]);
    (void)y;
    for (int k = 0; k < V; k++)
        sum += 0.1 / V * (lse(z + i * V) - z[i * V + k]);
    return sum;
}

static rg_val make_dense(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_dense_cross_entropy(z, y);
}

static double want_dense(const double *z, const double *y, int i)
{
    double sum = 0;
    for (int k = 0; k < V; k++)
        sum -= y[i * V + k] * (z[i * V + k] - lse(z + i * V));
    return sum;
}

static rg_val make_kl(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_kl(rg_log_softmax(z, -1), y);
}

static double want_kl(const double *z, const double *y, int i)
{
    double sum = want_dense(z, y, i);
    for (int k = 0; k < V; k++)
        sum += y[i * V + k] * log(y[i * V + k]);
    return sum;
}

static rg_val make_bce(lab *l, rg_val z, rg_val y)
{
    static const double w[V] = { 1, 2.5, 0.25, 4 };
    return rg_bce_logits(z, y, lab_given(l, "w", RG_SHAPE(V), w));
}

static double want_bce(const double *z, const double *y, int i)
{
    static const double w[V] = { 1, 2.5, 0.25, 4 };
    return w[i % V] * y[i] * log1p(exp(-z[i])) + (1 - y[i]) * log1p(exp(z[i]));
}

static rg_val make_prob(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_bce_prob(rg_sigmoid(z), y);
}

static double want_prob(const double *z, const double *y, int i)
{
    return y[i] * log1p(exp(-z[i])) + (1 - y[i]) * log1p(exp(z[i]));
}

static rg_val make_hinge(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_hinge(z, y);
}

static double want_hinge(const double *z, const double *y, int i)
{
    return fmax(0, 1 - y[i] * z[i]);
}

static rg_val make_logcosh(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_logcosh(z, y);
}

static double want_logcosh(const double *z, const double *y, int i)
{
    double sum = 0;
    for (int k = 0; k < V; k++)
        sum += log(cosh(z[i * V + k] - y[i * V + k])) / V;
    return sum;
}

static rg_val make_gauss(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_nll_gauss(z, rg_scale(z, 2), y);
}

static double want_gauss(const double *z, const double *y, int i)
{
    double v = log1p(exp(2 * z[i])) + 1e-6;
    return 0.5 * (log(v) + (y[i] - z[i]) * (y[i] - z[i]) / v);
}

static rg_val make_poisson(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_poisson(z, y);
}

static double want_poisson(const double *z, const double *y, int i)
{
    return exp(z[i]) - y[i] * z[i];
}

static rg_val make_cosine(lab *l, rg_val z, rg_val y)
{
    (void)l;
    return rg_cosine_distance(z, y);
}

static double want_cosine(const double *z, const double *y, int i)
{
    double dot = 0, a = 0, b = 0;
    for (int k = i * V; k < (i + 1) * V; k++)
        dot += z[k] * y[k], a += z[k] * z[k], b += y[k] * y[k];
    return 1 - dot / sqrt(a * b);
}

static const struct row rows[] = {
    { "smoothed", make_smooth, want_smooth, false, 0, 1 },
    { "dense", make_dense, want_dense, false, 0.1, 1 },
    { "kl", make_kl, want_kl, false, 0.1, 1 },
    { "bce_logits", make_bce, want_bce, true, 0, 1 },
    { "bce_prob", make_prob, want_prob, true, 0, 1 },
    { "hinge", make_hinge, want_hinge, true, -1, 1 },
    { "logcosh", make_logcosh, want_logcosh, false, -2, 2 },
    { "nll_gauss", make_gauss, want_gauss, true, -1, 1 },
    { "poisson", make_poisson, want_poisson, true, 0, 5 },
    { "cosine", make_cosine, want_cosine, false, -1, 1 },
};

RGT_TEST(losses, are_their_formulas_with_right_gradients_of_both_orders)
{
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        lab l = { .seed = 31 };
        double y[N * V];
        rg_gradcheck_report *report;
        lab_open(&l, RG_F64);
        for (size_t i = 0; i < N * V; i++)
            y[i] = rows[r].lo + (rows[r].hi - rows[r].lo) * (lab_draw(9, "y", i) + 1) / 2;
        rg_val z = rg_scale(lab_drawn(&l, "z", RG_SHAPE(T, B, V)), 2);
        rg_val root[2] = { rows[r].make(&l, z, lab_given(&l, "y", RG_SHAPE(T, B, V), y)), z };
        RGT_CHECK(rg_shape_of(root[0]).rank == (rows[r].elementwise ? 3 : 2));
        rg_val loss = rg_sum(rg_square(root[0]));
        lab_run(&l, root, 2);
        double *got = lab_read(&l, root[0], NULL), *at = lab_read(&l, z, NULL);
        for (int i = 0; i < (rows[r].elementwise ? N * V : N); i++)
            RGT_CHECK_MSG(fabs(got[i] - rows[r].want(at, y, i)) < 1e-13, "%s[%d]: %.16g, not %.16g",
                          rows[r].name, i, got[i], rows[r].want(at, y, i));
        rg_verdict v = rg_gradcheck(&report, loss, &z, 1, &(rg_gradcheck_opts){ .data = l.plan,
                                                                               .order = 2 });
        RGT_CHECK_MSG(v == RG_PASS, "%s: %s", rows[r].name, report->message);
        rg_gradcheck_destroy(&report);
        free(got), free(at);
        lab_close(&l);
    }
}

RGT_TEST(losses, stay_finite_where_the_formula_divides_by_nothing)
{
    static const double zero[2 * V], unit[2 * V] = { 1, 0, 0, 0, 1, 0, 0, 0 };
    static const double far[2 * V] = { 800, -800, 0, 0, -800, 800, 0, 0 };
    lab l = { .seed = 31 };
    rg_val root[7];
    lab_open(&l, RG_F64);
    rg_val o = lab_given(&l, "o", RG_SHAPE(2, V), zero);
    rg_val u = lab_given(&l, "u", RG_SHAPE(2, V), unit);
    rg_val f = lab_given(&l, "f", RG_SHAPE(2, V), far);
    rg_val masked = rg_where(rg_equal(u, rg_const(l.g, 0)), rg_const(l.g, -INFINITY), u);
    root[0] = rg_cosine_distance(o, u);
    rg_grad(&root[1], rg_sum(root[0]), &o, 1);
    root[2] = rg_dense_cross_entropy(masked, u); /* ln 0 where q is 0 */
    root[3] = rg_kl(rg_log_softmax(masked, -1), u);
    root[4] = rg_logcosh(f, o);
    root[5] = rg_bce_prob(u, rg_one_minus(u));
    root[6] = rg_bce_logits(f, u, rg_const(l.g, 3));
    lab_run(&l, root, 7);
    for (int k = 0; k < 7; k++) {
        size_t n;
        double *got = lab_read(&l, root[k], &n);
        for (size_t i = 0; i < n; i++)
            RGT_CHECK_MSG(isfinite(got[i]) && (k != 0 || got[i] == 1) && (k != 1 || got[i] == 0) &&
                          ((k != 2 && k != 3) || got[i] == 0), "root %d: %g", k, got[i]);
        free(got);
    }
    lab_close(&l);
}

RGT_TEST(losses, with_no_smoothing_or_weight_are_the_plain_ones)
{
    lab l = { .seed = 31 };
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), y = ids(&l), hot = rg_one_hot(y, V);
    rg_val root[5] = { rg_smoothed_cross_entropy(z, y, 0), rg_softmax_cross_entropy(z, y),
                       rg_dense_cross_entropy(z, hot), rg_bce_logits(z, hot, rg_const(l.g, 1)),
                       rg_bce_logits(z, hot, RG_NONE) };
    lab_run(&l, root, 5);
    RGT_CHECK(lab_same(&l, root[0], &l, root[1]) && lab_apart(&l, root[2], &l, root[1]) < 1e-14);
    RGT_CHECK(lab_apart(&l, root[3], &l, root[4]) < 1e-14);
    lab_close(&l);
}

RGT_TEST(losses, an_ignored_class_counts_nothing_whatever_its_number_is)
{
    static const int32_t with[N] = { 1, -100, 0, 2, -100, 1 };
    static const uint8_t mask[N] = { 1, 1, 1, 0, 1, 1 }, want[N] = { 1, 0, 1, 0, 0, 1 };
    lab l = { .seed = 31 };
    lab_open(&l, RG_F64);
    rg_val y = lab_bits(&l, "ids", RG_INT, RG_SHAPE(T, B), with);
    rg_val m = lab_bits(&l, "m", RG_BOOL, RG_SHAPE(T, B), mask);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), counts = rg_ignore(&y, -100, m);
    rg_val l_t = rg_softmax_cross_entropy(z, y);
    rg_val same = lab_bits(&l, "w", RG_BOOL, RG_SHAPE(T, B), want);
    rg_val root[3] = { counts, rg_reduce(l_t, counts, RG_MEAN_TOKENS), rg_masked_mean(l_t, same) };
    lab_run(&l, root, 3);
    RGT_CHECK(memcmp(rg_plan_data(l.plan, counts), want, sizeof want) == 0);
    RGT_CHECK(rg_plan_scalar(l.plan, root[1]) == rg_plan_scalar(l.plan, root[2]));
    lab_close(&l);
}

/* ---- Reductions ------------------------------------------------------------------------------ */

/* Rows of 3, 1 and 0 real steps; NaN where nothing counts. */
static const double each[9] = { 1, 8, NAN, 2, NAN, NAN, 6, INFINITY, NAN };
static const uint8_t real[9] = { 1, 1, 0, 1, 0, 0, 1, 0, 0 };
static const double heavy[9] = { 2, 0.5, 0, 1, 0, 0, 1, 0, 0 };

RGT_TEST(losses, reductions_weigh_what_counts_and_divide_by_tokens_or_rows)
{
    static const double want[4] = { 17.0 / 4, 17, 17.0 / 2, (3 + 8.0) / 2 };
    static const double weighed[4] = { 14 / 4.5, 14, 14 / 2.0, (10 / 4.0 + 8) / 2 };
    for (int how = 0; how < 4; how++) {
        lab l = { .seed = 31 };
        lab_open(&l, RG_F64);
        rg_val v = lab_given(&l, "l", RG_SHAPE(3, 3), each), d[2];
        rg_val m = lab_bits(&l, "m", RG_BOOL, RG_SHAPE(3, 3), real);
        rg_val w = lab_given(&l, "w", RG_SHAPE(3, 3), heavy);
        rg_val root[5] = { rg_reduce(v, m, (rg_reduction)how), rg_reduce(v, w, (rg_reduction)how) };
        rg_val flat = rg_reduce(rg_full(l.g, RG_SHAPE(4), 3), RG_NONE, (rg_reduction)how);
        rg_grad(&d[0], root[0], &v, 1);
        rg_grad(&d[1], rg_reduce(v, rg_and(m, rg_not(m)), (rg_reduction)how), &v, 1);
        root[2] = d[0], root[3] = d[1], root[4] = flat;
        lab_run(&l, root, 5);
        RGT_CHECK_MSG(fabs(rg_plan_scalar(l.plan, root[0]) - want[how]) < 1e-14, "%d", how);
        RGT_CHECK_MSG(fabs(rg_plan_scalar(l.plan, root[1]) - weighed[how]) < 1e-14, "%d", how);
        RGT_CHECK(rg_plan_scalar(l.plan, flat) == (how == RG_SUM ? 12 : 3));
        double *g = lab_read(&l, d[0], NULL), *none = lab_read(&l, d[1], NULL), sum = 0;
        for (int i = 0; i < 9; i++) {
            RGT_CHECK((real[i] || g[i] == 0) && none[i] == 0);
            sum += g[i] * (real[i] ? each[i] : 0);
        }
        RGT_CHECK(fabs(sum - want[how]) < 1e-14); /* all are linear in l */
        free(g), free(none);
        lab_close(&l);
    }
}

RGT_TEST(losses, not_reduced_are_weighed_and_zero_where_nothing_counts)
{
    lab l = { .seed = 31 };
    rg_val root[3];
    lab_open(&l, RG_F64);
    rg_val v = lab_given(&l, "l", RG_SHAPE(3, 3), each);
    root[0] = rg_reduce(v, lab_bits(&l, "m", RG_BOOL, RG_SHAPE(3, 3), real), RG_EACH);
    root[1] = rg_reduce(v, lab_given(&l, "w", RG_SHAPE(3, 3), heavy), RG_EACH);
    rg_grad(&root[2], rg_sum(root[1]), &v, 1);
    lab_run(&l, root, 3);
    for (int k = 0; k < 3; k++) {
        double *got = lab_read(&l, root[k], NULL);
        for (int i = 0; i < 9; i++) {
            const double want = k == 2 ? heavy[i] : !real[i] ? 0 : k ? heavy[i] * each[i] : each[i];
            RGT_CHECK_MSG(got[i] == want, "%d %d: %g, not %g", k, i, got[i], want);
        }
        free(got);
    }
    lab_close(&l);
}

static void refused(int which, rg_status status, const char *says)
{
    lab l = { .seed = 31 };
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), y = lab_drawn(&l, "y", RG_SHAPE(T, B, 1));
    rg_val v = rg_sum_over(z, -1, false), i = ids(&l);
    switch (which) {
    case 0: rg_bce_logits(z, y, RG_NONE); break;
    case 1: rg_smoothed_cross_entropy(z, i, 1); break;
    case 2: rg_reduce(z, RG_NONE, RG_SUM); break;
    case 3: rg_reduce(v, i, RG_SUM); break;
    case 4: rg_reduce(v, y, RG_SUM); break;
    case 5: rg_bce_logits(v, v, z); break;
    case 6: rg_reduce(v, RG_NONE, (rg_reduction)9); break;
    default: rg_cosine_distance(rg_sum(z), rg_sum(z));
    }
    lab_says(l.g, status, says);
    lab_close(&l);
}

RGT_TEST(losses, never_broadcast_and_name_what_does_not_fit)
{
    refused(0, RG_ESHAPE, "bce_logits: the prediction is [3,2,4], the target is [3,2,1]");
    refused(1, RG_EARG, "epsilon must be in [0, 1), got 1");
    refused(2, RG_ESHAPE, "losses are [T,B] or [B]");
    refused(3, RG_EDTYPE, "this is an index");
    refused(4, RG_ESHAPE, "reduce: the loss is [3,2], the weight is [3,2,1]");
    refused(5, RG_ESHAPE, "do not broadcast");
    refused(6, RG_EARG, "no reduction 9");
    refused(7, RG_ESHAPE, "no axis");
}
