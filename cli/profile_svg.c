/* cli/profile_svg.c -- a profile as bars: by kernel, and by layer forward and backward. */
#define _POSIX_C_SOURCE 200809L
#include "cli/profile.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 860, LEFT = 210, BAR = 330, LINE = 22, TOP = 92 };

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

static void bar(FILE *out, const profile *p, int y, double longest, const char *label,
                const profile_part *part, const char *kind)
{
    char text[256];
    const double flops = profile_rate(part->flop, part->seconds);
    const double gbs = profile_rate(part->bytes, part->seconds);
    const double wide = BAR * part->seconds / longest;
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 12,
            escaped(text, sizeof text, label));
    fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"15\"/>\n", kind,
            LEFT, y, wide > 0 ? wide : 0);
    fprintf(out, "<text x=\"%.1f\" y=\"%d\">%.3f ms · %.1f %%", LEFT + wide + 6, y + 12,
            1e3 * part->seconds, 100 * part->seconds / profile_total(p));
    if (flops >= 0.05)
        fprintf(out, " · %.0f GF/s (%.2f P)", flops, flops / p->peak);
    if (gbs >= 0.05)
        fprintf(out, " · %.0f GB/s", gbs);
    fprintf(out, "</text>\n");
}

static void heading(FILE *out, int y, const char *text)
{
    fprintf(out, "<text class=\"head\" x=\"20\" y=\"%d\">%s</text>\n", y, text);
}

static void begin(FILE *out, const profile *p, int height)
{
    char text[128], safe[256];
    const rg_plan_report r = rg_trainer_facts(p->x.trainer).plan;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", WIDTH, height, WIDTH,
            height);
    fprintf(out, "<style>text{fill:#222}.head{font-weight:bold}.title{font-size:15px}"
            ".all{fill:#557}.forward{fill:#2878b5}.backward{fill:#c4622d}.rest{fill:#888}"
            ".back{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#ddd}.back{fill:#1b1b1f}"
            ".all{fill:#88a}}</style>\n");
    fprintf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    fprintf(out, "<text class=\"title\" x=\"20\" y=\"26\">Where a training step goes: %s</text>\n",
            escaped(safe, sizeof safe, model_title(text, sizeof text, &p->x.m)));
    fprintf(out, "<text x=\"20\" y=\"46\">%lld steps, %lld rows, %s, %d thread%s, %s kernels; "
            "P = %.0f GF/s; %.3f ms untraced, %.3f ms part by part</text>\n", (long long)p->T,
            (long long)p->B, p->x.m.real == RG_F64 ? "f64" : "f32", r.threads,
            r.threads == 1 ? "" : "s", rg_build_info().isa, p->peak, 1e3 * profile_untraced(p),
            1e3 * profile_total(p));
}

static void draw(FILE *out, const profile *p, const profile_part *kernel, size_t n_kernel,
                 const profile_part *layer, size_t n_layer)
{
    char label[128];
    const profile_part update = profile_update(p), rest = profile_rest(p);
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
        const char *way = profile_direction(&layer[i]);
        (void)snprintf(label, sizeof label, "%.90s %s", *layer[i].layer ? layer[i].layer : "-",
                       way);
        bar(out, p, y, longest, label, &layer[i], way);
    }
    fprintf(out, "</svg>\n");
}

int profile_draw(const profile *p, const char *path)
{
    char *text = NULL;
    size_t n = 0, n_kernel, n_layer;
    if (strlen(path) >= PATH_BYTES)
        return fail(USAGE, "--svg: the path is too long");
    profile_part *kernel = profile_groups(&n_kernel, p, BY_KERNEL);
    profile_part *layer = profile_groups(&n_layer, p, BY_LAYER | BY_DIRECTION);
    FILE *file = open_memstream(&text, &n);
    if (kernel && layer && file)
        draw(file, p, kernel, n_kernel, layer, n_layer);
    bool good = file && fclose(file) == 0 && kernel && layer;
    int code = good ? file_replace(path, text, n) : fail(RUN_TIME, "no memory");
    free(text);
    free(kernel);
    free(layer);
    return code;
}
