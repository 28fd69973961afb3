/* io/svg.h -- between the parts of rg_svg_curves(). */
#ifndef RG_IO_SVG_H
#define RG_IO_SVG_H

#include <retrograd/io.h>

#include "base/text.h"

enum { RG_SVG_CURVES = 16 };

/* Values low .. high, or their logarithms to base 10, lie at pixels from .. to. */
typedef struct rg_svg_axis {
    bool   log;
    double low, high;
    double from, to;
} rg_svg_axis;

/* Can the axis show it? */
bool rg_svg_usable(const rg_svg_axis *a, double v);
double rg_svg_place(const rg_svg_axis *a, double v);
/* At most @p most characters of a text; what XML or UTF-8 does not allow becomes '?'. */
void rg_svg_text(const rg_out *out, const char *text, int most);
/* Pixels to a tenth, in no locale. */
void rg_svg_tenths(const rg_out *out, double pixels);

/* The start of a picture: its size, title and style sheet, a ground of class `ground`. */
void rg_svg_begin(const rg_out *out, const char *title, const char *sheet, int width, int height);

static inline double rg_svg_x(const rg_curve *c, size_t i)
{
    return c->x ? c->x[i] : (double)i;
}

/* What tells curve k from k - 4, which has the same dashes: a path around a point, "" for the first
 * four. */
const char *rg_svg_mark(size_t k);

/* svg_lines.c: bands and lines, so many points that the picture stays small. */
void rg_svg_lines(const rg_out *out, const rg_svg_axis *x, const rg_svg_axis *y,
                  const rg_curve *curves, size_t n);

#endif
