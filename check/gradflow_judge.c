/* check/gradflow_judge.c -- from norms to slope, verdict and words. docs/MATH.md 14.2. */
#include "check/gradflow.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>

static const char *const verdict_text[] = { "healthy", "fading", "growing", "vanishing", "cut",
                                            "exploding" };

const char *rg_flow_verdict_text(rg_flow_verdict v)
{
    return (unsigned)v <= RG_FLOW_EXPLODING ? verdict_text[v] : "unknown";
}

const char *rg_flow_probe_text(rg_probe probe)
{
    return probe == RG_PROBE_END ? "end" : probe == RG_PROBE_LOSS ? "loss" : "jacobian";
}

/* ---- The line through the logarithms --------------------------------------------------------- */

/* Below this a norm has lost its digits. */
static double least(rg_dtype real)
{
    return real == RG_F64 ? 1e-300 : 1e-35;
}

/* Least squares of ln N(k) over lags k = max(1, K/20) .. K, without what is too small to count;
 * with lag 0 where that leaves a single one. */
static double slope_of(const rg_flow_state *s, int64_t K, double tiny)
{
    double n = 0, sk = 0, sl = 0, skk = 0, skl = 0;
    int64_t first = K / 20 > 1 ? K / 20 : 1;
    for (int64_t k = K; k >= 0; k--) {
        const double N = s->norm[k], x = (double)k;
        if (!(N > tiny) || !isfinite(N) || (k < first && n >= 2))
            continue;
        n += 1;
        sk += x;
        sl += log(N);
        skk += x * x;
        skl += x * log(N);
    }
    return n < 2 ? -INFINITY : (n * skl - sk * sl) / (n * skk - sk * sk);
}

/* Could N(k) = 0 be a number too small? Then the course before leads there. */
static bool may_underflow(const rg_flow_state *s, int64_t k, double tiny)
{
    const double a = k > 1 ? s->norm[k - 2] : 1, b = k > 0 ? s->norm[k - 1] : 1;
    return b > 0 && b < 1e-4 && (b < 1e6 * tiny || b * (b / a) < tiny);
}

/* The first lag that is too small to count; and where the path ends, if from some lag on everything
 * is exactly 0 and that is no underflow. A zero before others that are none, as of steps without
 * loss, cuts nothing. */
static void look_for_zeros(rg_flow_state *s, int64_t K, double tiny, const int64_t *time)
{
    int64_t end = K + 1;
    while (end > 0 && s->norm[end - 1] == 0)
        end--;
    if (end <= K && end > 0 && may_underflow(s, end, tiny))
        s->underflow = end;
    else if (end <= K)
        s->cut = time[end > 0 ? end - 1 : 0];
    for (int64_t k = end - 1; k > 0; k--)
        if (s->norm[k] > 0 && s->norm[k] < tiny)
            s->underflow = k;
}

static bool all_finite(const rg_flow_state *s, int64_t K)
{
    for (int64_t k = 0; k <= K; k++)
        if (!isfinite(s->norm[k]))
            return false;
    return true;
}

void rg_flow_judge(rg_flow_state *s, int64_t lag, rg_dtype real, const int64_t *time)
{
    const int64_t K = lag < s->lags - 1 ? lag : s->lags - 1;
    s->underflow = s->cut = RG_NO_STEP;
    s->half_life = s->horizon = INFINITY;
    s->ratio = 1;
    if (K < 1)
        return;
    look_for_zeros(s, K, least(real), time);
    s->slope = slope_of(s, K, least(real));
    s->half_life = log(2) / fabs(s->slope);
    s->horizon = log(1000) / fabs(s->slope);
    s->ratio = exp(s->slope * (double)lag);
    s->verdict = s->ratio < 1e-6 ? RG_FLOW_VANISHING : s->ratio < 1e-3 ? RG_FLOW_FADING
               : s->ratio > 1e6 ? RG_FLOW_EXPLODING : s->ratio > 1e3 ? RG_FLOW_GROWING
               : RG_FLOW_HEALTHY;
    if (s->cut != RG_NO_STEP)
        s->verdict = RG_FLOW_CUT;
    if (!all_finite(s, K))
        s->verdict = RG_FLOW_EXPLODING;
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* Does some gate carry an old state on? */
static bool is_gated(const rg_gradflow_report *r)
{
    for (size_t i = 0; i < r->n_gate; i++)
        if (!isnan(r->gate[i].keeps))
            return true;
    return false;
}

/* "try ..." in the order in which it helps; "" where nothing need be done. */
static const char *remedy_of(const rg_gradflow_report *r)
{
    switch (r->verdict) {
    case RG_FLOW_EXPLODING:
        return "try clipping first (clip_norm 1), then a smaller learning rate, orthogonal "
               "recurrent weights, shorter windows";
    case RG_FLOW_GROWING:
        return "clipping (clip_norm 1) keeps it in bounds";
    case RG_FLOW_VANISHING:
        return is_gated(r)
            ? "try a larger bias of the gate that keeps (forget bias 1, chrono for this lag), then "
              "orthogonal recurrent weights; scaling gradients up by hand does not help"
            : "try a gated cell (gru, lstm), then a forget bias of 1 or chrono, orthogonal "
              "recurrent weights; scaling gradients up by hand does not help";
    case RG_FLOW_FADING:
        return is_gated(r) ? "a larger bias of the gate that keeps (chrono for this lag) reaches "
                             "further"
                           : "a gated cell (gru, lstm) reaches further";
    case RG_FLOW_CUT:
        return "look for rg_detach, a mask, a reset, or a relu that is always off there";
    default:
        return "";
    }
}

static const rg_flow_state *worst_layer(const rg_gradflow_report *r)
{
    const rg_flow_state *worst = &r->layer[0];
    for (size_t l = 1; l < r->n_layer; l++)
        worst = r->layer[l].verdict > worst->verdict ? &r->layer[l] : worst;
    return worst;
}

void rg_flow_say(rg_gradflow_report *r)
{
    const rg_flow_state *s = worst_layer(r);
    const char *remedy;
    char slope[RG_NUMBER_TEXT], half[RG_NUMBER_TEXT], far[RG_NUMBER_TEXT], extra[96] = "";
    r->verdict = s->verdict;
    remedy = remedy_of(r);
    if (s->cut != RG_NO_STEP)
        (void)snprintf(extra, sizeof extra, ", no gradient before time step %lld",
                       (long long)s->cut);
    else if (s->underflow != RG_NO_STEP)
        (void)snprintf(extra, sizeof extra, ", underflow from lag %lld", (long long)s->underflow);
    (void)snprintf(r->message, sizeof r->message, "%s: %.100s: slope %s per step, half-life %s, "
                   "horizon %s steps of %lld%s%s%s", rg_flow_verdict_text(s->verdict), s->name,
                   rg_number(slope, s->slope, 3), rg_number(half, s->half_life, 3),
                   rg_number(far, s->horizon, 3), (long long)r->lag, extra, *remedy ? "; " : "",
                   remedy);
}
