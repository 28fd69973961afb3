/* io/svg_heat.c -- heat maps: shades of one colour, so that they are legible in grey.
 *
 * A panel is drawn in units of its cells: of each shade one path, in it a stroke for every run of
 * cells of that shade. */
#include "io/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 800, LEFT = 24, TOP = 56, GAP = 24, LABEL = 20, FOOT = 22, /* pixels */
    ROW = 16, NAMED = 480, INSET = 44, /* a row with a name; such a panel at most; its names */
    SHADES = 10, CELLS = 24000, MOST = 64
};

/* Cells of panels with more than fit are means over several. */
typedef struct grid {
    const rg_heat *map;
    size_t         rows, columns;
} grid;

static const char style[] =
    "<style>\n"
    "text{font:13px sans-serif;fill:#2b2b2b}.title{font-size:16px}.n{font-size:11px}\n"
    ".ground{fill:#fff}.frame{stroke:#5a5a5a;fill:none}\n"
    ".h{stroke:#08306b;fill:none;shape-rendering:crispEdges}\n"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1b1f}\n"
    ".frame{stroke:#9a9a9a}.h{stroke:#d6e6ff}}\n"
    "</style>\n";

/* ---- Cells ----------------------------------------------------------------------------------- */

static double value_at(const rg_heat *m, size_t row, size_t column)
{
    return m->by_column ? m->value[column * m->rows + row] : m->value[row * m->columns + column];
}

/* The mean of what a cell stands for; NaN if nothing of it is finite. */
static double cell(const grid *g, size_t r, size_t c)
{
    const rg_heat *m = g->map;
    double sum = 0, n = 0;
    for (size_t i = r * m->rows / g->rows; i < (r + 1) * m->rows / g->rows; i++)
        for (size_t j = c * m->columns / g->columns; j < (c + 1) * m->columns / g->columns; j++)
            if (isfinite(value_at(m, i, j))) {
                sum += value_at(m, i, j);
                n += 1;
            }
    return n > 0 ? sum / n : NAN;
}

/* 0 .. SHADES-1; -1 = nothing to show. */
static int shade(const grid *g, size_t r, size_t c)
{
    const rg_heat *m = g->map;
    const double high = m->low == 0 && m->high == 0 ? 1 : m->high, x = cell(g, r, c);
    if (isnan(x) || !(high > m->low))
        return -1;
    const double t = (x - m->low) / (high - m->low);
    return (int)(fmin(fmax(t, 0), 1) * (SHADES - 1) + 0.5);
}

static grid grid_of(const rg_heat *m, size_t panels)
{
    const double most = (double)CELLS / (double)panels;
    const double cells = (double)m->rows * (double)m->columns, cut = fmax(1, sqrt(cells / most));
    size_t rows = (size_t)((double)m->rows / cut), columns;
    rows = rows < 1 ? 1 : rows;
    columns = (size_t)(most / (double)rows);
    return (grid){ m, rows, columns < m->columns ? columns : m->columns };
}

/* ---- A panel --------------------------------------------------------------------------------- */

/* Runs of one shade; rows are drawn from the top. */
static void put_shade(const rg_out *out, const grid *g, int want)
{
    bool open = false;
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0, run; c < g->columns; c += run ? run : 1) {
            for (run = 0; c + run < g->columns && shade(g, r, c + run) == want; run++)
                continue;
            if (!run)
                continue;
            if (!open)
                rg_out_printf(out, "<path stroke-opacity=\".%d\" d=\"", 11 * want);
            open = true;
            rg_out_printf(out, "M%zu %zu.5h%zu", c, r, run);
        }
    if (open)
        rg_out_printf(out, "\"/>\n");
}

static void put_name(const rg_out *out, const char *anchor, double x, double y, const char *name)
{
    rg_out_printf(out, "<text class=\"n\" text-anchor=\"%s\" x=\"", anchor);
    rg_svg_tenths(out, x);
    rg_out_printf(out, "\" y=\"");
    rg_svg_tenths(out, y);
    rg_out_printf(out, "\">");
    rg_svg_text(out, name ? name : "", 6);
    rg_out_printf(out, "</text>\n");
}

/* Of rows and columns that are drawn one by one. */
static void put_names(const rg_out *out, const grid *g, double x, double y, double w, double h)
{
    const rg_heat *m = g->map;
    const double wide = w / (double)g->columns, high = h / (double)g->rows;
    for (size_t r = 0; m->row_name && g->rows == m->rows && r < m->rows; r++)
        put_name(out, "end", x - 5, y + ((double)r + 0.5) * high + 4, m->row_name[r]);
    for (size_t c = 0; m->column_name && g->columns == m->columns && c < m->columns; c++)
        put_name(out, "middle", x + ((double)c + 0.5) * wide, y + h + 13, m->column_name[c]);
}

