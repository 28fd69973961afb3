/* bench/check.c -- what is measured is right: the step by hand against a plan, users' cells against
 * oracles. `rg_bench --check`; prints TAP. */
#include "bench/nets.h"
#include "bench/ref/lstm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int told, failures;

static void tell(bool good, const char *what, const char *of, double off)
{
    (void)printf("%s %d - %s, %s: off by %.1e\n", good ? "ok" : "not ok", ++told, what, of, off);
    failures += !good;
}

/* ---- The step by hand ------------------------------------------------------------------------ */

/* The plan's roots, in the order of ref_array from REF_HS on, each gate's part by itself. */
typedef struct oracle {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;
    rg_val     hs, dx, du[4], dw[4], db[4], dh, dc;
    int64_t    T, B, I, H;
} oracle;

static const char *const gate[] = { "i", "f", "c", "o" };

/* Weights of gate k are columns k·H .. of the matrix by hand. */
static void fill(const oracle *o, ref_lstm *r)
{
    const struct { ref_array which; char letter; int64_t rows; } part[] = {
        { REF_U, 'U', o->I }, { REF_W, 'W', o->H }, { REF_BIAS, 'b', 1 } };
    char name[16];
    int64_t ld;
    for (int k = 0; k < 12; k++) {
        const int p = k / 4, g = k % 4;
        float *to = ref_lstm_array(r, part[p].which, &ld);
        (void)snprintf(name, sizeof name, "a.%c%s", part[p].letter, gate[g]);
        float *mine = rg_params_find(o->params, name).data;
        for (int64_t i = 0; i < part[p].rows * o->H; i++)
            to[i / o->H * ld + g * o->H + i % o->H] = mine[i] = rgb_value(k, i, 0.3);
    }
}

static void open_oracle(oracle *o, const float *x)
{
    rg_val X, s0[2], wish[15], got[16];
    rgb_check(rg_params_create(&o->params, 1, NULL), "store");
    rgb_check(rg_graph_create(&o->graph, o->params, NULL), "graph");
    rg_graph *g = o->graph;
    X = rg_input(g, "x", RG_F, RG_SHAPE(o->T, o->B, o->I));
    s0[0] = rg_param(g, NULL, "h0", RG_SHAPE(o->B, o->H), rg_init_zeros());
    s0[1] = rg_param(g, NULL, "c0", RG_SHAPE(o->B, o->H), rg_init_zeros());
    rg_cell cell = rg_lstm(g, "a", o->I, o->H, NULL);
    got[0] = o->hs = rg_unroll(NULL, &cell, X, s0, NULL);
    for (int k = 0; k < 4; k++) {
        wish[k] = rg_param(g, "a", (char[]){ 'U', gate[k][0], 0 }, RG_SHAPE(o->I, o->H),
                           rg_init_zeros());
        wish[4 + k] = rg_param(g, "a", (char[]){ 'W', gate[k][0], 0 }, RG_SHAPE(o->H, o->H),
                               rg_init_zeros());
        wish[8 + k] = rg_param(g, "a", (char[]){ 'b', gate[k][0], 0 }, RG_SHAPE(o->H),
                               rg_init_zeros());
    }
    wish[12] = X, wish[13] = s0[0], wish[14] = s0[1];
    rg_grad(got + 1, rg_mean(rg_square(o->hs)), wish, 15);
    memcpy(o->du, got + 1, sizeof o->du);
    memcpy(o->dw, got + 5, sizeof o->dw);
    memcpy(o->db, got + 9, sizeof o->db);
    o->dx = got[13], o->dh = got[14], o->dc = got[15];
    const rg_plan_opts opts = { .effort = RG_INTERPRET, .real = RG_F64 };
    rgb_check(rg_plan_create(&o->plan, got, 16, &opts), rg_graph_message(g));
    static double wide[4096];
    for (int64_t i = 0; i < o->T * o->B * o->I; i++)
        wide[i] = (double)x[i];
    rgb_check(rg_plan_bind(o->plan, X, wide, (size_t)(o->T * o->B * o->I) * sizeof *wide),
              rg_plan_message(o->plan));
}

/* Largest error over the largest value. */
static double off(const oracle *o, rg_val want, const float *got, int64_t ld, int64_t rows,
                  int64_t cols)
{
    const double *w = rg_plan_data(o->plan, want);
    double most = 0, error = 0;
    for (int64_t i = 0; i < rows * cols; i++) {
        most = fmax(most, fabs(w[i]));
        error = fmax(error, fabs(w[i] - (double)got[i / cols * ld + i % cols]));
    }
    return most > 0 ? error / most : INFINITY;
}

