/* tests/io/npy.c -- arrays of NumPy's: golden files, round trips, malformed ones. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "io/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOLDEN RGT_SOURCE "/tests/io/golden/"

static double element(const rg_array *a, int64_t i)
{
    switch (a->dtype) {
    case RG_F32: return ((const float *)a->data)[i];
    case RG_F64: return ((const double *)a->data)[i];
    case RG_I32: return ((const int32_t *)a->data)[i];
    case RG_I64: return (double)((const int64_t *)a->data)[i];
    default: return ((const uint8_t *)a->data)[i];
    }
}

/* Element i is i - @p minus, or i modulo 2 for minus < 0. */
static void is_counted(const char *path, rg_dtype dtype, rg_shape shape, int minus)
{
    rg_array a;
    RGT_CHECK_MSG(rg_npy_load(&a, path) == RG_OK, "%s", a.message);
    RGT_CHECK(a.dtype == dtype && rg_shape_equal(a.shape, shape) && a.data && a.message[0] == '\0');
    for (int64_t i = 0; i < rg_shape_count(shape); i++)
        RGT_CHECK(element(&a, i) == (double)(minus < 0 ? i % 2 : i - minus));
    rg_array_destroy(&a);
    RGT_CHECK(a.data == NULL);
}

/* Was the library built with it? */
static bool has_zlib(void)
{
    rg_array a;
    rg_status st = rg_npy_load(&a, GOLDEN "packed.npz:f4");
    bool lacks = st && rgt_has(a.message, "built without zlib");
    rg_array_destroy(&a);
    return !lacks;
}

static void refused(const char *path, rg_status want, const char *says)
{
    rg_array a;
    rg_status st = rg_npy_load(&a, path);
    RGT_CHECK_MSG(st == want && rgt_has(a.message, says) && rgt_has(a.message, "load '"),
                  "%d for \"%s\": %s", st, says, a.message);
    RGT_CHECK(a.data == NULL && a.bytes == 0);
}

RGT_TEST(npy, files_of_numpy_are_read_whatever_type_order_and_archive)
{
    static const char *const archive[] = { GOLDEN "plain.npz:", GOLDEN "packed.npz:" };
    char path[300];
#define MEMBER(name) (snprintf(path, sizeof path, "%s%s", archive[k], name), path)
    is_counted(GOLDEN "matrix.npy", RG_F32, RG_SHAPE(2, 3), 3);
    is_counted(GOLDEN "v3.npy", RG_F64, RG_SHAPE(5), 3);
    for (int k = 0; k < 1 + has_zlib(); k++) {
        is_counted(MEMBER("f4"), RG_F32, RG_SHAPE(2, 3), 3);
        is_counted(MEMBER("f4.npy"), RG_F32, RG_SHAPE(2, 3), 3);
        is_counted(MEMBER("f8"), RG_F64, RG_SHAPE(5), 3);
        is_counted(MEMBER("i4"), RG_I32, RG_SHAPE(2, 1, 2), 3);
        is_counted(MEMBER("i8"), RG_I64, RG_SHAPE(4), 3);
        is_counted(MEMBER("u1"), RG_U8, RG_SHAPE(3, 3), 0);
        is_counted(MEMBER("b1"), RG_U8, RG_SHAPE(7), -1);
        is_counted(MEMBER("scalar"), RG_F32, RG_SCALAR, 3);
        is_counted(MEMBER("empty"), RG_F32, RG_SHAPE(0, 3), 3);
        is_counted(MEMBER("fortran"), RG_F64, RG_SHAPE(2, 3, 4), 3);
        refused(MEMBER("big"), RG_EDTYPE, "type '>f4' is none of");
        refused(MEMBER("half"), RG_EDTYPE, "type '<f2' is none of");
        refused(MEMBER("none"), RG_EARG, "the archive has no member 'none'");
    }
    refused(GOLDEN "plain.npz", RG_EFORMAT, "an archive: name a member, as in 'file.npz:name'");
    refused(GOLDEN "absent.npy", RG_EIO, "ENOENT");
    if (!has_zlib())
        refused(GOLDEN "packed.npz:f4", RG_EFORMAT, "built without zlib");
}

