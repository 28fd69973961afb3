/* tests/layers/ctc.c -- the sum over alignments against an enumeration of all paths and against
 * PyTorch (tools/golden/ctc.py); gradients to second order; padding, rows that cannot be said. */
#include "tests/layers/golden_digest.h"

#include <retrograd/losses.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 4, V = 3, U = 3 };

/* Rows of 5, 4, 3, 2 steps; labels: two equal ones, one, none, two for two steps. */
static const int32_t steps[B] = { 5, 4, 3, 2 }, count[B] = { 3, 1, 0, 2 };
static const int32_t labels[U * B] = { 1, 2, 1, 1,  1, 0, 0, 2,  2, 1, 0, 0 };

/* ---- Every path ------------------------------------------------------------------------------ */

/* Do the classes of a path, repeats and blanks dropped, say these labels? */
static bool says(const int *path, int n_steps, int blank, const int *want, int n)
{
    int said = 0, before = blank;
    for (int t = 0; t < n_steps; t++) {
        if (path[t] != blank && path[t] != before && (said == n || path[t] != want[said++]))
            return false;
        before = path[t];
    }
    return said == n;
}

/* -ln Σ over all V^n_steps paths of the probability of those that say the labels; p [n_steps][V] */
static double by_all_paths(const double (*p)[V], int n_steps, int blank, const int *want, int n)
{
    double sum = 0;
    long paths = 1;
    for (int t = 0; t < n_steps; t++)
        paths *= V;
    for (long code = 0; code < paths; code++) {
        int path[T];
        double product = 1;
        long rest = code;
        for (int t = 0; t < n_steps; t++, rest /= V) {
            path[t] = (int)(rest % V);
            product *= p[t][path[t]];
        }
        sum += says(path, n_steps, blank, want, n) ? product : 0;
    }
    return -log(sum);
}

/* Of row b, from logits z [T,B,V]. */
static double expected(const double *z, int b, int blank, const int32_t *y)
{
    double p[T][V];
    int want[U];
    for (int t = 0; t < T; t++) {
        double sum = 0;
        for (int k = 0; k < V; k++)
            sum += exp(z[(t * B + b) * V + k]);
        for (int k = 0; k < V; k++)
            p[t][k] = exp(z[(t * B + b) * V + k]) / sum;
    }
    for (int u = 0; u < U; u++)
        want[u] = y[u * B + b];
    return by_all_paths((const double (*)[V])p, steps[b], blank, want, count[b]);
}

static rg_val mask_of(lab *l)
{
    return rg_length_mask(lab_bits(l, "steps", RG_INT, RG_SHAPE(B), steps), T);
}

static rg_val ctc(lab *l, rg_val z, const rg_ctc_opts *opts)
{
    rg_val y = lab_bits(l, "y", RG_INT, RG_SHAPE(U, B), labels);
    return rg_ctc(z, mask_of(l), y, lab_bits(l, "n", RG_INT, RG_SHAPE(B), count), opts);
}

RGT_TEST(ctc, is_the_sum_over_all_paths_whatever_class_is_the_blank)
{
    for (int blank = 0; blank < V; blank++) {
        int32_t y[U * B];
        lab l = { .seed = 51 };
        lab_open(&l, RG_F64);
        for (int i = 0; i < U * B; i++)
            y[i] = (labels[i] + blank) % V;
        rg_val z = rg_scale(lab_drawn(&l, "z", RG_SHAPE(T, B, V)), 3);
        rg_val each = rg_ctc(z, mask_of(&l), lab_bits(&l, "y", RG_INT, RG_SHAPE(U, B), y),
                             lab_bits(&l, "n", RG_INT, RG_SHAPE(B), count),
                             &(rg_ctc_opts){ .blank = blank });
        lab_run(&l, (const rg_val[]){ each, z }, 2);
        double *got = lab_read(&l, each, NULL), *at = lab_read(&l, z, NULL);
        for (int b = 0; b < B; b++) {
            double want = expected(at, b, blank, y);
            RGT_CHECK_MSG(fabs(got[b] - want) < 1e-13 * (1 + want), "blank %d, row %d: %.16g, not "
                          "%.16g", blank, b, got[b], want);
        }
        free(got), free(at);
        lab_close(&l);
    }
}

