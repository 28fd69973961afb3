/* tests/io/faults.c -- every system call fails in turn; a checkpoint is whole or absent. */
#define _GNU_SOURCE
#include "tests/io/help.h"

#include "graph/params.h"
#include "io/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- A file system that fails on request ----------------------------------------------------- */

enum call { OPEN, FSTAT, FSTATAT, PREAD, WRITE, FCHMOD, FSYNC, LOCK, DUP, CLOSE, RENAME, UNLINK,
            CALLS };
static const char *const call_name[] = { "open", "fstat", "fstatat", "pread", "write", "fchmod",
    "fsync", "lock", "dup", "close", "rename", "unlink" };

enum { SHORT = -1, NOTHING = -2 }; /* beside errno's numbers: half of the bytes; none of them */

static struct fault {
    enum call call;
    int       at, what;  /* the at-th such call fails so, from 1 */
    bool      on;        /* and all after it */
    enum call call_too;  /* and every one of these, if fails_too */
    bool      fails_too;
    int       seen, hit;
    rgt_text *log;
} fault;

static int fails(enum call call)
{
    if (fault.log) {
        rgt_write(fault.log, call_name[call], strlen(call_name[call]));
        rgt_write(fault.log, " ", 1);
    }
    fault.seen += call == fault.call;
    bool first = call == fault.call &&
                 (fault.seen == fault.at || (fault.on && fault.seen > fault.at));
    bool second = fault.fails_too && call == fault.call_too && fault.hit;
    if (!first && !second)
        return 0;
    fault.hit++;
    errno = fault.what > 0 ? fault.what : EIO;
    return fault.what;
}

static int f_open(int dir, const char *path, int flags, mode_t mode)
{
    return fails(OPEN) ? -1 : rg_disk_posix.openat(dir, path, flags, mode);
}

static int f_fstat(int fd, struct stat *st)
{
    int what = fails(FSTAT), failed = what > 0 ? -1 : rg_disk_posix.fstat(fd, st);
    if (what == NOTHING)
        st->st_mtim.tv_nsec ^= 1; /* it changed */
    return failed;
}

static int f_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return fails(FSTATAT) ? -1 : rg_disk_posix.fstatat(dir, path, st, flags);
}

static ssize_t f_pread(int fd, void *data, size_t n, off_t at)
{
    int what = fails(PREAD);
    return what > 0 ? -1 : what == NOTHING ? 0
         : rg_disk_posix.pread(fd, data, what == SHORT && n > 1 ? n / 2 : n, at);
}

static ssize_t f_write(int fd, const void *data, size_t n)
{
    int what = fails(WRITE);
    return what > 0 ? -1 : what == NOTHING ? 0
         : rg_disk_posix.write(fd, data, what == SHORT && n > 1 ? n / 2 : n);
}

static int f_fchmod(int fd, mode_t mode)
{
    return fails(FCHMOD) ? -1 : rg_disk_posix.fchmod(fd, mode);
}

static int f_fsync(int fd)
{
    return fails(FSYNC) ? -1 : rg_disk_posix.fsync(fd);
}

static int f_lock(int fd)
{
    return fails(LOCK) ? -1 : rg_disk_posix.lock(fd);
}

static int f_dup(int fd)
{
    return fails(DUP) ? -1 : rg_disk_posix.dup(fd);
}

static int f_close(int fd)
{
    int what = fails(CLOSE), failed = rg_disk_posix.close(fd); /* it is closed, whatever it says */
    if (what)
        errno = what > 0 ? what : EIO;
    return what ? -1 : failed;
}

static int f_rename(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails(RENAME) ? -1 : rg_disk_posix.renameat(from_dir, from, to_dir, to);
}

static int f_unlink(int dir, const char *path, int flags)
{
    return fails(UNLINK) ? -1 : rg_disk_posix.unlinkat(dir, path, flags);
}

static const rg_disk faulty = { f_open, f_fstat, f_fstatat, f_pread, f_write, f_fchmod, f_fsync,
                                f_lock, f_dup, f_close, f_rename, f_unlink };

/* ---- Saving ---------------------------------------------------------------------------------- */

/* What the file holds: the number that all elements of the one store have and not of the other. */
static bool holds(const char *path, const rg_params *ps)
{
    rg_params *like = rgt_like(ps);
    rg_status st = rg_params_load(&like, 1, path, NULL);
    bool same = st == RG_OK && rgt_equal(like, ps);
    RGT_CHECK_MSG(st == RG_OK, "%s", rg_params_message(like));
    rg_params_destroy(&like);
    return same;
}

