/* cli/model.c -- models in checkpoints: description, vocabulary, weights. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "cli/model.h"
#include "cli/net.h"
#include "cli/regular.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *meta_of(const rg_file *file, const char *key)
{
    for (size_t i = 0; i < file->n_meta; i++)
        if (strcmp(file->meta[i].key, key) == 0)
            return file->meta[i].value;
    return NULL;
}

int checkpoint_path(char out[PATH_BYTES], const char *run)
{
    struct stat s;
    if (strlen(run) >= FOLDER_BYTES)
        return fail(USAGE, "the path is too long");
    (void)snprintf(out, PATH_BYTES, "%s", run);
    if (stat(run, &s))
        return fail(RUN_TIME, "%s: %s", run, strerror(errno));
    if (!S_ISDIR(s.st_mode))
        return DONE;
    (void)snprintf(out, PATH_BYTES, "%s/ckpt-best.safetensors", run);
    if (file_exists(out))
        return DONE;
    (void)snprintf(out, PATH_BYTES, "%s/ckpt-last.safetensors", run);
    if (file_exists(out))
        return DONE;
    return fail(BAD_DATA, "%s: no checkpoint in this folder", run);
}

static void use_cell(model *m, int cell, int64_t proj)
{
    m->cell = cell;
    m->opts = cell_opts(cell, proj, m->lm.hidden);
    m->lm.cell = cells[cell].make;
    m->lm.cell_opts = &m->opts;
}

/* Number of weights, without making it. */
static double weights_of(const model *m)
{
    cell_size n;
    double H = (double)m->lm.hidden, V = (double)m->lm.V, E = (double)m->lm.embed;
    double P = (double)m->opts.proj, out = P > 0 ? P : H; /* width of a layer's output */
    if (!cell_weights(&n, m->cell))
        return 0;
    return V * E + cell_size_at(&n, E > 0 ? E : V, H, P) +
           ((double)m->lm.layers - 1) * cell_size_at(&n, out, H, P) + out * V + V;
}

double params_count(rg_params *params)
{
    double sum = 0;
    for (size_t i = 0; i < rg_params_count(params); i++)
        sum += (double)rg_shape_count(rg_params_at(params, i).shape);
    return sum;
}

double params_bytes(rg_params *params)
{
    double sum = 0;
    for (size_t i = 0; i < rg_params_count(params); i++) {
        const rg_param_info p = rg_params_at(params, i);
        const double item = p.dtype == RG_F64 || p.dtype == RG_I64 ? 8 : 4;
        sum += item * (double)rg_shape_count(p.shape);
    }
    return sum;
}

int model_fits(double need)
{
    const double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (have <= 0 || need < have)
        return DONE;
    return fail(USAGE, "the model needs about %.1f GiB, this machine has %.1f (smaller --hidden, "
                "--layers, --embed, --batch or --seq-len)", need / 0x1p30, have / 0x1p30);
}

/* Would training it on windows of so many rows and steps fit this machine? */
static int fits(const model *m, int64_t batch, int64_t seq_len)
{
    const double item = m->real == RG_F64 ? 8 : 4, positions = (double)(batch * seq_len);
    const double each = 3 * (double)m->lm.V + 20 * (double)(m->lm.hidden * m->lm.layers)
                      + 2 * (double)m->lm.embed;
    return model_fits(item * (4 * weights_of(m) + positions * each));
}

static int copy_symbols(model *m, const lm_text *t)
{
    const rg_vocab *words = &t->words.vocab;
    if (t->unit == RG_UNIT_WORD) {
        rg_status st = rg_vocab_create(&m->words, words->word, words->n);
        return st ? fail(exit_code(st), "%s", m->words.message) : DONE;
    }
    m->symbol = malloc(t->corpus.V * sizeof *m->symbol);
    if (!m->symbol)
        return fail(RUN_TIME, "no memory");
    memcpy(m->symbol, t->corpus.symbol, t->corpus.V * sizeof *m->symbol);
    return DONE;
}

