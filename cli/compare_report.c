/* cli/compare_report.c -- a comparison as one HTML file: tables, pictures, settings. No script, no
 * other file; legible in grey, light and dark. */
#define _POSIX_C_SOURCE 200809L
#include "cli/compare_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>RNN, GRU and LSTM compared</title>\n<style>\n"
    ":root{color-scheme:light dark}\n"
    "body{font:16px/1.5 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}\n"
    "h1,h2,h3{line-height:1.2}h2,h3{margin-top:2.5rem}table{border-collapse:collapse;width:100%;"
    "font-size:.9rem}\n"
    "th,td{border-bottom:1px solid #bbb;padding:.35rem .6rem;text-align:left;vertical-align:top}\n"
    "tbody th{font-weight:normal}.claims th,.said{min-width:7rem}.claims p{margin:0 0 .3rem}\n"
    "td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".yes,.no,.fact{white-space:nowrap;font-weight:bold}.fact{font-weight:normal}\n"
    ".no{text-decoration:underline}.small{font-size:.85rem}\n"
    ".wide,figure{overflow-x:auto}figure{margin:1rem 0}"
    "svg{display:block;max-width:100%;min-width:40rem;height:auto}\n"
    "@media(max-width:46rem){.claims thead{display:none}.claims tr{display:grid;padding:.5rem 0;"
    "grid-template-columns:1fr auto;border-bottom:1px solid #bbb}"
    ".claims th,.claims td{border:0;padding:.1rem 0}.claims tbody th{font-weight:bold}"
    ".claims td{grid-column:1/3}.claims .verdict{grid-area:1/2}"
    ".said::before{content:attr(data-of) \": \"}}\n"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1f}"
    "th,td,.claims tr{border-color:#555}a{color:#8bf}}\n"
    "</style></head><body>\n";

/* Text with what HTML does not allow replaced. */
static void put_part(FILE *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (text[i]) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        default: fputc(text[i], out);
        }
}

static void put(FILE *out, const char *text)
{
    put_part(out, text, strlen(text));
}

/* What a row is of. */
static void topic(FILE *out, const char *text)
{
    fputs("<th scope=\"row\">", out);
    put(out, text);
    fputs("</th>", out);
}

/* ---- The lecture's tables ------------------------------------------------------------------- */

static void verdict(FILE *out, const claim *cl)
{
    static const struct { const char *style, *text; } said[] = {
        [UNKNOWN] = { "fact", "not measured" }, [NOT] = { "no", "✗ not confirmed" },
        [YES] = { "yes", "✓ confirmed" }, [FACT] = { "fact", "a fact" },
    };
    fprintf(out, "<td class=\"verdict %s\">%s</td>", said[cl->verdict].style,
            said[cl->verdict].text);
}

/* What is said of a cell; on a narrow screen its name stands before it. */
static void said_of(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<td class=\"said\" data-of=\"%s\">", name);
    put(out, text);
    fputs("</td>", out);
}

/* What was found, a line for each study. */
static void found(FILE *out, const char *text)
{
    fputs("<td><p>", out);
    for (const char *end; (end = strstr(text, "; ")); text = end + 2) {
        put_part(out, text, (size_t)(end - text));
        fputs("</p><p>", out);
    }
    put(out, text);
    fputs("</p></td>", out);
}

