/* tests/layers/laws.c -- what every cell obeys, whatever its formula. The interpreter's products
 * are row-stable, so most equalities are of bits. */
#include "tests/layers/lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { T = 7, B = 3, I = 4, H = 5, MAX = 192 };

/* A cell over a drawn sequence; what a law compares. */
struct net {
    lab     l;
    rg_cell cell;
    rg_val  X, s0[LAB_STATES], last[LAB_STATES], Y, root[MAX];
    size_t  n;  /* roots: Y, last, then gradients */
};

static void net_open(struct net *n, const lab_cell *kind, int64_t steps, int64_t rows)
{
    memset(n, 0, sizeof *n);
    n->l.seed = 11;
    lab_open(&n->l, RG_F64);
    n->cell = kind->make(n->l.g, "c", I, H, &kind->opts);
    lab_fill(&n->l, 0.7);
    n->X = lab_drawn(&n->l, "x", RG_SHAPE(steps, rows, I));
    for (size_t k = 0; k < kind->n_state; k++)
        n->s0[k] = lab_start(&n->l, &n->cell, k, rows);
}

/* Gradients of ⟨gY, Y⟩ + Σ ⟨gs, s_T⟩ for every parameter, x and the start become roots. */
static void net_run(struct net *n)
{
    rg_val x[MAX], loss = rg_sum(rg_mul(n->Y, lab_drawn(&n->l, "gY", rg_shape_of(n->Y))));
    for (size_t k = 0; k < n->cell.n_state; k++) {
        rg_val g = lab_cotangent(&n->l, &n->cell, k, rg_dim(n->last[k], 0));
        loss = rg_add(loss, rg_sum(rg_mul(n->last[k], g)));
    }
    size_t m = rg_graph_params(x, MAX, n->l.g);
    x[m++] = n->X;
    memcpy(x + m, n->s0, n->cell.n_state * sizeof *x);
    m += n->cell.n_state;
    n->root[0] = n->Y;
    memcpy(n->root + 1, n->last, n->cell.n_state * sizeof *x);
    n->n = 1 + n->cell.n_state;
    rg_grad(n->root + n->n, loss, x, m);
    n->n += m;
    lab_run(&n->l, n->root, n->n);
}

static void whole(struct net *n, const lab_cell *kind)
{
    net_open(n, kind, T, B);
    n->Y = rg_unroll(n->last, &n->cell, n->X, n->s0, NULL);
}

/* All roots of two nets have the same bits. */
static bool same(struct net *a, struct net *b)
{
    bool equal = a->n == b->n;
    for (size_t k = 0; equal && k < a->n; k++)
        equal = lab_same(&a->l, a->root[k], &b->l, b->root[k]);
    return equal;
}

/* Values have the same bits, gradients agree to rounding. */
static bool agree(struct net *a, struct net *b)
{
    bool equal = a->n == b->n;
    size_t values = 1 + a->cell.n_state;
    for (size_t k = 0; equal && k < a->n; k++)
        equal = k < values ? lab_same(&a->l, a->root[k], &b->l, b->root[k])
                           : lab_apart(&a->l, a->root[k], &b->l, b->root[k]) <= 1e-13;
    return equal;
}

static void net_close(struct net *n)
{
    lab_close(&n->l);
}

RGT_TEST(laws, one_run_equals_two_with_the_state_handed_on)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        rg_val middle[LAB_STATES], part[2];
        whole(&a, &lab_cells[k]);
        net_open(&b, &lab_cells[k], T, B);
        part[0] = rg_unroll(middle, &b.cell, rg_slice(b.X, 0, 0, 3), b.s0, NULL);
        part[1] = rg_unroll(b.last, &b.cell, rg_slice(b.X, 0, 3, T), middle, NULL);
        b.Y = rg_concat(part, 2, 0);
        net_run(&a);
        net_run(&b);
        RGT_CHECK_MSG(agree(&a, &b), "%s", lab_cells[k].name);
        net_close(&a);
        net_close(&b);
    }
}

RGT_TEST(laws, unrolling_is_a_loop_of_steps)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        rg_val y[T];
        whole(&a, &lab_cells[k]);
        net_open(&b, &lab_cells[k], T, B);
        memcpy(b.last, b.s0, sizeof b.last);
        for (int t = 0; t < T; t++) {
            rg_step(b.last, &b.cell, rg_select(b.X, 0, t), b.last, t);
            y[t] = b.last[0];
        }
        b.Y = rg_stack(y, T, 0);
        net_run(&a);
        net_run(&b);
        RGT_CHECK_MSG(same(&a, &b), "%s", lab_cells[k].name);
        net_close(&a);
        net_close(&b);
    }
}

