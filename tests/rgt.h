/* tests/rgt.h -- one body, two hosts: Criterion, and a plain program for sanitizers and faults.
 *
 *     RGT_TEST(graph, a_value_of_another_graph_is_refused)
 *     {
 *         ...
 *         RGT_CHECK(rg_graph_status(g) == RG_EARG);
 *     }
 *
 * A check that fails ends the test, also from a helper function. When the body is through, the
 * harness checks what no test states: no live block of ours is left, no descriptor, MXCSR is as it
 * was, and nothing was printed. Print with rgt_note(). */
#ifndef RGT_H
#define RGT_H

#include <retrograd/base.h>

#if defined(RGT_PLAIN) /* constructors fill a table, which tests/plain_main.c walks */
void rgt_add(const char *suite, const char *name, void (*body)(void));
#define RGT_TEST(suite, name)                                                   \
    static void rgt_##suite##_##name(void);                                     \
    __attribute__((constructor)) static void rgt_add_##suite##_##name(void)     \
    {                                                                           \
        rgt_add(#suite, #name, rgt_##suite##_##name);                           \
    }                                                                           \
    static void rgt_##suite##_##name(void)
#else
#include <criterion/criterion.h>
#define RGT_TEST(suite, name)                                                   \
    static void rgt_##suite##_##name(void);                                     \
    Test(suite, name)                                                           \
    {                                                                           \
        rgt_begin();                                                            \
        rgt_##suite##_##name();                                                 \
        rgt_end();                                                              \
    }                                                                           \
    static void rgt_##suite##_##name(void)
#endif

/* The condition holds, or the test ends here; the second form says more. */
#define RGT_CHECK(condition) \
    ((condition) ? (void)0 : rgt_fail(__FILE__, __LINE__, "%s", #condition))
#define RGT_CHECK_MSG(condition, ...) \
    ((condition) ? (void)0 : rgt_fail(__FILE__, __LINE__, __VA_ARGS__))
/* Leave the test, counted as skipped: only for what this machine lacks. */
#define RGT_SKIP(why) rgt_skip(why)

_Noreturn void rgt_fail(const char *file, int line, const char *format, ...) RG_PRINTF(3, 4);
_Noreturn void rgt_skip(const char *why);
/* A line on the real stderr: seeds, counts, worst values. */
void rgt_note(const char *format, ...) RG_PRINTF(1, 2);

/* For canaries: does a check in @p body fail, with @p says in its text? */
bool rgt_caught(const char *says, void (*body)(void));

void rgt_begin(void);
void rgt_end(void);
/* What rgt_end() has to complain of, or NULL; ends the watch. For the canaries. */
const char *rgt_end_says(void);

/* ---- Memory --------------------------------------------------------------------------------- */

/* Blocks that objects of this program (library and tests, not libc, libgomp, OpenBLAS) hold. */
long rgt_live_blocks(void);
/* Calls of the malloc family in the whole process so far, libgomp's too; -1 where they cannot be
 * counted (sanitizers, other C libraries). */
long rgt_malloc_calls(void);

/* An allocator that counts, checks what it gets back, and fails on request. All zero to start. */
typedef struct rgt_alloc {
    long   calls;    /* of get */
    long   fail_at;  /* the call that returns NULL, from 1; 0 = none */
    bool   fail_on;  /* and all after it */
    long   live;
    size_t bytes;    /* live ones */
    bool   corrupt;  /* a block came back with another size, or was never ours */
} rgt_alloc;

rg_alloc rgt_hooks(rgt_alloc *state);

/* Something that takes its memory from @p hooks and writes what it got into @p result. */
struct rgt_text;
typedef rg_status rgt_scenario(const rg_alloc *hooks, struct rgt_text *result);
/* Fails allocation 1, 2, 3 ... of the scenario, once alone and once with all later ones, until it
 * succeeds: the status is RG_ENOMEM, nothing leaks, and the next try gives the same result.
 * Returns the number of failures. */
long rgt_fail_each(rgt_scenario *scenario);

/* ---- Text ----------------------------------------------------------------------------------- */

/* Collects what rg_..._print writes: rg_graph_print(g, rgt_write, &text). Zero it first. */
typedef struct rgt_text {
    char  *data;  /* terminated; NULL while empty */
    size_t n, cap;
} rgt_text;

void rgt_write(void *text, const char *bytes, size_t n);
void rgt_text_free(rgt_text *text);
/* Does @p part occur in @p text? */
bool rgt_has(const char *text, const char *part);

#endif
