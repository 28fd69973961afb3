/* tests/train/metrics.c -- numbers worked out by hand, and laws. */
#include "tests/rgt.h"

#include "base/philox.h"

#include <math.h>
#include <retrograd/metrics.h>
#include <string.h>

static rg_tokens word(const char *text, int32_t id[64])
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        id[i] = text[i];
    return (rg_tokens){ id, n };
}

static size_t distance(const char *a, const char *b)
{
    int32_t x[64], y[64];
    size_t d = 999;
    RGT_CHECK(rg_edit_distance(&d, word(a, x), word(b, y)) == RG_OK);
    return d;
}

RGT_TEST(metrics, edit_distances_are_those_of_the_textbooks)
{
    RGT_CHECK(distance("kitten", "sitting") == 3 && distance("sunday", "saturday") == 3);
    RGT_CHECK(distance("", "") == 0 && distance("abc", "") == 3 && distance("", "ab") == 2);
    RGT_CHECK(distance("abc", "abc") == 0 && distance("intention", "execution") == 5);
    RGT_CHECK(distance("ab", "ba") == 2); /* an exchange of neighbours is no single edit */
    RGT_CHECK(rg_edit_distance(NULL, (rg_tokens){ NULL, 0 }, (rg_tokens){ NULL, 0 }) == RG_EARG);
    size_t d;
    RGT_CHECK(rg_edit_distance(&d, (rg_tokens){ NULL, 3 }, (rg_tokens){ NULL, 0 }) == RG_EARG);
}

RGT_TEST(metrics, edit_distance_is_symmetric_and_keeps_the_triangle)
{
    int32_t id[3][12];
    for (uint32_t round = 0; round < 300; round++) {
        rg_tokens t[3];
        size_t d[3], back;
        for (uint32_t k = 0; k < 3; k++) {
            t[k] = (rg_tokens){ id[k], rg_draw_below(1, RG_DOMAIN_USER, round * 3 + k, 0, 13) };
            for (uint32_t i = 0; i < t[k].n; i++)
                id[k][i] = (int32_t)rg_draw_below(1, RG_DOMAIN_USER, round * 3 + k, i + 1, 3);
        }
        for (int k = 0; k < 3; k++) {
            RGT_CHECK(!rg_edit_distance(&d[k], t[k], t[(k + 1) % 3]));
            RGT_CHECK(!rg_edit_distance(&back, t[(k + 1) % 3], t[k]) && back == d[k]);
        }
        RGT_CHECK(d[0] <= d[1] + d[2] && d[1] <= d[0] + d[2] && d[2] <= d[0] + d[1]);
    }
}

RGT_TEST(metrics, error_rates_divide_sums_once)
{
    int32_t a[64], b[64];
    rg_edits sum = { 0 };
    RGT_CHECK(isnan(rg_edits_rate(&sum)));
    RGT_CHECK(!rg_edits_add(&sum, word("abcdefgh", a), word("abcdefgh", b)));
    RGT_CHECK(!rg_edits_add(&sum, word("xy", a), word("a", b)));
    RGT_CHECK(sum.edits == 2 && sum.tokens == 9 && sum.wrong == 1 && sum.rows == 2);
    RGT_CHECK(rg_edits_rate(&sum) == 2.0 / 9); /* a mean of rates would be 1 */
    RGT_CHECK(rg_edits_add(&sum, (rg_tokens){ NULL, 1 }, word("a", b)) == RG_EARG && sum.rows == 2);
}

RGT_TEST(metrics, f1_is_of_hits_false_alarms_and_misses)
{
    static const uint64_t m[9] = { 5, 1, 0, 2, 3, 0, 0, 0, 0 };
    double each[3];
    rg_class_report r = rg_class_f1(each, m, 3, -1);
    RGT_CHECK(fabs(each[0] - 10.0 / 13) < 1e-15 && fabs(each[1] - 6.0 / 9) < 1e-15);
    RGT_CHECK(isnan(each[2])); /* it does not occur */
    RGT_CHECK(fabs(r.accuracy - 8.0 / 11) < 1e-15 && fabs(r.micro_f1 - r.accuracy) < 1e-15);
    RGT_CHECK(fabs(r.macro_f1 - (10.0 / 13 + 6.0 / 9) / 2) < 1e-15);
    r = rg_class_f1(NULL, m, 3, 0);
    RGT_CHECK(fabs(r.macro_f1 - 6.0 / 9) < 1e-15 && fabs(r.micro_f1 - 6.0 / 9) < 1e-15);
    r = rg_class_f1(NULL, (const uint64_t[4]){ 0 }, 2, -1);
    RGT_CHECK(isnan(r.accuracy) && isnan(r.macro_f1) && isnan(r.micro_f1));
}

