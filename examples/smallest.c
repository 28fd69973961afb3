/* examples/smallest.c -- y = Σ sin(x²) and dy/dx at three points. */
#include <retrograd/retrograd.h>

int main(void)
{
    const float at[3] = { 0.0f, 1.0f, 2.0f };
    rg_graph *g = NULL;
    rg_plan *plan = NULL;

    rg_graph_create(&g, NULL, NULL);
    rg_val x = rg_input(g, "x", RG_F, RG_SHAPE(3));
    rg_val y = rg_sum(rg_sin(rg_square(x)));
    rg_val dx;
    rg_grad(&dx, y, &x, 1);                                  /* a node like any other: cos(x²)·2x */

    if (rg_plan_create(&plan, (rg_val[]){ y, dx }, 2, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(g)), 1;
    rg_plan_bind(plan, x, at, sizeof at);
    if (rg_plan_run(plan))
        return fprintf(stderr, "%s\n", rg_plan_message(plan)), 1;

    const float *d = rg_plan_data(plan, dx);
    printf("y = %g   dy/dx = %g %g %g\n", rg_plan_scalar(plan, y), d[0], d[1], d[2]);
    rg_plan_destroy(&plan);
    rg_graph_destroy(&g);
    return 0;
}
