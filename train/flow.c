/* train/flow.c -- how far back the gradient reaches: the norm of dL/ds against the lag, where L is
 * the last state's product with a random unit vector. Source: R. Pascanu, T. Mikolov, Y. Bengio,
 * "On the difficulty of training recurrent neural networks", ICML 2013. */
#include "train/lm.h"

#include "base/philox.h"
#include "graph/params.h"

#include <math.h>
#include <retrograd/grad.h>
#include <retrograd/ops.h>
#include <string.h>

enum { ROWS = 8 };

typedef struct probe {
    rg_alloc  alloc;
    rg_lm     lm;
    rg_plan  *plan;
    int64_t   T, R;
    size_t    S, count;     /* states; T·S */
    rg_val   *state, *norm; /* [T·S], of the graph */
    int32_t  *x, *y;        /* [T,R] */
} probe;

/* A unit vector per row, [R,H]. */
static rg_val direction(const probe *p, rg_val like)
{
    int64_t H = rg_dim(like, 1);
    double *v = rg_graph_alloc(p->lm.graph, (size_t)(p->R * H) * sizeof *v);
    if (!v || H < 1)
        return RG_NONE;
    for (int64_t r = 0; r < p->R; r++) {
        double sum = 0;
        for (int64_t j = 0; j < H; j++) {
            uint64_t tail = rg_stream_tail(rg_fnv1a("flow"), 0), i = (uint64_t)(r * H + j);
            v[r * H + j] = rg_draw_normal(0, RG_DOMAIN_CHECK, tail, i);
            sum += v[r * H + j] * v[r * H + j];
        }
        for (int64_t j = 0; j < H; j++)
            v[r * H + j] /= sqrt(sum);
    }
    return rg_constant(p->lm.graph, RG_F, RG_SHAPE(p->R, H), v, (size_t)(p->R * H));
}

/* The norms of dL/ds as roots of a plan; L = <v, last h of the top layer>. */
static rg_status build(probe *p, const rg_lm_opts *model, const rg_plan_opts *opts)
{
    int64_t layers = model->layers ? model->layers : 1;
    rg_val h = p->lm.last[p->S - p->S / (size_t)layers];
    rg_val v = direction(p, h);
    rg_val L = rg_sum(rg_mul(h, v));
    if (!(p->norm = rg_graph_alloc(p->lm.graph, p->count * sizeof *p->norm)))
        return rg_graph_status(p->lm.graph);
    rg_grad(p->norm, L, p->state, p->count);
    for (size_t i = 0; i < p->count; i++)
        p->norm[i] = rg_norm(p->norm[i]);
    rg_plan_opts plan = opts ? *opts : (rg_plan_opts){ .threads = 0 };
    plan.mode = RG_EVALUATE;
    return rg_plan_create(&p->plan, p->norm, p->count, &plan);
}

static rg_status run(probe *p, rg_span text)
{
    size_t bytes = (size_t)(p->T * p->R) * sizeof *p->x, L = (text.n - 1) / (size_t)p->R;
    rg_status st;
    for (int64_t t = 0; t < p->T; t++)
        for (int64_t r = 0; r < p->R; r++)
            p->x[t * p->R + r] = text.id[(size_t)r * L + (size_t)t];
    if ((st = rg_plan_bind(p->plan, p->lm.x, p->x, bytes)) ||
        (st = rg_plan_bind(p->plan, p->lm.y, p->y, bytes)))
        return st;
    for (size_t k = 0; k < p->S; k++) {
        size_t n = (size_t)rg_shape_count(rg_shape_of(p->lm.first[k]));
        void *zero = rg_graph_alloc(p->lm.graph, n * sizeof(double));
        size_t item = rg_plan_facts(p->plan).real == RG_F64 ? sizeof(double) : sizeof(float);
        if (!zero || (st = rg_plan_bind(p->plan, p->lm.first[k], zero, n * item)))
            return zero ? st : RG_ENOMEM;
    }
    return rg_plan_run(p->plan);
}