int model_new(model *m, const settings *s, const lm_text *t)
{
    if (cell_settings_ok(s))
        return USAGE;
    *m = (model){ .unit = t->unit, .real = (rg_dtype)s->dtype };
    m->lm.V = (int64_t)text_symbols(t);
    m->lm.hidden = s->hidden;
    m->lm.layers = s->layers;
    m->lm.embed = s->embed;
    use_cell(m, s->cell, s->proj);
    m->opts = cell_trained(s);
    int code = copy_symbols(m, t);
    if (code == DONE)
        code = fits(m, s->batch, s->tbptt > s->seq_len ? s->tbptt : s->seq_len);
    if (code == DONE)
        code = regular_read(regular_lm(&m->lm), s, cell_states(m->cell), false);
    if (code == DONE && rg_params_create(&m->params, (uint64_t)s->seed,
                                         &(rg_params_opts){ .real = m->real }))
        code = fail(RUN_TIME, "no memory");
    if (code == DONE && (s->embedding || s->freeze))
        code = model_declare(m);
    return code ? code : model_embed(m, s->resume ? NULL : s->embedding, s->freeze);
}

int model_embed(const model *m, const char *path, bool freeze)
{
    const net *n = m->net;
    const rg_vocab *words = n ? &n->in : &m->words;
    const int64_t embed = n ? n->opts.embed : m->lm.embed;
    size_t found = 0;
    if (path && (!words->word || (n ? n->unit : m->unit) != RG_UNIT_WORD))
        return fail(USAGE, "--embedding: vectors are of words (--units word)");
    if ((freeze || path) && !embed)
        return fail(USAGE, "%s needs --embed, the width of %s", path ? "--embedding" : "--freeze",
                    path ? "its vectors" : "what is held");
    if (freeze && rg_params_freeze(m->params, "embed", true))
        return fail(RUN_TIME, "%s", rg_params_message(m->params));
    if (!path)
        return DONE;
    rg_status st = rg_embedding_load(m->params, "embed.E", path, words->word, words->n, &found);
    if (st)
        return fail(st == RG_EIO ? RUN_TIME : BAD_DATA, "%s", rg_params_message(m->params));
    note("embed  %zu of %zu words have a vector in %s%s", found, words->n, path,
         freeze ? "; they are not trained" : "");
    return found ? DONE : fail(BAD_DATA, "%s: none of the %zu words has a vector", path, words->n);
}

int model_trainer(rg_trainer **out, const model *m, rg_span text, const rg_trainer_opts *opts)
{
    rg_status st = rg_trainer_create(out, m->params, text, opts);
    if (st)
        return fail(exit_code(st), "%s%s", rg_params_message(m->params),
                    opts->plan.budget_bytes && st == RG_ELIMIT
                        ? " (larger --memory-budget, or smaller --batch or --seq-len)" : "");
    return DONE;
}

void model_close(model *m)
{
    net_close(m->net);
    m->net = NULL;
    rg_params_destroy(&m->params);
    rg_vocab_destroy(&m->words);
    free(m->symbol);
    m->symbol = NULL;
}

/* ---- Symbols -------------------------------------------------------------------------------- */

void model_put(FILE *out, const model *m, int32_t id, bool first)
{
    char piece[5];
    if (m->unit == RG_UNIT_WORD)
        (void)fprintf(out, "%s%s", first ? "" : " ", m->words.word[id]);
    else
        (void)fwrite(piece, 1, rg_symbol_text(piece, m->symbol[id], m->unit == RG_UNIT_BYTE), out);
}

rg_span model_start(const model *m, int32_t *id)
{
    *id = 0;
    if (m->unit == RG_UNIT_WORD) {
        const int32_t unknown = rg_vocab_find(&m->words, RG_UNKNOWN, sizeof RG_UNKNOWN - 1);
        *id = unknown < 0 ? 0 : unknown;
        return (rg_span){ id, 1 };
    }
    for (int32_t v = 0; v < m->lm.V; v++)
        if (m->symbol[v] == '\n')
            *id = v;
    return (rg_span){ id, 1 };
}

