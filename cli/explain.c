/* cli/explain.c -- numerical trouble in words: what was seen, what it means, what to try. */
#include "cli/net.h"
#include "cli/session.h"

#include <math.h>
#include <stdio.h>

/* "; op ..., layer and step": where a number stopped being one. */
static const char *where_from(char out[560], session *x)
{
    rg_nonfinite_place at;
    out[0] = '\0';
    if (rg_trainer_nonfinite(&at, x->trainer) == RG_OK && at.found)
        (void)snprintf(out, 560, "; %s", at.message);
    return out;
}

static void skipped(session *x, const rg_trainer_report *r)
{
    char where[560];
    if (x->warned.skipped)
        return;
    x->warned.skipped = true;
    warn("step %llu: loss %g, %s%s; the update is left out and the states start again. Usual "
         "gradient norm before: %.3g. If it comes again: --clip-norm 1, or smaller --lr",
         (unsigned long long)r->step, r->loss, *rg_trainer_message(x->trainer)
         ? rg_trainer_message(x->trainer) : "the gradient is not finite", where_from(where, x),
         rg_norm_watch_median(&x->norms));
}

static void exploded(session *x, const rg_trainer_report *r, double usual)
{
    if (x->warned.exploded)
        return;
    x->warned.exploded = true;
    warn("step %llu: the gradient explodes: its norm is %.3g, usually %.3g. %s",
         (unsigned long long)r->step, r->optim.grad_norm, usual, x->s->clip_norm > 0
         ? "Clipping holds it; if the loss jumps, a smaller --lr helps"
         : "Without clipping one such step can undo the training: --clip-norm 1");
}

/* Most updates clipped: the rate no longer says how far a step goes. */
static void always_clipped(session *x)
{
    const rg_norm_watch *w = &x->norms;
    if (x->warned.clipped || w->n < 200 || (double)w->clipped < 0.9 * (double)w->n)
        return;
    x->warned.clipped = true;
    warn("%.0f %% of the updates are clipped to norm %g: usual norm %.3g, a larger --clip-norm "
         "would let the gradient's size count", 100 * (double)w->clipped / (double)w->n,
         x->s->clip_norm, rg_norm_watch_median(&x->norms));
}

void explain_step(session *x, const rg_trainer_report *r)
{
    if (!r->optim.applied) {
        skipped(x, r);
        return;
    }
    if (rg_norm_watch_add(&x->norms, r->optim.grad_norm, x->s->clip_norm))
        exploded(x, r, rg_norm_watch_median(&x->norms));
    always_clipped(x);
}

/* ---- On the way back through time ------------------------------------------------------------ */

static const rg_flow_state *worst_layer(const rg_gradflow_report *r)
{
    size_t at = 0;
    for (size_t l = 1; l < r->n_layer; l++)
        at = r->layer[l].verdict > r->layer[at].verdict ? l : at;
    return &r->layer[at];
}

/* Does a gate carry an old state on? */
static bool is_gated(const rg_gradflow_report *r)
{
    for (size_t i = 0; i < r->n_gate; i++)
        if (!isnan(r->gate[i].keeps))
            return true;
    return false;
}

static void vanishing(session *x, const rg_gradflow_report *r)
{
    const rg_flow_state *s = worst_layer(r);
    if (x->warned.vanishing)
        return;
    x->warned.vanishing = true;
    warn("layer %s: the gradient vanishes: each step back leaves %.0f %% of it, after %.0f of %lld "
         "steps it is a thousandth, so what lies further back is hardly learned. %s", s->name,
         100 * exp(s->slope), s->horizon, (long long)r->lag, is_gated(r)
         ? "A larger forget bias reaches further (docs/GRADFLOW.md)"
         : "Try a gated cell, --cell gru or --cell lstm; larger gradients, as by a larger --lr, do "
           "not help");
}

static void growing(session *x, const rg_gradflow_report *r)
{
    const rg_flow_state *s = worst_layer(r);
    if (x->warned.growing)
        return;
    x->warned.growing = true;
    warn("layer %s: the gradient explodes on its way back: times %.2f a step, %.1e over %lld "
         "steps. Try %ssmaller --lr or --seq-len", s->name, exp(s->slope), s->ratio,
         (long long)r->lag,
         x->s->clip_norm > 0 ? "" : "--clip-norm 1 first, then a ");
}

static void cut(session *x, const rg_gradflow_report *r)
{
    const rg_flow_state *s = worst_layer(r);
    if (x->warned.cut || (x->s->task != LM && x->s->tbptt)) /* as was asked for */
        return;
    x->warned.cut = true;
    warn("layer %s: no gradient arrives before time step %lld of a window: nothing there is "
         "learned from later losses. Units that are always off (--cell rnn-relu) do that", s->name,
         (long long)s->cut);
}

void explain_report(session *x, const rg_gradflow_report *r)
{
    if (r->verdict == RG_FLOW_VANISHING)
        vanishing(x, r);
    if (r->verdict == RG_FLOW_EXPLODING)
        growing(x, r);
    if (r->verdict == RG_FLOW_CUT)
        cut(x, r);
}

void explain_flow(session *x)
{
    rg_gradflow_report *r = NULL;
    const rg_gradflow_opts opts = { .draws = 1, .real = x->m.real, .threads = (int)x->s->threads,
                                    .seed = (uint64_t)x->s->seed };
    if (x->warned.vanishing && x->warned.growing)
        return;
    if (rg_trainer_gradflow(&r, x->trainer, &opts) == RG_OK) {
        for (size_t l = 0; l < r->n_layer; l++)
            detail("flow   layer %s: gradient times %.3f per step back, %.1e over %lld steps: %s",
                   r->layer[l].name, exp(r->layer[l].slope), r->layer[l].ratio,
                   (long long)r->lag, rg_flow_verdict_text(r->layer[l].verdict));
        explain_report(x, r);
    }
    rg_gradflow_destroy(&r);
}

int explain_divergence(session *x, rg_status status)
{
    unsigned long long step = (unsigned long long)rg_trainer_facts(x->trainer).step;
    char where[560];
    return fail(exit_code(status), "training diverged at step %llu: %s%s. Usual gradient norm "
                "before: %.3g. The last checkpoint is kept; try %sa smaller --lr", step,
                rg_trainer_message(x->trainer), where_from(where, x),
                rg_norm_watch_median(&x->norms),
                x->s->clip_norm > 0 ? "" : "--clip-norm 1, or ");
}
