/* tests/io/svg.c -- pictures: well-formed, small, equal for equal input, whatever is drawn. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tag's name at @p c, or "" */
static size_t tag_name(char name[32], const char *c)
{
    size_t n = 0;
    while (n < 31 && (isalnum((unsigned char)c[n]) || c[n] == ':'))
        n++;
    memcpy(name, c, n);
    name[n] = '\0';
    return n;
}

/* Every tag closed in order, attributes quoted, no bare '<' or '&': enough for what we write. */
static bool is_xml(const char *text)
{
    char open[16][32], name[32];
    int depth = 0, roots = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '&' && strncmp(c, "&amp;", 5) && strncmp(c, "&lt;", 4) && strncmp(c, "&gt;", 4))
            return false;
        if (*c != '<')
            continue;
        bool close = c[1] == '/', alone;
        if (tag_name(name, c + 1 + close) == 0)
            return false;
        const char *end = c;
        for (bool quoted = false; *end && (quoted || *end != '>'); end++) {
            if (*end == '"')
                quoted = !quoted;
            if (*end == '<' && end != c)
                return false;
        }
        alone = end[-1] == '/';
        if (!*end || (close && (depth == 0 || strcmp(open[--depth], name) != 0)))
            return false;
        if (!close && !alone) {
            roots += depth == 0;
            if (depth == 16)
                return false;
            strcpy(open[depth++], name);
        }
        c = end;
    }
    return depth == 0 && roots == 1;
}

static bool is_picture(const rgt_text *t)
{
    return t->n <= 300 * 1024 && is_xml(t->data) && !rgt_has(t->data, "nan") &&
           !rgt_has(t->data, "inf") && !rgt_has(t->data, "script") && !rgt_has(t->data, "href") &&
           !rgt_has(t->data, "@font") && !rgt_has(t->data, "url(") &&
           rgt_has(t->data, "prefers-color-scheme:dark");
}

static rgt_text draw(const rg_curve *curves, size_t n, const rg_svg_opts *opts)
{
    rgt_text t = { NULL, 0, 0 };
    RGT_CHECK(rg_svg_curves(curves, n, opts, rgt_write, &t) == RG_OK);
    RGT_CHECK_MSG(is_picture(&t), "%zu bytes: %.2000s", t.n, t.data);
    return t;
}

RGT_TEST(svg, the_checker_finds_what_is_not_well_formed)
{
    RGT_CHECK(is_xml("<a><b c=\"1\"/><d>&amp;</d></a>"));
    RGT_CHECK(!is_xml("<a><b></a></b>") && !is_xml("<a>") && !is_xml("<a>&</a>"));
    RGT_CHECK(!is_xml("<a b=\"1/>") && !is_xml("<a/><") && !is_xml("<a></a><b></b>"));
}

RGT_TEST(svg, curves_without_anything_to_draw_are_drawn)
{
    static const double nothing[] = { NAN, INFINITY, -INFINITY, 1e308 }, one[] = { 3 };
    static const double equal[] = { -2, -2, -2 }, tiny[] = { 0, 5e-324 };
    static const double huge[] = { -1e300, 1e300 };
    static const double mixed[] = { -1, 0, 1e-320, 1, 1e300 };
    const rg_curve row[] = {
        { .y = nothing, .n = 4 }, { .y = one, .n = 1 }, { .y = equal, .n = 3 },
        { .y = tiny, .n = 2 },
        { .y = huge, .n = 2 }, { .y = mixed, .n = 5 }, { .x = mixed, .y = mixed, .n = 5 },
        { .y = NULL, .n = 0 }, { .x = equal, .y = equal, .n = 3 },
        { .y = nothing, .low = mixed, .high = mixed, .n = 4 }
    };
    for (int k = 0; k < 4; k++) {
        const rg_svg_opts opts = { .log_x = k & 1, .log_y = k & 2 };
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            rgt_text t = draw(&row[i], 1, &opts);
            rgt_text_free(&t);
        }
        rgt_text t = draw(NULL, 0, &opts);
        rgt_text_free(&t);
    }
    rgt_text t = draw(row, sizeof row / sizeof *row, NULL);
    rgt_text_free(&t);
}