static const char big[] = "a:40000 b:30,1000 c:3"; /* several writes */

/* Save @p new over @p old with the fault in force; the file is one of them in full, and nothing
 * else is left. */
static void save_under_fault(rgt_folder *d, rg_params *old, rg_params *new)
{
    struct fault todo = fault;
    fault = (struct fault){ .call = CALLS };
    RGT_CHECK(rg_params_save(&old, 1, rgt_in(d, "m"), NULL) == RG_OK);
    fault = todo;
    rg_status st = rg_params_save_on(&faulty, &new, 1, d->file, NULL);
    todo = fault;
    fault = (struct fault){ .call = CALLS };
    RGT_CHECK(st == RG_OK || st == RG_EIO || st == RG_ENOSPC);
    RGT_CHECK(st || holds(d->file, new));
    bool is_new = st && rgt_has(rg_params_message(new), "the new file is there");
    RGT_CHECK(!st || holds(d->file, is_new ? new : old));
    RGT_CHECK_MSG(!st || rgt_has(rg_params_message(new), "save '"), "%s", rg_params_message(new));
    RGT_CHECK_MSG(!(st == RG_ENOSPC) || rgt_has(rg_params_message(new), "ENOSPC (disk full)"), "%s",
                  rg_params_message(new));
    if (todo.hit && todo.what == EIO && todo.call != LOCK && todo.call != UNLINK)
        RGT_CHECK_MSG(st == RG_EIO || todo.call == CLOSE || todo.call == OPEN, "%s %d survived EIO",
                      call_name[todo.call], todo.at);
    if (todo.call == WRITE || todo.call == FSYNC)
        RGT_CHECK(todo.what == EIO || todo.what == ENOSPC || todo.what == NOTHING ||
                  todo.what == EACCES || st == RG_OK);
    fault = todo;
}

RGT_TEST(faults, a_save_that_fails_anywhere_leaves_the_old_file_and_nothing_else)
{
    static const int whats[] = { EIO, ENOSPC, EINTR, EACCES, SHORT, NOTHING };
    rgt_folder d;
    rg_params *old = rgt_store(big, RG_F32), *new = rgt_store(big, RG_F32);
    int injected = 0;
    rgt_folder_begin(&d);
    ((float *)rg_params_find(new, "b").data)[7] = -1;
    for (int call = 0; call < CALLS; call++)
        for (size_t w = 0; w < sizeof whats / sizeof *whats; w++)
            for (int at = 1, hit = whats[w] > 0 || call == WRITE; hit; at++) {
                fault = (struct fault){ .call = (enum call)call, .at = at, .what = whats[w] };
                save_under_fault(&d, old, new);
                RGT_CHECK_MSG(rgt_entries(&d) == 1, "%s %d", call_name[call], at);
                hit = fault.hit;
                injected += hit;
            }
    rgt_note("# %d faults injected\n", injected);
    RGT_CHECK(injected > 60);
    rg_params_destroy(&old);
    rg_params_destroy(&new);
    rgt_folder_end(&d);
}

RGT_TEST(faults, what_a_failed_cleanup_leaves_the_next_save_removes)
{
    rgt_folder d;
    rg_params *old = rgt_store(big, RG_F32), *new = rgt_store(big, RG_F32);
    rgt_folder_begin(&d);
    ((float *)rg_params_find(new, "b").data)[7] = -1;
    for (int call = 0; call < CALLS; call++)
        for (int too = CLOSE; too <= UNLINK; too++)
            for (int at = 1, hit = 1; hit; at++) {
                fault = (struct fault){ .call = (enum call)call, .at = at, .what = EIO, .on = true,
                                        .call_too = (enum call)too, .fails_too = true };
                save_under_fault(&d, old, new);
                hit = fault.hit;
            }
    fault = (struct fault){ .call = CALLS };
    RGT_CHECK(rg_params_save(&old, 1, d.file, NULL) == RG_OK && rgt_entries(&d) == 1);
    rg_params_destroy(&old);
    rg_params_destroy(&new);
    rgt_folder_end(&d);
}

