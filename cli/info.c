/* cli/info.c -- `retrograd info`: the build, a run, a file, a cell. */
#define _POSIX_C_SOURCE 200809L
#include "cli/config.h"
#include "cli/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *blas_name(int threading)
{
    static const char *const name[] = { "serial", "pthread", "OpenMP" };
    return threading >= 0 && threading < 3 ? name[threading] : "unknown";
}

static int show_build(const settings *s)
{
    rg_build b = rg_build_info();
    if (s->json)
        return put_json(json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "v", 1, "version",
                                  b.version, "compiler", b.compiler, "isa", b.isa, "blas",
                                  blas_name(b.blas_threading), "blas_config", b.blas_config,
                                  "blas_core", b.blas_core, "threads", b.max_threads), 17);
    printf("version    %s\ncompiler   %s\nkernels    %s\nOpenBLAS   %s, core %s\n           %s\n"
           "threads    %d\n", b.version, b.compiler, b.isa, blas_name(b.blas_threading),
           b.blas_core, b.blas_config, b.max_threads);
    return DONE;
}

/* ---- A cell --------------------------------------------------------------------------------- */

enum { I = 11, H = 7, P = 5 }; /* widths that stand for the letters; no one's multiple of another */

/* "I", "4H". */
static const char *symbol_of(char out[16], int64_t extent)
{
    static const struct { int64_t width; char letter; } row[] = { { I, 'I' }, { H, 'H' },
                                                                 { P, 'P' } };
    for (size_t k = 0; k < sizeof row / sizeof *row; k++)
        if (extent == row[k].width)
            return (void)snprintf(out, 16, "%c", row[k].letter), out;
        else if (extent % row[k].width == 0)
            return (void)snprintf(out, 16, "%d%c", (int)(extent / row[k].width), row[k].letter),
                   out;
    (void)snprintf(out, 16, "%d", (int)extent);
    return out;
}

/* "[I,H]" */
static void symbols_of(char out[64], const char *before, rg_shape shape)
{
    char one[16];
    int n = snprintf(out, 64, "[%s", before);
    for (int d = 0; d < shape.rank && n > 0 && n < 64; d++)
        n += snprintf(out + n, 64 - (size_t)n, "%s%s", d || *before ? "," : "",
                      symbol_of(one, shape.dim[d]));
    if (n > 0 && n < 63)
        (void)snprintf(out + n, 64 - (size_t)n, "]");
}

static void print_parameters(rg_params *params)
{
    char shape[64];
    for (size_t i = 0; i < rg_params_count(params); i++) {
        rg_param_info p = rg_params_at(params, i);
        symbols_of(shape, "", p.shape);
        printf("  %-10s %s\n", p.name, shape);
    }
}

static json_t *parameters_object(rg_params *params)
{
    json_t *o = json_object();
    char text[16];
    for (size_t i = 0; i < rg_params_count(params); i++) {
        rg_param_info p = rg_params_at(params, i);
        json_t *shape = json_array();
        for (int d = 0; d < p.shape.rank; d++)
            json_array_append_new(shape, json_string(symbol_of(text, p.shape.dim[d])));
        json_object_set_new(o, p.name, shape);
    }
    return o;
}

static json_t *states_array(const rg_cell *cell)
{
    json_t *list = json_array();
    char text[16];
    for (size_t k = 0; k < cell->n_state; k++)
        json_array_append_new(list, json_string(symbol_of(text, cell->width[k])));
    return list;
}

static int print_cell(const settings *s, const rg_cell *cell, rg_params *params, const char *text)
{
    const cell_row *row = &cells[s->cell];
    cell_size weights, flop;
    char a[160], b[160], shape[64];
    if (!cell_weights(&weights, s->cell) || !cell_flop(&flop, s->cell))
        return fail(RUN_TIME, "no memory");
    cell_size_text(a, sizeof a, &weights);
    cell_size_text(b, sizeof b, &flop);
    if (s->json)
        return put_json(json_pack("{s:i, s:s, s:I, s:o, s:s, s:s, s:o, s:s, s:s}", "v", 1, "cell",
                                  row->name, "states", (json_int_t)cell->n_state, "widths",
                                  states_array(cell), "equations", text, "source", row->source,
                                  "parameters", parameters_object(params), "weights", a, "flop",
                                  b), 17);
    printf("%s: x [B,I], states", row->name);
    for (size_t k = 0; k < cell->n_state; k++) {
        symbols_of(shape, "B", RG_SHAPE(cell->width[k]));
        printf("%s %s", k ? "," : "", shape);
    }
    printf("; ∘ by element, σ the logistic function, ' after the step\n\n%s\n"
           "%s numbers in the parameters\n", text, a);
    print_parameters(params);
    printf("\noperations per row and step: %s\nsource: %s\n", b, row->source);
    return DONE;
}

