/* plan/words.c -- steps in words: places, shapes, formulas of tile programs. */
#include "plan/words.h"

#include "base/checked.h"
#include "plan/lower_product.h"
#include "plan/made.h"
#include "plan/passes/fusible.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* ---- Text that grows ------------------------------------------------------------------------ */

void rg_words_add(rg_words *out, const char *format, ...)
{
    char piece[512];
    va_list ap;
    va_start(ap, format);
    const int n = vsnprintf(piece, sizeof piece, format, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof piece || out->failed)
        return;
    if (!rg_reserve(out->alloc, &out->text, &out->cap, out->n + (size_t)n + 1, 1)) {
        out->failed = true;
        return;
    }
    memcpy(out->text + out->n, piece, (size_t)n + 1);
    out->n += (size_t)n;
}

void rg_words_free(rg_words *out)
{
    rg_release(out->alloc, out->text, out->cap);
    *out = (rg_words){ .alloc = out->alloc };
}

uint64_t rg_words_place(const char *mark)
{
    uint64_t place = 0;
    for (int i = 1; i <= RG_MARK_DIGITS; i++)
        place = 16 * place + (uint64_t)(mark[i] <= '9' ? mark[i] - '0' : mark[i] - 'a' + 10);
    return place;
}

const char *rg_amount(char text[RG_NUMBER_TEXT], double x)
{
    static const char letter[] = " kMGTP";
    char number[RG_NUMBER_TEXT];
    int k = 0;
    for (; x >= 999.5 && k < 5; k++)
        x /= 1000;
    (void)snprintf(text, RG_NUMBER_TEXT, "%.20s%.*s", rg_number(number, x, 3), k > 0, letter + k);
    return text;
}

/* ---- Names of places ------------------------------------------------------------------------ */

static void say_ref(rg_words *out, const rg_speaker *sp, const rg_ref *r)
{
    const rg_prog *p = &sp->plan->prog;
    const rg_node *leaf = r->base < p->n_node ? &p->node[r->base] : NULL;
    char number[RG_NUMBER_TEXT];
    double c;
    if (leaf && rg_node_is_number(leaf, &c))
        rg_words_add(out, "%s", rg_number(number, c, 6));
    else if (leaf && rg_leaf_name(leaf))
        rg_words_add(out, "%.200s%c%016" PRIx64, rg_leaf_name(leaf), RG_MARK_SHIFT,
                     (uint64_t)r->offset);
    else
        rg_words_add(out, "%c%016" PRIx64, RG_MARK_PLACE,
                     (uint64_t)(sp->code->buffer[r->base].offset + r->offset));
}

static rg_ref ref_of(const rg_speaker *sp, uint32_t id)
{
    const rg_view *v = &sp->code->view[id];
    const rg_prog *p = &sp->plan->prog;
    return (rg_ref){ v->base, (size_t)v->offset * rg_kind_size((rg_kind)p->node[id].kind,
                                                               p->real) };
}

void rg_say_value(rg_words *out, const rg_speaker *sp, uint32_t id, const rg_shape *usual)
{
    const rg_node *node = &sp->plan->prog.node[id];
    char text[RG_SHAPE_TEXT], number[RG_NUMBER_TEXT];
    double c;
    if (rg_node_is_number(node, &c)) {
        rg_words_add(out, "%s", rg_number(number, c, 6));
        return;
    }
    const rg_ref ref = ref_of(sp, id);
    say_ref(out, sp, &ref);
    if (!usual || !rg_shape_equal(*usual, *node->shape))
        rg_words_add(out, "%s", rg_shape_text(text, node->shape));
}

/* ---- Formulas ------------------------------------------------------------------------------- */