RGT_TEST(faults, calls_come_in_the_order_that_survives_a_power_cut)
{
    rgt_folder d;
    static const char *const order[] = {
        "open fstatat open open lock dup write fsync close rename fsync close close ",
        "open fstatat open open lock dup fchmod write fsync close rename fsync close close ",
    };
    rgt_text log = { NULL, 0, 0 };
    rg_params *ps = rgt_store("a:4", RG_F32);
    rgt_folder_begin(&d);
    for (int i = 0; i < 2; i++) {
        fault = (struct fault){ .call = CALLS, .log = &log };
        RGT_CHECK(rg_params_save_on(&faulty, &ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
        RGT_CHECK_MSG(strcmp(log.data, order[i]) == 0, "%s", log.data);
        rgt_text_free(&log);
    }
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(faults, the_mode_of_the_old_file_is_kept_and_errno_too)
{
    rgt_folder d;
    struct stat st;
    rg_params *ps = rgt_store("a:4", RG_F32);
    mode_t mask = umask(027);
    rgt_folder_begin(&d);
    errno = 123;
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK && errno == 123);
    RGT_CHECK(stat(d.file, &st) == 0 && (st.st_mode & 07777) == 0640);
    RGT_CHECK(chmod(d.file, 0604) == 0);
    errno = 123;
    RGT_CHECK(rg_params_save(&ps, 1, d.file, NULL) == RG_OK);
    RGT_CHECK(rg_params_load(&ps, 1, d.file, NULL) == RG_OK && errno == 123);
    RGT_CHECK(stat(d.file, &st) == 0 && (st.st_mode & 07777) == 0604);
    (void)umask(mask);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

static void not_saved(rg_params *ps, const char *path, rg_status want, const char *says)
{
    rg_status st = rg_params_save(&ps, 1, path, NULL);
    RGT_CHECK_MSG(st == want && rgt_has(rg_params_message(ps), says), "%d: %s", st,
                  rg_params_message(ps));
}

RGT_TEST(faults, links_folders_and_devices_are_not_replaced)
{
    rgt_folder d;
    char path[6000];
    rg_params *ps = rgt_store("a:4", RG_F32);
    rgt_folder_begin(&d);
    rgt_write_file(rgt_in(&d, "real"), "x", 1);
    RGT_CHECK(symlink("real", rgt_in(&d, "link")) == 0);
    not_saved(ps, d.file, RG_EARG, "this is a symbolic link, and only files are replaced");
    RGT_CHECK(mkdir(rgt_in(&d, "sub"), 0700) == 0);
    not_saved(ps, d.file, RG_EARG, "this is a folder, and only");
    RGT_CHECK(mkfifo(rgt_in(&d, "pipe"), 0700) == 0);
    not_saved(ps, d.file, RG_EARG, "this is a device or pipe, and only");
    not_saved(ps, "/dev/full", RG_EARG, "this is a device or pipe, and only");
    not_saved(ps, rgt_in(&d, "sub/"), RG_EARG, "the name of a folder");
    not_saved(ps, "", RG_EARG, "the name of a folder");
    not_saved(ps, rgt_in(&d, "none/m"), RG_EIO, "open its folder: ENOENT");
    not_saved(ps, rgt_in(&d, "real/m"), RG_EIO, "open its folder: ENOTDIR");
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    not_saved(ps, path, RG_EIO, "ENAMETOOLONG");
    path[4999] = '/';
    not_saved(ps, path, RG_EIO, "open its folder: ENAMETOOLONG");
    not_saved(ps, "/proc/m", RG_EIO, "create a temporary file: ");
    if (geteuid() != 0) {
        RGT_CHECK(chmod(d.path, 0500) == 0);
        not_saved(ps, rgt_in(&d, "m"), RG_EIO, "create a temporary file: EACCES");
    }
    RGT_CHECK(rgt_entries(&d) == 4);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(faults, names_as_long_as_a_file_system_allows_can_be_saved)
{
    rgt_folder d;
    char path[400];
    rg_params *ps = rgt_store("a:4", RG_F32);
    rgt_folder_begin(&d);
    (void)snprintf(path, sizeof path, "%s/", d.path);
    memset(path + strlen(path), 'n', 255);
    path[strlen(d.path) + 1 + 255] = '\0';
    RGT_CHECK_MSG(rg_params_save(&ps, 1, path, NULL) == RG_OK, "%s", rg_params_message(ps));
    RGT_CHECK(holds(path, ps) && rgt_entries(&d) == 1);
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

RGT_TEST(faults, a_limit_of_file_sizes_is_no_space)
{
    rgt_folder d;
    struct rlimit limit, less;
    rg_params *ps = rgt_store(big, RG_F32), *small = rgt_store("a:4", RG_F32);
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&small, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    RGT_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    less = limit;
    for (less.rlim_cur = 0; less.rlim_cur < 200000; less.rlim_cur += 4096) {
        RGT_CHECK(setrlimit(RLIMIT_FSIZE, &less) == 0);
        rg_status st = rg_params_save(&ps, 1, d.file, NULL);
        RGT_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        RGT_CHECK(st == RG_ENOSPC && rgt_has(rg_params_message(ps), "EFBIG"));
        RGT_CHECK(holds(d.file, small) && rgt_entries(&d) == 1);
    }
    (void)signal(SIGXFSZ, SIG_DFL);
    rg_params_destroy(&ps);
    rg_params_destroy(&small);
    rgt_folder_end(&d);
}

/* ---- Other writers --------------------------------------------------------------------------- */

RGT_TEST(faults, a_living_writer_is_respected_and_a_dead_ones_remains_are_removed)
{
    static const char *const others[] = { ".m.tmp", ".m.12-x.tmp", "m.12-0.tmp", ".m.12-0.tmp~",
                                          ".n.12-0.tmp", ".m.-0.tmp", ".mm.12-0.tmp" };
    rgt_folder d;
    rg_params *ps = rgt_store("a:4", RG_F32);
    const int n = (int)(sizeof others / sizeof *others);
    rgt_folder_begin(&d);
    for (int i = 0; i < n; i++)
        rgt_write_file(rgt_in(&d, others[i]), "x", 1);
    rgt_write_file(rgt_in(&d, ".m.12345-0.tmp"), "x", 1);
    int fd = open(d.file, O_RDONLY | O_CLOEXEC);
    RGT_CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    not_saved(ps, rgt_in(&d, "m"), RG_EIO, "another writer is saving this file ('.m.12345-0.tmp')");
    RGT_CHECK(rgt_entries(&d) == n + 1);
    RGT_CHECK(close(fd) == 0);
    RGT_CHECK(rg_params_save(&ps, 1, d.file, NULL) == RG_OK);
    RGT_CHECK(rgt_entries(&d) == n + 1 && holds(d.file, ps));
    rg_params_destroy(&ps);
    rgt_folder_end(&d);
}

/* Saves generation after generation until it is killed: all elements are the generation. */
static _Noreturn void save_for_ever(rg_params *ps, const char *path)
{
    float *a = rg_params_find(ps, "a").data, *b = rg_params_find(ps, "b").data;
    for (float generation = 1;; generation++) {
        for (int i = 0; i < 40000; i++)
            a[i] = generation;
        for (int i = 0; i < 30000; i++)
            b[i] = generation;
        if (rg_params_save(&ps, 1, path, NULL))
            _exit(1);
    }
}

RGT_TEST(faults, killing_the_writer_at_any_moment_leaves_a_whole_file)
{
    enum { KILLS = 60 };
    rgt_folder d;
    rg_params *ps = rgt_store("a:40000 b:30000", RG_F32), *to = rgt_like(ps);
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    for (int k = 0; k < KILLS; k++) {
        int status;
        pid_t child = fork();
        RGT_CHECK(child >= 0);
        if (child == 0)
            save_for_ever(ps, d.file);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 100000L * (20 + k * 37 % 100) }, NULL);
        RGT_CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
        RGT_CHECK(WIFSIGNALED(status));
        RGT_CHECK_MSG(rg_params_load(&to, 1, d.file, NULL) == RG_OK, "%s", rg_params_message(to));
        const float *a = rg_params_find(to, "a").data, *b = rg_params_find(to, "b").data;
        RGT_CHECK(k == 0 || (a[0] == a[39999] && a[0] == b[0] && b[0] == b[29999]));
    }
    RGT_CHECK(rg_params_save(&ps, 1, d.file, NULL) == RG_OK && rgt_entries(&d) == 1);
    rg_params_destroy(&ps);
    rg_params_destroy(&to);
    rgt_folder_end(&d);
}

/* ---- Loading --------------------------------------------------------------------------------- */

RGT_TEST(faults, a_load_that_fails_anywhere_leaves_the_stores_as_they_were)
{
    static const int whats[] = { EIO, EINTR, SHORT, NOTHING };
    static const enum call calls[] = { OPEN, FSTAT, PREAD, CLOSE };
    rgt_folder d;
    rg_params *ps = rgt_store(rgt_model, RG_F32), *before = rgt_like(ps);
    int injected = 0;
    rgt_folder_begin(&d);
    fault = (struct fault){ .call = CALLS };
    RGT_CHECK(rg_params_save(&ps, 1, rgt_in(&d, "m"), NULL) == RG_OK);
    for (size_t c = 0; c < 4; c++)
        for (size_t w = 0; w < 4; w++)
            for (int at = 1, hit = 1; hit; at++) {
                rg_params *to[2] = { rgt_like(ps), NULL };
                RGT_CHECK(rg_params_create(&to[1], 0, NULL) == RG_OK);
                for (int k = 0; k < 2; k++) {
                    fault = (struct fault){ .call = calls[c], .at = at, .what = whats[w] };
                    rg_status st = rg_params_load_on(&faulty, &to[k], 1, d.file, NULL);
                    hit = fault.hit;
                    RGT_CHECK(st == RG_OK || st == RG_EIO || st == RG_ECORRUPT);
                    RGT_CHECK(rgt_equal(to[k], !st ? ps : k ? to[k] : before));
                    RGT_CHECK(!st || k == 0 || rg_params_count(to[k]) == 0);
                    bool bad = hit && calls[c] != CLOSE && (whats[w] == EIO || whats[w] == NOTHING);
                    RGT_CHECK(!bad || st || calls[c] == OPEN);
                    bool changed = hit && (calls[c] == PREAD || calls[c] == FSTAT);
                    RGT_CHECK(!changed || whats[w] != NOTHING || st == RG_ECORRUPT);
                    rg_params_destroy(&to[k]);
                }
                injected += hit;
            }
    RGT_CHECK(injected > 50);
    rg_params_destroy(&ps);
    rg_params_destroy(&before);
    rgt_folder_end(&d);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Two stores whose memory comes from the hooks: one declared, one empty state. */
static void two_stores(rg_params *to[2], rgt_alloc *hooks, const rg_params *like, bool declared)
{
    rg_params_opts opts = { .alloc = rgt_hooks(hooks) };
    rg_slot *slot;
    for (int i = 0; i < 2; i++)
        RGT_CHECK(rg_params_create(&to[i], 0, &opts) == RG_OK);
    for (size_t i = 0; declared && i < like->n_slot; i++)
        RGT_CHECK(rg_params_declare(&slot, to[0], like->slot[i]->name, like->slot[i]->shape, RG_F32,
                                    NULL) == RG_OK);
}

RGT_TEST(faults, without_memory_nothing_happens_and_the_next_attempt_succeeds)
{
    rgt_folder d;
    rg_params *ps[2] = { rgt_store(rgt_model, RG_F32), rgt_store("optim.m:3 optim.t:", RG_F32) };
    int injected = 0;
    rgt_folder_begin(&d);
    RGT_CHECK(rg_params_save(ps, 2, rgt_in(&d, "m"), NULL) == RG_OK);
    for (int mode = 0; mode < 4; mode++) /* load or save; one failure or all from there */
        for (int declared = 0; declared < 2; declared++)
            for (long at = 1, hit = 1; hit; at++) {
                rgt_alloc hooks = { 0 };
                rg_params *to[2];
                two_stores(to, &hooks, ps[0], declared || mode & 1);
                long calls = hooks.calls, live = hooks.live;
                hooks.fail_at = calls + at;
                hooks.fail_on = mode & 2;
                rg_status st = mode & 1 ? rg_params_save(to, 2, rgt_in(&d, "n"), NULL)
                                        : rg_params_load(to, 2, rgt_in(&d, "m"), NULL);
                hit = hooks.calls >= hooks.fail_at;
                injected += hit != 0;
                RGT_CHECK_MSG(st == (hit ? RG_ENOMEM : RG_OK), "%d: %s", st,
                              rg_params_message(to[0]));
                RGT_CHECK(!hit || mode & 1 || (rg_params_count(to[1]) == 0 &&
                          rg_params_count(to[0]) == (declared ? ps[0]->n_slot : 0)));
                RGT_CHECK(!(mode & 1) || hooks.live == live);
                hooks.fail_at = 0;
                if (!(mode & 1)) {
                    RGT_CHECK(rg_params_load(to, 2, d.file, NULL) == RG_OK);
                    RGT_CHECK(rgt_equal(to[0], ps[0]) && rgt_equal(to[1], ps[1]));
                }
                rg_params_destroy(&to[0]);
                rg_params_destroy(&to[1]);
                RGT_CHECK(hooks.live == 0 && !hooks.corrupt);
            }
    rgt_note("# %d allocations failed\n", injected);
    RGT_CHECK(injected > 100);
    rg_params_destroy(&ps[0]);
    rg_params_destroy(&ps[1]);
    rgt_folder_end(&d);
}
