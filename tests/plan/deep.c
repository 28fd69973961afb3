/* tests/plan/deep.c -- a chain of a million operations builds, differentiates, plans in both
 * efforts and runs on a stack of 256 KiB: no walk over a graph is a recursion.
 *
 *     deep [NODES] */
#include <retrograd/retrograd.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long nodes = 1000000;

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* x -> f(x) a million times, of operations that folding leaves alone. */
static rg_val chain(rg_val x)
{
    for (long i = 0; i < nodes; i++)
        switch (i % 4) {
        case 0: x = rg_scale(x, 0.5); break;
        case 1: x = rg_shift(x, 0.25); break;
        case 2: x = i % 400 == 2 ? rg_tanh(x) : rg_scale(x, 1.5); break;
        default: x = rg_shift(x, -0.125);
        }
    return x;
}

/* The same by a loop: y and dy/dx. */
static double by_hand(double x, double *slope)
{
    *slope = 1;
    for (long i = 0; i < nodes; i++)
        switch (i % 4) {
        case 0: x *= 0.5; *slope *= 0.5; break;
        case 1: x += 0.25; break;
        case 2:
            if (i % 400 == 2) {
                x = tanh(x);
                *slope *= 1 - x * x;
            } else {
                x *= 1.5;
                *slope *= 1.5;
            }
            break;
        default: x -= 0.125;
        }
    return x;
}

static int run_plan(const rg_val *root, rg_val x, rg_effort effort)
{
    rg_plan *plan;
    double slope, at[3] = { 0.5, -1, 2 }, worst = 0;
    const double start = seconds();
    if (rg_plan_create(&plan, root, 2, &(rg_plan_opts){ .real = RG_F64, .effort = effort }))
        return (void)printf("plan: %s\n", rg_graph_message(root->graph)), 1;
    const double planned = seconds();
    if (rg_plan_bind(plan, x, at, sizeof at) || rg_plan_run(plan))
        return (void)printf("run: %s\n", rg_plan_message(plan)), 1;
    const double *y = rg_plan_data(plan, root[0]), *dx = rg_plan_data(plan, root[1]);
    for (int i = 0; i < 3; i++) {
        worst = fmax(worst, fabs(y[i] - by_hand(at[i], &slope)));
        worst = fmax(worst, fabs(dx[i] - slope));
    }
    (void)printf("effort %d: plan %.2f s, run %.3f s, %zu steps, off by %g\n", (int)effort,
                 planned - start, seconds() - planned, rg_plan_facts(plan).steps, worst);
    rg_plan_destroy(&plan);
    return !(worst <= 1e-12);
}

static void *work(void *failed)
{
    rg_graph *g;
    int *out = failed;
    const double start = seconds();
    if (rg_graph_create(&g, NULL, NULL))
        return NULL;
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3)), root[2];
    root[0] = chain(x);
    rg_grad(&root[1], rg_sum(root[0]), &x, 1);
    (void)printf("%ld nodes: build and gradient %.2f s\n", nodes, seconds() - start);
    *out = run_plan(root, x, RG_INTERPRET) | run_plan(root, x, RG_OPTIMIZE);
    rg_graph_destroy(&g);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_attr_t attr;
    int failed = 1;
    if (argc > 1)
        nodes = atol(argv[1]);
    if (pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, 256 * 1024) ||
        pthread_create(&thread, &attr, work, &failed) || pthread_join(thread, NULL))
        return 1;
    return failed;
}
