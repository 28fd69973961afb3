/* tests/layers/golden.c -- the cells against PyTorch: what tools/golden/make.py wrote.
 *
 * A case names its sizes and options; weights, inputs, initial states and cotangents are drawn here
 * as they were drawn there. Per tensor the file holds its norm and four products. */
#include "tests/layers/lab.h"

#include "base/philox.h"
#include "tests/layers/golden_dir.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_L = 3, MAX_GATES = 4, NUMBERS = 5, MAX_PARAMS = MAX_L * MAX_GATES * 4 };

struct kind {
    const char  *name, *gate[MAX_GATES];
    size_t       n_gate, n_state;
    rg_cell_fn  *make;
    rg_cell_opts opts;
};

static const struct kind kinds[] = {
    { "rnn_tanh", { "" }, 1, 1, rg_rnn, { .nonlinearity = RG_TANH } },
    { "rnn_relu", { "" }, 1, 1, rg_rnn, { .nonlinearity = RG_RELU } },
    { "lstm", { "i", "f", "c", "o" }, 4, 2, rg_lstm, { .bias = RG_BIAS_SINGLE } },
    { "gru_after", { "r", "u", "g" }, 3, 1, rg_gru, { .reset_after = true } },
    { "gru_before", { "r", "u", "g" }, 3, 1, rg_gru, { .reset_after = false } },
};

/* One case, built and run. */
struct trial {
    lab                l;
    const struct kind *kind;
    int64_t            T, B, I, H, L;
    char               bias[8], cotangent[8];
    int                reverse, ragged;
    rg_val             Y, state[2];             /* state k of all layers, [L,B,H] */
    rg_val             X, start[2];
    char               param[MAX_PARAMS][16];   /* l0.Ui, in the order of the file */
    rg_val             grad[MAX_PARAMS + 3];    /* of the parameters, then X, start */
    size_t             n_param;
};

/* How to run the cases. */
struct way {
    rg_dtype  real;
    rg_effort effort;
};

static const struct way exact = { RG_F64, RG_INTERPRET };

/* What came of comparing. */
struct verdict {
    size_t cases, numbers;
    double worst[2];           /* difference, relative to the tensor's norm: forward, gradient */
    char   where[2][96];
};

/* ---- Building a case ------------------------------------------------------------------------ */

static bool read_case(struct trial *c, const char *line, const struct way *way)
{
    char kind[16];
    long long T, B, I, H, L;
    unsigned long long seed;
    memset(c, 0, sizeof *c);
    int n = sscanf(line, "case kind=%15s seed=%llu T=%lld B=%lld I=%lld H=%lld L=%lld bias=%7s "
                   "cotangent=%7s reverse=%d ragged=%d", kind, &seed, &T, &B, &I, &H, &L, c->bias,
                   c->cotangent, &c->reverse, &c->ragged);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, kind) == 0)
            c->kind = &kinds[k];
    c->l.seed = seed;
    c->T = T, c->B = B, c->I = I, c->H = H, c->L = L;
    if (n != 11 || !c->kind || L > MAX_L)
        return false;
    lab_open(&c->l, way->real);
    c->l.effort = way->effort;
    return true;
}

static rg_bias bias_of(const struct trial *c)
{
    static const char *const name[] = { "single", "none", "split", "double" };
    int k = 0;
    while (strcmp(name[k], c->bias) != 0)
        k++;
    return (rg_bias)k;
}

static rg_cell make_cell(struct trial *c)
{
    rg_cell cell[MAX_L];
    rg_cell_opts opts = c->kind->opts;
    opts.bias = bias_of(c);
    opts.init = RG_INIT_TORCH; /* U(-1/√H, 1/√H), drawn by name */
    for (int64_t l = 0; l < c->L; l++) {
        char group[8];
        (void)snprintf(group, sizeof group, "l%d", (int)l);
        cell[l] = c->kind->make(c->l.g, group, l ? c->H : c->I, c->H, &opts);
    }
    return c->L == 1 ? cell[0] : rg_stacked(c->l.g, cell, (size_t)c->L, 0);
}

