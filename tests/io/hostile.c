/* tests/io/hostile.c -- files that are no safetensors files, one row per way, and damaged ones. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "graph/params.h"
#include "io/crc.h"
#include "io/tensors.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Loading must fail so and leave the store as it was. */
static void refused_load(const char *path, rg_status want, const char *says)
{
    rg_params *ps = rgt_store("w:2", RG_F32), *same = rgt_store("w:2", RG_F32);
    rg_status st = rg_params_load(&ps, 1, path, NULL);
    RGT_CHECK_MSG(st == want && rgt_has(rg_params_message(ps), says), "%d: %s", st,
                  rg_params_message(ps));
    RGT_CHECK(rgt_equal(ps, same));
    rg_params_destroy(&ps);
    rg_params_destroy(&same);
}

/* So must a look. */
static void refused(const char *path, rg_status want, const char *says, const char *says_too)
{
    rg_file info;
    rg_status st = rg_file_info(&info, path);
    RGT_CHECK_MSG(st == want && rgt_has(info.message, says) && rgt_has(info.message, says_too),
                  "%d for \"%s\": %s", st, says, info.message);
    RGT_CHECK(info.arrays == NULL && info.memory == NULL && info.n_arrays == 0);
    refused_load(path, want, says);
}

#define W(dtype, shape, offsets) \
    "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct row {
    const char *header;
    size_t      data;
    rg_status   want;
    const char *says, *says_too;
} rows[] = {
    { "[]", 0, RG_EFORMAT, "byte 8", "does not begin with '{'" },
    { " {}", 0, RG_EFORMAT, "byte 8", "does not begin with '{'" },
    { "{\"\xff\":1}", 0, RG_EFORMAT, "byte 10", "not UTF-8" },
    { "{\"\xc0\x80\":1}", 0, RG_EFORMAT, "byte 10", "not UTF-8" },
    { "{\"\xed\xa0\x80\":1}", 0, RG_EFORMAT, "byte 10", "not UTF-8" },
    { "{\"w\xe2\x82\":1}", 0, RG_EFORMAT, "byte 11", "not UTF-8" },
    { "{", 0, RG_EFORMAT, "header of 1 bytes", "no safetensors file" },
    { "{ ", 0, RG_EFORMAT, "byte 10", "a string is missing" },
    { "{}x", 0, RG_EFORMAT, "byte 10", "other than spaces" },
    { "{}\n", 0, RG_EFORMAT, "byte 10", "other than spaces" },
    { "{} {}", 0, RG_EFORMAT, "byte 11", "other than spaces" },
    { "{,}", 0, RG_EFORMAT, "byte 9", "a string is missing" },
    { "{\"w\"}", 0, RG_EFORMAT, "byte 12", "':' is missing" },
    { "{\"w\":1}", 0, RG_EFORMAT, "'w': byte 13", "'{' is missing" },
    { "{\"w\":[{}]}", 0, RG_EFORMAT, "'w': byte 13", "'{' is missing" },
    { "{\"w", 0, RG_EFORMAT, "byte 9", "a string without end" },
    { "{\"w\x01\":{}}", 0, RG_EFORMAT, "byte 11", "control character" },
    { "{\"\\x\":{}}", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"\\u12g4\":{}}", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"\\ud800\":{}}", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"\\udc00\":{}}", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"\\ud800\\u0041\":{}}", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"\\", 0, RG_EFORMAT, "byte 10", "escape" },
    { "{\"__metadata__\":1}", 0, RG_EFORMAT, "byte 24", "'{' is missing" },
    { "{\"__metadata__\":{\"a\":1}}", 0, RG_EFORMAT, "__metadata__: a string is missing",
      "byte 29" },
    { "{\"__metadata__\":{\"a\":{\"b\":{}}}}", 0, RG_EFORMAT, "__metadata__: a string", "byte 29" },
    { "{\"__metadata__\":{\"a\":\"1\",\"\\u0061\":\"1\"}}", 0, RG_EFORMAT, "key 'a' twice", "" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, RG_EFORMAT, "__metadata__ twice", "" },
    { "{\"w\":{}}", 0, RG_EFORMAT, "'w'", "dtype: this field is missing" },
    { "{\"w\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, RG_EFORMAT, "'w'",
      "data_offsets: this field" },
    { "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", 0, RG_EFORMAT, "'w'", "shape: this" },
    { "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, RG_EFORMAT, "'w'", "a field twice" },
    { "{\"w\":{\"dtype\":\"F32\",\"\\u0064type\":\"F32\"}}", 0, RG_EFORMAT, "'w'",
      "a field twice" },
    { "{\"w\":{\"strides\":[1]}}", 0, RG_EFORMAT, "'w'", "a field that arrays do not have" },
    { W("F33", "[2]", "[0,8]"), 8, RG_EFORMAT, "'w'", "dtype: an unknown element type" },
    { W("f32", "[2]", "[0,8]"), 8, RG_EFORMAT, "'w'", "dtype: an unknown element type" },
    { W("F32", "2", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: '[' is missing" },
    { W("F32", "[-2]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer without sign" },
    { W("F32", "[2.0]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[2e0]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[02]", "[0,8]"), 8, RG_EFORMAT, "'w'", "leading zero" },
    { W("F32", "[2,]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[2 2]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: ',' is missing" },
    { W("F32", "[true]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[null]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[[[2]]]", "[0,8]"), 8, RG_EFORMAT, "'w'", "shape: a decimal integer" },
    { W("F32", "[9223372036854775808]", "[0,8]"), 8, RG_EFORMAT, "'w'", "2^63 or more" },
    { W("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, RG_ELIMIT, "'w'", "more than 8 axes" },
    { W("F32", "[4294967296,4294967296]", "[0,8]"), 8, RG_ELIMIT, "'w'", "too large" },
    { W("F32", "[0,4294967296,4294967296]", "[0,0]"), 0, RG_ELIMIT, "'w'", "too large" },
    { W("F32", "[4294967296,4294967296,0]", "[0,0]"), 0, RG_ELIMIT, "'w'", "too large" },
    { W("F64", "[140737488355328]", "[0,8]"), 8, RG_ELIMIT, "'w'", "too large" },
    { W("F32", "[2]", "[8,0]"), 8, RG_EFORMAT, "'w'", "begin is after end" },
    { W("F32", "[2]", "[9,8]"), 8, RG_EFORMAT, "'w'", "begin is after end" },
    { W("F32", "[2]", "[0]"), 8, RG_EFORMAT, "'w'", "data_offsets: ',' is missing" },
    { W("F32", "[2]", "[0,8,8]"), 8, RG_EFORMAT, "'w'", "data_offsets: ']' is missing" },
    { W("F32", "[2]", "[0,4]"), 4, RG_EFORMAT, "'w'", "not as many bytes" },
    { W("F32", "[2]", "[0,12]"), 12, RG_EFORMAT, "'w'", "not as many bytes" },
    { W("F32", "[2]", "[4,12]"), 12, RG_EFORMAT, "'w'", "a hole in front of it" },
    { W("F32", "[2]", "[0,8]"), 7, RG_EFORMAT, "'w'", "ends beyond the file" },
    { W("F32", "[2]", "[0,8]"), 9, RG_EFORMAT, "1 bytes that belong to no array", "" },
    { "{}", 5, RG_EFORMAT, "byte 10", "5 bytes that belong to no array" },
    { "{\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"w\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}", 7,
      RG_EFORMAT, "'w'", "overlaps" },
    { "{\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
      "\"\\u0076\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}", 8,
      RG_EFORMAT, "'v'", "two arrays have this name" },
    { "{\"v\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]} "
      "\"w\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}", 8,
      RG_EFORMAT, "',' is missing", "byte" },
    { "{\"__metadata__\":{\"retrograd.version\":\"2\"}}", 0, RG_EVERSION, "version 2", "knows" },
    { "{\"__metadata__\":{\"retrograd.version\":\"1\"}}", 0, RG_ECORRUPT, "are missing", "" },
    { "{\"__metadata__\":{\"retrograd.x\":\"1\"}}", 0, RG_ECORRUPT, "are missing", "" },
    { "{\"__metadata__\":{\"retrograd.header_crc32c\":\"12345678\"}}", 0, RG_ECORRUPT,
      "its checksum is wrong", "" },
    { "{\"__metadata__\":{\"retrograd.header_crc32c\":\"\"}}", 0, RG_ECORRUPT,
      "its checksum is wrong", "" },
};

RGT_TEST(hostile, every_malformed_header_is_refused_with_byte_and_field)
{
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rgt_write_tensors(rgt_in(&d, "x"), rows[i].header, rows[i].data);
        refused(d.file, rows[i].want, rows[i].says, rows[i].says_too);
    }
    rgt_folder_end(&d);
}

RGT_TEST(hostile, lengths_of_headers_that_cannot_be_are_refused)
{
    static const struct { uint64_t n; size_t bytes; rg_status want; const char *says; } row[] = {
        { 0, 0, RG_EFORMAT, "shorter than the 8 bytes" },
        { 0, 7, RG_EFORMAT, "shorter than the 8 bytes" },
        { 0, 8, RG_EFORMAT, "header of 0 bytes" },
        { 1, 9, RG_EFORMAT, "header of 1 bytes" },
        { 3, 10, RG_EFORMAT, "header of 3 bytes in a file of 10" },
        { UINT64_C(1) << 63, 100, RG_EFORMAT, "header of 9223372036854775808 bytes" },
        { UINT64_MAX, 100, RG_EFORMAT, "header of 18446744073709551615 bytes" },
        { UINT64_MAX - 7, 100, RG_EFORMAT, "header of 18446744073709551608 bytes" },
    };
    unsigned char bytes[100] = { 0 };
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        memcpy(bytes, &row[i].n, 8);
        rgt_write_file(rgt_in(&d, "x"), bytes, row[i].bytes);
        refused(d.file, row[i].want, row[i].says, "");
    }
    uint64_t n = RG_MAX_HEADER + 1; /* in a file that has so many, all holes */
    rgt_write_file(d.file, &n, 8);
    RGT_CHECK(truncate(d.file, RG_MAX_HEADER + 100) == 0);
    refused(d.file, RG_ELIMIT, "header of 100000001 bytes, more than 100000000", "");
    rgt_folder_end(&d);
}

RGT_TEST(hostile, odd_names_are_data_and_escaped_in_messages)
{
    static const struct { const char *name, *shown; } row[] = {
        { "", "''" }, { "..", "'..'" }, { "../../etc/passwd", "'../../etc/passwd'" },
        { "a\\u0000b", "'a\\x00b'" }, { "\\u001b[31m", "'\\x1b[31m'" }, { "\\n", "'\\x0a'" },
        { "\xc3\xa9", "'\\xc3\\xa9'" }, { "\\ud83d\\ude00", "'\\xf0\\x9f\\x98\\x80'" },
    };
    char header[200];
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_params *ps = rgt_store("w:2", RG_F32);
        rg_file info;
        (void)snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],"
                       "\"data_offsets\":[0,1]}}", row[i].name);
        rgt_write_tensors(rgt_in(&d, "x"), header, 1);
        RGT_CHECK_MSG(rg_file_info(&info, d.file) == RG_OK, "%s", info.message);
        rg_file_destroy(&info);
        RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_EMISMATCH);
        RGT_CHECK_MSG(rgt_has(rg_params_message(ps), row[i].shown), "%s", rg_params_message(ps));
        rg_params_destroy(&ps);
    }
    rgt_folder_end(&d);
}

