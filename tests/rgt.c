/* tests/rgt.c -- the harness behind rgt.h: both hosts, what is watched around a test, text. */
#define _GNU_SOURCE
#include "tests/rgt.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(RGT_PLAIN)
#include "tests/plain.h"
#endif

/* A report of a sanitizer must reach the real stderr. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAPTURE = 0 };
#else
enum { CAPTURE = 1 };
#endif

/* What a test must leave as it found it. */
static struct watch {
    long     blocks;
    int      descriptors;
    unsigned mxcsr;
    int      file, out, err; /* the capture, and the true descriptors 1 and 2 */
} watch = { .file = -1, .out = -1, .err = -1 };

static unsigned control_word(void)
{
#if defined(__SSE__)
    return __builtin_ia32_stmxcsr() & 0xffc0u; /* the sticky exception flags may change */
#else
    return 0;
#endif
}

static int open_descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void capture_begin(void)
{
    if (!CAPTURE || getenv("RGT_SHOW") || (watch.file = memfd_create("rgt", MFD_CLOEXEC)) < 0)
        return;
    (void)fflush(NULL);
    watch.out = dup(STDOUT_FILENO);
    watch.err = dup(STDERR_FILENO);
    (void)dup2(watch.file, STDOUT_FILENO);
    (void)dup2(watch.file, STDERR_FILENO);
}

/* Puts the true descriptors back; how much was printed. */
static long capture_end(void)
{
    if (watch.file < 0)
        return 0;
    (void)fflush(NULL);
    long n = (long)lseek(watch.file, 0, SEEK_END);
    (void)dup2(watch.out, STDOUT_FILENO);
    (void)dup2(watch.err, STDERR_FILENO);
    (void)close(watch.file);
    (void)close(watch.out);
    (void)close(watch.err);
    watch.file = watch.out = watch.err = -1;
    return n;
}

void rgt_begin(void)
{
    capture_begin();
    watch.blocks = rgt_live_blocks();
    watch.descriptors = open_descriptors();
    watch.mxcsr = control_word();
}

const char *rgt_end_says(void)
{
    static char text[128];
    long blocks = rgt_live_blocks() - watch.blocks;
    int descriptors = open_descriptors() - watch.descriptors;
    unsigned mxcsr = control_word();
    long printed = capture_end();
    if (blocks)
        (void)snprintf(text, sizeof text, "%ld blocks are still live", blocks);
    else if (descriptors)
        (void)snprintf(text, sizeof text, "%d descriptors are still open", descriptors);
    else if (mxcsr != watch.mxcsr)
        (void)snprintf(text, sizeof text, "MXCSR was %04x, is %04x", watch.mxcsr, mxcsr);
    else if (printed)
        (void)snprintf(text, sizeof text, "%ld bytes were printed", printed);
    else
        return NULL;
    return text;
}

void rgt_end(void)
{
    const char *fault = rgt_end_says();
    if (fault)
        rgt_fail("end of test", 0, "%s", fault);
}

static struct {
    jmp_buf     back;
    const char *says;
    bool        armed, right;
} canary;

bool rgt_caught(const char *says, void (*body)(void))
{
    canary.says = says;
    canary.right = false;
    canary.armed = true;
    if (!setjmp(canary.back))
        body();
    canary.armed = false;
    return canary.right;
}

void rgt_fail(const char *file, int line, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (canary.armed) {
        canary.armed = false;
        canary.right = rgt_has(text, canary.says);
        longjmp(canary.back, 1);
    }
    (void)capture_end();
#if defined(RGT_PLAIN)
    (void)printf("# %s:%d: %s\n", file, line, text);
    rgt_plain_leave(RGT_FAILED);
#else
    cr_assert_fail("%s:%d: %s", file, line, text);
    abort(); /* not reached */
#endif
}

void rgt_skip(const char *why)
{
    (void)capture_end();
#if defined(RGT_PLAIN)
    (void)printf("# skipped: %s\n", why);
    rgt_plain_leave(RGT_SKIPPED);
#else
    cr_skip("%s", why);
    abort(); /* not reached */
#endif
}

void rgt_note(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    (void)vdprintf(watch.err < 0 ? STDERR_FILENO : watch.err, format, ap);
    va_end(ap);
}

void rgt_write(void *text, const char *bytes, size_t n)
{
    rgt_text *t = text;
    if (t->n + n + 1 > t->cap) {
        t->cap = 2 * (t->n + n + 1);
        t->data = realloc(t->data, t->cap);
        RGT_CHECK(t->data != NULL);
    }
    memcpy(t->data + t->n, bytes, n);
    t->n += n;
    t->data[t->n] = '\0';
}

void rgt_text_free(rgt_text *text)
{
    free(text->data);
    *text = (rgt_text){ .data = NULL };
}

bool rgt_has(const char *text, const char *part)
{
    return text && strstr(text, part) != NULL;
}
