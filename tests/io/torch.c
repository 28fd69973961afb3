/* tests/io/torch.c -- files that PyTorch wrote, golden/torch.safetensors (its script:
 * tools/golden_safetensors.py). Element i of the k-th array, in order of names, is k + i/64. */
#include "tests/io/help.h"

#include "base/shape.h"
#include "graph/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char golden[] = RGT_SOURCE "/tests/io/golden/torch.safetensors";

/* Where a name stands in order. */
static int rank_of(const char *name)
{
    rg_file info;
    int k = -1;
    RGT_CHECK_MSG(rg_file_info(&info, golden) == RG_OK, "%s", info.message);
    for (size_t i = 0; i < info.n_arrays; i++)
        if (strcmp(info.arrays[i].name, name) == 0)
            k = (int)i;
    rg_file_destroy(&info);
    RGT_CHECK_MSG(k >= 0, "%s", name);
    return k;
}

/* ours [I,H] is block g of theirs [G·H,I], transposed. */
static bool is_block(const rg_params *ps, const char *ours, const char *theirs, int64_t g)
{
    rg_param_info p = rg_params_find(ps, ours);
    int64_t I = p.shape.dim[0], H = p.shape.dim[1];
    int k = rank_of(theirs);
    for (int64_t i = 0; i < I; i++)
        for (int64_t h = 0; h < H; h++)
            if (((float *)p.data)[i * H + h] != (float)(k + (double)((g * H + h) * I + i) / 64))
                return false;
    return true;
}

/* ours [H] is block g of theirs, plus that of another if there is one. */
static bool is_bias(const rg_params *ps, const char *ours, const char *one, const char *two,
                    int64_t g)
{
    rg_param_info p = rg_params_find(ps, ours);
    int64_t H = p.shape.dim[0];
    double base = rank_of(one) + (two ? rank_of(two) : 0);
    for (int64_t h = 0; h < H; h++)
        if (((float *)p.data)[h] != (float)(base + (two ? 2 : 1) * (double)(g * H + h) / 64))
            return false;
    return true;
}

RGT_TEST(io, weights_of_pytorch_load_without_a_descriptor)
{
    static const char gates[] = "ifco";
    rg_load_opts partial = { .partial = true };
    rg_params *ps = rgt_store(
        "embed.E:7,3 rnn.l0.Ui:3,4 rnn.l0.Uf:3,4 rnn.l0.Uc:3,4 rnn.l0.Uo:3,4 rnn.l0.Wi:4,4 "
        "rnn.l0.Wf:4,4 rnn.l0.Wc:4,4 rnn.l0.Wo:4,4 rnn.l0.bi:4 rnn.l0.bf:4 rnn.l0.bc:4 rnn.l0.bo:4 "
        "rnn.l1.Ui:4,4 rnn.l1.Uf:4,4 rnn.l1.Uc:4,4 rnn.l1.Uo:4,4 rnn.l1.Wi:4,4 rnn.l1.Wf:4,4 "
        "rnn.l1.Wc:4,4 rnn.l1.Wo:4,4 rnn.l1.bi:4 rnn.l1.bf:4 rnn.l1.bc:4 rnn.l1.bo:4 "
        "plain.U:3,4 plain.W:4,4 out.W:4,5 out.b:5", RG_F32);
    RGT_CHECK_MSG(rg_params_load(&ps, 1, golden, &partial) == RG_OK, "%s", rg_params_message(ps));
    for (int64_t g = 0; g < 4; g++) {
        char U[] = "rnn.l0.U?", W[] = "rnn.l1.W?", b[] = "rnn.l1.b?";
        U[8] = W[8] = b[8] = gates[g];
        RGT_CHECK(is_block(ps, U, "rnn.weight_ih_l0", g));
        RGT_CHECK(is_block(ps, W, "rnn.weight_hh_l1", g));
        RGT_CHECK(is_bias(ps, b, "rnn.bias_ih_l1", "rnn.bias_hh_l1", g));
    }
    RGT_CHECK(is_block(ps, "plain.W", "plain.weight_hh_l0", 0));
    RGT_CHECK(is_block(ps, "out.W", "out.weight", 0) && is_bias(ps, "out.b", "out.bias", NULL, 0));
    RGT_CHECK(((float *)rg_params_find(ps, "embed.E").data)[20] == (float)rank_of("embed.weight") +
              20 / 64.0f);
    rg_params_destroy(&ps);
}