RGT_TEST(hostile, names_that_no_store_can_have_are_not_taken_by_an_empty_one)
{
    rgt_folder d;
    rg_params *ps;
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_create(&ps, 0, NULL) == RG_OK);
    rgt_write_tensors(rgt_in(&d, "x"),
                      "{\"ok\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                      "\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2);
    RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_EMISMATCH);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'a\\x00b' is a name that no store can have"));
    RGT_CHECK(rg_params_count(ps) == 0);
    rgt_write_tensors(d.file, "{\"x\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_EMISMATCH && rg_params_count(ps) == 0);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'x' is I8 in the file"));
    rgt_write_tensors(d.file, "{\"x\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                      1);
    RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_OK && rg_params_count(ps) == 1);
    rg_params_destroy(&ps);
    RGT_CHECK(rg_params_create(&ps, 0, NULL) == RG_OK);
    rgt_write_tensors(d.file, "{\"x\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]}}",
                      2);
    RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_EFORMAT && rg_params_count(ps) == 0);
    RGT_CHECK(rgt_has(rg_params_message(ps), "'x': a truth value other than 0 and 1"));
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(hostile, what_is_no_file_is_refused_without_waiting)
{
    rgt_folder d;
    char path[5000];
    rgt_folder_begin(&d);
    refused(rgt_in(&d, "absent"), RG_EIO, "open: ENOENT", "absent");
    refused(d.path, RG_EIO, "this is a folder", "");
    refused("/dev/null", RG_EIO, "this is a device", "");
    RGT_CHECK(mkfifo(rgt_in(&d, "pipe"), 0600) == 0);
    refused(d.file, RG_EIO, "this is a pipe", "");
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    refused(path, RG_EIO, "ENAMETOOLONG", "xxx...xxx");
    refused("", RG_EIO, "ENOENT", "");
    if (geteuid() != 0) {
        rgt_write_file(rgt_in(&d, "shut"), "x", 1);
        RGT_CHECK(chmod(d.file, 0) == 0);
        refused(d.file, RG_EIO, "EACCES", "");
    }
    rgt_folder_end(&d);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* A file of ours with these layers and one array w [2]; its checksums are right. */
static void write_ours(const char *path, const char *layers)
{
    static const char data[] = "12345678";
    char header[1024];
    uint64_t n;
    rg_crc *crc = malloc(sizeof *crc);
    RGT_CHECK(crc != NULL);
    rg_crc_init(crc, RG_CRC32C);
    uint32_t sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        n = (uint64_t)snprintf(header, sizeof header,
                               "{\"__metadata__\":{\"retrograd.version\":\"1\","
                               "\"retrograd.crc32c\":\"%08x\",\"retrograd.layers\":\"%s\","
                               "\"retrograd.header_crc32c\":\"%08x\"},\"w\":{\"dtype\":\"F32\","
                               "\"shape\":[2],\"data_offsets\":[0,8]}}",
                               rg_crc_add(crc, 0, data, 8), layers, sum);
        sum = rg_crc_add(crc, 0, header, n);
    }
    memcpy(header + n, data, 8);
    char *all = malloc(8 + n + 8);
    RGT_CHECK(all != NULL);
    memcpy(all, &n, 8);
    memcpy(all + 8, header, n + 8);
    rgt_write_file(path, all, 8 + n + 8);
    free(all);
    free(crc);
}

