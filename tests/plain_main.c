/* tests/plain_main.c -- runs the tests of a suite in one process, in order of names; TAP on stdout.
 *
 *     plain_graph [PART]...    only tests with a PART in "suite/name" */
#include "tests/plain.h"
#include "tests/rgt.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TESTS = 1024 };

static struct test {
    char name[160];
    void (*body)(void);
} test[MAX_TESTS];
static int n_test;
static jmp_buf leave;

void rgt_add(const char *suite, const char *name, void (*body)(void))
{
    if (n_test == MAX_TESTS)
        abort();
    (void)snprintf(test[n_test].name, sizeof test->name, "%s/%s", suite, name);
    test[n_test++].body = body;
}

void rgt_plain_leave(int how)
{
    longjmp(leave, how);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct test *)a)->name, ((const struct test *)b)->name);
}

static bool wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return true;
    return argc < 2;
}

static int run(const struct test *t)
{
    int how = setjmp(leave);
    if (how)
        return how;
    rgt_begin();
    t->body();
    rgt_end();
    return 0;
}

int main(int argc, char **argv)
{
    int ran = 0, failed = 0;
    qsort(test, (size_t)n_test, sizeof *test, by_name);
    for (int i = 0; i < n_test; i++) {
        if (!wanted(test[i].name, argc, argv))
            continue;
        int how = run(&test[i]);
        failed += how == RGT_FAILED;
        (void)printf("%s %d - %s%s\n", how == RGT_FAILED ? "not ok" : "ok", ++ran, test[i].name,
                     how == RGT_SKIPPED ? " # SKIP" : "");
        (void)fflush(stdout);
    }
    (void)printf("1..%d\n", ran);
    return failed != 0 || ran == 0;
}