static rg_val lengths(struct trial *c)
{
    int32_t n[8];
    for (int64_t b = 0; b < c->B; b++) {
        double u = (lab_draw(c->l.seed, "lengths", (size_t)b) + 1) / 2;
        n[b] = (int32_t)floor(u * (double)(c->T + 1));
    }
    return lab_bits(&c->l, "lengths", RG_INT, RG_SHAPE(c->B), n);
}

static void unroll(struct trial *c)
{
    rg_val s0[2 * MAX_L], last[2 * MAX_L], of_layer[MAX_L];
    size_t S = c->kind->n_state;
    rg_shape shape = RG_SHAPE(c->L, c->B, c->H);
    rg_cell cell = make_cell(c);
    c->X = lab_drawn(&c->l, "x", RG_SHAPE(c->T, c->B, c->I));
    for (size_t k = 0; k < S; k++) {
        c->start[k] = lab_drawn(&c->l, k ? "c0" : "h0", shape);
        for (int64_t l = 0; l < c->L; l++)
            s0[(size_t)l * S + k] = rg_select(c->start[k], 0, l);
    }
    rg_unroll_opts opts = { .reverse = c->reverse != 0 };
    if (c->ragged)
        opts.mask = rg_length_mask(lengths(c), c->T);
    c->Y = rg_unroll(last, &cell, c->X, s0, &opts);
    for (size_t k = 0; k < S; k++) {
        for (int64_t l = 0; l < c->L; l++)
            of_layer[l] = last[(size_t)l * S + k];
        c->state[k] = rg_stack(of_layer, (size_t)c->L, 0);
    }
}

/* ⟨g, v⟩ for a drawn g */
static rg_val against(struct trial *c, const char *name, rg_val v)
{
    return rg_sum(rg_mul(v, lab_drawn(&c->l, name, rg_shape_of(v))));
}

static rg_val loss_of(struct trial *c)
{
    bool all = strcmp(c->cotangent, "all") == 0;
    rg_val loss = rg_const(c->l.g, 0);
    if (all || strcmp(c->cotangent, "h") == 0)
        loss = rg_add(loss, against(c, "gY", c->Y));
    if (all || strcmp(c->cotangent, "last") == 0)
        loss = rg_add(loss, against(c, "ghT", c->state[0]));
    if (c->kind->n_state > 1 && (all || strcmp(c->cotangent, "c") == 0))
        loss = rg_add(loss, against(c, "gcT", c->state[1]));
    return loss;
}

static void list_params(struct trial *c)
{
    static const char *const letter[] = { "U", "W", "b", "bh" };
    for (int64_t l = 0; l < c->L; l++)
        for (size_t k = 0; k < 4; k++)
            for (size_t gate = 0; gate < c->kind->n_gate; gate++) {
                char *name = c->param[c->n_param];
                (void)snprintf(name, sizeof c->param[0], "l%d.%s%s", (int)l, letter[k],
                               c->kind->gate[gate]);
                if (rg_params_find(c->l.ps, name).name)
                    c->n_param++;
            }
}

static void run_case(struct trial *c)
{
    rg_val x[MAX_PARAMS + 3], root[MAX_PARAMS + 6];
    size_t n = 0, S = c->kind->n_state;
    unroll(c);
    rg_val loss = loss_of(c);
    list_params(c);
    for (; n < c->n_param; n++)
        x[n] = rg_param(c->l.g, NULL, c->param[n], rg_params_find(c->l.ps, c->param[n]).shape,
                        rg_init_zeros());
    x[n++] = c->X;
    for (size_t k = 0; k < S; k++)
        x[n++] = c->start[k];
    rg_grad(c->grad, loss, x, n);
    memcpy(root, c->grad, n * sizeof *root);
    root[n++] = c->Y;
    for (size_t k = 0; k < S; k++)
        root[n++] = c->state[k];
    lab_run(&c->l, root, n);
}

/* ---- Comparing ------------------------------------------------------------------------------ */

