/* tests/kernels/selftest.c -- the library's test of itself, on a sound machine; what it was built
 * of. */
#include "tests/rgt.h"

#include "base/cpu.h"

#include <string.h>

static int lines_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

RGT_TEST(selftest, a_sound_machine_passes_with_a_line_for_each_family_of_each_set)
{
    rgt_text text = { 0 };
    RGT_CHECK(rg_selftest(rgt_write, &text) == RG_OK);
    RGT_CHECK(lines_of(text.data, "ok    ") == 2 + 4 * ((int)rg_cpu_isa() + 1));
    RGT_CHECK(lines_of(text.data, "\n") == lines_of(text.data, "ok    "));
    rgt_text_free(&text);
}

RGT_TEST(selftest, it_can_be_silent)
{
    RGT_CHECK(rg_selftest(NULL, NULL) == RG_OK);
}

/* Wider than any scalar machine, narrower than any that there is; f64 has half the lanes. */
RGT_TEST(selftest, the_peak_is_a_possible_speed_and_grows_with_precision_halved)
{
    const double f32 = rg_measure_peak(RG_F32, 1), f64 = rg_measure_peak(RG_F64, 1);
    RGT_CHECK(f32 > 0.1 && f32 < 1000 && f64 > 0.1 && f64 < f32);
    RGT_CHECK(rg_measure_peak(RG_F32, 2) > 0 && rg_measure_peak(RG_F64, 0) > 0);
    RGT_CHECK(rg_measure_peak(RG_I32, 1) == 0 && rg_measure_peak(RG_F32, -1) == 0);
}

RGT_TEST(selftest, the_build_says_what_it_is_made_of)
{
    rg_build b = rg_build_info();
    RGT_CHECK(strcmp(b.version, "0.1.0") == 0 && b.compiler[0] != 0);
    RGT_CHECK(strcmp(b.isa, rg_isa_text(rg_cpu_isa())) == 0);
    RGT_CHECK(rgt_has(b.blas_config, "OpenBLAS") && b.blas_core[0] != 0 && b.max_threads >= 1);
}
