/* check/norm_watch.c -- norms of updates as they come: median and spikes. docs/MATH.md 14.2. */
#include <retrograd/gradflow.h>

#include "base/median.h"

#include <math.h>
#include <string.h>

double rg_norm_watch_median(rg_norm_watch *w)
{
    const size_t n = w ? w->n < RG_NORM_WINDOW ? (size_t)w->n : RG_NORM_WINDOW : 0;
    if (!n)
        return 0;
    memcpy(w->work, w->norm, n * sizeof *w->work);
    return rg_median(w->work, n);
}

bool rg_norm_watch_add(rg_norm_watch *w, double norm, double clip)
{
    const double least = clip > 0 ? clip : 1;
    if (!w)
        return false;
    if (!isfinite(norm)) {
        w->spikes++;
        return true;
    }
    const bool spike = norm > 1000 * least && norm > 1000 * rg_norm_watch_median(w);
    w->spikes += spike;
    w->clipped += clip > 0 && norm > clip;
    w->worst = norm > w->worst ? norm : w->worst;
    w->norm[w->n++ % RG_NORM_WINDOW] = norm;
    return spike;
}
