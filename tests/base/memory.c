/* tests/base/memory.c -- allocator hooks, growing arrays, arenas, the hash index, and what happens
 * when there is no memory. */
#include "tests/rgt.h"

#include "base/index.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

static bool all_zero(const void *block, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((const char *)block)[i])
            return false;
    return true;
}

RGT_TEST(memory, half_an_allocator_is_refused)
{
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state), out, only_get = { .get = hooks.get },
             only_release = { .release = hooks.release };
    RGT_CHECK(rg_alloc_resolve(&out, NULL) == RG_OK && out.get && out.release);
    RGT_CHECK(rg_alloc_resolve(&out, &(rg_alloc){ .get = NULL }) == RG_OK && out.get);
    RGT_CHECK(rg_alloc_resolve(&out, &hooks) == RG_OK && out.user == &state);
    RGT_CHECK(rg_alloc_resolve(&out, &only_get) == RG_EARG);
    RGT_CHECK(rg_alloc_resolve(&out, &only_release) == RG_EARG);
}

RGT_TEST(memory, blocks_are_zero_aligned_and_counted)
{
    rgt_alloc state = { 0 };
    rg_alloc libc, hooks = rgt_hooks(&state);
    RGT_CHECK(rg_alloc_resolve(&libc, NULL) == RG_OK);
    for (size_t n = 0; n < 300; n += 13) {
        char *a = rg_get(&libc, n), *b = rg_get(&hooks, n);
        RGT_CHECK(a && b && (uintptr_t)a % RG_ALIGN == 0 && (uintptr_t)b % RG_ALIGN == 0);
        RGT_CHECK(all_zero(a, n) && all_zero(b, n));
        rg_release(&libc, a, n);
        rg_release(&hooks, b, n);
    }
    rg_release(&hooks, NULL, 10);
    RGT_CHECK(state.live == 0 && !state.corrupt);
    RGT_CHECK(!rg_get(&libc, SIZE_MAX) && !rg_get_raw(&libc, SIZE_MAX - 10));
}

RGT_TEST(memory, arrays_grow_and_keep_what_they_hold)
{
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state);
    uint64_t *data = NULL;
    size_t cap = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        RGT_CHECK(rg_reserve(&hooks, &data, &cap, i + 1, sizeof *data));
        RGT_CHECK(data[i] == 0);
        data[i] = i * i;
    }
    for (uint64_t i = 0; i < 5000; i++)
        RGT_CHECK(data[i] == i * i);
    RGT_CHECK(state.calls < 16);
    uint64_t *before = data;
    state.fail_at = state.calls + 1;
    RGT_CHECK(!rg_reserve(&hooks, &data, &cap, 2 * cap, sizeof *data) && data == before);
    RGT_CHECK(!rg_reserve(&hooks, &data, &cap, SIZE_MAX, sizeof *data) && data == before);
    rg_release(&hooks, data, cap * sizeof *data);
    RGT_CHECK(state.live == 0 && !state.corrupt);
}

RGT_TEST(memory, arena_objects_are_zero_aligned_apart_and_freed_together)
{
    enum { N = 3000 };
    static unsigned char *object[N];
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state);
    rg_arena arena;
    rg_arena_init(&arena, &hooks);
    for (size_t i = 0; i < N; i++) {
        size_t bytes = i % 97;
        RGT_CHECK((object[i] = rg_arena_get(&arena, bytes)) != NULL);
        RGT_CHECK((uintptr_t)object[i] % 16 == 0 && all_zero(object[i], bytes));
        memset(object[i], (int)(i % 251), bytes);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i % 97; k++)
            RGT_CHECK(object[i][k] == i % 251);
    RGT_CHECK(state.live > 0 && state.bytes == arena.bytes);
    rg_arena_free(&arena);
    RGT_CHECK(state.live == 0 && !state.corrupt && arena.bytes == 0);
}

