/* tests/base/text.c -- messages, numbers in any locale, UTF-8, status texts, version. */
#define _GNU_SOURCE
#include "tests/rgt.h"

#include "base/cpu.h"
#include "base/error.h"
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

RGT_TEST(error, every_code_has_a_text_of_its_own)
{
    for (int a = RG_OK; a >= RG_EINTERNAL; a--) {
        RGT_CHECK(strcmp(rg_status_text((rg_status)a), "unknown status") != 0);
        for (int b = RG_OK; b > a; b--)
            RGT_CHECK(strcmp(rg_status_text((rg_status)a), rg_status_text((rg_status)b)) != 0);
    }
    RGT_CHECK(strcmp(rg_status_text((rg_status)1), "unknown status") == 0);
    RGT_CHECK(strcmp(rg_status_text((rg_status)(RG_EINTERNAL - 1)), "unknown status") == 0);
}

RGT_TEST(error, a_message_is_one_short_line)
{
    rg_err err = { .status = RG_OK };
    char longer[2000];
    RGT_CHECK(rg_fail(&err, RG_EARG, "name '%s'", "a\nb\tc\x7f") == RG_EARG);
    RGT_CHECK(err.status == RG_EARG && strcmp(err.text, "name 'a?b?c?'") == 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    RGT_CHECK(rg_fail(&err, RG_ESHAPE, "%s", longer) == RG_ESHAPE);
    RGT_CHECK(strlen(err.text) == RG_MESSAGE_BYTES - 1);
    RGT_CHECK(rg_fail(NULL, RG_EIO, "nobody listens") == RG_EIO);
    rg_err_clear(&err);
    RGT_CHECK(err.status == RG_OK && err.text[0] == '\0');
}

RGT_TEST(error, a_prefix_goes_before_and_cuts_the_end)
{
    rg_err err = { .status = RG_OK };
    char longer[2000];
    rg_fail(&err, RG_EARG, "fact");
    rg_err_prefix(&err, "enc/gru step 3");
    RGT_CHECK(strcmp(err.text, "enc/gru step 3: fact") == 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rg_fail(&err, RG_EARG, "%s", longer);
    rg_err_prefix(&err, "head");
    RGT_CHECK(strlen(err.text) == RG_MESSAGE_BYTES - 1 && strncmp(err.text, "head: xxx", 9) == 0);
    rg_fail(&err, RG_EARG, "fact");
    rg_err_prefix(&err, longer); /* does not fit at all: the fact stays */
    RGT_CHECK(strcmp(err.text, "fact") == 0);
}

static bool prints_as(double x, int digits, const char *want)
{
    char text[RG_NUMBER_TEXT];
    return strcmp(rg_number(text, x, digits), want) == 0;
}

static bool numbers_are_right(void)
{
    double x;
    return prints_as(0.5, 6, "0.5") && prints_as(-1e-300, 3, "-1e-300") &&
           prints_as(1234567.25, 9, "1234567.25") && prints_as(0.1, 17, "0.10000000000000001") &&
           prints_as(NAN, 6, "nan") && prints_as(-INFINITY, 6, "-inf") && prints_as(3, 6, "3") &&
           rg_number_parse("1.5e3", &x) && x == 1500 && rg_number_parse("-.5", &x) && x == -0.5;
}

RGT_TEST(text, numbers_print_and_parse_with_a_point)
{
    RGT_CHECK(numbers_are_right());
    RGT_CHECK(prints_as(1.0 / 3, 0, "0.3") && prints_as(1.0 / 3, 99, "0.33333333333333331"));
}

RGT_TEST(text, what_is_not_wholly_a_number_is_none)
{
    static const char *const bad[] = { "", " 1", "1 ", "1,5", "0x10", "nan", "inf", "1e999", "-",
                                       "1.2.3", "1e", "e5", "--1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double x = 42;
        RGT_CHECK_MSG(!rg_number_parse(bad[i], &x) && x == 42, "'%s' was taken", bad[i]);
    }
}

RGT_TEST(text, a_locale_with_a_comma_changes_nothing)
{
    char folder[] = "/tmp/rgt-locale-XXXXXX", command[256], text[16];
    RGT_CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(command, sizeof command,
                   "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    int made = system(command);
    (void)setenv("LOCPATH", folder, 1);
    bool set = made == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
    (void)snprintf(text, sizeof text, "%g", 0.5);
    bool comma = strcmp(text, "0,5") == 0, right = numbers_are_right();
    (void)setlocale(LC_ALL, "C");
    (void)unsetenv("LOCPATH");
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    RGT_CHECK(system(command) == 0);
    if (!set)
        RGT_SKIP("no de_DE locale can be made here (Debian package locales)");
    RGT_CHECK(comma && right);
}

RGT_TEST(text, output_goes_to_the_writer_and_is_cut_at_its_buffer)
{
    rgt_text text = { .data = NULL };
    rg_out out = { rgt_write, &text };
    char longer[2000];
    rg_out_printf(&out, "%d %s\n", 7, "seven");
    RGT_CHECK(strcmp(text.data, "7 seven\n") == 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rg_out_printf(&out, "%s", longer);
    RGT_CHECK(text.n == 8 + 1023);
    rg_out_printf(&(rg_out){ NULL, NULL }, "nobody");
    rgt_text_free(&text);
}

RGT_TEST(text, only_well_formed_utf8_passes)
{
    static const char *const good[] = { "", "enc.Ur", "h\xc3\xa4", "\xe2\x88\x82", "\xef\xbf\xbf",
                                        "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf" };
    static const char *const bad[] = { "\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
                                       "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80", "\xff", "\xe2\x88", "a\xc3z" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        RGT_CHECK_MSG(rg_is_utf8(good[i]), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        RGT_CHECK_MSG(!rg_is_utf8(bad[i]), "bad %zu", i);
}

RGT_TEST(base, header_and_library_are_of_one_version)
{
    RGT_CHECK(rg_version() == RG_VERSION);
    RGT_CHECK(RG_VERSION == RG_VERSION_MAJOR * 10000 + RG_VERSION_MINOR * 100 + RG_VERSION_PATCH);
}

RGT_TEST(base, the_instruction_set_has_a_name)
{
    RGT_CHECK(strcmp(rg_isa_text(RG_ISA_PORTABLE), "portable") == 0);
    RGT_CHECK(strcmp(rg_isa_text(RG_ISA_AVX2), "avx2") == 0);
    RGT_CHECK(strcmp(rg_isa_text(RG_ISA_AVX512), "avx512") == 0);
    RGT_CHECK(rg_cpu_isa() == rg_cpu_isa() && rg_cpu_isa() <= RG_ISA_AVX512);
}

RGT_TEST(text, columns_are_characters_without_the_marks_above_them)
{
    RGT_CHECK(rg_text_columns("") == 0 && rg_text_columns("abc") == 3);
    RGT_CHECK(rg_text_columns("γcell") == 5 && rg_text_columns("s₁ …") == 4);
    RGT_CHECK(rg_text_columns("n\xcc\x82") == 1 && rg_text_columns("m\xcd\xa0x") == 2);
}
