/* cli/profile_svg.c -- a profile as bars: by kernel, and by layer forward and backward. */
#include "cli/profile.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 860, LEFT = 210, BAR = 330, LINE = 22, TOP = 92 };

/* A growing text; full: no memory. */
typedef struct picture {
    char  *text;
    size_t n, cap;
    bool   full;
} picture;

static void add(picture *out, const char *format, ...) RG_PRINTF(2, 3);

static void add(picture *out, const char *format, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof line || out->full)
        return;
    if (out->n + (size_t)n + 1 > out->cap) {
        const size_t cap = 2 * out->cap + sizeof line;
        char *text = realloc(out->text, cap);
        out->full = !text;
        if (!text)
            return;
        out->text = text;
        out->cap = cap;
    }
    memcpy(out->text + out->n, line, (size_t)n + 1);
    out->n += (size_t)n;
}

/* Text that may stand in an element. */
static const char *escaped(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c && n + 7 < size; c++) {
        const char *as = *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : NULL;
        if (as)
            n += (size_t)snprintf(out + n, size - n, "%s", as);
        else
            out[n++] = (unsigned char)*c < 0x20 ? '?' : *c;
    }
    out[n] = '\0';
    return out;
}

static void bar(picture *out, const profile *p, int y, double longest, const char *label,
                const profile_part *part, const char *kind)
{
    char text[256];
    const double flops = part->seconds > 0 ? 1e-9 * part->flop / part->seconds : 0;
    const double gbs = part->seconds > 0 ? 1e-9 * part->bytes / part->seconds : 0;
    const double wide = BAR * part->seconds / longest;
    add(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 12,
        escaped(text, sizeof text, label));
    add(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"15\"/>\n", kind, LEFT, y,
        wide > 0 ? wide : 0);
    add(out, "<text x=\"%.1f\" y=\"%d\">%.3f ms · %.1f %%", LEFT + wide + 6, y + 12,
        1e3 * part->seconds, 100 * part->seconds / profile_total(p));
    if (flops >= 0.05)
        add(out, " · %.0f GF/s (%.2f P)", flops, flops / p->peak);
    if (gbs >= 0.05)
        add(out, " · %.0f GB/s", gbs);
    add(out, "</text>\n");
}

static void heading(picture *out, int y, const char *text)
{
    add(out, "<text class=\"head\" x=\"20\" y=\"%d\">%s</text>\n", y, text);
}

static void begin(picture *out, const profile *p, int height)
{
    char text[128], safe[256];
    const rg_plan_report r = rg_trainer_facts(p->trainer).plan;
    add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
        "height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH, height, WIDTH,
        height);
    add(out, "<style>text{fill:#222}.head{font-weight:bold}.title{font-size:15px}"
        ".all{fill:#557}.forward{fill:#2878b5}.backward{fill:#c4622d}.rest{fill:#888}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}rect.back{fill:#1b1b1f}}"
        "rect.back{fill:#fff}</style>\n");
    add(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    add(out, "<text class=\"title\" x=\"20\" y=\"26\">Where a training step goes: %s</text>\n",
        escaped(safe, sizeof safe, model_title(text, sizeof text, &p->m)));
    add(out, "<text x=\"20\" y=\"46\">%lld steps, %lld rows, %s, %d thread%s, %s kernels; "
        "P = %.0f GF/s; %.3f ms untraced, %.3f ms part by part</text>\n", (long long)p->T,
        (long long)p->B, p->m.real == RG_F64 ? "f64" : "f32", r.threads, r.threads == 1 ? "" : "s",
        rg_build_info().isa, p->peak, 1e3 * (p->run.least + p->update.least),
        1e3 * profile_total(p));
}

static void draw(picture *out, const profile *p, const profile_part *kernel, size_t n_kernel,
                 const profile_part *layer, size_t n_layer)
{
    char label[128];
    const profile_part update = profile_update(p);
    const profile_part rest = { .seconds = p->traced - p->steps };
    double longest = update.seconds;
    int y = TOP;
    for (size_t i = 0; i < n_kernel; i++)
        longest = kernel[i].seconds > longest ? kernel[i].seconds : longest;
    begin(out, p, TOP + LINE * (int)(n_kernel + n_layer + 4) + 20);
    heading(out, y - 10, "by kernel");
    for (size_t i = 0; i < n_kernel; i++, y += LINE)
        bar(out, p, y, longest, kernel[i].name, &kernel[i], "all");
    bar(out, p, y, longest, "update of the weights", &update, "all");
    bar(out, p, y += LINE, longest, "unaccounted", &rest, "rest");
    y += 3 * LINE;
    longest = 0;
    for (size_t i = 0; i < n_layer; i++)
        longest = layer[i].seconds > longest ? layer[i].seconds : longest;
    heading(out, y - 10, "by layer, forward and backward");
    for (size_t i = 0; i < n_layer; i++, y += LINE) {
        const char *way = layer[i].gradient ? "backward" : "forward";
        (void)snprintf(label, sizeof label, "%.90s %s", *layer[i].layer ? layer[i].layer : "-",
                       way);
        bar(out, p, y, longest, label, &layer[i], way);
    }
    add(out, "</svg>\n");
}

int profile_draw(const profile *p, const char *path)
{
    picture out = { .text = NULL };
    if (strlen(path) >= PATH_BYTES)
        return fail(USAGE, "--svg: the path is too long");
    size_t n_kernel, n_layer;
    profile_part *kernel = profile_groups(&n_kernel, p, BY_KERNEL);
    profile_part *layer = profile_groups(&n_layer, p, BY_LAYER | BY_DIRECTION);
    if (kernel && layer)
        draw(&out, p, kernel, n_kernel, layer, n_layer);
    int code = kernel && layer && out.text && !out.full ? file_replace(path, out.text, out.n)
                                                        : fail(RUN_TIME, "no memory");
    free(out.text);
    free(kernel);
    free(layer);
    return code;
}
