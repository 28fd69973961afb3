/* io/svg_lines.c -- lines and bands with as many points as can be seen.
 *
 * The width is cut into columns. Of a column's points a line shows the first, the lowest, the
 * highest and the last, which draws what all of them would; a band its highest upper and lowest
 * lower border. */
#include "io/svg.h"

enum { COLUMNS = 560, FULL = 6 /* curves with so many columns; more share them */ };

typedef struct pen {
    const rg_out      *out;
    const rg_svg_axis *x, *y;
    const rg_curve    *curve;
    bool               band;    /* a point counts if both borders do */
    int                columns;
    char               next;    /* 'M' before the first point of a run, ' ' else */
} pen;

static bool usable(const pen *p, size_t i)
{
    const rg_curve *c = p->curve;
    return rg_svg_usable(p->x, rg_svg_x(c, i)) &&
           (p->band ? rg_svg_usable(p->y, c->low[i]) && rg_svg_usable(p->y, c->high[i])
                    : rg_svg_usable(p->y, c->y[i]));
}

static int column(const pen *p, size_t i)
{
    double t = (rg_svg_place(p->x, rg_svg_x(p->curve, i)) - p->x->from) / (p->x->to - p->x->from);
    return (int)(t * p->columns);
}

static void point(pen *p, size_t i, const double *values)
{
    rg_out_printf(p->out, "%c", p->next);
    rg_svg_tenths(p->out, rg_svg_place(p->x, rg_svg_x(p->curve, i)));
    rg_out_printf(p->out, " ");
    rg_svg_tenths(p->out, rg_svg_place(p->y, values[i]));
    p->next = ' ';
}

/* The last point of the run that begins at usable point @p a: a gap ends it, unless the next usable
 * point lies in the same column. */
static size_t run_end(const pen *p, size_t a)
{
    size_t last = a;
    bool gap = false;
    for (size_t i = a + 1; i < p->curve->n; i++) {
        if (!usable(p, i)) {
            gap = true;
        } else if (gap && column(p, i) != column(p, last)) {
            break;
        } else {
            last = i;
            gap = false;
        }
    }
    return last;
}

/* Points a .. b of one column of a line, in their order. */
static void line_column(pen *p, size_t a, size_t b, size_t low, size_t high)
{
    const double *y = p->curve->y;
    size_t one = low < high ? low : high, two = low < high ? high : low;
    point(p, a, y);
    if (one != a && one != b)
        point(p, one, y);
    if (two != one && two != a && two != b)
        point(p, two, y);
    if (b != a)
        point(p, b, y);
}

static void line_run(pen *p, size_t a, size_t b)
{
    const double *y = p->curve->y;
    size_t first = a, last = a, low = a, high = a;
    p->next = 'M';
    for (size_t i = a; i <= b; i++) {
        if (!usable(p, i))
            continue;
        if (column(p, i) != column(p, first)) {
            line_column(p, first, last, low, high);
            first = low = high = i;
        }
        low = y[i] < y[low] ? i : low;
        high = y[i] > y[high] ? i : high;
        last = i;
    }
    line_column(p, first, last, low, high);
    if (a == b)
        rg_out_printf(p->out, "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0"); /* a dot */
}

/* One border of a band from a to b, or from b back to a; sign 1: the highest, -1: the lowest. */
static void border(pen *p, size_t a, size_t b, const double *values, int sign)
{
    size_t n = b - a + 1, best = sign > 0 ? a : b;
    for (size_t k = 0; k < n; k++) {
        size_t i = sign > 0 ? a + k : b - k;
        if (!usable(p, i))
            continue;
        if (column(p, i) != column(p, best)) {
            point(p, best, values);
            best = i;
        }
        best = sign * values[i] > sign * values[best] ? i : best;
    }
    point(p, best, values);
}

static void path(pen *p, size_t k)
{
    bool open = false;
    for (size_t i = 0; i < p->curve->n; i++) {
        if (!usable(p, i))
            continue;
        if (!open && p->band)
            rg_out_printf(p->out, "<path class=\"b c%zu\" d=\"", k % 8);
        else if (!open)
            rg_out_printf(p->out, "<path class=\"l c%zu d%zu\" d=\"", k % 8, k % 4);
        open = true;
        size_t end = run_end(p, i);
        if (p->band) {
            p->next = 'M';
            border(p, i, end, p->curve->high, 1);
            border(p, i, end, p->curve->low, -1);
            rg_out_printf(p->out, "Z");
        } else {
            line_run(p, i, end);
        }
        i = end;
    }
    if (open)
        rg_out_printf(p->out, "\"/>\n");
}

/* ---- Marks ---------------------------------------------------------------------------------- */

enum { APART = 70 /* pixels */ };

const char *rg_svg_mark(size_t k)
{
    static const char *const mark[] = { "", "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
                                        "m-3-3h6v6h-6z", "m0-4l4 7h-8z" };
    return mark[k / 4 % 4];
}

/* Some on the way, not where the other curves have theirs. */
static void marks(pen *p, size_t k)
{
    double from = p->x->from + 12 * (double)(k % 5);
    for (size_t i = 0; i < p->curve->n; i++) {
        if (!usable(p, i) || rg_svg_place(p->x, rg_svg_x(p->curve, i)) < from)
            continue;
        rg_out_printf(p->out, "<path class=\"m c%zu\" d=\"", k % 8);
        p->next = 'M';
        point(p, i, p->curve->y);
        rg_out_printf(p->out, "%s\"/>\n", rg_svg_mark(k));
        from = rg_svg_place(p->x, rg_svg_x(p->curve, i)) + APART;
    }
}

void rg_svg_lines(const rg_out *out, const rg_svg_axis *x, const rg_svg_axis *y,
                  const rg_curve *curves, size_t n)
{
    int columns = n <= FULL ? COLUMNS : (int)((size_t)COLUMNS * FULL / n);
    for (int band = 1; band >= 0; band--)
        for (size_t k = 0; k < n; k++) {
            pen p = { out, x, y, &curves[k], band, columns, 'M' };
            if (!band || curves[k].low)
                path(&p, k);
            if (!band && *rg_svg_mark(k))
                marks(&p, k);
        }
}
