/* tests/train/corpus.c -- texts: UTF-8 and bytes, places in messages, vocabularies, the split. */
#define _GNU_SOURCE
#include "tests/rgt.h"
#include "base/sha256.h"

#include <retrograd/train.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static rg_status decode(rg_corpus *c, const char *text, size_t n, bool bytes)
{
    return rg_corpus_decode(c, "t", text, n, &(rg_corpus_opts){ .bytes = bytes });
}

RGT_TEST(train, sha256_gives_the_published_digests)
{
    char hex[65], text[1000];
    rg_sha256(hex, "abc", 3);
    RGT_CHECK(!strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    rg_sha256(hex, "", 0);
    RGT_CHECK(!strcmp(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    rg_sha256(hex, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    RGT_CHECK(!strcmp(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    memset(text, 'a', sizeof text);
    rg_sha256(hex, text, sizeof text);
    RGT_CHECK(!strcmp(hex, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"));
}

RGT_TEST(train, a_vocabulary_is_sorted_and_round_trips)
{
    static const char text[] = "z\xc3\xa9" "a\xe2\x82\xac\xf0\x9f\x98\x80z\n";
    static const uint32_t want[] = { '\n', 'a', 'z', 0xe9, 0x20ac, 0x1f600 };
    rg_corpus c;
    char again[64], piece[5];
    size_t n = 0;
    RGT_CHECK(decode(&c, text, sizeof text - 1, false) == RG_OK);
    RGT_CHECK(c.n == 7 && c.V == 6 && !memcmp(c.symbol, want, sizeof want));
    for (size_t i = 0; i < c.n; i++) {
        size_t k = rg_symbol_text(piece, c.symbol[c.id[i]], c.bytes);
        memcpy(again + n, piece, k);
        n += k;
    }
    RGT_CHECK(n == sizeof text - 1 && !memcmp(again, text, n));
    rg_corpus_destroy(&c);
    RGT_CHECK(c.id == NULL && c.n == 0);
}

RGT_TEST(train, invalid_utf8_is_refused_with_line_and_byte)
{
    static const struct { const char *text; size_t n; const char *says; } bad[] = {
        { "ab\ncd\xff", 6, "t:2:3: byte 0xff is not UTF-8" },
        { "\xc0\xaf", 2, "t:1:1: byte 0xc0" },          /* overlong */
        { "\xe0\x80\xaf", 3, "t:1:1: byte 0xe0" },
        { "\xf0\x80\x80\x80", 4, "t:1:1: byte 0xf0" },
        { "\xed\xa0\x80", 3, "t:1:1: byte 0xed" },      /* surrogate */
        { "\xf4\x90\x80\x80", 4, "t:1:1: byte 0xf4" },  /* beyond U+10FFFF */
        { "a\xe2\x82", 3, "t:1:2: byte 0xe2" },         /* cut short */
        { "a\xc3(", 3, "t:1:2: byte 0xc3" },
        { "\x80", 1, "t:1:1: byte 0x80" },
        { "a\nb\0c", 5, "t:2:2: byte 0x00 is not UTF-8 text (NUL)" },
    };
    rg_corpus c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RGT_CHECK(decode(&c, bad[i].text, bad[i].n, false) == RG_EFORMAT);
        RGT_CHECK_MSG(rgt_has(c.message, bad[i].says), "%zu: %s", i, c.message);
        RGT_CHECK(!c.id && !c.symbol && c.n == 0);
        RGT_CHECK(decode(&c, bad[i].text, bad[i].n, true) == RG_OK && c.n == bad[i].n);
        RGT_CHECK(c.V == 256 && (uint8_t)bad[i].text[0] == c.id[0]);
        rg_corpus_destroy(&c);
    }
}

RGT_TEST(train, every_code_point_survives_and_every_two_bytes_are_judged)
{
    rg_corpus c;
    char text[5];
    size_t bad = 0;
    for (uint32_t u = 1; u < 0x110000; u += u < 0x900 ? 1 : 499) {
        size_t n = rg_symbol_text(text, u, false);
        bool surrogate = u >= 0xd800 && u < 0xe000;
        rg_status st = decode(&c, text, n, false);
        bad += surrogate ? st != RG_EFORMAT : st != RG_OK || c.n != 1 || c.symbol[0] != u;
        rg_corpus_destroy(&c);
    }
    RGT_CHECK_MSG(bad == 0, "%zu code points went wrong", bad);
    for (unsigned b = 0x80; b < 0x10000 && bad == 0; b += 37) {
        const char two[2] = { (char)(b >> 8), (char)b };
        bool ascii = b >> 8 > 0 && b >> 8 < 0x80 && (b & 0xff) > 0 && (b & 0xff) < 0x80;
        bool pair = b >> 8 >= 0xc2 && b >> 8 < 0xe0 && (b & 0xc0) == 0x80;
        bad += (decode(&c, two, 2, false) == RG_OK) != (ascii || pair);
        rg_corpus_destroy(&c);
    }
    RGT_CHECK(bad == 0);
}

RGT_TEST(train, byte_order_mark_and_line_ends_are_noticed)
{
    rg_corpus c;
    RGT_CHECK(decode(&c, "\xef\xbb\xbf" "a\r\nb\rc\n\r\n", 12, false) == RG_OK);
    RGT_CHECK(c.bom && c.crlf == 2 && c.cr == 1 && c.n == 9 && c.symbol[0] == '\n');
    rg_corpus_destroy(&c);
    RGT_CHECK(decode(&c, "\xef\xbb\xbf" "a", 4, true) == RG_OK);
    RGT_CHECK(!c.bom && c.n == 4);
    rg_corpus_destroy(&c);
    RGT_CHECK(decode(&c, "", 0, false) == RG_OK && c.n == 0 && c.V == 0);
    rg_corpus_destroy(&c);
}

RGT_TEST(train, a_given_vocabulary_is_obeyed)
{
    static const uint32_t vocabulary[] = { 'a', 'b', 0xe9 }, unsorted[] = { 'b', 'a' };
    rg_corpus_opts opts = { .symbol = vocabulary, .V = 3 };
    rg_corpus c;
    RGT_CHECK(rg_corpus_decode(&c, "t", "ba", 2, &opts) == RG_OK);
    RGT_CHECK(c.V == 3 && c.id[0] == 1 && c.id[1] == 0 && c.symbol[2] == 0xe9);
    rg_corpus_destroy(&c);
    RGT_CHECK(rg_corpus_decode(&c, "t", "ab\na", 4, &opts) == RG_EMISMATCH);
    RGT_CHECK_MSG(rgt_has(c.message, "t:1:3: U+000A is not in the voc"), "%s", c.message);
    RGT_CHECK(rg_corpus_decode(&c, "t", "a\xe2\x82\xac", 4, &opts) == RG_EMISMATCH);
    RGT_CHECK_MSG(rgt_has(c.message, "t:1:2: '\xe2\x82\xac' (U+20AC) is not"), "%s", c.message);
    opts = (rg_corpus_opts){ .symbol = unsorted, .V = 2 };
    RGT_CHECK(rg_corpus_decode(&c, "t", "ab", 2, &opts) == RG_EARG);
}

RGT_TEST(train, the_split_is_90_5_5_and_loses_nothing)
{
    for (size_t n = 0; n < 2000; n += n < 210 ? 1 : 97) {
        int32_t id = 0;
        rg_corpus c = { .id = &id, .n = n };
        rg_span all = rg_corpus_part(&c, RG_PART_ALL), a = rg_corpus_part(&c, RG_PART_TRAIN);
        rg_span b = rg_corpus_part(&c, RG_PART_VALID), d = rg_corpus_part(&c, RG_PART_TEST);
        RGT_CHECK(a.n == n * 90 / 100 && b.n == n * 95 / 100 - a.n && a.n + b.n + d.n == n);
        RGT_CHECK(a.id == all.id && b.id == a.id + a.n && d.id == b.id + b.n && all.n == n);
    }
}

RGT_TEST(train, a_text_packed_by_gzip_is_read)
{
    static const unsigned char packed[] = { /* "ab\nab\n" */
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
        0x4b, 0x4c, 0xe2, 0x4a, 0x4c, 0xe2, 0x02, 0x00, 0x39, 0xf8, 0x2e, 0x00, 0x06, 0x00,
        0x00, 0x00 };
    char path[] = "/tmp/rgt-text-XXXXXX";
    rg_corpus c, plain;
    int fd = mkstemp(path);
    RGT_CHECK(fd >= 0 && write(fd, packed, sizeof packed) == (ssize_t)sizeof packed);
    (void)close(fd);
    rg_status st = rg_corpus_load(&c, path, NULL);
    (void)unlink(path);
    if (st && rgt_has(c.message, "without zlib"))
        RGT_SKIP("built without zlib");
    RGT_CHECK_MSG(st == RG_OK && c.n == 6 && c.V == 3, "%s", c.message);
    RGT_CHECK(rg_corpus_decode(&plain, "t", "ab\nab\n", 6, NULL) == RG_OK);
    RGT_CHECK(!strcmp(c.sha256, plain.sha256));
    rg_corpus_destroy(&c);
    rg_corpus_destroy(&plain);
}

RGT_TEST(train, only_readable_regular_files_are_read)
{
    rg_corpus c;
    RGT_CHECK(rg_corpus_load(&c, "/nonexistent/text", NULL) == RG_EIO);
    RGT_CHECK_MSG(rgt_has(c.message, "/nonexistent/text: "), "%s", c.message);
    RGT_CHECK(rg_corpus_load(&c, "/", NULL) == RG_EIO);
    RGT_CHECK_MSG(rgt_has(c.message, "/: "), "%s", c.message);
    RGT_CHECK(rg_corpus_load(&c, "/dev/zero", NULL) == RG_EIO);
    RGT_CHECK(rg_corpus_load(NULL, "/", NULL) == RG_EARG);
    RGT_CHECK(rg_corpus_decode(&c, NULL, "a", 1, NULL) == RG_EARG);
}
