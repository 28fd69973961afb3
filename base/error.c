/* base/error.c -- failures, their codes and their texts. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

static const char *const status_text[] = {
    "success",
    "no memory",
    "argument or option value",
    "shapes do not fit",
    "kind or element type does not fit",
    "index out of range",
    "limit exceeded",
    "foreign, unknown or unbound value",
    "no gradient",
    "wrong phase",
    "a user's callback failed",
    "malformed file",
    "file of another version",
    "damaged file",
    "file and model differ",
    "input or output failed",
    "disk full",
    "not a finite number",
    "forked child",
    "thread limit",
    "distributed run",
    "internal error",
};

const char *rg_status_text(rg_status status)
{
    return status > RG_OK || status < RG_EINTERNAL ? "unknown status" : status_text[-(int)status];
}

rg_status rg_fail_v(rg_err *err, rg_status status, const char *format, va_list ap)
{
    if (!err)
        return status;
    (void)vsnprintf(err->text, sizeof err->text, format, ap);
    for (char *c = err->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    err->status = status;
    return status;
}

rg_status rg_fail(rg_err *err, rg_status status, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    rg_fail_v(err, status, format, ap);
    va_end(ap);
    return status;
}

void rg_err_prefix(rg_err *err, const char *prefix)
{
    size_t have = strlen(err->text), add = strlen(prefix);
    if (add + 2 >= sizeof err->text)
        return;
    if (have + add + 2 >= sizeof err->text)
        have = sizeof err->text - add - 3;
    memmove(err->text + add + 2, err->text, have);
    err->text[add + 2 + have] = '\0';
    memcpy(err->text, prefix, add);
    memcpy(err->text + add, ": ", 2);
}

void rg_err_clear(rg_err *err)
{
    err->status = RG_OK;
    err->text[0] = '\0';
}
