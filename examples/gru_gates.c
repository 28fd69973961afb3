/* examples/gru_gates.c -- what a GRU's gates do, by forcing them: a bias of +50 makes a gate 1, one
 * of -50 makes it 0.
 *
 *     u = 1: h' = h, to the bit          u = 0: h' = the candidate, which lies in (-1, 1)
 *     r = 0: the candidate does not see the past     r = 1: it sees all of it */
#include <math.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { I = 3, H = 4 };

static rg_params *ps;
static rg_plan *plan;
static rg_val out;
static float x[1][I] = { { 0.5f, -1, 2 } }, h[1][H] = { { 0.1f, -0.2f, 0.7f, -0.9f } };

static void force(const char *name, float value)
{
    float *b = rg_params_find(ps, name).data;
    for (int j = 0; j < H; j++)
        b[j] = value;
    rg_params_written(ps);
}

/* The state after one step with the gates forced. */
static void step(float next[H], float r, float u)
{
    force("gru.br", r);
    force("gru.bu", u);
    if (rg_plan_run(plan) == RG_OK)
        memcpy(next, rg_plan_data(plan, out), H * sizeof *next);
}

static void show(const char *what, const float v[H])
{
    printf("%-44s", what);
    for (int j = 0; j < H; j++)
        printf(" %8.5f", (double)v[j]);
    printf("\n");
}

int main(void)
{
    float kept[H], seen[H], blind[H], half[H], other[H];
    rg_graph *g;
    rg_params_create(&ps, 3, NULL);
    rg_graph_create(&g, ps, NULL);
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(1, I)), S = rg_input(g, "h", RG_F, RG_SHAPE(1, H));
    rg_cell gru = rg_gru(g, "gru", I, H, NULL);
    rg_step(&out, &gru, X, &S, 0);
    if (rg_plan_create(&plan, &out, 1, &(rg_plan_opts){ .threads = 1 }))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_plan_bind(plan, X, x, sizeof x);
    rg_plan_bind(plan, S, h, sizeof h);
    step(kept, 50, 50);
    const bool same = memcmp(kept, h, sizeof kept) == 0;
    step(seen, 50, -50);
    step(blind, -50, -50);
    step(half, 50, 0);
    show("state before", h[0]);
    show("u = 1: kept", kept);
    show("u = 0, r = 1: replaced, the past seen", seen);
    show("u = 0, r = 0: replaced, the past ignored", blind);
    show("u near 1/2: both count", half);
    h[0][0] = 0.9f;
    step(other, -50, -50);
    printf("u = 1 keeps the state to the bit: %s\n", same ? "yes" : "no");
    printf("r = 0: another past, the same candidate: %s\n",
           memcmp(blind, other, sizeof blind) == 0 ? "yes" : "no");
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    rg_params_destroy(&ps);
    return 0;
}