RGT_TEST(laws, backwards_over_a_reversed_sequence_is_forwards)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        rg_val states[LAB_STATES * T];
        whole(&a, &lab_cells[k]);
        net_open(&b, &lab_cells[k], T, B);
        rg_val y = rg_unroll(b.last, &b.cell, rg_reverse(b.X, 0), b.s0,
                             &(rg_unroll_opts){ .reverse = true, .states = states });
        b.Y = rg_reverse(y, 0);
        net_run(&a);
        net_run(&b);
        RGT_CHECK_MSG(agree(&a, &b), "%s", lab_cells[k].name);
        RGT_CHECK(states[0].id == b.last[0].id); /* the last step is step 0 */
        net_close(&a);
        net_close(&b);
    }
}

RGT_TEST(laws, permuted_rows_give_permuted_results)
{
    static const int32_t order[B] = { 2, 0, 1 };
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        static const int swap[3] = { 1, 0, 2 };
        rg_val s0[LAB_STATES], last[LAB_STATES];
        whole(&a, &lab_cells[k]);
        net_open(&b, &lab_cells[k], T, B);
        rg_val rows = lab_bits(&b.l, "order", RG_INT, RG_SHAPE(B), order);
        rg_val back = lab_bits(&b.l, "back", RG_INT, RG_SHAPE(B), (const int32_t[]){ 1, 2, 0 });
        rg_val x = rg_transpose(rg_gather(rg_transpose(b.X, swap, 3), rows), swap, 3);
        for (size_t i = 0; i < b.cell.n_state; i++)
            s0[i] = rg_gather(b.s0[i], rows);
        rg_val y = rg_unroll(last, &b.cell, x, s0, NULL);
        b.Y = rg_transpose(rg_gather(rg_transpose(y, swap, 3), back), swap, 3);
        for (size_t i = 0; i < b.cell.n_state; i++)
            b.last[i] = rg_gather(last[i], back);
        net_run(&a);
        net_run(&b);
        RGT_CHECK_MSG(agree(&a, &b), "%s", lab_cells[k].name);
        net_close(&a);
        net_close(&b);
    }
}

/* A step's own parameters, declared per step: T copies of the same weights. */
struct copies {
    const lab_cell *kind;
    int             t;
};

static void fresh_step(const void *weights, rg_val x, const rg_val *s, rg_val *next)
{
    struct copies *c = *(struct copies *const *)weights;
    char group[16];
    (void)snprintf(group, sizeof group, "t%d", c->t++);
    rg_cell one = c->kind->make(x.graph, group, I, H, &c->kind->opts);
    one.step(one.weights, x, s, next);
}

RGT_TEST(laws, the_gradient_of_a_shared_weight_is_the_sum_over_its_copies)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net a, b;
        struct copies copies = { &lab_cells[k], 0 }, *weights = &copies;
        whole(&a, &lab_cells[k]);
        net_open(&b, &lab_cells[k], T, B);
        size_t n = rg_params_count(b.l.ps);
        rg_cell many = b.cell;
        many.step = fresh_step;
        many.weights = &weights;
        b.Y = rg_unroll(b.last, &many, b.X, b.s0, NULL);
        for (size_t i = 0; i < n; i++) { /* every copy gets the original's numbers */
            rg_param_info from = rg_params_find(a.l.ps, rg_params_at(a.l.ps, i).name);
            for (int t = 0; t < T; t++) {
                char name[32];
                (void)snprintf(name, sizeof name, "t%d.%s", t, from.name + strlen("c."));
                memcpy(rg_params_find(b.l.ps, name).data, from.data,
                       (size_t)rg_shape_count(from.shape) * sizeof(double));
            }
        }
        net_run(&a);
        net_run(&b); /* roots: Y, last, then gradients by name: c.* (unused), t0.*, t1.* ... */
        size_t first = 1 + b.cell.n_state;
        for (size_t i = 0; i < n; i++) {
            size_t count;
            double *want = lab_read(&a.l, a.root[first + i], &count), off = 0, scale = 0;
            for (int t = 0; t < T; t++) {
                double *one = lab_read(&b.l, b.root[first + n + (size_t)t * n + i], NULL);
                for (size_t e = 0; e < count; e++)
                    want[e] -= one[e], scale = fmax(scale, fabs(one[e]));
                free(one);
            }
            for (size_t e = 0; e < count; e++)
                off = fmax(off, fabs(want[e]));
            RGT_CHECK_MSG(scale > 0 && off <= 1e-13 * scale, "%s", lab_cells[k].name);
            free(want);
        }
        net_close(&a);
        net_close(&b);
    }
}

