/* examples/host.c -- the library inside a server: weights loaded once, one plan per worker thread,
 * every failure handed to the host as text, nothing leaked. Built outside this repository by
 *
 *     cc host.c $(pkg-config --cflags --libs retrograd) -pthread -o host
 *
 *     host MODEL          serve it
 *     host MODEL new      write an untrained one first */
#include <pthread.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { T = 48, I = 8, H = 64, WORKERS = 4 };

struct worker {
    rg_plan  *plan;
    rg_val    x, y;
    pthread_t thread;
    rg_status status;
    char      message[512];
    float     window[T][1][I], forecast;
};

struct service {
    rg_params    *params;
    rg_graph     *graph;
    struct worker worker[WORKERS];
};

static void service_stop(struct service *s)
{
    for (int k = 0; k < WORKERS; k++)
        rg_plan_destroy(&s->worker[k].plan);
    rg_graph_destroy(&s->graph);
    rg_params_destroy(&s->params);
}

/* Everything that writes graph or store happens here, in one thread. */
static bool service_start(struct service *s, const char *path, bool fresh, char why[512])
{
    const char *message = "out of memory";
    memset(s, 0, sizeof *s);
    if (rg_params_create(&s->params, 0, NULL) || rg_graph_create(&s->graph, s->params, NULL))
        goto fail;

    rg_val x = rg_input(s->graph, "window", RG_F, RG_SHAPE(T, 1, I)), last[2];
    rg_cell lstm = rg_lstm(s->graph, "lstm", I, H, NULL);
    rg_unroll(last, &lstm, x, NULL, NULL);
    rg_val y = rg_dense(last[0], "out", 1);

    message = rg_graph_message(s->graph);    /* where building errors go */
    for (int k = 0; k < WORKERS; k++) {
        s->worker[k].x = x;
        s->worker[k].y = y;
        if (rg_plan_create(&s->worker[k].plan, &y, 1, &(rg_plan_opts){ .threads = 1 }))
            goto fail;
    }
    message = rg_params_message(s->params);  /* where file errors go */
    if (fresh && rg_params_save(&s->params, 1, path, NULL))
        goto fail;
    if (rg_params_load(&s->params, 1, path, NULL) == RG_OK)
        return true;
fail:
    snprintf(why, 512, "%s", message);
    service_stop(s);
    return false;
}

/* Runs at the same time as the others: own plan, own buffers, the store only read. */
static void *work(void *arg)
{
    struct worker *w = arg;
    rg_plan_bind(w->plan, w->x, w->window, sizeof w->window);
    if ((w->status = rg_plan_run(w->plan)))  /* also says what bind had to say */
        snprintf(w->message, sizeof w->message, "%s", rg_plan_message(w->plan));
    else
        w->forecast = (float)rg_plan_scalar(w->plan, w->y);
    return NULL;
}

int main(int argc, char **argv)
{
    struct service s;
    char why[512];
    int running = 0;
    if (argc < 2)
        return fprintf(stderr, "usage: host MODEL [new]\n"), 2;
    if (!service_start(&s, argv[1], argc > 2, why))
        return fprintf(stderr, "cannot start: %s\n", why), 1;
    while (running < WORKERS &&
           !pthread_create(&s.worker[running].thread, NULL, work, &s.worker[running]))
        running++;
    for (int k = 0; k < running; k++) {
        pthread_join(s.worker[k].thread, NULL);
        if (s.worker[k].status)
            printf("worker %d: %s\n", k, s.worker[k].message);
        else
            printf("worker %d: %.4f\n", k, (double)s.worker[k].forecast);
    }
    service_stop(&s);
    return running < WORKERS;
}