/* The tensor that the file calls @p name, gates side by side; NULL if there is none. */
static double *tensor(struct trial *c, const char *name, size_t *n)
{
    double *out = NULL;
    char prefix[16];
    *n = 0;
    if (strcmp(name, "Y") == 0)
        return lab_read(&c->l, c->Y, n);
    if (strcmp(name, "hT") == 0 || strcmp(name, "cT") == 0)
        return lab_read(&c->l, c->state[name[0] == 'c'], n);
    if (strcmp(name, "dx") == 0)
        return lab_read(&c->l, c->grad[c->n_param], n);
    if (strcmp(name, "dh0") == 0 || strcmp(name, "dc0") == 0)
        return lab_read(&c->l, c->grad[c->n_param + 1 + (name[1] == 'c')], n);
    (void)snprintf(prefix, sizeof prefix, "l%s", name + 1); /* d0.U -> l0.U */
    for (size_t k = 0; k < c->n_param; k++) {
        size_t length = strlen(prefix), m;
        if (strncmp(c->param[k], prefix, length) != 0 || c->param[k][length] == 'h')
            continue;
        double *part = lab_read(&c->l, c->grad[k], &m);
        out = realloc(out, (*n + m) * sizeof *out);
        RGT_CHECK(out);
        memcpy(out + *n, part, m * sizeof *out);
        *n += m;
        free(part);
    }
    return out;
}

/* Norm, and the products with drawn vectors. */
static void digest(double out[NUMBERS], const struct trial *c, const char *name, const double *v,
                   size_t n)
{
    memset(out, 0, NUMBERS * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[0] += v[i] * v[i];
    out[0] = sqrt(out[0]);
    for (int k = 1; k < NUMBERS; k++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "v%d.%s", k - 1, name);
        for (size_t i = 0; i < n; i++)
            out[k] += v[i] * lab_draw(c->l.seed, stream, i);
    }
}

static void note(struct verdict *v, const struct trial *c, const char *name, double error)
{
    int k = name[0] == 'd';
    v->numbers++;
    if (error <= v->worst[k])
        return;
    v->worst[k] = error;
    (void)snprintf(v->where[k], sizeof v->where[k], "%s seed %llu T %d B %d H %d L %d: %s",
                   c->kind->name, (unsigned long long)c->l.seed, (int)c->T, (int)c->B, (int)c->H, (int)c->L, name);
}

/* A line "name number ..." against what was computed; false: no such tensor, or not that long. */
static bool compare(struct trial *c, const char *line, struct verdict *v)
{
    char name[16];
    int used;
    size_t n;
    if (sscanf(line, "%15s%n", name, &used) != 1)
        return false;
    bool full = name[strlen(name) - 1] == '=';
    if (full)
        name[strlen(name) - 1] = '\0';
    double *got = tensor(c, name, &n), own[NUMBERS], norm = 0, worst = 0;
    if (!got)
        return false;
    digest(own, c, name, got, n);
    const double *have = full ? got : own;
    size_t count = full ? n : NUMBERS, k = 0;
    char *end;
    for (line += used; k < count; k++, line = end) {
        double want = strtod(line, &end), off = fabs(have[k] - want);
        if (end == line)
            break;
        norm = full ? own[0] : k ? norm : want;
        worst = fmax(worst, isnan(off) ? INFINITY : norm > 0 ? off / norm : off > 0 ? INFINITY : 0);
    }
    free(got);
    note(v, c, name, worst);
    return k == count && *line == '\n';
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* FNV-1a-64 of everything before the last line, which must state it. */
static bool sum_holds(const char *text, const char *last)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    char want[32];
    for (const char *p = text; p < last; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    (void)snprintf(want, sizeof want, "sum %016llx\n", (unsigned long long)h);
    return strcmp(last, want) == 0;
}

/* Every case of a file's text; false if the text is not what the generator wrote. */
static bool judge(const char *text, const struct way *way, struct verdict *v, size_t most)
{
    const char *last = strstr(text, "\nsum ");
    struct trial c;
    bool ok = last && text[0] == '#' && sum_holds(text, last + 1), open = false;
    for (const char *line = next_line(text); ok && line < last; line = next_line(line)) {
        if (strncmp(line, "case ", 5) != 0) {
            ok = open && compare(&c, line, v);
            continue;
        }
        if (open)
            lab_close(&c.l);
        if (!(open = v->cases < most))
            return true;
        ok = open = read_case(&c, line, way);
        v->cases++;
        if (ok)
            run_case(&c);
    }
    if (open)
        lab_close(&c.l);
    return ok;
}

static char *load(const char *kind)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.txt", GOLDEN_DIR, kind);
    FILE *f = fopen(path, "rb");
    RGT_CHECK_MSG(f, "%s is missing", path);
    char *text = calloc(1, 1 << 20);
    RGT_CHECK(text);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    RGT_CHECK(fclose(f) == 0 && n > 0);
    return text;
}