/* Twice the loss gives twice the gradients, to the bit; and a sum of losses their sum. */
RGT_TEST(laws, gradients_are_linear_in_the_seed)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        rg_val x[MAX], d[4][MAX], root[4 * MAX];
        whole(&n, &lab_cells[k]);
        size_t m = rg_graph_params(x, MAX, n.l.g);
        rg_val p = rg_sum(rg_mul(n.Y, lab_drawn(&n.l, "p", rg_shape_of(n.Y))));
        rg_val q = rg_sum(rg_mul(n.last[0], lab_drawn(&n.l, "q", rg_shape_of(n.last[0]))));
        rg_grad(d[0], p, x, m);
        rg_grad(d[1], q, x, m);
        rg_grad(d[2], rg_add(p, q), x, m);
        rg_grad(d[3], rg_scale(p, 1024), x, m);
        for (size_t i = 0; i < m; i++) {
            root[3 * i] = rg_add(d[0][i], d[1][i]);
            root[3 * i + 1] = d[2][i];
            root[3 * i + 2] = lab_off(d[3][i], rg_scale(d[0][i], 1024));
        }
        lab_run(&n.l, root, 3 * m);
        for (size_t i = 0; i < m; i++) {
            RGT_CHECK(lab_apart(&n.l, root[3 * i], &n.l, root[3 * i + 1]) <= 1e-13);
            RGT_CHECK(rg_plan_scalar(n.l.plan, root[3 * i + 2]) == 0);
        }
        net_close(&n);
    }
}

/* Which parameters, inputs and states each output reaches: all of them, but for a state that is
 * not read. */
RGT_TEST(laws, every_output_carries_a_gradient_to_everything_it_should_reach)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        struct net n;
        rg_val x[MAX], d[MAX];
        size_t n_state = lab_cells[k].n_state;
        whole(&n, &lab_cells[k]);
        size_t m = rg_graph_params(x, MAX, n.l.g);
        x[m++] = n.X;
        memcpy(x + m, n.s0, n_state * sizeof *x);
        m += n_state;
        for (size_t out = 0; out <= (lab_cells[k].traits & LAB_SIDE ? 0 : n_state); out++) {
            rg_val y = out ? n.last[out - 1] : n.Y;
            rg_grad(d, rg_sum(rg_square(y)), x, m);
            lab_run(&n.l, d, m);
            for (size_t i = 0; i < m; i++) {
                bool some = lab_nonzero(&n.l, d[i]) > 0;
                bool due = !(lab_cells[k].traits & LAB_UNREAD && i == m - n_state);
                bool may_rest = lab_cells[k].traits & LAB_RELU && i >= m - n_state;
                rg_outcome outcome = due ? RG_GRADIENT : RG_NO_PATH;
                RGT_CHECK_MSG((some == due || may_rest) && rg_outcome_of(d[i]) == outcome,
                              "%s: output %zu, %zu", lab_cells[k].name, out, i);
            }
        }
        net_close(&n);
    }
}

RGT_TEST(laws, every_cell_passes_a_gradient_check_of_second_order)
{
    for (size_t k = 0; k < lab_n_cells; k++) {
        lab l = { .seed = 6 };
        rg_gradcheck_report *report = NULL;
        lab_open(&l, RG_F64);
        rg_cell cell = lab_cells[k].make(l.g, "c", 2, 3, &lab_cells[k].opts);
        lab_fill(&l, 0.7);
        rg_val mask = rg_constant(l.g, RG_BOOL, RG_SHAPE(4, 2),
                                  (const uint8_t[]){ 1, 1, 1, 1, 1, 0, 1, 0 }, 8);
        rg_val y = rg_unroll(NULL, &cell, rg_normal(l.g, "x", RG_SHAPE(4, 2, 2)), NULL,
                             &(rg_unroll_opts){ .mask = mask });
        rg_verdict v = rg_gradcheck(&report, rg_sum(rg_square(y)), NULL, 0,
                                    &(rg_gradcheck_opts){ .order = 2, .rtol = 1e-7 });
        RGT_CHECK_MSG(v == RG_PASS, "%s: %s", lab_cells[k].name, report ? report->message : "");
        rg_gradcheck_destroy(&report);
        lab_close(&l);
    }
}

/* First and second order under fresh dropout at every step, two layers, three steps. */
RGT_TEST(laws, dropout_inside_a_stack_passes_a_gradient_check)
{
    lab l = { .seed = 5 };
    rg_gradcheck_report *report = NULL;
    lab_open(&l, RG_F64);
    rg_cell layer[2] = { rg_lstm(l.g, "l0", 2, 3, NULL), rg_gru(l.g, "l1", 3, 3, NULL) };
    rg_cell cell = rg_stacked(l.g, layer, 2, 0.4);
    lab_fill(&l, 0.7);
    rg_val y = rg_unroll(NULL, &cell, rg_normal(l.g, "x", RG_SHAPE(3, 2, 2)), NULL, NULL);
    rg_verdict v = rg_gradcheck(&report, rg_sum(rg_square(y)), NULL, 0,
                                &(rg_gradcheck_opts){ .order = 2, .rtol = 1e-7 });
    RGT_CHECK_MSG(v == RG_PASS, "%s", report ? report->message : "");
    rg_gradcheck_destroy(&report);
    lab_close(&l);
}
