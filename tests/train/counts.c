/* tests/train/counts.c -- count models against counting by brute force. */
#include "tests/rgt.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/train.h>

/* How often w[0..k-1] occurs in the text with at least `after` characters behind it. */
static double occurrences(rg_span text, const int32_t *w, size_t k, size_t after)
{
    double n = 0;
    for (size_t i = 0; i + k + after <= text.n; i++) {
        size_t j = 0;
        while (j < k && text.id[i + j] == w[j])
            j++;
        n += j == k;
    }
    return n;
}

static double brute_force(size_t order, size_t V, rg_span train, rg_span test)
{
    double bits = 0;
    for (size_t i = 0; i < test.n; i++) {
        size_t c = i < order - 1 ? i : order - 1; /* length of the context */
        double nc = occurrences(train, test.id + i - c, c, 1);
        double ncx = occurrences(train, test.id + i - c, c + 1, 0);
        bits -= log2((ncx + 0.01) / (nc + 0.01 * (double)V));
    }
    return bits / (double)test.n;
}

RGT_TEST(train, count_models_equal_brute_force)
{
    enum { N = 700, ORDERS = 6 };
    int32_t id[N];
    double bpc[2 * ORDERS], worst = 0;
    for (int32_t V = 1; V <= 7; V += 2) {
        for (uint32_t i = 0; i < N; i++) { /* repeats enough for long contexts */
            uint64_t u = rg_draw_below(7, RG_DOMAIN_USER, (uint64_t)V, i, 10);
            id[i] = i > 9 && u < 7 ? id[i - 9] : (int32_t)(u % (uint64_t)V);
        }
        rg_span train = { id, 500 }, test[2] = { { id + 500, 120 }, { id + 620, 80 } };
        RGT_CHECK(rg_count_models(bpc, ORDERS, (size_t)V, train, test, 2) == RG_OK);
        for (size_t k = 0; k < 2 * ORDERS; k++) {
            double want = brute_force(k % ORDERS + 1, (size_t)V, train, test[k / ORDERS]);
            worst = fmax(worst, fabs(bpc[k] - want));
        }
    }
    RGT_CHECK_MSG(worst < 1e-12, "off by %g bits", worst);
}

RGT_TEST(train, count_models_know_their_limits)
{
    static const int32_t id[] = { 0, 1, 0, 1 };
    rg_span text = { id, 4 }, none = { id, 0 };
    double bpc[8];
    RGT_CHECK(rg_count_models(bpc, 0, 2, text, &text, 1) == RG_EARG);
    RGT_CHECK(rg_count_models(bpc, 9, 2, text, &text, 1) == RG_EARG);
    RGT_CHECK(rg_count_models(NULL, 1, 2, text, &text, 1) == RG_EARG);
    RGT_CHECK(rg_count_models(bpc, 2, 2, text, &none, 1) == RG_OK && isnan(bpc[0]));
    RGT_CHECK(rg_count_models(bpc, 1, 2, none, &text, 1) == RG_OK && fabs(bpc[0] - 1) < 1e-12);
    RGT_CHECK(rg_count_models(bpc, 2, 2, text, NULL, 0) == RG_OK);
}