rg_span model_never(const model *m, int32_t *id)
{
    *id = m->unit == RG_UNIT_WORD ? rg_vocab_find(&m->words, RG_UNKNOWN, sizeof RG_UNKNOWN - 1)
                                  : -1;
    return (rg_span){ id, *id >= 0 };
}

const char *model_title(char *out, size_t size, const model *m)
{
    if (m->net)
        return net_title(out, size, m);
    int n = snprintf(out, size, "%s %lldx%lld", cells[m->cell].name, (long long)m->lm.layers,
                     (long long)m->lm.hidden);
    if (m->lm.embed && n > 0)
        n += snprintf(out + n, size - (size_t)n, ", embedding %lld", (long long)m->lm.embed);
    if (n > 0)
        (void)snprintf(out + n, size - (size_t)n, ", %lld %s", (long long)m->lm.V,
                       m->unit == RG_UNIT_WORD ? "words" : "symbols");
    return out;
}

/* ---- As JSON -------------------------------------------------------------------------------- */

char *model_description(const model *m)
{
    if (m->net)
        return net_description(m);
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:f, s:s, s:s}", "cell", cells[m->cell].name,
                          "hidden", (json_int_t)m->lm.hidden, "layers", (json_int_t)m->lm.layers,
                          "embed", (json_int_t)m->lm.embed, "dropout", m->lm.dropout,
                          "dtype", m->real == RG_F64 ? "f64" : "f32",
                          "symbols", m->unit == RG_UNIT_WORD ? "words"
                          : m->unit == RG_UNIT_BYTE ? "bytes" : "characters");
    if (o && m->opts.proj)
        json_object_set_new(o, "proj", json_integer((json_int_t)m->opts.proj));
    rg_lm_opts lm = m->lm;
    char *text = o && regular_describe(o, regular_lm(&lm)) == 0
                     ? json_dumps(o, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(o);
    return text;
}

/* Words and characters as strings; bytes, which are no characters, as numbers. */
char *model_vocabulary(const model *m)
{
    if (m->net)
        return net_vocabulary(m);
    const bool bytes = m->unit == RG_UNIT_BYTE;
    json_t *list = m->symbol ? json_array() : net_words(&m->words);
    char text[5];
    for (int64_t v = 0; list && m->symbol && v < m->lm.V; v++) {
        size_t n = rg_symbol_text(text, m->symbol[v], bytes);
        json_array_append_new(list, bytes ? json_integer(m->symbol[v]) : json_stringn(text, n));
    }
    char *out = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return out;
}

/* The code point of a string of one character. A mark of byte order goes before it, which is what
 * decoding drops: the character may be one itself. */
static bool code_point(uint32_t *out, const char *text)
{
    rg_corpus c;
    char marked[16];
    const int n = snprintf(marked, sizeof marked, "\xef\xbb\xbf%s", text ? text : "");
    if (n <= 3 || n >= (int)sizeof marked ||
        rg_corpus_decode(&c, "", marked, (size_t)n, NULL) != RG_OK)
        return false;
    const bool good = c.n == 1;
    if (good)
        *out = c.symbol[0];
    rg_corpus_destroy(&c);
    return good;
}

static int damaged(const model *m, const char *what)
{
    return fail(BAD_DATA, "%s: %s: no checkpoint of `retrograd train`", m->path, what);
}

static bool read_symbols(model *m, const json_t *list, size_t n)
{
    const bool bytes = m->unit == RG_UNIT_BYTE;
    bool good = n > 0 && (m->symbol = malloc(n * sizeof *m->symbol)) != NULL;
    for (size_t v = 0; good && v < n; v++) {
        json_t *item = json_array_get(list, v);
        if (bytes)
            m->symbol[v] = (uint32_t)json_integer_value(item);
        else
            good = code_point(&m->symbol[v], json_string_value(item));
        good = good && (v == 0 || m->symbol[v] > m->symbol[v - 1]);
        good = good && (!bytes || m->symbol[v] < 256);
    }
    return good;
}