RGT_TEST(ctc, of_nothing_read_is_certain_to_say_nothing)
{
    static const int32_t none[2] = { 0, 0 }, some[2] = { 0, 1 }, y[2] = { 1, 1 };
    static const uint8_t unread[2] = { 0, 0 };
    lab l = { .seed = 51 };
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(1, 2, V));
    rg_val no = rg_input(l.g, "0", RG_F, RG_SHAPE(0, 2, V));
    rg_val m = lab_bits(&l, "m", RG_BOOL, RG_SHAPE(1, 2), unread);
    rg_val yy = lab_bits(&l, "y", RG_INT, RG_SHAPE(1, 2), y);
    rg_val n = lab_bits(&l, "n", RG_INT, RG_SHAPE(2), some);
    rg_val y0 = lab_bits(&l, "y0", RG_INT, RG_SHAPE(0, 2), none);
    rg_val root[3] = { rg_ctc(z, m, yy, n, NULL), rg_ctc(no, RG_NONE, yy, n, NULL),
                       rg_ctc(z, RG_NONE, y0, RG_NONE, NULL) };
    rg_val blanks = rg_neg(rg_select(rg_log_softmax(rg_select(z, 0, 0), -1), 1, 0));
    lab_run(&l, (const rg_val[]){ root[0], root[1], root[2], blanks }, 4);
    for (int k = 0; k < 2; k++) {
        double *got = lab_read(&l, root[k], NULL);
        RGT_CHECK_MSG(got[0] == 0 && got[1] == INFINITY, "%d: %g %g", k, got[0], got[1]);
        free(got);
    }
    RGT_CHECK(lab_apart(&l, root[2], &l, blanks) < 1e-15);
    lab_close(&l);
}

/* ---- Gradients ------------------------------------------------------------------------------- */

RGT_TEST(ctc, has_right_gradients_of_both_orders_also_where_two_ways_are_equally_likely)
{
    for (int even = 0; even < 2; even++) {
        lab l = { .seed = 52 };
        rg_gradcheck_report *report;
        lab_open(&l, RG_F64);
        rg_val z = rg_scale(lab_drawn(&l, "z", RG_SHAPE(T, B, V)), even ? 0 : 2);
        rg_val loss = rg_sum(rg_square(ctc(&l, z, &(rg_ctc_opts){ .zero_infinity = true })));
        lab_run(&l, &loss, 1);
        rg_verdict v = rg_gradcheck(&report, loss, &z, 1, &(rg_gradcheck_opts){ .data = l.plan,
                                                                               .order = 2 });
        RGT_CHECK_MSG(v == RG_PASS, "%d: %s", even, report->message);
        rg_gradcheck_destroy(&report);
        lab_close(&l);
    }
}

/* Σ over the classes of a step is 0: softmax minus what the alignments expect. Each is in [-1, 1].
 */
static void check_slopes(const double *d, double tolerance)
{
    for (int i = 0; i < T * B; i++) {
        double sum = 0;
        for (int k = 0; k < V; k++) {
            sum += d[i * V + k];
            RGT_CHECK_MSG(fabs(d[i * V + k]) <= 1 + tolerance, "%d %d: %g", i, k, d[i * V + k]);
        }
        RGT_CHECK_MSG(fabs(sum) < tolerance, "%d: %g", i, sum);
    }
}

RGT_TEST(ctc, stays_finite_at_saturated_logits_in_both_precisions)
{
    static const double scale[] = { 1e2, 1e4, 1e30 };
    for (int k = 0; k < 6; k++) {
        lab l = { .seed = 53 };
        lab_open(&l, k % 2 ? RG_F32 : RG_F64);
        rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), far = rg_scale(z, scale[k / 2]), d;
        rg_val each = ctc(&l, far, &(rg_ctc_opts){ .zero_infinity = true });
        rg_grad(&d, rg_sum(each), &far, 1);
        lab_run(&l, (const rg_val[]){ each, d }, 2);
        double *got = lab_read(&l, each, NULL), *slope = lab_read(&l, d, NULL);
        for (int b = 0; b < B; b++)
            RGT_CHECK_MSG(isfinite(got[b]) && got[b] >= 0, "%d %d: %g", k, b, got[b]);
        check_slopes(slope, 1e-6);
        free(got), free(slope);
        lab_close(&l);
    }
}