RGT_TEST(metrics, ranks_count_what_is_larger_and_equals_before)
{
    static const double z[5] = { 1, 3, 3, 0, NAN };
    static const float s[3] = { 0.5f, 0.25f, 0.5f };
    RGT_CHECK(rg_rank_of(z, RG_F64, 5, 1) == 0 && rg_rank_of(z, RG_F64, 5, 2) == 1);
    RGT_CHECK(rg_rank_of(z, RG_F64, 5, 0) == 2 && rg_rank_of(z, RG_F64, 5, 3) == 3);
    RGT_CHECK(rg_rank_of(z, RG_F64, 5, 4) == 5 && rg_rank_of(z, RG_F64, 5, 5) == 5);
    RGT_CHECK(rg_rank_of(z, RG_F64, 5, -1) == 5 && rg_rank_of(z, RG_I32, 5, 1) == 5);
    RGT_CHECK(rg_rank_of(s, RG_F32, 3, 2) == 1 && rg_rank_of(s, RG_F32, 3, 1) == 2);
}

/* Papineni et al. 2002, section 2: the clipped unigram precision of seven "the" is 2/7. */
RGT_TEST(metrics, bleu_clips_and_punishes_what_is_short)
{
    int32_t a[64], b[64], c[64];
    rg_bleu sum = { .length = 0 };
    rg_tokens refs[2] = { word("tcmat", b), word("tx", c) };
    RGT_CHECK(!rg_bleu_add(&sum, word("ttttttt", a), refs, 2));
    RGT_CHECK(sum.hits[0] == 2 && sum.all[0] == 7 && sum.all[3] == 4 && sum.closest == 5);
    RGT_CHECK(rg_bleu_score(&sum, false) == 0 && rg_bleu_score(&sum, true) > 0);
    sum = (rg_bleu){ .length = 0 };
    RGT_CHECK(!rg_bleu_add(&sum, word("abcdef", a), (rg_tokens[]){ word("abcdef", b) }, 1));
    RGT_CHECK(fabs(rg_bleu_score(&sum, false) - 1) < 1e-15);
    /* abcd against abcdxy: all n-grams match, e^(1 - 6/4) for the length */
    sum = (rg_bleu){ .length = 0 };
    RGT_CHECK(!rg_bleu_add(&sum, word("abcd", a), (rg_tokens[]){ word("abcdxy", b) }, 1));
    RGT_CHECK(fabs(rg_bleu_score(&sum, false) - exp(-0.5)) < 1e-15);
    /* and one more, whose sums are added: p = 9/10, 7/8, 5/6, 3/4 of both, no brevity */
    sum = (rg_bleu){ .length = 0 };
    RGT_CHECK(!rg_bleu_add(&sum, word("abcde", a), (rg_tokens[]){ word("abcde", b) }, 1));
    RGT_CHECK(!rg_bleu_add(&sum, word("abcdx", a), (rg_tokens[]){ word("abcde", b) }, 1));
    double want = pow(9.0 / 10 * 7 / 8 * 5 / 6 * 3 / 4, 0.25);
    RGT_CHECK(fabs(rg_bleu_score(&sum, false) - want) < 1e-15);
    RGT_CHECK(fabs(rg_bleu_score(&sum, true) - pow(0.9 * 8 / 9 * 6 / 7 * 4 / 5, 0.25)) < 1e-15);
    RGT_CHECK(rg_bleu_add(&sum, word("a", a), NULL, 0) == RG_EARG);
}

RGT_TEST(metrics, of_references_equally_close_the_shorter_counts)
{
    int32_t a[64], b[64], c[64];
    rg_bleu sum = { .length = 0 };
    rg_tokens refs[2] = { word("abcdef", b), word("abcd", c) };
    RGT_CHECK(!rg_bleu_add(&sum, word("abcde", a), refs, 2) && sum.closest == 4);
}
