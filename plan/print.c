/* plan/print.c -- a plan as text: what a run does, in order; what repeats over time, once. */
#include "plan/words.h"

#include "base/index.h"
#include "base/philox.h"
#include "ops/ops.h"

#include <stdio.h>
#include <string.h>

/* ---- Effort interpret: every node is a step ------------------------------------------------- */

void rg_print_nodes(const rg_plan *plan, rg_write_fn *write, void *user)
{
    const rg_out out = { write, user };
    char shape[RG_SHAPE_TEXT], scope[RG_SCOPE_TEXT];
    for (uint32_t id = 1; id < plan->prog.n_node; id++) {
        const rg_node *node = &plan->prog.node[id];
        const char *name = rg_leaf_name(node);
        rg_out_printf(&out, " %%%u%s = %s", (unsigned)id, rg_shape_text(shape, node->shape),
                      name ? name : node->op->name);
        for (uint32_t k = 0; k < node->n_in; k++)
            rg_out_printf(&out, " %%%u", (unsigned)node->in[k]);
        rg_scope_text(scope, plan->graph, node->scope);
        rg_out_printf(&out, "%s%s\n", *scope ? "  " : "", scope);
    }
}

/* ---- What repeats --------------------------------------------------------------------------- */

enum { LONGEST = 48,   /* steps, or blocks of them, that repeat together */
       FEWEST = 3 };   /* times, to be worth saying */

/* Steps that come so often, one time behind the other; a region may begin there. */
typedef struct block {
    size_t           first, period, times;
    const rg_region *region;
} block;

/* Equal for steps that differ by places and time only. */
static uint64_t pattern_of(rg_words *w, const rg_speaker *sp, const rg_task *s)
{
    char amount[RG_NUMBER_TEXT];
    w->n = 0;
    rg_words_add(w, "%s %s %lld ", s->name, rg_amount(amount, s->flop), (long long)s->parts);
    rg_say_scope(w, sp, s, false);
    rg_words_add(w, " ");
    rg_say_step(w, sp, s);
    for (char *c = w->text; !w->failed && *c; c++)
        if (*c == RG_MARK_PLACE || *c == RG_MARK_SHIFT) {
            memset(c + 1, '0', RG_MARK_DIGITS);
            c += RG_MARK_DIGITS;
        }
    return w->failed ? 0 : rg_fnv1a(w->text);
}

/* How many steps from i on repeat those @p period before them. */
static size_t repeats(const uint64_t *pattern, size_t n, size_t i, size_t period)
{
    size_t k = i;
    while (k + period < n && pattern[k] == pattern[k + period])
        k++;
    return k - i;
}

/* How many from i on repeat together so that most lines are saved, and how often; 1, once, if none
 * do. */