void rg_speaker_create(rg_speaker *sp, const rg_plan *plan)
{
    const rg_prog *p = &plan->prog;
    const size_t n = p->n_node;
    *sp = (rg_speaker){ .plan = plan, .code = (const rg_code *)plan->exec, .alloc = plan->alloc };
    sp->first = rg_get(&sp->alloc, (p->n_cluster + 1) * sizeof *sp->first);
    sp->next = rg_get(&sp->alloc, n * sizeof *sp->next);
    sp->uses = rg_get(&sp->alloc, n * sizeof *sp->uses);
    sp->nth = rg_get(&sp->alloc, n * sizeof *sp->nth);
    for (uint32_t id = p->n_node; sp->first && sp->next && p->cluster && id-- > 1;)
        if (p->cluster[id]) {
            sp->next[id] = sp->first[p->cluster[id]];
            sp->first[p->cluster[id]] = id;
        }
    for (uint32_t id = 1; sp->uses && sp->nth && sp->first && sp->next && id < p->n_node; id++) {
        uint32_t k = 0;
        const uint32_t c = p->cluster ? p->cluster[id] : 0;
        for (uint32_t i = 0; c && i < p->node[id].n_in; i++)
            sp->uses[p->node[id].in[i]] += p->cluster[p->node[id].in[i]] == c;
        for (uint32_t m = c && sp->first[c] == id ? id : 0; m; m = sp->next[m])
            sp->nth[m] = k++;
        sp->most = k > sp->most ? k : sp->most;
    }
    sp->most += 1; /* a node without a cluster is alone */
    sp->formula = rg_get(&sp->alloc, sp->most * sizeof *sp->formula);
    sp->infix = rg_get(&sp->alloc, sp->most);
    sp->named = rg_get(&sp->alloc, sp->most);
}

void rg_speaker_destroy(rg_speaker *sp)
{
    const rg_prog *p = &sp->plan->prog;
    rg_release(&sp->alloc, sp->first, (p->n_cluster + 1) * sizeof *sp->first);
    rg_release(&sp->alloc, sp->next, p->n_node * sizeof *sp->next);
    rg_release(&sp->alloc, sp->uses, p->n_node * sizeof *sp->uses);
    rg_release(&sp->alloc, sp->nth, p->n_node * sizeof *sp->nth);
    rg_release(&sp->alloc, sp->formula, sp->most * sizeof *sp->formula);
    rg_release(&sp->alloc, sp->infix, sp->most);
    rg_release(&sp->alloc, sp->named, sp->most);
}

static bool same_cluster(const rg_speaker *sp, uint32_t a, uint32_t b)
{
    const uint32_t *cluster = sp->plan->prog.cluster;
    return a == b || (cluster && cluster[a] && cluster[a] == cluster[b]);
}

/* Operand k of a member: its name, its formula, or a place. */
static void say_operand(rg_words *out, const rg_speaker *sp, uint32_t id, uint32_t k, bool apart)
{
    const rg_node *node = &sp->plan->prog.node[id];
    const uint32_t in = node->in[k], i = sp->nth[in];
    if (!same_cluster(sp, id, in)) {
        rg_say_value(out, sp, in, node->shape);
    } else if (sp->named[i]) {
        rg_words_add(out, "v%u", (unsigned)i);
    } else {
        const bool parens = apart && sp->infix[i];
        rg_words_add(out, "%s%s%s", parens ? "(" : "", sp->formula[i], parens ? ")" : "");
    }
}

static const char *sign_between(const rg_op *op)
{
    return op == &rg_op_add ? " + " : op == &rg_op_sub ? " - "
         : op == &rg_op_mul ? "*" : op == &rg_op_div ? "/" : NULL;
}