static double worst(const oracle *o, ref_lstm *r)
{
    const struct { ref_array which; const rg_val *want; int gates; int64_t rows, cols; } part[] = {
        { REF_HS, &o->hs, 1, o->T * o->B, o->H }, { REF_DX, &o->dx, 1, o->T * o->B, o->I },
        { REF_DU, o->du, 4, o->I, o->H }, { REF_DW, o->dw, 4, o->H, o->H },
        { REF_DBIAS, o->db, 4, 1, o->H }, { REF_DH, &o->dh, 1, o->B, o->H },
        { REF_DC, &o->dc, 1, o->B, o->H } };
    double most = 0;
    for (size_t k = 0; k < sizeof part / sizeof *part; k++) {
        int64_t ld;
        const float *at = ref_lstm_array(r, part[k].which, &ld);
        for (int g = 0; g < part[k].gates; g++)
            most = fmax(most, off(o, part[k].want[g], at + g * o->H, ld, part[k].rows,
                                  part[k].cols));
    }
    return most;
}

static void check_step(int64_t T, int64_t B, int64_t I, int64_t H, ref_products which, int threads)
{
    oracle o = { .T = T, .B = B, .I = I, .H = H };
    char what[96];
    int64_t ld;
    ref_lstm *r = ref_lstm_create(T, B, I, H, which, threads);
    if (!r)
        rgb_check(RG_ENOMEM, "the step by hand");
    float *x = ref_lstm_array(r, REF_X, &ld);
    for (int64_t i = 0; i < T * B * I; i++)
        x[i] = rgb_value(0, i, 1);
    open_oracle(&o, x);
    fill(&o, r);
    rgb_check(rg_plan_run(o.plan), rg_plan_message(o.plan));
    ref_lstm_products(r); /* leaves rubbish behind, which must not matter */
    ref_lstm_train(r);
    (void)snprintf(what, sizeof what, "lstm by hand %d, %d, %d, %d over %s, %d threads", (int)T,
                   (int)B, (int)I, (int)H, which == REF_OWN ? "our products" : "OpenBLAS",
                   threads);
    const double error = worst(&o, r);
    tell(error < 1e-5, what, "all gradients", error);
    ref_lstm_array(r, REF_DW, &ld)[0] += 1;
    if (threads == 1 && which == REF_OWN)
        tell(worst(&o, r) > 1e-2, what, "a spoiled gradient is found", worst(&o, r));
    ref_lstm_destroy(r);
    rg_plan_destroy(&o.plan);
    rg_graph_destroy(&o.graph);
    rg_params_destroy(&o.params);
}

/* ---- Users' cells ---------------------------------------------------------------------------- */

static void check_cell(const char *name)
{
    const rgb_cell *c = rgb_cell_of(name);
    rg_params *params;
    rg_graph *g;
    rg_gradcheck_report *report;
    rgb_check(rg_params_create(&params, 5, &(rg_params_opts){ .real = RG_F64 }), "store");
    rgb_check(rg_graph_create(&g, params, NULL), "graph");
    rg_cell cell = c->make(g, "a", 3, 5, &c->opts);
    rg_val y = rg_unroll(NULL, &cell, rg_normal(g, "x", RG_SHAPE(4, 2, 3)), NULL, NULL);
    const rg_verdict verdict = rg_gradcheck(&report, rg_mean(rg_square(y)), NULL, 0,
                                            &(rg_gradcheck_opts){ .order = 2 });
    tell(verdict == RG_PASS, name, report ? report->message : "no memory",
         report ? report->worst_error : INFINITY);
    rg_gradcheck_destroy(&report);
    rg_graph_destroy(&g);
    rg_params_destroy(&params);
}

int rgb_check_all(void)
{
    static const int64_t shape[][4] = { { 3, 2, 3, 5 }, { 5, 3, 28, 40 }, { 6, 9, 7, 33 },
                                        { 9, 40, 8, 16 } };
    static const char *const cell[] = { "peephole", "coupled", "layer-norm", "minimal" };
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++)
        for (int which = REF_BLAS; which <= REF_OWN; which++)
            for (int threads = 1; threads <= 2; threads++)
                check_step(shape[k][0], shape[k][1], shape[k][2], shape[k][3],
                           (ref_products)which, threads);
    for (size_t k = 0; k < sizeof cell / sizeof *cell; k++)
        check_cell(cell[k]);
    (void)printf("1..%d\n", told);
    return failures ? 1 : 0;
}