#define LAYER(group) "{\\\"group\\\":\\\"" group "\\\",\\\"kind\\\":\\\"lstm\\\"," \
                     "\\\"torch\\\":\\\"" group "\\\",\\\"layer\\\":0,\\\"bias\\\":\\\"single\\\"}"

RGT_TEST(hostile, descriptors_that_are_none_are_refused)
{
    static const struct { const char *layers; rg_status want; const char *says; } row[] = {
        { "[]", RG_OK, "" },
        { "[" LAYER("r") "]", RG_OK, "" },
        { "", RG_EFORMAT, "layers: '[' is missing" },
        { "{}", RG_EFORMAT, "layers: '[' is missing" },
        { "[] ", RG_EFORMAT, "something follows the list" },
        { "[1]", RG_EFORMAT, "'{' is missing" },
        { "[{}]", RG_EFORMAT, "a layer lacks group, kind, torch or bias" },
        { "[" LAYER("r") ",]", RG_EFORMAT, "'{' is missing" },
        { "[{\\\"group\\\":1}]", RG_EFORMAT, "a string is missing" },
        { "[{\\\"x\\\":1}]", RG_EFORMAT, "a field that layers do not have" },
        { "[{\\\"layer\\\":-1}]", RG_EFORMAT, "a decimal integer" },
        { "[{\\\"layer\\\":2147483648}]", RG_EFORMAT, "a layer's number is too large" },
    };
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rg_file info;
        rg_params *ps = rgt_store("w:2", RG_F32);
        write_ours(rgt_in(&d, "x"), row[i].layers);
        rg_status st = rg_file_info(&info, d.file);
        RGT_CHECK_MSG(st == row[i].want && rgt_has(info.message, row[i].says), "%d for %s: %s", st,
                      row[i].layers, info.message);
        rg_file_destroy(&info);
        RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == row[i].want);
        RGT_CHECK(rgt_has(rg_params_message(ps), row[i].says));
        rg_params_destroy(&ps);
    }
    write_ours(d.file, "[" LAYER("r") "," LAYER("r") "]");
    refused_load(d.file, RG_EFORMAT, "layer 'r' is described twice");
    rgt_folder_end(&d);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

