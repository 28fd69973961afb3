/* tests/plan/behaviour.c -- what a plan promises besides its values: bits for any number of
 * threads, no allocation in a run, carried values, refusals with their reasons, options, memory. */
#include "plan/code.h"
#include "plan/pipeline.h"
#include "kernels/product.h"
#include "tests/rgt.h"

#include <math.h>
#include <retrograd/retrograd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { T = 6, B = 37, I = 5, H = 33 };

/* A recurrent layer over T steps with its loss: large enough for a team. */
typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_val     x, h0, last, loss, dx;
    float      data[T * B * I], start[B * H];
} net;

static void net_begin(net *n, const rg_alloc *alloc)
{
    rg_graph_opts opts = { .max_nodes = 0 };
    if (alloc)
        opts.alloc = *alloc;
    memset(n, 0, sizeof *n);
    RGT_CHECK(rg_params_create(&n->params, 3, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, &opts) == RG_OK);
    rg_graph *g = n->graph;
    n->x = rg_input(g, "x", RG_F, RG_SHAPE(T, B, I));
    n->h0 = rg_input(g, "h0", RG_F, RG_SHAPE(B, H));
    rg_val U = rg_param(g, NULL, "U", RG_SHAPE(I, H), rg_init_uniform(0.4));
    rg_val W = rg_param(g, NULL, "W", RG_SHAPE(H, H), rg_init_uniform(0.2));
    rg_val h = n->h0, hs[T];
    for (int t = 0; t < T; t++) {
        rg_scope_push(g, "rnn", t);
        rg_val xu = rg_matmul(rg_select(n->x, 0, t), U);
        h = hs[t] = rg_tanh(rg_add(xu, rg_matmul(h, W)));
        rg_scope_pop(g);
    }
    n->last = h;
    n->loss = rg_mean(rg_square(rg_stack(hs, T, 0)));
    rg_grad(&n->dx, n->loss, &n->x, 1);
    for (int i = 0; i < T * B * I; i++)
        n->data[i] = sinf((float)i);
    for (int i = 0; i < B * H; i++)
        n->start[i] = 0.3f * cosf((float)i);
}

static void net_end(net *n)
{
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static rg_plan *net_plan(net *n, const rg_plan_opts *opts)
{
    rg_plan *plan;
    const rg_val also[2] = { n->last, n->dx };
    RGT_CHECK_MSG(rg_plan_create_train(&plan, n->loss, also, 2, opts) == RG_OK, "%s",
                  rg_graph_message(n->graph));
    RGT_CHECK(rg_plan_bind(plan, n->x, n->data, sizeof n->data) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, n->h0, n->start, sizeof n->start) == RG_OK);
    return plan;
}

RGT_TEST(plan, bits_do_not_depend_on_threads)
{
    net n;
    float first[T * B * I];
    net_begin(&n, NULL);
    for (int threads = 1; threads <= 4; threads++) {
        rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .threads = threads, .disable = "solo" });
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
        RGT_CHECK(rg_plan_facts(plan).threads == threads);
        if (threads == 1)
            memcpy(first, rg_plan_data(plan, n.dx), sizeof first);
        RGT_CHECK(memcmp(first, rg_plan_data(plan, n.dx), sizeof first) == 0);
        rg_plan_destroy(&plan);
    }
    net_end(&n);
}

/* Neither we nor, where products are our own, anybody else: OpenBLAS's kernels for small matrices
 * take a block of their own at every call. */
RGT_TEST(plan, a_run_allocates_nothing)
{
    net n;
    rgt_alloc state = { .calls = 0 };
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .threads = 2, .disable = "solo",
                                                  .alloc = rgt_hooks(&state) });
    for (int i = 0; i < 3; i++)
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
    const bool own = rg_product_table(rg_cpu_isa())->fused;
    const long before = rgt_malloc_calls(), ours = state.calls;
    for (int i = 0; i < 20; i++)
        RGT_CHECK(rg_plan_run(plan) == RG_OK);
    RGT_CHECK(state.calls == ours);
    RGT_CHECK_MSG(!own || rgt_malloc_calls() == before, "%ld calls", rgt_malloc_calls() - before);
    rg_plan_destroy(&plan);
    net_end(&n);
}