RGT_TEST(npy, what_is_saved_comes_back)
{
    static const double data[24] = { 0, 1, -2, 3.5, 4, 5, 6, 7, 8, 9, 10, 11 };
    static const rg_shape shapes[] = {
        { .rank = 0 }, { 1, { 5 } }, { 2, { 0, 7 } }, { 3, { 2, 3, 4 } },
        { 8, { 1, 2, 1, 1, 1, 1, 1, 3 } }
    };
    static const size_t item[] = { 4, 8, 4, 8, 1 };
    rgt_folder d;
    rgt_folder_begin(&d);
    for (int type = 0; type <= RG_U8; type++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            double copy[24];
            rg_array a = { (rg_dtype)type, shapes[k], copy, 0, "" }, b;
            memcpy(copy, data, sizeof copy);
            a.bytes = (size_t)rg_shape_count(shapes[k]) * item[type];
            RGT_CHECK_MSG(rg_npy_save(&a, rgt_in(&d, "a.npy")) == RG_OK, "%s", a.message);
            RGT_CHECK_MSG(rg_npy_load(&b, d.file) == RG_OK, "%s", b.message);
            RGT_CHECK(b.dtype == a.dtype && rg_shape_equal(a.shape, b.shape) && a.bytes == b.bytes);
            RGT_CHECK(memcmp(a.data, b.data, a.bytes) == 0);
            rgt_bytes file = rgt_read(d.file);
            RGT_CHECK((file.n - a.bytes) % 64 == 0 && rgt_entries(&d) == 1);
            free(file.data);
            rg_array_destroy(&b);
        }
    rgt_folder_end(&d);
}

RGT_TEST(npy, arrays_that_are_not_what_they_say_are_not_saved)
{
    float data[2] = { 1, 2 };
    rgt_folder d;
    rgt_folder_begin(&d);
    rg_array a = { RG_F32, RG_SHAPE(2), data, 4, "" };
    RGT_CHECK(rg_npy_save(&a, rgt_in(&d, "a")) == RG_EARG);
    RGT_CHECK(rgt_has(a.message, "4 bytes given where type and shape need 8"));
    a = (rg_array){ RG_F32, RG_SHAPE(2), NULL, 8, "" };
    RGT_CHECK(rg_npy_save(&a, d.file) == RG_EARG);
    a = (rg_array){ RG_F32, RG_SHAPE(-2), data, 8, "" };
    RGT_CHECK(rg_npy_save(&a, d.file) == RG_ESHAPE && rgt_has(a.message, "negative"));
    a = (rg_array){ (rg_dtype)9, RG_SHAPE(2), data, 8, "" };
    RGT_CHECK(rg_npy_save(&a, d.file) == RG_EDTYPE);
    a = (rg_array){ RG_F32, RG_SHAPE(2), data, 8, "" };
    RGT_CHECK(rg_npy_save(&a, "/dev/full") == RG_EARG && rgt_has(a.message, "save '/dev/full'"));
    RGT_CHECK(rg_npy_save(NULL, d.file) == RG_EARG && rg_npy_save(&a, NULL) == RG_EARG);
    RGT_CHECK(rg_npy_load(NULL, d.file) == RG_EARG && rg_npy_load(&a, NULL) == RG_EARG);
    rg_array_destroy(NULL);
    RGT_CHECK(rgt_entries(&d) == 0);
    rgt_folder_end(&d);
}

/* ---- Malformed ------------------------------------------------------------------------------- */

static void write_npy(const char *path, int version, const char *header, size_t data)
{
    unsigned char bytes[600] = "\x93NUMPY";
    size_t n = strlen(header), start = version == 1 ? 10 : 12;
    bytes[6] = (unsigned char)version;
    bytes[8] = (unsigned char)n;
    bytes[9] = (unsigned char)(n >> 8);
    memcpy(bytes + start, header, n);
    memset(bytes + start + n, 1, data);
    rgt_write_file(path, bytes, start + n + data);
}

#define H(descr, order, shape) \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }   \n"

