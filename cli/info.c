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

static const char *symbol_of(char out[16], int64_t extent)
{
    (void)snprintf(out, 16, "%s", extent == 4 ? "I" : "H");
    return out;
}

/* Parameters of the cell for I = 4, H = 5, which stand for the letters. */
static void print_parameters(rg_params *params)
{
    char rows[16], columns[16];
    for (size_t i = 0; i < rg_params_count(params); i++) {
        rg_param_info p = rg_params_at(params, i);
        if (p.shape.rank == 2)
            printf("  %-6s [%s,%s]\n", p.name, symbol_of(rows, p.shape.dim[0]),
                   symbol_of(columns, p.shape.dim[1]));
        else
            printf("  %-6s [%s]\n", p.name, symbol_of(rows, p.shape.dim[0]));
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

static int show_cell(const settings *s)
{
    const cell_row *row = &cells[s->cell];
    rg_params *params = NULL;
    rg_graph *graph = NULL;
    if (rg_params_create(&params, 1, NULL) || rg_graph_create(&graph, params, NULL)) {
        rg_params_destroy(&params);
        return fail(RUN_TIME, "no memory");
    }
    rg_cell cell = row->make(graph, NULL, 4, 5, &row->opts);
    rg_status st = rg_graph_status(graph);
    int code = st ? fail(exit_code(st), "%s", rg_graph_message(graph)) : DONE;
    if (code == DONE && s->json) {
        code = put_json(json_pack("{s:i, s:s, s:I, s:s, s:s, s:o}", "v", 1, "cell", row->name,
                                  "states", (json_int_t)cell.n_state, "equations", row->equations,
                                  "source", row->source, "parameters", parameters_object(params)),
                        17);
    } else if (code == DONE) {
        printf("%s: x [B,I] and %s [B,H] to %s; ∘ by element, σ the logistic function\n\n%s\n"
               "parameters\n", row->name, cell.n_state == 2 ? "h, c" : "h",
               cell.n_state == 2 ? "h', c'" : "h'", row->equations);
        print_parameters(params);
        printf("\nsource: %s\n", row->source);
    }
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