/* The member by its operands; true: signs stand between them. */
static bool say_formula(rg_words *out, const rg_speaker *sp, uint32_t id)
{
    const rg_node *node = &sp->plan->prog.node[id];
    const char *sign = sign_between(node->op);
    char number[RG_NUMBER_TEXT];
    if (sign && node->n_in == 2) {
        say_operand(out, sp, id, 0, true);
        rg_words_add(out, "%s", sign);
        say_operand(out, sp, id, 1, true);
        return true;
    }
    const bool minus = node->op == &rg_op_neg, rest = node->op == &rg_op_one_minus;
    if (minus || rest || node->op == &rg_op_scale) {
        if (minus || rest)
            rg_words_add(out, minus ? "-" : "1 - ");
        else
            rg_words_add(out, "%s*", rg_number(number, ((const rg_attr_real *)node->attr)->c, 6));
        say_operand(out, sp, id, 0, true);
        return true;
    }
    if (node->op == &rg_op_shift) {
        say_operand(out, sp, id, 0, false);
        rg_words_add(out, " + %s", rg_number(number, ((const rg_attr_real *)node->attr)->c, 6));
        return true;
    }
    rg_words_add(out, "%s(", node->op->name);
    for (uint32_t k = 0; k < node->n_in; k++) {
        rg_words_add(out, k ? ", " : "");
        say_operand(out, sp, id, k, false);
    }
    rg_words_add(out, ")");
    return false;
}

/* Is the member a result of the step? Then *at is where. */
static bool is_result(const rg_speaker *sp, const rg_task *s, uint32_t id, rg_ref *at)
{
    *at = ref_of(sp, id);
    for (uint32_t k = 0; k < s->n_out; k++) {
        const rg_ref *r = &s->arg[s->n_in + k];
        if (r->base == at->base && r->offset == at->offset)
            return true;
    }
    return false;
}

/* A line for what is stored, or used more than once, or long; the rest goes into those. */
static void say_member(rg_words *out, rg_words *one, const rg_speaker *sp, const rg_task *s,
                       uint32_t id)
{
    rg_ref at;
    const uint32_t i = sp->nth[id];
    const bool result = is_result(sp, s, id, &at);
    one->n = 0;
    sp->infix[i] = say_formula(one, sp, id);
    const bool fits = !one->failed && one->n < sizeof *sp->formula;
    const bool apart = result || sp->uses[id] != 1 || !fits || one->n > 90;
    sp->named[i] = apart;
    if (!apart) {
        memcpy(sp->formula[i], one->text, one->n + 1);
        return;
    }
    rg_words_add(out, "\n");
    if (result)
        say_ref(out, sp, &at);
    if (sp->uses[id] || !result)
        rg_words_add(out, "%sv%u", result ? " = " : "", (unsigned)i);
    rg_words_add(out, " = ");
    for (size_t k = 0; k < one->n; k += 400) /* pieces that an addition takes */
        rg_words_add(out, "%.400s", one->text + k);
}

static void say_tile(rg_words *out, const rg_speaker *sp, const rg_task *s)
{
    const uint32_t *cluster = sp->plan->prog.cluster, c = cluster ? cluster[s->node] : 0;
    char shape[RG_SHAPE_TEXT];
    rg_words one = { .alloc = out->alloc };
    bool rows = false;
    for (uint32_t m = c && sp->first && sp->next ? sp->first[c] : 0; m; m = sp->next[m])
        rows = rows || rg_node_is_along_rows(&sp->plan->prog, &sp->plan->prog.node[m]);
    rg_words_add(out, "%s, %s: %u operand%s, %u result%s",
                 rg_shape_text(shape, sp->plan->prog.node[s->node].shape),
                 rows ? "row by row" : "element by element", (unsigned)s->n_in,
                 s->n_in == 1 ? "" : "s", (unsigned)s->n_out, s->n_out == 1 ? "" : "s");
    if (!sp->formula || !sp->infix || !sp->named || !sp->uses || !sp->nth)
        return;
    for (uint32_t m = c ? sp->first[c] : s->node; m; m = c ? sp->next[m] : 0)
        say_member(out, &one, sp, s, m);
    out->failed = out->failed || one.failed;
    rg_words_free(&one);
}

/* ---- All kinds of steps --------------------------------------------------------------------- */