/* Curves with bands, and gaps in unfavourable places. */
static void make(rg_curve *c, size_t n, double *y, double *low, double *high)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = i % 3 == 0 ? NAN : sin((double)(i * i % 1009)) + (double)(i * 3 / n);
        low[i] = i % 7 == 0 ? NAN : -1 - cos((double)(i * i % 997));
        high[i] = 5 + sin((double)(i * i % 991));
    }
    *c = (rg_curve){ "a label that is rather long, with <&>", NULL, y, low, high, n };
}

RGT_TEST(svg, the_largest_picture_stays_within_300_kb)
{
    enum { N = 20011 };
    static double y[N], low[N], high[N];
    rg_curve c[16];
    for (int n = 1; n <= 16; n++) {
        for (int i = 0; i < n; i++)
            make(&c[i], N, y, low, high);
        rgt_text t = draw(c, (size_t)n, &(rg_svg_opts){ "title", "x", "y", false, false });
        rgt_text_free(&t);
    }
}

RGT_TEST(svg, a_single_peak_among_a_million_points_is_seen)
{
    enum { N = 1000000 };
    double *y = calloc(N, sizeof *y);
    RGT_CHECK(y != NULL);
    y[777777] = 1; /* the highest of all: at 384 - (1.05 / 1.1)·344 */
    rgt_text t = draw(&(rg_curve){ .y = y, .n = N }, 1, NULL);
    RGT_CHECK(rgt_has(t.data, " 55.6 ") && t.n < 40000);
    rgt_text_free(&t);
    y[777777] = 0;
    t = draw(&(rg_curve){ .y = y, .n = N }, 1, NULL);
    RGT_CHECK(!rgt_has(t.data, " 55.6 "));
    rgt_text_free(&t);
    free(y);
}

RGT_TEST(svg, gaps_break_a_line_and_points_alone_are_dots)
{
    static const double y[] = { 1, 2, NAN, 3, NAN, 2, 1 };
    rgt_text t = draw(&(rg_curve){ .y = y, .n = 7 }, 1, NULL);
    const char *path = strstr(t.data, "class=\"l c0 d0\" d=\"");
    int moves = 0, dots = 0;
    RGT_CHECK(path != NULL);
    for (path += 18; *path != '>'; path++) {
        moves += *path == 'M';
        dots += strncmp(path, "m-2 0a2 2", 9) == 0;
    }
    RGT_CHECK(moves == 3 && dots == 1);
    rgt_text_free(&t);
}

RGT_TEST(svg, texts_are_escaped_and_bad_utf8_is_replaced)
{
    static const double y[] = { 1, 2 };
    const rg_curve c = { "a<b>&\"c\xff\x01", NULL, y, NULL, NULL, 2 };
    rgt_text t = draw(&c, 1, &(rg_svg_opts){ .title = "\xc3\xa9t\xc3\xa9 \xe2\x82",
                                             .y_label = "<y>" });
    RGT_CHECK(rgt_has(t.data, ">a&lt;b&gt;&amp;\"c?\?</text>"));
    RGT_CHECK(rgt_has(t.data, ">\xc3\xa9t\xc3\xa9 ?\?</text>") && rgt_has(t.data, ">&lt;y&gt;<"));
    rgt_text_free(&t);
}

RGT_TEST(svg, ticks_are_round_and_logarithms_show_powers)
{
    static const double y[] = { 0.02, 3000 }, z[] = { 1.93, 4.2 };
    rgt_text t = draw(&(rg_curve){ .y = z, .n = 2 }, 1, NULL);
    RGT_CHECK(rgt_has(t.data, ">2</text>") && rgt_has(t.data, ">2.5</text>"));
    rgt_text_free(&t);
    t = draw(&(rg_curve){ .y = y, .n = 2 }, 1, &(rg_svg_opts){ .log_y = true });
    RGT_CHECK(rgt_has(t.data, ">0.1</text>") && rgt_has(t.data, ">1000</text>"));
    rgt_text_free(&t);
    t = draw(&(rg_curve){ .y = z, .n = 2 }, 1, &(rg_svg_opts){ .log_y = true });
    RGT_CHECK(rgt_has(t.data, ">2</text>") && rgt_has(t.data, ">4</text>"));
    rgt_text_free(&t);
}

