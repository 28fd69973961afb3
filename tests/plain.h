/* tests/plain.h -- between the plain host's main and rgt.c. */
#ifndef RGT_PLAIN_H
#define RGT_PLAIN_H

enum { RGT_FAILED = 1, RGT_SKIPPED = 2 };

/* Ends the running test with one of these. */
_Noreturn void rgt_plain_leave(int how);

#endif