static void claims(FILE *out, const comparison *c, const char *other, const char *name)
{
    claim list[MAX_CLAIMS];
    const size_t n = claims_of(list, c, other);
    fprintf(out, "<h2>LSTM against %s</h2>\n<div class=\"wide\"><table class=\"claims\"><thead>"
            "<tr><td></td><th>LSTM, it is said</th><th>%s, it is said</th>"
            "<th>what was measured (LSTM first)</th><td></td></tr></thead><tbody>\n", name, name);
    for (size_t i = 0; i < n; i++) {
        fputs("<tr>", out);
        topic(out, list[i].topic);
        said_of(out, "LSTM", list[i].left);
        said_of(out, name, list[i].right);
        found(out, list[i].found);
        verdict(out, &list[i]);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* ---- Studies -------------------------------------------------------------------------------- */

/* A mean with its interval; @p digits behind the point. */
static void number(FILE *out, const spread *s, int digits)
{
    if (isnan(s->mean))
        fputs("<td class=\"n\">–</td>", out);
    else if (isnan(s->half))
        fprintf(out, "<td class=\"n\">%.*f</td>", digits, s->mean);
    else
        fprintf(out, "<td class=\"n\">%.*f ± %.*f</td>", digits, s->mean, digits, s->half);
}

static double clip_share(const outcome *o)
{
    return o->updates ? (double)o->clipped / (double)o->updates : NAN;
}

static double norm_ratio(const outcome *o)
{
    return o->norm_max / o->norm_median;
}

/* Seeds that reached the threshold, and when. */
static void threshold(FILE *out, const study *st, size_t who)
{
    const reach r = reach_of(st, who);
    if (st->row->enough <= 0)
        fputs("<td class=\"n\">–</td>", out);
    else if (r.n == 0)
        fprintf(out, "<td class=\"n\">0 of %d</td>", st->seeds);
    else
        fprintf(out, "<td class=\"n\">%d of %d<br>%.0f updates<br>%.1f s</td>", r.n, st->seeds,
                r.updates, r.seconds);
}

static void contestant_row(FILE *out, const study *st, size_t i)
{
    const outcome *o = outcome_at(st, i, 0);
    const spread value = spread_of(st, i, outcome_value),
                 before = spread_of(st, i, outcome_slope_before),
                 after = spread_of(st, i, outcome_slope_after), clip = spread_of(st, i, clip_share),
                 ratio = spread_of(st, i, norm_ratio);
    fputs("<tr>", out);
    topic(out, st->who[i].label);
    fprintf(out, "<td class=\"n\">%lld</td><td class=\"n\">%lld</td>",
            (long long)st->who[i].hidden, (long long)st->weights[i]);
    number(out, &value, 4);
    threshold(out, st, i);
    fprintf(out, "<td class=\"n\">%.3f</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f</td>",
            st->ms[i], o->flop / 1e6, o->arena / 0x1p20);
    number(out, &before, 3);
    number(out, &after, 3);
    fprintf(out, "<td class=\"n\">%.0f %%</td><td class=\"n\">%.3g</td></tr>\n", 100 * clip.mean,
            ratio.mean);
}

static void study_section(FILE *out, const study *st)
{
    fprintf(out, "<h3 id=\"%s\">%s</h3>\n<p>", st->row->key, st->row->title);
    put(out, st->row->settings);
    fprintf(out, "; %llu updates, %d seed%s. Guessing without looking: %s %.4f.</p>\n",
            (unsigned long long)st->updates, st->seeds, st->seeds > 1 ? "s" : "",
            measure_name(st->row->measure), st->blind);
    fprintf(out, "<div class=\"wide\"><table><thead><tr><td></td><th class=\"n\">width</th>"
            "<th class=\"n\">weights</th><th class=\"n\">%s, %s</th>",
            measure_name(st->row->measure),
            measure_falls(st->row->measure) ? "less is better" : "more is better");
    if (st->row->enough > 0)
        fprintf(out, "<th class=\"n\">reached %.4g</th>", st->row->enough);
    else
        fputs("<th class=\"n\">reached</th>", out);
    fputs("<th class=\"n\">ms an<br>update</th>"
            "<th class=\"n\">Mflop an<br>update</th><th class=\"n\">planned<br>MiB</th>"
            "<th class=\"n\">slope<br>before</th><th class=\"n\">slope<br>after</th>"
            "<th class=\"n\">clipped</th><th class=\"n\">norm, max<br>to median</th></tr></thead>"
            "<tbody>\n", out);
    for (size_t i = 0; i < st->n; i++)
        contestant_row(out, st, i);
    fputs("</tbody></table></div>\n", out);
    for (size_t i = 0; i < st->n; i++)
        if (ended_early(st, i))
            fprintf(out, "<p>%s: %d of %d seeds ended early, their gradients not finite; the "
                    "weights are those of before.</p>\n", st->who[i].label,
                    ended_early(st, i), st->seeds);
}

static void published(FILE *out, const study *st)
{
    static const struct { const char *cell; double rmse; } table[] = {
        { "lstm", .0105 }, { "gru", .0129 }, { "rnn", .386 },
    };
    fputs("<p>Published at equal size (\"LSTM Time Capsule\" model card, about 4500 weights, "
          "T = 100), beside ours:</p>\n<table><thead><tr><td></td><th class=\"n\">published</th>"
          "<th class=\"n\">here</th></tr></thead><tbody>\n", out);
    for (size_t i = 0; i < 3; i++) {
        const int k = contestant_index(st, table[i].cell);
        if (k < 0)
            continue;
        const spread s = spread_of(st, (size_t)k, outcome_value);
        fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.4f</td>", table[i].cell,
                table[i].rmse);
        number(out, &s, 4);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

static void pictures(FILE *out, const study *st)
{
    fputs("<figure>", out);
    plot_learning(out, st);
    fputs("</figure>\n", out);
    for (int after = 0; after < 2 && outcome_at(st, 0, 0)->n_lags[after] > 1; after++) {
        fputs("<figure>", out);
        plot_flow(out, st, after);
        fputs("</figure>\n", out);
    }
    if (st->row->kind != ADDING)
        return;
    fputs("<figure>", out);
    plot_lengths(out, st);
    fputs("</figure>\n", out);
    published(out, st);
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void introduction(FILE *out, const comparison *c)
{
    const rg_build b = rg_build_info();
    fputs("<h1>RNN, GRU and LSTM compared</h1>\n<p>Cells of equal numbers of weights, trained on "
          "the same rows in the same order. After ± stands half of the 95 % interval of the mean "
          "over seeds (Student's t). A row of the first two tables is <em>confirmed</em> where the "
          "interval of the difference, seed by seed, excludes zero on the side that the row "
          "claims; else it is <em>not confirmed</em>, by these runs.", out);
    if (c->depth == QUICK)
        fputs(" Two seeds and few updates say little: <code>retrograd compare --full</code> says "
              "more.", out);
    fprintf(out, "</p>\n<p class=\"small\">retrograd %s, %s kernels; trials on one thread each, "
            "%s. Times are of an update of one cell alone, median of 40, least of three rounds.",
            b.version, b.isa, c->depth == FULL ? "--full" : "--quick");
    if (*c->why) {
        fputs(" Left out: ", out);
        put(out, c->why);
        fputc('.', out);
    }
    fputs("</p>\n", out);
}

/* The studies, to jump to. */
static void list(FILE *out, const comparison *c)
{
    fputs("<ul>\n", out);
    for (size_t k = 0; k < c->n; k++)
        fprintf(out, "<li><a href=\"#%s\">%s</a></li>\n", c->study[k].row->key,
                c->study[k].row->title);
    fputs("</ul>\n", out);
}

static void write_all(FILE *out, const comparison *c)
{
    fputs(head, out);
    introduction(out, c);
    claims(out, c, "rnn", "RNN");
    claims(out, c, "gru", "GRU");
    fputs("<h2>What was run</h2>\n<p>Slope: of the logarithm of the gradient's norm against the "
          "lag, per step, of the state whose gradient lasts longest; 0 neither fades nor grows. It "
          "is the gradient of the last state's product with a random vector.</p>\n", out);
    list(out, c);
    for (size_t k = 0; k < c->n; k++) {
        study_section(out, &c->study[k]);
        pictures(out, &c->study[k]);
    }
    plot_order(out, c);
    fputs("</body></html>\n", out);
}

int report_write(const comparison *c)
{
    char path[PATH_BYTES], *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return fail(RUN_TIME, "no memory");
    write_all(out, c);
    const bool good = fclose(out) == 0;
    (void)snprintf(path, sizeof path, "%s/report.html", c->folder);
    int code = good ? file_replace(path, text, n) : fail(RUN_TIME, "no memory");
    free(text);
    return code;
}
