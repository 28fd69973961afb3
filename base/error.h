/* base/error.h -- where messages are born. One line, at most 511 bytes, no trailing newline. */
#ifndef RG_BASE_ERROR_H
#define RG_BASE_ERROR_H

#include <stdarg.h>
#include <retrograd/graph.h>

enum { RG_MESSAGE_BYTES = 512 };

/* A failure and its reason. The text's address is stable, so objects hand it out. */
struct rg_err {
    rg_status status;
    char      text[RG_MESSAGE_BYTES];
};

/* rg_fail() (public, graph.h) with a list of arguments. Control bytes become '?'. */
rg_status rg_fail_v(rg_err *err, rg_status status, const char *format, va_list ap);
/* Put "prefix: " before the text that is there. */
void rg_err_prefix(rg_err *err, const char *prefix);
/* Forget what was. */
void rg_err_clear(rg_err *err);

/* A broken promise of our own code: a status in production, a trap where tests ask for one. */
#if defined(RG_TRAP_INVARIANTS)
#define RG_INVARIANT(condition, err) \
    do { if (!(condition)) __builtin_trap(); } while (0)
#else
#define RG_INVARIANT(condition, err)                                                          \
    do {                                                                                      \
        if (!(condition))                                                                     \
            return rg_fail((err), RG_EINTERNAL, "internal error, please report: %s", #condition); \
    } while (0)
#endif

#endif
