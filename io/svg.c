/* io/svg.c -- curves as a picture: axes, ticks, legend; the style sheet. Lines: svg_lines.c. */
#include "io/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 800, HEIGHT = 440, LEFT = 76, TOP = 40, BOTTOM = 384, LEGEND = 156, MAX_TICKS = 16 };

/* Colours of Okabe and Ito, "Color universal design", 2008, lighter on a dark ground; the dashes
 * tell neighbours apart without colours. */
static const char style[] =
    "<style>\n"
    "text{font:13px sans-serif;fill:#2b2b2b}.title{font-size:16px}.n{font-size:12px}\n"
    ".ground{fill:#fff}.grid{stroke:#ddd}.frame{stroke:#5a5a5a;fill:none}\n"
    ".l{fill:none;stroke:currentColor;stroke-width:1.7;stroke-linejoin:round}\n"
    ".m{fill:currentColor}.l{stroke-linecap:round}.b{fill:currentColor;stroke:none;opacity:.2}\n"
    ".c0{color:#0072b2}.c1{color:#d55e00}.c2{color:#007a58}.c3{color:#b3528c}\n"
    ".c4{color:#3d3d3d}.c5{color:#b07800}.c6{color:#2f87b5}.c7{color:#7a5230}\n"
    ".d1{stroke-dasharray:7 3}.d2{stroke-dasharray:2 3}.d3{stroke-dasharray:9 3 2 3}\n"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1b1f}.grid{stroke:#3a3a40}\n"
    ".frame{stroke:#9a9a9a}\n"
    ".c0{color:#56b4e9}.c1{color:#ff9a55}.c2{color:#35c99b}.c3{color:#e5a3c9}\n"
    ".c4{color:#e8e8e8}.c5{color:#f0c040}.c6{color:#9fd3f0}.c7{color:#d9a87c}}\n"
    "</style>\n";

/* ---- Text ------------------------------------------------------------------------------------ */

void rg_svg_text(const rg_out *out, const char *text, int most)
{
    size_t n = strlen(text);
    for (size_t i = 0, size; i < n && most > 0; i += size, most--) {
        unsigned char c = (unsigned char)text[i];
        size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        size = size < n - i ? size : n - i;
        if (c < 0x20 || c == 0x7f || rg_utf8_prefix(text + i, size) != size) {
            rg_out_printf(out, "?");
            size = 1;
        } else if (c == '&' || c == '<' || c == '>') {
            rg_out_printf(out, "%s", c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;");
        } else {
            rg_out_printf(out, "%.*s", (int)size, text + i);
        }
    }
}

static void put_label(const rg_out *out, const char *attributes, const char *text, int most)
{
    if (!text || !*text)
        return;
    rg_out_printf(out, "<text %s>", attributes);
    rg_svg_text(out, text, most);
    rg_out_printf(out, "</text>\n");
}

void rg_svg_tenths(const rg_out *out, double pixels)
{
    long tenths = lround(pixels * 10);
    rg_out_printf(out, tenths % 10 ? "%ld.%ld" : "%ld", tenths / 10, tenths % 10);
}

void rg_svg_begin(const rg_out *out, const char *title, const char *sheet, int width, int height)
{
    rg_out_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>", width, height, width, height);
    rg_svg_text(out, title ? title : "", 80);
    rg_out_printf(out, "</title>\n");
    out->write(out->user, sheet, strlen(sheet));
    rg_out_printf(out, "<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", width, height);
}

/* ---- Axes ------------------------------------------------------------------------------------ */

bool rg_svg_usable(const rg_svg_axis *a, double v)
{
    return fabs(v) <= 1e300 && (!a->log || v > 0);
}

double rg_svg_place(const rg_svg_axis *a, double v)
{
    double t = ((a->log ? log10(v) : v) - a->low) / (a->high - a->low);
    return a->from + (a->to - a->from) * (t < 0 ? 0 : t > 1 ? 1 : t);
}

/* Widen the range to v; low > high while it is empty. */
static void include(rg_svg_axis *a, double v)
{
    if (!rg_svg_usable(a, v))
        return;
    v = a->log ? log10(v) : v;
    a->low = v < a->low ? v : a->low;
    a->high = v > a->high ? v : a->high;
}

/* 1, 2 or 5 times a power of ten, at least x. */
static double nice(double x)
{
    double unit = pow(10, floor(log10(x)));
    double n = x / unit;
    return unit * (n <= 1 ? 1 : n <= 2 ? 2 : n <= 5 ? 5 : 10);
}

/* No empty range, and room above and below. */
static void settle(rg_svg_axis *a, double margin)
{
    if (a->low > a->high) {
        a->low = 0;
        a->high = 1;
    }
    double wide = a->high - a->low, size = fmax(fabs(a->low), fabs(a->high)), tiny = 1e-290;
    double pad = wide > 1e-12 * size && wide > tiny ? margin * wide
               : size > tiny && !a->log ? 0.1 * size : 0.5;
    a->low -= pad;
    a->high += pad;
}

static int linear_ticks(double tick[MAX_TICKS], double low, double high)
{
    double step = nice((high - low) / 6);
    int n = 0;
    for (double k = ceil(low / step); k * step <= high && n < MAX_TICKS; k++)
        tick[n++] = k * step + 0.0; /* no -0 */
    return n;
}

/* Powers of ten, with 2 and 5 times them where they are few; linear ones within a decade. */
static int log_ticks(double tick[MAX_TICKS], double low, double high)
{
    static const double part[] = { 1, 2, 5 };
    double decades = ceil((high - low) / 8);
    int n = 0, parts = high - low < 2.5 ? 3 : 1;
    if (high - low < 1)
        return linear_ticks(tick, pow(10, low), pow(10, high));
    for (double d = floor(low / decades) * decades; d <= high && n < MAX_TICKS; d += decades)
        for (int k = 0; k < parts && n < MAX_TICKS; k++) {
            double v = part[k] * pow(10, d);
            if (log10(v) >= low && log10(v) <= high)
                tick[n++] = v;
        }
    return n;
}

static void put_ticks(const rg_out *out, const rg_svg_axis *a, const rg_svg_axis *other, bool is_x)
{
    char text[RG_NUMBER_TEXT];
    double tick[MAX_TICKS];
    int n = a->log ? log_ticks(tick, a->low, a->high) : linear_ticks(tick, a->low, a->high);
    for (int i = 0; i < n; i++) {
        double at = rg_svg_place(a, tick[i]);
        rg_out_printf(out, "<path class=\"grid\" d=\"M");
        rg_svg_tenths(out, is_x ? at : other->from);
        rg_out_printf(out, " ");
        rg_svg_tenths(out, is_x ? other->from : at);
        rg_out_printf(out, is_x ? "V" : "H");
        rg_svg_tenths(out, other->to);
        rg_out_printf(out, "\"/><text class=\"n\" text-anchor=\"%s\" x=\"",
                      is_x ? "middle" : "end");
        rg_svg_tenths(out, is_x ? at : other->from - 6);
        rg_out_printf(out, "\" y=\"");
        rg_svg_tenths(out, is_x ? BOTTOM + 18 : at + 4);
        rg_out_printf(out, "\">%s</text>\n", rg_number(text, tick[i], 6));
    }
}

/* ---- The picture ----------------------------------------------------------------------------- */

static rg_status check(const rg_curve *curves, size_t n, rg_write_fn *write)
{
    if (!write || (n > 0 && !curves))
        return RG_EARG;
    if (n > RG_SVG_CURVES)
        return RG_ELIMIT;
    for (size_t k = 0; k < n; k++) {
        const rg_curve *c = &curves[k];
        double before = -INFINITY;
        if ((!c->y && c->n > 0) || !c->low != !c->high)
            return RG_EARG;
        for (size_t i = 0; c->x && i < c->n; i++) {
            if (c->x[i] < before)
                return RG_EARG;
            before = isfinite(c->x[i]) ? c->x[i] : before;
        }
    }
    return RG_OK;
}

/* Both axes' ranges from all that will be drawn. */
static void measure(rg_svg_axis *x, rg_svg_axis *y, const rg_curve *curves, size_t n)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < curves[k].n; i++) {
            double at = rg_svg_x(&curves[k], i);
            if (!rg_svg_usable(x, at))
                continue;
            if (rg_svg_usable(y, curves[k].y[i]) || curves[k].low)
                include(x, at);
            include(y, curves[k].y[i]);
            if (curves[k].low) {
                include(y, curves[k].low[i]);
                include(y, curves[k].high[i]);
            }
        }
    settle(x, 0);
    settle(y, 0.05);
}

