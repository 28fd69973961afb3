/* tests/plan/show.c -- a plan as text and as a picture: every step is there, formulas are those of
 * the cell, what repeats over time is said once, whatever the length. */
#include "tests/rgt.h"
#include "tests/plan/own_cell.h"

#include <retrograd/retrograd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct net {
    rg_params *params;
    rg_graph  *graph;
    rg_plan   *plan;
    rgt_text   text, dot;
} net;

static void show(net *n, int64_t T, const rg_plan_opts *opts)
{
    memset(n, 0, sizeof *n);
    RGT_CHECK(rg_params_create(&n->params, 3, NULL) == RG_OK);
    RGT_CHECK(rg_graph_create(&n->graph, n->params, NULL) == RG_OK);
    rg_graph *g = n->graph;
    rg_val X = rg_input(g, "x", RG_F, RG_SHAPE(T, 8, 4));
    struct own_weights w = { rg_gate_declare(g, "cell", "f", 4, 16, 0),
                         rg_gate_declare(g, "cell", "c", 4, 16, 0) };
    rg_cell cell = { "odd", 1, (int64_t[]){ 16 }, own_step, &w };
    rg_val loss = rg_mean(rg_square(rg_dense(rg_unroll(NULL, &cell, X, NULL, NULL), "out", 5)));
    RGT_CHECK_MSG(rg_plan_create_train(&n->plan, loss, NULL, 0, opts) == RG_OK, "%s",
                  rg_graph_message(g));
    rg_plan_print(n->plan, rgt_write, &n->text);
    rg_plan_dot(n->plan, rgt_write, &n->dot);
}