RGT_TEST(svg, equal_input_gives_equal_bytes_in_any_locale)
{
    enum { N = 5000 };
    static double y[N], low[N], high[N];
    rg_curve c;
    make(&c, N, y, low, high);
    rgt_text a = draw(&c, 1, NULL);
    char folder[] = "/tmp/rgt-locale-XXXXXX", command[256];
    bool made = mkdtemp(folder) != NULL;
    (void)snprintf(command, sizeof command,
                   "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    made = made && system(command) == 0 && setenv("LOCPATH", folder, 1) == 0 &&
           setlocale(LC_ALL, "de_DE.UTF-8");
    rgt_text b = draw(&c, 1, NULL);
    (void)setlocale(LC_ALL, "C");
    (void)unsetenv("LOCPATH");
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    RGT_CHECK(system(command) == 0);
    RGT_CHECK(a.n == b.n && memcmp(a.data, b.data, a.n) == 0);
    rgt_text_free(&a);
    rgt_text_free(&b);
    if (!made)
        RGT_SKIP("no de_DE locale can be made here (Debian package locales)");
}

RGT_TEST(svg, other_programs_read_it)
{
    enum { N = 5000 };
    static double y[N], low[N], high[N];
    rgt_folder d;
    char command[256];
    rg_curve c;
    if (system("command -v xmllint >/dev/null 2>&1") != 0)
        RGT_SKIP("no xmllint here (Debian package libxml2-utils)");
    make(&c, N, y, low, high);
    rgt_text t = draw(&c, 1, &(rg_svg_opts){ "a <title> & \xc3\xa9", "x", "y", true, true });
    rgt_folder_begin(&d);
    rgt_write_file(rgt_in(&d, "a.svg"), t.data, t.n);
    (void)snprintf(command, sizeof command, "xmllint --noout %s", d.file);
    RGT_CHECK(system(command) == 0);
    rgt_text_free(&t);
    rgt_folder_end(&d);
}

RGT_TEST(svg, what_cannot_be_drawn_is_refused)
{
    static const double y[] = { 1, 2 }, back[] = { 2, 1 };
    rgt_text t = { NULL, 0, 0 };
    rg_curve c = { .y = y, .n = 2 }, many[17] = { { .n = 0 } };
    RGT_CHECK(rg_svg_curves(&c, 1, NULL, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_svg_curves(NULL, 1, NULL, rgt_write, &t) == RG_EARG);
    RGT_CHECK(rg_svg_curves(many, 17, NULL, rgt_write, &t) == RG_ELIMIT);
    c.low = y;
    RGT_CHECK(rg_svg_curves(&c, 1, NULL, rgt_write, &t) == RG_EARG);
    c = (rg_curve){ .n = 2 };
    RGT_CHECK(rg_svg_curves(&c, 1, NULL, rgt_write, &t) == RG_EARG);
    c = (rg_curve){ .x = back, .y = y, .n = 2 };
    RGT_CHECK(rg_svg_curves(&c, 1, NULL, rgt_write, &t) == RG_EARG);
    RGT_CHECK(t.n == 0);
}

/* ---- Heat maps ------------------------------------------------------------------------------- */

static rgt_text heat(const rg_heat *maps, size_t n, const rg_svg_opts *opts)
{
    rgt_text t = { NULL, 0, 0 };
    RGT_CHECK(rg_svg_heat(maps, n, 2, opts, rgt_write, &t) == RG_OK);
    RGT_CHECK_MSG(is_picture(&t), "%zu bytes: %.2000s", t.n, t.data);
    return t;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *c = text; (c = strstr(c, what)) != NULL; c++)
        n++;
    return n;
}

/* Cells that are drawn: what one map adds to the key. */
static int cells(const rg_heat *map)
{
    rgt_text with = heat(map, 1, NULL), without = heat(NULL, 0, NULL);
    int n = count(with.data, ".5h") - count(without.data, ".5h");
    rgt_text_free(&with);
    rgt_text_free(&without);
    return n;
}

RGT_TEST(svg, heat_maps_leave_out_what_is_low_or_no_number)
{
    static const double value[6] = { 1, 0, 0.5, NAN, INFINITY, 0.9 };
    static const double nothing[2] = { NAN, NAN };
    RGT_CHECK(cells(&(rg_heat){ .value = value, .rows = 2, .columns = 3 }) == 3);
    RGT_CHECK(cells(&(rg_heat){ .value = value, .rows = 2, .columns = 3, .by_column = true }) == 3);
    RGT_CHECK(cells(&(rg_heat){ .value = nothing, .rows = 1, .columns = 2 }) == 0);
    RGT_CHECK(cells(&(rg_heat){ .value = NULL, .rows = 0, .columns = 2 }) == 0);
    RGT_CHECK(cells(&(rg_heat){ .value = value, .rows = 1, .columns = 3, .low = 3, .high = 3 }) ==
              0);
}

RGT_TEST(svg, heat_maps_name_rows_and_columns_and_equal_ones_are_equal_bytes)
{
    static const double value[6] = { 1, 0.2, 0.5, 0.1, 0.7, 0.9 };
    static const char *const row[2] = { "ae", "<s>" }, *const column[3] = { "k", "\xc3\xa9", "&" };
    const rg_heat maps[2] = { { .label = "a < b", .value = value, .rows = 2, .columns = 3,
                                .row_name = row, .column_name = column },
                              { .value = value, .rows = 3, .columns = 2 } };
    const rg_svg_opts opts = { .title = "weights", .x_label = "letters" };
    rgt_text a = heat(maps, 2, &opts), b = heat(maps, 2, &opts);
    RGT_CHECK(a.n == b.n && memcmp(a.data, b.data, a.n) == 0);
    RGT_CHECK(rgt_has(a.data, ">ae</text>") && rgt_has(a.data, ">&lt;s&gt;</text>"));
    RGT_CHECK(rgt_has(a.data, ">\xc3\xa9</text>") && rgt_has(a.data, ">&amp;</text>"));
    RGT_CHECK(rgt_has(a.data, ">a &lt; b</text>") && rgt_has(a.data, ">letters</text>"));
    rgt_text_free(&a);
    rgt_text_free(&b);
}

RGT_TEST(svg, the_largest_heat_maps_stay_within_300_kb_without_names)
{
    enum { SIDE = 400 };
    static double value[SIDE * SIDE];
    static const char *name[SIDE];
    for (int i = 0; i < SIDE * SIDE; i++)
        value[i] = fmod(i * 0.61803398875, 1);
    for (int i = 0; i < SIDE; i++)
        name[i] = "long";
    const rg_heat map = { .value = value, .rows = SIDE, .columns = SIDE, .row_name = name,
                          .column_name = name };
    rg_heat many[64];
    for (int i = 0; i < 64; i++)
        many[i] = map;
    rgt_text one = heat(&map, 1, NULL), all = heat(many, 64, NULL);
    RGT_CHECK(!rgt_has(one.data, ">long<"));
    rgt_text_free(&one);
    rgt_text_free(&all);
    RGT_CHECK(rg_svg_heat(many, 65, 2, NULL, rgt_write, &one) == RG_ELIMIT);
    RGT_CHECK(rg_svg_heat(&map, 1, 0, NULL, rgt_write, &one) == RG_EARG);
    RGT_CHECK(rg_svg_heat(&map, 1, 1, NULL, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_svg_heat(&(rg_heat){ .rows = 1, .columns = 1 }, 1, 1, NULL, rgt_write, &one) ==
              RG_EARG);
}