static void all_kinds(struct way way, double forward, double gradient)
{
    struct verdict v = { 0 };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char *text = load(kinds[k].name);
        RGT_CHECK_MSG(judge(text, &way, &v, SIZE_MAX), "%s.txt is not as it was written",
                      kinds[k].name);
        free(text);
    }
    rgt_note("%zu cases, %zu tensors; worst value %.1e (%s), gradient %.1e (%s)\n", v.cases,
             v.numbers, v.worst[0], v.where[0], v.worst[1], v.where[1]);
    RGT_CHECK(v.cases >= 300);
    RGT_CHECK_MSG(v.worst[0] <= forward, "%g: %s", v.worst[0], v.where[0]);
    RGT_CHECK_MSG(v.worst[1] <= gradient, "%g: %s", v.worst[1], v.where[1]);
}

RGT_TEST(golden, cells_and_their_gradients_equal_pytorch_in_double_precision)
{
    all_kinds(exact, 1e-12, 1e-10);
}

RGT_TEST(golden, cells_and_their_gradients_equal_pytorch_in_single_precision)
{
    all_kinds((struct way){ RG_F32, RG_INTERPRET }, 1e-5, 1e-5);
}

RGT_TEST(golden, optimized_plans_equal_pytorch_too)
{
    all_kinds((struct way){ RG_F32, RG_OPTIMIZE }, 1e-5, 1e-5);
}

/* ---- Canaries: the checks above can fail ----------------------------------------------------- */

/* Write the sum anew, as somebody who forges a file would. */
static void forge(char *text)
{
    char *last = strstr(text, "\nsum ") + 1;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *p = text; p < last; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    (void)snprintf(last, 32, "sum %016llx\n", (unsigned long long)h);
}

RGT_TEST(golden, a_damaged_file_is_refused)
{
    struct verdict v = { 0 };
    char *text = load("lstm");
    char *digit = strstr(text, "\nhT ") + 8;
    *digit = *digit == '7' ? '3' : '7';
    RGT_CHECK(!judge(text, &exact, &v, 1));
    free(text);
}

RGT_TEST(golden, a_wrong_number_is_noticed_in_every_kind_of_line)
{
    static const char *const line[] = { "\nY ", "\nhT ", "\nhT= ", "\ncT ", "\nd0.U ", "\nd0.W ",
                                        "\nd0.b ", "\nd0.bh ", "\ndx ", "\ndh0 ", "\ndc0 " };
    for (size_t k = 0; k < sizeof line / sizeof *line; k++) {
        struct verdict v = { 0 };
        char *text = load("lstm");
        char *digit = strstr(strstr(text, line[k]), ".") + 11; /* the eleventh digit */
        *digit = *digit == '7' ? '3' : '7';
        forge(text);
        RGT_CHECK(judge(text, &exact, &v, 1));
        RGT_CHECK_MSG(v.worst[0] > 1e-12 || v.worst[1] > 1e-10, "'%s' was not compared",
                      line[k] + 1);
        free(text);
    }
}

RGT_TEST(golden, a_line_too_short_or_of_an_unknown_tensor_is_refused)
{
    struct verdict v = { 0 };
    char *text = load("lstm");
    strstr(text, "\nhT ")[2] = 'X';
    forge(text);
    RGT_CHECK(!judge(text, &exact, &v, 1));
    free(text);
    v = (struct verdict){ 0 };
    text = load("lstm");
    for (char *c = strstr(text, "\nhT ") - 1; *c != ' '; c--)
        *c = ' '; /* the last number of Y */
    forge(text);
    RGT_CHECK(!judge(text, &exact, &v, 1));
    free(text);
}