static void end(net *n)
{
    rgt_text_free(&n->text);
    rgt_text_free(&n->dot);
    rg_plan_destroy(&n->plan);
    rg_graph_destroy(&n->graph);
    rg_params_destroy(&n->params);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static bool line_has(const char *line, const char *word)
{
    const char *at = strstr(line, word);
    return at && at < line + strcspn(line, "\n");
}

/* Steps that the text tells: a line each, times how often its block comes, and its round. */
static size_t steps_told(const char *text)
{
    size_t sum = 0, times = 1, rounds = 1;
    const char *line = strstr(text, "   at kernel");
    for (; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned interval;
        char kernel[64];
        if (line_has(line, " rounds;")) {
            rounds = strtoul(line, NULL, 10);
            continue;
        }
        /* two margins: of a round, unless a time is told without one; of a block */
        const bool in_round = rounds > 1 && *line == '|';
        const char *rest = line + in_round;
        rounds = in_round ? rounds : 1;
        if (line_has(line, " times"))
            times = strtoul(rest, NULL, 10);
        else if (sscanf(rest + (*rest == '|'), " %u %63[a-z_] ", &interval, kernel) == 2)
            sum += (*rest == '|' ? times : 1) * rounds;
    }
    return sum;
}

RGT_TEST(show_plan, the_text_tells_every_step_whatever_repeats)
{
    static const char *const disable[] = { NULL, "batch", "fuse", "regions", "slots inplace" };
    for (int64_t T = 1; T <= 25; T += 4)
        for (size_t k = 0; k < sizeof disable / sizeof *disable; k++) {
            net n;
            show(&n, T, &(rg_plan_opts){ .disable = disable[k], .threads = 2 });
            const size_t told = steps_told(n.text.data), steps = rg_plan_facts(n.plan).steps;
            RGT_CHECK_MSG(told == steps, "T %d, without %s: %zu of %zu steps", (int)T,
                          disable[k] ? disable[k] : "nothing", told, steps);
            end(&n);
        }
}

RGT_TEST(show_plan, a_longer_sequence_makes_no_longer_text)
{
    size_t lines[2], times[2];
    for (int i = 0; i < 2; i++) {
        net n;
        show(&n, i ? 60 : 30, NULL);
        lines[i] = count(n.text.data, "\n");
        times[i] = count(n.text.data, i ? "59 times, t = 1 .. 59:" : "29 times, t = 1 .. 29:");
        end(&n);
    }
    RGT_CHECK_MSG(lines[0] == lines[1] && lines[0] < 100, "%zu, %zu lines", lines[0], lines[1]);
    RGT_CHECK_MSG(times[0] == 1 && times[1] == 1, "%zu, %zu", times[0], times[1]);
}

/* Merged products are cut where time is: rounds of blocks. */
RGT_TEST(show_plan, rounds_of_blocks_that_repeat_are_told_once)
{
    size_t lines[2];
    for (int i = 0; i < 2; i++) {
        net n;
        rg_params_create(&n.params, 1, NULL);
        rg_graph_create(&n.graph, n.params, NULL);
        n.text = n.dot = (rgt_text){ 0 };
        rg_val X = rg_input(n.graph, "x", RG_F, RG_SHAPE(i ? 96 : 64, 64, 8));
        rg_cell cell = rg_lstm(n.graph, "lstm", 8, 128, NULL);
        rg_val loss = rg_mean(rg_square(rg_unroll(NULL, &cell, X, NULL, NULL)));
        RGT_CHECK(rg_plan_create_train(&n.plan, loss, NULL, 0,
                                       &(rg_plan_opts){ .portable = true }) == RG_OK);
        rg_plan_print(n.plan, rgt_write, &n.text);
        lines[i] = count(n.text.data, "\n");
        RGT_CHECK(count(n.text.data, " rounds; the first:\n") >= 2);
        RGT_CHECK(steps_told(n.text.data) == rg_plan_facts(n.plan).steps);
        end(&n);
    }
    /* of what the rounds leave, one formula adds it all up */
    RGT_CHECK_MSG(lines[1] <= lines[0] + 2, "%zu, %zu lines", lines[0], lines[1]);
}

RGT_TEST(show_plan, formulas_and_products_are_those_of_the_cell)
{
    net n;
    show(&n, 30, NULL);
    const char *text = n.text.data;
    RGT_CHECK(rgt_has(text, "sigmoid(") && rgt_has(text, "tanh(") && rgt_has(text, " = 1 - v1\n"));
    RGT_CHECK(rgt_has(text, "cell.bf[16] + ") && rgt_has(text, "x[240,4]"));
    RGT_CHECK(rgt_has(text, "[8,32] += ") && rgt_has(text, "[16,32]")); /* both gates at once */
    RGT_CHECK(rgt_has(text, "(odd t)") && rgt_has(text, "(grad odd t)"));
    RGT_CHECK(rgt_has(text, "0.000833333*") || rgt_has(text, "0.00166667*"));
    end(&n);
}

/* Where a reader finds what he asked for, and what the kernels that it has are. */
RGT_TEST(show_plan, a_run_leaves_every_root_where_the_text_says)
{
    net n;
    show(&n, 30, &(rg_plan_opts){ .threads = 1, .portable = true });
    const char *text = n.text.data, *left = strstr(text, "\nWhat a run leaves");
    RGT_CHECK(left && rgt_has(left, "[]  root 0, the objective\n"));
    static const char *const of[] = { "Uf", "Wf", "bf", "Uc", "Wc", "bc" };
    for (size_t k = 0; left && k < 6; k++) {
        char line[64];
        (void)snprintf(line, sizeof line, "  gradient of cell.%s\n", of[k]);
        RGT_CHECK_MSG(count(left, line) == 1, "%s", line);
    }
    RGT_CHECK(count(left, "gradient of ") == 8);
    /* the loss: the last formula writes there */
    char place[32];
    const char *at = left ? strstr(left, "@") : "";
    (void)snprintf(place, sizeof place, "%.*s = ", (int)strcspn(at, "["), at);
    RGT_CHECK_MSG(strstr(text, place) < left, "%s", place);
    RGT_CHECK(rgt_has(text, "\nproduct     matrix product") && !rgt_has(text, "\nblas "));
    RGT_CHECK(rgt_has(text, ", columns 0 .. 15 = cell.") && !rgt_has(text, "region"));
    end(&n);
    show(&n, 30, &(rg_plan_opts){ .threads = 2, .accumulate = true, .portable = true,
                                    .disable = "solo" });
    RGT_CHECK(rgt_has(n.text.data, "added to the gradient of cell.Uf\n"));
    RGT_CHECK(rgt_has(n.text.data, "\nregion: "));
    RGT_CHECK(rgt_has(n.text.data, "run by rows, each thread"));
    end(&n);
}

RGT_TEST(show_plan, the_picture_has_every_step_and_flows_forward)
{
    net n;
    show(&n, 3, NULL);
    const size_t steps = rg_plan_facts(n.plan).steps;
    size_t nodes = 0, joined = 0;
    for (const char *at = n.dot.data; (at = strstr(at, "\n")); at++) {
        unsigned from, to;
        if (sscanf(at + 1, "  s%u -> s%u", &from, &to) == 2) {
            RGT_CHECK_MSG(from < to && to < steps, "s%u -> s%u", from, to);
            joined++;
        }
        nodes += sscanf(at + 1, " s%u [fill", &from) == 1 && from == nodes;
    }
    RGT_CHECK_MSG(nodes == steps && joined >= steps - 1, "%zu nodes, %zu edges", nodes, joined);
    RGT_CHECK(rgt_has(n.dot.data, "interval 3") && rgt_has(n.dot.data, "cell.Uf [4,16]"));
    end(&n);
}

RGT_TEST(show_plan, interpreted_plans_are_shown_node_by_node)
{
    net n;
    show(&n, 3, &(rg_plan_opts){ .effort = RG_INTERPRET });
    RGT_CHECK(rgt_has(n.text.data, "= tanh %") && rgt_has(n.text.data, "odd step 2"));
    RGT_CHECK(count(n.dot.data, "label=\"tanh\\n[8,16]\"") == 3);
    end(&n);
}

RGT_TEST(show_plan, graphviz_takes_the_picture)
{
    net n;
    const bool there = system("dot -V >/dev/null 2>&1") == 0;
    int status[2] = { 1, 0 };
    show(&n, 3, NULL);
    for (size_t part = 1; there && part <= 2; part++) { /* the whole, and half of it */
        FILE *dot = popen("dot -Tsvg >/dev/null 2>&1", "w");
        (void)fwrite(n.dot.data, 1, n.dot.n / part, dot);
        status[part - 1] = pclose(dot);
    }
    end(&n);
    if (!there)
        RGT_SKIP("no dot (Debian package graphviz)");
    RGT_CHECK(status[0] == 0 && status[1] != 0);
}