RGT_TEST(plan, carried_values_go_on_and_start_again)
{
    net n;
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, NULL);
    float first[B * H], second[B * H];
    RGT_CHECK(rg_plan_carry(plan, &n.last, &n.h0, 1) == RG_OK);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    memcpy(first, rg_plan_data(plan, n.last), sizeof first);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    memcpy(second, rg_plan_data(plan, n.last), sizeof second);
    RGT_CHECK(memcmp(first, second, sizeof first) != 0);
    RGT_CHECK(rg_plan_restart(plan) == RG_OK && rg_plan_run(plan) == RG_OK);
    RGT_CHECK(memcmp(first, rg_plan_data(plan, n.last), sizeof first) == 0);
    /* by hand: what the first run left, bound to a second plan */
    rg_plan *by_hand = net_plan(&n, NULL);
    RGT_CHECK(rg_plan_bind(by_hand, n.h0, first, sizeof first) == RG_OK);
    RGT_CHECK(rg_plan_run(by_hand) == RG_OK);
    RGT_CHECK(memcmp(second, rg_plan_data(by_hand, n.last), sizeof second) == 0);
    rg_plan_destroy(&by_hand);
    rg_plan_destroy(&plan);
    net_end(&n);
}

static void refuse_run(rg_plan *plan, rg_status status, const char *says)
{
    const rg_status st = rg_plan_run(plan);
    RGT_CHECK_MSG(st == status && rgt_has(rg_plan_message(plan), says), "%d: %s", (int)st,
                  rg_plan_message(plan));
}

RGT_TEST(plan, what_is_wrong_is_said)
{
    net n;
    net_begin(&n, NULL);
    rg_plan *plan;
    RGT_CHECK(rg_plan_create(&plan, &n.loss, 1, NULL) == RG_OK);
    refuse_run(plan, RG_EGRAPH, "'x' is not bound");
    RGT_CHECK(rg_plan_bind(plan, n.x, n.data, 12) == RG_ESHAPE);
    refuse_run(plan, RG_ESHAPE, "got 12");
    RGT_CHECK(rg_plan_bind(plan, n.loss, n.data, 4) == RG_EARG);
    RGT_CHECK(rg_plan_data(plan, n.last) == NULL && rgt_has(rg_plan_message(plan), "no root"));
    RGT_CHECK(rg_plan_carry(plan, &n.loss, &n.h0, 1) == RG_ESHAPE);
    rg_plan_destroy(&plan);
    rg_plan_opts opts = { .disable = "batch bach" };
    RGT_CHECK(rg_plan_create(&plan, &n.loss, 1, &opts) == RG_EARG && !plan);
    RGT_CHECK(rgt_has(rg_graph_message(n.graph), "'bach'; there are fold cse"));
    opts = (rg_plan_opts){ .budget_bytes = 1000 };
    RGT_CHECK(rg_plan_create(&plan, &n.loss, 1, &opts) == RG_ELIMIT);
    RGT_CHECK(rgt_has(rg_graph_message(n.graph), "the budget is 1000"));
    opts = (rg_plan_opts){ .dry_run = true };
    RGT_CHECK(rg_plan_create(&plan, &n.loss, 1, &opts) == RG_OK);
    RGT_CHECK(rg_plan_facts(plan).arena_bytes > 0 && rg_plan_facts(plan).flop > 1e5);
    refuse_run(plan, RG_ESTATE, "dry_run");
    rg_plan_destroy(&plan);
    net_end(&n);
}

