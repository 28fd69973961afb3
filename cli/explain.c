/* cli/explain.c -- numerical trouble in words: what was seen, what it means, what to try. */
#include "cli/session.h"

#include <math.h>
#include <string.h>

/* Median of the last norms. */
static double usual_norm(const session *x)
{
    double sorted[NORMS];
    size_t n = x->norms < NORMS ? (size_t)x->norms : NORMS;
    memcpy(sorted, x->norm, n * sizeof *sorted);
    return n ? median(sorted, n) : 0;
}

static void skipped(session *x, const rg_trainer_report *r)
{
    if (x->warned.skipped)
        return;
    x->warned.skipped = true;
    warn("step %llu: loss %g, %s; the update is left out and the states start again. Usual "
         "gradient norm before: %.3g. If it comes again: smaller --lr, or --clip-norm 1",
         (unsigned long long)r->step, r->loss, *rg_trainer_message(x->trainer)
         ? rg_trainer_message(x->trainer) : "the gradient is not finite", usual_norm(x));
}

static void exploded(session *x, const rg_trainer_report *r)
{
    double limit = x->s->clip_norm > 0 ? x->s->clip_norm : 1, usual;
    if (x->warned.exploded || r->optim.grad_norm <= 1000 * limit)
        return;
    usual = usual_norm(x);
    if (r->optim.grad_norm <= 1000 * fmax(usual, limit))
        return;
    x->warned.exploded = true;
    warn("step %llu: the gradient explodes: its norm is %.3g, usually %.3g. %s",
         (unsigned long long)r->step, r->optim.grad_norm, usual, x->s->clip_norm > 0
         ? "Clipping holds it; if the loss jumps, a smaller --lr helps"
         : "Without clipping one such step can undo the training: --clip-norm 1");
}

/* Most updates clipped: the rate no longer says how far a step goes. */
static void always_clipped(session *x, const rg_trainer_report *r)
{
    x->clipped += x->s->clip_norm > 0 && r->optim.grad_norm > x->s->clip_norm;
    if (x->warned.clipped || x->norms < 200 || (double)x->clipped < 0.9 * (double)x->norms)
        return;
    x->warned.clipped = true;
    warn("%.0f %% of the updates are clipped to norm %g: usual norm %.3g, a larger --clip-norm "
         "would let the gradient's size count", 100 * (double)x->clipped / (double)x->norms,
         x->s->clip_norm, usual_norm(x));
}

void explain_step(session *x, const rg_trainer_report *r)
{
    if (!r->optim.applied) {
        skipped(x, r);
        return;
    }
    exploded(x, r);
    x->norm[x->norms++ % NORMS] = r->optim.grad_norm;
    always_clipped(x, r);
}

static void vanishing(session *x, int64_t layer, const rg_flow *flow)
{
    if (x->warned.vanishing)
        return;
    x->warned.vanishing = true;
    bool gated = x->m.cell >= 4;
    warn("layer %lld: the gradient vanishes: each step back leaves %.0f %% of it, after %.0f steps "
         "it is a thousandth, so what lies further back is hardly learned%s", (long long)layer,
         100 * exp(flow->slope), log(1000) / -flow->slope,
         gated ? "" : " (--cell lstm remembers longer)");
}

static void growing(session *x, int64_t layer, const rg_flow *flow)
{
    if (x->warned.growing)
        return;
    x->warned.growing = true;
    warn("layer %lld: the gradient explodes on its way back: times %.2f a step, %.1e over a window "
         "(--clip-norm 1, smaller --lr or --seq-len)", (long long)layer, exp(flow->slope),
         flow->ratio);
}

void explain_flow(session *x)
{
    rg_flow flow[64];
    rg_plan_opts plan = session_plan(x);
    if (x->s->seq_len < 3 || x->warned.vanishing ||
        rg_lm_flow(flow, x->m.params, &x->m.lm, x->train, x->s->seq_len, &plan))
        return;
    for (int64_t l = 0; l < x->m.lm.layers; l++) {
        detail("flow   layer %lld: gradient times %.3f per step back, %.1e over a window",
               (long long)l, exp(flow[l].slope), flow[l].ratio);
        if (flow[l].ratio < 1e-6)
            vanishing(x, l, &flow[l]);
        if (flow[l].ratio > 1e6)
            growing(x, l, &flow[l]);
    }
}

int explain_divergence(session *x, rg_status status)
{
    unsigned long long step = (unsigned long long)rg_trainer_facts(x->trainer).step;
    return fail(exit_code(status), "training diverged at step %llu: %s. Usual gradient norm "
                "before: %.3g. The last checkpoint is kept; try a smaller --lr%s", step,
                rg_trainer_message(x->trainer), usual_norm(x),
                x->s->clip_norm > 0 ? "" : " or --clip-norm 1");
}
