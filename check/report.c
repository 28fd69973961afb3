/* check/report.c -- what was found: the struct, its one line, its table. */
#include "check/check.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A report and its memory: the caller sees the first part. */
struct box {
    rg_gradcheck_report pub;
    rg_alloc            alloc;
    rg_arena            arena;   /* blocks and names */
    const char        **name;    /* of the tensors: what names of blocks point at */
    size_t              n_name;
};

static const char *const verdict_text[] = { "pass", "fail", "inconclusive", "not run" };

/* ---- Sorting -------------------------------------------------------------------------------- */

/* Failed, suspect, undecided, passed. */
static int rank_of(const rg_check_result *r)
{
    return r->verdict == RG_FAIL ? 0 : r->verdict == RG_PASS ? 3 : r->suspect ? 1 : 2;
}

enum { RANKS = 4 };

static bool add(struct box *box, rg_gradcheck_block *out, const rg_check_result *r, size_t name)
{
    *out = (rg_gradcheck_block){
        .name = box->name[name], .step = r->block->step, .verdict = r->verdict,
        .oracle = r->oracle, .reason = r->missing ? "" : r->reason, .index = (int64_t)r->worst,
        .got = r->worst_got, .want = r->worst_want, .error = r->error,
        .sigma = r->scale > 0 ? r->sigma / r->scale : 0, .h = r->h, .excluded = r->excluded,
    };
    if (r->missing && r->verdict == RG_INCONCLUSIVE) {
        char text[256];
        (void)snprintf(text, sizeof text, "%s; op '%s' has no kernel for complex numbers",
                       r->reason, r->missing);
        out->reason = rg_arena_text(&box->arena, text);
    }
    box->pub.passed += r->verdict == RG_PASS;
    box->pub.failed += r->verdict == RG_FAIL;
    box->pub.inconclusive += r->verdict == RG_INCONCLUSIVE;
    if (r->verdict != RG_INCONCLUSIVE)
        box->pub.worst_error = fmax(box->pub.worst_error, r->error);
    return out->reason != NULL;
}

/* The results of one list that have a rank. */
static bool add_ranked(struct box *box, const rg_check *c, rg_gradcheck_block *out,
                       const rg_check_result *r, size_t n, int rank)
{
    bool ok = true;
    for (size_t i = 0; i < n && r && ok; i++)
        if (r[i].block->checked && rank_of(&r[i]) == rank)
            ok = add(box, &out[box->pub.n_block++], &r[i],
                     (size_t)(r[i].block->tensor - c->tensor));
    return ok;
}

static bool copy_names(struct box *box, const rg_check *c)
{
    box->n_name = c->n_tensor;
    box->name = rg_arena_get(&box->arena, box->n_name * sizeof *box->name);
    for (size_t i = 0; i < box->n_name && box->name; i++)
        if (!(box->name[i] = rg_arena_text(&box->arena, c->tensor[i].name)))
            return false;
    return box->name != NULL;
}

static bool add_laws(struct box *box, const rg_check *c)
{
    rg_gradcheck_law *law = rg_arena_get(&box->arena, RG_LAWS * sizeof *law);
    for (size_t i = 0; i < RG_LAWS && law; i++) {
        if (!c->law[i].name)
            continue;
        rg_gradcheck_law *out = &law[box->pub.n_law++];
        *out = c->law[i];
        out->tensor = rg_arena_text(&box->arena, out->tensor);
        out->reason = rg_arena_text(&box->arena, out->reason);
        if (!out->tensor || !out->reason)
            return false;
    }
    box->pub.law = law;
    return law != NULL;
}

static bool add_all(struct box *box, const rg_check *c)
{
    rg_gradcheck_block *out =
        rg_arena_get(&box->arena, 2 * c->n_block * sizeof *out);
    bool ok = out && copy_names(box, c) && add_laws(box, c);
    for (int rank = 0; rank < RANKS && ok; rank++)
        ok = add_ranked(box, c, out, c->first.result, c->n_block, rank) &&
             add_ranked(box, c, out, c->second.result, c->n_block, rank);
    box->pub.block = out;
    return ok;
}

/* ---- The line ------------------------------------------------------------------------------- */

static const char *step_text(char text[32], int64_t step)
{
    if (step == RG_NO_STEP)
        text[0] = '\0';
    else
        (void)snprintf(text, 32, " step %lld", (long long)step);
    return text;
}

/* "lstm.Ui step 3 [5]: gradient 0.1, difference 0.2" */
static void first_block(char *out, size_t n, const rg_gradcheck_block *b)
{
    char step[32], got[RG_NUMBER_TEXT], want[RG_NUMBER_TEXT];
    (void)snprintf(out, n, "%.120s%s [%lld]: gradient %s, %s %s", b->name, step_text(step, b->step),
                   (long long)b->index, rg_number(got, b->got, 6), b->oracle,
                   rg_number(want, b->want, 6));
}

