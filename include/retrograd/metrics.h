/* retrograd/metrics.h -- how good sequences and classes are, counted over a whole set and divided
 * once at its end: means of means of batches are wrong where rows are ragged. docs/MATH.md 11. */
#ifndef RETROGRAD_METRICS_H
#define RETROGRAD_METRICS_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens in a row: letters, words, phones. */
typedef struct rg_tokens {
    const int32_t *id;
    size_t         n;
} rg_tokens;

/* ---- Edit distance: character, phone and word error rates ----------------------------------- */

/* Fewest insertions, deletions and replacements of single tokens that turn a into b (Levenshtein
 * 1966). Time a.n·b.n, memory of the shorter. RG_EARG, RG_ENOMEM. */
RG_API rg_status rg_edit_distance(size_t *out, rg_tokens a, rg_tokens b);

/* Sums over a set; starts as zeros. */
typedef struct rg_edits {
    size_t edits, tokens;  /* Σ distance, Σ length of the references */
    size_t wrong, rows;    /* sequences that are not exactly right; all */
} rg_edits;

/* One more answer. As rg_edit_distance(); the sums are unchanged on failure. */
RG_API rg_status rg_edits_add(rg_edits *sum, rg_tokens answer, rg_tokens reference);
/* Σ edits / Σ reference length: a CER over letters, a WER over words. May exceed 1; NaN of nothing.
 * The share of whole sequences that are wrong is (double)sum->wrong / sum->rows. */
RG_API double rg_edits_rate(const rg_edits *sum);

/* ---- Classes -------------------------------------------------------------------------------- */

typedef struct rg_class_report {
    double accuracy;               /* share of the diagonal */
    double macro_f1;               /* mean F1 of the classes that occur, in truth or in answers */
    double micro_f1;               /* of the sums of hits, false alarms and misses */
} rg_class_report;

/**
 * What a confusion matrix says: F1 = 2·hits / (2·hits + false alarms + misses).
 *
 * @param each       F1 of the K classes, NaN where one does not occur; NULL if not wanted
 * @param confusion  counts [truth][answer], K·K
 * @param skip       a class that is none, such as "no tag": it is not counted in either F1; -1 =
 *                   all count, and micro F1 is then the accuracy
 *
 * NaN where nothing was counted.
 */
RG_API rg_class_report rg_class_f1(double *each, const uint64_t *confusion, size_t K, int64_t skip);

/* How many of the K numbers are before the one of class @p truth: larger ones, and of equals those
 * of lower index. The class is among the k first where this is below k. z is float or double, as
 * @p real says. K if there is no such class, or its number is NaN. */
RG_API size_t rg_rank_of(const void *z, rg_dtype real, size_t K, int64_t truth);

/* ---- BLEU ----------------------------------------------------------------------------------- */

/* Sums over a corpus (Papineni et al. 2002); starts as zeros. */
typedef struct rg_bleu {
    uint64_t hits[4], all[4];  /* n-grams of answers, n = 1 … 4: clipped matches, and how many */
    uint64_t length, closest;  /* tokens of the answers; of each one's closest reference */
} rg_bleu;

/* One more answer and its references, at least one: each n-gram counts as often as in the reference
 * that has it most often; of two references equally close in length the shorter is the closest.
 * Time quadratic in the lengths. RG_EARG. */
RG_API rg_status rg_bleu_add(rg_bleu *sum, rg_tokens answer, const rg_tokens *references, size_t n);
/* exp(mean_n ln(hits/all)) · min(1, e^(1 - closest/length)), in [0,1]; 0 if any n has no match.
 * @p add1: 1 is added above and below for n >= 2 (Lin & Och 2004), for single sentences. */
RG_API double rg_bleu_score(const rg_bleu *sum, bool add1);

#ifdef __cplusplus
}
#endif
#endif