static void say_product(rg_words *out, const rg_speaker *sp, const rg_task *s)
{
    const rg_node *node = &sp->plan->prog.node[s->node];
    const rg_attr_matmul *t = node->attr;
    char text[RG_SHAPE_TEXT];
    const bool adds = rg_is_onto(node);
    rg_words_add(out, "%s %s ", rg_shape_text(text, node->shape),
                 adds && s->n_in == 2 ? "+=" : "=");
    for (uint32_t k = 0; k < 2; k++) {
        const bool across = k ? t->transpose_b : t->transpose_a;
        rg_words_add(out, k ? " · " : "");
        say_ref(out, sp, &s->arg[k]);
        rg_words_add(out, "%s%s", rg_shape_text(text, sp->plan->prog.node[node->in[k]].shape),
                     across ? "'" : "");
    }
    for (uint32_t k = 2; k < s->n_in; k++) {
        rg_words_add(out, " + ");
        say_ref(out, sp, &s->arg[k]);
    }
}

/* A part of a right operand: "@640[4,48], columns 16 .. 31 = cell.Ui". */
static void say_pack(rg_words *out, const rg_speaker *sp, const rg_task *s, int64_t from)
{
    const rg_prog *p = &sp->plan->prog;
    const rg_shape *whole = p->node[p->node[s->node].in[1]].shape;
    char text[RG_SHAPE_TEXT];
    rg_words_add(out, "%s", rg_shape_text(text, whole));
    for (int axis = 0; axis < 2; axis++)
        if (s->shape->dim[axis] != whole->dim[axis])
            rg_words_add(out, ", %s %lld .. %lld", axis ? "columns" : "rows", (long long)from,
                         (long long)(from + s->shape->dim[axis] - 1));
    rg_words_add(out, " = ");
    say_ref(out, sp, &s->arg[0]);
}

static void say_others(rg_words *out, const rg_speaker *sp, const rg_task *s)
{
    const rg_node *node = &sp->plan->prog.node[s->node];
    const int64_t packed_from = rg_packed_from(s);
    char text[RG_SHAPE_TEXT];
    if (packed_from >= 0) {
        say_pack(out, sp, s, packed_from);
        return;
    }
    rg_words_add(out, "%s = ", rg_shape_text(text, s->shape ? s->shape : node->shape));
    for (uint32_t k = 0; k < s->n_in; k++) {
        rg_words_add(out, k ? ", " : "");
        say_ref(out, sp, &s->arg[k]);
        if (!s->shape && k < node->n_in)
            rg_words_add(out, "%s",
                         rg_shape_text(text, sp->plan->prog.node[node->in[k]].shape));
    }
}

void rg_say_step(rg_words *out, const rg_speaker *sp, const rg_task *s)
{
    const rg_node *node = &sp->plan->prog.node[s->node];
    const uint32_t *cluster = sp->plan->prog.cluster;
    if ((rg_node_is_fusible(node) || (cluster && cluster[s->node])) && !s->shape) {
        say_tile(out, sp, s);
        return;
    }
    for (uint32_t k = 0; k < s->n_out; k++) {
        rg_words_add(out, k ? ", " : "");
        say_ref(out, sp, &s->arg[s->n_in + k]);
    }
    if (rg_is_matmul(node) && !s->shape && s->n_in >= 2)
        say_product(out, sp, s);
    else
        say_others(out, sp, s);
}

int64_t rg_time_of(const rg_speaker *sp, const rg_task *s)
{
    return rg_scope_step(sp->plan->graph, sp->plan->prog.node[s->node].scope);
}

void rg_say_scope(rg_words *out, const rg_speaker *sp, const rg_task *s, bool time)
{
    const rg_node *node = &sp->plan->prog.node[s->node];
    const int64_t t = rg_time_of(sp, s);
    char scope[RG_SCOPE_TEXT], *to = scope;
    rg_scope_text(scope, sp->plan->graph, node->scope);
    for (const char *from = scope; *from;) {
        if (strncmp(from, " step ", 6) == 0)
            from += 6 + strspn(from + 6, "0123456789");
        else
            *to++ = *from++;
    }
    *to = '\0';
    rg_words_add(out, "%s%s%s", node->origin ? "grad" : "", node->origin && *scope ? " " : "",
                 scope);
    if (t != RG_NO_STEP && time)
        rg_words_add(out, " t=%lld", (long long)t);
}
