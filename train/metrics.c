/* train/metrics.c -- edit distance, F1 from a confusion matrix, ranks, BLEU: integer sums, divided
 * once. */
#include <retrograd/metrics.h>

#include "base/checked.h"
#include "base/memory.h"
#include "base/real.h"

#include <math.h>
#include <string.h>

/* ---- Edit distance --------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One row of the table after another: cost[j] = distance of a[..i] and b[..j]. */
static size_t fill_rows(size_t *cost, rg_tokens a, rg_tokens b)
{
    for (size_t j = 0; j <= b.n; j++)
        cost[j] = j;
    for (size_t i = 0; i < a.n; i++) {
        size_t corner = cost[0]; /* of a[..i], b[..j] */
        cost[0] = i + 1;
        for (size_t j = 0; j < b.n; j++) {
            size_t replace = corner + (a.id[i] != b.id[j]);
            corner = cost[j + 1];
            cost[j + 1] = least(replace, least(cost[j], corner) + 1);
        }
    }
    return cost[b.n];
}

rg_status rg_edit_distance(size_t *out, rg_tokens a, rg_tokens b)
{
    rg_alloc alloc;
    size_t n, bytes;
    if (!out || (a.n && !a.id) || (b.n && !b.id))
        return RG_EARG;
    if (a.n < b.n) { /* the distance is symmetric; the shorter one makes the rows */
        rg_tokens swap = a;
        a = b;
        b = swap;
    }
    (void)rg_alloc_resolve(&alloc, NULL);
    size_t *cost = NULL;
    if (rg_add_size(b.n, 1, &n) && rg_mul_size(n, sizeof *cost, &bytes))
        cost = rg_get_raw(&alloc, bytes);
    if (!cost)
        return RG_ENOMEM;
    *out = fill_rows(cost, a, b);
    rg_release(&alloc, cost, bytes);
    return RG_OK;
}

rg_status rg_edits_add(rg_edits *sum, rg_tokens answer, rg_tokens reference)
{
    size_t distance = 0;
    rg_status st = sum ? rg_edit_distance(&distance, answer, reference) : RG_EARG;
    if (st)
        return st;
    sum->edits += distance;
    sum->tokens += reference.n;
    sum->wrong += distance > 0;
    sum->rows++;
    return RG_OK;
}

double rg_edits_rate(const rg_edits *sum)
{
    return sum && sum->tokens ? (double)sum->edits / (double)sum->tokens : NAN;
}

/* ---- Classes --------------------------------------------------------------------------------- */

/* NaN where the class does not occur. */
static double f1(uint64_t hits, uint64_t alarms, uint64_t misses)
{
    uint64_t all = 2 * hits + alarms + misses;
    return all ? 2 * (double)hits / (double)all : NAN;
}

rg_class_report rg_class_f1(double *each, const uint64_t *confusion, size_t K, int64_t skip)
{
    uint64_t all = 0, right = 0, hits = 0, alarms = 0, misses = 0, classes = 0;
    double sum = 0;
    for (size_t k = 0; confusion && k < K; k++) {
        uint64_t row = 0, column = 0, hit = confusion[k * K + k];
        for (size_t j = 0; j < K; j++) {
            row += confusion[k * K + j];
            column += confusion[j * K + k];
        }
        all += row;
        right += hit;
        double f = f1(hit, column - hit, row - hit);
        if (each)
            each[k] = f;
        if (skip == (int64_t)k || isnan(f))
            continue;
        hits += hit;
        alarms += column - hit;
        misses += row - hit;
        sum += f;
        classes++;
    }
    return (rg_class_report){ .accuracy = all ? (double)right / (double)all : NAN,
                              .macro_f1 = classes ? sum / (double)classes : NAN,
                              .micro_f1 = f1(hits, alarms, misses) };
}

size_t rg_rank_of(const void *z, rg_dtype real, size_t K, int64_t truth)
{
    size_t before = 0;
    if (!z || truth < 0 || (uint64_t)truth >= K || (real != RG_F32 && real != RG_F64))
        return K;
    const size_t at = (size_t)truth;
    const double own = rg_real_at(z, real, at);
    for (size_t k = 0; k < K; k++) {
        double other = rg_real_at(z, real, k);
        before += other > own || (other == own && k < at);
    }
    return isnan(own) ? K : before;
}

/* ---- BLEU ------------------------------------------------------------------------------------ */

/* How often the n tokens at @p gram occur in t. */
static size_t occurrences(const int32_t *gram, size_t n, rg_tokens t)
{
    size_t count = 0;
    for (size_t i = 0; i + n <= t.n; i++)
        count += memcmp(t.id + i, gram, n * sizeof *gram) == 0;
    return count;
}

/* Matches of n-grams, each at most as often as in one reference. */
static uint64_t clipped(size_t n, rg_tokens answer, const rg_tokens *references, size_t count)
{
    uint64_t hits = 0;
    for (size_t i = 0; i + n <= answer.n; i++) {
        const int32_t *gram = answer.id + i;
        if (occurrences(gram, n, (rg_tokens){ answer.id, i + n - 1 }) > 0)
            continue; /* counted where it came first */
        size_t most = 0;
        for (size_t r = 0; r < count; r++) {
            size_t there = occurrences(gram, n, references[r]);
            most = there > most ? there : most;
        }
        hits += least(occurrences(gram, n, answer), most);
    }
    return hits;
}

static size_t apart(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

rg_status rg_bleu_add(rg_bleu *sum, rg_tokens answer, const rg_tokens *references, size_t n)
{
    if (!sum || !references || !n || (answer.n && !answer.id))
        return RG_EARG;
    size_t closest = references[0].n;
    for (size_t r = 0; r < n; r++) {
        if (references[r].n && !references[r].id)
            return RG_EARG;
        size_t here = apart(references[r].n, answer.n), best = apart(closest, answer.n);
        if (here < best || (here == best && references[r].n < closest))
            closest = references[r].n;
    }
    for (size_t k = 1; k <= 4; k++) {
        sum->hits[k - 1] += clipped(k, answer, references, n);
        sum->all[k - 1] += answer.n >= k ? answer.n - k + 1 : 0;
    }
    sum->length += answer.n;
    sum->closest += closest;
    return RG_OK;
}

double rg_bleu_score(const rg_bleu *sum, bool add1)
{
    double log_p = 0;
    if (!sum || !sum->length)
        return 0;
    for (size_t k = 0; k < 4; k++) {
        double more = add1 && k > 0 ? 1 : 0;
        double hits = (double)sum->hits[k] + more, all = (double)sum->all[k] + more;
        if (!(hits > 0))
            return 0;
        log_p += log(hits / all) / 4;
    }
    double brevity = 1 - (double)sum->closest / (double)sum->length;
    return exp(log_p + (brevity < 0 ? brevity : 0));
}