RGT_TEST(plan, a_carry_that_failed_is_not_forgotten_by_a_bind)
{
    net n;
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, NULL);
    RGT_CHECK(rg_plan_carry(plan, &n.loss, &n.h0, 1) == RG_ESHAPE);
    RGT_CHECK(rg_plan_bind(plan, n.x, n.data, sizeof n.data) == RG_OK);
    RGT_CHECK(rg_plan_carry(plan, NULL, NULL, 0) == RG_OK);
    refuse_run(plan, RG_ESHAPE, "carry: input 'h0' has shape [37,33], the root []");
    RGT_CHECK(rg_plan_bind(plan, n.loss, n.data, 4) == RG_EARG);
    RGT_CHECK(rg_plan_carry(plan, &n.last, &n.h0, 1) == RG_OK);
    refuse_run(plan, RG_EARG, "is not an input");
    RGT_CHECK(rg_plan_bind(plan, n.x, n.data, sizeof n.data) == RG_OK);
    RGT_CHECK(rg_plan_run(plan) == RG_OK);
    rg_plan_destroy(&plan);
    net_end(&n);
}

/* y = x, unless the plan says otherwise: 7 at its second run. */
static int moody_f64(const rg_kernel_args *k)
{
    memcpy(k->out, k->in[0], (size_t)k->n * sizeof(double));
    return k->run == 1 ? 7 : 0;
}

RGT_TEST(plan, a_kernel_that_fails_stops_the_run_only)
{
    static const rg_op moody = { .name = "moody", .arity = 1, .kernel_f64 = moody_f64,
                                 .flags = RG_OP_NODIFF | RG_OP_ELEMENTWISE };
    rg_graph *g;
    rg_plan *plan;
    float x[3] = { 1, 2, 3 };
    RGT_CHECK(rg_graph_create(&g, NULL, NULL) == RG_OK);
    rg_val in = rg_input(g, "x", RG_F, RG_SHAPE(3)), a = rg_tanh(in);
    rg_scope_push(g, "here", 4);
    rg_val y = rg_emit(&moody, NULL, &a, 1);
    rg_scope_pop(g);
    RGT_CHECK(rg_plan_create(&plan, &y, 1, NULL) == RG_OK);
    RGT_CHECK(rg_plan_bind(plan, in, x, sizeof x) == RG_OK && rg_plan_run(plan) == RG_OK);
    for (int again = 0; again < 2; again++) /* the number of the run is as before */
        refuse_run(plan, RG_EUSER, "here step 4: moody: its kernel returned 7");
    RGT_CHECK(rg_plan_data(plan, y) == NULL);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
}

RGT_TEST(plan, without_memory_it_says_so_and_leaves_nothing)
{
    net n;
    net_begin(&n, NULL);
    long failures = 0;
    for (long at = 1;; at++) {
        rgt_alloc state = { .fail_at = at, .fail_on = at % 2 };
        rg_plan *plan;
        const rg_plan_opts opts = { .threads = 1, .alloc = rgt_hooks(&state) };
        const rg_val roots[2] = { n.loss, n.dx };
        const rg_status st = rg_plan_create(&plan, roots, 2, &opts);
        rg_plan_destroy(&plan);
        RGT_CHECK_MSG(state.live == 0 && !state.corrupt, "call %ld: %ld blocks", at, state.live);
        if (st == RG_OK)
            break;
        RGT_CHECK_MSG(st == RG_ENOMEM, "call %ld: %d %s", at, (int)st, rg_graph_message(n.graph));
        failures++;
    }
#if defined(RG_DEBUG_ARENA)
    RGT_CHECK(failures > 100); /* every block of the pool is asked for alone */
#else
    RGT_CHECK(failures >= 10);
#endif
    net_end(&n);
}

RGT_TEST(plan, buffers_that_overlap_are_caught)
{
    net n;
    rg_err err = { .status = RG_OK };
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .verify = true });
    rg_code *c = (rg_code *)plan->exec;
    RGT_CHECK(rg_code_verify(c, &err) == RG_OK);
    size_t moved = 0;
    for (size_t i = 1; i < c->n_buffer; i++)
        for (size_t k = i + 1; k < c->n_buffer && !moved; k++) {
            rg_buffer *a = &c->buffer[i], *b = &c->buffer[k];
            if (a->bytes && b->bytes && !a->same_as && !b->same_as && !a->constant &&
                !b->constant && a->birth <= b->death && b->birth <= a->death) {
                b->offset = a->offset;
                moved = k;
            }
        }
    RGT_CHECK(moved && rg_code_verify(c, &err) == RG_EINTERNAL);
    rg_plan_destroy(&plan);
    net_end(&n);
}