RGT_TEST(memory, an_arena_takes_objects_larger_than_its_blocks_and_refuses_the_absurd)
{
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state);
    rg_arena arena;
    rg_arena_init(&arena, &hooks);
    char *big = rg_arena_get(&arena, 1000000), *small = rg_arena_get(&arena, 1);
    RGT_CHECK(big && small);
    big[999999] = *small = 1;
    RGT_CHECK(!rg_arena_get(&arena, SIZE_MAX) && !rg_arena_get(&arena, SIZE_MAX - 64));
    RGT_CHECK(strcmp(rg_arena_text(&arena, "enc.Ur"), "enc.Ur") == 0);
    RGT_CHECK(strcmp(rg_arena_text(&arena, ""), "") == 0);
    rg_arena_free(&arena);
    RGT_CHECK(state.live == 0);
}

RGT_TEST(memory, in_a_debug_arena_a_sanitizer_sees_the_border_of_every_object)
{
#if defined(__SANITIZE_ADDRESS__) && defined(RG_DEBUG_ARENA)
    rg_alloc libc;
    rg_arena arena;
    RGT_CHECK(rg_alloc_resolve(&libc, NULL) == RG_OK);
    rg_arena_init(&arena, &libc);
    for (size_t bytes = 16; bytes < 4096; bytes += 16) {
        char *object = rg_arena_get(&arena, bytes);
        RGT_CHECK(!__asan_region_is_poisoned(object, bytes));
        RGT_CHECK(__asan_address_is_poisoned(object + bytes));
    }
    rg_arena_free(&arena);
#else
    RGT_SKIP("needs -Db_sanitize=address -Ddebug_arena=true");
#endif
}

RGT_TEST(memory, a_hash_of_bytes_depends_on_each_of_them_and_on_what_was_before)
{
    uint8_t data[21];
    for (size_t n = 0; n <= sizeof data; n++) {
        memset(data, 7, sizeof data);
        const uint64_t h = rg_hash_bytes(3, data, n);
        RGT_CHECK(n ? h != rg_hash_bytes(4, data, n) : h == 3);
        for (size_t i = 0; i < sizeof data; i++) {
            data[i] ^= 1;
            RGT_CHECK((h == rg_hash_bytes(3, data, n)) == (i >= n));
            data[i] ^= 1;
        }
    }
}

RGT_TEST(memory, an_index_finds_every_value_also_where_hashes_are_equal)
{
    enum { N = 20000 };
    rgt_alloc state = { 0 };
    rg_alloc hooks = rgt_hooks(&state);
    rg_index index = { .slot = NULL };
    RGT_CHECK(rg_index_next(&index, 5, &(size_t){ 0 }) == 0);
    for (uint32_t i = 1; i <= N; i++)
        RGT_CHECK(rg_index_put(&index, &hooks, i % 2 ? i : i / 64, i));
    for (uint32_t i = 1, found; i <= N; i++) {
        size_t probe = 0;
        do
            found = rg_index_next(&index, i % 2 ? i : i / 64, &probe);
        while (found && found != i);
        RGT_CHECK(found == i);
    }
    RGT_CHECK(rg_index_next(&index, UINT64_C(1) << 50, &(size_t){ 0 }) == 0);
    state.fail_at = state.calls + 1;
    state.fail_on = true;
    uint32_t n = N;
    while (rg_index_put(&index, &hooks, n, n))
        n++;
    RGT_CHECK(index.n == n && rg_index_next(&index, 7, &(size_t){ 0 }) == 7);
    rg_index_free(&index, &hooks);
    RGT_CHECK(state.live == 0 && !state.corrupt);
}

RGT_TEST(memory, hashes_mix_without_symmetry)
{
    RGT_CHECK(rg_hash_mix(1, 2) != rg_hash_mix(2, 1));
    RGT_CHECK(rg_hash_mix(0, 1) != rg_hash_mix(0, 2));
}

static rg_status index_and_arena(const rg_alloc *hooks, rgt_text *result)
{
    rg_arena arena;
    rg_index index = { .slot = NULL };
    bool ok = true;
    rg_arena_init(&arena, hooks);
    for (uint32_t i = 1; ok && i < 500; i++) {
        char *text = rg_arena_get(&arena, 300);
        ok = text && rg_index_put(&index, hooks, i, i);
    }
    rg_index_free(&index, hooks);
    rg_arena_free(&arena);
    rgt_write(result, "done", 4);
    return ok ? RG_OK : RG_ENOMEM;
}

RGT_TEST(memory, arena_and_index_survive_every_failed_allocation)
{
    long failures = rgt_fail_each(index_and_arena);
    RGT_CHECK(failures >= 10);
}