RGT_TEST(ctc, a_class_that_the_logits_exclude_cannot_be_said)
{
    lab l = { .seed = 53 };
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), two, shut, d;
    two = rg_broadcast(rg_one_hot(rg_constant(l.g, RG_INT, RG_SHAPE(1, 1), &(int32_t){ 2 }, 1), V),
                       RG_SHAPE(T, B, V));
    shut = rg_where(rg_equal(two, rg_const(l.g, 1)), rg_const(l.g, -INFINITY), z);
    rg_val each = ctc(&l, shut, NULL);
    rg_grad(&d, rg_sum(rg_where(rg_less(each, rg_const(l.g, 1e9)), each, rg_const(l.g, 0))), &z, 1);
    lab_run(&l, (const rg_val[]){ each, d }, 2);
    double *got = lab_read(&l, each, NULL), *slope = lab_read(&l, d, NULL);
    for (int b = 0; b < B; b++) /* only the third row says no 2: it says nothing */
        RGT_CHECK_MSG(b == 2 ? isfinite(got[b]) : got[b] == INFINITY, "%d: %g", b, got[b]);
    check_slopes(slope, 1e-14);
    free(got), free(slope);
    lab_close(&l);
}

/* ---- PyTorch --------------------------------------------------------------------------------- */

static bool run_case(golden_trial *c, const char *line, rg_effort how)
{
    enum { GT = 12, GB = 5, GV = 6, GU = 4 };
    static const int32_t golden_steps[GB] = { 12, 9, 7, 3, 2 };
    static const int32_t golden_count[GB] = { 4, 4, 0, 1, 3 };
    int32_t said[GU * GB];
    unsigned long long seed;
    int blank, scale;
    rg_val d;
    if (sscanf(line, "case seed=%llu blank=%d scale=%d", &seed, &blank, &scale) != 3)
        return false;
    lab *l = &c->l;
    l->seed = seed;
    lab_open(l, RG_F64);
    l->effort = how;
    for (int i = 0; i < GU * GB; i++) { /* the third label is the second again */
        const int from = i / GB == 2 ? i - GB : i;
        int k = (int)((lab_draw(seed, "y", (size_t)from) + 1) / 2 * (GV - 1));
        said[i] = k + (k >= blank);
    }
    rg_val z = rg_scale(lab_drawn(l, "z", RG_SHAPE(GT, GB, GV)), scale);
    rg_val n = lab_bits(l, "n", RG_INT, RG_SHAPE(GB), golden_count);
    rg_val m = rg_length_mask(lab_bits(l, "steps", RG_INT, RG_SHAPE(GB), golden_steps), GT);
    rg_val each = rg_ctc(z, m, lab_bits(l, "y", RG_INT, RG_SHAPE(GU, GB), said), n,
                         &(rg_ctc_opts){ .blank = blank, .zero_infinity = true });
    rg_grad(&d, rg_sum(rg_mul(each, lab_drawn(l, "gl", RG_SHAPE(GB)))), &z, 1);
    golden_add(c, "", "l", each);
    golden_add(c, "", "dz", d);
    lab_run(l, c->v, c->n);
    return true;
}

RGT_TEST(ctc, is_that_of_pytorch_with_its_gradient)
{
    char *text = golden_load("ctc.txt");
    for (int how = 0; how < 2; how++) {
        size_t cases = 0, tensors = 0;
        double worst = golden_judge(run_case, text, how ? RG_OPTIMIZE : RG_INTERPRET, &cases,
                                    &tensors);
        RGT_CHECK_MSG(cases == 4 && tensors == 8 && worst < 1e-13, "%zu cases, %zu tensors: %g",
                      cases, tensors, worst);
    }
    free(text);
    golden_notices(run_case, "ctc.txt", "\ndz ");
}