/* Loads bytes as a file into an empty store and a full one; RG_OK must mean equal to @p good. */
static rg_status load_bytes(rgt_folder *d, const rg_params *good, const void *data, size_t n)
{
    rg_params *like = rgt_like(good), *untouched = rgt_like(good);
    rgt_write_file(rgt_in(d, "x"), data, n);
    rg_status st = rg_params_load(&like, 1, d->file, NULL);
    RGT_CHECK(rgt_equal(like, st ? untouched : good));
    rg_params_destroy(&like);
    rg_params_destroy(&untouched);
    return st;
}

static rgt_bytes small_file(rgt_folder *d, rg_params **ps)
{
    rg_text_pair meta = { "note", "text" };
    rgt_folder_begin(d);
    *ps = rgt_store("r.U:2,2 r.W:2,2 r.b:2 z.E:3,2 s:", RG_F32);
    RGT_CHECK(rg_params_save(ps, 1, rgt_in(d, "m"), &(rg_save_opts){ .meta = &meta, .n_meta = 1 })
              == RG_OK);
    return rgt_read(d->file);
}

RGT_TEST(hostile, every_truncation_is_refused)
{
    rgt_folder d;
    rg_params *ps;
    rgt_bytes b = small_file(&d, &ps);
    RGT_CHECK(load_bytes(&d, ps, b.data, b.n) == RG_OK);
    for (size_t n = 0; n < b.n; n++)
        RGT_CHECK_MSG(load_bytes(&d, ps, b.data, n) == RG_EFORMAT, "%zu of %zu bytes", n, b.n);
    free(b.data);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(hostile, every_flipped_bit_is_found)
{
    rgt_folder d;
    rg_params *ps;
    rgt_bytes b = small_file(&d, &ps);
    size_t header;
    memcpy(&header, b.data, 8);
    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        rg_status st = load_bytes(&d, ps, b.data, b.n);
        RGT_CHECK_MSG(st != RG_OK, "bit %zu of byte %zu", bit % 8, bit / 8);
        RGT_CHECK_MSG(bit / 8 < 8 + header || st == RG_ECORRUPT, "byte %zu: %d", bit / 8, st);
        b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    free(b.data);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* A header of so many one-byte arrays with names of @p name_bytes each. */
static void write_many(const char *path, int n)
{
    FILE *f = fopen(path, "wb");
    uint64_t bytes = 0;
    RGT_CHECK(f != NULL && fwrite(&bytes, 8, 1, f) == 1);
    (void)fputc('{', f);
    for (int i = 0; i < n; i++) /* names in no order: 7919 is coprime to n */
        (void)fprintf(f, "%s\"t%06d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
                      i ? "," : "", (int)((long)i * 7919 % n), i, i + 1);
    (void)fputc('}', f);
    bytes = (uint64_t)ftell(f) - 8;
    for (int i = 0; i < n; i++)
        (void)fputc(1, f);
    rewind(f);
    RGT_CHECK(fwrite(&bytes, 8, 1, f) == 1 && fclose(f) == 0);
}

RGT_TEST(hostile, a_million_arrays_are_the_limit)
{
    rgt_folder d;
    rg_file info;
    rgt_folder_begin(&d);
    write_many(rgt_in(&d, "x"), RG_MAX_TENSORS);
    RGT_CHECK_MSG(rg_file_info(&info, d.file) == RG_OK, "%s", info.message);
    RGT_CHECK(info.n_arrays == RG_MAX_TENSORS && strcmp(info.arrays[1].name, "t000001") == 0);
    rg_file_destroy(&info);
    write_many(d.file, RG_MAX_TENSORS + 1);
    RGT_CHECK(rg_file_info(&info, d.file) == RG_ELIMIT);
    RGT_CHECK(rgt_has(info.message, "more than 1000000 arrays"));
    rgt_folder_end(&d);
}

/* Memory of opening stays below 64 MiB + 4 times the file: what the hooks gave out at most. */
static size_t peak_now, peak_most;

static void *peak_get(void *user, size_t bytes, size_t align)
{
    (void)user;
    peak_now += bytes;
    peak_most = peak_now > peak_most ? peak_now : peak_most;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void peak_release(void *user, void *block, size_t bytes)
{
    (void)user;
    peak_now -= bytes;
    free(block);
}

RGT_TEST(hostile, opening_takes_at_most_64_mib_and_four_times_the_file)
{
    static const rg_alloc hooks = { peak_get, peak_release, NULL };
    rgt_folder d;
    rg_err err = { .status = RG_OK };
    rgt_folder_begin(&d);
    for (int n = 1000; n <= RG_MAX_TENSORS; n *= 10) {
        rg_tensors f;
        write_many(rgt_in(&d, "x"), n);
        RGT_CHECK(rg_tensors_open(&f, &rg_disk_posix, d.file, &hooks, &err) == RG_OK);
        RGT_CHECK_MSG(peak_most <= ((size_t)64 << 20) + 4 * f.source.bytes, "%zu for %zu",
                      peak_most, f.source.bytes);
        rg_tensors_close(&f);
        RGT_CHECK(peak_now == 0);
        peak_most = 0;
    }
    rgt_folder_end(&d);
}

RGT_TEST(hostile, names_of_255_bytes_are_the_limit)
{
    char header[600], name[300];
    rgt_folder d;
    rg_file info;
    rgt_folder_begin(&d);
    for (int n = 255; n <= 256; n++) {
        memset(name, 'n', sizeof name);
        name[n] = '\0';
        (void)snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],"
                       "\"data_offsets\":[0,1]}}", name);
        rgt_write_tensors(rgt_in(&d, "x"), header, 1);
        RGT_CHECK(rg_file_info(&info, d.file) == (n == 255 ? RG_OK : RG_ELIMIT));
        RGT_CHECK(n == 255 || rgt_has(info.message, "a name of 256 bytes, more than 255"));
        rg_file_destroy(&info);
    }
    rgt_folder_end(&d);
}