/* Two results of one tile program at one place: lives do not tell, contents do. */
RGT_TEST(plan, results_that_overwrite_each_other_are_caught)
{
    net n;
    rg_err err = { .status = RG_OK };
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .verify = true, .disable = "remat" });
    rg_code *c = (rg_code *)plan->exec;
    bool caught = false;
    for (uint32_t u = 1; u < c->n_unit && !caught; u++) {
        uint32_t one = 0;
        for (uint32_t m = c->first[u]; m < c->first[u + 1] && !caught; m++) {
            const uint32_t id = c->member[m];
            if (!c->escapes[id] || c->readable[id])
                continue;
            const rg_view was = c->view[one];
            c->view[one] = one ? c->view[id] : was;
            caught = rg_code_verify(c, &err) == RG_EINTERNAL;
            c->view[one] = was;
            one = id;
        }
    }
    RGT_CHECK(caught);
    RGT_CHECK(strstr(err.text, "overwritten") != NULL);
    rg_plan_destroy(&plan);
    net_end(&n);
}

/* A view of a transpose, made before somebody asked for the transpose dense: it must wait, too. */
RGT_TEST(plan, a_view_waits_for_what_it_shows)
{
    rg_graph *g;
    rg_plan *plan;
    rg_err err = { .status = RG_OK };
    RGT_CHECK(!rg_graph_create(&g, NULL, NULL));
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(5, 3, 2));
    rg_val w = rg_input(g, "w", RG_F, RG_SHAPE(5, 1));
    rg_val t = rg_transpose(x, (const int[]){ 1, 2, 0 }, 3);
    const rg_val roots[2] = { rg_matmul(rg_reshape(t, RG_SHAPE(6, 5)), w),
                              rg_logsumexp_over(t, 2, false) };
    const rg_plan_opts opts = { .real = RG_F64, .threads = 2, .disable = "solo", .verify = true };
    RGT_CHECK_MSG(!rg_plan_create(&plan, roots, 2, &opts), "%s", rg_graph_message(g));
    rg_code *c = (rg_code *)plan->exec;
    RGT_CHECK(c->n_step >= 3 && rg_code_verify_regions(c, &err) == RG_OK);
    for (size_t i = 0; i < c->n_step; i++) /* and that is seen */
        c->step[i].interval = 0;
    RGT_CHECK(rg_code_verify_regions(c, &err) == RG_EINTERNAL && rgt_has(err.text, "schedule"));
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
}

