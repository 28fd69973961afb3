/* cli/compare_claims.c -- the rows of the lecture's two tables, each beside what was measured. A
 * row is confirmed where the 95 % interval of the difference, seed by seed, excludes zero on the
 * side that the row claims. */
#include "cli/compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(claim *cl, const char *format, ...) RG_PRINTF(2, 3);

static void say(claim *cl, const char *format, ...)
{
    const size_t n = strlen(cl->found);
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(cl->found + n, sizeof cl->found - n, format, ap);
    va_end(ap);
}

/* Who is asked about, where both take part. */
typedef struct pair {
    const study *st;
    size_t       lstm, other;
} pair;

static bool pair_of(pair *p, const comparison *c, const char *key, const char *other)
{
    p->st = study_find(c, key);
    const int a = p->st ? contestant_index(p->st, "lstm") : -1;
    const int b = p->st ? contestant_index(p->st, other) : -1;
    if (a < 0 || b < 0)
        return false;
    p->lstm = (size_t)a;
    p->other = (size_t)b;
    return true;
}

/* Does the first of both do better (1), worse (-1), or can the seeds not tell (0)? Says it. */
static int better(claim *cl, const pair *p)
{
    const measure m = p->st->row->measure;
    const spread a = spread_of(p->st, p->lstm, outcome_value);
    const spread b = spread_of(p->st, p->other, outcome_value);
    const spread d = spread_between(p->st, p->lstm, p->other, outcome_value);
    say(cl, "%s%s: %s %.3g (%s) against %.3g (%s), difference %.2g ± %.2g (guessing %.3g)",
        *cl->found ? "; " : "", p->st->row->title, measure_name(m), a.mean,
        p->st->who[p->lstm].label, b.mean, p->st->who[p->other].label, d.mean, d.half,
        p->st->blind);
    /* equal differences of counts are chance */
    if (!(fabs(d.mean) > d.half) || !(d.sd > 1e-6 * fabs(d.mean)))
        return 0;
    return (d.mean < 0) == measure_falls(m) ? 1 : -1;
}