static void put_legend(const rg_out *out, const rg_curve *curves, size_t n)
{
    const int left = WIDTH - LEGEND + 8;
    int at = TOP + 12;
    for (size_t k = 0; k < n; k++) {
        if (!curves[k].label || !*curves[k].label)
            continue;
        rg_out_printf(out, "<path class=\"l c%zu d%zu\" d=\"M%d %dh26\"/>", k % 8, k % 4, left,
                      at - 4);
        if (*rg_svg_mark(k))
            rg_out_printf(out, "<path class=\"m c%zu\" d=\"M%d %d%s\"/>", k % 8, left + 13, at - 4,
                          rg_svg_mark(k));
        rg_out_printf(out, "<text x=\"%d\" y=\"%d\">", left + 32, at);
        rg_svg_text(out, curves[k].label, 17);
        rg_out_printf(out, "</text>\n");
        at += 20;
    }
}

static void put_frame(const rg_out *out, const rg_svg_opts *o, int right)
{
    char place[80];
    int middle = (LEFT + right) / 2;
    rg_out_printf(out, "<path class=\"frame\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, BOTTOM, right);
    rg_out_printf(out, "<g text-anchor=\"middle\">");
    (void)snprintf(place, sizeof place, "class=\"title\" x=\"%d\" y=\"24\"", middle);
    put_label(out, place, o->title, 80);
    (void)snprintf(place, sizeof place, "x=\"%d\" y=\"%d\"", middle, HEIGHT - 14);
    put_label(out, place, o->x_label, 80);
    (void)snprintf(place, sizeof place, "transform=\"translate(18 %d)rotate(-90)\"",
                   (TOP + BOTTOM) / 2);
    put_label(out, place, o->y_label, 48);
    rg_out_printf(out, "</g>\n");
}

rg_status rg_svg_curves(const rg_curve *curves, size_t n, const rg_svg_opts *opts,
                        rg_write_fn *write, void *user)
{
    const rg_svg_opts none = { .title = NULL }, *o = opts ? opts : &none;
    const rg_out out = { write, user };
    bool legend = false;
    rg_status st = check(curves, n, write);
    if (st)
        return st;
    for (size_t k = 0; k < n; k++)
        legend |= curves[k].label && *curves[k].label;
    int right = WIDTH - (legend ? LEGEND : 24);
    rg_svg_axis x = { o->log_x, INFINITY, -INFINITY, LEFT, right };
    rg_svg_axis y = { o->log_y, INFINITY, -INFINITY, BOTTOM, TOP };
    measure(&x, &y, curves, n);
    rg_svg_begin(&out, o->title, style, WIDTH, HEIGHT);
    put_ticks(&out, &x, &y, true);
    put_ticks(&out, &y, &x, false);
    rg_svg_lines(&out, &x, &y, curves, n);
    put_frame(&out, o, right);
    put_legend(&out, curves, n);
    rg_out_printf(&out, "</svg>\n");
    return RG_OK;
}
