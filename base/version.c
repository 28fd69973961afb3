/* base/version.c -- the version of the library in use. */
#include <retrograd/base.h>

int rg_version(void)
{
    return RG_VERSION;
}
