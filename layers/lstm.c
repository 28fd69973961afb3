/* layers/lstm.c -- the long short-term memory; x [B,I], h and c [B,H]:
 *
 *     i,f,o = σ(x·U + h·W + b)     g = tanh(x·Uc + h·Wc + bc)      one U, W, b per gate
 *     c' = f∘c + i∘g               h' = o∘tanh(c')
 *
 * and what options make of it (docs/MATH.md 4):
 *
 *     peephole     i,f see + P∘c, o sees + Po∘c'          Gers & Schmidhuber 2000
 *     coupled      i = 1 - f, or f = 1 - i                Greff et al. 2017; ONNX
 *     proj         h' = (o∘tanh(c'))·proj, h is [B,P]     Sak, Senior, Beaufays 2014
 *     cell_clip    c' is kept within a bound              the same
 *     preact_clip  so is what each σ and tanh is of       ONNX
 *     norm         layer normalisation, four kinds        Ba, Kiros, Hinton 2016
 *
 * Hochreiter & Schmidhuber, "Long short-term memory", 1997; forget gate, and its bias of 1: Gers,
 * Schmidhuber, Cummins, "Learning to forget", 2000. */
#include "layers/cell.h"

enum { I_, F, C, O, GATES };

struct lstm {
    int64_t      width[2];
    rg_gate      gate[GATES];      /* coupled: i or f is none */
    rg_val       P[GATES];         /* peepholes, or none */
    rg_val       proj;             /* [H,P] or none */
    rg_cell_opts opts;
    rg_layernorm per_gate[GATES];  /* tf_contrib */
    rg_joint     joint;            /* other kinds: the gates there are, in order */
    rg_layernorm of_c;
};

/* One step: its input, and where gates are normalised together what they make of it. */
struct now { rg_val x, h; rg_joint_now joint; };

/* Where gate k stands among those side by side. */
static size_t place(const struct lstm *p, int k)
{
    return (size_t)(k - (p->opts.coupled == RG_KEEP_F || (p->opts.coupled == RG_KEEP_I && k > F)));
}

/* What gate k is the σ or tanh of; c is the cell state it may see. */
static rg_val gate_sum(const struct lstm *p, const struct now *t, int k, rg_val c)
{
    const rg_gate *gate = &p->gate[k];
    rg_val a = p->joint.U.graph ? rg_joint_sum(&p->joint, &t->joint, place(p, k), gate->b)
                                : rg_gate_sum(gate, t->x, t->h);
    if (p->opts.norm == RG_NORM_TF_CONTRIB)
        a = rg_normalise(&p->per_gate[k], a);
    if (p->P[k].graph)
        a = rg_add(a, rg_mul(p->P[k], c));
    return rg_within(a, p->opts.preact_clip);
}

/* i, f, g and, if it does not see the new c, o. */
static void gates(rg_val v[GATES], const struct lstm *p, const struct now *t, rg_val c)
{
    rg_coupling coupled = p->opts.coupled;
    if (coupled != RG_KEEP_F)
        v[I_] = rg_sigmoid(gate_sum(p, t, I_, c));
    v[F] = coupled == RG_KEEP_I ? rg_one_minus(v[I_]) : rg_sigmoid(gate_sum(p, t, F, c));
    if (coupled == RG_KEEP_F)
        v[I_] = rg_one_minus(v[F]);
    v[C] = rg_dropout(rg_tanh(gate_sum(p, t, C, c)), p->opts.drop_candidate, "candidate");
    if (!p->P[O].graph)
        v[O] = rg_sigmoid(gate_sum(p, t, O, c));
}

/* What is carried on of f∘c + i∘g. */
static rg_val carried(const struct lstm *p, rg_val c)
{
    c = rg_within(c, p->opts.cell_clip);
    bool normal = p->opts.norm == RG_NORM_TF_CONTRIB || p->opts.norm == RG_NORM_ADDONS;
    return normal ? rg_normalise(&p->of_c, c) : c;
}

static rg_val output(const struct lstm *p, rg_val o, rg_val c)
{
    bool raw = p->opts.norm == RG_NORM_BA || p->opts.norm == RG_NORM_HASTE;
    rg_val h = rg_mul(o, rg_tanh(raw ? rg_normalise(&p->of_c, c) : c));
    return p->proj.graph ? rg_matmul(h, p->proj) : h;
}