/* ---- Padding --------------------------------------------------------------------------------- */

/* Fill what the rows do not have with x, their labels from n on with class k. */
static void pad(double *z, int32_t *y, double x, int32_t k)
{
    for (int i = 0; i < T * B * V; i++)
        if (i / V / B >= steps[i / V % B])
            z[i] = x;
    for (int i = 0; i < U * B; i++)
        y[i] = i / B < count[i % B] ? labels[i] : k;
}

RGT_TEST(ctc, padding_changes_no_bit_of_value_or_gradient)
{
    for (int real = 0; real < 2; real++) {
        lab l[2] = { { .seed = 54 }, { .seed = 54 } };
        rg_val each[2], d[2];
        for (int k = 0; k < 2; k++) {
            double z[T * B * V];
            int32_t y[U * B];
            lab_open(&l[k], real ? RG_F32 : RG_F64);
            for (size_t i = 0; i < T * B * V; i++)
                z[i] = lab_draw(5, "z", i);
            pad(z, y, k ? NAN : 0, k);
            rg_val x = lab_given(&l[k], "z", RG_SHAPE(T, B, V), z);
            each[k] = rg_ctc(x, mask_of(&l[k]), lab_bits(&l[k], "y", RG_INT, RG_SHAPE(U, B), y),
                             lab_bits(&l[k], "n", RG_INT, RG_SHAPE(B), count),
                             &(rg_ctc_opts){ .zero_infinity = true });
            rg_grad(&d[k], rg_sum(rg_square(each[k])), &x, 1);
            lab_run(&l[k], (const rg_val[]){ each[k], d[k] }, 2);
        }
        RGT_CHECK(lab_same(&l[0], each[0], &l[1], each[1]) && lab_same(&l[0], d[0], &l[1], d[1]));
        double *slope = lab_read(&l[1], d[1], NULL);
        for (int i = 0; i < T * B * V; i++)
            RGT_CHECK_MSG(i / V / B < steps[i / V % B] || slope[i] == 0, "%d: %g", i, slope[i]);
        free(slope);
        lab_close(&l[0]), lab_close(&l[1]);
    }
}

RGT_TEST(ctc, a_row_that_cannot_be_said_is_infinite_or_zero_and_has_no_gradient)
{
    static const int32_t short_of[B] = { 3, 0, 3, 1 }; /* 1 1 2 takes four steps */
    for (int zero = 0; zero < 2; zero++) {
        lab l = { .seed = 55 };
        lab_open(&l, RG_F32);
        rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), d, mean;
        rg_val m = rg_length_mask(lab_bits(&l, "steps", RG_INT, RG_SHAPE(B), short_of), T);
        rg_val y = lab_bits(&l, "y", RG_INT, RG_SHAPE(U, B), labels);
        rg_val each = rg_ctc(z, m, y, lab_bits(&l, "n", RG_INT, RG_SHAPE(B), count),
                             &(rg_ctc_opts){ .zero_infinity = zero });
        mean = rg_reduce(each, RG_NONE, RG_MEAN_TOKENS);
        rg_grad(&d, mean, &z, 1);
        lab_run(&l, (const rg_val[]){ each, d, mean }, 3);
        double *got = lab_read(&l, each, NULL), *slope = lab_read(&l, d, NULL);
        for (int b = 0; b < B; b++)
            RGT_CHECK_MSG(b == 2 ? got[b] > 0 : got[b] == (zero ? 0 : INFINITY), "%d: %g", b,
                          got[b]);
        for (int i = 0; i < T * B * V; i++)
            RGT_CHECK_MSG(i / V % B == 2 && i / V / B < 3 ? slope[i] != 0 : slope[i] == 0, "%d: %g",
                          i, slope[i]);
        RGT_CHECK(isinf(rg_plan_scalar(l.plan, mean)) == !zero);
        free(got), free(slope);
        lab_close(&l);
    }
}