static void put_panel(const rg_out *out, const grid *g, double x, double y, double w, double h)
{
    char text[RG_NUMBER_TEXT];
    if (g->map->row_name) {
        x += INSET;
        w -= INSET;
    }
    put_names(out, g, x, y, w, h);
    rg_out_printf(out, "<text x=\"");
    rg_svg_tenths(out, x);
    rg_out_printf(out, "\" y=\"");
    rg_svg_tenths(out, y - 6);
    rg_out_printf(out, "\">");
    rg_svg_text(out, g->map->label ? g->map->label : "", 40);
    rg_out_printf(out, "</text>\n<g class=\"h\" transform=\"translate(");
    rg_svg_tenths(out, x);
    rg_out_printf(out, " ");
    rg_svg_tenths(out, y);
    rg_out_printf(out, ")scale(%s", rg_number(text, w / (double)g->columns, 6));
    rg_out_printf(out, " %s)\">\n", rg_number(text, h / (double)g->rows, 6));
    for (int s = 1; s < SHADES; s++) /* shade 0 is the ground */
        put_shade(out, g, s);
    rg_out_printf(out, "</g>\n<rect class=\"frame\" x=\"");
    rg_svg_tenths(out, x);
    rg_out_printf(out, "\" y=\"");
    rg_svg_tenths(out, y);
    rg_out_printf(out, "\" width=\"");
    rg_svg_tenths(out, w);
    rg_out_printf(out, "\" height=\"");
    rg_svg_tenths(out, h);
    rg_out_printf(out, "\"/>\n");
}

/* ---- The picture ----------------------------------------------------------------------------- */

static rg_status check(const rg_heat *maps, size_t n, size_t per_row, rg_write_fn *write)
{
    if (!write || (n && !maps) || per_row < 1 || per_row > 8)
        return RG_EARG;
    if (n > MOST)
        return RG_ELIMIT;
    for (size_t i = 0; i < n; i++)
        if (maps[i].rows && maps[i].columns && !maps[i].value)
            return RG_EARG;
    return RG_OK;
}

static void put_key(const rg_out *out)
{
    rg_out_printf(out, "<text class=\"n\" text-anchor=\"end\" x=\"%d\" y=\"44\">low</text>"
                  "<g class=\"h\" transform=\"translate(%d 36)scale(10)\">", WIDTH - 176,
                  WIDTH - 168);
    for (int s = 1; s < SHADES; s++)
        rg_out_printf(out, "<path stroke-opacity=\".%d\" d=\"M%d .5h1\"/>", 11 * s, s);
    rg_out_printf(out, "</g><rect class=\"frame\" x=\"%d\" y=\"36\" width=\"100\" height=\"10\"/>"
                  "<text class=\"n\" x=\"%d\" y=\"44\">high</text>\n", WIDTH - 168, WIDTH - 62);
}

static void put_head(const rg_out *out, const rg_svg_opts *o, int height)
{
    rg_svg_begin(out, o->title, style, WIDTH, height);
    rg_out_printf(out, "<text class=\"title\" x=\"%d\" y=\"24\">", LEFT);
    rg_svg_text(out, o->title ? o->title : "", 80);
    rg_out_printf(out, "</text>\n");
    put_key(out);
    rg_out_printf(out, "<text class=\"n\" x=\"%d\" y=\"%d\">", LEFT, height - 8);
    rg_svg_text(out, o->x_label ? o->x_label : "", 80);
    rg_out_printf(out, "</text>\n");
}

/* Height of a panel: so many lines of them fit on a screen, and so many names on one. */
static double height_of(const rg_heat *maps, size_t n, size_t lines)
{
    double high = lines > 8 ? 48 : lines > 4 ? 72 : 110;
    for (size_t i = 0; i < n; i++)
        if (maps[i].row_name)
            high = fmax(high, fmin((double)maps[i].rows * ROW, NAMED));
    return high;
}

static double foot_of(const rg_heat *maps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (maps[i].column_name)
            return GAP;
    return GAP / 2;
}

rg_status rg_svg_heat(const rg_heat *maps, size_t n, size_t per_row, const rg_svg_opts *opts,
                      rg_write_fn *write, void *user)
{
    const rg_svg_opts none = { .title = NULL }, *o = opts ? opts : &none;
    const rg_out out = { write, user };
    rg_status st = check(maps, n, per_row, write);
    if (st)
        return st;
    const size_t lines = (n + per_row - 1) / per_row;
    const double high = height_of(maps, n, lines), line_height = high + LABEL + foot_of(maps, n);
    const double w = (WIDTH - 2.0 * LEFT - GAP * ((double)per_row - 1)) / (double)per_row;
    put_head(&out, o, TOP + FOOT + (int)((double)lines * line_height));
    for (size_t i = 0; i < n; i++) {
        const size_t line = i / per_row, at = i % per_row;
        const grid g = grid_of(&maps[i], n);
        if (!maps[i].rows || !maps[i].columns)
            continue;
        put_panel(&out, &g, LEFT + (double)at * (w + GAP),
                  TOP + LABEL + (double)line * line_height, w, high);
    }
    rg_out_printf(&out, "</svg>\n");
    return RG_OK;
}