/* Least squares of ln N(k) over lags k = max(1, K/20) .. K; what has underflowed is left out. */
static double slope_of(probe *p, size_t state)
{
    int64_t K = p->T - 1, first = K / 20 > 1 ? K / 20 : 1;
    double n = 0, sk = 0, sl = 0, skk = 0, skl = 0;
    for (int64_t k = first; k <= K; k++) {
        double N = rg_plan_scalar(p->plan, p->norm[(size_t)(K - k) * p->S + state]), x = (double)k;
        if (!(N > 1e-35) || !isfinite(N))
            continue;
        n += 1;
        sk += x;
        sl += log(N);
        skk += x * x;
        skl += x * log(N);
    }
    return n < 2 ? -INFINITY : (n * skl - sk * sl) / (n * skk - sk * sk);
}

static void judge(rg_flow *flow, probe *p, size_t layers)
{
    size_t per_layer = p->S / layers;
    for (size_t l = 0; l < layers; l++) {
        flow[l].slope = -INFINITY;
        for (size_t k = 0; k < per_layer; k++)
            flow[l].slope = fmax(flow[l].slope, slope_of(p, l * per_layer + k));
        flow[l].ratio = exp(flow[l].slope * (double)(p->T - 1));
    }
}

static rg_status prepare(probe *p, rg_params *params, const rg_lm_opts *model, rg_err *err)
{
    (void)rg_alloc_resolve(&p->alloc, NULL);
    p->x = rg_get(&p->alloc, (size_t)(p->T * p->R) * sizeof *p->x);
    p->y = rg_get(&p->alloc, (size_t)(p->T * p->R) * sizeof *p->y);
    if (!p->x || !p->y)
        return rg_fail(err, RG_ENOMEM, "gradient flow: no memory");
    rg_lm_form form = { .T = p->T, .B = p->R, .stream = true };
    rg_status st = rg_lm_build(&p->lm, params, model, &form);
    p->state = form.states;
    p->S = p->lm.n_state;
    p->count = (size_t)p->T * p->S;
    if (st)
        return rg_fail(err, st, "%s", p->lm.graph ? rg_graph_message(p->lm.graph)
                                                  : rg_params_message(params));
    return RG_OK;
}

static void release(probe *p)
{
    size_t window = (size_t)(p->T * p->R);
    rg_plan_destroy(&p->plan);
    rg_lm_destroy(&p->lm);
    rg_release(&p->alloc, p->x, window * sizeof *p->x);
    rg_release(&p->alloc, p->y, window * sizeof *p->y);
}

static rg_status measure(rg_flow *flow, probe *p, rg_params *params, const rg_lm_opts *model,
                         rg_span text, const rg_plan_opts *plan, rg_err *err)
{
    rg_status st = prepare(p, params, model, err);
    if (st)
        return st;
    st = build(p, model, plan);
    if (st)
        return rg_fail(err, st, "%s", rg_graph_message(p->lm.graph));
    st = run(p, text);
    if (st)
        return rg_fail(err, st, "%s", rg_plan_message(p->plan));
    judge(flow, p, (size_t)(model->layers ? model->layers : 1));
    return RG_OK;
}

rg_status rg_lm_flow(rg_flow *flow, rg_params *params, const rg_lm_opts *model, rg_span text,
                     int64_t T, const rg_plan_opts *plan)
{
    rg_err err = { .status = RG_OK };
    rg_status st;
    if (!flow || !params || !model || model->layers < 0 || model->layers > RG_LM_LAYERS)
        return RG_EARG;
    int64_t layers = model->layers ? model->layers : 1;
    probe p = { .T = T, .R = text.n > ROWS ? ROWS : 1 };
    memset(flow, 0, (size_t)layers * sizeof *flow);
    if (T < 3 || !text.id || text.n < 2 || (text.n - 1) / (size_t)p.R < (size_t)T) {
        st = rg_fail(&err, RG_EARG, "gradient flow: needs 3 steps and a text of a window");
    } else {
        st = measure(flow, &p, params, model, text, plan, &err);
        release(&p);
    }
    if (st)
        memcpy(flow[0].message, err.text, sizeof err.text);
    return st;
}