RGT_TEST(ctc, of_a_row_is_the_same_in_a_batch_and_alone)
{
    lab l = { .seed = 56 };
    rg_val root[2 * B];
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), each = ctc(&l, z, NULL);
    rg_val y = lab_bits(&l, "again", RG_INT, RG_SHAPE(U, B), labels);
    for (int b = 0; b < B; b++) {
        rg_val own = rg_slice(rg_slice(z, 1, b, b + 1), 0, 0, steps[b]);
        rg_val said = rg_slice(rg_slice(y, 1, b, b + 1), 0, 0, count[b]);
        root[b] = rg_slice(each, 0, b, b + 1);
        root[B + b] = rg_ctc(own, RG_NONE, said, RG_NONE, NULL);
    }
    lab_run(&l, root, 2 * B);
    for (int b = 0; b < B; b++)
        RGT_CHECK_MSG(lab_apart(&l, root[b], &l, root[B + b]) < 1e-15, "%d", b);
    lab_close(&l);
}

/* ---- Size, errors ---------------------------------------------------------------------------- */

static size_t nodes_at(int64_t n_steps)
{
    lab l = { .seed = 57 };
    lab_open(&l, RG_F32);
    rg_val z = rg_input(l.g, "z", RG_F, RG_SHAPE(n_steps, B, V)), d;
    rg_val y = rg_input(l.g, "y", RG_INT, RG_SHAPE(U, B));
    rg_grad(&d, rg_sum(rg_ctc(z, RG_NONE, y, RG_NONE, NULL)), &z, 1);
    RGT_CHECK(rg_graph_status(l.g) == RG_OK);
    lab_close(&l);
    return d.id;
}

RGT_TEST(ctc, nodes_grow_with_the_steps_and_no_faster)
{
    size_t n[3] = { nodes_at(50), nodes_at(100), nodes_at(150) };
    RGT_CHECK_MSG(n[2] - n[1] == n[1] - n[0] && n[1] - n[0] < 50 * 150, "%zu %zu %zu", n[0], n[1],
                  n[2]);
}

static void refused(int which, rg_status status, const char *says_so)
{
    lab l = { .seed = 57 };
    lab_open(&l, RG_F64);
    rg_val z = lab_drawn(&l, "z", RG_SHAPE(T, B, V)), n = rg_select(z, 2, 0);
    rg_val y = lab_bits(&l, "y", RG_INT, RG_SHAPE(U, B), labels), first = rg_select(y, 0, 0);
    switch (which) {
    case 0: rg_ctc(rg_select(z, 0, 0), RG_NONE, y, RG_NONE, NULL); break;
    case 1: rg_ctc(rg_slice(z, 1, 0, 2), RG_NONE, y, RG_NONE, NULL); break;
    case 2: rg_ctc(z, RG_NONE, rg_real(y), RG_NONE, NULL); break;
    case 3: rg_ctc(z, RG_NONE, y, rg_select(n, 0, 0), NULL); break;
    case 4: rg_ctc(z, RG_NONE, y, rg_slice(first, 0, 0, 2), NULL); break;
    case 5: rg_ctc(z, RG_NONE, y, first, &(rg_ctc_opts){ .blank = V }); break;
    case 6: rg_ctc(z, rg_less(n, n), y, first, NULL); break;
    default: rg_ctc(z, rg_slice(rg_less(n, n), 0, 0, 2), y, first, NULL);
    }
    if (which != 6)
        lab_says(l.g, status, says_so);
    RGT_CHECK(rg_graph_status(l.g) == status);
    lab_close(&l);
}

RGT_TEST(ctc, says_what_does_not_fit)
{
    refused(0, RG_ESHAPE, "ctc: logits are [4,3] and labels [3,4]; they must be [T,B,V] and [U,B]");
    refused(1, RG_ESHAPE, "ctc: logits are [5,2,3] and labels [3,4]");
    refused(2, RG_EDTYPE, "ctc: labels and their numbers are RG_INT");
    refused(3, RG_EDTYPE, "ctc: labels and their numbers are RG_INT");
    refused(4, RG_ESHAPE, "ctc: numbers of labels are [2], not [B] = [4]");
    refused(5, RG_EARG, "ctc: the blank 3 is no class of 3");
    refused(6, RG_OK, "");
    refused(7, RG_ESHAPE, "ctc: mask is [2,4]");
}
