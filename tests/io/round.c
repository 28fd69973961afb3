/* tests/io/round.c -- what was saved comes back, bit for bit; what does not agree is named. */
#include "tests/io/help.h"

#include "graph/params.h"
#include "io/tensors.h"

#include <stdlib.h>
#include <string.h>

/* Saves, loads into stores of the same arrays and into empty ones; all must be equal. */
static void check_round(rg_params *ps, const rg_save_opts *save, const rg_load_opts *load)
{
    rgt_folder d;
    rg_params *like = rgt_like(ps), *empty;
    rg_params_opts opts = { .real = ps->real };
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_create(&empty, 0, &opts) == RG_OK);
    RGT_CHECK_MSG(rg_params_save(&ps, 1, rgt_in(&d, "a.safetensors"), save) == RG_OK, "%s",
                  rg_params_message(ps));
    RGT_CHECK_MSG(rg_params_load(&like, 1, d.file, load) == RG_OK, "%s", rg_params_message(like));
    RGT_CHECK_MSG(rg_params_load(&empty, 1, d.file, load) == RG_OK, "%s", rg_params_message(empty));
    RGT_CHECK(rgt_equal(ps, like));
    RGT_CHECK_MSG(rgt_equal(ps, empty), "first of %zu: %s", rg_params_count(empty),
                  rg_params_at(empty, 0).name);
    RGT_CHECK(rgt_entries(&d) == 1);
    rg_params_destroy(&like);
    rg_params_destroy(&empty);
    rgt_folder_end(&d);
}

#define PROJ "p.Ui:3,4 p.Uf:3,4 p.Uc:3,4 p.Uo:3,4 p.Wi:2,4 p.Wf:2,4 p.Wc:2,4 p.Wo:2,4"
#define GRU "g.Ur:3,4 g.Uu:3,4 g.Ug:3,4 g.Wr:4,4 g.Wu:4,4 g.Wg:4,4 g.br:4 g.bu:4 g.bg:4"

