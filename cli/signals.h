/* cli/signals.h -- Ctrl-C and its kin ask; the loop answers between two steps. */
#ifndef RG_CLI_SIGNALS_H
#define RG_CLI_SIGNALS_H

#include <stdbool.h>

/* SIGINT, SIGTERM and SIGHUP ask to stop, a second one leaves at once; SIGUSR1 asks to save; a
 * closed pipe and a file beyond its limit are errors of write(), no signals. */
void signals_install(void);
/* The signal that asked to stop, or 0. */
int signals_stop(void);
/* Was there one? For callbacks. */
bool signals_stop_asked(void *user);
/* Did someone ask to save since the last call? */
bool signals_save(void);

#endif