static const struct header_row {
    const char *header;
    size_t      data;
    rg_status   want;
    const char *says;
} header_row[] = {
    { H("'<f4'", "False", "(2,)"), 8, RG_OK, "" },
    { H("\"<f4\"", "False", "(2,)"), 8, RG_OK, "" },
    { "{'shape':(2,),'descr':'<f4','fortran_order':False}\n", 8, RG_OK, "" },
    { H("'<f4'", "False", "(2,)"), 7, RG_EFORMAT, "7 bytes of data where type and shape need" },
    { H("'<f4'", "False", "(2,)"), 9, RG_EFORMAT, "9 bytes of data" },
    { H("'<f4'", "False", "(2)"), 8, RG_EFORMAT, "shape: one extent without a comma" },
    { H("'<f4'", "False", "(2,,)"), 8, RG_EFORMAT, "shape: a decimal integer" },
    { H("'<f4'", "False", "(,)"), 4, RG_EFORMAT, "shape: a decimal integer" },
    { H("'<f4'", "False", "(2 1)"), 8, RG_EFORMAT, "shape: ',' or ')' is missing" },
    { H("'<f4'", "False", "(-2,)"), 8, RG_EFORMAT, "shape: a decimal integer without sign" },
    { H("'<f4'", "False", "(True,)"), 4, RG_EFORMAT, "shape: a decimal integer" },
    { H("'<f4'", "False", "(2L,)"), 8, RG_EFORMAT, "shape: ',' or ')' is missing" },
    { H("'<f4'", "False", "(2.0,)"), 8, RG_EFORMAT, "shape: a decimal integer" },
    { H("'<f4'", "False", "(9223372036854775808,)"), 8, RG_EFORMAT, "2^63" },
    { H("'<f4'", "False", "(4294967296, 4294967296)"), 8, RG_ELIMIT, "too large" },
    { H("'<f4'", "False", "(0, 4294967296, 4294967296)"), 0, RG_ELIMIT, "too large" },
    { H("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), 4, RG_ELIMIT, "more than 8 axes" },
    { H("'<f4'", "False", "[2]"), 8, RG_EFORMAT, "shape: '(' is missing" },
    { H("'<f4'", "0", "(2,)"), 8, RG_EFORMAT, "fortran_order: True or False is missing" },
    { H("'<f4'", "false", "(2,)"), 8, RG_EFORMAT, "fortran_order: True or False" },
    { H("'O'", "False", "(2,)"), 8, RG_EFORMAT, "descr: a type that is no number" },
    { H("'|O'", "False", "(2,)"), 8, RG_EFORMAT, "descr: a type that is no number" },
    { H("'|S8'", "False", "(1,)"), 8, RG_EFORMAT, "descr: a type that is no number" },
    { H("'|V8'", "False", "(1,)"), 8, RG_EFORMAT, "descr: a type that is no number" },
    { H("[('a', '<f4')]", "False", "(2,)"), 8, RG_EFORMAT, "descr: a structured type" },
    { H("'>f4'", "False", "(2,)"), 8, RG_EDTYPE, "'>f4'" },
    { H("'<c8'", "False", "(1,)"), 8, RG_EDTYPE, "'<c8'" },
    { H("'<f4", "False", "(2,)"), 8, RG_EFORMAT, "descr: a type that is no number" },
    { H("<f4'", "False", "(2,)"), 8, RG_EFORMAT, "descr: a string is missing" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, RG_EFORMAT, "newline" },
    { "", 0, RG_EFORMAT, "newline" },
    { "\n", 0, RG_EFORMAT, "byte 10: '{' is missing" },
    { "{'descr': '<f4', 'fortran_order': False}\n", 8, RG_EFORMAT, "is missing" },
    { "{'descr': '<f4', 'descr': '<f4'}\n", 8, RG_EFORMAT, "a key twice" },
    { "{'descr': '<f4', 'x': '<f4'}\n", 8, RG_EFORMAT, "a key that arrays do not have" },
    { "{'descr': '<f4' 'shape': (2,)}\n", 8, RG_EFORMAT, "',' or '}' is missing" },
    { "{'descr': '<f4\n", 8, RG_EFORMAT, "a string without end" },
    { "{descr: '<f4'}\n", 8, RG_EFORMAT, "a string is missing" },
    { "{'descr'}\n", 8, RG_EFORMAT, "':' is missing" },
    { H("'<f4'", "False", "(2,)") "x\n", 8, RG_EFORMAT, "something follows the header" },
    { "{'d\xc3\xa9scr': '<f4'}\n", 8, RG_EFORMAT, "not ASCII" },
    { H("'|b1'", "False", "(2,)"), 2, RG_OK, "" },
};

RGT_TEST(npy, every_malformed_header_is_refused)
{
    rgt_folder d;
    rgt_folder_begin(&d);
    for (size_t i = 0; i < sizeof header_row / sizeof *header_row; i++)
        for (int version = 1; version <= 3; version++) {
            const struct header_row *row = &header_row[i];
            write_npy(rgt_in(&d, "x.npy"), version, row->header, row->data);
            rg_array a;
            rg_status st = rg_npy_load(&a, d.file);
            bool place = version > 1 && strncmp(row->says, "byte", 4) == 0;
            const char *says = place ? "byte 12" : row->says;
            RGT_CHECK_MSG(st == row->want && rgt_has(a.message, says), "%d for %s: %s", st,
                          row->header, a.message);
            rg_array_destroy(&a);
        }
    rgt_folder_end(&d);
}

RGT_TEST(npy, starts_of_files_that_cannot_be_are_refused)
{
    static const char good[] = "\x93NUMPY\1\0\x38\0{'descr': '<f4', 'fortran_order': False, "
                               "'shape': (), }\n"
                               "1234";
    char bytes[80];
    rgt_folder d;
    rgt_folder_begin(&d);
    (void)rgt_in(&d, "x.npy");
    const size_t n = sizeof good - 1;
    RGT_CHECK(n == 10 + 0x38 + 4);
    rgt_write_file(d.file, good, n);
    rg_array a;
    RGT_CHECK_MSG(rg_npy_load(&a, d.file) == RG_OK && memcmp(a.data, "1234", 4) == 0, "%s",
                  a.message);
    rg_array_destroy(&a);
    for (size_t k = 0; k < n; k++) {
        rgt_write_file(d.file, good, k);
        refused(d.file, RG_EFORMAT, k < 10 ? "shorter than the start"
                                    : k < 10 + 0x38 ? "past the end" : "bytes of data");
    }
    static const struct { size_t at; char byte; rg_status want; const char *says; } row[] = {
        { 0, 'N', RG_EFORMAT, "byte 0: this is no array of NumPy's" },
        { 6, 0, RG_EVERSION, "version 0.0" }, { 6, 4, RG_EVERSION, "version 4.0" },
        { 7, 1, RG_EVERSION, "version 1.1" }, { 9, 1, RG_EFORMAT, "header of 312 bytes reaches" },
        { 9, 0x7f, RG_ELIMIT, "header of 32568 bytes, more than 10000" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        memcpy(bytes, good, n);
        bytes[row[i].at] = row[i].byte;
        rgt_write_file(d.file, bytes, n);
        refused(d.file, row[i].want, row[i].says);
    }
    refused(d.path, RG_EIO, "this is a folder");
    rgt_folder_end(&d);
}

RGT_TEST(npy, truth_values_are_0_or_1)
{
    rgt_folder d;
    rgt_bytes b;
    rgt_folder_begin(&d);
    write_npy(rgt_in(&d, "x.npy"), 1, H("'|b1'", "False", "(2,)"), 2);
    b = rgt_read(d.file);
    b.data[b.n - 1] = 2;
    rgt_write_file(d.file, b.data, b.n);
    refused(d.file, RG_EFORMAT, "a truth value other than 0 and 1");
    free(b.data);
    rgt_folder_end(&d);
}

/* ---- Archives -------------------------------------------------------------------------------- */

/* Where the @p nth occurrence of a signature is, from 0. */
static size_t find(const rgt_bytes *b, const char *signature, int nth)
{
    for (size_t i = 0; i + 4 <= b->n; i++)
        if (memcmp(b->data + i, signature, 4) == 0 && nth-- == 0)
            return i;
    RGT_CHECK_MSG(false, "no %s", signature);
    return 0;
}

/* bytes at an offset from a signature of plain.npz, whose first member is f4.npy */
static const struct damage {
    const char *signature;
    int         nth;
    size_t      at;
    const char *bytes;
    size_t      n;
    rg_status   want;
    const char *says;
} damages[] = {
    { "PK\5\6", 0, 0, "XX", 2, RG_EFORMAT, "no zip archive: its end is missing" },
    { "PK\5\6", 0, 20, "\1", 1, RG_EFORMAT, "no zip archive: its end is missing" },
    { "PK\5\6", 0, 4, "\1", 1, RG_EFORMAT, "directory is not where its end says" },
    { "PK\5\6", 0, 10, "\1", 1, RG_EFORMAT, "directory is not where its end says" },
    { "PK\5\6", 0, 12, "\1", 1, RG_EFORMAT, "directory is not where its end says" },
    { "PK\5\6", 0, 16, "\xff\xff\xff\xff", 4, RG_ELIMIT, "beyond 4 GiB" },
    { "PK\5\6", 0, 8, "\1\0\1\0", 4, RG_EFORMAT, "longer than its entries" },
    { "PK\5\6", 0, 8, "\x20\0\x20\0", 4, RG_EFORMAT, "entry of the archive's directory is" },
    { "PK\1\2", 3, 0, "XX", 2, RG_EFORMAT, "entry of the archive's directory is damaged" },
    { "PK\1\2", 3, 30, "\xff\xff", 2, RG_EFORMAT, "entry of the archive's directory is" },
    { "PK\1\2", 3, 46, "a/", 2, RG_EFORMAT, "a member's name is a path" },
    { "PK\1\2", 3, 46, "..", 2, RG_EFORMAT, "a member's name is a path" },
    { "PK\1\2", 3, 46, "a\0", 2, RG_EFORMAT, "a member's name is a path" },
    { "PK\1\2", 1, 46, "f4.npy", 6, RG_EFORMAT, "two members are named 'f4'" },
    { "PK\1\2", 0, 8, "\1", 1, RG_EFORMAT, "encrypted" },
    { "PK\1\2", 0, 10, "\x0c", 1, RG_EFORMAT, "a method other than deflate" },
    { "PK\1\2", 0, 20, "\xff\xff\xff\xff", 4, RG_ELIMIT, "larger than 4 GiB" },
    { "PK\1\2", 0, 24, "\0\0\0\x7f", 4, RG_ELIMIT, "expands to 2130706432 bytes, more than" },
    { "PK\1\2", 0, 24, "\1", 1, RG_EFORMAT, "not compressed, yet its sizes differ" },
    { "PK\1\2", 0, 42, "\0\0\xff\0", 4, RG_EFORMAT, "outside of the archive" },
    { "PK\1\2", 0, 42, "\1", 1, RG_EFORMAT, "the member's header is damaged" },
    { "PK\1\2", 0, 16, "\1\2\3\4", 4, RG_EFORMAT, "the member is damaged: its checksum" },
    { "PK\1\2", 0, 20, "\0\x40\0\0\0\x40\0\0", 8, RG_EFORMAT,
      "reaches into the archive's directory" },
    { "PK\3\4", 0, 26, "\xff\xff", 2, RG_EFORMAT, "reaches into the archive's directory" },
    { "PK\3\4", 0, 18, "\1\0\0\0\1\0\0\0", 8, RG_EFORMAT, "give other sizes" },
    { "\x93NUM", 0, 128, "\xff", 1, RG_EFORMAT, "the member is damaged: its checksum" },
};

RGT_TEST(npy, damaged_archives_are_refused)
{
    rgt_folder d;
    char path[200];
    rgt_bytes b = rgt_read(GOLDEN "plain.npz");
    rgt_folder_begin(&d);
    (void)snprintf(path, sizeof path, "%s:f4", rgt_in(&d, "x.npz"));
    rgt_write_file(d.file, b.data, b.n);
    is_counted(path, RG_F32, RG_SHAPE(2, 3), 3);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const struct damage *row = &damages[i];
        unsigned char saved[16], *at = b.data + find(&b, row->signature, row->nth) + row->at;
        memcpy(saved, at, row->n);
        memcpy(at, row->bytes, row->n);
        rgt_write_file(d.file, b.data, b.n);
        refused(path, row->want, row->says);
        memcpy(at, saved, row->n);
    }
    for (size_t n = 0; n < b.n; n++) { /* every truncation */
        rg_array a;
        RGT_CHECK(truncate(d.file, 0) == 0);
        rgt_write_file(d.file, b.data, n);
        RGT_CHECK(rg_npy_load(&a, path) == RG_EFORMAT);
    }
    free(b.data);
    rgt_folder_end(&d);
}

RGT_TEST(npy, damaged_compression_is_refused)
{
    rgt_folder d;
    char path[200];
    int refusals = 0;
    rgt_bytes b = rgt_read(GOLDEN "packed.npz");
    if (!has_zlib())
        RGT_SKIP("built without zlib");
    rgt_folder_begin(&d);
    (void)snprintf(path, sizeof path, "%s:zeros", rgt_in(&d, "x.npz"));
    size_t from = find(&b, "PK\3\4", 0), to = find(&b, "PK\3\4", 1);
    for (size_t i = from; i < to; i++) { /* the member zeros is the first */
        rg_array a;
        b.data[i] ^= 0x10;
        rgt_write_file(d.file, b.data, b.n);
        rg_status st = rg_npy_load(&a, path);
        refusals += st != RG_OK;
        RGT_CHECK(st == RG_OK || st == RG_EFORMAT || st == RG_EVERSION || st == RG_EDTYPE ||
                  st == RG_ELIMIT);
        for (size_t k = 0; !st && k < 3000; k++) /* bytes that nobody reads: dates and the like */
            RGT_CHECK(((float *)a.data)[k] == 0);
        rg_array_destroy(&a);
        b.data[i] ^= 0x10;
    }
    RGT_CHECK(refusals > 100);
    free(b.data);
    rgt_folder_end(&d);
}
