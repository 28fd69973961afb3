/* examples/from_checkpoint.c -- load a checkpoint that `retrograd train` wrote, and let the model
 * write on, character by character: the file alone says what the model is.
 *
 *     from_checkpoint FILE [CHARACTERS [PRIME]] */
#include <stdlib.h>
#include <string.h>
#include <retrograd/retrograd.h>

enum { MAX_L = 16, MAX_V = 65536 };

static char symbol[MAX_V][8];  /* how each is written: UTF-8, or one byte */
static int64_t V;

struct writer { rg_graph *g; rg_val id, s0[2 * MAX_L], last[2 * MAX_L], drawn; size_t n_state; };

/* One item of a JSON list, a byte's number or a string of one character; returns what follows. */
static const char *read_symbol(char out[8], const char *p)
{
    char *end;
    p += strspn(p, "[, \n");
    if (*p != '"') {
        out[0] = (char)strtol(p, &end, 10);
        return end > p ? end : p + strlen(p);
    }
    if (*++p == '\\' && p[1] == 'u') { /* a control character */
        char hex[5] = { p[2], p[3], p[4], p[5], 0 };
        out[0] = (char)strtol(hex, NULL, 16);
        return p + 7;
    }
    if (*p == '\\') {
        static const char code[] = "nrtbf", is[] = "\n\r\t\b\f";
        const char *c = strchr(code, p[1]);
        out[0] = c ? is[c - code] : p[1];
        return p + 3;
    }
    for (int n = 0; n < 4 && *p && *p != '"'; n++)
        out[n] = *p++;
    return p + 1;
}

static void take_meta(void *user, const char *key, const char *value)
{
    (void)user;
    if (strcmp(key, "vocabulary") == 0)
        for (V = 0; V < MAX_V && *value && *value != ']'; V++)
            value = read_symbol(symbol[V], value);
}

static rg_cell cell_of(rg_graph *g, const rg_layer_desc *d, int64_t I, int64_t H)
{
    rg_cell_opts opts = { .reset_after = strcmp(d->kind, "gru-after") == 0,
                          .nonlinearity = strcmp(d->kind, "rnn-relu") == 0 ? RG_RELU : RG_TANH };
    rg_cell_fn *make = strncmp(d->kind, "gru", 3) == 0 ? rg_gru
                     : strncmp(d->kind, "rnn", 3) == 0 ? rg_rnn : rg_lstm;
    if (d->bias && strcmp(d->bias, "double") == 0)
        opts.bias = RG_BIAS_DOUBLE;
    return make(g, d->group, I, H, &opts);
}

static rg_shape shape_in(const rg_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_arrays; i++)
        if (strcmp(f->arrays[i].name, name) == 0)
            return f->arrays[i].shape;
    return RG_SCALAR;
}

/* One step for one row: embedding or one-hot, the cells that the file describes, dense, a draw. */
static struct writer build(rg_params *ps, const rg_file *f)
{
    struct writer w = { 0 };
    rg_cell cell[MAX_L];
    size_t n = 0;
    rg_shape out = shape_in(f, "out.weight");     /* [V,H] */
    rg_shape table = shape_in(f, "embed.weight"); /* [V,E] */
    rg_graph_create(&w.g, ps, NULL);
    w.id = rg_input(w.g, "id", RG_INT, RG_SHAPE(1, 1));
    rg_val x = table.rank ? rg_embedding(w.id, "embed", out.dim[0], table.dim[1])
                          : rg_one_hot(w.id, out.dim[0]);
    for (size_t i = 0; i < f->n_layers && n < MAX_L; i++)
        if (strncmp(f->layers[i].group, "rnn.l", 5) == 0) {
            cell[n] = cell_of(w.g, &f->layers[i], n ? out.dim[1] : rg_dim(x, -1), out.dim[1]);
            n++;
        }
    rg_cell all = rg_stacked(w.g, cell, n, 0);
    w.n_state = all.n_state;
    for (size_t k = 0; k < w.n_state; k++)
        w.s0[k] = rg_input(w.g, NULL, RG_F, RG_SHAPE(1, out.dim[1]));
    rg_val y = rg_unroll(w.last, &all, x, w.s0, NULL);
    w.drawn = rg_sample(rg_dense(y, "out", out.dim[0]), 0.7, "drawn");
    return w;
}

/* The symbol that @p text begins with, or 0 if it has none such; *text moves on. */
static int32_t next_id(const char **text)
{
    for (int64_t v = 0; v < V; v++) {
        size_t n = strlen(symbol[v]);
        if (n && strncmp(*text, symbol[v], n) == 0)
            return *text += n, (int32_t)v;
    }
    return ++*text, 0;
}

int main(int argc, char **argv)
{
    rg_file file;
    rg_params *ps = NULL;
    rg_plan *plan = NULL;
    int32_t id[1] = { 0 };
    int count = argc > 2 ? atoi(argv[2]) : 300;
    const char *prime = argc > 3 && *argv[3] ? argv[3] : "The ";
    if (argc < 2)
        return fprintf(stderr, "usage: from_checkpoint FILE [CHARACTERS [PRIME]]\n"), 2;
    if (rg_file_info(&file, argv[1]))
        return fprintf(stderr, "%s\n", file.message), 1;
    bool wide = file.n_arrays && strcmp(file.arrays[0].dtype, "F64") == 0;
    rg_params_create(&ps, 1, &(rg_params_opts){ .real = wide ? RG_F64 : RG_F32 });
    struct writer w = build(ps, &file);
    rg_file_destroy(&file);
    if (rg_params_load(&ps, 1, argv[1], &(rg_load_opts){ .meta = take_meta }))
        return fprintf(stderr, "%s\n", rg_params_message(ps)), 1;
    for (int v = 0; V == 0 && v < 256; v++) /* no vocabulary in the file: bytes */
        symbol[v][0] = (char)v;
    V = V ? V : 256;

    rg_val roots[1 + 2 * MAX_L] = { w.drawn };
    memcpy(roots + 1, w.last, w.n_state * sizeof *roots);
    if (rg_plan_create(&plan, roots, 1 + w.n_state, NULL))
        return fprintf(stderr, "%s\n", rg_graph_message(w.g)), 1;
    rg_plan_bind(plan, w.id, id, sizeof id);
    rg_plan_carry(plan, w.last, w.s0, w.n_state);
    fputs(prime, stdout);
    for (int k = 0; k < count;) {           /* first the prime is read, then what was drawn */
        id[0] = *prime ? next_id(&prime) : *(const int32_t *)rg_plan_data(plan, w.drawn);
        if (rg_plan_run(plan))
            return fprintf(stderr, "%s\n", rg_plan_message(plan)), 1;
        if (!*prime)
            fputs(symbol[*(const int32_t *)rg_plan_data(plan, w.drawn)], stdout), k++;
    }
    putchar('\n');
    rg_plan_destroy(&plan);
    rg_graph_destroy(&w.g);
    rg_params_destroy(&ps);
    return 0;
}
