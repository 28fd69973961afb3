/* cli/folder.c -- run folders. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include "cli/folder.h"
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

const char *folder_file(char out[PATH_BYTES], const folder *f, const char *name)
{
    (void)snprintf(out, PATH_BYTES, "%s/%.90s", f->path, name);
    return out;
}

static int lock_it(folder *f)
{
    char path[PATH_BYTES];
    f->lock = open(folder_file(path, f, "lock"), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->lock < 0)
        return fail(RUN_TIME, "%s: %s", path, strerror(errno));
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
        return DONE;
    (void)close(f->lock);
    f->lock = -1;
    return fail(RUN_TIME, "%s: another process is training in this folder", f->path);
}

void folder_close(folder *f)
{
    if (f->lock >= 0)
        (void)close(f->lock);
    f->lock = -1;
}

void folder_tell_seconds(const folder *f, double seconds)
{
    char line[48];
    int n = snprintf(line, sizeof line, "%20.3f seconds\n", seconds); /* as long as the last one */
    if (pwrite(f->lock, line, (size_t)n, 0) != n)
        return; /* the metrics tell the time as well, of their last row */
}

double folder_told_seconds(const folder *f)
{
    char line[48] = "";
    if (pread(f->lock, line, sizeof line - 1, 0) <= 0)
        return 0;
    double seconds = strtod(line, NULL);
    return isfinite(seconds) && seconds > 0 ? seconds : 0;
}

int folder_parents(const char *path, const char *option)
{
    char part[PATH_BYTES];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0777) && errno != EEXIST)
            return fail(RUN_TIME, "%s: %s (choose another %s)", part, strerror(errno), option);
    }
    return DONE;
}

/* runs/TEXT-CELL-N: the text's name without folder and ending, with plain characters only. */
static void default_name(char out[FOLDER_BYTES], const settings *s, int n)
{
    char text[64], cell[32];
    const char *name = strrchr(s->data, '/');
    size_t k = 0;
    name = name ? name + 1 : s->data;
    for (size_t end = strcspn(name, "."); k < end && k < sizeof text - 1; k++)
        text[k] = (unsigned char)name[k] <= 0x20 || strchr("\"'\\*?$", name[k]) ? '-' : name[k];
    text[k] = '\0';
    const option_spec *o = option_find(s->command, "cell", 4);
    option_text(cell, sizeof cell, o, s);
    (void)snprintf(out, FOLDER_BYTES, "runs/%s-%s-%d", k ? text : "text", cell, n);
}

int folder_taken(const char *path)
{
    return fail(USAGE, "%s exists; go on with it by --resume %s, or choose another --run", path,
                path);
}

int folder_create(folder *f, const settings *s)
{
    f->lock = -1;
    if (s->run && strlen(s->run) >= FOLDER_BYTES)
        return fail(USAGE, "--run: the path is too long");
    for (int n = 1;; n++) {
        if (s->run)
            (void)snprintf(f->path, FOLDER_BYTES, "%s", s->run);
        else
            default_name(f->path, s, n);
        size_t length = strlen(f->path);
        while (length > 1 && f->path[length - 1] == '/')
            f->path[--length] = '\0';
        int code = folder_parents(f->path, "--run");
        if (code)
            return code;
        if (mkdir(f->path, 0777) == 0)
            return lock_it(f);
        if (errno != EEXIST)
            return fail(RUN_TIME, "%s: %s (choose another --run)", f->path, strerror(errno));
        if (s->run)
            return folder_taken(s->run);
    }
}

int folder_open(folder *f, const char *path)
{
    struct stat s;
    char config[PATH_BYTES];
    f->lock = -1;
    if (strlen(path) >= FOLDER_BYTES)
        return fail(USAGE, "--resume: the path is too long");
    (void)snprintf(f->path, FOLDER_BYTES, "%s", path);
    if (stat(path, &s))
        return fail(RUN_TIME, "%s: %s", path, strerror(errno));
    if (S_ISDIR(s.st_mode) && lstat(folder_file(config, f, "config.json"), &s) && errno != ENOENT)
        return fail(RUN_TIME, "%s: %s", config, strerror(errno));
    if (!file_exists(folder_file(config, f, "config.json")))
        return fail(BAD_DATA, "%s: not a run folder (it has no config.json)", path);
    return lock_it(f);
}

/* All of it, and onto the disk where there is one. */
static int write_all(int fd, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t done = write(fd, text + at, n - at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        at += (size_t)done;
    }
    return fsync(fd) && errno != EINVAL ? -1 : 0;
}

/* What is no plain file stays what it is: a pipe or a device takes the text, a link is refused. */
static int write_into(const char *path, mode_t mode, const char *text, size_t n)
{
    if (S_ISLNK(mode) || S_ISDIR(mode))
        return fail(RUN_TIME, "%s: this is a %s; name a file", path,
                    S_ISLNK(mode) ? "link" : "folder");
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail(RUN_TIME, "%s: %s", path, strerror(errno));
    int bad = write_all(fd, text, n) ? errno : 0;
    if (close(fd) && !bad)
        bad = errno;
    return bad ? fail(RUN_TIME, "%s: %s", path, strerror(bad)) : DONE;
}

int file_replace(const char *path, const char *text, size_t n)
{
    struct stat old;
    char part[PATH_BYTES + 32];
    if (lstat(path, &old) == 0 && !S_ISREG(old.st_mode))
        return write_into(path, old.st_mode, text, n);
    (void)snprintf(part, sizeof part, "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return fail(RUN_TIME, "%s: %s", path, strerror(errno));
    int bad = write_all(fd, text, n) ? errno : 0;
    if (close(fd) && !bad)
        bad = errno;
    if (!bad && rename(part, path))
        bad = errno;
    if (!bad)
        return DONE;
    (void)unlink(part);
    return fail(RUN_TIME, "%s: %s", path, strerror(bad));
}