static void lstm_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    const struct lstm *p = weights;
    struct now t = { .x = x, .h = s[0] };
    rg_val c = s[1], v[GATES] = { { .graph = NULL } };
    if (p->joint.U.graph)
        t.joint = rg_joint_products(&p->joint, x, rg_gate_state(&p->gate[C], t.h));
    gates(v, p, &t, c);
    rg_val kept = rg_mul(v[F], c);
    rg_val new = rg_mul(v[I_], v[C]);
    next[1] = carried(p, rg_add(kept, new));
    if (p->P[O].graph)
        v[O] = rg_sigmoid(gate_sum(p, &t, O, next[1]));
    next[0] = output(p, v[O], next[1]);
}

/* ---- Declaring ------------------------------------------------------------------------------ */

/* Which gates there are, in order: one that is coupled is none. */
static int present(int gate[GATES], rg_coupling coupled)
{
    int n = 0;
    for (int k = 0; k < GATES; k++)
        if (!(k == I_ && coupled == RG_KEEP_F) && !(k == F && coupled == RG_KEEP_I))
            gate[n++] = k;
    return n;
}

static void declare_norms(struct lstm *p, const rg_cell_site *s, const rg_gate_kind *kind,
                          const rg_gate *made, const int *gate, size_t n)
{
    const bool contrib = p->opts.norm == RG_NORM_TF_CONTRIB;
    p->of_c = rg_layernorm_declare(s, "cell", s->H, true, 0);
    for (size_t j = 0; contrib && j < n; j++)
        p->per_gate[gate[j]] = rg_layernorm_declare(s, kind[j].suffix, s->H, true, kind[j].bias);
    if (!contrib)
        p->joint = rg_joint_declare(s, made, n, p->opts.norm != RG_NORM_HASTE);
}

static void declare(struct lstm *p, rg_cell_site *s)
{
    static const rg_gate_kind kinds[GATES] = {
        { "i", 0, -1, 0 }, { "f", 1, 1, 0 }, { "c", 0, 0, 0 }, { "o", 0, 0, 0 }
    };
    rg_gate made[GATES];
    rg_gate_kind kind[GATES];
    int gate[GATES], n = present(gate, p->opts.coupled);
    for (int j = 0; j < n; j++) {
        kind[j] = kinds[gate[j]];
        if (p->opts.coupled == RG_KEEP_I && gate[j] == I_)
            kind[j].bias = -1; /* f = σ(1) at first all the same */
        if (p->opts.forget_bias_0)
            kind[j].bias = 0;
    }
    if (p->opts.norm == RG_NORM_TF_CONTRIB)
        s->opts.bias = RG_BIAS_NONE;
    rg_gates_declare(made, NULL, s, kind, (size_t)n);
    for (int j = 0; j < n; j++) {
        p->gate[gate[j]] = made[j];
        if (p->opts.peephole && gate[j] != C)
            p->P[gate[j]] = rg_gate_param(s->graph, s->group, "P", kind[j].suffix, RG_SHAPE(s->H),
                                          rg_init_zeros());
    }
    if (p->opts.proj)
        p->proj = rg_param(s->graph, s->group, "proj", RG_SHAPE(s->H, s->R),
                           s->opts.init == RG_INIT_TORCH ? rg_cell_init_U(s, 1)
                                                         : rg_init_glorot());
    if (p->opts.norm)
        declare_norms(p, s, kind, made, gate, (size_t)n);
}

rg_cell rg_lstm(rg_graph *graph, const char *group, int64_t I, int64_t H, const rg_cell_opts *opts)
{
    rg_cell_site site;
    struct lstm *p = NULL;
    if (rg_cell_site_init(&site, graph, "lstm", group, I, H, opts,
                          RG_KNOWS_FORGET | RG_KNOWS_CHRONO | RG_KNOWS_LSTM | RG_KNOWS_DROP_H |
                              RG_KNOWS_DROP_G) &&
        (p = rg_graph_alloc(graph, sizeof *p))) {
        *p = (struct lstm){ .width = { site.R, H }, .opts = site.opts };
        declare(p, &site);
    }
    return rg_cell_of("lstm", 2, p ? p->width : NULL, lstm_step, p);
}