static int show_cell(const settings *s)
{
    const rg_cell_opts opts = cell_opts(s->cell, P, H);
    rg_params *params = NULL;
    rg_graph *graph = NULL;
    char *text = NULL;
    size_t n = 0;
    if (rg_params_create(&params, 1, NULL) || rg_graph_create(&graph, params, NULL)) {
        rg_params_destroy(&params);
        return fail(RUN_TIME, "no memory");
    }
    rg_cell cell = cells[s->cell].make(graph, NULL, I, H, &opts);
    FILE *out = open_memstream(&text, &n);
    rg_status st = out ? rg_formula_print(&cell, rg_zeros(graph, RG_SHAPE(1, I)), NULL, rg_to_file,
                                          out) : RG_ENOMEM;
    const bool good = out && fclose(out) == 0;
    int code = out && st ? fail(exit_code(st), "%s", rg_graph_message(graph))
             : !good ? fail(RUN_TIME, "no memory") : print_cell(s, &cell, params, text);
    free(text);
    rg_graph_destroy(&graph);
    rg_params_destroy(&params);
    return code;
}

/* ---- A file, a run -------------------------------------------------------------------------- */

static void shape_text(char out[160], rg_shape shape)
{
    size_t n = 0;
    out[0] = '\0';
    for (int d = 0; d < shape.rank; d++)
        n += (size_t)snprintf(out + n, 160 - n, "%s%lld", d ? "," : "", (long long)shape.dim[d]);
}

static void print_meta(const rg_file *file)
{
    char value[512];
    for (size_t i = 0; i < file->n_meta; i++) {
        printable(value, sizeof value, file->meta[i].value);
        if (strlen(value) > 68)
            (void)snprintf(value + 65, 4, "...");
        printf("%-18s %s\n", file->meta[i].key, value);
    }
}

/* What a checkpoint of `retrograd train` is, in a line. */
static void print_model(const char *path, const rg_file *file)
{
    char title[128];
    model m;
    if (!meta_of(file, "model") || model_open(&m, path))
        return;
    printf("%-18s %s\n", "a model", model_title(title, sizeof title, &m));
    model_close(&m);
}

static json_t *file_object(const rg_file *file, const char *path)
{
    json_t *arrays = json_array(), *meta = json_object();
    for (size_t i = 0; i < file->n_arrays; i++) {
        json_t *shape = json_array();
        for (int d = 0; d < file->arrays[i].shape.rank; d++)
            json_array_append_new(shape, json_integer(file->arrays[i].shape.dim[d]));
        json_array_append_new(arrays, json_pack("{s:s, s:s, s:o}", "name", file->arrays[i].name,
                                                "dtype", file->arrays[i].dtype, "shape", shape));
    }
    for (size_t i = 0; i < file->n_meta; i++)
        json_object_set_new(meta, file->meta[i].key, json_string(file->meta[i].value));
    return json_pack("{s:i, s:s, s:I, s:i, s:o, s:o}", "v", 1, "path", path, "bytes",
                     (json_int_t)file->bytes, "format", file->version, "metadata", meta, "arrays",
                     arrays);
}

static int show_file(const settings *s, const char *path)
{
    rg_file file;
    char shape[160], name[300];
    rg_status st = rg_file_info(&file, path);
    if (st)
        return fail(exit_code(st), "%s", file.message);
    int code = DONE;
    if (s->json) {
        code = put_json(file_object(&file, path), 17);
    } else {
        printf("%s: %zu bytes, %zu arrays\n", printable(name, sizeof name, path), file.bytes,
               file.n_arrays);
        print_model(path, &file);
        print_meta(&file);
        for (size_t i = 0; i < file.n_arrays; i++) {
            shape_text(shape, file.arrays[i].shape);
            printf("  %-4s [%s]  %s\n", file.arrays[i].dtype, shape,
                   printable(name, sizeof name, file.arrays[i].name));
        }
    }
    rg_file_destroy(&file);
    return code;
}

int info_main(settings *s)
{
    char path[PATH_BYTES];
    bool cell = option_origin(s, "cell") == FROM_LINE;
    if (cell && s->operand[0])
        return fail(USAGE, "either --cell or a run, not both");
    if (cell)
        return show_cell(s);
    if (!s->operand[0])
        return show_build(s);
    int code = checkpoint_path(path, s->operand[0]);
    return code ? code : show_file(s, path);
}