static int read_vocabulary(model *m, const char *text)
{
    json_t *list = text ? json_loads(text, 0, NULL) : NULL;
    const size_t n = json_array_size(list);
    const bool good = n > 0 && (m->unit == RG_UNIT_WORD ? net_read_words(&m->words, list)
                                                        : read_symbols(m, list, n));
    m->lm.V = (int64_t)n;
    json_decref(list);
    return good ? DONE : damaged(m, "vocabulary");
}

static int read_description(model *m, const char *text)
{
    const char *cell, *dtype, *symbols;
    json_int_t hidden, layers, embed, proj = 0;
    json_t *o = text ? json_loads(text, 0, NULL) : NULL;
    int bad = !o || json_unpack(o, "{s:s, s:I, s:I, s:I, s:F, s:s, s:s, s?I}", "cell", &cell,
                                "hidden", &hidden, "layers", &layers, "embed", &embed, "dropout",
                                &m->lm.dropout, "dtype", &dtype, "symbols", &symbols, "proj",
                                &proj);
    bad = bad || cell_index(cell) < 0 || hidden < 1 || hidden > 65536 || layers < 1 ||
          layers > 64 || proj < 0 || proj > 65536 || embed < 0 || embed > 65536 ||
          !(m->lm.dropout >= 0 && m->lm.dropout < 1) || !regular_recall(regular_lm(&m->lm), o);
    if (!bad) {
        m->lm.hidden = hidden;
        use_cell(m, cell_index(cell), proj);
        m->lm.layers = layers;
        m->lm.embed = embed;
        m->real = strcmp(dtype, "f64") == 0 ? RG_F64 : RG_F32;
        m->unit = strcmp(symbols, "words") == 0 ? RG_UNIT_WORD
                : strcmp(symbols, "bytes") == 0 ? RG_UNIT_BYTE : RG_UNIT_CHAR;
    }
    json_decref(o);
    return bad ? damaged(m, "model") : DONE;
}

/* By building the model once. */
int model_declare(const model *m)
{
    rg_lm lm;
    if (m->net)
        return net_declare(m);
    rg_status st = rg_lm_create(&lm, m->params, &m->lm, 1, 1);
    if (st)
        fail(exit_code(st), "%s%s%s", m->path, *m->path ? ": " : "",
             lm.graph ? rg_graph_message(lm.graph) : rg_params_message(m->params));
    rg_lm_destroy(&lm);
    return exit_code(st);
}

static int load(model *m)
{
    if (rg_params_create(&m->params, 0, &(rg_params_opts){ .real = m->real }))
        return fail(RUN_TIME, "no memory");
    int code = model_declare(m);
    if (code)
        return code;
    rg_status st = rg_params_load(&m->params, 1, m->path, NULL);
    return st ? fail(exit_code(st), "%s", rg_params_message(m->params)) : DONE;
}

int model_open(model *m, const char *path)
{
    rg_file file;
    *m = (model){ .cell = 0 };
    int code = checkpoint_path(m->path, path);
    if (code)
        return code;
    rg_status st = rg_file_info(&file, m->path);
    if (st)
        return fail(exit_code(st), "%s", file.message);
    const char *description = meta_of(&file, "model"), *words = meta_of(&file, "vocabulary");
    if (description && strstr(description, "\"task\""))
        code = net_read(m, description, words);
    else
        code = read_description(m, description);
    if (code == DONE && !m->net)
        code = read_vocabulary(m, words);
    const char *step = meta_of(&file, "step");
    m->step = step ? strtoull(step, NULL, 10) : 0;
    rg_file_destroy(&file);
    if (code == DONE)
        code = load(m);
    if (code)
        model_close(m);
    return code;
}