/* z·V is added in place to column 2 of y·U; the last rows of the sum, shown, lie side by side. */
RGT_TEST(plan, what_is_shown_lies_dense)
{
    enum { ROWS = 8, COLUMNS = 5 };
    float ones[ROWS * COLUMNS];
    const rg_plan_opts opts = { .threads = 1, .verify = true, .poison = true };
    rg_graph *g;
    rg_plan *plan;
    rg_err err = { .status = RG_OK };
    RGT_CHECK(!rg_graph_create(&g, NULL, NULL));
    rg_val y = rg_input(g, "y", RG_F, RG_SHAPE(ROWS, 1));
    rg_val U = rg_input(g, "U", RG_F, RG_SHAPE(1, COLUMNS));
    rg_val z = rg_input(g, "z", RG_F, RG_SHAPE(ROWS, COLUMNS));
    rg_val V = rg_input(g, "V", RG_F, RG_SHAPE(COLUMNS, 1));
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        ones[i] = 1;
    rg_val sum = rg_add(rg_slice(rg_matmul(y, U), 1, 2, 3), rg_matmul(z, V));
    const rg_val shown = rg_slice(sum, 0, 1, ROWS);
    RGT_CHECK_MSG(!rg_plan_create(&plan, &shown, 1, &opts), "%s", rg_graph_message(g));
    RGT_CHECK(!rg_plan_bind(plan, y, ones, ROWS * sizeof *ones));
    RGT_CHECK(!rg_plan_bind(plan, U, ones, COLUMNS * sizeof *ones));
    RGT_CHECK(!rg_plan_bind(plan, z, ones, sizeof ones));
    RGT_CHECK(!rg_plan_bind(plan, V, ones, COLUMNS * sizeof *ones) && !rg_plan_run(plan));
    for (size_t i = 0; i + 1 < ROWS; i++)
        RGT_CHECK(((const float *)rg_plan_data(plan, shown))[i] == 1 + COLUMNS);
    rg_code *c = (rg_code *)plan->exec;
    static const int64_t apart[2] = { COLUMNS, 1 };
    c->view[plan->prog.of_graph[shown.id]].stride = apart; /* and that is seen */
    RGT_CHECK(rg_code_verify(c, &err) == RG_EINTERNAL && rgt_has(err.text, "dense"));
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
}

RGT_TEST(plan, a_broken_program_is_caught)
{
    net n;
    rg_err err = { .status = RG_OK };
    net_begin(&n, NULL);
    rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .effort = RG_INTERPRET });
    rg_prog *p = &plan->prog;
    RGT_CHECK(rg_prog_verify(p, &err) == RG_OK);
    uint32_t id = 1;
    while (p->node[id].n_in == 0)
        id++;
    const rg_shape *right = p->node[id].shape;
    const rg_shape wrong = RG_SHAPE(99);
    p->node[id].shape = &wrong;
    RGT_CHECK(rg_prog_verify(p, &err) == RG_EINTERNAL);
    p->node[id].shape = right;
    const uint32_t *in = p->node[id].in, later[2] = { id, id };
    p->node[id].in = later;
    RGT_CHECK(rg_prog_verify(p, &err) == RG_EINTERNAL);
    p->node[id].in = in;
    rg_plan_destroy(&plan);
    net_end(&n);
}

struct seen {
    size_t steps, gradients, products;
    double flop, bytes;
    bool   good;
};

static void see_step(void *user, const rg_timed_step *step)
{
    struct seen *seen = user;
    seen->good = seen->good && step->seconds >= 0 && step->index == seen->steps &&
                 step->bytes > 0 && *step->kernel && *step->shapes;
    seen->steps++;
    seen->gradients += step->gradient;
    seen->products += strstr(step->shapes, " x ") != NULL;
    seen->flop += step->flop;
    seen->bytes += step->bytes;
}

static bool about(double a, double b)
{
    return a > 0 && fabs(a - b) <= 1e-9 * b;
}

/* Whatever runs it: every step once, in order, and the sums that the plan reports. */
RGT_TEST(plan, traces_tell_every_step_and_may_be_switched_off)
{
    net n;
    net_begin(&n, NULL);
    for (int effort = RG_OPTIMIZE; effort <= RG_INTERPRET; effort++) {
        struct seen seen = { .good = true };
        rg_trace trace = { .user = &seen, .step = see_step };
        rg_plan *plan = net_plan(&n, &(rg_plan_opts){ .trace = &trace, .threads = 2,
                                                      .effort = (rg_effort)effort });
        const rg_plan_report r = rg_plan_facts(plan);
        RGT_CHECK(rg_plan_run(plan) == RG_OK && seen.good && seen.steps == r.steps);
        RGT_CHECK(seen.gradients > 0 && seen.gradients < seen.steps && seen.products >= T);
        RGT_CHECK(about(seen.flop, r.flop) && about(seen.bytes, r.moved_bytes));
        trace.step = NULL;
        RGT_CHECK(rg_plan_run(plan) == RG_OK && seen.steps == r.steps);
        rg_plan_destroy(&plan);
    }
    net_end(&n);
}