RGT_TEST(io, every_layer_comes_back_bit_for_bit_in_both_layouts_and_precisions)
{
    static const struct { const char *arrays, *group, *kind; } row[] = {
        { rgt_model, NULL, NULL },
        { "r.U:3,4 r.W:4,4 r.b:4", NULL, NULL },
        { "r.U:3,4 r.W:4,4", "r", "rnn-relu" },
        { "U:3,4 W:4,4 b:4", "", "rnn" },
        { "r.U:1,1 r.W:1,1 r.b:1 r.bh:1", NULL, NULL },
        { GRU, NULL, NULL },
        { GRU, "g", "gru" },
        { GRU, "g", "gru-after" },
        { GRU " g.bhg:4", NULL, NULL },
        { GRU " g.bhr:4 g.bhu:4 g.bhg:4", "g", "gru-after" },
        { GRU " g.bhr:4 g.bhu:4 g.bhg:4", "g", "gru" },
        { "a.E:7,2 b.W:2,3 b.b:3 c.W:5,6", "c", "dense" },
        { PROJ " p.proj:4,2", NULL, NULL },
        { PROJ " p.proj:4,2 p.bi:4 p.bf:4 p.bc:4 p.bo:4", "p", "lstm-proj" },
        { PROJ " p.proj:4,2 p.bi:4 p.bf:4 p.bc:4 p.bo:4 p.bhi:4 p.bhf:4 p.bhc:4 p.bho:4",
          "p", "lstm-proj" },
        { PROJ " p.proj:4,3", NULL, NULL }, /* of no layer: as it is named */
        { "odd.Ui:3,4 odd.Wi:4,4 odd.Pi:4", NULL, NULL },
        { "x: y:1 z:1,2,3,4,5,1,1,2 nothing:0,5", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (int k = 0; k < 4; k++) {
            rg_layer_desc layer = { .group = row[i].group, .kind = row[i].kind };
            size_t n = row[i].kind ? 1 : 0;
            rg_save_opts save = { .own_names = k & 1, .layers = &layer, .n_layers = n };
            rg_load_opts load = { .layers = &layer, .n_layers = n };
            rg_params *ps = rgt_store(row[i].arrays, k & 2 ? RG_F64 : RG_F32);
            check_round(ps, &save, &load);
            check_round(ps, &save, NULL);
            rg_params_destroy(&ps);
        }
}

RGT_TEST(io, negative_zeros_and_payloads_of_nan_survive_the_missing_second_bias)
{
    rg_params *ps = rgt_store(rgt_model, RG_F32);
    uint32_t odd[4] = { 0x80000000u, 0x7f800001u, 0xffc12345u, 1 };
    memcpy(rg_params_find(ps, "rnn.l0.bf").data, odd, sizeof odd);
    memcpy(rg_params_find(ps, "rnn.l0.Uc").data, odd, sizeof odd);
    check_round(ps, NULL, NULL);
    rg_params_destroy(&ps);
}

RGT_TEST(io, names_on_disk_are_those_of_pytorch)
{
    static const char *const want[] = {
        "embed.weight", "out.bias", "out.weight", "rnn.bias_hh_l0", "rnn.bias_hh_l1",
        "rnn.bias_ih_l0", "rnn.bias_ih_l1", "rnn.weight_hh_l0", "rnn.weight_hh_l1",
        "rnn.weight_ih_l0", "rnn.weight_ih_l1"
    };
    rgt_folder d;
    rg_file info;
    rg_params *ps = rgt_store(rgt_model, RG_F32);
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK_MSG(rg_file_info(&info, d.file) == RG_OK, "%s", info.message);
    RGT_CHECK(info.n_arrays == sizeof want / sizeof *want && info.version == 1);
    for (size_t i = 0; i < info.n_arrays; i++)
        RGT_CHECK_MSG(strcmp(info.arrays[i].name, want[i]) == 0, "%s", info.arrays[i].name);
    RGT_CHECK(rg_shape_equal(info.arrays[10].shape, RG_SHAPE(20, 4)));
    RGT_CHECK(strcmp(info.arrays[10].dtype, "F32") == 0 && info.arrays[10].bytes == 320);
    RGT_CHECK(info.n_layers == 4 && strcmp(info.layers[2].group, "rnn.l0") == 0);
    RGT_CHECK(strcmp(info.layers[2].kind, "lstm") == 0 && info.layers[3].layer == 1);
    RGT_CHECK(strcmp(info.layers[2].torch, "rnn") == 0);
    RGT_CHECK(strcmp(info.layers[2].bias, "single") == 0);
    rg_file_destroy(&info);
    rg_file_destroy(&info);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

/* Two directions, told by the groups' names, or called what they are under other ones. */
RGT_TEST(io, the_direction_from_the_end_is_that_of_pytorch)
{
    static const char *const want[] = {
        "rnn.bias_hh_l0", "rnn.bias_hh_l0_reverse", "rnn.bias_hh_l1", "rnn.bias_hh_l1_reverse",
        "rnn.bias_ih_l0", "rnn.bias_ih_l0_reverse", "rnn.bias_ih_l1", "rnn.bias_ih_l1_reverse",
        "rnn.weight_hh_l0", "rnn.weight_hh_l0_reverse", "rnn.weight_hh_l1",
        "rnn.weight_hh_l1_reverse", "rnn.weight_ih_l0", "rnn.weight_ih_l0_reverse",
        "rnn.weight_ih_l1", "rnn.weight_ih_l1_reverse"
    };
    static const char named[] = "rnn.l0.fwd.U:3,4 rnn.l0.fwd.W:4,4 rnn.l0.fwd.b:4 rnn.l0.bwd.U:3,4 "
        "rnn.l0.bwd.W:4,4 rnn.l0.bwd.b:4 rnn.l1.fwd.U:8,4 rnn.l1.fwd.W:4,4 rnn.l1.fwd.b:4 "
        "rnn.l1.bwd.U:8,4 rnn.l1.bwd.W:4,4 rnn.l1.bwd.b:4";
    static const char other[] = "a.U:3,4 a.W:4,4 a.b:4 b.U:3,4 b.W:4,4 b.b:4 c.U:8,4 c.W:4,4 c.b:4 "
                                "d.U:8,4 d.W:4,4 d.b:4";
    static const rg_layer_desc called[] = {
        { .group = "a", .kind = "rnn", .torch = "rnn" },
        { .group = "b", .kind = "rnn", .torch = "rnn", .reverse = true },
        { .group = "c", .kind = "rnn", .torch = "rnn", .layer = 1 },
        { .group = "d", .kind = "rnn", .torch = "rnn", .layer = 1, .reverse = true },
    };
    const rg_load_opts as_called = { .layers = called, .n_layers = 4 };
    rgt_folder d;
    rg_file info;
    rg_params *ps = rgt_store(named, RG_F32), *to = rgt_store(other, RG_F32);
    check_round(ps, NULL, NULL);
    check_round(to, &(rg_save_opts){ .layers = called, .n_layers = 4 }, &as_called);
    check_round(to, &(rg_save_opts){ .layers = called, .n_layers = 4 }, NULL);
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK_MSG(rg_file_info(&info, d.file) == RG_OK, "%s", info.message);
    RGT_CHECK(info.n_arrays == sizeof want / sizeof *want && info.n_layers == 4);
    for (size_t i = 0; i < info.n_arrays; i++)
        RGT_CHECK_MSG(strcmp(info.arrays[i].name, want[i]) == 0, "%s", info.arrays[i].name);
    for (size_t i = 0; i < info.n_layers; i++)
        RGT_CHECK(info.layers[i].reverse == (info.layers[i].group[7] == 'b'));
    RGT_CHECK_MSG(rg_params_load(&to, 1, d.file, &as_called) == RG_OK, "%s",
                  rg_params_message(to));
    RGT_CHECK(!memcmp(rg_params_find(to, "b.W").data, rg_params_find(ps, "rnn.l0.bwd.W").data, 64));
    RGT_CHECK(!memcmp(rg_params_find(to, "c.W").data, rg_params_find(ps, "rnn.l1.fwd.W").data, 64));
    rg_file_destroy(&info);
    rg_params_destroy(&ps);
    rg_params_destroy(&to);
    rgt_folder_end(&d);
}

/* Before, `rnn_fwd` and `rnn_bwd` were the file's modules: its descriptors still say so. */
RGT_TEST(io, directions_may_be_modules_of_their_own)
{
    static const rg_layer_desc was[] = {
        { .group = "rnn.l0.fwd", .kind = "rnn", .torch = "rnn_fwd" },
        { .group = "rnn.l0.bwd", .kind = "rnn", .torch = "rnn_bwd" },
    };
    rg_params *ps = rgt_store("rnn.l0.fwd.U:3,4 rnn.l0.fwd.W:4,4 rnn.l0.bwd.U:3,4 "
                              "rnn.l0.bwd.W:4,4", RG_F32);
    check_round(ps, &(rg_save_opts){ .layers = was, .n_layers = 2 }, NULL);
    rg_params_destroy(&ps);
}

RGT_TEST(io, a_projected_lstm_is_that_of_pytorch)
{
    static const struct { const char *name; int64_t rows, columns; } want[] = {
        { "p.weight_hh_l0", 16, 2 }, { "p.weight_hr_l0", 2, 4 }, { "p.weight_ih_l0", 16, 3 },
    };
    rgt_folder d;
    rg_file info;
    rg_params *ps = rgt_store(PROJ " p.proj:4,2", RG_F32);
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK_MSG(rg_file_info(&info, d.file) == RG_OK, "%s", info.message);
    RGT_CHECK(info.n_arrays == 3 && strcmp(info.layers[0].kind, "lstm-proj") == 0);
    for (size_t i = 0; i < 3; i++)
        RGT_CHECK(strcmp(info.arrays[i].name, want[i].name) == 0 &&
                  rg_shape_equal(info.arrays[i].shape, RG_SHAPE(want[i].rows, want[i].columns)));
    rg_file_destroy(&info);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

static void collect(void *text, const char *key, const char *value)
{
    rgt_write(text, key, strlen(key));
    rgt_write(text, "=", 1);
    rgt_write(text, value, strlen(value));
    rgt_write(text, ";", 1);
}

RGT_TEST(io, metadata_comes_back_and_equal_input_gives_equal_bytes)
{
    rgt_folder d;
    rgt_text text = { NULL, 0, 0 };
    rg_params *ps = rgt_store(rgt_model, RG_F32), *like = rgt_like(ps);
    rg_text_pair meta[] = { { "vocab", "[\"a\",\"\\n\",\"\xc3\xa4\"]" },
                            { "a \"b\"\\", "1\t2\x01" } };
    rg_text_pair turned[] = { meta[1], meta[0] };
    rg_save_opts save = { .meta = meta, .n_meta = 2 };
    rg_load_opts load = { .meta = collect, .user = &text };
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), &save) == RG_OK);
    RGT_CHECK(rg_params_load(&like, 1, d.file, &load) == RG_OK);
    RGT_CHECK(rgt_has(text.data, "vocab=[\"a\",\"\\n\",\"\xc3\xa4\"];"));
    RGT_CHECK(rgt_has(text.data, "a \"b\"\\=1\t2\x01;"));
    rgt_bytes one = rgt_read(d.file);
    save.meta = turned;
    RGT_CHECK(rg_params_save(&like, 1, rgt_in(&d, "n"), &save) == RG_OK);
    rgt_bytes two = rgt_read(d.file);
    RGT_CHECK(one.n == two.n && memcmp(one.data, two.data, one.n) == 0);
    free(one.data);
    free(two.data);
    rgt_text_free(&text);
    rg_params_destroy(&ps);
    rg_params_destroy(&like);
    rgt_folder_end(&d);
}

RGT_TEST(io, a_file_of_the_first_version_is_still_read_and_written)
{
    static const char first[] = RGT_SOURCE "/tests/io/golden/version1.safetensors";
    rg_text_pair meta = { "note", "a file of version 1" };
    rg_save_opts save = { .meta = &meta, .n_meta = 1 };
    rgt_folder d;
    rg_params *ps[2] = { rgt_store("r.U:2,3 r.W:3,3 r.b:3 z.E:4,2 s:", RG_F32),
                         rgt_store("optim.rate:2", RG_F64) };
    rg_params *to[2] = { rgt_like(ps[0]), rgt_like(ps[1]) };
    rgt_folder_begin(&d);
    RGT_CHECK_MSG(rg_params_load(to, 2, first, NULL) == RG_OK, "%s", rg_params_message(to[0]));
    RGT_CHECK(rgt_equal(ps[0], to[0]) && rgt_equal(ps[1], to[1]));
    RGT_CHECK(rg_params_save(ps, 2, rgt_in(&d, "now"), &save) == RG_OK);
    rgt_bytes old = rgt_read(first), now = rgt_read(d.file);
    RGT_CHECK(old.n == now.n && memcmp(old.data, now.data, now.n) == 0);
    free(old.data);
    free(now.data);
    for (int i = 0; i < 2; i++) {
        rg_params_destroy(&ps[i]);
        rg_params_destroy(&to[i]);
    }
    rgt_folder_end(&d);
}

/* ---- Several stores -------------------------------------------------------------------------- */

static rg_params *state(const char *counter, const char *arrays)
{
    rg_slot *slot;
    rg_params *ps = rgt_store(arrays, RG_F32);
    RGT_CHECK(rg_params_declare(&slot, ps, counter, RG_SCALAR, RG_I64, NULL) == RG_OK);
    *(int64_t *)slot->data = 4711;
    return ps;
}

RGT_TEST(io, a_checkpoint_of_three_stores_resumes_where_states_have_met_nothing_yet)
{
    rgt_folder d;
    rg_params *ps[3] = { rgt_store(rgt_model, RG_F32), state("optim.updates", "optim.m.out.W:5,11"),
                         state("plan.run", "plan.h:2,4 plan.c:2,4") };
    rg_params *to[3] = { rgt_like(ps[0]), state("optim.updates", ""), state("plan.run", "") };
    rg_params *empty[3] = { NULL, NULL, NULL }, *weights = rgt_like(ps[0]);
    rgt_folder_begin(&d);
    *(int64_t *)rg_params_find(to[1], "optim.updates").data = 0;
    RGT_CHECK_MSG(rg_params_save(ps, 3, rgt_in(&d, "c"), NULL) == RG_OK, "%s",
                  rg_params_message(ps[0]));
    RGT_CHECK_MSG(rg_params_load(to, 3, d.file, NULL) == RG_OK, "%s", rg_params_message(to[0]));
    for (int i = 0; i < 3; i++) {
        RGT_CHECK(rgt_equal(ps[i], to[i]));
        RGT_CHECK(rg_params_create(&empty[i], 0, NULL) == RG_OK);
    }
    RGT_CHECK(rg_params_load(empty, 3, d.file, NULL) == RG_OK);
    RGT_CHECK(rgt_equal(ps[1], empty[1]) && rgt_equal(ps[2], empty[2]));
    RGT_CHECK(rg_params_load(&weights, 1, d.file, NULL) == RG_OK && rgt_equal(ps[0], weights));
    for (int i = 0; i < 3; i++) {
        rg_params_destroy(&ps[i]);
        rg_params_destroy(&to[i]);
        rg_params_destroy(&empty[i]);
    }
    rg_params_destroy(&weights);
    rgt_folder_end(&d);
}

RGT_TEST(io, every_array_lies_at_a_multiple_of_its_element_size)
{
    rgt_folder d;
    rg_tensors f;
    rg_alloc alloc;
    rg_err err = { .status = RG_OK };
    rg_params *ps[2] = { rgt_store("a:3 b:1 c:2", RG_F32),
                         state("optim.n", "optim.k:1 optim.z:5") };
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(ps, 2, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK(rg_alloc_resolve(&alloc, NULL) == RG_OK);
    RGT_CHECK(rg_tensors_open(&f, &rg_disk_posix, d.file, &alloc, &err) == RG_OK);
    RGT_CHECK(f.header_bytes % 8 == 0 && f.n == 6);
    for (size_t i = 0; i < f.n; i++)
        RGT_CHECK(f.tensor[i].begin % f.tensor[i].type->item == 0);
    rg_tensors_close(&f);
    rg_params_destroy(&ps[0]);
    rg_params_destroy(&ps[1]);
    rgt_folder_end(&d);
}

RGT_TEST(io, stores_that_cannot_be_told_apart_are_refused)
{
    rgt_folder d;
    rg_params *model = rgt_store("a:2", RG_F32), *odd = rgt_store("optim.a:2 b:2", RG_F32);
    rg_params *twice[2] = { model, model }, *mixed[2] = { model, odd }, *hole[2] = { model, NULL };
    rgt_folder_begin(&d);
    (void)rgt_in(&d, "x");
    RGT_CHECK(rg_params_save(twice, 2, d.file, NULL) == RG_EARG);
    RGT_CHECK(rgt_has(rg_params_message(model), "two arrays would be named 'a'"));
    RGT_CHECK(rg_params_save(mixed, 2, d.file, NULL) == RG_EARG);
    RGT_CHECK(rgt_has(rg_params_message(model), "store 1: 'b' begins with a prefix"));
    RGT_CHECK(rg_params_save(&odd, 1, d.file, NULL) == RG_EARG);
    RGT_CHECK(rgt_has(rg_params_message(odd), "store 0: 'optim.a'"));
    RGT_CHECK(rg_params_save(hole, 2, d.file, NULL) == RG_EARG);
    RGT_CHECK(rg_params_load(hole, 2, d.file, NULL) == RG_EARG);
    RGT_CHECK(rg_params_save(NULL, 1, d.file, NULL) == RG_EARG);
    RGT_CHECK(rg_params_load(&model, 0, d.file, NULL) == RG_EARG);
    RGT_CHECK(rg_params_save(&model, 1, NULL, NULL) == RG_EARG);
    RGT_CHECK(rg_params_load(&model, 1, NULL, NULL) == RG_EARG);
    RGT_CHECK(rgt_entries(&d) == 0);
    rg_params_destroy(&model);
    rg_params_destroy(&odd);
    rgt_folder_end(&d);
}

/* ---- Differences ----------------------------------------------------------------------------- */

static void count(void *n, const char *line)
{
    (void)line;
    ++*(int *)n;
}

/* Loading must fail so, and leave the store as it was. */
static void refuse(const char *arrays, const char *path, const rg_load_opts *opts, rg_status want,
                   const char *says)
{
    rg_params *ps = rgt_store(arrays, RG_F32), *same = rgt_store(arrays, RG_F32);
    rg_status st = rg_params_load(&ps, 1, path, opts);
    RGT_CHECK_MSG(st == want && rgt_has(rg_params_message(ps), says), "%d: %s", st,
                  rg_params_message(ps));
    RGT_CHECK(rgt_equal(ps, same));
    rg_params_destroy(&ps);
    rg_params_destroy(&same);
}

RGT_TEST(io, every_difference_between_file_and_store_is_listed)
{
    rgt_folder d;
    int n = 0;
    rg_load_opts opts = { .difference = count, .user = &n }, partial = { .partial = true };
    rg_params *ps = rgt_store("a:2 b:3 c:4,5", RG_F32), *many, *empty;
    rgt_folder_begin(&d);
    (void)rgt_in(&d, "m");
    RGT_CHECK(rg_params_save(&ps, 1, d.file, NULL) == RG_OK);
    refuse("a:2 b:3", d.file, NULL, RG_EMISMATCH, "1 difference: extra 'c' [4,5]");
    refuse("a:2 b:3 c:4,5 d:1", d.file, NULL, RG_EMISMATCH, "1 difference: missing 'd' [1]");
    refuse("a:2 b:3 c:5,4", d.file, NULL, RG_EMISMATCH, "'c' is [4,5] in the file, [5,4] here");
    refuse("a:2 B:3 c:4,5", d.file, &opts, RG_EMISMATCH, "missing 'B' [3]; extra 'b' [3]");
    RGT_CHECK(n == 2);
    refuse("a:2 b:4", d.file, &partial, RG_EMISMATCH, "1 difference: 'b' is [3]");
    many = rgt_store("a:2 b:3 c:4,5 b0:1 b1:1 b2:1 b3:1 b4:1 b5:1 b6:1 b7:1 b8:1 b9:1 c0:1 c1:1 "
                     "c2:1 c3:1 c4:1 c5:1 c6:1 c7:1 c8:1 c9:1 d0:1 d1:1 d2:1 d3:1", RG_F32);
    n = 0;
    RGT_CHECK(rg_params_load(&many, 1, d.file, &opts) == RG_EMISMATCH && n == 20);
    RGT_CHECK(rgt_has(rg_params_message(many), "24 differences: missing 'b0' [1]; "));
    RGT_CHECK(rgt_has(rg_params_message(many), " more"));
    RGT_CHECK(rg_params_create(&empty, 0, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_params_load(&empty, 1, d.file, NULL) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(empty), "'a' is F32 in the file, the store is of F64"));
    RGT_CHECK(rg_params_count(empty) == 0 && rg_params_find(empty, "a").name == NULL);
    RGT_CHECK(rg_params_load(&empty, 1, d.file, &(rg_load_opts){ .widen = true }) == RG_OK);
    RGT_CHECK(((double *)rg_params_find(empty, "b").data)[2] == 2.03125);
    rg_params_destroy(&ps);
    rg_params_destroy(&many);
    rg_params_destroy(&empty);
    rgt_folder_end(&d);
}

RGT_TEST(io, partial_loading_takes_what_is_there)
{
    rgt_folder d;
    rg_params *ps = rgt_store("a:2 b:3", RG_F32), *to = rgt_store("x:1 b:3 y:2", RG_F32);
    rgt_folder_begin(&d);
    memset(rg_params_find(to, "b").data, 0, 12);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK(rg_params_load(&to, 1, d.file, &(rg_load_opts){ .partial = true }) == RG_OK);
    RGT_CHECK(memcmp(rg_params_find(to, "b").data, rg_params_find(ps, "b").data, 12) == 0);
    RGT_CHECK(((float *)rg_params_find(to, "y").data)[0] == 3 && rg_params_count(to) == 3);
    rg_params_destroy(&ps);
    rg_params_destroy(&to);
    rgt_folder_end(&d);
}

RGT_TEST(io, a_sealed_store_takes_nothing_new)
{
    rgt_folder d;
    rg_params *ps = rgt_store("a:2", RG_F32), *to;
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_create(&to, 0, NULL) == RG_OK && rg_params_seal(to) == RG_OK);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    RGT_CHECK(rg_params_load(&to, 1, d.file, NULL) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(to), "extra 'a' [2]") && rg_params_count(to) == 0);
    rg_params_destroy(&ps);
    rg_params_destroy(&to);
    rgt_folder_end(&d);
}

