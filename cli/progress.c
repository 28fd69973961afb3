/* cli/progress.c -- one line that is redrawn, or plain lines. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE
#include "cli/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { AUTO, BAR, PLAIN, SILENT };

static struct { int kind; bool shown; double drawn; } bar;

double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
    return x[n / 2];
}

void progress_setup(const settings *s)
{
    const char *term = getenv("TERM");
    bar.kind = s->progress;
    if (bar.kind == AUTO)
        bar.kind = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 ? BAR : PLAIN;
    if (s->quiet)
        bar.kind = SILENT;
    say_before = progress_clear;
}

static size_t width(void)
{
    struct winsize w = { 0 };
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
        return 79;
    return (size_t)w.ws_col - 1;
}

static void duration(char out[32], double s)
{
    if (s < 0 || !isfinite(s))
        (void)snprintf(out, 32, "?");
    else if (s < 3600)
        (void)snprintf(out, 32, "%d:%02d", (int)s / 60, (int)s % 60);
    else
        (void)snprintf(out, 32, "%lldh%02d", (long long)s / 3600, (int)fmod(s / 60, 60));
}

static void send(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* a closed log stops nobody */
}

void progress_clear(void)
{
    if (bar.shown)
        send("\r\033[K");
    bar.shown = false;
}

void progress_draw(const progress_line *p)
{
    char line[512], left[32], blocks[25] = "", beside[48] = "";
    double now = seconds();
    if (bar.kind != BAR || now - bar.drawn < 0.1)
        return;
    duration(left, p->seconds_left);
    if (p->total) {
        memset(blocks, '.', 20);
        memset(blocks, '#', (size_t)(20 * p->step / p->total) % 21);
    }
    if (p->name)
        (void)snprintf(beside, sizeof beside, " (%.2f %s)", p->measure, p->name);
    (void)snprintf(line, sizeof line, "step %llu%s%.0llu [%s] loss %.3f%s  |g| %.2g  "
                   "lr %.2g  %.0f %s/s  %s left", (unsigned long long)p->step,
                   p->total ? "/" : "", (unsigned long long)p->total, blocks, p->loss, beside,
                   p->grad_norm, p->lr, p->per_second, p->unit, left);
    line[width() < sizeof line ? width() : sizeof line - 1] = '\0';
    send("\r");
    send(line);
    send("\033[K");
    bar.shown = true;
    bar.drawn = now;
}

void progress_text(const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    if (bar.kind == PLAIN)
        note("%s", line);
    if (bar.kind != BAR)
        return;
    line[width() < sizeof line ? width() : sizeof line - 1] = '\0';
    send("\r");
    send(line);
    send("\033[K");
    bar.shown = true;
}

bool progress_reading(void *user, double share)
{
    double *last = user;
    if (seconds() - *last < 2)
        return true;
    *last = seconds();
    note("data   reading, %.0f %%", 100 * share);
    return true;
}

void progress_log(const progress_line *p)
{
    char total[32] = "", left[32] = "", beside[48] = "";
    if (bar.kind != PLAIN)
        return;
    if (p->total)
        (void)snprintf(total, sizeof total, " of=%llu", (unsigned long long)p->total);
    if (p->seconds_left >= 0)
        (void)snprintf(left, sizeof left, " left_s=%.0f", p->seconds_left);
    if (p->name)
        (void)snprintf(beside, sizeof beside, " %s=%.4f", p->name, p->measure);
    note("step=%llu%s epoch=%.3f loss=%.4f%s grad_norm=%.3g lr=%.3g %s_s=%.0f%s",
         (unsigned long long)p->step, total, p->epoch, p->loss, beside, p->grad_norm, p->lr,
         p->unit, p->per_second, left);
}