RGT_TEST(io, a_gru_of_pytorch_needs_to_be_called_so_and_a_place_for_its_second_bias)
{
    static const char gates[] = "rug";
    static const char plain[] = "gru.Ur:3,4 gru.Uu:3,4 gru.Ug:3,4 gru.Wr:4,4 gru.Wu:4,4 gru.Wg:4,4 "
                                "gru.br:4 gru.bu:4 gru.bg:4";
    char arrays[200];
    rg_layer_desc layer = { .group = "gru", .kind = "gru-after" };
    rg_load_opts opts = { .partial = true };
    rg_params *ps = rgt_store(plain, RG_F32), *same = rgt_store(plain, RG_F32);
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'gru' may reset before or after the product"));
    opts.layers = &layer;
    opts.n_layers = 1;
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'gru.bias_hh_l0' has a second bias for"));
    layer.kind = "gru";
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'gru' is a gru, in the file a gru-after"));
    RGT_CHECK(rgt_equal(ps, same));
    rg_params_destroy(&ps);
    rg_params_destroy(&same);

    layer.kind = "gru-after";
    strcpy(arrays, plain);
    ps = rgt_store(strcat(arrays, " gru.bhg:4"), RG_F32);
    RGT_CHECK_MSG(rg_params_load(&ps, 1, golden, &opts) == RG_OK, "%s", rg_params_message(ps));
    for (int64_t g = 0; g < 3; g++) {
        char U[] = "gru.U?", W[] = "gru.W?", b[] = "gru.b?";
        U[5] = W[5] = b[5] = gates[g];
        RGT_CHECK(is_block(ps, U, "gru.weight_ih_l0", g) && is_block(ps, W, "gru.weight_hh_l0", g));
        RGT_CHECK(is_bias(ps, b, "gru.bias_ih_l0", g < 2 ? "gru.bias_hh_l0" : NULL, g));
    }
    RGT_CHECK(is_bias(ps, "gru.bhg", "gru.bias_hh_l0", NULL, 2));
    rg_params_destroy(&ps);
}

RGT_TEST(io, layers_described_by_the_caller_unfold_into_an_empty_store)
{
    rg_layer_desc layers[] = {
        { .group = "enc.l0", .kind = "lstm", .torch = "rnn" },
        { .group = "enc.l1", .kind = "lstm", .torch = "rnn", .layer = 1 },
        { .group = "gru", .kind = "gru-after" }, { .group = "plain", .kind = "rnn" },
        { .group = "out", .kind = "dense" }, { .group = "embed", .kind = "embedding" },
    };
    rg_load_opts opts = { .widen = true, .layers = layers, .n_layers = 6 };
    rg_params *ps;
    RGT_CHECK(rg_params_create(&ps, 0, NULL) == RG_OK);
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'double' is F64 in the file, the store is of F32"));
    rg_params_destroy(&ps);
    RGT_CHECK(rg_params_create(&ps, 0, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK_MSG(rg_params_load(&ps, 1, golden, &opts) == RG_OK, "%s", rg_params_message(ps));
    RGT_CHECK(rg_params_count(ps) == 2 * 16 + 12 + 2 + 2 + 1 + 4);
    RGT_CHECK(((double *)rg_params_find(ps, "enc.l1.bhf").data)[1] ==
              rank_of("rnn.bias_hh_l1") + 5 / 64.0);
    const double *half = rg_params_find(ps, "half").data, *brain = rg_params_find(ps, "brain").data;
    RGT_CHECK(half[0] == 1.5 && half[1] == -2 && half[2] == 0x1p-24 && half[3] == 65504);
    RGT_CHECK(isinf(half[4]) && half[5] == 0 && signbit(half[5]));
    RGT_CHECK(brain[0] == 1.5 && brain[2] == 0x1p-133 && brain[3] == 0x1.c4p127 &&
              -brain[4] > 1e300);
    RGT_CHECK(*(int64_t *)rg_params_find(ps, "count").data == rank_of("count"));
    rg_params_destroy(&ps);
}

RGT_TEST(io, layers_cannot_unfold_into_names_of_states_or_of_each_other)
{
    static const struct { rg_layer_desc layer[2]; const char *says; } row[] = {
        { { { .group = "optim", .kind = "lstm", .torch = "rnn" },
            { .group = "x", .kind = "dense", .torch = "out" } },
          "layer 'optim' has no name that a model may have" },
        { { { .group = "x", .kind = "gru-after", .torch = "rnn" },
            { .group = "y", .kind = "dense", .torch = "out" } },
          "'rnn' in the file has not the shapes of a gru-after" },
        { { { .group = "x", .kind = "embedding", .torch = "embed" },
            { .group = "y", .kind = "dense", .torch = "rnn" } },
          "'double' is F64" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_load_opts opts = { .widen = true, .layers = row[i].layer, .n_layers = 2 };
        rg_params *ps;
        RGT_CHECK(rg_params_create(&ps, 0, NULL) == RG_OK);
        RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), row[i].says), "%s", rg_params_message(ps));
        RGT_CHECK(rg_params_count(ps) == 0);
        rg_params_destroy(&ps);
    }
}

RGT_TEST(io, an_empty_store_takes_the_arrays_of_an_unknown_program_as_they_are)
{
    rg_params *ps;
    RGT_CHECK(rg_params_create(&ps, 0, &(rg_params_opts){ .real = RG_F64 }) == RG_OK);
    RGT_CHECK(rg_params_load(&ps, 1, golden, &(rg_load_opts){ .widen = true }) == RG_OK);
    RGT_CHECK(rg_shape_equal(rg_params_find(ps, "rnn.weight_ih_l1").shape, RG_SHAPE(16, 4)));
    rg_params_destroy(&ps);
}

RGT_TEST(io, sixteen_bits_are_widened_on_request_only)
{
    rg_load_opts opts = { .partial = true };
    rg_params *ps = rgt_store("half:6 brain:2,3", RG_F32);
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'brain' is BF16 in the file, F32 here (ask"));
    opts.widen = true;
    RGT_CHECK(rg_params_load(&ps, 1, golden, &opts) == RG_OK);
    RGT_CHECK(((float *)rg_params_find(ps, "half").data)[3] == 65504);
    rg_params_destroy(&ps);
}