/* "; no path: a, b" of the tensors that have no gradient at all. */
static void unreached(char *out, size_t n, const rg_check *c, rg_outcome outcome, const char *what)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < c->n_tensor && at < n; i++)
        if (rg_outcome_of(c->total[i]) == outcome) {
            int k = snprintf(out + at, n - at, "%s%s", at ? ", " : what, c->tensor[i].name);
            at += k > 0 ? (size_t)k : 0;
        }
}

/* The law of that verdict; NULL if none has it. */
static const rg_gradcheck_law *law_that(const rg_gradcheck_report *p, rg_verdict verdict)
{
    for (size_t i = 0; i < p->n_law; i++)
        if (p->law[i].verdict == verdict)
            return &p->law[i];
    return NULL;
}

/* "optimized plan: w: 2, 1 expected; error 0.5, allowed 1e-6" */
static void law_text(char *out, size_t n, const rg_gradcheck_law *l)
{
    char step[32], got[RG_NUMBER_TEXT], want[RG_NUMBER_TEXT], error[RG_NUMBER_TEXT],
         bound[RG_NUMBER_TEXT];
    (void)snprintf(out, n, "%s: %.120s%s%s%s, %s expected; error %s, allowed %s", l->name,
                   l->tensor, step_text(step, l->step), *l->tensor ? ": " : "",
                   rg_number(got, l->got, 6), rg_number(want, l->want, 6),
                   rg_number(error, l->error, 2), rg_number(bound, l->bound, 2));
}

/* No block failed or is undecided: what the laws say. */
static bool summarize_laws(rg_gradcheck_report *p)
{
    char text[320];
    const rg_gradcheck_law *broken = law_that(p, RG_FAIL), *open = law_that(p, RG_INCONCLUSIVE);
    if (broken) {
        law_text(text, sizeof text, broken);
        (void)snprintf(p->message, sizeof p->message, "fail: %s", text);
    } else if (open) {
        (void)snprintf(p->message, sizeof p->message, "%s: %s: %s", verdict_text[p->verdict],
                       open->name, open->reason);
    }
    return broken || open;
}

static void summarize(struct box *box, const rg_check *c)
{
    char first[320] = "", none[120], cut[120], worst[RG_NUMBER_TEXT];
    rg_gradcheck_report *p = &box->pub;
    const size_t resolved = p->passed + p->failed;
    if (!p->failed && (law_that(p, RG_FAIL) || !p->inconclusive) && summarize_laws(p))
        return;
    unreached(none, sizeof none, c, RG_NO_PATH, "; no path: ");
    unreached(cut, sizeof cut, c, RG_BLOCKED, "; blocked: ");
    if (p->failed || p->inconclusive)
        first_block(first, sizeof first, &p->block[0]);
    if (p->failed)
        (void)snprintf(p->message, sizeof p->message, "fail: %zu of %zu blocks; %s%s%s%s",
                       p->failed, p->n_block, first, c->blame, none, cut);
    else if (p->inconclusive)
        (void)snprintf(p->message, sizeof p->message,
                       "%s: %zu of %zu blocks undecided; %s (%s)%s%s", verdict_text[p->verdict],
                       p->inconclusive, p->n_block, first, p->block[0].reason, none, cut);
    else
        (void)snprintf(p->message, sizeof p->message, "pass: %zu blocks, worst error %s%s%s",
                       resolved, rg_number(worst, p->worst_error, 3), none, cut);
}

rg_gradcheck_report *rg_check_report(const rg_check *c)
{
    struct box *box = rg_get(&c->alloc, sizeof *box);
    if (!box)
        return NULL;
    box->alloc = c->alloc;
    rg_arena_init(&box->arena, &c->alloc);
    box->pub.verdict = RG_NOT_RUN;
    box->pub.status = c->err.status;
    box->pub.seed = c->seed;
    (void)snprintf(box->pub.message, sizeof box->pub.message, "%s", c->err.text);
    if (c->err.status)
        return &box->pub;
    if (!add_all(box, c)) {
        box->pub = (rg_gradcheck_report){ .verdict = RG_NOT_RUN, .status = RG_ENOMEM,
                                          .message = "gradcheck: no memory" };
        return &box->pub;
    }
    const bool failed = box->pub.failed || law_that(&box->pub, RG_FAIL);
    const bool open = box->pub.inconclusive || law_that(&box->pub, RG_INCONCLUSIVE);
    box->pub.verdict = failed                          ? RG_FAIL
                     : open && !c->allow_inconclusive ? RG_INCONCLUSIVE : RG_PASS;
    summarize(box, c);
    return &box->pub;
}