/* ---- Forms of a gru -------------------------------------------------------------------------- */

RGT_TEST(io, one_form_of_gru_is_not_loaded_into_the_other)
{
    rgt_folder d;
    rg_layer_desc before = { .group = "g", .kind = "gru" };
    rg_layer_desc after = { .group = "g", .kind = "gru-after" };
    rg_layer_desc lstm = { .group = "g", .kind = "lstm" };
    rg_load_opts as_before = { .layers = &before, .n_layers = 1 };
    rg_load_opts as_after = { .layers = &after, .n_layers = 1 };
    rg_params *ps = rgt_store(GRU, RG_F32);
    rgt_folder_begin(&d);
    for (int own = 0; own < 2; own++) {
        rg_save_opts save = { .own_names = own, .layers = &before, .n_layers = 1 };
        RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), &save) == RG_OK);
        refuse(GRU, d.file, &as_after, RG_EMISMATCH, "'g' is a gru-after, in the file a gru: r");
        save.layers = &after;
        RGT_CHECK(rg_params_save(&ps, 1, d.file, &save) == RG_OK);
        refuse(GRU, d.file, &as_before, RG_EMISMATCH, "'g' is a gru, in the file a gru-after: r");
        refuse(GRU, d.file, &(rg_load_opts){ .layers = &lstm, .n_layers = 1 }, RG_EARG,
               "layer 'g' is no lstm: its arrays must be Ui [I,H]");
    }
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(io, descriptors_that_do_not_fit_are_refused_on_saving)
{
    static const struct { rg_layer_desc layer[2]; size_t n; const char *says; } row[] = {
        { { { .group = "h", .kind = "gru" } }, 1, "layer 'h': no parameter is named so" },
        { { { .group = "g", .kind = "rnn" } }, 1, "layer 'g' is no rnn" },
        { { { .group = "g", .kind = "lstm-proj" } }, 1, "Wi [P,H], bi [H], and so for f, c, o" },
        { { { .group = "g", .kind = "tree" } }, 1, "kind 'tree' is none of lstm" },
        { { { .group = "g" } }, 1, "kind '' is none of lstm" },
        { { { .group = "g", .kind = "gru", .layer = -1 } }, 1, "number -1, below 0" },
        { { { .group = "g", .kind = "gru" }, { .group = "g", .kind = "gru" } }, 2,
          "described twice" },
    };
    rgt_folder d;
    rg_params *ps = rgt_store(GRU, RG_F32);
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_save_opts save = { .layers = row[i].layer, .n_layers = row[i].n };
        RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), &save) == RG_EARG);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), row[i].says), "%s", rg_params_message(ps));
    }
    RGT_CHECK(rgt_entries(&d) == 0);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(io, metadata_that_no_file_can_have_is_refused)
{
    static const struct { rg_text_pair meta[2]; size_t n; const char *says; } row[] = {
        { { { "retrograd.x", "1" } }, 1, "begin with 'retrograd.'" },
        { { { NULL, "1" } }, 1, "no key or no value" },
        { { { "a", NULL } }, 1, "no key or no value" },
        { { { "a", "1" }, { "a", "2" } }, 2, "'a' is given twice" },
        { { { "a", "\xff" } }, 1, "key or value is not UTF-8" },
    };
    rgt_folder d;
    rg_params *ps = rgt_store("a:1", RG_F32);
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_save_opts save = { .meta = row[i].meta, .n_meta = row[i].n };
        RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), &save) == RG_EARG);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), row[i].says), "%s", rg_params_message(ps));
    }
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}
