/* tests/base/harness.c -- canaries: what the harness watches around every test, it does see. */
#define _GNU_SOURCE
#include "tests/rgt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

RGT_TEST(harness, a_block_left_behind_is_seen)
{
    void *volatile block = malloc(10);
    bool seen = rgt_has(rgt_end_says(), "1 blocks are still live");
    free(block);
    rgt_begin();
    RGT_CHECK(seen);
}

RGT_TEST(harness, a_block_of_libc_is_not_counted)
{
    char *line = NULL;
    RGT_CHECK(asprintf(&line, "text %d", 1) == 6);
    RGT_CHECK(rgt_end_says() == NULL);
    free(line);
    rgt_begin();
}

RGT_TEST(harness, a_thousand_blocks_come_and_go)
{
    void *block[1000];
    long before = rgt_live_blocks();
    for (size_t i = 0; i < 1000; i++)
        block[i] = i % 2 ? malloc(i) : aligned_alloc(64, 64 * (i + 1));
    RGT_CHECK(rgt_live_blocks() == before + 1000);
    for (size_t i = 0; i < 1000; i += 3)
        block[i] = realloc(block[i], 5000);
    RGT_CHECK(rgt_live_blocks() == before + 1000);
    for (size_t i = 0; i < 1000; i++)
        free(block[(i * 7) % 1000]);
    RGT_CHECK(rgt_live_blocks() == before);
}

RGT_TEST(harness, a_descriptor_left_open_is_seen)
{
    int fd = open("/dev/null", O_RDONLY);
    bool seen = rgt_has(rgt_end_says(), "1 descriptors are still open");
    (void)close(fd);
    rgt_begin();
    RGT_CHECK(seen);
}

RGT_TEST(harness, a_changed_rounding_mode_is_seen)
{
#if defined(__SSE__)
    unsigned old = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(old ^ 0x8000u); /* flush to zero */
    bool seen = rgt_has(rgt_end_says(), "MXCSR");
    __builtin_ia32_ldmxcsr(old);
    rgt_begin();
    RGT_CHECK(seen);
#else
    RGT_SKIP("no MXCSR on this machine");
#endif
}

RGT_TEST(harness, printing_is_seen)
{
#if defined(__SANITIZE_ADDRESS__)
    RGT_SKIP("output is not captured under a sanitizer");
#endif
    if (getenv("RGT_SHOW"))
        RGT_SKIP("RGT_SHOW is set");
    (void)puts("I am a library that prints");
    bool seen = rgt_has(rgt_end_says(), "27 bytes were printed");
    rgt_begin();
    RGT_CHECK(seen);
}

RGT_TEST(harness, mallocs_of_the_process_are_counted)
{
    long before = rgt_malloc_calls();
    void *volatile a = malloc(1), *volatile b = aligned_alloc(64, 64);
    long after = rgt_malloc_calls();
    free(a);
    free(b);
    RGT_CHECK(before < 0 || after == before + 2);
}

RGT_TEST(harness, the_failing_allocator_fails_when_told_and_knows_its_blocks)
{
    rgt_alloc once = { .fail_at = 2 }, on = { .fail_at = 2, .fail_on = true };
    rg_alloc a = rgt_hooks(&once), b = rgt_hooks(&on);
    void *p = a.get(a.user, 100, 64);
    RGT_CHECK(p && (uintptr_t)p % 64 == 0 && once.live == 1 && once.bytes == 100);
    RGT_CHECK(!a.get(a.user, 1, 64));
    void *q = a.get(a.user, 1, 16);
    RGT_CHECK(q && once.calls == 3);
    a.release(a.user, p, 99);
    RGT_CHECK(once.corrupt && once.live == 2);
    a.release(a.user, p, 100);
    a.release(a.user, q, 1);
    RGT_CHECK(once.live == 0 && once.bytes == 0);
    p = b.get(b.user, 1, 64);
    RGT_CHECK(p && !b.get(b.user, 1, 64) && !b.get(b.user, 1, 64));
    b.release(b.user, p, 1);
}

RGT_TEST(harness, text_is_collected)
{
    rgt_text text = { .data = NULL };
    RGT_CHECK(!rgt_has(text.data, "a"));
    for (int i = 0; i < 100; i++)
        rgt_write(&text, "0123456789", 10);
    RGT_CHECK(text.n == 1000 && rgt_has(text.data, "90123") && !rgt_has(text.data, "91"));
    rgt_text_free(&text);
}

static struct { void *block; } lost;

static rg_status leaks(const rg_alloc *hooks, rgt_text *result)
{
    void *a = hooks->get(hooks->user, 8, 16), *b = hooks->get(hooks->user, 8, 16);
    rgt_write(result, "x", 1);
    if (a && b)
        hooks->release(hooks->user, a, 8);
    else
        lost.block = a;
    if (b)
        hooks->release(hooks->user, b, 8);
    return a && b ? RG_OK : RG_ENOMEM;
}

static rg_status keeps_quiet(const rg_alloc *hooks, rgt_text *result)
{
    void *a = hooks->get(hooks->user, 8, 16);
    rgt_write(result, "x", 1);
    if (a)
        hooks->release(hooks->user, a, 8);
    return RG_OK;
}

static void run_leaks(void)
{
    rgt_fail_each(leaks);
}

static void run_keeps_quiet(void)
{
    rgt_fail_each(keeps_quiet);
}

RGT_TEST(harness, failing_each_allocation_finds_a_leak)
{
    RGT_CHECK(rgt_caught("leaves 1 blocks", run_leaks));
    rgt_alloc state = { .live = 1 };
    rg_alloc hooks = rgt_hooks(&state);
    hooks.release(hooks.user, lost.block, 8);
    rgt_begin();
}

RGT_TEST(harness, failing_each_allocation_finds_a_failure_that_nobody_reports)
{
    RGT_CHECK(rgt_caught("success", run_keeps_quiet));
    rgt_begin();
}