static size_t period_at(const uint64_t *pattern, size_t n, size_t i, size_t *times)
{
    size_t best = 1, saved = 0;
    *times = 1;
    for (size_t period = 1; period <= LONGEST && i + period < n; period++) {
        const size_t more = repeats(pattern, n, i, period) / period;
        if (more + 1 >= FEWEST && more * period > saved) {
            saved = more * period;
            best = period;
            *times = more + 1;
        }
    }
    return best;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

/* How a place of a line moves from one time to the next. */
typedef struct motion {
    uint64_t place;
    int64_t  by;
    bool     odd;  /* irregularly */
} motion;

typedef struct printer {
    rg_out     out;
    rg_speaker sp;
    rg_words   line, other;
    motion    *motion;      /* by place of the line */
    size_t     motion_cap;
    uint64_t  *pattern;     /* by step */
    block     *block;
    uint64_t  *whole;       /* by block: its pattern */
    size_t     n_block;
    const char *margin;     /* "|" in a round that stands for several */
} printer;

static const char *next_mark(const char *c)
{
    return strpbrk(c, "\1\2");
}

/* Of all places of p->line, from its later times. */
static bool find_motions(printer *p, const rg_task *s, size_t period, size_t times)
{
    for (size_t time = 0; time < times; time++) {
        size_t k = 0;
        rg_words *w = time ? &p->other : &p->line;
        w->n = 0;
        rg_say_step(w, &p->sp, s + time * period);
        if (w->failed)
            return false;
        for (const char *c = next_mark(w->text); c; c = next_mark(c + 1), k++) {
            if (!rg_reserve(&p->sp.alloc, &p->motion, &p->motion_cap, k + 1, sizeof *p->motion))
                return false;
            motion *m = &p->motion[k];
            const uint64_t place = rg_words_place(c);
            if (time == 0)
                *m = (motion){ .place = place };
            else if (time == 1)
                m->by = (int64_t)(place - m->place);
            m->odd = m->odd || (int64_t)(place - m->place) != (int64_t)time * m->by;
        }
    }
    return true;
}

/* "@640", "x+64", "@640:+512" where it moves, "@640:.." where it does so irregularly. */
static void print_place(const printer *p, char mark, const motion *m)
{
    if (mark == RG_MARK_PLACE)
        rg_out_printf(&p->out, "@%llu", (unsigned long long)m->place);
    else if (m->place)
        rg_out_printf(&p->out, "+%llu", (unsigned long long)m->place);
    if (m->odd)
        rg_out_printf(&p->out, ":..");
    else if (m->by)
        rg_out_printf(&p->out, ":%+lld", (long long)m->by);
}

/* Where the code was; in a block that counts time, time by its distance from the block's. */
static void print_scope(printer *p, const rg_task *s, bool counts, int64_t t0)
{
    const int64_t t = rg_time_of(&p->sp, s);
    p->other.n = 0;
    rg_say_scope(&p->other, &p->sp, s, !counts);
    if (p->other.failed || !*p->other.text)
        return;
    rg_out_printf(&p->out, "   (%s", p->other.text);
    if (counts && t != RG_NO_STEP && t != t0)
        rg_out_printf(&p->out, " t%+lld", (long long)(t - t0));
    else if (counts && t != RG_NO_STEP)
        rg_out_printf(&p->out, " t");
    rg_out_printf(&p->out, ")");
}

/* The step's words, the scope behind the first line, further lines indented. */
static void print_words(printer *p, const rg_task *s, size_t period, size_t times, int64_t t0,
                        bool counts)
{
    size_t nth = 0, lines = 0;
    if (!find_motions(p, s, period, times))
        return;
    for (const char *c = p->line.text; *c;) {
        const size_t plain = strcspn(c, "\1\2\n"), n = plain < 800 ? plain : 800;
        rg_out_printf(&p->out, "%.*s", (int)n, c);
        c += n;
        if (*c == '\n') {
            if (lines++ == 0)
                print_scope(p, s, counts, t0);
            rg_out_printf(&p->out, "\n%s%-30s", p->margin, times > 1 ? "|" : "");
            c++;
        } else if (*c == RG_MARK_PLACE || *c == RG_MARK_SHIFT) {
            print_place(p, *c, &p->motion[nth++]);
            c += 1 + RG_MARK_DIGITS;
        }
    }
    if (lines == 0)
        print_scope(p, s, counts, t0);
    rg_out_printf(&p->out, "\n");
}

static void print_block(printer *p, const rg_task *s, size_t period, size_t times)
{
    char flop[RG_NUMBER_TEXT], bytes[RG_NUMBER_TEXT];
    const int64_t t0 = rg_time_of(&p->sp, s);
    const int64_t t1 = rg_time_of(&p->sp, s + (times - 1) * period);
    if (times > 1)
        rg_out_printf(&p->out, "%s%zu times", p->margin, times);
    if (times > 1 && t0 != t1)
        rg_out_printf(&p->out, ", t = %lld .. %lld", (long long)t0, (long long)t1);
    rg_out_printf(&p->out, times > 1 ? ":\n" : "");
    for (size_t i = 0; i < period; i++) {
        const rg_task *step = &s[i];
        rg_out_printf(&p->out, "%s%s%5u %-10s", p->margin, times > 1 ? "|" : " ",
                      (unsigned)step->interval, step->name);
        rg_out_printf(&p->out, " %5s %5s  ", rg_amount(flop, step->flop),
                      rg_amount(bytes, step->bytes));
        print_words(p, step, period, times, t0, t0 != t1);
    }
}

/* Steps between which threads need not meet, as far as rows are concerned. */
static void print_region(const printer *p, const rg_code *c, const rg_region *r)
{
    rg_out_printf(&p->out, "%sregion: intervals %u .. %u, %lld rows in panels of %lld, run by %s\n",
                  p->margin, (unsigned)c->step[r->first].interval,
                  (unsigned)c->step[r->end - 1].interval, (long long)r->rows, (long long)r->panel,
                  r->by_rows ? "rows" : "columns");
}

static uint64_t pattern_of_block(const printer *p, const block *b)
{
    uint64_t h = rg_hash_mix(b->period, b->times);
    for (size_t k = 0; k < b->period; k++)
        h = rg_hash_mix(h, p->pattern[b->first + k]);
    if (b->region)
        h = rg_hash_mix(h, (uint64_t)(2 * b->region->rows + b->region->by_rows));
    return h;
}

/* How often the team meets in a run; a region by rows is followed by one. */
static void print_meetings(const rg_out *out, const rg_plan *plan)
{
    const rg_code *c = (const rg_code *)plan->exec;
    size_t n = 0;
    for (uint32_t t = 0; t < c->n_interval; t++)
        n += c->meets[t] && !(c->region_of[t] && c->region[c->region_of[t] - 1].by_rows);
    for (size_t i = 0; i < c->n_region; i++)
        n += c->region[i].by_rows && c->region[i].end < c->n_step;
    if (plan->threads > 1)
        rg_out_printf(out, "threads meet %zu times in a run\n", n);
}

/* Blocks do not reach over the ends of regions; one thread alone has none. */
static void find_blocks(printer *p, const rg_code *c)
{
    const rg_region *r = c->region, *last = r + (p->sp.plan->threads > 1 ? c->n_region : 0);
    for (size_t i = 0, times; i < c->n_step;) {
        if (r < last && r->end == i)
            r++;
        const size_t end = r == last ? c->n_step : i < r->first ? r->first : r->end;
        const size_t period = period_at(p->pattern, end, i, &times);
        p->block[p->n_block] = (block){ i, period, times, r < last && r->first == i ? r : NULL };
        p->whole[p->n_block] = pattern_of_block(p, &p->block[p->n_block]);
        p->n_block++;
        i += period * times;
    }
}

/* Blocks repeat as steps do; of rounds of them only the first is told. */
static void print_all(printer *p, const rg_code *c)
{
    for (size_t i = 0, period, rounds; i < p->n_block; i += period * rounds) {
        period = period_at(p->whole, p->n_block, i, &rounds);
        p->margin = rounds > 1 ? "|" : "";
        if (rounds > 1)
            rg_out_printf(&p->out, "%zu rounds; the first:\n", rounds);
        for (const block *b = p->block + i; b < p->block + i + period; b++) {
            if (b->region)
                print_region(p, c, b->region);
            print_block(p, &c->step[b->first], b->period, b->times);
        }
    }
}

/* ---- What words mean ------------------------------------------------------------------------ */

static const char guide[] =
    "\n"
    "A line is a step: the interval in which it runs, its kernel, operations, bytes of operands\n"
    "and results, and what it does. Steps of one interval do not depend on each other.\n"
    "x[4,8] is an input or a parameter of shape [4,8], x+N what lies N bytes into it, @N what\n"
    "lies at byte N of the arena, 0[4,8] zeros. A' is A transposed, += adds to what is there, vN\n"
    "is a value that the step names for itself; on the right of = a place holds what it held\n"
    "before the step. In brackets: where (or: in one of the places where) the code was that asked\n"
    "for it, t being its time step; grad: for its gradient. Lines with | repeat: @N:+M is M bytes\n"
    "further each time, @N:.. moves irregularly, t-1 is the time step before the counted one. Of\n"
    "rounds, which do the same in other places and at other times, the first is told.\n";

static const char of_threads[] =
    "Between intervals threads meet, where one needs what another made. In a region rows stay\n"
    "apart: run by rows, each thread takes panels of them through all its intervals and meets\n"
    "nobody; run by columns, the threads share every step.\n";

static const struct {
    const char *kernel, *does;
} glossary[] = {
    { "product",     "matrix product, by a kernel of this library" },
    { "blas",        "matrix product, by OpenBLAS" },
    { "pack",        "a right operand of products, copied into the order in which they read it" },
    { "tile",        "the formulas below it in one loop: by element, or row by row" },
    { "copy",        "elements brought to where a later step wants them, or zeros" },
    { "sum_columns", "sums of columns" },
};
enum { N_GLOSSARY = sizeof glossary / sizeof *glossary };

/* Of the kernels that are not called like operations, those that the plan has. */
static void print_glossary(const rg_out *out, const rg_code *c)
{
    for (size_t k = 0; k < N_GLOSSARY; k++) {
        size_t i = 0;
        while (i < c->n_step && strcmp(c->step[i].name, glossary[k].kernel) != 0)
            i++;
        if (i < c->n_step)
            rg_out_printf(out, "%-11s %s\n", glossary[k].kernel, glossary[k].does);
    }
}

static void print_guide(const rg_out *out, const rg_plan *plan)
{
    print_meetings(out, plan);
    rg_out_printf(out, "%s%s\n", guide, plan->threads > 1 ? of_threads : "");
    print_glossary(out, (const rg_code *)plan->exec);
    rg_out_printf(out, "\n   at kernel      flop bytes  what\n");
}

/* ---- What is left --------------------------------------------------------------------------- */

enum { MOST_TOLD = 12 };  /* roots that are no gradients of parameters */

/* Where root @p id lies; then what it is. */
static void print_root(printer *p, uint32_t id, const char *what, const char *of)
{
    p->line.n = 0;
    rg_say_value(&p->line, &p->sp, id, NULL);
    rg_out_printf(&p->out, "  ");
    for (const char *c = p->line.failed ? "" : p->line.text; *c;) {
        const size_t plain = strcspn(c, "\1\2"), n = plain < 800 ? plain : 800;
        rg_out_printf(&p->out, "%.*s", (int)n, c);
        c += n;
        if (*c == RG_MARK_PLACE || *c == RG_MARK_SHIFT) {
            print_place(p, *c, &(motion){ .place = rg_words_place(c) });
            c += 1 + RG_MARK_DIGITS;
        }
    }
    rg_out_printf(&p->out, "  %s%s\n", what, of);
}

static bool is_gradient(const rg_plan *plan, uint32_t id)
{
    size_t i = 0;
    while (i < plan->n_gradient && plan->gradient[i].id != id)
        i++;
    return i < plan->n_gradient;
}

static void print_roots(printer *p, const rg_plan *plan)
{
    const rg_prog *g = &plan->prog;
    const rg_val aim = plan->opts.objective;
    const uint32_t loss = aim.graph && aim.id < g->n_of_graph ? g->of_graph[aim.id] : 0;
    size_t told = 0, more = 0;
    rg_out_printf(&p->out, "\nWhat a run leaves, in the order of the plan's roots:\n");
    for (size_t i = 0; i < g->n_root; i++) {
        char what[RG_NUMBER_TEXT + 16];
        (void)snprintf(what, sizeof what, "root %zu", i);
        if (is_gradient(plan, g->root[i]))
            continue;
        if (told++ < MOST_TOLD)
            print_root(p, g->root[i], what, g->root[i] == loss ? ", the objective" : "");
        else
            more++;
    }
    if (more)
        rg_out_printf(&p->out, "  and %zu more\n", more);
    const char *what = plan->opts.accumulate ? "added to the gradient of " : "gradient of ";
    for (size_t i = 0; i < plan->n_gradient; i++)
        print_root(p, plan->gradient[i].id, what, plan->gradient[i].slot->name);
}

void rg_print_steps(const rg_plan *plan, rg_write_fn *write, void *user)
{
    const rg_code *c = (const rg_code *)plan->exec;
    printer p = { .out = { write, user } };
    p.line.alloc = p.other.alloc = &plan->alloc;
    rg_speaker_create(&p.sp, plan);
    p.pattern = rg_get(&plan->alloc, c->n_step * sizeof *p.pattern);
    p.block = rg_get(&plan->alloc, c->n_step * sizeof *p.block);
    p.whole = rg_get(&plan->alloc, c->n_step * sizeof *p.whole);
    const bool ok = p.pattern && p.block && p.whole;
    print_guide(&p.out, plan);
    for (size_t i = 0; ok && i < c->n_step; i++)
        p.pattern[i] = pattern_of(&p.line, &p.sp, &c->step[i]);
    if (ok) {
        find_blocks(&p, c);
        print_all(&p, c);
        p.margin = "";
        print_roots(&p, plan);
    }
    if (!ok || p.line.failed || p.other.failed)
        rg_out_printf(&p.out, "no memory for the steps\n");
    rg_release(&plan->alloc, p.pattern, c->n_step * sizeof *p.pattern);
    rg_release(&plan->alloc, p.block, c->n_step * sizeof *p.block);
    rg_release(&plan->alloc, p.whole, c->n_step * sizeof *p.whole);
    rg_release(&plan->alloc, p.motion, p.motion_cap * sizeof *p.motion);
    rg_words_free(&p.line);
    rg_words_free(&p.other);
    rg_speaker_destroy(&p.sp);
}

/* ---- Both ----------------------------------------------------------------------------------- */

void rg_plan_print(const rg_plan *plan, rg_write_fn *write, void *user)
{
    char flop[RG_NUMBER_TEXT], bytes[RG_NUMBER_TEXT];
    const rg_out out = { write, user };
    if (!plan || !write)
        return;
    const rg_plan_report r = rg_plan_facts(plan);
    rg_out_printf(&out, "plan: %s, %s, %d thread%s; %zu nodes as %zu steps; arena %zu bytes; a run "
                  "is %s flop and reads and writes %s bytes\n", rg_dtype_text(r.real),
                  r.mode == RG_TRAIN ? "train" : "evaluate", r.threads, r.threads == 1 ? "" : "s",
                  r.nodes, r.steps, r.arena_bytes, rg_amount(flop, r.flop),
                  rg_amount(bytes, r.moved_bytes));
    plan->exec->how->print(plan, write, user);
}
