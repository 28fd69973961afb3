/* tests/rgt_memory.c -- counting and failing allocation.
 *
 * Two counts. The linker's --wrap sends the malloc family of our own objects through __wrap_...,
 * which keep the set of live blocks: libc, libgomp and OpenBLAS hold what they like. And the
 * family itself is replaced, to count the calls of the whole process. */
#include "tests/rgt.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- Live blocks of ours -------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t item);
void *__real_realloc(void *block, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void  __real_free(void *block);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t item);
void *__wrap_realloc(void *block, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void  __wrap_free(void *block);

/* A set of addresses: open addressing, linear probing, at most half full. */
static struct { uintptr_t *slot; size_t cap; size_t n; } live;
static atomic_flag live_lock = ATOMIC_FLAG_INIT;

static size_t home(uintptr_t block)
{
    return (size_t)((block >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (live.cap - 1);
}

static void put(uintptr_t block)
{
    size_t at = home(block);
    while (live.slot[at])
        at = (at + 1) & (live.cap - 1);
    live.slot[at] = block;
}

static void grow(void)
{
    uintptr_t *old = live.slot;
    size_t n = live.cap;
    live.cap = n ? 2 * n : 4096;
    if (!(live.slot = __real_calloc(live.cap, sizeof *live.slot)))
        abort();
    for (size_t i = 0; i < n; i++)
        if (old[i])
            put(old[i]);
    __real_free(old);
}

static void *born(void *block)
{
    if (!block)
        return NULL;
    while (atomic_flag_test_and_set(&live_lock))
        ;
    if (2 * (live.n + 1) > live.cap)
        grow();
    put((uintptr_t)block);
    live.n++;
    atomic_flag_clear(&live_lock);
    return block;
}

static void dies(void *block)
{
    if (!block)
        return;
    while (atomic_flag_test_and_set(&live_lock))
        ;
    size_t at = live.cap ? home((uintptr_t)block) : 0;
    while (live.cap && live.slot[at] && live.slot[at] != (uintptr_t)block)
        at = (at + 1) & (live.cap - 1);
    if (live.cap && live.slot[at]) { /* else it is libc's own: strdup and the like */
        live.slot[at] = 0;
        live.n--;
        for (size_t i = (at + 1) & (live.cap - 1); live.slot[i]; i = (i + 1) & (live.cap - 1)) {
            uintptr_t moved = live.slot[i];
            live.slot[i] = 0;
            put(moved);
        }
    }
    atomic_flag_clear(&live_lock);
}

void *__wrap_malloc(size_t n)
{
    return born(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t item)
{
    return born(__real_calloc(n, item));
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return born(__real_aligned_alloc(align, n));
}

void *__wrap_realloc(void *block, size_t n)
{
    dies(block);
    void *moved = __real_realloc(block, n);
    return born(moved ? moved : block);
}

void __wrap_free(void *block)
{
    dies(block);
    __real_free(block);
}

long rgt_live_blocks(void)
{
    if (!live.cap)
        grow(); /* now, so that it is in nobody's count */
    return (long)live.n;
}

/* ---- Calls in the whole process ------------------------------------------------------------- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t item);
void *__libc_realloc(void *block, size_t n);
void *__libc_memalign(size_t align, size_t n);
int   posix_memalign(void **out, size_t align, size_t n);
void *memalign(size_t align, size_t n);

static atomic_long calls;

void *malloc(size_t n)
{
    atomic_fetch_add(&calls, 1);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t item)
{
    atomic_fetch_add(&calls, 1);
    return __libc_calloc(n, item);
}

void *realloc(void *block, size_t n)
{
    atomic_fetch_add(&calls, 1);
    return __libc_realloc(block, n);
}

void *memalign(size_t align, size_t n)
{
    atomic_fetch_add(&calls, 1);
    return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    void *block = memalign(align, n);
    if (block)
        *out = block;
    return block ? 0 : 12; /* ENOMEM */
}

long rgt_malloc_calls(void)
{
    return atomic_load(&calls);
}

#else

long rgt_malloc_calls(void)
{
    return -1;
}

#endif

/* ---- The allocator that fails --------------------------------------------------------------- */

/* In front of each block, in its first cache line. */
struct stamp { uint64_t magic; size_t bytes; void *start; };
static const uint64_t MAGIC = UINT64_C(0x726574726f677261);

static void *hook_get(void *user, size_t bytes, size_t align)
{
    rgt_alloc *a = user;
    size_t head = align > sizeof(struct stamp) ? align : 64;
    a->calls++;
    if (a->fail_at && (a->calls == a->fail_at || (a->fail_on && a->calls > a->fail_at)))
        return NULL;
    if (bytes > SIZE_MAX / 2)
        return NULL;
    char *start = aligned_alloc(head, (head + bytes + head - 1) / head * head);
    if (!start)
        return NULL;
    memset(start, 0xa5, head + bytes);
    ((struct stamp *)(void *)(start + head))[-1] = (struct stamp){ MAGIC, bytes, start };
    a->live++;
    a->bytes += bytes;
    return start + head;
}

static void hook_release(void *user, void *block, size_t bytes)
{
    rgt_alloc *a = user;
    struct stamp *s = (struct stamp *)block - 1;
    if (s->magic != MAGIC || s->bytes != bytes) {
        a->corrupt = true;
        return;
    }
    s->magic = 0;
    a->live--;
    a->bytes -= bytes;
    memset(block, 0x5a, bytes); /* who still reads it will notice */
    free(s->start);
}

rg_alloc rgt_hooks(rgt_alloc *state)
{
    return (rg_alloc){ hook_get, hook_release, state };
}

/* One run with the fail_at-th allocation failing; was it reached? */
static bool attempt(rg_status *st, rgt_scenario *scenario, long fail_at, bool fail_on,
                    rgt_text *result)
{
    rgt_alloc state = { .fail_at = fail_at, .fail_on = fail_on };
    rg_alloc hooks = rgt_hooks(&state);
    *st = scenario(&hooks, result);
    RGT_CHECK_MSG(state.live == 0, "allocation %ld failing leaves %ld blocks", fail_at, state.live);
    RGT_CHECK_MSG(!state.corrupt, "allocation %ld failing: a block came back wrong", fail_at);
    return state.calls >= fail_at;
}

long rgt_fail_each(rgt_scenario *scenario)
{
    static rgt_text want; /* static: a failing check leaves this function */
    rg_status st;
    rgt_text_free(&want);
    attempt(&st, scenario, 0, false, &want);
    RGT_CHECK_MSG(st == RG_OK && want.n > 0, "undisturbed: %s", rg_status_text(st));
    for (long at = 1;; at++) {
        for (int on = 0; on < 2; on++) {
            rgt_text got = { .data = NULL };
            bool reached = attempt(&st, scenario, at, on, &got);
            bool same = got.n == want.n && memcmp(got.data, want.data, got.n) == 0;
            rgt_text_free(&got);
            if (reached) {
                RGT_CHECK_MSG(st == RG_ENOMEM, "allocation %ld failing: %s", at,
                              rg_status_text(st));
                continue;
            }
            rgt_text_free(&want);
            RGT_CHECK_MSG(st == RG_OK && same, "after %ld failures: %s, %s result", 2 * (at - 1),
                          rg_status_text(st), same ? "the same" : "another");
            return 2 * (at - 1);
        }
    }
}