void rg_gradcheck_destroy(rg_gradcheck_report **report)
{
    struct box *box = report ? (struct box *)*report : NULL;
    if (!box)
        return;
    rg_arena_free(&box->arena);
    rg_alloc alloc = box->alloc;
    rg_release(&alloc, box, sizeof *box);
    *report = NULL;
}

/* ---- The table ------------------------------------------------------------------------------ */

static size_t name_width(const rg_gradcheck_report *r)
{
    size_t most = sizeof "tensor" - 1;
    for (size_t i = 0; i < r->n_block; i++) {
        size_t n = strlen(r->block[i].name);
        most = n > most ? n : most;
    }
    return most < 40 ? most : 40;
}

static void print_block(const rg_out *out, const rg_gradcheck_block *b, int width)
{
    char step[32] = "-", got[RG_NUMBER_TEXT], want[RG_NUMBER_TEXT], error[RG_NUMBER_TEXT],
         sigma[RG_NUMBER_TEXT], h[RG_NUMBER_TEXT] = "-";
    if (b->h > 0)
        rg_number(h, b->h, 2);
    if (b->step != RG_NO_STEP)
        (void)snprintf(step, sizeof step, "%lld", (long long)b->step);
    rg_out_printf(out, "  %-12s  %-*.*s  %5s  %-14s  %6lld  %13s  %13s  %9s  %9s  %8s  %8zu%s%s\n",
                  verdict_text[b->verdict], width, width, b->name, step, b->oracle,
                  (long long)b->index, rg_number(got, b->got, 6), rg_number(want, b->want, 6),
                  rg_number(error, b->error, 2), rg_number(sigma, b->sigma, 2), h, b->excluded,
                  *b->reason ? "  " : "", b->reason);
}

/* Blocks of one tensor in one line. */
static void print_tensor(const rg_out *out, const rg_gradcheck_report *r, const char *name,
                         int width)
{
    char worst[RG_NUMBER_TEXT];
    size_t count[3] = { 0 };
    double error = 0;
    for (size_t i = 0; i < r->n_block; i++) {
        const rg_gradcheck_block *b = &r->block[i];
        if (b->name != name)
            continue;
        count[b->verdict]++;
        if (b->verdict != RG_INCONCLUSIVE)
            error = fmax(error, b->error);
    }
    if (count[RG_PASS] + count[RG_FAIL] + count[RG_INCONCLUSIVE])
        rg_out_printf(out, "  %-*.*s  %6zu  %6zu  %9zu  %11s\n", width, width, name,
                      count[RG_PASS], count[RG_FAIL], count[RG_INCONCLUSIVE],
                      rg_number(worst, error, 2));
}

static void print_law(const rg_out *out, const rg_gradcheck_law *l)
{
    char error[RG_NUMBER_TEXT] = "-", bound[RG_NUMBER_TEXT] = "-", step[32];
    if (l->verdict != RG_NOT_RUN) {
        rg_number(error, l->error, 2);
        rg_number(bound, l->bound, 2);
    }
    rg_out_printf(out, "  %-14s  %-12s  %9s  %9s  %s%s%s%s\n", l->name, verdict_text[l->verdict],
                  error, bound, l->tensor, step_text(step, l->step), *l->reason ? " " : "",
                  l->reason);
}

void rg_gradcheck_print(const rg_gradcheck_report *report, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    if (!report)
        return;
    rg_out_printf(&out, "gradcheck: %s%s\n", report->verdict == RG_NOT_RUN ? "not run: " : "",
                  report->message);
    const int width = (int)name_width(report);
    if (report->failed + report->inconclusive)
        rg_out_printf(&out, "  %-12s  %-*s  %5s  %-14s  %6s  %13s  %13s  %9s  %9s  %8s  %8s\n",
                      "verdict", width, "tensor", "step", "oracle", "index", "gradient",
                      "oracle says", "error", "sigma", "h", "excluded");
    for (size_t i = 0; i < report->failed + report->inconclusive; i++)
        print_block(&out, &report->block[i], width);
    if (report->n_block)
        rg_out_printf(&out, "  %-*s  %6s  %6s  %9s  %11s\n", width, "tensor", "passed", "failed",
                      "undecided", "worst error");
    for (size_t i = 0; i < ((const struct box *)report)->n_name; i++)
        print_tensor(&out, report, ((const struct box *)report)->name[i], width);
    if (report->n_law)
        rg_out_printf(&out, "  %-14s  %-12s  %9s  %9s  %s\n", "law", "verdict", "error", "allowed",
                      "where it is worst");
    for (size_t i = 0; i < report->n_law; i++)
        print_law(&out, &report->law[i]);
    rg_out_printf(&out, "  seed %llu\n", (unsigned long long)report->seed);
}