/* A row that n studies could tell holds if it held in all of them. */
static void judge(claim *cl, int held, int n)
{
    cl->verdict = n == 0 ? UNKNOWN : held == n ? YES : NOT;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static void architecture(claim *cl, const comparison *c, const char *other)
{
    pair p;
    if (!pair_of(&p, c, c->study[0].row->key, other))
        return;
    const outcome *a = outcome_at(p.st, p.lstm, 0), *b = outcome_at(p.st, p.other, 0);
    say(cl, "%s: %lld and %lld units, %lld and %lld weights, %.0f and %.0f nodes for training",
        p.st->row->title, (long long)p.st->who[p.lstm].hidden,
        (long long)p.st->who[p.other].hidden, (long long)p.st->weights[p.lstm],
        (long long)p.st->weights[p.other], a->nodes, b->nodes);
    cl->verdict = FACT;
}

static void cell(claim *cl, const comparison *c, const char *other)
{
    pair p;
    if (!pair_of(&p, c, c->study[0].row->key, other))
        return;
    const double a = outcome_at(p.st, p.lstm, 0)->flop, b = outcome_at(p.st, p.other, 0)->flop;
    say(cl, "the equations: retrograd info --cell lstm and --cell %s; %s: %.0f and %.0f million "
        "operations an update", other, p.st->row->title, a / 1e6, b / 1e6);
    cl->verdict = FACT;
}

static void memory_rnn(claim *cl, const comparison *c, const char *other)
{
    static const char *const keys[] = { "copy-50", "order-100", "adding-100" };
    int n = 0, held = 0;
    for (size_t i = 0; i < 3; i++) {
        pair p;
        if (pair_of(&p, c, keys[i], other) && (i < 2 || n == 0)) {
            n++;
            held += better(cl, &p) > 0;
        }
    }
    judge(cl, held, n);
}

/* Do both clearly beat guessing? */
static void memory_gru(claim *cl, const comparison *c, const char *other)
{
    static const char *const keys[] = { "adding-100", "copy-50", "order-100" };
    int n = 0, held = 0;
    for (size_t i = 0; i < 3; i++) {
        pair p;
        if (!pair_of(&p, c, keys[i], other))
            continue;
        const spread a = spread_of(p.st, p.lstm, outcome_value);
        const spread b = spread_of(p.st, p.other, outcome_value);
        say(cl, "%s%s: %s %.3g ± %.2g and %.3g ± %.2g, guessing %.3g", n ? "; " : "",
            p.st->row->title, measure_name(p.st->row->measure), a.mean, a.half, b.mean, b.half,
            p.st->blind);
        n++;
        held += a.mean + a.half < p.st->blind && b.mean + b.half < p.st->blind;
    }
    judge(cl, held, n);
}

/* Seconds until the threshold, of the seeds that reached it. */
static void say_threshold(claim *cl, const study *st, size_t who)
{
    const reach r = reach_of(st, who);
    say(cl, "; %s reaches %s %.3g: %d of %d seeds", st->who[who].label,
        measure_name(st->row->measure), st->row->enough, r.n, st->seeds);
    if (r.n)
        say(cl, ", after %.2g s", r.seconds);
}

/* More time an update, at equal widths, wherever both are timed? */
static void training(claim *cl, const comparison *c, const char *other)
{
    int n = 0, slower = 0;
    pair p;
    for (size_t k = 0; k < c->n; k++) {
        const study_kind kind = c->study[k].row->kind;
        if (kind == ORDER || kind == EXPLODING || !pair_of(&p, c, c->study[k].row->key, other))
            continue;
        const double a = p.st->ms_wide[p.lstm], b = p.st->ms_wide[p.other];
        say(cl, "%s%s: %.3g and %.3g ms an update at equal widths, %.3g and %.3g at equal weights",
            n ? "; " : "", p.st->row->title, a, b, p.st->ms[p.lstm], p.st->ms[p.other]);
        n++;
        slower += a > 1.02 * b;
    }
    if (pair_of(&p, c, "adding-100", other)) {
        say_threshold(cl, p.st, p.lstm);
        say_threshold(cl, p.st, p.other);
    }
    judge(cl, slower, n);
}

static void say_lengths(claim *cl, const pair *p)
{
    const size_t who[2] = { p->lstm, p->other };
    say(cl, "; trained at T = 100, RMSE at");
    for (size_t i = 0; i < MAX_LENGTHS; i++) {
        double mean[2] = { 0, 0 };
        for (int k = 0; k < p->st->seeds; k++)
            for (int j = 0; j < 2; j++)
                mean[j] += outcome_at(p->st, who[j], k)->by_length[i] / p->st->seeds;
        say(cl, " %lld: %.3g and %.3g%s", (long long)lengths[i], mean[0], mean[1],
            i + 1 < MAX_LENGTHS ? "," : "");
    }
}

static void long_rnn(claim *cl, const comparison *c, const char *other)
{
    pair p;
    if (!pair_of(&p, c, "adding-100", other))
        return;
    cl->verdict = better(cl, &p) > 0 ? YES : NOT;
    say_lengths(cl, &p);
    if (pair_of(&p, c, "digits-pixels", other) && better(cl, &p) <= 0)
        cl->verdict = NOT;
}

/* Both against the RNN. */
static void long_gru(claim *cl, const comparison *c, const char *other)
{
    pair p;
    if (!pair_of(&p, c, "adding-100", "rnn"))
        return;
    const int gru = contestant_index(p.st, other);
    if (gru < 0)
        return;
    bool held = better(cl, &p) > 0;
    p.lstm = (size_t)gru;
    held = better(cl, &p) > 0 && held;
    cl->verdict = held ? YES : NOT;
}

static void vanishing(claim *cl, const comparison *c, const char *other)
{
    pair p;
    if (!pair_of(&p, c, "adding-100", other))
        return;
    cl->verdict = YES; /* if it holds at the start and after training */
    for (int after = 0; after < 2; after++) {
        outcome_fn *slope = after ? outcome_slope_after : outcome_slope_before;
        const spread a = spread_of(p.st, p.lstm, slope), b = spread_of(p.st, p.other, slope);
        const spread d = spread_between(p.st, p.lstm, p.other, slope);
        say(cl, "%s%s: ln of the gradient falls by %.3f and %.3f a step (halves in %.1f and %.1f), "
            "difference %.3f ± %.3f%s", after ? "; " : p.st->row->title, after ? "trained"
            : ", before training", -a.mean, -b.mean, log(2) / -a.mean, log(2) / -b.mean, d.mean,
            d.half, d.mean > d.half ? "" : " (no clear difference)");
        if (!(d.mean > d.half))
            cl->verdict = NOT;
    }
}

static void introduced(claim *cl, const comparison *c, const char *other)
{
    (void)c;
    (void)other;
    say(cl, "Hochreiter & Schmidhuber, Neural Computation 9, 1997; Cho et al., EMNLP 2014");
    cl->verdict = FACT;
}

/* LSTM better in results and slower, everywhere? */
static void which(claim *cl, const comparison *c, const char *other)
{
    int n = 0, wins = 0, losses = 0;
    pair p;
    for (size_t k = 0; k < c->n; k++)
        if (pair_of(&p, c, c->study[k].row->key, other)) {
            const int b = better(cl, &p);
            n++;
            wins += b > 0;
            losses += b < 0;
        }
    if (n)
        say(cl, "; LSTM clearly better in %d of %d, clearly worse in %d, the rest the seeds cannot "
            "tell", wins, n, losses);
    judge(cl, wins, n);
}

/* ---- The tables ----------------------------------------------------------------------------- */

typedef struct row {
    const char *topic, *left, *right;
    void      (*measure)(claim *cl, const comparison *c, const char *other);
} row;

static const row against_rnn[] = {
    { "architecture", "an RNN to which memory cells are added", "the plain form", architecture },
    { "memory", "holds on to what is long past", "has trouble with it", memory_rnn },
    { "cell", "gates for input, output and forgetting", "one hidden state", cell },
    { "training", "slower, because of its gates", "faster", training },
    { "long sequences", "copes better", "forgets", long_rnn },
    { "vanishing gradient", "made against it", "suffers from it", vanishing },
};

static const row against_gru[] = {
    { "architecture", "an RNN to which memory cells are added", "an RNN too", architecture },
    { "memory", "long", "long", memory_gru },
    { "cell", "three gates", "two gates", cell },
    { "training", "slower", "faster, having fewer gates", training },
    { "long sequences", "better than the RNN", "better than the RNN too", long_gru },
    { "introduced", "1998, says the lecture; the paper is of 1997", "2014", introduced },
    { "which to use", "where results count more", "where training time counts more; no rule, try "
      "both", which },
};

size_t claims_of(claim *out, const comparison *c, const char *other)
{
    const bool rnn = strcmp(other, "rnn") == 0;
    const row *list = rnn ? against_rnn : against_gru;
    const size_t n = rnn ? sizeof against_rnn / sizeof *list : sizeof against_gru / sizeof *list;
    for (size_t i = 0; i < n; i++) {
        out[i] = (claim){ .topic = list[i].topic, .left = list[i].left, .right = list[i].right,
                          .verdict = UNKNOWN };
        list[i].measure(&out[i], c, other);
    }
    return n;
}
